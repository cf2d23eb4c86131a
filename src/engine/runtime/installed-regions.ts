/**
 * The compiled regions that are installed, within a bound of the memory they are taken to occupy: when a new one finds no
 * room, those go that have not been entered for longest. Nobody counts entries: the interpreter and the jump cache leave a
 * mark at the entry's block (BLOCK_HEAT in layout.ts), and here regions stand in a queue in which one that has been entered
 * since it was last looked at goes to the end (second chance).
 *
 * What V8 really keeps for a region cannot be asked for: it is estimated from the size of its module, as measured with
 * the options of a VM's process (docs/engine.md).
 */
import { MiB } from "../../base/index.ts";
import * as L from "../layout.ts";
import type { Core } from "./core.ts";

/** What an instance takes beside its code, and what a byte of its module becomes in V8's first compiler. */
const BYTES_PER_REGION = 11_000;
const BYTES_PER_MODULE_BYTE = 17;
export const REGION_MEMORY_MAX_BYTES = 256 * MiB;
/** Entered regions that are passed over before one goes all the same: bounds what making room takes. */
const PASSED_OVER_MAX = 64;

export interface InstalledRegion {
  /** The block at which it is entered. */
  readonly entry: number;
  /** Of its module. */
  readonly sizeBytes: number;
}

export const regionMemoryBytes = ({ sizeBytes }: InstalledRegion): number =>
  BYTES_PER_REGION + sizeBytes * BYTES_PER_MODULE_BYTE;

export class InstalledRegions<R extends InstalledRegion> {
  /** Regions that had to go for others. */
  evictedCount = 0;
  /** Estimated, of all that are installed. */
  memoryBytes = 0;
  readonly limitBytes: number;
  readonly #core: Core;
  readonly #view: DataView;
  /** The one that is looked at next comes first. */
  readonly #queue = new Set<R>();

  constructor(core: Core, view: DataView, limitBytes = REGION_MEMORY_MAX_BYTES) {
    this.#core = core;
    this.#view = view;
    this.limitBytes = limitBytes;
  }

  get count(): number {
    return this.#queue.size;
  }

  /** Has regions uninstalled until there is room for one more, then counts that in. */
  add(region: R, uninstall: (region: R) => void): void {
    const bytes = regionMemoryBytes(region);
    while (this.memoryBytes + bytes > this.limitBytes) {
      const oldest = this.#leastRecentlyEntered();
      if (oldest === undefined) break;
      uninstall(oldest);
      this.evictedCount++;
    }
    this.memoryBytes += bytes;
    this.#queue.add(region);
  }

  delete(region: R): void {
    if (this.#queue.delete(region)) this.memoryBytes -= regionMemoryBytes(region);
  }

  clear(): void {
    this.#queue.clear();
    this.memoryBytes = 0;
  }

  #leastRecentlyEntered(): R | undefined {
    let passedOver = 0;
    // A Set goes on with what is added behind during the walk.
    for (const region of this.#queue) {
      if (!this.#wasEntered(region) || passedOver++ === PASSED_OVER_MAX) return region;
      this.#queue.delete(region);
      this.#queue.add(region);
    }
    return undefined;
  }

  /** Also forgets that it was, and takes it out of the jump cache, by which regions enter each other without a mark. */
  #wasEntered({ entry }: R): boolean {
    if (this.#view.getInt32(entry + L.BLOCK_HEAT, true) === 0) return false;
    this.#view.setInt32(entry + L.BLOCK_HEAT, 0, true);
    this.#core.exports.uncacheBlock(entry);
    return true;
  }
}
