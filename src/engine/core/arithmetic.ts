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
