/**
 * `npm run bench`: Typevisor side by side with QEMU's translator (TCG) on the same guests. The goals are those of
 * SPECIFICATION.md. On a machine that others use too only the ratios mean anything.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { fetchGuest } from "../src/apps/cli/guests/index.ts";
import type { FetchedGuest } from "../src/apps/cli/guests/index.ts";
import type { Figure } from "./figures.ts";
import { describeHost, load } from "./host.ts";
import { parseOptions, USAGE } from "./options.ts";
import type { BenchOptions } from "./options.ts";
import { PARTS } from "./parts.ts";
import { formatTable } from "./report.ts";
import type { BenchResult } from "./report.ts";

const RESULTS = new URL("results/", import.meta.url);
const EXIT = { met: 0, error: 1, missed: 2 } as const;

async function guest(name: string): Promise<FetchedGuest> {
  const fetched = await fetchGuest(name);
  if (!fetched.ok) throw new Error(fetched.error.message);
  return fetched.value;
}

const progress = (line: string): void => void process.stderr.write(`bench: ${line}\n`);

async function measure(options: BenchOptions): Promise<BenchResult | undefined> {
  const host = describeHost();
  if (host === undefined) {
    progress("qemu-system-x86_64 is missing; on Debian: apt-get install qemu-system-x86");
    return undefined;
  }
  const startedAt = new Date().toISOString();
  const before = load();
  const figures: Figure[] = [];
  for (const part of options.parts) {
    progress(part);
    figures.push(...(await PARTS[part]({ rounds: options.rounds, progress, guest })));
  }
  return { format: 1, startedAt, host, rounds: options.rounds, load: { before, after: load() }, figures };
}

function store(result: BenchResult): void {
  mkdirSync(RESULTS, { recursive: true });
  const file = new URL(`${result.startedAt.replaceAll(":", "-")}.json`, RESULTS);
  writeFileSync(file, `${JSON.stringify(result, undefined, 2)}\n`);
  progress(`written to ${fileURLToPath(file)}`);
}

async function main(words: readonly string[]): Promise<number> {
  const options = parseOptions(words);
  if (options === "help") {
    process.stdout.write(USAGE);
    return EXIT.met;
  }
  if (options instanceof Error) {
    process.stderr.write(`bench: ${options.message}\n\n${USAGE}`);
    return EXIT.error;
  }
  const result = await measure(options);
  if (result === undefined) return EXIT.error;
  store(result);
  process.stdout.write(
    options.format === "json" ? `${JSON.stringify(result, undefined, 2)}\n` : formatTable(result),
  );
  return result.figures.every(({ goal }) => goal === undefined || goal.isMet) ? EXIT.met : EXIT.missed;
}

process.exitCode = await main(process.argv.slice(2));
