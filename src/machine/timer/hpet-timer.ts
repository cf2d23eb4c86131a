/**
 * One comparator of the HPET ("IA-PC HPET Specification" 1.0a, sections 2.3.8 and 2.3.9).
 *
 * A comparator matches when the counter equals it, modulo 2^64 or 2^32: one set in the past waits for the counter to
 * come round, as in hardware, and drivers check for that. Periods that passed while nothing could run become one
 * interrupt.
 */

import { defineRegisters, RegisterFile } from "../../hw/index.ts";
import type { DeviceState, IrqLine, RegisterHooks, StateReader, Timer, Timers } from "../../hw/index.ts";
import { joinU64, splitU64 } from "../../base/index.ts";

export const HPET_TIMER_BYTES = 0x20;

const REGISTERS = defineRegisters({
  configurationLow: {
    at: 0x00,
    size: 4,
    reset: 0,
    writable: 0x3f4e,
    read: "readConfiguration",
    write: "configurationWritten",
  },
  configurationHigh: { at: 0x04, size: 4, access: "ro", read: "readRoutes" },
  comparatorLow: { at: 0x08, size: 4, read: "readComparatorLow", write: "writeComparatorLow" },
  comparatorHigh: { at: 0x0c, size: 4, read: "readComparatorHigh", write: "writeComparatorHigh" },
});

const CONFIGURATION = {
  level: 1 << 1,
  enable: 1 << 2,
  periodic: 1 << 3,
  periodicCapable: 1 << 4,
  size64: 1 << 5,
  setAccumulator: 1 << 6,
  mode32: 1 << 8,
} as const;
const ROUTE_SHIFT = 9;
const ROUTE_MASK = 0x1f;
const RESET_COMPARATOR = 0xffff_ffff_ffff_ffffn;
/** Deadlines further away are not scheduled: 2^52 ns are 52 days, and the counter's user will have moved on. */
const FAR_NS = 2 ** 52;

export interface HpetTimerConfig {
  readonly index: number;
  readonly isPeriodicCapable: boolean;
  /** I/O APIC inputs this timer may be routed to. */
  readonly routeMask: number;
  readonly timers: Timers;
  readonly counter: () => bigint;
  /** Guest time when the counter has counted so many more. */
  readonly nsAfter: (ticks: bigint) => number;
  readonly isCounting: () => boolean;
  /** The line for a route; undefined when it leads nowhere. */
  readonly output: (route: number) => IrqLine | undefined;
}

export class HpetTimer implements RegisterHooks<typeof REGISTERS> {
  readonly registers = new RegisterFile(REGISTERS, this);
  readonly #config: HpetTimerConfig;
  #comparator = RESET_COMPARATOR;
  #period = 0n;
  #isPending = false;
  #timer: Timer | undefined;
  /** The line that is high because of this timer. */
  #driven: IrqLine | undefined;

  constructor(config: HpetTimerConfig) {
    this.#config = config;
  }

  /** The status bit, which exists for level-triggered timers only. */
  get isPending(): boolean {
    return this.#isPending;
  }

  clearPending(): void {
    this.#isPending = false;
    this.#drive();
  }

  reset(): void {
    this.registers.reset();
    this.#comparator = RESET_COMPARATOR;
    this.#period = 0n;
    this.#isPending = false;
    this.#drive();
    this.update();
  }

