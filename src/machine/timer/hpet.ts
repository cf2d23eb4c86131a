/**
 * HPET: "IA-PC HPET (High Precision Event Timers) Specification" 1.0a: a 64-bit counter at 100 MHz and three
 * comparators, the first of them periodic.
 *
 * In legacy replacement mode timers 0 and 1 drive IRQ 0 and IRQ 8 in place of the 8254 and the RTC, whose lines
 * therefore pass through here. Otherwise a timer drives the I/O APIC input that its configuration routes it to.
 * Missing on purpose: FSB (MSI) delivery.
 */

import { joinU64, lowU32, splitU64, ticksAtNs, nsAtTicks } from "../../base/index.ts";
import { defineRegisters, RegisterFile, StateReader, WiredOr } from "../../hw/index.ts";
import type {
  AccessSize,
  Clock,
  Device,
  DeviceState,
  IrqLine,
  MmioHandler,
  RegisterHooks,
  Timers,
} from "../../hw/index.ts";
import { HPET_TIMER_BYTES, HpetTimer } from "./hpet-timer.ts";

export const HPET_GPA = 0xfed00000;
export const HPET_BYTES = 0x400;
export const HPET_TIMERS = 3;

export const HPET_HZ = 100_000_000;
/** Femtoseconds between two ticks. */
const PERIOD_FS = 1e15 / HPET_HZ;

/** Revision 1, three timers, 64-bit counter, legacy replacement, vendor 8086h: also the ACPI table's block id. */
export const HPET_BLOCK_ID = 0x8086a201;

const REGISTERS = defineRegisters({
  capabilitiesLow: { at: 0x000, size: 4, reset: HPET_BLOCK_ID, writable: 0 },
  capabilitiesHigh: { at: 0x004, size: 4, reset: PERIOD_FS, writable: 0 },
  configurationLow: { at: 0x010, size: 4, reset: 0, writable: 0x3, write: "configurationWritten" },
  configurationHigh: { at: 0x014, size: 4, reset: 0, writable: 0 },
  statusLow: { at: 0x020, size: 4, read: "readStatus", write: "clearStatus" },
  statusHigh: { at: 0x024, size: 4, reset: 0, writable: 0 },
  counterLow: { at: 0x0f0, size: 4, read: "readCounterLow", write: "writeCounterLow" },
  counterHigh: { at: 0x0f4, size: 4, read: "readCounterHigh", write: "writeCounterHigh" },
});
const CONFIGURATION = { enable: 1 << 0, legacyReplacement: 1 << 1 } as const;
const TIMERS_OFFSET = 0x100;

export interface HpetConfig {
  readonly clock: Clock;
  readonly timers: Timers;
  /** ISA IRQ 0 and 8 as they reach both interrupt controllers. */
  readonly irq0: IrqLine;
  readonly irq8: IrqLine;
  /** Told whether anything of the 8254 reaches IRQ 0, whenever that may have changed. */
  readonly onPitConnected?: (isConnected: boolean) => void;
  /** I/O APIC inputs that timers may be routed to, by number; a gap is one they may not use. */
  readonly ioApicInputs: readonly (IrqLine | undefined)[];
}

export class Hpet implements Device, MmioHandler, RegisterHooks<typeof REGISTERS> {
  readonly name = "hpet";
  /** Where the 8254's and the RTC's outputs go: silent in legacy replacement mode. */
  readonly pitOutput: IrqLine;
  readonly rtcOutput: IrqLine;
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #clock: Clock;
  readonly #timers: readonly HpetTimer[];
  readonly #legacy: readonly LegacyLine[];
  readonly #onPitConnected: (isConnected: boolean) => void;
  /** Counter value that belongs to tick 0 of guest time, while counting. */
  #offset = 0n;
  /** Counter value while halted. */
  #halted = 0n;
  /** The upper half as it was when the lower was read: an 8-byte read arrives as two halves. */
  #latchedHigh: number | undefined;

