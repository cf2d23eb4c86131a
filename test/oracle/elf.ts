/**
 * Writes a static x86-64 ELF executable (System V ABI, gABI chapters 4 and 5): program headers only,
 * no sections, no symbols, no interpreter.
 */

import { PAGE_BYTES } from "./layout.ts";

export interface LoadSegment {
  /** Page-aligned. */
  readonly address: bigint;
  readonly contents: Uint8Array;
  /** At least contents.length; what is beyond reads as zero. Only the highest segment may be larger. */
  readonly memoryBytes: number;
  readonly readable: true;
  readonly writable: boolean;
  readonly executable: boolean;
}

const FILE_HEADER_BYTES = 64;
const PROGRAM_HEADER_BYTES = 56;

const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474_e551;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;

/** The file image. Segments must be given by ascending address. */
export function writeElf(entry: bigint, segments: readonly LoadSegment[]): Uint8Array {
  const roundUp = (sizeBytes: number): number => Math.ceil(sizeBytes / PAGE_BYTES) * PAGE_BYTES;
  const fileBytes = segments.reduce((sum, segment) => sum + roundUp(segment.contents.length), PAGE_BYTES);
  const file = new Uint8Array(fileBytes);
  const view = new DataView(file.buffer);

  file.set([0x7f, 0x45, 0x4c, 0x46]); // \x7fELF
  file.set([2, 1, 1], 4); // 64-bit, little endian, version 1
  view.setUint16(16, 2, true); // e_type = ET_EXEC
  view.setUint16(18, 62, true); // e_machine = EM_X86_64
  view.setUint32(20, 1, true); // e_version
  view.setBigUint64(24, entry, true); // e_entry
  view.setBigUint64(32, BigInt(FILE_HEADER_BYTES), true); // e_phoff
  view.setUint16(52, FILE_HEADER_BYTES, true); // e_ehsize
  view.setUint16(54, PROGRAM_HEADER_BYTES, true); // e_phentsize
  view.setUint16(56, segments.length + 1, true); // e_phnum

  let fileOffset = PAGE_BYTES;
  segments.forEach((segment, index) => {
    const flags = PF_R | (segment.writable ? PF_W : 0) | (segment.executable ? PF_X : 0);
    writeProgramHeader(view, index, PT_LOAD, flags, BigInt(fileOffset), segment);
    file.set(segment.contents, fileOffset);
    fileOffset += roundUp(segment.contents.length);
  });
  // Without this header older kernels make every readable page executable.
  writeProgramHeader(view, segments.length, PT_GNU_STACK, PF_R | PF_W, 0n, undefined);
  return file;
}

function writeProgramHeader(
  view: DataView,
  index: number,
  type: number,
  flags: number,
  fileOffset: bigint,
  segment: LoadSegment | undefined,
): void {
  const at = FILE_HEADER_BYTES + index * PROGRAM_HEADER_BYTES;
  view.setUint32(at, type, true); // p_type
  view.setUint32(at + 4, flags, true); // p_flags
  view.setBigUint64(at + 8, fileOffset, true); // p_offset
  view.setBigUint64(at + 16, segment?.address ?? 0n, true); // p_vaddr
  view.setBigUint64(at + 24, segment?.address ?? 0n, true); // p_paddr
  view.setBigUint64(at + 32, BigInt(segment?.contents.length ?? 0), true); // p_filesz
  view.setBigUint64(at + 40, BigInt(segment?.memoryBytes ?? 0), true); // p_memsz
  view.setBigUint64(at + 48, BigInt(segment === undefined ? 16 : PAGE_BYTES), true); // p_align
}
