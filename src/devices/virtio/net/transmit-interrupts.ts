/**
 * When a driver hears that its frames have been sent. All that it does about it is to give memory back, so the interrupt
 * waits for more of its kind, or for the driver to look by itself, as Linux does whenever a frame has arrived: whoever sends
 * a little and waits for the answer has one interrupt less for each. Virtual I/O Device 1.2, section 2.7.7.2, leaves open how
 * long a notification takes; section 5.1.6.5.8 (VIRTIO_NET_F_NOTF_COAL, which is not offered) has the same two limits,
 * a time and a number.
 */

import type { Clock, Timers } from "../../../hw/index.ts";
import { NS_PER_MS } from "../../../base/index.ts";

/** How long a driver waits at the most to hear of few frames. */
export const TRANSMIT_TOLD_NS = NS_PER_MS;
/** It hears at once when it lacks so many, or so much memory, that it might send more if it had them back. */
export const TRANSMIT_UNTOLD_FRAMES_MAX = 16;
export const TRANSMIT_UNTOLD_BYTES_MAX = 16 * 1024;

export interface TransmitInterruptsParts {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Interrupts if the driver still wants to hear of what it has been given back. */
  readonly interrupt: () => void;
}

export class TransmitInterrupts {
  readonly #parts: TransmitInterruptsParts;
  #frameCount = 0;
  #bytes = 0;
  /** A timer is on its way; it runs even if the driver has heard meanwhile, which costs less than to take it back. */
  #isTimed = false;

  constructor(parts: TransmitInterruptsParts) {
    this.#parts = parts;
  }

  /** A frame has been given back in a queue of so many descriptors. */
  sent(bytes: number): void {
    this.#frameCount++;
    this.#bytes += bytes;
  }

  /** All that were sent together have been given back. */
  batchEnded(queueSize: number): void {
    const framesMax = Math.min(TRANSMIT_UNTOLD_FRAMES_MAX, queueSize / 4);
    if (this.#frameCount >= framesMax || this.#bytes >= TRANSMIT_UNTOLD_BYTES_MAX) this.#tell();
    else this.tellSoon();
  }

  /** Within {@link TRANSMIT_TOLD_NS}. */
  tellSoon(): void {
    if (this.#isTimed) return;
    this.#isTimed = true;
    const { clock, timers } = this.#parts;
    timers.schedule(clock.nowNs() + TRANSMIT_TOLD_NS, () => {
      this.#isTimed = false;
      this.#tell();
    });
  }

  reset(): void {
    this.#frameCount = 0;
    this.#bytes = 0;
  }

  #tell(): void {
    this.reset();
    this.#parts.interrupt();
  }
}
