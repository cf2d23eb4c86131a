/**
 * The command line: what commands and options there are, made from the same declarations that check them. The commands
 * themselves stand in their own files; here a wrong line becomes one sentence and the status 1.
 */

import { Argument, Command, CommanderError, Option } from "commander";
import { cpuModelHelp, cpuModels } from "../../cpu/index.ts";
import { GUEST_CATALOGUE } from "../../host/index.ts";
import { VM_SETTINGS } from "../../vmm/index.ts";
import type { Setting } from "../../vmm/index.ts";
import { addVmCommands } from "./add-vm-commands.ts";
import { printError } from "./cli-parts.ts";
import type { CliParts } from "./cli-parts.ts";
import { completionScript, SHELLS } from "./completion.ts";
import type { Shell } from "./completion.ts";
import { DEMO_GUESTS, DEMO_TIMEOUT_SECONDS } from "./demo-defaults.ts";
import { DISPLAY_HELP, DISPLAY_WORDS } from "./displays.ts";
import { ESCAPE_HELP } from "./escape-keys.ts";
import { EXIT } from "./exit-status.ts";
import type { ListFormat } from "./guests/index.ts";
import { HELP_LAYOUT } from "./help-layout.ts";
import { packageVersion } from "./package-version.ts";
import { runVm, settingsAmong } from "./run-command.ts";
import { PARALLEL_HELP, SERIAL_HELP } from "./serial-target.ts";
import { STATS_FORMATS } from "./stats-report.ts";
import type { StatsFormat } from "./stats-report.ts";

type Finish = (status: number) => void;

/** Runs one command line and returns the exit status; nothing it meets in `argv` makes it throw. */
export async function runCli(argv: readonly string[], parts: CliParts): Promise<number> {
  let status: number = EXIT.ok;
  for (const stream of [process.stdout, process.stderr]) {
    if (!stream.listeners("error").includes(bearClosedPipe)) stream.on("error", bearClosedPipe);
  }
  const program = buildProgram(parts, (code) => {
    status = code;
  });
  try {
    await program.parseAsync(argv, { from: "user" });
    return status;
  } catch (thrown) {
    // Commander has already said what was wrong; --help and --version also arrive here.
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.error;
    throw thrown;
  }
}

/** Who has closed the pipe wants no more of what is printed; a VM's console looks after its end itself. */
function bearClosedPipe(error: NodeJS.ErrnoException): void {
  if (error.code !== "EPIPE") throw error;
}

