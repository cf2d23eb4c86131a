// SSE floating-point arithmetic and comparison: ADD SUB MUL DIV SQRT MIN MAX CMP COMI UCOMI ROUND HADD HSUB ADDSUB
// DP RCP RSQRT and MXCSR, scalar and packed, single and double (SDM vol. 2; exceptions vol. 1 chapter 11.5).
//
// Helpers take XMM indices: d is the destination and first operand, s the source. A memory source is in XMM_TEMP,
// whatever its size (only its low lane matters to scalar forms). Results, MXCSR flags and #XM are exact.
//
// The fast path computes with WebAssembly's arithmetic. That is final where no flag but PE can arise, and PE is
// already set or seen not to arise; otherwise sse-soft.ts computes again. RCP and RSQRT give the correctly rounded
// result, better than the 12 bits that processors promise and differ in.
import * as L from "../layout";
import { setFlags } from "./flags";
import {
  OP_ADD,
  OP_DIV,
  OP_MAX,
  OP_MIN,
  OP_MUL,
  OP_SQRT,
  OP_SUB,
  beginSse,
  commitSse,
  commitStep,
  predicateHolds,
  softArith,
  softCompare,
  softRound,
} from "./sse-soft";
import { EQUAL, GREATER, LESS } from "./softfloat80";
import { VECTOR_GP, get32, raiseWithError, set32 } from "./state";
import { lanes, loadBits, storeBits, xmm } from "./xmm";

// ---- The fast path ----------------------------------------------------------------------------------------------
const MXCSR_CONTROLS: u32 = 0xffc0;
/** All exceptions masked, round to nearest, no flush to zero, denormals are denormals. */
const MXCSR_PLAIN: u32 = 0x1f80;
const MXCSR_PE: u32 = 0x20;
const MXCSR_DEFINED: u32 = 0xffff;

@inline
function minNormal<T>(): T {
  if (sizeof<T>() == 4) return <T>(<f32>1.17549435082228750797e-38);
  return <T>2.2250738585072014e-308;
}

/** Neither denormal nor NaN. */
@inline
function ordinary<T>(a: T): bool {
  return abs<T>(a) >= minNormal<T>() || a == <T>0;
}

/** Is the product of two normal doubles exact? Their significands have 53 bits. */
@inline
function productIsExact(a: f64, b: f64): bool {
  const x = reinterpret<u64>(a) | 0x10000000000000;
  const y = reinterpret<u64>(b) | 0x10000000000000;
  return ctz(x) + ctz(y) >= 53;
}

/** Is r, the normal nonzero result of a OP b, exact? May say no where it is. */
@inline
function exact<T>(op: u32, a: T, b: T, r: T): bool {
  if (op == OP_ADD || op == OP_SUB) {
    // Knuth's error term of a sum; an overflow on the way gives a NaN, which is not zero.
    const second: T = op == OP_SUB ? -b : b;
    const rest: T = r - a;
    return (a - (r - rest)) + (second - rest) == <T>0;
  }
  if (sizeof<T>() == 4) {
    // Products of two binary32 are exact in binary64.
    const x = f64(a);
    const y = f64(b);
    const z = f64(r);
    if (op == OP_MUL) return x * y == z;
    if (op == OP_DIV) return z * y == x;
    return z * z == y;
  }
  if (op == OP_MUL) return productIsExact(f64(a), f64(b));
  if (op == OP_DIV) return productIsExact(f64(r), f64(b)) && r * b == a;
  return productIsExact(f64(r), f64(r)) && r * r == b;
}

@inline
function compute<T>(op: u32, a: T, b: T): T {
  if (op == OP_ADD) return a + b;
  if (op == OP_SUB) return a - b;
  if (op == OP_MUL) return a * b;
  if (op == OP_DIV) return a / b;
  if (op == OP_MIN) return a < b ? a : b;
  if (op == OP_MAX) return a > b ? a : b;
  return sqrt<T>(b);
}

