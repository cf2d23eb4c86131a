// Paging: linear to guest-physical translation, as SDM 3A chapter 4 has it; tlb.ts keeps what was found.
//
// All four modes (none, 32-bit with PSE and PSE-36, PAE with its PDPTE registers, 4-level with 2 MiB and 1 GiB pages),
// WP, NX, SMEP, SMAP, reserved bits, accessed and dirty bits, global pages, the A20 gate. Memory types (PAT, PCD, PWT)
// are accepted and have no effect. Translations are cached for the current PCID only: loading another one drops them.
// Deliberately missing: 5-level paging, protection keys; neither is advertised.
//
// Nothing exists at guest-physical 4 GiB and above: reads there give all ones, writes vanish.
import * as L from "../layout";
import {
  S,
  get32,
  get64,
  set32,
  set64,
  raiseWithError,
  VECTOR_GP,
  VECTOR_PF,
} from "./state";
import { MEMORY_SIZE } from "./host";
import { DEVICE, isMemory, isWritable, placeToRead, placeToWrite } from "./memory-slots";
import * as C from "./control-bits";
import { cpuidEdx } from "./cpuid";
import { updateMode } from "./mode";
import { flushTlb } from "./tlb";

export const ACCESS_READ: u32 = 0;
export const ACCESS_WRITE: u32 = 1;
export const ACCESS_EXECUTE: u32 = 2;

/** What translate() returns when a fault is pending. */
export const NO_ADDRESS: u32 = 0xffffffff;
/** What walk() returns when a fault is pending. */
export const WALK_FAULT: u64 = 0xffffffffffffffff;
/** What one attempt of walk() returns when an entry has changed under it. */
const WALK_AGAIN: u64 = 0xfffffffffffffffe;
/** MAXPHYADDR: physical-address bits at and above this one are reserved in paging entries. CPUID says the same. */
export const PHYSICAL_ADDRESS_BITS = 40;
/** A page that no machine populates; code fetched from 4 GiB or above is fetched from here. */
const VOID_PAGE: u32 = 0xff7ff000;

const ENTRY_P: u64 = 1;
const ENTRY_W: u64 = 2;
const ENTRY_U: u64 = 4;
const ENTRY_A: u64 = 1 << 5;
const ENTRY_D: u64 = 1 << 6;
const ENTRY_PS: u64 = 1 << 7;
const ENTRY_G: u64 = 1 << 8;
const ENTRY_NX: u64 = 1 << 63;
const ENTRY_ADDRESS: u64 = 0x000ffffffffff000;
/** Bits MAXPHYADDR–51. */
const ENTRY_ADDRESS_RESERVED: u64 = 0x000fff0000000000;

const ERROR_P: u32 = 1;
const ERROR_W: u32 = 2;
const ERROR_U: u32 = 4;
const ERROR_RESERVED: u32 = 8;
const ERROR_FETCH: u32 = 16;

// What the page of a walk is.
export const LEAF_GLOBAL: u32 = 1;
const LEAF_LARGE: u32 = 2;
export const LEAF_WRITABLE: u32 = 4;
export const LEAF_USER: u32 = 8;
export const LEAF_DIRTY: u32 = 16;
/** What of it flushes ask for: the last word of an entry of the TLBs. */
export const LEAF_KEPT: u32 = LEAF_GLOBAL | LEAF_LARGE;
/** What the last successful walk() found: LEAF_* bits of the page, writable for whom it was asked. */
export let leaf: u32 = 0;

// In the gap between the state block and the jump cache, where the TLBs keep their books too (tlb.ts).
/** Bitmap of 4096 bits: bit (va >> 22) & 4095 is set when a fragment of a large page around va may be cached. */
export const LARGE_PAGES = 0x1000;
export const LARGE_PAGES_SIZE = 512;
/** 1 when a fragment of a 1 GiB page may be cached: then INVLPG flushes everything. */
export const HUGE_PAGES = 0x1200;
/** PAE paging's page-directory-pointer entries: four u64 that loading CR3 reads from memory (SDM 3A 4.4.1). */
const PAE_POINTERS = 0x1220;

// ---- The walk ---------------------------------------------------------------------------------------------------

