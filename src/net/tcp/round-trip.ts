/** The retransmission time-out from measured round trips (RFC 6298), doubled for each one in a row that was in vain. */

import { NS_PER_MS, NS_PER_S } from "../../base/index.ts";

/**
 * RFC 6298 would have a second. Here the path is a call; what takes long is a guest that has no processor, and round trips
 * that are measured say so.
 */
export const RTO_MIN_NS = 400 * NS_PER_MS;
export const RTO_MAX_NS = 60 * NS_PER_S;
/** Before anything was measured (section 2.1). */
export const RTO_INITIAL_NS = NS_PER_S;

export class RoundTrip {
  #smoothedNs: number | undefined;
  #variationNs = 0;
  #timeoutNs = RTO_INITIAL_NS;

  get timeoutNs(): number {
    return this.#timeoutNs;
  }

  /** A round trip of something that was sent once only (Karn's algorithm, section 3). */
  measured(roundTripNs: number): void {
    if (this.#smoothedNs === undefined) {
      this.#smoothedNs = roundTripNs;
      this.#variationNs = roundTripNs / 2;
    } else {
      this.#variationNs += (Math.abs(this.#smoothedNs - roundTripNs) - this.#variationNs) / 4;
      this.#smoothedNs += (roundTripNs - this.#smoothedNs) / 8;
    }
    const timeoutNs = this.#smoothedNs + 4 * this.#variationNs;
    this.#timeoutNs = Math.min(RTO_MAX_NS, Math.max(RTO_MIN_NS, timeoutNs));
  }

  backOff(): void {
    this.#timeoutNs = Math.min(RTO_MAX_NS, 2 * this.#timeoutNs);
  }
}
