import assert from "node:assert/strict";
import { test } from "node:test";

import { StopTimes } from "./stops.ts";

/** The distribution after stops of these lengths. */
function after(...lengthsNs: readonly number[]) {
  let nowNs = 5;
  const stops = new StopTimes(() => nowNs);
  for (const lengthNs of lengthsNs) {
    const start = stops.begin();
    nowNs += lengthNs;
    stops.end(start);
  }
  return stops.statistics;
}

test("without stops everything is 0", () => {
  const none = { count: 0, totalNs: 0, longestNs: 0, p50Ns: 0, p99Ns: 0, histogram: [] };
  assert.deepEqual(after(), none);
});

test("the longest and the sum are exact, quantiles to a tenth of a decade", () => {
  const lengths = Array.from({ length: 98 }, () => 30_000);
  const statistics = after(...lengths, 2_000_000, 15_000_000);
  assert.equal(statistics.count, 100);
  assert.equal(statistics.totalNs, 98 * 30_000 + 17_000_000);
  assert.equal(statistics.longestNs, 15_000_000);
  assert.ok(statistics.p50Ns >= 30_000 && statistics.p50Ns < 38_000, String(statistics.p50Ns));
  assert.ok(statistics.p99Ns >= 2_000_000 && statistics.p99Ns < 2_520_000, String(statistics.p99Ns));
});

test("each stop is in the bucket between whose bounds it lies", () => {
  const { histogram } = after(0, 1000, 1001, 10_000, 10_001, 1_000_000);
  assert.deepEqual(histogram, [
    { upToNs: 1000, count: 2 },
    { upToNs: 1259, count: 1 },
    { upToNs: 10_000, count: 1 },
    { upToNs: 12_589, count: 1 },
    { upToNs: 1_000_000, count: 1 },
  ]);
});

test("quantiles are no longer than the longest, however long that is", () => {
  const hour = 3_600_000_000_000;
  const { p50Ns, p99Ns, longestNs } = after(hour, 1_050_000);
  assert.deepEqual({ longestNs, p99Ns }, { longestNs: hour, p99Ns: hour });
  assert.ok(p50Ns >= 1_050_000 && p50Ns < hour);
});
