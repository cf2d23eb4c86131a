/**
 * The transcendental x87 instructions: against the real CPU, which may differ by one unit in the last place (and then
 * in C1), and against an integer reference of 256 bits, from which the error must stay below 0.51 ulp.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { FpImage, isWithinUnits, NativeExecutor, oracleSupport } from "../../../test/oracle/index.ts";
import { x87Forms } from "../ir/helpers-x87.ts";
import { FloatSource, x87Case } from "./fpu-cases-fixture.ts";
import { type FpuCase, FpuFixture } from "./fpu-fixture.ts";

const support = oracleSupport();
const skip = support.available ? false : support.reason;
const CASES = Number(process.env["FPU_CASES"] ?? 200);
const fixture = await FpuFixture.start();

export const TRANSCENDENTAL = [
  "f2xm1",
  "fyl2x",
  "fyl2xp1",
  "fptan",
  "fpatan",
  "fsin",
  "fcos",
  "fsincos",
] as const;

for (const mnemonic of TRANSCENDENTAL) {
  test(`${mnemonic} is within one unit of the real CPU, with its flags`, { skip }, async () => {
    const form = x87Forms.find((each) => each.mnemonic === mnemonic);
    assert.ok(form);
    const from = new FloatSource(7);
    const cases = Array.from({ length: CASES }, (_, number) => x87Case(form, number, from));
    await using cpu = new NativeExecutor();
    const outcomes = await cpu.execute(cases);
    const far = cases.filter((source, index) => {
      const expected = new FpImage(outcomes[index]?.fp ?? new Uint8Array(512));
      const actual = new FpImage(fixture.execute(source).fp);
      return !isWithinUnits(expected, actual);
    });
    assert.deepEqual(
      far.map(({ name, initial }) => ({ name, st: initial?.st?.slice(0, 2).map((v) => v.toString(16)) })),
      [],
    );
  });
}

// ---- The reference: fixed point with P fraction bits ----------------------------------------------------------------
const P = 320n;
const ONE = 1n << P;
const mul = (a: bigint, b: bigint): bigint => (a * b) >> P;

/** Sum of terms until they vanish. */
function series(first: bigint, next: (term: bigint, k: bigint) => bigint): bigint {
  let sum = 0n;
  let term = first;
  for (let k = 1n; term !== 0n && term !== -1n; k++) {
    sum += term;
    term = next(term, k);
  }
  return sum;
}

const sineOf = (x: bigint): bigint => series(x, (t, k) => -mul(mul(t, x), x) / (2n * k * (2n * k + 1n)));
const cosineOf = (x: bigint): bigint => series(ONE, (t, k) => -mul(mul(t, x), x) / (2n * k * (2n * k - 1n)));
const expm1 = (x: bigint): bigint => series(x, (t, k) => mul(t, x) / (k + 1n));
/** Euler's series, quick for any |x| <= 1. */
function arctangent(x: bigint): bigint {
  const square = mul(x, x);
  const ratio = (square << P) / (ONE + square);
  return series((x << P) / (ONE + square), (t, k) => (mul(t, ratio) * 2n * k) / (2n * k + 1n));
}
function atanh(x: bigint): bigint {
  let power = x;
  let sum = 0n;
  for (let k = 1n; power !== 0n && power !== -1n; k += 2n) {
    sum += power / k;
    power = mul(mul(power, x), x);
  }
  return sum;
}
const LN2 = 2n * atanh(ONE / 3n);
/** log2 of a value in (1/2, 2). */
const log2 = (x: bigint): bigint => ((2n * atanh(((x - ONE) << P) / (x + ONE))) << P) / LN2;

/** An 80-bit normal number in fixed point. */
function fixed(value: bigint): bigint {
  const shift = ((value >> 64n) & 0x7fffn) - 16383n - 63n + P;
  const significand = value & ((1n << 64n) - 1n);
  const size = shift >= 0n ? significand << shift : significand >> -shift;
  return value >> 79n === 0n ? size : -size;
}

/** |actual - expected| in thousandths of the last place of actual. */
function errorMilliUlp(actual: bigint, expected: bigint): number {
  const ulp = 1n << (((actual >> 64n) & 0x7fffn) - 16383n - 63n + P);
  const difference = fixed(actual) - expected;
  return Number(((difference < 0n ? -difference : difference) * 1000n) / ulp);
}

const LARGEST_ERROR_MILLI_ULP = 510;

/** ST registers after helper `name` on the given stack. */
function run(name: string, imm: number, st: readonly bigint[]): FpImage {
  const source: FpuCase = {
    name,
    mode: "long64",
    code: "90",
    initial: { st, fcw: 0x37f },
    helper: name,
    d: 0,
    s: 0,
    imm,
    operandBytes: 0,
  };
  return new FpImage(fixture.execute(source).fp);
}

