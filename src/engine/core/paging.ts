// Paging: linear to guest-physical translation and the TLBs. Follows SDM 3A chapter 4 (paging), 4.10 (caching).
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
  charge,
  COST_CR3_LOAD,
  COST_LOGGED_ENTRY,
  COST_TLB_FLUSH,
  COST_TLB_SCAN,
  VECTOR_GP,
  VECTOR_PF,
} from "./state";
import { MEMORY_SIZE } from "./host";
import { DEVICE, isMemory, isWritable, placeToRead, placeToWrite } from "./memory-slots";
import * as C from "./control-bits";
import { cpuidEdx } from "./cpuid";
import { isWatchedPage } from "./debug";
import { flushJumpCache, flushJumpCacheNonGlobal, flushJumpCachePage } from "./jump-cache";
import { updateMode } from "./mode";

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

// A TLB entry's last word says what its page is; leaf uses the same bits and some more.
const LEAF_GLOBAL: u32 = 1;
const LEAF_LARGE: u32 = 2;
const LEAF_WRITABLE: u32 = 4;
const LEAF_USER: u32 = 8;
const LEAF_DIRTY: u32 = 16;
const LEAF_KEPT: u32 = LEAF_GLOBAL | LEAF_LARGE;
/** What the last successful walk() found: LEAF_* bits of the page, writable for whom it was asked. */
let leaf: u32 = 0;

// Bookkeeping of the TLBs, in the gap between the state block and the jump cache.
/** Bitmap of 4096 bits: bit (va >> 22) & 4095 is set when a fragment of a large page around va may be cached. */
const LARGE_PAGES = 0x1000;
const LARGE_PAGES_SIZE = 512;
/** 1 when a fragment of a 1 GiB page may be cached: then INVLPG flushes everything. */
const HUGE_PAGES = 0x1200;
/** Number of fills of non-global pages in the log since the last flush; above FILL_LOG_MAX the log is useless. */
const FILL_COUNT = 0x1204;
/** Number of user pages in the kernel TLBs while RFLAGS.AC suspends SMAP; above WINDOW_LOG_MAX the log is useless. */
const WINDOW_COUNT = 0x1208;
/** Of each: offset of the read entry from S. */
const WINDOW_LOG = 0x1280;
const WINDOW_LOG_MAX: u32 = 96;
/** 1 when a victim is kept. */
const HAS_VICTIMS = 0x120c;
/** PAE paging's page-directory-pointer entries: four u64 that loading CR3 reads from memory (SDM 3A 4.4.1). */
const PAE_POINTERS = 0x1220;
/** Of each: offset of the read entry from S. What a CR3 load has to drop, without scanning four TLBs. */
const FILL_LOG = 0x1400;
const FILL_LOG_MAX: u32 = 4096;

const WRITE_TLB_FROM_READ = L.TLB_KERNEL_WRITE - L.TLB_KERNEL_READ;

const VICTIM_SHIFT = 5;
const VICTIM_WRITE: u32 = 16;
const VICTIMS_MASK: u32 = 15;
/** In no tag that a page has. */
const NO_PAGE: u64 = 1;

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

// ---- The TLBs ---------------------------------------------------------------------------------------------------

/** Makes an entry's tag that of a page which belongs elsewhere, so that no address finds it here (layout.ts). */
@inline
function emptyEntry(entry: u32): void {
  store<u64>(entry, ~(<u64>entry << 8));
}

/** The tag -1 would fit the last entry. */
function emptyTlb(tlb: u32): void {
  memory.fill(S + tlb, 0xff, L.TLB_SIZE);
  emptyEntry(S + tlb + L.TLB_SIZE - 16);
}

