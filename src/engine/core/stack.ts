// The stack as transfers and event delivery use it: pushes and pops on the current stack or on an inner one that a
// TSS names, with SS and RSP changed only by commitStack(). SDM 3A 5.8.5 (stack switching), 6.14.4 (IST).
//
// Pushes happen in helpers that end their block or outside blocks, so that translated code under them is dropped
// and does not stop them.
import * as L from "../layout";
import { S, get32, get64, set32, set64, raiseWithError, VECTOR_SS, VECTOR_TS } from "./state";
import * as C from "./control-bits";
import { attributesOf, baseOf, is64Bit, limitOf, selectorOf } from "./mode";
import { NO_ADDRESS, isCanonical } from "./paging";
import { asStackFault, readableAs, systemReadable, writeAtBlockEnd } from "./memory";
import {
  attributesFrom,
  baseFrom,
  descriptorAddress,
  descriptorHigh,
  descriptorLow,
  dplOf,
  external,
  fetchDescriptor,
  isNull,
  limitFrom,
  markAccessed,
  raiseSelector,
  setSegment,
} from "./descriptors";

/** The stack pointer as far as the transfer has come. */
let pointer: u64 = 0;
/** Its width: ~0, 0xffffffff or 0xffff. */
let mask: u64 = 0;
let base: u64 = 0;
let limit: u32 = 0;
let attributes: u32 = 0;
let selector: u32 = 0;
/** Accesses have user rights. */
let user: u32 = 0;
/** The error code of #SS. */
let stackError: u32 = 0;
/** commitStack() loads SS. */
let switched: bool = false;

const MASK_64: u64 = 0xffffffffffffffff;

/** Begins at SS:RSP as it is. */
export function openStack(): void {
  switched = false;
  stackError = external;
  user = get32(L.CPL) == 3 ? 1 : 0;
  attributes = attributesOf(L.SEG_SS);
  limit = limitOf(L.SEG_SS);
  base = baseOf(L.SEG_SS);
  mask = is64Bit() ? MASK_64 : attributes & C.ATTRIBUTE_DB ? 0xffffffff : 0xffff;
  pointer = get64(L.GPR_RSP) & mask;
}

/** Begins at this 64-bit stack pointer without changing SS. */
export function openStack64(rsp: u64, userRights: u32): void {
  switched = false;
  stackError = external;
  user = userRights;
  mask = MASK_64;
  pointer = rsp;
}

