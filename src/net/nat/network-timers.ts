/**
 * The timers of one NAT: many, of which the machine sees one. And deadlines that move with each packet, which cost nothing
 * until they are due.
 */

import { TimerQueue } from "../../base/index.ts";
import type { Clock, Timer, Timers } from "../../base/index.ts";

export class NetworkTimers implements Timers {
  readonly clock: Clock;
  readonly #queue = new TimerQueue();
  readonly #outer: Timers;
  #armed: Timer | undefined;
  #armedNs = Infinity;

  constructor(clock: Clock, outer: Timers) {
    this.clock = clock;
    this.#outer = outer;
  }

  schedule(deadlineNs: number, callback: () => void): Timer {
    const timer = this.#queue.schedule(deadlineNs, callback);
    this.#arm();
    return timer;
  }

  close(): void {
    this.#armed?.cancel();
    this.#armedNs = -Infinity;
  }

  #arm(): void {
    const nextNs = this.#queue.nextDeadlineNs();
    if (nextNs === undefined || nextNs >= this.#armedNs) return;
    this.#armed?.cancel();
    this.#armedNs = nextNs;
    this.#armed = this.#outer.schedule(nextNs, () => {
      this.#armedNs = Infinity;
      this.#queue.runDue(this.clock.nowNs());
      this.#arm();
    });
  }
}

/** Something that is due at a time that is often put off: its timer then finds that it came too early, and waits again. */
export class Deadline {
  readonly #timers: NetworkTimers;
  readonly #onDue: () => void;
  #atNs = Infinity;
  #timer: Timer | undefined;
  #timerNs = Infinity;

  constructor(timers: NetworkTimers, onDue: () => void) {
    this.#timers = timers;
    this.#onDue = onDue;
  }

  get isSet(): boolean {
    return this.#atNs !== Infinity;
  }

  setIn(delayNs: number): void {
    this.#atNs = this.#timers.clock.nowNs() + delayNs;
    if (this.#atNs < this.#timerNs) this.#schedule();
  }

  clear(): void {
    this.#atNs = Infinity;
  }

  /** For good: nothing stays scheduled. */
  close(): void {
    this.clear();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerNs = Infinity;
  }

  #schedule(): void {
    this.#timer?.cancel();
    this.#timerNs = this.#atNs;
    this.#timer = this.#timers.schedule(this.#atNs, () => {
      this.#timer = undefined;
      this.#timerNs = Infinity;
      if (this.#atNs === Infinity) return;
      if (this.#atNs > this.#timers.clock.nowNs()) {
        this.#schedule();
        return;
      }
      this.#atNs = Infinity;
      this.#onDue();
    });
  }
}
