/**
 * The local APIC's timer (Intel SDM volume 3A, 11.5.4): one-shot, periodic and TSC-deadline mode. It counts guest time
 * at 1 GHz, divided as the divide configuration says; the TSC counts at the same rate.
 *
 * The local APIC owns the registers; this is their meaning in time. Missing on purpose: nothing of the chapter.
 */

import { joinU64, splitU64 } from "../../base/index.ts";
import { StateReader } from "../../hw/index.ts";
import type { Clock, DeviceState, Timer, Timers } from "../../hw/index.ts";

export type LapicTimerMode = "one-shot" | "periodic" | "tsc-deadline";

/** How the TSC relates to guest time; the identity unless the guest has written the TSC. */
export interface TscTime {
  /** The guest time at which the TSC reaches `tsc`, which may be in the past. */
  nsAtTsc(tsc: bigint): number;
}

export const TSC_IS_GUEST_TIME: TscTime = { nsAtTsc: (tsc) => Number(tsc) };

/** Periods that passed while nothing could run become one interrupt: the guest sees one late tick, not a burst. */
export class LapicTimer {
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #tsc: TscTime;
  readonly #onExpiry: () => void;
  #mode: LapicTimerMode = "one-shot";
  #divisor = 2;
  #initialCount = 0;
  /** When the present count began. */
  #startNs = 0;
  /** A one-shot count has run out and stays at zero. */
  #hasExpired = false;
  #tscDeadline = 0n;
  #timer: Timer | undefined;

  constructor(clock: Clock, timers: Timers, tsc: TscTime, onExpiry: () => void) {
    this.#clock = clock;
    this.#timers = timers;
    this.#tsc = tsc;
    this.#onExpiry = onExpiry;
  }

  reset(): void {
    this.#mode = "one-shot";
    this.#divisor = 2;
    this.#tscDeadline = 0n;
    this.setInitialCount(0);
  }

  /** Changing between counting and TSC-deadline mode disarms the timer. */
  setMode(mode: LapicTimerMode): void {
    if (mode === this.#mode) return;
    if (mode === "tsc-deadline" || this.#mode === "tsc-deadline") {
      this.#initialCount = 0;
      this.#tscDeadline = 0n;
    }
    this.#mode = mode;
    this.#arm();
  }

  /** 1, 2, 4 … 128. What is left of the present count goes on at the new rate. */
  setDivisor(divisor: number): void {
    if (divisor === this.#divisor) return;
    const countedTicks = this.#initialCount - this.currentCount;
    this.#divisor = divisor;
    this.#startNs = this.#clock.nowNs() - countedTicks * divisor;
    this.#arm();
  }

  /** Starts the count; 0 stops it. Without effect in TSC-deadline mode. */
  setInitialCount(count: number): void {
    if (this.#mode === "tsc-deadline" && count !== 0) return;
    this.#initialCount = count;
    this.#hasExpired = false;
    this.#startNs = this.#clock.nowNs();
    this.#arm();
  }

  get currentCount(): number {
    if (this.#initialCount === 0 || this.#mode === "tsc-deadline") return 0;
    const elapsedTicks = Math.floor((this.#clock.nowNs() - this.#startNs) / this.#divisor);
    if (this.#mode === "periodic") return this.#initialCount - (elapsedTicks % this.#initialCount);
    return Math.max(0, this.#initialCount - elapsedTicks);
  }

  get tscDeadline(): bigint {
    return this.#tscDeadline;
  }

  /** Arms the timer in TSC-deadline mode; 0 disarms it. Without effect in the other modes. */
  setTscDeadline(tsc: bigint): void {
    if (this.#mode !== "tsc-deadline") return;
    this.#tscDeadline = tsc;
    this.#arm();
  }

  /** The TSC's relation to guest time has changed. */
  tscChanged(): void {
    if (this.#mode === "tsc-deadline") this.#arm();
  }

  save(): DeviceState {
    return {
      mode: this.#mode,
      divisor: this.#divisor,
      initialCount: this.#initialCount,
      startNs: this.#startNs,
      hasExpired: this.#hasExpired,
      tscDeadline: { ...splitU64(this.#tscDeadline) },
    };
  }

  restore(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    const deadline = reader.child("tscDeadline");
    this.#mode = reader.choice("mode", ["one-shot", "periodic", "tsc-deadline"]);
    this.#divisor = Math.max(1, reader.integer("divisor", 128));
    this.#initialCount = reader.u32("initialCount");
    this.#startNs = reader.number("startNs");
    this.#hasExpired = reader.boolean("hasExpired");
    this.#tscDeadline = joinU64(deadline.u32("lo"), deadline.u32("hi"));
    this.#arm();
  }

  #arm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const deadlineNs = this.#nextExpiryNs();
    if (deadlineNs === undefined) return;
    this.#timer = this.#timers.schedule(deadlineNs, () => {
      this.#timer = undefined;
      this.#expire();
    });
  }

  #nextExpiryNs(): number | undefined {
    if (this.#mode === "tsc-deadline") {
      return this.#tscDeadline === 0n ? undefined : this.#tsc.nsAtTsc(this.#tscDeadline);
    }
    if (this.#initialCount === 0) return undefined;
    const periodNs = this.#initialCount * this.#divisor;
    return this.#mode === "one-shot" && this.#hasExpired ? undefined : this.#startNs + periodNs;
  }

  #expire(): void {
    if (this.#mode === "tsc-deadline") this.#tscDeadline = 0n;
    if (this.#mode === "one-shot") this.#hasExpired = true;
    if (this.#mode === "periodic") {
      const periodNs = this.#initialCount * this.#divisor;
      const periods = Math.max(1, Math.floor((this.#clock.nowNs() - this.#startNs) / periodNs));
      this.#startNs += periods * periodNs;
      this.#arm();
    }
    this.#onExpiry();
  }
}
