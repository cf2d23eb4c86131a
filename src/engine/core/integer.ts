// Integer arithmetic that expressions would make too large: the helpers of ir/helpers-integer.ts. SDM 2, the
// instructions of the same names. Flags that the manual leaves undefined keep their values or follow the formula of
// the defined case.
import * as L from "../layout";
import { S, get32, get64, set32, set64, raise, raiseWithError, VECTOR_BR, VECTOR_DE, VECTOR_GP } from "./state";
import { computeFlags, setFlags } from "./flags";
import { FLAG_CF, FLAG_DF, FLAG_OF, FLAG_ZF } from "./control-bits";
import { is64Bit } from "./mode";
import { asStackFault, readable, slowReadForWrite128, slowReadForWrite16, slowReadForWrite32, slowReadForWrite64, writeMem, writeMem128 } from "./memory";
import { NO_ADDRESS } from "./paging";
import { h_seglin } from "./segments";

const FLAG_PF: u32 = 4;
const FLAG_AF: u32 = 0x10;
const FLAG_SF: u32 = 0x80;
/** CC_OP of flags.ts: kind * 4, plus log2 of the operand's bytes. */
const CC_SHL: u32 = 8 * 4;
const CC_SHR: u32 = 9 * 4;

// ---- Division ---------------------------------------------------------------------------------------------------
/** Remainder of the last divide128(). */
let remainder: u64 = 0;

/** Quotient of high:low / divisor where high < divisor: long division in base 2^32 (Knuth, 4.3.1 D). */
function divide128(high: u64, low: u64, divisor: u64): u64 {
  if (high == 0) {
    remainder = low % divisor;
    return low / divisor;
  }
  const shift = clz(divisor);
  const d = divisor << shift;
  const dHigh = d >>> 32;
  const dLow = d & 0xffffffff;
  const n = shift == 0 ? high : (high << shift) | (low >>> (64 - shift));
  const nLow = low << shift;
  const digit1 = nLow >>> 32;
  const digit0 = nLow & 0xffffffff;

  let q1 = n / dHigh;
  let r = n % dHigh;
  while (q1 >= 0x100000000 || q1 * dLow > ((r << 32) | digit1)) {
    q1--;
    r += dHigh;
    if (r >= 0x100000000) break;
  }
  const n1 = (n << 32) + digit1 - q1 * d;
  let q0 = n1 / dHigh;
  r = n1 % dHigh;
  while (q0 >= 0x100000000 || q0 * dLow > ((r << 32) | digit0)) {
    q0--;
    r += dHigh;
    if (r >= 0x100000000) break;
  }
  remainder = ((n1 << 32) + digit0 - q0 * d) >>> shift;
  return (q1 << 32) + q0;
}

export function h_div8(d: u32, s: u32, imm: i32): u32 {
  const divisor = <u32>load<u8>(S + s);
  const dividend = <u32>load<u16>(S, L.GPR_RAX);
  if (divisor == 0 || dividend / divisor > 0xff) return raise(VECTOR_DE);
  store<u8>(S, <u8>(dividend / divisor), L.GPR_RAX);
  store<u8>(S, <u8>(dividend % divisor), L.GPR_RAX + 1);
  return 0;
}

export function h_div16(d: u32, s: u32, imm: i32): u32 {
  const divisor = <u32>load<u16>(S + s);
  const dividend = (<u32>load<u16>(S, L.GPR_RDX) << 16) | <u32>load<u16>(S, L.GPR_RAX);
  if (divisor == 0 || dividend / divisor > 0xffff) return raise(VECTOR_DE);
  store<u16>(S, <u16>(dividend / divisor), L.GPR_RAX);
  store<u16>(S, <u16>(dividend % divisor), L.GPR_RDX);
  return 0;
}

export function h_div32(d: u32, s: u32, imm: i32): u32 {
  const divisor = <u64>load<u32>(S + s);
  const dividend = (<u64>load<u32>(S, L.GPR_RDX) << 32) | <u64>load<u32>(S, L.GPR_RAX);
  if (divisor == 0 || dividend / divisor > 0xffffffff) return raise(VECTOR_DE);
  set64(L.GPR_RAX, dividend / divisor);
  set64(L.GPR_RDX, dividend % divisor);
  return 0;
}

