// The arithmetic under both floating-point units: exact sums, products, quotients and square roots of finite
// binary numbers, and their rounding to a format (IEEE 754-2008, SDM vol. 1 chapters 4.8, 8.5 and 11.5).
//
// A finite nonzero number is { sign, exponent, significand } with value significand / 2^63 * 2^exponent and bit 63
// of the significand set, whatever format it came from. Results are 128 bits wide (zHi, zLo; zLo may be reduced to
// a sticky tail) until round() has brought them into a format. NaNs, infinities and zeros are the callers' affair:
// the two units disagree about them. Results are passed in globals, for AssemblyScript has no multiple values.

// Exception flags, the same bits in MXCSR and in the x87 status word; masks are these bits shifted or as in CW.
export const FLAG_IE: u32 = 1;
export const FLAG_DE: u32 = 2;
export const FLAG_ZE: u32 = 4;
export const FLAG_OE: u32 = 8;
export const FLAG_UE: u32 = 16;
export const FLAG_PE: u32 = 32;
/** Exceptions found before anything is computed; an unmasked one suppresses the other three. */
export const FLAGS_BEFORE: u32 = 7;

export const ROUND_NEAREST: u32 = 0;
export const ROUND_DOWN: u32 = 1;
export const ROUND_UP: u32 = 2;
export const ROUND_ZERO: u32 = 3;

export const SIGN64: u64 = 0x8000000000000000;

// ---- The environment of the current operation -------------------------------------------------------------------
/** Exceptions found so far; the caller clears it and commits it. */
export let fpFlags: u32 = 0;
/** Exceptions that are masked. */
export let fpMasks: u32 = 0x3f;
export let fpRound: u32 = ROUND_NEAREST;
/** MXCSR.FZ: tiny results become zero while underflow is masked. */
export let fpFlushToZero: bool = false;
/** The last round() increased the magnitude (x87 C1). */
export let fpRoundedUp: bool = false;

export function beginFloat(round: u32, masks: u32, flushToZero: bool): void {
  fpFlags = 0;
  fpRound = round;
  fpMasks = masks;
  fpFlushToZero = flushToZero;
  fpRoundedUp = false;
}

@inline
export function raiseFloat(flags: u32): void {
  fpFlags |= flags;
}

export function setRound(round: u32): void {
  fpRound = round;
}

export function setFloatFlags(flags: u32): void {
  fpFlags = flags;
}

export function clearRoundedUp(): void {
  fpRoundedUp = false;
}

export function setRoundedUp(up: bool): void {
  fpRoundedUp = up;
}

// ---- Operand classes --------------------------------------------------------------------------------------------
export const CLASS_ZERO: u32 = 0;
export const CLASS_NORMAL: u32 = 1;
export const CLASS_DENORMAL: u32 = 2;
export const CLASS_INFINITY: u32 = 3;
export const CLASS_QNAN: u32 = 4;
export const CLASS_SNAN: u32 = 5;
/** x87 encodings no operation accepts: unnormals, pseudo-infinities, pseudo-NaNs. */
export const CLASS_UNSUPPORTED: u32 = 6;

// The two unpacked operands, in the order of the operation.
export let aSign: u32 = 0;
export let aExp: i32 = 0;
export let aSig: u64 = 0;
export let aClass: u32 = 0;
export let bSign: u32 = 0;
export let bExp: i32 = 0;
export let bSig: u64 = 0;
export let bClass: u32 = 0;

@inline
export function setA(sign: u32, exp: i32, sig: u64, kind: u32): void {
  aSign = sign;
  aExp = exp;
  aSig = sig;
  aClass = kind;
}

@inline
export function setB(sign: u32, exp: i32, sig: u64, kind: u32): void {
  bSign = sign;
  bExp = exp;
  bSig = sig;
  bClass = kind;
}

export function swapOperands(): void {
  const sign = aSign;
  const exp = aExp;
  const sig = aSig;
  const kind = aClass;
  setA(bSign, bExp, bSig, bClass);
  setB(sign, exp, sig, kind);
}

