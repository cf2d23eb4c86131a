/**
 * Typematic repeat (IBM PS/2 Hardware Interface Technical Reference, "Keyboards", "Set Typematic Rate/Delay"): the key that
 * went down last sends its make code again and again while it is held, after a delay, at a rate; both as the system has set
 * them. Another key that goes down takes its place, and does not give it back.
 */

import { NS_PER_MS } from "../../base/index.ts";
import type { Clock, Timer, Timers } from "../../hw/index.ts";
import type { KeyCode } from "./scan-codes.ts";

/** 500 ms, 10.9 a second. */
export const TYPEMATIC_DEFAULT = 0x2b;
export const TYPEMATIC_MAX = 0x7f;
const DELAY_UNIT_NS = 250 * NS_PER_MS;
const PERIOD_UNIT_NS = 4.17 * NS_PER_MS;

export interface TypematicParts {
  readonly clock: Clock;
  readonly timers: Timers;
}

export class Typematic {
  readonly #parts: TypematicParts;
  readonly #repeat: (key: KeyCode) => void;
  #key: KeyCode | undefined;
  #timer: Timer | undefined;
  /** As the command has it: the delay in bits 5 and 6, below them the rate as exponent and mantissa. */
  setting = TYPEMATIC_DEFAULT;

  /** `repeat` is called from a timer. */
  constructor(parts: TypematicParts, repeat: (key: KeyCode) => void) {
    this.#parts = parts;
    this.#repeat = repeat;
  }

  keyDown(key: KeyCode): void {
    this.stop();
    this.#key = key;
    this.#schedule(key, ((this.setting >>> 5) + 1) * DELAY_UNIT_NS);
  }

  keyUp(key: KeyCode): void {
    if (key === this.#key) this.stop();
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#key = undefined;
  }

  get #periodNs(): number {
    return (8 + (this.setting & 7)) * 2 ** ((this.setting >>> 3) & 3) * PERIOD_UNIT_NS;
  }

  #schedule(key: KeyCode, afterNs: number): void {
    const { clock, timers } = this.#parts;
    this.#timer = timers.schedule(clock.nowNs() + afterNs, () => {
      this.#schedule(key, this.#periodNs);
      this.#repeat(key);
    });
  }
}
