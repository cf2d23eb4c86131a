/**
 * The Internet checksum (RFC 1071), which IPv4, ICMP, TCP and UDP carry: the ones' complement of the ones' complement sum
 * of 16-bit big-endian words.
 */

/**
 * `sum`, from another call or 0, with the bytes [start, end) added; an odd last byte is the high half of a word, so only the
 * last piece may be odd. Of at most 64 KiB, for which 32 bits do.
 */
export function checksumAdd(sum: number, bytes: Uint8Array, start: number, end: number): number {
  let total = folded(sum);
  const evenEnd = end - ((end - start) & 1);
  for (let at = start; at < evenEnd; at += 2) total += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
  if (evenEnd < end) total += (bytes[evenEnd] ?? 0) << 8;
  return total;
}

/** The sum in 16 bits: FFFFh where the bytes that were added contain their checksum and are as it says. */
export function folded(sum: number): number {
  let rest = sum;
  while (rest > 0xffff) rest = Math.floor(rest / 0x10000) + (rest & 0xffff);
  return rest;
}

/** The checksum field for a sum of everything else. */
export function checksumOf(sum: number): number {
  return ~folded(sum) & 0xffff;
}
