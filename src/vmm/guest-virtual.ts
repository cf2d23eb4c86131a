/**
 * Reading guest-virtual memory from outside the processor, for dumps and debuggers: the page walk of SDM 3A chapter 4
 * for all of its paging modes. Permissions are not looked at and nothing is marked accessed.
 *
 * Missing on purpose: 5-level paging, which the processor does not have.
 */

import type { CpuState } from "../hw/index.ts";
import type { GuestRam } from "../memory/index.ts";

const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const EFER_LMA = 1n << 10n;
const PRESENT = 1n;
const PAGE_SIZE = 1n << 7n;
const ADDRESS = 0x000f_ffff_ffff_f000n;
const U32 = 0xffff_ffffn;

/** One level of a page walk: which bits of the address choose the entry, and whether an entry may be a large page. */
interface Level {
  readonly shift: bigint;
  readonly indexBits: bigint;
  readonly mayBeLarge: boolean;
}

const LONG: readonly Level[] = [
  { shift: 39n, indexBits: 9n, mayBeLarge: false },
  { shift: 30n, indexBits: 9n, mayBeLarge: true },
  { shift: 21n, indexBits: 9n, mayBeLarge: true },
  { shift: 12n, indexBits: 9n, mayBeLarge: false },
];
const PAE: readonly Level[] = [
  { shift: 30n, indexBits: 2n, mayBeLarge: false },
  { shift: 21n, indexBits: 9n, mayBeLarge: true },
  { shift: 12n, indexBits: 9n, mayBeLarge: false },
];
const twoLevels = (hasLargePages: boolean): readonly Level[] => [
  { shift: 22n, indexBits: 10n, mayBeLarge: hasLargePages },
  { shift: 12n, indexBits: 10n, mayBeLarge: false },
];

/** The guest-physical address of `gva`; undefined where nothing is mapped. */
export function gpaOf(ram: GuestRam, cpu: CpuState, gva: bigint): bigint | undefined {
  if ((cpu.cr0 & CR0_PG) === 0n) return gva & U32;
  const isLong = (cpu.efer & EFER_LMA) !== 0n;
  const isPae = isLong || (cpu.cr4 & CR4_PAE) !== 0n;
  const levels = isLong ? LONG : isPae ? PAE : twoLevels((cpu.cr4 & CR4_PSE) !== 0n);
  const linear = isLong ? gva : gva & U32;
  // PAE's four top entries lie at any multiple of 32 bytes; other tables fill a page.
  let table = isPae && !isLong ? cpu.cr3 & 0xffff_ffe0n : cpu.cr3 & ADDRESS;
  for (const { shift, indexBits, mayBeLarge } of levels) {
    const index = (linear >> shift) & ((1n << indexBits) - 1n);
    const entry = readEntry(ram, table + index * (isPae ? 8n : 4n), isPae);
    if (entry === undefined || (entry & PRESENT) === 0n) return undefined;
    if (mayBeLarge && (entry & PAGE_SIZE) !== 0n) {
      const offsetMask = (1n << shift) - 1n;
      return (entry & ADDRESS & ~offsetMask) | (linear & offsetMask);
    }
    table = entry & ADDRESS;
  }
  return table | (linear & 0xfffn);
}

function readEntry(ram: GuestRam, gpa: bigint, isWide: boolean): bigint | undefined {
  const at = Number(gpa);
  if (!ram.contains(at, isWide ? 8 : 4)) return undefined;
  return isWide ? ram.readU64(at) : BigInt(ram.readU32(at));
}

/** Up to `lengthBytes` bytes from `gva` on, ending early where memory is not mapped or is no RAM. */
export function readGuestVirtual(ram: GuestRam, cpu: CpuState, gva: bigint, lengthBytes: number): Uint8Array {
  const bytes: number[] = [];
  for (let i = 0; i < lengthBytes; i++) {
    const gpa = gpaOf(ram, cpu, BigInt.asUintN(64, gva + BigInt(i)));
    if (gpa === undefined || !ram.contains(Number(gpa), 1)) break;
    bytes.push(ram.readU8(Number(gpa)));
  }
  return Uint8Array.from(bytes);
}
