/**
 * `typevisor demo`: several different operating systems at once, each in a process of its own. On a terminal a live
 * dashboard; without one a line per event, and an exit status that says whether every guest has shown its mark.
 */

import { MiB, NS_PER_S } from "../../../base/index.ts";
import type { SpawnVmProcess } from "../../../host/index.ts";
import { printError } from "../cli-parts.ts";
import { EXIT } from "../exit-status.ts";
import { metric } from "../stats-report.ts";
import { Dashboard } from "./dashboard.ts";
import { DemoFault, DemoVm } from "./demo-vm.ts";
import type { DemoGuest } from "./demo-vm.ts";
import { logUntilMarks } from "./event-log.ts";
import { lookFor } from "./look.ts";

export { DemoFault, DemoVm } from "./demo-vm.ts";
export type { DemoGuest } from "./demo-vm.ts";

export interface DemoOptions {
  readonly guests: readonly DemoGuest[];
  readonly timeoutSeconds: number;
  readonly spawn: SpawnVmProcess;
}

/** Runs the demo to its end and returns the exit status. */
export async function runDemo({ guests, timeoutSeconds, spawn }: DemoOptions): Promise<number> {
  const created = await Promise.allSettled(guests.map((guest) => DemoVm.create(guest, spawn)));
  const vms = created.filter((one) => one.status === "fulfilled").map(({ value }) => value);
  try {
    for (const one of created) {
      if (one.status === "fulfilled") continue;
      if (!(one.reason instanceof DemoFault)) throw one.reason;
      printError(one.reason.message);
      return EXIT.error;
    }
    const hasTerminal = process.stdin.isTTY && process.stdout.isTTY;
    return hasTerminal ? await runOnTerminal(vms) : await runInLines(vms, timeoutSeconds);
  } finally {
    await Promise.all(vms.map((vm) => vm.handle.stop()));
  }
}

async function runOnTerminal(vms: readonly DemoVm[]): Promise<number> {
  await Promise.all(vms.map((vm) => vm.start()));
  // Nobody waits for the marks here; the panels show them when they come.
  for (const vm of vms) void vm.markShown(undefined);
  await new Dashboard(vms, lookFor(process.env)).run();
  return EXIT.ok;
}

async function runInLines(vms: readonly DemoVm[], timeoutSeconds: number): Promise<number> {
  const interrupted = new Promise<"interrupted">((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => resolve("interrupted"));
    }
  });
  const reasons = await Promise.race([
    logUntilMarks(vms, timeoutSeconds * 1000, process.stdout),
    interrupted,
  ]);
  if (reasons === "interrupted") return EXIT.interrupted;
  for (const vm of vms) process.stdout.write(`${await summary(vm)}\n`);
  for (const reason of reasons) printError(reason);
  return reasons.length === 0 ? EXIT.ok : EXIT.error;
}

async function summary(vm: DemoVm): Promise<string> {
  const sample = await vm.handle.measure();
  if (sample === undefined) return `${vm.name}: no figures`;
  const { statistics, residentBytes, cpuTimeNs } = sample;
  const instructions = Number(statistics.execution.instructionsRetired);
  return (
    `${vm.name}: ${(statistics.guestTimeNs / NS_PER_S).toFixed(1)} s of guest time, ` +
    `${metric(instructions)} instructions, ${(cpuTimeNs / NS_PER_S).toFixed(1)} s of processor time, ` +
    `${(residentBytes / MiB).toFixed(0)} MiB`
  );
}
