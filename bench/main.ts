/**
 * `npm run bench`: Typevisor side by side with QEMU's translator (TCG), v86 and the processor itself, on the same
 * files. The goals are in groups.ts. Nothing is installed: who is missing is named and left out.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { fetchGuest } from "../src/apps/cli/guests/index.ts";
import type { FetchedGuest } from "../src/apps/cli/guests/index.ts";
import { LABELS } from "./contestant.ts";
import { speedChart } from "./chart/speed-chart.ts";
import { groupResults } from "./groups.ts";
import { describeHost, load } from "./host.ts";
import { parseOptions, USAGE } from "./options.ts";
import type { BenchOptions } from "./options.ts";
import type { Bench } from "./part.ts";
import { partOf } from "./parts/index.ts";
import { formatTable } from "./report.ts";
import { allGoalsMet, RESULT_FORMAT } from "./result.ts";
import type { BenchResult, PartResult } from "./result.ts";
import { missing, missingContestant } from "./tools.ts";

const RESULTS = new URL("results/", import.meta.url);
const CHART = new URL("../docs/speed.svg", import.meta.url);
const EXIT = { met: 0, error: 1, missed: 2 } as const;

async function guest(name: string): Promise<FetchedGuest> {
  const fetched = await fetchGuest(name);
  if (!fetched.ok) throw new Error(fetched.error.message);
  return fetched.value;
}

const progress = (line: string): void => void process.stderr.write(`bench: ${line}\n`);

async function measure(options: BenchOptions): Promise<BenchResult> {
  const startedAt = new Date().toISOString();
  const before = load();
  const leftOut: string[] = [];
  const leaveOut = (sentence: string): void => {
    leftOut.push(sentence);
    progress(`left out: ${sentence}`);
  };
  const here = options.contestants.filter((name) => {
    const sentence = missingContestant(name);
    if (sentence !== undefined) leaveOut(`${LABELS[name]}: ${sentence}`);
    return sentence === undefined;
  });
  const parts: PartResult[] = [];
  const failed: string[] = [];
  for (const name of options.parts) {
    const part = partOf(name);
    const sentences = (part.needs ?? []).flatMap((tool) => missing(tool) ?? []);
    for (const sentence of sentences) leaveOut(`part ${name}: ${sentence}`);
    if (sentences.length > 0) continue;
    progress(name);
    const bench: Bench = {
      rounds: options.rounds,
      clock: options.clock,
      contestants: here.filter((contestant) => part.contestants.includes(contestant)),
      workloads: (part.workloads ?? []).filter((workload) => options.only?.includes(workload) !== false),
      progress,
      leaveOut,
      guest,
    };
    try {
      parts.push({ name, figures: await part.run(bench) });
    } catch (thrown) {
      // What the other parts measured is kept, and the failure stands in the result.
      leaveOut(`part ${name}: it failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
      failed.push(name);
    }
  }
  return {
    format: RESULT_FORMAT,
    startedAt,
    host: describeHost(),
    rounds: options.rounds,
    clock: options.clock,
    load: { before, after: load() },
    leftOut,
    failed,
    parts,
    groups: groupResults(parts.flatMap(({ figures }) => figures)),
  };
}

function store(result: BenchResult, isRecord: boolean): void {
  const write = (file: URL, content: string): void => {
    writeFileSync(file, content);
    progress(`written to ${fileURLToPath(file)}`);
  };
  mkdirSync(RESULTS, { recursive: true });
  const text = `${JSON.stringify(result, undefined, 2)}\n`;
  write(new URL(`${result.startedAt.replaceAll(":", "-")}.json`, RESULTS), text);
  if (!isRecord) return;
  write(new URL("recorded.json", RESULTS), text);
  write(CHART, speedChart(result));
}

async function main(words: readonly string[]): Promise<number> {
  const options = parseOptions(words);
  if (options === "help") {
    process.stdout.write(USAGE);
    return EXIT.met;
  }
  if (options instanceof Error) {
    process.stderr.write(`bench: ${options.message} --help lists them.\n`);
    return EXIT.error;
  }
  const result = await measure(options);
  if (result.parts.length === 0) return EXIT.error;
  store(result, options.isRecord);
  process.stdout.write(
    options.format === "json" ? `${JSON.stringify(result, undefined, 2)}\n` : formatTable(result),
  );
  if (result.failed.length > 0) return EXIT.error;
  return allGoalsMet(result) ? EXIT.met : EXIT.missed;
}

// An exit, unlike a signal's default, ends the guests too.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.on(signal, () => process.exit(128 + constants.signals[signal]));
process.exitCode = await main(process.argv.slice(2));
