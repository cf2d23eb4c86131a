/** The machine that measured, and whether it can. */

import { spawnSync } from "node:child_process";
import { cpus, loadavg, release } from "node:os";

export interface Host {
  readonly processor: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly qemu: string;
  readonly commit: string;
}

/** Undefined when QEMU is missing. */
export function describeHost(): Host | undefined {
  const qemu = firstLineOf("qemu-system-x86_64", ["--version"]);
  if (qemu === undefined) return undefined;
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    kernel: release(),
    node: process.version,
    qemu,
    commit: firstLineOf("git", ["describe", "--always", "--dirty"]) ?? "unknown",
  };
}

/** Processes that wanted to run during the last minute. */
export function load(): number {
  return loadavg()[0] ?? 0;
}

function firstLineOf(program: string, programArguments: readonly string[]): string | undefined {
  const run = spawnSync(program, programArguments, { encoding: "utf8" });
  return run.status === 0 ? run.stdout.split("\n")[0] : undefined;
}