export function h_div64(d: u32, s: u32, imm: i32): u32 {
  const divisor = load<u64>(S + s);
  const high = get64(L.GPR_RDX);
  if (divisor == 0 || high >= divisor) return raise(VECTOR_DE);
  const quotient = divide128(high, get64(L.GPR_RAX), divisor);
  set64(L.GPR_RAX, quotient);
  set64(L.GPR_RDX, remainder);
  return 0;
}

export function h_idiv8(d: u32, s: u32, imm: i32): u32 {
  const divisor = <i32>load<i8>(S + s);
  const dividend = <i32>load<i16>(S, L.GPR_RAX);
  if (divisor == 0) return raise(VECTOR_DE);
  const quotient = dividend / divisor;
  if (quotient != <i32>(<i8>quotient)) return raise(VECTOR_DE);
  store<u8>(S, <u8>quotient, L.GPR_RAX);
  store<u8>(S, <u8>(dividend % divisor), L.GPR_RAX + 1);
  return 0;
}

export function h_idiv16(d: u32, s: u32, imm: i32): u32 {
  const divisor = <i64>load<i16>(S + s);
  const dividend = <i64>(<i32>((<u32>load<u16>(S, L.GPR_RDX) << 16) | <u32>load<u16>(S, L.GPR_RAX)));
  if (divisor == 0) return raise(VECTOR_DE);
  const quotient = dividend / divisor;
  if (quotient != <i64>(<i16>quotient)) return raise(VECTOR_DE);
  store<u16>(S, <u16>quotient, L.GPR_RAX);
  store<u16>(S, <u16>(dividend % divisor), L.GPR_RDX);
  return 0;
}

export function h_idiv32(d: u32, s: u32, imm: i32): u32 {
  const divisor = <i64>load<i32>(S + s);
  const dividend = <i64>((<u64>load<u32>(S, L.GPR_RDX) << 32) | <u64>load<u32>(S, L.GPR_RAX));
  // The most negative dividend by -1 would trap in WebAssembly; its quotient does not fit anyway.
  if (divisor == 0 || (divisor == -1 && dividend == i64.MIN_VALUE)) return raise(VECTOR_DE);
  const quotient = dividend / divisor;
  if (quotient != <i64>(<i32>quotient)) return raise(VECTOR_DE);
  set64(L.GPR_RAX, <u64>(<u32>quotient));
  set64(L.GPR_RDX, <u64>(<u32>(dividend % divisor)));
  return 0;
}

export function h_idiv64(d: u32, s: u32, imm: i32): u32 {
  const divisor = load<i64>(S + s);
  let low = get64(L.GPR_RAX);
  let high = get64(L.GPR_RDX);
  const negative = <i64>high < 0;
  if (negative) {
    low = 0 - low;
    high = ~high + (low == 0 ? 1 : 0);
  }
  const magnitude = divisor < 0 ? 0 - <u64>divisor : <u64>divisor;
  if (magnitude == 0 || high >= magnitude) return raise(VECTOR_DE);
  const quotient = divide128(high, low, magnitude);
  const negativeQuotient = negative != divisor < 0;
  const largest: u64 = negativeQuotient ? 0x8000000000000000 : 0x7fffffffffffffff;
  if (quotient > largest) return raise(VECTOR_DE);
  set64(L.GPR_RAX, negativeQuotient ? 0 - quotient : quotient);
  set64(L.GPR_RDX, negative ? 0 - remainder : remainder);
  return 0;
}

// ---- Rotates through carry --------------------------------------------------------------------------------------
/** Sets CF and OF, keeps the other status flags. */
function setCarryAndOverflow(carry: u32, overflow: u32): void {
  setFlags((computeFlags() & ~(FLAG_CF | FLAG_OF)) | (carry != 0 ? FLAG_CF : 0) | (overflow != 0 ? FLAG_OF : 0));
}

