/** The command line of `npm run bench`. */

import { parseArgs } from "node:util";
import { PARTS } from "./parts.ts";
import type { PartName } from "./parts.ts";

export interface BenchOptions {
  readonly rounds: number;
  readonly format: "text" | "json";
  readonly parts: readonly PartName[];
}

export const USAGE = `npm run bench -- [--rounds N] [--format text|json] [PART…]
Parts: linux (start and shell loop), idle (processor time and memory), workloads (commands in the shell), others
(further guests); by default all.
Needs Linux and QEMU (Debian: apt-get install qemu-system-x86); the native column needs busybox (busybox-static).
The result is also written to bench/results/. Exit status: 0 all goals met, 1 not measured, 2 a goal is missed.
`;

const isPart = (name: string): name is PartName => Object.hasOwn(PARTS, name);

const MOST_ROUNDS = 100;

/** The options, "help", or a sentence that says what is wrong. */
export function parseOptions(words: readonly string[]): BenchOptions | "help" | Error {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: "3" },
        format: { type: "string", default: "text" },
        help: { type: "boolean", default: false },
      },
    });
    if (values.help) return "help";
    const rounds = Number(values.rounds);
    if (!Number.isInteger(rounds) || rounds < 1 || rounds > MOST_ROUNDS) {
      return new Error(`--rounds is a number from 1 to ${MOST_ROUNDS}, not "${values.rounds}".`);
    }
    if (values.format !== "text" && values.format !== "json") {
      return new Error(`--format is text or json, not "${values.format}".`);
    }
    const unknown = positionals.find((name) => !isPart(name));
    if (unknown !== undefined) return new Error(`There is no part "${unknown}".`);
    const named = positionals.filter(isPart);
    const parts = Object.keys(PARTS).filter(isPart);
    return { rounds, format: values.format, parts: named.length === 0 ? parts : named };
  } catch (thrown) {
    if (thrown instanceof Error) return thrown;
    throw thrown;
  }
}