function pageFault(gva: u64, access: u32, user: u32, error: u32): u64 {
  if (access == ACCESS_WRITE) error |= ERROR_W;
  if (user) error |= ERROR_U;
  if (access == ACCESS_EXECUTE) {
    const cr4 = get64(L.CR4);
    if (((cr4 & C.CR4_PAE) != 0 && (get64(L.EFER) & C.EFER_NXE) != 0) || (cr4 & C.CR4_SMEP) != 0) {
      error |= ERROR_FETCH;
    }
  }
  set64(L.FAULT_ADDRESS, gva);
  raiseWithError(VECTOR_PF, error);
  return WALK_FAULT;
}

/** What the A20 gate leaves of a physical address: bit 20 is clear in it while the gate is closed. */
let addressMask: u64 = 0xffffffffffffffff;

@inline
export function isA20Open(): bool {
  return addressMask == 0xffffffffffffffff;
}

/** The level of the A20M# pin; nothing that was found under another one is kept. */
export function setA20(isOpen: u32): void {
  const mask: u64 = isOpen ? 0xffffffffffffffff : ~(<u64>1 << 20);
  if (mask == addressMask) return;
  addressMask = mask;
  flushTlb();
  updateMode();
}

/** An entry of a paging structure; beyond RAM nothing answers, which reads as ones. */
@inline
function readEntry64(gpa: u64): u64 {
  const place = placeToRead(gpa & addressMask);
  return isMemory(place) ? load<u64>(L.RAM_BASE + <u32>place) : <u64>-1;
}

@inline
function readEntry32(gpa: u32): u32 {
  const place = placeToRead(<u64>gpa & addressMask);
  return isMemory(place) ? load<u32>(L.RAM_BASE + <u32>place) : <u32>-1;
}

/**
 * Sets accessed or dirty bits in an entry that was read as `entry`; false if it is another one by now (a second
 * processor works on the same tables), and the walk has to begin again.
 */
function markEntry64(gpa: u64, entry: u64, bits: u64): bool {
  const place = placeToWrite(gpa & addressMask);
  if (!isMemory(place)) return true;
  return atomic.cmpxchg<u64>(L.RAM_BASE + <u32>place, entry, entry | bits) == entry;
}

function markEntry32(gpa: u32, entry: u32, bits: u32): bool {
  const place = placeToWrite(<u64>gpa & addressMask);
  if (!isMemory(place)) return true;
  return atomic.cmpxchg<u32>(L.RAM_BASE + <u32>place, entry, entry | bits) == entry;
}

/** Whether a page whose entries' rights combine to `rights` (ENTRY_W, ENTRY_U, ENTRY_NX set = denied) may be accessed. */
function permitted(rights: u64, access: u32, user: u32, implicit: bool): bool {
  if (access == ACCESS_EXECUTE && (rights & ENTRY_NX) != 0) return false;
  if (user) {
    if (!(rights & ENTRY_U)) return false;
    return access != ACCESS_WRITE || (rights & ENTRY_W) != 0;
  }
  if (rights & ENTRY_U) {
    const cr4 = get64(L.CR4);
    if (access == ACCESS_EXECUTE) {
      if (cr4 & C.CR4_SMEP) return false;
    } else if (cr4 & C.CR4_SMAP) {
      if (implicit || !(get32(L.RFLAGS_REST) & C.FLAG_AC)) return false;
    }
  }
  return access != ACCESS_WRITE || (rights & ENTRY_W) != 0 || !(get64(L.CR0) & C.CR0_WP);
}

/** The page of the last successful walk keeps its translation when CR3 is loaded. */
export function lastPageIsGlobal(): bool {
  return (leaf & LEAF_GLOBAL) != 0;
}

/** The bits an access wants set in a leaf entry. */
@inline
function wantedBits(access: u32): u64 {
  return access == ACCESS_WRITE ? ENTRY_A | ENTRY_D : ENTRY_A;
}

/** Describes the page of a leaf entry in `leaf`. */
function describeLeaf(entry: u64, rights: u64, access: u32, user: u32, large: bool): void {
  let found: u32 = 0;
  if (rights & ENTRY_W || (!user && !(get64(L.CR0) & C.CR0_WP))) found |= LEAF_WRITABLE;
  if (rights & ENTRY_U) found |= LEAF_USER;
  if ((entry | wantedBits(access)) & ENTRY_D) found |= LEAF_DIRTY;
  if (entry & ENTRY_G && get64(L.CR4) & C.CR4_PGE) found |= LEAF_GLOBAL;
  if (large) found |= LEAF_LARGE;
  leaf = found;
}