/** Is r = compute(op, a, b) the architectural result, with no flag to set? */
@inline
function settled<T>(op: u32, a: T, b: T, r: T): bool {
  if (!ordinary<T>(b)) return false;
  if (op != OP_SQRT && !ordinary<T>(a)) return false;
  if (op == OP_MIN || op == OP_MAX) return true;
  const mxcsr = get32(L.MXCSR);
  if ((mxcsr & MXCSR_CONTROLS) != MXCSR_PLAIN) return false;
  const size = abs<T>(r);
  // A result equal to the least normal number may have been tiny before rounding.
  if (size > minNormal<T>() && size < <T>Infinity) return (mxcsr & MXCSR_PE) != 0 || exact<T>(op, a, b, r);
  if (r != <T>0) return false;
  if (op == OP_ADD || op == OP_SUB) return true;
  if (op == OP_MUL) return a == <T>0 || b == <T>0;
  if (op == OP_DIV) return a == <T>0;
  return b == <T>0;
}

@inline
function scalar<T>(op: u32, d: u32, s: u32): u32 {
  const p = xmm(d);
  const q = xmm(s);
  const a = load<T>(p);
  const b = load<T>(q);
  const r = compute<T>(op, a, b);
  if (settled<T>(op, a, b, r)) {
    store<T>(p, r);
    return 0;
  }
  return scalarSoft(op, p, q, sizeof<T>() == 4);
}

function scalarSoft(op: u32, p: usize, q: usize, single: bool): u32 {
  beginSse();
  if (single) {
    const r = softArith(op, loadBits<f32>(p, 0), loadBits<f32>(q, 0), true);
    if (commitSse() != 0) return 1;
    storeBits<f32>(p, 0, r);
  } else {
    const r = softArith(op, loadBits<f64>(p, 0), loadBits<f64>(q, 0), false);
    if (commitSse() != 0) return 1;
    storeBits<f64>(p, 0, r);
  }
  return 0;
}

/** One lane of a packed operation inside beginSse() … commitSse(). */
@inline
function lane<T>(op: u32, a: u64, b: u64): u64 {
  return softArith(op, a, b, sizeof<T>() == 4);
}

@inline
function ordinaryLanes<T>(a: v128): v128 {
  return v128.or(v128.ge<T>(v128.abs<T>(a), v128.splat<T>(minNormal<T>())), v128.eq<T>(a, v128.splat<T>(<T>0)));
}

/** settled() for all lanes at once; PE must be set already unless the operation cannot be inexact. */
@inline
function settledLanes<T>(op: u32, a: v128, b: v128, r: v128): bool {
  let good = ordinaryLanes<T>(b);
  if (op != OP_SQRT) good = v128.and(good, ordinaryLanes<T>(a));
  if (op != OP_MIN && op != OP_MAX) {
    if ((get32(L.MXCSR) & (MXCSR_CONTROLS | MXCSR_PE)) != (MXCSR_PLAIN | MXCSR_PE)) return false;
    const zero = v128.splat<T>(<T>0);
    const size = v128.abs<T>(r);
    const normal = v128.and(
      v128.gt<T>(size, v128.splat<T>(minNormal<T>())),
      v128.lt<T>(size, v128.splat<T>(<T>Infinity)),
    );
    let isZero = v128.eq<T>(r, zero);
    if (op == OP_MUL) isZero = v128.and(isZero, v128.or(v128.eq<T>(a, zero), v128.eq<T>(b, zero)));
    if (op == OP_DIV) isZero = v128.and(isZero, v128.eq<T>(a, zero));
    if (op == OP_SQRT) isZero = v128.and(isZero, v128.eq<T>(b, zero));
    good = v128.and(good, v128.or(normal, isZero));
  }
  return sizeof<T>() == 4 ? i32x4.all_true(good) : i64x2.all_true(good);
}

@inline
function computeLanes<T>(op: u32, a: v128, b: v128): v128 {
  if (op == OP_ADD) return v128.add<T>(a, b);
  if (op == OP_SUB) return v128.sub<T>(a, b);
  if (op == OP_MUL) return v128.mul<T>(a, b);
  if (op == OP_DIV) return v128.div<T>(a, b);
  if (op == OP_MIN) return v128.pmin<T>(b, a);
  if (op == OP_MAX) return v128.pmax<T>(b, a);
  return v128.sqrt<T>(b);
}

