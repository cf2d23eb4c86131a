/**
 * The processor states in which loaded kernels are entered, as the CpuState that the vmm gives to a vCPU after reset,
 * with the GDT and page tables in guest RAM that go with them. What a boot protocol leaves undefined is zero.
 */

import type { CpuState, SegmentState, TableRegister } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";

const CR0_PE = 1n << 0n;
const CR0_ET = 1n << 4n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 1n << 5n;
const EFER_LME = 1n << 8n;
const EFER_LMA = 1n << 10n;
/** Bit 1 is always one; interrupts are off. */
const RFLAGS_RESET = 2n;
const WHOLE_SPACE = 0xffffffff;

/** Linux names these selectors in its boot protocol (__BOOT_CS, __BOOT_DS); the other protocols take any. */
const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
const TASK_SELECTOR = 0x20;

const UNUSABLE: SegmentState = { selector: 0, base: 0n, limit: 0, attributes: 0 };
/** Execute/read, accessed, present, 32-bit, page granular. */
const CODE_32: SegmentState = { selector: CODE_SELECTOR, base: 0n, limit: WHOLE_SPACE, attributes: 0xc09b };
/** The same with L instead of D. */
const CODE_64: SegmentState = { selector: CODE_SELECTOR, base: 0n, limit: WHOLE_SPACE, attributes: 0xa09b };
/** Read/write, accessed, present. */
const DATA: SegmentState = { selector: DATA_SELECTOR, base: 0n, limit: WHOLE_SPACE, attributes: 0xc093 };
/** A busy TSS of 104 bytes at 0: never used, but a valid TR is part of the PVH state and of long mode. */
const TASK: SegmentState = { selector: TASK_SELECTOR, base: 0n, limit: 0x67, attributes: 0x008b };

/** A TSS descriptor takes 16 bytes in 64-bit mode. */
export const GDT_SIZE_BYTES = TASK_SELECTOR + 16;

function descriptor(segment: SegmentState): bigint {
  const granular = (segment.attributes & 0x8000) !== 0;
  const limit = BigInt(granular ? Math.floor(segment.limit / 4096) : segment.limit);
  return (
    (limit & 0xffffn) |
    ((segment.base & 0xffffffn) << 16n) |
    (BigInt(segment.attributes & 0xff) << 40n) |
    (((limit >> 16n) & 0xfn) << 48n) |
    (BigInt((segment.attributes >> 12) & 0xf) << 52n) |
    ((segment.base >> 24n) << 56n)
  );
}

/** The registers that boot protocols pass values in; the others are zero. */
export interface EntryGprs {
  readonly rax?: number;
  readonly rbx?: number;
  readonly rsi?: number;
}

function gprList(gprs: EntryGprs): bigint[] {
  const { rax = 0, rbx = 0, rsi = 0 } = gprs;
  const named = [rax, 0, 0, rbx, 0, 0, rsi, 0];
  return [...named, 0, 0, 0, 0, 0, 0, 0, 0].map(BigInt);
}

/** Writes a GDT with flat code, flat data and a TSS, and returns the state that matches it. */
function flatState(
  ram: GuestRam,
  gdtGpa: number,
  code: SegmentState,
  rip: number,
  gprs: EntryGprs,
): CpuState {
  ram.fill(gdtGpa, GDT_SIZE_BYTES, 0);
  for (const segment of [code, DATA, TASK]) ram.writeU64(gdtGpa + segment.selector, descriptor(segment));
  const gdtr: TableRegister = { base: BigInt(gdtGpa), limit: GDT_SIZE_BYTES - 1 };
  return {
    gpr: gprList(gprs),
    rip: BigInt(rip),
    rflags: RFLAGS_RESET,
    cs: code,
    ss: DATA,
    ds: DATA,
    es: DATA,
    fs: DATA,
    gs: DATA,
    ldtr: UNUSABLE,
    tr: TASK,
    gdtr,
    // No protocol gives an IDT: an exception before the kernel has its own is a triple fault.
    idtr: { base: 0n, limit: 0 },
    cr0: CR0_PE | CR0_ET,
    cr2: 0n,
    cr3: 0n,
    cr4: 0n,
    cr8: 0n,
    efer: 0n,
  };
}

