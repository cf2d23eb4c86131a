/** Attaches a chip's registers to a bus: the chip knows its offsets, the board knows where they are. */

import type { AccessSize, MmioHandler, PortHandler } from "./bus.ts";

/** What a RegisterFile, or anything that decodes offsets in the same way, offers to a bus. */
export interface RegisterBlock {
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

/** The block as I/O ports. */
export function asPorts(block: RegisterBlock): PortHandler {
  return {
    readPort: (offset, size) => block.read(offset, size),
    writePort: (offset, size, value) => block.write(offset, size, value),
  };
}

/** The block as memory-mapped registers. */
export function asMmio(block: RegisterBlock): MmioHandler {
  return {
    readMmio: (offset, size) => block.read(offset, size),
    writeMmio: (offset, size, value) => block.write(offset, size, value),
  };
}
