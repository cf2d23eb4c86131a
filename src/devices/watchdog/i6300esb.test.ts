import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock, NS_PER_MS, NS_PER_S, NS_PER_US, TimerQueue } from "../../base/index.ts";
import { MmioBus, PCI_COMMAND, PCI_HEADER, PortBus } from "../../hw/index.ts";
import type { AccessSize } from "../../hw/index.ts";
import { I6300Esb } from "./index.ts";

const BASE = 0xe000_0000;
const AT = { preload1: 0x0, preload2: 0x4, interruptStatus: 0x8, reload: 0xc } as const;
const CONFIG_AT = 0x60;
const LOCK_AT = 0x68;
const CONFIG = { interruptDisabled: 0x03, fastClock: 0x04, outputDisabled: 0x20 } as const;
const LOCK = { locked: 1, enable: 2, freeRunning: 4 } as const;
const RELOAD = 0x100;
const TIMED_OUT = 0x200;
/** As the drivers take it, of the slow clock. */
const UNIT_NS = (2 ** 15 * NS_PER_S) / 33_000_000;

function watchdog() {
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const mmio = new MmioBus();
  const log: string[] = [];
  const device = new I6300Esb({
    ...{ clock, timers, buses: { ports: new PortBus(), mmio } },
    onTimeout: () => log.push("timeout"),
  });
  const powerOn = (): void => {
    device.reset();
    device.writeConfig(PCI_HEADER.bar0, 4, BASE);
    device.writeConfig(PCI_HEADER.command, 2, PCI_COMMAND.memory);
  };
  powerOn();
  const write = (at: number, size: AccessSize, value: number): void => mmio.writeMmio(BASE + at, size, value);
  const unlock = (): void => {
    write(AT.reload, 2, 0x80);
    write(AT.reload, 2, 0x86);
  };
  return {
    ...{ clock, timers, device, log, powerOn, write },
    read: (at: number, size: AccessSize) => mmio.readMmio(BASE + at, size),
    unlocked(at: number, size: AccessSize, value: number) {
      unlock();
      write(at, size, value);
    },
    /** Both stages, in units. */
    setStages(first: number, second: number) {
      unlock();
      write(AT.preload1, 4, first);
      unlock();
      write(AT.preload2, 4, second);
    },
    lock: (bits: number) => device.writeConfig(LOCK_AT, 1, bits),
    pass(ns: number) {
      const endNs = clock.nowNs() + ns;
      for (let due = timers.nextDeadlineNs(); due !== undefined && due <= endNs;) {
        clock.advanceTo(Math.max(due, clock.nowNs()));
        timers.runDue(clock.nowNs());
        due = timers.nextDeadlineNs();
      }
      clock.advanceTo(endNs);
    },
  };
}

test("drivers find the chip, and its registers after reset", () => {
  const m = watchdog();
  assert.equal(m.device.readConfig(0, 4), 0x25ab_8086);
  assert.equal(m.device.readConfig(0x0a, 2), 0x0880);
  assert.deepEqual([m.read(AT.preload1, 4), m.read(AT.preload2, 4)], [0xfffff, 0xfffff]);
  assert.equal(m.read(AT.reload, 2), 0);
  m.pass(10_000 * NS_PER_S);
  assert.deepEqual(m.log, []);
});

test("memory registers take one write after the unlocking sequence, and none without it", () => {
  const m = watchdog();
  m.write(AT.preload1, 4, 5);
  assert.equal(m.read(AT.preload1, 4), 0xfffff);
  m.unlocked(AT.preload1, 4, 5);
  m.write(AT.preload2, 4, 6);
  assert.deepEqual([m.read(AT.preload1, 4), m.read(AT.preload2, 4)], [5, 0xfffff]);
  m.write(AT.reload, 2, 0x80);
  m.write(AT.reload, 2, 0x80);
  m.write(AT.reload, 2, 0x86);
  m.write(AT.preload2, 4, 7);
  assert.equal(m.read(AT.preload2, 4), 7);
});

test("the first stage is noted, the second drives the output, once", () => {
  const m = watchdog();
  m.setStages(1000, 2000);
  m.lock(LOCK.enable);
  m.pass(999 * UNIT_NS);
  assert.equal(m.read(AT.interruptStatus, 4), 0);
  m.pass(2 * UNIT_NS);
  assert.equal(m.read(AT.interruptStatus, 4), 1);
  assert.deepEqual(m.log, []);
  m.pass(2000 * UNIT_NS);
  assert.deepEqual(m.log, ["timeout"]);
  assert.equal(m.read(AT.reload, 2), TIMED_OUT);
  m.pass(10_000 * UNIT_NS);
  assert.deepEqual(m.log, ["timeout"]);
});

