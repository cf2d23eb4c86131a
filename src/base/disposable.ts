/** Ownership of things that must be released: back ends, listeners, timers. */

/** Something to release exactly once; releasing again does nothing. */
export interface Releasable {
  release(): void;
}

/** A Releasable that runs `release` the first time it is asked to. */
export function releasable(release: () => void): Releasable {
  let released = false;
  return {
    release() {
      if (released) return;
      released = true;
      release();
    },
  };
}

/** Owns several Releasables and releases them in reverse order of their adoption. */
export class ReleaseStack implements Releasable {
  readonly #owned: Releasable[] = [];

  /** Takes ownership of `owned` and hands it back. */
  adopt<T extends Releasable>(owned: T): T {
    this.#owned.push(owned);
    return owned;
  }

  release(): void {
    for (;;) {
      const last = this.#owned.pop();
      if (last === undefined) return;
      last.release();
    }
  }
}
