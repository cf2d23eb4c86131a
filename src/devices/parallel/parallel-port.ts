/**
 * A parallel port with a printer on it: the IBM PC's printer adapter (IBM PC AT Technical Reference, "Printer Adapter";
 * IEEE 1284 compatibility mode) with the direction bit of the PS/2's. The printer takes no time: a byte is taken at the
 * strobe and acknowledged at once, unless whoever gets it asks for time, which the guest sees as a busy printer.
 *
 * Deliberately missing: EPP and ECP, whose registers are not there, so that drivers find a port without them; and data
 * from the printer, which reads as lines that nobody drives.
 */

import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import type { Device, DeviceState, IrqLine, RegisterHooks } from "../../hw/index.ts";

/** Where a printer's input goes. */
export interface PrinterSink {
  /** Takes one byte. Returning false asks for time until {@link ParallelPort.transmitReady}. */
  transmit(byte: number): boolean;
}

export interface ParallelPortConfig {
  readonly name: string;
  readonly irq: IrqLine;
  readonly sink: PrinterSink;
}

export const PARALLEL_PORT_BYTES = 3;

const REGISTERS = defineRegisters({
  data: { at: 0, reset: 0, read: "readData" },
  status: { at: 1, access: "ro", read: "readStatus" },
  /** The two upper bits are not there, and read as ones. */
  control: { at: 2, reset: 0xc0, writable: 0x3f, write: "controlWritten" },
});
/** As a program reads them: not busy, not acknowledging, selected and without an error; bits 2 to 0 are not wired. */
const STATUS = { notBusy: 0x80, unchanging: 0x5f } as const;
const CONTROL = { strobe: 0x01, notInitialize: 0x04, interruptEnable: 0x10, input: 0x20 } as const;
const UNDRIVEN = 0xff;

export class ParallelPort implements Device, RegisterHooks<typeof REGISTERS> {
  readonly name: string;
  readonly registers = new RegisterFile(REGISTERS, this);
  readonly #irq: IrqLine;
  readonly #sink: PrinterSink;
  /** A byte was taken and is not acknowledged. */
  #isBusy = false;
  /** What the printer gets goes on to somebody who has asked for time. */
  #isSinkReady = true;

  constructor({ name, irq, sink }: ParallelPortConfig) {
    this.name = name;
    this.#irq = irq;
    this.#sink = sink;
  }

  /** The sink that returned false can take bytes again. */
  transmitReady(): void {
    this.#isSinkReady = true;
    if (this.#isBusy) this.#acknowledge();
  }

  reset(): void {
    this.registers.reset();
    this.#isBusy = false;
  }

  save(): DeviceState {
    return { registers: this.registers.save(), isBusy: this.#isBusy };
  }

  /** A byte that was on its way is with whoever got it then: the printer of the restored machine acknowledges it. */
  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.registers.restore(reader.object("registers"), `${this.name}.registers`);
    this.#isBusy = reader.boolean("isBusy");
    if (this.#isBusy && this.#isSinkReady) this.#acknowledge();
  }

  // Register hooks.

  readData(stored: number): number {
    return (this.registers.values.control & CONTROL.input) === 0 ? stored : UNDRIVEN;
  }

  readStatus(): number {
    return STATUS.unchanging | (this.#isBusy || !this.#isSinkReady ? 0 : STATUS.notBusy);
  }

  controlWritten(written: number, before: number): void {
    const { control } = this.registers.values;
    // A printer that is initialized forgets what it has not acknowledged.
    if ((control & CONTROL.notInitialize) === 0) this.#isBusy = false;
    const isStrobed = (written & ~before & CONTROL.strobe) !== 0;
    if (isStrobed && !this.#isBusy && this.#isSinkReady) this.#take();
  }

  // Workings.

  #take(): void {
    this.#isBusy = true;
    this.#isSinkReady = this.#sink.transmit(this.readData(this.registers.values.data));
    if (this.#isSinkReady) this.#acknowledge();
  }

  /** The pulse of ACK#, whose end interrupts. */
  #acknowledge(): void {
    this.#isBusy = false;
    if ((this.registers.values.control & CONTROL.interruptEnable) === 0) return;
    this.#irq.set(true);
    this.#irq.set(false);
  }
}
