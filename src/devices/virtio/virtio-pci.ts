/**
 * A virtio device as a PCI function (Virtual I/O Device 1.2, section 4.1): transitional, so that drivers of the legacy
 * interface and of version 1 both find theirs. Notifications and everything of version 1 lie in one BAR of four pages,
 * one for each structure.
 *
 * Missing on purpose: VIRTIO_F_NOTIFICATION_DATA and VIRTIO_F_NOTIF_CONFIG_DATA, shared memory, the administration
 * queue. What was under way when a driver stops the function from being a bus master is still finished.
 */

import { MSIX_BAR_BYTES, MsiX, PCI_PIN, PciConfigSpace, StateReader } from "../../hw/index.ts";
import type {
  AccessSize,
  DeviceState,
  Dma,
  IrqLine,
  MmioHandler,
  PciBuses,
  PciFunction,
  SendMessage,
} from "../../hw/index.ts";
import { COMMON_CONFIG_BYTES, CommonConfig } from "./common-config.ts";
import { InterruptVectors, ISR, IsrStatus } from "./interrupts.ts";
import { LEGACY_HEADER_BYTES_MAX, LegacyRegisters } from "./legacy-registers.ts";
import { notifyCapability, PciAccessCapability, structureCapability } from "./pci-capabilities.ts";
import type { BarAccess } from "./pci-capabilities.ts";
import type { QueueFault } from "./queue/index.ts";
import { VirtioSession } from "./session.ts";
import type { VirtioDevice } from "./virtio-device.ts";

export interface VirtioPciConfig {
  /** Unique on the board. */
  readonly name: string;
  readonly device: VirtioDevice;
  readonly dma: Dma;
  readonly buses: PciBuses;
  readonly sendMessage: SendMessage;
  /** INTA# of the function's place. */
  readonly pin: IrqLine;
  /** Whether drivers of version 1 are offered packed rings. */
  readonly offersPacked: boolean;
}

const VENDOR_ID = 0x1af4;
const LEGACY_BAR = 0;
const MSIX_BAR = 1;
const MODERN_BAR = 4;
const PAGE_BYTES = 0x1000;
const MODERN_BAR_BYTES = 4 * PAGE_BYTES;
/** Pages of the modern BAR. */
const PAGE = { common: 0, isr: 1, device: 2, notify: 3 } as const;
const NOTIFY_MULTIPLIER = 4;

export class VirtioPci implements PciFunction {
  readonly name: string;
  readonly #device: VirtioDevice;
  readonly #session: VirtioSession;
  readonly #vectors: InterruptVectors;
  readonly #isr = new IsrStatus(() => this.#drivePin());
  readonly #msix: MsiX;
  readonly #common: CommonConfig;
  readonly #legacy: LegacyRegisters;
  readonly #config: PciConfigSpace;
  readonly #pin: IrqLine;

