/**
 * Real-time clock and CMOS memory: Motorola MC146818A (data sheet of 1984) at index port 70h and data port 71h,
 * with the PC/AT's century byte at index 32h. The time is the injected wall clock plus an offset that the guest
 * sets by writing; nothing ticks unless an interrupt is enabled: flags are worked out when they are looked at.
 *
 * Deliberately missing: daylight saving (bit DSE is kept without effect, as in chipsets since), the square wave
 * output, the upper 128 bytes at ports 72h and 73h. The day of the week follows from the date. Periodic interrupts
 * that the guest is too slow to take merge into one.
 */

import { fromBcd, NS_PER_US, nsAtTicks, ticksAtNs, toBcd } from "../../base/index.ts";
import type { Clock, Device, DeviceState, IrqLine, RegisterHooks, Timer, Timers } from "../../hw/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import { civilOfSeconds, SECONDS_PER_DAY, secondsOfCivil, weekdayOfSeconds } from "./civil-time.ts";

export interface RtcConfig {
  readonly clock: Clock;
  readonly timers: Timers;
  /** IRQ 8. */
  readonly irq: IrqLine;
  /** Nanoseconds since 1970 in the time zone that the guest's clock should show (UTC for all but old systems). */
  readonly wallClockNs: () => bigint;
  /** CMOS memory at power-on, by index from 0Eh. */
  readonly cmos: ReadonlyMap<number, number>;
}

const PORT_REGISTERS = defineRegisters({
  /** Bit 7 masks NMI, for which this PC has no source. */
  index: { at: 0, access: "wo", reset: 0 },
  data: { at: 1, read: "readData", write: "dataWritten" },
});

/** The registers behind the index; every other index is memory. */
const CLOCK_REGISTERS = defineRegisters({
  seconds: { at: 0x00, reset: 0, write: "timeWritten" },
  secondsAlarm: { at: 0x01, reset: 0, write: "alarmWritten" },
  minutes: { at: 0x02, reset: 0, write: "timeWritten" },
  minutesAlarm: { at: 0x03, reset: 0, write: "alarmWritten" },
  hours: { at: 0x04, reset: 0, write: "timeWritten" },
  hoursAlarm: { at: 0x05, reset: 0, write: "alarmWritten" },
  dayOfWeek: { at: 0x06, reset: 1, writable: 0 },
  dayOfMonth: { at: 0x07, reset: 1, write: "timeWritten" },
  month: { at: 0x08, reset: 1, write: "timeWritten" },
  year: { at: 0x09, reset: 0, write: "timeWritten" },
  /** Divider on, 1024 Hz: what firmware leaves. */
  a: { at: 0x0a, reset: 0x26, writable: 0x7f, read: "readA", write: "controlWritten" },
  b: { at: 0x0b, reset: 0x02, write: "controlWritten" },
  c: { at: 0x0c, access: "ro", reset: 0, read: "takeFlags" },
  /** Battery and memory are good. */
  d: { at: 0x0d, access: "ro", reset: 0x80 },
  century: { at: 0x32, reset: 0x19, write: "timeWritten" },
});

const A = { updateInProgress: 0x80, divider: 0x70, dividerHeld: 0x60, rate: 0x0f } as const;
const B = { set: 0x80, periodic: 0x40, alarm: 0x20, update: 0x10, binary: 0x04, hours24: 0x02 } as const;
const B_CLEARED_BY_RESET = 0x78;
const C = { request: 0x80, periodic: 0x40, alarm: 0x20, update: 0x10 } as const;

const CMOS_BYTES = 128;
const FIRST_MEMORY_INDEX = 0x0e;
const PM = 0x80;
/** Alarm bytes from C0h match anything. */
const ALARM_ANY = 0xc0;

const US_PER_S = 1_000_000;
/** UIP rises 244 µs before an update cycle, which takes 1984 µs with the 32.768 kHz time base (table 4). */
const UPDATE_US = 244 + 1984;
const OSCILLATOR_HZ = 32_768;

