import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock, NS_PER_MS, TimerQueue } from "../../base/index.ts";
import { asPorts, PortBus, RecordedLine } from "../../hw/index.ts";
import { MAX_PENDING_INPUT_BYTES, Uart16550 } from "./index.ts";

const DATA = 0x3f8;
const IER = 0x3f9;
const IIR_FCR = 0x3fa;
const LCR = 0x3fb;
const MCR = 0x3fc;
const LSR = 0x3fd;
const MSR = 0x3fe;
const SCR = 0x3ff;

/** A 16550A at COM1's ports, seen from the driver's side. */
function com1() {
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const irq = new RecordedLine();
  const bus = new PortBus();
  const sent: number[] = [];
  const host = { accepts: true };
  const sink = {
    transmit(byte: number): boolean {
      sent.push(byte);
      return host.accepts;
    },
  };
  const uart = new Uart16550({ name: "com1", clock, timers, irq, sink });
  bus.claim("com1", DATA, 8, asPorts(uart.registers));
  return {
    uart,
    irq,
    sent,
    host,
    in: (port: number) => bus.readPort(port, 1),
    out: (port: number, value: number) => bus.writePort(port, 1, value),
    type: (text: string) => uart.receive(new TextEncoder().encode(text)),
    pass(ns: number) {
      clock.advance(ns);
      timers.runDue(clock.nowNs());
    },
  };
}

test("registers hold their reset values and the divisor latch hides data and IER", () => {
  const com = com1();
  assert.equal(com.in(LSR), 0x60);
  assert.equal(com.in(IIR_FCR), 0x01);
  assert.equal(com.in(MSR), 0xb0);
  com.out(LCR, 0x83);
  com.out(DATA, 1);
  com.out(IER, 2);
  assert.deepEqual([com.in(DATA), com.in(IER)], [1, 2]);
  com.out(LCR, 0x03);
  assert.equal(com.in(IER), 0);
  assert.deepEqual(com.sent, []);
});

test("Linux's autoconfiguration finds a 16550A: IER, scratch, loopback, FIFO bits and no EFR", () => {
  const com = com1();
  com.out(IER, 0xff);
  assert.equal(com.in(IER), 0x0f);
  com.out(IER, 0);
  com.out(MCR, 0x1a);
  assert.equal(com.in(MSR) & 0xf0, 0x90);
  com.out(MCR, 0);
  com.out(IIR_FCR, 0x01);
  assert.equal(com.in(IIR_FCR) >> 6, 3);
  com.out(LCR, 0xbf);
  assert.notEqual(com.in(IIR_FCR), 0);
  com.out(LCR, 0x03);
  com.out(SCR, 0xa5);
  assert.equal(com.in(SCR), 0xa5);
});

test("enabling the THRE interrupt raises it each time, as Linux's bug test wants", () => {
  const com = com1();
  com.out(MCR, 0x0b);
  com.out(IER, 0x02);
  assert.equal(com.in(IIR_FCR), 0x02);
  assert.equal(com.in(IIR_FCR), 0x01);
  com.out(IER, 0);
  com.out(IER, 0x02);
  assert.equal(com.in(IIR_FCR), 0x02);
});

test("every byte sent makes a new edge of the THRE interrupt", () => {
  const com = com1();
  com.out(MCR, 0x08);
  com.out(IER, 0x02);
  const before = com.irq.risingEdges;
  com.out(DATA, 0x41);
  com.out(DATA, 0x42);
  assert.equal(com.irq.risingEdges, before + 2);
  assert.deepEqual(com.sent, [0x41, 0x42]);
  assert.equal(com.in(LSR) & 0x60, 0x60);
});

test("without OUT2 the interrupt does not leave the chip", () => {
  const com = com1();
  com.out(IER, 0x02);
  assert.equal(com.irq.level, false);
  com.out(MCR, 0x08);
  assert.equal(com.irq.level, true);
});

test("a full back end keeps THRE clear and loses nothing that waited for it", () => {
  const com = com1();
  com.out(IIR_FCR, 0x01);
  com.out(MCR, 0x08);
  com.out(IER, 0x02);
  com.host.accepts = false;
  com.out(DATA, 1);
  com.out(DATA, 2);
  com.out(DATA, 3);
  assert.deepEqual(com.sent, [1]);
  assert.equal(com.in(LSR) & 0x60, 0);
  assert.equal(com.irq.level, false);
  com.host.accepts = true;
  com.uart.transmitReady();
  assert.deepEqual(com.sent, [1, 2, 3]);
  assert.equal(com.in(LSR) & 0x60, 0x60);
  assert.equal(com.irq.level, true);
});

