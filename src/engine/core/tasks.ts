// Hardware task switches between 16-bit and 32-bit TSSs. SDM 3A chapter 8.
//
// A fault up to the commit point is one of the instruction that switches, in the old task. Behind it the new task is the
// current one: what its selectors or its stack meet is its own fault, at its first instruction (table 8-2).
//
// Deliberately missing: a fault while the new task's segments are loaded leaves the remaining ones null instead of
// half-checked.
import * as L from "../layout";
import { S, get32, get64, set32, set64, raiseWithError, VECTOR_GP, VECTOR_NP, VECTOR_SS, VECTOR_TS } from "./state";
import * as C from "./control-bits";
import { NO_ADDRESS, loadPaePointers, usesPaePointers } from "./paging";
import { flushTlbNonGlobal } from "./tlb";
import { systemReadable, systemWrite } from "./memory";
import { writeFlags } from "./rflags";
import { attributesOf, limitOf, selectorOf, updateMode } from "./mode";
import {
  attributesFrom,
  baseFrom,
  descriptorAddress,
  descriptorHigh,
  descriptorLow,
  dplOf,
  fetchDescriptor,
  isNull,
  limitFrom,
  markAccessed,
  raiseSelector,
  setSegmentFrom,
  setSegmentNull,
  setSegmentReal,
  setSystemSegment,
} from "./descriptors";
import { commitStack, openStack, pushValue } from "./stack";
import { DR6_BT, armBreakpoints } from "./debug";

export const TASK_JUMP: u32 = 0;
export const TASK_CALL: u32 = 1;
export const TASK_INTERRUPT: u32 = 2;
export const TASK_RETURN: u32 = 3;

const TYPE_BUSY: u32 = 2;
const TYPE_32: u32 = 8;

// Where a TSS keeps things; general registers, then ES CS SS DS (FS GS), then LDTR follow one another.
const TSS32_CR3 = 0x1c;
const TSS32_EIP = 0x20;
const TSS32_EFLAGS = 0x24;
const TSS32_REGISTERS = 0x28;
const TSS32_SEGMENTS = 0x48;
const TSS32_LDT = 0x60;
const TSS32_FLAGS = 0x64;
const TSS32_FLAG_T = 1;
const TSS32_LIMIT: u32 = 0x67;
const TSS16_IP = 0x0e;
const TSS16_FLAGS = 0x10;
const TSS16_REGISTERS = 0x12;
const TSS16_SEGMENTS = 0x22;
const TSS16_LDT = 0x2a;
const TSS16_LIMIT: u32 = 0x2b;

/** Sets or clears the busy bit in the descriptor of a TSS. */
function setBusy(selector: u32, busy: bool): u32 {
  const at = get64(L.GDTR_BASE) + (selector & 0xfff8) + 5;
  const hva = systemReadable<u8>(at);
  if (hva == NO_ADDRESS) return 1;
  const byte = load<u8>(hva);
  return systemWrite<u8>(at, busy ? byte | <u8>TYPE_BUSY : byte & ~(<u8>TYPE_BUSY));
}

/** Whether all bytes of a TSS can be touched, so that nothing faults half-way. */
function probe(base: u64, limit: u32, write: bool): u32 {
  return probeByte(base, write) | probeByte(base + limit, write);
}

function probeByte(at: u64, write: bool): u32 {
  const hva = systemReadable<u8>(at);
  if (hva == NO_ADDRESS) return 1;
  return write ? systemWrite<u8>(at, load<u8>(hva)) : 0;
}

function saveState(base: u64, wide: bool, rip: u64, flags: u32): void {
  if (wide) {
    systemWrite<u32>(base + TSS32_EIP, <u32>rip);
    systemWrite<u32>(base + TSS32_EFLAGS, flags);
    for (let i: u32 = 0; i < 8; i++) systemWrite<u32>(base + TSS32_REGISTERS + i * 4, load<u32>(S + (i << 3)));
    for (let i: u32 = 0; i < 6; i++) systemWrite<u16>(base + TSS32_SEGMENTS + i * 4, <u16>selectorOf(i));
  } else {
    systemWrite<u16>(base + TSS16_IP, <u16>rip);
    systemWrite<u16>(base + TSS16_FLAGS, <u16>flags);
    for (let i: u32 = 0; i < 8; i++) systemWrite<u16>(base + TSS16_REGISTERS + i * 2, load<u16>(S + (i << 3)));
    for (let i: u32 = 0; i < 4; i++) systemWrite<u16>(base + TSS16_SEGMENTS + i * 2, <u16>selectorOf(i));
  }
}

