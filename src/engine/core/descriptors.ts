// Segment descriptors: fetching them from the GDT and LDT and loading the hidden parts of segment registers.
// SDM 3A 3.4.5 (descriptors), 3.5 (system descriptors), 5 (protection).
import * as L from "../layout";
import { S, get32, get64, set64, raiseWithError } from "./state";
import * as C from "./control-bits";
import { attributesOf, limitOf } from "./mode";
import { NO_ADDRESS } from "./paging";
import { systemReadable, systemWrite } from "./memory";

/** The EXT bit of error codes: 1 while an event that the program did not cause is being delivered. */
export let external: u32 = 0;
export function setExternal(value: u32): void {
  external = value;
}

// The descriptor that fetchDescriptor() found.
export let descriptorLow: u32 = 0;
export let descriptorHigh: u32 = 0;
export let descriptorAddress: u64 = 0;

/** Raises an exception whose error code names a selector. */
export function raiseSelector(vector: u32, selector: u32): u32 {
  return raiseWithError(vector, (selector & 0xfffc) | external);
}

/** The null selectors are 0–3. */
@inline
export function isNull(selector: u32): bool {
  return (selector & 0xfffc) == 0;
}

/** Finds the descriptor of a selector that is not null; `vector` with the selector if it lies outside its table. */
export function fetchDescriptor(selector: u32, vector: u32): u32 {
  let base: u64, limit: u32;
  if (selector & 4) {
    if (!(attributesOf(L.SEG_LDTR) & C.ATTRIBUTE_P)) return raiseSelector(vector, selector);
    base = get64(L.LDTR_BASE);
    limit = limitOf(L.SEG_LDTR);
  } else {
    base = get64(L.GDTR_BASE);
    limit = get32(L.GDTR_LIMIT);
  }
  if ((selector | 7) > limit) return raiseSelector(vector, selector);
  const address = base + (selector & 0xfff8);
  const hva = systemReadable<u64>(address);
  if (hva == NO_ADDRESS) return 1;
  descriptorLow = load<u32>(hva);
  descriptorHigh = load<u32>(hva, 4);
  descriptorAddress = address;
  return 0;
}

/** The second half of a 16-byte system descriptor of IA-32e mode; `vector` if it lies outside the table. */
export let descriptorUpperLow: u32 = 0;
export function fetchUpperHalf(selector: u32, vector: u32): u32 {
  const limit = selector & 4 ? limitOf(L.SEG_LDTR) : get32(L.GDTR_LIMIT);
  if ((selector | 7) + 8 > limit) return raiseSelector(vector, selector);
  const hva = systemReadable<u64>(descriptorAddress + 8);
  if (hva == NO_ADDRESS) return 1;
  descriptorUpperLow = load<u32>(hva);
  // Bits 8–12 lie where an 8-byte descriptor has its type, and must say "none".
  if (load<u32>(hva, 4) & 0x1f00) return raiseSelector(vector, selector);
  return 0;
}

@inline
export function baseFrom(low: u32, high: u32): u32 {
  return (low >> 16) | ((high & 0xff) << 16) | (high & 0xff000000);
}

@inline
export function limitFrom(low: u32, high: u32): u32 {
  const limit = (low & 0xffff) | (high & 0xf0000);
  return high & 0x800000 ? (limit << 12) | 0xfff : limit;
}

@inline
export function attributesFrom(high: u32): u32 {
  return (high >> 8) & C.ATTRIBUTES_DEFINED;
}

@inline
export function dplOf(attributes: u32): u32 {
  return (attributes >> 5) & 3;
}

/** Sets the accessed bit of the descriptor at this address, whose upper word is `high`. */
export function markAccessed(address: u64, high: u32): u32 {
  if (high & 0x100) return 0;
  return systemWrite<u8>(address + 5, <u8>((high >> 8) | C.ATTRIBUTE_ACCESSED));
}

/** Loads the visible and hidden parts of ES–GS. */
export function setSegment(segment: u32, selector: u32, attributes: u32, base: u64, limit: u32): void {
  const register = S + segment * L.SEG_STRIDE;
  store<u16>(register, <u16>selector, L.SEG + L.SEG_SELECTOR);
  store<u16>(register, <u16>attributes, L.SEG + L.SEG_ATTRIBUTES);
  store<u32>(register, limit, L.SEG + L.SEG_LIMIT);
  store<u64>(S + (segment << 3), base, L.SEG_BASE);
}

/** The same from a descriptor; the accessed bit is taken as set. */
export function setSegmentFrom(segment: u32, selector: u32, low: u32, high: u32): void {
  const attributes = attributesFrom(high) | C.ATTRIBUTE_ACCESSED;
  setSegment(segment, selector, attributes, baseFrom(low, high), limitFrom(low, high));
}

/** A null selector: the segment becomes unusable. Its limit stays, which real mode will find again. */
export function setSegmentNull(segment: u32, selector: u32): void {
  setSegment(segment, selector, 0, 0, limitOf(segment));
}

/** Loads LDTR or TR. */
export function setSystemSegment(segment: u32, selector: u32, attributes: u32, base: u64, limit: u32): void {
  const register = S + segment * L.SEG_STRIDE;
  store<u16>(register, <u16>selector, L.SEG + L.SEG_SELECTOR);
  store<u16>(register, <u16>attributes, L.SEG + L.SEG_ATTRIBUTES);
  store<u32>(register, limit, L.SEG + L.SEG_LIMIT);
  set64(segment == L.SEG_LDTR ? L.LDTR_BASE : L.TR_BASE, base);
}

/** Real mode keeps limit, size and granularity as they are ("unreal" mode); virtual-8086 mode fixes them. */
export function setSegmentReal(segment: u32, selector: u32, virtual8086: bool): void {
  if (virtual8086) {
    setSegment(segment, selector, 0xf3, selector << 4, 0xffff);
  } else {
    const size = attributesOf(segment) & (C.ATTRIBUTE_DB | C.ATTRIBUTE_G);
    setSegment(segment, selector, size | 0x93, selector << 4, limitOf(segment));
  }
}
