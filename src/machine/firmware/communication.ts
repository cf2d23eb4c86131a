/**
 * INT 14h, serial ports, and INT 17h, printers: IBM PS/2 and PC BIOS Interface Technical Reference. A serial port is
 * waited for with interrupts enabled; a printer that is busy times out at once.
 */

import { NS_PER_S } from "../../base/index.ts";
import type { Clock, PortBus } from "../../hw/index.ts";
import type { BiosData } from "./bios-data.ts";
import type { ServiceCall } from "./service-call.ts";

const UART = {
  data: 0,
  interruptEnable: 1,
  lineControl: 3,
  modemControl: 4,
  lineStatus: 5,
  modemStatus: 6,
} as const;
const DIVISOR_ACCESS = 0x80;
const DATA_READY = 0x01;
const TRANSMITTER_EMPTY = 0x20;
const TIMEOUT = 0x80;
const SERIAL_TIMEOUT_NS = NS_PER_S;
const TERMINAL_READY_AND_REQUEST = 0x03;
const DIVISOR_BASE = 115_200;
const BAUD_RATES = [110, 150, 300, 600, 1200, 2400, 4800, 9600] as const;

const EXTENDED_BAUD_RATES = [...BAUD_RATES, 19_200, 38_400, 57_600, 115_200] as const;
/** None, odd, even, stick odd, stick even, as the line control register has them. */
const PARITIES = [0x00, 0x08, 0x18, 0x28, 0x38] as const;
const BREAK = 0x40;

const PRINTER = { data: 0, status: 1, control: 2 } as const;
const PRINTER_TIMEOUT = 0x01;
const PRINTER_NOT_BUSY = 0x80;
const PRINTER_STROBE = 0x01;
const PRINTER_SELECT = 0x0c;

export class CommunicationServices {
  readonly #ports: PortBus;
  readonly #data: BiosData;
  readonly #clock: Clock;
  /** Guest time at which the wait of INT 14h is over. */
  #waitEndNs: number | undefined;

  constructor(ports: PortBus, data: BiosData, clock: Clock) {
    this.#clock = clock;
    this.#ports = ports;
    this.#data = data;
  }

  reset(): void {
    this.#waitEndNs = undefined;
  }

  /** False when the call waits: it is to be made again after the next interrupt. */
  serial(call: ServiceCall): boolean {
    const base = this.#data.serialPort(call.dx);
    if (base === 0) {
      call.ah = TIMEOUT;
      return true;
    }
    const status = (): number => this.#ports.readPort(base + UART.lineStatus, 1);
    switch (call.ah) {
      case 0x00:
        this.#initialize(base, call.al);
        break;
      case 0x01:
        if ((status() & TRANSMITTER_EMPTY) === 0) {
          if (this.#waits()) return false;
          call.ah = TIMEOUT | status();
          return true;
        }
        this.#waitEndNs = undefined;
        this.#ports.writePort(base + UART.data, 1, call.al);
        call.ah = status() & ~TIMEOUT;
        return true;
      case 0x02:
        if ((status() & DATA_READY) === 0) {
          if (this.#waits()) return false;
          call.ah = TIMEOUT;
          return true;
        }
        this.#waitEndNs = undefined;
        call.al = this.#ports.readPort(base + UART.data, 1);
        call.ah = status() & 0x1e;
        return true;
      case 0x03:
        break;
      case 0x04:
        this.#initializeExtended(base, call);
        break;
      case 0x05:
        if (call.al === 0) call.bl = this.#ports.readPort(base + UART.modemControl, 1);
        else this.#ports.writePort(base + UART.modemControl, 1, call.bl);
        break;
      default:
        return true;
    }
    call.ah = status();
    call.al = this.#ports.readPort(base + UART.modemStatus, 1);
    return true;
  }

  /** Whether the time that a port is given is not over. */
  #waits(): boolean {
    this.#waitEndNs ??= this.#clock.nowNs() + SERIAL_TIMEOUT_NS;
    if (this.#clock.nowNs() < this.#waitEndNs) return true;
    this.#waitEndNs = undefined;
    return false;
  }

  /** Bits 7–5 the baud rate, then parity, stop bits and length as the line control register has them. */
  #initialize(base: number, parameters: number): void {
    this.#program(base, BAUD_RATES[parameters >>> 5] ?? 9600, parameters & 0x1f);
  }

  #program(base: number, baudRate: number, lineControl: number): void {
    const divisor = Math.round(DIVISOR_BASE / baudRate);
    const write = (register: number, value: number): void => this.#ports.writePort(base + register, 1, value);
    write(UART.lineControl, DIVISOR_ACCESS);
    write(UART.data, divisor & 0xff);
    write(UART.interruptEnable, divisor >>> 8);
    write(UART.lineControl, lineControl);
    write(UART.interruptEnable, 0);
    write(UART.modemControl, TERMINAL_READY_AND_REQUEST);
  }

  /** Break in AL, parity in BH, stop bits in BL, length in CH, baud rate in CL, which has four more than the older function. */
  #initializeExtended(base: number, call: ServiceCall): void {
    const lineControl =
      (call.ch & 0x03) | ((call.bl & 1) << 2) | (PARITIES[call.bh] ?? 0) | (call.al === 0 ? 0 : BREAK);
    this.#program(base, EXTENDED_BAUD_RATES[call.cl] ?? 9600, lineControl);
  }

  printer(call: ServiceCall): void {
    const base = this.#data.parallelPort(call.dx);
    if (base === 0) {
      call.ah = PRINTER_TIMEOUT;
      return;
    }
    const write = (register: number, value: number): void => this.#ports.writePort(base + register, 1, value);
    const status = (): number => (this.#ports.readPort(base + PRINTER.status, 1) ^ 0x48) & 0xf8;
    switch (call.ah) {
      case 0x00:
        if ((status() & PRINTER_NOT_BUSY) === 0) {
          call.ah = status() | PRINTER_TIMEOUT;
          return;
        }
        write(PRINTER.data, call.al);
        write(PRINTER.control, PRINTER_SELECT | PRINTER_STROBE);
        write(PRINTER.control, PRINTER_SELECT);
        break;
      case 0x01:
        write(PRINTER.control, PRINTER_SELECT & ~0x04);
        write(PRINTER.control, PRINTER_SELECT);
        break;
      case 0x02:
        break;
      default:
        return;
    }
    call.ah = status();
  }
}
