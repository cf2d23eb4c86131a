import assert from "node:assert/strict";
import { test } from "node:test";

import { asPorts, PortBus, RecordedLine } from "../../hw/index.ts";
import { PicPair } from "./pic-pair.ts";

/** A pair initialized as PCs do: vectors 20h and 28h, every input unmasked. */
function pic(icw4 = 0x01) {
  const bus = new PortBus();
  const intr = new RecordedLine();
  const pair = new PicPair(intr);
  bus.claim("pic1", 0x20, 2, asPorts(pair.first.registers));
  bus.claim("pic2", 0xa0, 2, asPorts(pair.second.registers));
  bus.claim("elcr", 0x4d0, 2, asPorts(pair.elcr));
  const out = (port: number, ...values: number[]): void => {
    for (const value of values) bus.writePort(port, 1, value);
  };
  out(0x20, 0x11);
  out(0x21, 0x20, 0x04, icw4, 0x00);
  out(0xa0, 0x11);
  out(0xa1, 0x28, 0x02, icw4, 0x00);
  const lines = Array.from({ length: 16 }, (_, irq) => pair.input(irq));
  return {
    pair,
    intr,
    out,
    in: (port: number) => bus.readPort(port, 1),
    set: (irq: number, level: boolean) => lines[irq]?.set(level),
    pulse(irq: number) {
      lines[irq]?.set(true);
      lines[irq]?.set(false);
    },
  };
}

test("an edge interrupts once, until the end of interrupt lets lower ones through", () => {
  const p = pic();
  p.pulse(4);
  p.pulse(0);
  assert.equal(p.intr.level, true);
  assert.equal(p.pair.acknowledge(), 0x20);
  assert.equal(p.intr.level, false, "IRQ 4 waits behind IRQ 0 in service");
  p.out(0x20, 0x20);
  assert.equal(p.intr.level, true);
  assert.equal(p.pair.acknowledge(), 0x24);
  p.out(0x20, 0x20);
  assert.equal(p.intr.level, false);
});

test("before initialization nothing interrupts", () => {
  const intr = new RecordedLine();
  const pair = new PicPair(intr);
  pair.input(1).set(true);
  assert.equal(intr.level, false);
});

test("a higher interrupt nests inside a lower one", () => {
  const p = pic();
  p.pulse(5);
  assert.equal(p.pair.acknowledge(), 0x25);
  p.pulse(1);
  assert.equal(p.pair.acknowledge(), 0x21);
  p.out(0x20, 0x0b);
  assert.equal(p.in(0x20), 0x22, "ISR");
  p.out(0x20, 0x20);
  assert.equal(p.in(0x20), 0x20, "the non-specific EOI ended the higher one");
});

test("the second chip comes through input 2 and needs an EOI at both", () => {
  const p = pic();
  p.pulse(8);
  assert.equal(p.pair.acknowledge(), 0x28);
  p.pulse(12);
  assert.equal(p.intr.level, false);
  p.out(0xa0, 0x20);
  assert.equal(p.intr.level, false, "the first chip still has input 2 in service");
  p.out(0x20, 0x62);
  assert.equal(p.pair.acknowledge(), 0x2c);
});

test("requests withdrawn before INTA are spurious 7 and 15, and 15 still needs an EOI at the first chip", () => {
  const p = pic();
  p.pulse(3);
  p.out(0x21, 0x08);
  assert.equal(p.intr.level, false);
  assert.equal(p.pair.acknowledge(), 0x27);
  p.out(0x20, 0x0b);
  assert.equal(p.in(0x20), 0, "nothing is in service");
  p.pulse(10);
  p.out(0xa1, 0x04);
  assert.equal(p.pair.acknowledge(), 0x2f);
  p.out(0xa0, 0x0b);
  assert.equal(p.in(0xa0), 0);
  assert.equal(p.in(0x20), 0x04);
});

