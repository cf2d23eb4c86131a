/**
 * One request to a back end at a time. What a reset drops goes on in the back end, which still owns the buffer: whoever
 * asks next, or ends a reset, waits for it. So a guest that resets again and again has one request under way at most.
 */

import { assert } from "../../base/index.ts";
import type { BlockResult } from "../../block/index.ts";

export class RequestSlot {
  #isTaken = false;
  /** What is to happen when the request under way, which was dropped, is over; the newest wish counts. */
  #next: (() => void) | undefined;
  #isDropped = false;

  /** A request is under way in the back end, wanted or not. */
  get isTaken(): boolean {
    return this.#isTaken;
  }

  /** Asks as soon as the slot is free; `done` is called once, never before this returns, unless it is dropped. */
  start(ask: () => Promise<BlockResult>, done: (result: BlockResult) => void): void {
    assert(!this.#isTaken || this.#isDropped, "a drive asks for one thing at a time");
    this.whenFree(() => {
      this.#isTaken = true;
      this.#isDropped = false;
      // A back end that rejects has a bug, which the VM's process reports as an unhandled rejection.
      void this.#finish(ask(), done);
    });
  }

  /** Calls `action` once nothing is under way, at once if that is now. */
  whenFree(action: () => void): void {
    if (this.#isTaken) this.#next = action;
    else action();
  }

  /** Neither the result of what is under way nor what waits for it is of interest any more. */
  drop(): void {
    this.#isDropped = true;
    this.#next = undefined;
  }

  async #finish(request: Promise<BlockResult>, done: (result: BlockResult) => void): Promise<void> {
    const result = await request;
    this.#isTaken = false;
    const next = this.#next;
    this.#next = undefined;
    if (!this.#isDropped) done(result);
    else next?.();
  }
}
