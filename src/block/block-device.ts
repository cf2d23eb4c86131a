/**
 * The contract between disk controllers and what holds a disk's contents: bytes in sectors, read and written by offset.
 * Requests run in any order and side by side; who needs an order waits for the earlier one. What a write has put there is
 * lost in a crash of the host until a later flush() has succeeded.
 *
 * Controllers check every range against `sizeBytes` before they ask; a range outside is our own bug.
 */

import { MiB, ok } from "../base/index.ts";
import type { OperatorError, Result } from "../base/index.ts";

export const SECTOR_BYTES = 512;
/** Pieces, and bytes together, of one request that is to be done at once. */
export const PIECES_NOW_MAX = 1024;
export const BYTES_NOW_MAX = 2 * MiB;

export type BlockErrorCode =
  /** The medium could not be read or written. */
  | "disk-io"
  /** The host has no room for what was written. */
  | "disk-full"
  /** A write, or a discard, of a disk that cannot be written. */
  | "disk-read-only";

/** An error of the host's, which a controller reports to its guest as its specification says. */
export type BlockError = OperatorError<BlockErrorCode>;
export type BlockResult = Result<void, BlockError>;
export const BLOCK_OK: BlockResult = ok(undefined);

export interface BlockDevice {
  /** A multiple of {@link SECTOR_BYTES}; does not change. */
  readonly sizeBytes: number;
  readonly isReadOnly: boolean;
  /** Whether discard() is quick and gives room back. Where not, it writes zeros, and controllers do not offer it. */
  readonly canDiscard: boolean;
  /** Fills `target` from `offset` on; both are multiples of a sector. `target` is the caller's again when this resolves. */
  read(offset: number, target: Uint8Array): Promise<BlockResult>;
  /** Writes all of `source` at `offset`; it must not change until this resolves. */
  write(offset: number, source: Uint8Array): Promise<BlockResult>;
  /**
   * The same as {@link read} into one piece after the other, done when it returns, for a caller who cannot wait: undefined,
   * and nothing done, where it might take long. Absent where it always might.
   */
  readNow?(offset: number, targets: readonly Uint8Array[]): BlockResult | undefined;
  writeNow?(offset: number, sources: readonly Uint8Array[]): BlockResult | undefined;
  /** Everything whose write has resolved before is on stable storage when this resolves. */
  flush(): Promise<BlockResult>;
  /** The range is not needed any more and reads as zeros from now on. */
  discard(offset: number, lengthBytes: number): Promise<BlockResult>;
  /** Waits for what is under way and gives everything back; what is asked for afterwards has no effect. */
  close(): Promise<void>;
}
