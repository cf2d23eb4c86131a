/**
 * Congestion control: slow start and congestion avoidance by acknowledged bytes, fast retransmit and fast recovery (RFC 5681,
 * RFC 6582, RFC 3465). Between us and the guest nothing is congested but the guest itself, whose lost packets it paces.
 */

/** RFC 6928. */
const INITIAL_SEGMENTS = 10;
/** No window of a receiver is larger. */
const WINDOW_BYTES_MAX = 0xffff << 14;
/** Duplicate acknowledgments that mean a loss. */
const DUPLICATES = 3;

export class Congestion {
  readonly #mss: number;
  #windowBytes: number;
  #thresholdBytes = WINDOW_BYTES_MAX;
  #duplicates = 0;
  #isRecovering = false;

  constructor(mss: number) {
    this.#mss = mss;
    this.#windowBytes = INITIAL_SEGMENTS * mss;
  }

  get windowBytes(): number {
    return this.#windowBytes;
  }

  get isRecovering(): boolean {
    return this.#isRecovering;
  }

  acknowledged(byteCount: number): void {
    this.#duplicates = 0;
    if (this.#isRecovering) {
      // A partial acknowledgment: the window shrinks by what has arrived, and one segment more may go (RFC 6582, 3.2).
      this.#windowBytes = Math.max(this.#mss, this.#windowBytes - byteCount + this.#mss);
      return;
    }
    const growth =
      this.#windowBytes < this.#thresholdBytes
        ? byteCount
        : Math.ceil((this.#mss * byteCount) / this.#windowBytes);
    this.#windowBytes = Math.min(WINDOW_BYTES_MAX, this.#windowBytes + growth);
  }

  /** True when the segment that is missing is to be sent again. */
  duplicate(inFlightBytes: number): boolean {
    if (this.#isRecovering) {
      this.#windowBytes = Math.min(WINDOW_BYTES_MAX, this.#windowBytes + this.#mss);
      return false;
    }
    this.#duplicates++;
    if (this.#duplicates < DUPLICATES) return false;
    this.#isRecovering = true;
    this.#thresholdBytes = this.#halved(inFlightBytes);
    this.#windowBytes = this.#thresholdBytes + DUPLICATES * this.#mss;
    return true;
  }

  /** Everything that was under way at the loss has been acknowledged. */
  recovered(): void {
    this.#isRecovering = false;
    this.#duplicates = 0;
    this.#windowBytes = this.#thresholdBytes;
  }

  timedOut(inFlightBytes: number): void {
    this.#isRecovering = false;
    this.#duplicates = 0;
    this.#thresholdBytes = this.#halved(inFlightBytes);
    this.#windowBytes = this.#mss;
  }

  #halved(inFlightBytes: number): number {
    return Math.max(Math.floor(inFlightBytes / 2), 2 * this.#mss);
  }
}
