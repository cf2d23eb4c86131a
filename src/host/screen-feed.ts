/**
 * The screen of a VM for those who look at it: asks the VM for what has changed while somebody waits for that, some 30 times a
 * second while it changes and seldom while it does not, and never while nobody waits.
 */

import { NS_PER_MS } from "../base/index.ts";
import type { Releasable } from "../base/index.ts";
import type { HostTimer, Scheduling } from "../vmm/index.ts";
import { MirroredFrame } from "./frame-changes.ts";
import type { FrameUpdate } from "./frame-changes.ts";
import type { Rectangle } from "./rfb/dirty-tiles.ts";
import type { RfbPicture } from "./rfb/rfb-session.ts";

export interface ScreenViewer {
  /** Whether it waits for a change. */
  readonly isWaiting: boolean;
  /** The picture has been looked at, and this much has changed. */
  looked(rectangles: readonly Rectangle[], isResized: boolean): void;
}

export interface ScreenFeedParts {
  /** Undefined when there is no screen any more. */
  readonly look: (isWhole: boolean) => Promise<FrameUpdate | undefined>;
  readonly scheduling: Scheduling;
}

const SHORTEST_WAIT_NS = 33 * NS_PER_MS;
const LONGEST_WAIT_NS = 100 * NS_PER_MS;
const WAIT_GROWTH = 1.3;

export class ScreenFeed {
  readonly #parts: ScreenFeedParts;
  readonly #frame = new MirroredFrame();
  readonly #viewers = new Set<ScreenViewer>();
  #waitNs = SHORTEST_WAIT_NS;
  #nextLookNs = 0;
  #timer: HostTimer | undefined;
  #isLooking = false;
  #isClosed = false;
  #opened: Promise<boolean> | undefined;

  constructor(parts: ScreenFeedParts) {
    this.#parts = parts;
  }

  /** As it was last reported. */
  get picture(): RfbPicture {
    return this.#frame;
  }

  /** Reads the whole screen for the first time; false when there is none. To be awaited before the picture is used. */
  async open(): Promise<boolean> {
    this.#opened ??= this.#look(true);
    return await this.#opened;
  }

  add(viewer: ScreenViewer): Releasable {
    this.#viewers.add(viewer);
    return { release: () => void this.#viewers.delete(viewer) };
  }

  /** Somebody waits. */
  wanted(): void {
    if (this.#timer !== undefined || this.#isLooking || this.#isClosed) return;
    const { scheduling } = this.#parts;
    const delayNs = Math.max(0, this.#nextLookNs - scheduling.nowNs());
    this.#timer = scheduling.setTimer(
      delayNs,
      () => {
        this.#timer = undefined;
        void this.#look(false);
      },
      "listening",
    );
  }

  /** Somebody has done something that will show soon, or does not want to wait for a screen that stands still. */
  hurry(): void {
    if (this.#waitNs === SHORTEST_WAIT_NS) return;
    this.#nextLookNs -= this.#waitNs - SHORTEST_WAIT_NS;
    this.#waitNs = SHORTEST_WAIT_NS;
    if (this.#timer === undefined) return;
    this.#timer.cancel();
    this.#timer = undefined;
    this.wanted();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #look(isWhole: boolean): Promise<boolean> {
    this.#isLooking = true;
    const update = await this.#parts.look(isWhole);
    this.#isLooking = false;
    const applied = update === undefined ? undefined : this.#frame.apply(update);
    if (applied === undefined || this.#isClosed) return false;
    const hasChanged = applied.rectangles.length > 0;
    this.#waitNs = hasChanged ? SHORTEST_WAIT_NS : Math.min(LONGEST_WAIT_NS, this.#waitNs * WAIT_GROWTH);
    this.#nextLookNs = this.#parts.scheduling.nowNs() + this.#waitNs;
    for (const viewer of [...this.#viewers]) viewer.looked(applied.rectangles, applied.isResized);
    if ([...this.#viewers].some(({ isWaiting }) => isWaiting)) this.wanted();
    return true;
  }
}
