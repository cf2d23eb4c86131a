// FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X and FYL2XP1 (SDM vol. 1 8.3.6–8.3.10).
//
// Computed with 128-bit significands and rounded once by RC, so results are correctly rounded but for cases within
// 2^-50 ulp of a tie. Arguments of the trigonometric functions are reduced with the pi of 66 bits that 8.3.8 states
// and processors use, without further error. Outside |x| < 2^63 they set C2. F2XM1 beyond [-1, 1], undefined by the manual, gives its argument.
import {
  CLASS_DENORMAL,
  CLASS_INFINITY,
  CLASS_QNAN,
  CLASS_SNAN,
  CLASS_UNSUPPORTED,
  CLASS_ZERO,
  FLAG_DE,
  FLAG_IE,
  FLAG_PE,
  FLAG_UE,
  FLAG_ZE,
  SIGN64,
  aClass,
  aExp,
  aSig,
  aSign,
  bClass,
  bExp,
  bSig,
  bSign,
  raiseFloat,
  setZ,
} from "./float-core";
import {
  BIAS80,
  DEFAULT_NAN_SIG,
  QUIET_BIT80,
  finish80,
  infinity80,
  invalid80,
  nanOperands80,
  noteDenormals,
  setX,
  unpackA80,
  xSe,
  xSig,
  zero80,
} from "./softfloat80";
import {
  ARC_TANGENT,
  LN2_HI,
  LN2_LO,
  LOG2E_HI,
  LOG2E_LO,
  PI_HI,
  PI_LO,
  RECIPROCAL_FACTORIAL,
  RECIPROCAL_ODD,
  WIDE_BYTES,
  addWide,
  divWide,
  expOf,
  hiOf,
  isZero,
  loOf,
  mulWide,
  polynomial,
  setExp,
  setInteger,
  setNormalized,
  setSign,
  setWide,
  signOf,
  squareFixed,
  toFixed,
} from "./wide-float";
import {
  SW_C1,
  SW_C2,
  begin87,
  commit87,
  commitTo,
  isEmpty,
  pop,
  push,
  setStatusWord,
  stSe,
  stSig,
  stackOverflow,
  stackUnderflow,
  statusWord,
  underflowTo,
  unpackSt,
  writeSt,
} from "./x87-state";

// Working registers.
const x: usize = memory.data(WIDE_BYTES, 8);
const y: usize = memory.data(WIDE_BYTES, 8);
const sine: usize = memory.data(WIDE_BYTES, 8);
const cosine: usize = memory.data(WIDE_BYTES, 8);
const square: usize = memory.data(WIDE_BYTES, 8);
const sum: usize = memory.data(WIDE_BYTES, 8);
const other: usize = memory.data(WIDE_BYTES, 8);
const constant: usize = memory.data(WIDE_BYTES, 8);

/** Bytes of a table entry. */
const ENTRY: u32 = 16;
const ONE_FIXED: u64 = SIGN64;

/** Rounds a wide number to xSe, xSig; `inexact`: it is an approximation whatever its bits say. */
function finishWide(p: usize, inexact: bool): void {
  setZ(signOf(p), expOf(p), hiOf(p), loOf(p) | u64(inexact));
  finish80(64);
}

/** The answer of a function of one operand for NaNs and unsupported encodings; false: there is none. */
function nanOperand(): bool {
  if (aClass == CLASS_UNSUPPORTED) {
    invalid80();
    return true;
  }
  if (aClass < CLASS_QNAN) return false;
  if (aClass == CLASS_SNAN) raiseFloat(FLAG_IE);
  setX((aSign << 15) | 0x7fff, aSig | QUIET_BIT80);
  return true;
}

// ---- Trigonometric functions --------------------------------------------------------------------------------------
/** Arguments of this exponent and above are out of range. */
const RANGE_EXP: i32 = 63;

/** pi/2 = this * 2^-65, the 66 bits that the manual states. */
const HALF_PI_HI: u64 = 3;
const HALF_PI_LO: u64 = 0x243f6a8885a308d3;

