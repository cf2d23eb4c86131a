// The exact path of SSE arithmetic: binary32 and binary64 operations in integers with every MXCSR rule (SDM vol. 1
// chapter 11.5 and appendix E): rounding modes, denormals-are-zero, flush-to-zero, NaN operands, sticky flags.
// sse-float.ts takes it whenever WebAssembly's own arithmetic would not know the flags.
//
// Values travel as bits in a u64; `single` says that they are binary32. Flags are collected in fpFlags over all
// lanes of an instruction; commitSse() then writes MXCSR or raises the exception.
import * as L from "../layout";
import {
  CLASS_DENORMAL,
  CLASS_INFINITY,
  CLASS_NORMAL,
  CLASS_QNAN,
  CLASS_SNAN,
  CLASS_ZERO,
  FLAGS_BEFORE,
  FLAG_DE,
  FLAG_IE,
  FLAG_PE,
  FLAG_ZE,
  ROUND_DOWN,
  aClass,
  aExp,
  aSig,
  aSign,
  addFinite,
  bClass,
  bExp,
  bSig,
  bSign,
  beginFloat,
  divFinite,
  fpFlags,
  fpMasks,
  fpRound,
  mulFinite,
  raiseFloat,
  round,
  setA,
  setB,
  setFloatFlags,
  setRound,
  setZ,
  sqrtFinite,
  zHi,
  zSign,
} from "./float-core";
import {
  EQUAL,
  GREATER,
  LESS,
  UNORDERED,
  compareOrdered,
  packF32,
  packF64,
  toInteger,
  toMagnitude,
} from "./softfloat80";
import { VECTOR_UD, VECTOR_XM, get32, raise, set32 } from "./state";

// Operations, numbered by the low three bits of their opcodes 0F 58–5F; 51 for the square root.
export const OP_ADD: u32 = 0;
export const OP_MUL: u32 = 1;
export const OP_SQRT: u32 = 2;
export const OP_SUB: u32 = 4;
export const OP_MIN: u32 = 5;
export const OP_DIV: u32 = 6;
export const OP_MAX: u32 = 7;

const MXCSR_DAZ: u32 = 0x40;
const MXCSR_FTZ: u32 = 0x8000;
const CR4_OSXMMEXCPT: u32 = 0x400;

let denormalsAreZero: bool = false;

/** Starts an instruction: reads MXCSR's controls, clears the collected flags. */
export function beginSse(): void {
  const mxcsr = get32(L.MXCSR);
  beginFloat((mxcsr >> 13) & 3, (mxcsr >> 7) & 0x3f, (mxcsr & MXCSR_FTZ) != 0);
  denormalsAreZero = (mxcsr & MXCSR_DAZ) != 0;
}

/** Ends an instruction: 0 if its result may be stored, else 1 with #XM (#UD without CR4.OSXMMEXCPT) pending. */
export function commitSse(): u32 {
  let flags = fpFlags;
  const unmasked = flags & ~fpMasks;
  if ((unmasked & FLAGS_BEFORE) != 0) flags &= FLAGS_BEFORE;
  set32(L.MXCSR, get32(L.MXCSR) | flags);
  if (unmasked == 0) return 0;
  return raise((get32(L.CR4) & CR4_OSXMMEXCPT) != 0 ? VECTOR_XM : VECTOR_UD);
}

/** commitSse() for a step of an instruction; the next one begins without flags. */
export function commitStep(): u32 {
  const faulted = commitSse();
  setFloatFlags(0);
  return faulted;
}

// ---- Operands ---------------------------------------------------------------------------------------------------
export let uSign: u32 = 0;
let uExp: i32 = 0;
let uSig: u64 = 0;
let uClass: u32 = 0;

function unpack(bits: u64, single: bool): void {
  let exp: i32;
  let fraction: u64;
  let top: i32;
  if (single) {
    uSign = u32(bits >> 31) & 1;
    exp = i32(u32(bits >> 23) & 0xff);
    fraction = bits << 41;
    top = 0xff;
  } else {
    uSign = u32(bits >> 63);
    exp = i32(u32(bits >> 52) & 0x7ff);
    fraction = bits << 12;
    top = 0x7ff;
  }
  // `fraction` has its binary point left of bit 63.
  if (exp == 0) {
    if (fraction == 0 || denormalsAreZero) {
      uClass = CLASS_ZERO;
      return;
    }
    const shift = i32(clz(fraction));
    uClass = CLASS_DENORMAL;
    uSig = fraction << shift;
    uExp = (single ? -127 : -1023) - shift;
    return;
  }
  if (exp == top) {
    uClass = fraction == 0 ? CLASS_INFINITY : fraction >> 63 != 0 ? CLASS_QNAN : CLASS_SNAN;
    return;
  }
  uClass = CLASS_NORMAL;
  uSig = 0x8000000000000000 | (fraction >> 1);
  uExp = exp - (single ? 127 : 1023);
}

