// Descriptor-table registers and the instructions that look at descriptors: LGDT, LIDT, SGDT, SIDT, LLDT, LTR, SLDT,
// STR, LAR, LSL, VERR, VERW, ARPL. SDM 2, and SDM 3A 2.4, 5.10.
import * as L from "../layout";
import { S, get32, get64, set32, set64, raise, raiseWithError, VECTOR_GP, VECTOR_NP, VECTOR_UD } from "./state";
import * as C from "./control-bits";
import { NO_ADDRESS, isCanonical } from "./paging";
import { limitAlignment, readable, systemWrite, writeMem } from "./memory";
import { attributesOf, is64Bit, isLongMode, isRealStyle, selectorOf } from "./mode";
import { raiseSegment } from "./segments";
import { computeFlags, setFlags } from "./flags";
import {
  attributesFrom,
  baseFrom,
  descriptorAddress,
  descriptorHigh,
  descriptorLow,
  descriptorUpperLow,
  dplOf,
  fetchDescriptor,
  fetchUpperHalf,
  isNull,
  limitFrom,
  raiseSelector,
  setSystemSegment,
} from "./descriptors";

/** User-mode instruction prevention: SGDT, SIDT, SLDT, STR and SMSW fault outside ring 0. */
export function preventedByUmip(): bool {
  return (get64(L.CR4) & C.CR4_UMIP) != 0 && get32(L.CPL) != 0;
}

function loadTableRegister(at: u64, operandSize: u32, baseField: u32, limitField: u32): u32 {
  if (get32(L.CPL) != 0) return raiseWithError(VECTOR_GP, 0);
  const long = is64Bit();
  let hva = readable<u16>(at);
  if (hva == NO_ADDRESS) return 1;
  const limit = load<u16>(hva);
  hva = long ? readable<u64>(at + 2) : readable<u32>(at + 2);
  if (hva == NO_ADDRESS) return 1;
  let base: u64 = long ? load<u64>(hva) : load<u32>(hva);
  if (!long && operandSize == 2) base &= 0xffffff;
  if (long && !isCanonical(base)) return raiseWithError(VECTOR_GP, 0);
  set64(baseField, base);
  set32(limitField, limit);
  return 0;
}

export function h_lgdt(d: u32, s: u32, imm: i32): u32 {
  return loadTableRegister(load<u64>(S + s), imm, L.GDTR_BASE, L.GDTR_LIMIT);
}

export function h_lidt(d: u32, s: u32, imm: i32): u32 {
  return loadTableRegister(load<u64>(S + s), imm, L.IDTR_BASE, L.IDTR_LIMIT);
}

function storeBase(at: u64, base: u64): u32 {
  return is64Bit() ? writeMem<u64>(at, base) : writeMem<u32>(at, <u32>base);
}

/** With any operand size all bytes of the base are stored, as processors since the 80386 do. */
function storeTableRegister(at: u64, baseField: u32, limitField: u32): u32 {
  if (preventedByUmip()) return raiseWithError(VECTOR_GP, 0);
  // The base lies behind two bytes of limit.
  limitAlignment(2);
  const failed = writeMem<u16>(at, <u16>get32(limitField)) || storeBase(at + 2, get64(baseField));
  limitAlignment(16);
  return failed ? 1 : 0;
}

export function h_sgdt(d: u32, s: u32, imm: i32): u32 {
  return storeTableRegister(load<u64>(S + s), L.GDTR_BASE, L.GDTR_LIMIT);
}

export function h_sidt(d: u32, s: u32, imm: i32): u32 {
  return storeTableRegister(load<u64>(S + s), L.IDTR_BASE, L.IDTR_LIMIT);
}

/** The system descriptor's base, 64 bits wide in IA-32e mode; #GP if its second half is bad. */
let systemBase: u64 = 0;
function fetchSystemBase(selector: u32): u32 {
  systemBase = baseFrom(descriptorLow, descriptorHigh);
  if (!isLongMode()) return 0;
  if (fetchUpperHalf(selector, VECTOR_GP)) return 1;
  systemBase |= <u64>descriptorUpperLow << 32;
  return isCanonical(systemBase) ? 0 : raiseSelector(VECTOR_GP, selector);
}