// ---- 128-bit integers -------------------------------------------------------------------------------------------
/** High half of the last mul64(). */
export let mulHi: u64 = 0;
/** Remainder of the last div128(). */
export let divRemainder: u64 = 0;

/** Low half of a * b; the high half is in mulHi. */
export function mul64(a: u64, b: u64): u64 {
  const a0 = a & 0xffffffff;
  const a1 = a >> 32;
  const b0 = b & 0xffffffff;
  const b1 = b >> 32;
  const low = a0 * b0;
  const middle1 = a1 * b0 + (low >> 32);
  const middle2 = a0 * b1 + (middle1 & 0xffffffff);
  mulHi = a1 * b1 + (middle1 >> 32) + (middle2 >> 32);
  return (middle2 << 32) | (low & 0xffffffff);
}

/** (hi : lo) / d for hi < d and bit 63 of d set; the remainder is in divRemainder. Knuth's algorithm D, base 2^32. */
export function div128(hi: u64, lo: u64, d: u64): u64 {
  const d1 = d >> 32;
  const d0 = d & 0xffffffff;
  let q1 = hi / d1;
  let r = hi - q1 * d1;
  const lo1 = lo >> 32;
  while (q1 >> 32 != 0 || q1 * d0 > ((r << 32) | lo1)) {
    q1--;
    r += d1;
    if (r >> 32 != 0) break;
  }
  const rest = ((hi << 32) | lo1) - q1 * d;
  let q0 = rest / d1;
  r = rest - q0 * d1;
  const lo0 = lo & 0xffffffff;
  while (q0 >> 32 != 0 || q0 * d0 > ((r << 32) | lo0)) {
    q0--;
    r += d1;
    if (r >> 32 != 0) break;
  }
  divRemainder = ((rest << 32) | lo0) - q0 * d;
  return (q1 << 32) | q0;
}

// ---- Finite arithmetic ------------------------------------------------------------------------------------------
export let zSign: u32 = 0;
export let zExp: i32 = 0;
/** Bit 63 set, or 0: the result is an exact zero whose sign the caller decides. */
export let zHi: u64 = 0;
export let zLo: u64 = 0;

export function setZ(sign: u32, exp: i32, hi: u64, lo: u64): void {
  zSign = sign;
  zExp = exp;
  zHi = hi;
  zLo = lo;
}

/** z = |a| + |b| (subtract: |a| - |b|) with the sign of a, turned around where |b| is larger. */
export function addFinite(subtract: bool): void {
  let largeExp = aExp;
  let large = aSig;
  let small = bSig;
  let sign = aSign;
  let shift = aExp - bExp;
  if (shift < 0 || (shift == 0 && small > large)) {
    largeExp = bExp;
    large = bSig;
    small = aSig;
    if (subtract) sign ^= 1;
    shift = -shift;
  }
  let smallLo: u64 = 0;
  if (shift >= 128) {
    small = 0;
    smallLo = 1;
  } else if (shift >= 64) {
    smallLo = small >> (shift - 64);
    if (shift > 64 && small << (128 - shift) != 0) smallLo |= 1;
    small = 0;
  } else if (shift > 0) {
    smallLo = small << (64 - shift);
    small >>= shift;
  }
  if (!subtract) {
    const sum = large + small;
    if (sum < large) {
      setZ(sign, largeExp + 1, (sum >> 1) | SIGN64, (smallLo >> 1) | (sum << 63) | (smallLo & 1));
    } else {
      setZ(sign, largeExp, sum, smallLo);
    }
    return;
  }
  let lo = 0 - smallLo;
  let hi = large - small - u64(smallLo != 0);
  if (hi == 0) {
    if (lo == 0) {
      setZ(sign, 0, 0, 0);
      return;
    }
    hi = lo;
    lo = 0;
    largeExp -= 64;
  }
  const normalize = i32(clz(hi));
  if (normalize != 0) {
    hi = (hi << normalize) | (lo >> (64 - normalize));
    lo <<= normalize;
  }
  setZ(sign, largeExp - normalize, hi, lo);
}

