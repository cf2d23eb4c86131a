/** Sequence numbers: u32, compared within half of their space (RFC 9293, section 3.4). */

/** How far `a` is after `b`; negative when it is before. */
export function distance(a: number, b: number): number {
  return (a - b) | 0;
}

export function advanced(sequence: number, by: number): number {
  return (sequence + by) >>> 0;
}
