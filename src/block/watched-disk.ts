/**
 * A disk whose requests are counted while they are under way, so that who runs its guest looks for their ends soon, and
 * can wait until nothing is under way any more: what an earlier life of the guest has written must not arrive after what
 * the next one writes. A request that is made in several pieces may go on when its VM has ended; once the disk is closed,
 * nothing of it comes through.
 */

import type { BlockDevice, BlockResult } from "./block-device.ts";

/** Told of every request that begins. */
export interface RequestWatcher {
  began(): void;
  ended(): void;
}

const CLOSED: BlockResult = { ok: false, error: { code: "disk-io", message: "The disk is closed." } };

export class WatchedDisk implements BlockDevice {
  readonly #disk: BlockDevice;
  readonly #watcher: RequestWatcher;
  #isClosed = false;

  constructor(disk: BlockDevice, watcher: RequestWatcher) {
    this.#disk = disk;
    this.#watcher = watcher;
  }

  get sizeBytes(): number {
    return this.#disk.sizeBytes;
  }

  get isReadOnly(): boolean {
    return this.#disk.isReadOnly;
  }

  get canDiscard(): boolean {
    return this.#disk.canDiscard;
  }

  read(offset: number, target: Uint8Array): Promise<BlockResult> {
    return this.#watch(() => this.#disk.read(offset, target));
  }

  write(offset: number, source: Uint8Array): Promise<BlockResult> {
    return this.#watch(() => this.#disk.write(offset, source));
  }

  readNow(offset: number, targets: readonly Uint8Array[]): BlockResult | undefined {
    return this.#isClosed ? CLOSED : this.#disk.readNow?.(offset, targets);
  }

  writeNow(offset: number, sources: readonly Uint8Array[]): BlockResult | undefined {
    return this.#isClosed ? CLOSED : this.#disk.writeNow?.(offset, sources);
  }

  flush(): Promise<BlockResult> {
    return this.#watch(() => this.#disk.flush());
  }

  discard(offset: number, lengthBytes: number): Promise<BlockResult> {
    return this.#watch(() => this.#disk.discard(offset, lengthBytes));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return this.#disk.close();
  }

  async #watch(request: () => Promise<BlockResult>): Promise<BlockResult> {
    if (this.#isClosed) return CLOSED;
    this.#watcher.began();
    try {
      return await request();
    } finally {
      this.#watcher.ended();
    }
  }
}
