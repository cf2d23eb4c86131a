// XMM registers as the helpers address them: index 0–15, and XMM_TEMP and the one after it for memory operands.
import * as L from "../layout";
import { S } from "./state";

/** Address of XMM register i. */
@inline
export function xmm(i: u32): usize {
  return S + L.XMM + (i << 5);
}

/** The bits of lane `lane` of type T. */
@inline
export function loadBits<T>(p: usize, lane: u32): u64 {
  if (sizeof<T>() == 4) return u64(load<u32>(p + (lane << 2)));
  return load<u64>(p + (lane << 3));
}

@inline
export function storeBits<T>(p: usize, lane: u32, bits: u64): void {
  if (sizeof<T>() == 4) store<u32>(p + (lane << 2), u32(bits));
  else store<u64>(p + (lane << 3), bits);
}

/** Lanes of T in an XMM register. */
@inline
export function lanes<T>(): u32 {
  return 16 / sizeof<T>();
}

/** A register from its four 32-bit lanes, lowest first. */
@inline
export function fourLanes(l0: u32, l1: u32, l2: u32, l3: u32): v128 {
  return i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(l0), 1, l1), 2, l2), 3, l3);
}

/** Are all lanes of a mask of T lanes set? */
@inline
export function allLanes<T>(mask: v128): bool {
  return sizeof<T>() == 4 ? i32x4.all_true(mask) : i64x2.all_true(mask);
}
