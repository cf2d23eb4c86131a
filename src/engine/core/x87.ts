// x87 instructions except the transcendental ones and the environment (SDM vol. 1 chapter 8, vol. 2).
//
// Operands: "st" is a stack index; f32, f64, i16, i32 and i64 sources come in register slots; m80 and BCD operands
// and all destinations in memory are linear addresses in slot s, because an unmasked exception suppresses the
// store, and the pop may only happen after it. Every waiting instruction is preceded by x87_check.
//
// With CR0.NE = 0 a pending exception is ignored, as if IGNNE# were asserted: nothing asserts FERR#, and IRQ 13 is
// never raised. Every supported operating system sets NE.
import * as L from "../layout";
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
  fpMasks,
  raiseFloat,
  setA,
  setB,
  setRound,
  setZ,
  zSign,
} from "./float-core";
import { computeFlags, setFlags } from "./flags";
import { offsetAddress, probeWrite } from "./fpu-memory";
import { readable, writeMem } from "./memory";
import { NO_ADDRESS } from "./paging";
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
  fromF32,
  fromF64,
  fromI64,
  infinity80,
  invalid80,
  nanOperands80,
  noteDenormals,
  roundToIntegral80,
  setX,
  sqrt80,
  toF32,
  toF64,
  toInteger,
  unpackA80,
  unpackBF32,
  unpackBF64,
  unpackBI32,
  xSe,
  xSig,
  zero80,
} from "./softfloat80";
import { S, VECTOR_MF, get32, get64, raise } from "./state";
import {
  SW_BUSY,
  SW_C0,
  SW_C1,
  SW_C2,
  SW_C3,
  SW_ES,
  begin87,
  commit87,
  commitLoad,
  commitPush,
  commitTo,
  controlWord,
  isEmpty,
  pop,
  push,
  setConditions,
  setControlWord,
  setEmpty,
  setStatusWord,
  setTop,
  stSe,
  stSig,
  stackOverflow,
  stackUnderflow,
  statusWord,
  storeSuppressed,
  top,
  underflowTo,
  unpackSt,
  writeSt,
} from "./x87-state";

// ---- Control ----------------------------------------------------------------------------------------------------
const CR0_NE: u32 = 0x20;

/** #MF if an unmasked exception is pending. */
export function h_x87_check(d: u32, s: u32, imm: i32): u32 {
  if ((statusWord() & SW_ES) == 0 || (get32(L.CR0) & CR0_NE) == 0) return 0;
  return raise(VECTOR_MF);
}

export function resetX87(): void {
  store<u16>(S + L.X87_CW, 0x37f);
  setStatusWord(0);
  store<u8>(S + L.X87_TAG, 0);
  store<u16>(S + L.X87_OPCODE, 0);
  store<u64>(S + L.X87_IP, 0);
  store<u64>(S + L.X87_DP, 0);
  store<u16>(S + L.X87_CS, 0);
  store<u16>(S + L.X87_DS, 0);
}

export function h_x87_init(d: u32, s: u32, imm: i32): u32 {
  resetX87();
  return 0;
}

export function h_x87_clear_exceptions(d: u32, s: u32, imm: i32): u32 {
  setStatusWord(statusWord() & 0x7f00);
  return 0;
}

/** FLDCW; s: slot. */
export function h_x87_load_control(d: u32, s: u32, imm: i32): u32 {
  setControlWord(load<u16>(S + s));
  return 0;
}

/** FNSTCW; d: slot, 16 bits. */
export function h_x87_get_control(d: u32, s: u32, imm: i32): u32 {
  store<u16>(S + d, controlWord());
  return 0;
}

/** FNSTSW; d: slot (AX or a temporary), 16 bits. */
export function h_x87_get_status(d: u32, s: u32, imm: i32): u32 {
  store<u16>(S + d, statusWord());
  return 0;
}

// ---- Stack ------------------------------------------------------------------------------------------------------
/** FINCSTP (imm = 1), FDECSTP (imm = -1). */
export function h_x87_rotate(d: u32, s: u32, imm: i32): u32 {
  setTop(top() + imm);
  setStatusWord(statusWord() & ~SW_C1);
  return 0;
}

/** FFREE ST(d); imm = 1: FFREEP, which pops too. */
export function h_x87_free(d: u32, s: u32, imm: i32): u32 {
  setEmpty(d);
  setStatusWord(statusWord() & ~SW_C1);
  if (imm != 0) pop();
  return 0;
}

/** FXCH ST(s). */
export function h_x87_exchange(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0) || isEmpty(s)) {
    if (!stackUnderflow()) return 0;
    if (isEmpty(0)) writeSt(0, 0xffff, DEFAULT_NAN_SIG);
    if (isEmpty(s)) writeSt(s, 0xffff, DEFAULT_NAN_SIG);
  } else {
    setStatusWord(statusWord() & ~SW_C1);
  }
  const se = stSe(0);
  const sig = stSig(0);
  writeSt(0, stSe(s), stSig(s));
  writeSt(s, se, sig);
  return 0;
}

