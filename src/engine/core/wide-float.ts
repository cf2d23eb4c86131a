// Wide numbers for the transcendental functions: floating point with 128-bit significands, and the fixed-point
// polynomials and constants built on them. Errors are a few units in bit 120, far below the 64 bits of the results.
//
// A wide number is 24 bytes in memory { hi u64, lo u64, exponent i32, sign u32 } with value
// (hi : lo) / 2^127 * 2^exponent and bit 127 set, or hi = lo = 0 for zero. Functions take addresses; the destination
// may be an operand. A fixed-point number has the same hi and lo with the binary point after bit 127: [0, 2).
import { SIGN64, div128, divRemainder, mul64, mulHi } from "./float-core";

const HI: usize = 0;
const LO: usize = 8;
const EXP: usize = 16;
const SIGN: usize = 20;
/** Bytes of a wide number, with padding. */
export const WIDE_BYTES: i32 = 24;

@inline
export function hiOf(p: usize): u64 {
  return load<u64>(p, HI);
}
@inline
export function loOf(p: usize): u64 {
  return load<u64>(p, LO);
}
@inline
export function expOf(p: usize): i32 {
  return load<i32>(p, EXP);
}
@inline
export function signOf(p: usize): u32 {
  return load<u32>(p, SIGN);
}
@inline
export function setExp(p: usize, exp: i32): void {
  store<i32>(p, exp, EXP);
}
@inline
export function setSign(p: usize, sign: u32): void {
  store<u32>(p, sign, SIGN);
}
@inline
export function isZero(p: usize): bool {
  return hiOf(p) == 0;
}

export function setWide(p: usize, sign: u32, exp: i32, hi: u64, lo: u64): void {
  store<u64>(p, hi, HI);
  store<u64>(p, lo, LO);
  store<i32>(p, exp, EXP);
  store<u32>(p, sign, SIGN);
}

export function copyWide(p: usize, a: usize): void {
  setWide(p, signOf(a), expOf(a), hiOf(a), loOf(a));
}

/** Stores (hi : lo) / 2^127 * 2^exp, normalized. */
export function setNormalized(p: usize, sign: u32, exp: i32, hi: u64, lo: u64): void {
  if (hi == 0) {
    if (lo == 0) {
      setWide(p, sign, 0, 0, 0);
      return;
    }
    hi = lo;
    lo = 0;
    exp -= 64;
  }
  const shift = i32(clz(hi));
  if (shift != 0) {
    hi = (hi << shift) | (lo >> (64 - shift));
    lo <<= shift;
  }
  setWide(p, sign, exp - shift, hi, lo);
}

export function setInteger(p: usize, value: i32): void {
  setNormalized(p, u32(value < 0), 63, u64(abs(value)), 0);
}

// ---- Arithmetic -------------------------------------------------------------------------------------------------
// The upper 128 bits of the last product().
let productHi: u64 = 0;
let productLo: u64 = 0;

/** The upper half of a 128 by 128 bit product; exact if both low halves are zero. */
function product(aHi: u64, aLo: u64, bHi: u64, bLo: u64): void {
  let lo = mul64(aHi, bHi);
  let hi = mulHi;
  if (aLo != 0) {
    mul64(aLo, bHi);
    lo += mulHi;
    hi += u64(lo < mulHi);
  }
  if (bLo != 0) {
    mul64(aHi, bLo);
    lo += mulHi;
    hi += u64(lo < mulHi);
  }
  productHi = hi;
  productLo = lo;
}

export function mulWide(p: usize, a: usize, b: usize): void {
  product(hiOf(a), loOf(a), hiOf(b), loOf(b));
  setNormalized(p, signOf(a) ^ signOf(b), expOf(a) + expOf(b) + 1, productHi, productLo);
}

// The remainder that quotientDigit() works on, smaller than the divisor.
let restHi: u64 = 0;
let restLo: u64 = 0;

/** The next 64 quotient bits of rest / (dHi : dLo), bit 63 of dHi set; rest becomes the remainder. Knuth's D. */
function quotientDigit(dHi: u64, dLo: u64): u64 {
  let q: u64 = restHi >= dHi ? u64.MAX_VALUE : div128(restHi, restLo, dHi);
  // 192-bit (restHi : restLo : 0) - q * (dHi : dLo), with the sign in `top`.
  const p0 = mul64(q, dLo);
  const p1Low = mulHi;
  const p1 = mul64(q, dHi) + p1Low;
  const p2 = mulHi + u64(p1 < p1Low);
  let r0 = 0 - p0;
  let r1 = restLo - p1 - u64(p0 != 0);
  const borrow1 = u64(restLo < p1 || (restLo == p1 && p0 != 0));
  let top = i64(restHi - p2 - borrow1);
  while (top < 0) {
    q--;
    r0 += dLo;
    const carry0 = u64(r0 < dLo);
    const sum = r1 + dHi;
    const carry1 = u64(sum < dHi);
    r1 = sum + carry0;
    top += i64(carry1 + u64(r1 < carry0));
  }
  restHi = r1;
  restLo = r0;
  return q;
}

