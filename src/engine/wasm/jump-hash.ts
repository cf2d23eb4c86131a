/**
 * Tells the targets of an indirect jump apart by one br_table: a multiplicative hash without collisions among them,
 * found by trying. What hashes to a target's place need not be it: the code there compares.
 */

/** The place of an address is (its low half * factor) >>> shift; `places` has a target's index for each, or NO_TARGET. */
export interface JumpHash {
  readonly factor: number;
  readonly shift: number;
  readonly places: readonly number[];
}

export const NO_TARGET = -1;

const GOLDEN_RATIO = 0x9e3779b1;
const FACTORS_PER_SIZE = 64;
/** So many places at most; 32 targets find a hash into 256 after a few trials. */
const BITS_MAX = 12;

/** The hash of addresses that differ in their low halves; undefined if none of those that were tried will do. */
export function jumpHash(addressesLow: readonly number[]): JumpHash | undefined {
  for (let bits = Math.max(1, Math.ceil(Math.log2(addressesLow.length))); bits <= BITS_MAX; bits++) {
    for (let trial = 0; trial < FACTORS_PER_SIZE; trial++) {
      const factor = Math.imul(GOLDEN_RATIO, 2 * trial + 1);
      const places = placesOf(addressesLow, factor, 32 - bits);
      if (places !== undefined) return { factor, shift: 32 - bits, places };
    }
  }
  return undefined;
}

function placesOf(addressesLow: readonly number[], factor: number, shift: number): number[] | undefined {
  const places = Array.from({ length: 2 ** (32 - shift) }, () => NO_TARGET);
  for (const [index, address] of addressesLow.entries()) {
    const place = Math.imul(address, factor) >>> shift;
    if (places[place] !== NO_TARGET) return undefined;
    places[place] = index;
  }
  return places;
}
