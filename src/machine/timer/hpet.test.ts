import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ManualClock, TimerQueue } from "../../base/index.ts";
import type { IrqLine } from "../../hw/index.ts";
import { Hpet } from "./hpet.ts";

/** Counts rising edges, as an edge-triggered controller does. */
class ProbeLine implements IrqLine {
  level = false;
  edges = 0;
  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}

let clock: ManualClock;
let timers: TimerQueue;
let irq0: ProbeLine;
let irq8: ProbeLine;
let inputs: (ProbeLine | undefined)[];
let hpet: Hpet;

beforeEach(() => {
  clock = new ManualClock();
  timers = new TimerQueue();
  irq0 = new ProbeLine();
  irq8 = new ProbeLine();
  inputs = Array.from({ length: 24 }, (_, input) => (input >= 16 ? new ProbeLine() : undefined));
  hpet = new Hpet({ clock, timers, irq0, irq8, ioApicInputs: inputs });
});

const read = (offset: number): number => hpet.readMmio(offset, 4);
const write = (offset: number, value: number): void => hpet.writeMmio(offset, 4, value);
const timer = (index: number): number => 0x100 + 0x20 * index;

function advanceTo(ns: number): void {
  for (;;) {
    const next = timers.nextDeadlineNs();
    if (next === undefined || next > ns) break;
    clock.advanceTo(next);
    timers.runDue(next);
  }
  clock.advanceTo(ns);
}

const ENABLE = 1;
const LEGACY = 2;
const LEVEL = 2;
const INTERRUPT = 4;
const PERIODIC = 8;
const SET_ACCUMULATOR = 0x40;
const MODE_32 = 0x100;

test("capabilities announce three timers, 64 bits, legacy replacement and ten nanoseconds", () => {
  assert.equal(read(0), 0x8086a201);
  assert.equal(read(4), 10_000_000);
  assert.equal(read(timer(0)) & 0x30, 0x30);
  assert.equal(read(timer(1)) & 0x30, 0x20);
  assert.equal(read(timer(0) + 4), 0x00ff0000);
});

test("the counter stands still until it is enabled, keeps its value when halted, and can be set", () => {
  advanceTo(1000);
  assert.equal(read(0xf0), 0);
  write(0x10, ENABLE);
  advanceTo(3000);
  assert.equal(read(0xf0), 200);
  write(0x10, 0);
  advanceTo(9000);
  assert.equal(read(0xf0), 200);
  write(0xf0, 7);
  write(0xf4, 1);
  write(0x10, ENABLE);
  advanceTo(9010);
  assert.deepEqual([read(0xf0), read(0xf4)], [8, 1]);
});

test("the two halves of an 8-byte read belong together", () => {
  write(0xf0, 0xffffffff);
  write(0x10, ENABLE);
  const low = read(0xf0);
  advanceTo(100);
  assert.deepEqual([low, read(0xf4)], [0xffffffff, 0]);
  assert.equal(read(0xf4), 1);
});

test("a one-shot comparator matches once, at its tick", () => {
  write(0x10, ENABLE);
  write(timer(0), INTERRUPT | MODE_32 | (16 << 9));
  write(timer(0) + 8, 500);
  advanceTo(4999);
  assert.equal(inputs[16]?.edges, 0);
  advanceTo(5000);
  assert.equal(inputs[16]?.edges, 1);
  advanceTo(1_000_000);
  assert.equal(inputs[16]?.edges, 1);
});

test("a 32-bit comparator set in the past waits for the counter to come round", () => {
  write(0x10, ENABLE);
  advanceTo(10_000);
  write(timer(1), INTERRUPT | MODE_32 | (17 << 9));
  write(timer(1) + 8, 10);
  advanceTo(1_000_000);
  assert.equal(inputs[17]?.edges, 0);
  assert.equal(timers.nextDeadlineNs(), (2 ** 32 + 10) * 10);
});

test("a counter that has come round beyond 64 bits matches on time", () => {
  write(0xf0, 0xffff_ff00);
  write(0xf4, 0xffff_ffff);
  write(0x10, ENABLE);
  advanceTo(3000);
  assert.deepEqual([read(0xf0), read(0xf4)], [44, 0]);
  write(timer(0) + 8, 100);
  write(timer(0) + 0xc, 0);
  write(timer(0), INTERRUPT | (16 << 9));
  advanceTo(3559);
  assert.equal(inputs[16]?.edges, 0);
  advanceTo(3560);
  assert.equal(inputs[16]?.edges, 1);
});

