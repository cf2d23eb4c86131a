/**
 * Reminds a driver of the frames that lie in its buffer while another one waits for room. On a wire the next frame that
 * arrives does so; drivers count on that which acknowledge an interrupt after they have looked at the buffer for the last
 * time, or stop before it is empty.
 */

import type { Clock, Timer, Timers } from "../../hw/index.ts";

/** Long for a network, short for a connection. */
const INTERVAL_NS = 1_000_000;

export class RoomReminder {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #isAwaited: () => boolean;
  readonly #remind: () => void;
  #timer: Timer | undefined;

  constructor(clock: Clock, timers: Timers, isAwaited: () => boolean, remind: () => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#isAwaited = isAwaited;
    this.#remind = remind;
  }

  /** A frame has been refused: the driver is reminded until there is room. */
  refused(): void {
    this.#timer ??= this.#timers.schedule(this.#clock.nowNs() + INTERVAL_NS, () => {
      this.#timer = undefined;
      if (!this.#isAwaited()) return;
      this.#remind();
      this.refused();
    });
  }

  reset(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