/** Begins at the stack for privilege level `cpl` in the current 16-bit or 32-bit TSS; #TS and #SS as for a call gate. */
export function openInnerStack(cpl: u32): u32 {
  const trSelector = selectorOf(L.SEG_TR);
  const wide = (attributesOf(L.SEG_TR) & 8) != 0;
  const offset = wide ? cpl * 8 + 4 : cpl * 4 + 2;
  if (offset + (wide ? 5 : 3) > limitOf(L.SEG_TR)) return raiseSelector(VECTOR_TS, trSelector);
  const at = get64(L.TR_BASE) + offset;
  let newPointer: u64, newSelector: u32;
  if (wide) {
    let hva = systemReadable<u32>(at);
    if (hva == NO_ADDRESS) return 1;
    newPointer = load<u32>(hva);
    hva = systemReadable<u16>(at + 4);
    if (hva == NO_ADDRESS) return 1;
    newSelector = load<u16>(hva);
  } else {
    const hva = systemReadable<u32>(at);
    if (hva == NO_ADDRESS) return 1;
    newPointer = load<u16>(hva);
    newSelector = load<u16>(hva, 2);
  }
  if (isNull(newSelector) || (newSelector & 3) != cpl) return raiseSelector(VECTOR_TS, newSelector);
  if (fetchDescriptor(newSelector, VECTOR_TS)) return 1;
  const found = attributesFrom(descriptorHigh);
  const kind = C.ATTRIBUTE_S | C.ATTRIBUTE_CODE | C.ATTRIBUTE_WRITABLE;
  if (dplOf(found) != cpl || (found & kind) != (C.ATTRIBUTE_S | C.ATTRIBUTE_WRITABLE)) {
    return raiseSelector(VECTOR_TS, newSelector);
  }
  if (!(found & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_SS, newSelector);
  if (markAccessed(descriptorAddress, descriptorHigh)) return 1;
  switched = true;
  user = cpl == 3 ? 1 : 0;
  selector = newSelector;
  attributes = found | C.ATTRIBUTE_ACCESSED;
  base = baseFrom(descriptorLow, descriptorHigh);
  limit = limitFrom(descriptorLow, descriptorHigh);
  mask = found & C.ATTRIBUTE_DB ? 0xffffffff : 0xffff;
  pointer = newPointer & mask;
  stackError = (newSelector & 0xfffc) | external;
  return 0;
}

/** RSP0–RSP2 or, with ist 1–7, an interrupt stack of the 64-bit TSS: in `innerPointer`. */
export let innerPointer: u64 = 0;
export function fetchInnerPointer(cpl: u32, ist: u32): u32 {
  const offset = ist ? ist * 8 + 28 : cpl * 8 + 4;
  if (offset + 7 > limitOf(L.SEG_TR)) return raiseSelector(VECTOR_TS, selectorOf(L.SEG_TR));
  const hva = systemReadable<u64>(get64(L.TR_BASE) + offset);
  if (hva == NO_ADDRESS) return 1;
  innerPointer = load<u64>(hva);
  return isCanonical(innerPointer) ? 0 : raiseWithError(VECTOR_SS, external);
}

/** Begins at a 64-bit stack of privilege level `cpl`; SS becomes null. */
export function openInnerStack64(rsp: u64, cpl: u32): void {
  switched = true;
  stackError = external;
  user = 0;
  selector = cpl;
  attributes = 0;
  base = 0;
  limit = limitOf(L.SEG_SS);
  mask = MASK_64;
  pointer = rsp;
}

/** Whether size bytes at this offset lie within the stack segment. */
function fits(offset: u32, size: u32): bool {
  const last = <u64>offset + size - 1;
  if (attributes & C.ATTRIBUTE_DOWN && !(get32(L.MODE) & L.MODE_REAL && !switched)) {
    return offset > limit && last <= (attributes & C.ATTRIBUTE_DB ? 0xffffffff : 0xffff);
  }
  return last <= <u64>limit;
}

@inline
function linear(offset: u64): u64 {
  return mask == MASK_64 ? offset : (base + offset) & 0xffffffff;
}

function push<T>(value: T): u32 {
  const size = <u32>sizeof<T>();
  const next = (pointer - size) & mask;
  if (mask != MASK_64 && !fits(<u32>next, size)) return raiseWithError(VECTOR_SS, stackError);
  if (writeAtBlockEnd<T>(linear(next), value, user)) return mask == MASK_64 ? asStackFault() : 1;
  pointer = next;
  return 0;
}

/** Pushes the low `size` bytes (2, 4 or 8) of a value. */
export function pushValue(value: u64, size: u32): u32 {
  if (size == 8) return push<u64>(value);
  return size == 4 ? push<u32>(<u32>value) : push<u16>(<u16>value);
}

/** What popValue() read, zero-extended. */
export let popped: u64 = 0;

/** Pops `size` bytes (2, 4 or 8) into `popped`. */
export function popValue(size: u32): u32 {
  if (mask != MASK_64 && !fits(<u32>pointer, size)) return raiseWithError(VECTOR_SS, stackError);
  const at = linear(pointer);
  let hva: u32;
  if (size == 8) hva = readableAs<u64>(at, user);
  else if (size == 4) hva = readableAs<u32>(at, user);
  else hva = readableAs<u16>(at, user);
  if (hva == NO_ADDRESS) return mask == MASK_64 ? asStackFault() : 1;
  popped = size == 8 ? load<u64>(hva) : size == 4 ? load<u32>(hva) : load<u16>(hva);
  pointer = (pointer + size) & mask;
  return 0;
}

/** Pops a selector into `popped`: the lower 16 bits of `size` bytes, of which Intel's processors read no others. */
export function popSelector(size: u32): u32 {
  const next = (pointer + size) & mask;
  if (popValue(2)) return 1;
  pointer = next;
  return 0;
}

/** Moves the pointer past parameters without reading them. */
export function skip(sizeBytes: u32): void {
  pointer = (pointer + sizeBytes) & mask;
}

/** Sets as much of RSP as a stack of the current SS and mode has. */
export function setStackPointer(value: u64): void {
  if (is64Bit()) set64(L.GPR_RSP, value);
  else if (attributesOf(L.SEG_SS) & C.ATTRIBUTE_DB) set64(L.GPR_RSP, <u32>value);
  else store<u16>(S + L.GPR_RSP, <u16>value);
}

/** The transfer succeeds: RSP, and SS if the stack was switched, take their new values. */
export function commitStack(): void {
  if (switched) setSegment(L.SEG_SS, selector, attributes, base, limit);
  if (mask == 0xffff) store<u16>(S + L.GPR_RSP, <u16>pointer);
  else set64(L.GPR_RSP, pointer);
}

/** Linear address of `size` bytes below the current stack pointer, in `pushAddress`; #SS if they do not fit. */
export let pushAddress: u64 = 0;
export function reservePush(size: u32): u32 {
  openStack();
  const next = (pointer - size) & mask;
  if (mask != MASK_64 && !fits(<u32>next, size)) return raiseWithError(VECTOR_SS, stackError);
  pushAddress = linear(next);
  pointer = next;
  return 0;
}
