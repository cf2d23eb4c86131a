/**
 * A serial port of a VM, or its printer's connector, as users see it: several listeners to the output, of which each may ask for time,
 * the last of what was said for those who come later, and input that waits for room.
 */

import { releasable } from "../base/index.ts";
import type { Releasable } from "../base/index.ts";
import { SERIAL_INPUT_MAX_BYTES, SERIAL_OUTPUT_WINDOW_BYTES } from "../vmm/index.ts";

/** Bytes of output that are remembered. */
export const SERIAL_HISTORY_BYTES = 64 * 1024;

/**
 * The VM hears that output was consumed when it is so much: each such message costs both processes more than a line of
 * text does, and the guest waits only for a window that is full.
 */
export const SERIAL_CONFIRMED_TOGETHER_BYTES = SERIAL_OUTPUT_WINDOW_BYTES / 8;

/** The chunk must not be changed. A promise asks the guest to wait until it is settled. */
export type SerialListener = (chunk: Uint8Array) => void | Promise<void>;

export interface SerialTransport {
  input(bytes: Uint8Array): void;
  consumed(byteCount: number): void;
}

export class SerialConsole {
  readonly #transport: SerialTransport;
  readonly #listeners = new Set<SerialListener>();
  readonly #history: Uint8Array[] = [];
  #historyCount = 0;
  /** Input sent to the guest's port that it has not taken. */
  #outstandingCount = 0;
  #unconfirmedCount = 0;
  /** Of these, what the listeners are done with. */
  #consumedCount = 0;
  /** Input beyond that, in order, each with the promise of its writer. */
  readonly #waiting: { readonly bytes: Uint8Array; readonly taken: () => void }[] = [];
  #isClosed = false;

  constructor(transport: SerialTransport) {
    this.#transport = transport;
  }

  /** Calls `listener` for all output from now on. */
  listen(listener: SerialListener): Releasable {
    this.#listeners.add(listener);
    return releasable(() => this.#listeners.delete(listener));
  }

  /** The last output, at most SERIAL_HISTORY_BYTES of it. */
  history(): Uint8Array {
    const bytes = new Uint8Array(this.#historyCount);
    let at = 0;
    for (const chunk of this.#history) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes.subarray(Math.max(0, at - SERIAL_HISTORY_BYTES));
  }

  /** Resolves when all of `bytes` is on its way to the guest; at once when there is room. After the end it is lost. */
  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#isClosed; at += SERIAL_INPUT_MAX_BYTES) {
      const part = bytes.slice(at, at + SERIAL_INPUT_MAX_BYTES);
      await new Promise<void>((taken) => {
        this.#waiting.push({ bytes: part, taken });
        this.#sendWaiting();
      });
    }
  }

  // The VM's side.

  /** Output that the VM has not heard to be consumed. */
  get unconfirmedCount(): number {
    return this.#unconfirmedCount;
  }

  async output(chunk: Uint8Array): Promise<void> {
    this.#unconfirmedCount += chunk.length;
    this.#remember(chunk);
    const slow = [...this.#listeners].map((listener) => listener(chunk)).filter((wait) => wait !== undefined);
    if (slow.length > 0) await Promise.allSettled(slow);
    this.#consumedCount += chunk.length;
    if (this.#consumedCount < SERIAL_CONFIRMED_TOGETHER_BYTES) return;
    const byteCount = this.#consumedCount;
    this.#consumedCount = 0;
    this.#unconfirmedCount -= byteCount;
    this.#transport.consumed(byteCount);
  }

  inputTaken(byteCount: number): void {
    this.#outstandingCount = Math.max(0, this.#outstandingCount - byteCount);
    this.#sendWaiting();
  }

  close(): void {
    this.#isClosed = true;
    for (const { taken } of this.#waiting.splice(0)) taken();
  }

  #sendWaiting(): void {
    for (;;) {
      const next = this.#waiting[0];
      if (next === undefined || this.#outstandingCount + next.bytes.length > SERIAL_INPUT_MAX_BYTES) return;
      this.#waiting.shift();
      this.#outstandingCount += next.bytes.length;
      this.#transport.input(next.bytes);
      next.taken();
    }
  }

  #remember(chunk: Uint8Array): void {
    this.#history.push(chunk);
    this.#historyCount += chunk.length;
    for (;;) {
      const oldest = this.#history[0];
      if (oldest === undefined || this.#historyCount - oldest.length < SERIAL_HISTORY_BYTES) return;
      this.#history.shift();
      this.#historyCount -= oldest.length;
    }
  }
}
