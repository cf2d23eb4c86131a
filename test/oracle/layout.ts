/**
 * The address space that every instruction case sees, on the real CPU and in our engine alike.
 *
 * All case memory lies below 4 GiB so that 32-bit code reaches it. Every region is surrounded by unmapped
 * pages. The runner's own code and data lie far above 4 GiB (see runner.ts), out of reach of 32-bit code.
 * Deliberately missing: supervisor pages and kernel addresses, which user mode cannot set up.
 */

export const PAGE_BYTES = 4096;

/** One mapped range of case memory. `sizeBytes` is a multiple of the page size. */
export interface MemoryRegion {
  readonly name: "code" | "data" | "readOnly" | "stack";
  readonly gva: number;
  readonly sizeBytes: number;
  readonly writable: boolean;
  readonly executable: boolean;
}

/** Two writable and executable pages, filled with INT3; an unmapped guard follows. */
export const CODE: MemoryRegion = {
  name: "code",
  gva: 0x1000_0000,
  sizeBytes: 2 * PAGE_BYTES,
  writable: true,
  executable: true,
};

/** Two writable pages, not executable; an unmapped guard follows. */
export const DATA: MemoryRegion = {
  name: "data",
  gva: 0x2000_0000,
  sizeBytes: 2 * PAGE_BYTES,
  writable: true,
  executable: false,
};

/** One page that can only be read. */
export const READ_ONLY: MemoryRegion = {
  name: "readOnly",
  gva: 0x2000_4000,
  sizeBytes: PAGE_BYTES,
  writable: false,
  executable: false,
};

/** One writable page; the initial stack pointer is its middle. */
export const STACK: MemoryRegion = {
  name: "stack",
  gva: 0x2000_8000,
  sizeBytes: PAGE_BYTES,
  writable: true,
  executable: false,
};

/** All regions by ascending address. */
export const REGIONS: readonly MemoryRegion[] = [CODE, DATA, READ_ONLY, STACK];

/** Where a case's code begins unless it says otherwise. */
export const DEFAULT_RIP = CODE.gva + 0x800;
/** 16-byte aligned, with half a page on either side. */
export const DEFAULT_RSP = STACK.gva + 0x800;

const INT3 = 0xcc;

/**
 * What a region holds before a case puts its own bytes there. Code is INT3, so that execution leaving the
 * case's bytes is seen at once. The rest differs from byte to byte and from page to page, so that a wrong
 * address or a wrong access size shows in the value read.
 */
export function baselineByte(region: MemoryRegion, offset: number): number {
  if (region.name === "code") return INT3;
  const page = (region.gva + offset) >>> 12;
  return ((offset * 0x9d) ^ (offset >>> 3) ^ (page * 0x3b)) & 0xff;
}

/** The whole baseline of a region, freshly allocated. */
export function baselineBytes(region: MemoryRegion): Uint8Array {
  return Uint8Array.from({ length: region.sizeBytes }, (_, offset) => baselineByte(region, offset));
}

/** The region that holds all of [gva, gva + sizeBytes), or undefined. */
export function regionOf(gva: number, sizeBytes: number): MemoryRegion | undefined {
  return REGIONS.find((region) => gva >= region.gva && gva + sizeBytes <= region.gva + region.sizeBytes);
}

/** Processor modes that user-mode code of a 64-bit operating system can be put into (SDM 3A 2.2, 3.4.5). */
export type CpuMode = "long64" | "compat32" | "protected16";

/** GDT selectors of 64-bit Linux for user mode (arch/x86/include/asm/segment.h: facts of its ABI). */
export const SELECTOR = {
  null: 0x00,
  code32: 0x23,
  flat: 0x2b,
  code64: 0x33,
} as const;

/** A segment descriptor in the terms of SDM 3A 3.4.5. */
export interface SegmentDescriptor {
  readonly name: string;
  readonly selector: number;
  readonly base: number;
  /** The limit in bytes, inclusive; for expand-down segments the last offset that is *not* valid. */
  readonly limit: number;
  readonly code: boolean;
  /** D/B: 32-bit default operand size or stack. */
  readonly big: boolean;
  /** W of a data segment, R of a code segment. */
  readonly writableOrReadable: boolean;
  readonly expandDown: boolean;
  readonly present: boolean;
}

const data32 = { code: false, big: true, writableOrReadable: true, expandDown: false, present: true };

/** LDT selector of entry `index` at privilege level 3. */
const ldt = (index: number): number => (index << 3) | 7;

/** The local descriptor table that cases may use, in order of its entries. */
export const LDT: readonly SegmentDescriptor[] = [
  { ...data32, name: "code16", selector: ldt(0), base: CODE.gva, limit: 0xffff, code: true, big: false },
  { ...data32, name: "data16", selector: ldt(1), base: DATA.gva, limit: 0xffff, big: false },
  // Data with a base and a limit that ends inside the second page, not at a page boundary.
  { ...data32, name: "limited", selector: ldt(2), base: DATA.gva, limit: 0x17ff },
  {
    ...data32,
    name: "readOnlyData",
    selector: ldt(3),
    base: DATA.gva,
    limit: 0xffff,
    writableOrReadable: false,
  },
  { ...data32, name: "expandDown", selector: ldt(4), base: DATA.gva, limit: 0x0fff, expandDown: true },
  {
    ...data32,
    name: "executeOnly",
    selector: ldt(5),
    base: CODE.gva,
    limit: 0x1fff,
    code: true,
    writableOrReadable: false,
  },
  { ...data32, name: "notPresent", selector: ldt(6), base: DATA.gva, limit: 0xffff, present: false },
  // A stack segment of 64 KiB with B=1: SS whose limit faults are #SS.
  { ...data32, name: "stack32", selector: ldt(7), base: STACK.gva, limit: 0x0fff },
];

export type SegmentName =
  | "null"
  | "flat"
  | "code16"
  | "data16"
  | "limited"
  | "readOnlyData"
  | "expandDown"
  | "executeOnly"
  | "notPresent"
  | "stack32";

/** The selector that a segment name stands for in DS, ES, FS, GS or SS. */
export function selectorOf(name: SegmentName): number {
  if (name === "null") return SELECTOR.null;
  if (name === "flat") return SELECTOR.flat;
  const descriptor = LDT.find((entry) => entry.name === name);
  if (descriptor === undefined) throw new RangeError(`no descriptor is called ${name}`);
  return descriptor.selector;
}

/** The code selector of a mode. */
export function codeSelectorOf(mode: CpuMode): number {
  if (mode === "long64") return SELECTOR.code64;
  return mode === "compat32" ? SELECTOR.code32 : selectorOf("code16");
}

/** What is added to an instruction pointer in this mode to get a linear address. */
export function codeBaseOf(mode: CpuMode): number {
  return mode === "protected16" ? CODE.gva : 0;
}
