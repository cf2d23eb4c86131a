import assert from "node:assert/strict";
import { test } from "node:test";

import { decodeStops } from "../../bench/stops.ts";

const stops = { count: 2, totalSeconds: 0.5, longestMs: 4, p50Ms: 1, p99Ms: 4, histogram: [] };

test("both kinds of stops are taken from the statistics", () => {
  const json = JSON.stringify({ translationStops: stops, compilationStops: { ...stops, longestMs: 9 } });
  const { translation, compilation } = decodeStops(json);
  assert.deepEqual([translation.longestMs, compilation.longestMs, compilation.count], [4, 9, 2]);
});

test("statistics without stops, or with other fields, are refused by name", () => {
  assert.throws(() => decodeStops(JSON.stringify({ translationStops: stops })), /compilationStops\.count/);
  const other = { translationStops: { ...stops, p99Ms: "4" }, compilationStops: stops };
  assert.throws(() => decodeStops(JSON.stringify(other)), /translationStops\.p99Ms/);
});