test("masked requests wait in IRR", () => {
  const p = pic();
  p.out(0x21, 0xff);
  assert.equal(p.in(0x21), 0xff);
  p.pulse(6);
  p.out(0x20, 0x0a);
  assert.equal(p.in(0x20), 0x40);
  p.out(0x21, 0x00);
  assert.equal(p.pair.acknowledge(), 0x26);
});

test("a level interrupts again while it is high and not after it fell", () => {
  const p = pic();
  p.out(0x4d1, 0x08);
  p.set(11, true);
  assert.equal(p.pair.acknowledge(), 0x2b);
  p.out(0xa0, 0x20);
  p.out(0x20, 0x20);
  assert.equal(p.pair.acknowledge(), 0x2b);
  p.set(11, false);
  p.out(0xa0, 0x20);
  p.out(0x20, 0x20);
  assert.equal(p.intr.level, false);
});

test("an input that is high when it becomes a level interrupts, though its edge was served", () => {
  const p = pic();
  p.set(10, true);
  assert.equal(p.pair.acknowledge(), 0x2a);
  p.out(0xa0, 0x20);
  p.out(0x20, 0x20);
  assert.equal(p.intr.level, false);
  p.out(0x4d1, 0x04);
  assert.equal(p.pair.acknowledge(), 0x2a);
});

test("ELCR refuses the inputs that are always edges", () => {
  const p = pic();
  p.out(0x4d0, 0xff);
  p.out(0x4d1, 0xff);
  assert.equal(p.in(0x4d0), 0xf8);
  assert.equal(p.in(0x4d1), 0xde);
});

test("specific EOI, rotation and set priority move the lowest priority", () => {
  const p = pic();
  p.pulse(3);
  p.pair.acknowledge();
  p.out(0x20, 0xa0);
  p.pulse(3);
  p.pulse(4);
  assert.equal(p.pair.acknowledge(), 0x24, "3 rotated to the lowest priority");
  p.out(0x20, 0x64);
  assert.equal(p.pair.acknowledge(), 0x23);
  p.out(0x20, 0x63);
  p.out(0x20, 0xc6);
  p.pulse(0);
  p.pulse(7);
  assert.equal(p.pair.acknowledge(), 0x27, "6 lowest makes 7 highest");
});

test("special mask mode lets lower interrupts in behind a masked one in service", () => {
  const p = pic();
  p.pulse(1);
  p.pair.acknowledge();
  p.pulse(6);
  assert.equal(p.intr.level, false);
  p.out(0x20, 0x68);
  p.out(0x21, 0x02);
  assert.equal(p.pair.acknowledge(), 0x26);
  p.out(0x20, 0x20);
  p.out(0x20, 0x0b);
  assert.equal(p.in(0x20), 0x02, "the EOI passed over the masked one");
});

test("poll mode acknowledges by a read", () => {
  const p = pic();
  p.pulse(5);
  p.out(0x20, 0x0c);
  assert.equal(p.in(0x20), 0x85);
  p.out(0x20, 0x0c);
  assert.equal(p.in(0x20) & 0x80, 0);
  p.out(0x20, 0x65);
  assert.equal(p.intr.level, false);
});

test("automatic EOI leaves nothing in service, and each waiting slave request gets its own edge", () => {
  const p = pic(0x03);
  p.pulse(9);
  p.pulse(10);
  assert.equal(p.pair.acknowledge(), 0x29);
  assert.equal(p.intr.level, true);
  assert.equal(p.pair.acknowledge(), 0x2a);
  assert.equal(p.intr.level, false);
});

test("saved state continues in another pair", () => {
  const p = pic();
  p.pulse(8);
  p.pair.acknowledge();
  p.pulse(1);
  p.out(0xa1, 0x40);
  const intr = new RecordedLine();
  const other = new PicPair(intr);
  other.restore(p.pair.save());
  assert.deepEqual(other.save(), p.pair.save());
  assert.equal(intr.level, true);
  assert.equal(other.acknowledge(), 0x21);
});
