import assert from "node:assert/strict";
import { test } from "node:test";
import { FLOAT32_VALUES, FLOAT64_VALUES, FLOAT80_VALUES, integerValues, lanes, Random } from "./values.ts";

const asFloat64 = (bits: bigint): number => new Float64Array(BigUint64Array.of(bits).buffer)[0] ?? 0;
const asFloat32 = (bits: bigint): number => new Float32Array(Uint32Array.of(Number(bits)).buffer)[0] ?? 0;

test("integer values hold the boundaries of their own and all smaller sizes", () => {
  const values = new Set(integerValues(32));

  for (const value of [
    0n,
    1n,
    0x7fn,
    0x80n,
    0xffn,
    0x7fffn,
    0x8000n,
    0x7fff_ffffn,
    0x8000_0000n,
    0xffff_ff80n,
  ]) {
    assert.ok(values.has(value), value.toString(16));
  }
});

for (const bits of [8, 16, 32, 64] as const) {
  test(`${String(bits)}-bit integer values fit and are distinct`, () => {
    const values = integerValues(bits);

    assert.equal(new Set(values).size, values.length);
    assert.ok(values.every((value) => value >= 0n && value < 1n << BigInt(bits)));
  });
}

test("double values hold each special and its negative", () => {
  const values = FLOAT64_VALUES.map(asFloat64);

  for (const value of [0, 1, 0.5, 1.5, 2.5, Infinity, Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 31, 2 ** 63]) {
    assert.ok(
      values.some((each) => Object.is(each, value)),
      String(value),
    );
    assert.ok(
      values.some((each) => Object.is(each, -value)),
      String(-value),
    );
  }
  assert.ok(FLOAT64_VALUES.includes(0x7ff8_0000_0000_0000n)); // quiet NaN
  assert.ok(FLOAT64_VALUES.includes(0x7ff0_0000_0000_0001n)); // signalling NaN
});

test("single values hold each special and its negative", () => {
  const values = FLOAT32_VALUES.map(asFloat32);

  for (const value of [0, 1, 0.5, 2.5, Infinity, 2 ** -149, 2 ** -126, 2 ** 31, 2 ** 63]) {
    assert.ok(
      values.some((each) => Object.is(each, value)),
      String(value),
    );
    assert.ok(
      values.some((each) => Object.is(each, -value)),
      String(-value),
    );
  }
});

test("extended values hold unsupported encodings", () => {
  assert.ok(FLOAT80_VALUES.includes(0x7fff_0000_0000_0000_0000n)); // pseudo-infinity
  assert.ok(FLOAT80_VALUES.includes(0x3fff_4000_0000_0000_0000n)); // unnormal
  assert.equal(new Set(FLOAT80_VALUES).size, FLOAT80_VALUES.length);
});

test("a seed always gives the same numbers, another seed others", () => {
  const take = (seed: number): bigint[] => {
    const random = new Random(seed);
    return [random.next64(), random.next64(), random.runs(64), BigInt(random.below(1000))];
  };

  assert.equal(new Random(0).next64(), 0xe220_a839_7b1d_cdafn); // SplitMix64's published first output
  assert.deepEqual(take(7), take(7));
  assert.notDeepEqual(take(7), take(8));
});

test("random numbers below a limit reach all of them and no other", () => {
  const random = new Random(1);

  assert.deepEqual(new Set(Array.from({ length: 200 }, () => random.below(5))), new Set([0, 1, 2, 3, 4]));
});

test("lanes are joined lowest first", () => {
  assert.equal(lanes(32, [1n, 2n, -1n]), 0xffff_ffff_0000_0002_0000_0001n);
});
