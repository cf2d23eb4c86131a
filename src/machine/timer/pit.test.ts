import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock, NS_PER_MS, NS_PER_S, nsAtTicks, TimerQueue } from "../../base/index.ts";
import { asPorts, PortBus, RecordedLine } from "../../hw/index.ts";
import { Pit8254, PIT_FREQUENCY_HZ } from "./pit-8254.ts";

const CONTROL = 0x43;

/** An 8254 at its ports whose time is given in its own ticks. */
function pit() {
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const irq = new RecordedLine();
  const bus = new PortBus();
  const chip = new Pit8254({ clock, timers, irq });
  bus.claim("pit", 0x40, 4, asPorts(chip.registers));
  const read = (counter: number): number => bus.readPort(0x40 + counter, 1);
  const out = (port: number, ...values: number[]): void => {
    for (const value of values) bus.writePort(port, 1, value);
  };
  return {
    chip,
    clock,
    timers,
    irq,
    out,
    read,
    read16: (counter: number) => read(counter) | (read(counter) << 8),
    /** Latched status byte. */
    status(counter: number) {
      out(CONTROL, 0xe0 | (2 << counter));
      return read(counter);
    },
    at: (tick: number) => clock.advanceTo(nsAtTicks(tick, PIT_FREQUENCY_HZ)),
    /** Lets timers run at their exact time until `tick`. */
    runTo(tick: number) {
      const endNs = nsAtTicks(tick, PIT_FREQUENCY_HZ);
      for (;;) {
        const deadlineNs = timers.nextDeadlineNs();
        if (deadlineNs === undefined || deadlineNs > endNs) break;
        clock.advanceTo(Math.max(deadlineNs, clock.nowNs()));
        timers.runDue(clock.nowNs());
      }
      clock.advanceTo(endNs);
    },
  };
}

test("mode 0 counts down once, raises OUT at zero and wraps on", () => {
  const p = pit();
  p.out(CONTROL, 0x30);
  p.out(0x40, 0x10, 0x00);
  p.at(1);
  assert.equal(p.read16(0), 0x10);
  p.at(16);
  assert.equal(p.read16(0), 1);
  assert.equal(p.status(0), 0x30, "OUT low, count loaded, both bytes, mode 0");
  p.runTo(17);
  assert.equal(p.irq.level, true);
  assert.equal(p.status(0), 0xb0);
  p.runTo(200_000);
  assert.equal(p.irq.risingEdges, 1);
  assert.equal(p.read16(0), (0x10 - 199_999) & 0xffff);
});

test("a count written in two bytes stops mode 0 at the first", () => {
  const p = pit();
  p.out(CONTROL, 0x30);
  p.out(0x40, 4, 0);
  p.runTo(100);
  assert.equal(p.status(0) & 0x80, 0x80);
  p.out(0x40, 9);
  assert.equal(p.status(0) & 0xc0, 0x40, "OUT low and null count");
  p.out(0x40, 0);
  p.runTo(101 + 8);
  assert.equal(p.status(0) & 0xc0, 0);
  p.runTo(101 + 9);
  assert.equal(p.status(0) & 0xc0, 0x80);
});

test("mode 2 divides by its count and interrupts once per period for ever", () => {
  const p = pit();
  p.out(CONTROL, 0x34);
  p.out(0x40, 0xa9, 0x04);
  p.runTo(1 + 1193 * 1000);
  assert.equal(
    p.irq.risingEdges,
    1001,
    "1000 periods and the control word, which raised OUT from mode 0's low",
  );
  assert.equal(p.read16(0), 1193);
  p.runTo(1 + 1193 * 1000 + 1192);
  assert.equal(p.status(0) & 0x80, 0, "OUT is low for the last tick");
  assert.equal(p.read16(0), 1);
});

test("mode 3 halves its period: even and odd counts", () => {
  const p = pit();
  p.out(CONTROL, 0x36);
  p.out(0x40, 10, 0);
  const seen = (): string => `${p.status(0) >> 7}:${p.read16(0)}`;
  const even = [1, 2, 5, 6, 10, 11].map((tick) => {
    p.at(tick);
    return seen();
  });
  assert.deepEqual(even, ["1:10", "1:8", "1:2", "0:10", "0:2", "1:10"]);
  p.out(CONTROL, 0x36);
  p.out(0x40, 5, 0);
  const odd = [12, 13, 14, 15, 16, 17].map((tick) => {
    p.at(tick);
    return seen();
  });
  assert.deepEqual(odd, ["1:4", "1:2", "1:0", "0:4", "0:2", "1:4"]);
});