test("in legacy replacement mode timer 0 is IRQ 0 and timer 1 is IRQ 8, and the 8254 and the RTC are silent", () => {
  hpet.pitOutput.set(true);
  assert.equal(irq0.level, true);
  write(0x10, ENABLE | LEGACY);
  assert.equal(irq0.level, false);
  hpet.rtcOutput.set(true);
  assert.equal(irq8.level, false);
  write(timer(0), INTERRUPT);
  write(timer(0) + 8, 100);
  write(timer(0) + 12, 0);
  write(timer(1), INTERRUPT);
  write(timer(1) + 8, 200);
  write(timer(1) + 12, 0);
  advanceTo(2000);
  assert.deepEqual([irq0.edges, irq8.edges], [2, 1]);
  write(0x10, ENABLE);
  assert.deepEqual([irq0.level, irq8.level], [true, true]);
});

test("the 8254 is told whether its output leads anywhere", () => {
  const told: boolean[] = [];
  const onPitConnected = (isConnected: boolean): number => told.push(isConnected);
  const other = new Hpet({ clock, timers, irq0, irq8, ioApicInputs: inputs, onPitConnected });
  other.writeMmio(0x10, 4, ENABLE | LEGACY);
  assert.equal(told.at(-1), false);
  const saved = other.save();
  other.reset();
  assert.equal(told.at(-1), true);
  other.restore(saved);
  assert.equal(told.at(-1), false);
});

test("a periodic timer is programmed as Linux does it, and repeats", () => {
  write(0x10, ENABLE | LEGACY);
  advanceTo(1000);
  write(timer(0), INTERRUPT | PERIODIC | SET_ACCUMULATOR | MODE_32);
  write(timer(0) + 8, 100 + 400);
  write(timer(0) + 8, 400);
  assert.equal(read(timer(0)) & SET_ACCUMULATOR, 0);
  const edges = [4999, 5000, 9000, 13_000].map((ns) => {
    advanceTo(ns);
    return irq0.edges;
  });
  assert.deepEqual(edges, [0, 1, 2, 3]);
});

test("periods that were missed become one interrupt, and the next comes on time", () => {
  write(0x10, ENABLE | LEGACY);
  write(timer(0), INTERRUPT | PERIODIC | SET_ACCUMULATOR | MODE_32);
  write(timer(0) + 8, 100);
  write(timer(0) + 8, 100);
  clock.advanceTo(5500);
  timers.runDue(5500);
  assert.equal(irq0.edges, 1);
  assert.equal(timers.nextDeadlineNs(), 6000);
});

test("only timer 0 can be periodic", () => {
  write(timer(1), PERIODIC);
  assert.equal(read(timer(1)) & PERIODIC, 0);
});

test("a level-triggered timer holds its line until its status is cleared", () => {
  write(0x10, ENABLE);
  write(timer(2), INTERRUPT | LEVEL | MODE_32 | (20 << 9));
  write(timer(2) + 8, 10);
  advanceTo(100);
  assert.deepEqual([inputs[20]?.level, read(0x20)], [true, 4]);
  write(0x20, 4);
  assert.deepEqual([inputs[20]?.level, read(0x20)], [false, 0]);
});

test("a route that the timer cannot take does not stick", () => {
  write(timer(0), 18 << 9);
  write(timer(0), 5 << 9);
  assert.equal((read(timer(0)) >>> 9) & 0x1f, 18);
});

test("a restored HPET counts on and interrupts when the saved one would have", () => {
  write(0x10, ENABLE | LEGACY);
  write(timer(0), INTERRUPT | PERIODIC | SET_ACCUMULATOR | MODE_32);
  write(timer(0) + 8, 500);
  write(timer(0) + 8, 500);
  advanceTo(1000);
  const state = hpet.save();
  hpet.reset();
  assert.equal(timers.nextDeadlineNs(), undefined);
  hpet.restore(state);
  advanceTo(2000);
  assert.equal(read(0xf0), 200);
  advanceTo(5000);
  assert.equal(irq0.edges, 1);
});
