/**
 * The long form of the fuzz: `npm run fuzz -- cpu --seconds 600 --seed 1`; options.ts says the rest. The status is 1 if
 * anything was found, 2 if the command is not understood. Ctrl-C ends it with what has been found so far.
 */
import { fuzzBios } from "./bios-fuzz.ts";
import { fuzzBoard } from "./board-fuzz.ts";
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

async function runBoard({ seed, seconds }: FuzzOptions): Promise<PartResult> {
  const deadline = performance.now() + seconds * 1000;
  let boards = 0;
  try {
    while (!interrupt.isRequested && performance.now() < deadline) {
      boards += fuzzBoard(seed + boards, BOARDS);
      await breathe();
    }
  } catch (error) {
    const text = `board: ${errorText(error)}`;
    return { text, data: { boards, seed, error: errorText(error) }, isGood: false };
  }
  const text = `board: ${count(boards)} boards from seed ${String(seed)}, no failure`;
  return { text, data: { boards, seed }, isGood: true };
}

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

async function runVirtio({ seed, seconds }: FuzzOptions): Promise<PartResult> {
  const deadline = performance.now() + seconds * 1000;
  let devices = 0;
  let faults = 0;
  try {
    while (!interrupt.isRequested && performance.now() < deadline) {
      faults += await fuzzVirtio(seed + devices, VIRTIO_DEVICES);
      devices += VIRTIO_DEVICES;
      await breathe();
    }
  } catch (error) {
    const text = `virtio: ${errorText(error)}`;
    return { text, data: { devices, seed, error: errorText(error) }, isGood: false };
  }
  const text = `virtio: ${count(devices)} devices from seed ${String(seed)}, ${count(faults)} violations, no failure`;
  return { text, data: { devices, faults, seed }, isGood: true };
}

/** The parts that break the rules of a disk controller; each gives how often `what` was met. */
function controllerRunner(
  name: PartName,
  fuzz: (seed: number, count: number) => Promise<number>,
  what = "errors",
) {
  return async ({ seed, seconds }: FuzzOptions): Promise<PartResult> => {
    const deadline = performance.now() + seconds * 1000;
    let controllers = 0;
    let met = 0;
    try {
      while (!interrupt.isRequested && performance.now() < deadline) {
        met += await fuzz(seed + controllers, CONTROLLERS);
        controllers += CONTROLLERS;
        await breathe();
      }
    } catch (error) {
      const text = `${name}: ${errorText(error)}`;
      return { text, data: { controllers, seed, error: errorText(error) }, isGood: false };
    }
    const text = `${name}: ${count(controllers)} controllers from seed ${String(seed)}, ${count(met)} ${what}, no failure`;
    return { text, data: { controllers, met, seed }, isGood: true };
  };
}

async function runNics({ seed, seconds }: FuzzOptions): Promise<PartResult> {
  const deadline = performance.now() + seconds * 1000;
  let cards = 0;
  let frames = 0;
  try {
    while (!interrupt.isRequested && performance.now() < deadline) {
      frames += fuzzNics(seed + cards, CONTROLLERS);
      cards += CONTROLLERS;
      await breathe();
    }
  } catch (error) {
    const text = `nic: ${errorText(error)}`;
    return { text, data: { cards, seed, error: errorText(error) }, isGood: false };
  }
  const text = `nic: ${count(cards)} cards from seed ${String(seed)}, ${count(frames)} frames sent, no failure`;
  return { text, data: { cards, frames, seed }, isGood: true };
}

async function runNat({ seed, seconds }: FuzzOptions): Promise<PartResult> {
  const deadline = performance.now() + seconds * 1000;
  let guests = 0;
  let dropped = 0;
  try {
    while (!interrupt.isRequested && performance.now() < deadline) {
      dropped += await fuzzNat(seed + guests, CONTROLLERS);
      guests += CONTROLLERS;
      await breathe();
    }
  } catch (error) {
    const text = `nat: ${errorText(error)}`;
    return { text, data: { guests, seed, error: errorText(error) }, isGood: false };
  }
  const text = `nat: ${count(guests)} guests from seed ${String(seed)}, ${count(dropped)} packets dropped, no failure`;
  return { text, data: { guests, dropped, seed }, isGood: true };
}

async function runBios({ seed, seconds }: FuzzOptions): Promise<PartResult> {
  const deadline = performance.now() + seconds * 1000;
  let machines = 0;
  try {
    while (!interrupt.isRequested && performance.now() < deadline) {
      machines += await fuzzBios(seed + machines, CONTROLLERS);
      await breathe();
    }
  } catch (error) {
    const text = `bios: ${errorText(error)}`;
    return { text, data: { machines, seed, error: errorText(error) }, isGood: false };
  }
  const text = `bios: ${count(machines)} machines from seed ${String(seed)}, no failure`;
  return { text, data: { machines, seed }, isGood: true };
}

const runners = {
  cpu: runCpu,
  board: runBoard,
  engine: runEngine,
  virtio: runVirtio,
  nvme: controllerRunner("nvme", fuzzNvme),
  ide: controllerRunner("ide", fuzzIde),
  nic: runNics,
  nat: runNat,
  bios: runBios,
  p9: controllerRunner("p9", fuzzP9),
  floppy: controllerRunner(
    "floppy",
    async (seed, controllers) => (await fuzzFloppy(seed, controllers)).completed,
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
