/**
 * The PC's physical memory map as firmware reports it (ACPI 6.5 section 15, "System Address Map Interfaces"), and
 * its encodings for the Linux zero page, PVH and multiboot. One list serves all of them and the board.
 *
 * Missing on purpose: RAM above 4 GiB (guest RAM ends below the PCI hole at 3 GiB) and ranges for MMIO, which no
 * guest expects in this map.
 */

import { KiB, MiB } from "../../base/index.ts";

/** Address range types by their number in E820, PVH and multiboot. */
export const MEMORY_TYPE = { ram: 1, reserved: 2, acpiReclaimable: 3, acpiNvs: 4 } as const;
export type MemoryType = keyof typeof MEMORY_TYPE;

export interface MemoryRange {
  readonly gpa: number;
  readonly sizeBytes: number;
  readonly type: MemoryType;
}

/** Where conventional memory ends: the last KiB below 640 KiB is the extended BIOS data area. */
export const EBDA_GPA = 639 * KiB;
const EBDA_END_GPA = 640 * KiB;
/** ACPI tables and our firmware; guests search it for the RSDP. */
export const BIOS_AREA_GPA = 0xe0000;
export const HIGH_MEMORY_GPA = 1 * MiB;

/** The map of a PC with `ramBytes` of RAM, in ascending order. */
export function pcMemoryMap(ramBytes: number): MemoryRange[] {
  return [
    { gpa: 0, sizeBytes: EBDA_GPA, type: "ram" },
    { gpa: EBDA_GPA, sizeBytes: EBDA_END_GPA - EBDA_GPA, type: "reserved" },
    { gpa: BIOS_AREA_GPA, sizeBytes: HIGH_MEMORY_GPA - BIOS_AREA_GPA, type: "reserved" },
    { gpa: HIGH_MEMORY_GPA, sizeBytes: ramBytes - HIGH_MEMORY_GPA, type: "ram" },
  ];
}

function encodeRanges(
  ranges: readonly MemoryRange[],
  strideBytes: number,
  encode: (view: DataView, at: number, range: MemoryRange) => void,
): Uint8Array {
  const bytes = new Uint8Array(ranges.length * strideBytes);
  const view = new DataView(bytes.buffer);
  ranges.forEach((range, index) => encode(view, index * strideBytes, range));
  return bytes;
}

function writeAddressAndSize(view: DataView, at: number, range: MemoryRange): void {
  view.setBigUint64(at, BigInt(range.gpa), true);
  view.setBigUint64(at + 8, BigInt(range.sizeBytes), true);
}

export const E820_ENTRY_BYTES = 20;

/** Packed {u64 address, u64 size, u32 type}: the zero page's e820_table. */
export function encodeE820(ranges: readonly MemoryRange[]): Uint8Array {
  return encodeRanges(ranges, E820_ENTRY_BYTES, (view, at, range) => {
    writeAddressAndSize(view, at, range);
    view.setUint32(at + 16, MEMORY_TYPE[range.type], true);
  });
}

export const WIDE_MEMORY_ENTRY_BYTES = E820_ENTRY_BYTES + 4;

/** The same with 4 reserved bytes after each entry: PVH's hvm_memmap_table_entry and multiboot 2's memory map. */
export function encodeWideMemoryMap(ranges: readonly MemoryRange[]): Uint8Array {
  return encodeRanges(ranges, WIDE_MEMORY_ENTRY_BYTES, (view, at, range) => {
    writeAddressAndSize(view, at, range);
    view.setUint32(at + 16, MEMORY_TYPE[range.type], true);
  });
}

/** Each entry preceded by its size, which does not count itself: multiboot's mmap. */
export function encodeMultibootMemoryMap(ranges: readonly MemoryRange[]): Uint8Array {
  return encodeRanges(ranges, 4 + E820_ENTRY_BYTES, (view, at, range) => {
    view.setUint32(at, E820_ENTRY_BYTES, true);
    writeAddressAndSize(view, at + 4, range);
    view.setUint32(at + 20, MEMORY_TYPE[range.type], true);
  });
}
