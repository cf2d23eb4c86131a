/**
 * The console device with its first port: two queues of bytes (Virtual I/O Device 1.2, section 5.3). What the driver
 * sends goes to the sink as fast as that takes it; what arrives goes into the buffers that the driver has offered, and
 * waits outside while there are none.
 *
 * Missing on purpose: VIRTIO_CONSOLE_F_MULTIPORT, and VIRTIO_CONSOLE_F_SIZE, since nobody here knows a size.
 */

import { defineRegisters, RegisterFile, StateReader } from "../../../hw/index.ts";
import type { DeviceState, RegisterHooks } from "../../../hw/index.ts";
import type { DescriptorChain, Virtqueue } from "../queue/index.ts";
import type { VirtioDevice, VirtioHost, VirtioType } from "../virtio-device.ts";

const FEATURE = { emergencyWrite: 2 } as const;
const RECEIVE_QUEUE = 0;
const TRANSMIT_QUEUE = 1;
const QUEUE_SIZE = 64;
/** Bytes that are moved at one time. */
const PIECE_BYTES = 4096;

const REGISTERS = defineRegisters({
  columns: { at: 0, size: 2, reset: 0, writable: 0 },
  rows: { at: 2, size: 2, reset: 0, writable: 0 },
  maxPorts: { at: 4, size: 4, reset: 1, writable: 0 },
  emergencyWrite: { at: 8, size: 4, reset: 0, writable: 0, write: "emergencyWritten" },
});

/** Where the driver's output goes. */
export interface ConsoleSink {
  /**
   * Takes one byte. Returning false asks the console to hold further bytes back until its transmitReady() is called;
   * the byte given has still been taken.
   */
  transmit(byte: number): boolean;
}

interface Sending {
  readonly queue: Virtqueue;
  readonly chain: DescriptorChain;
  sentBytes: number;
}

export class VirtioConsole implements VirtioDevice, RegisterHooks<typeof REGISTERS> {
  readonly type: VirtioType = { id: 3, transitionalPciId: 0x1003, baseClass: 0x07, subClass: 0x80 };
  readonly features: readonly number[] = [FEATURE.emergencyWrite];
  readonly queueSizes: readonly number[] = [QUEUE_SIZE, QUEUE_SIZE];
  readonly config = new RegisterFile(REGISTERS, this);
  readonly configBytes = 12;
  readonly #sink: ConsoleSink;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #host: VirtioHost | undefined;
  /** The sink takes nothing more for now. */
  #isHeld = false;
  /** What is being sent, and how much of it has been. */
  #sending: Sending | undefined;

  constructor(sink: ConsoleSink) {
    this.#sink = sink;
  }

  /** Whether a driver uses the console. */
  get isInUse(): boolean {
    return this.#host?.queue(RECEIVE_QUEUE) !== undefined;
  }

  // The host's side.

  /** Input for the guest; returns how many bytes had room in its buffers. */
  receive(bytes: Uint8Array): number {
    const queue = this.#host?.queue(RECEIVE_QUEUE);
    let taken = 0;
    while (queue !== undefined && taken < bytes.length) {
      const chain = queue.pop();
      if (chain === undefined) break;
      const written = chain.writable.write(queue.dma, 0, bytes.subarray(taken));
      queue.push(chain, written);
      taken += written;
    }
    if (taken > 0) this.#host?.interrupt(RECEIVE_QUEUE);
    return taken;
  }

  /** After the sink's transmit() returned false: bytes are taken again. */
  transmitReady(): void {
    this.#isHeld = false;
    this.#send();
  }

  // The transport's side.

  attach(host: VirtioHost): void {
    this.#host = host;
  }

  featuresAgreed(): void {}

  /** Buffers for input lie where they are until there is some. */
  notified(index: number): void {
    if (index === TRANSMIT_QUEUE) this.#send();
  }

  reset(): void {
    this.#sending = undefined;
  }

  save(): DeviceState {
    return { sentBytes: this.#sending?.sentBytes ?? 0 };
  }

  restore(state: DeviceState, queues: readonly (Virtqueue | undefined)[]): void {
    const sentBytes = new StateReader("virtio-console", state).u32("sentBytes");
    const queue = queues[TRANSMIT_QUEUE];
    const [chain] = queue?.outstanding ?? [];
    this.#sending = queue === undefined || chain === undefined ? undefined : { queue, chain, sentBytes };
    // Whether the sink takes more is the host's, which says so by transmitReady().
    this.#isHeld = false;
  }

  /** A byte from who has no queue yet, or none any more. */
  emergencyWritten(value: number): void {
    if (!this.#sink.transmit(value & 0xff)) this.#isHeld = true;
  }

  // Workings.

  #send(): void {
    const queue = this.#host?.queue(TRANSMIT_QUEUE);
    if (queue === undefined) return;
    if (this.#sending?.queue.isRetired === true) this.#sending = undefined;
    let hasSent = false;
    while (!this.#isHeld) {
      this.#sending ??= begin(queue);
      const sending = this.#sending;
      if (sending === undefined) break;
      if (!this.#sendChain(sending)) break;
      this.#sending = undefined;
      queue.push(sending.chain, 0);
      hasSent = true;
    }
    queue.setNotifications(!this.#isHeld);
    if (hasSent) this.#host?.interrupt(TRANSMIT_QUEUE);
  }

  /** Whether all of it has been sent. */
  #sendChain(sending: Sending): boolean {
    const { queue, chain } = sending;
    while (sending.sentBytes < chain.readable.totalBytes) {
      const count = chain.readable.read(queue.dma, sending.sentBytes, this.#piece);
      for (let index = 0; index < count; index++) {
        sending.sentBytes++;
        if (this.#sink.transmit(this.#piece[index] ?? 0)) continue;
        this.#isHeld = true;
        return sending.sentBytes === chain.readable.totalBytes;
      }
    }
    return true;
  }
}

function begin(queue: Virtqueue): Sending | undefined {
  const chain = queue.pop();
  return chain === undefined ? undefined : { queue, chain, sentBytes: 0 };
}