/** Enters the page of the last walk(), which gave gpa for va, if later accesses may skip the walk and its checks. */
export function fillTlb(va: u64, gpa: u32, user: u32): void {
  const found = leaf;
  const page = va & ~(<u64>0xfff);
  if (get32(L.DEBUG_ARMED) & L.ARMED_DATA && isWatchedPage(page)) return;
  const gpaPage = gpa & 0xfffff000;
  const addend = L.RAM_BASE + gpaPage - <u32>page;
  const index = (<u32>page >>> 8) & L.TLB_INDEX_MASK;
  const offset = (user ? L.TLB_USER_READ : L.TLB_KERNEL_READ) + index;
  const entry = S + offset;
  if (user) {
    if (get32(L.ALIGNMENT_CHECKED) != 0) return;
    set32(L.USER_TLBS_FILLED, 1);
  }
  // The walk has allowed it because RFLAGS.AC is set: it may stay until that is cleared.
  const passing = !user && (found & LEAF_USER) != 0 && isSmapOn();
  if (passing) noteWindowPage(offset);
  keepVictim(entry, page, user);
  store<u64>(entry, page);
  store<u32>(entry, addend, 8);
  store<u32>(entry, found & LEAF_KEPT, 12);
  // Without the dirty bit the first write has to walk; a write to a page of code has to be noticed.
  const writable = (found & (LEAF_WRITABLE | LEAF_DIRTY)) == (LEAF_WRITABLE | LEAF_DIRTY);
  if (writable && load<u64>(L.PAGE_CODE_BITMAP + ((gpaPage >> 12) << 3)) == 0) {
    store<u64>(entry, page, WRITE_TLB_FROM_READ);
    store<u32>(entry, addend, WRITE_TLB_FROM_READ + 8);
    store<u32>(entry, found & LEAF_KEPT, WRITE_TLB_FROM_READ + 12);
    const byte = writableByte(gpaPage);
    store<u8>(byte, load<u8>(byte) | writableBit(gpaPage));
  } else {
    emptyEntry(entry + WRITE_TLB_FROM_READ);
  }
  if (!(found & LEAF_GLOBAL) && !passing) {
    const count = get32(FILL_COUNT);
    if (count < FILL_LOG_MAX) store<u32>(S + FILL_LOG + (count << 2), offset);
    set32(FILL_COUNT, count + 1);
  }
  set64(L.STAT_TLB_FILLS, get64(L.STAT_TLB_FILLS) + 1);
}

// Pages whose addresses agree in bits 12 to 23 have one place in a TLB, and two that are used in turn would each be walked
// for every time. What has to make room is therefore kept as a victim, and changes places when it is asked for. Whatever
// drops an entry of the TLBs drops all victims.

@inline
function victimOf(page: u64, user: u32): u32 {
  const hash = <u32>(page >> 12) ^ <u32>(page >> 24) ^ <u32>(page >> 36);
  return S + L.TLB_VICTIMS + (((hash & VICTIMS_MASK) | (user ? VICTIMS_MASK + 1 : 0)) << VICTIM_SHIFT);
}

/** The pair at `entry` makes room for that of `page`. */
@inline
function keepVictim(entry: u32, page: u64, user: u32): void {
  const old = load<u64>(entry);
  if (old == page || (old & 0xfff) != 0) return;
  const victim = victimOf(old, user);
  v128.store(victim, v128.load(entry));
  v128.store(victim + VICTIM_WRITE, v128.load(entry + WRITE_TLB_FROM_READ));
  set32(HAS_VICTIMS, 1);
}

/** Host address of an access within one page if its entries are kept as a victim, which comes back; else NO_ADDRESS. */
export function recallVictim(va: u64, user: u32, write: bool): u32 {
  if (get32(HAS_VICTIMS) == 0) return NO_ADDRESS;
  const page = va & ~(<u64>0xfff);
  const victim = victimOf(page, user);
  if (load<u64>(victim + (write ? VICTIM_WRITE : 0)) != page) return NO_ADDRESS;
  const read = v128.load(victim);
  const written = v128.load(victim + VICTIM_WRITE);
  store<u64>(victim, NO_PAGE);
  store<u64>(victim + VICTIM_WRITE, NO_PAGE);
  const entry =
    S + (user ? L.TLB_USER_READ : L.TLB_KERNEL_READ) + ((<u32>page >>> 8) & L.TLB_INDEX_MASK);
  keepVictim(entry, page, user);
  v128.store(entry, read);
  v128.store(entry + WRITE_TLB_FROM_READ, written);
  return load<u32>(entry, 8) + <u32>va;
}

@inline
function dropVictims(): void {
  if (get32(HAS_VICTIMS) != 0) emptyVictims();
}

