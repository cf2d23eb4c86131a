/**
 * DMA as a VM's devices have it: guest RAM and nothing else, neither what lies behind it nor other devices' registers.
 */

import type { GuestRam } from "../memory/index.ts";
import type { Dma } from "./dma.ts";

export class RamDma implements Dma {
  readonly #ram: GuestRam;
  readonly #beforeWrite: (gpa: number, lengthBytes: number) => void;

  /** `beforeWrite` is told of every range that is about to be written, for what was translated from it. */
  constructor(ram: GuestRam, beforeWrite: (gpa: number, lengthBytes: number) => void) {
    this.#ram = ram;
    this.#beforeWrite = beforeWrite;
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
}