/** p = a / b, b not zero; the last bit tells of a remainder. */
export function divWide(p: usize, a: usize, b: usize): void {
  const sign = signOf(a) ^ signOf(b);
  let exp = expOf(a) - expOf(b);
  const dHi = hiOf(b);
  const dLo = loOf(b);
  restHi = hiOf(a);
  restLo = loOf(a);
  let lostBit: u64 = 0;
  if (restHi > dHi || (restHi == dHi && restLo >= dLo)) {
    // Halved; the bit that falls out is far below what matters.
    lostBit = restLo & 1;
    restLo = (restLo >> 1) | (restHi << 63);
    restHi >>= 1;
    exp++;
  }
  const hi = quotientDigit(dHi, dLo);
  const lo = quotientDigit(dHi, dLo);
  const inexact = (restHi | restLo | lostBit) != 0;
  setNormalized(p, sign, exp - 1, hi, lo | u64(inexact));
}

/** p = a + b with their signs; bits shifted out are kept as a sticky last bit. */
export function addWide(p: usize, a: usize, b: usize): void {
  if (isZero(a)) {
    copyWide(p, b);
    return;
  }
  if (isZero(b)) {
    copyWide(p, a);
    return;
  }
  let large = a;
  let small = b;
  if (
    expOf(b) > expOf(a) ||
    (expOf(b) == expOf(a) && (hiOf(b) > hiOf(a) || (hiOf(b) == hiOf(a) && loOf(b) > loOf(a))))
  ) {
    large = b;
    small = a;
  }
  const shift = expOf(large) - expOf(small);
  let sHi = hiOf(small);
  let sLo = loOf(small);
  if (shift >= 128) {
    sHi = 0;
    sLo = 1;
  } else if (shift >= 64) {
    const lost = sLo != 0 || (shift > 64 && sHi << (128 - shift) != 0);
    sLo = (sHi >> (shift - 64)) | u64(lost);
    sHi = 0;
  } else if (shift > 0) {
    const lost = sLo << (64 - shift) != 0;
    sLo = (sLo >> shift) | (sHi << (64 - shift)) | u64(lost);
    sHi >>= shift;
  }
  const sign = signOf(large);
  const exp = expOf(large);
  const lHi = hiOf(large);
  const lLo = loOf(large);
  if (signOf(large) != signOf(small)) {
    setNormalized(p, sign, exp, lHi - sHi - u64(lLo < sLo), lLo - sLo);
    return;
  }
  let lo = lLo + sLo;
  const carry = u64(lo < lLo);
  const partial = lHi + sHi;
  let hi = partial + carry;
  if (partial < lHi || hi < partial) {
    lo = (lo >> 1) | (hi << 63) | (lo & 1);
    hi = (hi >> 1) | SIGN64;
    setWide(p, sign, exp + 1, hi, lo);
  } else {
    setWide(p, sign, exp, hi, lo);
  }
}

// ---- Fixed point ------------------------------------------------------------------------------------------------
/** The fixed-point value of a wide number below 2, its sign dropped, truncated. */
export function toFixed(p: usize, a: usize): void {
  const shift = -expOf(a);
  let hi = hiOf(a);
  let lo = loOf(a);
  if (shift >= 128) {
    hi = 0;
    lo = 0;
  } else if (shift >= 64) {
    lo = hi >> (shift - 64);
    hi = 0;
  } else if (shift > 0) {
    lo = (lo >> shift) | (hi << (64 - shift));
    hi >>= shift;
  }
  setWide(p, 0, 0, hi, lo);
}

/** p = a * a of a fixed-point number below 1. */
export function squareFixed(p: usize, a: usize): void {
  product(hiOf(a), loOf(a), hiOf(a), loOf(a));
  setWide(p, 0, 0, (productHi << 1) | (productLo >> 63), productLo << 1);
}

