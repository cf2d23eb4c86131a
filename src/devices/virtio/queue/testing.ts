/**
 * The driver's side of a virtqueue, for the tests of every device: offers buffers, takes back used ones, and says when
 * it wants to be interrupted and whether the device wants to be told. Written from the specification's driver sections
 * (2.7.13 and 2.8.21), not from the device's code.
 */

import type { GuestRam } from "../../../memory/index.ts";
import type { QueueSetup } from "./ring.ts";

export interface DriverElement {
  readonly gpa: number;
  readonly lengthBytes: number;
  readonly isWritable: boolean;
}

export interface UsedBuffer {
  readonly id: number;
  readonly writtenBytes: number;
}

export interface QueueDriver {
  readonly setup: QueueSetup;
  /** Makes a buffer available, through a table at `tableGpa` if that is given; returns its ID. */
  offer(elements: readonly DriverElement[], tableGpa?: number): number;
  takeUsed(): UsedBuffer[];
  /** "always", "never", or (with event indices) when as many more buffers are used. */
  wantInterrupts(when: "always" | "never" | number): void;
  /** Whether the device wants to be told of the buffers offered since the last call. */
  mustNotify(): boolean;
}

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const AVAILABLE = 0x80;
const USED = 0x8000;

export interface DriverOptions {
  readonly size?: number;
  /** The rings take up to 64 KiB from here on. */
  readonly baseGpa?: number;
  readonly isPacked?: boolean;
  readonly hasIndirect?: boolean;
  readonly hasEventIndex?: boolean;
  /** The areas follow each other as section 2.7.2 says. */
  readonly isLegacy?: boolean;
}

export function queueDriver(ram: GuestRam, options: DriverOptions = {}): QueueDriver {
  const { size = 8, baseGpa = 0x1_0000, isPacked = false } = options;
  const { hasIndirect = true, hasEventIndex = false, isLegacy = false } = options;
  const setup: QueueSetup = {
    size,
    descriptorGpa: baseGpa,
    driverGpa: baseGpa + (isLegacy ? 16 * size : 0x5000),
    deviceGpa: baseGpa + (isLegacy ? Math.ceil((18 * size + 6) / 4096) * 4096 : 0x8000),
    isPacked,
    hasIndirect,
    hasEventIndex,
  };
  ram.fill(baseGpa, 0x1_0000, 0);
  return isPacked ? new PackedDriver(ram, setup) : new SplitDriver(ram, setup);
}

/** Writes a descriptor with words 12 and 14 as its layout has them. */
export function writeDescriptor(
  ram: GuestRam,
  at: number,
  { gpa, lengthBytes }: Pick<DriverElement, "gpa" | "lengthBytes">,
  word12: number,
  word14: number,
): void {
  ram.writeU64(at, BigInt(gpa));
  ram.writeU32(at + 8, lengthBytes);
  ram.writeU16(at + 12, word12);
  ram.writeU16(at + 14, word14);
}

const passes = (event: number, after: number, before: number): boolean =>
  ((after - event - 1) & 0xffff) < ((after - before) & 0xffff);

export class SplitDriver implements QueueDriver {
  readonly setup: QueueSetup;
  readonly #ram: GuestRam;
  readonly #free: number[];
  readonly #chains = new Map<number, number[]>();
  #available = 0;
  #notifiedAt = 0;
  #seenUsed = 0;

  constructor(ram: GuestRam, setup: QueueSetup) {
    this.#ram = ram;
    this.setup = setup;
    this.#free = Array.from({ length: setup.size }, (_, index) => index);
  }

