// Delivery of exceptions and interrupts through the interrupt vector table or the IDT. SDM 3A chapter 6 (protected
// mode 6.11–6.13, IA-32e mode 6.14), 20.1.4 (real mode), 20.3 (virtual-8086 mode), and INT in SDM 2A.
//
// Deliberately missing: virtual-8086 mode extensions (CR4.VME), which are not advertised; FRED; shadow stacks.
import * as L from "../layout";
import * as S from "./state";
import { get32, get64, set32, set64, raiseWithError } from "./state";
import * as C from "./control-bits";
import { NO_ADDRESS, isCanonical } from "./paging";
import { systemReadable } from "./memory";
import { readFlags } from "./rflags";
import { attributesOf, isLongMode, isRealMode, selectorOf, updateMode } from "./mode";
import {
  attributesFrom,
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
  setExternal,
  setSegmentFrom,
  setSegmentNull,
  setSegmentReal,
} from "./descriptors";
import {
  commitStack,
  fetchInnerPointer,
  innerPointer,
  openInnerStack,
  openInnerStack64,
  openStack,
  openStack64,
  pushValue,
} from "./stack";
import { TASK_INTERRUPT, forgetTaskFault, switchTask } from "./tasks";
import { enterDebugHandler, raiseTraps } from "./debug";

/** What is delivered: an exception found while executing the instruction at RIP (or #DB after the one before). */
export const DELIVER_EXCEPTION: u32 = 0;
export const DELIVER_INTERRUPT: u32 = 1;
/** INT n: the gate's DPL counts. RIP pushed by these three is NEXT_RIP. */
export const DELIVER_INT_N: u32 = 2;
/** INT3 and INTO, likewise. */
export const DELIVER_INT3: u32 = 3;
/** INT1: like an exception for privilege. */
export const DELIVER_ICEBP: u32 = 4;
export const DELIVER_NMI: u32 = 5;

@inline
function isSoftware(kind: u32): bool {
  return kind == DELIVER_INT_N || kind == DELIVER_INT3;
}

/** RIP to return to. */
function returnAddress(kind: u32): u64 {
  return isSoftware(kind) || kind == DELIVER_ICEBP ? get64(L.NEXT_RIP) : get64(L.RIP);
}

/**
 * RFLAGS to return to: a fault sets RF so that the restarted instruction meets no instruction breakpoint again. What #DB
 * does is in FAULT_ERROR, where it has no error code.
 */
function flagsImage(vector: u32, kind: u32): u32 {
  if (kind != DELIVER_EXCEPTION) return readFlags();
  return readFlags() | (vector == S.VECTOR_DB ? debugImage : C.FLAG_RF);
}
/** RF, if the #DB that is being delivered sets it. */
let debugImage: u32 = 0;

function enter(rip: u64, interruptGate: bool): void {
  let cleared = C.FLAG_TF | C.FLAG_NT | C.FLAG_VM | C.FLAG_RF;
  if (interruptGate) cleared |= C.FLAG_IF;
  set32(L.RFLAGS_REST, get32(L.RFLAGS_REST) & ~cleared);
  set64(L.RIP, rip);
  set64(L.NEXT_RIP, rip);
  updateMode();
}

function deliverReal(vector: u32, kind: u32): u32 {
  const at = vector * 4;
  if (at + 3 > get32(L.IDTR_LIMIT)) return raiseWithError(S.VECTOR_GP, at * 2 + 2 + external);
  const hva = systemReadable<u32>(get64(L.IDTR_BASE) + at);
  if (hva == NO_ADDRESS) return 1;
  const target = load<u32>(hva);
  openStack();
  if (pushValue(readFlags(), 2)) return 1;
  if (pushValue(selectorOf(L.SEG_CS), 2)) return 1;
  if (pushValue(returnAddress(kind), 2)) return 1;
  commitStack();
  setSegmentReal(L.SEG_CS, target >> 16, false);
  set32(L.RFLAGS_REST, get32(L.RFLAGS_REST) & ~C.FLAG_AC);
  enter(target & 0xffff, true);
  return 0;
}

