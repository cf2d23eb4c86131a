// Pure arithmetic that IR expressions call (pureFunctions in ir/expr.ts).

/** PDEP: the low bits of `value`, one after the other, to the places of the mask's set bits. */
export function depositBits(value: i64, mask: i64): i64 {
  let result: u64 = 0;
  let left: u64 = <u64>value;
  for (let places: u64 = <u64>mask; places != 0; places &= places - 1) {
    if (left & 1) result |= places & (0 - places);
    left >>= 1;
  }
  return <i64>result;
}

/** PEXT: the bits of `value` at the mask's set bits, one after the other from bit 0 on. */
export function extractBits(value: i64, mask: i64): i64 {
  let result: u64 = 0;
  let to: u64 = 1;
  for (let places: u64 = <u64>mask; places != 0; places &= places - 1) {
    if (<u64>value & places & (0 - places)) result |= to;
    to <<= 1;
  }
  return <i64>result;
}