@inline
function packed<T>(op: u32, d: u32, s: u32): u32 {
  const p = xmm(d);
  const q = xmm(s);
  const a = v128.load(p);
  const b = v128.load(q);
  const r = computeLanes<T>(op, a, b);
  if (settledLanes<T>(op, a, b, r)) {
    v128.store(p, r);
    return 0;
  }
  return sizeof<T>() == 4 ? packedSoft<f32>(op, p, q) : packedSoft<f64>(op, p, q);
}

/** Where a packed instruction collects its result until it is known not to fault. */
const result: usize = memory.data(16, 16);

function packedSoft<T>(op: u32, p: usize, q: usize): u32 {
  beginSse();
  for (let i: u32 = 0; i < lanes<T>(); i++) {
    storeBits<T>(result, i, lane<T>(op, loadBits<T>(p, i), loadBits<T>(q, i)));
  }
  return finishPacked(p);
}

/** Commits and stores `result`. */
function finishPacked(p: usize): u32 {
  if (commitSse() != 0) return 1;
  v128.store(p, v128.load(result));
  return 0;
}

export function h_addss(d: u32, s: u32, imm: i32): u32 {
  return scalar<f32>(OP_ADD, d, s);
}
export function h_addsd(d: u32, s: u32, imm: i32): u32 {
  return scalar<f64>(OP_ADD, d, s);
}
export function h_addps(d: u32, s: u32, imm: i32): u32 {
  return packed<f32>(OP_ADD, d, s);
}
export function h_addpd(d: u32, s: u32, imm: i32): u32 {
  return packed<f64>(OP_ADD, d, s);
}
export function h_subss(d: u32, s: u32, imm: i32): u32 {
  return scalar<f32>(OP_SUB, d, s);
}
export function h_subsd(d: u32, s: u32, imm: i32): u32 {
  return scalar<f64>(OP_SUB, d, s);
}
export function h_subps(d: u32, s: u32, imm: i32): u32 {
  return packed<f32>(OP_SUB, d, s);
}
export function h_subpd(d: u32, s: u32, imm: i32): u32 {
  return packed<f64>(OP_SUB, d, s);
}
export function h_mulss(d: u32, s: u32, imm: i32): u32 {
  return scalar<f32>(OP_MUL, d, s);
}
export function h_mulsd(d: u32, s: u32, imm: i32): u32 {
  return scalar<f64>(OP_MUL, d, s);
}
export function h_mulps(d: u32, s: u32, imm: i32): u32 {
  return packed<f32>(OP_MUL, d, s);
}
export function h_mulpd(d: u32, s: u32, imm: i32): u32 {
  return packed<f64>(OP_MUL, d, s);
}
export function h_divss(d: u32, s: u32, imm: i32): u32 {
  return scalar<f32>(OP_DIV, d, s);
}
export function h_divsd(d: u32, s: u32, imm: i32): u32 {
  return scalar<f64>(OP_DIV, d, s);
}
export function h_divps(d: u32, s: u32, imm: i32): u32 {
  return packed<f32>(OP_DIV, d, s);
}
export function h_divpd(d: u32, s: u32, imm: i32): u32 {
  return packed<f64>(OP_DIV, d, s);
}
export function h_sqrtss(d: u32, s: u32, imm: i32): u32 {
  return scalar<f32>(OP_SQRT, d, s);
}
export function h_sqrtsd(d: u32, s: u32, imm: i32): u32 {
  return scalar<f64>(OP_SQRT, d, s);
}
export function h_sqrtps(d: u32, s: u32, imm: i32): u32 {
  return packed<f32>(OP_SQRT, d, s);
}
export function h_sqrtpd(d: u32, s: u32, imm: i32): u32 {
  return packed<f64>(OP_SQRT, d, s);
}
export function h_minss(d: u32, s: u32, imm: i32): u32 {
  return scalar<f32>(OP_MIN, d, s);
}
export function h_minsd(d: u32, s: u32, imm: i32): u32 {
  return scalar<f64>(OP_MIN, d, s);
}
export function h_minps(d: u32, s: u32, imm: i32): u32 {
  return packed<f32>(OP_MIN, d, s);
}
export function h_minpd(d: u32, s: u32, imm: i32): u32 {
  return packed<f64>(OP_MIN, d, s);
}
export function h_maxss(d: u32, s: u32, imm: i32): u32 {
  return scalar<f32>(OP_MAX, d, s);
}
export function h_maxsd(d: u32, s: u32, imm: i32): u32 {
  return scalar<f64>(OP_MAX, d, s);
}
export function h_maxps(d: u32, s: u32, imm: i32): u32 {
  return packed<f32>(OP_MAX, d, s);
}
export function h_maxpd(d: u32, s: u32, imm: i32): u32 {
  return packed<f64>(OP_MAX, d, s);
}