/** FLD ST(s). */
export function h_x87_load_sti(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(s)) {
    // With a full stack as well, hardware reports the overflow.
    if (!isEmpty(-1)) setX(0xffff, DEFAULT_NAN_SIG);
    else {
      if (stackUnderflow()) push(0xffff, DEFAULT_NAN_SIG);
      return 0;
    }
  } else {
    setX(stSe(s), stSig(s));
  }
  commitPush();
  return 0;
}

/** FST ST(d); imm bit 0: FSTP; bit 1: an empty ST(0) is no stack fault, only popped (the alias D9 D8+i). */
export function h_x87_store_sti(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (!isEmpty(0)) {
    setX(stSe(0), stSig(0));
    commitTo(d);
  } else if ((imm & 2) == 0) {
    if (!underflowTo(d)) return 0;
  } else {
    setStatusWord(statusWord() & ~SW_C1);
  }
  if ((imm & 1) != 0) pop();
  return 0;
}

const INVERTED: i32 = 4;
/** FCMOVcc ST(0), ST(s); imm: 0 B, 1 E, 2 BE, 3 U, plus 4 for the negated conditions. */
export function h_x87_cmov(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(0) || isEmpty(s)) {
    underflowTo(0);
    return 0;
  }
  const flags = computeFlags();
  const mask: u32 = (imm & 3) == 0 ? 0x01 : (imm & 3) == 1 ? 0x40 : (imm & 3) == 2 ? 0x41 : 0x04;
  const holds = (flags & mask) != 0;
  if (holds != ((imm & INVERTED) != 0)) writeSt(0, stSe(s), stSig(s));
  return 0;
}

// ---- Loads ------------------------------------------------------------------------------------------------------
export function h_x87_load_f32(d: u32, s: u32, imm: i32): u32 {
  begin87();
  fromF32(get32(s));
  commitLoad();
  return 0;
}

export function h_x87_load_f64(d: u32, s: u32, imm: i32): u32 {
  begin87();
  fromF64(get64(s));
  commitLoad();
  return 0;
}

/** FILD; s: slot; imm: 16, 32 or 64, the width of the source. */
export function h_x87_load_integer(d: u32, s: u32, imm: i32): u32 {
  begin87();
  fromI64((i64(get64(s)) << (64 - imm)) >> (64 - imm));
  commitPush();
  return 0;
}

/** FLD m80; s: slot with the linear address. */
export function h_x87_load_f80(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  const low = readable<u64>(va);
  if (low == NO_ADDRESS) return 1;
  const sig = load<u64>(low);
  const high = readable<u16>(offsetAddress(va, 8));
  if (high == NO_ADDRESS) return 1;
  begin87();
  setX(load<u16>(high), sig);
  commitPush();
  return 0;
}

// The constants as the processor holds them internally, with two more bits for rounding: they are rounded by RC.
@inline
function pushConstant(se: u32, sig: u64, tail: u64): void {
  setZ(0, i32(se) - BIAS80, sig, tail);
  finish80(64);
}

/** FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ: imm = 0–6, opcode D9 E8 + imm. They raise no PE. */
export function h_x87_load_constant(d: u32, s: u32, imm: i32): u32 {
  begin87();
  switch (imm) {
    case 0:
      setX(0x3fff, SIGN64);
      break;
    case 1: // log2(10)
      pushConstant(0x4000, 0xd49a784bcd1b8afe, 0x492bf6ff4dafdb4c);
      break;
    case 2: // log2(e)
      pushConstant(0x3fff, 0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88);
      break;
    case 3: // pi
      pushConstant(0x4000, 0xc90fdaa22168c234, 0xc4c6628b80dc1cd1);
      break;
    case 4: // log10(2)
      pushConstant(0x3ffd, 0x9a209a84fbcff798, 0x8f8959ac0b7c9178);
      break;
    case 5: // ln(2)
      pushConstant(0x3ffe, 0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af);
      break;
    default:
      setX(0, 0);
  }
  begin87();
  commitPush();
  return 0;
}

// ---- Stores -----------------------------------------------------------------------------------------------------
/** A store to memory that is about to happen: ST(0) in a. false: it does not, and its flags are set. */
function storable(): bool {
  if (!isEmpty(0)) {
    return !storeSuppressed();
  }
  // The stack fault's own flags are set after the store.
  if ((fpMasks & FLAG_IE) != 0) return true;
  stackUnderflow();
  return false;
}

/** After the store. */
function stored(popping: i32): u32 {
  if (isEmpty(0)) stackUnderflow();
  else commit87();
  if (popping != 0) pop();
  return 0;
}

