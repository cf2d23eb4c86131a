/**
 * What a region knows of the magnitude of a floating-point number without having looked at it: it is zero or a multiple of
 * 2^least, and no further from zero than 2^greatest. A sum of two such numbers is one again, rounded or not, and so are
 * products, quotients and roots, so that one look at the numbers a calculation begins with tells of all that follow
 * whether they can overflow or be tiny. Zeros need no rule of their own.
 */
import { type FloatFormat, type FloatLanes, formatOf } from "../ir/expr.ts";

export interface NumberRange {
  readonly format: FloatFormat;
  /** It holds for all lanes of a register, not only for the lowest. */
  readonly isPacked: boolean;
  readonly least: number;
  readonly greatest: number;
  readonly isNonZero: boolean;
  /** Zeros of either sign are not negative. */
  readonly isNonNegative: boolean;
}

/** Bits of the fraction, the bias of exponents, and the exponents of normal numbers, a little inside. */
export const formats = {
  f32: { fractionBits: 23, bias: 127, least: -125, greatest: 127 },
  f64: { fractionBits: 52, bias: 1023, least: -1021, greatest: 1023 },
} as const;

/**
 * The numbers that a look accepts: 2^exponentBits exponents from `firstExponent` (biased) on. Wide enough for what programs
 * reckon with, so narrow that of two of them sum, product and quotient are in range.
 */
export const bands = {
  f32: { firstExponent: 95, exponentBits: 6 },
  f64: { firstExponent: 767, exponentBits: 9 },
} as const satisfies Record<FloatFormat, { readonly firstExponent: number; readonly exponentBits: number }>;

export const isPacked = (lanes: FloatLanes): boolean => lanes.startsWith("p");

export type BandKind = "any" | "nonzero" | "nonnegative";

/** A number that has been looked at: one of the band or, but for "nonzero", zero. */
export function bandOf(lanes: FloatLanes, kind: BandKind): NumberRange {
  const format = formatOf(lanes);
  const { fractionBits, bias } = formats[format];
  const { firstExponent, exponentBits } = bands[format];
  const first = firstExponent - bias;
  return {
    format,
    isPacked: isPacked(lanes),
    least: first - fractionBits,
    greatest: first + 2 ** exponentBits,
    isNonZero: kind === "nonzero",
    isNonNegative: kind === "nonnegative",
  };
}

/** Integers of so many bits with their sign. */
export const integersOf = (format: FloatFormat, bits: number): NumberRange => ({
  format,
  isPacked: false,
  least: 0,
  greatest: bits - 1,
  isNonZero: false,
  isNonNegative: false,
});

/** Can all of the range be normal or zero? */
export function isInRange({ format, least, greatest }: NumberRange): boolean {
  return least >= formats[format].least && greatest <= formats[format].greatest;
}

export const sumOf = (a: NumberRange, b: NumberRange): NumberRange => ({
  format: a.format,
  isPacked: a.isPacked && b.isPacked,
  least: Math.min(a.least, b.least),
  greatest: Math.max(a.greatest, b.greatest) + 1,
  isNonZero: false,
  isNonNegative: a.isNonNegative && b.isNonNegative,
});

export const differenceOf = (a: NumberRange, b: NumberRange): NumberRange => ({
  ...sumOf(a, b),
  isNonNegative: false,
});

export const productOf = (a: NumberRange, b: NumberRange, isSquare: boolean): NumberRange => ({
  format: a.format,
  isPacked: a.isPacked && b.isPacked,
  least: a.least + b.least,
  greatest: a.greatest + b.greatest,
  isNonZero: a.isNonZero && b.isNonZero,
  isNonNegative: isSquare || (a.isNonNegative && b.isNonNegative),
});

/** Of a divisor that is not zero. */
export const quotientOf = (a: NumberRange, b: NumberRange): NumberRange => ({
  format: a.format,
  isPacked: a.isPacked && b.isPacked,
  least: a.least - b.greatest - formats[a.format].fractionBits,
  greatest: a.greatest - b.least,
  isNonZero: a.isNonZero,
  isNonNegative: a.isNonNegative && b.isNonNegative,
});

/** Of a number that is not negative. */
export const rootOf = (a: NumberRange): NumberRange => ({
  format: a.format,
  isPacked: a.isPacked,
  least: Math.floor(a.least / 2) - formats[a.format].fractionBits,
  greatest: Math.ceil(a.greatest / 2),
  isNonZero: a.isNonZero,
  isNonNegative: true,
});

/** One of the two. */
export const eitherOf = (a: NumberRange, b: NumberRange): NumberRange => ({
  format: a.format,
  isPacked: a.isPacked && b.isPacked,
  least: Math.min(a.least, b.least),
  greatest: Math.max(a.greatest, b.greatest),
  isNonZero: a.isNonZero && b.isNonZero,
  isNonNegative: a.isNonNegative && b.isNonNegative,
});
