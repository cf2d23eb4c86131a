/**
 * Interesting operand values: the boundaries at which instructions go wrong, and seeded random ones.
 *
 * Floating point follows IEEE 754 binary32 and binary64, and the x87 extended format of SDM volume 1, 4.2.2
 * with its unsupported encodings (8.2.2). All values are unsigned integers of their bit patterns.
 */

export type IntegerBits = 8 | 16 | 32 | 64;

/** A number holds the product of any u32 with up to this exactly. */
const EXACT_LIMIT = 1 << 21;

/** A deterministic generator (SplitMix64), so that a seed names a suite for ever. */
export class Random {
  /** State and result lie in typed arrays: as fields they would be allocated at each step. */
  readonly #state = new BigUint64Array(1);
  readonly #result = new BigUint64Array(1);
  readonly #halves = new Uint32Array(this.#result.buffer);

  constructor(seed: bigint | number) {
    this.#state[0] = BigInt.asUintN(64, BigInt(seed));
  }

  #next(): void {
    const state = BigInt.asUintN(64, (this.#state[0] ?? 0n) + 0x9e37_79b9_7f4a_7c15n);
    this.#state[0] = state;
    let z = BigInt.asUintN(64, (state ^ (state >> 30n)) * 0xbf58_476d_1ce4_e5b9n);
    z = BigInt.asUintN(64, (z ^ (z >> 27n)) * 0x94d0_49bb_1331_11ebn);
    this.#result[0] = z ^ (z >> 31n);
  }

  /** Uniform over 64 bits. */
  next64(): bigint {
    this.#next();
    return this.#result[0] ?? 0n;
  }

  /** Uniform over [0, limit); limit at most 2^32. */
  below(limit: number): number {
    this.#next();
    const high = this.#halves[1] ?? 0;
    if (limit <= EXACT_LIMIT) return Math.floor((high * limit) / 0x1_0000_0000);
    return Number((BigInt(high) * BigInt(limit)) >> 32n);
  }

  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new RangeError("nothing to pick from");
    return value;
  }

  /** Bits with long runs of equal ones, where carries and sign changes live. */
  runs(bits: number): bigint {
    let value = 0n;
    let filled = 0;
    let ones = this.below(2) === 1;
    while (filled < bits) {
      const length = Math.min(1 + this.below(bits >> 1), bits - filled);
      if (ones) value |= ((1n << BigInt(length)) - 1n) << BigInt(filled);
      filled += length;
      ones = !ones;
    }
    return value;
  }
}

/** Integers at the boundaries of every size up to `bits`. */
export function integerValues(bits: IntegerBits): readonly bigint[] {
  const values = new Set<bigint>([0n, 1n, 2n, 3n, 9n, 10n, 0x0fn, 0x10n, 0x99n, 0x9an]);
  for (const size of [8n, 16n, 32n, 64n].filter((each) => each <= BigInt(bits))) {
    const all = (1n << size) - 1n;
    const sign = 1n << (size - 1n);
    for (const value of [all, all - 1n, sign - 1n, sign, sign + 1n]) values.add(value);
    // Sign-extended to the whole operand.
    for (const value of [-1n, -2n, -sign, -sign - 1n]) values.add(BigInt.asUintN(bits, value));
    values.add(BigInt.asUintN(bits, 0x5555_5555_5555_5555n));
    values.add(BigInt.asUintN(bits, 0xaaaa_aaaa_aaaa_aaaan));
    values.add(BigInt.asUintN(bits, 0x0123_4567_89ab_cdefn));
  }
  return [...values].filter((value) => value < 1n << BigInt(bits));
}

/** Shift and rotate counts around every operand size, carry-rotate length, and the count mask. */
export const SHIFT_COUNTS: readonly number[] = [
  0, 1, 2, 3, 7, 8, 9, 10, 15, 16, 17, 18, 24, 27, 31, 32, 33, 34, 40, 63, 64, 65, 127, 128, 255,
];

/** Shape of a binary interchange format. */
interface BinaryFormat {
  readonly exponentBits: bigint;
  /** Without the implied leading one. */
  readonly fractionBits: bigint;
}
const BINARY32: BinaryFormat = { exponentBits: 8n, fractionBits: 23n };
const BINARY64: BinaryFormat = { exponentBits: 11n, fractionBits: 52n };

