// The x87 register stack, control and status words: what every x87 instruction does besides its arithmetic
// (SDM vol. 1 chapters 8.1, 8.5 and 8.6): stack addressing and faults, committing flags, pending exceptions.
// FOP, FIP, FDP and their selectors are recorded by ops of their own (ir/ops-x87.ts).
import * as L from "../layout";
import {
  FLAGS_BEFORE,
  FLAG_DE,
  FLAG_IE,
  FLAG_OE,
  FLAG_PE,
  FLAG_UE,
  beginFloat,
  fpFlags,
  fpMasks,
  fpRoundedUp,
} from "./float-core";
import { DEFAULT_NAN_SIG, setPrecision, unpackA80, unpackB80, xSe, xSig } from "./softfloat80";
import { S } from "./state";

export const SW_SF: u32 = 0x40;
export const SW_ES: u32 = 0x80;
export const SW_C0: u32 = 0x100;
export const SW_C1: u32 = 0x200;
export const SW_C2: u32 = 0x400;
export const SW_C3: u32 = 0x4000;
export const SW_BUSY: u32 = 0x8000;
export const SW_CONDITIONS: u32 = 0x4700;
const SW_TOP: u32 = 0x3800;
export const EXCEPTIONS: u32 = 0x3f;

// ---- Control and status words -----------------------------------------------------------------------------------
@inline
export function controlWord(): u32 {
  return load<u16>(S + L.X87_CW);
}

@inline
export function statusWord(): u32 {
  return load<u16>(S + L.X87_SW);
}

@inline
export function setStatusWord(value: u32): void {
  store<u16>(S + L.X87_SW, value);
}

/** Stores a control word: bit 6 is always set, bits 7 and 13–15 do not exist. Unmasking makes ES follow. */
export function setControlWord(value: u32): void {
  store<u16>(S + L.X87_CW, (value & 0x1f3f) | 0x40);
  updateSummary();
}

/** ES and B are set while an exception flag is set whose mask is clear. */
export function updateSummary(): void {
  const sw = statusWord();
  const pending = (sw & ~controlWord() & EXCEPTIONS) != 0;
  setStatusWord(pending ? sw | (SW_ES | SW_BUSY) : sw & ~(SW_ES | SW_BUSY));
}

// ---- The stack --------------------------------------------------------------------------------------------------
@inline
export function top(): u32 {
  return (statusWord() >> 11) & 7;
}

export function setTop(value: u32): void {
  setStatusWord((statusWord() & ~SW_TOP) | ((value & 7) << 11));
}

/** Address of ST(i); i = -1 is the register that a push fills. */
@inline
export function stAddress(i: u32): usize {
  return S + L.X87 + (((top() + i) & 7) << 4);
}

@inline
export function isEmpty(i: u32): bool {
  return ((u32(load<u8>(S + L.X87_TAG)) >> ((top() + i) & 7)) & 1) == 0;
}

@inline
export function setInUse(i: u32): void {
  store<u8>(S + L.X87_TAG, u32(load<u8>(S + L.X87_TAG)) | (1 << ((top() + i) & 7)));
}

@inline
export function setEmpty(i: u32): void {
  store<u8>(S + L.X87_TAG, u32(load<u8>(S + L.X87_TAG)) & ~(1 << ((top() + i) & 7)));
}

@inline
export function stSe(i: u32): u32 {
  return load<u16>(stAddress(i), 8);
}

@inline
export function stSig(i: u32): u64 {
  return load<u64>(stAddress(i));
}

export function writeSt(i: u32, se: u32, sig: u64): void {
  const p = stAddress(i);
  store<u64>(p, sig);
  store<u16>(p, se, 8);
  setInUse(i);
}

export function pop(): void {
  setEmpty(0);
  setTop(top() + 1);
}

/** Pushes what is known to have room. */
export function push(se: u32, sig: u64): void {
  setTop(top() - 1);
  writeSt(0, se, sig);
}

/** Operand a = ST(i), operand b = ST(j). */
export function unpackSt(i: u32, j: u32): void {
  unpackA80(stSe(i), stSig(i));
  unpackB80(stSe(j), stSig(j));
}

// ---- Instructions -----------------------------------------------------------------------------------------------
/** Starts an instruction: takes its environment from the control word. */
export function begin87(): void {
  const cw = controlWord();
  beginFloat((cw >> 10) & 3, cw & EXCEPTIONS, false);
  const precision = (cw >> 8) & 3;
  setPrecision(precision == 0 ? 24 : precision == 2 ? 53 : 64);
}

/** Sets flags (and C1) in the status word, with ES if one of them is unmasked. */
function setFlags87(flags: u32, c1: bool): void {
  let sw = (statusWord() & ~SW_C1) | flags;
  if (c1) sw |= SW_C1;
  if ((flags & ~fpMasks & EXCEPTIONS) != 0) sw |= SW_ES | SW_BUSY;
  setStatusWord(sw);
}

/** Ends an instruction: sets its flags and C1; true if its result is to be stored. */
export function commit87(): bool {
  const flags = fpFlags;
  if ((flags & ~fpMasks & FLAGS_BEFORE) != 0) {
    setFlags87(flags & FLAGS_BEFORE, false);
    return false;
  }
  setFlags87(flags, fpRoundedUp);
  return true;
}

/**
 * Does an unmasked exception suppress a store to memory? If so, its flags are set: unlike in registers, over- and
 * underflow suppress too, and PE is not reported with them.
 */
export function storeSuppressed(): bool {
  const unmasked = fpFlags & ~fpMasks;
  if ((unmasked & (FLAGS_BEFORE | FLAG_OE | FLAG_UE)) == 0) return false;
  setFlags87((unmasked & FLAGS_BEFORE) != 0 ? fpFlags & FLAGS_BEFORE : fpFlags & ~FLAG_PE, false);
  return true;
}

/** commit87(), then the result in xSe, xSig goes to ST(i). */
export function commitTo(i: u32): bool {
  if (!commit87()) return false;
  writeSt(i, xSe, xSig);
  return true;
}

/** A register that had to be in use is empty: true if masked, so that the default NaN is the result. */
export function stackUnderflow(): bool {
  setFlags87(FLAG_IE | SW_SF, false);
  return (fpMasks & FLAG_IE) != 0;
}

/** A register that had to be empty is in use: true if masked. */
export function stackOverflow(): bool {
  setFlags87(FLAG_IE | SW_SF, true);
  return (fpMasks & FLAG_IE) != 0;
}

/** Stack underflow of an instruction whose result goes to ST(i); true if it has been given the default NaN. */
export function underflowTo(i: u32): bool {
  if (!stackUnderflow()) return false;
  writeSt(i, 0xffff, DEFAULT_NAN_SIG);
  return true;
}

/** Pushes xSe, xSig with the exceptions collected; a full stack comes first. */
export function commitPush(): void {
  if (!isEmpty(-1)) {
    if (stackOverflow()) push(0xffff, DEFAULT_NAN_SIG);
    return;
  }
  if (commit87()) push(xSe, xSig);
}

/** commitPush() of FLD m32 and m64: they load a denormal even if DE is unmasked. */
export function commitLoad(): void {
  if (isEmpty(-1) && (fpFlags & ~fpMasks) == FLAG_DE) {
    setFlags87(FLAG_DE, false);
    push(xSe, xSig);
  } else {
    commitPush();
  }
}

/** Replaces C3, C2 and C0. */
export function setConditions(bits: u32): void {
  setStatusWord((statusWord() & ~(SW_C0 | SW_C2 | SW_C3)) | bits);
}