/** x = |a| reduced to [-pi/4, pi/4] without error; returns the multiple of pi/2 taken away, modulo 4. */
function reduce(): u32 {
  if (aExp < -1) {
    setWide(x, 0, aExp, aSig, 0);
    return 0;
  }
  // Long division of |a| = significand * 2^(aExp + 2) * 2^-65, by a bit at a time.
  let hi: u64 = 0;
  let lo = aSig;
  let quadrant: u32 = 0;
  for (let i = aExp + 2; i > 0; i--) {
    hi = (hi << 1) | (lo >> 63);
    lo <<= 1;
    quadrant <<= 1;
    if (hi > HALF_PI_HI || (hi == HALF_PI_HI && lo >= HALF_PI_LO)) {
      hi -= HALF_PI_HI + u64(lo < HALF_PI_LO);
      lo -= HALF_PI_LO;
      quadrant |= 1;
    }
  }
  // The nearer multiple.
  const restLo = HALF_PI_LO - lo;
  const restHi = HALF_PI_HI - hi - u64(HALF_PI_LO < lo);
  const nearer = restHi < hi || (restHi == hi && restLo < lo);
  if (nearer) {
    hi = restHi;
    lo = restLo;
    quadrant++;
  }
  setNormalized(x, u32(nearer), 62, hi, lo);
  return quadrant & 3;
}

/** A polynomial that has come out as 1 with its argument too small to see: just below 1. */
function belowOne(p: usize): void {
  if (hiOf(p) == ONE_FIXED && loOf(p) == 0) setWide(p, 0, 0, u64.MAX_VALUE >> 1, u64.MAX_VALUE);
}

/** sine and cosine of |a|, a finite and not zero. */
function sineAndCosine(): void {
  const quadrant = reduce();
  toFixed(square, x);
  squareFixed(square, square);
  const s = (quadrant & 1) == 0 ? sine : cosine;
  const c = (quadrant & 1) == 0 ? cosine : sine;
  // sin x = x (1 - x^2/3! + …)
  polynomial(s, square, RECIPROCAL_FACTORIAL + ENTRY, 2 * ENTRY, 14, true);
  belowOne(s);
  setNormalized(s, 0, 0, hiOf(s), loOf(s));
  mulWide(s, s, x);
  polynomial(c, square, RECIPROCAL_FACTORIAL, 2 * ENTRY, 14, true);
  belowOne(c);
  setNormalized(c, 0, 0, hiOf(c), loOf(c));
  // sin(x + n pi/2) and cos(x + n pi/2) from sin x and cos x.
  if (quadrant == 1 || quadrant == 2) setSign(cosine, signOf(cosine) ^ 1);
  if (quadrant >= 2) setSign(sine, signOf(sine) ^ 1);
}

/** Sets or clears C2, "argument out of range". */
function setC2(out: bool): void {
  const sw = statusWord() & ~SW_C2;
  setStatusWord(out ? (sw | SW_C2) & ~SW_C1 : sw);
}

@inline
function outOfRange(): bool {
  return aClass < CLASS_INFINITY && aClass != CLASS_ZERO && aExp >= RANGE_EXP;
}