@inline
function rotateLeft<T>(d: u32, rawCount: u32): u32 {
  const width: u32 = 8 * <u32>sizeof<T>();
  let count = rawCount & (width == 64 ? 63 : 31);
  if (count == 0) return 0;
  count %= width + 1;
  const value = <u64>load<T>(S + d);
  const carryIn = <u64>(computeFlags() & FLAG_CF);
  let result = value;
  let carry = carryIn;
  if (count != 0) {
    carry = (value >>> <u64>(width - count)) & 1;
    // Bits above the width fall away with the store; a shift by the width of u64 must not wrap.
    result = count == 64 ? 0 : value << <u64>count;
    result |= carryIn << <u64>(count - 1);
    if (count > 1) result |= value >>> <u64>(width + 1 - count);
  }
  storeResult<T>(d, result);
  const top = <u32>(result >>> <u64>(width - 1)) & 1;
  setCarryAndOverflow(<u32>carry, top ^ <u32>carry);
  return 0;
}

@inline
function rotateRight<T>(d: u32, rawCount: u32): u32 {
  const width: u32 = 8 * <u32>sizeof<T>();
  let count = rawCount & (width == 64 ? 63 : 31);
  if (count == 0) return 0;
  count %= width + 1;
  const value = <u64>load<T>(S + d);
  const carryIn = <u64>(computeFlags() & FLAG_CF);
  let result = value;
  let carry = carryIn;
  if (count != 0) {
    carry = (value >>> <u64>(count - 1)) & 1;
    result = count == 64 ? 0 : value >>> <u64>count;
    result |= carryIn << <u64>(width - count);
    if (count > 1) result |= value << <u64>(width + 1 - count);
  }
  storeResult<T>(d, result);
  const top = <u32>(result >>> <u64>(width - 1)) & 1;
  const next = <u32>(result >>> <u64>(width - 2)) & 1;
  setCarryAndOverflow(<u32>carry, top ^ next);
  return 0;
}

/** To slot d as registers are written: 32 bits clear the upper half. */
@inline
function storeResult<T>(d: u32, value: u64): void {
  if (sizeof<T>() == 4) store<u64>(S + d, value & 0xffffffff);
  else store<T>(S + d, <T>value);
}

export function h_rcl8(d: u32, s: u32, imm: i32): u32 {
  return rotateLeft<u8>(d, load<u8>(S + s));
}
export function h_rcl16(d: u32, s: u32, imm: i32): u32 {
  return rotateLeft<u16>(d, load<u8>(S + s));
}
export function h_rcl32(d: u32, s: u32, imm: i32): u32 {
  const count = load<u8>(S + s);
  if ((count & 31) == 0) storeResult<u32>(d, load<u64>(S + d));
  return rotateLeft<u32>(d, count);
}
export function h_rcl64(d: u32, s: u32, imm: i32): u32 {
  return rotateLeft<u64>(d, load<u8>(S + s));
}
export function h_rcr8(d: u32, s: u32, imm: i32): u32 {
  return rotateRight<u8>(d, load<u8>(S + s));
}
export function h_rcr16(d: u32, s: u32, imm: i32): u32 {
  return rotateRight<u16>(d, load<u8>(S + s));
}
export function h_rcr32(d: u32, s: u32, imm: i32): u32 {
  const count = load<u8>(S + s);
  if ((count & 31) == 0) storeResult<u32>(d, load<u64>(S + d));
  return rotateRight<u32>(d, count);
}
export function h_rcr64(d: u32, s: u32, imm: i32): u32 {
  return rotateRight<u64>(d, load<u8>(S + s));
}
export function h_rcli8(d: u32, s: u32, imm: i32): u32 {
  return rotateLeft<u8>(d, imm);
}
export function h_rcli16(d: u32, s: u32, imm: i32): u32 {
  return rotateLeft<u16>(d, imm);
}
export function h_rcli32(d: u32, s: u32, imm: i32): u32 {
  return rotateLeft<u32>(d, imm);
}
export function h_rcli64(d: u32, s: u32, imm: i32): u32 {
  return rotateLeft<u64>(d, imm);
}
export function h_rcri8(d: u32, s: u32, imm: i32): u32 {
  return rotateRight<u8>(d, imm);
}
export function h_rcri16(d: u32, s: u32, imm: i32): u32 {
  return rotateRight<u16>(d, imm);
}
export function h_rcri32(d: u32, s: u32, imm: i32): u32 {
  return rotateRight<u32>(d, imm);
}
export function h_rcri64(d: u32, s: u32, imm: i32): u32 {
  return rotateRight<u64>(d, imm);
}

