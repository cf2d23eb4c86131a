// Guest memory as instructions and the processor itself access it: the slow paths behind the TLBs (page walk, MMIO,
// page-crossing, stores to translated code) and quick inline accessors for helpers. SDM 3A 4, 11.3 and 11.6.
//
// An address-returning function gives the host address of the bytes, or NO_ADDRESS when a fault is pending. Bytes
// of MMIO and of page-crossing values are composed at S + SCRATCH, so they must be loaded before the next access.
// A store function gives 0, or 1 when a fault is pending and nothing has been stored.
//
// While alignment is checked (CR0.AM, RFLAGS.AC, CPL 3), nothing enters the user TLBs, so that every access of a program
// comes here. What is no power of two long counts by its pieces: see limitAlignment().
import * as L from "../layout";
import { S, get32, get64, set32, set64, raiseWithError, VECTOR_AC, VECTOR_GP, VECTOR_SS, charge, COST_DEVICE_ACCESS } from "./state";
import { readMmio, writeMmio } from "./host";
import { DEVICE, isMemory, placeToRead } from "./memory-slots";
import { ACCESS_READ, ACCESS_WRITE, NO_ADDRESS, WALK_FAULT, isCanonical, walk } from "./paging";
import { fillTlb, isWindowInUse, recallVictim, throughWindow } from "./tlb";
import { codeWrite } from "./blocks";
import { EFER_LMA } from "./control-bits";
import { isWatchedPage, watchAccess } from "./debug";

const PAGE_MASK: u64 = 0xfffffffffffff000;

// ---- Pieces of at most one page ---------------------------------------------------------------------------------

@inline
function crossesPage(va: u64, size: u32): bool {
  return (<u32>va & 0xfff) + size > <u32>L.PAGE_SIZE;
}

/** The page after va's; 32-bit linear addresses wrap. */
@inline
function nextPage(va: u64): u64 {
  const next = (va & PAGE_MASK) + L.PAGE_SIZE;
  return next == 0x100000000 && (get32(L.MODE) & L.MODE_CODE_SIZE) != 2 ? 0 : next;
}

function readDevice(gpa: u64, hva: u32, size: u32): void {
  set64(L.STAT_MMIO_ACCESSES, get64(L.STAT_MMIO_ACCESSES) + 1);
  charge(COST_DEVICE_ACCESS);
  const at = <u32>gpa;
  if ((gpa & ~DEVICE) >> 32) {
    memory.fill(hva, 0xff, size);
    return;
  }
  if (size == 4) store<u32>(hva, readMmio(at, 4));
  else if (size == 1) store<u8>(hva, <u8>readMmio(at, 1));
  else if (size == 2) store<u16>(hva, <u16>readMmio(at, 2));
  else if (!(size & 3)) {
    for (let i: u32 = 0; i < size; i += 4) store<u32>(hva + i, readMmio(at + i, 4));
  } else {
    for (let i: u32 = 0; i < size; i++) store<u8>(hva + i, <u8>readMmio(at + i, 1));
  }
}

function writeDevice(gpa: u64, hva: u32, size: u32): void {
  set64(L.STAT_MMIO_ACCESSES, get64(L.STAT_MMIO_ACCESSES) + 1);
  charge(COST_DEVICE_ACCESS);
  if ((gpa & ~DEVICE) >> 32) return;
  const at = <u32>gpa;
  if (size == 4) writeMmio(at, 4, load<u32>(hva));
  else if (size == 1) writeMmio(at, 1, load<u8>(hva));
  else if (size == 2) writeMmio(at, 2, load<u16>(hva));
  else if (!(size & 3)) {
    for (let i: u32 = 0; i < size; i += 4) writeMmio(at + i, 4, load<u32>(hva + i));
  } else {
    for (let i: u32 = 0; i < size; i++) writeMmio(at + i, 1, load<u8>(hva + i));
  }
}

function readPiece(gpa: u64, hva: u32, size: u32): void {
  if (isMemory(gpa)) memory.copy(hva, L.RAM_BASE + <u32>gpa, size);
  else readDevice(gpa, hva, size);
}