/** FSIN (imm = 0), FCOS (imm = 1). */
export function h_x87_sine(d: u32, s: u32, imm: i32): u32 {
  begin87();
  setC2(false);
  if (isEmpty(0)) {
    underflowTo(0);
    return 0;
  }
  unpackA80(stSe(0), stSig(0));
  if (outOfRange()) {
    setC2(true);
    return 0;
  }
  if (!nanOperand()) {
    if (aClass == CLASS_INFINITY) invalid80();
    else if (aClass == CLASS_ZERO) {
      if (imm == 0) zero80(aSign);
      else setX(u32(BIAS80), SIGN64);
    } else {
      const sign = aSign;
      if (aClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
      sineAndCosine();
      if (imm == 0) setSign(sine, signOf(sine) ^ sign);
      finishWide(imm == 0 ? sine : cosine, true);
    }
  }
  commitTo(0);
  return 0;
}

/** Two results: `se`, `sig` replace ST(0) and xSe, xSig are pushed. */
function commitPair(se: u32, sig: u64): void {
  if (!commit87()) return;
  writeSt(0, se, sig);
  push(xSe, xSig);
}

/** Stack faults of an instruction that replaces ST(0) and pushes; true if there was one. */
function pairFault(): bool {
  if (!isEmpty(0) && isEmpty(-1)) return false;
  const masked = isEmpty(0) ? stackUnderflow() : stackOverflow();
  if (masked) {
    writeSt(0, 0xffff, DEFAULT_NAN_SIG);
    push(0xffff, DEFAULT_NAN_SIG);
  }
  return true;
}

/** FSINCOS: the sine replaces ST(0), the cosine is pushed. */
export function h_x87_sincos(d: u32, s: u32, imm: i32): u32 {
  begin87();
  setC2(false);
  if (pairFault()) return 0;
  unpackA80(stSe(0), stSig(0));
  if (outOfRange()) {
    setC2(true);
    return 0;
  }
  if (nanOperand()) {
    commitPair(xSe, xSig);
    return 0;
  }
  if (aClass == CLASS_INFINITY) {
    invalid80();
    commitPair(xSe, xSig);
    return 0;
  }
  if (aClass == CLASS_ZERO) {
    setX(u32(BIAS80), SIGN64);
    commitPair(aSign << 15, 0);
    return 0;
  }
  const sign = aSign;
  if (aClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
  sineAndCosine();
  setSign(sine, signOf(sine) ^ sign);
  finishWide(sine, true);
  const se = xSe;
  const sig = xSig;
  finishWide(cosine, true);
  commitPair(se, sig);
  return 0;
}

/** FPTAN: the tangent replaces ST(0), 1 is pushed. */
export function h_x87_tangent(d: u32, s: u32, imm: i32): u32 {
  begin87();
  setC2(false);
  if (pairFault()) return 0;
  unpackA80(stSe(0), stSig(0));
  if (outOfRange()) {
    setC2(true);
    return 0;
  }
  if (nanOperand()) {
    commitPair(xSe, xSig);
    return 0;
  }
  if (aClass == CLASS_INFINITY) {
    invalid80();
    commitPair(xSe, xSig);
    return 0;
  }
  if (aClass == CLASS_ZERO) {
    zero80(aSign);
  } else {
    const sign = aSign;
    if (aClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
    sineAndCosine();
    divWide(x, sine, cosine);
    setSign(x, signOf(x) ^ sign);
    finishWide(x, true);
  }
  const se = xSe;
  const sig = xSig;
  setX(u32(BIAS80), SIGN64);
  commitPair(se, sig);
  return 0;
}

// ---- FPATAN -----------------------------------------------------------------------------------------------------
/** p = atan(p), p in (0, 1]. */
function arcTangent(p: usize): void {
  // With c = k/32 near p: atan(p) = atan(c) + atan((p - c) / (1 + p c)).
  let k: u32 = 0;
  if (expOf(p) >= -6) {
    toFixed(other, p);
    k = u32((hiOf(other) + 0x0200000000000000) >> 58);
    setNormalized(constant, 0, 6, u64(k) << 52, 0);
    mulWide(other, p, constant);
    setWide(sum, 0, 0, ONE_FIXED, 0);
    addWide(other, other, sum);
    setSign(constant, 1);
    addWide(p, p, constant);
    if (!isZero(p)) divWide(p, p, other);
  }
  if (!isZero(p)) {
    toFixed(square, p);
    squareFixed(square, square);
    polynomial(sum, square, RECIPROCAL_ODD, ENTRY, 10, true);
    belowOne(sum);
    setNormalized(sum, 0, 0, hiOf(sum), loOf(sum));
    mulWide(p, p, sum);
  }
  if (k != 0) {
    const at = ARC_TANGENT + k * ENTRY;
    setNormalized(constant, 0, 0, load<u64>(at), load<u64>(at, 8));
    addWide(p, p, constant);
  }
}

/** FPATAN of finite nonzero a = ST(0) and b = ST(1): the angle of the point (a, b). */
function angle(): void {
  setWide(x, 0, aExp, aSig, 0);
  setWide(y, 0, bExp, bSig, 0);
  const steep = bExp > aExp || (bExp == aExp && bSig > aSig);
  if (steep) divWide(x, x, y);
  else divWide(x, y, x);
  arcTangent(x);
  if (steep) {
    // pi/2 - atan(a/b), or + for negative a
    setSign(x, aSign ^ 1);
    setWide(constant, 0, 0, PI_HI, PI_LO);
    addWide(x, x, constant);
  } else if (aSign != 0) {
    setSign(x, 1);
    setWide(constant, 0, 1, PI_HI, PI_LO);
    addWide(x, x, constant);
  }
  setSign(x, bSign);
  finishWide(x, true);
}

/** Stores pi * quarters / 4 with the sign of b. */
function quarters(count: u32): void {
  // 3 pi / 4 needs its own bits.
  if (count == 3) setWide(x, bSign, 1, 0x96cbe3f9990e91a7, 0x9394c9e8a0a5159d);
  else setWide(x, bSign, count == 1 ? -1 : count == 2 ? 0 : 1, PI_HI, PI_LO);
  finishWide(x, true);
}

function arcTangent2(): void {
  if (nanOperands80()) return;
  noteDenormals();
  if (bClass == CLASS_INFINITY) {
    quarters(aClass == CLASS_INFINITY ? (aSign != 0 ? 3 : 1) : 2);
  } else if (aClass == CLASS_INFINITY || bClass == CLASS_ZERO) {
    if (aSign != 0) quarters(4);
    else zero80(bSign);
  } else if (aClass == CLASS_ZERO) {
    quarters(2);
  } else {
    angle();
  }
}

/** FPATAN: atan2(ST(1), ST(0)) to ST(1), and pop. */
export function h_x87_arctangent(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0) || isEmpty(1)) {
    if (underflowTo(1)) pop();
    return 0;
  }
  unpackSt(0, 1);
  arcTangent2();
  if (commitTo(1)) pop();
  return 0;
}

// ---- F2XM1 ------------------------------------------------------------------------------------------------------
/** 2^a - 1 for finite nonzero |a| <= 1. */
function powerMinusOne(): void {
  if (aExp >= 0) {
    // ±1 are exact, with PE all the same; beyond them the manual defines nothing.
    raiseFloat(FLAG_PE);
    if (aExp == 0 && aSig == SIGN64) setX(aSign != 0 ? 0xbffe : u32(BIAS80), SIGN64);
    else setX((aSign << 15) | u32(aExp + BIAS80), aSig);
    return;
  }
  // With t = a ln 2: e^t - 1 = t (1 + t/2! + t^2/3! + …)
  setWide(x, aSign, aExp, aSig, 0);
  setWide(constant, 0, -1, LN2_HI, LN2_LO);
  mulWide(x, x, constant);
  toFixed(square, x);
  polynomial(sum, square, RECIPROCAL_FACTORIAL + ENTRY, ENTRY, 27, aSign != 0);
  setNormalized(sum, 0, 0, hiOf(sum), loOf(sum));
  mulWide(x, x, sum);
  finishWide(x, true);
}

export function h_x87_power(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0)) {
    underflowTo(0);
    return 0;
  }
  unpackA80(stSe(0), stSig(0));
  if (!nanOperand()) {
    if (aClass == CLASS_INFINITY) {
      if (aSign != 0) setX(0xbfff, SIGN64);
      else infinity80(0);
    } else if (aClass == CLASS_ZERO) {
      zero80(aSign);
    } else {
      if (aClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
      powerMinusOne();
    }
  }
  commitTo(0);
  return 0;
}

