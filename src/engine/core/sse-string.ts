// SSE4.2 string comparison: PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM (SDM vol. 2 chapter 4.1).
//
// d and s: XMM indices of the first and the second operand; imm: the control byte, plus 0x100 for REX.W, with which
// the explicit lengths are RAX and RDX instead of EAX and EDX.
//
// Each aggregation compares whole vectors and keeps a bit for each element of the second operand. What lies behind
// an operand's end is compared too and masked out of the bits afterwards.
import * as L from "../layout";
import { setFlags } from "./flags";
import { get64, set64 } from "./state";
import { xmm } from "./xmm";

// The control byte.
const CONTROL_WORDS: u32 = 0x01;
const CONTROL_SIGNED: u32 = 0x02;
/** Of the aggregations those by ranges and ordered ones. */
const CONTROL_UNEQUAL: u32 = 0x04;
const CONTROL_NEGATIVE: u32 = 0x10;
const CONTROL_MASKED: u32 = 0x20;
const CONTROL_LAST_OR_MASK: u32 = 0x40;
const REX_W: u32 = 0x100;

/** How many elements of type T an operand has room for. */
@inline
function room<T>(): u32 {
  return 16 / <u32>sizeof<T>();
}

/** The first `elements` bits set. */
@inline
function firstBits(elements: u32): u32 {
  return (1 << elements) - 1;
}

/** The length that a general register states: its magnitude, saturated. */
@inline
function explicitLength(value: u64, wide: bool, count: u32): u32 {
  const signed = wide ? i64(value) : i64(i32(value));
  const size = signed < 0 ? 0 - u64(signed) : u64(signed);
  return size > u64(count) ? count : u32(size);
}

/** The length up to the first zero element. */
@inline
function implicitLength<T>(p: usize): u32 {
  const zeros = <u32>v128.bitmask<T>(v128.eq<T>(v128.load(p), v128.splat<T>(<T>0)));
  return ctz(zeros | (1 << room<T>()));
}

/** Elements of the second operand that occur in the first. */
@inline
function equalAny<T>(a: usize, b: v128, firstLength: u32): u32 {
  let found = i64x2.splat(0);
  const end = a + firstLength * <u32>sizeof<T>();
  for (let p = a; p < end; p += sizeof<T>()) found = v128.or(found, v128.eq<T>(v128.load_splat<T>(p), b));
  return v128.bitmask<T>(found);
}

/** Elements of the second operand within one of the ranges that pairs of the first one's elements bound. */
@inline
function ranges<T>(a: usize, b: v128, firstLength: u32): u32 {
  let found = i64x2.splat(0);
  const end = a + (firstLength & ~1) * <u32>sizeof<T>();
  for (let p = a; p < end; p += 2 * sizeof<T>()) {
    const aboveLow = v128.ge<T>(b, v128.load_splat<T>(p));
    const belowHigh = v128.le<T>(b, v128.load_splat<T>(p, sizeof<T>()));
    found = v128.or(found, v128.and(aboveLow, belowHigh));
  }
  return v128.bitmask<T>(found);
}

/** Positions at which both operands have the same element, or neither has one. */
@inline
function equalEach<T>(a: usize, b: v128, firstLength: u32, secondLength: u32): u32 {
  const same = <u32>v128.bitmask<T>(v128.eq<T>(v128.load(a), b));
  const first = firstBits(firstLength);
  const second = firstBits(secondLength);
  return (same & first & second) | ~(first | second);
}

/** Positions of the second operand where the first one begins, as far as there is room for it. */
@inline
function equalOrdered<T>(a: usize, b: v128, firstLength: u32, secondLength: u32): u32 {
  const valid = firstBits(secondLength);
  const outside = ~firstBits(room<T>());
  let found: u32 = 0xffffffff;
  for (let i: u32 = 0; i < firstLength; i++) {
    // Bit j + i says whether element i of the first operand stands there: it is asked for at j.
    const same = <u32>v128.bitmask<T>(v128.eq<T>(v128.load_splat<T>(a + i * <u32>sizeof<T>()), b));
    found &= ((same & valid) | outside) >> i;
  }
  return found;
}

