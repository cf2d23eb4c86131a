/**
 * What a device and its driver have agreed on, whatever the transport: device status, features and queues (Virtual I/O
 * Device 1.2, sections 2.1 to 2.6 and chapter 3). A driver's violation sets DEVICE_NEEDS_RESET and is counted; the
 * device then does nothing more until it is reset.
 *
 * A driver that uses the legacy interface neither sets FEATURES_OK nor, some of them, DRIVER_OK before it uses a queue
 * (section 3.1.2), so its queues live from when they have an address.
 */

import { assert } from "../../base/index.ts";
import { StateReader } from "../../hw/index.ts";
import type { DeviceState, Dma } from "../../hw/index.ts";
import { gpaOf, QUEUE_SIZE_MAX, Virtqueue } from "./queue/index.ts";
import type { QueueFault } from "./queue/index.ts";
import { VIRTIO_FEATURE, VIRTIO_STATUS } from "./virtio-device.ts";
import type { VirtioDevice, VirtioHost } from "./virtio-device.ts";

export interface VirtioSessionParts {
  readonly device: VirtioDevice;
  readonly dma: Dma;
  /** Whether to offer packed rings. */
  readonly offersPacked: boolean;
  readonly interruptQueue: (index: number) => void;
  readonly interruptConfig: () => void;
  /** Whether the device may reach memory by itself now. */
  readonly isBusMaster: () => boolean;
}

/** The addresses of a queue's areas as the driver writes them: halves of 64 bits, low first. */
const AREA_WORDS = 6;
const LEGACY_PAGE_BYTES = 4096;
const DESCRIPTOR_BYTES = 16;
const AVAILABLE_ENTRY_BYTES = 2;
/** Flags, index and used event of an available ring. */
const AVAILABLE_FIXED_BYTES = 6;
const FEATURE_WORDS = 2;

/** One queue as its driver sets it up. */
export class QueueSlot {
  readonly sizeMax: number;
  size: number;
  readonly areas = new Uint32Array(AREA_WORDS);
  isEnabled = false;
  /** Page number of a queue that was set up by the legacy interface. */
  legacyPage = 0;
  queue: Virtqueue | undefined;

  constructor(sizeMax: number) {
    assert(sizeMax <= QUEUE_SIZE_MAX && (sizeMax & (sizeMax - 1)) === 0, "queue sizes are powers of two");
    this.sizeMax = sizeMax;
    this.size = sizeMax;
  }

  reset(): void {
    this.queue?.retire();
    this.queue = undefined;
    this.size = this.sizeMax;
    this.areas.fill(0);
    this.isEnabled = false;
    this.legacyPage = 0;
  }

  /** Where the three areas are. By the legacy interface they follow each other, the last on a page of its own (2.7.2). */
  get addresses(): { descriptorGpa: number; driverGpa: number; deviceGpa: number } {
    if (this.legacyPage !== 0) {
      const descriptorGpa = this.legacyPage * LEGACY_PAGE_BYTES;
      const driverGpa = descriptorGpa + DESCRIPTOR_BYTES * this.sizeMax;
      const end = driverGpa + AVAILABLE_FIXED_BYTES + AVAILABLE_ENTRY_BYTES * this.sizeMax;
      return { descriptorGpa, driverGpa, deviceGpa: Math.ceil(end / LEGACY_PAGE_BYTES) * LEGACY_PAGE_BYTES };
    }
    const [d0 = 0, d1 = 0, a0 = 0, a1 = 0, u0 = 0, u1 = 0] = this.areas;
    return { descriptorGpa: gpaOf(d0, d1), driverGpa: gpaOf(a0, a1), deviceGpa: gpaOf(u0, u1) };
  }

  save(): DeviceState {
    const { size, isEnabled, legacyPage, queue } = this;
    return { size, isEnabled, legacyPage, areas: [...this.areas], queue: queue?.save() ?? null };
  }