/** Checks the gate's code segment; afterwards the descriptor is the current one and `targetCpl` its level. */
let targetCpl: u32 = 0;
function checkTarget(selector: u32, long: bool): u32 {
  if (isNull(selector)) return raiseWithError(S.VECTOR_GP, external);
  if (fetchDescriptor(selector, S.VECTOR_GP)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  const code = C.ATTRIBUTE_S | C.ATTRIBUTE_CODE;
  const cpl = get32(L.CPL);
  if ((attributes & code) != code || dplOf(attributes) > cpl) return raiseSelector(S.VECTOR_GP, selector);
  if (long && (attributes & (C.ATTRIBUTE_L | C.ATTRIBUTE_DB)) != C.ATTRIBUTE_L) {
    return raiseSelector(S.VECTOR_GP, selector);
  }
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(S.VECTOR_NP, selector);
  targetCpl = attributes & C.ATTRIBUTE_DOWN ? cpl : dplOf(attributes);
  return 0;
}

const GATE_TASK: u32 = 5;
const GATE_INTERRUPT_16: u32 = 6;
const GATE_TRAP_16: u32 = 7;
const GATE_INTERRUPT_32: u32 = 14;
const GATE_TRAP_32: u32 = 15;

/** Error code that names the gate. */
@inline
function gateError(vector: u32): u32 {
  return vector * 8 + 2 + external;
}

/** The checks that every gate gets; `low` and `high` are its first two words. */
function checkGate(vector: u32, kind: u32, high: u32): u32 {
  if (isSoftware(kind) && ((high >> 13) & 3) < get32(L.CPL)) return raiseWithError(S.VECTOR_GP, gateError(vector));
  if (!(high & 0x8000)) return raiseWithError(S.VECTOR_NP, gateError(vector));
  return 0;
}

function deliverProtected(vector: u32, hasError: u32, error: u32, kind: u32): u32 {
  const at = vector * 8;
  if (at + 7 > get32(L.IDTR_LIMIT)) return raiseWithError(S.VECTOR_GP, gateError(vector));
  const hva = systemReadable<u64>(get64(L.IDTR_BASE) + at);
  if (hva == NO_ADDRESS) return 1;
  const low = load<u32>(hva);
  const high = load<u32>(hva, 4);
  const type = (high >> 8) & 0x1f;
  if (type < GATE_TASK || (type > GATE_TRAP_16 && type != GATE_INTERRUPT_32 && type != GATE_TRAP_32)) {
    return raiseWithError(S.VECTOR_GP, gateError(vector));
  }
  if (checkGate(vector, kind, high)) return 1;
  const selector = low >> 16;
  if (type == GATE_TASK) {
    return switchTask(selector, TASK_INTERRUPT, returnAddress(kind), flagsImage(vector, kind), hasError, error);
  }

  if (checkTarget(selector, false)) return 1;
  const codeLow = descriptorLow;
  const codeHigh = descriptorHigh;
  const codeAddress = descriptorAddress;
  const cpl = get32(L.CPL);
  const newCpl = targetCpl;
  const flags = flagsImage(vector, kind);
  const virtual8086 = (flags & C.FLAG_VM) != 0;
  if (virtual8086 && newCpl != 0) return raiseSelector(S.VECTOR_GP, selector);
  const size: u32 = type >= GATE_INTERRUPT_32 ? 4 : 2;
  const target = size == 4 ? (high & 0xffff0000) | (low & 0xffff) : low & 0xffff;

  if (newCpl < cpl) {
    const oldStack = get64(L.GPR_RSP);
    if (openInnerStack(newCpl)) return 1;
    if (target > limitFrom(codeLow, codeHigh)) return raiseWithError(S.VECTOR_GP, external);
    if (virtual8086) {
      if (pushValue(selectorOf(L.SEG_GS), size)) return 1;
      if (pushValue(selectorOf(L.SEG_FS), size)) return 1;
      if (pushValue(selectorOf(L.SEG_DS), size)) return 1;
      if (pushValue(selectorOf(L.SEG_ES), size)) return 1;
    }
    if (pushValue(selectorOf(L.SEG_SS), size)) return 1;
    if (pushValue(oldStack, size)) return 1;
  } else {
    openStack();
    if (target > limitFrom(codeLow, codeHigh)) return raiseWithError(S.VECTOR_GP, external);
  }
  if (pushValue(flags, size)) return 1;
  if (pushValue(selectorOf(L.SEG_CS), size)) return 1;
  if (pushValue(returnAddress(kind), size)) return 1;
  if (hasError && pushValue(error, size)) return 1;
  if (markAccessed(codeAddress, codeHigh)) return 1;

  if (virtual8086) {
    setSegmentNull(L.SEG_GS, 0);
    setSegmentNull(L.SEG_FS, 0);
    setSegmentNull(L.SEG_DS, 0);
    setSegmentNull(L.SEG_ES, 0);
  }
  commitStack();
  setSegmentFrom(L.SEG_CS, (selector & 0xfffc) | newCpl, codeLow, codeHigh);
  set32(L.CPL, newCpl);
  enter(target, type == GATE_INTERRUPT_16 || type == GATE_INTERRUPT_32);
  return 0;
}

function deliverLong(vector: u32, hasError: u32, error: u32, kind: u32): u32 {
  const at = vector * 16;
  if (at + 15 > get32(L.IDTR_LIMIT)) return raiseWithError(S.VECTOR_GP, gateError(vector));
  let hva = systemReadable<u64>(get64(L.IDTR_BASE) + at);
  if (hva == NO_ADDRESS) return 1;
  const low = load<u32>(hva);
  const high = load<u32>(hva, 4);
  hva = systemReadable<u64>(get64(L.IDTR_BASE) + at + 8);
  if (hva == NO_ADDRESS) return 1;
  const upper = load<u32>(hva);
  const type = (high >> 8) & 0x1f;
  if ((type != GATE_INTERRUPT_32 && type != GATE_TRAP_32) || (load<u32>(hva, 4) & 0x1f00) != 0) {
    return raiseWithError(S.VECTOR_GP, gateError(vector));
  }
  if (checkGate(vector, kind, high)) return 1;
  const selector = low >> 16;
  if (checkTarget(selector, true)) return 1;
  const codeLow = descriptorLow;
  const codeHigh = descriptorHigh;
  const codeAddress = descriptorAddress;
  const target = (<u64>upper << 32) | (high & 0xffff0000) | (low & 0xffff);
  if (!isCanonical(target)) return raiseWithError(S.VECTOR_GP, external);

  const newCpl = targetCpl;
  const ist = high & 7;
  const oldStack = get64(L.GPR_RSP);
  let rsp = oldStack;
  if (newCpl < get32(L.CPL) || ist != 0) {
    if (fetchInnerPointer(newCpl, ist)) return 1;
    rsp = innerPointer;
  }
  rsp &= ~(<u64>15);
  if (newCpl < get32(L.CPL)) openInnerStack64(rsp, newCpl);
  else openStack64(rsp, newCpl == 3 ? 1 : 0);
  if (pushValue(selectorOf(L.SEG_SS), 8)) return 1;
  if (pushValue(oldStack, 8)) return 1;
  if (pushValue(flagsImage(vector, kind), 8)) return 1;
  if (pushValue(selectorOf(L.SEG_CS), 8)) return 1;
  if (pushValue(returnAddress(kind), 8)) return 1;
  if (hasError && pushValue(error, 8)) return 1;
  if (markAccessed(codeAddress, codeHigh)) return 1;

  commitStack();
  setSegmentFrom(L.SEG_CS, (selector & 0xfffc) | newCpl, codeLow, codeHigh);
  set32(L.CPL, newCpl);
  enter(target, type == GATE_INTERRUPT_32);
  return 0;
}

/**
 * Delivers an event: 0, with RIP (and NEXT_RIP) at the handler; or 1 with the fault that delivery met pending and
 * no register changed. An exception of INT n is thus one of the instruction itself.
 */
export function deliver(vector: u32, hasError: u32, error: u32, kind: u32): u32 {
  S.charge(S.COST_DELIVERY);
  setExternal(isSoftware(kind) ? 0 : 1);
  let failed: u32;
  if (isRealMode()) failed = deliverReal(vector, kind);
  else if (isLongMode()) failed = deliverLong(vector, hasError, error, kind);
  else failed = deliverProtected(vector, hasError, error, kind);
  setExternal(0);
  if (failed) return 1;
  set32(L.INTERRUPT_SHADOW, 0);
  set32(L.HALTED, 0);
  if (isSoftware(kind) || kind == DELIVER_ICEBP) S.setStepOver(true);
  if (kind == DELIVER_NMI) set32(L.NMI_BLOCKED, 1);
  if (vector == S.VECTOR_DB && (kind == DELIVER_EXCEPTION || kind == DELIVER_ICEBP)) enterDebugHandler();
  return 0;
}

/** #DE #TS #NP #SS #GP: two of these in a row make a double fault. SDM 3A table 6-4. */
function isContributory(vector: u32): bool {
  return vector == S.VECTOR_DE || (vector >= S.VECTOR_TS && vector <= S.VECTOR_GP);
}

/**
 * Delivers the pending exception of the instruction at RIP; faults met on the way become the next exception, #DF or
 * shutdown. 0 when a handler was reached, 1 in shutdown: then FAULT_VECTOR is FAULT_SHUTDOWN.
 */
export function deliverPendingFault(): u32 {
  let vector = get32(L.FAULT_VECTOR);
  let hasError = get32(L.FAULT_HAS_ERROR);
  let error = get32(L.FAULT_ERROR);
  forgetTaskFault();
  debugImage = vector == S.VECTOR_DB ? error & C.FLAG_RF : 0;
  while (true) {
    if (vector == S.VECTOR_PF) set64(L.CR2, get64(L.FAULT_ADDRESS));
    if (!deliver(vector, hasError, error, DELIVER_EXCEPTION)) {
      set32(L.FAULT_VECTOR, L.FAULT_NONE);
      return 0;
    }
    const second = get32(L.FAULT_VECTOR);
    if (vector == S.VECTOR_DF) {
      // What CR2 a debugger sees then is that of the last page fault.
      if (second == S.VECTOR_PF) set64(L.CR2, get64(L.FAULT_ADDRESS));
      set32(L.FAULT_VECTOR, L.FAULT_SHUTDOWN);
      return 1;
    }
    const doubles =
      (isContributory(second) && (isContributory(vector) || vector == S.VECTOR_PF)) ||
      (second == S.VECTOR_PF && vector == S.VECTOR_PF);
    if (doubles) {
      if (second == S.VECTOR_PF) set64(L.CR2, get64(L.FAULT_ADDRESS));
      vector = S.VECTOR_DF;
      hasError = 1;
      error = 0;
    } else {
      vector = second;
      hasError = get32(L.FAULT_HAS_ERROR);
      error = get32(L.FAULT_ERROR);
    }
  }
}

/** Delivers an external interrupt at an instruction boundary: RIP is the next instruction. As deliverPendingFault(). */
export function deliverInterrupt(vector: u32): u32 {
  return deliver(vector, 0, 0, DELIVER_INTERRUPT) ? deliverPendingFault() : 0;
}

export function deliverNmi(): u32 {
  set32(L.NMI_PENDING, 0);
  return deliver(S.VECTOR_NMI, 0, 0, DELIVER_NMI) ? deliverPendingFault() : 0;
}

/** Delivers what is due behind an instruction, of which RIP is the next one. As deliverPendingFault(). */
export function deliverTraps(): u32 {
  if (get32(L.DEBUG_TRAPS) & L.TASK_FAULT) set32(L.DEBUG_TRAPS, 0);
  else raiseTraps();
  return deliverPendingFault();
}
