/**
 * INT 1Ah, time of day: the tick count, the real-time clock's time, date and alarm; and INT 8h, which counts. IBM PS/2 and
 * PC BIOS Interface Technical Reference.
 */

import { fromBcd } from "../../base/index.ts";
import type { PortBus } from "../../hw/index.ts";
import type { BiosData } from "./bios-data.ts";
import type { RealTimeClock } from "./real-time-clock.ts";
import type { ServiceCall } from "./service-call.ts";

const CMOS_INDEX = 0x70;
const CMOS_DATA = 0x71;
const RTC = {
  seconds: 0x00,
  secondsAlarm: 0x01,
  minutes: 0x02,
  minutesAlarm: 0x03,
  hours: 0x04,
  hoursAlarm: 0x05,
  day: 0x07,
  month: 0x08,
  year: 0x09,
  statusB: 0x0b,
  century: 0x32,
} as const;
const STATUS_B_DAYLIGHT = 0x01;
const STATUS_B_ALARM = 0x20;
const STATUS_B_SET = 0x80;

/** Of the 18.2 Hz tick. */
const TICKS_PER_DAY = 0x1800b0;
const TICKS_PER_SECOND = 1_193_182 / 65_536;

export class TimeServices {
  readonly #ports: PortBus;
  readonly #data: BiosData;
  readonly #clock: RealTimeClock;

  constructor(ports: PortBus, data: BiosData, clock: RealTimeClock) {
    this.#ports = ports;
    this.#data = data;
    this.#clock = clock;
  }

  /** Sets the tick count by the real-time clock, as the POST does. */
  reset(): void {
    const hours = fromBcd(this.#read(RTC.hours) & 0x3f);
    const seconds = hours * 3600 + fromBcd(this.#read(RTC.minutes)) * 60 + fromBcd(this.#read(RTC.seconds));
    this.#data.set("ticks", Math.floor(seconds * TICKS_PER_SECOND) % TICKS_PER_DAY);
  }

  /** INT 8h, without the user's tick and the end of the interrupt, which are the stub's. */
  tick(): void {
    const data = this.#data;
    const ticks = data.get("ticks") + 1;
    data.set("ticks", ticks >= TICKS_PER_DAY ? 0 : ticks);
    if (ticks >= TICKS_PER_DAY) data.set("hasPassedMidnight", 1);
  }

  call(call: ServiceCall): void {
    const data = this.#data;
    call.carry = false;
    switch (call.ah) {
      case 0x00: {
        const ticks = data.get("ticks");
        call.cx = ticks >>> 16;
        call.dx = ticks;
        call.al = data.get("hasPassedMidnight");
        data.set("hasPassedMidnight", 0);
        return;
      }
      case 0x01:
        data.set("ticks", ((call.cx << 16) | call.dx) >>> 0);
        data.set("hasPassedMidnight", 0);
        return;
      case 0x02:
        call.ch = this.#read(RTC.hours);
        call.cl = this.#read(RTC.minutes);
        call.dh = this.#read(RTC.seconds);
        call.dl = this.#read(RTC.statusB) & STATUS_B_DAYLIGHT;
        return;
      case 0x03:
        this.#set([
          [RTC.hours, call.ch],
          [RTC.minutes, call.cl],
          [RTC.seconds, call.dh],
        ]);
        return;
      case 0x04:
        call.ch = this.#read(RTC.century);
        call.cl = this.#read(RTC.year);
        call.dh = this.#read(RTC.month);
        call.dl = this.#read(RTC.day);
        return;
      case 0x05:
        this.#set([
          [RTC.century, call.ch],
          [RTC.year, call.cl],
          [RTC.month, call.dh],
          [RTC.day, call.dl],
        ]);
        return;
      case 0x06:
        this.#setAlarm(call);
        return;
      case 0x07:
        this.#write(RTC.statusB, this.#read(RTC.statusB) & ~STATUS_B_ALARM);
        return;
      default:
        call.carry = true;
    }
  }

  #setAlarm(call: ServiceCall): void {
    const statusB = this.#read(RTC.statusB);
    if ((statusB & STATUS_B_ALARM) !== 0) {
      call.carry = true;
      return;
    }
    this.#write(RTC.hoursAlarm, call.ch);
    this.#write(RTC.minutesAlarm, call.cl);
    this.#write(RTC.secondsAlarm, call.dh);
    this.#clock.enableAlarm();
  }

  #set(values: readonly (readonly [register: number, value: number])[]): void {
    const statusB = this.#read(RTC.statusB);
    this.#write(RTC.statusB, statusB | STATUS_B_SET);
    for (const [register, value] of values) this.#write(register, value);
    this.#write(RTC.statusB, statusB & ~STATUS_B_SET);
  }

  #read(register: number): number {
    this.#ports.writePort(CMOS_INDEX, 1, register);
    return this.#ports.readPort(CMOS_DATA, 1);
  }

  #write(register: number, value: number): void {
    this.#ports.writePort(CMOS_INDEX, 1, register);
    this.#ports.writePort(CMOS_DATA, 1, value);
  }
}
