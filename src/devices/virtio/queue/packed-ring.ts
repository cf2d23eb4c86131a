/** Packed virtqueues: one ring of descriptors that both sides write (Virtual I/O Device 1.2, section 2.8). */

import { DescriptorChain } from "./descriptor-chain.ts";
import type { QueueFault } from "./descriptor-chain.ts";
import { DESCRIPTOR, DESCRIPTOR_BYTES } from "./ring-memory.ts";
import type { RingMemory } from "./ring-memory.ts";
import type { QueueSetup, Ring, RingCursors } from "./ring.ts";
import { passesEvent } from "./split-ring.ts";

/** Offset and flags of an event suppression structure (section 2.8.10). */
const EVENT_BYTES = 4;
const EVENT_FLAGS_OFFSET = 2;
const EVENT = { enable: 0, disable: 1, descriptor: 2 } as const;
const EVENT_FLAGS_MASK = 3;
/** An index in the ring carries its wrap counter in the top bit; both begin at 0 with the counter set. */
const WRAP = 1 << 15;
const INDEX_MASK = WRAP - 1;
const START = WRAP;

export class PackedRing implements Ring {
  readonly #memory: RingMemory;
  readonly #setup: QueueSetup;
  #nextAvailable = START;
  #nextUsed = START;
  #interruptedAt = START;

  constructor(memory: RingMemory, setup: QueueSetup) {
    this.#memory = memory;
    this.#setup = setup;
  }

  check(): QueueFault | undefined {
    const { size, descriptorGpa, driverGpa, deviceGpa } = this.#setup;
    const isInRam =
      this.#memory.isRam(descriptorGpa, DESCRIPTOR_BYTES * size) &&
      this.#memory.isRam(driverGpa, EVENT_BYTES) &&
      this.#memory.isRam(deviceGpa, EVENT_BYTES);
    return isInRam ? undefined : "ring-outside-ram";
  }