/** FST, FSTP m32; s: slot with the linear address; imm = 1: pop. */
export function h_x87_store_f32(d: u32, s: u32, imm: i32): u32 {
  begin87();
  unpackA80(stSe(0), stSig(0));
  const value = isEmpty(0) ? 0xffc00000 : toF32();
  if (!storable()) return 0;
  if (writeMem<u32>(get64(s), value) != 0) return 1;
  return stored(imm);
}

export function h_x87_store_f64(d: u32, s: u32, imm: i32): u32 {
  begin87();
  unpackA80(stSe(0), stSig(0));
  const value: u64 = isEmpty(0) ? 0xfff8000000000000 : toF64();
  if (!storable()) return 0;
  if (writeMem<u64>(get64(s), value) != 0) return 1;
  return stored(imm);
}

/** FSTP m80. */
export function h_x87_store_f80(d: u32, s: u32, imm: i32): u32 {
  begin87();
  const empty = isEmpty(0);
  if (!storable()) return 0;
  const va = get64(s);
  if (probeWrite(va, 10) != 0) return 1;
  if (writeMem<u64>(va, empty ? DEFAULT_NAN_SIG : stSig(0)) != 0) return 1;
  if (writeMem<u16>(offsetAddress(va, 8), u16(empty ? 0xffff : stSe(0))) != 0) return 1;
  return stored(1);
}

/** What FIST and FISTTP store. */
function integerOf(bits: u32, truncate: bool): i64 {
  unpackA80(stSe(0), stSig(0));
  if (isEmpty(0)) return i64.MIN_VALUE >> (64 - bits);
  if (truncate) setRound(ROUND_ZERO);
  return toInteger(bits);
}

/** imm of the integer stores: bit 0 pop, bit 1 truncate (FISTTP). */
export function h_x87_store_i16(d: u32, s: u32, imm: i32): u32 {
  begin87();
  const value = integerOf(16, (imm & 2) != 0);
  if (!storable()) return 0;
  if (writeMem<u16>(get64(s), u16(value)) != 0) return 1;
  return stored(imm & 1);
}

export function h_x87_store_i32(d: u32, s: u32, imm: i32): u32 {
  begin87();
  const value = integerOf(32, (imm & 2) != 0);
  if (!storable()) return 0;
  if (writeMem<u32>(get64(s), u32(value)) != 0) return 1;
  return stored(imm & 1);
}

export function h_x87_store_i64(d: u32, s: u32, imm: i32): u32 {
  begin87();
  const value = integerOf(64, (imm & 2) != 0);
  if (!storable()) return 0;
  if (writeMem<u64>(get64(s), u64(value)) != 0) return 1;
  return stored(imm & 1);
}

// ---- Packed decimal ---------------------------------------------------------------------------------------------
const BCD_MAX: u64 = 999999999999999999;

/** FBLD; s: slot with the linear address. Digits above 9 count as their value. */
export function h_x87_load_bcd(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  const low = readable<u64>(va);
  if (low == NO_ADDRESS) return 1;
  const digits = load<u64>(low);
  const high = readable<u16>(offsetAddress(va, 8));
  if (high == NO_ADDRESS) return 1;
  const last = u32(load<u16>(high));
  let value = u64((last >> 4) & 15) * 10 + u64(last & 15);
  for (let shift = 60; shift >= 0; shift -= 4) value = value * 10 + ((digits >> shift) & 15);
  begin87();
  fromI64(i64(value));
  setX(xSe | (last & 0x8000), xSig);
  commitPush();
  return 0;
}

/** FBSTP. */
export function h_x87_store_bcd(d: u32, s: u32, imm: i32): u32 {
  begin87();
  let digits: u64 = 0xc000000000000000;
  let last: u32 = 0xffff;
  if (!isEmpty(0)) {
    unpackA80(stSe(0), stSig(0));
    const value = toInteger(64);
    let magnitude = value < 0 ? u64(0 - value) : u64(value);
    if (magnitude > BCD_MAX) {
      begin87();
      raiseFloat(FLAG_IE);
    } else {
      digits = 0;
      for (let shift = 0; shift < 64; shift += 4) {
        digits |= (magnitude % 10) << shift;
        magnitude /= 10;
      }
      last = u32(magnitude % 10) | (u32(magnitude / 10) << 4) | (aSign << 15);
    }
  }
  if (!storable()) return 0;
  const va = get64(s);
  if (probeWrite(va, 10) != 0) return 1;
  if (writeMem<u64>(va, digits) != 0) return 1;
  if (writeMem<u16>(offsetAddress(va, 8), u16(last)) != 0) return 1;
  return stored(1);
}

// ---- Arithmetic -------------------------------------------------------------------------------------------------
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
