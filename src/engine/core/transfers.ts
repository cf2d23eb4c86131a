// Far transfers of control: JMP, CALL, RET and IRET, through call gates and between privilege levels, in every mode;
// INT n, INT3, INTO, INT1. SDM 3A 5.8, SDM 2 under each instruction.
import * as L from "../layout";
import { S, get32, get64, set32, set64, raiseWithError, VECTOR_GP, VECTOR_NP, VECTOR_OF, VECTOR_BP, VECTOR_DB } from "./state";
import * as C from "./control-bits";
import { NO_ADDRESS, isCanonical } from "./paging";
import { readableAs, systemReadable } from "./memory";
import { attributesOf, is64Bit, isLongMode, isRealStyle, limitOf, selectorOf, updateMode } from "./mode";
import { flagsChangeable, ioPrivilege, isVirtual8086, readFlags, writeFlags } from "./rflags";
import { computeFlags } from "./flags";
import { DELIVER_ICEBP, DELIVER_INT3, DELIVER_INT_N, deliver } from "./exceptions";
import { loadStackSegment } from "./segments";
import { TASK_CALL, TASK_JUMP, TASK_RETURN, afterSwitch, forgetTaskFault, switchTask } from "./tasks";
import {
  attributesFrom,
  descriptorAddress,
  descriptorHigh,
  descriptorLow,
  descriptorUpperLow,
  dplOf,
  fetchDescriptor,
  fetchUpperHalf,
  isNull,
  limitFrom,
  markAccessed,
  raiseSelector,
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
  popSelector,
  popValue,
  popped,
  pushValue,
  setStackPointer,
  skip,
} from "./stack";

const CODE = C.ATTRIBUTE_S | C.ATTRIBUTE_CODE;
const CONFORMING = C.ATTRIBUTE_DOWN;

const TYPE_CALL_GATE_16: u32 = 4;
const TYPE_TASK_GATE: u32 = 5;
const TYPE_CALL_GATE: u32 = 12;

/** The offset that a transfer with this operand size goes to. */
@inline
function truncateOffset(offset: u64, size: u32): u64 {
  if (size == 2) return offset & 0xffff;
  return size == 4 ? offset & 0xffffffff : offset;
}

// ---- The code segment -------------------------------------------------------------------------------------------

// A code segment that checkCode() accepted; later fetches leave it alone.
let codeLow: u32 = 0;
let codeHigh: u32 = 0;
let codeAddress: u64 = 0;

/** Takes the fetched descriptor, a code segment, if it is present and, in IA-32e mode, has a valid size. */
function takeCode(selector: u32): u32 {
  const attributes = attributesFrom(descriptorHigh);
  const both = C.ATTRIBUTE_L | C.ATTRIBUTE_DB;
  if (isLongMode() && (attributes & both) == both) return raiseSelector(VECTOR_GP, selector);
  if (!(attributes & C.ATTRIBUTE_P)) return raiseSelector(VECTOR_NP, selector);
  codeLow = descriptorLow;
  codeHigh = descriptorHigh;
  codeAddress = descriptorAddress;
  return 0;
}

@inline
function codeIs64Bit(): bool {
  return isLongMode() && (attributesFrom(codeHigh) & C.ATTRIBUTE_L) != 0;
}

/** #GP(0) unless the offset lies within the accepted code segment. */
function checkOffset(offset: u64): u32 {
  const inside = codeIs64Bit() ? isCanonical(offset) : offset <= <u64>limitFrom(codeLow, codeHigh);
  return inside ? 0 : raiseWithError(VECTOR_GP, 0);
}

/** Loads CS from the accepted code segment and goes there. */
function enterCode(selector: u32, cpl: u32, offset: u64): void {
  setSegmentFrom(L.SEG_CS, (selector & 0xfffc) | cpl, codeLow, codeHigh);
  set32(L.CPL, cpl);
  set64(L.NEXT_RIP, offset);
  updateMode();
}

// ---- JMP and CALL -----------------------------------------------------------------------------------------------

