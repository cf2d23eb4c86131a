// SSE4.2 string comparison: PCMPESTRI, PCMPESTRM, PCMPISTRI and PCMPISTRM (SDM vol. 2 chapter 4.1).
//
// d and s: XMM indices of the first and the second operand; imm: the control byte, plus 0x100 for REX.W, with which
// the explicit lengths are RAX and RDX instead of EAX and EDX.
import * as L from "../layout";
import { setFlags } from "./flags";
import { get64, set64 } from "./state";
import { xmm } from "./xmm";

const REX_W: u32 = 0x100;

// Elements of the two operands that count, and how many an operand has room for.
let firstLength: u32 = 0;
let secondLength: u32 = 0;
let count: u32 = 0;

/** Element i, sign- or zero-extended as the control byte says. */
function element(p: usize, i: u32, format: u32): i32 {
  switch (format & 3) {
    case 0:
      return i32(load<u8>(p + i));
    case 1:
      return i32(load<u16>(p + (i << 1)));
    case 2:
      return i32(load<i8>(p + i));
    default:
      return i32(load<i16>(p + (i << 1)));
  }
}

/** The length that a general register states: its magnitude, saturated. */
function explicitLength(value: u64, wide: bool): u32 {
  const signed = wide ? i64(value) : i64(i32(value));
  const size = signed < 0 ? 0 - u64(signed) : u64(signed);
  return size > u64(count) ? count : u32(size);
}

/** The length up to the first zero element. */
function implicitLength(p: usize, format: u32): u32 {
  let i: u32 = 0;
  while (i < count && element(p, i, format) != 0) i++;
  return i;
}

/** IntRes1: a bit for each element of the second operand. */
function aggregate(a: usize, b: usize, control: u32): u32 {
  let result: u32 = 0;
  for (let j: u32 = 0; j < count; j++) {
    let holds = false;
    switch ((control >> 2) & 3) {
      case 0: // equal any
        if (j < secondLength) {
          for (let i: u32 = 0; i < firstLength; i++) {
            if (element(a, i, control) == element(b, j, control)) holds = true;
          }
        }
        break;
      case 1: // ranges
        if (j < secondLength) {
          for (let i: u32 = 0; i + 1 < firstLength; i += 2) {
            const value = element(b, j, control);
            if (value >= element(a, i, control) && value <= element(a, i + 1, control)) holds = true;
          }
        }
        break;
      case 2: // equal each
        if (j < firstLength && j < secondLength) holds = element(a, j, control) == element(b, j, control);
        else holds = j >= firstLength && j >= secondLength;
        break;
      default: // equal ordered: the first operand is found at j, as far as there is room
        holds = true;
        for (let i: u32 = 0; i < firstLength && i + j < count; i++) {
          if (i + j >= secondLength || element(a, i, control) != element(b, i + j, control)) holds = false;
        }
    }
    if (holds) result |= 1 << j;
  }
  return result;
}

/** IntRes2, once the lengths are known; the flags are set. */
function compareStrings(d: u32, s: u32, control: u32): u32 {
  const all: u32 = (1 << count) - 1;
  let result = aggregate(xmm(d), xmm(s), control);
  if ((control & 0x30) == 0x10) result ^= all;
  else if ((control & 0x30) == 0x30) result ^= (1 << secondLength) - 1;
  let flags: u32 = result != 0 ? 0x001 : 0;
  if (secondLength < count) flags |= 0x040;
  if (firstLength < count) flags |= 0x080;
  if ((result & 1) != 0) flags |= 0x800;
  setFlags(flags);
  return result;
}

function compareExplicit(d: u32, s: u32, control: u32): u32 {
  const wide = (control & REX_W) != 0;
  count = (control & 1) != 0 ? 8 : 16;
  firstLength = explicitLength(get64(L.GPR_RAX), wide);
  secondLength = explicitLength(get64(L.GPR_RDX), wide);
  return compareStrings(d, s, control);
}

function compareImplicit(d: u32, s: u32, control: u32): u32 {
  count = (control & 1) != 0 ? 8 : 16;
  firstLength = implicitLength(xmm(d), control);
  secondLength = implicitLength(xmm(s), control);
  return compareStrings(d, s, control);
}

/** ECX: the index of the first (or last) set bit. */
function storeIndex(result: u32, control: u32): void {
  let index = count;
  if (result != 0) index = (control & 0x40) != 0 ? 31 - clz(result) : ctz(result);
  set64(L.GPR_RCX, u64(index));
}

/** XMM0: the bits, or a mask of elements. */
function storeMask(result: u32, control: u32): void {
  const p = xmm(0);
  if ((control & 0x40) == 0) {
    store<u64>(p, u64(result));
    store<u64>(p, 0, 8);
    return;
  }
  for (let i: u32 = 0; i < 16; i++) {
    const from = count == 8 ? i >> 1 : i;
    store<u8>(p + i, ((result >> from) & 1) != 0 ? 0xff : 0);
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
  storeIndex(compareImplicit(d, s, imm), imm);
  return 0;
}
export function h_pcmpistrm(d: u32, s: u32, imm: i32): u32 {
  storeMask(compareImplicit(d, s, imm), imm);
  return 0;
}
