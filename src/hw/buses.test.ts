import assert from "node:assert/strict";
import { test } from "node:test";

import { AssertionError } from "../base/index.ts";
import { MmioBus, PortBus, UNCONNECTED_LINE, WiredOr } from "./index.ts";
import type { AccessSize, MmioHandler, PortHandler } from "./index.ts";

/** Answers every read with its offset in each byte and keeps a log. */
class Probe implements PortHandler, MmioHandler {
  readonly log: string[] = [];

  readPort(offset: number, size: AccessSize): number {
    this.log.push(`r${offset}/${size}`);
    return offset;
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    this.log.push(`w${offset}/${size}=${value.toString(16)}`);
  }

  readMmio(offset: number, size: AccessSize): number {
    return this.readPort(offset, size);
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    this.writePort(offset, size, value);
  }
}

test("ports reach their claim by offset, first and last port included", () => {
  const bus = new PortBus();
  const probe = new Probe();
  bus.claim("probe", 0x3f8, 8, probe);
  assert.equal(bus.readPort(0x3f8, 1), 0);
  assert.equal(bus.readPort(0x3ff, 1), 7);
  assert.equal(bus.readPort(0x400, 1), 0xff);
  assert.equal(bus.readPort(0x3f7, 1), 0xff);
  assert.equal(bus.unclaimedReads, 2);
  assert.equal(bus.ownerOf(0x3fa), "probe");
});

test("an access across the end of a claim is split into bytes", () => {
  const bus = new PortBus();
  const probe = new Probe();
  bus.claim("probe", 0x60, 2, probe);
  assert.equal(bus.readPort(0x61, 2), 0xff01);
  assert.equal(bus.readPort(0x5f, 4), 0xff01_00ff);
  bus.writePort(0x61, 4, 0x4433_2211);
  assert.deepEqual(probe.log, ["r1/1", "r0/1", "r1/1", "w1/1=11"]);
});

test("an access past the last port continues at port 0", () => {
  const bus = new PortBus();
  const probe = new Probe();
  bus.claim("probe", 0, 1, probe);
  bus.writePort(0xffff, 2, 0xab00);
  assert.deepEqual(probe.log, ["w0/1=ab"]);
});

test("overlapping claims are refused and released ones are free again", () => {
  const bus = new PortBus();
  const claim = bus.claim("first", 0x100, 8, new Probe());
  assert.throws(() => bus.claim("second", 0x107, 1, new Probe()), AssertionError);
  assert.equal(bus.tryClaim("second", 0xff, 2, new Probe()), undefined);
  claim.release();
  claim.release();
  assert.equal(bus.readPort(0x100, 2), 0xffff);
  assert.notEqual(bus.tryClaim("second", 0x107, 1, new Probe()), undefined);
});

test("MMIO ranges are found among many, and the holes between them are not", () => {
  const bus = new MmioBus();
  for (const base of [0xfee0_0000, 0xfec0_0000, 0xfed0_0000, 0x1_0000_0000]) {
    bus.claim(`at ${base}`, base, 0x1000, new Probe());
  }
  assert.equal(bus.readMmio(0xfed0_0010, 4), 0x10);
  assert.equal(bus.readMmio(0x1_0000_0ffc, 4), 0xffc);
  assert.equal(bus.readMmio(0xfec0_1000, 4), 0xffff_ffff);
  assert.equal(bus.readMmio(0xfebf_ffff, 2), 0x00ff);
  bus.writeMmio(0xfee0_0fff, 2, 0x1234);
  assert.equal(bus.unclaimedWrites, 1);
  assert.equal(bus.tryClaim("overlap", 0xfed0_0fff, 2, new Probe()), undefined);
});

test("a released MMIO range is not remembered as the last one hit", () => {
  const bus = new MmioBus();
  const claim = bus.claim("bar", 0xe000_0000, 0x1000, new Probe());
  bus.readMmio(0xe000_0004, 4);
  claim.release();
  assert.equal(bus.readMmio(0xe000_0004, 4), 0xffff_ffff);
});

test("a shared line is high while any driver is", () => {
  const levels: boolean[] = [];
  const shared = new WiredOr({ set: (level) => levels.push(level) });
  const a = shared.driver();
  const b = shared.driver();
  a.set(true);
  b.set(true);
  a.set(false);
  a.set(false);
  b.set(false);
  assert.deepEqual(levels, [true, false]);
  UNCONNECTED_LINE.set(true);
});
