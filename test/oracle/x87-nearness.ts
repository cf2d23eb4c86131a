/** Results of the transcendental x87 instructions, which may lie one unit in the last place apart. SDM 1, 8.3.10. */
import type { FpImage } from "./fp-image.ts";

const REGISTERS = [0, 1, 2, 3, 4, 5, 6, 7];
const C1 = 0x200;
const UNDERFLOW = 0x10;
/** ES and B, which say that there is an exception that is not masked. */
const SUMMARY = 0x8080;
/** What an unmasked underflow adds to the exponent of its result. */
const WRAPPED_EXPONENT = 24576n << 64n;

/** Position of an 80-bit value in the order of all of them, so that neighbours differ by one. */
export function rank(value: bigint): bigint {
  const exponent = (value >> 64n) & 0x7fffn;
  // Denormals and the normals of the lowest exponent share their spacing.
  const size =
    (exponent === 0n ? 0n : exponent << 63n) +
    (value & ((1n << 64n) - 1n)) -
    (exponent === 0n ? 0n : 1n << 63n);
  return value >> 79n === 0n ? size : -size;
}

/** Whether two 80-bit values are the same or neighbours. */
export function isWithinUnit(one: bigint, other: bigint): boolean {
  const distance = rank(one) - rank(other);
  return distance >= -1n && distance <= 1n;
}

/** Whether one unit decides if a result is tiny, and with that over UE and whether its exponent is wrapped. */
export function isWithinUnitAtUnderflow(one: FpImage, other: FpImage): boolean {
  const [tiny, normal] = (one.fsw & UNDERFLOW) !== 0 ? [one, other] : [other, one];
  return (
    ((tiny.fsw ^ normal.fsw) & ~(C1 | SUMMARY)) === UNDERFLOW &&
    tiny.ftw === normal.ftw &&
    REGISTERS.every(
      (i) =>
        isWithinUnit(tiny.st(i), normal.st(i)) || isWithinUnit(tiny.st(i), normal.st(i) + WRAPPED_EXPONENT),
    )
  );
}

/** Whether two states differ in no more than that; C1 says how a result was rounded. */
export function isWithinUnits(one: FpImage, other: FpImage): boolean {
  const isSame =
    REGISTERS.every((i) => isWithinUnit(one.st(i), other.st(i))) &&
    ((one.fsw ^ other.fsw) & ~C1) === 0 &&
    one.ftw === other.ftw;
  return isSame || isWithinUnitAtUnderflow(one, other);
}