function emptyVictims(): void {
  set32(HAS_VICTIMS, 0);
  const end = S + L.TLB_VICTIMS + L.TLB_VICTIMS_SIZE;
  for (let tag = S + L.TLB_VICTIMS; tag < end; tag += VICTIM_WRITE) store<u64>(tag, NO_PAGE);
}

@inline
function writableByte(gpa: u32): u32 {
  return S + L.WRITABLE_PAGES + ((gpa >>> (L.PAGE_SHIFT + 3)) & (L.WRITABLE_PAGES_SIZE - 1));
}

@inline
function writableBit(gpa: u32): u32 {
  return 1 << ((gpa >>> L.PAGE_SHIFT) & 7);
}

/** The page gets its first translated code: no write TLB may lead to it. Programs are as a rule read, not written. */
export function takeFromWriteTlbs(gpa: u32): void {
  if ((load<u8>(writableByte(gpa)) & writableBit(gpa)) == 0) return;
  dropVictims();
  emptyTlb(L.TLB_KERNEL_WRITE);
  emptyTlb(L.TLB_USER_WRITE);
  memory.fill(S + L.WRITABLE_PAGES, 0, L.WRITABLE_PAGES_SIZE);
}

// While RFLAGS.AC is set SMAP lets the supervisor at user pages: they enter the kernel's TLBs then and leave them, by a
// log, when AC is cleared. Kernels open this window for a few accesses at a time, so it must cost no flush; and what
// it is opened for is as a rule in the user TLBs, whose entries say that user and therefore supervisor may.

@inline
function isSmapOn(): bool {
  return (get64(L.CR4) & C.CR4_SMAP) != 0;
}

/** Pages of the user may be in the kernel's TLBs: an implicit access of the processor must not find them there. */
@inline
export function isWindowInUse(): bool {
  return get32(WINDOW_COUNT) != 0;
}

function noteWindowPage(offset: u32): void {
  const count = get32(WINDOW_COUNT);
  if (count < WINDOW_LOG_MAX) store<u32>(S + WINDOW_LOG + (count << 2), offset);
  set32(WINDOW_COUNT, count + 1);
}

/** RFLAGS.AC has been cleared. */
export function closeWindow(): void {
  const count = get32(WINDOW_COUNT);
  if (count == 0) return;
  dropVictims();
  set32(WINDOW_COUNT, 0);
  if (count > WINDOW_LOG_MAX) {
    emptyTlb(L.TLB_KERNEL_READ);
    emptyTlb(L.TLB_KERNEL_WRITE);
    charge(COST_TLB_FLUSH);
    return;
  }
  for (let i: u32 = 0; i < count; i++) {
    const entry = S + load<u32>(S + WINDOW_LOG + (i << 2));
    emptyEntry(entry);
    emptyEntry(entry + WRITE_TLB_FROM_READ);
  }
}

/**
 * Host address of a supervisor's explicit access within one page that missed the kernel's TLB, if SMAP is on, AC set
 * and the page in the user TLB for such accesses, which is then taken over; else NO_ADDRESS.
 */
export function throughWindow(va: u64, write: bool): u32 {
  if (!isSmapOn() || !(get32(L.RFLAGS_REST) & C.FLAG_AC)) return NO_ADDRESS;
  const index = (<u32>va >>> 8) & L.TLB_INDEX_MASK;
  const page = va & ~(<u64>0xfff);
  const userEntry = S + L.TLB_USER_READ + index;
  if (load<u64>(userEntry) != page) return NO_ADDRESS;
  const writeTag = load<u64>(userEntry, WRITE_TLB_FROM_READ);
  if (write && writeTag != page) return NO_ADDRESS;
  const offset = L.TLB_KERNEL_READ + index;
  noteWindowPage(offset);
  v128.store(S + offset, v128.load(userEntry));
  if (writeTag == page) v128.store(S + offset, v128.load(userEntry, WRITE_TLB_FROM_READ), WRITE_TLB_FROM_READ);
  else emptyEntry(S + offset + WRITE_TLB_FROM_READ);
  return load<u32>(userEntry, 8) + <u32>va;
}

// ---- Flushes ----------------------------------------------------------------------------------------------------

