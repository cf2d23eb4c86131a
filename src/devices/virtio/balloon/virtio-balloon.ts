/**
 * The memory balloon (Virtual I/O Device 1.2, section 5.5): the host asks the guest to leave pages unused, the guest tells how
 * much memory it has and uses, and gives its host the pages that it puts into the balloon, and by free page reporting
 * (5.5.6.7) those that it has no use for by itself. They are discarded when they arrive: where the host can free
 * them, they read as zero from then on.
 *
 * A guest that takes pages out of the balloon just uses them, so nothing is done about those. Reported pages are in use
 * again when they come back, and read as zero or as before; a guest that expects another value in its free pages
 * (VIRTIO_BALLOON_F_PAGE_POISON, 5.5.6.6) keeps them.
 *
 * The specification numbers the queue for reports 4, whichever of the others there are. Drivers and other devices leave no
 * gaps: without statistics and hints it is 2, without hints 3. Reports are taken from all of them.
 *
 * Missing on purpose: VIRTIO_BALLOON_F_MUST_TELL_HOST, since a page may be used before its host hears of it, and free page
 * hinting, which is for moving a guest to another host.
 */

import { defineRegisters, RegisterFile, StateReader } from "../../../hw/index.ts";
import type { DeviceState, RegisterHooks } from "../../../hw/index.ts";
import type { DescriptorChain, Virtqueue } from "../queue/index.ts";
import type { VirtioDevice, VirtioHost, VirtioType } from "../virtio-device.ts";
import { BALLOON_PAGE_BYTES, PageDiscards, REQUEST_BYTES_MAX } from "./page-discards.ts";
import type { BalloonMemory } from "./page-discards.ts";
import { parseStatistics, STATISTICS_BYTES_MAX } from "./memory-statistics.ts";
import type { MemoryStatistics } from "./memory-statistics.ts";

const FEATURE = { statisticsQueue: 1, deflateOnOom: 2, pagePoison: 4, reporting: 5 } as const;
/** Queues 3 and 4 are for reports. */
const QUEUE = { inflate: 0, deflate: 1, statistics: 2 } as const;
const QUEUES = 5;
/** Linux does not report through a queue of less than 32. */
const QUEUE_SIZE = 128;

const REGISTERS = defineRegisters({
  pageCount: { at: 0, size: 4, access: "ro", read: "readPageCount" },
  actual: { at: 4, size: 4, reset: 0 },
  /** Of hinting; valid only with that. */
  freePageHintCommand: { at: 8, size: 4, access: "ro", reset: 0 },
  poisonValue: { at: 12, size: 4, reset: 0 },
});

interface Held {
  readonly queue: Virtqueue;
  readonly chain: DescriptorChain;
}

export class VirtioBalloon implements VirtioDevice, RegisterHooks<typeof REGISTERS> {
  readonly type: VirtioType = { id: 5, transitionalPciId: 0x1002, baseClass: 0x00, subClass: 0xff };
  readonly features: readonly number[] = Object.values(FEATURE);
  readonly queueSizes: readonly number[] = Array.from({ length: QUEUES }, () => QUEUE_SIZE);
  readonly config = new RegisterFile(REGISTERS, this);
  readonly configBytes = 16;
  readonly #memory: BalloonMemory;
  readonly #pagesMax: number;
  #host: VirtioHost | undefined;
  #targetPages = 0;
  /** The guest's buffer for statistics: it is given back when they are wanted, and comes again with them. */
  #held: Held | undefined;
  #onStatistics: ((statistics: MemoryStatistics) => void) | undefined;

  constructor(memory: BalloonMemory) {
    this.#memory = memory;
    this.#pagesMax = Math.floor(memory.ramBytes / BALLOON_PAGE_BYTES);
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
    if (index === QUEUE.statistics && this.#hasFeature("statisticsQueue")) this.#takeStatistics(queue);
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

  #hasFeature(name: keyof typeof FEATURE): boolean {
    return this.#host?.hasFeature(FEATURE[name]) === true;
  }

  /** Pages that come into the balloon, leave it, or are reported: those that the guest gives away are discarded. */
  #takePages(queue: Virtqueue, index: number): void {
    const discards = new PageDiscards(queue.dma, this.#memory);
    for (let count = 0; count < QUEUE_SIZE; count++) {
      const chain = queue.pop();
      if (chain === undefined) break;
      if (index === QUEUE.inflate) discardInflated(queue, chain, discards);
      else if (index !== QUEUE.deflate && this.#mayDiscardReports()) discardReported(chain, discards);
      queue.push(chain, 0);
    }
    queue.setNotifications(true);
    this.#host?.interrupt(index);
  }

  /** A guest that has not asked for reporting has nothing to report; one that poisons its free pages with zero loses nothing. */
  #mayDiscardReports(): boolean {
    if (!this.#hasFeature("reporting")) return false;
    return !this.#hasFeature("pagePoison") || this.config.values.poisonValue === 0;
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

/** The driver has written page numbers into the buffer. */
function discardInflated(queue: Virtqueue, { readable }: DescriptorChain, discards: PageDiscards): void {
  const request = new Uint8Array(Math.min(readable.totalBytes, REQUEST_BYTES_MAX));
  readable.read(queue.dma, 0, request);
  discards.discardPages(request);
}

/** The buffers are the pages themselves, for the device to write. */
function discardReported({ writable }: DescriptorChain, discards: PageDiscards): void {
  writable.forEachElement((gpa, lengthBytes) => discards.discard(gpa, lengthBytes));
}