  save(): DeviceState {
    return {
      registers: this.registers.save(),
      comparator: { ...splitU64(this.#comparator) },
      period: { ...splitU64(this.#period) },
      isPending: this.#isPending,
    };
  }

  restore(reader: StateReader): void {
    const comparator = reader.child("comparator");
    const period = reader.child("period");
    this.registers.restore(reader.object("registers"), `hpet.timer${this.#config.index}.registers`);
    this.#comparator = joinU64(comparator.u32("lo"), comparator.u32("hi"));
    this.#period = joinU64(period.u32("lo"), period.u32("hi"));
    this.#isPending = reader.boolean("isPending");
    this.#drive();
    this.update();
  }

  /** Waits for the next match, after anything that decides about it has changed. */
  update(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    // The status bit of a level-triggered timer is set even while its interrupt is disabled (2.3.6).
    if (!this.#config.isCounting() || !(this.#isEnabled || this.#isLevel)) {
      this.#drive();
      return;
    }
    this.#drive();
    const distance = this.#wrap(this.#comparator - this.#config.counter());
    const deadlineNs = this.#config.nsAfter(distance);
    if (deadlineNs < FAR_NS) this.#timer = this.#config.timers.schedule(deadlineNs, () => this.#match());
  }

  // Register hooks.

  readConfiguration(stored: number): number {
    const capabilities =
      CONFIGURATION.size64 | (this.#config.isPeriodicCapable ? CONFIGURATION.periodicCapable : 0);
    // Setting the accumulator is a command; it reads as zero (2.3.8).
    return (stored & ~CONFIGURATION.setAccumulator) | capabilities;
  }

  configurationWritten(_written: number, before: number): void {
    const { values } = this.registers;
    if (!this.#config.isPeriodicCapable) values.configurationLow &= ~CONFIGURATION.periodic;
    // A route that the hardware cannot take does not stick; drivers read it back to see.
    const route = (values.configurationLow >>> ROUTE_SHIFT) & ROUTE_MASK;
    if (route !== 0 && ((this.#config.routeMask >>> route) & 1) === 0) {
      const keptRoute = before & (ROUTE_MASK << ROUTE_SHIFT);
      values.configurationLow = (values.configurationLow & ~(ROUTE_MASK << ROUTE_SHIFT)) | keptRoute;
    }
    if (this.#is32) {
      this.#comparator &= 0xffffffffn;
      this.#period &= 0xffffffffn;
    }
    this.update();
  }

  readRoutes(): number {
    return this.#config.routeMask;
  }

  readComparatorLow(): number {
    return Number(this.#comparator & 0xffffffffn);
  }

  readComparatorHigh(): number {
    return Number(this.#comparator >> 32n);
  }

  writeComparatorLow(value: number): void {
    this.#writeComparator(BigInt(value >>> 0), 0xffffffffn);
    if (this.#is32) this.registers.values.configurationLow &= ~CONFIGURATION.setAccumulator;
    this.update();
  }

  writeComparatorHigh(value: number): void {
    if (this.#is32) return;
    this.#writeComparator(BigInt(value >>> 0) << 32n, 0xffffffff_00000000n);
    this.registers.values.configurationLow &= ~CONFIGURATION.setAccumulator;
    this.update();
  }

  // Workings.

  get #isLevel(): boolean {
    return (this.registers.values.configurationLow & CONFIGURATION.level) !== 0;
  }

  get #isEnabled(): boolean {
    return (this.registers.values.configurationLow & CONFIGURATION.enable) !== 0;
  }

  get #isPeriodic(): boolean {
    return (this.registers.values.configurationLow & CONFIGURATION.periodic) !== 0;
  }

  get #is32(): boolean {
    return (this.registers.values.configurationLow & CONFIGURATION.mode32) !== 0;
  }

  #wrap(value: bigint): bigint {
    return BigInt.asUintN(this.#is32 ? 32 : 64, value);
  }

  /**
   * A periodic timer's comparator is an accumulator: a write goes to the period, and with "set accumulator" to the
   * comparator too, so that drivers write the first match and then the period.
   */
  #writeComparator(value: bigint, mask: bigint): void {
    const { configurationLow } = this.registers.values;
    if (!this.#isPeriodic || (configurationLow & CONFIGURATION.setAccumulator) !== 0) {
      this.#comparator = this.#wrap((this.#comparator & ~mask) | value);
    }
    if (this.#isPeriodic) this.#period = this.#wrap((this.#period & ~mask) | value);
  }

  #match(): void {
    this.#timer = undefined;
    this.#isPending = this.#isLevel;
    const line = this.#line();
    if (this.#isLevel) {
      this.#drive();
    } else if (this.#isEnabled) {
      line?.set(true);
      line?.set(false);
    }
    if (this.#isPeriodic && this.#period !== 0n) {
      const behind = this.#wrap(this.#config.counter() - this.#comparator);
      this.#comparator = this.#wrap(this.#comparator + this.#period * (behind / this.#period + 1n));
      this.update();
      return;
    }
    // The same comparator matches again when the counter has come round.
    this.#timer = this.#scheduleNextTurn();
  }

  #scheduleNextTurn(): Timer | undefined {
    const distance = this.#wrap(this.#comparator - this.#config.counter()) || 1n << (this.#is32 ? 32n : 64n);
    const deadlineNs = this.#config.nsAfter(distance);
    return deadlineNs < FAR_NS ? this.#config.timers.schedule(deadlineNs, () => this.#match()) : undefined;
  }

  #line(): IrqLine | undefined {
    return this.#config.output((this.registers.values.configurationLow >>> ROUTE_SHIFT) & ROUTE_MASK);
  }

  /** A pending level-triggered timer holds its line high; nothing else does. */
  #drive(): void {
    const line = this.#isPending && this.#isLevel && this.#isEnabled ? this.#line() : undefined;
    if (line === this.#driven) return;
    this.#driven?.set(false);
    this.#driven = line;
    line?.set(true);
  }
}
