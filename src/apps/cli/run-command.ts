/** `typevisor run`: one VM in the foreground. */

import { createWriteStream } from "node:fs";
import { open } from "node:fs/promises";
import { constants } from "node:os";
import { err, ok, releasable } from "../../base/index.ts";
import type { Releasable, Result } from "../../base/index.ts";
import type { VmEnd, VmHandle } from "../../host/index.ts";
import { formatCrashDump, parseVmDefinition, VM_SETTINGS } from "../../vmm/index.ts";
import type { VmDefinition } from "../../vmm/index.ts";
import { createVmHandle } from "../code-profiles.ts";
import { printError } from "./cli-parts.ts";
import type { CliParts } from "./cli-parts.ts";
import { deservesReport, writeCrashReport } from "./crash-report.ts";
import { describeEnding, EXIT, exitStatusOf } from "./exit-status.ts";
import { parseSerialTarget } from "./serial-target.ts";
import type { SerialTarget } from "./serial-target.ts";
import { statsReport } from "./stats-report.ts";
import type { StatsFormat } from "./stats-report.ts";
import { attachStdio, outputTo } from "./stdio-console.ts";
import { attachTextDisplay } from "./text-display.ts";

/** Whether the terminal shows the VM's text screen instead of its serial port. */
export const DISPLAYS = ["none", "text"] as const;
export type DisplayKind = (typeof DISPLAYS)[number];

export interface RunOptions {
  /** The options that VM_SETTINGS declares, as text. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly serial: string;
  readonly display: DisplayKind;
  readonly stats: boolean;
  readonly format: StatsFormat;
}

/** Runs the VM to its end and returns the exit status. */
export async function runVm(options: RunOptions, { spawn }: CliParts): Promise<number> {
  const prepared = await prepare(options);
  if (!prepared.ok) return refuse(prepared.error.message);
  const { definition, serial } = prepared.value;
  const created = await createVmHandle({ definition, link: spawn() });
  if (!created.ok) return refuse(created.error.message);
  const vm = created.value;
  const console = await connectSerial(vm, serial);
  const display =
    options.display === "text" ? attachTextDisplay(vm, () => void vm.stop()) : releasable(() => undefined);
  const signals = stopOnSignals(vm);
  await vm.start();
  const end = await vm.ended;
  console.release();
  display.release();
  const signalStatus = signals.status();
  signals.release();
  await reportEnd(vm, end);
  if (options.stats && end.sample !== undefined)
    process.stderr.write(statsReport(end.sample, options.format));
  return signalStatus ?? exitStatusOf(end.outcome);
}

function refuse(message: string): number {
  printError(message);
  return EXIT.error;
}

interface Prepared {
  readonly definition: VmDefinition;
  readonly serial: SerialTarget;
}

/** Everything that can be said about the options before a process is started. */
async function prepare({ settings, serial, display }: RunOptions): Promise<Result<Prepared>> {
  const definition = parseVmDefinition(settings);
  if (!definition.ok) {
    const { option, problem } = definition.error;
    return err("bad-option", `The option --${option} ${problem}.`);
  }
  const target = parseSerialTarget(serial);
  if (!target.ok) return target;
  if (display === "text" && !(process.stdin.isTTY && process.stdout.isTTY))
    return err("bad-option", "The option --display text needs a terminal for input and output.");
  if (display === "text" && target.value.kind === "stdio")
    return ok({ definition: definition.value, serial: { kind: "none" } });
  if (target.value.kind === "file") {
    const { path } = target.value;
    try {
      await (await open(path, "w")).close();
    } catch (thrown) {
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      return err("bad-option", `The file ${path} for the serial port cannot be written: ${reason}.`);
    }
  }
  return ok({ definition: definition.value, serial: target.value });
}

/** The settings among commander's options, by the names that they declare; commander has "vga-bios" as vgaBios. */
export function settingsAmong(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = Object.values(VM_SETTINGS).flatMap(({ option }) => {
    const attribute = option.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return attribute in options ? [[option, options[attribute]] as const] : [];
  });
  return Object.fromEntries(given);
}

async function connectSerial(vm: VmHandle, target: SerialTarget): Promise<Releasable> {
  const stop = (): void => void vm.stop();
  switch (target.kind) {
    case "stdio":
      return attachStdio(vm, stop);
    case "file": {
      const stream = createWriteStream(target.path);
      const output = outputTo(vm, stream, (error) => {
        printError(`The file ${target.path} for the serial port cannot be written: ${error.message}.`);
        stop();
      });
      return {
        release() {
          output.release();
          stream.end();
        },
      };
    }
    case "none":
      return releasable(() => undefined);
  }
}

/** A signal stops the VM; the exit status then tells of the signal, as shells expect. */
function stopOnSignals(vm: VmHandle): Releasable & { status(): number | undefined } {
  let status: number | undefined;
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const onSignal = (signal: (typeof signals)[number]): void => {
    status = 128 + constants.signals[signal];
    void vm.stop();
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    status: () => status,
    release() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

/** Says how the VM ended, unless it did what it was meant to. */
async function reportEnd(vm: VmHandle, end: VmEnd): Promise<void> {
  const { outcome } = end;
  // The guest may have been stopped in the middle of a line.
  if (process.stdout.isTTY && outcome.kind !== "powered-off") process.stdout.write("\n");
  if (exitStatusOf(outcome) === EXIT.ok || outcome.kind === "debug-exit") return;
  printError(`The VM ${vm.name} ${describeEnding(outcome)}.`);
  if (outcome.kind === "crashed") process.stderr.write(formatCrashDump(outcome.dump));
  if (!deservesReport(end)) return;
  if (outcome.kind === "failed") {
    process.stderr.write(`${outcome.report.reason}\n`);
    if (outcome.report.dump !== undefined) process.stderr.write(formatCrashDump(outcome.report.dump));
  }
  if (outcome.kind === "process-died") process.stderr.write(outcome.ending.lastWords);
  const path = await writeCrashReport(vm, end);
  if (path !== undefined) printError(`A report is in ${path}.`);
}
