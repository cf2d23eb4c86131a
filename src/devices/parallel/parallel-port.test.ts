import assert from "node:assert/strict";
import { test } from "node:test";

import { asPorts, PortBus, RecordedLine } from "../../hw/index.ts";
import { PARALLEL_PORT_BYTES, ParallelPort } from "./index.ts";

const BASE = 0x378;
const DATA = BASE;
const STATUS = BASE + 1;
const CONTROL = BASE + 2;
const NOT_BUSY = 0x80;
/** Selected, initialized, and whether acknowledgements interrupt. */
const IDLE = 0x0c;
const INTERRUPTS = 0x10;
const INPUT = 0x20;

function printer() {
  const ports = new PortBus();
  const irq = new RecordedLine();
  const printed: number[] = [];
  const sink = { isReady: true };
  const transmit = (byte: number): boolean => {
    printed.push(byte);
    return sink.isReady;
  };
  const port = new ParallelPort({ name: "lpt1", irq, sink: { transmit } });
  port.reset();
  ports.claim("lpt1", BASE, PARALLEL_PORT_BYTES, asPorts(port.registers));
  const out = (at: number, value: number): void => ports.writePort(at, 1, value);
  return {
    ...{ port, irq, printed, sink, out },
    in: (at: number) => ports.readPort(at, 1),
    print(byte: number, idle = IDLE) {
      out(DATA, byte);
      out(CONTROL, idle | 1);
      out(CONTROL, idle);
    },
  };
}

test("data and control read back, as drivers look for a port, and an idle printer is selected and not busy", () => {
  const m = printer();
  m.out(DATA, 0xaa);
  assert.equal(m.in(DATA), 0xaa);
  m.out(DATA, 0x55);
  assert.equal(m.in(DATA), 0x55);
  m.out(CONTROL, 0x0c);
  assert.equal(m.in(CONTROL), 0xcc);
  m.out(CONTROL, 0x0e);
  assert.equal(m.in(CONTROL), 0xce);
  assert.equal(m.in(STATUS), 0xdf);
});

test("each strobe prints the byte, and its end nothing", () => {
  const m = printer();
  m.out(CONTROL, IDLE);
  m.out(DATA, 0x41);
  m.out(CONTROL, IDLE | 1);
  m.out(CONTROL, IDLE | 1);
  m.out(CONTROL, IDLE);
  m.print(0x42);
  assert.deepEqual(m.printed, [0x41, 0x42]);
});

test("each acknowledgement interrupts if it is to", () => {
  const m = printer();
  m.print(0x41);
  assert.equal(m.irq.risingEdges, 0);
  m.print(0x42, IDLE | INTERRUPTS);
  m.print(0x43, IDLE | INTERRUPTS);
  assert.equal(m.irq.risingEdges, 2);
  assert.equal(m.irq.level, false);
});

test("whoever asks for time keeps the printer busy, and a byte that is strobed meanwhile is lost", () => {
  const m = printer();
  m.sink.isReady = false;
  m.print(0x41, IDLE | INTERRUPTS);
  assert.equal(m.in(STATUS) & NOT_BUSY, 0);
  m.print(0x42, IDLE | INTERRUPTS);
  assert.deepEqual([m.printed, m.irq.risingEdges], [[0x41], 0]);
  m.sink.isReady = true;
  m.port.transmitReady();
  assert.deepEqual([m.in(STATUS) & NOT_BUSY, m.irq.risingEdges], [NOT_BUSY, 1]);
  m.print(0x43, IDLE | INTERRUPTS);
  assert.deepEqual(m.printed, [0x41, 0x43]);
});

test("initializing takes an acknowledgement back, but whoever asked for time still has it", () => {
  const m = printer();
  m.sink.isReady = false;
  m.print(0x41, IDLE | INTERRUPTS);
  m.out(CONTROL, 0x08);
  m.out(CONTROL, IDLE | INTERRUPTS);
  assert.equal(m.in(STATUS) & NOT_BUSY, 0);
  m.port.transmitReady();
  assert.deepEqual([m.in(STATUS) & NOT_BUSY, m.irq.risingEdges], [NOT_BUSY, 0]);
});

test("turned to input, the data lines are what nobody drives", () => {
  const m = printer();
  m.out(DATA, 0x12);
  m.out(CONTROL, IDLE | INPUT);
  assert.equal(m.in(DATA), 0xff);
  m.out(CONTROL, IDLE);
  assert.equal(m.in(DATA), 0x12);
});

test("its state is its registers, and a byte that waited is acknowledged once it is restored", () => {
  const m = printer();
  m.print(0x41, IDLE | INTERRUPTS);
  const same = printer();
  same.port.restore(m.port.save());
  assert.deepEqual(same.port.save(), m.port.save());
  assert.deepEqual([same.in(DATA), same.irq.risingEdges], [0x41, 0]);
  m.sink.isReady = false;
  m.print(0x42, IDLE | INTERRUPTS);
  const later = printer();
  later.port.restore(m.port.save());
  assert.deepEqual([later.in(STATUS) & NOT_BUSY, later.irq.risingEdges], [NOT_BUSY, 1]);
});
