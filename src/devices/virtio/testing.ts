/**
 * The driver's side of a virtio function, for the tests of every device: a bench that has the function on its buses, and
 * drivers of version 1 and of the legacy interface that find everything through configuration space, as real ones do.
 */

import { KiB, MiB, unwrap } from "../../base/index.ts";
import { MmioBus, PCI_COMMAND, PortBus, RamDma, RecordedLine } from "../../hw/index.ts";
import type { AccessSize } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { queueDriver } from "./queue/testing.ts";
import type { DriverElement, DriverOptions, QueueDriver } from "./queue/testing.ts";
import { VIRTIO_FEATURE, VIRTIO_STATUS } from "./virtio-device.ts";
import type { VirtioDevice } from "./virtio-device.ts";
import { VirtioPci } from "./virtio-pci.ts";

export const LEGACY_PORT = 0xc000;
export const MSIX_GPA = 0xe000_0000;
export const MODERN_GPA = 0xe001_0000;
const COMMAND = 0x04;
const CAPABILITIES = 0x34;
const MSIX_CAPABILITY = 0x11;
const VENDOR_CAPABILITY = 0x09;

export interface BenchOptions {
  readonly offersPacked?: boolean;
  readonly ramBytes?: number;
}

export interface Bench {
  readonly ram: GuestRam;
  readonly dma: RamDma;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly pin: RecordedLine;
  /** Data of the messages that were sent, in order. */
  readonly messages: number[];
  /** Runs of pages that were given back to the host, whose bytes are zero since. */
  readonly released: (readonly [gpa: number, lengthBytes: number])[];
  readonly pci: VirtioPci;
}

/** A function with its BARs placed, decoded and a bus master. */
export function bench(device: VirtioDevice, options: BenchOptions = {}): Bench {
  const { offersPacked = true, ramBytes = 4 * MiB } = options;
  const ram = unwrap(createGuestRam({ sizeBytes: ramBytes, reservedPrefixBytes: 64 * KiB }));
  const released: (readonly [number, number])[] = [];
  const release = (gpa: number, lengthBytes: number): number => {
    ram.fill(gpa, lengthBytes, 0);
    released.push([gpa, lengthBytes]);
    return lengthBytes;
  };
  const dma = new RamDma(ram, () => undefined, release);
  const ports = new PortBus();
  const mmio = new MmioBus();
  const pin = new RecordedLine();
  const messages: number[] = [];
  const pci = new VirtioPci({
    name: "virtio-under-test",
    device,
    dma,
    buses: { ports, mmio },
    sendMessage: (_address, data) => messages.push(data),
    pin,
    offersPacked,
  });
  pci.reset();
  pci.writeConfig(0x10, 4, LEGACY_PORT);
  pci.writeConfig(0x14, 4, MSIX_GPA);
  pci.writeConfig(0x20, 4, MODERN_GPA);
  pci.writeConfig(COMMAND, 2, PCI_COMMAND.io | PCI_COMMAND.memory | PCI_COMMAND.busMaster);
  return { ram, dma, ports, mmio, pin, messages, released, pci };
}

interface Capability {
  readonly at: number;
  readonly id: number;
  readonly type: number;
}

export function capabilities({ pci }: Bench): Capability[] {
  const found: Capability[] = [];
  for (let at = pci.readConfig(CAPABILITIES, 1); at !== 0; at = pci.readConfig(at + 1, 1)) {
    found.push({ at, id: pci.readConfig(at, 1), type: pci.readConfig(at + 3, 1) });
  }
  return found;
}

/** Enables MSI-X with a message for each of the first `count` vectors, whose data is 100h and the vector. */
export function enableMsix(bench: Bench, count: number): void {
  const at = capabilities(bench).find(({ id }) => id === MSIX_CAPABILITY)?.at ?? 0;
  for (let vector = 0; vector < count; vector++) {
    [0xfee0_0000, 0, 0x100 + vector, 0].forEach((word, index) => {
      bench.mmio.writeMmio(MSIX_GPA + 16 * vector + 4 * index, 4, word);
    });
  }
  bench.pci.writeConfig(at + 2, 2, 0x8000);
}