function binaryValues({ exponentBits, fractionBits }: BinaryFormat): bigint[] {
  const one = 1n << fractionBits;
  const allExponent = (1n << exponentBits) - 1n;
  const bias = allExponent >> 1n;
  const quiet = one >> 1n;
  const make = (exponent: bigint, fraction: bigint): bigint => (exponent << fractionBits) | fraction;
  const positive = [
    make(0n, 0n), // zero
    make(0n, 1n), // the smallest denormal
    make(0n, quiet),
    make(0n, one - 1n), // the largest denormal
    make(1n, 0n), // the smallest normal
    make(1n, 1n),
    make(bias - 1n, 0n), // 0.5
    make(bias - 1n, one - 1n), // just below 1
    make(bias, 0n), // 1
    make(bias, 1n), // just above 1
    make(bias, quiet), // 1.5
    make(bias + 1n, 0n), // 2
    make(bias + 1n, quiet >> 1n), // 2.5: a tie for rounding to integers
    make(bias + 1n, quiet), // 3
    make(bias + 7n, quiet | 1n),
    make(bias + 15n, 0n), // 2^15: beyond int16
    make(bias + 30n, one - 1n), // just below 2^31
    make(bias + 31n, 0n), // 2^31: beyond int32
    make(bias + 32n, 1n),
    make(bias + fractionBits, 1n), // odd integer of full precision
    make(bias + 62n, one - 1n),
    make(bias + 63n, 0n), // 2^63: beyond int64
    make(bias - fractionBits, 0n), // the unit in the last place of 1
    make(bias >> 1n, 5n), // its square underflows nearly
    make(bias + (bias >> 1n), 5n), // its square overflows nearly
    make(allExponent - 1n, one - 1n), // the largest normal
    make(allExponent, 0n), // infinity
    make(allExponent, 1n), // signalling NaN
    make(allExponent, quiet - 1n), // signalling NaN
    make(allExponent, quiet), // quiet NaN, the default one with its sign set
    make(allExponent, quiet | 0x1234n), // quiet NaN with a payload
  ];
  const sign = 1n << (exponentBits + fractionBits);
  return positive.flatMap((value) => [value, value | sign]);
}

export const FLOAT32_VALUES: readonly bigint[] = binaryValues(BINARY32);
export const FLOAT64_VALUES: readonly bigint[] = binaryValues(BINARY64);

/** 80-bit patterns: sign and exponent above an explicit 64-bit significand. */
export const FLOAT80_VALUES: readonly bigint[] = (() => {
  const leading = 1n << 63n;
  const bias = 0x3fffn;
  const make = (exponent: bigint, significand: bigint): bigint => (exponent << 64n) | significand;
  const positive = [
    make(0n, 0n), // zero
    make(0n, 1n), // the smallest denormal
    make(0n, leading - 1n), // the largest denormal
    make(0n, leading), // pseudo-denormal
    make(1n, leading), // the smallest normal
    make(bias - 1n, leading), // 0.5
    make(bias - 1n, 2n * leading - 1n), // just below 1
    make(bias, leading), // 1
    make(bias, leading | 1n), // just above 1
    make(bias, leading | (1n << 62n)), // 1.5
    make(bias, leading | (1n << 10n)), // a tie for rounding to double
    make(bias, leading | (1n << 39n)), // a tie for rounding to single
    make(bias + 1n, leading | (1n << 61n)), // 2.5
    make(bias + 1n, 0xc90f_daa2_2168_c235n), // pi
    make(bias + 14n, leading),
    make(bias + 15n, leading), // 2^15
    make(bias + 31n, leading), // 2^31
    make(bias + 62n, 2n * leading - 1n), // the largest int64
    make(bias + 63n, leading), // 2^63
    make(bias + 64n, leading | 1n),
    make(bias + 127n, 0xffff_ff7f_ffff_ffffn), // near the largest single
    make(bias + 128n, leading), // beyond single
    make(bias - 1023n, leading), // denormal as a double
    make(bias + 1024n, leading), // beyond double
    make(0x7ffen, 2n * leading - 1n), // the largest normal
    make(0x7fffn, leading), // infinity
    make(0x7fffn, leading | 1n), // signalling NaN
    make(0x7fffn, leading | (1n << 62n)), // quiet NaN
    make(0x7fffn, leading | (1n << 62n) | 0x1234n), // quiet NaN with a payload
    make(0x7fffn, 0n), // pseudo-infinity: unsupported
    make(0x7fffn, 1n << 62n), // pseudo-NaN: unsupported
    make(bias, 1n << 62n), // unnormal: unsupported
  ];
  return positive.flatMap((value) => [value, value | (1n << 79n)]);
})();

/** Joins lanes, lowest first, to one vector value. */
export function lanes(laneBits: number, values: readonly bigint[]): bigint {
  return values.reduce(
    (vector, value, index) => vector | (BigInt.asUintN(laneBits, value) << BigInt(index * laneBits)),
    0n,
  );
}