/** Where reads go of the address whose writes go to `place`: ROM is read as memory. */
@inline
function seenAt(place: u64): u64 {
  return isMemory(place) ? place : placeToRead(place & ~DEVICE);
}

function writePiece(gpa: u64, hva: u32, size: u32): void {
  if (isMemory(gpa)) memory.copy(L.RAM_BASE + <u32>gpa, hva, size);
  else writeDevice(gpa, hva, size);
}

/** Whether a data breakpoint is enabled: accesses to its page come to the slow paths. */
@inline
function isWatched(): bool {
  return (get32(L.DEBUG_ARMED) & L.ARMED_DATA) != 0;
}

/** A run of bytes that holds watched ones goes element by element. */
@inline
function isWatchedRun(va: u64): bool {
  return isWatched() && isWatchedPage(va & PAGE_MASK);
}

/** The strictest alignment that accesses have to have, less 1. */
let alignmentMask: u32 = 15;

/** What an instruction makes of pieces wants this alignment of none of them exceeded; 16 afterwards. SDM 3A table 6-7. */
export function limitAlignment(bytes: u32): void {
  alignmentMask = bytes - 1;
}

/** #AC(0) for an access that is not aligned. It comes before page faults, but not before #GP(0) for the address. */
function isUnaligned(va: u64, size: u32): bool {
  if ((<u32>va & (size - 1) & alignmentMask) == 0) return false;
  if ((get64(L.EFER) & EFER_LMA) != 0 && !isCanonical(va)) return false;
  raiseWithError(VECTOR_AC, 0);
  return true;
}

/** Whether a store to these bytes, which lie in one page, would change translated code; if so it is dropped now. */
function changesCode(gpa: u64, size: u32): bool {
  if (!isMemory(gpa) || load<u64>(L.PAGE_CODE_BITMAP + ((<u32>gpa >> 12) << 3)) == 0) return false;
  return codeWrite(<u32>gpa, size) != 0;
}

/** The instruction stands alone in its block: nothing that was found out about memory outlives it. */
let isAlone: bool = false;
export function setAlone(alone: bool): void {
  isAlone = alone;
}

/**
 * Whether a store there goes to a chip that shows its memory to loads, as flash does: what it makes of the store may change
 * what they see, and a region keeps where it has found that. Such a store is executed alone.
 */
function mayChangeSlots(place: u64): bool {
  return !isAlone && !isMemory(place) && isMemory(placeToRead(place & ~DEVICE));
}

/** A locked instruction has met another processor's change between its load and its store: it is executed anew. */
export function beginAgain(): u32 {
  return codeChanged();
}

function codeChanged(): u32 {
  set32(L.FAULT_HAS_ERROR, 0);
  set32(L.FAULT_VECTOR, L.FAULT_CODE_CHANGED);
  return 1;
}

// ---- The slow paths ---------------------------------------------------------------------------------------------

// How an access differs from an instruction's ordinary one.
/** By the processor itself to a descriptor table or a TSS: supervisor rights whatever CPL is. */
const IMPLICIT: u32 = 1;
/** No block is being executed, or its last instruction is: changed code is dropped and the store happens. */
const AT_BLOCK_END: u32 = 2;

/** Host address of an explicit access within one page for which no walk is needed, else NO_ADDRESS. */
export function stillKnown(va: u64, user: u32, write: bool): u32 {
  const hva = recallVictim(va, user, write);
  return hva != NO_ADDRESS || user ? hva : throughWindow(va, write);
}

