/** `typevisor run`: one VM in the foreground. */

import { constants } from "node:os";
import { err, ok } from "../../base/index.ts";
import type { Releasable, Result } from "../../base/index.ts";
import type { VmEnd, VmHandle } from "../../host/index.ts";
import { formatCrashDump, parseVmDefinition, SERIAL_CONNECTORS, VM_SETTINGS } from "../../vmm/index.ts";
import type { VmDefinition } from "../../vmm/index.ts";
import { createVmHandle } from "../code-profiles.ts";
import { plugIn, prepareCables, releaseSockets } from "./cables.ts";
import type { Cable } from "./cables.ts";
import { claimVmName } from "../running-vms/publish-vm.ts";
import type { ClaimedName } from "../running-vms/publish-vm.ts";
import { printError } from "./cli-parts.ts";
import type { CliParts } from "./cli-parts.ts";
import { prepareDisplay, showDisplay } from "./displays.ts";
import type { Display } from "./displays.ts";
import { deservesReport, writeCrashReport } from "./crash-report.ts";
import { ESCAPE_HELP } from "./escape-keys.ts";
import type { EscapeCommands } from "./escape-keys.ts";
import { describeEnding, EXIT, exitStatusOf } from "./exit-status.ts";
import { saveScreenshot } from "./save-screenshot.ts";
import { statsReport } from "./stats-report.ts";
import type { StatsFormat } from "./stats-report.ts";

export interface RunOptions {
  /** The options that VM_SETTINGS declares, as text. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Where the serial ports lead, COM1 first. */
  readonly serial: readonly string[];
  /** Where the printer's output goes; undefined for no printer. */
  readonly parallel: string | undefined;
  readonly display: string;
  readonly vncPasswordFile: string | undefined;
  readonly stats: boolean;
  readonly format: StatsFormat;
}

/** Runs the VM to its end and returns the exit status. */
export async function runVm(options: RunOptions, { spawn }: CliParts): Promise<number> {
  const prepared = await prepare(options);
  if (!prepared.ok) return refuse(prepared.error.message);
  const { cables } = prepared.value;
  const claimed = await claimName(prepared.value.definition.name, options.settings["name"] !== undefined);
  if (!claimed.ok) {
    releaseSockets(cables);
    return refuse(claimed.error.message);
  }
  const { name } = claimed.value;
  const definition = { ...prepared.value.definition, name };
  const created = await createVmHandle({ definition, link: spawn() });
  if (!created.ok) {
    claimed.value.release();
    releaseSockets(cables);
    return refuse(created.error.message);
  }
  const vm = created.value;
  const commands: EscapeCommands = {
    q: () => void vm.stop(),
    p: () => vm.pressButton("power"),
    s: () => vm.pressButton("sleep"),
    c: () => void saveScreenshot(vm).then((sentence) => display.ok && display.value.say(sentence)),
    help: () => {
      if (display.ok) display.value.say(ESCAPE_HELP);
    },
  };
  const connected = cables.map((cable) => plugIn(vm, cable, commands));
  const display = await showDisplay(vm, prepared.value.display, commands);
  if (!display.ok) {
    vm.kill();
    claimed.value.release();
    for (const cable of connected) cable.release();
    return refuse(display.error.message);
  }
  const signals = stopOnSignals(vm);
  await vm.start();
  claimed.value.serve(vm);
  const end = await vm.ended;
  claimed.value.release();
  for (const cable of connected) cable.release();
  display.value.release();
  const signalStatus = signals.status();
  signals.release();
  await reportEnd(vm, end);
  if (options.stats && end.sample !== undefined)
    process.stderr.write(statsReport(end.sample, options.format));
  return signalStatus ?? exitStatusOf(end.outcome);
}

/**
 * The VM's name, by which other commands reach it. A VM that nobody has named takes a free name; one whose name cannot be
 * used for that, for want of a folder, runs all the same.
 */
async function claimName(name: string, isGiven: boolean): Promise<Result<ClaimedName>> {
  const claimed = await claimVmName(name, isGiven);
  if (claimed.ok || claimed.error.code === "name-taken") return claimed;
  if (isGiven) printError(claimed.error.message);
  return ok({ name, serve: () => undefined, release: () => undefined });
}

function refuse(message: string): number {
  printError(message);
  return EXIT.error;
}

interface Prepared {
  readonly definition: VmDefinition;
  readonly cables: readonly Cable[];
  readonly display: Display;
}

/** Everything that can be said about the options before a process is started. */
async function prepare(options: RunOptions): Promise<Result<Prepared>> {
  const { settings, serial, parallel } = options;
  const definition = parseVmDefinition(withPorts(settings, serial.length, parallel !== undefined));
  if (!definition.ok) {
    const { option, problem } = definition.error;
    return err("bad-option", `The option --${option} ${problem}.`);
  }
  if (serial.length > definition.value.serialPorts)
    return err("bad-option", `The option --serial may be given once for each serial port.`);
  const display = await prepareDisplay(options.display, options.vncPasswordFile);
  if (!display.ok) return display;
  const cables = await prepareCables(serial, parallel, display.value.kind === "text");
  if (!cables.ok) return cables;
  return ok({ definition: definition.value, cables: cables.value, display: display.value });
}

/** The settings, with the ports that the targets are for. */
function withPorts(
  settings: Readonly<Record<string, unknown>>,
  serialPorts: number,
  hasPrinter: boolean,
): Readonly<Record<string, unknown>> {
  const { device } = settings;
  const devices: readonly unknown[] = Array.isArray(device) ? device : [];
  return {
    ...settings,
    "serial-ports": settings["serial-ports"] ?? Math.min(serialPorts, SERIAL_CONNECTORS.length),
    device: hasPrinter ? [...devices, "isa-parallel"] : devices,
  };
}

/** The settings among commander's options, by the names that they declare; commander has "vga-bios" as vgaBios. */
export function settingsAmong(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = Object.values(VM_SETTINGS).flatMap(({ option }) => {
    const attribute = option.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
    return attribute in options ? [[option, options[attribute]] as const] : [];
  });
  return Object.fromEntries(given);
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
