/**
 * Byte strings that are random but not uniform: most begin with prefixes and an escape, so that the larger opcode maps
 * and VEX get their share. A seed gives the same strings on every machine.
 */

/** A linear congruential generator: 24 bits at a time. */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
}

const PREFIXES = [0x66, 0xf2, 0xf3, 0x67, 0xf0, 0x48, 0x41, 0x64, 0x2e] as const;
/** Longer than any instruction. */
export const STRING_BYTES = 24;

/** Of sixteen strings: how they begin behind up to two prefixes; the rest are random from the first byte. */
const BEGINNINGS = 16;

/** Fills `bytes` with the next string. */
export function nextString(random: () => number, bytes: Uint8Array): void {
  for (let i = 0; i < bytes.length; i++) bytes[i] = random() & 0xff;
  const kind = random() % BEGINNINGS;
  if (kind >= 13) return;
  let at = 0;
  // VEX seldom behind prefixes, most of which make it invalid.
  const isVex = kind >= 8;
  const prefixes = random() % (isVex ? 8 : 3);
  for (let i = isVex ? Math.max(0, prefixes - 6) : prefixes; i > 0; i--)
    bytes[at++] = PREFIXES[random() % PREFIXES.length] ?? 0x66;
  if (isVex) {
    if (kind < 10) bytes[at] = 0xc5;
    else {
      bytes[at++] = 0xc4;
      // A map that exists, mostly; L and vvvv as they fall, but L = 0 and vvvv = 1111b in half of them.
      if (kind < 12) bytes[at] = ((bytes[at] ?? 0) & 0xe0) | (2 + (random() & 1));
      at++;
      if ((random() & 1) === 0) bytes[at] = (bytes[at] ?? 0) & ~4;
      if ((random() & 1) === 0) bytes[at] = (bytes[at] ?? 0) | 0x78;
      // The opcodes of the general-purpose instructions among the hundreds of AVX.
      if ((random() & 1) === 0) bytes[at + 1] = 0xf0 | (random() & 7);
    }
    return;
  }
  if (kind === 0) return;
  bytes[at++] = 0x0f;
  if (kind >= 5) bytes[at++] = (random() & 1) === 0 ? 0x38 : 0x3a;
}
