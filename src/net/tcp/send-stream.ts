/**
 * What a TCP connection sends once it is open (RFC 9293, section 3.10.7.4 on acknowledgments; 3.8): the bytes of a ring, then
 * a FIN, as the receiver's window and congestion control let them go, again after a time-out or three duplicate
 * acknowledgments, and byte by byte into a closed window. Selective acknowledgments are not asked for.
 */

import type { Clock } from "../../base/index.ts";
import { TCP_FLAG } from "../wire/tcp.ts";
import type { ByteRing } from "./byte-ring.ts";
import { Congestion } from "./congestion.ts";
import type { RoundTrip } from "./round-trip.ts";
import { advanced, distance } from "./sequence.ts";

export interface SendStreamParts {
  readonly ring: ByteRing;
  readonly clock: Clock;
  readonly roundTrip: RoundTrip;
  /** Sequence number of the first byte. */
  readonly first: number;
  readonly mss: number;
  readonly windowBytes: number;
  readonly counters: { tcpRetransmissions: number };
  /**
   * Sends `dataBytes` of the ring from `offset` on, with these flags besides ACK; false where there is no room for it now.
   */
  readonly emit: (sequence: number, flags: number, offset: number, dataBytes: number) => boolean;
}

export interface Acknowledgment {
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly windowBytes: number;
  readonly hasData: boolean;
}

export class SendStream {
  readonly #parts: SendStreamParts;
  readonly #congestion: Congestion;
  /** SND.UNA, which is the sequence number of the ring's first byte, SND.NXT, and the highest that was ever sent. */
  #unacknowledged: number;
  #next: number;
  #highest: number;
  #windowBytes: number;
  /** The largest that was offered: sending less than half of it is silly (section 3.8.6.2.1). */
  #windowBytesMost: number;
  /** SND.WL1 and SND.WL2. */
  #windowSequence: number;
  #windowAcknowledgment: number;
  #isFinQueued = false;
  /** Set by the FIN's first transmission. */
  #finSequence: number | undefined;
  /** What the round trip that is being measured ends with, and when it began. */
  #timed: { readonly end: number; readonly atNs: number } | undefined;
  /** Recovery ends when this is acknowledged. */
  #recoverAt = 0;

  constructor(parts: SendStreamParts, windowSequence: number) {
    this.#parts = parts;
    this.#congestion = new Congestion(parts.mss);
    this.#unacknowledged = parts.first;
    this.#next = parts.first;
    this.#highest = parts.first;
    this.#windowBytes = parts.windowBytes;
    this.#windowBytesMost = parts.windowBytes;
    this.#windowSequence = windowSequence;
    this.#windowAcknowledgment = parts.first;
  }

  /**
   * The sequence number of segments without data. After a time-out SND.NXT is behind what the guest may have received, and a
   * segment that begins there would be an old one, whose acknowledgment counts for nothing; a byte that probes a closed window
   * has most likely not been received, and behind it is outside the window.
   */
  get bareSequence(): number {
    return this.mustProbe ? this.#next : this.#highest;
  }

