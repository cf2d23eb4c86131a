/**
 * Bytes of a stream between two ends that are not equally quick: a ring of a fixed capacity. Bytes may be put behind the end,
 * with a gap, and copied from the middle, to be sent again later.
 */

import { assert } from "../../base/index.ts";

/**
 * The ring's memory at first. It grows as bytes wait in it: most connections carry little, and to allocate and collect what
 * all might need takes longer than to open a connection.
 */
export const RING_BYTES_FIRST = 4096;

const EMPTY = new Uint8Array(0);

export class ByteRing {
  readonly capacityBytes: number;
  #bytes = EMPTY;
  #startAt = 0;
  #lengthBytes = 0;

  constructor(capacityBytes: number) {
    this.capacityBytes = capacityBytes;
  }

  get lengthBytes(): number {
    return this.#lengthBytes;
  }

  get freeBytes(): number {
    return this.capacityBytes - this.#lengthBytes;
  }

  /** What it occupies now. */
  get memoryBytes(): number {
    return this.#bytes.length;
  }

  /** Puts bytes `offset` behind the start, without making the stream longer; there must be room. */
  put(offset: number, source: Uint8Array): void {
    const endOffset = offset + source.length;
    assert(endOffset <= this.capacityBytes, "what is put into a ring fits");
    if (endOffset > this.#bytes.length) this.#grow(endOffset);
    const bytes = this.#bytes;
    const at = this.#placeOf(offset);
    const firstBytes = Math.min(source.length, bytes.length - at);
    if (firstBytes === source.length) {
      bytes.set(source, at);
      return;
    }
    bytes.set(source.subarray(0, firstBytes), at);
    bytes.set(source.subarray(firstBytes), 0);
  }

  /** The stream is longer by bytes that have been put. */
  extend(byBytes: number): void {
    assert(this.#lengthBytes + byBytes <= this.#bytes.length, "a stream is as long as what was put");
    this.#lengthBytes += byBytes;
  }

  append(source: Uint8Array): void {
    this.put(this.#lengthBytes, source);
    this.extend(source.length);
  }

  /** Copies `byteCount` bytes that begin `offset` behind the start. */
  copy(offset: number, byteCount: number, target: Uint8Array, targetAt: number): void {
    assert(offset + byteCount <= this.#lengthBytes, "what is copied from a ring is there");
    const bytes = this.#bytes;
    const at = this.#placeOf(offset);
    const firstBytes = Math.min(byteCount, bytes.length - at);
    target.set(bytes.subarray(at, at + firstBytes), targetAt);
    if (firstBytes < byteCount) target.set(bytes.subarray(0, byteCount - firstBytes), targetAt + firstBytes);
  }

  /**
   * The first bytes as they lie together; empty when there are none. They stay as they are until they are dropped, even if
   * the ring grows meanwhile or is cleared.
   */
  head(): Uint8Array {
    return this.#bytes.subarray(this.#startAt, this.#startAt + this.#lengthBytes);
  }

  drop(byteCount: number): void {
    assert(byteCount <= this.#lengthBytes, "what is dropped from a ring is there");
    this.#lengthBytes -= byteCount;
    this.#startAt = this.#placeOf(byteCount);
  }

  /** Gives the memory back. */
  clear(): void {
    this.#bytes = EMPTY;
    this.#lengthBytes = 0;
    this.#startAt = 0;
  }

  #placeOf(offset: number): number {
    const at = this.#startAt + offset;
    return at < this.#bytes.length ? at : at - this.#bytes.length;
  }

  /** Makes room for so many bytes; what lies behind gaps keeps its place, too. */
  #grow(leastBytes: number): void {
    let sizeBytes = Math.max(this.#bytes.length, RING_BYTES_FIRST);
    while (sizeBytes < leastBytes) sizeBytes *= 2;
    const grown = new Uint8Array(Math.min(sizeBytes, this.capacityBytes));
    grown.set(this.#bytes.subarray(this.#startAt));
    grown.set(this.#bytes.subarray(0, this.#startAt), this.#bytes.length - this.#startAt);
    this.#bytes = grown;
    this.#startAt = 0;
  }
}
