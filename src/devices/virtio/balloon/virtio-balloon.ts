/**
 * The memory balloon (Virtual I/O Device 1.2, section 5.5): the host asks the guest to leave pages unused, and the guest tells how
 * much memory it has and uses. A host of WebAssembly cannot give the guest's pages back to its system, so all that the
 * balloon does is to limit what the guest uses; the pages in it are not touched, and keep what they hold.
 *
 * Missing on purpose: VIRTIO_BALLOON_F_MUST_TELL_HOST, since nothing happens to the pages, and free page hinting and
 * reporting and page poison, for which nobody would do anything either.
 */

import { defineRegisters, RegisterFile, StateReader } from "../../../hw/index.ts";
import type { DeviceState, RegisterHooks } from "../../../hw/index.ts";
import type { DescriptorChain, Virtqueue } from "../queue/index.ts";
import type { VirtioDevice, VirtioHost, VirtioType } from "../virtio-device.ts";
import { parseStatistics, STATISTICS_BYTES_MAX } from "./memory-statistics.ts";
import type { MemoryStatistics } from "./memory-statistics.ts";

/** What the balloon counts in, whatever the guest's pages are. */
export const BALLOON_PAGE_BYTES = 4096;
const FEATURE = { statisticsQueue: 1, deflateOnOom: 2 } as const;
const QUEUE = { inflate: 0, deflate: 1, statistics: 2 } as const;
const QUEUE_SIZE = 128;

const REGISTERS = defineRegisters({
  pageCount: { at: 0, size: 4, access: "ro", read: "readPageCount" },
  actual: { at: 4, size: 4, reset: 0 },
});

interface Held {
  readonly queue: Virtqueue;
  readonly chain: DescriptorChain;
}

export class VirtioBalloon implements VirtioDevice, RegisterHooks<typeof REGISTERS> {
  readonly type: VirtioType = { id: 5, transitionalPciId: 0x1002, baseClass: 0x00, subClass: 0xff };
  readonly features: readonly number[] = Object.values(FEATURE);
  readonly queueSizes: readonly number[] = [QUEUE_SIZE, QUEUE_SIZE, QUEUE_SIZE];
  readonly config = new RegisterFile(REGISTERS, this);
  readonly configBytes = 8;
  readonly #pagesMax: number;
  #host: VirtioHost | undefined;
  #targetPages = 0;
  /** The guest's buffer for statistics: it is given back when they are wanted, and comes again with them. */
  #held: Held | undefined;
  #onStatistics: ((statistics: MemoryStatistics) => void) | undefined;

  /** `ramBytes` is all that the guest has. */
  constructor(ramBytes: number) {
    this.#pagesMax = Math.floor(ramBytes / BALLOON_PAGE_BYTES);
  }

  // The host's side.

  /** What the guest says to have put into the balloon, never more than it has. */
  get sizeBytes(): number {
    return Math.min(this.config.values.actual, this.#pagesMax) * BALLOON_PAGE_BYTES;
  }

  get targetBytes(): number {
    return this.#targetPages * BALLOON_PAGE_BYTES;
  }

  /** Asks the guest to make the balloon this large, in whole pages; it does so when and as far as it can. */
  set targetBytes(bytes: number) {
    this.#targetPages = Math.min(Math.floor(bytes / BALLOON_PAGE_BYTES), this.#pagesMax);
    this.#host?.configChanged();
  }

  /** Called when the guest has told of its memory, after it was asked. */
  set onStatistics(listener: ((statistics: MemoryStatistics) => void) | undefined) {
    this.#onStatistics = listener;
  }

  /** Asks the guest to tell of its memory; false where it has nothing to tell it with, or has been asked already. */
  askStatistics(): boolean {
    const held = this.#held;
    if (held === undefined || held.queue.isRetired) return false;
    this.#held = undefined;
    held.queue.push(held.chain, 0);
    this.#host?.interrupt(QUEUE.statistics);
    return true;
  }

  // The transport's side.

  attach(host: VirtioHost): void {
    this.#host = host;
  }

  featuresAgreed(): void {}

  notified(index: number): void {
    const queue = this.#host?.queue(index);
    if (queue === undefined) return;
    if (index === QUEUE.statistics) this.#takeStatistics(queue);
    else this.#takePages(queue, index);
  }

  /** The target is the host's and stays. */
  reset(): void {
    this.#held = undefined;
  }

  save(): DeviceState {
    return { targetPages: this.#targetPages };
  }

  restore(state: DeviceState, queues: readonly (Virtqueue | undefined)[]): void {
    this.#targetPages = new StateReader("virtio-balloon", state).integer("targetPages", this.#pagesMax);
    const queue = queues[QUEUE.statistics];
    const [chain] = queue?.outstanding ?? [];
    this.#held = queue === undefined || chain === undefined ? undefined : { queue, chain };
  }

  readPageCount(): number {
    return this.#targetPages;
  }

  // Workings.

  /** Numbers of pages that have come into the balloon or leave it: nothing is to be done about either. */
  #takePages(queue: Virtqueue, index: number): void {
    for (let count = 0; count < QUEUE_SIZE; count++) {
      const chain = queue.pop();
      if (chain === undefined) break;
      queue.push(chain, 0);
    }
    queue.setNotifications(true);
    this.#host?.interrupt(index);
  }

  /** There is one buffer at a time; one more than that comes back unread. */
  #takeStatistics(queue: Virtqueue): void {
    for (let count = 0; count < QUEUE_SIZE; count++) {
      const chain = queue.pop();
      if (chain === undefined) break;
      if (this.#held === undefined) this.#keep({ queue, chain });
      else queue.push(chain, 0);
    }
    queue.setNotifications(true);
    this.#host?.interrupt(QUEUE.statistics);
  }

  #keep(held: Held): void {
    this.#held = held;
    const { readable } = held.chain;
    const bytes = new Uint8Array(Math.min(readable.totalBytes, STATISTICS_BYTES_MAX));
    readable.read(held.queue.dma, 0, bytes);
    this.#onStatistics?.(parseStatistics(bytes));
  }
}
