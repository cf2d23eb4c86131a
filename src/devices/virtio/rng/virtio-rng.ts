/**
 * The entropy device: fills what the driver gives it with random bytes of the host (Virtual I/O Device 1.2, section
 * 5.4). A buffer gets at most {@link RNG_REQUEST_BYTES_MAX} bytes, which the driver sees from its used length.
 */

import { defineRegisters, RegisterFile } from "../../../hw/index.ts";
import type { DeviceRegisters, DeviceState } from "../../../hw/index.ts";
import type { VirtioDevice, VirtioHost, VirtioType } from "../virtio-device.ts";

/** What one buffer costs the host at most; drivers ask for tens of bytes. */
export const RNG_REQUEST_BYTES_MAX = 1024;
const QUEUE_SIZE = 64;
const REQUEST_QUEUE = 0;

export class VirtioRng implements VirtioDevice {
  /** PCI has no class for it; 00FFh is "other" of the class of devices older than classes. */
  readonly type: VirtioType = { id: 4, transitionalPciId: 0x1005, baseClass: 0x00, subClass: 0xff };
  readonly features: readonly number[] = [];
  readonly queueSizes: readonly number[] = [QUEUE_SIZE];
  readonly config: DeviceRegisters = new RegisterFile(defineRegisters({}), {});
  readonly configBytes = 0;
  readonly #entropy: (byteCount: number) => Uint8Array;
  #host: VirtioHost | undefined;

  constructor(entropy: (byteCount: number) => Uint8Array) {
    this.#entropy = entropy;
  }

  attach(host: VirtioHost): void {
    this.#host = host;
  }

  notified(): void {
    const queue = this.#host?.queue(REQUEST_QUEUE);
    if (queue === undefined) return;
    // As many as were there: a driver that adds more meanwhile gets its turn at its next notification.
    for (let count = 0; count < QUEUE_SIZE; count++) {
      const chain = queue.pop();
      if (chain === undefined) break;
      const wanted = Math.min(chain.writable.totalBytes, RNG_REQUEST_BYTES_MAX);
      queue.push(chain, chain.writable.write(queue.dma, 0, this.#entropy(wanted)));
    }
    queue.setNotifications(true);
    this.#host?.interrupt(REQUEST_QUEUE);
  }

  featuresAgreed(): void {}

  reset(): void {}

  save(): DeviceState {
    return {};
  }

  restore(): void {}
}
