/** Copies an ELF file's segments to their physical addresses. */

import type { GuestRam } from "../../memory/index.ts";
import type { ElfProgram } from "./elf.ts";
import type { BootLayout } from "./layout.ts";

/** Reserves each segment's place and writes it. Returns the end of the kernel. */
export function loadElf(layout: BootLayout, elf: ElfProgram): number {
  // Highest first: when memory is too small the first refusal then names all that is needed.
  for (const segment of elf.segments.toSorted((a, b) => b.gpa - a.gpa)) {
    layout.reserve("ELF segment", segment.gpa, segment.memoryBytes);
  }
  writeElfSegments(layout.ram, elf, 0);
  const { startGpa, sizeBytes } = elfExtent(elf);
  return startGpa + sizeBytes;
}

/** From the first segment's begin to the last one's end, as linked. */
export function elfExtent(elf: ElfProgram): { readonly startGpa: number; readonly sizeBytes: number } {
  const startGpa = elf.segments.reduce((least, { gpa }) => Math.min(least, gpa), Number.MAX_SAFE_INTEGER);
  const endGpa = elf.segments.reduce((most, { gpa, memoryBytes }) => Math.max(most, gpa + memoryBytes), 0);
  return { startGpa, sizeBytes: endGpa - startGpa };
}

/** Zeroes what the file does not fill, because RAM keeps its content over a reset. */
export function writeElfSegments(ram: GuestRam, elf: ElfProgram, displacement: number): void {
  const parts = elf.segments.map(({ offset, fileBytes, gpa, memoryBytes }) => {
    const target = ram.slice(gpa + displacement, memoryBytes);
    target.fill(0, fileBytes);
    return { target, start: offset, end: offset + fileBytes };
  });
  let at = 0;
  for (const piece of elf.file.pieces()) {
    const pieceEnd = at + piece.length;
    for (const { target, start, end } of parts) {
      const from = Math.max(start, at);
      const to = Math.min(end, pieceEnd);
      if (from < to) target.set(piece.subarray(from - at, to - at), from - start);
    }
    at = pieceEnd;
  }
}