export function unpackA(bits: u64, single: bool): void {
  unpack(bits, single);
  setA(uSign, uExp, uSig, uClass);
}

function unpackB(bits: u64, single: bool): void {
  unpack(bits, single);
  setB(uSign, uExp, uSig, uClass);
}

@inline
function signBits(sign: u32, single: bool): u64 {
  return u64(sign) << (single ? 31 : 63);
}

@inline
export function quietBit(single: bool): u64 {
  return single ? 0x400000 : 0x8000000000000;
}

@inline
function infinityBits(sign: u32, single: bool): u64 {
  return signBits(sign, single) | (single ? 0x7f800000 : 0x7ff0000000000000);
}

function invalid(single: bool): u64 {
  raiseFloat(FLAG_IE);
  return single ? 0xffc00000 : 0xfff8000000000000;
}

/** Rounds z to the format. */
function finish(single: bool): u64 {
  if (single) {
    round(24, -126, 127, false);
    return u64(packF32(zSign));
  }
  round(53, -1022, 1023, false);
  return packF64(zSign);
}

/** The NaN that an operation on a and b gives: the first NaN operand, made quiet. */
function propagateNan(a: u64, b: u64, single: bool): u64 {
  if (aClass == CLASS_SNAN || bClass == CLASS_SNAN) raiseFloat(FLAG_IE);
  return (aClass >= CLASS_QNAN ? a : b) | quietBit(single);
}

