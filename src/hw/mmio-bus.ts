/**
 * The guest-physical addresses that are not RAM: sorted, disjoint ranges found by binary search, with the range
 * of the last access tried first. Unclaimed reads give all ones and writes are dropped; both are counted.
 */

import { allOnes, assert, hex, releasable } from "../base/index.ts";
import type { Releasable } from "../base/index.ts";
import type { AccessSize, MmioHandler } from "./bus.ts";

/** Ranges a bus can hold at one time. */
export const MAX_MMIO_CLAIMS = 1024;

interface MmioClaim {
  readonly name: string;
  readonly base: number;
  readonly lengthBytes: number;
  readonly handler: MmioHandler;
}

export class MmioBus {
  /** Ascending by base, never overlapping. */
  readonly #claims: MmioClaim[] = [];
  #last: MmioClaim | undefined;
  #unclaimedReads = 0;
  #unclaimedWrites = 0;

  get unclaimedReads(): number {
    return this.#unclaimedReads;
  }

  get unclaimedWrites(): number {
    return this.#unclaimedWrites;
  }

  /** Gives [base, base + lengthBytes) to `handler` until released. Overlap is a bug in the board's wiring. */
  claim(name: string, base: number, lengthBytes: number, handler: MmioHandler): Releasable {
    const claimed = this.tryClaim(name, base, lengthBytes, handler);
    assert(claimed !== undefined, `addresses ${hex(base)} of ${name} are free and the bus has room`);
    return claimed;
  }

  /** Like claim, for places a guest chooses (PCI BARs): undefined when any address of the range is taken. */
  tryClaim(name: string, base: number, lengthBytes: number, handler: MmioHandler): Releasable | undefined {
    assert(lengthBytes > 0 && base >= 0, `${name} has a size and a place`);
    const index = this.#indexAfter(base);
    const below = this.#claims[index - 1];
    const above = this.#claims[index];
    if (below !== undefined && below.base + below.lengthBytes > base) return undefined;
    if (above !== undefined && above.base < base + lengthBytes) return undefined;
    if (this.#claims.length >= MAX_MMIO_CLAIMS) return undefined;
    const claim = { name, base, lengthBytes, handler };
    this.#claims.splice(index, 0, claim);
    return releasable(() => {
      this.#claims.splice(this.#claims.indexOf(claim), 1);
      if (this.#last === claim) this.#last = undefined;
    });
  }

  /** The name under which `gpa` is claimed. */
  ownerOf(gpa: number): string | undefined {
    return this.#find(gpa)?.name;
  }

  readMmio(gpa: number, size: AccessSize): number {
    const claim = this.#find(gpa);
    if (claim !== undefined) {
      const offset = gpa - claim.base;
      if (offset + size <= claim.lengthBytes) return claim.handler.readMmio(offset, size);
    } else if (size === 1 || this.#find(gpa + size - 1) === undefined) {
      this.#unclaimedReads++;
      return allOnes(size);
    }
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.readMmio(gpa + i, 1) << (8 * i);
    return value >>> 0;
  }

  writeMmio(gpa: number, size: AccessSize, value: number): void {
    const claim = this.#find(gpa);
    if (claim !== undefined) {
      const offset = gpa - claim.base;
      if (offset + size <= claim.lengthBytes) {
        claim.handler.writeMmio(offset, size, value);
        return;
      }
    } else if (size === 1 || this.#find(gpa + size - 1) === undefined) {
      this.#unclaimedWrites++;
      return;
    }
    for (let i = 0; i < size; i++) this.writeMmio(gpa + i, 1, (value >>> (8 * i)) & 0xff);
  }

  #find(gpa: number): MmioClaim | undefined {
    const last = this.#last;
    if (last !== undefined && gpa >= last.base && gpa < last.base + last.lengthBytes) return last;
    const claim = this.#claims[this.#indexAfter(gpa) - 1];
    if (claim === undefined || gpa >= claim.base + claim.lengthBytes) return undefined;
    this.#last = claim;
    return claim;
  }

  /** Index of the first claim whose base is above `gpa`. */
  #indexAfter(gpa: number): number {
    let low = 0;
    let high = this.#claims.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const claim = this.#claims[middle];
      if (claim !== undefined && claim.base <= gpa) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
