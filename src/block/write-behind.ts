/**
 * Writes for whoever cannot wait for them, as a flash chip of which the guest expects that a byte is there as soon as it
 * asks: contents in memory, whose changed blocks go to a disk on their own, one after the other in the order in which they
 * have changed, each as it is when its turn comes. What the guest has seen done is on its way to the host's file when the
 * slice ends; a crash of the VM's process may lose what had no turn yet, and one of the host what no flush() came after.
 *
 * A block that could not be written stays changed: the next change, and at last close(), try it again.
 */

import { assert } from "../base/index.ts";
import { BLOCK_OK } from "./block-device.ts";
import type { BlockDevice, BlockResult } from "./block-device.ts";

export const WRITE_BEHIND_BLOCK_BYTES = 4096;

export class WriteBehind {
  readonly #disk: BlockDevice;
  readonly #contents: Uint8Array;
  /** Indices, in the order of their first change. */
  readonly #changed = new Set<number>();
  #draining: Promise<BlockResult> | undefined;

  /** `contents` are what is on the disk now; they belong to this object from here on. */
  constructor(disk: BlockDevice, contents: Uint8Array) {
    assert(contents.length === disk.sizeBytes, "the contents are the disk's");
    assert(contents.length % WRITE_BEHIND_BLOCK_BYTES === 0, "the disk has whole blocks");
    this.#disk = disk;
    this.#contents = contents;
  }

  write(offset: number, source: Uint8Array): void {
    this.#contents.set(source, offset);
    const last = Math.floor((offset + source.length - 1) / WRITE_BEHIND_BLOCK_BYTES);
    for (let index = Math.floor(offset / WRITE_BEHIND_BLOCK_BYTES); index <= last; index++)
      this.#changed.add(index);
    void this.#drain();
  }

  /** Everything written before is on stable storage when this resolves, or could not be brought there. */
  async flush(): Promise<BlockResult> {
    const drained = await this.#drain();
    return drained.ok ? await this.#disk.flush() : drained;
  }

  /** Flushes and closes the disk; the error says that something is lost. */
  async close(): Promise<BlockResult> {
    // A drain that fails now may have begun before the host had room again.
    if (this.#draining !== undefined) await this.#draining;
    const flushed = await this.flush();
    await this.#disk.close();
    return flushed;
  }

  #drain(): Promise<BlockResult> {
    this.#draining ??= this.#writeChanged();
    return this.#draining;
  }

  async #writeChanged(): Promise<BlockResult> {
    // Not within the slice, in which more bytes of the same block are likely to change.
    await Promise.resolve();
    let result = BLOCK_OK;
    // Blocks that change meanwhile come at the end of the set, and have their turn too.
    for (const index of this.#changed) {
      this.#changed.delete(index);
      const offset = index * WRITE_BEHIND_BLOCK_BYTES;
      const block = this.#contents.slice(offset, offset + WRITE_BEHIND_BLOCK_BYTES);
      result = await this.#disk.write(offset, block);
      if (!result.ok) {
        this.#changed.add(index);
        break;
      }
    }
    this.#draining = undefined;
    return result;
  }
}
