// Debug registers and what they watch: breakpoints on instructions, data and ports, and the traps that are due at the end
// of an instruction. SDM 3B 17.2 (registers), 17.3.1 (the conditions of #DB), SDM 3A 6.8.3 (MOV SS).
//
// Nothing here costs a guest anything that has no breakpoint enabled. Instructions: code is translated with an op
// `breakpoint` in front of each instruction at a page offset that was ever watched. Data: a page with a watched byte is
// in no TLB, so that each access to it comes to the slow paths. What matches there traps behind its instruction, so the
// instruction is first left, as if it had changed code, and executed alone.
//
// LEN of an instruction breakpoint is taken as one byte, and R/W 2 without CR4.DE as nothing. LE and GE have no effect:
// every breakpoint is exact.
import * as L from "../layout";
import { S, get32, get64, set32, set64, raise, raiseWithError, charge, COST_JUMP_CACHE_FLUSH, VECTOR_DB, VECTOR_GP, VECTOR_UD } from "./state";
import * as C from "./control-bits";
import { is64Bit, updateMode } from "./mode";
import { dropCodeAtOffset } from "./blocks";
import { linearOf } from "./code-fetch";
import { dropFromTlbs } from "./tlb";

const DR6 = L.DR + 6 * 8;
const DR7 = L.DR + 7 * 8;
const DR6_MATCHES: u64 = 15;
const DR6_BD: u64 = 1 << 13;
export const DR6_BS: u32 = 1 << 14;
export const DR6_BT: u32 = 1 << 15;
const DR6_WRITABLE: u64 = 0xe00f;
export const DR6_FIXED: u64 = 0xffff0ff0;
const DR7_GD: u64 = 1 << 13;
const DR7_WRITABLE: u64 = 0xffff23ff;
export const DR7_FIXED: u64 = 0x400;

const ON_EXECUTION: u32 = 0;
const ON_WRITE: u32 = 1;
const ON_PORT: u32 = 2;
const ON_ACCESS: u32 = 3;

// ---- What DR7 says ----------------------------------------------------------------------------------------------

@inline
function isEnabled(n: u32): bool {
  return ((<u32>get64(DR7) >> (2 * n)) & 3) != 0;
}

/** R/W of breakpoint n. */
@inline
function conditionOf(n: u32): u32 {
  return (<u32>get64(DR7) >> (16 + 4 * n)) & 3;
}

/** Bytes that breakpoint n watches. */
function sizeOf(n: u32): u32 {
  const length = (<u32>get64(DR7) >> (18 + 4 * n)) & 3;
  return length == 2 ? 8 : length + 1;
}

/** Where they begin: the address is aligned to the size. */
@inline
function addressOf(n: u32): u64 {
  return get64(L.DR + (n << 3)) & ~(<u64>sizeOf(n) - 1);
}

function armingOf(condition: u32): u32 {
  if (condition == ON_EXECUTION) return L.ARMED_EXECUTION;
  if (condition != ON_PORT) return L.ARMED_DATA;
  return get64(L.CR4) & C.CR4_DE ? L.ARMED_PORT : 0;
}

/** From now on code at this offset of a page is translated with a check. */
function watchOffset(offset: u32): void {
  const at = S + L.WATCHED_OFFSETS + (offset >> 3);
  const bit = <u8>(<u32>1 << (offset & 7));
  if (load<u8>(at) & bit) return;
  store<u8>(at, load<u8>(at) | bit);
  set32(L.WATCHED_OFFSET_COUNT, get32(L.WATCHED_OFFSET_COUNT) + 1);
  charge(COST_JUMP_CACHE_FLUSH);
  dropCodeAtOffset(offset);
}

/** Takes a change of DR0-DR3, DR7 or CR4.DE into effect; the caller runs updateMode(). */
export function armBreakpoints(): void {
  let armed: u32 = 0;
  for (let n: u32 = 0; n < 4; n++) {
    if (!isEnabled(n)) continue;
    const arming = armingOf(conditionOf(n));
    armed |= arming;
    if (arming == L.ARMED_EXECUTION) watchOffset(<u32>get64(L.DR + (n << 3)) & 0xfff);
    else if (arming == L.ARMED_DATA) dropFromTlbs(addressOf(n) & ~0xfff);
  }
  set32(L.DEBUG_ARMED, armed);
}

// ---- Matching ---------------------------------------------------------------------------------------------------

/** B0-B3 of the breakpoints with this condition (or `other`) whose bytes the access touches, enabled or not. */
function matches(first: u64, size: u32, condition: u32, other: u32): u32 {
  let bits: u32 = 0;
  for (let n: u32 = 0; n < 4; n++) {
    const is = conditionOf(n);
    if (is != condition && is != other) continue;
    const from = addressOf(n);
    if (is == ON_EXECUTION) {
      if (first == get64(L.DR + (n << 3))) bits |= 1 << n;
    } else if (first + size - 1 >= from && first <= from + sizeOf(n) - 1) bits |= 1 << n;
  }
  return bits;
}

