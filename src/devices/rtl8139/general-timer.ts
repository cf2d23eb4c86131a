/** The card's general-purpose timer: counts PCI clocks, and interrupts when the count is a given one (sections 5.14 and 5.18). */

import { nsAtTicks, ticksAtNs } from "../../base/index.ts";
import type { Clock, DeviceState, StateReader, Timer, Timers } from "../../hw/index.ts";

const FREQUENCY_HZ = 33_000_000;
const COUNTS = 2 ** 32;

export class GeneralTimer {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #onExpired: () => void;
  /** Ticks of guest time at which the count was 0. */
  #startTick = 0;
  /** 0: no interrupt. */
  #interruptCount = 0;
  #timer: Timer | undefined;

  constructor(clock: Clock, timers: Timers, onExpired: () => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#onExpired = onExpired;
  }

  get count(): number {
    return (this.#tick - this.#startTick) % COUNTS;
  }

  restart(): void {
    this.#startTick = this.#tick;
    this.#schedule();
  }

  /** Interrupts whenever the count is this one; never if it is 0. */
  interruptAt(count: number): void {
    this.#interruptCount = count;
    this.#schedule();
  }

  reset(): void {
    this.#interruptCount = 0;
    this.restart();
  }

  save(): DeviceState {
    return { startTick: this.#startTick, interruptCount: this.#interruptCount };
  }

  restore(reader: StateReader): void {
    this.#startTick = reader.integer("startTick", Number.MAX_SAFE_INTEGER);
    this.#interruptCount = reader.u32("interruptCount");
    this.#schedule();
  }

  get #tick(): number {
    return ticksAtNs(this.#clock.nowNs(), FREQUENCY_HZ);
  }

  /** For the next time that the count is right, which is a whole turn from now if it is so now. */
  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#interruptCount === 0) return;
    const tick = this.#tick;
    const { count } = this;
    const missing = this.#interruptCount - count;
    const deadlineNs = nsAtTicks(tick + (missing > 0 ? missing : missing + COUNTS), FREQUENCY_HZ);
    if (deadlineNs === Infinity) return;
    this.#timer = this.#timers.schedule(deadlineNs, () => {
      this.#timer = undefined;
      this.#schedule();
      this.#onExpired();
    });
  }
}
