import assert from "node:assert/strict";
import { test } from "node:test";
import { KiB, MiB, unwrap } from "../../base/index.ts";
import { MmioBus, RamDma } from "../../hw/index.ts";
import type { MemorySlot } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { ShadowedMemory } from "./shadowed-memory.ts";

const RAM_BYTES = 2 * MiB;
const NOTHING = { readsDram: false, writesDram: false };

function machine(romBytes: number, offset = 0) {
  const slotMemoryBytes = offset + romBytes;
  const ram = unwrap(createGuestRam({ sizeBytes: RAM_BYTES, reservedPrefixBytes: 0, slotMemoryBytes }));
  // Each page of the ROM holds its number from the end.
  for (let page = 0; page < romBytes / 4096; page++)
    ram.slotMemory.fill(romBytes / 4096 - page, offset + page * 4096, offset + (page + 1) * 4096);
  const mmio = new MmioBus();
  const slots: (readonly [gpa: number, lengthBytes: number, slot: MemorySlot])[] = [];
  const written: number[] = [];
  const memory = new ShadowedMemory({
    ram,
    dma: new RamDma(ram, (gpa) => written.push(gpa)),
    mmio,
    setMemorySlot: (gpa, lengthBytes, slot) => slots.push([gpa, lengthBytes, slot]),
    rom: romBytes === 0 ? undefined : { offset, sizeBytes: romBytes },
  });
  return { ram, mmio, slots, written, memory };
}

test("the ROM ends at 4 GiB, and its last 128 KiB are also below 1 MiB", () => {
  const { memory, slots, mmio } = machine(256 * KiB, 4096);
  memory.showRom();
  memory.setAttributes(0xe0000, 0x4000, NOTHING);
  memory.setAttributes(0xdc000, 0x4000, NOTHING);
  assert.deepEqual(slots, [
    [0xfffc_0000, 0x4_0000, { kind: "memory", offset: RAM_BYTES + 4096, isWritable: false }],
    [0xe0000, 0x4000, { kind: "memory", offset: RAM_BYTES + 4096 + 128 * KiB, isWritable: false }],
    [0xdc000, 0x4000, { kind: "device" }],
  ]);
  assert.deepEqual([mmio.readMmio(0xe0000, 1), mmio.readMmio(0xfffff, 1)], [32, 1]);
  assert.equal(mmio.readMmio(0xdffff, 1), 0xff);
  assert.equal(mmio.readMmio(0xdfffe, 4), 0x2020_ffff);
});

test("of a small ROM all is below 1 MiB", () => {
  const { memory, slots } = machine(64 * KiB);
  memory.setAttributes(0xec000, 0x4000, NOTHING);
  memory.setAttributes(0xf0000, 0x1_0000, NOTHING);
  assert.deepEqual(
    slots.map(([, , slot]) => slot),
    [{ kind: "device" }, { kind: "memory", offset: RAM_BYTES, isWritable: false }],
  );
});

test("writes without a slot reach RAM where they are let, and the accelerator hears of them", () => {
  const { memory, slots, mmio, ram, written } = machine(64 * KiB);
  memory.setAttributes(0xf0000, 0x1_0000, { readsDram: false, writesDram: true });
  mmio.writeMmio(0xf0ffe, 4, 0x4433_2211);
  assert.equal(ram.readU32(0xf0ffe), 0x4433_2211);
  assert.equal(mmio.readMmio(0xf0ffe, 1), 16);
  memory.setAttributes(0xf0000, 0x1_0000, { readsDram: true, writesDram: false });
  mmio.writeMmio(0xf0ffe, 4, 0);
  assert.equal(mmio.readMmio(0xf0ffe, 4), 0x4433_2211);
  assert.deepEqual(written, [0xf0ffe, 0xf0fff, 0xf1000, 0xf1001]);
  assert.deepEqual(slots.at(-1)?.[2], { kind: "memory", offset: 0xf0000, isWritable: false });
  memory.setAttributes(0xf0000, 0x1_0000, { readsDram: true, writesDram: true });
  assert.deepEqual(slots.at(-1), [0xf0000, 0x1_0000, { kind: "none" }]);
});

test("a board without a ROM shows none", () => {
  const { memory, slots, mmio } = machine(0);
  memory.showRom();
  memory.setAttributes(0xf0000, 0x1_0000, NOTHING);
  assert.deepEqual(slots, [[0xf0000, 0x1_0000, { kind: "device" }]]);
  assert.equal(mmio.readMmio(0xffff0, 4), 0xffff_ffff);
});
