// When WebAssembly's own arithmetic is the architectural result of an SSE instruction and no flag changes: the test
// that sse-float.ts, sse-compare.ts and sse-convert.ts make before they take the exact path of sse-soft.ts.
//
// "Ordinary" operands are neither denormal nor NaN, so that DE and IE for SNaNs cannot arise. A normal result of
// ordinary operands can only raise PE; that changes nothing if PE is set, and does not happen if the result is exact.
import * as L from "../layout";
import { OP_ADD, OP_DIV, OP_MAX, OP_MIN, OP_MUL, OP_SQRT, OP_SUB } from "./sse-soft";
import { get32 } from "./state";
import { allLanes, xmm } from "./xmm";

const MXCSR_CONTROLS: u32 = 0xffc0;
/** All exceptions masked, round to nearest, no flush to zero, denormals are denormals. */
const MXCSR_PLAIN: u32 = 0x1f80;
const MXCSR_PE: u32 = 0x20;

@inline
function minNormal<T>(): T {
  if (sizeof<T>() == 4) return <T>(<f32>1.17549435082228750797e-38);
  return <T>2.2250738585072014e-308;
}

/** Neither denormal nor NaN. */
@inline
export function ordinary<T>(a: T): bool {
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
export function compute<T>(op: u32, a: T, b: T): T {
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
export function settled<T>(op: u32, a: T, b: T, r: T): bool {
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

/** All ones in the lanes that are neither denormal nor NaN. */
@inline
export function ordinaryLanes<T>(a: v128): v128 {
  return v128.or(v128.ge<T>(v128.abs<T>(a), v128.splat<T>(minNormal<T>())), v128.eq<T>(a, v128.splat<T>(<T>0)));
}

/** settled() for all lanes at once; PE must be set already unless the operation cannot be inexact. */
@inline
export function settledLanes<T>(op: u32, a: v128, b: v128, r: v128): bool {
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
  return allLanes<T>(good);
}

@inline
export function computeLanes<T>(op: u32, a: v128, b: v128): v128 {
  if (op == OP_ADD) return v128.add<T>(a, b);
  if (op == OP_SUB) return v128.sub<T>(a, b);
  if (op == OP_MUL) return v128.mul<T>(a, b);
  if (op == OP_DIV) return v128.div<T>(a, b);
  if (op == OP_MIN) return v128.pmin<T>(b, a);
  if (op == OP_MAX) return v128.pmax<T>(b, a);
  return v128.sqrt<T>(b);
}

/** Are the lanes of a register zero or normal? */
@inline
function zeroOrNormal<T>(p: usize, isScalar: bool): bool {
  if (isScalar) {
    const a = load<T>(p);
    return ordinary<T>(a) && abs<T>(a) < <T>Infinity;
  }
  const a = v128.load(p);
  const finite = v128.lt<T>(v128.abs<T>(a), v128.splat<T>(<T>Infinity));
  return allLanes<T>(v128.and(ordinaryLanes<T>(a), finite));
}

/**
 * For compiled regions (wasm/ordinary-floats.ts): 1 if the lanes of two XMM registers, of this many bytes, all or the
 * lowest, are zero or normal, and MXCSR is such that normal results of such operands change nothing in it.
 */
export function floatsAreOrdinary(first: u32, second: u32, size: u32, isScalar: bool): u32 {
  if ((get32(L.MXCSR) & (MXCSR_CONTROLS | MXCSR_PE)) != (MXCSR_PLAIN | MXCSR_PE)) return 0;
  const p = xmm(first);
  const q = xmm(second);
  if (size == 4) return zeroOrNormal<f32>(p, isScalar) && zeroOrNormal<f32>(q, isScalar) ? 1 : 0;
  return zeroOrNormal<f64>(p, isScalar) && zeroOrNormal<f64>(q, isScalar) ? 1 : 0;
}
