import assert from "node:assert/strict";
import { test } from "node:test";

import { interleave, samplesOf, turns } from "../../bench/rounds.ts";

test("every contestant is first once before one is first again", () => {
  const names = ["typevisor", "qemuTcg", "native"] as const;
  assert.deepEqual(
    [0, 1, 2, 3].map((round) => turns(names, round)[0]),
    ["typevisor", "qemuTcg", "native", "typevisor"],
  );
});

test("each contestant has a result of every round, and who takes no part has none", async () => {
  const order: string[] = [];
  const rounds = await interleave({ rounds: 2, progress: () => undefined }, ["typevisor", "v86"], (name) => {
    order.push(name);
    return Promise.resolve(order.length);
  });

  assert.deepEqual(order, ["typevisor", "v86", "v86", "typevisor"]);
  assert.deepEqual(
    samplesOf(rounds, (each) => each * 10),
    { typevisor: [10, 40], v86: [20, 30] },
  );
});
