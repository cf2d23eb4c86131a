// SSE conversions between integers, binary32 and binary64 (SDM vol. 2, CVT*; exceptions vol. 1 chapter 11.5).
//
// Operands are XMM indices (a memory source is in XMM_TEMP), register slots for the general-register forms, and
// MMX register numbers (0–7; 8: the slot-sized memory operand at the start of XMM_TEMP) for the *pi* forms.
import * as L from "../layout";
import { FLAG_PE } from "./float-core";
import { commitMmx, mmxAddress, mmxSource } from "./mmx-state";
import { beginSse, commitSse, softF32ToF64, softF64ToF32, softFromI64, softToInteger } from "./sse-soft";
import { get32, get64, set64 } from "./state";
import { ordinaryLanes } from "./sse-fast";
import { allLanes, loadBits, xmm } from "./xmm";

// ---- General registers ------------------------------------------------------------------------------------------
const MXCSR_ROUND_AND_PE_MASK: u32 = 0x7000;
const MXCSR_NEAREST_PE_MASKED: u32 = 0x1000;

/** CVTSI2SD; s: slot; imm: 64 or 32, the width of the source. */
export function h_cvtsi2sd(d: u32, s: u32, imm: i32): u32 {
  if (imm != 64) {
    store<f64>(xmm(d), f64(i32(get32(s))));
    return 0;
  }
  const value = i64(get64(s));
  const size = value < 0 ? 0 - value : value;
  if (u64(size) <= 1 << 53) {
    store<f64>(xmm(d), f64(value));
    return 0;
  }
  beginSse();
  const r = softFromI64(value, false);
  if (commitSse() != 0) return 1;
  store<u64>(xmm(d), r);
  return 0;
}

/** CVTSI2SS; s: slot; imm: 64 or 32. */
export function h_cvtsi2ss(d: u32, s: u32, imm: i32): u32 {
  const value = imm == 64 ? i64(get64(s)) : i64(i32(get32(s)));
  if (u64(value + 0x1000000) <= 0x2000000) {
    store<f32>(xmm(d), f32(value));
    return 0;
  }
  beginSse();
  const r = softFromI64(value, true);
  if (commitSse() != 0) return 1;
  store<u32>(xmm(d), u32(r));
  return 0;
}

/** Stores an integer result in a register slot: 32-bit results zero-extend. */
@inline
function storeInteger(d: u32, value: i64, bits: u32): void {
  set64(d, bits == 64 ? u64(value) : u64(u32(value)));
}

@inline
function toRegister<T>(d: u32, s: u32, bits: u32, truncate: bool): u32 {
  const a = load<T>(xmm(s));
  // Quick where no flag can arise: an integral value well inside the range.
  if (abs<T>(a) < <T>2147483648.0) {
    const whole = i32(a);
    if (<T>whole == a) {
      storeInteger(d, i64(whole), bits);
      return 0;
    }
    // A truncation that only sets PE, already set and masked.
    if (truncate && precisionSettled()) {
      storeInteger(d, i64(whole), bits);
      return 0;
    }
  }
  beginSse();
  const r = softToInteger(loadBits<T>(xmm(s), 0), bits, truncate, sizeof<T>() == 4);
  if (commitSse() != 0) return 1;
  storeInteger(d, r, bits);
  return 0;
}

/** d: slot of the general register; imm: 64 or 32, its width. */
export function h_cvtsd2si(d: u32, s: u32, imm: i32): u32 {
  return toRegister<f64>(d, s, imm, false);
}
export function h_cvttsd2si(d: u32, s: u32, imm: i32): u32 {
  return toRegister<f64>(d, s, imm, true);
}
export function h_cvtss2si(d: u32, s: u32, imm: i32): u32 {
  return toRegister<f32>(d, s, imm, false);
}
export function h_cvttss2si(d: u32, s: u32, imm: i32): u32 {
  return toRegister<f32>(d, s, imm, true);
}

// ---- Between the two formats ------------------------------------------------------------------------------------
export function h_cvtss2sd(d: u32, s: u32, imm: i32): u32 {
  const a = load<f32>(xmm(s));
  if (abs<f32>(a) >= 1.17549435082228750797e-38 && abs<f32>(a) < Infinity) {
    store<f64>(xmm(d), f64(a));
    return 0;
  }
  beginSse();
  const r = softF32ToF64(u64(load<u32>(xmm(s))));
  if (commitSse() != 0) return 1;
  store<u64>(xmm(d), r);
  return 0;
}

