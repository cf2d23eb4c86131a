/**
 * When a driver hears that its frames have been sent; the used ring says so at once. Most drivers only give memory back then, so the
 * interrupt waits for more of its kind, or for the driver to look by itself, as Linux does whenever a frame has arrived: whoever sends
 * a little and waits for the answer has one interrupt less for each. Virtual I/O Device 1.2, section 2.7.7.2, leaves open how
 * long a notification takes; section 5.1.6.5.8 (VIRTIO_NET_F_NOTF_COAL, which is not offered) has the same two limits,
 * a time and a number.
 *
 * A driver that sends its next frames only when it has heard of the last would so send a few in each such time. It is known by
 * what it does: nothing, until it hears, and then it sends soon. From then on it hears at once, until it is put to the test
 * again: after twice as many notifications each time that it passes.
 */

import type { Clock, Timers } from "../../../hw/index.ts";
import { NS_PER_MS } from "../../../base/index.ts";

/** How long a driver waits at the most to hear of few frames. */
export const TRANSMIT_TOLD_NS = NS_PER_MS;
/** It hears at once when it lacks so many, or so much memory, that it might send more if it had them back. */
export const TRANSMIT_UNTOLD_FRAMES_MAX = 16;
export const TRANSMIT_UNTOLD_BYTES_MAX = 16 * 1024;
/** A driver that waits sends nothing for this long before it hears. */
export const TRANSMIT_IDLE_NS = TRANSMIT_TOLD_NS / 2;
/** It sends again within this long after it has heard, before a frame arrives. */
export const TRANSMIT_AGAIN_NS = TRANSMIT_TOLD_NS / 4;
/** So often it then hears at once: at first, and when it has passed the test many times. */
export const TRANSMIT_AT_ONCE_MIN = 16;
export const TRANSMIT_AT_ONCE_MAX = 1024;

export interface TransmitInterruptsParts {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Interrupts if the driver still wants to hear of what it has been given back: false if not. */
  readonly interrupt: () => boolean;
}

export class TransmitInterrupts {
  readonly #parts: TransmitInterruptsParts;
  // What the driver has not heard of.
  #frameCount = 0;
  #bytes = 0;
  #lastBatchNs = 0;
  /** A timer is on its way; it runs even if the driver has heard meanwhile, which costs less than to take it back. */
  #isTimed = false;
  /** When a driver that may be waiting for it has heard; undefined once it has done something else than sending. */
  #heardNs: number | undefined;
  /** Batches of which it still hears at once, and of how many it does when it passes the next test. */
  #atOnceLeft = 0;
  #atOnceNext = TRANSMIT_AT_ONCE_MIN;

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
    this.#lastBatchNs = this.#parts.clock.nowNs();
    if (this.#heardNs !== undefined) this.#judge(this.#lastBatchNs - this.#heardNs <= TRANSMIT_AGAIN_NS);
    const framesMax = Math.min(TRANSMIT_UNTOLD_FRAMES_MAX, queueSize / 4);
    const isMuch = this.#frameCount >= framesMax || this.#bytes >= TRANSMIT_UNTOLD_BYTES_MAX;
    if (!isMuch && this.#atOnceLeft === 0) {
      this.tellSoon();
      return;
    }
    if (this.#atOnceLeft > 0) this.#atOnceLeft--;
    this.#tell();
  }

  /** What the driver sends now may be an answer. */
  received(): void {
    this.#heardNs = undefined;
  }

  /** Within {@link TRANSMIT_TOLD_NS}. */
  tellSoon(): void {
    if (this.#isTimed) return;
    this.#isTimed = true;
    const { clock, timers } = this.#parts;
    timers.schedule(clock.nowNs() + TRANSMIT_TOLD_NS, () => {
      this.#isTimed = false;
      const nowNs = clock.nowNs();
      const mayWait = this.#frameCount > 0 && nowNs - this.#lastBatchNs >= TRANSMIT_IDLE_NS;
      if (this.#frameCount > 0 && !mayWait) this.#judge(false);
      if (this.#tell() && mayWait) this.#heardNs = nowNs;
    });
  }

  reset(): void {
    this.#forgetUntold();
    this.#judge(false);
    this.#atOnceLeft = 0;
  }

  #judge(waited: boolean): void {
    this.#heardNs = undefined;
    if (waited) this.#atOnceLeft = this.#atOnceNext;
    this.#atOnceNext = waited ? Math.min(2 * this.#atOnceNext, TRANSMIT_AT_ONCE_MAX) : TRANSMIT_AT_ONCE_MIN;
  }

  #tell(): boolean {
    this.#forgetUntold();
    return this.#parts.interrupt();
  }

  #forgetUntold(): void {
    this.#frameCount = 0;
    this.#bytes = 0;
  }
}
