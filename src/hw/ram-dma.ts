/**
 * DMA as a VM's devices have it: guest RAM and nothing else, neither what lies behind it nor other devices' registers.
 */

import { alignDown, alignUp, PAGE_SIZE_BYTES } from "../base/index.ts";
import type { GuestRam } from "../memory/index.ts";
import type { Dma } from "./dma.ts";

/**
 * Gives whole pages of guest RAM back to the host, which shows zeros in their place, and returns how many bytes of them it
 * did so with: none where the host refuses, and what they hold stays.
 */
export type ReleasePages = (gpa: number, lengthBytes: number) => number;

export class RamDma implements Dma {
  readonly #ram: GuestRam;
  readonly #release: ReleasePages | undefined;
  #releasedBytes = 0;
  readonly #beforeWrite: (gpa: number, lengthBytes: number) => void;

  /**
   * `beforeWrite` is told of every range that is about to be written or released, for what was translated from it. Without
   * `release` nothing comes of discarding pages.
   */
  constructor(
    ram: GuestRam,
    beforeWrite: (gpa: number, lengthBytes: number) => void,
    release?: ReleasePages,
  ) {
    this.#ram = ram;
    this.#beforeWrite = beforeWrite;
    this.#release = release;
  }

  /** Given back to the host so far; a page that comes and goes counts each time. */
  get releasedBytes(): number {
    return this.#releasedBytes;
  }

  read(gpa: number, target: Uint8Array): boolean {
    const source = this.readable(gpa, target.length);
    if (source === undefined) return false;
    target.set(source);
    return true;
  }

  write(gpa: number, source: Uint8Array): boolean {
    const target = this.writable(gpa, source.length);
    if (target === undefined) return false;
    target.set(source);
    return true;
  }

  readable(gpa: number, lengthBytes: number): Uint8Array | undefined {
    return this.#ram.contains(gpa, lengthBytes) ? this.#ram.slice(gpa, lengthBytes) : undefined;
  }

  writable(gpa: number, lengthBytes: number): Uint8Array | undefined {
    if (!this.#ram.contains(gpa, lengthBytes)) return undefined;
    this.#beforeWrite(gpa, lengthBytes);
    return this.#ram.slice(gpa, lengthBytes);
  }

  discard(gpa: number, lengthBytes: number): boolean {
    if (!this.#ram.contains(gpa, lengthBytes)) return false;
    const start = alignUp(gpa, PAGE_SIZE_BYTES);
    const end = alignDown(gpa + lengthBytes, PAGE_SIZE_BYTES);
    if (start >= end || this.#release === undefined) return true;
    this.#beforeWrite(start, end - start);
    this.#releasedBytes += this.#release(start, end - start);
    return true;
  }
}
