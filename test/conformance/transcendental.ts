/**
 * The transcendental x87 instructions, whose results the manual defines by their error only, compared with the real CPU:
 * how many results are the same bits, and how far the others lie apart. docs/floating-point.md has the figures.
 *
 *     npx node test/conformance/transcendental.ts --cases 20000 --seed 1
 */
import { parseArgs } from "node:util";
import {
  FpImage,
  type CpuOutcome,
  type InstructionCase,
  NativeExecutor,
  oracleSupport,
  Random,
  rank,
} from "../oracle/index.ts";
import { EngineExecutor } from "./engine-executor.ts";

const { values: given } = parseArgs({
  options: { cases: { type: "string", default: "20000" }, seed: { type: "string", default: "1" } },
});
const CASES = Number(given.cases);
const BATCH = 5000;
const BIAS = 16383;

/** An 80-bit number with a random significand and an exponent between the two (powers of 2). */
const between =
  (low: number, high: number, signed = true) =>
  (random: Random): bigint => {
    const exponent = BigInt(BIAS + low + random.below(high - low + 1));
    const sign = signed ? BigInt(random.below(2)) << 79n : 0n;
    return sign | (exponent << 64n) | (1n << 63n) | random.next64();
  };

interface Comparison {
  readonly name: string;
  readonly code: string;
  /** ST(0), ST(1). */
  readonly arguments: readonly ((random: Random) => bigint)[];
  readonly what: string;
  /** Registers with results. */
  readonly results: number;
}

const ANGLE = between(-20, -1);
const WIDE = between(-20, 62);
const comparisons: readonly Comparison[] = [
  { name: "F2XM1", code: "d9 f0", arguments: [between(-20, -1)], what: "below 1", results: 1 },
  {
    name: "FYL2X",
    code: "d9 f1",
    arguments: [between(-60, 60, false), between(-8, 8)],
    what: "2^±60",
    results: 1,
  },
  {
    name: "FYL2XP1",
    code: "d9 f9",
    arguments: [between(-20, -3), between(-8, 8)],
    what: "below 1/4",
    results: 1,
  },
  {
    name: "FPATAN",
    code: "d9 f3",
    arguments: [between(-20, 20), between(-20, 20)],
    what: "2^±20",
    results: 1,
  },
  { name: "FSIN", code: "d9 fe", arguments: [ANGLE], what: "below 1", results: 1 },
  { name: "FSIN", code: "d9 fe", arguments: [WIDE], what: "below 2^63", results: 1 },
  { name: "FCOS", code: "d9 ff", arguments: [ANGLE], what: "below 1", results: 1 },
  { name: "FCOS", code: "d9 ff", arguments: [WIDE], what: "below 2^63", results: 1 },
  { name: "FPTAN", code: "d9 f2", arguments: [ANGLE], what: "below 1", results: 2 },
  { name: "FPTAN", code: "d9 f2", arguments: [WIDE], what: "below 2^63", results: 2 },
  { name: "FSINCOS", code: "d9 fb", arguments: [ANGLE], what: "below 1", results: 2 },
  { name: "FSINCOS", code: "d9 fb", arguments: [WIDE], what: "below 2^63", results: 2 },
];

/** The largest distance of two outcomes' results, in units in the last place. */
function distance(left: CpuOutcome, right: CpuOutcome, results: number): bigint {
  const [a, b] = [new FpImage(left.fp), new FpImage(right.fp)];
  const distances = Array.from({ length: results }, (_, i) => rank(a.st(i)) - rank(b.st(i)));
  return distances.map((each) => (each < 0n ? -each : each)).reduce((x, y) => (x > y ? x : y), 0n);
}

const print = (text: string): void => void process.stdout.write(`${text}\n`);

const support = oracleSupport();
if (!support.available) {
  print(`the real CPU cannot be asked: ${support.reason}`);
  process.exit(1);
}
await using cpu = new NativeExecutor();
const engine = new EngineExecutor("interpreter");
print(`${support.cpuName}, ${String(CASES)} arguments of each, seed ${given.seed}`);
print("| instruction | arguments | same bits | 1 ulp apart | largest distance |");
print("| --- | --- | --- | --- | --- |");
for (const { name, code, arguments: sources, what, results } of comparisons) {
  const random = new Random(Number(given.seed));
  const found: bigint[] = [];
  for (let done = 0; done < CASES; done += BATCH) {
    const cases = Array.from({ length: Math.min(BATCH, CASES - done) }, (_, i): InstructionCase => ({
      name: `${name} #${String(done + i)}`,
      mode: "long64",
      code,
      initial: { st: sources.map((source) => source(random)) },
    }));
    const expected = await cpu.execute(cases);
    const actual = await engine.execute(cases);
    for (const [i, left] of expected.entries()) {
      const right = actual[i];
      if (right !== undefined) found.push(distance(left, right, results));
    }
  }
  const share = (n: number): string => `${((100 * n) / found.length).toFixed(2)} %`;
  const same = share(found.filter((each) => each === 0n).length);
  const near = share(found.filter((each) => each === 1n).length);
  const largest = found.reduce((x, y) => (x > y ? x : y), 0n);
  print(`| ${name} | ${what} | ${same} | ${near} | ${String(largest)} ulp |`);
}
