/**
 * The long form of the fuzz: `npm run fuzz -- cpu --seconds 600 --seed 1`; options.ts says the rest. The status is 1 if
 * anything was found, 2 if the command is not understood. Ctrl-C ends it with what has been found so far.
 */
import { fuzzBios } from "./bios-fuzz.ts";
import { fuzzBoard, fuzzBoardMemory } from "./board-fuzz.ts";
import { type CpuFuzzSummary, startCpuFuzz } from "./cpu/fuzz-cpu.ts";
import { fuzzEngine, tiers } from "./engine-fuzz.ts";
import { fuzzFloppy } from "./floppy-fuzz.ts";
import { fuzzIde } from "./ide-fuzz.ts";
import { type FuzzOptions, parseFuzzOptions, type PartName, usage, UsageError } from "./options.ts";
import { fuzzNics } from "./nic-fuzz.ts";
import { fuzzNat } from "./nat-fuzz.ts";
import { fuzzP9 } from "./p9-fuzz.ts";
import { fuzzNvme } from "./nvme-fuzz.ts";
import { fuzzVirtio } from "./virtio-fuzz.ts";

/** Boards between two looks at the clock. */
const BOARDS = 20;
/** With each device, to see whether memory comes to rest. */
const BOARD_OPERATIONS = 10_000;
const VIRTIO_DEVICES = 20;
const CONTROLLERS = 20;
const TERMINAL_INTERVAL_MS = 1000;

/** Time that the engine part runs without a break. */
const ENGINE_TURN_MS = 5000;

/** Ctrl-C: the part that runs ends with what it has, and no other is begun. */
const interrupt = { isRequested: false, stop: (): void => undefined };

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
  interrupt.stop = fuzz.stop;
  const summary = await fuzz.result;
  if (isTTY) process.stderr.write("\r\u001b[K");
  const { described, excluded, ...counts } = summary;
  const lines = [
    ...described.map(({ text }) => `${text}\n`),
    ...excluded
      .filter(() => only === undefined)
      .map(({ row, reason }) => `cpu: no cases of ${row}: ${reason}`),
    `${progressLine(summary)}; ${count(summary.programs)} programs in ${summary.seconds.toFixed(0)} s, ` +
      (only === undefined ? `each row at least ${count(summary.leastRuns)} times in each tier, ` : "") +
      `seed ${String(seed)}, ${summary.cpuName}`,
  ];
  const differences = described.map(({ data }): unknown => JSON.parse(data));
  return {
    text: lines.join("\n"),
    data: { ...counts, seed, excluded, differences },
    isGood: summary.failures === 0,
  };
}

const errorText = (error: unknown): string =>
  error instanceof Error
    ? [error.stack ?? error.message, ...(error.cause === undefined ? [] : [errorText(error.cause)])].join(
        "\n",
      )
    : String(error);

/** Lets Ctrl-C in: the boards and engines run without a break. */
const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

async function runEngine({ seed, seconds }: FuzzOptions): Promise<PartResult> {
  const deadline = performance.now() + seconds * 1000;
  let guests = 0;
  while (!interrupt.isRequested && performance.now() < deadline) {
    const pause = Math.min(deadline, performance.now() + ENGINE_TURN_MS);
    // Each seed makes a guest in each tier.
    const result = fuzzEngine(seed + guests / tiers.length, () => performance.now() > pause);
    if (typeof result !== "number") {
      const error = errorText(result.error);
      const text = `engine: seed ${String(result.seed)}, tier ${result.tier}:\n${error}`;
      return { text, data: { seed: result.seed, tier: result.tier, error }, isGood: false };
    }
    guests += result;
    await breathe();
  }
  const text = `engine: ${count(guests)} guests from seed ${String(seed)}, no failure`;
  return { text, data: { guests, seed }, isGood: true };
}