  offer(elements: readonly DriverElement[], tableGpa?: number): number {
    const { descriptorGpa } = this.setup;
    const places = this.#free.splice(0, tableGpa === undefined ? elements.length : 1);
    const [head = 0] = places;
    this.#chains.set(head, places);
    if (tableGpa === undefined) {
      this.#writeChain(descriptorGpa, elements, places);
    } else {
      this.#writeChain(tableGpa, elements, [...elements.keys()]);
      const table = { gpa: tableGpa, lengthBytes: 16 * elements.length };
      writeDescriptor(this.#ram, descriptorGpa + 16 * head, table, INDIRECT, 0);
    }
    this.publish(head);
    return head;
  }

  /** Makes whatever stands at `head` available. */
  publish(head: number): void {
    const { driverGpa, size } = this.setup;
    this.#ram.writeU16(driverGpa + 4 + 2 * (this.#available % size), head);
    this.#available = (this.#available + 1) & 0xffff;
    this.#ram.writeU16(driverGpa + 2, this.#available);
  }

  takeUsed(): UsedBuffer[] {
    const { deviceGpa, size } = this.setup;
    const used: UsedBuffer[] = [];
    while (this.#seenUsed !== this.#ram.readU16(deviceGpa + 2)) {
      const at = deviceGpa + 4 + 8 * (this.#seenUsed % size);
      const id = this.#ram.readU32(at);
      used.push({ id, writtenBytes: this.#ram.readU32(at + 4) });
      this.#free.push(...(this.#chains.get(id) ?? []));
      this.#chains.delete(id);
      this.#seenUsed = (this.#seenUsed + 1) & 0xffff;
    }
    return used;
  }

  wantInterrupts(when: "always" | "never" | number): void {
    const { driverGpa, size } = this.setup;
    if (typeof when === "number") {
      this.#ram.writeU16(driverGpa + 4 + 2 * size, (this.#seenUsed + when - 1) & 0xffff);
    } else {
      this.#ram.writeU16(driverGpa, when === "never" ? 1 : 0);
    }
  }

  mustNotify(): boolean {
    const { deviceGpa, size, hasEventIndex } = this.setup;
    const before = this.#notifiedAt;
    this.#notifiedAt = this.#available;
    if (!hasEventIndex) return (this.#ram.readU16(deviceGpa) & 1) === 0;
    return passes(this.#ram.readU16(deviceGpa + 4 + 8 * size), this.#available, before);
  }

  #writeChain(tableGpa: number, elements: readonly DriverElement[], places: readonly number[]): void {
    elements.forEach((element, index) => {
      const next = places[index + 1];
      const flags = (element.isWritable ? WRITE : 0) | (next === undefined ? 0 : NEXT);
      writeDescriptor(this.#ram, tableGpa + 16 * (places[index] ?? 0), element, flags, next ?? 0);
    });
  }
}

export class PackedDriver implements QueueDriver {
  readonly setup: QueueSetup;
  readonly #ram: GuestRam;
  readonly #lengths = new Map<number, number>();
  #nextId = 0;
  /** Positions count on without end; the ring's index and wrap counter follow from them. */
  #available = 0;
  #notifiedAt = 0;
  #seenUsed = 0;

  constructor(ram: GuestRam, setup: QueueSetup) {
    this.#ram = ram;
    this.setup = setup;
  }

  offer(elements: readonly DriverElement[], tableGpa?: number): number {
    const id = this.#nextId++ & 0x7fff;
    if (tableGpa !== undefined) {
      elements.forEach((element, index) => {
        writeDescriptor(this.#ram, tableGpa + 16 * index, element, 0, element.isWritable ? WRITE : 0);
      });
      this.place([{ gpa: tableGpa, lengthBytes: 16 * elements.length, flags: INDIRECT }], id);
    } else {
      const last = elements.length - 1;
      const placed = elements.map((element, index) => ({
        gpa: element.gpa,
        lengthBytes: element.lengthBytes,
        flags: (element.isWritable ? WRITE : 0) | (index < last ? NEXT : 0),
      }));
      this.place(placed, id);
    }
    return id;
  }

  /** Puts descriptors into the ring; the first becomes available last. */
  place(
    descriptors: readonly { readonly gpa: number; readonly lengthBytes: number; readonly flags: number }[],
    id: number,
  ): void {
    const { descriptorGpa, size } = this.setup;
    const start = this.#available;
    for (let index = descriptors.length - 1; index >= 0; index--) {
      const descriptor = descriptors[index] ?? { gpa: 0, lengthBytes: 0, flags: 0 };
      const position = start + index;
      const marks = this.#wrap(position) ? AVAILABLE : USED;
      const at = descriptorGpa + 16 * (position % size);
      writeDescriptor(this.#ram, at, descriptor, id, descriptor.flags | marks);
    }
    this.#lengths.set(id, descriptors.length);
    this.#available += descriptors.length;
  }

  takeUsed(): UsedBuffer[] {
    const { descriptorGpa, size } = this.setup;
    const used: UsedBuffer[] = [];
    for (;;) {
      const at = descriptorGpa + 16 * (this.#seenUsed % size);
      const flags = this.#ram.readU16(at + 14);
      const wanted = this.#wrap(this.#seenUsed) ? AVAILABLE | USED : 0;
      const id = this.#ram.readU16(at + 12);
      const length = this.#lengths.get(id);
      if ((flags & (AVAILABLE | USED)) !== wanted || this.#seenUsed >= this.#available) return used;
      if (length === undefined) throw new Error(`the device used buffer ${id}, which it was not given`);
      this.#lengths.delete(id);
      used.push({ id, writtenBytes: (flags & WRITE) === 0 ? 0 : this.#ram.readU32(at + 8) });
      this.#seenUsed += length;
    }
  }

  wantInterrupts(when: "always" | "never" | number): void {
    const { driverGpa } = this.setup;
    if (typeof when === "number") {
      this.#ram.writeU16(driverGpa, this.#cursor(this.#seenUsed + when - 1));
      this.#ram.writeU16(driverGpa + 2, 2);
    } else {
      this.#ram.writeU16(driverGpa + 2, when === "never" ? 1 : 0);
    }
  }

  mustNotify(): boolean {
    const { deviceGpa, size } = this.setup;
    const before = this.#notifiedAt;
    this.#notifiedAt = this.#available;
    const flags = this.#ram.readU16(deviceGpa + 2) & 3;
    if (flags !== 2) return flags === 0;
    const event = this.#ram.readU16(deviceGpa);
    const turn = Math.floor(this.#available / size);
    const isThisTurn = ((event & 0x8000) !== 0) === this.#wrap(this.#available);
    const position = (event & 0x7fff) + size * (isThisTurn ? turn : turn - 1);
    return position >= before && position < this.#available;
  }

  #wrap(position: number): boolean {
    return Math.floor(position / this.setup.size) % 2 === 0;
  }

  #cursor(position: number): number {
    return (position % this.setup.size) | (this.#wrap(position) ? 0x8000 : 0);
  }
}
