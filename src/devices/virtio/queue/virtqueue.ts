/**
 * A virtqueue as devices see it, whatever its layout: they take chains of buffers, work on them in any order and give
 * them back with the number of bytes written (Virtual I/O Device 1.2, section 2.6). What a driver does wrong breaks the
 * queue: nothing more comes out of it, and who set it up is told.
 *
 * Missing on purpose: VIRTIO_F_IN_ORDER.
 */

import type { DeviceState, Dma, StateReader } from "../../../hw/index.ts";
import { DescriptorChain, QUEUE_FAULTS } from "./descriptor-chain.ts";
import type { QueueFault } from "./descriptor-chain.ts";
import { PackedRing } from "./packed-ring.ts";
import { RingMemory } from "./ring-memory.ts";
import type { QueueSetup, Ring } from "./ring.ts";
import { SplitRing } from "./split-ring.ts";

/** Descriptors of one queue. */
export const QUEUE_SIZE_MAX = 1024;

/** What is saved of a queue that is in use; how it was set up is its transport's. */
export interface QueueState extends DeviceState {
  readonly nextAvailable: number;
  readonly nextUsed: number;
  readonly interruptedAt: number;
  readonly fault: QueueFault | null;
  readonly outstandingCount: number;
  readonly outstanding: readonly DeviceState[];
}

export class Virtqueue {
  readonly setup: QueueSetup;
  readonly dma: Dma;
  readonly #memory: RingMemory;
  readonly #ring: Ring;
  readonly #onFault: (fault: QueueFault) => void;
  /** Taken and not given back. */
  readonly #outstanding = new Set<DescriptorChain>();
  #fault: QueueFault | undefined;
  #isRetired = false;

  /** `onFault` is called at most once, also from here. */
  constructor(setup: QueueSetup, dma: Dma, onFault: (fault: QueueFault) => void) {
    this.setup = setup;
    this.dma = dma;
    this.#onFault = onFault;
    this.#memory = new RingMemory(dma);
    this.#ring = setup.isPacked ? new PackedRing(this.#memory, setup) : new SplitRing(this.#memory, setup);
    if (setup.size < 1 || setup.size > QUEUE_SIZE_MAX) this.break("queue-size");
    else this.#checked(this.#ring.check());
  }

  /** What the driver did wrong; the queue is dead then. */
  get fault(): QueueFault | undefined {
    return this.#fault;
  }

  /** The driver has reset the queue: it must not hear anything more of what it had put there. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /** Chains that were taken and not given back, in the order in which they were taken. */
  get outstanding(): ReadonlySet<DescriptorChain> {
    return this.#outstanding;
  }

  /** The next buffer; undefined when there is none, or none any more. */
  pop(): DescriptorChain | undefined {
    if (this.#isDead) return undefined;
    const taken = this.#ring.take();
    if (this.#isLost() || taken === undefined) return undefined;
    if (typeof taken === "string") {
      this.break(taken);
      return undefined;
    }
    // A driver that makes its buffers available again while they are in use would never run out of them.
    if (this.#outstanding.size >= this.setup.size) {
      this.break("available-index");
      return undefined;
    }
    this.#outstanding.add(taken);
    return taken;
  }

  /** Gives a chain back, of whose writable elements the first `writtenBytes` have been written. */
  push(chain: DescriptorChain, writtenBytes: number): void {
    if (!this.#outstanding.delete(chain) || this.#isDead) return;
    this.#ring.complete(chain, writtenBytes);
    this.#isLost();
  }

  /** Whether the driver wants an interrupt for what was given back since the last call. */
  takeInterrupt(): boolean {
    if (this.#isDead) return false;
    const isWanted = this.#ring.takeInterrupt();
    return isWanted && !this.#isLost();
  }

  /** Whether the driver should tell of new buffers; it may do so anyway. */
  setNotifications(isWanted: boolean): void {
    if (this.#isDead) return;
    this.#ring.setNotifications(isWanted);
    this.#isLost();
  }

  /** The driver did what it must not: the device needs a reset. */
  break(fault: QueueFault): void {
    if (this.#isDead) return;
    this.#fault = fault;
    this.#onFault(fault);
  }

  /** The driver takes the queue back. Chains that are given back later go nowhere. */
  retire(): void {
    this.#isRetired = true;
    this.#outstanding.clear();
  }

  save(): QueueState {
    return {
      ...this.#ring.cursors,
      fault: this.#fault ?? null,
      outstandingCount: this.#outstanding.size,
      outstanding: [...this.#outstanding].map((chain) => chain.save()),
    };
  }

  /** On a queue of the same set-up that has not been used. */
  restore(state: StateReader): void {
    this.#ring.cursors = {
      nextAvailable: state.u16("nextAvailable"),
      nextUsed: state.u16("nextUsed"),
      interruptedAt: state.u16("interruptedAt"),
    };
    if (!state.isNull("fault")) this.#fault = state.choice("fault", QUEUE_FAULTS);
    const count = state.integer("outstandingCount", QUEUE_SIZE_MAX);
    for (const chain of state.children("outstanding", count)) {
      this.#outstanding.add(DescriptorChain.restore(chain, this.dma));
    }
  }

  get #isDead(): boolean {
    return this.#isRetired || this.#fault !== undefined;
  }

  /** Breaks the queue whose rings are not in RAM any more. */
  #isLost(): boolean {
    if (this.#memory.hasFailed) this.break("ring-outside-ram");
    return this.#memory.hasFailed;
  }

  #checked(fault: QueueFault | undefined): void {
    if (fault !== undefined) this.break(fault);
  }
}
