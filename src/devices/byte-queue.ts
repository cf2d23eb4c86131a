/** A bounded first-in-first-out queue of small integers, preallocated: UART FIFOs and host input. */

import { assert } from "../base/index.ts";

export class ByteQueue {
  readonly capacity: number;
  readonly #items: Uint16Array;
  #first = 0;
  #length = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#items = new Uint16Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  get isFull(): boolean {
    return this.#length === this.capacity;
  }

  /** Appends `item` and says whether there was room. */
  push(item: number): boolean {
    if (this.isFull) return false;
    this.#items[(this.#first + this.#length) % this.capacity] = item;
    this.#length++;
    return true;
  }

  /** The oldest item, which leaves the queue. */
  shift(): number {
    const item = this.peek();
    this.#first = (this.#first + 1) % this.capacity;
    this.#length--;
    return item;
  }

  /** The oldest item, which stays. */
  peek(): number {
    assert(this.#length > 0, "only a queue that holds something is read");
    return this.#items[this.#first] ?? 0;
  }

  /** Takes the bits of `mask` from the oldest item. */
  clearBitsOfFirst(mask: number): void {
    this.#items[this.#first] = this.peek() & ~mask;
  }

  /** Whether any item has a bit of `mask`. */
  hasBits(mask: number): boolean {
    for (let i = 0; i < this.#length; i++) {
      if (((this.#items[(this.#first + i) % this.capacity] ?? 0) & mask) !== 0) return true;
    }
    return false;
  }

  clear(): void {
    this.#first = 0;
    this.#length = 0;
  }

  /** The items, oldest first. */
  toArray(): number[] {
    return Array.from(
      { length: this.#length },
      (_, i) => this.#items[(this.#first + i) % this.capacity] ?? 0,
    );
  }
}
