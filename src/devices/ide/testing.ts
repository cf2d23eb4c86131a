/**
 * The host's side of IDE for tests: a controller at its ports with RAM for the bus master, driven as an operating
 * system's driver drives it.
 */

import { assert, fail, MiB, unwrap } from "../../base/index.ts";
import { BLOCK_OK, MemoryDisk, SECTOR_BYTES } from "../../block/index.ts";
import type { BlockDevice, BlockError, BlockResult } from "../../block/index.ts";
import { MmioBus, PCI_COMMAND, PCI_HEADER, PortBus, RamDma, RecordedLine } from "../../hw/index.ts";
import type { AccessSize } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { AtaDisk } from "./ata-disk.ts";
import type { IdeDrive } from "./ide-drive.ts";
import { Piix3Ide } from "./piix3-ide.ts";

export const RAM_BYTES = 2 * MiB;
export const BMIBA = 0xc000;
/** Where the driver keeps its descriptor table and its buffer. */
export const TABLE_GPA = 0x2000;
export const BUFFER_GPA = 0x1_0000;

export const ST = { busy: 0x80, ready: 0x40, fault: 0x20, seek: 0x10, drq: 0x08, error: 0x01 } as const;
/** Turns of the microtask queue that a command gets; each request to the back end takes a few. */
const PATIENCE = 40_000;

export const CHANNEL_PORTS = [
  { command: 0x1f0, control: 0x3f6, busMaster: BMIBA },
  { command: 0x170, control: 0x376, busMaster: BMIBA + 8 },
] as const;

/** Sectors whose bytes say where they are. */
export function patternBytes(sectors: number): Uint8Array {
  const bytes = new Uint8Array(sectors * SECTOR_BYTES);
  for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 7 + (at >> 9) * 13 + (at >> 17)) & 0xff;
  return bytes;
}

/** A disk whose requests wait until the test lets them go, and fail where it says so. */
export class TestDisk implements BlockDevice {
  readonly inner: MemoryDisk;
  readonly isReadOnly = false;
  readonly canDiscard = true;
  readonly log: string[] = [];
  /** Sectors that cannot be read or written. */
  readonly badSectors = new Set<number>();
  error: BlockError = { code: "disk-io", message: "A bad sector." };
  isHeld = false;
  readonly #waiting: (() => void)[] = [];

  constructor(sectors: number) {
    this.inner = new MemoryDisk(patternBytes(sectors));
  }