function slowRead(va: u64, size: u32, user: u32, how: u32): u32 {
  if (user && get32(L.ALIGNMENT_CHECKED) != 0 && isUnaligned(va, size)) return NO_ADDRESS;
  const implicit = (how & IMPLICIT) != 0;
  if (!implicit && !crossesPage(va, size)) {
    const hva = stillKnown(va, user, false);
    if (hva != NO_ADDRESS) return hva;
  }
  const gpa = walk(va, ACCESS_READ, user, implicit);
  if (gpa == WALK_FAULT) return NO_ADDRESS;
  const scratch = S + L.SCRATCH;
  if (!crossesPage(va, size)) {
    if (isWatched() && !implicit && watchAccess(va, size, false)) return NO_ADDRESS;
    if (isMemory(gpa)) {
      fillTlb(va, <u32>gpa, user);
      return L.RAM_BASE + <u32>gpa;
    }
    readDevice(gpa, scratch, size);
    return scratch;
  }
  const second = nextPage(va);
  const secondGpa = walk(second, ACCESS_READ, user, implicit);
  if (secondGpa == WALK_FAULT) return NO_ADDRESS;
  if (isWatched() && !implicit && watchAccess(va, size, false)) return NO_ADDRESS;
  const firstSize = L.PAGE_SIZE - (<u32>va & 0xfff);
  readPiece(gpa, scratch, firstSize);
  readPiece(secondGpa, scratch + firstSize, size - firstSize);
  return scratch;
}

/** As slowRead, with a write's faults and with changed code dropped: the store that follows cannot fault. */
function slowReadForWrite(va: u64, size: u32, user: u32): u32 {
  if (user && get32(L.ALIGNMENT_CHECKED) != 0 && isUnaligned(va, size)) return NO_ADDRESS;
  if (!crossesPage(va, size)) {
    const hva = stillKnown(va, user, true);
    if (hva != NO_ADDRESS) return hva;
  }
  const gpa = walk(va, ACCESS_WRITE, user, false);
  if (gpa == WALK_FAULT) return NO_ADDRESS;
  const scratch = S + L.SCRATCH;
  if (!crossesPage(va, size)) {
    if (isWatched() && watchAccess(va, size, true)) return NO_ADDRESS;
    if (isMemory(gpa)) {
      if (changesCode(gpa, size)) {
        codeChanged();
        return NO_ADDRESS;
      }
      fillTlb(va, <u32>gpa, user);
      return L.RAM_BASE + <u32>gpa;
    }
    readPiece(seenAt(gpa), scratch, size);
    return scratch;
  }
  const secondGpa = walk(nextPage(va), ACCESS_WRITE, user, false);
  if (secondGpa == WALK_FAULT) return NO_ADDRESS;
  if (isWatched() && watchAccess(va, size, true)) return NO_ADDRESS;
  const firstSize = L.PAGE_SIZE - (<u32>va & 0xfff);
  const changed = changesCode(gpa, firstSize);
  if (changesCode(secondGpa, size - firstSize) || changed) {
    codeChanged();
    return NO_ADDRESS;
  }
  readPiece(seenAt(gpa), scratch, firstSize);
  readPiece(seenAt(secondGpa), scratch + firstSize, size - firstSize);
  return scratch;
}

/** Stores the size bytes at host address hva. */
function slowWrite(va: u64, hva: u32, size: u32, user: u32, how: u32): u32 {
  if (user && get32(L.ALIGNMENT_CHECKED) != 0 && isUnaligned(va, size)) return 1;
  const implicit = (how & IMPLICIT) != 0;
  if (!implicit && !crossesPage(va, size)) {
    const known = stillKnown(va, user, true);
    if (known != NO_ADDRESS) {
      memory.copy(known, hva, size);
      return 0;
    }
  }
  const gpa = walk(va, ACCESS_WRITE, user, implicit);
  if (gpa == WALK_FAULT) return 1;
  if (!crossesPage(va, size)) {
    if (isWatched() && !implicit && watchAccess(va, size, true)) return 1;
    if (!isMemory(gpa)) {
      if (mayChangeSlots(gpa) && !(how & AT_BLOCK_END)) return codeChanged();
      writeDevice(gpa, hva, size);
      return 0;
    }
    if (changesCode(gpa, size) && !(how & AT_BLOCK_END)) return codeChanged();
    fillTlb(va, <u32>gpa, user);
    memory.copy(L.RAM_BASE + <u32>gpa, hva, size);
    return 0;
  }
  const secondGpa = walk(nextPage(va), ACCESS_WRITE, user, implicit);
  if (secondGpa == WALK_FAULT) return 1;
  if (isWatched() && !implicit && watchAccess(va, size, true)) return 1;
  const firstSize = L.PAGE_SIZE - (<u32>va & 0xfff);
  const changed = changesCode(gpa, firstSize) || mayChangeSlots(gpa) || mayChangeSlots(secondGpa);
  if ((changesCode(secondGpa, size - firstSize) || changed) && !(how & AT_BLOCK_END)) return codeChanged();
  writePiece(gpa, hva, firstSize);
  writePiece(secondGpa, hva + firstSize, size - firstSize);
  return 0;
}

