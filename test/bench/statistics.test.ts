import assert from "node:assert/strict";
import { test } from "node:test";

import { geometricMean, median, pairedRatio } from "../../bench/statistics.ts";

test("the median of an odd count is the middle one, of an even count the mean of two", () => {
  assert.equal(median([9, 1, 4]), 4);
  assert.equal(median([9, 1, 4, 6]), 5);
  assert.throws(() => median([]), RangeError);
});

test("a load that weighs on both in one round does not change the ratio", () => {
  assert.equal(pairedRatio([2, 2, 200], [1, 1, 100]), 2);
});

test("the ratio of rounds that were not paired is refused", () => {
  assert.throws(() => pairedRatio([1, 2], [1]), RangeError);
});

test("in a geometric mean twice as fast and half as fast cancel out", () => {
  assert.equal(geometricMean([2, 0.5]), 1);
  assert.throws(() => geometricMean([]), RangeError);
});
