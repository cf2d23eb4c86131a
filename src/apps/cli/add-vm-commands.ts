/** Declares the commands that work on running VMs. Their workings are loaded only when one is used. */

import { Argument, Option } from "commander";
import type { Command } from "commander";
import type { ScreenshotFormat } from "../../host/index.ts";
import type { VmListFormat } from "./vm-commands.ts";

type Finish = (status: number) => void;

/** The name of the argument whose values are names of running VMs: completion looks for them. */
export const RUNNING_VM = "VM";
const LIST_FORMATS: readonly VmListFormat[] = ["table", "json"];

const SCREENSHOT_FORMATS: readonly ScreenshotFormat[] = ["png", "text"];

const BUTTONS = ["power", "sleep"] as const;

const SIMPLE_COMMANDS = {
  pause: "stand a running VM still, its clock included",
  resume: "let a paused VM go on",
  reset: "reset a running VM, as its reset button does",
  stop: "end a running VM, without asking its guest",
} as const;

export function addVmCommands(program: Command, finish: Finish): void {
  const load = () => import("./vm-commands.ts");
  const vm = (): Argument => new Argument(`<${RUNNING_VM}>`, "name of a running VM");
  program
    .command("list")
    .summary("list your running VMs")
    .description("Lists the VMs that this user runs with typevisor run.")
    .addOption(new Option("--format <FORMAT>", "format of the list").choices(LIST_FORMATS).default("table"))
    .action(async ({ format }: { readonly format: VmListFormat }) =>
      finish(await (await load()).listRunningVms(format)),
    );
  program
    .command("screenshot")
    .summary("save what a running VM's screen shows")
    .description(
      "Writes what the screen of a running VM shows now: a picture into a PNG file, or\n" +
        "the characters of a text screen, in UTF-8, into a text file or to standard\n" +
        "output.",
    )
    .addArgument(vm())
    .argument("[FILE]", "NAME.png, NAME.txt, or - for standard output", "-")
    .addOption(
      new Option("--format <FORMAT>", "what FILE gets, whatever its name").choices(SCREENSHOT_FORMATS),
    )
    .action(async (name: string, file: string, { format }: { readonly format?: ScreenshotFormat }) =>
      finish(await (await load()).takeScreenshot(name, file, format)),
    );
  program
    .command("type")
    .summary("type a text on a running VM's keyboard")
    .description(
      "Types a text as on a US keyboard. A newline in it is the Enter key: $'root\\n' in most shells.",
    )
    .addArgument(vm())
    .argument("<TEXT...>", "the text; several words are typed with spaces between them")
    .action(async (name: string, words: string[]) => finish(await (await load()).typeText(name, words)));
  program
    .command("keys")
    .summary("press keys of a running VM's keyboard")
    .description(
      "Presses keys one after the other, each by its name (KeyA, Digit1, Enter, ArrowUp, F2); those joined by + are\n" +
        "held together: ControlLeft+AltLeft+Delete.",
    )
    .addArgument(vm())
    .argument("<KEY...>", "names of keys")
    .action(async (name: string, keys: string[]) => finish(await (await load()).pressKeys(name, keys)));
  program
    .command("press")
    .summary("press a button of a running VM's case")
    .description("Presses the power or the sleep button: a guest with ACPI shuts down, or sleeps.")
    .addArgument(vm())
    .addArgument(new Argument("<BUTTON>", "the button").choices(BUTTONS))
    .action(async (name: string, button: (typeof BUTTONS)[number]) =>
      finish(await (await load()).commandVm(name, { command: "press", button })),
    );
  addMedia(program, vm, finish);
  for (const command of ["pause", "resume", "reset", "stop"] as const) {
    program
      .command(command)
      .summary(SIMPLE_COMMANDS[command])
      .addArgument(vm())
      .action(async (name: string) => finish(await (await load()).commandVm(name, { command })));
  }
}

function addMedia(program: Command, vm: () => Argument, finish: Finish): void {
  const load = () => import("./vm-commands.ts");
  const drive = (): Argument =>
    new Argument("<DRIVE>", "cdrom0, floppy0 and so on; cdrom and floppy are the first ones");
  const media = program
    .command("media")
    .summary("change discs and diskettes of a running VM")
    .description(
      "Lists the drives of a running VM whose media can be changed, puts media in, takes them out.",
    );
  media
    .command("list")
    .description("Lists the drives and what is in them.")
    .addArgument(vm())
    .action(async (name: string) => finish(await (await load()).listMedia(name)));
  media
    .command("insert")
    .description(
      "Puts an image into a drive, in the place of what is there. FILE is as run --cdrom or run --floppy take it:\n" +
        "FILE[,readonly][,temporary] for a diskette.",
    )
    .addArgument(vm())
    .addArgument(drive())
    .argument("<FILE>", "the image")
    .action(async (name: string, where: string, file: string) =>
      finish(await (await load()).insertMedium(name, where, file)),
    );
  media
    .command("eject")
    .description("Takes the medium out of a drive; a guest that has locked its tray is asked to open it.")
    .option("--force", "open the tray even if the guest has locked it")
    .addArgument(vm())
    .addArgument(drive())
    .action(async (name: string, where: string, { force = false }: { readonly force?: boolean }) =>
      finish(await (await load()).ejectMedium(name, where, force)),
    );
}
