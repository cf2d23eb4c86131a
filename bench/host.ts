/** The machine that measured. */

import { cpus, loadavg, release } from "node:os";
import { firstLineOf, TOOLS } from "./tools.ts";
import type { ToolName } from "./tools.ts";

export interface Host {
  readonly processor: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  /** Versions of the tools that are here. */
  readonly tools: Readonly<Partial<Record<ToolName, string>>>;
  readonly commit: string;
}

export function describeHost(): Host {
  return {
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    kernel: release(),
    node: process.version,
    tools: Object.fromEntries(
      Object.entries(TOOLS).flatMap(([name, { version }]) => {
        const line = version();
        return line === undefined ? [] : [[name, line]];
      }),
    ),
    commit: firstLineOf("git", ["describe", "--always", "--dirty"]) ?? "unknown",
  };
}

/** Processes that wanted to run during the last minute. */
export function load(): number {
  return loadavg()[0] ?? 0;
}
