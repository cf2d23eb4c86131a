// Polynomials over GF(2) (SDM vol. 2): CRC32 by the Castagnoli polynomial 11EDC6F41h, bit-reflected, and the carry-less
// multiplication PCLMULQDQ.
import { S, get32, get64, set64 } from "./state";
import { xmm } from "./xmm";

/** The reflected polynomial without its highest term. */
const POLYNOMIAL: u32 = 0x82f63b78;

/** Remainders of the 256 byte values, computed when first used. */
const table: usize = memory.data(1024, 4);
let tableReady: bool = false;

function makeTable(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let rest = i;
    for (let bit = 0; bit < 8; bit++) rest = (rest >> 1) ^ ((rest & 1) != 0 ? POLYNOMIAL : 0);
    store<u32>(table + (i << 2), rest);
  }
  tableReady = true;
}

/** d: slot of the destination, which zero-extends; s: slot of the source; imm: width of the source, 8 to 64. */
export function h_crc32(d: u32, s: u32, imm: i32): u32 {
  if (!tableReady) makeTable();
  let crc = get32(d);
  let data = imm == 8 ? u64(load<u8>(S + s)) : get64(s);
  for (let bits = 0; bits < imm; bits += 8) {
    crc = (crc >> 8) ^ load<u32>(table + (((crc ^ u32(data)) & 0xff) << 2));
    data >>= 8;
  }
  set64(d, u64(crc));
  return 0;
}

/** Every fourth bit, from bit `first` on, of each quadword. */
@inline
function every4th(value: v128, first: i64): v128 {
  return v128.and(value, i64x2.splat(0x1111111111111111 << first));
}

/** The low halves of both quadwords multiplied with each other. */
@inline
function product(a: v128, b: v128): v128 {
  const evenA = i8x16.shuffle(a, a, 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
  const evenB = i8x16.shuffle(b, b, 0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11);
  return i64x2.extmul_low_i32x4_u(evenA, evenB);
}

/**
 * Carry-less products of the low halves of both quadwords. Ordinary products of operands of which only every fourth
 * bit is set: at most eight ones meet in a column, so that its carries end below the next one and its lowest bit is
 * their sum without carries.
 */
function carryless32(a: v128, b: v128): v128 {
  const a0 = every4th(a, 0);
  const a1 = every4th(a, 1);
  const a2 = every4th(a, 2);
  const a3 = every4th(a, 3);
  const b0 = every4th(b, 0);
  const b1 = every4th(b, 1);
  const b2 = every4th(b, 2);
  const b3 = every4th(b, 3);
  const z0 = v128.xor(v128.xor(product(a0, b0), product(a1, b3)), v128.xor(product(a2, b2), product(a3, b1)));
  const z1 = v128.xor(v128.xor(product(a0, b1), product(a1, b0)), v128.xor(product(a2, b3), product(a3, b2)));
  const z2 = v128.xor(v128.xor(product(a0, b2), product(a1, b1)), v128.xor(product(a2, b0), product(a3, b3)));
  const z3 = v128.xor(v128.xor(product(a0, b3), product(a1, b2)), v128.xor(product(a2, b1), product(a3, b0)));
  return v128.or(
    v128.or(every4th(z0, 0), every4th(z1, 1)),
    v128.or(every4th(z2, 2), every4th(z3, 3)),
  );
}

/** imm bit 0: the quadword of d, bit 4: that of s. */
export function h_pclmulqdq(d: u32, s: u32, imm: i32): u32 {
  const a = load<u64>(xmm(d) + ((imm & 1) << 3));
  const b = load<u64>(xmm(s) + ((imm & 0x10) >> 1));
  const aSplat = i64x2.splat(a);
  const bSplat = i64x2.splat(b);
  // Low by low, high by high; then low by high, high by low.
  const aHalves = i64x2.replace_lane(aSplat, 1, a >> 32);
  const outer = carryless32(aHalves, i64x2.replace_lane(bSplat, 1, b >> 32));
  const inner = carryless32(aHalves, i64x2.replace_lane(bSplat, 0, b >> 32));
  const middle = i64x2.extract_lane(inner, 0) ^ i64x2.extract_lane(inner, 1);
  const low = i64x2.extract_lane(outer, 0) ^ (middle << 32);
  const high = i64x2.extract_lane(outer, 1) ^ <i64>(<u64>middle >> 32);
  v128.store(xmm(d), i64x2.replace_lane(i64x2.splat(low), 1, high));
  return 0;
}
