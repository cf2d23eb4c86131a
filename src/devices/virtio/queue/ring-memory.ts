/**
 * The little-endian fields of rings and descriptors in guest memory (Virtual I/O Device 1.2, section 2.7.1). Whether a
 * ring lies in RAM is checked when its queue is set up, but the guest may have something else there later: what is not
 * RAM any more reads as zeros, and is noted.
 */

import type { Dma } from "../../../hw/index.ts";

export const DESCRIPTOR_BYTES = 16;
const U32_SPAN = 0x1_0000_0000;

/** Flags of a descriptor (sections 2.7.5 and 2.8.1); the last two are of packed rings. */
export const DESCRIPTOR = {
  next: 1 << 0,
  write: 1 << 1,
  indirect: 1 << 2,
  available: 1 << 7,
  used: 1 << 15,
} as const;

/**
 * A 64-bit address of the guest's. Above 2^53 it is rounded, which changes nothing: RAM ends far below, and what is not
 * RAM is refused.
 */
export function gpaOf(low: number, high: number): number {
  return high * U32_SPAN + low;
}

export class RingMemory {
  readonly dma: Dma;
  readonly #bytes = new Uint8Array(DESCRIPTOR_BYTES);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #bytes2 = this.#bytes.subarray(0, 2);
  readonly #bytes8 = this.#bytes.subarray(0, 8);

  #hasFailed = false;

  constructor(dma: Dma) {
    this.dma = dma;
  }

  /** Whether an access has met something else than RAM, ever. */
  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  isRam(gpa: number, lengthBytes: number): boolean {
    return this.dma.readable(gpa, lengthBytes) !== undefined;
  }

  readU16(gpa: number): number {
    this.#read(gpa, this.#bytes2);
    return this.#view.getUint16(0, true);
  }

  writeU16(gpa: number, value: number): void {
    this.#view.setUint16(0, value, true);
    this.#write(gpa, this.#bytes2);
  }

  /** Two 32-bit fields: an element of a used ring, or length, ID and flags of a packed ring's descriptor. */
  writeU32Pair(gpa: number, first: number, second: number): void {
    this.#view.setUint32(0, first, true);
    this.#view.setUint32(4, second, true);
    this.#write(gpa, this.#bytes8);
  }

  /** Loads the descriptor at `gpa`, whose fields the properties below are until the next call of any method here. */
  loadDescriptor(gpa: number): void {
    this.#read(gpa, this.#bytes);
  }

  get descriptorGpa(): number {
    return gpaOf(this.#view.getUint32(0, true), this.#view.getUint32(4, true));
  }

  get descriptorLengthBytes(): number {
    return this.#view.getUint32(8, true);
  }

  /** Flags of a split ring's descriptor, and the buffer ID of a packed ring's. */
  get descriptorWord12(): number {
    return this.#view.getUint16(12, true);
  }

  /** Next index of a split ring's descriptor, and the flags of a packed ring's. */
  get descriptorWord14(): number {
    return this.#view.getUint16(14, true);
  }

  #read(gpa: number, target: Uint8Array): void {
    if (this.dma.read(gpa, target)) return;
    target.fill(0);
    this.#hasFailed = true;
  }

  #write(gpa: number, source: Uint8Array): void {
    if (!this.dma.write(gpa, source)) this.#hasFailed = true;
  }
}
