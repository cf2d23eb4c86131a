/**
 * The drives of a running VM: knows whether the host has requests of its guest under way, waits for their end, and closes
 * everything when the VM has ended, with what was written on stable storage.
 */

import { ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { WatchedDisk } from "../block/index.ts";
import type { BlockDevice, RequestWatcher } from "../block/index.ts";
import type { Drive } from "../machine/index.ts";

export interface DriveListener {
  /** The first request is under way, from within a slice or between slices. */
  readonly requested: () => void;
  /** No request is under way any more. */
  readonly idle: () => void;
}

export class DrivesInUse {
  /** As the board gets them, each with the medium that was in it first. */
  readonly drives: readonly Drive[];
  readonly #watcher: RequestWatcher;
  /** What is in each drive now. */
  readonly #current: (BlockDevice | undefined)[];
  #pendingCount = 0;
  #whenIdle: (() => void)[] = [];

  constructor(drives: readonly Drive[], listener: DriveListener) {
    const watcher = {
      began: (): void => {
        if (this.#pendingCount++ === 0) listener.requested();
      },
      ended: (): void => {
        if (--this.#pendingCount > 0) return;
        listener.idle();
        for (const resolve of this.#whenIdle.splice(0)) resolve();
      },
    };
    this.#watcher = watcher;
    this.drives = drives.map((drive) => ({ ...drive, device: this.watch(drive.device) }));
    this.#current = this.drives.map(({ device }) => device);
  }

  /** A medium whose requests are known here; it is its caller's until it has a place. */
  watch(device: BlockDevice): BlockDevice {
    return new WatchedDisk(device, this.#watcher);
  }

  /** What is in a drive, whenever that is asked for. */
  medium(index: number): { readonly device: BlockDevice | undefined } {
    const current = this.#current;
    return {
      get device() {
        return current[index];
      },
    };
  }

  /** What is in a drive now. */
  current(index: number): BlockDevice | undefined {
    return this.#current[index];
  }

  /** Another medium, or none, is in a drive from now on; what was there is the caller's. */
  replace(index: number, device: BlockDevice | undefined): BlockDevice | undefined {
    const before = this.#current[index];
    this.#current[index] = device;
    return before;
  }

  /** Resolves when no request is under way. */
  async idle(): Promise<void> {
    while (this.#pendingCount > 0) {
      await new Promise<void>((resolve) => {
        this.#whenIdle.push(resolve);
      });
    }
  }

  /** The error is the first of a drive whose last writes may not have come through. */
  async close(): Promise<Result<void>> {
    await this.idle();
    let result: Result<void> = ok(undefined);
    for (const device of this.#current) {
      if (device === undefined) continue;
      const flushed = await device.flush();
      if (result.ok && !flushed.ok) result = flushed;
      await device.close();
    }
    return result;
  }
}
