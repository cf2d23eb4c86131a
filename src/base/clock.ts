/**
 * Guest time. A Clock is monotonic and stops while its VM is paused; it is injected, so that a VM can be made
 * deterministic. Counters of a fixed frequency are derived from it by exact integer arithmetic.
 */

import { assert } from "./assert.ts";
import { NS_PER_S } from "./units.ts";

export interface Clock {
  /** Whole nanoseconds since the VM was created, not counting pauses. Never goes back. */
  nowNs(): number;
}

/** A Clock that moves only when it is told to: for tests and deterministic runs. */
export class ManualClock implements Clock {
  #nowNs: number;

  constructor(startNs = 0) {
    this.#nowNs = startNs;
  }

  nowNs(): number {
    return this.#nowNs;
  }

  advance(deltaNs: number): void {
    assert(deltaNs >= 0, "time does not go back");
    this.#nowNs += deltaNs;
  }

  advanceTo(nowNs: number): void {
    assert(nowNs >= this.#nowNs, "time does not go back");
    this.#nowNs = nowNs;
  }
}

const US_PER_S = 1_000_000;

/**
 * Ticks of a counter of `frequencyHz` (a whole number below 4·10^9) that have passed at `ns`: exactly
 * floor(ns · frequencyHz / 10^9), although that product leaves the 53 bits of a number within seconds.
 */
export function ticksAtNs(ns: number, frequencyHz: number): number {
  const seconds = Math.floor(ns / NS_PER_S);
  const restNs = ns - seconds * NS_PER_S;
  const us = Math.floor(restNs / 1_000);
  const subUs = restNs - us * 1_000;
  const scaled = us * frequencyHz;
  const whole = Math.floor(scaled / US_PER_S);
  const part = (scaled - whole * US_PER_S) * 1_000 + subUs * frequencyHz;
  return seconds * frequencyHz + whole + Math.floor(part / NS_PER_S);
}

/**
 * The first whole nanosecond at which {@link ticksAtNs} reaches `ticks`; Infinity when that is past the 104 days
 * that whole nanoseconds in a number last.
 */
export function nsAtTicks(ticks: number, frequencyHz: number): number {
  const seconds = Math.floor(ticks / frequencyHz);
  const rest = ticks - seconds * frequencyHz;
  let ns = seconds * NS_PER_S + Math.ceil((rest * NS_PER_S) / frequencyHz);
  if (ns >= Number.MAX_SAFE_INTEGER) return Infinity;
  // rest · 10^9 may round above 2^53; the estimate is then at most one off either way.
  while (ns > 0 && ticksAtNs(ns - 1, frequencyHz) >= ticks) ns--;
  while (ticksAtNs(ns, frequencyHz) < ticks) ns++;
  return ns;
}
