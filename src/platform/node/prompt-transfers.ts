/**
 * Whether a file may be read and written on the thread of its guest, which waits meanwhile: an access that finds its bytes in
 * the host's page cache takes a few microseconds there, a tenth of the way through another thread and back. What is slow
 * shows only afterwards: then nothing is done there for many times as long as it took. A guest gets no more of it
 * between two turns of the event loop than others may wait.
 */

/** Longer ones than this have waited for storage, or are so large that others should have their turn. */
const SLOW_MS = 2;
/** After a slow one: the share of time that slow ones can take is one part in so many. */
const PENALTY_FACTOR = 50;
/** Between two turns of the event loop. */
const BETWEEN_TURNS_MAX_MS = 4;

/** The host's time, and a call when its event loop has turned. */
export interface TurningLoop {
  nowMs(): number;
  onTurn(callback: () => void): void;
}

const nodeLoop: TurningLoop = {
  nowMs: () => performance.now(),
  onTurn: (callback) => void setImmediate(callback),
};

export class PromptTransfers {
  readonly #loop: TurningLoop;
  #allowedFromMs = 0;
  #sinceTurnMs = 0;
  #awaitsTurn = false;

  constructor(loop: TurningLoop = nodeLoop) {
    this.#loop = loop;
  }

  /** The result of `transfer`, carried out now; undefined, and nothing done, where that is not the time for it. */
  attempt<T>(transfer: () => T): T | undefined {
    const startMs = this.#loop.nowMs();
    if (startMs < this.#allowedFromMs || this.#sinceTurnMs >= BETWEEN_TURNS_MAX_MS) return undefined;
    const result = transfer();
    const endMs = this.#loop.nowMs();
    const tookMs = endMs - startMs;
    if (tookMs > SLOW_MS) this.#allowedFromMs = endMs + PENALTY_FACTOR * tookMs;
    this.#countUntilTurn(tookMs);
    return result;
  }

  #countUntilTurn(tookMs: number): void {
    this.#sinceTurnMs += tookMs;
    if (this.#awaitsTurn) return;
    this.#awaitsTurn = true;
    this.#loop.onTurn(() => {
      this.#awaitsTurn = false;
      this.#sinceTurnMs = 0;
    });
  }
}
