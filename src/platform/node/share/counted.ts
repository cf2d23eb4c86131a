/**
 * What several hold and nobody may close while one of them uses it: a descriptor's number that the kernel had given to
 * another file meanwhile would lead to that one.
 */

export class Counted {
  readonly #close: () => void;
  #count = 1;
  #isClosed = false;

  /** Held once, by whoever made it. */
  constructor(close: () => void) {
    this.#close = close;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  retain(): void {
    this.#count++;
  }

  drop(): void {
    if (--this.#count === 0) this.closeNow();
  }

  /** For an owner who knows that nobody uses it any more, whoever holds it. */
  closeNow(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#close();
  }
}
