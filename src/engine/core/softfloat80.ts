// 80-bit floating point ("double extended-precision"): operand classes, the arithmetic of the x87 with its NaN
// rules, and the conversions between it and integers, binary32 and binary64 (SDM vol. 1 chapters 4.8 and 8).
//
// A register is { sign and exponent u16, significand u64 with an explicit integer bit }. Results go to xSe, xSig;
// integers to their return value. Exceptions are collected in fpFlags; committing them, and refusing a result
// because an exception is unmasked, is x87.ts's work.
import {
  CLASS_DENORMAL,
  CLASS_INFINITY,
  CLASS_NORMAL,
  CLASS_QNAN,
  CLASS_SNAN,
  CLASS_UNSUPPORTED,
  CLASS_ZERO,
  FLAG_DE,
  FLAG_IE,
  FLAG_PE,
  FLAG_ZE,
  ROUND_DOWN,
  ROUND_NEAREST,
  ROUND_UP,
  ROUND_ZERO,
  SIGN64,
  aClass,
  aExp,
  aSig,
  aSign,
  addFinite,
  bClass,
  bExp,
  bSig,
  bSign,
  divFinite,
  fpFlags,
  fpRound,
  mulFinite,
  rExp,
  rInfinite,
  rSig,
  raiseFloat,
  round,
  setA,
  setB,
  setFloatFlags,
  setRoundedUp,
  setZ,
  sqrtFinite,
  swapOperands,
  zHi,
  zSign,
} from "./float-core";

export const BIAS80: i32 = 16383;
export const EMIN80: i32 = -16382;
export const EMAX80: i32 = 16383;
/** The significand of the default NaN, whose sign and exponent are 0xffff. */
export const DEFAULT_NAN_SIG: u64 = 0xc000000000000000;
export const QUIET_BIT80: u64 = 0x4000000000000000;

/** The 80-bit result of the last operation. */
export let xSe: u32 = 0;
export let xSig: u64 = 0;

export function setX(se: u32, sig: u64): void {
  xSe = se;
  xSig = sig;
}

// Precision control (CW bits 8–9) as a number of significand bits; the reserved value 1 behaves as extended.
export let x87Precision: u32 = 64;

export function setPrecision(bits: u32): void {
  x87Precision = bits;
}

// ---- Operands ---------------------------------------------------------------------------------------------------
export function classify80(se: u32, sig: u64): u32 {
  const exp = se & 0x7fff;
  if (exp == 0) return sig == 0 ? CLASS_ZERO : CLASS_DENORMAL;
  if (sig >> 63 == 0) return CLASS_UNSUPPORTED;
  if (exp != 0x7fff) return CLASS_NORMAL;
  if (sig << 1 == 0) return CLASS_INFINITY;
  return (sig & QUIET_BIT80) != 0 ? CLASS_QNAN : CLASS_SNAN;
}

/** Operand a of an operation; a NaN keeps its significand in aSig. */
export function unpackA80(se: u32, sig: u64): void {
  const kind = classify80(se, sig);
  const exp = i32(se & 0x7fff);
  if (kind == CLASS_DENORMAL) {
    const shift = i32(clz(sig));
    setA(se >> 15, EMIN80 - shift, sig << shift, kind);
  } else {
    setA(se >> 15, exp - BIAS80, sig, kind);
  }
}

export function unpackB80(se: u32, sig: u64): void {
  const kind = classify80(se, sig);
  const exp = i32(se & 0x7fff);
  if (kind == CLASS_DENORMAL) {
    const shift = i32(clz(sig));
    setB(se >> 15, EMIN80 - shift, sig << shift, kind);
  } else {
    setB(se >> 15, exp - BIAS80, sig, kind);
  }
}