const TYPE_LDT: u32 = 2;
const TYPE_TSS_16: u32 = 1;
const TYPE_TSS_32: u32 = 9;
const TYPE_BUSY: u32 = 2;

export function h_lldt(d: u32, s: u32, imm: i32): u32 {
  if (isRealStyle()) return raise(VECTOR_UD);
  if (get32(L.CPL) != 0) return raiseWithError(VECTOR_GP, 0);
  const selector = load<u16>(S + s);
  if (isNull(selector)) {
    setSystemSegment(L.SEG_LDTR, selector, 0, 0, 0);
    return 0;
  }
  if (selector & 4) return raiseSelector(VECTOR_GP, selector);
  if (fetchDescriptor(selector, VECTOR_GP)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  if ((attributes & 0x1f) != TYPE_LDT) return raiseSelector(VECTOR_GP, selector);
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_NP, selector);
  const limit = limitFrom(descriptorLow, descriptorHigh);
  if (fetchSystemBase(selector)) return 1;
  setSystemSegment(L.SEG_LDTR, selector, attributes, systemBase, limit);
  return 0;
}

export function h_ltr(d: u32, s: u32, imm: i32): u32 {
  if (isRealStyle()) return raise(VECTOR_UD);
  if (get32(L.CPL) != 0) return raiseWithError(VECTOR_GP, 0);
  const selector = load<u16>(S + s);
  if (isNull(selector)) return raiseWithError(VECTOR_GP, 0);
  if (selector & 4) return raiseSelector(VECTOR_GP, selector);
  if (fetchDescriptor(selector, VECTOR_GP)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  const type = attributes & 0x1f;
  if (type != TYPE_TSS_32 && (type != TYPE_TSS_16 || isLongMode())) return raiseSelector(VECTOR_GP, selector);
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_NP, selector);
  const limit = limitFrom(descriptorLow, descriptorHigh);
  if (fetchSystemBase(selector)) return 1;
  if (systemWrite<u8>(descriptorAddress + 5, <u8>(attributes | TYPE_BUSY))) return 1;
  setSystemSegment(L.SEG_TR, selector, attributes | TYPE_BUSY, systemBase, limit);
  return 0;
}

function storeSystemSelector(slot: u32, segment: u32): u32 {
  if (isRealStyle()) return raise(VECTOR_UD);
  if (preventedByUmip()) return raiseWithError(VECTOR_GP, 0);
  store<u64>(S + slot, selectorOf(segment));
  return 0;
}

export function h_sldt(d: u32, s: u32, imm: i32): u32 {
  return storeSystemSelector(d, L.SEG_LDTR);
}

export function h_str(d: u32, s: u32, imm: i32): u32 {
  return storeSystemSelector(d, L.SEG_TR);
}

function setZeroFlag(value: bool): void {
  setFlags((computeFlags() & ~C.FLAG_ZF) | (value ? C.FLAG_ZF : 0));
}

// What probeDescriptor() returns.
const PROBE_FAULT: u32 = 0;
const PROBE_HIDDEN: u32 = 1;
const PROBE_VISIBLE: u32 = 2;

/** Fetches a descriptor that LAR, LSL, VERR or VERW asks about; one outside its table is no fault but hidden. */
function probeDescriptor(selector: u32): u32 {
  if (isNull(selector)) return PROBE_HIDDEN;
  set32(L.FAULT_VECTOR, L.FAULT_NONE);
  if (!fetchDescriptor(selector, VECTOR_GP)) return PROBE_VISIBLE;
  // Only reading the table can fail otherwise, and that is a page fault.
  if (get32(L.FAULT_VECTOR) != VECTOR_GP) return PROBE_FAULT;
  set32(L.FAULT_VECTOR, L.FAULT_NONE);
  return PROBE_HIDDEN;
}

/** Whether CPL and RPL reach the probed descriptor. */
function privilegeReaches(selector: u32, attributes: u32): bool {
  const conforming = C.ATTRIBUTE_S | C.ATTRIBUTE_CODE | C.ATTRIBUTE_DOWN;
  if ((attributes & conforming) == conforming) return true;
  const dpl = dplOf(attributes);
  return get32(L.CPL) <= dpl && (selector & 3) <= dpl;
}