/** Where the structure of a type lies. */
export function structureAt(bench: Bench, type: number): number {
  const found = capabilities(bench).find((one) => one.id === VENDOR_CAPABILITY && one.type === type);
  if (found === undefined) throw new Error(`the function has no structure of type ${type}`);
  return MODERN_GPA + bench.pci.readConfig(found.at + 8, 4);
}

/** What a driver does, by whichever interface. */
export interface VirtioDriver {
  readonly bench: Bench;
  readStatus(): number;
  writeStatus(value: number): void;
  readIsr(): number;
  readConfig(offset: number, size: AccessSize): number;
  writeConfig(offset: number, size: AccessSize, value: number): void;
  /** Resets the device and agrees on those of `wanted` that it offers; by default on everything. */
  negotiate(wanted?: readonly number[]): void;
  /** Sets a queue up with the features that were agreed on. */
  queue(index: number, options?: DriverOptions): QueueDriver;
  ready(): void;
  notify(index: number): void;
  setVector(what: number | "config", vector: number): number;
}

const COMMON = {
  deviceFeatureSelect: 0,
  deviceFeature: 4,
  driverFeatureSelect: 8,
  driverFeature: 12,
  configVector: 16,
  status: 20,
  generation: 21,
  queueSelect: 22,
  queueSize: 24,
  queueVector: 26,
  queueEnable: 28,
  queueNotifyOff: 30,
  queueDesc: 32,
  queueReset: 58,
} as const;

export class ModernDriver implements VirtioDriver {
  readonly bench: Bench;
  readonly #common: number;
  readonly #isr: number;
  readonly #notify: number;
  #features = new Set<number>();

  constructor(on: Bench) {
    this.bench = on;
    this.#common = structureAt(on, 1);
    this.#notify = structureAt(on, 2);
    this.#isr = structureAt(on, 3);
  }

