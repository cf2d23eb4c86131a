// Pure arithmetic that IR expressions call (pureFunctions in ir/expr.ts).

/** High 64 bits of the unsigned product. */
export function mulHighUnsigned(a: i64, b: i64): i64 {
  const aLow: u64 = <u64>a & 0xffffffff;
  const aHigh: u64 = <u64>a >>> 32;
  const bLow: u64 = <u64>b & 0xffffffff;
  const bHigh: u64 = <u64>b >>> 32;
  const middle: u64 = aHigh * bLow + ((aLow * bLow) >>> 32);
  const cross: u64 = aLow * bHigh + (middle & 0xffffffff);
  return <i64>(aHigh * bHigh + (middle >>> 32) + (cross >>> 32));
}

/** High 64 bits of the signed product. */
export function mulHighSigned(a: i64, b: i64): i64 {
  return mulHighUnsigned(a, b) - ((a >> 63) & b) - ((b >> 63) & a);
}

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
