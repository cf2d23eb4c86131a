/**
 * The legacy interface over PCI: a header in I/O space, which grows by the two MSI-X vectors while MSI-X is enabled, and
 * the device's configuration behind it (Virtual I/O Device 1.2, section 4.1.4.10).
 */

import { asPorts, defineRegisters, RegisterFile } from "../../hw/index.ts";
import type { AccessSize, DeviceState, PortHandler, RegisterBlock, RegisterHooks } from "../../hw/index.ts";
import type { InterruptVectors, IsrStatus } from "./interrupts.ts";
import type { QueueSlot, VirtioSession } from "./session.ts";

const REGISTERS = defineRegisters({
  deviceFeatures: { at: 0x00, size: 4, access: "ro", read: "readDeviceFeatures" },
  driverFeatures: { at: 0x04, size: 4, read: "readDriverFeatures", write: "driverFeaturesWritten" },
  queueAddress: { at: 0x08, size: 4, read: "readQueueAddress", write: "queueAddressWritten" },
  queueSize: { at: 0x0c, size: 2, access: "ro", read: "readQueueSize" },
  queueSelect: { at: 0x0e, size: 2, reset: 0 },
  queueNotify: { at: 0x10, size: 2, reset: 0, write: "notified" },
  deviceStatus: { at: 0x12, read: "readStatus", write: "statusWritten" },
  isrStatus: { at: 0x13, access: "ro", read: "readIsr" },
  configMsixVector: { at: 0x14, size: 2, read: "readConfigVector", write: "configVectorWritten" },
  queueMsixVector: { at: 0x16, size: 2, read: "readQueueVector", write: "queueVectorWritten" },
});
const HEADER_BYTES = 0x14;
export const LEGACY_HEADER_BYTES_MAX = 0x18;

export interface LegacyRegistersParts {
  readonly session: VirtioSession;
  readonly vectors: InterruptVectors;
  readonly isr: IsrStatus;
  readonly config: RegisterBlock;
  readonly isMsixEnabled: () => boolean;
  readonly onReset: () => void;
}

export class LegacyRegisters implements RegisterHooks<typeof REGISTERS> {
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #parts: LegacyRegistersParts;
  /** The BAR. */
  readonly ports: PortHandler = asPorts({
    read: (offset, size) => this.#read(offset, size),
    write: (offset, size, value) => this.#write(offset, size, value),
  });

  constructor(parts: LegacyRegistersParts) {
    this.#parts = parts;
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

  readDeviceFeatures(): number {
    return this.#parts.session.legacyFeatures;
  }

  readDriverFeatures(): number {
    return this.#parts.session.acceptedFeatures(0);
  }

  driverFeaturesWritten(bits: number): void {
    this.#parts.session.acceptLegacyFeatures(bits);
  }

  readQueueAddress(): number {
    return this.#slot?.legacyPage ?? 0;
  }

  queueAddressWritten(page: number): void {
    this.#parts.session.setLegacyPage(this.#index, page);
  }

  readQueueSize(): number {
    return this.#slot?.sizeMax ?? 0;
  }

  notified(index: number): void {
    this.#parts.session.notify(index);
  }

  readStatus(): number {
    return this.#parts.session.status;
  }

  statusWritten(value: number): void {
    if (value === 0) this.#parts.onReset();
    else this.#parts.session.writeStatus(value);
  }

  readIsr(): number {
    return this.#parts.isr.take();
  }

  readConfigVector(): number {
    return this.#parts.vectors.config;
  }

  configVectorWritten(vector: number): void {
    this.#parts.vectors.config = vector;
  }

  readQueueVector(): number {
    return this.#parts.vectors.queue(this.#index);
  }

  queueVectorWritten(vector: number): void {
    this.#parts.vectors.setQueue(this.#index, vector);
  }

  // Workings. Nobody reads across the border of header and configuration.

  get #headerBytes(): number {
    return this.#parts.isMsixEnabled() ? LEGACY_HEADER_BYTES_MAX : HEADER_BYTES;
  }

  #read(offset: number, size: AccessSize): number {
    const configOffset = offset - this.#headerBytes;
    return configOffset < 0
      ? this.#registers.read(offset, size)
      : this.#parts.config.read(configOffset, size);
  }

  #write(offset: number, size: AccessSize, value: number): void {
    const configOffset = offset - this.#headerBytes;
    if (configOffset < 0) this.#registers.write(offset, size, value);
    else this.#parts.config.write(configOffset, size, value);
  }

  get #index(): number {
    return this.#registers.values.queueSelect;
  }

  get #slot(): QueueSlot | undefined {
    return this.#parts.session.slots[this.#index];
  }
}
