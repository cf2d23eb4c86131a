// SSE floating-point arithmetic: ADD SUB MUL DIV SQRT MIN MAX HADD HSUB ADDSUB DP RCP RSQRT and MXCSR, scalar and
// packed, single and double (SDM vol. 2; exceptions vol. 1 chapter 11.5).
//
// Helpers take XMM indices: d is the destination and first operand, s the source. A memory source is in XMM_TEMP,
// whatever its size (only its low lane matters to scalar forms). Results, MXCSR flags and #XM are exact.
//
// WebAssembly's arithmetic gives the result where sse-fast.ts says so; otherwise sse-soft.ts computes again. RCP and RSQRT give the correctly rounded
// result, better than the 12 bits that processors promise and differ in.
import * as L from "../layout";
import { compute, computeLanes, settled, settledLanes } from "./sse-fast";
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
  softArith,
} from "./sse-soft";
import { VECTOR_GP, get32, raiseWithError, set32 } from "./state";
import { lanes, loadBits, storeBits, xmm } from "./xmm";

// ---- Arithmetic -------------------------------------------------------------------------------------------------
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

// ---- Horizontal arithmetic (SSE3) and dot products (SSE4.1) -----------------------------------------------------
/** The even (odd = 0) or odd elements of a and then of b. */
@inline
function gather<T>(a: v128, b: v128, odd: bool): v128 {
  if (sizeof<T>() == 4) return odd ? i32x4.shuffle(a, b, 1, 3, 5, 7) : i32x4.shuffle(a, b, 0, 2, 4, 6);
  return odd ? i64x2.shuffle(a, b, 1, 3) : i64x2.shuffle(a, b, 0, 2);
}

/** Stores r = compute(op, a, b) if it is settled. */
@inline
function storeSettled<T>(op: u32, p: usize, a: v128, b: v128): bool {
  const r = computeLanes<T>(op, a, b);
  if (!settledLanes<T>(op, a, b, r)) return false;
  v128.store(p, r);
  return true;
}

@inline
function horizontal<T>(op: u32, d: u32, s: u32): u32 {
  const first = v128.load(xmm(d));
  const second = v128.load(xmm(s));
  if (storeSettled<T>(op, xmm(d), gather<T>(first, second, false), gather<T>(first, second, true))) return 0;
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
  // Subtracting is adding what has the other sign.
  const flip = sizeof<T>() == 4 ? i64x2.splat(0x80000000) : i64x2(i64.MIN_VALUE, 0);
  if (storeSettled<T>(OP_ADD, xmm(d), v128.load(xmm(d)), v128.xor(v128.load(xmm(s)), flip))) return 0;
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
const MXCSR_DEFINED: u32 = 0xffff;

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
