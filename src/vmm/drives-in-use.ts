/**
 * The drives of a running VM: knows whether the host has requests of its guest under way, waits for their end, and closes
 * everything when the VM has ended, with what was written on stable storage.
 */

import { ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { WatchedDisk } from "../block/index.ts";
import type { Drive } from "../machine/index.ts";

export interface DriveListener {
  /** The first request is under way, from within a slice or between slices. */
  readonly requested: () => void;
  /** No request is under way any more. */
  readonly idle: () => void;
}

export class DrivesInUse {
  /** As the board gets them. */
  readonly drives: readonly Drive[];
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
    this.drives = drives.map((drive) => ({ ...drive, device: new WatchedDisk(drive.device, watcher) }));
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
    for (const { device } of this.drives) {
      const flushed = await device.flush();
      if (result.ok && !flushed.ok) result = flushed;
      await device.close();
    }
    return result;
  }
}
