/** A request of the block device as its driver lays it out (Virtual I/O Device 1.2, section 5.2.6). */

import type { Dma } from "../../../hw/index.ts";
import type { DescriptorChain } from "../queue/index.ts";
import { gpaOf as joined } from "../queue/index.ts";

export const REQUEST_TYPE = {
  in: 0,
  out: 1,
  flush: 4,
  /** What old drivers of the legacy interface call a flush. */
  flushOut: 5,
  getId: 8,
  discard: 11,
  writeZeroes: 13,
} as const;
export const REQUEST_STATUS = { ok: 0, ioError: 1, unsupported: 2 } as const;
export const REQUEST_HEADER_BYTES = 16;
export const CLEARED_SEGMENT_BYTES = 16;
export const FLAG_UNMAP = 1;

export interface BlockRequest {
  readonly type: number;
  readonly sector: number;
  /** Bytes between header and status, to be read and to be written. */
  readonly outBytes: number;
  readonly inBytes: number;
}

/** Undefined where header or status are missing. */
export function readRequest(dma: Dma, chain: DescriptorChain): BlockRequest | undefined {
  const header = new Uint8Array(REQUEST_HEADER_BYTES);
  if (chain.readable.read(dma, 0, header) < header.length || chain.writable.totalBytes < 1) return undefined;
  const view = new DataView(header.buffer);
  return {
    type: view.getUint32(0, true),
    sector: joined(view.getUint32(8, true), view.getUint32(12, true)),
    outBytes: chain.readable.totalBytes - REQUEST_HEADER_BYTES,
    inBytes: chain.writable.totalBytes - 1,
  };
}

/** A range that a discard or write zeroes request names. */
export interface ClearedSegment {
  readonly sector: number;
  readonly sectors: number;
  readonly flags: number;
}

/** The segments of such a request, which are whole ones and at most `maxCount`. */
export function readSegments(
  dma: Dma,
  chain: DescriptorChain,
  maxCount: number,
): ClearedSegment[] | undefined {
  const lengthBytes = chain.readable.totalBytes - REQUEST_HEADER_BYTES;
  const count = lengthBytes / CLEARED_SEGMENT_BYTES;
  if (!Number.isInteger(count) || count < 1 || count > maxCount) return undefined;
  const bytes = new Uint8Array(lengthBytes);
  chain.readable.read(dma, REQUEST_HEADER_BYTES, bytes);
  const view = new DataView(bytes.buffer);
  return Array.from({ length: count }, (_, index) => {
    const at = CLEARED_SEGMENT_BYTES * index;
    return {
      sector: joined(view.getUint32(at, true), view.getUint32(at + 4, true)),
      sectors: view.getUint32(at + 8, true),
      flags: view.getUint32(at + 12, true),
    };
  });
}