  /** All but the queue itself. */
  restore(reader: StateReader): void {
    this.reset();
    this.size = reader.u16("size");
    this.isEnabled = reader.boolean("isEnabled");
    this.legacyPage = reader.u32("legacyPage");
    this.areas.set(reader.integers("areas", AREA_WORDS, 0xffffffff));
  }
}

export class VirtioSession implements VirtioHost {
  readonly slots: readonly QueueSlot[];
  readonly #parts: VirtioSessionParts;
  readonly #device: VirtioDevice;
  readonly #offered: Uint32Array<ArrayBuffer>;
  readonly #accepted = new Uint32Array(FEATURE_WORDS);
  #status = 0;
  #generation = 0;
  #faults = 0;
  #lastFault: QueueFault | undefined;
  #isRestoring = false;

  constructor(parts: VirtioSessionParts) {
    const { device, offersPacked } = parts;
    this.#parts = parts;
    this.#device = device;
    this.slots = device.queueSizes.map((sizeMax) => new QueueSlot(sizeMax));
    const { version1, indirectDescriptors, eventIndex, ringReset, ringPacked } = VIRTIO_FEATURE;
    const common = [
      version1,
      indirectDescriptors,
      eventIndex,
      ringReset,
      ...(offersPacked ? [ringPacked] : []),
    ];
    this.#offered = new Uint32Array(FEATURE_WORDS);
    for (const bit of [...device.features, ...common]) setBit(this.#offered, bit);
    device.attach(this);
  }

  /** How often a driver did what it must not, and what it was the last time. */
  get faults(): { readonly count: number; readonly last: QueueFault | undefined } {
    return { count: this.#faults, last: this.#lastFault };
  }

  // What transports show as registers.

  get status(): number {
    return this.#status;
  }

  /** Bits are only added (section 2.1.1), until 0 resets. FEATURES_OK stays clear where the features do not do. */
  writeStatus(value: number): void {
    if (value === 0) {
      this.reset();
      return;
    }
    const before = this.#status;
    let added = value & ~before & ~VIRTIO_STATUS.needsReset & 0xff;
    if ((added & VIRTIO_STATUS.featuresOk) !== 0) {
      if (this.#areFeaturesGood()) this.#device.featuresAgreed();
      else added &= ~VIRTIO_STATUS.featuresOk;
    }
    this.#status |= added;
    if ((added & VIRTIO_STATUS.driverOk) !== 0) this.notifyAll();
  }

  /** Changes when the configuration does, so that a driver notices what it read of two (section 2.5.1). */
  get configGeneration(): number {
    return this.#generation;
  }

  offeredFeatures(word: number): number {
    return this.#offered[word] ?? 0;
  }

  /** What a legacy driver is offered: the first word, and that descriptors may be as they like. */
  get legacyFeatures(): number {
    return (this.offeredFeatures(0) | (1 << VIRTIO_FEATURE.anyLayout)) >>> 0;
  }

  acceptedFeatures(word: number): number {
    return this.#accepted[word] ?? 0;
  }

  /** Has no effect once the features have been agreed on. */
  acceptFeatures(word: number, bits: number): void {
    if (word < FEATURE_WORDS && (this.#status & VIRTIO_STATUS.featuresOk) === 0) this.#accepted[word] = bits;
  }

  /** The legacy driver's features take effect at once; what was not offered is left out. */
  acceptLegacyFeatures(bits: number): void {
    this.#accepted[0] = bits & this.legacyFeatures;
    this.#accepted[1] = 0;
  }

  /** A page number of 0 takes the queue away (section 4.1.5.1.3.1). */
  setLegacyPage(index: number, page: number): void {
    const slot = this.slots[index];
    if (slot === undefined) return;
    slot.reset();
    slot.legacyPage = page;
    slot.isEnabled = page !== 0;
  }

  enableQueue(index: number): void {
    const slot = this.slots[index];
    if (slot === undefined || slot.isEnabled) return;
    slot.isEnabled = true;
    this.notify(index);
  }

  resetQueue(index: number): void {
    if (this.hasFeature(VIRTIO_FEATURE.ringReset)) this.slots[index]?.reset();
  }

  /** The driver says that there are buffers in a queue. */
  notify(index: number): void {
    if (this.queue(index) !== undefined) this.#device.notified(index);
  }

  notifyAll(): void {
    for (let index = 0; index < this.slots.length; index++) this.notify(index);
  }

  // For the device.

  queue(index: number): Virtqueue | undefined {
    const slot = this.slots[index];
    if (slot === undefined || !this.#isLive(slot)) return undefined;
    slot.queue ??= this.#open(slot);
    return slot.queue.fault === undefined ? slot.queue : undefined;
  }

  hasFeature(bit: number): boolean {
    return ((this.acceptedFeatures(bit >>> 5) >>> (bit & 31)) & 1) !== 0;
  }

  interrupt(index: number): boolean {
    const isWanted = this.slots[index]?.queue?.takeInterrupt() === true;
    if (isWanted) this.#parts.interruptQueue(index);
    return isWanted;
  }

  configChanged(): void {
    this.#generation = (this.#generation + 1) & 0xff;
    if ((this.#status & VIRTIO_STATUS.driverOk) !== 0) this.#parts.interruptConfig();
  }

  // Lifecycle.

  reset(): void {
    for (const slot of this.slots) slot.reset();
    this.#status = 0;
    this.#accepted.fill(0);
    this.#device.config.reset();
    this.#device.reset();
  }

  save(): DeviceState {
    return {
      status: this.#status,
      accepted: [...this.#accepted],
      generation: this.#generation,
      slots: this.slots.map((slot) => slot.save()),
      config: this.#device.config.save(),
      device: this.#device.save(),
    };
  }

  restore(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    this.#isRestoring = true;
    this.#status = reader.u8("status");
    this.#accepted.set(reader.integers("accepted", FEATURE_WORDS, 0xffffffff));
    this.#generation = reader.u8("generation");
    reader.children("slots", this.slots.length).forEach((saved, index) => {
      const slot = this.slots[index];
      slot?.restore(saved);
      if (slot === undefined || saved.isNull("queue")) return;
      slot.queue = this.#open(slot);
      slot.queue.restore(saved.child("queue"));
    });
    this.#isRestoring = false;
    this.#device.config.restore(reader.object("config"), `${path}.config`);
    const queues = this.slots.map(({ queue }) => (queue?.fault === undefined ? queue : undefined));
    this.#device.restore(reader.object("device"), queues);
  }

  // Workings.

  #isLive(slot: QueueSlot): boolean {
    const { driverOk, featuresOk, needsReset } = VIRTIO_STATUS;
    if (!slot.isEnabled || (this.#status & needsReset) !== 0) return false;
    // Old drivers forget to make the function a bus master.
    if (slot.legacyPage !== 0) return true;
    const ready = driverOk | featuresOk;
    return (this.#status & ready) === ready && this.#parts.isBusMaster();
  }

  #open(slot: QueueSlot): Virtqueue {
    const setup = {
      // A size above what was offered is as wrong as 0.
      size: slot.size <= slot.sizeMax ? slot.size : 0,
      ...slot.addresses,
      isPacked: this.hasFeature(VIRTIO_FEATURE.ringPacked),
      hasIndirect: this.hasFeature(VIRTIO_FEATURE.indirectDescriptors),
      hasEventIndex: this.hasFeature(VIRTIO_FEATURE.eventIndex),
    };
    return new Virtqueue(setup, this.#parts.dma, (fault) => this.#violated(fault));
  }

  #areFeaturesGood(): boolean {
    const isSubset = this.#accepted.every((bits, word) => (bits & ~this.offeredFeatures(word)) === 0);
    return isSubset && this.hasFeature(VIRTIO_FEATURE.version1);
  }

  #violated(fault: QueueFault): void {
    if (this.#isRestoring) return;
    this.#faults++;
    this.#lastFault = fault;
    this.#status |= VIRTIO_STATUS.needsReset;
    this.configChanged();
  }
}

function setBit(words: Uint32Array, bit: number): void {
  words[bit >>> 5] = (words[bit >>> 5] ?? 0) | (1 << (bit & 31));
}
