// MMX integer instructions, with their SSE and SSSE3 additions, on the x87 register file (SDM vol. 1 chapter 9).
//
// d and s: MMX register numbers; s = 8 is a memory operand, which the translator has put at the start of XMM_TEMP.
// Operands are widened to v128; the low half of the result is stored. Every instruction sets TOP to 0, all tags to "in
// use" (EMMS: to "empty"), and the exponent of a register it writes to all ones. Stores take a linear address, so that
// this transition happens only if the store does. x87_check comes before all of them, EMMS included.
import * as L from "../layout";
import { mmxAddress, mmxSource, commitMmx } from "./mmx-state";
import { offsetAddress, probeWrite } from "./fpu-memory";
import { writeMem } from "./memory";
import { S, get32, get64, set64 } from "./state";
import { xmm } from "./xmm";

/** Writes MMX register d and ends the instruction. */
@inline
function finish(d: u32, value: u64): u32 {
  commitMmx();
  store<u64>(mmxAddress(d), value);
  store<u16>(mmxAddress(d), 0xffff, 8);
  return 0;
}

@inline
function low(v: v128): u64 {
  return v128.extract_lane<u64>(v, 0);
}

// ---- Two operands -----------------------------------------------------------------------------------------------
/** imm of mmx_binary: the opcode byte after 0F, or 0x100 plus the one after 0F 38. */
export function h_mmx_binary(d: u32, s: u32, imm: i32): u32 {
  const a = v128.load64_zero(mmxAddress(d));
  const b = v128.load64_zero(mmxSource(s));
  return finish(d, low(imm < 0x100 ? binary(imm, a, b) : binarySsse3(imm & 0xff, a, b)));
}

/** Both operands in one vector: a in the low half, b in the high one. */
@inline
function joined(a: v128, b: v128): v128 {
  return i64x2.shuffle(a, b, 0, 2);
}

/** The upper 16 bits of 32-bit products. */
@inline
function highHalves(product: v128): v128 {
  return i16x8.shuffle(product, product, 1, 3, 5, 7, 1, 3, 5, 7);
}

/** Sum of the absolute differences of eight bytes, in 16 bits. */
function sumOfDifferences(a: v128, b: v128): v128 {
  const difference = v128.or(i8x16.sub_sat_u(a, b), i8x16.sub_sat_u(b, a));
  const pairs = i16x8.extadd_pairwise_i8x16_u(difference);
  const quads = i32x4.extadd_pairwise_i16x8_u(pairs);
  return i64x2(u64(i32x4.extract_lane(quads, 0) + i32x4.extract_lane(quads, 1)), 0);
}

function shift(op: u32, a: v128, count: u64): v128 {
  const n = i32(min<u64>(count, 64));
  switch (op) {
    case 0xd1:
      return n > 15 ? i64x2.splat(0) : i16x8.shr_u(a, n);
    case 0xd2:
      return n > 31 ? i64x2.splat(0) : i32x4.shr_u(a, n);
    case 0xd3:
      return n > 63 ? i64x2.splat(0) : i64x2.shr_u(a, n);
    case 0xe1:
      return i16x8.shr_s(a, min(n, 15));
    case 0xe2:
      return i32x4.shr_s(a, min(n, 31));
    case 0xf1:
      return n > 15 ? i64x2.splat(0) : i16x8.shl(a, n);
    case 0xf2:
      return n > 31 ? i64x2.splat(0) : i32x4.shl(a, n);
    default:
      return n > 63 ? i64x2.splat(0) : i64x2.shl(a, n);
  }
}