  constructor(config: VirtioPciConfig) {
    const { name, device, dma, buses, sendMessage, offersPacked } = config;
    const { type } = device;
    this.name = name;
    this.#device = device;
    const vectors = device.queueSizes.length + 1;
    this.#msix = new MsiX(vectors, MSIX_BAR, (address, data) => {
      if (this.#config.isBusMaster) sendMessage(address, data);
    });
    this.#vectors = new InterruptVectors(vectors, device.queueSizes.length);
    this.#session = new VirtioSession({
      device,
      dma,
      offersPacked,
      interruptQueue: (index) => this.#interruptQueue(index),
      interruptConfig: () => this.#interruptConfig(),
      isBusMaster: () => this.#config.isBusMaster,
    });
    const onReset = (): void => this.#resetDevice();
    this.#common = new CommonConfig(this.#session, this.#vectors, onReset);
    this.#legacy = new LegacyRegisters({
      session: this.#session,
      vectors: this.#vectors,
      isr: this.#isr,
      config: device.config,
      isMsixEnabled: () => this.#msix.isEnabled,
      onReset,
    });
    const place = (page: number, lengthBytes: number) => ({
      bar: MODERN_BAR,
      offset: page * PAGE_BYTES,
      lengthBytes,
    });
    const window = new PciAccessCapability(this.#barAccess);
    this.#config = new PciConfigSpace({
      name,
      identity: {
        vendorId: VENDOR_ID,
        deviceId: type.transitionalPciId,
        baseClass: type.baseClass,
        subClass: type.subClass,
        subsystemVendorId: VENDOR_ID,
        subsystemId: type.id,
        interruptPin: PCI_PIN.inta,
      },
      buses,
      bars: [
        { kind: "ports", sizeBytes: this.#legacyBytes, handler: this.#legacy.ports },
        { kind: "memory", sizeBytes: MSIX_BAR_BYTES, handler: this.#msix },
        undefined,
        undefined,
        { kind: "memory", sizeBytes: MODERN_BAR_BYTES, handler: this.#modern },
      ],
      capabilities: [
        this.#msix.capability,
        structureCapability("common", place(PAGE.common, COMMON_CONFIG_BYTES)),
        structureCapability("isr", place(PAGE.isr, 1)),
        ...(device.configBytes === 0
          ? []
          : [structureCapability("device", place(PAGE.device, device.configBytes))]),
        notifyCapability(place(PAGE.notify, NOTIFY_MULTIPLIER * device.queueSizes.length), NOTIFY_MULTIPLIER),
        window.capability,
      ],
    });
    this.#pin = this.#config.connectPin(config.pin);
  }

  /** How often a driver did what it must not, and what it was the last time. */
  get faults(): { readonly count: number; readonly last: QueueFault | undefined } {
    return this.#session.faults;
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    const wasBusMaster = this.#config.isBusMaster;
    this.#config.write(offset, size, value);
    this.#drivePin();
    if (!wasBusMaster && this.#config.isBusMaster) this.#session.notifyAll();
  }

  reset(): void {
    this.#resetDevice();
    this.#config.reset();
  }

  save(): DeviceState {
    return {
      config: this.#config.save(),
      session: this.#session.save(),
      common: this.#common.save(),
      legacy: this.#legacy.save(),
      vectors: this.#vectors.save(),
      isr: this.#isr.bits,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#config.restore(reader.object("config"));
    this.#common.restore(reader.object("common"), `${this.name}.common`);
    this.#legacy.restore(reader.object("legacy"), `${this.name}.legacy`);
    this.#vectors.restore(reader.child("vectors"));
    this.#isr.set(reader.integer("isr", ISR.queue | ISR.config));
    this.#session.restore(reader.object("session"), `${this.name}.session`);
  }

  // Workings.

  /** What writing 0 to the device status does; where the function is in the address spaces stays as it is. */
  #resetDevice(): void {
    this.#session.reset();
    this.#common.reset();
    this.#legacy.reset();
    this.#vectors.reset();
    this.#isr.set(0);
  }

  #interruptQueue(index: number): void {
    if (this.#msix.isEnabled) this.#msix.notify(this.#vectors.queue(index));
    else this.#isr.raise(ISR.queue);
  }

  /** The ISR status tells of a change of configuration also where a message does (section 4.1.4.5.1). */
  #interruptConfig(): void {
    this.#isr.raise(ISR.config);
    if (this.#msix.isEnabled) this.#msix.notify(this.#vectors.config);
  }

  #drivePin(): void {
    this.#pin.set(this.#isr.isSet && !this.#msix.isEnabled);
  }

  get #legacyBytes(): number {
    return 2 ** Math.ceil(Math.log2(LEGACY_HEADER_BYTES_MAX + this.#device.configBytes));
  }

  /** The modern BAR. */
  readonly #modern: MmioHandler = {
    readMmio: (offset, size) => {
      const inside = offset % PAGE_BYTES;
      switch (Math.floor(offset / PAGE_BYTES)) {
        case PAGE.common:
          return this.#common.read(inside, size);
        case PAGE.isr:
          return inside === 0 ? this.#isr.take() : 0;
        case PAGE.device:
          return this.#device.config.read(inside, size);
        default:
          return 0;
      }
    },
    writeMmio: (offset, size, value) => {
      const inside = offset % PAGE_BYTES;
      switch (Math.floor(offset / PAGE_BYTES)) {
        case PAGE.common:
          return this.#common.write(inside, size, value);
        case PAGE.device:
          return this.#device.config.write(inside, size, value);
        case PAGE.notify:
          return this.#session.notify(Math.floor(inside / NOTIFY_MULTIPLIER));
        default:
          return undefined;
      }
    },
  };

  /** BARs as the PCI configuration access capability reaches them; what leaves them is not there. */
  readonly #barAccess: BarAccess = {
    read: (bar, offset, size) => {
      if (bar === MODERN_BAR && offset + size <= MODERN_BAR_BYTES) return this.#modern.readMmio(offset, size);
      if (bar === MSIX_BAR && offset + size <= MSIX_BAR_BYTES) return this.#msix.readMmio(offset, size);
      if (bar === LEGACY_BAR && offset + size <= this.#legacyBytes)
        return this.#legacy.ports.readPort(offset, size);
      return 0;
    },
    write: (bar, offset, size, value) => {
      if (bar === MODERN_BAR && offset + size <= MODERN_BAR_BYTES)
        this.#modern.writeMmio(offset, size, value);
      if (bar === MSIX_BAR && offset + size <= MSIX_BAR_BYTES) this.#msix.writeMmio(offset, size, value);
      if (bar === LEGACY_BAR && offset + size <= this.#legacyBytes)
        this.#legacy.ports.writePort(offset, size, value);
    },
  };
}
