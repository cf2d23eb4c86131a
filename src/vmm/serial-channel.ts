/**
 * A connector's bytes on their way between the machine and whoever uses it, with back-pressure both ways and
 * bounded buffers. Output is collected during a slice and handed over in chunks; while the consumer has not confirmed
 * enough of them, the port is asked to hold further bytes back, and the guest sees a busy transmitter. Input waits
 * here when the port is full.
 */

import { assert } from "../base/index.ts";
import type { Connector } from "../machine/index.ts";

/** Bytes of output that are collected or handed over but not confirmed as consumed. */
export const SERIAL_OUTPUT_WINDOW_BYTES = 256 * 1024;
/**
 * Room that is left in the window when the port is asked to wait: what shares it, as a serial port and a virtio console,
 * hears of that only by its own next byte.
 */
export const SERIAL_OUTPUT_SLACK_BYTES = 256;
/** Bytes of input that wait for room in the port. */
export const SERIAL_INPUT_MAX_BYTES = 64 * 1024;

export interface SerialPort {
  /** Takes as many bytes as there is room for and returns how many. */
  serialInput(bytes: Uint8Array, connector: Connector): number;
  serialReady(connector: Connector): void;
}

export interface SerialConsumer {
  /** The chunk is the consumer's; it must be confirmed with confirm(chunk.length), now or later. */
  output(chunk: Uint8Array, connector: Connector): void;
  /** The guest's port took this many bytes of the input. */
  inputTaken(byteCount: number, connector: Connector): void;
}

export class SerialChannel {
  readonly #consumer: SerialConsumer;
  readonly #connector: Connector;
  readonly #collected = new Uint8Array(SERIAL_OUTPUT_WINDOW_BYTES);
  #collectedCount = 0;
  #unconfirmedCount = 0;
  #isPortWaiting = false;
  #port: SerialPort | undefined;
  /** Input that the port has not taken, in order. */
  readonly #input: Uint8Array[] = [];
  #inputCount = 0;

  constructor(consumer: SerialConsumer, connector: Connector) {
    this.#consumer = consumer;
    this.#connector = connector;
  }

  connect(port: SerialPort): void {
    this.#port = port;
  }

  /** A byte from the guest; false asks the port to wait for its serialReady(). */
  transmit(byte: number): boolean {
    const occupiedCount = this.#collectedCount + this.#unconfirmedCount;
    // Only a port that does not wait although it was asked to comes to the end of the window; what it sends is lost.
    if (occupiedCount < SERIAL_OUTPUT_WINDOW_BYTES) this.#collected[this.#collectedCount++] = byte;
    this.#isPortWaiting = occupiedCount + 1 >= SERIAL_OUTPUT_WINDOW_BYTES - SERIAL_OUTPUT_SLACK_BYTES;
    return !this.#isPortWaiting;
  }

  /** Hands over what was collected, and offers waiting input to the port; between slices. */
  move(): void {
    if (this.#collectedCount > 0) {
      const chunk = this.#collected.slice(0, this.#collectedCount);
      this.#collectedCount = 0;
      this.#unconfirmedCount += chunk.length;
      this.#consumer.output(chunk, this.#connector);
    }
    this.#offerInput();
  }

  /** The consumer is done with `byteCount` bytes of output. */
  confirm(byteCount: number): void {
    assert(
      byteCount >= 0 && byteCount <= this.#unconfirmedCount,
      "no more is confirmed than was handed over",
    );
    this.#unconfirmedCount -= byteCount;
    if (this.#isPortWaiting && this.#unconfirmedCount <= SERIAL_OUTPUT_WINDOW_BYTES / 2) {
      this.#isPortWaiting = false;
      this.#port?.serialReady(this.#connector);
    }
  }

  /** Input for the guest; false, and nothing is taken, when it does not fit. */
  write(bytes: Uint8Array): boolean {
    if (this.#inputCount + bytes.length > SERIAL_INPUT_MAX_BYTES) return false;
    if (bytes.length === 0) return true;
    this.#input.push(bytes);
    this.#inputCount += bytes.length;
    this.#offerInput();
    return true;
  }

  #offerInput(): void {
    let takenCount = 0;
    for (;;) {
      const first = this.#input[0];
      if (first === undefined || this.#port === undefined) break;
      const taken = this.#port.serialInput(first, this.#connector);
      takenCount += taken;
      if (taken < first.length) {
        this.#input[0] = first.subarray(taken);
        break;
      }
      this.#input.shift();
    }
    if (takenCount === 0) return;
    this.#inputCount -= takenCount;
    this.#consumer.inputTaken(takenCount, this.#connector);
  }
}
