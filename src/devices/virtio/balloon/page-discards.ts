/**
 * The pages that a driver gives away with one notification, discarded in as few runs as they make. Whatever a driver asks
 * for, the work has a limit: what is beyond it is kept.
 */

import type { Dma } from "../../../hw/index.ts";

/** What the balloon counts in, whatever the guest's pages are. */
export const BALLOON_PAGE_BYTES = 4096;
/** Page numbers that are looked at in one request; drivers send 256. */
export const REQUEST_PAGES_MAX = 1024;
/** Each costs the host a system call. */
export const DISCARDED_RUNS_MAX = 4096;
const NUMBER_BYTES = 4;
export const REQUEST_BYTES_MAX = REQUEST_PAGES_MAX * NUMBER_BYTES;

/** The RAM that may be given away. */
export interface BalloonMemory {
  readonly ramBytes: number;
  /** RAM below this address stays: other things than RAM may be seen there, and firmware's data lies under them. */
  readonly keptBytes: number;
}

export class PageDiscards {
  readonly #dma: Dma;
  readonly #memory: BalloonMemory;
  #runsLeft = DISCARDED_RUNS_MAX;
  /** No driver has more than all of its memory to give away. */
  #bytesLeft: number;

  constructor(dma: Dma, memory: BalloonMemory) {
    this.#dma = dma;
    this.#memory = memory;
    this.#bytesLeft = memory.ramBytes;
  }

  /** A request's array of page numbers, 32 bits each; a number cut off at its end is none. */
  discardPages(request: Uint8Array): void {
    const view = new DataView(request.buffer, request.byteOffset, request.byteLength);
    const count = Math.floor(request.length / NUMBER_BYTES);
    const pages = Uint32Array.from({ length: count }, (_, index) =>
      view.getUint32(index * NUMBER_BYTES, true),
    );
    pages.sort();
    let first = 0;
    let end = 0;
    for (const page of pages) {
      if (page > end || end === 0) {
        this.discard(first * BALLOON_PAGE_BYTES, (end - first) * BALLOON_PAGE_BYTES);
        first = page;
      }
      end = page + 1;
    }
    this.discard(first * BALLOON_PAGE_BYTES, (end - first) * BALLOON_PAGE_BYTES);
  }

  /** What of a range may be given away. */
  discard(gpa: number, lengthBytes: number): void {
    const start = Math.max(gpa, this.#memory.keptBytes);
    const end = Math.min(gpa + lengthBytes, this.#memory.ramBytes);
    if (start >= end || this.#runsLeft === 0 || end - start > this.#bytesLeft) return;
    this.#runsLeft--;
    this.#bytesLeft -= end - start;
    this.#dma.discard(start, end - start);
  }
}
