/** The common configuration structure of virtio over PCI (Virtual I/O Device 1.2, section 4.1.4.3). */

import { defineRegisters, RegisterFile } from "../../hw/index.ts";
import type { AccessSize, DeviceState, RegisterHooks } from "../../hw/index.ts";
import type { InterruptVectors } from "./interrupts.ts";
import type { QueueSlot, VirtioSession } from "./session.ts";

const REGISTERS = defineRegisters({
  deviceFeatureSelect: { at: 0x00, size: 4, reset: 0 },
  deviceFeature: { at: 0x04, size: 4, access: "ro", read: "readDeviceFeature" },
  driverFeatureSelect: { at: 0x08, size: 4, reset: 0 },
  driverFeature: { at: 0x0c, size: 4, read: "readDriverFeature", write: "driverFeatureWritten" },
  configMsixVector: { at: 0x10, size: 2, read: "readConfigVector", write: "configVectorWritten" },
  numQueues: { at: 0x12, size: 2, access: "ro", read: "readQueueCount" },
  deviceStatus: { at: 0x14, read: "readStatus", write: "statusWritten" },
  configGeneration: { at: 0x15, access: "ro", read: "readGeneration" },
  queueSelect: { at: 0x16, size: 2, reset: 0, write: "queueSelected" },
  queueSize: { at: 0x18, size: 2, read: "readQueueSize", write: "queueSizeWritten" },
  queueMsixVector: { at: 0x1a, size: 2, read: "readQueueVector", write: "queueVectorWritten" },
  queueEnable: { at: 0x1c, size: 2, read: "readQueueEnable", write: "queueEnableWritten" },
  queueNotifyOff: { at: 0x1e, size: 2, access: "ro", read: "readNotifyOffset" },
  queueDescLow: { at: 0x20, size: 4, reset: 0, write: "areaWritten" },
  queueDescHigh: { at: 0x24, size: 4, reset: 0, write: "areaWritten" },
  queueDriverLow: { at: 0x28, size: 4, reset: 0, write: "areaWritten" },
  queueDriverHigh: { at: 0x2c, size: 4, reset: 0, write: "areaWritten" },
  queueDeviceLow: { at: 0x30, size: 4, reset: 0, write: "areaWritten" },
  queueDeviceHigh: { at: 0x34, size: 4, reset: 0, write: "areaWritten" },
  queueNotifyData: { at: 0x38, size: 2, access: "ro", read: "readNotifyOffset" },
  queueReset: { at: 0x3a, size: 2, read: "readQueueReset", write: "queueResetWritten" },
});
export const COMMON_CONFIG_BYTES = 0x3c;

const AREAS = [
  "queueDescLow",
  "queueDescHigh",
  "queueDriverLow",
  "queueDriverHigh",
  "queueDeviceLow",
  "queueDeviceHigh",
] as const;

export class CommonConfig implements RegisterHooks<typeof REGISTERS> {
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #session: VirtioSession;
  readonly #vectors: InterruptVectors;
  /** A write of 0 to the status resets the whole function. */
  readonly #onReset: () => void;

  constructor(session: VirtioSession, vectors: InterruptVectors, onReset: () => void) {
    this.#session = session;
    this.#vectors = vectors;
    this.#onReset = onReset;
  }

  read(offset: number, size: AccessSize): number {
    return this.#registers.read(offset, size);
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.#registers.write(offset, size, value);
  }

  reset(): void {
    this.#registers.reset();
  }

  save(): DeviceState {
    return this.#registers.save();
  }

  restore(state: DeviceState, path: string): void {
    this.#registers.restore(state, path);
  }

  // Register hooks.

  readDeviceFeature(): number {
    return this.#session.offeredFeatures(this.#registers.values.deviceFeatureSelect);
  }

  readDriverFeature(): number {
    return this.#session.acceptedFeatures(this.#registers.values.driverFeatureSelect);
  }

  driverFeatureWritten(bits: number): void {
    this.#session.acceptFeatures(this.#registers.values.driverFeatureSelect, bits);
  }

  readConfigVector(): number {
    return this.#vectors.config;
  }

  configVectorWritten(vector: number): void {
    this.#vectors.config = vector;
  }

  readQueueCount(): number {
    return this.#session.slots.length;
  }

  readStatus(): number {
    return this.#session.status;
  }

  statusWritten(value: number): void {
    if (value === 0) this.#onReset();
    else this.#session.writeStatus(value);
  }

  readGeneration(): number {
    return this.#session.configGeneration;
  }

  /** The area registers show those of the queue that is selected. */
  queueSelected(): void {
    const slot = this.#slot;
    AREAS.forEach((name, index) => {
      this.#registers.values[name] = slot?.areas[index] ?? 0;
    });
  }

  /** 0: there is no such queue. */
  readQueueSize(): number {
    return this.#slot?.size ?? 0;
  }

  queueSizeWritten(size: number): void {
    const slot = this.#slot;
    if (slot !== undefined && !slot.isEnabled) slot.size = size;
  }

  readQueueVector(): number {
    return this.#vectors.queue(this.#index);
  }

  queueVectorWritten(vector: number): void {
    this.#vectors.setQueue(this.#index, vector);
  }

  readQueueEnable(): number {
    return this.#slot?.isEnabled === true ? 1 : 0;
  }

  /** Only a reset takes a queue away again (section 4.1.4.3.2). */
  queueEnableWritten(value: number): void {
    if (value === 1) this.#session.enableQueue(this.#index);
  }

  /** Each queue has its own place to notify at; the value written there is its index. */
  readNotifyOffset(): number {
    return this.#index;
  }

  areaWritten(): void {
    const slot = this.#slot;
    if (slot === undefined || slot.isEnabled) return;
    AREAS.forEach((name, index) => {
      slot.areas[index] = this.#registers.values[name];
    });
  }

  /** A queue is reset as soon as that is asked for. */
  readQueueReset(): number {
    return 0;
  }

  queueResetWritten(value: number): void {
    if (value !== 1) return;
    this.#session.resetQueue(this.#index);
    this.queueSelected();
  }

  get #index(): number {
    return this.#registers.values.queueSelect;
  }

  get #slot(): QueueSlot | undefined {
    return this.#session.slots[this.#index];
  }
}
