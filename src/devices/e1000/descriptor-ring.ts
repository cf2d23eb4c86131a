/** One ring of descriptors of 16 bytes, as registers place it (the manual's sections 3.2.6 and 3.4). */

import type { Dma } from "../../hw/index.ts";

export const DESCRIPTOR_BYTES = 16;
const U32_SPAN = 0x1_0000_0000;
/** What RDLEN and TDLEN can say; a snapshot could say more. */
const RING_BYTES_MASK = 0xf_ff80;

export interface RingRegisters {
  readonly low: number;
  readonly high: number;
  readonly lengthBytes: number;
  readonly head: number;
  readonly tail: number;
}

/** Descriptors that are the card's: from the head up to the tail. None where the ring has no size, or an index is not in it. */
export function availableIn({ lengthBytes, head, tail }: RingRegisters): number {
  const size = sizeOf(lengthBytes);
  if (head >= size || tail >= size) return 0;
  return tail >= head ? tail - head : size - head + tail;
}

export function sizeOf(lengthBytes: number): number {
  return (lengthBytes & RING_BYTES_MASK) / DESCRIPTOR_BYTES;
}

/**
 * Where the descriptor at `index` is. Above 2^53 the sum is rounded, which changes nothing: RAM ends far below, and what is
 * not RAM is refused.
 */
export function descriptorGpa({ low, high }: RingRegisters, index: number): number {
  return high * U32_SPAN + low + DESCRIPTOR_BYTES * index;
}

/** A descriptor's bytes, for as long as no other is loaded. */
export class Descriptor {
  readonly #bytes = new Uint8Array(DESCRIPTOR_BYTES);
  readonly #upperHalf = this.#bytes.subarray(8);
  readonly view = new DataView(this.#bytes.buffer);

  /** False where it is not in RAM. */
  load(dma: Dma, gpa: number): boolean {
    return dma.read(gpa, this.#bytes);
  }

  /** Writes the upper half back, in which the card reports. */
  store(dma: Dma, gpa: number): void {
    dma.write(gpa + 8, this.#upperHalf);
  }

  /** The address of the buffer, in the lower half of all that have one. */
  get bufferGpa(): number {
    return this.view.getUint32(4, true) * U32_SPAN + this.view.getUint32(0, true);
  }
}