function binary(op: u32, a: v128, b: v128): v128 {
  switch (op) {
    case 0x60: // PUNPCKLBW
      return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 0, 0, 0, 0, 0, 0, 0, 0);
    case 0x61: // PUNPCKLWD
      return i16x8.shuffle(a, b, 0, 8, 1, 9, 0, 0, 0, 0);
    case 0x62: // PUNPCKLDQ
      return i32x4.shuffle(a, b, 0, 4, 0, 0);
    case 0x63: // PACKSSWB
      return i8x16.narrow_i16x8_s(joined(a, b), b);
    case 0x64: // PCMPGTB
      return i8x16.gt_s(a, b);
    case 0x65: // PCMPGTW
      return i16x8.gt_s(a, b);
    case 0x66: // PCMPGTD
      return i32x4.gt_s(a, b);
    case 0x67: // PACKUSWB
      return i8x16.narrow_i16x8_u(joined(a, b), b);
    case 0x68: // PUNPCKHBW
      return i8x16.shuffle(a, b, 4, 20, 5, 21, 6, 22, 7, 23, 0, 0, 0, 0, 0, 0, 0, 0);
    case 0x69: // PUNPCKHWD
      return i16x8.shuffle(a, b, 2, 10, 3, 11, 0, 0, 0, 0);
    case 0x6a: // PUNPCKHDQ
      return i32x4.shuffle(a, b, 1, 5, 0, 0);
    case 0x6b: // PACKSSDW
      return i16x8.narrow_i32x4_s(joined(a, b), b);
    case 0x74: // PCMPEQB
      return i8x16.eq(a, b);
    case 0x75: // PCMPEQW
      return i16x8.eq(a, b);
    case 0x76: // PCMPEQD
      return i32x4.eq(a, b);
    case 0xd1: // PSRLW, PSRLD, PSRLQ, PSRAW, PSRAD, PSLLW, PSLLD, PSLLQ
    case 0xd2:
    case 0xd3:
    case 0xe1:
    case 0xe2:
    case 0xf1:
    case 0xf2:
    case 0xf3:
      return shift(op, a, low(b));
    case 0xd4: // PADDQ
      return i64x2.add(a, b);
    case 0xd5: // PMULLW
      return i16x8.mul(a, b);
    case 0xd8: // PSUBUSB
      return i8x16.sub_sat_u(a, b);
    case 0xd9: // PSUBUSW
      return i16x8.sub_sat_u(a, b);
    case 0xda: // PMINUB
      return i8x16.min_u(a, b);
    case 0xdb: // PAND
      return v128.and(a, b);
    case 0xdc: // PADDUSB
      return i8x16.add_sat_u(a, b);
    case 0xdd: // PADDUSW
      return i16x8.add_sat_u(a, b);
    case 0xde: // PMAXUB
      return i8x16.max_u(a, b);
    case 0xdf: // PANDN: not a, and b
      return v128.andnot(b, a);
    case 0xe0: // PAVGB
      return i8x16.avgr_u(a, b);
    case 0xe3: // PAVGW
      return i16x8.avgr_u(a, b);
    case 0xe4: // PMULHUW
      return highHalves(i32x4.extmul_low_i16x8_u(a, b));
    case 0xe5: // PMULHW
      return highHalves(i32x4.extmul_low_i16x8_s(a, b));
    case 0xe8: // PSUBSB
      return i8x16.sub_sat_s(a, b);
    case 0xe9: // PSUBSW
      return i16x8.sub_sat_s(a, b);
    case 0xea: // PMINSW
      return i16x8.min_s(a, b);
    case 0xeb: // POR
      return v128.or(a, b);
    case 0xec: // PADDSB
      return i8x16.add_sat_s(a, b);
    case 0xed: // PADDSW
      return i16x8.add_sat_s(a, b);
    case 0xee: // PMAXSW
      return i16x8.max_s(a, b);
    case 0xef: // PXOR
      return v128.xor(a, b);
    case 0xf4: // PMULUDQ
      return i64x2.extmul_low_i32x4_u(a, b);
    case 0xf5: // PMADDWD
      return i32x4.dot_i16x8_s(a, b);
    case 0xf6: // PSADBW
      return sumOfDifferences(a, b);
    case 0xf8: // PSUBB
      return i8x16.sub(a, b);
    case 0xf9: // PSUBW
      return i16x8.sub(a, b);
    case 0xfa: // PSUBD
      return i32x4.sub(a, b);
    case 0xfb: // PSUBQ
      return i64x2.sub(a, b);
    case 0xfc: // PADDB
      return i8x16.add(a, b);
    case 0xfd: // PADDW
      return i16x8.add(a, b);
    default: // 0xfe PADDD
      return i32x4.add(a, b);
  }
}