@inline
export function isUser(): u32 {
  return get32(L.CPL) == 3 ? 1 : 0;
}

/**
 * Where an access hits the TLB all the same, else NO_ADDRESS: regions come here without having looked where they use none
 * (MODE_DIRECT), and with locked accesses that are not aligned.
 */
@inline
function hit(va: u64, size: u32, kernelTlb: u32, userTlb: u32): u32 {
  const entry = S + (isUser() ? userTlb : kernelTlb) + ((<u32>va >>> 8) & L.TLB_INDEX_MASK);
  return load<u64>(entry) == ((va + (size - 1)) & PAGE_MASK) ? load<u32>(entry, 8) + <u32>va : NO_ADDRESS;
}

export function slowRead8(va: u64): u32 {
  const hva = hit(va, 1, L.TLB_KERNEL_READ, L.TLB_USER_READ);
  return hva != NO_ADDRESS ? hva : slowRead(va, 1, isUser(), 0);
}
export function slowRead16(va: u64): u32 {
  const hva = hit(va, 2, L.TLB_KERNEL_READ, L.TLB_USER_READ);
  return hva != NO_ADDRESS ? hva : slowRead(va, 2, isUser(), 0);
}
export function slowRead32(va: u64): u32 {
  const hva = hit(va, 4, L.TLB_KERNEL_READ, L.TLB_USER_READ);
  return hva != NO_ADDRESS ? hva : slowRead(va, 4, isUser(), 0);
}
export function slowRead64(va: u64): u32 {
  const hva = hit(va, 8, L.TLB_KERNEL_READ, L.TLB_USER_READ);
  return hva != NO_ADDRESS ? hva : slowRead(va, 8, isUser(), 0);
}
export function slowRead128(va: u64): u32 {
  const hva = hit(va, 16, L.TLB_KERNEL_READ, L.TLB_USER_READ);
  return hva != NO_ADDRESS ? hva : slowRead(va, 16, isUser(), 0);
}

export function slowReadForWrite8(va: u64): u32 {
  const hva = hit(va, 1, L.TLB_KERNEL_WRITE, L.TLB_USER_WRITE);
  return hva != NO_ADDRESS ? hva : slowReadForWrite(va, 1, isUser());
}
export function slowReadForWrite16(va: u64): u32 {
  const hva = hit(va, 2, L.TLB_KERNEL_WRITE, L.TLB_USER_WRITE);
  return hva != NO_ADDRESS ? hva : slowReadForWrite(va, 2, isUser());
}
export function slowReadForWrite32(va: u64): u32 {
  const hva = hit(va, 4, L.TLB_KERNEL_WRITE, L.TLB_USER_WRITE);
  return hva != NO_ADDRESS ? hva : slowReadForWrite(va, 4, isUser());
}
export function slowReadForWrite64(va: u64): u32 {
  const hva = hit(va, 8, L.TLB_KERNEL_WRITE, L.TLB_USER_WRITE);
  return hva != NO_ADDRESS ? hva : slowReadForWrite(va, 8, isUser());
}
export function slowReadForWrite128(va: u64): u32 {
  const hva = hit(va, 16, L.TLB_KERNEL_WRITE, L.TLB_USER_WRITE);
  return hva != NO_ADDRESS ? hva : slowReadForWrite(va, 16, isUser());
}

