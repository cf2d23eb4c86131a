// SSE comparison and rounding to integral values: CMP, COMI, UCOMI, ROUND, scalar and packed (SDM vol. 2).
// Operands and exactness as in sse-float.ts.
import * as L from "../layout";
import { setFlags } from "./flags";
import { EQUAL, GREATER, LESS } from "./softfloat80";
import { ordinary, ordinaryLanes } from "./sse-fast";
import { beginSse, commitSse, predicateHolds, softCompare, softRound } from "./sse-soft";
import { get32 } from "./state";
import { allLanes, lanes, loadBits, storeBits, xmm } from "./xmm";

/** Where a packed instruction collects its result until it is known not to fault. */
const result: usize = memory.data(16, 16);

/** Commits and stores `result`. */
function finishPacked(p: usize): u32 {
  if (commitSse() != 0) return 1;
  v128.store(p, v128.load(result));
  return 0;
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

/** Predicates 0–7 of ordinary lanes. */
@inline
function compareLanes<T>(a: v128, b: v128, predicate: u32): v128 {
  let holds: v128;
  switch (predicate & 3) {
    case 0:
      holds = v128.eq<T>(a, b);
      break;
    case 1:
      holds = v128.lt<T>(a, b);
      break;
    case 2:
      holds = v128.le<T>(a, b);
      break;
    default:
      holds = i64x2.splat(0);
  }
  return (predicate & 4) != 0 ? v128.not(holds) : holds;
}

@inline
function comparePacked<T>(d: u32, s: u32, predicate: u32): u32 {
  const a = v128.load(xmm(d));
  const b = v128.load(xmm(s));
  if (allLanes<T>(v128.and(ordinaryLanes<T>(a), ordinaryLanes<T>(b)))) {
    v128.store(xmm(d), compareLanes<T>(a, b, predicate));
    return 0;
  }
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
/** May PE be left alone: suppressed by the control byte, or set and masked? */
@inline
function precisionSettled(control: u32): bool {
  return (control & 8) != 0 || (get32(L.MXCSR) & 0x1020) == 0x1020;
}

/** The rounding mode that a control byte selects. */
@inline
function roundingOf(control: u32): u32 {
  return (control & 4) != 0 ? (get32(L.MXCSR) >> 13) & 3 : control & 3;
}

@inline
function roundLane<T>(a: T, mode: u32): T {
  if (mode == 0) return nearest<T>(a);
  if (mode == 1) return floor<T>(a);
  return mode == 2 ? ceil<T>(a) : trunc<T>(a);
}

@inline
function roundScalar<T>(d: u32, s: u32, control: u32): u32 {
  const a = load<T>(xmm(s));
  if (ordinary<T>(a)) {
    const whole = roundLane<T>(a, roundingOf(control));
    if (whole == a || precisionSettled(control)) {
      store<T>(xmm(d), whole);
      return 0;
    }
  }
  beginSse();
  const r = softRound(loadBits<T>(xmm(s), 0), control, sizeof<T>() == 4);
  if (commitSse() != 0) return 1;
  storeBits<T>(xmm(d), 0, r);
  return 0;
}

@inline
function roundPacked<T>(d: u32, s: u32, control: u32): u32 {
  const a = v128.load(xmm(s));
  if (allLanes<T>(ordinaryLanes<T>(a)) && precisionSettled(control)) {
    const mode = roundingOf(control);
    let whole: v128;
    if (mode == 0) whole = v128.nearest<T>(a);
    else if (mode == 1) whole = v128.floor<T>(a);
    else whole = mode == 2 ? v128.ceil<T>(a) : v128.trunc<T>(a);
    v128.store(xmm(d), whole);
    return 0;
  }
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
