// The TLBs of data accesses: filling, pages that share a place, SMAP's window, flushes. SDM 3A 4.10.
import * as L from "../layout";
import {
  S,
  get32,
  get64,
  set32,
  set64,
  charge,
  COST_CR3_LOAD,
  COST_LOGGED_ENTRY,
  COST_TLB_FLUSH,
  COST_TLB_SCAN,
} from "./state";
import * as C from "./control-bits";
import { isWatchedPage } from "./debug";
import { flushJumpCache, flushJumpCacheNonGlobal, flushJumpCachePage } from "./jump-cache";
import {
  HUGE_PAGES,
  LARGE_PAGES,
  LARGE_PAGES_SIZE,
  LEAF_DIRTY,
  LEAF_GLOBAL,
  LEAF_KEPT,
  LEAF_USER,
  LEAF_WRITABLE,
  NO_ADDRESS,
  leaf,
} from "./paging";

// In the gap between the state block and the jump cache, behind what paging.ts keeps there.
/** Number of fills of non-global pages in the log since the last flush; above FILL_LOG_MAX the log is useless. */
const FILL_COUNT = 0x1204;
/** Number of user pages in the kernel TLBs while RFLAGS.AC suspends SMAP; above WINDOW_LOG_MAX the log is useless. */
const WINDOW_COUNT = 0x1208;
/** Of each: offset of the read entry from S. */
const WINDOW_LOG = 0x1280;
const WINDOW_LOG_MAX: u32 = 96;
/** 1 when a victim is kept. */
const HAS_VICTIMS = 0x120c;
/** Of each: offset of the read entry from S. What a CR3 load has to drop, without scanning four TLBs. */
const FILL_LOG = 0x1400;
const FILL_LOG_MAX: u32 = 4096;

const WRITE_TLB_FROM_READ = L.TLB_KERNEL_WRITE - L.TLB_KERNEL_READ;

const VICTIM_SHIFT = 5;
const VICTIM_WRITE: u32 = 16;
const VICTIMS_MASK: u32 = 15;
/** In no tag that a page has. */
const NO_PAGE: u64 = 1;

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
  const bit = <u32>(va >> 22) & 4095;
  if (load<u8>(S + LARGE_PAGES + (bit >> 3)) & (1 << (bit & 7))) {
    charge(COST_TLB_FLUSH);
    dropVictims();
    // 4 MiB around va are 1024 neighbouring entries of each TLB.
    const start = S + L.TLB_KERNEL_READ + ((<u32>va >>> 8) & 0xc000);
    for (let tlb: u32 = 0; tlb < 4; tlb++) {
      for (let entry = start + tlb * L.TLB_SIZE, i = 0; i < 1024; i++, entry += 16) {
        if (load<u64>(entry) >> 22 == va >> 22) emptyEntry(entry);
      }
    }
    flushJumpCache();
    return;
  }
  const page = va & ~(<u64>0xfff);
  dropFromTlbs(page);
  flushJumpCachePage(page);
}