// ---- Double-width shifts ----------------------------------------------------------------------------------------
/** Lazy flags of a shift: its result and the operand shifted once less. */
@inline
function setShiftFlags<T>(kind: u32, result: u64, before: u64): void {
  const mask: u64 = sizeof<T>() == 8 ? ~(<u64>0) : (<u64>1 << (8 * sizeof<T>())) - 1;
  set32(L.CC_OP, kind + (sizeof<T>() == 2 ? 1 : sizeof<T>() == 4 ? 2 : 3));
  set64(L.CC_DST, result & mask);
  set64(L.CC_SRC, before & mask);
}

@inline
function countOf<T>(imm: i32): u32 {
  return (imm != 0 ? <u32>imm : <u32>load<u8>(S, L.GPR_RCX)) & (sizeof<T>() == 8 ? 63 : 31);
}

/** The high end of destination:source:destination shifted left; counts above 16 reach the third part for 16 bits. */
@inline
function doubleLeft<T>(a: u64, b: u64, count: u32): u64 {
  if (count == 0) return a;
  if (sizeof<T>() == 8) return (a << <u64>count) | (b >>> <u64>(64 - count));
  if (sizeof<T>() == 4) return (((a << 32) | b) << <u64>count) >>> 32;
  return (((a << 32) | (b << 16) | a) << <u64>count) >>> 32;
}

@inline
function doubleRight<T>(a: u64, b: u64, count: u32): u64 {
  if (count == 0) return a;
  if (sizeof<T>() == 8) return (a >>> <u64>count) | (b << <u64>(64 - count));
  if (sizeof<T>() == 4) return ((b << 32) | a) >>> <u64>count;
  return ((a << 32) | (b << 16) | a) >>> <u64>count;
}

@inline
function shiftLeftDouble<T>(d: u32, s: u32, imm: i32): u32 {
  const count = countOf<T>(imm);
  const a = <u64>load<T>(S + d);
  const b = <u64>load<T>(S + s);
  const result = doubleLeft<T>(a, b, count);
  storeResult<T>(d, result);
  if (count != 0) setShiftFlags<T>(CC_SHL, result, doubleLeft<T>(a, b, count - 1));
  return 0;
}

@inline
function shiftRightDouble<T>(d: u32, s: u32, imm: i32): u32 {
  const count = countOf<T>(imm);
  const a = <u64>load<T>(S + d);
  const b = <u64>load<T>(S + s);
  const result = doubleRight<T>(a, b, count);
  storeResult<T>(d, result);
  if (count != 0) setShiftFlags<T>(CC_SHR, result, doubleRight<T>(a, b, count - 1));
  return 0;
}

export function h_shldcl16(d: u32, s: u32, imm: i32): u32 {
  return shiftLeftDouble<u16>(d, s, imm);
}
export function h_shldcl32(d: u32, s: u32, imm: i32): u32 {
  return shiftLeftDouble<u32>(d, s, imm);
}
export function h_shldcl64(d: u32, s: u32, imm: i32): u32 {
  return shiftLeftDouble<u64>(d, s, imm);
}
export function h_shrdcl16(d: u32, s: u32, imm: i32): u32 {
  return shiftRightDouble<u16>(d, s, imm);
}
export function h_shrdcl32(d: u32, s: u32, imm: i32): u32 {
  return shiftRightDouble<u32>(d, s, imm);
}
export function h_shrdcl64(d: u32, s: u32, imm: i32): u32 {
  return shiftRightDouble<u64>(d, s, imm);
}

