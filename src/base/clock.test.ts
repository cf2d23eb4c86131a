import assert from "node:assert/strict";
import { test } from "node:test";

import { nsAtTicks, ticksAtNs } from "./index.ts";

const FREQUENCIES_HZ = [1, 32_768, 1_193_182, 3_579_545, 14_318_180, 100_000_000, 3_000_000_000];
const TIMES_NS = [0, 1, 838, 839, 999_999_999, 1_000_000_000, 7_600_000_001, 86_400_000_000_123, 4e15 + 1];

test("ticks are the exact floor of time × frequency", () => {
  let checked = 0;
  for (const hz of FREQUENCIES_HZ) {
    for (const ns of TIMES_NS) {
      const exact = (BigInt(ns) * BigInt(hz)) / 1_000_000_000n;
      if (exact > BigInt(Number.MAX_SAFE_INTEGER)) continue;
      assert.equal(BigInt(ticksAtNs(ns, hz)), exact, `${ns} ns at ${hz} Hz`);
      checked++;
    }
  }
  assert.ok(checked > 50);
});

test("the time of a tick is the first nanosecond that shows it", () => {
  for (const hz of FREQUENCIES_HZ.filter((f) => f <= 1e9)) {
    for (const ticks of [1, 2, 65_536, 1_193_182, 123_456_789]) {
      const ns = nsAtTicks(ticks, hz);
      if (ns === Infinity) continue;
      assert.ok(ticksAtNs(ns, hz) >= ticks, `${ticks} ticks at ${hz} Hz are reached`);
      assert.ok(ticksAtNs(ns - 1, hz) < ticks, `${ticks} ticks at ${hz} Hz are not reached before`);
    }
  }
});

test("a tick that is more than 104 days away never comes", () => {
  assert.equal(nsAtTicks(123_456_789, 1), Infinity);
});