  take(): DescriptorChain | QueueFault | undefined {
    const memory = this.#memory;
    memory.loadDescriptor(this.#gpaAt(this.#nextAvailable));
    if (!isAvailable(memory.descriptorWord14, this.#nextAvailable)) return undefined;
    const chain = new DescriptorChain(0, 0);
    const fault = this.#walk(chain);
    if (fault !== undefined) return fault;
    this.#nextAvailable = this.#advance(this.#nextAvailable, chain.ringDescriptors);
    return chain;
  }

  complete(chain: DescriptorChain, writtenBytes: number): void {
    const gpa = this.#gpaAt(this.#nextUsed);
    const marks = (this.#nextUsed & WRAP) === 0 ? 0 : DESCRIPTOR.available | DESCRIPTOR.used;
    const flags = marks | (writtenBytes > 0 ? DESCRIPTOR.write : 0);
    this.#memory.writeU32Pair(gpa + 8, writtenBytes, chain.id | (flags << 16));
    this.#nextUsed = this.#advance(this.#nextUsed, chain.ringDescriptors);
  }

  takeInterrupt(): boolean {
    const before = this.#interruptedAt;
    if (before === this.#nextUsed) return false;
    this.#interruptedAt = this.#nextUsed;
    const { driverGpa, hasEventIndex, size } = this.#setup;
    const flags = this.#memory.readU16(driverGpa + EVENT_FLAGS_OFFSET) & EVENT_FLAGS_MASK;
    if (flags === EVENT.disable) return false;
    if (flags !== EVENT.descriptor || !hasEventIndex) return true;
    // Counted from the start of the present turn: what lies in the turn before is negative.
    const wrap = this.#nextUsed & WRAP;
    const fromHere = (cursor: number): number =>
      (cursor & INDEX_MASK) - ((cursor & WRAP) === wrap ? 0 : size);
    const event = fromHere(this.#memory.readU16(driverGpa));
    return passesEvent(event, this.#nextUsed & INDEX_MASK, fromHere(before));
  }

  setNotifications(isWanted: boolean): void {
    const { deviceGpa, hasEventIndex } = this.#setup;
    const enable = hasEventIndex ? EVENT.descriptor : EVENT.enable;
    if (isWanted && hasEventIndex) this.#memory.writeU16(deviceGpa, this.#nextAvailable);
    this.#memory.writeU16(deviceGpa + EVENT_FLAGS_OFFSET, isWanted ? enable : EVENT.disable);
  }

  get cursors(): RingCursors {
    return {
      nextAvailable: this.#nextAvailable,
      nextUsed: this.#nextUsed,
      interruptedAt: this.#interruptedAt,
    };
  }

  set cursors({ nextAvailable, nextUsed, interruptedAt }: RingCursors) {
    // Indices beyond the ring can only come from a snapshot; they count from its start.
    const inRing = (cursor: number): number => (cursor & WRAP) | ((cursor & INDEX_MASK) % this.#setup.size);
    this.#nextAvailable = inRing(nextAvailable);
    this.#nextUsed = inRing(nextUsed);
    this.#interruptedAt = inRing(interruptedAt);
  }

  #gpaAt(cursor: number): number {
    return this.#setup.descriptorGpa + DESCRIPTOR_BYTES * (cursor & INDEX_MASK);
  }

  /** The wrap counter changes at the ring's end. */
  #advance(cursor: number, count: number): number {
    const { size } = this.#setup;
    const index = (cursor & INDEX_MASK) + count;
    return index < size ? (cursor & WRAP) | index : ((cursor & WRAP) ^ WRAP) | (index - size);
  }

  #walk(chain: DescriptorChain): QueueFault | undefined {
    const memory = this.#memory;
    let cursor = this.#nextAvailable;
    for (let walked = 0; walked < this.#setup.size; walked++) {
      memory.loadDescriptor(this.#gpaAt(cursor));
      const gpa = memory.descriptorGpa;
      const lengthBytes = memory.descriptorLengthBytes;
      const flags = memory.descriptorWord14;
      chain.id = memory.descriptorWord12;
      chain.ringDescriptors++;
      if ((flags & DESCRIPTOR.indirect) !== 0) {
        // A list is either in the ring or in a table (section 2.8.5).
        const mayBe = this.#setup.hasIndirect && walked === 0 && (flags & DESCRIPTOR.next) === 0;
        return mayBe ? this.#walkTable(chain, gpa, lengthBytes) : "indirect";
      }
      const fault = chain.append(memory.dma, gpa, lengthBytes, (flags & DESCRIPTOR.write) !== 0);
      if (fault !== undefined) return fault;
      if ((flags & DESCRIPTOR.next) === 0) return undefined;
      cursor = this.#advance(cursor, 1);
    }
    return "chain-length";
  }

  /** Descriptors of a table follow each other, and no flag but WRITE means anything in them (section 2.8.7). */
  #walkTable(chain: DescriptorChain, tableGpa: number, tableBytes: number): QueueFault | undefined {
    const memory = this.#memory;
    if (tableBytes === 0 || tableBytes % DESCRIPTOR_BYTES !== 0) return "table-length";
    if (!memory.isRam(tableGpa, tableBytes)) return "ring-outside-ram";
    for (let at = 0; at < tableBytes; at += DESCRIPTOR_BYTES) {
      memory.loadDescriptor(tableGpa + at);
      const isWritable = (memory.descriptorWord14 & DESCRIPTOR.write) !== 0;
      const fault = chain.append(memory.dma, memory.descriptorGpa, memory.descriptorLengthBytes, isWritable);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
}

/** Available in this turn: the flag AVAIL is as the wrap counter, the flag USED is not (section 2.8.1). */
function isAvailable(flags: number, cursor: number): boolean {
  const wrap = (cursor & WRAP) !== 0;
  return ((flags & DESCRIPTOR.available) !== 0) === wrap && ((flags & DESCRIPTOR.used) !== 0) !== wrap;
}
