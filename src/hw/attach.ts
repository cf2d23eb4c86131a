/** Attaches a chip's registers to a bus: the chip knows its offsets, the board knows where they are. */

import type { AccessSize, MmioHandler, PortHandler } from "./bus.ts";

/** What a RegisterFile, or anything that decodes offsets in the same way, offers to a bus. */
export interface RegisterBlock {
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

/** The block as I/O ports; the claim's first port is the block's offset `first`. */
export function asPorts(block: RegisterBlock, first = 0): PortHandler {
  return {
    readPort: (offset, size) => block.read(first + offset, size),
    writePort: (offset, size, value) => block.write(first + offset, size, value),
  };
}

/** The block as memory-mapped registers. */
export function asMmio(block: RegisterBlock, first = 0): MmioHandler {
  return {
    readMmio: (offset, size) => block.read(first + offset, size),
    writeMmio: (offset, size, value) => block.write(first + offset, size, value),
  };
}