// Memory operands of arithmetic: like registers, but a denormal is one in its own format, and SNaNs stay signaling.
export function unpackBF32(bits: u32): void {
  const sign = bits >> 31;
  const exp = i32((bits >> 23) & 0xff);
  const fraction = u64(bits & 0x7fffff);
  if (exp == 0xff) {
    setB(sign, 0, SIGN64 | (fraction << 40), nanClass(fraction << 41));
  } else if (exp != 0) {
    setB(sign, exp - 127, SIGN64 | (fraction << 40), CLASS_NORMAL);
  } else if (fraction == 0) {
    setB(sign, 0, 0, CLASS_ZERO);
  } else {
    const shift = i32(clz(fraction));
    setB(sign, -86 - shift, fraction << shift, CLASS_DENORMAL);
  }
}

export function unpackBF64(bits: u64): void {
  const sign = u32(bits >> 63);
  const exp = i32(u32(bits >> 52) & 0x7ff);
  const fraction = bits & 0xfffffffffffff;
  if (exp == 0x7ff) {
    setB(sign, 0, SIGN64 | (fraction << 11), nanClass(fraction << 12));
  } else if (exp != 0) {
    setB(sign, exp - 1023, SIGN64 | (fraction << 11), CLASS_NORMAL);
  } else if (fraction == 0) {
    setB(sign, 0, 0, CLASS_ZERO);
  } else {
    const shift = i32(clz(fraction));
    setB(sign, -1011 - shift, fraction << shift, CLASS_DENORMAL);
  }
}

/** Class of a value with all exponent bits set, its fraction at the top of a u64. */
function nanClass(fraction: u64): u32 {
  if (fraction == 0) return CLASS_INFINITY;
  return fraction >> 63 != 0 ? CLASS_QNAN : CLASS_SNAN;
}

export function unpackBI32(value: i32): void {
  fromI64(i64(value));
  unpackB80(xSe, xSig);
}

// ---- Special results --------------------------------------------------------------------------------------------
export function invalid80(): void {
  raiseFloat(FLAG_IE);
  setX(0xffff, DEFAULT_NAN_SIG);
}

export function zero80(sign: u32): void {
  setX(sign << 15, 0);
}

export function infinity80(sign: u32): void {
  setX((sign << 15) | 0x7fff, SIGN64);
}

/** The NaN an operation on a and b gives, at least one of them being one (SDM 1 table 4-7). */
export function propagateNan80(): void {
  const aNan = aClass >= CLASS_QNAN;
  const bNan = bClass >= CLASS_QNAN;
  if (aClass == CLASS_SNAN || bClass == CLASS_SNAN) raiseFloat(FLAG_IE);
  let takeA = aNan;
  if (aNan && bNan) {
    if (aClass != bClass) takeA = aClass == CLASS_QNAN;
    else if (aSig != bSig) takeA = aSig > bSig;
    else takeA = aSign < bSign;
  }
  if (takeA) setX((aSign << 15) | 0x7fff, aSig | QUIET_BIT80);
  else setX((bSign << 15) | 0x7fff, bSig | QUIET_BIT80);
}

/** The cases of a two-operand operation that need no arithmetic: true if xSe, xSig hold the answer. */
export function nanOperands80(): bool {
  if (aClass == CLASS_UNSUPPORTED || bClass == CLASS_UNSUPPORTED) {
    invalid80();
    return true;
  }
  if (aClass >= CLASS_QNAN || bClass >= CLASS_QNAN) {
    propagateNan80();
    return true;
  }
  return false;
}

