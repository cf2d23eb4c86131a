/** Interrupt causes, their mask, and the throttle that keeps interrupts apart (the manual's sections 13.4.17 to 13.4.21). */

import type { Clock, DeviceState, IrqLine, StateReader, Timer, Timers } from "../../hw/index.ts";
import { ICR_MASK } from "./registers.ts";

/** ITR counts in these. */
const THROTTLE_UNIT_NS = 256;

export class Interrupts {
  readonly #line: IrqLine;
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #throttle: () => number;
  #causes = 0;
  #mask = 0;
  #isAsserted = false;
  /** When the next interrupt may come. */
  #nextNs = 0;
  #timer: Timer | undefined;

  /** `throttle` is ITR's interval. */
  constructor(line: IrqLine, clock: Clock, timers: Timers, throttle: () => number) {
    this.#line = line;
    this.#clock = clock;
    this.#timers = timers;
    this.#throttle = throttle;
  }

  get causes(): number {
    return this.#causes;
  }

  get mask(): number {
    return this.#mask;
  }

  raise(causes: number): void {
    this.#causes |= causes & ICR_MASK;
    this.#update();
  }

  clear(causes: number): void {
    this.#causes &= ~causes;
    this.#update();
  }

  enable(causes: number): void {
    this.#mask |= causes & ICR_MASK;
    this.#update();
  }

  disable(causes: number): void {
    this.#mask &= ~causes;
    this.#update();
  }

  reset(): void {
    this.#causes = 0;
    this.#mask = 0;
    this.#nextNs = 0;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#update();
  }

  save(): DeviceState {
    const { causes, mask } = this;
    return { causes, mask, isAsserted: this.#isAsserted, nextNs: this.#nextNs };
  }

  restore(reader: StateReader): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#causes = reader.integer("causes", ICR_MASK);
    this.#mask = reader.integer("mask", ICR_MASK);
    this.#isAsserted = reader.boolean("isAsserted");
    this.#line.set(this.#isAsserted);
    this.#nextNs = reader.integer("nextNs", Number.MAX_SAFE_INTEGER);
    this.#update();
  }

  #update(): void {
    const isWanted = (this.#causes & this.#mask) !== 0;
    if (isWanted === this.#isAsserted) return;
    if (isWanted && this.#mustWait()) return;
    this.#isAsserted = isWanted;
    this.#line.set(isWanted);
  }

  /** Not before the interval since the last interrupt is over. */
  #mustWait(): boolean {
    const nowNs = this.#clock.nowNs();
    if (nowNs < this.#nextNs) {
      this.#timer ??= this.#timers.schedule(this.#nextNs, () => {
        this.#timer = undefined;
        this.#update();
      });
      return true;
    }
    this.#nextNs = nowNs + this.#throttle() * THROTTLE_UNIT_NS;
    return false;
  }
}