// The values of stores pass through the second half of the scratch area: the first may hold what was read.
const STORE_SCRATCH = L.SCRATCH + 16;

export function slowWrite8(va: u64, value: u32): u32 {
  const hva = hit(va, 1, L.TLB_KERNEL_WRITE, L.TLB_USER_WRITE);
  if (hva != NO_ADDRESS) {
    store<u8>(hva, <u8>value);
    return 0;
  }
  store<u8>(S + STORE_SCRATCH, <u8>value);
  return slowWrite(va, S + STORE_SCRATCH, 1, isUser(), 0);
}
export function slowWrite16(va: u64, value: u32): u32 {
  const hva = hit(va, 2, L.TLB_KERNEL_WRITE, L.TLB_USER_WRITE);
  if (hva != NO_ADDRESS) {
    store<u16>(hva, <u16>value);
    return 0;
  }
  store<u16>(S + STORE_SCRATCH, <u16>value);
  return slowWrite(va, S + STORE_SCRATCH, 2, isUser(), 0);
}
export function slowWrite32(va: u64, value: u32): u32 {
  const hva = hit(va, 4, L.TLB_KERNEL_WRITE, L.TLB_USER_WRITE);
  if (hva != NO_ADDRESS) {
    store<u32>(hva, value);
    return 0;
  }
  store<u32>(S + STORE_SCRATCH, value);
  return slowWrite(va, S + STORE_SCRATCH, 4, isUser(), 0);
}
export function slowWrite64(va: u64, value: u64): u32 {
  const hva = hit(va, 8, L.TLB_KERNEL_WRITE, L.TLB_USER_WRITE);
  if (hva != NO_ADDRESS) {
    store<u64>(hva, value);
    return 0;
  }
  store<u64>(S + STORE_SCRATCH, value);
  return slowWrite(va, S + STORE_SCRATCH, 8, isUser(), 0);
}
/** Stores the 16 bytes at host address hva. */
export function slowWrite128(va: u64, hva: u32): u32 {
  return slowWrite(va, hva, 16, isUser(), 0);
}

/** After a fault of a stack reference: one for a non-canonical address is #SS(0) instead of #GP(0). */
export function asStackFault(): u32 {
  if (get32(L.FAULT_VECTOR) == VECTOR_GP) set32(L.FAULT_VECTOR, VECTOR_SS);
  return 1;
}

// ---- Quick accessors for helpers --------------------------------------------------------------------------------

/** Host address by the TLB at this offset, or NO_ADDRESS on a miss. */
@inline
export function tlbLookup(tlb: u32, va: u64, size: u32): u32 {
  const entry = S + tlb + ((<u32>va >>> 8) & L.TLB_INDEX_MASK);
  return load<u64>(entry) == ((va + size - 1) & PAGE_MASK) ? <u32>va + load<u32>(entry, 8) : NO_ADDRESS;
}

/** Host address of a T to read at va with the rights of `user`. */
@inline
export function readableAs<T>(va: u64, user: u32): u32 {
  const hva = tlbLookup(user ? L.TLB_USER_READ : L.TLB_KERNEL_READ, va, <u32>sizeof<T>());
  return hva != NO_ADDRESS ? hva : slowRead(va, <u32>sizeof<T>(), user, 0);
}

/** Host address of a T to read at va with the rights of CPL. */
@inline
export function readable<T>(va: u64): u32 {
  return readableAs<T>(va, isUser());
}

/** Host address of 16 bytes to read at va with the rights of CPL. */
@inline
export function readable128(va: u64): u32 {
  const user = isUser();
  const hva = tlbLookup(user ? L.TLB_USER_READ : L.TLB_KERNEL_READ, va, 16);
  return hva != NO_ADDRESS ? hva : slowRead(va, 16, user, 0);
}

/** Stores with the rights of CPL; 1 if a fault is pending. */
@inline
export function writeMem<T>(va: u64, value: T): u32 {
  const user = isUser();
  const hva = tlbLookup(user ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE, va, <u32>sizeof<T>());
  if (hva != NO_ADDRESS) {
    store<T>(hva, value);
    return 0;
  }
  store<T>(S + STORE_SCRATCH, value);
  return slowWrite(va, S + STORE_SCRATCH, <u32>sizeof<T>(), user, 0);
}