// ---- Logarithms ---------------------------------------------------------------------------------------------------
/** x = 2 log2(e) atanh(x) = log2((1 + x) / (1 - x)), |x| < 0.18. */
function logarithmSeries(): void {
  toFixed(square, x);
  squareFixed(square, square);
  polynomial(sum, square, RECIPROCAL_ODD, ENTRY, 20, false);
  setNormalized(sum, 0, 0, hiOf(sum), loOf(sum));
  mulWide(x, x, sum);
  setWide(constant, 0, 1, LOG2E_HI, LOG2E_LO);
  mulWide(x, x, constant);
}

/** x = log2(x), x positive; true if it is exact: x is a power of two. */
function logarithm(): bool {
  let exponent = expOf(x);
  if (hiOf(x) == SIGN64 && loOf(x) == 0) {
    setInteger(x, exponent);
    return true;
  }
  // Into [sqrt(1/2), sqrt(2)): log2 m = log2((1 + s) / (1 - s)) with s = (m - 1) / (m + 1).
  setExp(x, 0);
  if (hiOf(x) >= 0xb504f333f9de6484) {
    setExp(x, -1);
    exponent++;
  }
  setWide(constant, 0, 0, ONE_FIXED, 0);
  addWide(other, x, constant);
  setSign(constant, 1);
  addWide(x, x, constant);
  divWide(x, x, other);
  logarithmSeries();
  setInteger(other, exponent);
  addWide(x, x, other);
  return false;
}

