/** DMA of a PCI function: only while the guest lets it be a bus master (PCI Local Bus Specification 3.0, section 6.2.2). */

import type { Dma } from "../dma.ts";

export class BusMasterDma implements Dma {
  readonly #dma: Dma;
  readonly #function: { readonly isBusMaster: boolean };

  constructor(dma: Dma, pciFunction: { readonly isBusMaster: boolean }) {
    this.#dma = dma;
    this.#function = pciFunction;
  }

  read(gpa: number, target: Uint8Array): boolean {
    return this.#function.isBusMaster && this.#dma.read(gpa, target);
  }

  write(gpa: number, source: Uint8Array): boolean {
    return this.#function.isBusMaster && this.#dma.write(gpa, source);
  }

  readable(gpa: number, lengthBytes: number): Uint8Array | undefined {
    return this.#function.isBusMaster ? this.#dma.readable(gpa, lengthBytes) : undefined;
  }

  writable(gpa: number, lengthBytes: number): Uint8Array | undefined {
    return this.#function.isBusMaster ? this.#dma.writable(gpa, lengthBytes) : undefined;
  }

  discard(gpa: number, lengthBytes: number): boolean {
    return this.#function.isBusMaster && this.#dma.discard(gpa, lengthBytes);
  }
}
