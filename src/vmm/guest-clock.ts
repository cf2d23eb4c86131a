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

  constructor(host: Pick<Scheduling, "nowNs">) {
    this.#host = host;
  }

  nowNs(): number {
    return this.#originNs === undefined ? this.#stoppedAtNs : this.#host.nowNs() - this.#originNs;
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