  constructor(config: HpetConfig) {
    this.#clock = config.clock;
    this.#onPitConnected = config.onPitConnected ?? (() => undefined);
    this.#legacy = [new LegacyLine(config.irq0), new LegacyLine(config.irq8)];
    this.pitOutput = { set: (level) => this.#legacy[0]?.setOriginal(level) };
    this.rtcOutput = { set: (level) => this.#legacy[1]?.setOriginal(level) };
    const joined = config.ioApicInputs.map((line) => (line === undefined ? undefined : new WiredOr(line)));
    const routeMask =
      joined.reduce((mask, line, input) => (line === undefined ? mask : mask | (1 << input)), 0) >>> 0;
    this.#timers = Array.from({ length: HPET_TIMERS }, (_, index) => {
      const routes = joined.map((line) => line?.driver());
      return new HpetTimer({
        index,
        isPeriodicCapable: index === 0,
        routeMask,
        timers: config.timers,
        counter: () => this.#counter(),
        nsAfter: (ticks) => nsAtTicks(this.#ticks() + Number(ticks), HPET_HZ),
        isCounting: () => this.#isCounting,
        output: (route) => (this.#isLegacy ? this.#legacy[index]?.replacement : undefined) ?? routes[route],
      });
    });
  }

  readMmio(offset: number, size: AccessSize): number {
    if (offset < TIMERS_OFFSET) return this.#registers.read(offset, size);
    const at = offset - TIMERS_OFFSET;
    return this.#timers[Math.floor(at / HPET_TIMER_BYTES)]?.registers.read(at % HPET_TIMER_BYTES, size) ?? 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    if (offset < TIMERS_OFFSET) {
      this.#registers.write(offset, size, value);
      return;
    }
    const at = offset - TIMERS_OFFSET;
    this.#timers[Math.floor(at / HPET_TIMER_BYTES)]?.registers.write(at % HPET_TIMER_BYTES, size, value);
  }

  reset(): void {
    this.#registers.reset();
    this.#offset = 0n;
    this.#halted = 0n;
    this.#latchedHigh = undefined;
    for (const timer of this.#timers) timer.reset();
    this.#replace(false);
  }

  save(): DeviceState {
    return {
      registers: this.#registers.save(),
      counter: { ...splitU64(this.#counter()) },
      timers: this.#timers.map((timer) => timer.save()),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#registers.restore(reader.object("registers"), `${this.name}.registers`);
    const counter = reader.child("counter");
    this.#setCounter(joinU64(counter.u32("lo"), counter.u32("hi")));
    this.#replace(this.#isLegacy);
    const saved = reader.children("timers", HPET_TIMERS);
    this.#timers.forEach((timer, index) => {
      const one = saved[index];
      if (one !== undefined) timer.restore(one);
    });
  }

  // Register hooks.

  configurationWritten(_written: number, before: number): void {
    const wasCounting = (before & CONFIGURATION.enable) !== 0;
    if (this.#isCounting && !wasCounting) this.#setCounter(this.#halted);
    if (!this.#isCounting && wasCounting) this.#halted = this.#countedAt();
    this.#replace(this.#isLegacy);
    for (const timer of this.#timers) timer.update();
  }

  readStatus(): number {
    return this.#timers.reduce(
      (status, timer, index) => (timer.isPending ? status | (1 << index) : status),
      0,
    );
  }

  clearStatus(written: number): void {
    this.#timers.forEach((timer, index) => {
      if ((written & (1 << index)) !== 0) timer.clearPending();
    });
  }

  readCounterLow(): number {
    const value = this.#counter();
    this.#latchedHigh = Number(value >> 32n);
    return Number(value & 0xffffffffn);
  }

  readCounterHigh(): number {
    const latched = this.#latchedHigh;
    this.#latchedHigh = undefined;
    return latched ?? Number(this.#counter() >> 32n);
  }

  /** Software halts the counter before it writes it (section 2.3.7); a running one is set all the same. */
  writeCounterLow(value: number): void {
    this.#setCounter((this.#counter() & ~0xffffffffn) | BigInt(lowU32(value)));
    for (const timer of this.#timers) timer.update();
  }

  writeCounterHigh(value: number): void {
    this.#setCounter((this.#counter() & 0xffffffffn) | (BigInt(lowU32(value)) << 32n));
    for (const timer of this.#timers) timer.update();
  }

  // Workings.

  get #isCounting(): boolean {
    return (this.#registers.values.configurationLow & CONFIGURATION.enable) !== 0;
  }

  get #isLegacy(): boolean {
    return (this.#registers.values.configurationLow & CONFIGURATION.legacyReplacement) !== 0;
  }

  #replace(isReplaced: boolean): void {
    // First, so that the line that goes on is where the 8254 has it.
    this.#onPitConnected(!isReplaced);
    for (const line of this.#legacy) line.setReplaced(isReplaced);
  }

  #counter(): bigint {
    return this.#isCounting ? this.#countedAt() : this.#halted;
  }

  #countedAt(): bigint {
    return BigInt.asUintN(64, BigInt(this.#ticks()) + this.#offset);
  }

  #setCounter(value: bigint): void {
    this.#halted = value;
    this.#offset = value - BigInt(this.#ticks());
  }

  /** Of guest time. */
  #ticks(): number {
    return ticksAtNs(this.#clock.nowNs(), HPET_HZ);
  }
}

/** An ISA interrupt that has two drivers, of which one is connected at a time. */
class LegacyLine {
  readonly replacement: IrqLine;
  readonly #line: IrqLine;
  #isReplaced = false;
  #original = false;
  #replacing = false;

  constructor(line: IrqLine) {
    this.#line = line;
    this.replacement = {
      set: (level) => {
        this.#replacing = level;
        this.#drive();
      },
    };
  }

  setOriginal(level: boolean): void {
    this.#original = level;
    this.#drive();
  }

  setReplaced(isReplaced: boolean): void {
    this.#isReplaced = isReplaced;
    this.#drive();
  }

  #drive(): void {
    this.#line.set(this.#isReplaced ? this.#replacing : this.#original);
  }
}
