/** What a VM knows of its guest's memory through the balloon: its sizes, and what the guest tells when it is asked. */

import { NS_PER_S } from "../base/index.ts";
import type { MemoryStatistics, VirtioBalloon } from "../devices/virtio/balloon/index.ts";
import type { HostTimer, Scheduling } from "./scheduling.ts";

/** A guest that runs answers in milliseconds; one that is paused, or has no driver, never. */
const ANSWER_TIMEOUT_NS = 1 * NS_PER_S;

export interface GuestMemory {
  /** What the host asks the guest to leave unused, and what the guest says that it does. */
  readonly balloonTargetBytes: number;
  readonly balloonBytes: number;
  /**
   * What the guest has given back to the host since the start, in the balloon or because it had no use for it; a page that
   * comes and goes counts each time. It stays 0 on a host that cannot take pages back.
   */
  readonly releasedBytes: number;
  /** The guest's own figures; undefined when it does not tell. */
  readonly statistics: MemoryStatistics | undefined;
}

export class GuestMemoryView {
  readonly #balloon: VirtioBalloon;
  readonly #scheduling: Scheduling;
  readonly #releasedBytes: () => number;
  #waiting: ((statistics: MemoryStatistics | undefined) => void)[] = [];
  #timer: HostTimer | undefined;

  constructor(balloon: VirtioBalloon, scheduling: Scheduling, releasedBytes: () => number) {
    this.#releasedBytes = releasedBytes;
    this.#balloon = balloon;
    this.#scheduling = scheduling;
    balloon.onStatistics = (statistics) => this.#answer(statistics);
  }

  setTarget(sizeBytes: number): void {
    this.#balloon.targetBytes = sizeBytes;
  }

  /** Those who ask before the guest has answered get the same answer. */
  async ask(): Promise<GuestMemory> {
    const statistics = await new Promise<MemoryStatistics | undefined>((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length > 1) return;
      if (this.#balloon.askStatistics())
        this.#timer = this.#scheduling.setTimer(ANSWER_TIMEOUT_NS, () => this.#answer(undefined));
      else this.#answer(undefined);
    });
    const { targetBytes: balloonTargetBytes, sizeBytes: balloonBytes } = this.#balloon;
    return { balloonTargetBytes, balloonBytes, releasedBytes: this.#releasedBytes(), statistics };
  }

  #answer(statistics: MemoryStatistics | undefined): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const resolve of this.#waiting.splice(0)) resolve(statistics);
  }
}