/** Drops everything, global pages too. */
export function flushTlb(): void {
  emptyVictims();
  emptyTlb(L.TLB_KERNEL_READ);
  emptyTlb(L.TLB_KERNEL_WRITE);
  emptyTlb(L.TLB_USER_READ);
  emptyTlb(L.TLB_USER_WRITE);
  memory.fill(S + L.WRITABLE_PAGES, 0, L.WRITABLE_PAGES_SIZE);
  memory.fill(S + LARGE_PAGES, 0, LARGE_PAGES_SIZE);
  set32(HUGE_PAGES, 0);
  set32(FILL_COUNT, 0);
  set32(WINDOW_COUNT, 0);
  charge(COST_TLB_FLUSH);
  flushJumpCache();
  set64(L.STAT_TLB_FLUSHES, get64(L.STAT_TLB_FLUSHES) + 1);
}

/** What loading CR3 does. */
export function flushTlbNonGlobal(): void {
  dropVictims();
  closeWindow();
  if (!(get64(L.CR4) & C.CR4_PGE)) {
    // No entry is global: dropping all is right, and needs the log only to be quick.
    const filled = get32(FILL_COUNT);
    if (filled > 256) return flushTlb();
  }
  const count = get32(FILL_COUNT);
  charge(count <= FILL_LOG_MAX ? COST_CR3_LOAD + <i32>count * COST_LOGGED_ENTRY : COST_TLB_SCAN);
  if (count <= FILL_LOG_MAX) {
    for (let i: u32 = 0; i < count; i++) {
      const entry = S + load<u32>(S + FILL_LOG + (i << 2));
      // A global page may have taken the place since: dropping it costs a walk, nothing else.
      emptyEntry(entry);
      emptyEntry(entry + WRITE_TLB_FROM_READ);
    }
  } else {
    const end = S + L.TLB_KERNEL_READ + 4 * L.TLB_SIZE;
    for (let entry = S + L.TLB_KERNEL_READ; entry < end; entry += 16) {
      if (!(load<u32>(entry, 12) & LEAF_GLOBAL)) emptyEntry(entry);
    }
  }
  set32(FILL_COUNT, 0);
  flushJumpCacheNonGlobal();
  set64(L.STAT_TLB_FLUSHES, get64(L.STAT_TLB_FLUSHES) + 1);
}

/** Empties the user TLBs. */
export function dropUserTlbs(): void {
  if (get32(L.USER_TLBS_FILLED) == 0) return;
  set32(L.USER_TLBS_FILLED, 0);
  dropVictims();
  emptyTlb(L.TLB_USER_READ);
  emptyTlb(L.TLB_USER_WRITE);
}

/** Drops the data TLBs' entries of a page; its translation and the code in it stay. */
export function dropFromTlbs(page: u64): void {
  dropVictims();
  for (let tlb: u32 = 0; tlb < 4; tlb++) {
    const entry = S + L.TLB_KERNEL_READ + tlb * L.TLB_SIZE + ((<u32>page >>> 8) & L.TLB_INDEX_MASK);
    if (load<u64>(entry) == page) emptyEntry(entry);
  }
}

/** INVLPG: drops the page that holds va, the whole of it if it is large, global or not. */
export function invalidatePage(va: u64): void {
  if (get32(HUGE_PAGES)) return flushTlb();
  dropVictims();
  const bit = <u32>(va >> 22) & 4095;
  const first = S + L.TLB_KERNEL_READ;
  if (load<u8>(S + LARGE_PAGES + (bit >> 3)) & (1 << (bit & 7))) {
    charge(COST_TLB_FLUSH);
    // 4 MiB around va are 1024 neighbouring entries of each TLB.
    const start = first + ((<u32>va >>> 8) & 0xc000);
    for (let tlb: u32 = 0; tlb < 4; tlb++) {
      for (let entry = start + tlb * L.TLB_SIZE, i = 0; i < 1024; i++, entry += 16) {
        if (load<u64>(entry) >> 22 == va >> 22) emptyEntry(entry);
      }
    }
    flushJumpCache();
    return;
  }
  const page = va & ~(<u64>0xfff);
  for (let tlb: u32 = 0; tlb < 4; tlb++) {
    const entry = first + tlb * L.TLB_SIZE + ((<u32>va >>> 8) & L.TLB_INDEX_MASK);
    if (load<u64>(entry) == page) emptyEntry(entry);
  }
  flushJumpCachePage(page);
}
