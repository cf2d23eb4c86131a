/**
 * The long form of the fuzz: `npm run fuzz -- cpu --seconds 600 --seed 1`; options.ts says the rest. The status is 1 if
 * anything was found, 2 if the command is not understood. Ctrl-C ends the cpu part with what it has found so far.
 */
import { fuzzBoard } from "./board-fuzz.ts";
import { type CpuFuzzSummary, startCpuFuzz } from "./cpu/fuzz-cpu.ts";
import { fuzzEngine } from "./engine-fuzz.ts";
import { type FuzzOptions, parseFuzzOptions, type PartName, usage, UsageError } from "./options.ts";

/** Boards between two looks at the clock. */
const BOARDS = 20;
const TERMINAL_INTERVAL_MS = 1000;

/** What a part came to: a report for people, the same as data, and whether it is as it should be. */
interface PartResult {
  readonly text: string;
  readonly data: unknown;
  readonly isGood: boolean;
}

const count = (value: number): string => value.toLocaleString("en-US");

const progressLine = ({ sequences, seconds, rowsRun, rows, failures }: CpuFuzzSummary): string =>
  `cpu: ${count(sequences)} sequences, ${count(Math.round(sequences / seconds))}/s, ` +
  `${String(rowsRun)} of ${String(rows)} rows, ${count(failures)} ${failures === 1 ? "difference" : "differences"}`;

async function runCpu({ seed, seconds, jobs, only, parts }: FuzzOptions): Promise<PartResult> {
  let shownAt = performance.now();
  const { isTTY } = process.stderr;
  const fuzz = startCpuFuzz({
    seed,
    seconds,
    jobs,
    only,
    onProgress: (summary) => {
      if (!isTTY || performance.now() < shownAt + TERMINAL_INTERVAL_MS) return;
      shownAt = performance.now();
      process.stderr.write(`\r\u001b[K${progressLine(summary)}`);
    },
  });
  if (!fuzz.available) {
    const text = `cpu: not run, because the real CPU cannot be asked: ${fuzz.reason}. \`npm test\` compares with recorded answers.`;
    return { text, data: { unavailable: fuzz.reason }, isGood: parts.length > 1 };
  }
  process.once("SIGINT", fuzz.stop);
  const summary = await fuzz.result;
  process.removeListener("SIGINT", fuzz.stop);
  if (isTTY) process.stderr.write("\r\u001b[K");
  const { described, excluded, ...counts } = summary;
  const lines = [
    ...described.map(({ text }) => `${text}\n`),
    ...excluded.map(({ row, reason }) => `cpu: no cases of ${row}: ${reason}`),
    `${progressLine(summary)}; ${count(summary.programs)} programs in ${summary.seconds.toFixed(0)} s, ` +
      `each row at least ${count(summary.leastRuns)} times in each tier, seed ${String(seed)}, ${summary.cpuName}`,
  ];
  const differences = described.map(({ data }): unknown => JSON.parse(data));
  return {
    text: lines.join("\n"),
    data: { ...counts, seed, excluded, differences },
    isGood: summary.failures === 0,
  };
}

function runBoard({ seed, seconds }: FuzzOptions): PartResult {
  const deadline = performance.now() + seconds * 1000;
  let boards = 0;
  do boards += fuzzBoard(seed + boards, BOARDS);
  while (performance.now() < deadline);
  const text = `board: ${count(boards)} boards from seed ${String(seed)}, no failure`;
  return { text, data: { boards, seed }, isGood: true };
}

function runEngine({ seed, seconds }: FuzzOptions): PartResult {
  const deadline = performance.now() + seconds * 1000;
  const result = fuzzEngine(seed, () => performance.now() > deadline);
  if (typeof result === "number") {
    const text = `engine: ${count(result)} guests from seed ${String(seed)}, no failure`;
    return { text, data: { guests: result, seed }, isGood: true };
  }
  const error =
    result.error instanceof Error ? (result.error.stack ?? result.error.message) : String(result.error);
  const text = `engine: seed ${String(result.seed)}, tier ${result.tier}:\n${error}`;
  return { text, data: { seed: result.seed, tier: result.tier, error }, isGood: false };
}

const runners = { cpu: runCpu, board: runBoard, engine: runEngine } satisfies Record<
  PartName,
  (options: FuzzOptions) => PartResult | Promise<PartResult>
>;

async function main(options: FuzzOptions): Promise<boolean> {
  const all: Partial<Record<PartName, unknown>> = {};
  let isGood = true;
  for (const part of options.parts) {
    const result = await runners[part](options);
    all[part] = result.data;
    isGood &&= result.isGood;
    if (options.format === "text") process.stdout.write(`${result.text}\n`);
  }
  if (options.format === "json") process.stdout.write(`${JSON.stringify(all, undefined, 2)}\n`);
  return isGood;
}

try {
  process.exitCode = (await main(parseFuzzOptions(process.argv.slice(2)))) ? 0 : 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