/** Elements 0, 2, … and 1, 3, … of a : b, for the horizontal operations. */
@inline
function evenWords(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 0, 2, 8, 10, 0, 0, 0, 0);
}
@inline
function oddWords(a: v128, b: v128): v128 {
  return i16x8.shuffle(a, b, 1, 3, 9, 11, 0, 0, 0, 0);
}
@inline
function evenDoubles(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 0, 4, 0, 0);
}
@inline
function oddDoubles(a: v128, b: v128): v128 {
  return i32x4.shuffle(a, b, 1, 5, 0, 0);
}

/** a negated where `negative`, zero where `zero`. */
@inline
function signed(a: v128, negated: v128, negative: v128, zero: v128): v128 {
  return v128.andnot(v128.bitselect(negated, a, negative), zero);
}

function binarySsse3(op: u32, a: v128, b: v128): v128 {
  const zero = i64x2.splat(0);
  switch (op) {
    case 0x00: {
      // PSHUFB: three bits of index; bit 7 clears.
      const index = v128.and(b, i8x16.splat(7));
      return v128.andnot(i8x16.swizzle(a, index), i8x16.shr_s(b, 7));
    }
    case 0x01: // PHADDW
      return i16x8.add(evenWords(a, b), oddWords(a, b));
    case 0x02: // PHADDD
      return i32x4.add(evenDoubles(a, b), oddDoubles(a, b));
    case 0x03: // PHADDSW
      return i16x8.add_sat_s(evenWords(a, b), oddWords(a, b));
    case 0x04: {
      // PMADDUBSW: unsigned bytes of a times signed bytes of b.
      const products = i16x8.mul(i16x8.extend_low_i8x16_u(a), i16x8.extend_low_i8x16_s(b));
      const even = i16x8.shuffle(products, products, 0, 2, 4, 6, 0, 0, 0, 0);
      const odd = i16x8.shuffle(products, products, 1, 3, 5, 7, 0, 0, 0, 0);
      return i16x8.add_sat_s(even, odd);
    }
    case 0x05: // PHSUBW
      return i16x8.sub(evenWords(a, b), oddWords(a, b));
    case 0x06: // PHSUBD
      return i32x4.sub(evenDoubles(a, b), oddDoubles(a, b));
    case 0x07: // PHSUBSW
      return i16x8.sub_sat_s(evenWords(a, b), oddWords(a, b));
    case 0x08: // PSIGNB
      return signed(a, i8x16.neg(a), i8x16.lt_s(b, zero), i8x16.eq(b, zero));
    case 0x09: // PSIGNW
      return signed(a, i16x8.neg(a), i16x8.lt_s(b, zero), i16x8.eq(b, zero));
    case 0x0a: // PSIGND
      return signed(a, i32x4.neg(a), i32x4.lt_s(b, zero), i32x4.eq(b, zero));
    case 0x0b: {
      // PMULHRSW; WebAssembly's q15mulr would saturate the one case 0x8000 * 0x8000.
      const product = i32x4.extmul_low_i16x8_s(a, b);
      const rounded = i32x4.shr_s(i32x4.add(i32x4.shr_s(product, 14), i32x4.splat(1)), 1);
      return i16x8.shuffle(rounded, rounded, 0, 2, 4, 6, 0, 0, 0, 0);
    }
    case 0x1c: // PABSB
      return i8x16.abs(b);
    case 0x1d: // PABSW
      return i16x8.abs(b);
    default: // 0x1e PABSD
      return i32x4.abs(b);
  }
}

// ---- Immediate counts and selections ----------------------------------------------------------------------------
/** Shift by an immediate: imm = the opcode of the shift by register (D1 … F3) << 8 | count. */
export function h_mmx_shift(d: u32, s: u32, imm: i32): u32 {
  const a = v128.load64_zero(mmxAddress(d));
  return finish(d, low(shift(imm >> 8, a, u64(imm & 0xff))));
}

/** PSHUFW; imm: the instruction's immediate. */
export function h_mmx_pshufw(d: u32, s: u32, imm: i32): u32 {
  const b = load<u64>(mmxSource(s));
  let value: u64 = 0;
  for (let i = 0; i < 4; i++) {
    const from = (imm >> (i * 2)) & 3;
    value |= ((b >> (from << 4)) & 0xffff) << (i << 4);
  }
  return finish(d, value);
}