/** How a part goes on: it tries `batch` subjects at a time, from seeds that follow each other, until its time is over. */
interface Batches {
  readonly name: PartName;
  /** What is tried, in the plural. */
  readonly subjects: string;
  readonly batch: number;
  /** Gives how often `met` was met, if there is one; throws what was found. */
  readonly fuzz: (seed: number, count: number) => number | Promise<number>;
  readonly met?: { readonly key: string; readonly words: string };
}

function inBatches({ name, subjects, batch, fuzz, met }: Batches) {
  return async ({ seed, seconds }: FuzzOptions): Promise<PartResult> => {
    const deadline = performance.now() + seconds * 1000;
    let tried = 0;
    let metCount = 0;
    try {
      while (!interrupt.isRequested && performance.now() < deadline) {
        metCount += await fuzz(seed + tried, batch);
        tried += batch;
        await breathe();
      }
    } catch (error) {
      const text = `${name}: ${errorText(error)}`;
      return { text, data: { [subjects]: tried, seed, error: errorText(error) }, isGood: false };
    }
    const meetings = met === undefined ? "" : `, ${count(metCount)} ${met.words}`;
    const text = `${name}: ${count(tried)} ${subjects} from seed ${String(seed)}${meetings}, no failure`;
    const data = { [subjects]: tried, ...(met === undefined ? {} : { [met.key]: metCount }), seed };
    return { text, data, isGood: true };
  };
}

function fuzzBoards(seed: number, boards: number): number {
  fuzzBoardMemory(seed, BOARD_OPERATIONS);
  return fuzzBoard(seed, boards);
}

/** Those that break the rules of a controller. */
const controllers = (name: PartName, fuzz: Batches["fuzz"], words = "errors") =>
  inBatches({ name, subjects: "controllers", batch: CONTROLLERS, fuzz, met: { key: "met", words } });

const runners = {
  cpu: runCpu,
  board: inBatches({ name: "board", subjects: "boards", batch: BOARDS, fuzz: fuzzBoards }),
  engine: runEngine,
  virtio: inBatches({
    ...{ name: "virtio", subjects: "devices", batch: VIRTIO_DEVICES, fuzz: fuzzVirtio },
    met: { key: "faults", words: "violations" },
  }),
  nvme: controllers("nvme", fuzzNvme),
  ide: controllers("ide", fuzzIde),
  nic: inBatches({
    ...{ name: "nic", subjects: "cards", batch: CONTROLLERS, fuzz: fuzzNics },
    met: { key: "frames", words: "frames sent" },
  }),
  nat: inBatches({
    ...{ name: "nat", subjects: "guests", batch: CONTROLLERS, fuzz: fuzzNat },
    met: { key: "dropped", words: "packets dropped" },
  }),
  bios: inBatches({ name: "bios", subjects: "machines", batch: CONTROLLERS, fuzz: fuzzBios }),
  p9: controllers("p9", fuzzP9),
  floppy: controllers(
    "floppy",
    async (seed, many) => (await fuzzFloppy(seed, many)).completed,
    "commands that ended well",
  ),
} satisfies Record<PartName, (options: FuzzOptions) => Promise<PartResult>>;

async function main(options: FuzzOptions): Promise<boolean> {
  const all: Partial<Record<PartName, unknown>> = {};
  let isGood = true;
  process.once("SIGINT", () => {
    interrupt.isRequested = true;
    interrupt.stop();
  });
  for (const part of options.parts) {
    if (interrupt.isRequested) break;
    const result = await runners[part](options);
    all[part] = result.data;
    isGood &&= result.isGood;
    if (options.format === "text") process.stdout.write(`${result.text}\n`);
  }
  if (options.format === "json") process.stdout.write(`${JSON.stringify(all, undefined, 2)}\n`);
  return isGood;
}

const given = process.argv.slice(2);
try {
  if (given.includes("--help")) process.stdout.write(usage);
  else process.exitCode = (await main(parseFuzzOptions(given))) ? 0 : 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
