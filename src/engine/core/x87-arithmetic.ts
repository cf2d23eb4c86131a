// x87 arithmetic, comparison, remainder and scaling (SDM vol. 1 8.3, vol. 2). Operands as in x87.ts; results, flags,
// condition codes and stack faults are those of the real processor.
import {
  CLASS_DENORMAL,
  CLASS_INFINITY,
  CLASS_QNAN,
  CLASS_SNAN,
  CLASS_UNSUPPORTED,
  CLASS_ZERO,
  FLAG_DE,
  FLAG_IE,
  FLAG_ZE,
  aClass,
  aExp,
  aSig,
  aSign,
  addFinite,
  bClass,
  bExp,
  bSig,
  bSign,
  raiseFloat,
  setB,
  setZ,
} from "./float-core";
import { setFlags } from "./flags";
import {
  BIAS80,
  DEFAULT_NAN_SIG,
  EQUAL,
  GREATER,
  LESS,
  QUIET_BIT80,
  arith80,
  classify80,
  compare80,
  finish80,
  fromI64,
  infinity80,
  invalid80,
  nanOperands80,
  noteDenormals,
  roundToIntegral80,
  setX,
  sqrt80,
  unpackA80,
  unpackBF32,
  unpackBF64,
  unpackBI32,
  xSe,
  xSig,
  zero80,
} from "./softfloat80";
import { get32, get64 } from "./state";
import {
  SW_C0,
  SW_C1,
  SW_C2,
  SW_C3,
  begin87,
  commit87,
  commitTo,
  isEmpty,
  pop,
  push,
  setConditions,
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

// Operations are numbered as the /digit of D8: 0 ADD, 1 MUL, 2 COM, 3 COMP, 4 SUB (ST(0) - x), 5 SUBR (x - ST(0)),
// 6 DIV, 7 DIVR.

/** Compares a with b into C3 C2 C0; pops `pops` times unless IE is unmasked. */
function compare(quiet: bool, pops: u32): void {
  const outcome = compare80(quiet);
  const kept = commit87();
  setConditions(
    outcome == GREATER ? 0 : outcome == LESS ? SW_C0 : outcome == EQUAL ? SW_C3 : SW_C0 | SW_C2 | SW_C3,
  );
  if (!kept) return;
  if (pops > 0) pop();
  if (pops > 1) pop();
}

/** A comparison with an empty register: unordered. */
function compareEmpty(pops: u32): void {
  const masked = stackUnderflow();
  setConditions(SW_C0 | SW_C2 | SW_C3);
  if (!masked) return;
  if (pops > 0) pop();
  if (pops > 1) pop();
}

/**
 * d: operation; s: ST(i); imm 0: the result goes to ST(0), 1: to ST(i), 2: to ST(i) with a pop. Operations 4–7 mean
 * "ST(0) op ST(i)" and reversed whatever the destination. Comparisons ignore imm.
 */
export function h_x87_arith(d: u32, s: u32, imm: i32): u32 {
  begin87();
  const compares = (d & 6) == 2;
  if (isEmpty(0) || isEmpty(s)) {
    if (compares) compareEmpty(d & 1);
    else if (underflowTo(imm == 0 ? 0 : s) && imm == 2) pop();
    return 0;
  }
  unpackSt(0, s);
  if (compares) {
    compare(false, d & 1);
    return 0;
  }
  arith80(d);
  if (commitTo(imm == 0 ? 0 : s) && imm == 2) pop();
  return 0;
}

/** ST(0) op b, b a memory operand. */
function arithMemory(op: u32): u32 {
  if ((op & 6) == 2) {
    if (isEmpty(0)) compareEmpty(op & 1);
    else compare(false, op & 1);
    return 0;
  }
  if (isEmpty(0)) {
    underflowTo(0);
    return 0;
  }
  arith80(op);
  commitTo(0);
  return 0;
}

/** d: operation; s: slot with the operand. */
export function h_x87_arith_f32(d: u32, s: u32, imm: i32): u32 {
  begin87();
  unpackA80(stSe(0), stSig(0));
  unpackBF32(get32(s));
  return arithMemory(d);
}
export function h_x87_arith_f64(d: u32, s: u32, imm: i32): u32 {
  begin87();
  unpackA80(stSe(0), stSig(0));
  unpackBF64(get64(s));
  return arithMemory(d);
}
/** imm: 16 or 32, the width of the operand. */
export function h_x87_arith_integer(d: u32, s: u32, imm: i32): u32 {
  begin87();
  unpackA80(stSe(0), stSig(0));
  unpackBI32((i32(get32(s)) << (32 - imm)) >> (32 - imm));
  return arithMemory(d);
}

/** FUCOM, FUCOMP, FUCOMPP and FCOMPP: s = ST(i); imm bits 0–1: pops, bit 2: QNaNs raise IE (FCOMPP). */
export function h_x87_compare(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0) || isEmpty(s)) {
    compareEmpty(imm & 3);
    return 0;
  }
  unpackSt(0, s);
  compare((imm & 4) == 0, imm & 3);
  return 0;
}

