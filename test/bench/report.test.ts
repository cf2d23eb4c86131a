import assert from "node:assert/strict";
import { test } from "node:test";

import { figure } from "../../bench/figures.ts";
import { groupResults } from "../../bench/groups.ts";
import { formatTable } from "../../bench/report.ts";
import { allGoalsMet } from "../../bench/result.ts";
import type { BenchResult } from "../../bench/result.ts";

function resultOf(tcgSeconds: number): BenchResult {
  const figures = [figure("loop", "s", { typevisor: [1], qemuTcg: [tcgSeconds] }, { groups: ["shellLoop"] })];
  return {
    format: 2,
    startedAt: "2026-01-01T00:00:00.000Z",
    host: { processor: "a processor", cores: 2, kernel: "6.1", node: "v26", tools: {}, commit: "abc" },
    rounds: 1,
    clock: "wall",
    load: { before: 0.1, after: 1 },
    leftOut: ["v86: v86 is missing: npm install --no-save v86"],
    parts: [{ name: "linux", figures }],
    groups: groupResults(figures),
  };
}

test("a missed goal stands in the table as missed, and the run is no success", () => {
  const result = resultOf(1.5);
  assert.match(
    formatTable(result),
    /^shell loop \(1\) +1\.50 +MISSED +at least 1\.8× faster than QEMU TCG \(aim 3×\)$/m,
  );
  assert.equal(allGoalsMet(result), false);
});

test("times stand beside the ratio, and who was left out is named", () => {
  const table = formatTable(resultOf(2));
  assert.match(table, /^loop +1\.00 s +2\.00 s +2\.00×$/m);
  assert.match(table, /^Left out: v86: .*npm install --no-save v86$/m);
  assert.match(table, /^shell loop \(1\) +2\.00 +met /m);
});