// System descriptor types that LAR and LSL accept, as bit sets. IA-32e mode knows fewer.
const LAR_TYPES: u32 = 0x1a3e; // 1 2 3 4 5 9 11 12
const LAR_TYPES_LONG: u32 = 0x1a04; // 2 9 11 12
const LSL_TYPES: u32 = 0x0a0e; // 1 2 3 9 11
const LSL_TYPES_LONG: u32 = 0x0a04; // 2 9 11

function visibleTo(selector: u32, types: u32, typesLong: u32): bool {
  const attributes = attributesFrom(descriptorHigh);
  if (!(attributes & C.ATTRIBUTE_S)) {
    const accepted = isLongMode() ? typesLong : types;
    if (!((accepted >> (attributes & 15)) & 1)) return false;
  }
  return privilegeReaches(selector, attributes);
}

function storeResult(slot: u32, value: u32, size: u32): void {
  if (size == 2) store<u16>(S + slot, <u16>value);
  else store<u64>(S + slot, value);
}

export function h_lar(d: u32, s: u32, imm: i32): u32 {
  if (isRealStyle()) return raise(VECTOR_UD);
  const selector = load<u16>(S + s);
  const probe = probeDescriptor(selector);
  if (probe == PROBE_FAULT) return 1;
  const visible = probe == PROBE_VISIBLE && visibleTo(selector, LAR_TYPES, LAR_TYPES_LONG);
  if (visible) storeResult(d, descriptorHigh & 0x00ffff00, imm);
  setZeroFlag(visible);
  return 0;
}

export function h_lsl(d: u32, s: u32, imm: i32): u32 {
  if (isRealStyle()) return raise(VECTOR_UD);
  const selector = load<u16>(S + s);
  const probe = probeDescriptor(selector);
  if (probe == PROBE_FAULT) return 1;
  const visible = probe == PROBE_VISIBLE && visibleTo(selector, LSL_TYPES, LSL_TYPES_LONG);
  if (visible) storeResult(d, limitFrom(descriptorLow, descriptorHigh), imm);
  setZeroFlag(visible);
  return 0;
}

function verify(selector: u32, write: bool): u32 {
  if (isRealStyle()) return raise(VECTOR_UD);
  const probe = probeDescriptor(selector);
  if (probe == PROBE_FAULT) return 1;
  let allowed = false;
  if (probe == PROBE_VISIBLE) {
    const attributes = attributesFrom(descriptorHigh);
    const code = (attributes & C.ATTRIBUTE_CODE) != 0;
    const bit = (attributes & C.ATTRIBUTE_WRITABLE) != 0;
    const kind = write ? !code && bit : !code || bit;
    allowed = (attributes & C.ATTRIBUTE_S) != 0 && kind && privilegeReaches(selector, attributes);
  }
  setZeroFlag(allowed);
  return 0;
}

export function h_verr(d: u32, s: u32, imm: i32): u32 {
  return verify(load<u16>(S + s), false);
}

export function h_verw(d: u32, s: u32, imm: i32): u32 {
  return verify(load<u16>(S + s), true);
}

/** RPL of the selector at linear address d; the right to write counts only when it is written. */
export function h_arplmem(d: u32, s: u32, imm: i32): u32 {
  if (isRealStyle()) return raise(VECTOR_UD);
  const at = load<u64>(S + d);
  const hva = readable<u16>(at);
  if (hva == NO_ADDRESS) return 1;
  const target = load<u16>(hva);
  const rpl = load<u16>(S + s) & 3;
  const raises = (target & 3) < rpl;
  if (raises) {
    const attributes = attributesOf(imm) & (C.ATTRIBUTE_CODE | C.ATTRIBUTE_WRITABLE);
    if (attributes != C.ATTRIBUTE_WRITABLE) return raiseSegment(imm);
    if (writeMem<u16>(at, <u16>((target & 0xfffc) | rpl))) return 1;
  }
  setZeroFlag(raises);
  return 0;
}

export function h_arpl(d: u32, s: u32, imm: i32): u32 {
  if (isRealStyle()) return raise(VECTOR_UD);
  const target = load<u16>(S + d);
  const rpl = load<u16>(S + s) & 3;
  const raises = (target & 3) < rpl;
  if (raises) store<u16>(S + d, (target & 0xfffc) | rpl);
  setZeroFlag(raises);
  return 0;
}
