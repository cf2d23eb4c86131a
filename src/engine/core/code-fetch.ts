// Fetching instructions: the linear and guest-physical address of RIP, and a TLB of its own for that. Blocks are found by
// guest-physical address, so each miss of the jump cache needs the translation of RIP's page. SDM 3A 4.10.2.
//
// What else depends on translations of code, the jump cache and regions of several pages, asks here which pages they
// may be: every page in use has been fetched from through this TLB since the last flush that dropped its kind.
import * as L from "../layout";
import { S, get32, get64, set32, raiseWithError, VECTOR_GP } from "./state";
import { MEMORY_SIZE, readMmio } from "./host";
import { ACCESS_EXECUTE, NO_ADDRESS, lastPageIsGlobal, translate } from "./paging";

// Entries { tag u64 = linear page | user, page u32, isGlobal u32 }, direct-mapped by page number.
const COUNT = 2048;
const SHIFT = 4;
const EMPTY: u64 = 0xffffffffffffffff;
/** How many entries of pages that are not global were made since the last flush; above LOG_MAX the log is useless. */
const LOG_COUNT = L.CODE_TLB + (COUNT << SHIFT);
/** Of each: offset of the entry from S. */
const LOG = LOG_COUNT + 4;
const LOG_MAX: u32 = 511;
/** Bitmaps by page number of the pages, global or not, that have been translated since they were last dropped. */
const GLOBAL_PAGES = LOG_COUNT + 0x800;
const OTHER_PAGES = LOG_COUNT + 0x1000;
const PAGES_SIZE = 2048;

/** The page of the last fetch keeps its translation when CR3 is loaded. */
export let codeIsGlobal: bool = false;

@inline
export function linearOf(rip: u64): u64 {
  const linear = rip + get64(L.SEG_BASE + 8 * L.SEG_CS);
  return (get32(L.MODE) & L.MODE_CODE_SIZE) == 2 ? rip : linear & 0xffffffff;
}

@inline
function entryOf(page: u64): u32 {
  return S + L.CODE_TLB + ((<u32>(page >> 12) & (COUNT - 1)) << SHIFT);
}

@inline
function byteOf(page: u64): u32 {
  return (<u32>(page >> 12) & (PAGES_SIZE * 8 - 1)) >>> 3;
}

@inline
function bitOf(page: u64): u32 {
  return 1 << (<u32>(page >> 12) & 7);
}

/** Whether code may have been fetched from this linear page: never wrongly no. */
export function mayBeCode(page: u64): bool {
  const at = S + byteOf(page);
  return ((load<u8>(at, GLOBAL_PAGES) | load<u8>(at, OTHER_PAGES)) & bitOf(page)) != 0;
}

/** Guest-physical address of the code at a linear address, or NO_ADDRESS with a fault pending. */
export function fetchCodeAs(linear: u64, user: u32): u32 {
  const tag = (linear & ~0xfff) | user;
  const entry = entryOf(linear);
  if (load<u64>(entry) == tag) {
    codeIsGlobal = load<u32>(entry, 12) != 0;
    return load<u32>(entry, 8) | (<u32>linear & 0xfff);
  }
  const gpa = translate(linear, ACCESS_EXECUTE, user);
  if (gpa == NO_ADDRESS) return NO_ADDRESS;
  codeIsGlobal = lastPageIsGlobal();
  store<u64>(entry, tag);
  store<u32>(entry, gpa & ~0xfff, 8);
  store<u32>(entry, <u32>codeIsGlobal, 12);
  const noted = S + byteOf(linear) + (codeIsGlobal ? GLOBAL_PAGES : OTHER_PAGES);
  store<u8>(noted, load<u8>(noted) | bitOf(linear));
  if (!codeIsGlobal) {
    const count = get32(LOG_COUNT);
    if (count < LOG_MAX) store<u32>(S + LOG + (count << 2), entry - S);
    set32(LOG_COUNT, count + 1);
  }
  return gpa;
}

/** The same with the rights of CPL. */
export function fetchCode(linear: u64): u32 {
  return fetchCodeAs(linear, get32(L.CPL) == 3 ? 1 : 0);
}

