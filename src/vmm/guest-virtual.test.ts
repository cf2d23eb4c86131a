import assert from "node:assert/strict";
import { test } from "node:test";

import { MiB, unwrap } from "../base/index.ts";
import type { CpuState } from "../hw/index.ts";
import { createGuestRam } from "../memory/index.ts";
import { gpaOf, readGuestVirtual } from "./guest-virtual.ts";
import { POWER_ON } from "./testing.ts";

const ram = unwrap(createGuestRam({ sizeBytes: 8 * MiB, reservedPrefixBytes: 0 }));
const TABLES = 0x10000n;

function paging(control: { readonly cr4: bigint; readonly efer: bigint }): CpuState {
  return { ...POWER_ON, cr0: (1n << 31n) | 1n, cr3: TABLES, ...control };
}
const LONG = paging({ cr4: 1n << 5n, efer: 0x500n });
const PAE = paging({ cr4: 1n << 5n, efer: 0n });
const TWO_LEVELS = paging({ cr4: 1n << 4n, efer: 0n });
const NX = 1n << 63n;

test("without paging an address is itself", () => {
  assert.equal(gpaOf(ram, POWER_ON, 0x1234n), 0x1234n);
});

test("four levels, with pages of 4 KiB, 2 MiB and 1 GiB", () => {
  ram.fill(0x10000, 0x10000, 0);
  ram.writeU64(0x10000 + 8 * 511, 0x11003n);
  ram.writeU64(0x11000 + 8 * 510, 0x12003n);
  ram.writeU64(0x11000 + 8 * 511, 0x4000_0083n);
  ram.writeU64(0x12000 + 8 * 1, 0x13003n);
  ram.writeU64(0x12000 + 8 * 2, 0x60_0083n);
  ram.writeU64(0x13000 + 8 * 5, NX | 0x7003n);
  const base = 0xffff_ffff_8000_0000n;
  assert.equal(gpaOf(ram, LONG, base + 0x20_5abcn), 0x7abcn);
  assert.equal(gpaOf(ram, LONG, base + 0x41_2345n), 0x61_2345n);
  assert.equal(gpaOf(ram, LONG, base + 0x4000_0000n + 0x123n), 0x4000_0123n);
  assert.equal(gpaOf(ram, LONG, base), undefined);
  assert.equal(gpaOf(ram, LONG, 0n), undefined);
});

test("PAE's top table has four entries at any multiple of 32 bytes", () => {
  ram.fill(0x10000, 0x10000, 0);
  ram.writeU64(0x10020 + 8 * 3, 0x11001n);
  ram.writeU64(0x11000, 0x20_0083n);
  assert.equal(gpaOf(ram, { ...PAE, cr3: 0x10020n }, 0xc000_0456n), 0x20_0456n);
});

test("two levels, with pages of 4 KiB and 4 MiB", () => {
  ram.fill(0x10000, 0x10000, 0);
  ram.writeU32(0x10000 + 4 * 768, 0x11003);
  ram.writeU32(0x10000 + 4 * 769, 0x40_0083);
  ram.writeU32(0x11000 + 4 * 1, 0x9003);
  assert.equal(gpaOf(ram, TWO_LEVELS, 0xc000_1010n), 0x9010n);
  assert.equal(gpaOf(ram, TWO_LEVELS, 0xc040_0010n), 0x40_0010n);
});

test("tables outside RAM end the walk, and reading ends where nothing is mapped", () => {
  assert.equal(gpaOf(ram, { ...LONG, cr3: 0xff_ffff_f000n }, 0n), undefined);
  ram.fill(0x10000, 0x10000, 0);
  ram.writeU32(0x10000, 0x11003);
  ram.writeU32(0x11000, 0x9003);
  ram.write(0x9ffe, Uint8Array.of(1, 2));
  assert.deepEqual(readGuestVirtual(ram, TWO_LEVELS, 0xffen, 8), Uint8Array.of(1, 2));
});