@inline
export function noteDenormals(): void {
  if (aClass == CLASS_DENORMAL || bClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
}

/** Packs what round() left into xSe, xSig. */
export function packRounded80(sign: u32): void {
  if (rInfinite) infinity80(sign);
  else setX((sign << 15) | (rSig >> 63 != 0 ? u32(rExp + BIAS80) : 0), rSig);
}

/** Rounds z to the given precision and stores it in xSe, xSig. */
export function finish80(precision: u32): void {
  round(precision, EMIN80, EMAX80, true);
  packRounded80(zSign);
}

// ---- Arithmetic -------------------------------------------------------------------------------------------------
/** a + b, or a - b. */
export function add80(subtract: bool): void {
  if (nanOperands80()) return;
  const sign = bSign ^ u32(subtract);
  if (aClass == CLASS_INFINITY) {
    if (bClass == CLASS_INFINITY && sign != aSign) {
      invalid80();
      return;
    }
    noteDenormals();
    infinity80(aSign);
    return;
  }
  noteDenormals();
  if (bClass == CLASS_INFINITY) {
    infinity80(sign);
    return;
  }
  if (aClass == CLASS_ZERO) {
    if (bClass == CLASS_ZERO) {
      zero80(aSign == sign ? sign : u32(fpRound == ROUND_DOWN));
      return;
    }
    setZ(sign, bExp, bSig, 0);
  } else if (bClass == CLASS_ZERO) {
    setZ(aSign, aExp, aSig, 0);
  } else {
    addFinite(aSign != sign);
    if (zHi == 0) {
      zero80(u32(fpRound == ROUND_DOWN));
      return;
    }
  }
  finish80(x87Precision);
}

export function mul80(): void {
  if (nanOperands80()) return;
  const sign = aSign ^ bSign;
  if (aClass == CLASS_INFINITY || bClass == CLASS_INFINITY) {
    if (aClass == CLASS_ZERO || bClass == CLASS_ZERO) {
      invalid80();
      return;
    }
    noteDenormals();
    infinity80(sign);
    return;
  }
  noteDenormals();
  if (aClass == CLASS_ZERO || bClass == CLASS_ZERO) {
    zero80(sign);
    return;
  }
  mulFinite();
  finish80(x87Precision);
}

/** a / b. */
export function div80(): void {
  if (nanOperands80()) return;
  const sign = aSign ^ bSign;
  if ((aClass == CLASS_INFINITY && bClass == CLASS_INFINITY) || (aClass == CLASS_ZERO && bClass == CLASS_ZERO)) {
    invalid80();
    return;
  }
  if (aClass == CLASS_INFINITY) {
    noteDenormals();
    infinity80(sign);
    return;
  }
  if (bClass == CLASS_ZERO) {
    // Division by zero comes before the denormal dividend.
    raiseFloat(FLAG_ZE);
    infinity80(sign);
    return;
  }
  noteDenormals();
  if (aClass == CLASS_ZERO || bClass == CLASS_INFINITY) {
    zero80(sign);
    return;
  }
  divFinite();
  finish80(x87Precision);
}

export function sqrt80(): void {
  if (aClass == CLASS_UNSUPPORTED) {
    invalid80();
    return;
  }
  if (aClass >= CLASS_QNAN) {
    if (aClass == CLASS_SNAN) raiseFloat(FLAG_IE);
    setX((aSign << 15) | 0x7fff, aSig | QUIET_BIT80);
    return;
  }
  if (aClass == CLASS_ZERO) {
    zero80(aSign);
    return;
  }
  if (aSign != 0) {
    invalid80();
    return;
  }
  if (aClass == CLASS_INFINITY) {
    infinity80(0);
    return;
  }
  if (aClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
  sqrtFinite();
  finish80(x87Precision);
}

/** The arithmetic of opcode extension /op on a = ST(0) and b = the other operand. */
export function arith80(op: u32): void {
  switch (op) {
    case 0:
      add80(false);
      break;
    case 1:
      mul80();
      break;
    case 4:
      add80(true);
      break;
    case 5:
      swapOperands();
      add80(true);
      break;
    case 6:
      div80();
      break;
    default:
      swapOperands();
      div80();
  }
}

export const LESS: u32 = 0;
export const EQUAL: u32 = 1;
export const GREATER: u32 = 2;
export const UNORDERED: u32 = 3;

/** a against b; `quiet`: QNaNs are unordered without IE (FUCOM). */
export function compare80(quiet: bool): u32 {
  if (aClass >= CLASS_QNAN || bClass >= CLASS_QNAN) {
    if (!quiet || aClass > CLASS_QNAN || bClass > CLASS_QNAN) raiseFloat(FLAG_IE);
    return UNORDERED;
  }
  noteDenormals();
  return compareOrdered();
}

/** a against b, neither of them a NaN. */
export function compareOrdered(): u32 {
  if (aClass == CLASS_ZERO && bClass == CLASS_ZERO) return EQUAL;
  if (aClass == CLASS_ZERO) return bSign != 0 ? GREATER : LESS;
  if (bClass == CLASS_ZERO) return aSign != 0 ? LESS : GREATER;
  if (aSign != bSign) return aSign != 0 ? LESS : GREATER;
  const aInfinite = aClass == CLASS_INFINITY;
  const bInfinite = bClass == CLASS_INFINITY;
  let larger: bool;
  if (aInfinite || bInfinite) {
    if (aInfinite && bInfinite) return EQUAL;
    larger = aInfinite;
  } else {
    if (aExp == bExp && aSig == bSig) return EQUAL;
    larger = aExp > bExp || (aExp == bExp && aSig > bSig);
  }
  return larger != (aSign != 0) ? GREATER : LESS;
}

// ---- From memory formats ----------------------------------------------------------------------------------------
/** binary32 to 80 bits: exact; SNaNs become quiet with IE, denormals are noted. */
export function fromF32(bits: u32): void {
  const sign = bits >> 31;
  const exp = (bits >> 23) & 0xff;
  const fraction = u64(bits & 0x7fffff);
  if (exp == 0xff) {
    if (fraction != 0 && (bits & 0x400000) == 0) raiseFloat(FLAG_IE);
    setX((sign << 15) | 0x7fff, SIGN64 | (fraction << 40) | (fraction != 0 ? QUIET_BIT80 : 0));
  } else if (exp != 0) {
    setX((sign << 15) | (exp + 16256), SIGN64 | (fraction << 40));
  } else if (fraction == 0) {
    zero80(sign);
  } else {
    raiseFloat(FLAG_DE);
    const shift = u32(clz(fraction));
    setX((sign << 15) | (16297 - shift), fraction << shift);
  }
}

export function fromF64(bits: u64): void {
  const sign = u32(bits >> 63);
  const exp = u32(bits >> 52) & 0x7ff;
  const fraction = bits & 0xfffffffffffff;
  if (exp == 0x7ff) {
    if (fraction != 0 && (bits & 0x8000000000000) == 0) raiseFloat(FLAG_IE);
    setX((sign << 15) | 0x7fff, SIGN64 | (fraction << 11) | (fraction != 0 ? QUIET_BIT80 : 0));
  } else if (exp != 0) {
    setX((sign << 15) | (exp + 15360), SIGN64 | (fraction << 11));
  } else if (fraction == 0) {
    zero80(sign);
  } else {
    raiseFloat(FLAG_DE);
    const shift = u32(clz(fraction));
    setX((sign << 15) | (15372 - shift), fraction << shift);
  }
}

export function fromI64(value: i64): void {
  if (value == 0) {
    zero80(0);
    return;
  }
  const sign = u32(value < 0);
  const magnitude = value < 0 ? 0 - u64(value) : u64(value);
  const shift = u32(clz(magnitude));
  setX((sign << 15) | (16446 - shift), magnitude << shift);
}

// ---- To memory formats (operand a) --------------------------------------------------------------------------------
export function toF32(): u32 {
  const sign = aSign << 31;
  switch (aClass) {
    case CLASS_ZERO:
      return sign;
    case CLASS_INFINITY:
      return sign | 0x7f800000;
    case CLASS_SNAN:
      raiseFloat(FLAG_IE);
      return sign | 0x7fc00000 | (u32(aSig >> 40) & 0x7fffff);
    case CLASS_QNAN:
      return sign | 0x7fc00000 | (u32(aSig >> 40) & 0x7fffff);
    case CLASS_UNSUPPORTED:
      raiseFloat(FLAG_IE);
      return 0xffc00000;
  }
  setZ(aSign, aExp, aSig, 0);
  round(24, -126, 127, false);
  return packF32(aSign);
}

export function toF64(): u64 {
  const sign = u64(aSign) << 63;
  switch (aClass) {
    case CLASS_ZERO:
      return sign;
    case CLASS_INFINITY:
      return sign | 0x7ff0000000000000;
    case CLASS_SNAN:
      raiseFloat(FLAG_IE);
      return sign | 0x7ff8000000000000 | ((aSig >> 11) & 0xfffffffffffff);
    case CLASS_QNAN:
      return sign | 0x7ff8000000000000 | ((aSig >> 11) & 0xfffffffffffff);
    case CLASS_UNSUPPORTED:
      raiseFloat(FLAG_IE);
      return 0xfff8000000000000;
  }
  setZ(aSign, aExp, aSig, 0);
  round(53, -1022, 1023, false);
  return packF64(aSign);
}

/** binary32 of what round(24, -126, 127, …) left. */
export function packF32(sign: u32): u32 {
  if (rInfinite) return (sign << 31) | 0x7f800000;
  // Adding the significand with its integer bit to (biased exponent - 1) makes a denormal come out right too.
  return (sign << 31) + (u32(rExp + 126) << 23) + u32(rSig >> 40);
}

/** binary64 of what round(53, -1022, 1023, …) left. */
export function packF64(sign: u32): u64 {
  if (rInfinite) return (u64(sign) << 63) | 0x7ff0000000000000;
  return (u64(sign) << 63) + (u64(rExp + 1022) << 52) + (rSig >> 11);
}

// ---- To integers ------------------------------------------------------------------------------------------------
/** The magnitude of finite nonzero a did not fit 64 bits. */
export let integerOverflow: bool = false;

/** |a| rounded to an integer by fpRound; sets PE (C1) and integerOverflow. */
export function toMagnitude(): u64 {
  integerOverflow = false;
  setRoundedUp(false);
  if (aExp >= 64) {
    integerOverflow = true;
    return 0;
  }
  if (aExp == 63) return aSig;
  let whole: u64 = 0;
  let tail: u64;
  if (aExp >= 0) {
    whole = aSig >> (63 - aExp);
    tail = aSig << (1 + aExp);
  } else if (aExp == -1) {
    tail = aSig;
  } else {
    tail = 1;
  }
  if (tail == 0) return whole;
  raiseFloat(FLAG_PE);
  let up = false;
  if (fpRound == ROUND_NEAREST) up = tail > SIGN64 || (tail == SIGN64 && (whole & 1) != 0);
  else if (fpRound != ROUND_ZERO) up = fpRound == (aSign != 0 ? ROUND_DOWN : ROUND_UP);
  if (up) {
    whole++;
    setRoundedUp(true);
  }
  return whole;
}

/** a as a signed integer of `bits` bits, sign-extended; the integer indefinite with IE where it does not fit. */
export function toInteger(bits: u32): i64 {
  const indefinite: i64 = i64.MIN_VALUE >> (64 - bits);
  if (aClass == CLASS_ZERO) return 0;
  if (aClass >= CLASS_INFINITY) {
    raiseFloat(FLAG_IE);
    return indefinite;
  }
  const before = fpFlags;
  const magnitude = toMagnitude();
  const limit = SIGN64 >> (64 - bits);
  if (integerOverflow || magnitude > limit || (magnitude == limit && aSign == 0)) {
    setFloatFlags(before | FLAG_IE);
    setRoundedUp(false);
    return indefinite;
  }
  return aSign != 0 ? i64(0 - magnitude) : i64(magnitude);
}

/** a rounded to an integral value (FRNDINT). */
export function roundToIntegral80(): void {
  if (aClass == CLASS_UNSUPPORTED) {
    invalid80();
    return;
  }
  const sign = aSign << 15;
  if (aClass >= CLASS_QNAN) {
    if (aClass == CLASS_SNAN) raiseFloat(FLAG_IE);
    setX(sign | 0x7fff, aSig | QUIET_BIT80);
    return;
  }
  if (aClass == CLASS_INFINITY || aClass == CLASS_ZERO) {
    setX(sign | (aClass == CLASS_INFINITY ? 0x7fff : 0), aSig);
    return;
  }
  if (aClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
  if (aExp >= 63) {
    setX(sign | u32(aExp + BIAS80), aSig);
    return;
  }
  const whole = toMagnitude();
  if (whole == 0) {
    setX(sign, 0);
    return;
  }
  const shift = u32(clz(whole));
  setX(sign | (16446 - shift), whole << shift);
}
