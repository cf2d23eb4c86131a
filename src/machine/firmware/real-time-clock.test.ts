import assert from "node:assert/strict";
import { test } from "node:test";

import { NS_PER_MS, NS_PER_S } from "../../base/index.ts";
import { FirmwareBench } from "./testing.ts";

const FLAG = { es: 0x3000, bx: 0x0020 } as const;
const FLAG_GPA = 0x30020;
/** The second 8259's mask of IRQ 8. */
const isClockMasked = (bench: FirmwareBench): boolean => (bench.board.ports.readPort(0xa1, 1) & 1) !== 0;

/** Guest time passes; the interrupts of it are taken, and what each left in AL is returned. */
async function pass(bench: FirmwareBench, ns: number): Promise<number[]> {
  const answers: number[] = [];
  const endNs = bench.clock.nowNs() + ns;
  while (bench.clock.nowNs() < endNs) {
    bench.clock.advance(Math.min(NS_PER_MS / 2, endNs - bench.clock.nowNs()));
    bench.timers.runDue(bench.clock.nowNs());
    answers.push((await bench.interrupt(0x70)).eax & 0xff);
  }
  return answers;
}

test("an event that is waited for sets its bit when its time is over, and not before", async () => {
  const bench = await FirmwareBench.start();
  assert.equal(isClockMasked(bench), true);
  bench.ram.writeU8(FLAG_GPA, 0x01);
  const began = await bench.interrupt(0x15, { ...FLAG, ax: 0x8300, cx: 0, dx: 20_000 });
  assert.deepEqual([began.carry, isClockMasked(bench)], [false, false]);
  const second = await bench.interrupt(0x15, { ...FLAG, ax: 0x8300, cx: 0, dx: 1 });
  assert.equal(second.carry, true);
  await pass(bench, 18 * NS_PER_MS);
  assert.equal(bench.ram.readU8(FLAG_GPA), 0x01);
  await pass(bench, 5 * NS_PER_MS);
  assert.equal(bench.ram.readU8(FLAG_GPA), 0x81);
  assert.equal((await bench.interrupt(0x15, { ...FLAG, ax: 0x8300, cx: 0, dx: 1 })).carry, false);
});

test("an event that is no longer waited for sets nothing", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x15, { ...FLAG, ax: 0x8300, cx: 0, dx: 5_000 });
  assert.equal((await bench.interrupt(0x15, { ax: 0x8301 })).carry, false);
  await pass(bench, 10 * NS_PER_MS);
  assert.equal(bench.ram.readU8(FLAG_GPA), 0);
  assert.equal((await bench.interrupt(0x15, { ax: 0x8302 })).carry, true);
});

test("the alarm is told once its time has come", async () => {
  const bench = await FirmwareBench.start();
  const { ecx, edx } = await bench.interrupt(0x1a, { ax: 0x0200 });
  const inTwoSeconds = edx + 0x0200;
  await bench.interrupt(0x1a, { ax: 0x0600, cx: ecx, dx: inTwoSeconds });
  assert.equal(isClockMasked(bench), false);
  const told = await pass(bench, 3 * NS_PER_S);
  assert.equal(told.filter((al) => al === 1).length, 1);
});