/** Whether one of these breakpoints is enabled. */
function anyEnabled(bits: u32): bool {
  for (let n: u32 = 0; n < 4; n++) {
    if (bits & (1 << n) && isEnabled(n)) return true;
  }
  return false;
}

/** Notes matches for the trap behind the instruction; 1 if the instruction has to be executed alone first. */
function note(bits: u32): u32 {
  if (!anyEnabled(bits)) return 0;
  if (get32(L.TRAPS_NOTED) == 0) {
    set32(L.FAULT_HAS_ERROR, 0);
    set32(L.FAULT_VECTOR, L.FAULT_CODE_CHANGED);
    return 1;
  }
  set32(L.DEBUG_TRAPS, get32(L.DEBUG_TRAPS) | bits);
  return 0;
}

/** A data access that the slow paths make; only if ARMED_DATA. As note(). */
export function watchAccess(va: u64, size: u32, writes: bool): u32 {
  return note(matches(va, size, ON_ACCESS, writes ? ON_WRITE : ON_ACCESS));
}

/** An access to ports; only if ARMED_PORT. As note(). */
export function watchPort(port: u32, size: u32): u32 {
  return note(matches(port, size, ON_PORT, ON_PORT));
}

/** Whether a page has watched data; only if ARMED_DATA. */
export function isWatchedPage(page: u64): bool {
  for (let n: u32 = 0; n < 4; n++) {
    if (isEnabled(n) && armingOf(conditionOf(n)) == L.ARMED_DATA && (addressOf(n) & ~0xfff) == page) return true;
  }
  return false;
}

/** B0-B3 of instruction breakpoints at RIP if one of them is enabled and none is held off, else 0. */
function executionMatches(): u32 {
  if (get32(L.BREAKPOINTS_OFF) != 0) return 0;
  const bits = matches(linearOf(get64(L.RIP)), 1, ON_EXECUTION, ON_EXECUTION);
  return anyEnabled(bits) ? bits : 0;
}

function raiseBreakpoint(bits: u32): void {
  set64(DR6, (get64(DR6) & ~DR6_MATCHES) | bits);
  raise(VECTOR_DB);
}

/** In front of an instruction that may have a breakpoint: #DB as a fault, with RF as it is. */
export function h_breakpoint(d: u32, s: u32, imm: i32): u32 {
  const bits = executionMatches();
  if (bits != 0) raiseBreakpoint(bits);
  return bits != 0 ? 1 : 0;
}

/** A fault of the fetch at RIP is pending: a breakpoint there comes first. SDM 3A table 6-2. */
export function breakpointBeforeFetch(): void {
  const bits = executionMatches();
  if (bits != 0) raiseBreakpoint(bits);
}

/** Makes #DB for the traps that are due pending. */
export function raiseTraps(): void {
  set64(DR6, (get64(DR6) & ~DR6_MATCHES) | get32(L.DEBUG_TRAPS));
  set32(L.DEBUG_TRAPS, 0);
  raise(VECTOR_DB);
}

/** What entering the handler of #DB does to the registers. */
export function enterDebugHandler(): void {
  set64(DR7, get64(DR7) & ~DR7_GD);
  set32(L.DEBUGCTL, 0);
}

// ---- MOV DR -----------------------------------------------------------------------------------------------------

/** The register that a number names (DR4 and DR5 are DR6 and DR7 unless CR4.DE), or 8 with a fault pending. */
function accessDebugRegister(number: u32): u32 {
  if (number == 4 || number == 5) {
    if (get64(L.CR4) & C.CR4_DE) {
      raise(VECTOR_UD);
      return 8;
    }
    number += 2;
  }
  if (get32(L.CPL) != 0) {
    raiseWithError(VECTOR_GP, 0);
    return 8;
  }
  if (get64(DR7) & DR7_GD) {
    set64(DR6, (get64(DR6) & ~DR6_MATCHES) | DR6_BD);
    raise(VECTOR_DB);
    // A fault that is no instruction breakpoint: RF is set in the image.
    set32(L.FAULT_ERROR, C.FLAG_RF);
    return 8;
  }
  return number;
}

export function h_movtodr(d: u32, s: u32, imm: i32): u32 {
  const number = accessDebugRegister(imm);
  if (number == 8) return 1;
  let value = is64Bit() ? load<u64>(S + s) : load<u32>(S + s);
  if (number >= 6) {
    if (value >> 32) return raiseWithError(VECTOR_GP, 0);
    value = number == 6 ? (value & DR6_WRITABLE) | DR6_FIXED : (value & DR7_WRITABLE) | DR7_FIXED;
  }
  set64(L.DR + (number << 3), value);
  if (number != 6) {
    armBreakpoints();
    updateMode();
  }
  return 0;
}

export function h_movfromdr(d: u32, s: u32, imm: i32): u32 {
  const number = accessDebugRegister(imm);
  if (number == 8) return 1;
  const value = get64(L.DR + (number << 3));
  store<u64>(S + d, is64Bit() ? value : value & 0xffffffff);
  return 0;
}
