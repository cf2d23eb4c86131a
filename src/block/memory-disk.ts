/** A disk that lives in memory and is gone with the VM. */

import { assert, ok } from "../base/index.ts";
import { BLOCK_OK, SECTOR_BYTES } from "./block-device.ts";
import type { BlockDevice, BlockResult } from "./block-device.ts";

export class MemoryDisk implements BlockDevice {
  readonly isReadOnly: boolean;
  readonly canDiscard = true;
  /** The disk's bytes themselves. */
  readonly bytes: Uint8Array;

  /** `bytes` has whole sectors and belongs to the disk from now on. */
  constructor(bytes: Uint8Array, { isReadOnly = false } = {}) {
    assert(bytes.length % SECTOR_BYTES === 0, "a disk has whole sectors");
    this.bytes = bytes;
    this.isReadOnly = isReadOnly;
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(offset: number, target: Uint8Array): Promise<BlockResult> {
    target.set(this.#range(offset, target.length));
    return Promise.resolve(BLOCK_OK);
  }

  write(offset: number, source: Uint8Array): Promise<BlockResult> {
    return Promise.resolve(this.#change(offset, source.length, (range) => range.set(source)));
  }

  flush(): Promise<BlockResult> {
    return Promise.resolve(BLOCK_OK);
  }

  discard(offset: number, lengthBytes: number): Promise<BlockResult> {
    return Promise.resolve(this.#change(offset, lengthBytes, (range) => range.fill(0)));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #change(offset: number, lengthBytes: number, change: (range: Uint8Array) => void): BlockResult {
    if (this.isReadOnly) {
      return { ok: false, error: { code: "disk-read-only", message: "The disk in memory is read-only." } };
    }
    change(this.#range(offset, lengthBytes));
    return ok(undefined);
  }

  #range(offset: number, lengthBytes: number): Uint8Array {
    assert(
      offset >= 0 && offset % SECTOR_BYTES === 0 && lengthBytes % SECTOR_BYTES === 0,
      "disks are accessed by whole sectors",
    );
    assert(offset + lengthBytes <= this.sizeBytes, "the range is on the disk");
    return this.bytes.subarray(offset, offset + lengthBytes);
  }
}
