/**
 * Bytes of a stream between two ends that are not equally quick: a ring of a fixed capacity. Bytes may be put behind the end,
 * with a gap, and copied from the middle, to be sent again later.
 */

import { assert } from "../../base/index.ts";

export class ByteRing {
  readonly capacityBytes: number;
  /** Made when the first byte comes: most connections need only one of their two rings. */
  #bytes: Uint8Array | undefined;
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

  /** Puts bytes `offset` behind the start, without making the stream longer; there must be room. */
  put(offset: number, source: Uint8Array): void {
    assert(offset + source.length <= this.capacityBytes, "what is put into a ring fits");
    const bytes = (this.#bytes ??= new Uint8Array(this.capacityBytes));
    const at = this.#placeOf(offset);
    const firstBytes = Math.min(source.length, this.capacityBytes - at);
    if (firstBytes === source.length) {
      bytes.set(source, at);
      return;
    }
    bytes.set(source.subarray(0, firstBytes), at);
    bytes.set(source.subarray(firstBytes), 0);
  }

  /** The stream is longer by bytes that have been put. */
  extend(byBytes: number): void {
    assert(byBytes <= this.freeBytes, "a ring is no longer than its capacity");
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
    if (bytes === undefined) return;
    const at = this.#placeOf(offset);
    const firstBytes = Math.min(byteCount, this.capacityBytes - at);
    target.set(bytes.subarray(at, at + firstBytes), targetAt);
    if (firstBytes < byteCount) target.set(bytes.subarray(0, byteCount - firstBytes), targetAt + firstBytes);
  }

  /** The first bytes as they lie together; empty when there are none. They stay as they are until they are dropped. */
  head(): Uint8Array {
    const endAt = Math.min(this.#startAt + this.#lengthBytes, this.capacityBytes);
    return this.#bytes?.subarray(this.#startAt, endAt) ?? EMPTY;
  }

  drop(byteCount: number): void {
    assert(byteCount <= this.#lengthBytes, "what is dropped from a ring is there");
    this.#lengthBytes -= byteCount;
    this.#startAt = this.#placeOf(byteCount);
  }

  /** Gives the memory back. */
  clear(): void {
    this.#bytes = undefined;
    this.#lengthBytes = 0;
    this.#startAt = 0;
  }

  #placeOf(offset: number): number {
    const at = this.#startAt + offset;
    return at < this.capacityBytes ? at : at - this.capacityBytes;
  }
}

const EMPTY = new Uint8Array(0);