/** Stores the 16 bytes at host address `source` with the rights of CPL. */
@inline
export function writeMem128(va: u64, source: u32): u32 {
  const user = isUser();
  const hva = tlbLookup(user ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE, va, 16);
  if (hva == NO_ADDRESS) return slowWrite(va, source, 16, user, 0);
  v128.store(hva, v128.load(source));
  return 0;
}

/** As writeMem with the rights of `user`, for helpers that end their block: changed code does not stop the store. */
@inline
export function writeAtBlockEnd<T>(va: u64, value: T, user: u32): u32 {
  const hva = tlbLookup(user ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE, va, <u32>sizeof<T>());
  if (hva != NO_ADDRESS) {
    store<T>(hva, value);
    return 0;
  }
  store<T>(S + STORE_SCRATCH, value);
  return slowWrite(va, S + STORE_SCRATCH, <u32>sizeof<T>(), user, AT_BLOCK_END);
}

/** Host address of a T in a descriptor table or TSS: supervisor rights whatever CPL is. */
@inline
export function systemReadable<T>(va: u64): u32 {
  const hva = isWindowInUse() ? NO_ADDRESS : tlbLookup(L.TLB_KERNEL_READ, va, <u32>sizeof<T>());
  return hva != NO_ADDRESS ? hva : slowRead(va, <u32>sizeof<T>(), 0, IMPLICIT);
}

/** Stores to a descriptor table or TSS: supervisor rights whatever CPL is; changed code does not stop it. */
@inline
export function systemWrite<T>(va: u64, value: T): u32 {
  const hva = isWindowInUse() ? NO_ADDRESS : tlbLookup(L.TLB_KERNEL_WRITE, va, <u32>sizeof<T>());
  if (hva != NO_ADDRESS) {
    store<T>(hva, value);
    return 0;
  }
  store<T>(S + STORE_SCRATCH, value);
  return slowWrite(va, S + STORE_SCRATCH, <u32>sizeof<T>(), 0, IMPLICIT | AT_BLOCK_END);
}

/**
 * For helpers that end their block and then work on a run of bytes within one page: host address of va in RAM to
 * write, or NO_ADDRESS with a fault pending, or 0 when the page is not RAM, holds watched data,
 * or each element's alignment is checked. The run is `size` bytes long and begins
 * `before` bytes below va, the address that a fault names.
 */
export function writableRun(va: u64, before: u32, size: u32): u32 {
  const user = isUser();
  const hit = tlbLookup(user ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE, va, 1);
  if (hit != NO_ADDRESS) return hit;
  const known = stillKnown(va, user, true);
  if (known != NO_ADDRESS) return known;
  const gpa = walk(va, ACCESS_WRITE, user, false);
  if (gpa == WALK_FAULT) return NO_ADDRESS;
  if (!isMemory(gpa) || isWatchedRun(va) || (user && get32(L.ALIGNMENT_CHECKED) != 0)) return 0;
  changesCode(gpa - before, size);
  fillTlb(va, <u32>gpa, user);
  return L.RAM_BASE + <u32>gpa;
}

/** The same to read. */
export function readableRun(va: u64): u32 {
  const user = isUser();
  const hit = tlbLookup(user ? L.TLB_USER_READ : L.TLB_KERNEL_READ, va, 1);
  if (hit != NO_ADDRESS) return hit;
  const known = stillKnown(va, user, false);
  if (known != NO_ADDRESS) return known;
  const gpa = walk(va, ACCESS_READ, user, false);
  if (gpa == WALK_FAULT) return NO_ADDRESS;
  if (!isMemory(gpa) || isWatchedRun(va) || (user && get32(L.ALIGNMENT_CHECKED) != 0)) return 0;
  fillTlb(va, <u32>gpa, user);
  return L.RAM_BASE + <u32>gpa;
}
