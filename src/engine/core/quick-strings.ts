// REP MOVS and REP STOS as kernels and libraries use them: forwards, in a flat address space, some bytes to a page within
// pages that the TLBs know. Nothing can fault there; all else is left to strings.ts.
import * as L from "../layout";
import { S, get32, get64, set64, charge } from "./state";
import { NO_ADDRESS } from "./paging";
import { tlbLookup } from "./memory";
import { addressMask, addressSizeOf, countOf, elementSizeOf, goesDown, indexOf, segmentOf, setCount } from "./string-operands";

/** Up to here bytes are copied in place; the host's own routine is quicker beyond, but costs more to call. */
const COPIED_HERE_MAX: u32 = 192;

/** Upwards through segments without bases or limits, and no #DB between iterations. */
@inline
function isPlain(imm: u32): bool {
  const mode = get32(L.MODE) & (L.MODE_CODE_SIZE | L.MODE_FLAT | L.MODE_STEP);
  const expected = (addressSizeOf(imm) == 8 ? 2 : 1) | L.MODE_FLAT;
  return mode == expected && addressSizeOf(imm) >= 4 && !goesDown();
}

@inline
function isUser(): bool {
  return get32(L.CPL) == 3;
}

/** Moves an index register over `bytes` that lie in one page. */
@inline
function pass(register: u32, imm: u32, bytes: u32): void {
  set64(register, (get64(register) + bytes) & addressMask(addressSizeOf(imm)));
}

/** The bytes of the whole repetition; more than a page if it is not for here. */
@inline
function bytesOf(imm: u32): u64 {
  const count = countOf(addressSizeOf(imm));
  return count > <u64>L.PAGE_SIZE ? count : count << ctz(elementSizeOf(imm));
}

/** All of a REP MOVS, if it is a plain one. */
export function moveQuickly(imm: u32): bool {
  const bytes64 = bytesOf(imm);
  if (bytes64 - 1 >= <u64>L.PAGE_SIZE || !isPlain(imm) || segmentOf(imm) >= <u32>L.SEG_FS) return false;
  const bytes = <u32>bytes64;
  const addressSize = addressSizeOf(imm);
  const user = isUser();
  const source = tlbLookup(user ? L.TLB_USER_READ : L.TLB_KERNEL_READ, indexOf(L.GPR_RSI, addressSize), bytes);
  const target = tlbLookup(user ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE, indexOf(L.GPR_RDI, addressSize), bytes);
  if (source == NO_ADDRESS || target == NO_ADDRESS) return false;
  // An element written must not be read later on.
  if (target - source < bytes && target != source) return false;
  if (bytes <= COPIED_HERE_MAX) copy(target, source, bytes);
  else memory.copy(target, source, bytes);
  charge(bytes >> 6);
  pass(L.GPR_RSI, imm, bytes);
  pass(L.GPR_RDI, imm, bytes);
  setCount(addressSize, 0);
  return true;
}

/**
 * Copies at least one byte upwards; a target below the source may overlap it. Sizes that do not divide are covered twice
 * over instead of bit by bit, with what is loaded first stored last.
 */
@inline
function copy(target: u32, source: u32, bytes: u32): void {
  if (bytes >= 16) {
    const end = target + bytes - 16;
    const last = v128.load(source + bytes - 16);
    for (; target < end; target += 16, source += 16) v128.store(target, v128.load(source));
    v128.store(end, last);
  } else if (bytes >= 8) {
    const last = load<u64>(source + bytes - 8);
    store<u64>(target, load<u64>(source));
    store<u64>(target + bytes - 8, last);
  } else if (bytes >= 4) {
    const last = load<u32>(source + bytes - 4);
    store<u32>(target, load<u32>(source));
    store<u32>(target + bytes - 4, last);
  } else {
    const middle = load<u8>(source + (bytes >> 1));
    const last = load<u8>(source + bytes - 1);
    store<u8>(target, load<u8>(source));
    store<u8>(target + (bytes >> 1), middle);
    store<u8>(target + bytes - 1, last);
  }
}

/** All of a REP STOS, if it is a plain one. */
export function storeQuickly(imm: u32): bool {
  const bytes64 = bytesOf(imm);
  if (bytes64 - 1 >= <u64>L.PAGE_SIZE || !isPlain(imm)) return false;
  const bytes = <u32>bytes64;
  const addressSize = addressSizeOf(imm);
  const tlb = isUser() ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE;
  const target = tlbLookup(tlb, indexOf(L.GPR_RDI, addressSize), bytes);
  if (target == NO_ADDRESS) return false;
  fill(target, bytes, repeated(get64(L.GPR_RAX), elementSizeOf(imm)));
  charge(bytes >> 6);
  pass(L.GPR_RDI, imm, bytes);
  setCount(addressSize, 0);
  return true;
}

/** A quadword full of elements. */
@inline
function repeated(value: u64, size: u32): u64 {
  if (size == 1) return (value & 0xff) * 0x0101010101010101;
  if (size == 2) return (value & 0xffff) * 0x0001000100010001;
  return size == 4 ? (value & 0xffffffff) * 0x0000000100000001 : value;
}

@inline
function fill(target: u32, bytes: u32, elements: u64): void {
  const pair = i64x2.splat(elements);
  let left = bytes;
  for (; left >= 16; left -= 16) {
    v128.store(target, pair);
    target += 16;
  }
  if (left & 8) {
    store<u64>(target, elements);
    target += 8;
  }
  if (left & 4) {
    store<u32>(target, <u32>elements);
    target += 4;
  }
  if (left & 2) {
    store<u16>(target, <u16>elements);
    target += 2;
  }
  if (left & 1) store<u8>(target, <u8>elements);
}
