/**
 * The planes from the processor's side, against a model that is written the other way round: plane by plane and bit by bit,
 * as the Technical Reference's figures have it.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { VgaBench } from "./testing.ts";

const WINDOW = 0xa0000;
const ROUNDS = 400;
const ACCESSES = 20;

/** Numbers of a fixed sequence (xorshift). */
class Numbers {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }
}

interface Registers {
  readonly setReset: number;
  readonly enableSetReset: number;
  readonly colorCompare: number;
  readonly dataRotate: number;
  readonly readMap: number;
  readonly mode: number;
  readonly colorDoNotCare: number;
  readonly bitMask: number;
  readonly mapMask: number;
}

const bit = (value: number, index: number): number => (value >> index) & 1;
const FUNCTIONS: readonly ((data: number, latch: number) => number)[] = [
  (data) => data,
  (data, latch) => data & latch,
  (data, latch) => data | latch,
  (data, latch) => data ^ latch,
];

class PlaneModel {
  readonly planes = [0, 1, 2, 3].map(() => new Uint8Array(0x10000));
  readonly latches = [0, 0, 0, 0];

  read(registers: Registers, offset: number): number {
    this.planes.forEach((plane, index) => (this.latches[index] = plane[offset] ?? 0));
    const plain = this.latches[registers.readMap] ?? 0;
    const cared = [0, 1, 2, 3].filter((plane) => bit(registers.colorDoNotCare, plane) === 1);
    const isMatch = (dot: number): boolean =>
      cared.every((plane) => bit(this.latches[plane] ?? 0, dot) === bit(registers.colorCompare, plane));
    const compared = [...Array(8).keys()].reduce((all, dot) => all | (Number(isMatch(dot)) << dot), 0);
    return [plain, compared][bit(registers.mode, 3)] ?? 0;
  }

  write(registers: Registers, offset: number, value: number): void {
    const count = registers.dataRotate & 7;
    const rotated = [...Array(8).keys()].reduce(
      (all, dot) => all | (bit(value, (dot + count) % 8) << dot),
      0,
    );
    this.planes.forEach((plane, index) => {
      const latch = this.latches[index] ?? 0;
      plane[offset] = [...Array(8).keys()].reduce((all, dot) => {
        const written = this.#bit(registers, index, dot, { value, rotated, latch });
        return all | (([bit(plane[offset] ?? 0, dot), written][bit(registers.mapMask, index)] ?? 0) << dot);
      }, 0);
    });
  }

  #bit(
    registers: Registers,
    plane: number,
    dot: number,
    { value, rotated, latch }: Readonly<Record<"value" | "rotated" | "latch", number>>,
  ): number {
    const old = bit(latch, dot);
    const setReset = bit(registers.setReset, plane);
    const combine = FUNCTIONS[(registers.dataRotate >> 3) & 3] ?? ((data: number) => data);
    const masked = (data: number, mask: number): number => [old, combine(data, old)][mask] ?? 0;
    const mask = bit(registers.bitMask, dot);
    return (
      [
        masked([bit(rotated, dot), setReset][bit(registers.enableSetReset, plane)] ?? 0, mask),
        old,
        masked(bit(value, plane), mask),
        masked(setReset, mask & bit(rotated, dot)),
      ][registers.mode & 3] ?? 0
    );
  }
}

for (const [seed, writeMode] of [0, 1, 2, 3].entries()) {
  test(`write mode ${writeMode} and both read modes agree with a model, with all registers at random`, () => {
    const v = new VgaBench();
    const model = new PlaneModel();
    const numbers = new Numbers(seed + 1);
    v.indexed(0x3c4, 4, 0x06);
    v.indexed(0x3ce, 6, 0x05);
    for (const at of [...Array(0x10000).keys()]) {
      model.planes.forEach((plane, index) => {
        plane[at] = numbers.below(256);
        v.ram.slotMemory[4 * at + index] = plane[at];
      });
    }
    for (let round = 0; round < ROUNDS; round++) {
      const registers: Registers = {
        setReset: numbers.below(16),
        enableSetReset: numbers.below(16),
        colorCompare: numbers.below(16),
        dataRotate: numbers.below(32),
        readMap: numbers.below(4),
        mode: writeMode | (8 * numbers.below(2)),
        colorDoNotCare: numbers.below(16),
        bitMask: numbers.below(256),
        mapMask: numbers.below(16),
      };
      const { setReset, enableSetReset, colorCompare, dataRotate, readMap, mode } = registers;
      [setReset, enableSetReset, colorCompare, dataRotate, readMap, mode].forEach((value, at) =>
        v.indexed(0x3ce, at, value),
      );
      v.indexed(0x3ce, 7, registers.colorDoNotCare);
      v.indexed(0x3ce, 8, registers.bitMask);
      v.indexed(0x3c4, 2, registers.mapMask);
      for (let access = 0; access < ACCESSES; access++) {
        const [from, to] = [numbers.below(8), 0xfff8 + numbers.below(8)];
        assert.equal(v.read(WINDOW + from), model.read(registers, from));
        const value = numbers.below(256);
        v.write(WINDOW + to, value);
        model.write(registers, to, value);
        assert.equal(v.read(WINDOW + to), model.read(registers, to));
        v.write(WINDOW + from, value ^ 0xff);
        model.write(registers, from, value ^ 0xff);
      }
    }
    const memory = v.ram.slotMemory.slice(0, 0x40000);
    model.planes.forEach((plane, index) =>
      assert.deepEqual(
        memory.filter((_, at) => at % 4 === index),
        plane,
      ),
    );
  });
}