export function h_cvtsd2ss(d: u32, s: u32, imm: i32): u32 {
  const a = load<f64>(xmm(s));
  const size = abs<f64>(a);
  const r = f32(a);
  if (size > 1.2e-38 && size < 3.4e38) {
    if (f64(r) == a || nearestSettled()) {
      store<f32>(xmm(d), r);
      return 0;
    }
  }
  beginSse();
  const bits = softF64ToF32(load<u64>(xmm(s)));
  if (commitSse() != 0) return 1;
  store<u32>(xmm(d), u32(bits));
  return 0;
}

// ---- Packed -----------------------------------------------------------------------------------------------------
// The quick paths below leave MXCSR alone: every lane is ordinary (neither denormal nor NaN) and either exact, or PE
// is set and masked and, where it matters, rounding is to nearest.
const MXCSR_PE_SETTLED: u32 = 0x1020;

@inline
function precisionSettled(): bool {
  return (get32(L.MXCSR) & MXCSR_PE_SETTLED) == MXCSR_PE_SETTLED;
}

/** The same, with rounding to nearest. */
@inline
function nearestSettled(): bool {
  return (get32(L.MXCSR) & (MXCSR_ROUND_AND_PE_MASK | FLAG_PE)) == (MXCSR_NEAREST_PE_MASKED | FLAG_PE);
}

/** Commits; then stores the two 64-bit halves. */
@inline
function finish(p: usize, low: u64, high: u64): u32 {
  if (commitSse() != 0) return 1;
  store<u64>(p, low);
  store<u64>(p, high, 8);
  return 0;
}

@inline
function pair(low: u64, high: u64): u64 {
  return (low & 0xffffffff) | (high << 32);
}

export function h_cvtps2pd(d: u32, s: u32, imm: i32): u32 {
  const a = v128.load64_zero(xmm(s));
  if (allLanes<f32>(ordinaryLanes<f32>(a))) {
    v128.store(xmm(d), f64x2.promote_low_f32x4(a));
    return 0;
  }
  beginSse();
  const low = softF32ToF64(loadBits<f32>(xmm(s), 0));
  const high = softF32ToF64(loadBits<f32>(xmm(s), 1));
  return finish(xmm(d), low, high);
}

export function h_cvtpd2ps(d: u32, s: u32, imm: i32): u32 {
  const a = v128.load(xmm(s));
  const size = v128.abs<f64>(a);
  const inRange = v128.and(f64x2.gt(size, f64x2.splat(1.2e-38)), f64x2.lt(size, f64x2.splat(3.4e38)));
  if (allLanes<f64>(v128.or(inRange, f64x2.eq(a, f64x2.splat(0)))) && nearestSettled()) {
    v128.store(xmm(d), f32x4.demote_f64x2_zero(a));
    return 0;
  }
  beginSse();
  const low = softF64ToF32(loadBits<f64>(xmm(s), 0));
  const high = softF64ToF32(loadBits<f64>(xmm(s), 1));
  return finish(xmm(d), pair(low, high), 0);
}

/** CVTDQ2PD is exact: i32 fits a binary64. */
export function h_cvtdq2pd(d: u32, s: u32, imm: i32): u32 {
  v128.store(xmm(d), f64x2.convert_low_i32x4_s(v128.load(xmm(s))));
  return 0;
}

export function h_cvtdq2ps(d: u32, s: u32, imm: i32): u32 {
  const p = xmm(s);
  const a = v128.load(p);
  if (nearestSettled() || allLanes<f32>(i32x4.lt_u(i32x4.abs(a), i32x4.splat(0x1000000)))) {
    v128.store(xmm(d), f32x4.convert_i32x4_s(a));
    return 0;
  }
  beginSse();
  const r0 = softFromI64(i64(load<i32>(p)), true);
  const r1 = softFromI64(i64(load<i32>(p, 4)), true);
  const r2 = softFromI64(i64(load<i32>(p, 8)), true);
  const r3 = softFromI64(i64(load<i32>(p, 12)), true);
  return finish(xmm(d), pair(r0, r1), pair(r2, r3));
}