// ---- Comparison -------------------------------------------------------------------------------------------------
// COMI and UCOMI set ZF PF CF and clear OF SF AF.
const UNORDERED_FLAGS: u32 = 0x45;

@inline
function compareFlags<T>(d: u32, s: u32, signaling: bool): u32 {
  const a = load<T>(xmm(d));
  const b = load<T>(xmm(s));
  if (ordinary<T>(a) && ordinary<T>(b)) {
    setFlags(a > b ? 0 : a < b ? 1 : 0x40);
    return 0;
  }
  beginSse();
  const outcome = softCompare(loadBits<T>(xmm(d), 0), loadBits<T>(xmm(s), 0), signaling, sizeof<T>() == 4);
  if (commitSse() != 0) return 1;
  setFlags(outcome == GREATER ? 0 : outcome == LESS ? 1 : outcome == EQUAL ? 0x40 : UNORDERED_FLAGS);
  return 0;
}

export function h_comiss(d: u32, s: u32, imm: i32): u32 {
  return compareFlags<f32>(d, s, true);
}
export function h_comisd(d: u32, s: u32, imm: i32): u32 {
  return compareFlags<f64>(d, s, true);
}
export function h_ucomiss(d: u32, s: u32, imm: i32): u32 {
  return compareFlags<f32>(d, s, false);
}
export function h_ucomisd(d: u32, s: u32, imm: i32): u32 {
  return compareFlags<f64>(d, s, false);
}

/** LT, LE, NLT and NLE signal QNaNs. */
@inline
function signalingPredicate(predicate: u32): bool {
  return ((predicate + 1) & 2) != 0;
}

@inline
function compareLane<T>(a: u64, b: u64, predicate: u32): u64 {
  const outcome = softCompare(a, b, signalingPredicate(predicate), sizeof<T>() == 4);
  return predicateHolds(predicate, outcome) ? u64.MAX_VALUE : 0;
}

@inline
function compareScalar<T>(d: u32, s: u32, predicate: u32): u32 {
  const a = load<T>(xmm(d));
  const b = load<T>(xmm(s));
  if (ordinary<T>(a) && ordinary<T>(b)) {
    const outcome: u32 = a > b ? GREATER : a < b ? LESS : EQUAL;
    storeBits<T>(xmm(d), 0, predicateHolds(predicate, outcome) ? u64.MAX_VALUE : 0);
    return 0;
  }
  beginSse();
  const r = compareLane<T>(loadBits<T>(xmm(d), 0), loadBits<T>(xmm(s), 0), predicate);
  if (commitSse() != 0) return 1;
  storeBits<T>(xmm(d), 0, r);
  return 0;
}

@inline
function comparePacked<T>(d: u32, s: u32, predicate: u32): u32 {
  beginSse();
  for (let i: u32 = 0; i < lanes<T>(); i++) {
    storeBits<T>(result, i, compareLane<T>(loadBits<T>(xmm(d), i), loadBits<T>(xmm(s), i), predicate));
  }
  return finishPacked(xmm(d));
}