export class Rtc
  implements Device, RegisterHooks<typeof PORT_REGISTERS>, RegisterHooks<typeof CLOCK_REGISTERS>
{
  readonly name = "rtc";
  readonly registers = new RegisterFile(PORT_REGISTERS, this);
  readonly #file = new RegisterFile(CLOCK_REGISTERS, this);
  readonly #memory = new Uint8Array(CMOS_BYTES);
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #irq: IrqLine;
  readonly #wallClockNs: () => bigint;

  /** The guest's time minus the wall clock. */
  #offsetUs = 0;
  /** While held (SET, or the divider in reset) the time registers stand still; where in its second time stood. */
  #heldPhaseUs: number | undefined;
  /** Up to here C's flags are worked out: seconds of guest time, ticks of the oscillator. */
  #flaggedSeconds: number;
  #flaggedTick: number;
  #timer: Timer | undefined;

  constructor(config: RtcConfig) {
    this.#clock = config.clock;
    this.#timers = config.timers;
    this.#irq = config.irq;
    this.#wallClockNs = config.wallClockNs;
    for (const [index, value] of config.cmos) this.#memory[index] = value;
    this.#flaggedSeconds = this.#seconds();
    this.#flaggedTick = this.#tick();
  }

  /** A byte of CMOS memory as the guest reads it, for firmware and diagnostics. */
  readCmos(index: number): number {
    this.#showTime();
    const isMemory = index >= FIRST_MEMORY_INDEX && index !== CLOCK_REGISTERS.century.at;
    return isMemory ? (this.#memory[index] ?? 0) : this.#file.read(index, 1);
  }

  // Lifecycle.

  /** The RESET pin disables interrupts and clears their flags; time and memory are on battery. */
  reset(): void {
    this.registers.reset();
    this.#file.values.b &= ~B_CLEARED_BY_RESET;
    this.#file.values.c = 0;
    this.#update();
  }

  save(): DeviceState {
    this.#collectFlags();
    this.#showTime();
    return {
      ports: this.registers.save(),
      clock: this.#file.save(),
      memory: this.#memory.slice(),
      offsetUs: this.#offsetUs,
      heldPhaseUs: this.#heldPhaseUs ?? null,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.registers.restore(reader.object("ports"), "rtc.ports");
    this.#file.restore(reader.object("clock"), "rtc.clock");
    this.#memory.set(reader.bytes("memory", CMOS_BYTES));
    this.#offsetUs = reader.number("offsetUs");
    this.#heldPhaseUs = reader.isNull("heldPhaseUs") ? undefined : reader.integer("heldPhaseUs", US_PER_S);
    this.#flaggedSeconds = this.#seconds();
    this.#flaggedTick = this.#tick();
    this.#update();
  }

  // Register hooks.

  readData(): number {
    return this.readCmos(this.registers.values.index & 0x7f);
  }

  dataWritten(written: number): void {
    const index = this.registers.values.index & 0x7f;
    this.#collectFlags();
    this.#showTime();
    if (index >= FIRST_MEMORY_INDEX && index !== CLOCK_REGISTERS.century.at) this.#memory[index] = written;
    else this.#file.write(index, 1, written);
  }

  readA(stored: number): number {
    if (this.#heldPhaseUs !== undefined) return stored;
    return this.#phaseUs() >= US_PER_S - UPDATE_US ? stored | A.updateInProgress : stored;
  }

  takeFlags(): number {
    this.#collectFlags();
    const flags = this.#file.values.c;
    this.#file.values.c = 0;
    // Also when the next event is there already: an interrupt controller waits for the edge.
    this.#irq.set(false);
    this.#update();
    return flags;
  }

  /** A or B: hold or release time, change formats, enable interrupts. */
  controlWritten(): void {
    const { a, b } = this.#file.values;
    const dividerHeld = (a & A.dividerHeld) === A.dividerHeld;
    const held = dividerHeld || (b & B.set) !== 0;
    if (held && this.#heldPhaseUs === undefined) this.#heldPhaseUs = this.#phaseUs();
    // Released from reset, the divider takes half a second to the first update (data sheet, "Divider stages").
    if (dividerHeld) this.#heldPhaseUs = US_PER_S / 2;
    if (!held && this.#heldPhaseUs !== undefined) {
      this.#setTime(this.#heldPhaseUs);
      this.#heldPhaseUs = undefined;
    }
    // SET disables the update interrupt.
    if ((b & B.set) !== 0) this.#file.values.b &= ~B.update;
    this.#update();
  }

  timeWritten(): void {
    if (this.#heldPhaseUs === undefined) this.#setTime(this.#phaseUs());
    this.#update();
  }

  alarmWritten(): void {
    this.#update();
  }

  // Time.

  #nowUs(): number {
    return Number(this.#wallClockNs() / 1000n) + this.#offsetUs;
  }

  #seconds(): number {
    return Math.floor(this.#nowUs() / US_PER_S);
  }

  #phaseUs(): number {
    return this.#nowUs() - this.#seconds() * US_PER_S;
  }

  #tick(): number {
    return ticksAtNs(this.#clock.nowNs(), OSCILLATOR_HZ);
  }

  /** Puts the time into its registers, unless they are held. */
  #showTime(): void {
    if (this.#heldPhaseUs !== undefined) return;
    const { values } = this.#file;
    const seconds = this.#seconds();
    const time = civilOfSeconds(seconds);
    values.seconds = this.#encode(time.second);
    values.minutes = this.#encode(time.minute);
    values.hours = this.#encodeHour(time.hour);
    values.dayOfWeek = this.#encode(weekdayOfSeconds(seconds) + 1);
    values.dayOfMonth = this.#encode(time.day);
    values.month = this.#encode(time.month);
    values.year = this.#encode(time.year % 100);
    values.century = this.#encode(Math.floor(time.year / 100) % 100);
  }

  /** Makes the registers the time, `phaseUs` after the second they show. */
  #setTime(phaseUs: number): void {
    const { values } = this.#file;
    const seconds = secondsOfCivil({
      year: this.#decode(values.century) * 100 + this.#decode(values.year),
      month: clamp(this.#decode(values.month), 1, 12),
      day: clamp(this.#decode(values.dayOfMonth), 1, 31),
      hour: this.#decodeHour(values.hours),
      minute: this.#decode(values.minutes) % 60,
      second: this.#decode(values.seconds) % 60,
    });
    this.#offsetUs += seconds * US_PER_S + phaseUs - this.#nowUs();
    this.#flaggedSeconds = seconds;
  }

  get #isBinary(): boolean {
    return (this.#file.values.b & B.binary) !== 0;
  }

  #encode(value: number): number {
    return this.#isBinary ? value : toBcd(value);
  }

  #decode(byte: number): number {
    return this.#isBinary ? byte : fromBcd(byte);
  }

  #encodeHour(hour: number): number {
    if ((this.#file.values.b & B.hours24) !== 0) return this.#encode(hour);
    return this.#encode(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? PM : 0);
  }

  #decodeHour(byte: number): number {
    if ((this.#file.values.b & B.hours24) !== 0) return this.#decode(byte) % 24;
    return (this.#decode(byte & ~PM) % 12) + ((byte & PM) !== 0 ? 12 : 0);
  }

  // Interrupts.

  /** Brings C up to date with the time that has passed. */
  #collectFlags(): void {
    const { values } = this.#file;
    const tick = this.#tick();
    const period = this.#periodTicks;
    if (period > 0 && Math.floor(tick / period) > Math.floor(this.#flaggedTick / period)) {
      values.c |= C.periodic;
    }
    this.#flaggedTick = tick;
    const seconds = this.#seconds();
    if (this.#heldPhaseUs === undefined && seconds > this.#flaggedSeconds) {
      values.c |= C.update;
      if (this.#nextAlarmAfter(this.#flaggedSeconds) <= seconds) values.c |= C.alarm;
    }
    this.#flaggedSeconds = seconds;
    const requests = values.c & values.b & (C.periodic | C.alarm | C.update);
    values.c = requests === 0 ? values.c & ~C.request : values.c | C.request;
  }

  #update(): void {
    this.#collectFlags();
    this.#irq.set((this.#file.values.c & C.request) !== 0);
    this.#schedule();
  }

  /** Sleeps until the next enabled event. */
  #schedule(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const { b, c } = this.#file.values;
    // Until C is read nothing more can happen to the line.
    if ((c & C.request) !== 0) return;
    const nowNs = this.#clock.nowNs();
    let deadlineNs = Infinity;
    const period = this.#periodTicks;
    if ((b & B.periodic) !== 0 && period > 0) {
      const next = (Math.floor(this.#flaggedTick / period) + 1) * period;
      deadlineNs = nsAtTicks(next, OSCILLATOR_HZ);
    }
    if (this.#heldPhaseUs === undefined && (b & (B.update | B.alarm)) !== 0) {
      const eventSeconds =
        (b & B.update) !== 0 ? this.#flaggedSeconds + 1 : this.#nextAlarmAfter(this.#flaggedSeconds);
      // The wall clock may run unlike guest time; a timer that comes early finds nothing and is set again.
      const waitNs = (eventSeconds * US_PER_S - this.#nowUs()) * NS_PER_US;
      deadlineNs = Math.min(deadlineNs, nowNs + Math.max(waitNs, NS_PER_US));
    }
    if (deadlineNs === Infinity) return;
    this.#timer = this.#timers.schedule(deadlineNs, () => {
      this.#timer = undefined;
      this.#update();
    });
  }

  /** Oscillator ticks between periodic interrupts (table 5); 0 for none. */
  get #periodTicks(): number {
    const rate = this.#file.values.a & A.rate;
    if (rate === 0) return 0;
    // Rates 1 and 2 repeat 8 and 9 with this oscillator.
    return 1 << ((rate <= 2 ? rate + 7 : rate) - 1);
  }

  /** The first second after `seconds` whose time of day matches the alarm bytes; Infinity if none does. */
  #nextAlarmAfter(seconds: number): number {
    const { values } = this.#file;
    const hours = matching(values.hoursAlarm, 24, (byte) => this.#decodeHour(byte));
    const minutes = matching(values.minutesAlarm, 60, (byte) => this.#decode(byte));
    const secondsOfMinute = matching(values.secondsAlarm, 60, (byte) => this.#decode(byte));
    const midnight = Math.floor(seconds / SECONDS_PER_DAY) * SECONDS_PER_DAY;
    for (const day of [midnight, midnight + SECONDS_PER_DAY]) {
      for (const hour of hours) {
        if (day + hour * 3600 + 3599 <= seconds) continue;
        for (const minute of minutes) {
          if (day + hour * 3600 + minute * 60 + 59 <= seconds) continue;
          for (const second of secondsOfMinute) {
            const at = day + hour * 3600 + minute * 60 + second;
            if (at > seconds) return at;
          }
        }
      }
    }
    return Infinity;
  }
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** The values below `count` that an alarm byte matches. */
function matching(byte: number, count: number, decode: (byte: number) => number): number[] {
  if (byte >= ALARM_ANY) return Array.from({ length: count }, (_, i) => i);
  const value = decode(byte);
  return value < count ? [value] : [];
}
