/**
 * Bit arithmetic on the project's two integer shapes: a u32 is a `number` normalised with `>>> 0`; a u64 is a
 * hi/lo pair of u32s on hot paths and a `bigint` on cold ones.
 */

/** `value` reduced to an unsigned 32-bit number. */
export function u32(value: number): number {
  return value >>> 0;
}

/** A mask of the low `count` bits, 0 ≤ count ≤ 32, as a u32. */
export function lowMask(count: number): number {
  return count >= 32 ? 0xffffffff : ((1 << count) - 1) >>> 0;
}

/** All ones of an access of `size` bytes: what an undriven bus reads. */
export function allOnes(size: 1 | 2 | 4): number {
  return size === 4 ? 0xffffffff : size === 2 ? 0xffff : 0xff;
}

/** Bits [low, low + count) of a u32, moved to bit 0. */
export function bitField(value: number, low: number, count: number): number {
  return ((value >>> low) & lowMask(count)) >>> 0;
}

/** Whether bit `index` of a u32 is set. */
export function bit(value: number, index: number): boolean {
  return ((value >>> index) & 1) !== 0;
}

/** `value` with the bits of `mask` set or cleared. */
export function withBits(value: number, mask: number, set: boolean): number {
  return (set ? value | mask : value & ~mask) >>> 0;
}

/** `value` rounded up to a multiple of `alignment` (a power of two); exact up to 2^53. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** `value` rounded down to a multiple of `alignment`; exact up to 2^53. */
export function alignDown(value: number, alignment: number): number {
  return Math.floor(value / alignment) * alignment;
}

/** Two decimal digits packed as BCD, 0 ≤ value ≤ 99. */
export function toBcd(value: number): number {
  return (Math.floor(value / 10) << 4) | (value % 10);
}

/** The number a packed BCD byte stands for; digits above 9 count as they are weighted. */
export function fromBcd(value: number): number {
  return (value >> 4) * 10 + (value & 0xf);
}

/** A 64-bit value as two u32 halves. */
export interface U64 {
  readonly lo: number;
  readonly hi: number;
}

/** Splits the low 64 bits of `value`. */
export function splitU64(value: bigint): U64 {
  return { lo: Number(value & 0xffffffffn), hi: Number((value >> 32n) & 0xffffffffn) };
}

/** Joins two u32 halves. */
export function joinU64(lo: number, hi: number): bigint {
  return (BigInt(hi >>> 0) << 32n) | BigInt(lo >>> 0);
}

/** The low 32 bits of a non-negative integer below 2^53 (`>>> 0` alone is exact here; the name says why). */
export function lowU32(value: number): number {
  return value >>> 0;
}

/** Bits 32 and up of a non-negative integer below 2^53. */
export function highU32(value: number): number {
  return Math.floor(value / 0x1_0000_0000);
}

/** `value` in hexadecimal for messages: `0x3f8`. */
export function hex(value: number | bigint): string {
  return `0x${value.toString(16)}`;
}