/** imm: predicate 0–7 (bits 3–7 are ignored). */
export function h_cmpss(d: u32, s: u32, imm: i32): u32 {
  return compareScalar<f32>(d, s, imm & 7);
}
export function h_cmpsd(d: u32, s: u32, imm: i32): u32 {
  return compareScalar<f64>(d, s, imm & 7);
}
export function h_cmpps(d: u32, s: u32, imm: i32): u32 {
  return comparePacked<f32>(d, s, imm & 7);
}
export function h_cmppd(d: u32, s: u32, imm: i32): u32 {
  return comparePacked<f64>(d, s, imm & 7);
}

// ---- Rounding to integral values (SSE4.1) -----------------------------------------------------------------------
@inline
function roundScalar<T>(d: u32, s: u32, control: u32): u32 {
  beginSse();
  const r = softRound(loadBits<T>(xmm(s), 0), control, sizeof<T>() == 4);
  if (commitSse() != 0) return 1;
  storeBits<T>(xmm(d), 0, r);
  return 0;
}

@inline
function roundPacked<T>(d: u32, s: u32, control: u32): u32 {
  beginSse();
  for (let i: u32 = 0; i < lanes<T>(); i++) {
    storeBits<T>(result, i, softRound(loadBits<T>(xmm(s), i), control, sizeof<T>() == 4));
  }
  return finishPacked(xmm(d));
}

/** imm: the instruction's immediate (SDM table 4-18). */
export function h_roundss(d: u32, s: u32, imm: i32): u32 {
  return roundScalar<f32>(d, s, imm);
}
export function h_roundsd(d: u32, s: u32, imm: i32): u32 {
  return roundScalar<f64>(d, s, imm);
}
export function h_roundps(d: u32, s: u32, imm: i32): u32 {
  return roundPacked<f32>(d, s, imm);
}
export function h_roundpd(d: u32, s: u32, imm: i32): u32 {
  return roundPacked<f64>(d, s, imm);
}

// ---- Horizontal arithmetic (SSE3) and dot products (SSE4.1) -----------------------------------------------------
@inline
function horizontal<T>(op: u32, d: u32, s: u32): u32 {
  const half = lanes<T>() / 2;
  beginSse();
  for (let i: u32 = 0; i < lanes<T>(); i++) {
    const from = i < half ? xmm(d) : xmm(s);
    const pair = (i < half ? i : i - half) * 2;
    storeBits<T>(result, i, lane<T>(op, loadBits<T>(from, pair), loadBits<T>(from, pair + 1)));
  }
  return finishPacked(xmm(d));
}

@inline
function addSub<T>(d: u32, s: u32): u32 {
  beginSse();
  for (let i: u32 = 0; i < lanes<T>(); i++) {
    const op = (i & 1) == 0 ? OP_SUB : OP_ADD;
    storeBits<T>(result, i, lane<T>(op, loadBits<T>(xmm(d), i), loadBits<T>(xmm(s), i)));
  }
  return finishPacked(xmm(d));
}

export function h_haddps(d: u32, s: u32, imm: i32): u32 {
  return horizontal<f32>(OP_ADD, d, s);
}
export function h_haddpd(d: u32, s: u32, imm: i32): u32 {
  return horizontal<f64>(OP_ADD, d, s);
}
export function h_hsubps(d: u32, s: u32, imm: i32): u32 {
  return horizontal<f32>(OP_SUB, d, s);
}
export function h_hsubpd(d: u32, s: u32, imm: i32): u32 {
  return horizontal<f64>(OP_SUB, d, s);
}
export function h_addsubps(d: u32, s: u32, imm: i32): u32 {
  return addSub<f32>(d, s);
}
export function h_addsubpd(d: u32, s: u32, imm: i32): u32 {
  return addSub<f64>(d, s);
}

