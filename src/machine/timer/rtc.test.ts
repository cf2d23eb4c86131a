import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { ManualClock, NS_PER_MS, NS_PER_S, NS_PER_US, TimerQueue } from "../../base/index.ts";
import { asPorts, PortBus, RecordedLine } from "../../hw/index.ts";
import { civilOfSeconds, secondsOfCivil, weekdayOfSeconds } from "./civil-time.ts";
import { Rtc } from "./rtc.ts";

/** 2026-11-22 13:27:58.25 UTC, a Sunday. */
const START_MS = Date.UTC(2026, 10, 22, 13, 27, 58, 250);

/** `lookNs` of time pass whenever the chip looks at its clock. */
function rtc(lookNs = 0) {
  const clock = new ManualClock();
  const movingClock = {
    nowNs() {
      clock.advanceTo(clock.nowNs() + lookNs);
      return clock.nowNs();
    },
  };
  const timers = new TimerQueue();
  const irq = new RecordedLine();
  const bus = new PortBus();
  const wallClockNs = (): bigint => BigInt(START_MS) * 1_000_000n + BigInt(clock.nowNs());
  const chip = new Rtc({ clock: movingClock, timers, irq, wallClockNs, cmos: new Map([[0x34, 0x5a]]) });
  bus.claim("rtc", 0x70, 2, asPorts(chip.registers));
  const read = (index: number): number => {
    bus.writePort(0x70, 1, index);
    return bus.readPort(0x71, 1);
  };
  return {
    chip,
    irq,
    clock,
    timers,
    read,
    write(index: number, value: number) {
      bus.writePort(0x70, 1, index);
      bus.writePort(0x71, 1, value);
    },
    /** Year, month, day, hour, minute, second as the bytes read. */
    time: () => [9, 8, 7, 4, 2, 0].map(read),
    pass(ns: number) {
      const endNs = clock.nowNs() + ns;
      for (;;) {
        const deadlineNs = timers.nextDeadlineNs();
        if (deadlineNs === undefined || deadlineNs > endNs) break;
        clock.advanceTo(Math.max(deadlineNs, clock.nowNs()));
        timers.runDue(clock.nowNs());
      }
      clock.advanceTo(Math.max(endNs, clock.nowNs()));
    },
  };
}

test("the calendar agrees with the host's over four thousand years", () => {
  fc.assert(
    fc.property(fc.integer({ min: -62_135_596_800, max: 64_060_588_800 }), (seconds) => {
      const date = new Date(seconds * 1000);
      const time = civilOfSeconds(seconds);
      assert.deepEqual(
        [time.year, time.month, time.day, time.hour, time.minute, time.second],
        [
          date.getUTCFullYear(),
          date.getUTCMonth() + 1,
          date.getUTCDate(),
          date.getUTCHours(),
          date.getUTCMinutes(),
          date.getUTCSeconds(),
        ],
      );
      assert.equal(weekdayOfSeconds(seconds), date.getUTCDay());
      assert.equal(secondsOfCivil(time), seconds);
    }),
    { numRuns: 2000 },
  );
});

test("the time is the wall clock's, in BCD and 24 hours", () => {
  const r = rtc();
  assert.deepEqual(r.time(), [0x26, 0x11, 0x22, 0x13, 0x27, 0x58]);
  assert.equal(r.read(0x32), 0x20);
  assert.equal(r.read(6), 1, "Sunday");
  r.pass(2 * NS_PER_S);
  assert.deepEqual(r.time(), [0x26, 0x11, 0x22, 0x13, 0x28, 0x00]);
});

test("B switches to binary and to 12 hours", () => {
  const r = rtc();
  r.write(0x0b, 0x04);
  assert.deepEqual(r.time(), [26, 11, 22, 0x81, 27, 58]);
});

test("NVRAM keeps what is written, D says the battery is good", () => {
  const r = rtc();
  assert.equal(r.read(0x34), 0x5a);
  r.write(0x0f, 0x05);
  r.write(0x7f, 0x77);
  r.chip.reset();
  assert.equal(r.read(0x0f), 0x05);
  assert.equal(r.read(0x8f), 0x05, "bit 7 of the index is the NMI mask");
  assert.equal(r.read(0x7f), 0x77);
  r.write(0x0d, 0x00);
  assert.equal(r.read(0x0d), 0x80);
});