function farReal(selector: u32, offset: u64, size: u32, call: bool): u32 {
  const target = truncateOffset(offset, size);
  if (target > <u64>limitOf(L.SEG_CS)) return raiseWithError(VECTOR_GP, 0);
  if (call) {
    openStack();
    if (pushValue(selectorOf(L.SEG_CS), size)) return 1;
    if (pushValue(get64(L.NEXT_RIP), size)) return 1;
    commitStack();
  }
  setSegmentReal(L.SEG_CS, selector, isVirtual8086());
  set64(L.NEXT_RIP, target);
  updateMode();
  return 0;
}

/** JMP or CALL straight to a code segment: CPL stays. */
function farDirect(selector: u32, offset: u64, size: u32, call: bool): u32 {
  const attributes = attributesFrom(descriptorHigh);
  const cpl = get32(L.CPL);
  const dpl = dplOf(attributes);
  if (attributes & CONFORMING) {
    if (dpl > cpl) return raiseSelector(VECTOR_GP, selector);
  } else if ((selector & 3) > cpl || dpl != cpl) {
    return raiseSelector(VECTOR_GP, selector);
  }
  if (takeCode(selector)) return 1;
  let target = truncateOffset(offset, size);
  // A 64-bit offset into a compatibility-mode segment is cut, not refused.
  if (!codeIs64Bit()) target &= 0xffffffff;
  if (checkOffset(target)) return 1;
  if (call) {
    openStack();
    if (pushValue(selectorOf(L.SEG_CS), size)) return 1;
    if (pushValue(get64(L.NEXT_RIP), size)) return 1;
  }
  if (markAccessed(codeAddress, codeHigh)) return 1;
  if (call) commitStack();
  enterCode(selector, cpl, target);
  return 0;
}

function checkGate(selector: u32): u32 {
  const attributes = attributesFrom(descriptorHigh);
  const dpl = dplOf(attributes);
  if (dpl < get32(L.CPL) || dpl < (selector & 3)) return raiseSelector(VECTOR_GP, selector);
  return attributes & C.ATTRIBUTE_P ? 0 : raiseSelector(VECTOR_NP, selector);
}

/** Copies a call gate's parameters from the caller's stack to the inner one, the last pushed first. */
function copyParameters(count: u32, size: u32): u32 {
  const mask: u64 = attributesOf(L.SEG_SS) & C.ATTRIBUTE_DB ? 0xffffffff : 0xffff;
  const base = load<u64>(S + 8 * L.SEG_SS, L.SEG_BASE);
  const user: u32 = get32(L.CPL) == 3 ? 1 : 0;
  for (let i: u32 = count; i > 0; i--) {
    const at = (base + ((get64(L.GPR_RSP) + (i - 1) * size) & mask)) & 0xffffffff;
    const hva = size == 4 ? readableAs<u32>(at, user) : readableAs<u16>(at, user);
    if (hva == NO_ADDRESS) return 1;
    if (pushValue(size == 4 ? load<u32>(hva) : load<u16>(hva), size)) return 1;
  }
  return 0;
}

