import assert from "node:assert/strict";
import { test } from "node:test";
import type { FloatFormat } from "../ir/expr.ts";
import {
  type NumberRange,
  bandOf,
  differenceOf,
  eitherOf,
  integersOf,
  isInRange,
  productOf,
  quotientOf,
  rootOf,
  sumOf,
} from "./number-range.ts";
import { seeded } from "./testing.ts";

interface Known {
  readonly value: number;
  readonly range: NumberRange;
}

/** A number so much larger than the unit of its range is a multiple of it in any case. */
const ALWAYS_A_MULTIPLE = 2 ** 60;

/** Zero or a multiple of 2^least, no further from zero than 2^greatest; what else the range says of it. */
function isOf(value: number, { least, greatest, isNonZero, isNonNegative }: NumberRange): boolean {
  // Scaled in two steps: 2^-least may be out of range.
  const half = Math.trunc(least / 2);
  const units = Math.abs(value / 2 ** half / 2 ** (least - half));
  const isMultiple = units > ALWAYS_A_MULTIPLE || Number.isInteger(units);
  return (
    isMultiple &&
    Math.abs(value) <= 2 ** greatest &&
    !(isNonZero && value === 0) &&
    !(isNonNegative && value < 0)
  );
}

const lanesOf = { f32: "ss", f64: "sd" } as const;
const extremes = { f32: [-32, 31], f64: [-256, 255] } as const;
const OPERATIONS = ["sum", "difference", "product", "square", "quotient", "root", "either"] as const;

for (const format of ["f32", "f64"] as const satisfies FloatFormat[]) {
  const round = (value: number): number => (format === "f32" ? Math.fround(value) : value);
  const least = format === "f32" ? 2 ** -126 : 2 ** -1022;

  test(`what is calculated from ${format} numbers of the band is of the range that is worked out for it`, () => {
    const random = seeded(5);
    const [first, last] = extremes[format];
    const exponents = [first, last, 0, 1, -1, first + 1];
    const member = (): Known => {
      const exponent = exponents[random() % exponents.length] ?? 0;
      const fraction = round(
        1 + (random() % 3) * (format === "f32" ? 2 ** -23 : 2 ** -52) + (random() % 2) / 2,
      );
      const value = random() % 9 === 0 ? 0 : fraction * 2 ** exponent * (random() % 2 === 0 ? 1 : -1);
      return { value, range: bandOf(lanesOf[format], "any") };
    };
    const calculated: Record<string, number> = {};
    const apply = (operation: (typeof OPERATIONS)[number], a: Known, b: Known): Known | undefined => {
      switch (operation) {
        case "sum":
          return { value: a.value + b.value, range: sumOf(a.range, b.range) };
        case "difference":
          return { value: a.value - b.value, range: differenceOf(a.range, b.range) };
        case "product":
          return { value: a.value * b.value, range: productOf(a.range, b.range, false) };
        case "square":
          return { value: a.value * a.value, range: productOf(a.range, a.range, true) };
        case "quotient":
          if (b.value === 0) return undefined;
          return { value: a.value / b.value, range: quotientOf(a.range, { ...b.range, isNonZero: true }) };
        case "root":
          if (a.value < 0) return undefined;
          return { value: Math.sqrt(a.value), range: rootOf({ ...a.range, isNonNegative: true }) };
        case "either":
          return { value: random() % 2 === 0 ? a.value : b.value, range: eitherOf(a.range, b.range) };
      }
    };
    for (let i = 0; i < 20_000; i++) {
      let known = member();
      for (let depth = 0; depth < 4; depth++) {
        const operation = OPERATIONS[random() % OPERATIONS.length] ?? "sum";
        const next = apply(operation, known, member());
        if (next === undefined || !isInRange(next.range)) break;
        // Products of doubles are rounded once to doubles and once to singles, which is as good as once.
        known = { value: round(next.value), range: next.range };
        assert.ok(
          isOf(known.value, known.range),
          `${operation}: ${known.value}, ${JSON.stringify(known.range)}`,
        );
        assert.ok(
          known.value === 0 || Math.abs(known.value) >= least,
          `${operation} is tiny: ${known.value}`,
        );
        assert.ok(Number.isFinite(known.value));
        calculated[operation] = (calculated[operation] ?? 0) + 1;
      }
    }
    for (const operation of OPERATIONS) assert.ok((calculated[operation] ?? 0) > 500, operation);
  });

  test(`sum, product and quotient of two ${format} numbers of the band are in range, those of four are not`, () => {
    const band = bandOf(lanesOf[format], "nonzero");
    const all = [sumOf(band, band), productOf(band, band, false), quotientOf(band, band), rootOf(band)];
    assert.deepEqual(
      all.map((range) => isInRange(range)),
      [true, true, true, true],
    );
    const fourth = productOf(productOf(band, band, false), productOf(band, band, false), false);
    assert.equal(isInRange(productOf(fourth, fourth, false)), false);
  });
}

test("integers of 32 bits are in the range that is named for them", () => {
  for (const value of [-(2 ** 31), -1, 0, 1, 2 ** 31 - 1]) assert.ok(isOf(value, integersOf("f64", 32)));
  assert.equal(isOf(2 ** 32, integersOf("f64", 32)), false);
  assert.equal(isOf(0.5, integersOf("f64", 32)), false);
});