function noteLargePage(gva: u64): void {
  const bit = <u32>(gva >> 22) & 4095;
  const word = S + LARGE_PAGES + (bit >> 3);
  store<u8>(word, load<u8>(word) | (<u8>1 << <u8>(bit & 7)));
}

function walk32(gva: u32, access: u32, user: u32, implicit: bool): u64 {
  const wanted = <u32>wantedBits(access);
  const directoryEntryGpa = (get32(L.CR3) & 0xfffff000) + ((gva >> 22) << 2);
  const directoryEntry = readEntry32(directoryEntryGpa);
  if (!(directoryEntry & 1)) return pageFault(gva, access, user, 0);
  if (directoryEntry & <u32>ENTRY_PS && get64(L.CR4) & C.CR4_PSE) {
    // PSE-36: bits 13–20 are bits 32–39 of the address, and with 40 of those bit 21 alone is reserved.
    if (directoryEntry & 0x200000) return pageFault(gva, access, user, ERROR_P | ERROR_RESERVED);
    if (!permitted(directoryEntry & 6, access, user, implicit)) return pageFault(gva, access, user, ERROR_P);
    if ((directoryEntry & wanted) != wanted && !markEntry32(directoryEntryGpa, directoryEntry, wanted)) return WALK_AGAIN;
    describeLeaf(directoryEntry, directoryEntry & 6, access, user, true);
    noteLargePage(gva);
    const high = <u64>((directoryEntry >> 13) & 0xff) << 32;
    return high | (directoryEntry & 0xffc00000) | (gva & 0x003fffff);
  }
  if (!(directoryEntry & <u32>ENTRY_A) && !markEntry32(directoryEntryGpa, directoryEntry, <u32>ENTRY_A)) return WALK_AGAIN;
  const entryGpa = (directoryEntry & 0xfffff000) + (((gva >> 12) & 0x3ff) << 2);
  const entry = readEntry32(entryGpa);
  if (!(entry & 1)) return pageFault(gva, access, user, 0);
  const rights = directoryEntry & entry & 6;
  if (!permitted(rights, access, user, implicit)) return pageFault(gva, access, user, ERROR_P);
  if ((entry & wanted) != wanted && !markEntry32(entryGpa, entry, wanted)) return WALK_AGAIN;
  describeLeaf(entry, rights, access, user, false);
  return (entry & 0xfffff000) | (gva & 0xfff);
}

/** CPUID says whether entries of the third level may map 1 GiB; without it their PS bit is reserved. */
function hasHugePages(): bool {
  return (cpuidEdx(0x80000001) & (1 << 26)) != 0;
}

/** PAE and 4-level paging from the table at `table` that bits `shift` and up index. */
function walk64(gva: u64, table: u64, shift: u32, access: u32, user: u32, implicit: bool): u64 {
  const nxDefined = (get64(L.EFER) & C.EFER_NXE) != 0;
  const reserved = nxDefined ? ENTRY_ADDRESS_RESERVED : ENTRY_ADDRESS_RESERVED | ENTRY_NX;
  // In PAE mode bits 52–62 are reserved, with 4-level paging ignored.
  const reservedHigh: u64 = get64(L.EFER) & C.EFER_LMA ? 0 : 0x7ff0000000000000;
  let rights: u64 = ENTRY_W | ENTRY_U;
  while (true) {
    const entryGpa = table + (((gva >> shift) & 0x1ff) << 3);
    const entry = readEntry64(entryGpa);
    if (!(entry & ENTRY_P)) return pageFault(gva, access, user, 0);
    let forbidden = reserved | reservedHigh;
    const large = shift > 12 && (entry & ENTRY_PS) != 0;
    if (large) {
      if (shift == 39 || (shift == 30 && !hasHugePages())) forbidden |= ENTRY_PS;
      // Between the PAT bit and the page's first address bit.
      else forbidden |= ((<u64>1 << shift) - 1) & ~(<u64>0x1fff);
    }
    if (entry & forbidden) return pageFault(gva, access, user, ERROR_P | ERROR_RESERVED);
    // NX adds up, W and U have to be granted at each level.
    rights = (rights & entry & (ENTRY_W | ENTRY_U)) | ((rights | entry) & ENTRY_NX);
    if (large || shift == 12) {
      if (!permitted(rights, access, user, implicit)) return pageFault(gva, access, user, ERROR_P);
      const wanted = wantedBits(access);
      if ((entry & wanted) != wanted && !markEntry64(entryGpa, entry, wanted)) return WALK_AGAIN;
      describeLeaf(entry, rights, access, user, large);
      if (large) {
        if (shift == 30) set32(HUGE_PAGES, 1);
        else noteLargePage(gva);
      }
      const inPage = (<u64>1 << shift) - 1;
      return (entry & ENTRY_ADDRESS & ~inPage) | (gva & inPage);
    }
    if (!(entry & ENTRY_A) && !markEntry64(entryGpa, entry, ENTRY_A)) return WALK_AGAIN;
    table = entry & ENTRY_ADDRESS;
    shift -= 9;
  }
}