test("SET holds the time; what is written meanwhile counts from its release", () => {
  const r = rtc();
  r.write(0x0b, 0x82);
  r.pass(5 * NS_PER_S);
  assert.equal(r.read(0), 0x58);
  for (const [index, value] of [
    [9, 0x99],
    [8, 0x02],
    [7, 0x28],
    [4, 0x23],
    [2, 0x59],
    [0, 0x59],
  ] as const) {
    r.write(index, value);
  }
  r.write(0x0b, 0x02);
  r.pass(1 * NS_PER_S);
  assert.deepEqual(r.time(), [0x99, 0x03, 0x01, 0x00, 0x00, 0x00], "2099 is no leap year");
});

test("UIP is high in the last 2.228 ms of each second only", () => {
  const r = rtc();
  r.pass(750 * NS_PER_MS - 2228 * NS_PER_US - NS_PER_US);
  assert.equal(r.read(0x0a), 0x26);
  r.pass(NS_PER_US);
  assert.equal(r.read(0x0a), 0xa6);
  r.pass(2228 * NS_PER_US);
  assert.equal(r.read(0x0a), 0x26);
  assert.equal(r.read(0), 0x59);
});

test("the periodic interrupt comes at its rate, once per reading of C", () => {
  const r = rtc();
  r.write(0x0b, 0x42);
  r.pass(NS_PER_S);
  assert.equal(r.irq.risingEdges, 1, "C was not read");
  let interrupts = 0;
  const endNs = r.clock.nowNs() + NS_PER_S;
  r.read(0x0c);
  while (r.clock.nowNs() < endNs) {
    r.pass(100 * NS_PER_US);
    if (!r.irq.level) continue;
    assert.equal(r.read(0x0c) & 0xc0, 0xc0);
    assert.equal(r.irq.level, false);
    interrupts++;
  }
  assert.equal(interrupts, 1024);
});

test("a request that comes while C is being read is an edge of its own", () => {
  const r = rtc(100 * NS_PER_US);
  r.write(0x0b, 0x42);
  let overtaken = 0;
  for (let reading = 0; reading < 500; reading++) {
    r.pass(NS_PER_MS + reading * NS_PER_US);
    const edges = r.irq.risingEdges;
    r.read(0x0c);
    assert.equal(r.irq.risingEdges - edges, Number(r.irq.level));
    overtaken += Number(r.irq.level);
  }
  assert.ok(overtaken > 10, `${overtaken} requests came while C was read`);
});

test("the update interrupt comes with each second", () => {
  const r = rtc();
  r.write(0x0b, 0x12);
  r.pass(750 * NS_PER_MS - 1);
  assert.equal(r.irq.level, false);
  r.pass(1);
  assert.equal(r.irq.level, true);
  assert.equal(r.read(0x0c) & 0x90, 0x90);
  r.pass(NS_PER_S);
  assert.equal(r.irq.risingEdges, 2);
});

test("the alarm comes at its time, and C0h in a byte matches any", () => {
  const r = rtc();
  r.write(1, 0x05);
  r.write(3, 0xc0);
  r.write(5, 0xff);
  r.write(0x0b, 0x22);
  r.pass(6 * NS_PER_S);
  assert.equal(r.irq.level, false);
  r.pass(1 * NS_PER_S);
  assert.deepEqual(r.time().slice(4), [0x28, 0x05]);
  assert.equal(r.irq.level, true);
  assert.equal(r.read(0x0c) & 0xa0, 0xa0);
  r.write(1, 0x00);
  r.write(3, 0x26);
  r.write(5, 0x13);
  r.pass(86_000 * NS_PER_S);
  assert.equal(r.irq.level, false);
  r.pass(400 * NS_PER_S);
  assert.equal(r.irq.level, true, "tomorrow at 13:26:00");
});

test("without interrupts no timer runs, and flags are there all the same", () => {
  const r = rtc();
  assert.equal(r.timers.size, 0);
  r.pass(NS_PER_S);
  assert.equal(r.read(0x0c), 0x50);
  assert.equal(r.read(0x0c) & 0x10, 0);
  assert.equal(r.irq.risingEdges, 0);
});

test("saved state continues in another clock", () => {
  const r = rtc();
  r.write(9, 0x30);
  r.write(0x0b, 0x12);
  r.write(0x40, 0x12);
  const other = rtc();
  other.chip.restore(r.chip.save());
  assert.deepEqual(other.chip.save(), r.chip.save());
  assert.equal(other.read(9), 0x30);
  assert.equal(other.read(0x40), 0x12);
  other.pass(NS_PER_S);
  assert.equal(other.irq.level, true);
});