test("a new count in mode 2 begins with the next period, in mode 3 with the next half", () => {
  const p = pit();
  p.out(CONTROL, 0x34);
  p.out(0x40, 100, 0);
  p.at(50);
  p.out(0x40, 200, 0);
  assert.equal(p.status(0) & 0x40, 0x40, "the new count is not loaded yet");
  p.at(100);
  assert.equal(p.read16(0), 1);
  p.at(101);
  assert.equal(p.read16(0), 200);
  assert.equal(p.status(0) & 0x40, 0);
  p.out(CONTROL, 0x36);
  p.out(0x40, 100, 0);
  p.at(102 + 10);
  p.out(0x40, 20, 0);
  p.at(102 + 50);
  assert.equal(p.status(0) & 0xc0, 0, "low half, new count");
  assert.equal(p.read16(0), 20);
  p.at(102 + 60);
  assert.equal(p.status(0) & 0x80, 0x80);
});

test("mode 4 strobes one tick at zero", () => {
  const p = pit();
  p.out(CONTROL, 0x38);
  p.out(0x40, 20, 0);
  const edges = p.irq.risingEdges;
  p.runTo(21);
  assert.equal(p.status(0) & 0x80, 0);
  p.runTo(22);
  assert.equal(p.status(0) & 0x80, 0x80);
  p.runTo(300_000);
  assert.equal(p.irq.risingEdges, edges + 1);
});

test("modes 1 and 5 wait for the gate and are retriggered by it", () => {
  const p = pit();
  p.out(CONTROL, 0xb2);
  p.out(0x42, 10, 0);
  assert.equal(p.chip.speakerOut, true);
  p.chip.setSpeakerGate(true);
  p.at(5);
  assert.equal(p.chip.speakerOut, false);
  p.chip.setSpeakerGate(false);
  p.chip.setSpeakerGate(true);
  p.at(15);
  assert.equal(p.chip.speakerOut, false, "retriggered at tick 5");
  p.at(16);
  assert.equal(p.chip.speakerOut, true);
  p.chip.setSpeakerGate(false);
  p.out(CONTROL, 0xba);
  p.out(0x42, 10, 0);
  p.at(100);
  assert.equal(p.chip.speakerOut, true);
  p.chip.setSpeakerGate(true);
  p.at(111);
  assert.equal(p.chip.speakerOut, false);
  p.at(112);
  assert.equal(p.chip.speakerOut, true);
});

test("a low gate holds mode 0 and restarts modes 2 and 3", () => {
  const p = pit();
  p.chip.setSpeakerGate(true);
  p.out(CONTROL, 0xb0);
  p.out(0x42, 100, 0);
  p.at(41);
  p.chip.setSpeakerGate(false);
  p.at(1000);
  assert.equal(p.read16(2), 60);
  p.chip.setSpeakerGate(true);
  p.at(1059);
  assert.equal(p.chip.speakerOut, false);
  p.at(1060);
  assert.equal(p.chip.speakerOut, true);
  p.out(CONTROL, 0xb4);
  p.out(0x42, 100, 0);
  p.at(1100);
  p.chip.setSpeakerGate(false);
  p.chip.setSpeakerGate(true);
  p.at(1101);
  assert.equal(p.read16(2), 100);
});

test("Linux's calibration: counter 2, mode 0, 50 ms, OUT polled", () => {
  const p = pit();
  const latch = Math.floor((PIT_FREQUENCY_HZ * 50) / 1000);
  p.chip.setSpeakerGate(true);
  p.out(CONTROL, 0xb0);
  p.out(0x42, latch & 0xff, latch >> 8);
  const startNs = p.clock.nowNs();
  let polls = 0;
  while (!p.chip.speakerOut) {
    p.clock.advance(1000);
    polls++;
  }
  const elapsedMs = (p.clock.nowNs() - startNs) / NS_PER_MS;
  assert.ok(Math.abs(elapsedMs - 50) < 0.01, `${elapsedMs} ms`);
  assert.ok(polls > 1000, "the loop has enough turns for Linux to trust it");
});

test("Linux's quick calibration: the high byte falls by one each 256 ticks", () => {
  const p = pit();
  p.chip.setSpeakerGate(true);
  p.out(CONTROL, 0xb0);
  p.out(0x42, 0xff, 0xff);
  p.at(1 + 256 * 3 + 10);
  p.read(2);
  assert.equal(p.read(2), 0xfc);
});

test("a latched count stays while the counter runs, and only the first latch counts", () => {
  const p = pit();
  p.out(CONTROL, 0x34);
  p.out(0x40, 0x00, 0x00);
  p.at(1 + 0x100);
  p.out(CONTROL, 0x00);
  p.at(1 + 0x300);
  p.out(CONTROL, 0x00);
  assert.equal(p.read16(0), 0xff00);
  assert.equal(p.read16(0), 0xfd00);
});

