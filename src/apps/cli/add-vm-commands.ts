/** Declares the commands that work on running VMs. Their workings are loaded only when one is used. */

import { Argument, Option } from "commander";
import type { Command } from "commander";
import type { VmListFormat } from "./vm-commands.ts";

type Finish = (status: number) => void;

/** The name of the argument whose values are names of running VMs: completion looks for them. */
export const RUNNING_VM = "VM";
const LIST_FORMATS: readonly VmListFormat[] = ["table", "json"];

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
    .description("Writes what the screen of a running VM shows now, text or graphics, as a PNG file.")
    .addArgument(vm())
    .argument("<FILE>", "the PNG file")
    .action(async (name: string, file: string) => finish(await (await load()).takeScreenshot(name, file)));
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
  for (const command of ["pause", "resume", "reset", "stop"] as const) {
    program
      .command(command)
      .summary(SIMPLE_COMMANDS[command])
      .addArgument(vm())
      .action(async (name: string) => finish(await (await load()).commandVm(name, { command })));
  }
}
