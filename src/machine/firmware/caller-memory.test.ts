import assert from "node:assert/strict";
import { test } from "node:test";
import { MiB, unwrap } from "../../base/index.ts";
import { RamDma } from "../../hw/index.ts";
import type { CpuState } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { CallerMemory } from "./caller-memory.ts";

const DIRECTORY = 0x10_0000;
const TABLE = 0x10_1000;
const PRESENT = 1;
const WRITABLE = 2;
const USER = 4;
const LARGE = 0x80;
const ALL = PRESENT | WRITABLE | USER;
const PG_PE = 0x8000_0001n;
const VM = 1n << 17n;
const PSE = 1n << 4n;
const PAE = 1n << 5n;

function bench(changes: Partial<CpuState>) {
  const ram = unwrap(createGuestRam({ sizeBytes: 4 * MiB, reservedPrefixBytes: 0 }));
  const segment = { selector: 0, base: 0n, limit: 0xffff, attributes: 0x93 };
  const table = { base: 0n, limit: 0 };
  const state: CpuState = {
    ...{
      gpr: [],
      rip: 0n,
      rflags: VM,
      cr0: PG_PE,
      cr2: 0n,
      cr3: BigInt(DIRECTORY),
      cr4: 0n,
      cr8: 0n,
      efer: 0n,
    },
    ...{ cs: segment, ss: segment, ds: segment, es: segment, fs: segment, gs: segment },
    ...{ ldtr: segment, tr: segment, gdtr: table, idtr: table },
    ...changes,
  };
  return { ram, memory: new CallerMemory(state, new RamDma(ram, () => undefined)) };
}

test("without paging a linear address is a physical one, and beyond RAM is nothing", () => {
  const { ram, memory } = bench({ cr0: 0n, rflags: 2n });
  assert.equal(memory.write(0x12345, Uint8Array.of(1, 2, 3)), true);
  assert.deepEqual([...ram.slice(0x12345, 3)], [1, 2, 3]);
  assert.deepEqual(memory.bytes(0x12346, 2), Uint8Array.of(2, 3));
  assert.equal(memory.bytes(4 * MiB - 1, 2), undefined);
  assert.equal(memory.readU8(0x8000_0000), 0xff);
  memory.writeU8(0x8000_0000, 1);
});

test("a virtual-8086 task's upper memory is where its monitor has put it, page by page", () => {
  const { ram, memory } = bench({});
  ram.writeU32(DIRECTORY, TABLE | ALL);
  ram.writeU32(TABLE + 4 * 0xd0, 0x20_5000 | ALL);
  ram.writeU32(TABLE + 4 * 0xd1, 0x20_9000 | ALL);
  assert.equal(memory.write(0xd0ffe, Uint8Array.of(1, 2, 3, 4)), true);
  assert.deepEqual([...ram.slice(0x20_5ffe, 2), ...ram.slice(0x20_9000, 2)], [1, 2, 3, 4]);
  assert.deepEqual(memory.bytes(0xd0fff, 2), Uint8Array.of(2, 3));
  // Accessed, and the pages that were written dirty.
  assert.deepEqual([ram.readU32(DIRECTORY) & 0x60, ram.readU32(TABLE + 4 * 0xd0) & 0x60], [0x20, 0x60]);
});

test("what is absent or forbidden is nothing, and what reaches into it does not happen at all", () => {
  const { ram, memory } = bench({});
  ram.writeU32(DIRECTORY, TABLE | ALL);
  ram.writeU32(TABLE + 4 * 0xd0, 0x20_5000 | ALL);
  ram.writeU32(TABLE + 4 * 0xd1, 0x20_9000 | PRESENT | USER);
  ram.writeU32(TABLE + 4 * 0xd2, 0x20_a000 | PRESENT | WRITABLE);
  assert.equal(memory.write(0xd0fff, Uint8Array.of(1, 2)), false);
  assert.equal(ram.readU8(0x20_5fff), 0);
  assert.deepEqual(memory.bytes(0xd1fff, 1), Uint8Array.of(0));
  assert.equal(memory.bytes(0xd1fff, 2), undefined);
  assert.equal(memory.bytes(0xd4000, 1), undefined);
  assert.equal(memory.bytes(0x40_0000, 1), undefined);
});

test("privileged code is kept from absent pages only", () => {
  const { ram, memory } = bench({ rflags: 2n });
  ram.writeU32(DIRECTORY, TABLE | PRESENT);
  ram.writeU32(TABLE, 0x20_0000 | PRESENT);
  assert.equal(memory.write(0, Uint8Array.of(7)), true);
  assert.equal(ram.readU8(0x20_0000), 7);
});

test("large pages are followed in both formats, if they are on", () => {
  const pse = bench({ cr4: PSE });
  pse.ram.writeU32(DIRECTORY, ALL | LARGE);
  pse.memory.writeU8(0x12_3456, 9);
  assert.equal(pse.ram.readU8(0x12_3456), 9);

  const pae = bench({ cr4: PAE });
  pae.ram.writeU64(DIRECTORY, BigInt(TABLE | PRESENT));
  pae.ram.writeU64(TABLE, BigInt(0x20_0000 | ALL | LARGE));
  pae.ram.writeU64(TABLE + 8, BigInt(0x30_0000 | ALL));
  pae.ram.writeU64(0x30_0000, BigInt(0x30_1000 | ALL));
  pae.memory.writeU8(0x1234, 5);
  pae.memory.writeU8(0x20_0001, 6);
  assert.deepEqual([pae.ram.readU8(0x20_1234), pae.ram.readU8(0x30_1001)], [5, 6]);
  // Beyond 4 GiB.
  pae.ram.writeU64(0x30_0000, (1n << 32n) | BigInt(0x30_1000 | ALL));
  assert.equal(pae.memory.bytes(0x20_0001, 1), undefined);
});

test("tables outside RAM lead nowhere", () => {
  const { ram, memory } = bench({});
  ram.writeU32(DIRECTORY, (0x8000_0000 | ALL) >>> 0);
  assert.equal(memory.bytes(0, 1), undefined);
  assert.equal(bench({ cr3: 0xf000_0000n }).memory.bytes(0, 1), undefined);
});