// ---- Wide compare and exchange ----------------------------------------------------------------------------------
export function h_cmpxchg8b(d: u32, s: u32, imm: i32): u32 {
  const va = load<u64>(S + s);
  const hva = slowReadForWrite64(va);
  if (hva == NO_ADDRESS) return 1;
  const expected = (<u64>get32(L.GPR_RDX) << 32) | <u64>get32(L.GPR_RAX);
  const replacement = (<u64>get32(L.GPR_RCX) << 32) | <u64>get32(L.GPR_RBX);
  let old: u64;
  if (hva >= <u32>L.RAM_BASE && !(hva & 7)) old = atomic.cmpxchg<u64>(hva, expected, replacement);
  else {
    old = load<u64>(hva);
    if (writeMem<u64>(va, old == expected ? replacement : old)) return 1;
  }
  const equal = old == expected;
  const flags = computeFlags();
  if (equal) setFlags(flags | FLAG_ZF);
  else {
    setFlags(flags & ~FLAG_ZF);
    set64(L.GPR_RAX, old & 0xffffffff);
    set64(L.GPR_RDX, old >>> 32);
  }
  return 0;
}

export function h_cmpxchg16b(d: u32, s: u32, imm: i32): u32 {
  const va = load<u64>(S + s);
  if (va & 15) return raiseWithError(VECTOR_GP, 0);
  const hva = slowReadForWrite128(va);
  if (hva == NO_ADDRESS) return 1;
  const low = load<u64>(hva);
  const high = load<u64>(hva, 8);
  const equal = low == get64(L.GPR_RAX) && high == get64(L.GPR_RDX);
  // The new value goes through the scratch area's second half, where stores take theirs from.
  store<u64>(S + L.SCRATCH + 16, equal ? get64(L.GPR_RBX) : low);
  store<u64>(S + L.SCRATCH + 16, equal ? get64(L.GPR_RCX) : high, 8);
  if (writeMem128(va, S + L.SCRATCH + 16)) return 1;
  const flags = computeFlags();
  if (equal) setFlags(flags | FLAG_ZF);
  else {
    setFlags(flags & ~FLAG_ZF);
    set64(L.GPR_RAX, low);
    set64(L.GPR_RDX, high);
  }
  return 0;
}

export function h_align16(d: u32, s: u32, imm: i32): u32 {
  return load<u64>(S + s) & 15 ? raiseWithError(VECTOR_GP, 0) : 0;
}

export function h_raise_gp0(d: u32, s: u32, imm: i32): u32 {
  return raiseWithError(VECTOR_GP, 0);
}

// ---- Decimal arithmetic -----------------------------------------------------------------------------------------
/** SF, ZF and PF of a byte. */
function byteFlags(value: u32): u32 {
  return (
    (value & 0x80 ? FLAG_SF : 0) | ((value & 0xff) == 0 ? FLAG_ZF : 0) | ((popcnt(value & 0xff) & 1) == 0 ? FLAG_PF : 0)
  );
}

@inline
function al(): u32 {
  return load<u8>(S, L.GPR_RAX);
}

export function h_daa(d: u32, s: u32, imm: i32): u32 {
  const flags = computeFlags();
  const old = al();
  let value = old;
  let result: u32 = 0;
  if ((old & 15) > 9 || flags & FLAG_AF) {
    value += 6;
    result |= FLAG_AF;
  }
  if (old > 0x99 || flags & FLAG_CF) {
    value += 0x60;
    result |= FLAG_CF;
  }
  store<u8>(S, <u8>value, L.GPR_RAX);
  setFlags((flags & FLAG_OF) | result | byteFlags(value));
  return 0;
}

export function h_das(d: u32, s: u32, imm: i32): u32 {
  const flags = computeFlags();
  const old = al();
  let value = old;
  let result: u32 = 0;
  if ((old & 15) > 9 || flags & FLAG_AF) {
    value -= 6;
    result |= FLAG_AF | (old < 6 ? FLAG_CF : 0) | (flags & FLAG_CF);
  }
  if (old > 0x99 || flags & FLAG_CF) {
    value -= 0x60;
    result |= FLAG_CF;
  }
  store<u8>(S, <u8>value, L.GPR_RAX);
  setFlags((flags & FLAG_OF) | result | byteFlags(value));
  return 0;
}