/** The products of the lanes that imm selects, +0 in the others, into `result`. */
@inline
function products<T>(d: u32, s: u32, imm: u32): void {
  for (let i: u32 = 0; i < lanes<T>(); i++) {
    const wanted = ((imm >> (4 + i)) & 1) != 0;
    storeBits<T>(result, i, wanted ? lane<T>(OP_MUL, loadBits<T>(xmm(d), i), loadBits<T>(xmm(s), i)) : 0);
  }
}

/** The sum into the lanes that imm selects, +0 into the others. */
@inline
function spread<T>(d: u32, imm: u32, sum: u64): u32 {
  for (let i: u32 = 0; i < lanes<T>(); i++) {
    storeBits<T>(result, i, ((imm >> i) & 1) != 0 ? sum : 0);
  }
  return finishPacked(xmm(d));
}

// The products and the sums are steps with exceptions of their own: a step is not begun if the one before it raised
// an unmasked exception, and keeps the flags of the one before it even then.

/** imm: the instruction's immediate. */
export function h_dpps(d: u32, s: u32, imm: i32): u32 {
  beginSse();
  products<f32>(d, s, imm);
  if (commitStep() != 0) return 1;
  const low = lane<f32>(OP_ADD, loadBits<f32>(result, 0), loadBits<f32>(result, 1));
  const high = lane<f32>(OP_ADD, loadBits<f32>(result, 2), loadBits<f32>(result, 3));
  if (commitStep() != 0) return 1;
  return spread<f32>(d, imm, lane<f32>(OP_ADD, low, high));
}

export function h_dppd(d: u32, s: u32, imm: i32): u32 {
  beginSse();
  products<f64>(d, s, imm);
  if (commitStep() != 0) return 1;
  return spread<f64>(d, imm, lane<f64>(OP_ADD, loadBits<f64>(result, 0), loadBits<f64>(result, 1)));
}

// ---- Reciprocal approximations ----------------------------------------------------------------------------------
/** 1/x or 1/sqrt(x): raises nothing, takes denormals as zero and flushes tiny results to zero. */
function reciprocal(bits: u32, root: bool): u32 {
  const sign = bits & 0x80000000;
  const exp = (bits >> 23) & 0xff;
  if (exp == 0xff && bits << 9 != 0) return bits | 0x400000;
  if (exp == 0) return sign | 0x7f800000;
  if (root) {
    if (sign != 0) return 0xffc00000;
    return reinterpret<u32>(f32(1.0 / sqrt<f64>(f64(reinterpret<f32>(bits)))));
  }
  const r = reinterpret<u32>(f32(1.0 / f64(reinterpret<f32>(bits))));
  return (r & 0x7f800000) == 0 ? sign : r;
}

export function h_rcpss(d: u32, s: u32, imm: i32): u32 {
  store<u32>(xmm(d), reciprocal(load<u32>(xmm(s)), false));
  return 0;
}
export function h_rsqrtss(d: u32, s: u32, imm: i32): u32 {
  store<u32>(xmm(d), reciprocal(load<u32>(xmm(s)), true));
  return 0;
}
export function h_rcpps(d: u32, s: u32, imm: i32): u32 {
  for (let i: u32 = 0; i < 16; i += 4) store<u32>(xmm(d) + i, reciprocal(load<u32>(xmm(s) + i), false));
  return 0;
}
export function h_rsqrtps(d: u32, s: u32, imm: i32): u32 {
  for (let i: u32 = 0; i < 16; i += 4) store<u32>(xmm(d) + i, reciprocal(load<u32>(xmm(s) + i), true));
  return 0;
}

// ---- MXCSR ------------------------------------------------------------------------------------------------------
/** LDMXCSR; s: slot with the value. Reserved bits raise #GP. */
export function h_ldmxcsr(d: u32, s: u32, imm: i32): u32 {
  const value = get32(s);
  if ((value & ~MXCSR_DEFINED) != 0) return raiseWithError(VECTOR_GP, 0);
  set32(L.MXCSR, value);
  return 0;
}

/** STMXCSR; d: slot for the value. */
export function h_stmxcsr(d: u32, s: u32, imm: i32): u32 {
  set32(d, get32(L.MXCSR));
  return 0;
}
