/** A diskette controller with what drives it from the guest's side: registers, a DMA channel that is an array, time. */

import { assert, defined, ManualClock, TimerQueue, unwrap } from "../../base/index.ts";
import { MemoryDisk } from "../../block/index.ts";
import { asPorts, PortBus, RecordedLine } from "../../hw/index.ts";
import type { IsaDmaChannel, IsaDmaTransfer } from "../../hw/index.ts";
import { Fdc82077aa, FDC_PORTS } from "./fdc-82077aa.ts";
import { FloppyDrive } from "./floppy-drive.ts";
import { FLOPPY_FORMATS, FLOPPY_SECTOR_BYTES, formatSizeBytes } from "./formats.ts";

export const BASE = 0x3f0;
const DOR = BASE + 2;
const MSR = BASE + 4;
const FIFO = BASE + 5;
/** Promises that a command may wait for one after the other: one for each sector of a track, and their links. */
const ANSWER_TURNS = 200;

/** A DMA channel that the test programs by giving it bytes to send or room to fill. */
export class ArrayDmaChannel implements IsaDmaChannel {
  /** Served while true. */
  isOpen = true;
  isRequested = false;
  /** Terminal count after so many bytes. */
  limitBytes = Infinity;
  received: number[] = [];
  sent: readonly number[] = [];
  #granted: () => void = () => {};
  #count = 0;

  program(limitBytes: number, sent: readonly number[] = []): void {
    this.limitBytes = limitBytes;
    this.sent = sent;
    this.received = [];
    this.#count = 0;
  }

  open(): void {
    this.isOpen = true;
    if (this.isRequested) this.#granted();
  }

  setRequest(isRequested: boolean): void {
    this.isRequested = isRequested;
  }

  onGrant(granted: () => void): void {
    this.#granted = granted;
  }

  toMemory(source: Uint8Array): IsaDmaTransfer {
    return this.#move(source.length, (count) => this.received.push(...source.subarray(0, count)));
  }

  fromMemory(target: Uint8Array): IsaDmaTransfer {
    return this.#move(target.length, (count) =>
      target.set(this.sent.slice(this.#count, this.#count + count)),
    );
  }

  #move(lengthBytes: number, copy: (count: number) => void): IsaDmaTransfer {
    const countBytes = this.isOpen ? Math.min(lengthBytes, this.limitBytes - this.#count) : 0;
    copy(countBytes);
    this.#count += countBytes;
    return { countBytes, isTerminal: countBytes > 0 && this.#count === this.limitBytes };
  }
}

/** A diskette on which each sector is filled with a byte of its own. */
export function numberedDisk(formatName: string, isReadOnly = false): MemoryDisk {
  const format = defined(
    FLOPPY_FORMATS.find(({ name }) => name === formatName),
    formatName,
  );
  const bytes = new Uint8Array(formatSizeBytes(format));
  for (let sector = 0; sector < bytes.length / FLOPPY_SECTOR_BYTES; sector++) {
    bytes.fill(fillOf(sector), sector * FLOPPY_SECTOR_BYTES, (sector + 1) * FLOPPY_SECTOR_BYTES);
  }
  return new MemoryDisk(bytes, { isReadOnly });
}

export function fillOf(sector: number): number {
  return (sector * 7 + 1) & 0xff;
}

export function floppyMachine(...disks: readonly MemoryDisk[]) {
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const irq = new RecordedLine();
  const dma = new ArrayDmaChannel();
  const drives = disks.map((disk) => unwrap(FloppyDrive.forMedium(disk)));
  const fdc = new Fdc82077aa({ clock, timers, irq, dma, drives });
  const ports = new PortBus();
  for (const { at, lengthBytes } of [FDC_PORTS.first, FDC_PORTS.second]) {
    ports.claim("fdc", BASE + at, lengthBytes, asPorts(fdc.registers, at));
  }
  const out = (offset: number, value: number): void => ports.writePort(BASE + offset, 1, value);
  const read = (offset: number): number => ports.readPort(BASE + offset, 1);

  /** Time passes until nothing is due any more for `limitNs`, and the image has answered. */
  async function pass(limitNs = 20_000_000): Promise<void> {
    const endNs = clock.nowNs() + limitNs;
    for (;;) {
      for (let turn = 0; turn < ANSWER_TURNS; turn++) await Promise.resolve();
      const dueNs = timers.nextDeadlineNs();
      if (dueNs === undefined || dueNs > endNs) break;
      clock.advanceTo(Math.max(dueNs, clock.nowNs()));
      timers.runDue(clock.nowNs());
    }
    clock.advanceTo(endNs);
  }

  function give(...bytes: readonly number[]): void {
    for (const byte of bytes) {
      assert((ports.readPort(MSR, 1) & 0xc0) === 0x80, "the controller takes a byte");
      ports.writePort(FIFO, 1, byte);
    }
  }

  /** The result phase, to its last byte. */
  function result(): number[] {
    const bytes: number[] = [];
    while ((ports.readPort(MSR, 1) & 0xd0) === 0xd0) bytes.push(ports.readPort(FIFO, 1));
    return bytes;
  }

  return {
    clock,
    timers,
    irq,
    dma,
    drives,
    fdc,
    out,
    in: read,
    pass,
    give,
    result,
    msr: () => ports.readPort(MSR, 1),
    /** The software reset of most drivers, with all motors on, and its four interrupts sensed; 500 kbit/s. */
    async start(select = 0xfc) {
      ports.writePort(DOR, 1, 0);
      ports.writePort(DOR, 1, select);
      out(7, 0);
      await pass();
      for (let drive = 0; drive < 4; drive++) {
        give(0x08);
        result();
      }
    },
    /** A command without a data phase that answers at once. */
    ask(...bytes: readonly number[]): number[] {
      give(...bytes);
      return result();
    },
    /** A command that ends by an interrupt, with its result. */
    async run(...bytes: readonly number[]): Promise<number[]> {
      give(...bytes);
      await pass();
      return result();
    },
    /** Seeks and senses. */
    async seek(drive: number, cylinder: number): Promise<number[]> {
      give(0x0f, drive, cylinder);
      await pass();
      give(0x08);
      return result();
    },
  };
}