export function h_aaa(d: u32, s: u32, imm: i32): u32 {
  const flags = computeFlags();
  const adjust = (al() & 15) > 9 || (flags & FLAG_AF) != 0;
  const ax = <u32>load<u16>(S, L.GPR_RAX) + (adjust ? 0x106 : 0);
  store<u16>(S, <u16>(ax & 0xff0f), L.GPR_RAX);
  setFlags((flags & ~(FLAG_AF | FLAG_CF)) | (adjust ? FLAG_AF | FLAG_CF : 0));
  return 0;
}

export function h_aas(d: u32, s: u32, imm: i32): u32 {
  const flags = computeFlags();
  const adjust = (al() & 15) > 9 || (flags & FLAG_AF) != 0;
  const ax = <u32>load<u16>(S, L.GPR_RAX) - (adjust ? 0x106 : 0);
  store<u16>(S, <u16>(ax & 0xff0f), L.GPR_RAX);
  setFlags((flags & ~(FLAG_AF | FLAG_CF)) | (adjust ? FLAG_AF | FLAG_CF : 0));
  return 0;
}

/** The manual leaves OF, AF and CF undefined; processors clear them. */
export function h_aam(d: u32, s: u32, imm: i32): u32 {
  const base = <u32>imm & 0xff;
  if (base == 0) return raise(VECTOR_DE);
  const value = al();
  store<u8>(S, <u8>(value / base), L.GPR_RAX + 1);
  store<u8>(S, <u8>(value % base), L.GPR_RAX);
  setFlags(byteFlags(value % base));
  return 0;
}

/** The manual leaves OF, AF and CF undefined; in processors they are those of the addition. */
export function h_aad(d: u32, s: u32, imm: i32): u32 {
  const ones = al();
  const tens = (<u32>load<u8>(S, L.GPR_RAX + 1) * (<u32>imm & 0xff)) & 0xff;
  const sum = ones + tens;
  store<u16>(S, <u16>(sum & 0xff), L.GPR_RAX);
  const carry: u32 = sum > 0xff ? FLAG_CF : 0;
  const overflow: u32 = (ones ^ sum) & (tens ^ sum) & 0x80 ? FLAG_OF : 0;
  setFlags(carry | overflow | ((ones ^ tens ^ sum) & FLAG_AF) | byteFlags(sum));
  return 0;
}

// ---- Stack frames -----------------------------------------------------------------------------------------------
/** The stack pointer's mask: SS.B, or 64 bits. */
function stackMask(): u64 {
  if (is64Bit()) return ~(<u64>0);
  return get32(L.MODE) & L.MODE_STACK32 ? 0xffffffff : 0xffff;
}

/** The last temporary of the register file: dead in a helper, and a slot as `seglin` wants one. */
const ADDRESS_SLOT: u32 = L.TEMP + 8 * (L.TEMP_COUNT - 1);

/** Linear address of an offset in SS, left in linear; 1 if a fault is pending. */
let linear: u64 = 0;
function stackLinear(offset: u64, sizeBytes: u32, writes: u32): u32 {
  set64(ADDRESS_SLOT, offset);
  if (h_seglin(ADDRESS_SLOT, L.SEG_SS, <i32>(sizeBytes | (writes ? 0x1000 : 0)))) return 1;
  linear = get64(ADDRESS_SLOT);
  return 0;
}

/** Stores the low bytes of a value at an offset in SS. */
function writeStack(offset: u64, value: u64, sizeBytes: u32): u32 {
  if (stackLinear(offset, sizeBytes, 1)) return 1;
  if (sizeBytes == 2) return writeMem<u16>(linear, <u16>value) ? asStackFault() : 0;
  if (sizeBytes == 4) return writeMem<u32>(linear, <u32>value) ? asStackFault() : 0;
  return writeMem<u64>(linear, value) ? asStackFault() : 0;
}

let loaded: u64 = 0;
/** Loads from an offset in SS, zero-extended, into loaded. */
function readStack(offset: u64, sizeBytes: u32): u32 {
  if (stackLinear(offset, sizeBytes, 0)) return 1;
  const hva = sizeBytes == 2 ? readable<u16>(linear) : sizeBytes == 4 ? readable<u32>(linear) : readable<u64>(linear);
  if (hva == NO_ADDRESS) return asStackFault();
  loaded = sizeBytes == 2 ? <u64>load<u16>(hva) : sizeBytes == 4 ? <u64>load<u32>(hva) : load<u64>(hva);
  return 0;
}