function farThroughGate(gateSelector: u32, type: u32, call: bool): u32 {
  if (checkGate(gateSelector)) return 1;
  const long = isLongMode();
  const parameters = long ? 0 : descriptorHigh & 31;
  const selector = descriptorLow >> 16;
  let offset: u64 = descriptorLow & 0xffff;
  if (type == TYPE_CALL_GATE) offset |= descriptorHigh & 0xffff0000;
  if (long) {
    if (fetchUpperHalf(gateSelector, VECTOR_GP)) return 1;
    offset |= <u64>descriptorUpperLow << 32;
  }
  if (isNull(selector)) return raiseWithError(VECTOR_GP, 0);
  if (fetchDescriptor(selector, VECTOR_GP)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  const cpl = get32(L.CPL);
  const dpl = dplOf(attributes);
  if ((attributes & CODE) != CODE || dpl > cpl) return raiseSelector(VECTOR_GP, selector);
  if (!call && !(attributes & CONFORMING) && dpl != cpl) return raiseSelector(VECTOR_GP, selector);
  if (long && (attributes & (C.ATTRIBUTE_L | C.ATTRIBUTE_DB)) != C.ATTRIBUTE_L) return raiseSelector(VECTOR_GP, selector);
  if (takeCode(selector)) return 1;

  const newCpl = attributes & CONFORMING ? cpl : dpl;
  const size: u32 = long ? 8 : type == TYPE_CALL_GATE ? 4 : 2;
  if (call) {
    const oldStack = get64(L.GPR_RSP);
    if (newCpl < cpl) {
      if (long) {
        if (fetchInnerPointer(newCpl, 0)) return 1;
        openInnerStack64(innerPointer, newCpl);
      } else if (openInnerStack(newCpl)) return 1;
      if (pushValue(selectorOf(L.SEG_SS), size)) return 1;
      if (pushValue(oldStack, size)) return 1;
      if (parameters != 0 && copyParameters(parameters, size)) return 1;
    } else {
      openStack();
    }
    if (pushValue(selectorOf(L.SEG_CS), size)) return 1;
    if (pushValue(get64(L.NEXT_RIP), size)) return 1;
  }
  if (checkOffset(offset)) return 1;
  if (markAccessed(codeAddress, codeHigh)) return 1;
  if (call) commitStack();
  enterCode(selector, newCpl, offset);
  return 0;
}

function farToTask(selector: u32, call: bool): u32 {
  if (checkGate(selector)) return 1;
  return switchTask(selector, call ? TASK_CALL : TASK_JUMP, get64(L.NEXT_RIP), readFlags(), 0, 0);
}

function far(selector: u32, offset: u64, size: u32, call: bool): u32 {
  if (isRealStyle()) return farReal(selector, offset, size, call);
  if (isNull(selector)) return raiseWithError(VECTOR_GP, 0);
  if (fetchDescriptor(selector, VECTOR_GP)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  if ((attributes & CODE) == CODE) return farDirect(selector, offset, size, call);
  const type = attributes & 0x1f;
  if (type == TYPE_CALL_GATE) return farThroughGate(selector, type, call);
  if (!isLongMode()) {
    if (type == TYPE_CALL_GATE_16) return farThroughGate(selector, type, call);
    if (type == TYPE_TASK_GATE) {
      if (checkGate(selector)) return 1;
      const task = descriptorLow >> 16;
      return switchTask(task, call ? TASK_CALL : TASK_JUMP, get64(L.NEXT_RIP), readFlags(), 0, 0);
    }
    // A TSS, 16-bit or 32-bit, not busy; switchTask() refuses a busy one.
    if (type == 1 || type == 9 || type == 3 || type == 11) return farToTask(selector, call);
  }
  return raiseSelector(VECTOR_GP, selector);
}

export function h_jmpfar(d: u32, s: u32, imm: i32): u32 {
  forgetTaskFault();
  return afterSwitch(far(load<u16>(S + s), load<u64>(S + d), imm, false));
}

export function h_callfar(d: u32, s: u32, imm: i32): u32 {
  forgetTaskFault();
  return afterSwitch(far(load<u16>(S + s), load<u64>(S + d), imm, true));
}

// ---- RET and IRET -----------------------------------------------------------------------------------------------

/** The checks on the code segment to return to; its RPL is the new CPL. */
function checkReturn(selector: u32): u32 {
  if (isNull(selector)) return raiseWithError(VECTOR_GP, 0);
  if (fetchDescriptor(selector, VECTOR_GP)) return 1;
  const attributes = attributesFrom(descriptorHigh);
  const rpl = selector & 3;
  const dpl = dplOf(attributes);
  if ((attributes & CODE) != CODE || rpl < get32(L.CPL)) return raiseSelector(VECTOR_GP, selector);
  if (attributes & CONFORMING ? dpl > rpl : dpl != rpl) return raiseSelector(VECTOR_GP, selector);
  return takeCode(selector);
}

/** Data segments that the outer level may not use become null. */
function dropInnerSegment(segment: u32, cpl: u32): void {
  const attributes = attributesOf(segment);
  const conforming = C.ATTRIBUTE_CODE | CONFORMING;
  if ((attributes & C.ATTRIBUTE_P) != 0 && (attributes & conforming) != conforming && dplOf(attributes) < cpl) {
    setSegmentNull(segment, 0);
  }
}

function dropInnerSegments(cpl: u32): void {
  dropInnerSegment(L.SEG_ES, cpl);
  dropInnerSegment(L.SEG_DS, cpl);
  dropInnerSegment(L.SEG_FS, cpl);
  dropInnerSegment(L.SEG_GS, cpl);
}

/** SS for a return to the accepted code segment at level `cpl`. */
function loadReturnStack(selector: u32, cpl: u32): u32 {
  if (isNull(selector)) {
    if (!codeIs64Bit() || cpl == 3 || (selector & 3) != cpl) return raiseWithError(VECTOR_GP, 0);
    setSegmentNull(L.SEG_SS, selector);
    return 0;
  }
  return loadStackSegment(selector, cpl);
}

export function h_retfar(d: u32, s: u32, imm: i32): u32 {
  const size = <u32>imm & 0xff;
  const parameters = <u32>imm >> 8;
  openStack();
  if (popValue(size)) return 1;
  let target = popped;
  if (popSelector(size)) return 1;
  const selector = <u32>popped;
  if (isRealStyle()) {
    if (target > <u64>limitOf(L.SEG_CS)) return raiseWithError(VECTOR_GP, 0);
    skip(parameters);
    commitStack();
    setSegmentReal(L.SEG_CS, selector, isVirtual8086());
    set64(L.NEXT_RIP, target);
    updateMode();
    return 0;
  }
  if (checkReturn(selector)) return 1;
  if (!codeIs64Bit()) target &= 0xffffffff;
  if (checkOffset(target)) return 1;
  const rpl = selector & 3;
  skip(parameters);
  if (rpl == get32(L.CPL)) {
    if (markAccessed(codeAddress, codeHigh)) return 1;
    commitStack();
    enterCode(selector, rpl, target);
    return 0;
  }
  if (popValue(size)) return 1;
  const newStack = popped;
  if (popSelector(size)) return 1;
  if (markAccessed(codeAddress, codeHigh)) return 1;
  if (loadReturnStack(<u32>popped, rpl)) return 1;
  enterCode(selector, rpl, target);
  setStackPointer(newStack + parameters);
  dropInnerSegments(rpl);
  updateMode();
  return 0;
}

function iretReal(size: u32): u32 {
  if (isVirtual8086() && ioPrivilege() < 3) return raiseWithError(VECTOR_GP, 0);
  openStack();
  if (popValue(size)) return 1;
  const target = popped;
  if (popSelector(size)) return 1;
  const selector = <u32>popped;
  if (popValue(size)) return 1;
  if (target > <u64>limitOf(L.SEG_CS)) return raiseWithError(VECTOR_GP, 0);
  let mask = flagsChangeable(size);
  if (size > 2) mask |= C.FLAG_RF;
  // IOPL can be changed in real mode (CPL is 0 there), never in virtual-8086 mode.
  if (isVirtual8086()) mask = (mask & ~C.FLAG_IOPL) | C.FLAG_IF;
  commitStack();
  writeFlags(<u32>popped, mask);
  setSegmentReal(L.SEG_CS, selector, isVirtual8086());
  set64(L.NEXT_RIP, target);
  updateMode();
  return 0;
}

/** The rest of the frame of an interrupted virtual-8086 task. */
function iretToVirtual8086(target: u64, codeSelector: u32, flags: u32): u32 {
  if (popValue(4)) return 1;
  const newStack = popped;
  const selectors = S + L.SCRATCH + 16;
  for (let i: u32 = 0; i < 5; i++) {
    if (popSelector(4)) return 1;
    store<u16>(selectors + i * 2, <u16>popped);
  }
  if (target > 0xffff) return raiseWithError(VECTOR_GP, 0);
  const all =
    C.FLAG_TF | C.FLAG_IF | C.FLAG_DF | C.FLAG_IOPL | C.FLAG_NT | C.FLAG_RF | C.FLAG_VM | C.FLAG_AC | C.FLAG_VIF | C.FLAG_VIP | C.FLAG_ID;
  writeFlags(flags, all);
  set32(L.CPL, 3);
  setSegmentReal(L.SEG_CS, codeSelector, true);
  setSegmentReal(L.SEG_SS, load<u16>(selectors), true);
  setSegmentReal(L.SEG_ES, load<u16>(selectors, 2), true);
  setSegmentReal(L.SEG_DS, load<u16>(selectors, 4), true);
  setSegmentReal(L.SEG_FS, load<u16>(selectors, 6), true);
  setSegmentReal(L.SEG_GS, load<u16>(selectors, 8), true);
  set64(L.GPR_RSP, newStack);
  set64(L.NEXT_RIP, target);
  updateMode();
  return 0;
}

function iretFromTask(): u32 {
  if (isLongMode()) return raiseWithError(VECTOR_GP, 0);
  const hva = systemReadable<u16>(get64(L.TR_BASE));
  if (hva == NO_ADDRESS) return 1;
  return switchTask(load<u16>(hva), TASK_RETURN, get64(L.NEXT_RIP), readFlags(), 0, 0);
}

function iretProtected(size: u32): u32 {
  if (get32(L.RFLAGS_REST) & C.FLAG_NT) return iretFromTask();
  openStack();
  if (popValue(size)) return 1;
  let target = popped;
  if (popSelector(size)) return 1;
  const selector = <u32>popped;
  if (popValue(size)) return 1;
  const flags = <u32>popped;
  const cpl = get32(L.CPL);
  if (flags & C.FLAG_VM && size == 4 && cpl == 0 && !isLongMode()) {
    return iretToVirtual8086(target, selector, flags);
  }
  if (checkReturn(selector)) return 1;
  if (!codeIs64Bit()) target &= 0xffffffff;
  if (checkOffset(target)) return 1;
  const rpl = selector & 3;
  let mask = flagsChangeable(size);
  if (size > 2) mask |= C.FLAG_RF;
  if (cpl == 0 && size > 2) mask |= C.FLAG_VIF | C.FLAG_VIP;
  if (rpl == cpl && !is64Bit()) {
    if (markAccessed(codeAddress, codeHigh)) return 1;
    commitStack();
    writeFlags(flags, mask);
    enterCode(selector, rpl, target);
    return 0;
  }
  if (popValue(size)) return 1;
  const newStack = popped;
  if (popSelector(size)) return 1;
  if (markAccessed(codeAddress, codeHigh)) return 1;
  if (loadReturnStack(<u32>popped, rpl)) return 1;
  writeFlags(flags, mask);
  enterCode(selector, rpl, target);
  setStackPointer(newStack);
  if (rpl != cpl) dropInnerSegments(rpl);
  updateMode();
  return 0;
}

export function h_iret(d: u32, s: u32, imm: i32): u32 {
  // Even if it faults. SDM 3A 6.7.1.
  set32(L.NMI_BLOCKED, 0);
  forgetTaskFault();
  return isRealStyle() ? iretReal(imm) : afterSwitch(iretProtected(imm));
}

// ---- INT --------------------------------------------------------------------------------------------------------

function interrupt(vector: u32, kind: u32): u32 {
  forgetTaskFault();
  return afterSwitch(deliver(vector, 0, 0, kind));
}

export function h_int(d: u32, s: u32, imm: i32): u32 {
  if (isVirtual8086() && ioPrivilege() < 3) return raiseWithError(VECTOR_GP, 0);
  return interrupt(imm, DELIVER_INT_N);
}

export function h_int3(d: u32, s: u32, imm: i32): u32 {
  return interrupt(VECTOR_BP, DELIVER_INT3);
}

export function h_into(d: u32, s: u32, imm: i32): u32 {
  return computeFlags() & C.FLAG_OF ? interrupt(VECTOR_OF, DELIVER_INT3) : 0;
}

export function h_icebp(d: u32, s: u32, imm: i32): u32 {
  return interrupt(VECTOR_DB, DELIVER_ICEBP);
}
