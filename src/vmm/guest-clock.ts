/**
 * Guest time of one VM: host time minus the time in which the VM did not run. It begins at 0 and stands still until
 * started, while paused, and after the end.
 */

import { assert } from "../base/index.ts";
import type { Clock } from "../base/index.ts";
import type { Scheduling } from "./scheduling.ts";

export class GuestClock implements Clock {
  readonly #host: Pick<Scheduling, "nowNs">;
  /** Guest time at which the clock last stopped. */
  #stoppedAtNs = 0;
  /** Host time at which guest time was 0; undefined while the clock stands. */
  #originNs: number | undefined;
  /** Guest time while it is held by atOneInstant(). */
  #instantNs: number | undefined;

  constructor(host: Pick<Scheduling, "nowNs">) {
    this.#host = host;
  }

  nowNs(): number {
    if (this.#instantNs !== undefined) return this.#instantNs;
    return this.#originNs === undefined ? this.#stoppedAtNs : this.#host.nowNs() - this.#originNs;
  }

  /**
   * Runs `work` at one instant: guest time stands meanwhile. A device that looks at the clock twice in a timer's
   * callback, to see what is due and what comes next, would otherwise lose what became due in between.
   */
  atOneInstant(work: (nowNs: number) => void): void {
    assert(this.#instantNs === undefined, "an instant has no instants in it");
    const nowNs = this.nowNs();
    this.#instantNs = nowNs;
    try {
      work(nowNs);
    } finally {
      this.#instantNs = undefined;
    }
  }

  get isRunning(): boolean {
    return this.#originNs !== undefined;
  }

  start(): void {
    assert(this.#originNs === undefined, "a running clock is not started again");
    this.#originNs = this.#host.nowNs() - this.#stoppedAtNs;
  }

  /** Does nothing while the clock stands. */
  stop(): void {
    this.#stoppedAtNs = this.nowNs();
    this.#originNs = undefined;
  }
}