/** PALIGNR: d : s shifted right by imm bytes. */
export function h_mmx_palignr(d: u32, s: u32, imm: i32): u32 {
  const a = load<u64>(mmxAddress(d));
  const b = load<u64>(mmxSource(s));
  const bits = u64(imm & 0xff) << 3;
  let value: u64 = 0;
  if (bits == 0) value = b;
  else if (bits < 64) value = (b >> bits) | (a << (64 - bits));
  else if (bits < 128) value = a >> (bits - 64);
  return finish(d, value);
}

/** PINSRW; s: slot; imm: the instruction's immediate. */
export function h_mmx_pinsrw(d: u32, s: u32, imm: i32): u32 {
  const at = u64(imm & 3) << 4;
  const value = load<u64>(mmxAddress(d)) & ~(u64(0xffff) << at);
  return finish(d, value | ((get64(s) & 0xffff) << at));
}

/** PEXTRW; d: slot of the destination, which zero-extends. */
export function h_mmx_pextrw(d: u32, s: u32, imm: i32): u32 {
  commitMmx();
  set64(d, (load<u64>(mmxAddress(s)) >> (u64(imm & 3) << 4)) & 0xffff);
  return 0;
}

/** PMOVMSKB; d: slot. */
export function h_mmx_pmovmskb(d: u32, s: u32, imm: i32): u32 {
  commitMmx();
  set64(d, u64(i8x16.bitmask(v128.load64_zero(mmxAddress(s)))));
  return 0;
}

// ---- Moves ------------------------------------------------------------------------------------------------------
/** MOVD and MOVQ from a general register or memory; s: slot; imm: 32 (zero-extended) or 64. */
export function h_mmx_load(d: u32, s: u32, imm: i32): u32 {
  return finish(d, imm == 64 ? get64(s) : u64(get32(s)));
}

/** MOVD and MOVQ to a general register; d: slot; imm: 32 or 64. */
export function h_mmx_read(d: u32, s: u32, imm: i32): u32 {
  const value = load<u64>(mmxAddress(s));
  commitMmx();
  set64(d, imm == 64 ? value : value & 0xffffffff);
  return 0;
}

/** MOVD, MOVQ and MOVNTQ to memory; d: MMX register; s: slot with the linear address; imm: 32 or 64. */
export function h_mmx_store(d: u32, s: u32, imm: i32): u32 {
  const value = load<u64>(mmxAddress(d));
  const va = get64(s);
  if ((imm == 64 ? writeMem<u64>(va, value) : writeMem<u32>(va, u32(value))) != 0) return 1;
  commitMmx();
  return 0;
}

/** MOVQ between MMX registers. */
export function h_mmx_move(d: u32, s: u32, imm: i32): u32 {
  return finish(d, load<u64>(mmxSource(s)));
}

/** MOVQ2DQ; d: XMM index, whose high half becomes zero. */
export function h_movq2dq(d: u32, s: u32, imm: i32): u32 {
  v128.store(xmm(d), v128.load64_zero(mmxAddress(s)));
  commitMmx();
  return 0;
}

/** MOVDQ2Q; s: XMM index. */
export function h_movdq2q(d: u32, s: u32, imm: i32): u32 {
  return finish(d, load<u64>(xmm(s)));
}

/** MASKMOVQ: stores the bytes of d whose byte in register imm has bit 7 set; s: slot with the address (DS:rDI). */
export function h_maskmovq(d: u32, s: u32, imm: i32): u32 {
  const value = load<u64>(mmxAddress(d));
  const mask = load<u64>(mmxAddress(imm));
  const va = get64(s);
  if (probeWrite(va, 8) != 0) return 1;
  for (let i: u32 = 0; i < 8; i++) {
    if (((mask >> (u64(i) * 8 + 7)) & 1) == 0) continue;
    if (writeMem<u8>(offsetAddress(va, i), u8(value >> (u64(i) * 8))) != 0) return 1;
  }
  commitMmx();
  return 0;
}

/** EMMS: all registers empty. */
export function h_emms(d: u32, s: u32, imm: i32): u32 {
  commitMmx();
  store<u8>(S + L.X87_TAG, 0);
  return 0;
}