/**
 * The new task's fields. They were probed, but saving the old task may have changed the page tables since, and a TLB
 * entry be gone: what cannot be read any more reads as 0, as if that store had come in the middle of the reads.
 */
function read32(at: u64): u32 {
  const hva = systemReadable<u32>(at);
  return hva == NO_ADDRESS ? 0 : load<u32>(hva);
}

function read16(at: u64): u32 {
  const hva = systemReadable<u16>(at);
  return hva == NO_ADDRESS ? 0 : load<u16>(hva);
}

/** A switch has passed its commit point, and the new task has met a fault, which is pending. */
let hasEntered: bool = false;
export function forgetTaskFault(): void {
  hasEntered = false;
}

/**
 * What an instruction that may switch tasks returns for what became of it: a fault of the new task is none of its own,
 * but due before the next instruction.
 */
export function afterSwitch(failed: u32): u32 {
  if (!failed || !hasEntered) return failed;
  hasEntered = false;
  set32(L.DEBUG_TRAPS, get32(L.DEBUG_TRAPS) | L.TASK_FAULT);
  return 0;
}

/** DR7 loses its local enables. SDM 3B 17.2.4. */
function leaveLocalBreakpoints(): void {
  const dr7 = get64(L.DR + 56);
  if (!(dr7 & DR7_LOCAL)) return;
  set64(L.DR + 56, dr7 & ~DR7_LOCAL);
  armBreakpoints();
}
/** L0-L3 and LE. */
const DR7_LOCAL: u64 = 0x155;