@inline
function singlesToIntegers(p: usize, lane: u32, truncate: bool): u64 {
  const low = softToInteger(loadBits<f32>(p, lane), 32, truncate, true);
  const high = softToInteger(loadBits<f32>(p, lane + 1), 32, truncate, true);
  return pair(u64(low), u64(high));
}

@inline
function doublesToIntegers(p: usize, truncate: bool): u64 {
  const low = softToInteger(loadBits<f64>(p, 0), 32, truncate, false);
  const high = softToInteger(loadBits<f64>(p, 1), 32, truncate, false);
  return pair(u64(low), u64(high));
}

/** Four binary32 well inside the range of i32. */
@inline
function fitIntegers(a: v128): bool {
  return allLanes<f32>(f32x4.lt(f32x4.abs(a), f32x4.splat(2147483648.0)));
}

export function h_cvtps2dq(d: u32, s: u32, imm: i32): u32 {
  const a = v128.load(xmm(s));
  if (fitIntegers(a) && nearestSettled()) {
    v128.store(xmm(d), i32x4.trunc_sat_f32x4_s(f32x4.nearest(a)));
    return 0;
  }
  beginSse();
  const low = singlesToIntegers(xmm(s), 0, false);
  return finish(xmm(d), low, singlesToIntegers(xmm(s), 2, false));
}
export function h_cvttps2dq(d: u32, s: u32, imm: i32): u32 {
  const a = v128.load(xmm(s));
  if (fitIntegers(a) && precisionSettled()) {
    v128.store(xmm(d), i32x4.trunc_sat_f32x4_s(a));
    return 0;
  }
  beginSse();
  const low = singlesToIntegers(xmm(s), 0, true);
  return finish(xmm(d), low, singlesToIntegers(xmm(s), 2, true));
}
export function h_cvtpd2dq(d: u32, s: u32, imm: i32): u32 {
  beginSse();
  return finish(xmm(d), doublesToIntegers(xmm(s), false), 0);
}
export function h_cvttpd2dq(d: u32, s: u32, imm: i32): u32 {
  beginSse();
  return finish(xmm(d), doublesToIntegers(xmm(s), true), 0);
}

// ---- MMX registers ----------------------------------------------------------------------------------------------
// The transition to MMX happens even if the conversion raises #XM.

/**
 * CVTPI2PS; the high half of the destination stays. With a memory source there is a transition to MMX too, as the
 * manual says; AMD processors make none.
 */
export function h_cvtpi2ps(d: u32, s: u32, imm: i32): u32 {
  const p = mmxSource(s);
  commitMmx();
  beginSse();
  const low = softFromI64(i64(load<i32>(p)), true);
  const high = softFromI64(i64(load<i32>(p, 4)), true);
  if (commitSse() != 0) return 1;
  store<u64>(xmm(d), pair(low, high));
  return 0;
}

/** CVTPI2PD; with a memory source it leaves the x87 alone. */
export function h_cvtpi2pd(d: u32, s: u32, imm: i32): u32 {
  const p = mmxSource(s);
  const low = f64(load<i32>(p));
  const high = f64(load<i32>(p, 4));
  store<f64>(xmm(d), low);
  store<f64>(xmm(d), high, 8);
  if (s < 8) commitMmx();
  return 0;
}

/** Ends a conversion to MMX register d. */
@inline
function finishMmx(d: u32, value: u64): u32 {
  commitMmx();
  if (commitSse() != 0) return 1;
  store<u64>(mmxAddress(d), value);
  store<u16>(mmxAddress(d), 0xffff, 8);
  return 0;
}

export function h_cvtps2pi(d: u32, s: u32, imm: i32): u32 {
  beginSse();
  return finishMmx(d, singlesToIntegers(xmm(s), 0, false));
}
export function h_cvttps2pi(d: u32, s: u32, imm: i32): u32 {
  beginSse();
  return finishMmx(d, singlesToIntegers(xmm(s), 0, true));
}
export function h_cvtpd2pi(d: u32, s: u32, imm: i32): u32 {
  beginSse();
  return finishMmx(d, doublesToIntegers(xmm(s), false));
}
export function h_cvttpd2pi(d: u32, s: u32, imm: i32): u32 {
  beginSse();
  return finishMmx(d, doublesToIntegers(xmm(s), true));
}
