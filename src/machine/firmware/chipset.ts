/**
 * What the power-on self-test programs into the parts every PC has, by their ports: interrupt controllers, the system
 * timer, the real-time clock, the keyboard controller. IBM PC AT Technical Reference; the parts' own data sheets.
 */

import type { PortBus } from "../../hw/index.ts";

const PIC = { first: 0x20, second: 0xa0 } as const;
/** Initialization: edge-triggered, cascaded, with ICW4. */
const ICW1 = 0x11;
const ICW4_8086 = 0x01;
const FIRST_VECTOR = { first: 0x08, second: 0x70 } as const;
const CASCADE = { first: 0x04, second: 0x02 } as const;
/** Timer, keyboard, cascade and diskettes; RTC and disks on the second. */
const MASK = { first: 0xb8, second: 0x8f } as const;

const PIT = { counter0: 0x40, control: 0x43 } as const;
/** Counter 0: low byte, high byte, square wave. */
const PIT_SQUARE_WAVE = 0x36;

const CMOS = { index: 0x70, data: 0x71 } as const;
const RTC_STATUS_A = { index: 0x0a, value: 0x26 } as const;
/** 24 hours, BCD, no interrupts. */
const RTC_STATUS_B = { index: 0x0b, value: 0x02 } as const;
const RTC_STATUS_C = 0x0c;

const KEYBOARD = { data: 0x60, command: 0x64, outputFull: 0x01 } as const;
const WRITE_COMMAND_BYTE = 0x60;
/** Translated scan codes, system flag, keyboard interrupts; the pointing device off. */
const COMMAND_BYTE = 0x65;
const STALE_BYTES_MAX = 16;

export function programChipset(ports: PortBus): void {
  const out = (port: number, value: number): void => ports.writePort(port, 1, value);
  for (const which of ["first", "second"] as const) {
    out(PIC[which], ICW1);
    out(PIC[which] + 1, FIRST_VECTOR[which]);
    out(PIC[which] + 1, CASCADE[which]);
    out(PIC[which] + 1, ICW4_8086);
    out(PIC[which] + 1, MASK[which]);
  }
  out(PIT.control, PIT_SQUARE_WAVE);
  out(PIT.counter0, 0);
  out(PIT.counter0, 0);
  for (const { index, value } of [RTC_STATUS_A, RTC_STATUS_B]) {
    out(CMOS.index, index);
    out(CMOS.data, value);
  }
  out(CMOS.index, RTC_STATUS_C);
  ports.readPort(CMOS.data, 1);
  flushKeyboard(ports);
  out(KEYBOARD.command, WRITE_COMMAND_BYTE);
  out(KEYBOARD.data, COMMAND_BYTE);
}

/** Takes what the keyboard controller has still to say. */
export function flushKeyboard(ports: PortBus): void {
  for (let index = 0; index < STALE_BYTES_MAX; index++) {
    if ((ports.readPort(KEYBOARD.command, 1) & KEYBOARD.outputFull) === 0) break;
    ports.readPort(KEYBOARD.data, 1);
  }
}