export function mulFinite(): void {
  let lo = mul64(aSig, bSig);
  let hi = mulHi;
  let exp = aExp + bExp + 1;
  if (hi >> 63 == 0) {
    hi = (hi << 1) | (lo >> 63);
    lo <<= 1;
    exp--;
  }
  setZ(aSign ^ bSign, exp, hi, lo);
}

export function divFinite(): void {
  let exp = aExp - bExp;
  let q: u64;
  if (aSig >= bSig) {
    q = div128(aSig >> 1, aSig << 63, bSig);
  } else {
    q = div128(aSig, 0, bSig);
    exp--;
  }
  // The tail only has to tell "nothing, less than half, half, more than half" of the quotient's last bit.
  const r = divRemainder;
  let tail: u64 = 0;
  if (r != 0) {
    const rest = bSig - r;
    tail = r < rest ? 1 : r == rest ? SIGN64 : SIGN64 | 1;
  }
  setZ(aSign ^ bSign, exp, q, tail);
}

/** z = sqrt(|a|): a 64-bit root with the exact comparison of the rest. */
export function sqrtFinite(): void {
  // N = significand scaled to [2^126, 2^128) with an even exponent; root = floor(sqrt(N)).
  let nHi = aSig;
  let nLo: u64 = 0;
  if ((aExp & 1) == 0) {
    nHi = aSig >> 1;
    nLo = aSig << 63;
  }
  const exp = aExp >> 1;
  const guess = sqrt<f64>(f64(nHi)) * 4294967296.0;
  let root: u64 = guess >= 18446744073709551615.0 ? u64.MAX_VALUE : u64(guess);
  // One Newton step: the rest of a 53-bit guess is small enough for f64.
  let squareLo = mul64(root, root);
  let squareHi = mulHi;
  let restLo = nLo - squareLo;
  let restHi = nHi - squareHi - u64(nLo < squareLo);
  const correction = (f64(i64(restHi)) * 18446744073709551616.0 + f64(restLo)) / (2.0 * f64(root));
  const step = i64(floor<f64>(correction));
  const moved = root + step;
  if (step > 0 && moved < root) root = u64.MAX_VALUE;
  else root = moved;
  squareLo = mul64(root, root);
  squareHi = mulHi;
  while (squareHi > nHi || (squareHi == nHi && squareLo > nLo)) {
    root--;
    squareLo = mul64(root, root);
    squareHi = mulHi;
  }
  while (root != u64.MAX_VALUE) {
    const nextLo = mul64(root + 1, root + 1);
    const nextHi = mulHi;
    if (nextHi > nHi || (nextHi == nHi && nextLo > nLo)) break;
    root++;
    squareLo = nextLo;
    squareHi = nextHi;
  }
  restLo = nLo - squareLo;
  restHi = nHi - squareHi - u64(nLo < squareLo);
  // sqrt(N) > root + 1/2 exactly if N - root^2 > root; equality is impossible for integers.
  let tail: u64 = 0;
  if ((restHi | restLo) != 0) tail = restHi != 0 || restLo > root ? SIGN64 | 1 : 1;
  setZ(0, exp, root, tail);
}

// ---- Rounding ---------------------------------------------------------------------------------------------------
/** What round() leaves: rSig in the 64-bit frame (bit 63 clear: denormal or zero, rExp = emin) and rExp. */
export let rExp: i32 = 0;
export let rSig: u64 = 0;
/** round() found overflow and the masked answer is infinity. */
export let rInfinite: bool = false;

/** The amount by which the exponent of an unmasked x87 over- or underflow is wrapped (SDM 1 8.5.4). */
export const EXPONENT_WRAP: i32 = 24576;

/** Does a magnitude with this kept last bit, and this tail (half = SIGN64), move away from zero? */
@inline
function roundsAway(sign: u32, odd: bool, tail: u64): bool {
  if (fpRound == ROUND_NEAREST) return tail > SIGN64 || (tail == SIGN64 && odd);
  if (tail == 0 || fpRound == ROUND_ZERO) return false;
  return fpRound == ROUND_UP ? sign == 0 : sign != 0;
}

