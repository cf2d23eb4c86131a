/**
 * The real-time clock's interrupt, INT 70h: the alarm that INT 1Ah, AH = 06h sets, which INT 4Ah tells of, and the event
 * that INT 15h, AH = 83h waits for, which sets a bit in the program's memory. IBM PS/2 and PC BIOS Interface Technical
 * Reference; the wait's pointer, count and flag are in the BIOS data area.
 */

import type { PortBus } from "../../hw/index.ts";
import type { BiosData } from "./bios-data.ts";
import type { CallerMemory } from "./caller-memory.ts";
import type { ServiceCall } from "./service-call.ts";

const CMOS = { index: 0x70, data: 0x71 } as const;
const STATUS_B = 0x0b;
const STATUS_C = 0x0c;
/** The same bits enable an interrupt and tell of it. */
const INTERRUPT = { periodic: 0x40, alarm: 0x20 } as const;
/** Of 1024 Hz, to which the power-on self-test sets the clock, in microseconds. */
const PERIOD_US = 1_000_000 / 1024;
const SECOND_PIC_MASK = 0xa1;
const CLOCK_IRQ_BIT = 0x01;

const WAIT = { begin: 0x00, cancel: 0x01 } as const;
const IN_PROGRESS = 0x01;
/** Set in the program's byte. */
const ELAPSED = 0x80;

export class RealTimeClock {
  readonly #ports: PortBus;
  readonly #data: BiosData;

  constructor(ports: PortBus, data: BiosData) {
    this.#ports = ports;
    this.#data = data;
  }

  /** INT 15h, AH = 83h; false is an error, which means that an event is waited for already, or no such function. */
  wait(call: ServiceCall): boolean {
    const data = this.#data;
    switch (call.al) {
      case WAIT.begin:
        if ((data.get("waitActive") & IN_PROGRESS) !== 0) return false;
        data.set("waitPointer", ((call.es << 16) | call.bx) >>> 0);
        data.set("waitCountUs", ((call.cx << 16) | call.dx) >>> 0);
        data.set("waitActive", IN_PROGRESS);
        this.#enable(INTERRUPT.periodic);
        return true;
      case WAIT.cancel:
        data.set("waitActive", 0);
        this.#disable(INTERRUPT.periodic);
        return true;
      default:
        return false;
    }
  }

  enableAlarm(): void {
    this.#enable(INTERRUPT.alarm);
  }

  /** INT 70h: AL says whether INT 4Ah is to be told. */
  interrupt(call: ServiceCall): void {
    const causes = this.#read(STATUS_C) & this.#read(STATUS_B);
    if ((causes & INTERRUPT.periodic) !== 0) this.#countDown(call.memory);
    call.al = (causes & INTERRUPT.alarm) === 0 ? 0 : 1;
  }

  #countDown(memory: CallerMemory): void {
    const data = this.#data;
    if ((data.get("waitActive") & IN_PROGRESS) === 0) return;
    const leftUs = data.get("waitCountUs") - PERIOD_US;
    data.set("waitCountUs", Math.max(0, Math.floor(leftUs)));
    if (leftUs > 0) return;
    data.set("waitActive", 0);
    this.#disable(INTERRUPT.periodic);
    const pointer = data.get("waitPointer");
    const linear = (pointer >>> 16) * 16 + (pointer & 0xffff);
    memory.writeU8(linear, memory.readU8(linear) | ELAPSED);
  }

  #enable(interrupt: number): void {
    this.#write(STATUS_B, this.#read(STATUS_B) | interrupt);
    this.#ports.writePort(SECOND_PIC_MASK, 1, this.#ports.readPort(SECOND_PIC_MASK, 1) & ~CLOCK_IRQ_BIT);
  }

  #disable(interrupt: number): void {
    this.#write(STATUS_B, this.#read(STATUS_B) & ~interrupt);
  }

  #read(register: number): number {
    this.#ports.writePort(CMOS.index, 1, register);
    return this.#ports.readPort(CMOS.data, 1);
  }

  #write(register: number, value: number): void {
    this.#ports.writePort(CMOS.index, 1, register);
    this.#ports.writePort(CMOS.data, 1, value);
  }
}
