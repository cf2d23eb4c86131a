/**
 * ELF executables for x86, 32- and 64-bit ("System V ABI", chapters 4 and 5; "ELF-64 Object File Format" 1.5):
 * headers, loadable segments by physical address, notes, and the symbol sections that multiboot kernels ask for.
 *
 * Strict where a lie would hurt (every offset and size is checked against the file), indifferent otherwise.
 * Missing on purpose: dynamic linking and relocation; kernels are linked to the address they run at.
 */

import { BootFailure } from "./boot-error.ts";
import { requireBytes } from "./image-view.ts";
import type { ImageView } from "./image-view.ts";
import { beginningOf, gather, wholeFile } from "./unpacked-file.ts";
import type { UnpackedFile } from "./unpacked-file.ts";

const MAGIC = [0x7f, 0x45, 0x4c, 0x46] as const;
const CLASS_32 = 1;
const CLASS_64 = 2;
const DATA_LITTLE_ENDIAN = 1;
const TYPE_EXECUTABLE = 2;
const TYPE_SHARED = 3;
const MACHINE_386 = 3;
const MACHINE_X86_64 = 62;
const SEGMENT_LOAD = 1;
const SEGMENT_NOTE = 4;

/** vmlinux has 5 program headers, Xen 2; anything near this is an attack. */
export const MAX_PROGRAM_HEADERS = 128;
/** Kernels with one section per function exist; Linux has about 80. */
export const MAX_SECTION_HEADERS = 65_535;
const MAX_NOTES_BYTES = 1 << 20;

export interface ElfSegment {
  /** Place in the file. */
  readonly offset: number;
  readonly fileBytes: number;
  readonly gpa: number;
  /** At least fileBytes; the rest is zeroed. */
  readonly memoryBytes: number;
  readonly gva: bigint;
}

export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly data: Uint8Array;
}

export interface ElfSectionTable {
  readonly offset: number;
  readonly count: number;
  readonly entryBytes: number;
  /** Index of the section that holds the names. */
  readonly namesIndex: number;
}

/** What it takes to load an executable and enter it. */
export interface ElfProgram {
  readonly file: UnpackedFile;
  readonly bits: 32 | 64;
  readonly entry: bigint;
  /** The non-empty PT_LOAD segments in file order; at least one. */
  readonly segments: readonly ElfSegment[];
}

export interface ElfImage extends ElfProgram {
  readonly view: ImageView;
  readonly notes: readonly ElfNote[];
  readonly sections: ElfSectionTable | undefined;
}

export function isElf(view: ImageView): boolean {
  return view.startsWith(MAGIC);
}

/** Where the fields of the three tables lie in each class. */
const LAYOUT = {
  32: {
    headerBytes: 52,
    word: 4,
    header: {
      entry: 24,
      phoff: 28,
      shoff: 32,
      phentsize: 42,
      phnum: 44,
      shentsize: 46,
      shnum: 48,
      shstrndx: 50,
    },
    programHeaderBytes: 32,
    segment: { offset: 4, vaddr: 8, paddr: 12, filesz: 16, memsz: 20 },
  },
  64: {
    headerBytes: 64,
    word: 8,
    header: {
      entry: 24,
      phoff: 32,
      shoff: 40,
      phentsize: 54,
      phnum: 56,
      shentsize: 58,
      shnum: 60,
      shstrndx: 62,
    },
    programHeaderBytes: 56,
    segment: { offset: 8, vaddr: 16, paddr: 24, filesz: 32, memsz: 40 },
  },
} as const;

/** An address-sized field. */
function readWord(view: ImageView, offset: number, wordBytes: 4 | 8, what: string): bigint {
  return wordBytes === 4 ? BigInt(view.u32(offset, what)) : view.u64(offset, what);
}

/** A word that must be usable as a place or size; kernels stay far below 2^53. */
function readPlace(view: ImageView, offset: number, wordBytes: 4 | 8, what: string): number {
  const value = readWord(view, offset, wordBytes, what);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new BootFailure("corrupt-image", `${view.name} is damaged: its ${what} hold an impossible value.`);
  }
  return Number(value);
}

export function parseElf(view: ImageView): ElfImage {
  const file = wholeFile(view);
  const { noteSegments, ...headers } = parseHeaders(view, file);
  const notes = noteSegments.flatMap(({ offset, fileBytes }) => parseNotes(view, offset, fileBytes));
  return { file, view, ...headers, notes, sections: parseSectionTable(view, headers.bits) };
}

/** Looks at the file's beginning only, unless its headers lie elsewhere. */
export function parseElfProgram(file: UnpackedFile): ElfProgram {
  const beginning = beginningOf(file);
  const view = holdsHeaders(beginning) ? beginning : gather(file);
  const { bits, entry, segments } = parseHeaders(view, file);
  return { file: view === beginning ? file : wholeFile(view), bits, entry, segments };
}

function holdsHeaders(view: ImageView): boolean {
  if (!view.has(0, LAYOUT[64].headerBytes)) return false;
  const { header, word } = LAYOUT[view.u8(4, "ELF header") === CLASS_32 ? 32 : 64];
  const tableBytes = view.u16(header.phnum, "ELF header") * view.u16(header.phentsize, "ELF header");
  return view.has(readPlace(view, header.phoff, word, "ELF header"), tableBytes);
}

interface ElfHeaders {
  readonly bits: 32 | 64;
  readonly entry: bigint;
  readonly segments: readonly ElfSegment[];
  readonly noteSegments: readonly ElfSegment[];
}