/** Kept bits of (hi : lo) at this precision, and in splitTail the tail as a fraction of the last kept bit. */
let splitTail: u64 = 0;
@inline
function split(hi: u64, lo: u64, precision: u32): u64 {
  if (precision == 64) {
    splitTail = lo;
    return hi;
  }
  splitTail = (hi << precision) | u64(lo != 0);
  return hi & ~(u64.MAX_VALUE >> precision);
}

/**
 * Rounds z (zHi with bit 63 set) to `precision` bits and the exponent range [emin, emax]; sets rExp, rSig,
 * rInfinite, fpRoundedUp and the flags. Tininess is detected after rounding. `wrap`: an unmasked overflow or
 * underflow gives the wrapped result; without it the result is meaningless then (the caller stores nothing).
 */
export function round(precision: u32, emin: i32, emax: i32, wrap: bool): void {
  let exp = zExp;
  let hi = zHi;
  let lo = zLo;
  let tiny = false;
  rInfinite = false;
  fpRoundedUp = false;
  if (exp < emin) {
    tiny = true;
    if (exp == emin - 1) {
      const kept = split(hi, lo, precision);
      const last: u64 = precision == 64 ? 1 : SIGN64 >> (precision - 1);
      if (kept + last == 0) tiny = !roundsAway(zSign, true, splitTail);
    }
    if (tiny && (fpMasks & FLAG_UE) == 0) {
      fpFlags |= FLAG_UE;
      if (wrap) {
        exp += EXPONENT_WRAP;
        if (exp < emin) {
          // So far below the range that wrapping does not reach it (FSCALE): the manual gives zero.
          rExp = emin;
          rSig = 0;
          fpFlags |= FLAG_PE;
          return;
        }
      }
    } else if (tiny && fpFlushToZero) {
      fpFlags |= FLAG_UE | FLAG_PE;
      rExp = emin;
      rSig = 0;
      return;
    } else {
      const shift = emin - exp;
      if (shift >= 128) {
        lo = 1;
        hi = 0;
      } else if (shift >= 64) {
        const sticky = lo != 0 || (shift > 64 && hi << (128 - shift) != 0);
        lo = (hi >> (shift - 64)) | u64(sticky);
        hi = 0;
      } else {
        lo = (hi << (64 - shift)) | (lo >> shift) | u64(lo << (64 - shift) != 0);
        hi >>= shift;
      }
      exp = emin;
    }
  }
  let kept = split(hi, lo, precision);
  const last: u64 = precision == 64 ? 1 : SIGN64 >> (precision - 1);
  if (splitTail != 0) {
    fpFlags |= FLAG_PE;
    if (tiny) fpFlags |= FLAG_UE;
    if (roundsAway(zSign, (kept & last) != 0, splitTail)) {
      fpRoundedUp = true;
      const before = kept;
      kept += last;
      if (kept < before) {
        kept = SIGN64;
        exp++;
      }
    }
  }
  if (exp > emax) {
    fpFlags |= FLAG_OE;
    if ((fpMasks & FLAG_OE) == 0) {
      // PE then speaks of the rounding alone. Without `wrap` nobody looks at the result.
      if (!wrap) return;
      if (exp - EXPONENT_WRAP <= emax) {
        rExp = exp - EXPONENT_WRAP;
        rSig = kept;
        return;
      }
      // So far above the range that wrapping does not reach it (FSCALE): infinity.
      fpFlags |= FLAG_PE;
      rInfinite = true;
      fpRoundedUp = true;
      return;
    }
    fpFlags |= FLAG_PE;
    const toInfinity = fpRound == ROUND_NEAREST || fpRound == (zSign != 0 ? ROUND_DOWN : ROUND_UP);
    rInfinite = toInfinity;
    fpRoundedUp = toInfinity;
    rExp = toInfinity ? emax + 1 : emax;
    rSig = toInfinity ? SIGN64 : ~(precision == 64 ? 0 : u64.MAX_VALUE >> precision);
    return;
  }
  rExp = exp;
  rSig = kept;
}