/** FCOMI, FUCOMI and their popping forms: s = ST(i); imm bit 0: pop, bit 2: QNaNs raise IE (FCOMI). */
export function h_x87_compare_flags(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0) || isEmpty(s)) {
    const masked = stackUnderflow();
    setFlags(0x45);
    if (masked && (imm & 1) != 0) pop();
    return 0;
  }
  unpackSt(0, s);
  const outcome = compare80((imm & 4) == 0);
  const kept = commit87();
  setFlags(outcome == GREATER ? 0 : outcome == LESS ? 0x01 : outcome == EQUAL ? 0x40 : 0x45);
  if (kept && (imm & 1) != 0) pop();
  return 0;
}

/** FTST. */
export function h_x87_test(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0)) {
    compareEmpty(0);
    return 0;
  }
  unpackA80(stSe(0), stSig(0));
  setB(0, 0, 0, CLASS_ZERO);
  compare(false, 0);
  return 0;
}

/** FXAM. */
export function h_x87_examine(d: u32, s: u32, imm: i32): u32 {
  const sign = stSe(0) >> 15;
  let conditions: u32;
  if (isEmpty(0)) conditions = SW_C3 | SW_C0;
  else {
    switch (classify80(stSe(0), stSig(0))) {
      case CLASS_UNSUPPORTED:
        conditions = 0;
        break;
      case CLASS_QNAN:
      case CLASS_SNAN:
        conditions = SW_C0;
        break;
      case CLASS_INFINITY:
        conditions = SW_C2 | SW_C0;
        break;
      case CLASS_ZERO:
        conditions = SW_C3;
        break;
      case CLASS_DENORMAL:
        conditions = SW_C3 | SW_C2;
        break;
      default:
        conditions = SW_C2;
    }
  }
  setConditions(conditions);
  setStatusWord((statusWord() & ~SW_C1) | (sign != 0 ? SW_C1 : 0));
  return 0;
}

// ---- One operand ------------------------------------------------------------------------------------------------
/** FCHS (imm = 0) and FABS (imm = 1): they change the sign of anything. */
export function h_x87_sign(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0)) {
    underflowTo(0);
    return 0;
  }
  const se = stSe(0);
  setX(imm != 0 ? se & 0x7fff : se ^ 0x8000, stSig(0));
  commitTo(0);
  return 0;
}

export function h_x87_sqrt(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0)) {
    underflowTo(0);
    return 0;
  }
  unpackA80(stSe(0), stSig(0));
  sqrt80();
  commitTo(0);
  return 0;
}

export function h_x87_round(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0)) {
    underflowTo(0);
    return 0;
  }
  unpackA80(stSe(0), stSig(0));
  roundToIntegral80();
  commitTo(0);
  return 0;
}

/** FXTRACT: ST(0) becomes the exponent, the significand is pushed. */
export function h_x87_extract(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0) || !isEmpty(-1)) {
    const masked = isEmpty(0) ? stackUnderflow() : stackOverflow();
    if (!masked) return 0;
    writeSt(0, 0xffff, DEFAULT_NAN_SIG);
    push(0xffff, DEFAULT_NAN_SIG);
    return 0;
  }
  const se = stSe(0);
  const sig = stSig(0);
  unpackA80(se, sig);
  let exponentSe: u32 = 0;
  let exponentSig: u64 = 0;
  if (aClass == CLASS_UNSUPPORTED) {
    invalid80();
    exponentSe = xSe;
    exponentSig = xSig;
  } else if (aClass >= CLASS_QNAN) {
    if (aClass == CLASS_SNAN) raiseFloat(FLAG_IE);
    exponentSe = se;
    exponentSig = sig | QUIET_BIT80;
    setX(exponentSe, exponentSig);
  } else if (aClass == CLASS_INFINITY) {
    infinity80(0);
    exponentSe = xSe;
    exponentSig = xSig;
    setX(se, sig);
  } else if (aClass == CLASS_ZERO) {
    raiseFloat(FLAG_ZE);
    infinity80(1);
    exponentSe = xSe;
    exponentSig = xSig;
    setX(se, sig);
  } else {
    if (aClass == CLASS_DENORMAL) raiseFloat(FLAG_DE);
    fromI64(i64(aExp));
    exponentSe = xSe;
    exponentSig = xSig;
    setX((aSign << 15) | u32(BIAS80), aSig);
  }
  if (!commit87()) return 0;
  writeSt(0, exponentSe, exponentSig);
  push(xSe, xSig);
  return 0;
}