  read(register: keyof typeof COMMON, size: AccessSize): number {
    return this.bench.mmio.readMmio(this.#common + COMMON[register], size);
  }

  write(register: keyof typeof COMMON, size: AccessSize, value: number): void {
    this.bench.mmio.writeMmio(this.#common + COMMON[register], size, value);
  }

  readStatus(): number {
    return this.read("status", 1);
  }

  writeStatus(value: number): void {
    this.write("status", 1, value);
  }

  readIsr(): number {
    return this.bench.mmio.readMmio(this.#isr, 1);
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.bench.mmio.readMmio(structureAt(this.bench, 4) + offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.bench.mmio.writeMmio(structureAt(this.bench, 4) + offset, size, value);
  }

  offered(): Set<number> {
    return featureBits((word) => {
      this.write("deviceFeatureSelect", 4, word);
      return this.read("deviceFeature", 4);
    });
  }

  accept(features: ReadonlySet<number>): void {
    for (let word = 0; word < 2; word++) {
      this.write("driverFeatureSelect", 4, word);
      this.write("driverFeature", 4, wordOf(features, word));
    }
  }

  negotiate(wanted?: readonly number[]): void {
    this.writeStatus(0);
    this.writeStatus(VIRTIO_STATUS.acknowledge | VIRTIO_STATUS.driver);
    const offered = this.offered();
    const chosen = wanted === undefined ? offered : new Set([...wanted, VIRTIO_FEATURE.version1]);
    this.#features = new Set([...chosen].filter((bit) => offered.has(bit)));
    this.accept(this.#features);
    this.writeStatus(this.readStatus() | VIRTIO_STATUS.featuresOk);
  }

  queue(index: number, options: DriverOptions = {}): QueueDriver {
    const driver = queueDriver(this.bench.ram, {
      baseGpa: 0x1_0000 * (index + 1),
      isPacked: this.#features.has(VIRTIO_FEATURE.ringPacked),
      hasEventIndex: this.#features.has(VIRTIO_FEATURE.eventIndex),
      ...options,
    });
    const { setup } = driver;
    this.write("queueSelect", 2, index);
    this.write("queueSize", 2, setup.size);
    [setup.descriptorGpa, setup.driverGpa, setup.deviceGpa].forEach((gpa, area) => {
      const at = this.#common + COMMON.queueDesc + 8 * area;
      this.bench.mmio.writeMmio(at, 4, gpa % 2 ** 32);
      this.bench.mmio.writeMmio(at + 4, 4, Math.floor(gpa / 2 ** 32));
    });
    this.write("queueEnable", 2, 1);
    return driver;
  }

  ready(): void {
    this.writeStatus(this.readStatus() | VIRTIO_STATUS.driverOk);
  }

  notify(index: number): void {
    this.write("queueSelect", 2, index);
    this.bench.mmio.writeMmio(this.#notify + 4 * this.read("queueNotifyOff", 2), 2, index);
  }

  setVector(what: number | "config", vector: number): number {
    if (what === "config") {
      this.write("configVector", 2, vector);
      return this.read("configVector", 2);
    }
    this.write("queueSelect", 2, what);
    this.write("queueVector", 2, vector);
    return this.read("queueVector", 2);
  }
}

const LEGACY = {
  deviceFeatures: 0,
  driverFeatures: 4,
  queueAddress: 8,
  queueSize: 12,
  queueSelect: 14,
  queueNotify: 16,
  status: 18,
  isr: 19,
  configVector: 20,
  queueVector: 22,
} as const;

export class LegacyDriver implements VirtioDriver {
  readonly bench: Bench;
  /** Where the configuration is moves with MSI-X. */
  configOffset = 20;
  #features = new Set<number>();

  constructor(on: Bench) {
    this.bench = on;
  }

  read(register: keyof typeof LEGACY, size: AccessSize): number {
    return this.bench.ports.readPort(LEGACY_PORT + LEGACY[register], size);
  }

  write(register: keyof typeof LEGACY, size: AccessSize, value: number): void {
    this.bench.ports.writePort(LEGACY_PORT + LEGACY[register], size, value);
  }

  readStatus(): number {
    return this.read("status", 1);
  }

  writeStatus(value: number): void {
    this.write("status", 1, value);
  }

  readIsr(): number {
    return this.read("isr", 1);
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.bench.ports.readPort(LEGACY_PORT + this.configOffset + offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.bench.ports.writePort(LEGACY_PORT + this.configOffset + offset, size, value);
  }

  negotiate(wanted?: readonly number[]): void {
    this.writeStatus(0);
    this.writeStatus(VIRTIO_STATUS.acknowledge | VIRTIO_STATUS.driver);
    const offered = featureBits((word) => (word === 0 ? this.read("deviceFeatures", 4) : 0));
    this.#features = new Set([...offered].filter((bit) => wanted?.includes(bit) ?? true));
    this.write("driverFeatures", 4, wordOf(this.#features, 0));
  }

  /** The driver has no say in the size, and the areas follow each other from a page on. */
  queue(index: number, options: DriverOptions = {}): QueueDriver {
    this.write("queueSelect", 2, index);
    const size = this.read("queueSize", 2);
    const { baseGpa = 0x1_0000 * (index + 1) } = options;
    const driver = queueDriver(this.bench.ram, {
      hasEventIndex: this.#features.has(VIRTIO_FEATURE.eventIndex),
      ...options,
      baseGpa,
      size,
      isLegacy: true,
    });
    this.write("queueAddress", 4, baseGpa / 4096);
    return driver;
  }

  ready(): void {
    this.writeStatus(this.readStatus() | VIRTIO_STATUS.driverOk);
  }

  notify(index: number): void {
    this.write("queueNotify", 2, index);
  }

  setVector(what: number | "config", vector: number): number {
    if (what === "config") {
      this.write("configVector", 2, vector);
      return this.read("configVector", 2);
    }
    this.write("queueSelect", 2, what);
    this.write("queueVector", 2, vector);
    return this.read("queueVector", 2);
  }
}

function featureBits(word: (index: number) => number): Set<number> {
  const bits = new Set<number>();
  for (let bit = 0; bit < 64; bit++) if (((word(bit >>> 5) >>> (bit & 31)) & 1) !== 0) bits.add(bit);
  return bits;
}

function wordOf(bits: ReadonlySet<number>, word: number): number {
  let value = 0;
  for (const bit of bits) if (bit >>> 5 === word) value |= 1 << (bit & 31);
  return value >>> 0;
}

/** Lets everything run that waits for nothing but promises that are settled. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
}

export const readable = (gpa: number, lengthBytes: number): DriverElement => ({
  gpa,
  lengthBytes,
  isWritable: false,
});
export const writable = (gpa: number, lengthBytes: number): DriverElement => ({
  gpa,
  lengthBytes,
  isWritable: true,
});