/** rSP or rBP at the stack's width; its other bits stay. */
function setStackRegister(register: u32, value: u64, mask: u64): void {
  if (mask == 0xffff) store<u16>(S + register, <u16>value);
  else set64(register, value & mask);
}

export function h_pusha(d: u32, s: u32, imm: i32): u32 {
  const size = <u32>imm;
  const mask = stackMask();
  const start = get64(L.GPR_RSP);
  for (let n: u32 = 0; n < 8; n++) {
    if (writeStack((start - (n + 1) * size) & mask, get64(L.GPR + 8 * n), size)) return 1;
  }
  setStackRegister(L.GPR_RSP, start - 8 * size, mask);
  return 0;
}

export function h_popa(d: u32, s: u32, imm: i32): u32 {
  const size = <u32>imm;
  const mask = stackMask();
  const start = get64(L.GPR_RSP);
  // All loads come first: the registers change only when none has faulted.
  for (let n: u32 = 0; n < 8; n++) {
    if (readStack((start + n * size) & mask, size)) return 1;
  }
  for (let n: u32 = 0; n < 8; n++) {
    const register = L.GPR + 8 * (7 - n);
    if (register == L.GPR_RSP) continue;
    readStack((start + n * size) & mask, size);
    if (size == 2) store<u16>(S + register, <u16>loaded);
    else set64(register, loaded);
  }
  setStackRegister(L.GPR_RSP, start + 8 * size, mask);
  return 0;
}

export function h_enter_frame(d: u32, s: u32, imm: i32): u32 {
  const allocated = <u64>(imm & 0xffff);
  const level = <u32>(imm >> 16) & 31;
  const size = <u32>imm >>> 24;
  const mask = stackMask();
  let sp = get64(L.GPR_RSP) - size;
  if (writeStack(sp & mask, get64(L.GPR_RBP), size)) return 1;
  const frame = sp;
  if (level > 0) {
    let bp = get64(L.GPR_RBP);
    for (let i: u32 = 1; i < level; i++) {
      bp -= size;
      if (readStack(bp & mask, size)) return 1;
      sp -= size;
      if (writeStack(sp & mask, loaded, size)) return 1;
    }
    sp -= size;
    if (writeStack(sp & mask, frame, size)) return 1;
  }
  // The manual has ENTER fault as a write at the final stack pointer would.
  if (stackLinear((sp - allocated) & mask, size, 1)) return 1;
  const probed = size == 2 ? slowReadForWrite16(linear) : size == 4 ? slowReadForWrite32(linear) : slowReadForWrite64(linear);
  if (probed == NO_ADDRESS) return asStackFault();
  if (size == 2) store<u16>(S, <u16>frame, L.GPR_RBP);
  else if (size == 4) set64(L.GPR_RBP, ((get64(L.GPR_RSP) & ~mask) | (frame & mask)) & 0xffffffff);
  else set64(L.GPR_RBP, frame);
  setStackRegister(L.GPR_RSP, sp - allocated, mask);
  return 0;
}

export function h_bound(d: u32, s: u32, imm: i32): u32 {
  const va = load<u64>(S + s);
  if (imm == 16) {
    const hva = readable<u32>(va);
    if (hva == NO_ADDRESS) return 1;
    const index = load<i16>(S + d);
    return index < load<i16>(hva) || index > load<i16>(hva, 2) ? raise(VECTOR_BR) : 0;
  }
  const hva = readable<u64>(va);
  if (hva == NO_ADDRESS) return 1;
  const index = load<i32>(S + d);
  return index < load<i32>(hva) || index > load<i32>(hva, 4) ? raise(VECTOR_BR) : 0;
}

export function h_cld(d: u32, s: u32, imm: i32): u32 {
  set32(L.RFLAGS_REST, get32(L.RFLAGS_REST) & ~FLAG_DF);
  return 0;
}

export function h_std(d: u32, s: u32, imm: i32): u32 {
  set32(L.RFLAGS_REST, get32(L.RFLAGS_REST) | FLAG_DF);
  return 0;
}
