import assert from "node:assert/strict";
import { test } from "node:test";

import { figure } from "../../bench/figures.ts";
import { groupResults } from "../../bench/groups.ts";

const kernel = (name: string, typevisor: number, qemuTcg: number, native: number) =>
  figure(
    name,
    "s",
    { typevisor: [typevisor], qemuTcg: [qemuTcg], native: [native] },
    { groups: ["cpuKernels"] },
  );

test("a figure says how many times faster we are than each other that took part", () => {
  const { faster, medians } = figure("a", "s", {
    typevisor: [1, 2, 9],
    qemuTcg: [2, 4, 18],
    native: [0.5, 1, 1],
  });

  assert.deepEqual(medians, { typevisor: 2, qemuTcg: 4, native: 1 });
  assert.deepEqual(faster, { qemuTcg: 2, native: 0.5 });
});

test("of a rate more is faster, and of a size nothing is", () => {
  assert.deepEqual(figure("a", "per s", { typevisor: [6], qemuTcg: [3] }).faster, { qemuTcg: 2 });
  assert.deepEqual(figure("a", "MB", { typevisor: [6], qemuTcg: [3] }).faster, {});
});

test("our own limit is judged by our median", () => {
  assert.equal(figure("a", "MB", { typevisor: [1, 2, 900] }, { most: 2 }).goal?.isMet, true);
  assert.equal(figure("a", "MB", { typevisor: [1, 3, 3] }, { most: 2 }).goal?.isMet, false);
});

test("a group's mean is geometric, and one slow member misses 'none slower' alone", () => {
  const [group, ...others] = groupResults([kernel("a", 1, 8, 0.5), kernel("b", 1, 0.5, 0.125)]);

  assert.ok(group !== undefined);
  assert.equal(others.length, 0);
  assert.deepEqual(group.members, ["a", "b"]);
  const goals = group.goals.map(({ goal, value, isMet, isAimMet }) => [
    goal.kind,
    Number(value.toFixed(6)),
    isMet,
    isAimMet,
  ]);
  assert.deepEqual(goals, [
    ["faster", 2, true, false],
    ["none-slower", 0.5, false, false],
    ["within", 4, true, false],
  ]);
});

test("a goal against somebody who did not take part is not judged", () => {
  const [group] = groupResults([
    figure("a", "s", { typevisor: [1], native: [1] }, { groups: ["cpuKernels"] }),
  ]);
  assert.deepEqual(
    group?.goals.map(({ goal }) => goal.kind),
    ["within"],
  );
});