/**
 * p = c[0] + u c[1] + u^2 c[2] + … with `count` terms, or with alternating signs; u and c in fixed point, c of 16
 * bytes each, `step` apart. All partial sums stay in [0, 2).
 */
export function polynomial(p: usize, u: usize, table: usize, step: u32, count: u32, alternating: bool): void {
  const uHi = hiOf(u);
  const uLo = loOf(u);
  let at = table + (count - 1) * step;
  let hi = load<u64>(at);
  let lo = load<u64>(at, 8);
  while (at != table) {
    at -= step;
    product(hi, lo, uHi, uLo);
    const termHi = (productHi << 1) | (productLo >> 63);
    const termLo = productLo << 1;
    const cHi = load<u64>(at);
    const cLo = load<u64>(at, 8);
    if (alternating) {
      lo = cLo - termLo;
      hi = cHi - termHi - u64(cLo < termLo);
    } else {
      lo = cLo + termLo;
      hi = cHi + termHi + u64(lo < cLo);
    }
  }
  setWide(p, 0, 0, hi, lo);
}

// ---- Constants, fixed point unless stated -------------------------------------------------------------------------
/** 1/k! for k = 0–28. */
export const RECIPROCAL_FACTORIAL: usize = memory.data<u64>([
  0x8000000000000000, 0x0000000000000000, // 1/0!
  0x8000000000000000, 0x0000000000000000, // 1/1!
  0x4000000000000000, 0x0000000000000000, // 1/2!
  0x1555555555555555, 0x5555555555555555, // 1/3!
  0x0555555555555555, 0x5555555555555555, // 1/4!
  0x0111111111111111, 0x1111111111111111, // 1/5!
  0x002d82d82d82d82d, 0x82d82d82d82d82d8, // 1/6!
  0x0006806806806806, 0x8068068068068068, // 1/7!
  0x0000d00d00d00d00, 0xd00d00d00d00d00d, // 1/8!
  0x0000171de3a556c7, 0x338faac1c88e5001, // 1/9!
  0x0000024fc9f6ef13, 0xeb8e5de02da7d4cd, // 1/10!
  0x00000035cc8acfea, 0x89c71fce8fc97070, // 1/11!
  0x000000047bb63bfe, 0x3625ed5136a61eb4, // 1/12!
  0x000000005849184e, 0xa1b425f28e0cc749, // 1/13!
  0x00000000064e5d2a, 0x301f27482eb7c517, // 1/14!
  0x00000000006b9fcf, 0x9ccee07c476195ac, // 1/15!
  0x000000000006b9fc, 0xf9ccee07c476195b, // 1/16!
  0x000000000000654b, 0x1dc0c2b529ac9814, // 1/17!
  0x00000000000005a0, 0x9e18ee5f65deec01, // 1/18!
  0x000000000000004b, 0xd26d1a05055c9328, // 1/19!
  0x0000000000000003, 0xca8574804044a0f5, // 1/20!
  0x0000000000000000, 0x2e371dedb9eae318, // 1/21!
  0x0000000000000000, 0x0219c72db6ff0a53, // 1/22!
  0x0000000000000000, 0x001761b41316381a, // 1/23!
  0x0000000000000000, 0x0000f96780cb97ac, // 1/24!
  0x0000000000000000, 0x000009f9e66e8b30, // 1/25!
  0x0000000000000000, 0x000000623a17f1a9, // 1/26!
  0x0000000000000000, 0x00000003a356385c, // 1/27!
  0x0000000000000000, 0x000000002143144c, // 1/28!
]);
/** 1/(2 k + 1) for k = 0–19. */
export const RECIPROCAL_ODD: usize = memory.data<u64>([
  0x8000000000000000, 0x0000000000000000, // 1/1
  0x2aaaaaaaaaaaaaaa, 0xaaaaaaaaaaaaaaab, // 1/3
  0x1999999999999999, 0x999999999999999a, // 1/5
  0x1249249249249249, 0x2492492492492492, // 1/7
  0x0e38e38e38e38e38, 0xe38e38e38e38e38e, // 1/9
  0x0ba2e8ba2e8ba2e8, 0xba2e8ba2e8ba2e8c, // 1/11
  0x09d89d89d89d89d8, 0x9d89d89d89d89d8a, // 1/13
  0x0888888888888888, 0x8888888888888889, // 1/15
  0x0787878787878787, 0x8787878787878788, // 1/17
  0x06bca1af286bca1a, 0xf286bca1af286bca, // 1/19
  0x0618618618618618, 0x6186186186186186, // 1/21
  0x0590b21642c8590b, 0x21642c8590b21643, // 1/23
  0x051eb851eb851eb8, 0x51eb851eb851eb85, // 1/25
  0x04bda12f684bda12, 0xf684bda12f684bda, // 1/27
  0x0469ee58469ee584, 0x69ee58469ee5846a, // 1/29
  0x0421084210842108, 0x4210842108421084, // 1/31
  0x03e0f83e0f83e0f8, 0x3e0f83e0f83e0f84, // 1/33
  0x03a83a83a83a83a8, 0x3a83a83a83a83a84, // 1/35
  0x03759f22983759f2, 0x2983759f2298375a, // 1/37
  0x0348348348348348, 0x3483483483483483, // 1/39
]);
/** atan(k / 32) for k = 0–32. */
export const ARC_TANGENT: usize = memory.data<u64>([
  0, 0, // atan(0/32)
  0x03ffaab7752ec495, 0x09de75ddb76a3188, // atan(1/32)
  0x07fd56edcb3f7a71, 0xb6593c96e071706b, // atan(2/32)
  0x0bf70c1301788746, 0x093567e784cf8367, // atan(3/32)
  0x0feadd4d5617b6e3, 0x2c897989f3e888ef, // atan(4/32)
  0x13d6eee8c6626c58, 0x68ec33a4a06c1fd1, // atan(5/32)
  0x17b97b4bce5b0226, 0x8f6169f103938e91, // atan(6/32)
  0x1b90d7529260a204, 0x5ec434b8396aa5e0, // atan(7/32)
  0x1f5b75f92c80dd62, 0xadb8f3debef442fd, // atan(8/32)
  0x2317eb4617e2f04c, 0x3291d22c6fe20a63, // atan(9/32)
  0x26c4ee6e0fd7979a, 0x716aed26349ebcca, // atan(10/32)
  0x2a615b32a39a93b6, 0xa66dfddefdf67a30, // atan(11/32)
  0x2dec3283c9bde11c, 0xe2a8c848b73f9121, // atan(12/32)
  0x31649a7294364adb, 0x685d1ba47d428a37, // atan(13/32)
  0x34c9dd879847f96d, 0x909f257a40079c4e, // atan(14/32)
  0x381b69929d93df19, 0xf18c7b659e632e01, // atan(15/32)
  0x3b58ce0ac3769ed1, 0x5bf9117b2f0ea341, // atan(16/32)
  0x3e81ba16a8282f97, 0x19b48f1f57723b31, // atan(17/32)
  0x4195fa536cc33f15, 0x25b504e5b0d28ae0, // atan(18/32)
  0x4495766fef4aa3da, 0x84a23c7e2395a57e, // atan(19/32)
  0x47802eaf7bfacfcd, 0xae41af0b32e21ba4, // atan(20/32)
  0x4a563964c238c37b, 0x0c6279c9fbc5197c, // atan(21/32)
  0x4d17c07338deed10, 0x21137c711027f9de, // atan(22/32)
  0x4fc4fee27a5bd0f6, 0x7c5a4932278380f0, // atan(23/32)
  0x525e3e8c9a7b8492, 0x0cd43f9522bed64f, // atan(24/32)
  0x54e3d5ee24187ae4, 0x48b5425adf3c99fb, // atan(25/32)
  0x5756261c5a6c6040, 0x0a392f179f290385, // atan(26/32)
  0x59b598e48f821b48, 0xac80a0ba22317c9d, // atan(27/32)
  0x5c029f15e118cf39, 0xe596d2a90852221f, // atan(28/32)
  0x5e3daef574c57940, 0x6a0898037407d948, // atan(29/32)
  0x606742dc56293320, 0x44eeb16237497d12, // atan(30/32)
  0x627fd7fd5fc7deaa, 0x465a1e885e4f0111, // atan(31/32)
  0x6487ed5110b4611a, 0x62633145c06e0e69, // atan(32/32)
]);
/** pi = this * 2; the same bits serve pi, pi/2 and pi/4. */
export const PI_HI: u64 = 0xc90fdaa22168c234;
export const PI_LO: u64 = 0xc4c6628b80dc1cd1;
/** ln(2) * 2. */
export const LN2_HI: u64 = 0xb17217f7d1cf79ab;
export const LN2_LO: u64 = 0xc9e3b39803f2f6af;
/** log2(e). */
export const LOG2E_HI: u64 = 0xb8aa3b295c17f0bb;
export const LOG2E_LO: u64 = 0xbe87fed0691d3e89;
