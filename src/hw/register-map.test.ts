import assert from "node:assert/strict";
import { test } from "node:test";

import { defineRegisters, RegisterFile } from "./index.ts";
import type { RegisterHooks } from "./index.ts";

const MAP = defineRegisters({
  data: { at: 0, access: "ro", read: "takeData" },
  command: { at: 0, access: "wo", write: "obey" },
  divisorLow: { at: 0, reset: 0x0c, bank: "divisor" },
  control: { at: 1, reset: 0x11, writable: 0x0f },
  wide: { at: 4, size: 4, reset: 0x1122_3344 },
  events: { at: 8, size: 2, reset: 0x8001, writable: 0, clearedByOnes: 0x0101, write: "eventsWritten" },
});

class Chip implements RegisterHooks<typeof MAP> {
  readonly registers = new RegisterFile(MAP, this);
  readonly log: string[] = [];
  #next = 0xa0;

  takeData(): number {
    return this.#next++;
  }

  obey(written: number): void {
    this.log.push(`command ${written}`);
  }

  eventsWritten(written: number, before: number): void {
    this.log.push(`events ${written} ${before}`);
  }
}

test("hooks that a declaration names and a device lacks do not compile", () => {
  // @ts-expect-error -- takeData, obey and eventsWritten are missing
  assert.throws(() => new RegisterFile(MAP, {}), /takeData is a method/);
});

test("a read-only and a write-only register share a place", () => {
  const chip = new Chip();
  assert.equal(chip.registers.read(0, 1), 0xa0);
  chip.registers.write(0, 1, 7);
  assert.deepEqual(chip.log, ["command 7"]);
});

test("a selected bank hides what is at its place and nothing else", () => {
  const chip = new Chip();
  chip.registers.bank = "divisor";
  assert.equal(chip.registers.read(0, 1), 0x0c);
  chip.registers.write(0, 1, 0x55);
  assert.equal(chip.registers.values.divisorLow, 0x55);
  assert.equal(chip.registers.read(1, 1), 0x11);
  chip.registers.bank = undefined;
  assert.equal(chip.registers.read(0, 1), 0xa0);
  assert.deepEqual(chip.log, []);
});

test("writes change writable bits only", () => {
  const chip = new Chip();
  chip.registers.write(1, 1, 0xff);
  assert.equal(chip.registers.read(1, 1), 0x1f);
});

test("ones written clear events, also through a single byte", () => {
  const chip = new Chip();
  chip.registers.values.events = 0x0101;
  chip.registers.write(9, 1, 0x01);
  assert.equal(chip.registers.read(8, 2), 0x0001);
  chip.registers.write(8, 2, 0xffff);
  assert.equal(chip.registers.read(8, 2), 0);
  assert.deepEqual(chip.log, ["events 256 257", "events 65535 1"]);
});

test("an access wider or narrower than registers is spread over them", () => {
  const chip = new Chip();
  assert.equal(chip.registers.read(5, 1), 0x33);
  assert.equal(chip.registers.read(6, 2), 0x1122);
  chip.registers.write(5, 2, 0xbeef);
  assert.equal(chip.registers.read(4, 4), 0x11be_ef44);
  assert.equal(chip.registers.read(0, 4), 0xffff_11a0);
  assert.equal(chip.registers.unmappedAccesses, 2);
  assert.equal(chip.registers.read(6, 4), 0x8001_11be);
});

test("reset and restore bring back values and bank", () => {
  const chip = new Chip();
  chip.registers.write(1, 1, 0x05);
  chip.registers.bank = "divisor";
  const saved = chip.registers.save();
  chip.registers.reset();
  assert.equal(chip.registers.read(1, 1), 0x11);
  assert.equal(chip.registers.bank, undefined);
  chip.registers.restore(saved);
  assert.equal(chip.registers.read(1, 1), 0x15);
  assert.equal(chip.registers.read(0, 1), 0x0c);
});

test("a saved state with a wrong field is refused by name", () => {
  const chip = new Chip();
  const saved = { ...chip.registers.save(), control: 0x100 };
  assert.throws(() => chip.registers.restore(saved, "chip"), /field chip\.control should be/);
});

test("overlapping registers are a bug found when the device is built", () => {
  const map = defineRegisters({ a: { at: 0, size: 2, reset: 0 }, b: { at: 1, reset: 0 } });
  assert.throws(() => new RegisterFile(map, {}), /a do not overlap|b and a/);
});
