// What the string instructions share: their immediate, index registers, counts and the addresses of their operands.
// SDM 1 7.3.9.
import * as L from "../layout";
import { S, get32, get64, set64 } from "./state";
import * as C from "./control-bits";
import { loadResumeFlag } from "./rflags";
import { linearAddress, segmentAllows } from "./segments";

/** Bytes of an element. */
@inline
export function elementSizeOf(imm: u32): u32 {
  return imm & 15;
}

/** Bytes of the index and count registers. */
@inline
export function addressSizeOf(imm: u32): u32 {
  return (imm >> 4) & 15;
}

/** The source's segment; the destination's is always ES. */
@inline
export function segmentOf(imm: u32): u32 {
  return (imm >> 8) & 7;
}

/** REPNE where the condition matters. */
@inline
export function repeatsWhileDifferent(imm: u32): bool {
  return (imm & 0x1000) != 0;
}

@inline
export function addressMask(addressSize: u32): u64 {
  if (addressSize == 8) return 0xffffffffffffffff;
  return addressSize == 4 ? 0xffffffff : 0xffff;
}

/** The value of an index register. */
@inline
export function indexOf(register: u32, addressSize: u32): u64 {
  return get64(register) & addressMask(addressSize);
}

@inline
function setIndex(register: u32, addressSize: u32, value: u64): void {
  if (addressSize == 8) set64(register, value);
  else if (addressSize == 4) set64(register, <u32>value);
  else store<u16>(S + register, <u16>value);
}

@inline
export function goesDown(): bool {
  return (get32(L.RFLAGS_REST) & C.FLAG_DF) != 0;
}

/** Moves an index register over `elements`. */
export function advance(register: u32, addressSize: u32, size: u32, elements: u32): void {
  const bytes = <u64>size * elements;
  const index = get64(register);
  setIndex(register, addressSize, goesDown() ? index - bytes : index + bytes);
}

@inline
export function countOf(addressSize: u32): u64 {
  return indexOf(L.GPR_RCX, addressSize);
}

@inline
export function setCount(addressSize: u32, value: u64): void {
  setIndex(L.GPR_RCX, addressSize, value);
}

/** The linear address that locate() found. */
export let linear: u64 = 0;

/** Checks an access through a segment; false if the segment does not allow it. */
export function locate(segment: u32, offset: u64, size: u32, write: bool): bool {
  const mode = get32(L.MODE);
  if ((mode & L.MODE_FLAT) == 0 || (mode & L.MODE_CODE_SIZE) != 2) {
    const flat = (mode & L.MODE_FLAT) != 0 && segment < <u32>L.SEG_FS;
    if (!flat && !segmentAllows(segment, <u32>offset, size, write)) return false;
  }
  linear = linearAddress(segment, offset);
  return true;
}

/**
 * Ends an invocation early: the instruction goes on at its own address after interrupts and traps had their chance, which
 * find RF set (SDM 3B 17.3.1.1).
 */
export function yieldToInterrupts(): void {
  set64(L.NEXT_RIP, get64(L.RIP));
  loadResumeFlag();
}

/** The last iteration has met a breakpoint. */
@inline
export function trapIsDue(): bool {
  return get32(L.DEBUG_TRAPS) != 0;
}