function loadTaskLdt(selector: u32): u32 {
  setSystemSegment(L.SEG_LDTR, selector, 0, 0, 0);
  if (isNull(selector)) return 0;
  if (selector & 4) return raiseSelector(VECTOR_TS, selector);
  if (fetchDescriptor(selector, VECTOR_TS)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  if ((attributes & 0x1f) != 2 || !(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_TS, selector);
  const limit = limitFrom(descriptorLow, descriptorHigh);
  setSystemSegment(L.SEG_LDTR, selector, attributes, baseFrom(descriptorLow, descriptorHigh), limit);
  return 0;
}

function loadTaskCode(selector: u32): u32 {
  if (isNull(selector)) return raiseSelector(VECTOR_TS, selector);
  if (fetchDescriptor(selector, VECTOR_TS)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  const code = C.ATTRIBUTE_S | C.ATTRIBUTE_CODE;
  if ((attributes & code) != code) return raiseSelector(VECTOR_TS, selector);
  const dpl = dplOf(attributes);
  const rpl = selector & 3;
  if (attributes & C.ATTRIBUTE_DOWN ? dpl > rpl : dpl != rpl) return raiseSelector(VECTOR_TS, selector);
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_NP, selector);
  if (markAccessed(descriptorAddress, descriptorHigh)) return 1;
  setSegmentFrom(L.SEG_CS, selector, descriptorLow, descriptorHigh);
  return 0;
}

function loadTaskStack(selector: u32, cpl: u32): u32 {
  if (isNull(selector) || (selector & 3) != cpl) return raiseSelector(VECTOR_TS, selector);
  if (fetchDescriptor(selector, VECTOR_TS)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  const kind = C.ATTRIBUTE_S | C.ATTRIBUTE_CODE | C.ATTRIBUTE_WRITABLE;
  if ((attributes & kind) != (C.ATTRIBUTE_S | C.ATTRIBUTE_WRITABLE) || dplOf(attributes) != cpl) {
    return raiseSelector(VECTOR_TS, selector);
  }
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_SS, selector);
  if (markAccessed(descriptorAddress, descriptorHigh)) return 1;
  setSegmentFrom(L.SEG_SS, selector, descriptorLow, descriptorHigh);
  return 0;
}

function loadTaskData(segment: u32, selector: u32, cpl: u32): u32 {
  if (isNull(selector)) return 0;
  if (fetchDescriptor(selector, VECTOR_TS)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  if (!(attributes & C.ATTRIBUTE_S)) return raiseSelector(VECTOR_TS, selector);
  if (attributes & C.ATTRIBUTE_CODE && !(attributes & C.ATTRIBUTE_WRITABLE)) return raiseSelector(VECTOR_TS, selector);
  const conforming = (attributes & C.ATTRIBUTE_CODE) != 0 && (attributes & C.ATTRIBUTE_DOWN) != 0;
  const dpl = dplOf(attributes);
  if (!conforming && (dpl < cpl || dpl < (selector & 3))) return raiseSelector(VECTOR_TS, selector);
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_NP, selector);
  if (markAccessed(descriptorAddress, descriptorHigh)) return 1;
  setSegmentFrom(segment, selector, descriptorLow, descriptorHigh);
  return 0;
}

/**
 * Switches to the task of a TSS selector whose privilege the caller has checked. `rip` and `flags` are the old
 * task's, to be saved. A fault before the switch leaves everything as it was; one after it belongs to the new task.
 */
export function switchTask(selector: u32, reason: u32, rip: u64, flags: u32, hasError: u32, error: u32): u32 {
  hasEntered = false;
  const vector = reason == TASK_RETURN ? VECTOR_TS : VECTOR_GP;
  if (isNull(selector) || (selector & 4) != 0) return raiseSelector(vector, selector);
  if (fetchDescriptor(selector, vector)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  const wide = (attributes & TYPE_32) != 0;
  const wanted: u32 = reason == TASK_RETURN ? 1 | TYPE_BUSY : 1;
  if ((attributes & 0x1f & ~TYPE_32) != wanted) return raiseSelector(vector, selector);
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_NP, selector);
  const base = <u64>baseFrom(descriptorLow, descriptorHigh);
  const limit = limitFrom(descriptorLow, descriptorHigh);
  const least = wide ? TSS32_LIMIT : TSS16_LIMIT;
  if (limit < least) return raiseSelector(VECTOR_TS, selector);

  const oldSelector = selectorOf(L.SEG_TR);
  const oldBase = get64(L.TR_BASE);
  const oldWide = (attributesOf(L.SEG_TR) & TYPE_32) != 0;
  const oldLimit = oldWide ? TSS32_LIMIT : TSS16_LIMIT;
  if (limitOf(L.SEG_TR) < oldLimit) return raiseSelector(VECTOR_TS, oldSelector);
  if (probe(oldBase, oldLimit, true)) return 1;
  if (probe(base, least, reason == TASK_CALL || reason == TASK_INTERRUPT)) return 1;

  if (reason == TASK_JUMP || reason == TASK_RETURN) {
    if (setBusy(oldSelector, false)) return 1;
  }
  if (reason == TASK_RETURN) flags &= ~C.FLAG_NT;
  saveState(oldBase, oldWide, rip, flags);
  if (reason == TASK_CALL || reason == TASK_INTERRUPT) systemWrite<u16>(base, <u16>oldSelector);
  if (reason != TASK_RETURN && setBusy(selector, true)) return 1;

  // Read the whole new task before CR3 changes: its TSS is found through the old address space.
  const isTraced = wide && (read16(base + TSS32_FLAGS) & TSS32_FLAG_T) != 0;
  let newFlags: u32, newRip: u32, ldt: u32;
  let cr3: u32 = 0;
  const selectors = S + L.SCRATCH;
  if (wide) {
    cr3 = read32(base + TSS32_CR3);
    newRip = read32(base + TSS32_EIP);
    newFlags = read32(base + TSS32_EFLAGS);
    ldt = read16(base + TSS32_LDT);
    for (let i: u32 = 0; i < 8; i++) store<u64>(S + (i << 3), read32(base + TSS32_REGISTERS + i * 4));
    for (let i: u32 = 0; i < 6; i++) store<u16>(selectors + i * 2, <u16>read16(base + TSS32_SEGMENTS + i * 4));
  } else {
    newRip = read16(base + TSS16_IP);
    newFlags = read16(base + TSS16_FLAGS);
    ldt = read16(base + TSS16_LDT);
    for (let i: u32 = 0; i < 8; i++) store<u64>(S + (i << 3), 0xffff0000 | read16(base + TSS16_REGISTERS + i * 2));
    for (let i: u32 = 0; i < 4; i++) store<u16>(selectors + i * 2, <u16>read16(base + TSS16_SEGMENTS + i * 2));
    store<u32>(selectors, 0, 8);
  }
  const newEs = load<u16>(selectors);
  const newCs = load<u16>(selectors, 2);
  const newSs = load<u16>(selectors, 4);
  const newDs = load<u16>(selectors, 6);
  const newFs = load<u16>(selectors, 8);
  const newGs = load<u16>(selectors, 10);
  if (reason == TASK_CALL || reason == TASK_INTERRUPT) newFlags |= C.FLAG_NT;

  setSystemSegment(L.SEG_TR, selector, attributes | TYPE_BUSY, base, limit);
  set64(L.CR0, get64(L.CR0) | C.CR0_TS);
  let hasBadPointers = false;
  if (wide && (get64(L.CR0) & C.CR0_PG) != 0) {
    hasBadPointers = usesPaePointers() && !loadPaePointers(cr3);
    set64(L.CR3, cr3);
    flushTlbNonGlobal();
  }
  const known =
    C.FLAG_TF | C.FLAG_IF | C.FLAG_DF | C.FLAG_IOPL | C.FLAG_NT | C.FLAG_RF | C.FLAG_VM | C.FLAG_AC | C.FLAG_VIF | C.FLAG_VIP | C.FLAG_ID;
  writeFlags(newFlags, known);
  set64(L.RIP, newRip);
  set64(L.NEXT_RIP, newRip);
  leaveLocalBreakpoints();
  hasEntered = true;
  const failed = enterTask(ldt, newEs, newCs, newSs, newDs, newFs, newGs, newRip);
  updateMode();
  if (failed) return 1;
  if (hasBadPointers) return raiseWithError(VECTOR_GP, 0);
  if (hasError) {
    openStack();
    if (pushValue(error, wide ? 4 : 2)) return 1;
    commitStack();
  }
  hasEntered = false;
  if (isTraced) set32(L.DEBUG_TRAPS, get32(L.DEBUG_TRAPS) | DR6_BT);
  return 0;
}

/** Loads LDTR and the segment registers in the new task's context. */
function enterTask(ldt: u32, es: u32, cs: u32, ss: u32, ds: u32, fs: u32, gs: u32, rip: u32): u32 {
  if (get32(L.RFLAGS_REST) & C.FLAG_VM) {
    set32(L.CPL, 3);
    setSegmentReal(L.SEG_ES, es, true);
    setSegmentReal(L.SEG_CS, cs, true);
    setSegmentReal(L.SEG_SS, ss, true);
    setSegmentReal(L.SEG_DS, ds, true);
    setSegmentReal(L.SEG_FS, fs, true);
    setSegmentReal(L.SEG_GS, gs, true);
    return loadTaskLdt(ldt);
  }
  // Until each has been checked the registers hold their selectors with nothing behind them.
  const cpl = cs & 3;
  set32(L.CPL, cpl);
  setSegmentNull(L.SEG_ES, es);
  setSegmentNull(L.SEG_CS, cs);
  setSegmentNull(L.SEG_SS, ss);
  setSegmentNull(L.SEG_DS, ds);
  setSegmentNull(L.SEG_FS, fs);
  setSegmentNull(L.SEG_GS, gs);
  if (loadTaskLdt(ldt)) return 1;
  if (loadTaskCode(cs)) return 1;
  if (loadTaskStack(ss, cpl)) return 1;
  if (loadTaskData(L.SEG_ES, es, cpl)) return 1;
  if (loadTaskData(L.SEG_DS, ds, cpl)) return 1;
  if (loadTaskData(L.SEG_FS, fs, cpl)) return 1;
  if (loadTaskData(L.SEG_GS, gs, cpl)) return 1;
  return rip > limitOf(L.SEG_CS) ? raiseWithError(VECTOR_GP, 0) : 0;
}