  get sizeBytes(): number {
    return this.inner.sizeBytes;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Lets everything go that waits, and what comes later too. */
  release(): void {
    this.isHeld = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  read(offset: number, target: Uint8Array): Promise<BlockResult> {
    return this.#request("read", offset, target.length, () => this.inner.read(offset, target));
  }

  write(offset: number, source: Uint8Array): Promise<BlockResult> {
    return this.#request("write", offset, source.length, () => this.inner.write(offset, source));
  }

  flush(): Promise<BlockResult> {
    return this.#request("flush", 0, 0, () => Promise.resolve(BLOCK_OK));
  }

  discard(offset: number, lengthBytes: number): Promise<BlockResult> {
    return this.#request("discard", offset, lengthBytes, () => this.inner.discard(offset, lengthBytes));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #request(
    what: string,
    offset: number,
    lengthBytes: number,
    act: () => Promise<BlockResult>,
  ): Promise<BlockResult> {
    const first = offset / SECTOR_BYTES;
    const count = lengthBytes / SECTOR_BYTES;
    this.log.push(count === 0 ? what : `${what} ${first}+${count}`);
    if (this.isHeld) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    for (let sector = first; sector < first + count; sector++) {
      if (this.badSectors.has(sector)) return { ok: false, error: this.error };
    }
    return act();
  }
}

export interface Command {
  readonly code: number;
  readonly features?: number;
  readonly count?: number;
  /** Sector address; by `address` LBA28 unless said otherwise. */
  readonly lba?: number;
  readonly address?: "lba28" | "lba48" | "chs";
  readonly cylinder?: number;
  readonly head?: number;
  readonly sector?: number;
  readonly drive?: 0 | 1;
}

export interface RegionDescriptor {
  readonly gpa: number;
  /** 0 stands for 64 KiB. */
  readonly bytes: number;
  readonly isLast?: boolean;
}

export function disk(device: BlockDevice, isSecond = false): AtaDisk {
  const identity = { serial: "TEST-SERIAL", firmware: "1.0", model: "Test disk" };
  return new AtaDisk({ name: "disk", disk: device, identity, isSecond });
}

/** A controller as firmware leaves it. */
export function controller(...drives: readonly (IdeDrive | undefined)[]): TestHost {
  const host = new TestHost(drives);
  host.ide.reset();
  host.enable();
  return host;
}

export class TestHost {
  readonly ports = new PortBus();
  readonly ram = unwrap(createGuestRam({ sizeBytes: RAM_BYTES, reservedPrefixBytes: 0 }));
  readonly irqs = [new RecordedLine(), new RecordedLine()] as const;
  readonly dmaWrites: (readonly [gpa: number, lengthBytes: number])[] = [];
  readonly ide: Piix3Ide;
  /** Whose ports the methods below use. */
  channel: 0 | 1 = 0;

  constructor(drives: readonly (IdeDrive | undefined)[]) {
    this.ide = new Piix3Ide({
      buses: { ports: this.ports, mmio: new MmioBus() },
      dma: new RamDma(this.ram, (gpa, lengthBytes) => this.dmaWrites.push([gpa, lengthBytes])),
      irqs: this.irqs,
      drives,
    });
  }

  enable(): void {
    this.ide.writeConfig(PCI_HEADER.bar0 + 16, 4, BMIBA);
    this.ide.writeConfig(PCI_HEADER.command, 2, PCI_COMMAND.io | PCI_COMMAND.busMaster);
    this.ide.writeConfig(0x40, 4, 0x8000_8000);
  }

  get irq(): RecordedLine {
    return this.irqs[this.channel];
  }

  /** A register of the command block. */
  in(register: number, size: AccessSize = 1): number {
    return this.ports.readPort(CHANNEL_PORTS[this.channel].command + register, size);
  }

  out(register: number, value: number, size: AccessSize = 1): void {
    this.ports.writePort(CHANNEL_PORTS[this.channel].command + register, size, value);
  }

  get alternateStatus(): number {
    return this.ports.readPort(CHANNEL_PORTS[this.channel].control, 1);
  }

  control(value: number): void {
    this.ports.writePort(CHANNEL_PORTS[this.channel].control, 1, value);
  }

  /** Registers 1 to 7: error, count, the address, device, status; acknowledges the interrupt. */
  get registers(): number[] {
    return [1, 2, 3, 4, 5, 6, 7].map((register) => this.in(register));
  }

  /** Writes registers and command; `device` is what the device register gets besides DEV and LBA. */
  issue(command: Command): void {
    const { code, features = 0, count = 0, lba = 0, address = "lba28", drive = 0 } = command;
    const dev = 0xa0 | (drive << 4);
    if (address === "chs") {
      const { cylinder = 0, head = 0, sector = 1 } = command;
      this.out(6, dev | head);
      [features, count, sector, cylinder & 0xff, cylinder >> 8].forEach((value, index) =>
        this.out(1 + index, value & 0xff),
      );
    } else {
      this.out(6, dev | 0x40 | (address === "lba28" ? Math.floor(lba / 2 ** 24) & 0xf : 0));
      const byte = (from: number): number => Math.floor(lba / 2 ** from) % 256;
      if (address === "lba48") {
        [features >> 8, count >> 8, byte(24), byte(32), byte(40)].forEach((value, index) =>
          this.out(1 + index, value & 0xff),
        );
      }
      [features, count, byte(0), byte(8), byte(16)].forEach((value, index) =>
        this.out(1 + index, value & 0xff),
      );
    }
    this.out(7, code);
  }

  /** Waits until the drive is not busy; what it answers is not acknowledged. */
  async settled(): Promise<number> {
    for (let turn = 0; turn < PATIENCE; turn++) {
      if ((this.alternateStatus & ST.busy) === 0) return this.alternateStatus;
      await Promise.resolve();
    }
    return fail("the drive stays busy");
  }

  /** Lets what is under way in back ends come back. */
  async turns(count = 20): Promise<void> {
    for (let turn = 0; turn < count; turn++) await Promise.resolve();
  }

  /** Issues a command without data and gives the status register at its end. */
  async run(command: Command): Promise<number> {
    this.issue(command);
    await this.settled();
    return this.in(7);
  }

  /** Takes `lengthBytes` from the data register. */
  takeData(lengthBytes: number, size: AccessSize = 2): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    for (let at = 0; at < lengthBytes; at += size) {
      const value = this.in(0, size);
      for (let i = 0; i < size; i++) bytes[at + i] = (value >>> (8 * i)) & 0xff;
    }
    return bytes;
  }

  giveData(bytes: Uint8Array, size: AccessSize = 2): void {
    for (let at = 0; at < bytes.length; at += size) {
      let value = 0;
      for (let i = 0; i < size; i++) value |= (bytes[at + i] ?? 0) << (8 * i);
      this.out(0, value >>> 0, size);
    }
  }

  /** Issues a PIO command and takes `blocks` of `blockBytes` each as they are announced. */
  async readPio(command: Command, blocks = 1, blockBytes: number = SECTOR_BYTES): Promise<Uint8Array> {
    this.issue(command);
    const bytes = new Uint8Array(blocks * blockBytes);
    for (let block = 0; block < blocks; block++) {
      await this.settled();
      assert((this.in(7) & (ST.drq | ST.error)) === ST.drq, `block ${block} is announced`);
      bytes.set(this.takeData(blockBytes), block * blockBytes);
    }
    return bytes;
  }

  /** Issues a PIO command, gives `bytes` in blocks, and returns the status register at its end. */
  async writePio(command: Command, bytes: Uint8Array, blockBytes: number = SECTOR_BYTES): Promise<number> {
    this.issue(command);
    for (let at = 0; at < bytes.length; at += blockBytes) {
      await this.settled();
      assert((this.in(7) & (ST.drq | ST.error)) === ST.drq, `the block at ${at} is wanted`);
      this.giveData(bytes.subarray(at, at + blockBytes));
    }
    await this.settled();
    return this.in(7);
  }

  // The bus master.

  inBusMaster(register: number, size: AccessSize = 1): number {
    return this.ports.readPort(CHANNEL_PORTS[this.channel].busMaster + register, size);
  }

  outBusMaster(register: number, value: number, size: AccessSize = 1): void {
    this.ports.writePort(CHANNEL_PORTS[this.channel].busMaster + register, size, value);
  }

  /** Puts a descriptor table into RAM and its address and the direction into the registers; clears the status. */
  prepareDma(direction: "in" | "out", regions: readonly RegionDescriptor[], tableGpa = TABLE_GPA): void {
    const table = new Uint8Array(regions.length * 8);
    const view = new DataView(table.buffer);
    regions.forEach(({ gpa, bytes, isLast = false }, index) => {
      view.setUint32(8 * index, gpa, true);
      view.setUint32(8 * index + 4, (bytes & 0xffff) | (isLast ? 0x8000_0000 : 0), true);
    });
    this.ram.slice(tableGpa, table.length).set(table);
    this.outBusMaster(4, tableGpa, 4);
    this.outBusMaster(0, direction === "in" ? 0x08 : 0);
    this.outBusMaster(2, 0x06);
  }

  startDma(): void {
    this.outBusMaster(0, this.inBusMaster(0) | 1);
  }

  stopDma(): void {
    this.outBusMaster(0, this.inBusMaster(0) & ~1);
  }

  /** A whole DMA command with one region after the other from BUFFER_GPA on; gives the bus master's status. */
  async runDma(direction: "in" | "out", command: Command, lengthBytes: number): Promise<number> {
    const regions: RegionDescriptor[] = [];
    for (let done = 0; done < lengthBytes; done += 0x1_0000) {
      const bytes = Math.min(0x1_0000, lengthBytes - done);
      regions.push({ gpa: BUFFER_GPA + done, bytes, isLast: done + bytes === lengthBytes });
    }
    this.prepareDma(direction, regions);
    this.issue(command);
    this.startDma();
    for (let turn = 0; turn < PATIENCE && (this.inBusMaster(2) & 4) === 0; turn++) await Promise.resolve();
    const status = this.inBusMaster(2);
    this.stopDma();
    return status;
  }
}
