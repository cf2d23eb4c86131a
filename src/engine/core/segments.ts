// Loading segment registers and checking accesses through them. SDM 3A 5.4–5.6; MOV, POP, LDS… in SDM 2.
import * as L from "../layout";
import { S, get32, get64, set32, raiseWithError, VECTOR_GP, VECTOR_NP, VECTOR_SS, setStepOver } from "./state";
import * as C from "./control-bits";
import { NO_ADDRESS } from "./paging";
import { readable } from "./memory";
import { attributesOf, baseOf, is64Bit, isRealStyle, limitOf, selectorOf, updateMode } from "./mode";
import { isVirtual8086 } from "./rflags";
import {
  attributesFrom,
  descriptorAddress,
  descriptorHigh,
  descriptorLow,
  dplOf,
  fetchDescriptor,
  isNull,
  markAccessed,
  raiseSelector,
  setSegmentFrom,
  setSegmentNull,
  setSegmentReal,
} from "./descriptors";
import { commitStack, openStack, popSelector, popped } from "./stack";

/** SS in protected mode for a stack of privilege level `cpl`. */
export function loadStackSegment(selector: u32, cpl: u32): u32 {
  if (isNull(selector)) {
    // 64-bit mode has no use for a stack segment, except that IRET to ring 3 wants one.
    if (!is64Bit() || cpl == 3 || (selector & 3) != cpl) return raiseWithError(VECTOR_GP, 0);
    setSegmentNull(L.SEG_SS, selector);
    return 0;
  }
  if (fetchDescriptor(selector, VECTOR_GP)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  const kind = C.ATTRIBUTE_S | C.ATTRIBUTE_CODE | C.ATTRIBUTE_WRITABLE;
  if (
    (selector & 3) != cpl ||
    dplOf(attributes) != cpl ||
    (attributes & kind) != (C.ATTRIBUTE_S | C.ATTRIBUTE_WRITABLE)
  ) {
    return raiseSelector(VECTOR_GP, selector);
  }
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_SS, selector);
  if (markAccessed(descriptorAddress, descriptorHigh)) return 1;
  setSegmentFrom(L.SEG_SS, selector, descriptorLow, descriptorHigh);
  return 0;
}

/** ES, DS, FS or GS in protected mode. */
function loadDataSegment(segment: u32, selector: u32): u32 {
  if (isNull(selector)) {
    setSegmentNull(segment, selector);
    return 0;
  }
  if (fetchDescriptor(selector, VECTOR_GP)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  if (!(attributes & C.ATTRIBUTE_S)) return raiseSelector(VECTOR_GP, selector);
  const code = (attributes & C.ATTRIBUTE_CODE) != 0;
  if (code && !(attributes & C.ATTRIBUTE_WRITABLE)) return raiseSelector(VECTOR_GP, selector);
  if (!code || !(attributes & C.ATTRIBUTE_DOWN)) {
    const dpl = dplOf(attributes);
    if ((selector & 3) > dpl || get32(L.CPL) > dpl) return raiseSelector(VECTOR_GP, selector);
  }
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_NP, selector);
  if (markAccessed(descriptorAddress, descriptorHigh)) return 1;
  setSegmentFrom(segment, selector, descriptorLow, descriptorHigh);
  return 0;
}

/** Loads ES, SS, DS, FS or GS as an instruction does. */
function loadSegment(segment: u32, selector: u32): u32 {
  if (isRealStyle()) setSegmentReal(segment, selector, isVirtual8086());
  else if (segment == L.SEG_SS) {
    if (loadStackSegment(selector, get32(L.CPL))) return 1;
  } else if (loadDataSegment(segment, selector)) return 1;
  updateMode();
  return 0;
}

/** MOV SS and POP SS hold interrupts and debug events off for one instruction, not so if one has just done. SDM 3A 6.8.3. */
function shadow(): void {
  if (get64(L.RIP) == get64(L.SHADOWED_RIP)) return;
  set32(L.INTERRUPT_SHADOW, L.SHADOW_SS);
  setStepOver(true);
}

export function h_loadseg(d: u32, s: u32, imm: i32): u32 {
  if (loadSegment(imm, load<u16>(S + s))) return 1;
  if (imm == L.SEG_SS) shadow();
  return 0;
}

export function h_popseg(d: u32, s: u32, imm: i32): u32 {
  const segment = <u32>imm & 0xff;
  openStack();
  if (popSelector(<u32>imm >> 8)) return 1;
  // RSP moves by the width of the old stack, and only if the load succeeds.
  const rsp = get64(L.GPR_RSP);
  commitStack();
  if (loadSegment(segment, <u32>popped)) {
    store<u64>(S + L.GPR_RSP, rsp);
    return 1;
  }
  if (segment == L.SEG_SS) shadow();
  return 0;
}

export function h_lxs(d: u32, s: u32, imm: i32): u32 {
  const size = <u32>imm >> 8;
  const at = load<u64>(S + s);
  let hva: u32;
  if (size == 8) hva = readable<u64>(at);
  else if (size == 4) hva = readable<u32>(at);
  else hva = readable<u16>(at);
  if (hva == NO_ADDRESS) return 1;
  const offset: u64 = size == 8 ? load<u64>(hva) : size == 4 ? load<u32>(hva) : load<u16>(hva);
  hva = readable<u16>(at + size);
  if (hva == NO_ADDRESS) return 1;
  if (loadSegment(<u32>imm & 0xff, load<u16>(hva))) return 1;
  if (size == 2) store<u16>(S + d, <u16>offset);
  else store<u64>(S + d, offset);
  return 0;
}

export function h_readseg(d: u32, s: u32, imm: i32): u32 {
  store<u64>(S + d, selectorOf(imm));
  return 0;
}

/** Whether `size` bytes at `offset` may be accessed through a segment, outside 64-bit mode. */
export function segmentAllows(segment: u32, offset: u32, size: u32, write: bool): bool {
  const limit = limitOf(segment);
  const last = <u64>offset + size - 1;
  if (isRealStyle()) return last <= <u64>limit;
  const attributes = attributesOf(segment);
  if (!(attributes & C.ATTRIBUTE_P)) return false;
  if (attributes & C.ATTRIBUTE_CODE) {
    if (write || !(attributes & C.ATTRIBUTE_WRITABLE)) return false;
    return last <= <u64>limit;
  }
  if (write && !(attributes & C.ATTRIBUTE_WRITABLE)) return false;
  if (attributes & C.ATTRIBUTE_DOWN) {
    return offset > limit && last <= (attributes & C.ATTRIBUTE_DB ? 0xffffffff : 0xffff);
  }
  return last <= <u64>limit;
}

/** Linear address of an offset, without any check. */
@inline
export function linearAddress(segment: u32, offset: u64): u64 {
  if (is64Bit()) return segment >= <u32>L.SEG_FS ? offset + baseOf(segment) : offset;
  return (offset + baseOf(segment)) & 0xffffffff;
}

export function raiseSegment(segment: u32): u32 {
  return raiseWithError(segment == L.SEG_SS ? VECTOR_SS : VECTOR_GP, 0);
}

export function h_seglin(d: u32, s: u32, imm: i32): u32 {
  const offset = load<u64>(S + d);
  if (!is64Bit() && !segmentAllows(s, <u32>offset, <u32>imm & 0xfff, (imm & 0x1000) != 0)) return raiseSegment(s);
  store<u64>(S + d, linearAddress(s, offset));
  return 0;
}