test("a first stage without an interrupt is not noted, and the status is cleared by a one", () => {
  const m = watchdog();
  m.setStages(1, 1000);
  m.lock(LOCK.enable);
  m.pass(2 * UNIT_NS);
  m.write(AT.interruptStatus, 4, 1);
  assert.equal(m.read(AT.interruptStatus, 4), 0);
  m.device.writeConfig(CONFIG_AT, 2, CONFIG.interruptDisabled);
  m.unlocked(AT.reload, 2, RELOAD);
  m.pass(2 * UNIT_NS);
  assert.equal(m.read(AT.interruptStatus, 4), 0);
});

test("a guest that reloads it in time, in either stage, never sees it end", () => {
  const m = watchdog();
  m.setStages(100, 100);
  m.lock(LOCK.enable);
  for (const units of [90, 190, 90, 190]) {
    m.pass(units * UNIT_NS);
    m.unlocked(AT.reload, 2, RELOAD);
  }
  assert.deepEqual(m.log, []);
  m.pass(201 * UNIT_NS);
  assert.deepEqual(m.log, ["timeout"]);
});

test("a reload without the sequence does not count", () => {
  const m = watchdog();
  m.setStages(100, 100);
  m.lock(LOCK.enable);
  m.pass(150 * UNIT_NS);
  m.write(AT.reload, 2, RELOAD);
  m.pass(51 * UNIT_NS);
  assert.deepEqual(m.log, ["timeout"]);
});

test("disabling stops it, enabling begins anew, and a lock keeps it as it is", () => {
  const m = watchdog();
  m.setStages(100, 100);
  m.lock(LOCK.enable);
  m.pass(150 * UNIT_NS);
  m.lock(0);
  m.pass(1000 * UNIT_NS);
  assert.deepEqual(m.log, []);
  m.lock(LOCK.enable | LOCK.locked);
  m.lock(0);
  assert.equal(m.device.readConfig(LOCK_AT, 1), LOCK.enable | LOCK.locked);
  m.pass(199 * UNIT_NS);
  assert.deepEqual(m.log, []);
  m.pass(2 * UNIT_NS);
  assert.deepEqual(m.log, ["timeout"]);
});

test("the fast clock counts in microseconds", () => {
  const m = watchdog();
  m.device.writeConfig(CONFIG_AT, 2, CONFIG.fastClock);
  m.setStages(1000, 1000);
  m.lock(LOCK.enable);
  m.pass(1.9 * NS_PER_MS);
  assert.deepEqual(m.log, []);
  m.pass(100 * NS_PER_US);
  assert.deepEqual(m.log, ["timeout"]);
});

test("a disabled output tells nobody, but the status tells the guest", () => {
  const m = watchdog();
  m.device.writeConfig(CONFIG_AT, 2, CONFIG.outputDisabled);
  m.setStages(1, 1);
  m.lock(LOCK.enable);
  m.pass(3 * UNIT_NS);
  assert.deepEqual(m.log, []);
  assert.equal(m.read(AT.reload, 2), TIMED_OUT);
});

test("running freely it uses the second stage alone, and asserts its output every other time", () => {
  const m = watchdog();
  m.setStages(1, 100);
  m.lock(LOCK.enable | LOCK.freeRunning);
  m.pass(99 * UNIT_NS);
  assert.deepEqual(m.log, []);
  m.pass(2 * UNIT_NS);
  assert.deepEqual(m.log, ["timeout"]);
  m.pass(100 * UNIT_NS);
  assert.deepEqual(m.log, ["timeout"]);
  m.pass(100 * UNIT_NS);
  assert.deepEqual(m.log, ["timeout", "timeout"]);
});

test("a reset stops it and unlocks it, and leaves what the next system reads of the reason", () => {
  const m = watchdog();
  m.setStages(1, 1);
  m.lock(LOCK.enable | LOCK.locked);
  m.pass(3 * UNIT_NS);
  m.powerOn();
  assert.equal(m.device.readConfig(LOCK_AT, 1), 0);
  assert.equal(m.read(AT.reload, 2), TIMED_OUT);
  m.unlocked(AT.reload, 2, TIMED_OUT);
  assert.equal(m.read(AT.reload, 2), 0);
  m.pass(1000 * NS_PER_S);
  assert.deepEqual(m.log, ["timeout"]);
});

test("it counts on after being restored, in its stage", () => {
  const m = watchdog();
  m.setStages(100, 100);
  m.lock(LOCK.enable);
  m.pass(150 * UNIT_NS);
  const other = watchdog();
  other.clock.advanceTo(m.clock.nowNs());
  other.device.restore(m.device.save());
  assert.deepEqual(other.device.save(), m.device.save());
  other.pass(49 * UNIT_NS);
  assert.deepEqual(other.log, []);
  other.pass(2 * UNIT_NS);
  assert.deepEqual(other.log, ["timeout"]);
});
