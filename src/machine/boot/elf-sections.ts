/**
 * Symbols for kernel debuggers, as both versions of multiboot pass them: a copy of the ELF section header table in which
 * symbol and string tables have the address that they were loaded at (Multiboot 0.6.96 section 3.3, `elf_sec`; Multiboot 2
 * section 3.6.7). Debug sections stay in the file.
 */

import type { ElfImage, ElfSectionTable } from "./elf.ts";
import type { BootLayout } from "./layout.ts";

const SECTION_SYMBOLS = 2;
const SECTION_STRINGS = 3;
const SECTION_ALLOCATED = 0x2;
const WHAT = "ELF section headers";
/** Fields of a section header by ELF class. */
const SECTION_LAYOUT = {
  32: { type: 4, flags: 8, addr: 12, offset: 16, size: 20, addressBytes: 4 },
  64: { type: 4, flags: 8, addr: 16, offset: 24, size: 32, addressBytes: 8 },
} as const;

/** Places what is not loaded yet at or above `fromGpa`, and gives the table that says where it is. */
export function placeElfSections(
  layout: BootLayout,
  elf: ElfImage,
  sections: ElfSectionTable,
  fromGpa: number,
): Uint8Array {
  const { view } = elf;
  // Not slice(), which does not copy what is one of Node's Buffers.
  const table = Uint8Array.from(view.slice(sections.offset, sections.count * sections.entryBytes, WHAT));
  const words = new DataView(table.buffer);
  const fields = SECTION_LAYOUT[elf.bits];
  const place = (at: number): number =>
    fields.addressBytes === 8 ? Number(view.u64(at, WHAT)) : view.u32(at, WHAT);
  for (let index = 0; index < sections.count; index++) {
    const entry = index * sections.entryBytes;
    const at = sections.offset + entry;
    const type = view.u32(at + fields.type, WHAT);
    const allocated = (view.u32(at + fields.flags, WHAT) & SECTION_ALLOCATED) !== 0;
    if ((type !== SECTION_SYMBOLS && type !== SECTION_STRINGS) || allocated) continue;
    const bytes = view.slice(place(at + fields.offset), place(at + fields.size), `ELF section ${index}`);
    const gpa = layout.allocateAbove("ELF symbols", bytes.length, fromGpa);
    layout.ram.write(gpa, bytes);
    if (fields.addressBytes === 8) words.setBigUint64(entry + fields.addr, BigInt(gpa), true);
    else words.setUint32(entry + fields.addr, gpa, true);
  }
  return table;
}
