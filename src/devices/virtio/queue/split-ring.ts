/** Split virtqueues: descriptor table, available ring, used ring (Virtual I/O Device 1.2, section 2.7). */

import { DescriptorChain } from "./descriptor-chain.ts";
import type { QueueFault } from "./descriptor-chain.ts";
import { DESCRIPTOR, DESCRIPTOR_BYTES } from "./ring-memory.ts";
import type { RingMemory } from "./ring-memory.ts";
import type { QueueSetup, Ring, RingCursors } from "./ring.ts";

const NO_INTERRUPT = 1;
const NO_NOTIFY = 1;
/** Both rings begin with flags and index. */
const RING_HEADER_BYTES = 4;
const AVAILABLE_ENTRY_BYTES = 2;
const USED_ENTRY_BYTES = 8;
const EVENT_BYTES = 2;
const U16 = 0xffff;

/** Whether the step from `before` to `after` passes `event` (section 2.7.7.1). */
export function passesEvent(event: number, after: number, before: number): boolean {
  return ((after - event - 1) & U16) < ((after - before) & U16);
}

export class SplitRing implements Ring {
  readonly #memory: RingMemory;
  readonly #setup: QueueSetup;
  readonly #usedEventGpa: number;
  readonly #availableEventGpa: number;
  /** Free-running indices of 16 bits, as the rings have them. */
  #nextAvailable = 0;
  #nextUsed = 0;
  /** The used index that interrupts were last decided at. */
  #interruptedAt = 0;

  constructor(memory: RingMemory, setup: QueueSetup) {
    this.#memory = memory;
    this.#setup = setup;
    this.#usedEventGpa = setup.driverGpa + RING_HEADER_BYTES + AVAILABLE_ENTRY_BYTES * setup.size;
    this.#availableEventGpa = setup.deviceGpa + RING_HEADER_BYTES + USED_ENTRY_BYTES * setup.size;
  }

  check(): QueueFault | undefined {
    const { size, descriptorGpa, driverGpa, deviceGpa } = this.#setup;
    if ((size & (size - 1)) !== 0) return "queue-size";
    const isInRam =
      this.#memory.isRam(descriptorGpa, DESCRIPTOR_BYTES * size) &&
      this.#memory.isRam(driverGpa, RING_HEADER_BYTES + AVAILABLE_ENTRY_BYTES * size + EVENT_BYTES) &&
      this.#memory.isRam(deviceGpa, RING_HEADER_BYTES + USED_ENTRY_BYTES * size + EVENT_BYTES);
    return isInRam ? undefined : "ring-outside-ram";
  }

  take(): DescriptorChain | QueueFault | undefined {
    const { size, driverGpa } = this.#setup;
    const waiting = (this.#memory.readU16(driverGpa + 2) - this.#nextAvailable) & U16;
    if (waiting === 0) return undefined;
    if (waiting > size) return "available-index";
    const entry = this.#nextAvailable & (size - 1);
    const head = this.#memory.readU16(driverGpa + RING_HEADER_BYTES + AVAILABLE_ENTRY_BYTES * entry);
    const chain = new DescriptorChain(head, 1);
    const fault = this.#walk(chain, this.#setup.descriptorGpa, size, head, this.#setup.hasIndirect);
    if (fault !== undefined) return fault;
    this.#nextAvailable = (this.#nextAvailable + 1) & U16;
    return chain;
  }

  complete(chain: DescriptorChain, writtenBytes: number): void {
    const { size, deviceGpa } = this.#setup;
    const entry = this.#nextUsed & (size - 1);
    this.#memory.writeU32Pair(
      deviceGpa + RING_HEADER_BYTES + USED_ENTRY_BYTES * entry,
      chain.id,
      writtenBytes,
    );
    this.#nextUsed = (this.#nextUsed + 1) & U16;
    this.#memory.writeU16(deviceGpa + 2, this.#nextUsed);
  }

  takeInterrupt(): boolean {
    const before = this.#interruptedAt;
    if (before === this.#nextUsed) return false;
    this.#interruptedAt = this.#nextUsed;
    if (this.#setup.hasEventIndex) {
      return passesEvent(this.#memory.readU16(this.#usedEventGpa), this.#nextUsed, before);
    }
    return (this.#memory.readU16(this.#setup.driverGpa) & NO_INTERRUPT) === 0;
  }

  /** With event indices a driver is kept quiet by not moving the event on. */
  setNotifications(isWanted: boolean): void {
    if (!this.#setup.hasEventIndex) this.#memory.writeU16(this.#setup.deviceGpa, isWanted ? 0 : NO_NOTIFY);
    else if (isWanted) this.#memory.writeU16(this.#availableEventGpa, this.#nextAvailable);
  }

  get cursors(): RingCursors {
    return {
      nextAvailable: this.#nextAvailable,
      nextUsed: this.#nextUsed,
      interruptedAt: this.#interruptedAt,
    };
  }

  set cursors({ nextAvailable, nextUsed, interruptedAt }: RingCursors) {
    this.#nextAvailable = nextAvailable;
    this.#nextUsed = nextUsed;
    this.#interruptedAt = interruptedAt;
  }

  /** Follows a chain through a table of `count` descriptors; a chain that is longer than its table goes in circles. */
  #walk(
    chain: DescriptorChain,
    tableGpa: number,
    count: number,
    head: number,
    mayBeIndirect: boolean,
  ): QueueFault | undefined {
    const memory = this.#memory;
    let index = head;
    for (let walked = 0; walked < count; walked++) {
      if (index >= count) return "descriptor-index";
      memory.loadDescriptor(tableGpa + DESCRIPTOR_BYTES * index);
      const gpa = memory.descriptorGpa;
      const lengthBytes = memory.descriptorLengthBytes;
      const flags = memory.descriptorWord12;
      const next = memory.descriptorWord14;
      if ((flags & DESCRIPTOR.indirect) !== 0) {
        if (!mayBeIndirect || (flags & DESCRIPTOR.next) !== 0) return "indirect";
        if (lengthBytes === 0 || lengthBytes % DESCRIPTOR_BYTES !== 0) return "table-length";
        if (!memory.isRam(gpa, lengthBytes)) return "ring-outside-ram";
        return this.#walk(chain, gpa, lengthBytes / DESCRIPTOR_BYTES, 0, false);
      }
      const fault = chain.append(memory.dma, gpa, lengthBytes, (flags & DESCRIPTOR.write) !== 0);
      if (fault !== undefined) return fault;
      if ((flags & DESCRIPTOR.next) === 0) return undefined;
      index = next;
    }
    return "chain-length";
  }
}
