/**
 * The contract between a virtio device and the transport that shows it to its driver (Virtual I/O Device 1.2, chapter
 * 2). The device knows queues, features and its configuration; status, negotiation, registers and interrupts are the
 * transport's.
 */

import type { DeviceRegisters, DeviceState } from "../../hw/index.ts";
import type { Virtqueue } from "./queue/index.ts";

/** Feature bits that do not belong to a device type (chapter 6; the first is of the legacy interface, 6.3). */
export const VIRTIO_FEATURE = {
  anyLayout: 27,
  indirectDescriptors: 28,
  eventIndex: 29,
  version1: 32,
  ringPacked: 34,
  ringReset: 40,
} as const;

/** Device status (section 2.1). */
export const VIRTIO_STATUS = {
  acknowledge: 1,
  driver: 2,
  driverOk: 4,
  featuresOk: 8,
  needsReset: 64,
  failed: 128,
} as const;

/** A device type, as PCI knows it. */
export interface VirtioType {
  /** Virtio device ID (chapter 5). */
  readonly id: number;
  /** PCI device ID of a transitional device (section 4.1.2.1). */
  readonly transitionalPciId: number;
  readonly baseClass: number;
  readonly subClass: number;
}

/** What a device may ask of its transport. */
export interface VirtioHost {
  /** The queue while the driver uses it. It is another one after each reset: who waits for something keeps the queue. */
  queue(index: number): Virtqueue | undefined;
  hasFeature(bit: number): boolean;
  /** Interrupts if the driver wants to hear of the buffers of a queue that were given back; false if not. */
  interrupt(index: number): boolean;
  /** The device has changed its configuration. */
  configChanged(): void;
}

export interface VirtioDevice {
  readonly type: VirtioType;
  /** Bits that the device offers, besides those of {@link VIRTIO_FEATURE}. */
  readonly features: readonly number[];
  /** The most descriptors of each queue, powers of two. */
  readonly queueSizes: readonly number[];
  /** The device-specific configuration. */
  readonly config: DeviceRegisters;
  readonly configBytes: number;
  /** Called once, before anything else. */
  attach(host: VirtioHost): void;
  /** The features have been agreed on; the legacy interface, where they may change at any time, has no such moment. */
  featuresAgreed(): void;
  /** There may be something in the queue. */
  notified(index: number): void;
  /** Everything is as at power-on. Its queues are gone already. */
  reset(): void;
  /** What is not in queues or configuration. */
  save(): DeviceState;
  /**
   * Called when queues and configuration have been restored, with the queues that were in use: what was outstanding in
   * them is begun again.
   */
  restore(state: DeviceState, queues: readonly (Virtqueue | undefined)[]): void;
}