/** `view` is a file's beginning with the headers at least, or all of it. */
function parseHeaders(view: ImageView, file: UnpackedFile): ElfHeaders {
  view.require(0, 20, "ELF header");
  const elfClass = view.u8(4, "ELF header");
  const machine = view.u16(18, "ELF header");
  const type = view.u16(16, "ELF header");
  if ((elfClass !== CLASS_32 && elfClass !== CLASS_64) || view.u8(5, "ELF header") !== DATA_LITTLE_ENDIAN) {
    throw new BootFailure(
      "unsupported-image",
      `${view.name} is an ELF file, but not a little-endian 32- or 64-bit one.`,
    );
  }
  if (machine !== MACHINE_386 && machine !== MACHINE_X86_64) {
    throw new BootFailure("unsupported-image", `${view.name} is an ELF file for another processor than x86.`);
  }
  if (type !== TYPE_EXECUTABLE && type !== TYPE_SHARED) {
    throw new BootFailure("unsupported-image", `${view.name} is an ELF file, but not an executable one.`);
  }
  const bits = elfClass === CLASS_64 ? 64 : 32;
  const layout = LAYOUT[bits];
  view.require(0, layout.headerBytes, "ELF header");

  const segments: ElfSegment[] = [];
  const noteSegments: ElfSegment[] = [];
  const count = view.u16(layout.header.phnum, "ELF header");
  const strideBytes = view.u16(layout.header.phentsize, "ELF header");
  const tableOffset = readPlace(view, layout.header.phoff, layout.word, "ELF header");
  if (count > MAX_PROGRAM_HEADERS || (count > 0 && strideBytes < layout.programHeaderBytes)) {
    throw new BootFailure(
      "corrupt-image",
      `${view.name} is damaged: its ELF program header table is impossible.`,
    );
  }
  view.require(tableOffset, count * strideBytes, "ELF program headers");
  for (let index = 0; index < count; index++) {
    const at = tableOffset + index * strideBytes;
    const segmentType = view.u32(at, "ELF program headers");
    if (segmentType !== SEGMENT_LOAD && segmentType !== SEGMENT_NOTE) continue;
    const field = (offset: number): number =>
      readPlace(view, at + offset, layout.word, "ELF program headers");
    const segment: ElfSegment = {
      offset: field(layout.segment.offset),
      fileBytes: field(layout.segment.filesz),
      gpa: field(layout.segment.paddr),
      memoryBytes: field(layout.segment.memsz),
      gva: readWord(view, at + layout.segment.vaddr, layout.word, "ELF program headers"),
    };
    requireBytes(file, segment.offset, segment.fileBytes, `ELF segment ${index}`);
    if (segmentType === SEGMENT_NOTE) {
      noteSegments.push(segment);
      continue;
    }
    if (segment.fileBytes > segment.memoryBytes) {
      throw new BootFailure(
        "corrupt-image",
        `${view.name} is damaged: ELF segment ${index} is larger in the file than in memory.`,
      );
    }
    if (segment.memoryBytes > 0) segments.push(segment);
  }
  if (segments.length === 0) {
    throw new BootFailure("not-a-kernel", `${view.name} is an ELF file that holds nothing to load.`);
  }
  const entry = readWord(view, layout.header.entry, layout.word, "ELF header");
  return { bits, entry, segments, noteSegments };
}

/** Notes are {u32 name size, u32 data size, u32 type, name, data}, name and data padded to 4 bytes. */
function parseNotes(view: ImageView, offset: number, sizeBytes: number): ElfNote[] {
  const notes: ElfNote[] = [];
  const end = offset + Math.min(sizeBytes, MAX_NOTES_BYTES);
  let at = offset;
  while (at + 12 <= end) {
    const nameBytes = view.u32(at, "ELF notes");
    const dataBytes = view.u32(at + 4, "ELF notes");
    const nameAt = at + 12;
    const dataAt = nameAt + Math.ceil(nameBytes / 4) * 4;
    const next = dataAt + Math.ceil(dataBytes / 4) * 4;
    // The last note's padding may be missing.
    if (dataAt + dataBytes > end) break;
    const name = String.fromCharCode(...view.slice(nameAt, Math.min(nameBytes, 64), "ELF notes")).replace(
      /\0.*$/s,
      "",
    );
    notes.push({
      name,
      type: view.u32(at + 8, "ELF notes"),
      data: view.slice(dataAt, dataBytes, "ELF notes"),
    });
    at = next;
  }
  return notes;
}

/** Sections are never needed to load; a table that is absent, oversized or outside the file counts as none. */
function parseSectionTable(view: ImageView, bits: 32 | 64): ElfSectionTable | undefined {
  const { header, word } = LAYOUT[bits];
  const offset = readPlace(view, header.shoff, word, "ELF header");
  const count = view.u16(header.shnum, "ELF header");
  const entryBytes = view.u16(header.shentsize, "ELF header");
  if (offset === 0 || count === 0 || count > MAX_SECTION_HEADERS || entryBytes < (bits === 64 ? 64 : 40))
    return undefined;
  if (!view.has(offset, count * entryBytes)) return undefined;
  return { offset, count, entryBytes, namesIndex: view.u16(header.shstrndx, "ELF header") };
}

/**
 * The physical address of the entry point. Kernels linked high disagree on whether e_entry is virtual (most) or
 * physical (Linux, whose own segments never contain it as a virtual address); a virtual one is translated.
 */
export function physicalEntry(elf: ElfProgram): number {
  for (const segment of elf.segments) {
    const into = elf.entry - segment.gva;
    if (into >= 0n && into < BigInt(segment.memoryBytes)) return segment.gpa + Number(into);
  }
  for (const segment of elf.segments) {
    if (elf.entry >= BigInt(segment.gpa) && elf.entry < BigInt(segment.gpa + segment.memoryBytes))
      return Number(elf.entry);
  }
  throw new BootFailure(
    "corrupt-image",
    `${elf.file.name} is damaged: its entry point lies in none of its segments.`,
  );
}
