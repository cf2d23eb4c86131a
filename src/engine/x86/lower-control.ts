/** Meanings of branches, calls and returns. SDM 1, 7.3.8; far transfers and interrupts are helpers (lower-system.ts). */
import { GPR_RCX, GPR_RSP, SLOT_ZERO } from "../layout.ts";
import { opNumber } from "../ir/ops.ts";
import type { Meaning } from "./row.ts";
import {
  MOV,
  SIZE16,
  SIZE64,
  T0,
  T2,
  T3,
  byWideSize,
  pick,
  type SizeLog2,
  type Translator,
} from "./translator.ts";

const ZX16 = opNumber("zx16");
const DECN = byWideSize("decn");
const SETCC_NE = opNumber("set5");
const XORNI64 = opNumber("xorni64");
const ANDN64 = opNumber("andn64");
const NEGN64 = opNumber("negn64");

export const jumpRelative: Meaning = () => (t) => {
  t.jump(t.relativeTarget());
};

export const callRelative: Meaning = () => (t) => {
  t.call(t.relativeTarget(), t.decoder.operandSize);
};

export const jumpIf =
  (code: number): Meaning =>
  () =>
  (t) => {
    t.jumpIf(code, t.relativeTarget());
  };

/** The r/m branch target in a slot, zero-extended from the operand size. */
function targetSlot(t: Translator): number {
  const w = t.decoder.operandSize;
  const slot = t.readRm(w, T0);
  if (slot === T0) return T0;
  // A register's upper half means something in 64-bit mode only; and rSP is about to change under a CALL.
  if (w === SIZE64 && slot !== GPR_RSP) return slot;
  t.emit(w === SIZE16 ? ZX16 : pick(MOV, w), T0, slot);
  return T0;
}

export const jumpIndirect: Meaning = () => (t) => {
  t.jumpToSlot(targetSlot(t));
};

export const callIndirect: Meaning = () => (t) => {
  t.callSlot(targetSlot(t), t.decoder.operandSize);
};

/** RET, with or without bytes of parameters to drop. */
export const returnNear: Meaning = (form) => {
  const drops = form.operands.length > 0;
  return (t) => {
    t.returnNear(t.decoder.operandSize, drops ? t.decoder.immediate : 0);
  };
};

/** rCX at the address size, minus one. */
function countDown(t: Translator): SizeLog2 {
  const size = t.decoder.addressSize;
  t.emit(pick(DECN, size), GPR_RCX);
  return size;
}

/** T3 := rCX - 1 at the address size. */
function countInT3(t: Translator): SizeLog2 {
  const size = t.decoder.addressSize;
  t.emit(size === SIZE16 ? ZX16 : pick(MOV, size), T3, GPR_RCX);
  t.emit(pick(DECN, size), T3);
  return size;
}

/** LOOP: to the target while the counter is not zero; a block that ends with "zero goes on" has its targets swapped. */
export const loop: Meaning = () => (t) => {
  const target = t.relativeTarget();
  if (t.mayLeaveCode(target)) t.loop(T3, countInT3(t), target, () => countDown(t));
  else t.jumpIfNotZero(GPR_RCX, countDown(t), target);
};

/** LOOPE and LOOPNE: also only while ZF is set or clear. */
export const loopWhile = (zf: "set" | "clear"): Meaning => {
  return () => (t) => {
    const target = t.relativeTarget();
    const checked = t.mayLeaveCode(target);
    const size = checked ? countInT3(t) : countDown(t);
    // T3 = the counter, or 0 if ZF disagrees.
    t.emit(MOV[3], T2, SLOT_ZERO);
    t.emit(SETCC_NE, T2);
    if (zf === "clear") t.emit(NEGN64, T2);
    else {
      // 1 for "not equal" becomes 0, 0 becomes all ones.
      t.emit(XORNI64, T2, 0, 1);
      t.emit(NEGN64, T2);
    }
    if (!checked) t.emit(size === SIZE16 ? ZX16 : pick(MOV, size), T3, GPR_RCX);
    t.emit(ANDN64, T3, T2);
    if (checked) t.loop(T3, size, target, () => countDown(t));
    else t.jumpIfNotZero(T3, size, target);
  };
};

/** JCXZ, JECXZ, JRCXZ by address size. */
export const jumpIfCounterZero: Meaning = () => (t) => {
  t.jumpIfZero(GPR_RCX, t.decoder.addressSize, t.relativeTarget());
};
