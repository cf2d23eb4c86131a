/** The command line of `npm run bench`. */

import { parseArgs } from "node:util";
import { closestNames } from "../src/host/index.ts";
import { CONTESTANTS } from "./contestant.ts";
import type { ContestantName } from "./contestant.ts";
import { PART_NAMES, partOf } from "./parts/index.ts";
import type { Clock } from "./part.ts";
import type { PartName } from "./parts/index.ts";

export interface BenchOptions {
  readonly rounds: number;
  readonly clock: Clock;
  readonly format: "text" | "json";
  /** Whether the result is the one that the documents show. */
  readonly isRecord: boolean;
  readonly parts: readonly PartName[];
  readonly contestants: readonly ContestantName[];
  /** Workloads of the parts; undefined is all of them. */
  readonly only: readonly string[] | undefined;
}

const DEFAULT_ROUNDS = 5;
const MOST_ROUNDS = 100;

const partLines = PART_NAMES.map((name) => {
  const { summary, workloads = [] } = partOf(name);
  return `  ${name.padEnd(12)} ${summary}${workloads.length === 0 ? "" : `:\n${indented(workloads)}`}`;
});

export const USAGE = `npm run bench -- [options] [PART…]

Measures Typevisor side by side with its peers on the same files, interleaved. The table and the goals are printed,
and everything is written to bench/results/. On a machine that others use too, only the ratios mean something.

Parts, by default all:
${partLines.join("\n")}

  --only NAME,…         only these workloads of the parts
  --contestants NAME,…  of ${CONTESTANTS.join(", ")}; by default all that are here
  --rounds N            the medians are of N rounds, by default ${DEFAULT_ROUNDS}
  --clock CLOCK         what times are compared by: wall, by default, or processor, which counts the time of all
                        threads and which other programs on the machine hardly change
  --format text|json    what is printed
  --record              keep the result as bench/results/recorded.json, and draw docs/speed.svg of it
  --help

Nothing is installed; who or what is missing is left out and named, with the command that installs it.
Exit status: 0 all goals met, 1 not measured or not all, 2 a goal is missed.
`;

/** The options, "help", or a sentence that says what is wrong. */
export function parseOptions(words: readonly string[]): BenchOptions | "help" | Error {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        rounds: { type: "string", default: `${DEFAULT_ROUNDS}` },
        clock: { type: "string", default: "wall" },
        format: { type: "string", default: "text" },
        contestants: { type: "string" },
        only: { type: "string" },
        record: { type: "boolean", default: false },
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
    if (values.clock !== "wall" && values.clock !== "processor") {
      return new Error(`--clock is wall or processor, not "${values.clock}".`);
    }
    const named =
      positionals.length === 0 ? PART_NAMES : positionals.map((name) => known("part", name, PART_NAMES));
    const contestants = listOf(values.contestants)?.map((name) => known("contestant", name, CONTESTANTS));
    const workloads = PART_NAMES.filter((part) => named.includes(part)).flatMap(
      (part) => partOf(part).workloads ?? [],
    );
    const only = listOf(values.only)?.map((name) => known("workload", name, workloads));
    return {
      rounds,
      clock: values.clock,
      format: values.format,
      isRecord: values.record,
      // A part that has none of the workloads has nothing to do.
      parts: PART_NAMES.filter(
        (part) =>
          named.includes(part) &&
          (only === undefined || partOf(part).workloads?.some((name) => only.includes(name)) === true),
      ),
      contestants: CONTESTANTS.filter((name) => contestants?.includes(name) !== false),
      only,
    };
  } catch (thrown) {
    if (thrown instanceof Error) return thrown;
    throw thrown;
  }
}

const listOf = (text: string | undefined): string[] | undefined =>
  text?.split(",").filter((name) => name !== "");

function known(kind: string, name: string, names: readonly string[]): string {
  if (names.includes(name)) return name;
  const [close] = closestNames(name, names);
  const hint = close === undefined ? `there are ${names.join(", ") || "none"}.` : `did you mean ${close}?`;
  throw new Error(`There is no ${kind} "${name}"; ${hint}`);
}

function indented(names: readonly string[]): string {
  const lines = [""];
  for (const name of names) {
    const line = lines.at(-1) ?? "";
    if (line.length + name.length > 90) lines.push(name);
    else lines[lines.length - 1] = line === "" ? name : `${line}, ${name}`;
  }
  return lines.map((line) => `${" ".repeat(15)}${line}`).join("\n");
}
