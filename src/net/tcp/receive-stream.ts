/**
 * What a TCP connection receives (RFC 9293, section 3.10.7.4): bytes are put at their places in a ring, in whatever order
 * segments come, and the window that is announced is the ring's free room. Segments that leave more gaps than a few are lost.
 */

import type { ByteRing } from "./byte-ring.ts";
import { advanced, distance } from "./sequence.ts";

const HALF_UNSCALED_WINDOW_BYTES = 0x8000;
/** Pieces of data behind gaps. */
export const GAPS_MAX = 16;

interface Piece {
  from: number;
  /** Not included. */
  to: number;
}

export class ReceiveStream {
  readonly #ring: ByteRing;
  readonly #mss: number;
  /** Of windows that are announced, but in segments with SYN. */
  readonly #windowShift: number;
  /** RCV.NXT: the first byte that has not come in order. */
  #next: number;
  /** RCV.NXT + RCV.WND as it was announced: never goes back (section 3.8.6). */
  #announcedEnd: number;
  /** Behind gaps, in order, apart from each other. */
  #pieces: Piece[] = [];

  constructor(ring: ByteRing, first: number, windowShift: number, mss: number) {
    this.#ring = ring;
    this.#next = first;
    this.#announcedEnd = first;
    this.#windowShift = windowShift;
    this.#mss = mss;
  }

  get next(): number {
    return this.#next;
  }

  /** The window to announce, as the header's field has it. */
  announce(shift = this.#windowShift): number {
    const field = Math.min(0xffff, Math.max(this.#ring.freeBytes, this.#windowBytes) >>> shift);
    const end = advanced(this.#next, field << shift);
    if (distance(end, this.#announcedEnd) > 0) this.#announcedEnd = end;
    return field;
  }

  /**
   * Whether so much has become free that it is worth a segment of its own (section 3.8.6.2.2). A window of 32 KiB lets the guest
   * go on until the next acknowledgment.
   */
  get isWindowUpdateDue(): boolean {
    if (this.#windowBytes >= HALF_UNSCALED_WINDOW_BYTES) return false;
    const announceable = Math.min(0xffff << this.#windowShift, this.#ring.freeBytes);
    return announceable - this.#windowBytes >= Math.min(2 * this.#mss, this.#ring.capacityBytes / 2);
  }

  /** Whether a segment has something of the window in it (section 3.10.7.4, first). */
  isAcceptable(sequence: number, length: number): boolean {
    const windowBytes = this.#windowBytes;
    const offset = distance(sequence, this.#next);
    if (length === 0) return windowBytes === 0 ? offset === 0 : offset >= 0 && offset < windowBytes;
    return windowBytes > 0 && offset < windowBytes && offset + length > 0;
  }

  /** Takes what is new and fits; true when it was next in order. */
  take(sequence: number, data: Uint8Array): boolean {
    const offset = distance(sequence, this.#next);
    const skipped = Math.max(0, -offset);
    const from = offset + skipped;
    const roomBytes = Math.max(0, this.#windowBytes - from);
    const piece = data.subarray(skipped, skipped + roomBytes);
    if (piece.length === 0) return false;
    if (from > 0) {
      if (this.#keep(advanced(this.#next, from), piece.length))
        this.#ring.put(this.#ring.lengthBytes + from, piece);
      return false;
    }
    this.#ring.put(this.#ring.lengthBytes, piece);
    this.#advance(piece.length);
    if (this.#pieces.length > 0) this.#closeGaps();
    return true;
  }

  /** A FIN has come in order. */
  skipFin(): void {
    this.#next = advanced(this.#next, 1);
    if (distance(this.#next, this.#announcedEnd) > 0) this.#announcedEnd = this.#next;
  }

  /** RCV.WND, as announced. */
  get #windowBytes(): number {
    return distance(this.#announcedEnd, this.#next);
  }

  #advance(byteCount: number): void {
    this.#ring.extend(byteCount);
    this.#next = advanced(this.#next, byteCount);
  }

  /** False where there would be too many gaps. */
  #keep(from: number, lengthBytes: number): boolean {
    const added = { from, to: advanced(from, lengthBytes) };
    const isApart = (piece: Piece): boolean =>
      distance(piece.from, added.to) > 0 || distance(piece.to, added.from) < 0;
    const apart = this.#pieces.filter(isApart);
    if (apart.length >= GAPS_MAX) return false;
    const touching = this.#pieces.filter((piece) => !isApart(piece));
    for (const piece of touching) {
      if (distance(piece.from, added.from) < 0) added.from = piece.from;
      if (distance(piece.to, added.to) > 0) added.to = piece.to;
    }
    this.#pieces = [...apart, added].sort((a, b) => distance(a.from, b.from));
    return true;
  }

  #closeGaps(): void {
    for (;;) {
      const [first] = this.#pieces;
      if (first === undefined || distance(first.from, this.#next) > 0) return;
      this.#pieces.shift();
      const moreBytes = distance(first.to, this.#next);
      if (moreBytes > 0) this.#advance(moreBytes);
    }
  }
}