  get inFlightBytes(): number {
    return distance(this.#next, this.#unacknowledged);
  }

  get isFinSent(): boolean {
    return this.#finSequence !== undefined;
  }

  get isFinAcknowledged(): boolean {
    return this.#finSequence !== undefined && distance(this.#unacknowledged, this.#finSequence) > 0;
  }

  /** Something waits for a window that is closed, and no acknowledgment is on its way that would open it. */
  get mustProbe(): boolean {
    return this.inFlightBytes === 0 && this.#unsentBytes > 0;
  }

  /** No more will be put into the ring. */
  queueFin(): void {
    this.#isFinQueued = true;
  }

  /** False for an acknowledgment of something that was never sent. */
  acknowledge(ack: Acknowledgment): boolean {
    const { acknowledgment } = ack;
    if (distance(acknowledgment, this.#highest) > 0) return false;
    const newBytes = distance(acknowledgment, this.#unacknowledged);
    if (newBytes > 0) this.#progress(acknowledgment, newBytes);
    else if (newBytes === 0 && this.#isDuplicate(ack)) this.#duplicate();
    if (newBytes >= 0) this.#updateWindow(ack);
    return true;
  }

  /** Sends what may be sent, in segments of at most `segmentBytesMax`; false where emit had no room. */
  output(segmentBytesMax: number): boolean {
    for (;;) {
      const dataBytes = this.#nextDataBytes(segmentBytesMax);
      const isFin = this.#isFinNext(dataBytes);
      if (dataBytes === 0 && !isFin) return true;
      if (!this.#send(dataBytes, isFin)) return false;
    }
  }

  /** Nothing was acknowledged for too long: begins again with what was not (RFC 6298, section 5.4). */
  timedOut(): void {
    // A probe into a closed window says nothing about the path.
    if (this.#windowBytes > 0) this.#congestion.timedOut(this.inFlightBytes);
    this.#parts.counters.tcpRetransmissions++;
    this.#timed = undefined;
    this.#next = this.#unacknowledged;
  }

  /** One byte into the closed window (section 3.8.6.1). */
  probe(): void {
    if (!this.mustProbe || !this.#parts.emit(this.#next, 0, 0, 1)) return;
    // The guest may have taken it; as a rule it has not, and it goes again with what follows.
    const end = advanced(this.#next, 1);
    if (distance(end, this.#highest) > 0) this.#highest = end;
  }

  #progress(acknowledgment: number, newBytes: number): void {
    const { ring, clock, roundTrip } = this.#parts;
    const timed = this.#timed;
    if (timed !== undefined && distance(acknowledgment, timed.end) >= 0) {
      roundTrip.measured(clock.nowNs() - timed.atNs);
      this.#timed = undefined;
    }
    // A FIN is no byte of the ring.
    ring.drop(Math.min(newBytes, ring.lengthBytes));
    this.#unacknowledged = acknowledgment;
    if (distance(acknowledgment, this.#next) > 0) this.#next = acknowledgment;
    const wasRecovering = this.#congestion.isRecovering;
    if (wasRecovering && distance(acknowledgment, this.#recoverAt) >= 0) this.#congestion.recovered();
    else this.#congestion.acknowledged(newBytes);
    // The next hole, as a partial acknowledgment shows it (RFC 6582, section 3.2).
    if (this.#congestion.isRecovering) this.#sendFirstAgain();
  }

  /** RFC 5681, section 2. */
  #isDuplicate({ windowBytes, hasData }: Acknowledgment): boolean {
    return !hasData && windowBytes === this.#windowBytes && windowBytes > 0 && this.inFlightBytes > 0;
  }

  #duplicate(): void {
    if (!this.#congestion.duplicate(this.inFlightBytes)) return;
    this.#recoverAt = this.#highest;
    this.#sendFirstAgain();
  }

  #sendFirstAgain(): void {
    const { ring, mss, emit, counters } = this.#parts;
    const dataBytes = Math.min(mss, ring.lengthBytes, this.inFlightBytes);
    const flags = dataBytes === 0 && this.#finSequence !== undefined ? TCP_FLAG.fin : 0;
    if (dataBytes === 0 && flags === 0) return;
    counters.tcpRetransmissions++;
    this.#timed = undefined;
    emit(this.#unacknowledged, flags, 0, dataBytes);
  }

  #updateWindow({ sequence, acknowledgment, windowBytes }: Acknowledgment): void {
    const isNewer =
      distance(sequence, this.#windowSequence) > 0 ||
      (sequence === this.#windowSequence && distance(acknowledgment, this.#windowAcknowledgment) >= 0);
    if (!isNewer) return;
    this.#windowBytes = windowBytes;
    this.#windowBytesMost = Math.max(this.#windowBytesMost, windowBytes);
    this.#windowSequence = sequence;
    this.#windowAcknowledgment = acknowledgment;
  }

  get #unsentBytes(): number {
    return Math.max(0, this.#parts.ring.lengthBytes - this.inFlightBytes);
  }

  /** Bytes that may go now, 0 for none. */
  #nextDataBytes(segmentBytesMax: number): number {
    const unsentBytes = this.#unsentBytes;
    const usableBytes = Math.min(this.#windowBytes, this.#congestion.windowBytes) - this.inFlightBytes;
    const dataBytes = Math.min(unsentBytes, usableBytes, segmentBytesMax);
    if (dataBytes <= 0) return 0;
    const isSilly =
      dataBytes < unsentBytes && dataBytes < this.#parts.mss && dataBytes < this.#windowBytesMost / 2;
    return isSilly && this.inFlightBytes > 0 ? 0 : dataBytes;
  }

  /** Whether the FIN goes with the next `dataBytes`: behind all others, and sent once until it times out. */
  #isFinNext(dataBytes: number): boolean {
    if (!this.#isFinQueued || dataBytes < this.#unsentBytes) return false;
    return this.#finSequence === undefined || distance(this.#next, this.#finSequence) <= 0;
  }

  #send(dataBytes: number, isFin: boolean): boolean {
    const sequence = this.#next;
    const isLast = dataBytes > 0 && dataBytes === this.#unsentBytes;
    const flags = (isLast ? TCP_FLAG.psh : 0) | (isFin ? TCP_FLAG.fin : 0);
    if (!this.#parts.emit(sequence, flags, this.inFlightBytes, dataBytes)) return false;
    if (isFin) this.#finSequence = advanced(sequence, dataBytes);
    const end = advanced(sequence, dataBytes + (isFin ? 1 : 0));
    const isNew = distance(end, this.#highest) > 0;
    if (isNew && this.#timed === undefined) this.#timed = { end, atNs: this.#parts.clock.nowNs() };
    this.#sentUpTo(end);
    return true;
  }

  #sentUpTo(end: number): void {
    this.#next = end;
    if (distance(end, this.#highest) > 0) this.#highest = end;
  }
}