/** IntRes2 of operands of elements T, signed or not; the flags are set. */
@inline
function compareElements<T>(a: usize, b: usize, control: u32, firstLength: u32, secondLength: u32): u32 {
  const second = v128.load(b);
  const all = firstBits(room<T>());
  const valid = firstBits(secondLength);
  let result: u32;
  switch ((control >> 2) & 3) {
    case 0:
      result = equalAny<T>(a, second, firstLength) & valid;
      break;
    case 1:
      result = ranges<T>(a, second, firstLength) & valid;
      break;
    case 2:
      result = equalEach<T>(a, second, firstLength, secondLength) & all;
      break;
    default:
      result = equalOrdered<T>(a, second, firstLength, secondLength) & all;
  }
  if (control & CONTROL_NEGATIVE) result ^= control & CONTROL_MASKED ? valid : all;
  let flags: u32 = result != 0 ? 0x001 : 0;
  if (valid != all) flags |= 0x040;
  if (firstLength < room<T>()) flags |= 0x080;
  if (result & 1) flags |= 0x800;
  setFlags(flags);
  return result;
}

function compareExplicit(d: u32, s: u32, control: u32): u32 {
  const wide = (control & REX_W) != 0;
  const count: u32 = control & CONTROL_WORDS ? 8 : 16;
  const firstLength = explicitLength(get64(L.GPR_RAX), wide, count);
  const secondLength = explicitLength(get64(L.GPR_RDX), wide, count);
  return compare(d, s, control, firstLength, secondLength);
}

function compareImplicit(d: u32, s: u32, control: u32): u32 {
  const a = xmm(d);
  const b = xmm(s);
  if (control & CONTROL_WORDS) return compare(d, s, control, implicitLength<u16>(a), implicitLength<u16>(b));
  return compare(d, s, control, implicitLength<u8>(a), implicitLength<u8>(b));
}

function compare(d: u32, s: u32, control: u32, firstLength: u32, secondLength: u32): u32 {
  const a = xmm(d);
  const b = xmm(s);
  switch (control & (CONTROL_WORDS | CONTROL_SIGNED)) {
    case 0:
      return compareElements<u8>(a, b, control, firstLength, secondLength);
    case CONTROL_WORDS:
      return compareElements<u16>(a, b, control, firstLength, secondLength);
    case CONTROL_SIGNED:
      return compareElements<i8>(a, b, control, firstLength, secondLength);
    default:
      return compareElements<i16>(a, b, control, firstLength, secondLength);
  }
}

/** ECX: the index of the first (or last) set bit. */
@inline
function storeIndex(result: u32, control: u32): void {
  let index: u32 = control & CONTROL_WORDS ? 8 : 16;
  if (result != 0) index = control & CONTROL_LAST_OR_MASK ? 31 - clz(result) : ctz(result);
  set64(L.GPR_RCX, u64(index));
}

/** XMM0: the bits, or a mask of elements. */
function storeMask(result: u32, control: u32): void {
  const p = xmm(0);
  if (!(control & CONTROL_LAST_OR_MASK)) {
    v128.store(p, i64x2.replace_lane(i64x2.splat(0), 0, result));
    return;
  }
  // Each lane takes the bits of its half, then looks at its own.
  const bits = i16x8.splat(<i16>result);
  if (control & CONTROL_WORDS) {
    const own = i16x8(1, 2, 4, 8, 16, 32, 64, 128);
    v128.store(p, i16x8.eq(v128.and(bits, own), own));
  } else {
    const own = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
    const ofHalf = i8x16.shuffle(bits, bits, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
    v128.store(p, i8x16.eq(v128.and(ofHalf, own), own));
  }
}

export function h_pcmpestri(d: u32, s: u32, imm: i32): u32 {
  storeIndex(compareExplicit(d, s, imm), imm);
  return 0;
}
export function h_pcmpestrm(d: u32, s: u32, imm: i32): u32 {
  storeMask(compareExplicit(d, s, imm), imm);
  return 0;
}
export function h_pcmpistri(d: u32, s: u32, imm: i32): u32 {
  if (imm & (CONTROL_WORDS | CONTROL_UNEQUAL)) {
    storeIndex(compareImplicit(d, s, imm), imm);
    return 0;
  }
  // hot: npm run bench -- linux. What strspn and strcspn ask for; whether equal bytes are signed does not matter.
  const a = xmm(d);
  const b = xmm(s);
  storeIndex(compareElements<u8>(a, b, imm, implicitLength<u8>(a), implicitLength<u8>(b)), imm);
  return 0;
}
export function h_pcmpistrm(d: u32, s: u32, imm: i32): u32 {
  storeMask(compareImplicit(d, s, imm), imm);
  return 0;
}
