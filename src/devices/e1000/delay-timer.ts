/**
 * An interrupt that waits for more of its kind: it comes when nothing has happened for one time, and at the latest another
 * time after the first thing has (the manual's sections 3.2.7.1 and 3.4.3).
 */

import type { Clock, DeviceState, StateReader, Timer, Timers } from "../../hw/index.ts";

/** The registers count in these. */
const UNIT_NS = 1024;

export class DelayTimer {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #onExpired: () => void;
  #timer: Timer | undefined;
  /** In guest time; undefined while nothing waits. */
  #latestNs: number | undefined;
  #deadlineNs = 0;

  constructor(clock: Clock, timers: Timers, onExpired: () => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#onExpired = onExpired;
  }

  /** Something has happened; delays are in the registers' units, and an absolute one of 0 is none. */
  happened(relative: number, absolute: number): void {
    if (relative === 0) {
      this.flush();
      return;
    }
    const nowNs = this.#clock.nowNs();
    this.#latestNs ??= absolute === 0 ? Infinity : nowNs + absolute * UNIT_NS;
    this.#deadlineNs = Math.min(nowNs + relative * UNIT_NS, this.#latestNs);
    this.#timer ??= this.#timers.schedule(this.#deadlineNs, () => this.#due());
  }

  /** What waits happens now, and so does what never had to wait. */
  flush(): void {
    this.reset();
    this.#onExpired();
  }

  get isWaiting(): boolean {
    return this.#latestNs !== undefined;
  }

  reset(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#latestNs = undefined;
  }

  save(): DeviceState {
    const latestNs = this.#latestNs === Infinity ? null : (this.#latestNs ?? null);
    return { isWaiting: this.isWaiting, latestNs, deadlineNs: this.#deadlineNs };
  }

  restore(reader: StateReader): void {
    this.reset();
    this.#deadlineNs = reader.integer("deadlineNs", Number.MAX_SAFE_INTEGER);
    if (!reader.boolean("isWaiting")) return;
    this.#latestNs = reader.isNull("latestNs")
      ? Infinity
      : reader.integer("latestNs", Number.MAX_SAFE_INTEGER);
    this.#timer = this.#timers.schedule(this.#deadlineNs, () => this.#due());
  }

  /** The deadline may have moved on since the timer was set. */
  #due(): void {
    this.#timer = undefined;
    if (this.#clock.nowNs() >= this.#deadlineNs) this.flush();
    else this.#timer = this.#timers.schedule(this.#deadlineNs, () => this.#due());
  }
}