/** The whole program; each command reports its exit status to `finish`. No command at all gives the help and 1. */
export function buildProgram(parts: CliParts, finish: Finish): Command {
  const program = new Command("typevisor")
    .description("Runs virtual machines: unmodified operating systems, in plain Node.js.")
    .version(packageVersion(), "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .enablePositionalOptions()
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureHelp(HELP_LAYOUT)
    .configureOutput({
      // Commander's own errors begin with "error: "; every error of ours begins with the program's name.
      outputError: (text, write) => write(text.replace(/^error: /, "typevisor: ")),
    });
  addRun(program, parts, finish);
  addGuests(program, finish);
  addDemo(program, parts, finish);
  addVmCommands(program, finish);
  addCompletion(program);
  return program;
}

/** An option for each setting of a VM: commander collects the text, the settings themselves check it. */
function settingOption(setting: Setting<unknown, unknown>): Option {
  const { option, placeholder, help, defaultText, isList, isHidden = false } = setting;
  const shownDefault = defaultText === undefined ? "" : ` (default: ${defaultText})`;
  const flag = new Option(`--${option} <${placeholder}>`, `${help}${shownDefault}`);
  flag.hideHelp(isHidden);
  if (isList) flag.argParser(collect);
  return flag;
}

const collect = (value: string, previous: readonly string[] | undefined): string[] => [
  ...(previous ?? []),
  value,
];

interface RunFlags {
  readonly cpu?: string;
  readonly serial?: readonly string[];
  readonly parallel?: string;
  readonly display: string;
  readonly vncPasswordFile?: string;
  readonly stats?: true;
  readonly format: StatsFormat;
}

function addRun(program: Command, parts: CliParts, finish: Finish): void {
  const command = program
    .command("run")
    .summary("run one VM in the foreground")
    .description(
      "Runs one VM in the foreground, with its first serial port on the terminal, or, with --display text, the screen that " +
        `a guest without a serial console writes to. ${ESCAPE_HELP}`,
    )
    .usage("(--kernel FILE | --disk FILE | --cdrom FILE | --floppy FILE) [options]");
  for (const setting of Object.values(VM_SETTINGS)) command.addOption(settingOption(setting));
  command
    .addOption(new Option("--serial <TARGET>", SERIAL_HELP).argParser(collect))
    .addOption(new Option("--parallel <TARGET>", PARALLEL_HELP))
    .addOption(new Option("--display <KIND>", DISPLAY_HELP).default("none"))
    .option(
      "--vnc-password-file <FILE>",
      "file whose first line is the password of VNC viewers, up to 8 characters",
    )
    .option("--stats", "print what the VM has done, on standard error, when it has ended")
    .addOption(new Option("--format <FORMAT>", "format of --stats").choices(STATS_FORMATS).default("text"))
    .addHelpText(
      "after",
      "\nExit status: 0 the guest powered off or was stopped; 1 bad input or an error\n" +
        "of the host; 3 the guest crashed (triple fault); 124 timeout;\n" +
        "with isa-debug-exit, (value << 1) | 1.",
    )
    .action(async (flags: RunFlags) => {
      if (flags.cpu === "help") {
        process.stdout.write(cpuModelHelp());
        return;
      }
      const { serial = ["stdio"], parallel, display, vncPasswordFile, stats = false, format } = flags;
      const settings = settingsAmong({ ...flags });
      finish(await runVm({ settings, serial, parallel, display, vncPasswordFile, stats, format }, parts));
    });
}

interface ListFlags {
  readonly format: ListFormat;
}

interface FetchFlags extends ListFlags {
  readonly all?: true;
  readonly mirror?: string;
  readonly suite?: string;
  readonly refresh?: true;
}

interface DemoFlags {
  readonly timeout: string;
  readonly mirror?: string;
  readonly profile?: string;
}

function addDemo(program: Command, parts: CliParts, finish: Finish): void {
  program
    .command("demo")
    .summary("run several operating systems at once")
    .description(
      "Runs several operating systems at once, each in a process of its own. On a terminal a dashboard shows them; " +
        "without one a line is printed per event, and the status is 0 when every guest has shown its mark.",
    )
    .argument("[NAME...]", `names of guests (default: ${DEMO_GUESTS.join(", ")})`)
    .option(
      "--timeout <SECONDS>",
      "without a terminal: how long a guest may take",
      String(DEMO_TIMEOUT_SECONDS),
    )
    .option("--mirror <URL>", "a Debian mirror from which missing guests are fetched")
    .addOption(settingOption(VM_SETTINGS.profile))
    .action(async (names: string[], flags: DemoFlags) => {
      const timeout = VM_SETTINGS.timeoutSeconds.parse(flags.timeout);
      if (!timeout.ok) {
        printError(`The option --timeout ${timeout.error.problem}.`);
        finish(EXIT.error);
        return;
      }
      const profile = VM_SETTINGS.profile.parse(flags.profile);
      if (!profile.ok) {
        printError(`The option --profile ${profile.error.problem}.`);
        finish(EXIT.error);
        return;
      }
      const { demo } = await import("./demo-command.ts");
      const timeoutSeconds = timeout.value ?? DEMO_TIMEOUT_SECONDS;
      finish(await demo({ names, timeoutSeconds, mirror: flags.mirror, profile: profile.value }, parts));
    });
}

function addCompletion(program: Command): void {
  program
    .command("completion")
    .summary("print a script that completes commands in your shell")
    .description(
      "Prints a completion script. For this session: source <(typevisor completion bash), the same with zsh, or " +
        "typevisor completion fish | source.",
    )
    .addArgument(new Argument("<SHELL>", "the shell").choices(SHELLS))
    .action((shell: Shell) => {
      const NAME = GUEST_CATALOGUE.map(({ name }) => name);
      const cpus = [...Object.keys(cpuModels), "help"];
      process.stdout.write(
        completionScript(program, shell, { NAME, SHELL: SHELLS, "--cpu": cpus, "--display": DISPLAY_WORDS }),
      );
    });
}

const LIST_FORMATS: readonly ListFormat[] = ["table", "json"];

function addGuests(program: Command, finish: Finish): void {
  // What unpacks packages is loaded only when it is used: "run" shall start quickly.
  const load = () => import("./guests/index.ts");
  const format = (): Option =>
    new Option("--format <FORMAT>", "format of the result").choices(LIST_FORMATS).default("table");
  const list = async ({ format }: ListFlags): Promise<void> => {
    const { runGuestsList } = await load();
    finish(await runGuestsList({ format }));
  };
  const guests = program
    .command("guests")
    // "guests fetch NAME --format json" is an option of fetch, not of guests.
    .enablePositionalOptions()
    .summary("list and fetch ready-made guests")
    .description("Lists the ready-made guests, or fetches them from Debian packages, without root.")
    .addOption(format())
    .addHelpText("after", `\nGuests: ${GUEST_CATALOGUE.map(({ name }) => name).join(", ")}.`)
    .action(list);
  guests.command("list").description("Lists the ready-made guests.").addOption(format()).action(list);
  guests
    .command("fetch")
    .description("Fetches guests into the user's cache folder.")
    .argument("[NAME...]", "names of guests")
    .option("--all", "every guest of the catalogue")
    .option("--mirror <URL>", "a Debian mirror to use instead of apt-get")
    .option("--suite <SUITE>", "release of Debian on the mirror")
    .option("--refresh", "fetch again what is already in the cache")
    .addOption(format())
    .action(async (names: string[], flags: FetchFlags) => {
      const { all = false, refresh = false, mirror, suite, format } = flags;
      const { runGuestsFetch } = await load();
      finish(await runGuestsFetch({ names, all, refresh, mirror, suite, format }));
    });
}