/** translate() for the host and for compiled regions, which ask for the same code pages time and again. */
export function translateQuickly(linear: u64, access: u32, user: u32): u32 {
  return access == ACCESS_EXECUTE ? fetchCodeAs(linear, user) : translate(linear, access, user);
}

/** translateQuickly() of code on a global page; NO_ADDRESS, perhaps without a fault, for any other. */
export function translateGlobal(linear: u64, access: u32, user: u32): u32 {
  const gpa = fetchCodeAs(linear, user);
  return codeIsGlobal ? gpa : NO_ADDRESS;
}

@inline
export function limitOfCode(): u64 {
  return <u64>load<u32>(S + L.SEG + L.SEG_CS * L.SEG_STRIDE + L.SEG_LIMIT);
}

/** Whether the code segment ends before the code at RIP that can be fetched, of which there are so many bytes. */
export function endsAtLimit(rip: u64, bytesInPages: u32): bool {
  return (get32(L.MODE) & L.MODE_CODE_SIZE) != 2 && limitOfCode() - rip < <u64>bytesInPages;
}

/** Guest-physical address of the instruction at RIP, or NO_ADDRESS with a fault pending. */
export function fetchAddress(rip: u64): u32 {
  if ((get32(L.MODE) & L.MODE_CODE_SIZE) != 2 && rip > limitOfCode()) {
    raiseWithError(VECTOR_GP, 0);
    return NO_ADDRESS;
  }
  return fetchCode(linearOf(rip));
}

/**
 * Fetches the instruction at RIP, whose first byte has this guest-physical address, from wherever it lies to S +
 * FETCHED: as many bytes as can be fetched, up to the longest instruction. Bytes behind the first page may be missing
 * for a fault, which is not pending afterwards.
 */
export function fetchBytes(rip: u64, gpa: u32): u32 {
  const inPage: u32 = 0x1000 - (gpa & 0xfff);
  const left = (get32(L.MODE) & L.MODE_CODE_SIZE) == 2 ? <u64>L.FETCHED_SIZE : limitOfCode() - rip + 1;
  const wanted = left < <u64>L.FETCHED_SIZE ? <u32>left : <u32>L.FETCHED_SIZE;
  let second = NO_ADDRESS;
  if (wanted > inPage) {
    second = fetchCode((linearOf(rip) & ~0xfff) + 0x1000);
    if (second == NO_ADDRESS) set32(L.FAULT_VECTOR, L.FAULT_NONE);
  }
  for (let i: u32 = 0; i < wanted; i++) {
    if (i >= inPage && second == NO_ADDRESS) return i;
    const at = i < inPage ? gpa + i : second + i - inPage;
    store<u8>(S + i, at < MEMORY_SIZE ? load<u8>(L.RAM_BASE + at) : <u8>readMmio(at, 1), L.FETCHED);
  }
  return wanted;
}

export function flushCodeTlb(): void {
  memory.fill(S + L.CODE_TLB, 0xff, COUNT << SHIFT);
  memory.fill(S + GLOBAL_PAGES, 0, 2 * PAGES_SIZE);
  set32(LOG_COUNT, 0);
}

export function flushCodeTlbNonGlobal(): void {
  const count = get32(LOG_COUNT);
  set32(LOG_COUNT, 0);
  memory.fill(S + OTHER_PAGES, 0, PAGES_SIZE);
  if (count <= LOG_MAX) {
    // A global page may have taken the place since: dropping it costs a walk, nothing else.
    for (let i: u32 = 0; i < count; i++) store<u64>(S + load<u32>(S + LOG + (i << 2)), EMPTY);
    return;
  }
  const end = S + L.CODE_TLB + (COUNT << SHIFT);
  for (let entry = S + L.CODE_TLB; entry < end; entry += 1 << SHIFT) {
    if (load<u32>(entry, 12) == 0) store<u64>(entry, EMPTY);
  }
}

/** Drops the 4 KiB page at `page`. */
export function flushCodeTlbPage(page: u64): void {
  const entry = entryOf(page);
  if ((load<u64>(entry) & ~0xfff) == page) store<u64>(entry, EMPTY);
}