/** Bits that a present PAE page-directory-pointer entry must not have. */
const PAE_POINTER_RESERVED: u64 = 0xffffff00000001e6;

/** PAE: the page-directory-pointer entry has no rights and no accessed bit. */
function walkPae(gva: u32, access: u32, user: u32, implicit: bool): u64 {
  const pointer = get64(PAE_POINTERS + ((gva >> 30) << 3));
  if (!(pointer & ENTRY_P)) return pageFault(gva, access, user, 0);
  return walk64(gva, pointer & ENTRY_ADDRESS, 21, access, user, implicit);
}

/**
 * PAE paging takes its page-directory-pointer entries from memory when CR3 is loaded and when paging begins; false
 * (#GP, and nothing changes) if a present one has reserved bits.
 */
export function loadPaePointers(cr3: u64): bool {
  const table: u64 = <u32>cr3 & 0xffffffe0;
  for (let i: u32 = 0; i < 4; i++) {
    const entry = readEntry64(table + i * 8);
    if (entry & ENTRY_P && entry & PAE_POINTER_RESERVED) return false;
  }
  for (let i: u32 = 0; i < 4; i++) set64(PAE_POINTERS + i * 8, readEntry64(table + i * 8));
  return true;
}

@inline
export function usesPaePointers(): bool {
  return (get64(L.CR0) & C.CR0_PG) != 0 && (get64(L.CR4) & C.CR4_PAE) != 0 && !(get64(L.EFER) & C.EFER_LMA);
}

/** The host has set the control registers: what they bring along is read from memory. */
export function pagingRestored(): void {
  if (usesPaePointers()) loadPaePointers(get64(L.CR3));
}

@inline
export function isCanonical(gva: u64): bool {
  return <i64>(gva << 16) >> 16 == <i64>gva;
}

/**
 * Where a linear address leads (memory-slots.ts), or WALK_FAULT with #PF, or #GP for one that is not canonical, pending.
 * `implicit`: the processor's own access to a descriptor table or TSS.
 */
export function walk(gva: u64, access: u32, user: u32, implicit: bool): u64 {
  let gpa: u64;
  if (get64(L.EFER) & C.EFER_LMA) {
    if (!isCanonical(gva)) {
      raiseWithError(VECTOR_GP, 0);
      return WALK_FAULT;
    }
    do gpa = walk64(gva, get64(L.CR3) & ENTRY_ADDRESS, 39, access, user, implicit);
    while (gpa == WALK_AGAIN);
  } else if (!(get64(L.CR0) & C.CR0_PG)) {
    leaf = LEAF_WRITABLE | LEAF_USER | LEAF_DIRTY;
    gpa = gva & 0xffffffff;
  } else if (get64(L.CR4) & C.CR4_PAE) {
    do gpa = walkPae(<u32>gva, access, user, implicit);
    while (gpa == WALK_AGAIN);
  } else {
    do gpa = walk32(<u32>gva, access, user, implicit);
    while (gpa == WALK_AGAIN);
  }
  if (gpa == WALK_FAULT) return gpa;
  gpa &= addressMask;
  if (access == ACCESS_WRITE) return placeToWrite(gpa);
  if (!isWritable(gpa)) leaf &= ~LEAF_WRITABLE;
  return placeToRead(gpa);
}

/**
 * Where code of a linear address lies: in memory, or above it the guest-physical address of a device, or NO_ADDRESS with a
 * fault pending. Devices whose addresses are those of a slot's memory hold no code that could be executed.
 */
export function translate(gva: u64, access: u32, user: u32): u32 {
  const place = walk(gva, access, user, false);
  if (place == WALK_FAULT) return NO_ADDRESS;
  if (isMemory(place)) return <u32>place;
  const gpa = place & ~DEVICE;
  return gpa >> 32 || gpa < <u64>MEMORY_SIZE ? VOID_PAGE | (<u32>gpa & 0xfff) : <u32>gpa;
}