/** Random number of either sign with 2^low <= |x| < 2^high. */
function between(from: FloatSource, low: number, high: number): bigint {
  const { random } = from;
  const exponent = BigInt(16383 + low + random.below(high - low));
  return (BigInt(random.below(2)) << 79n) | (exponent << 64n) | (1n << 63n) | random.next64();
}
const positive = (value: bigint): bigint => value & ~(1n << 79n);

/** The 66-bit pi of the manual. */
const PI_66 = (0x3243f6a8885a308d3n << P) >> 64n;

function checked(
  name: string,
  imm: number,
  make: (from: FloatSource) => bigint[],
  expected: (st: readonly bigint[]) => bigint,
): void {
  const from = new FloatSource(11);
  let worst = 0;
  for (let i = 0; i < CASES; i++) {
    const st = make(from);
    worst = Math.max(worst, errorMilliUlp(run(name, imm, st).st(0), expected(st)));
  }
  assert.ok(worst > 400, `no case came near half a unit: ${String(worst)}`);
  assert.ok(worst < LARGEST_ERROR_MILLI_ULP, `worst error ${String(worst)} thousandths of a unit`);
}

/** Sine and cosine of an angle, its multiple of a right angle taken away with the manual's pi. */
function sineAndCosine(x: bigint): readonly [sine: bigint, cosine: bigint] {
  const quarter = PI_66 / 2n;
  const size = x < 0n ? -x : x;
  const turns = (size + quarter / 2n) / quarter;
  const rest = size - turns * quarter;
  let pair: [bigint, bigint] = [sineOf(rest), cosineOf(rest)];
  for (let n = turns & 3n; n > 0n; n--) pair = [pair[1], -pair[0]];
  return [x < 0n ? -pair[0] : pair[0], pair[1]];
}

test("FSIN is correctly rounded for the 66-bit pi", () => {
  checked(
    "x87_sine",
    0,
    (from) => [between(from, -20, 40)],
    ([x = 0n]) => sineAndCosine(fixed(x))[0],
  );
});
test("FCOS is correctly rounded for the 66-bit pi", () => {
  checked(
    "x87_sine",
    1,
    (from) => [between(from, -20, 40)],
    ([x = 0n]) => sineAndCosine(fixed(x))[1],
  );
});
test("FPTAN is correctly rounded for the 66-bit pi", () => {
  const from = new FloatSource(13);
  for (let i = 0; i < CASES; i++) {
    const x = between(from, -20, 20);
    const after = run("x87_tangent", 0, [x]);
    assert.equal(after.st(0), (16383n << 64n) | (1n << 63n));
    const [sine, cosine] = sineAndCosine(fixed(x));
    assert.ok(errorMilliUlp(after.st(1), (sine << P) / cosine) < LARGEST_ERROR_MILLI_ULP);
  }
});
test("FPATAN is correctly rounded in all quadrants", () => {
  const quotient = (a: bigint, b: bigint): bigint => (fixed(a) << P) / fixed(b);
  const pi = 4n * arctangent(ONE);
  checked(
    "x87_arctangent",
    0,
    (from) => [between(from, -8, 8), between(from, -8, 8)],
    ([x = 0n, y = 0n]) => {
      const ax = positive(x);
      const ay = positive(y);
      const acute = ay <= ax ? arctangent(quotient(ay, ax)) : pi / 2n - arctangent(quotient(ax, ay));
      const angle = x >> 79n === 0n ? acute : pi - acute;
      return y >> 79n === 0n ? angle : -angle;
    },
  );
});
test("F2XM1 is correctly rounded", () => {
  checked(
    "x87_power",
    0,
    (from) => [between(from, -40, 0)],
    ([x = 0n]) => expm1(mul(fixed(x), LN2)),
  );
});
test("FYL2X is correctly rounded", () => {
  checked(
    "x87_logarithm",
    0,
    (from) => [positive(between(from, -30, 30)), between(from, -5, 5)],
    ([x = 0n, y = 0n]) => {
      const exponent = ((x >> 64n) & 0x7fffn) - 16383n;
      const mantissa = (16383n << 64n) | (x & ((1n << 64n) - 1n));
      return mul(fixed(y), (exponent << P) + log2(fixed(mantissa)));
    },
  );
});
test("FYL2XP1 is correctly rounded", () => {
  checked(
    "x87_logarithm_plus_one",
    0,
    (from) => [between(from, -60, -2), between(from, -5, 5)],
    ([x = 0n, y = 0n]) => mul(fixed(y), log2(ONE + fixed(x))),
  );
});
