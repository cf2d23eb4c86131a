import assert from "node:assert/strict";
import { test } from "node:test";

import { ManualClock, MiB, NS_PER_MS, NS_PER_US, TimerQueue } from "../../base/index.ts";
import { PortBus, RecordedLine } from "../../hw/index.ts";
import type { DeviceState } from "../../hw/index.ts";
import { memoryModules, SpdEeprom } from "../../devices/smbus/index.ts";
import type { I2cTarget } from "../../devices/smbus/index.ts";
import { Piix4Smbus } from "./index.ts";

const BASE = 0x700;
const REGISTER = { status: 0, control: 2, command: 3, address: 4, data0: 5, data1: 6, block: 7 } as const;
const PROTOCOL = { quick: 0 << 2, byte: 1 << 2, byteData: 2 << 2, wordData: 3 << 2, block: 5 << 2 } as const;
const STATUS = { busy: 0x01, done: 0x02, deviceError: 0x04, failed: 0x10 } as const;
const START = 0x40;
const KILL = 0x02;
const INTERRUPT = 0x01;
const READ = 1;
const EEPROM = 0x50;
const MEMO = 0x2d;

/** A target that remembers what is written to it, and reads back a block of three bytes. */
class MemoTarget implements I2cTarget {
  readonly name = "memo";
  readonly address = MEMO;
  readonly written: number[] = [];
  announced = 3;
  #next = 0;

  start(): void {
    this.#next = 0;
  }

  write(byte: number): boolean {
    this.written.push(byte);
    return byte !== 0xee;
  }

