/**
 * A buffer that the driver has made available: elements that the device reads, followed by elements that it writes
 * (Virtual I/O Device 1.2, section 2.6). All of them are RAM: what is not has been refused when the chain was taken. Where
 * the guest has put something else since, reads give all ones, as on a bus where nobody answers, and writes are dropped.
 */

import { OperatorFault } from "../../../base/index.ts";
import type { DeviceState, Dma, StateReader } from "../../../hw/index.ts";

/**
 * Descriptors of one chain. The specification says the queue's size; Linux makes longer ones in indirect tables, so the
 * limit is one of its own.
 */
export const CHAIN_DESCRIPTORS_MAX = 1024;
/** Bytes of one chain, section 2.7.5.2. */
const CHAIN_BYTES_MAX = 0xffffffff;

/** What a driver did that no driver may do. */
export const QUEUE_FAULTS = [
  /** A size of 0, above the device's maximum, or in a split queue not a power of two. */
  "queue-size",
  /** A ring, or a table of descriptors, is not in RAM. */
  "ring-outside-ram",
  /** More buffers are available than the queue has room for. */
  "available-index",
  /** A descriptor's index is not below the size of its table. */
  "descriptor-index",
  /** A chain that never ends, or has more descriptors than CHAIN_DESCRIPTORS_MAX. */
  "chain-length",
  /** An indirect descriptor that was not negotiated, or where none may be. */
  "indirect",
  /** The length of a table of descriptors. */
  "table-length",
  /** An element to be read behind one to be written. */
  "element-order",
  "element-outside-ram",
  /** More bytes than a chain may have. */
  "chain-bytes",
  /** What the device itself cannot take: a request without the parts that every request has. */
  "request",
] as const;
export type QueueFault = (typeof QUEUE_FAULTS)[number];

/** One direction's elements of a chain, as one run of bytes. */
export class ElementList {
  readonly #gpas: number[] = [];
  readonly #lengths: number[] = [];
  #totalBytes = 0;

  get totalBytes(): number {
    return this.#totalBytes;
  }

  get count(): number {
    return this.#gpas.length;
  }

  append(gpa: number, lengthBytes: number): void {
    this.#gpas.push(gpa);
    this.#lengths.push(lengthBytes);
    this.#totalBytes += lengthBytes;
  }

  /** Copies the bytes from `offset` on to `target`; returns how many there were, at most its length. */
  read(dma: Dma, offset: number, target: Uint8Array): number {
    return this.#walk(offset, target.length, (gpa, at, lengthBytes) => {
      const source = dma.readable(gpa, lengthBytes);
      if (source === undefined) target.fill(0xff, at, at + lengthBytes);
      else target.set(source, at);
    });
  }

  /** Copies `source` to the bytes from `offset` on; returns how many had room. */
  write(dma: Dma, offset: number, source: Uint8Array): number {
    return this.#walk(offset, source.length, (gpa, at, lengthBytes) => {
      dma.write(gpa, source.subarray(at, at + lengthBytes));
    });
  }

  /**
   * The first `lengthBytes` bytes themselves, an array for each element, to be used before control returns to the guest:
   * to be written where `access` says so. Undefined where not all of it is RAM any more.
   */
  views(
    dma: Dma,
    access: "readable" | "writable",
    offset: number,
    lengthBytes: number,
  ): Uint8Array[] | undefined {
    const views: Uint8Array[] = [];
    let isRam = true;
    this.#walk(offset, lengthBytes, (gpa, _, pieceBytes) => {
      const view = access === "writable" ? dma.writable(gpa, pieceBytes) : dma.readable(gpa, pieceBytes);
      if (view === undefined) isRam = false;
      else views.push(view);
    });
    return isRam ? views : undefined;
  }

  forEachElement(visit: (gpa: number, lengthBytes: number) => void): void {
    this.#gpas.forEach((gpa, index) => visit(gpa, this.#lengths[index] ?? 0));
  }

  save(): DeviceState {
    return { gpas: [...this.#gpas], lengths: [...this.#lengths] };
  }

  static restore(state: StateReader, dma: Dma): ElementList {
    const gpas = state.integers("gpas", CHAIN_DESCRIPTORS_MAX, Number.MAX_SAFE_INTEGER);
    const lengths = state.integers("lengths", CHAIN_DESCRIPTORS_MAX, CHAIN_BYTES_MAX);
    const elements = new ElementList();
    gpas.forEach((gpa, index) => {
      const lengthBytes = lengths[index] ?? -1;
      if (lengthBytes < 0 || dma.readable(gpa, lengthBytes) === undefined) {
        throw new OperatorFault("snapshot", "The snapshot has a virtio buffer that is not in memory.");
      }
      elements.append(gpa, lengthBytes);
    });
    return elements;
  }

  #walk(offset: number, wantedBytes: number, visit: (gpa: number, at: number, lengthBytes: number) => void) {
    let skip = offset;
    let done = 0;
    for (let index = 0; index < this.#gpas.length && done < wantedBytes; index++) {
      const lengthBytes = this.#lengths[index] ?? 0;
      if (skip >= lengthBytes) {
        skip -= lengthBytes;
        continue;
      }
      const piece = Math.min(lengthBytes - skip, wantedBytes - done);
      visit((this.#gpas[index] ?? 0) + skip, done, piece);
      done += piece;
      skip = 0;
    }
    return done;
  }
}

export class DescriptorChain {
  /** What names it to the driver: the index of its first descriptor, or in a packed queue its buffer ID. */
  id: number;
  /** Descriptors that it takes up in the ring; those of an indirect table are not among them. */
  ringDescriptors: number;
  readonly readable: ElementList;
  readonly writable: ElementList;
  #descriptors = 0;

  constructor(
    id: number,
    ringDescriptors: number,
    readable = new ElementList(),
    writable = new ElementList(),
  ) {
    this.id = id;
    this.ringDescriptors = ringDescriptors;
    this.readable = readable;
    this.writable = writable;
  }

  /** Appends what a descriptor describes. */
  append(dma: Dma, gpa: number, lengthBytes: number, isWritable: boolean): QueueFault | undefined {
    if (++this.#descriptors > CHAIN_DESCRIPTORS_MAX) return "chain-length";
    if (!isWritable && this.writable.count > 0) return "element-order";
    if (dma.readable(gpa, lengthBytes) === undefined) return "element-outside-ram";
    if (this.readable.totalBytes + this.writable.totalBytes + lengthBytes > CHAIN_BYTES_MAX)
      return "chain-bytes";
    (isWritable ? this.writable : this.readable).append(gpa, lengthBytes);
    return undefined;
  }

  save(): DeviceState {
    const { id, ringDescriptors } = this;
    return { id, ringDescriptors, readable: this.readable.save(), writable: this.writable.save() };
  }

  static restore(state: StateReader, dma: Dma): DescriptorChain {
    return new DescriptorChain(
      state.u16("id"),
      state.integer("ringDescriptors", CHAIN_DESCRIPTORS_MAX),
      ElementList.restore(state.child("readable"), dma),
      ElementList.restore(state.child("writable"), dma),
    );
  }
}
