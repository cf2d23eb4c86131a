/** A disk that is larger than what holds its contents, as diskettes are than images without their empty end. */

import { assert } from "../base/index.ts";
import { BLOCK_OK, SECTOR_BYTES } from "./block-device.ts";
import type { BlockDevice, BlockResult } from "./block-device.ts";

export class PaddedDisk implements BlockDevice {
  readonly sizeBytes: number;
  readonly isReadOnly: boolean;
  readonly canDiscard: boolean;
  readonly #contents: BlockDevice;

  /** Zeros follow `contents`, which belongs to the disk from now on; nothing but zeros can be written there. */
  constructor(contents: BlockDevice, sizeBytes: number) {
    assert(sizeBytes % SECTOR_BYTES === 0 && sizeBytes >= contents.sizeBytes, "there is something to add");
    this.sizeBytes = sizeBytes;
    this.isReadOnly = contents.isReadOnly;
    this.canDiscard = contents.canDiscard;
    this.#contents = contents;
  }

  read(offset: number, target: Uint8Array): Promise<BlockResult> {
    const there = this.#lengthThere(offset, target.length);
    target.fill(0, there);
    return there === 0 ? Promise.resolve(BLOCK_OK) : this.#contents.read(offset, target.subarray(0, there));
  }

  write(offset: number, source: Uint8Array): Promise<BlockResult> {
    const there = this.#lengthThere(offset, source.length);
    if (source.subarray(there).some((byte) => byte !== 0)) {
      const message = "The image ends before the place that was to be written.";
      return Promise.resolve({ ok: false, error: { code: "disk-full", message } });
    }
    return there === 0 ? Promise.resolve(BLOCK_OK) : this.#contents.write(offset, source.subarray(0, there));
  }

  flush(): Promise<BlockResult> {
    return this.#contents.flush();
  }

  discard(offset: number, lengthBytes: number): Promise<BlockResult> {
    const there = this.#lengthThere(offset, lengthBytes);
    return there === 0 ? Promise.resolve(BLOCK_OK) : this.#contents.discard(offset, there);
  }

  close(): Promise<void> {
    return this.#contents.close();
  }

  /** How much of a range the contents have. */
  #lengthThere(offset: number, lengthBytes: number): number {
    assert(offset >= 0 && offset + lengthBytes <= this.sizeBytes, "the range is on the disk");
    return Math.max(0, Math.min(lengthBytes, this.#contents.sizeBytes - offset));
  }
}