/** 32-bit protected mode, flat segments, paging off, at `eip`. */
export function enterProtected32(ram: GuestRam, gdtGpa: number, eip: number, gprs: EntryGprs): CpuState {
  return flatState(ram, gdtGpa, CODE_32, eip, gprs);
}

/** Real mode at `codeSegment`:0, with one segment for data and stack; the BIOS serves interrupts. */
export function enterReal(dataSegment: number, codeSegment: number, sp: number): CpuState {
  const segment = (selector: number, attributes: number): SegmentState => ({
    ...{ selector, base: BigInt(selector * 16), limit: 0xffff, attributes },
  });
  const data = segment(dataSegment, 0x0093);
  return {
    gpr: [0, 0, 0, 0, sp, ...Array.from({ length: 11 }, () => 0)].map(BigInt),
    rip: 0n,
    rflags: RFLAGS_RESET,
    cs: segment(codeSegment, 0x009b),
    ...{ ss: data, ds: data, es: data, fs: data, gs: data },
    ldtr: UNUSABLE,
    tr: { selector: 0, base: 0n, limit: 0xffff, attributes: 0x008b },
    gdtr: { base: 0n, limit: 0xffff },
    idtr: { base: 0n, limit: 0x3ff },
    ...{ cr0: CR0_ET, cr2: 0n, cr3: 0n, cr4: 0n, cr8: 0n, efer: 0n },
  };
}

/** 64-bit mode at `rip` with the page tables whose top level is at `pml4Gpa`. */
export function enterLong64(
  ram: GuestRam,
  gdtGpa: number,
  pml4Gpa: number,
  rip: number,
  gprs: EntryGprs,
): CpuState {
  return {
    ...flatState(ram, gdtGpa, CODE_64, rip, gprs),
    cr0: CR0_PG | CR0_PE | CR0_ET,
    cr3: BigInt(pml4Gpa),
    cr4: CR4_PAE,
    efer: EFER_LME | EFER_LMA,
  };
}

const PAGE_TABLE_BYTES = 4096;
const PAGE_PRESENT_WRITABLE = 0x3;
const PAGE_LARGE = 0x80;
const LARGE_PAGE_BYTES = 2 << 20;
const MAPPED_GIB = 4;

/** PML4, PDPT and one page directory per GiB. */
export const IDENTITY_TABLES_BYTES = (2 + MAPPED_GIB) * PAGE_TABLE_BYTES;

/** Maps the first 4 GiB onto themselves with 2 MiB pages, in tables at `tablesGpa` (4 KiB aligned); SDM 3A 4.5. */
export function writeIdentityTables(ram: GuestRam, tablesGpa: number): void {
  const pdptGpa = tablesGpa + PAGE_TABLE_BYTES;
  const directoriesGpa = pdptGpa + PAGE_TABLE_BYTES;
  ram.fill(tablesGpa, IDENTITY_TABLES_BYTES, 0);
  ram.writeU64(tablesGpa, BigInt(pdptGpa | PAGE_PRESENT_WRITABLE));
  for (let gib = 0; gib < MAPPED_GIB; gib++) {
    ram.writeU64(
      pdptGpa + gib * 8,
      BigInt((directoriesGpa + gib * PAGE_TABLE_BYTES) | PAGE_PRESENT_WRITABLE),
    );
  }
  for (let page = 0; page < MAPPED_GIB * 512; page++) {
    ram.writeU64(
      directoriesGpa + page * 8,
      BigInt(page * LARGE_PAGE_BYTES + (PAGE_PRESENT_WRITABLE | PAGE_LARGE)),
    );
  }
}
