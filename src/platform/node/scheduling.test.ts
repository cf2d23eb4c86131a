import assert from "node:assert/strict";
import { test } from "node:test";
import { nodeScheduling } from "./index.ts";

test("a listening timer never stops the event loop, and comes", async (t) => {
  const wait = t.mock.method(Atomics, "wait");
  for (const delayNs of [100_000, 900_000, 2_500_000]) {
    await new Promise<void>((resolve) => {
      nodeScheduling.setTimer(delayNs, resolve, "listening");
    });
  }
  assert.equal(wait.mock.callCount(), 0);
});

test("a timer that was cancelled does not come", async () => {
  let count = 0;
  for (const precision of ["exact", "listening"] as const)
    nodeScheduling.setTimer(100_000, () => count++, precision).cancel();
  await new Promise<void>((resolve) => {
    nodeScheduling.setTimer(3_000_000, resolve);
  });
  assert.equal(count, 0);
});