// ---- Two operands on the stack ----------------------------------------------------------------------------------
/** FSCALE: ST(0) * 2^trunc(ST(1)), rounded to 64 bits whatever the precision control says. */
export function h_x87_scale(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0) || isEmpty(1)) {
    underflowTo(0);
    return 0;
  }
  unpackSt(0, 1);
  if (!nanOperands80()) scale();
  commitTo(0);
  return 0;
}

function scale(): void {
  if (bClass == CLASS_INFINITY) {
    if (bSign != 0 ? aClass == CLASS_INFINITY : aClass == CLASS_ZERO) {
      invalid80();
      return;
    }
    noteDenormals();
    if (bSign != 0) zero80(aSign);
    else infinity80(aSign);
    return;
  }
  noteDenormals();
  if (aClass == CLASS_ZERO || aClass == CLASS_INFINITY) {
    if (aClass == CLASS_ZERO) zero80(aSign);
    else infinity80(aSign);
    return;
  }
  let shift: i32 = 0;
  if (bClass != CLASS_ZERO && bExp >= 0) {
    shift = bExp > 16 ? 0x20000 : i32(bSig >> (63 - bExp));
    if (bSign != 0) shift = -shift;
  }
  setZ(aSign, aExp + shift, aSig, 0);
  finish80(64);
}

/** Quotient bits of the last remainder(). */
let quotient: u32 = 0;

/** FPREM (imm = 0) and FPREM1 (imm = 1): ST(0) rem ST(1); C2 set while the reduction is incomplete. */
export function h_x87_remainder(d: u32, s: u32, imm: i32): u32 {
  begin87();
  setStatusWord(statusWord() & ~SW_C2);
  if (isEmpty(0) || isEmpty(1)) {
    underflowTo(0);
    return 0;
  }
  unpackSt(0, 1);
  quotient = 0;
  let incomplete = false;
  const invalid = !nanOperands80() && (aClass == CLASS_INFINITY || bClass == CLASS_ZERO);
  if (invalid) invalid80();
  if (invalid || aClass >= CLASS_QNAN || bClass >= CLASS_QNAN) {
    commitTo(0);
    return 0;
  }
  noteDenormals();
  if (aClass == CLASS_ZERO) {
    zero80(aSign);
  } else if (bClass == CLASS_INFINITY) {
    setZ(aSign, aExp, aSig, 0);
    finish80(64);
  } else {
    incomplete = remainder(imm != 0);
  }
  if (!commitTo(0)) return 0;
  let conditions: u32 = incomplete ? SW_C2 : 0;
  if ((quotient & 4) != 0) conditions |= SW_C0;
  if ((quotient & 2) != 0) conditions |= SW_C3;
  setConditions(conditions);
  setStatusWord((statusWord() & ~SW_C1) | ((quotient & 1) != 0 ? SW_C1 : 0));
  return 0;
}

/** a rem b for finite nonzero a and b; true if only partly reduced. */
function remainder(nearest: bool): bool {
  const distance = aExp - bExp;
  if (distance < 0) {
    const flips = nearest && distance == -1 && aSig > bSig;
    if (!flips) {
      setZ(aSign, aExp, aSig, 0);
    } else {
      quotient = 1;
      addFinite(true);
      // addFinite() has turned the sign of a, as b is the larger.
    }
    finish80(64);
    return false;
  }
  // Not complete in one go: reduce by between 32 and 63 bits, so that the rest of the distance is smaller.
  const incomplete = distance >= 64;
  const steps = incomplete ? (distance & 0x1f) | 0x20 : distance;
  let r = aSig;
  let q: u64 = 0;
  if (r >= bSig) {
    r -= bSig;
    q = 1;
  }
  for (let i = 0; i < steps; i++) {
    const carry = r >> 63;
    r <<= 1;
    q <<= 1;
    if (carry != 0 || r >= bSig) {
      r -= bSig;
      q |= 1;
    }
  }
  let sign = aSign;
  let exp = bExp;
  if (incomplete) {
    exp = aExp - steps;
    q = 0;
  } else if (nearest && r != 0) {
    const rest = bSig - r;
    if (r > rest || (r == rest && (q & 1) != 0)) {
      r = rest;
      sign ^= 1;
      q++;
    }
  }
  quotient = u32(q);
  if (r == 0) {
    zero80(aSign);
    return incomplete;
  }
  const shift = i32(clz(r));
  setZ(sign, exp - shift, r << shift, 0);
  finish80(64);
  return incomplete;
}