/** xSe, xSig = b * x, with PE (and UE for a denormal) even if that is exact. */
function timesB(exact: bool): void {
  raiseFloat(FLAG_PE);
  setWide(y, bSign, bExp, bSig, 0);
  mulWide(x, x, y);
  finishWide(x, !exact);
  if ((xSe & 0x7fff) == 0) raiseFloat(FLAG_UE);
}

/** b * log2(a) for a = ST(0) and b = ST(1). */
function yLog2x(): void {
  if (nanOperands80()) return;
  if (aClass == CLASS_ZERO) {
    if (bClass == CLASS_ZERO) {
      invalid80();
      return;
    }
    if (bClass != CLASS_INFINITY) raiseFloat(FLAG_ZE);
    infinity80(bSign ^ 1);
    return;
  }
  if (aSign != 0) {
    invalid80();
    return;
  }
  if (aClass == CLASS_INFINITY) {
    if (bClass == CLASS_ZERO) {
      invalid80();
      return;
    }
    noteDenormals();
    infinity80(bSign);
    return;
  }
  const isOne = aExp == 0 && aSig == SIGN64;
  const below = aExp < 0;
  if (bClass == CLASS_INFINITY) {
    if (isOne) {
      invalid80();
      return;
    }
    noteDenormals();
    infinity80(bSign ^ u32(below));
    return;
  }
  noteDenormals();
  if (bClass == CLASS_ZERO || isOne) {
    zero80(bSign ^ u32(below));
    return;
  }
  setWide(x, 0, aExp, aSig, 0);
  timesB(logarithm());
}

/** FYL2X: ST(1) * log2(ST(0)) to ST(1), and pop. */
export function h_x87_logarithm(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0) || isEmpty(1)) {
    if (underflowTo(1)) pop();
    return 0;
  }
  unpackSt(0, 1);
  yLog2x();
  if (commitTo(1)) pop();
  return 0;
}

/** b * log2(1 + a). */
function yLog2x1(): void {
  if (nanOperands80()) return;
  if (aClass == CLASS_INFINITY) {
    if (aSign != 0 || bClass == CLASS_ZERO) {
      invalid80();
      return;
    }
    noteDenormals();
    infinity80(bSign);
    return;
  }
  if (bClass == CLASS_INFINITY) {
    if (aClass == CLASS_ZERO) {
      invalid80();
      return;
    }
    noteDenormals();
    infinity80(bSign ^ aSign);
    return;
  }
  noteDenormals();
  if (aClass == CLASS_ZERO || bClass == CLASS_ZERO) {
    zero80(bSign ^ aSign);
    return;
  }
  if (aSign != 0 && aExp >= 0) {
    // At or below -1, far outside the range of the manual, processors give the argument.
    raiseFloat(FLAG_PE);
    setX(0x8000 | u32(aExp + BIAS80), aSig);
    return;
  }
  setWide(x, aSign, aExp, aSig, 0);
  if (aExp >= -2) {
    // 1 + a has no more than 128 bits and no cancellation to speak of.
    setWide(constant, 0, 0, ONE_FIXED, 0);
    addWide(x, x, constant);
    timesB(logarithm());
    return;
  }
  // log2(1 + a) = log2((1 + s) / (1 - s)) with s = a / (a + 2).
  setWide(constant, 0, 1, ONE_FIXED, 0);
  addWide(other, x, constant);
  divWide(x, x, other);
  logarithmSeries();
  timesB(false);
}

/** FYL2XP1: ST(1) * log2(ST(0) + 1) to ST(1), and pop. */
export function h_x87_logarithm_plus_one(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0) || isEmpty(1)) {
    if (underflowTo(1)) pop();
    return 0;
  }
  unpackSt(0, 1);
  yLog2x1();
  if (commitTo(1)) pop();
  return 0;
}
