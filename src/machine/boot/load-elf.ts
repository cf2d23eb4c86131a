/** Copies an ELF file's segments to their physical addresses. */

import type { ElfImage } from "./elf.ts";
import type { BootLayout } from "./layout.ts";

/** Zeroes what the file does not fill, because RAM keeps its content over a reset. Returns the end of the kernel. */
export function loadElf(layout: BootLayout, elf: ElfImage): number {
  let endGpa = 0;
  // Highest first: when memory is too small the first refusal then names all that is needed.
  for (const segment of elf.segments.toSorted((a, b) => b.gpa - a.gpa)) {
    const target = layout.reserve("ELF segment", segment.gpa, segment.memoryBytes);
    target.set(elf.view.slice(segment.offset, segment.fileBytes, "ELF segment"));
    target.fill(0, segment.fileBytes);
    endGpa = Math.max(endGpa, segment.gpa + segment.memoryBytes);
  }
  return endGpa;
}
