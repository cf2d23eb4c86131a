/** The block device's feature bits and configuration (Virtual I/O Device 1.2, sections 5.2.3 and 5.2.4). */

import { highU32, lowU32, MiB } from "../../../base/index.ts";
import { SECTOR_BYTES } from "../../../block/index.ts";
import { defineRegisters, reservedBytes } from "../../../hw/index.ts";
import type { AccessSize } from "../../../hw/index.ts";

export const BLOCK_FEATURE = {
  sizeMax: 1,
  segMax: 2,
  geometry: 4,
  readOnly: 5,
  blockSize: 6,
  flush: 9,
  topology: 10,
  configWriteback: 11,
  multiQueue: 12,
  discard: 13,
  writeZeroes: 14,
} as const;

export const BLOCK_QUEUE_SIZE = 256;
export const BLOCK_CONFIG_BYTES = 60;
/** Sectors of one segment of a discard or write zeroes request, and segments of one request. */
export const CLEARED_SECTORS_MAX = (32 * MiB) / SECTOR_BYTES;
export const CLEARED_SEGMENTS_MAX = 16;
/** A request is read and written in pieces of this size at most. */
export const PIECE_BYTES = 1 * MiB;

/** Header and status take two descriptors of a request. */
const SEGMENTS_MAX = BLOCK_QUEUE_SIZE - 2;
const SEGMENT_BYTES_MAX = 4 * MiB;
/** Blocks of 4 KiB are what hosts' file systems are made of. */
const PHYSICAL_BLOCK_EXPONENT = 3;
const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const CYLINDERS_MAX = 16383;

export function blockRegisters(capacitySectors: number, queues: number, mayUnmap: boolean) {
  const fixed = (at: number, size: AccessSize, reset: number) => ({ at, size, reset, writable: 0 });
  const cylinders = Math.floor(capacitySectors / (HEADS * SECTORS_PER_TRACK));
  const physicalBlocks = 1 << PHYSICAL_BLOCK_EXPONENT;
  const map = defineRegisters({
    capacityLow: fixed(0, 4, lowU32(capacitySectors)),
    capacityHigh: fixed(4, 4, highU32(capacitySectors)),
    sizeMax: fixed(8, 4, SEGMENT_BYTES_MAX),
    segMax: fixed(12, 4, SEGMENTS_MAX),
    cylinders: fixed(16, 2, Math.min(CYLINDERS_MAX, cylinders)),
    heads: fixed(18, 1, HEADS),
    sectors: fixed(19, 1, SECTORS_PER_TRACK),
    blkSize: fixed(20, 4, SECTOR_BYTES),
    physicalBlockExp: fixed(24, 1, PHYSICAL_BLOCK_EXPONENT),
    alignmentOffset: fixed(25, 1, 0),
    minIoSize: fixed(26, 2, physicalBlocks),
    optIoSize: fixed(28, 4, PIECE_BYTES / SECTOR_BYTES),
    writeback: { at: 32, reset: 1, writable: 1 },
    numQueues: fixed(34, 2, queues),
    maxDiscardSectors: fixed(36, 4, CLEARED_SECTORS_MAX),
    maxDiscardSeg: fixed(40, 4, CLEARED_SEGMENTS_MAX),
    discardSectorAlignment: fixed(44, 4, physicalBlocks),
    maxWriteZeroesSectors: fixed(48, 4, CLEARED_SECTORS_MAX),
    maxWriteZeroesSeg: fixed(52, 4, CLEARED_SEGMENTS_MAX),
    writeZeroesMayUnmap: fixed(56, 1, mayUnmap ? 1 : 0),
  });
  return { ...map, ...reservedBytes(map, 0, BLOCK_CONFIG_BYTES) };
}
export type BlockRegisters = ReturnType<typeof blockRegisters>;