  read(): number {
    return [this.announced, 0xa1, 0xa2, 0xa3][this.#next++] ?? 0xa0;
  }

  reset(): void {}

  save(): DeviceState {
    return {};
  }

  restore(): void {}
}

function smbus() {
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const ports = new PortBus();
  const irq = new RecordedLine();
  const memo = new MemoTarget();
  const eeproms = memoryModules(768 * MiB).map((content, socket) => new SpdEeprom(socket, content));
  const controller = new Piix4Smbus({ clock, timers, ports, irq, targets: [...eeproms, memo] });
  controller.reset();
  controller.place(BASE, true);
  const out = (register: keyof typeof REGISTER, value: number): void =>
    ports.writePort(BASE + REGISTER[register], 1, value);
  const read = (register: keyof typeof REGISTER): number => ports.readPort(BASE + REGISTER[register], 1);
  const pass = (ns: number): void => {
    clock.advance(ns);
    timers.runDue(clock.nowNs());
  };
  return {
    ...{ clock, timers, ports, irq, memo, controller, out, in: read, pass },
    /** As drivers do: begins a transaction and waits for its end; returns how it ended. */
    run(protocol: number, address: number, command = 0): number {
      out("status", 0xff);
      out("address", address);
      out("command", command);
      out("control", protocol | START);
      assert.equal(read("status"), STATUS.busy);
      pass(NS_PER_MS * 10);
      return read("status");
    },
  };
}

test("a quick command finds the targets that are there, and no others", () => {
  const m = smbus();
  const found = Array.from({ length: 128 }, (_, address) => address).filter(
    (address) => m.run(PROTOCOL.quick, address << 1) === STATUS.done,
  );
  assert.deepEqual(found, [MEMO, EEPROM, EEPROM + 1]);
  assert.equal(m.run(PROTOCOL.quick, 0x30 << 1), STATUS.deviceError);
});

test("an EEPROM gives its bytes one after the other, whole words, and from any address", () => {
  const m = smbus();
  assert.equal(m.run(PROTOCOL.byte, EEPROM << 1, 2), STATUS.done);
  const bytes = [0, 1, 2].map(() => {
    m.run(PROTOCOL.byte, (EEPROM << 1) | READ);
    return m.in("data0");
  });
  assert.deepEqual(bytes, [4, 13, 10]);
  m.run(PROTOCOL.byteData, (EEPROM << 1) | READ, 17);
  assert.equal(m.in("data0"), 4);
  m.run(PROTOCOL.wordData, (EEPROM << 1) | READ, 3);
  assert.deepEqual([m.in("data0"), m.in("data1")], [13, 10]);
});

test("writes to an EEPROM are acknowledged, and change nothing", () => {
  const m = smbus();
  m.out("data0", 0x99);
  assert.equal(m.run(PROTOCOL.byteData, EEPROM << 1, 2), STATUS.done);
  m.run(PROTOCOL.byteData, (EEPROM << 1) | READ, 2);
  assert.equal(m.in("data0"), 4);
});

test("the modules are as large as the memory, and their data add up", () => {
  const sizeMib = (spd: Uint8Array): number =>
    2 ** ((spd[3] ?? 0) + (spd[4] ?? 0) - 17) * (spd[5] ?? 0) * (spd[17] ?? 0);
  const modules = memoryModules(2040 * MiB);
  assert.deepEqual(modules.map(sizeMib), [1024, 512, 256, 128]);
  assert.deepEqual(memoryModules(3072 * MiB).map(sizeMib), [2048, 1024]);
  assert.deepEqual(memoryModules(8 * MiB).map(sizeMib), [8]);
  assert.deepEqual(memoryModules(4 * MiB), []);
  const [first = new Uint8Array()] = modules;
  assert.equal(first[63], first.subarray(0, 63).reduce((sum, byte) => sum + byte, 0) & 0xff);
});

test("bytes, words and blocks reach a target in the order of the specification", () => {
  const m = smbus();
  const written = (): number[] => m.memo.written.splice(0);
  m.run(PROTOCOL.byte, MEMO << 1, 0x11);
  assert.deepEqual(written(), [0x11]);
  m.out("data0", 0x33);
  m.out("data1", 0x44);
  m.run(PROTOCOL.wordData, MEMO << 1, 0x22);
  assert.deepEqual(written(), [0x22, 0x33, 0x44]);
  m.in("control");
  for (const byte of [5, 6, 7]) m.out("block", byte);
  m.out("data0", 3);
  m.run(PROTOCOL.block, MEMO << 1, 0x66);
  assert.deepEqual(written(), [0x66, 3, 5, 6, 7]);
});

test("a block that is read has the length that its target announces", () => {
  const m = smbus();
  assert.equal(m.run(PROTOCOL.block, (MEMO << 1) | READ, 0x20), STATUS.done);
  assert.equal(m.in("data0"), 3);
  m.in("control");
  assert.deepEqual([m.in("block"), m.in("block"), m.in("block")], [0xa1, 0xa2, 0xa3]);
});

test("blocks of no byte or more than 32, unknown protocols and missing acknowledgements are device errors", () => {
  const m = smbus();
  m.memo.announced = 33;
  assert.equal(m.run(PROTOCOL.block, (MEMO << 1) | READ), STATUS.deviceError);
  m.memo.announced = 32;
  assert.equal(m.run(PROTOCOL.block, (MEMO << 1) | READ), STATUS.done);
  m.out("data0", 0);
  assert.equal(m.run(PROTOCOL.block, MEMO << 1), STATUS.deviceError);
  m.out("data0", 33);
  assert.equal(m.run(PROTOCOL.block, MEMO << 1), STATUS.deviceError);
  assert.equal(m.run(4 << 2, MEMO << 1), STATUS.deviceError);
  assert.equal(m.run(7 << 2, MEMO << 1), STATUS.deviceError);
  assert.equal(m.run(PROTOCOL.byteData, MEMO << 1, 0xee), STATUS.deviceError);
});

test("the end of a transaction interrupts if it is told to, until its status is cleared", () => {
  const m = smbus();
  m.out("address", EEPROM << 1);
  m.out("control", PROTOCOL.quick | START);
  m.pass(NS_PER_MS);
  assert.equal(m.irq.level, false);
  m.out("status", STATUS.done);
  m.out("control", PROTOCOL.quick | START | INTERRUPT);
  assert.equal(m.irq.level, false);
  m.pass(NS_PER_MS);
  assert.equal(m.irq.level, true);
  m.out("status", STATUS.done);
  assert.equal(m.irq.level, false);
});

test("a transaction that is killed fails, and reaches no target", () => {
  const m = smbus();
  m.out("address", MEMO << 1);
  m.out("control", PROTOCOL.byte | START);
  m.pass(10 * NS_PER_US);
  m.out("control", KILL);
  assert.equal(m.in("status"), STATUS.failed);
  m.pass(NS_PER_MS);
  assert.equal(m.in("status"), STATUS.failed);
  assert.deepEqual(m.memo.written, []);
});

test("registers are decoded where they are placed, or nowhere", () => {
  const m = smbus();
  m.controller.place(0x1000, true);
  assert.equal(m.in("status"), 0xff);
  assert.equal(m.ports.readPort(0x1000, 1), 0);
  m.controller.place(undefined, false);
  assert.equal(m.ports.readPort(0x1000, 1), 0xff);
});

test("a transaction under way goes on after being restored", () => {
  const m = smbus();
  m.run(PROTOCOL.byte, EEPROM << 1, 2);
  m.out("status", 0xff);
  m.out("address", (EEPROM << 1) | READ);
  m.out("control", PROTOCOL.byte | START);
  const other = smbus();
  other.controller.restore(m.controller.save());
  assert.deepEqual(other.controller.save(), m.controller.save());
  assert.equal(other.in("status"), STATUS.busy);
  other.clock.advanceTo(m.clock.nowNs());
  other.pass(NS_PER_MS);
  assert.equal(other.in("status"), STATUS.done);
  assert.equal(other.in("data0"), 4);
});