test("characters that the guest has in RAM are in the planes when it looks there, and come back changed", () => {
  const v = new VgaBench();
  v.print(0, 0, "AB", 0x1f);
  // As a program that loads a font: all of plane 2 in a row, at A0000h.
  v.indexed(0x3c4, 4, 0x06);
  v.indexed(0x3ce, 5, 0x00);
  v.indexed(0x3ce, 6, 0x04);
  v.indexed(0x3ce, 4, 0x00);
  assert.deepEqual(
    [0, 1, 2].map((at) => v.read(WINDOW + at)),
    [0x41, 0, 0x42],
  );
  v.indexed(0x3ce, 4, 0x01);
  assert.deepEqual(
    [0, 1, 2].map((at) => v.read(WINDOW + at)),
    [0x1f, 0, 0x1f],
  );
  assert.equal(v.read(0xb8000, 4), 0xffffffff, "the window is elsewhere now");
  v.indexed(0x3c4, 2, 0x01);
  v.write(WINDOW, 0x5a);
  assert.equal(v.lines()[0], "ZB");
  v.indexed(0x3c4, 2, 0x03);
  v.indexed(0x3c4, 4, 0x02);
  v.indexed(0x3ce, 4, 0x00);
  v.indexed(0x3ce, 5, 0x10);
  v.indexed(0x3ce, 6, 0x0e);
  assert.equal(v.slots.size, 0, "an ordinary text mode leaves RAM alone");
  assert.equal(v.read(0xb8000, 4), 0x1f421f5a);
});

test("a monochrome text buffer is at B0000h, and takes the characters along", () => {
  const v = new VgaBench();
  v.print(0, 0, "mono");
  v.indexed(0x3ce, 6, 0x0a);
  assert.equal(v.slots.size, 0);
  v.write(0xb0000, 0x4d);
  assert.equal(v.lines()[0], "Mono");
});

test("chain 4 is video memory itself while nothing masks it", () => {
  const v = new VgaBench();
  v.indexed(0x3ce, 5, 0x40);
  v.indexed(0x3ce, 6, 0x05);
  v.indexed(0x3c4, 4, 0x0e);
  v.indexed(0x3c4, 2, 0x0f);
  assert.equal(v.slots.get(WINDOW >> 12)?.kind, "memory");
  v.write(WINDOW + 0xfffc, 0x44332211, 4);
  v.indexed(0x3c4, 2, 0x05);
  assert.equal(v.slots.get(WINDOW >> 12)?.kind, "device");
  v.write(WINDOW + 0xfffc, 0xffffffff, 4);
  assert.equal(v.read(WINDOW + 0xfffc, 4), 0x44ff22ff);
  // Unchained, the same four bytes are the planes at one offset.
  v.indexed(0x3c4, 4, 0x06);
  v.indexed(0x3ce, 4, 2);
  assert.equal(v.read(WINDOW + 0x3fff), 0xff);
  v.indexed(0x3ce, 4, 3);
  assert.equal(v.read(WINDOW + 0x3fff), 0x44);
});

test("while the miscellaneous register locks video memory, nobody answers", () => {
  const v = new VgaBench();
  v.print(0, 0, "kept");
  v.out(0x3c2, 0x65);
  v.write(0xb8000, 0);
  assert.equal(v.read(0xb8000), 0xff);
  v.out(0x3c2, 0x67);
  assert.equal(v.lines()[0], "kept");
});
