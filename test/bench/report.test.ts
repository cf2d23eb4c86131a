import assert from "node:assert/strict";
import { test } from "node:test";

import { figure } from "../../bench/figures.ts";
import { formatTable } from "../../bench/report.ts";
import { allGoalsMet } from "../../bench/result.ts";
import type { BenchResult } from "../../bench/result.ts";
import { resultOf } from "./testing.ts";

const loopIn = (tcgSeconds: number): BenchResult =>
  resultOf([figure("loop", "s", { typevisor: [1], qemuTcg: [tcgSeconds] }, { groups: ["shellLoop"] })]);

test("a missed goal stands in the table as missed, and the run is no success", () => {
  const result = loopIn(1.5);
  assert.match(
    formatTable(result),
    /^shell loop +MISSED +1\.50× +at least 1\.8× faster than QEMU TCG \(aim 3×\)$/m,
  );
  assert.equal(allGoalsMet(result), false);
});

test("times stand beside the ratio, and who was left out is named", () => {
  const table = formatTable(loopIn(2));
  assert.match(table, /^loop +1\.00 s +2\.00 s +2\.00×$/m);
  assert.match(table, /^Left out: v86: .*npm install --no-save v86$/m);
  assert.match(table, /^shell loop +met +2\.00× /m);
});