test("input at the trigger level interrupts at once, less of it after four character times", () => {
  const com = com1();
  com.out(LCR, 0x83);
  com.out(DATA, 1);
  com.out(LCR, 0x03);
  com.out(IIR_FCR, 0x41);
  com.out(MCR, 0x08);
  com.out(IER, 0x01);
  com.type("abcd");
  assert.equal(com.in(IIR_FCR), 0xc4);
  assert.equal(com.in(DATA), 0x61);
  assert.equal(com.in(IIR_FCR), 0xc1);
  assert.equal(com.irq.level, false);
  com.pass(0.34 * NS_PER_MS);
  assert.equal(com.in(IIR_FCR), 0xc1);
  com.pass(0.01 * NS_PER_MS);
  assert.equal(com.in(IIR_FCR), 0xcc);
  assert.equal(com.irq.level, true);
  assert.equal(com.in(DATA), 0x62);
  assert.equal(com.irq.level, false);
});

test("in 16450 mode one byte is held and the next follows when it is read", () => {
  const com = com1();
  com.out(MCR, 0x08);
  com.out(IER, 0x01);
  com.type("xy");
  assert.equal(com.in(IIR_FCR), 0x04);
  assert.equal(com.in(DATA), 0x78);
  assert.equal(com.in(LSR) & 1, 1);
  assert.equal(com.in(DATA), 0x79);
  assert.equal(com.in(LSR) & 1, 0);
  assert.equal(com.in(DATA), 0);
});

test("the host's queue is bounded and refills the FIFO", () => {
  const com = com1();
  com.out(IIR_FCR, 0x01);
  const offered = new Uint8Array(MAX_PENDING_INPUT_BYTES + 100).fill(0x2e);
  const taken = com.uart.receive(offered.subarray(0, MAX_PENDING_INPUT_BYTES));
  assert.equal(taken, MAX_PENDING_INPUT_BYTES);
  assert.equal(com.uart.receive(offered), 16, "sixteen have moved on to the FIFO");
  assert.equal(com.uart.receive(offered), 0);
  for (let i = 0; i < 1000; i++) assert.equal(com.in(DATA), 0x2e);
  assert.equal(com.uart.pendingInputBytes, MAX_PENDING_INPUT_BYTES + 16 - 1000);
});

test("loopback returns what is sent, and overrun is noted once", () => {
  const com = com1();
  com.out(MCR, 0x18);
  com.out(IER, 0x04);
  com.out(DATA, 0x11);
  assert.equal(com.in(LSR), 0x61);
  com.out(DATA, 0x22);
  assert.equal(com.in(IIR_FCR), 0x06);
  assert.equal(com.in(LSR), 0x63);
  assert.equal(com.in(LSR), 0x61);
  assert.equal(com.in(DATA), 0x11);
  assert.deepEqual(com.sent, []);
});

test("a modem line that changes sets its delta until MSR is read", () => {
  const com = com1();
  com.out(MCR, 0x08);
  com.out(IER, 0x08);
  com.out(MCR, 0x1c);
  assert.equal(com.in(IIR_FCR), 0x00);
  assert.equal(com.in(MSR), 0xc3, "CTS and DSR fell; RI rising is not noted, and DCD stayed");
  assert.equal(com.in(MSR), 0xc0);
  com.out(MCR, 0x18);
  assert.equal(com.in(MSR), 0x84, "RI fell");
});

test("a break arrives as a null character with BI set once", () => {
  const com = com1();
  com.out(IIR_FCR, 0x01);
  com.out(MCR, 0x08);
  com.out(IER, 0x05);
  com.uart.receiveBreak();
  com.type("h");
  assert.equal(com.in(IIR_FCR), 0xc6);
  assert.equal(com.in(LSR), 0xf1);
  assert.equal(com.in(LSR), 0x61);
  assert.equal(com.in(DATA), 0);
  assert.equal(com.in(DATA), 0x68);
});

test("saved state continues in another UART", () => {
  const first = com1();
  first.out(IIR_FCR, 0xc1);
  first.out(MCR, 0x08);
  first.out(IER, 0x01);
  first.type("0123456789abcd");
  first.in(DATA);
  const second = com1();
  second.uart.restore(first.uart.save());
  assert.equal(second.irq.level, false);
  second.pass(10 * NS_PER_MS);
  assert.equal(second.in(IIR_FCR), 0xcc);
  assert.equal(second.in(DATA), 0x31);
  assert.deepEqual(second.uart.save().registers, first.uart.save().registers);
});
