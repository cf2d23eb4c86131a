/**
 * The Internet checksum (RFC 1071) for cards, which sum parts of frames: sums of 16-bit big-endian words. Networks, which sum
 * whole packets, do so in wire/checksum.ts.
 */

import { addToSum, folded, sumAsField } from "./wire/checksum.ts";

export { folded } from "./wire/checksum.ts";

/**
 * `sum`, from another call or 0, with the bytes [start, end) added; an odd last byte is the high half of a word, so only the
 * last piece may be odd. Of at most 64 KiB, for which 32 bits do.
 */
export function checksumAdd(sum: number, bytes: Uint8Array, start: number, end: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return folded(sum) + sumAsField(addToSum(view, start, end));
}

/** The checksum field for a sum of everything else. */
export function checksumOf(sum: number): number {
  return ~folded(sum) & 0xffff;
}
