// x87 control, stack and data transfer instructions (SDM vol. 1 chapter 8, vol. 2).
//
// Operands: "st" is a stack index; f32, f64, i16, i32 and i64 sources come in register slots; m80 and BCD operands
// and all destinations in memory are linear addresses in slot s, because an unmasked exception suppresses the
// store, and the pop may only happen after it. Every waiting instruction is preceded by x87_check.
//
// With CR0.NE = 0 a pending exception is ignored, as if IGNNE# were asserted: nothing asserts FERR#, and IRQ 13 is
// never raised. Every supported operating system sets NE.
import * as L from "../layout";
import { FLAG_IE, ROUND_ZERO, SIGN64, aSign, fpMasks, raiseFloat, setRound, setZ } from "./float-core";
import { computeFlags } from "./flags";
import { offsetAddress, probeWrite } from "./fpu-memory";
import { readable, writeMem } from "./memory";
import { NO_ADDRESS } from "./paging";
import {
  BIAS80,
  DEFAULT_NAN_SIG,
  finish80,
  fromF32,
  fromF64,
  fromI64,
  setX,
  toF32,
  toF64,
  toInteger,
  unpackA80,
  xSe,
  xSig,
} from "./softfloat80";
import { S, VECTOR_MF, VECTOR_NM, get32, get64, raise } from "./state";
import {
  EXCEPTIONS,
  SW_C1,
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
  setControlWord,
  setEmpty,
  setStatusWord,
  setTop,
  stSe,
  stSig,
  stackUnderflow,
  statusWord,
  storeSuppressed,
  top,
  underflowTo,
  writeSt,
} from "./x87-state";

// ---- Control ----------------------------------------------------------------------------------------------------
const CR0_MP: u32 = 2;
const CR0_NE: u32 = 0x20;

/** #MF if an unmasked exception is pending. */
export function h_x87_check(d: u32, s: u32, imm: i32): u32 {
  if ((statusWord() & SW_ES) == 0 || (get32(L.CR0) & CR0_NE) == 0) return 0;
  return raise(VECTOR_MF);
}

/** WAIT while CR0.TS is set: #NM if CR0.MP asks for it, which translations do not depend on. */
export function h_x87_wait(d: u32, s: u32, imm: i32): u32 {
  return (get32(L.CR0) & CR0_MP) != 0 ? raise(VECTOR_NM) : h_x87_check(d, s, imm);
}

/** FDS. */
export function h_x87_data_segment(d: u32, s: u32, imm: i32): u32 {
  store<u16>(S + L.X87_DS, load<u16>(S + L.SEG + imm * L.SEG_STRIDE + L.SEG_SELECTOR));
  return 0;
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

/** FLD ST(s). With an empty register and a full stack as well, hardware reports the underflow. */
export function h_x87_load_sti(d: u32, s: u32, imm: i32): u32 {
  begin87();
  if (isEmpty(s)) {
    if (stackUnderflow()) push(0xffff, DEFAULT_NAN_SIG);
    return 0;
  }
  setX(stSe(s), stSig(s));
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
/**
 * A store to memory that is about to happen: ST(0) in a. false: it does not, and its flags are set; then nothing is asked of
 * its address but its segment's limit.
 */
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
  const va = get64(s);
  if (!storable()) return 0;
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
  const va = get64(s);
  if (!storable()) return 0;
  if (probeWrite(va, 10) != 0) return 1;
  if (writeMem<u64>(va, digits) != 0) return 1;
  if (writeMem<u16>(offsetAddress(va, 8), u16(last)) != 0) return 1;
  return stored(1);
}
