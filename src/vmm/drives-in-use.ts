/**
 * The drives of a running VM, whose requests are counted among those of the host; closes everything when the VM has ended,
 * with what was written on stable storage.
 */

import { ok } from "../base/index.ts";
import type { Result } from "../base/index.ts";
import { WatchedDisk } from "../block/index.ts";
import type { BlockDevice } from "../block/index.ts";
import type { Drive } from "../machine/index.ts";
import type { HostRequests } from "./host-requests.ts";

export class DrivesInUse {
  /** As the board gets them, each with the medium that was in it first. */
  readonly drives: readonly Drive[];
  readonly #requests: HostRequests;
  /** What is in each drive now. */
  readonly #current: (BlockDevice | undefined)[];

  constructor(drives: readonly Drive[], requests: HostRequests) {
    this.#requests = requests;
    this.drives = drives.map((drive) => ({ ...drive, device: this.watch(drive.device) }));
    this.#current = this.drives.map(({ device }) => device);
  }

  /** A medium whose requests are known here; it is its caller's until it has a place. */
  watch(device: BlockDevice): BlockDevice {
    return new WatchedDisk(device, this.#requests);
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

  /** The error is the first of a drive whose last writes may not have come through. */
  async close(): Promise<Result<void>> {
    await this.#requests.idle();
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