@inline
function noteDenormals(): void {
  if (aClass == CLASS_DENORMAL || bClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
}

// ---- Arithmetic -------------------------------------------------------------------------------------------------
function add(subtract: bool, single: bool): u64 {
  const sign = bSign ^ u32(subtract);
  if (aClass == CLASS_INFINITY) {
    if (bClass == CLASS_INFINITY && sign != aSign) return invalid(single);
    noteDenormals();
    return infinityBits(aSign, single);
  }
  noteDenormals();
  if (bClass == CLASS_INFINITY) return infinityBits(sign, single);
  if (aClass == CLASS_ZERO) {
    if (bClass == CLASS_ZERO) return signBits(aSign == sign ? sign : u32(fpRound == ROUND_DOWN), single);
    setZ(sign, bExp, bSig, 0);
  } else if (bClass == CLASS_ZERO) {
    setZ(aSign, aExp, aSig, 0);
  } else {
    addFinite(aSign != sign);
    if (zHi == 0) return signBits(u32(fpRound == ROUND_DOWN), single);
  }
  return finish(single);
}

function mul(single: bool): u64 {
  const sign = aSign ^ bSign;
  if (aClass == CLASS_INFINITY || bClass == CLASS_INFINITY) {
    if (aClass == CLASS_ZERO || bClass == CLASS_ZERO) return invalid(single);
    noteDenormals();
    return infinityBits(sign, single);
  }
  noteDenormals();
  if (aClass == CLASS_ZERO || bClass == CLASS_ZERO) return signBits(sign, single);
  mulFinite();
  return finish(single);
}

function div(single: bool): u64 {
  const sign = aSign ^ bSign;
  if (aClass == CLASS_INFINITY) {
    if (bClass == CLASS_INFINITY) return invalid(single);
    noteDenormals();
    return infinityBits(sign, single);
  }
  if (bClass == CLASS_ZERO) {
    if (aClass == CLASS_ZERO) return invalid(single);
    // Division by zero comes before the denormal dividend.
    raiseFloat(FLAG_ZE);
    return infinityBits(sign, single);
  }
  noteDenormals();
  if (aClass == CLASS_ZERO || bClass == CLASS_INFINITY) return signBits(sign, single);
  divFinite();
  return finish(single);
}

/** MIN and MAX give the second operand if either is a NaN or both are zero. */
function minMax(a: u64, b: u64, largest: bool, single: bool): u64 {
  if (aClass >= CLASS_QNAN || bClass >= CLASS_QNAN) {
    raiseFloat(FLAG_IE);
    return bClass == CLASS_ZERO ? signBits(bSign, single) : b;
  }
  noteDenormals();
  if (compareOrdered() == (largest ? GREATER : LESS)) return aClass == CLASS_ZERO ? signBits(aSign, single) : a;
  return bClass == CLASS_ZERO ? signBits(bSign, single) : b;
}

export function softSqrt(a: u64, single: bool): u64 {
  unpackA(a, single);
  if (aClass >= CLASS_QNAN) {
    if (aClass == CLASS_SNAN) raiseFloat(FLAG_IE);
    return a | quietBit(single);
  }
  if (aClass == CLASS_ZERO) return signBits(aSign, single);
  if (aSign != 0) return invalid(single);
  if (aClass == CLASS_INFINITY) return a;
  if (aClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
  sqrtFinite();
  return finish(single);
}

/** a OP b; the square root is that of b (the source operand). */
export function softArith(op: u32, a: u64, b: u64, single: bool): u64 {
  if (op == OP_SQRT) return softSqrt(b, single);
  unpackA(a, single);
  unpackB(b, single);
  if (op == OP_MIN) return minMax(a, b, false, single);
  if (op == OP_MAX) return minMax(a, b, true, single);
  if (aClass >= CLASS_QNAN || bClass >= CLASS_QNAN) return propagateNan(a, b, single);
  if (op == OP_ADD) return add(false, single);
  if (op == OP_SUB) return add(true, single);
  return op == OP_MUL ? mul(single) : div(single);
}

// ---- Comparison -------------------------------------------------------------------------------------------------
/** LESS, EQUAL, GREATER or UNORDERED; `signaling`: QNaNs raise IE too. */
export function softCompare(a: u64, b: u64, signaling: bool, single: bool): u32 {
  unpackA(a, single);
  unpackB(b, single);
  if (aClass >= CLASS_QNAN || bClass >= CLASS_QNAN) {
    if (signaling || aClass == CLASS_SNAN || bClass == CLASS_SNAN) raiseFloat(FLAG_IE);
    return UNORDERED;
  }
  noteDenormals();
  return compareOrdered();
}

/** The truth of CMPxx predicate 0–7 for a comparison's outcome. */
export function predicateHolds(predicate: u32, outcome: u32): bool {
  let holds: bool;
  switch (predicate & 3) {
    case 0:
      holds = outcome == EQUAL;
      break;
    case 1:
      holds = outcome == LESS;
      break;
    case 2:
      holds = outcome == LESS || outcome == EQUAL;
      break;
    default:
      holds = outcome == UNORDERED;
  }
  return holds != ((predicate & 4) != 0);
}

// ---- Conversion -------------------------------------------------------------------------------------------------
export function softF64ToF32(a: u64): u64 {
  unpackA(a, false);
  switch (aClass) {
    case CLASS_ZERO:
      return signBits(aSign, true);
    case CLASS_INFINITY:
      return infinityBits(aSign, true);
    case CLASS_SNAN:
      raiseFloat(FLAG_IE);
      return infinityBits(aSign, true) | 0x400000 | ((a >> 29) & 0x7fffff);
    case CLASS_QNAN:
      return infinityBits(aSign, true) | 0x400000 | ((a >> 29) & 0x7fffff);
    case CLASS_DENORMAL:
      raiseFloat(FLAG_DE);
  }
  setZ(aSign, aExp, aSig, 0);
  return finish(true);
}

export function softF32ToF64(a: u64): u64 {
  unpackA(a, true);
  switch (aClass) {
    case CLASS_ZERO:
      return signBits(aSign, false);
    case CLASS_INFINITY:
      return infinityBits(aSign, false);
    case CLASS_SNAN:
      raiseFloat(FLAG_IE);
      return infinityBits(aSign, false) | 0x8000000000000 | ((a & 0x7fffff) << 29);
    case CLASS_QNAN:
      return infinityBits(aSign, false) | 0x8000000000000 | ((a & 0x7fffff) << 29);
    case CLASS_DENORMAL:
      raiseFloat(FLAG_DE);
  }
  setZ(aSign, aExp, aSig, 0);
  return finish(false);
}

/** Signed integer of 32 or 64 bits (sign-extended), by MXCSR's rounding or by truncation. */
export function softToInteger(a: u64, bits: u32, truncate: bool, single: bool): i64 {
  unpackA(a, single);
  const rounding = fpRound;
  if (truncate) setRound(3);
  const result = toInteger(bits);
  setRound(rounding);
  return result;
}

export function softFromI64(value: i64, single: bool): u64 {
  if (value == 0) return 0;
  const magnitude = value < 0 ? 0 - u64(value) : u64(value);
  const shift = i32(clz(magnitude));
  setZ(u32(value < 0), 63 - shift, magnitude << shift, 0);
  return finish(single);
}

/** ROUNDxx: control bits 0–1 rounding, 2 use MXCSR's, 3 suppress PE (SDM table 4-18). */
export function softRound(a: u64, control: u32, single: bool): u64 {
  unpackA(a, single);
  if (aClass >= CLASS_QNAN) {
    if (aClass == CLASS_SNAN) raiseFloat(FLAG_IE);
    return a | quietBit(single);
  }
  if (aClass == CLASS_ZERO) return signBits(aSign, single);
  if (aClass == CLASS_INFINITY || aExp >= (single ? 23 : 52)) return a;
  const rounding = fpRound;
  const flags = fpFlags;
  if ((control & 4) == 0) setRound(control & 3);
  const whole = toMagnitude();
  setRound(rounding);
  if ((control & 8) != 0) setFloatFlags(flags | (fpFlags & ~FLAG_PE));
  const sign = signBits(aSign, single);
  if (whole == 0) return sign;
  return sign | (single ? u64(reinterpret<u32>(f32(whole))) : reinterpret<u64>(f64(whole)));
}
