/**
 * The debug console known from QEMU and Bochs (isa-debugcon): a port to which firmware writes its log, a byte at a time,
 * and which reads as E9h, so that it is found.
 *
 * The port has no way to make the guest wait: what whoever listens does not take at once is kept, and what is beyond that
 * is lost.
 */

import type { AccessSize, Device, DeviceState, PortHandler } from "../../hw/index.ts";

export const DEBUG_CONSOLE_PORT = 0x402;
/** Bytes that wait for whoever listens. */
export const DEBUG_CONSOLE_BYTES_MAX = 64 * 1024;
const PRESENT = 0xe9;

/** A byte for the listener; false asks to wait for transmitReady(). */
export interface DebugConsoleSink {
  transmit(byte: number): boolean;
}

export class DebugConsole implements Device, PortHandler {
  readonly name = "debug-console";
  readonly #sink: DebugConsoleSink;
  readonly #waiting: number[] = [];
  #isWaiting = false;
  #lostCount = 0;

  constructor(sink: DebugConsoleSink) {
    this.#sink = sink;
  }

  get lostCount(): number {
    return this.#lostCount;
  }

  readPort(): number {
    return PRESENT;
  }

  writePort(_offset: number, _size: AccessSize, value: number): void {
    if (this.#waiting.length >= DEBUG_CONSOLE_BYTES_MAX) {
      this.#lostCount++;
      return;
    }
    if (this.#isWaiting) this.#waiting.push(value & 0xff);
    else this.#isWaiting = !this.#sink.transmit(value & 0xff);
  }

  /** The listener takes bytes again. */
  transmitReady(): void {
    this.#isWaiting = false;
    let sent = 0;
    for (const byte of this.#waiting) {
      if (this.#isWaiting) break;
      this.#isWaiting = !this.#sink.transmit(byte);
      sent++;
    }
    this.#waiting.splice(0, sent);
  }

  reset(): void {}

  /** What waits is on its way to the host, and no state of the guest's. */
  save(): DeviceState {
    return {};
  }

  restore(): void {}
}