test("read-back latches status before count, of several counters at once", () => {
  const p = pit();
  p.out(CONTROL, 0x34, 0x54);
  p.out(0x40, 0, 1);
  p.out(0x41, 18);
  p.at(3);
  p.out(CONTROL, 0xc0 | 0x02 | 0x04);
  p.at(10);
  assert.equal(p.read(0), 0xb4);
  assert.equal(p.read16(0), 254);
  assert.equal(p.read(1), 0x94);
  assert.equal(p.read(1), 16);
  assert.equal(p.read(1), 9, "live again");
});

test("BCD counts in decimal", () => {
  const p = pit();
  p.out(CONTROL, 0x31);
  p.out(0x40, 0x00, 0x10);
  p.at(2);
  assert.equal(p.read16(0), 0x0999);
  p.at(1002);
  assert.equal(p.read16(0), 0x9999);
});

test("a loop that comes late makes up for every tick, half a period apart", () => {
  const p = pit();
  p.out(CONTROL, 0x34);
  p.out(0x40, 0xa9, 0x04);
  const edges = p.irq.risingEdges;
  p.clock.advance(20 * NS_PER_MS);
  assert.equal(p.timers.runDue(p.clock.nowNs()), 1);
  assert.equal(p.irq.risingEdges, edges + 1, "not all at once");
  assert.equal(p.timers.runDue(p.clock.nowNs()), 0);
  p.runTo(1 + 1193 * 60);
  assert.equal(p.irq.risingEdges, edges + 60);
  assert.equal(p.chip.droppedEdges, 0);
});

test("after a long stop ticks are dropped, counted, and go on in phase", () => {
  const p = pit();
  p.out(CONTROL, 0x34);
  p.out(0x40, 0xa9, 0x04);
  p.clock.advance(10 * NS_PER_S);
  p.timers.runDue(p.clock.nowNs());
  assert.ok(p.chip.droppedEdges > 9000);
  const edges = p.irq.risingEdges;
  const tick = Math.ceil((10 * PIT_FREQUENCY_HZ) / 1193) * 1193 + 1;
  p.runTo(tick + 1193 * 10);
  assert.equal(p.irq.risingEdges, edges + 11);
});

test("a count of one does not keep the host busy", () => {
  const p = pit();
  p.out(CONTROL, 0x34);
  p.out(0x40, 1, 0);
  const edges = p.irq.risingEdges;
  p.runTo(PIT_FREQUENCY_HZ / 100);
  assert.ok(p.irq.risingEdges - edges <= 501);
});

test("an output that leads nowhere needs no timers, and is where it should be when it leads somewhere again", () => {
  const p = pit();
  p.out(CONTROL, 0x36);
  p.out(0x40, 0, 0);
  p.chip.setOutputConnected(false);
  assert.equal(p.timers.nextDeadlineNs(), undefined);
  const edges = p.irq.risingEdges;
  p.runTo(10 * 0x10000 + 0x9000);
  assert.equal(p.irq.risingEdges, edges);
  p.out(CONTROL, 0x36);
  p.out(0x40, 0, 0);
  assert.equal(p.timers.nextDeadlineNs(), undefined);

  p.runTo(12 * 0x10000);
  p.chip.setOutputConnected(true);
  const before = p.irq.risingEdges;
  p.runTo(15 * 0x10000);
  assert.equal(p.irq.risingEdges - before, 3);
});

test("saved state continues in another chip", () => {
  const p = pit();
  p.out(CONTROL, 0x34);
  p.out(0x40, 0xa9, 0x04);
  p.out(CONTROL, 0xb6);
  p.out(0x42, 7);
  p.at(600);
  const other = pit();
  other.at(600);
  other.chip.restore(p.chip.save());
  assert.deepEqual(other.chip.save(), p.chip.save());
  assert.equal(other.read16(0), p.read16(0));
  const edges = other.irq.risingEdges;
  other.runTo(1 + 1193 * 2);
  assert.equal(other.irq.risingEdges, edges + 2);
});

test("a chip that is restored between two edges drives its line as the saved one did", () => {
  const p = pit();
  p.out(CONTROL, 0x36);
  p.out(0x40, 0xe8, 0x03);
  // The machine was late: the rise at 1001 is delivered when OUT is low again, and at 2100 nobody has looked.
  p.at(1600);
  p.timers.runDue(p.clock.nowNs());
  p.at(2100);
  assert.equal(p.irq.level, false);
  const other = pit();
  other.at(2100);
  other.chip.restore(p.chip.save());
  assert.equal(other.irq.level, false);
  assert.deepEqual(other.chip.save(), p.chip.save());
});
