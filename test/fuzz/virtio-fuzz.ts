/**
 * Virtio fuzz: drivers that know the structures and break the rules. A function of each kind is set up by either
 * interface with mostly good queues, and gets chains, tables, indices and register accesses of which some are wrong, while
 * requests are under way. Nothing throws, nothing takes long; a device restored from another one's saved state saves the
 * same; and whatever was done, a driver that resets the device and keeps to the rules is served.
 */
import assert from "node:assert/strict";
import { ManualClock, MiB, NS_PER_MS, TimerQueue } from "../../src/base/index.ts";
import { MemoryDisk, SECTOR_BYTES, TransferBuffers } from "../../src/block/index.ts";
import { VirtioBalloon } from "../../src/devices/virtio/balloon/index.ts";
import { VirtioBlk } from "../../src/devices/virtio/blk/index.ts";
import { VirtioConsole } from "../../src/devices/virtio/console/index.ts";
import { VirtioNet } from "../../src/devices/virtio/net/index.ts";
import { VirtioRng } from "../../src/devices/virtio/rng/index.ts";
import { writeDescriptor } from "../../src/devices/virtio/queue/testing.ts";
import {
  bench,
  enableMsix,
  LEGACY_PORT,
  LegacyDriver,
  MODERN_GPA,
  ModernDriver,
  MSIX_GPA,
  readable,
  settle,
  writable,
} from "../../src/devices/virtio/testing.ts";
import type { Bench } from "../../src/devices/virtio/testing.ts";
import type { GuestRam } from "../../src/memory/index.ts";
import { RecordedLink } from "../../src/net/testing.ts";
import { Random } from "../oracle/index.ts";
import { assertBelowLimits } from "./memory-use.ts";

const STEPS = 300;
const STEP_MAX_MS = 2000;
const RAM_BYTES = 2 * MiB;
const DISK_SECTORS = 64;
const SIZES = [1, 2, 4] as const;
const QUEUE_SIZES = [1, 4, 8, 64, 256, 0, 3, 512, 0xffff] as const;
const QUEUE_GPA = 0x1_0000;
const HEADER_GPA = 0x3_0000;
const DATA_GPA = 0x10_0000;
const COMMAND_ALL = 7;
/** What the console's other side takes at one time. */
const SINK_BYTES = 5000;

type Driver = ModernDriver | LegacyDriver;

const KINDS = ["blk", "blk", "rng", "console", "net", "net", "balloon"] as const;
type Kind = (typeof KINDS)[number];
/** Before each frame. */
const NET_HEADER_BYTES = 12;
const NET_QUEUES = 3;
const BALLOON_QUEUES = 5;

interface Subject {
  readonly on: Bench;
  readonly disk: MemoryDisk | undefined;
  /** Queues that drivers use. */
  readonly queues: number;
  /** What chains for a queue begin with, in 16 bytes. */
  readonly writeHeader: (ram: GuestRam, random: Random, queueIndex: number) => void;
  /** What a buffer has before the data. */
  readonly headerBytes: number;
  /** What of a buffer of 512 bytes the device fills, with 77h behind the header. */
  readonly filledBytes: number;
  /** What the host does with the device by itself. */
  readonly hostActs: (random: Random) => void;
  /** Brings the host back to where another device of the kind finds it. */
  readonly hostSettles: () => void;
  /** Makes the device fill its next buffer of 512 bytes with a header and 77h, if it does not do so by itself. */
  readonly feed: () => void;
}

function writeBlockRequest(ram: GuestRam, random: Random): void {
  ram.writeU32(HEADER_GPA, random.pick([0, 1, 4, 8, 11, 13, random.below(20)]));
  ram.writeU64(HEADER_GPA + 8, random.below(5) === 0 ? random.next64() : BigInt(random.below(DISK_SECTORS)));
}

/** A frame's header with offloads, and headers of TCP where the data lies; or a command. */
function writeNetHeader(ram: GuestRam, random: Random, queueIndex: number): void {
  if (queueIndex === NET_QUEUES - 1) {
    ram.write(
      HEADER_GPA,
      Uint8Array.from({ length: 16 }, () => random.below(6)),
    );
    return;
  }
  const start = random.pick([34, 54, random.below(0x1_0000)]);
  ram.write(HEADER_GPA, Uint8Array.of(random.below(3), random.pick([0, 0, 1, 4, 0x81, random.below(256)])));
  ram.writeU16(HEADER_GPA + 2, random.below(100));
  ram.writeU16(HEADER_GPA + 4, random.pick([0, 1, 100, 1448, random.below(0x1_0000)]));
  ram.writeU16(HEADER_GPA + 6, start);
  ram.writeU16(HEADER_GPA + 8, random.pick([16, 6, random.below(0x1_0000)]));
  ram.writeU32(HEADER_GPA + 10, 0);
  const frame = DATA_GPA + 0x2000 - (16 - NET_HEADER_BYTES);
  ram.writeU8(frame + 14, random.pick([0x45, 0x60]));
  ram.writeU8(frame + Math.min(start, 100) + 12, random.pick([0x50, 0x80, random.below(256)]));
}

/** Of any length; some say that they are IPv4 and how long. */
function frameOfNoise(random: Random): Uint8Array {
  const frame = new Uint8Array(random.pick([14, 60, 500, 1514, 1518, 18 + random.below(2000)]));
  for (let at = 0; at < Math.min(frame.length, 60); at++) frame[at] = random.below(256);
  if (frame.length >= 18 && random.below(2) === 0) frame.set([0x08, 0x00, 0x45, 0, 0, frame.length - 14], 12);
  return frame;
}

/** Of pages here and there, that there are and are not. */
function writePageNumbers(ram: GuestRam, random: Random): void {
  const first = random.below(RAM_BYTES / 4096);
  [0, 1, 2, 3].forEach((index) => {
    const page = random.below(4) === 0 ? Number(random.next64() & 0xffff_ffffn) : first + index;
    ram.writeU32(HEADER_GPA + 4 * index, page);
  });
}

function build(kind: Kind, offersPacked: boolean): Subject {
  const options = { offersPacked, ramBytes: RAM_BYTES };
  const nothing = (): void => undefined;
  const usual = {
    queues: 1,
    headerBytes: 0,
    filledBytes: SECTOR_BYTES,
    writeHeader: writeBlockRequest,
    disk: undefined,
    hostSettles: nothing,
  };
  switch (kind) {
    case "blk": {
      const disk = new MemoryDisk(new Uint8Array(DISK_SECTORS * SECTOR_BYTES));
      const device = new VirtioBlk({
        disk,
        buffers: new TransferBuffers(2 * MiB),
        serial: "fuzz",
        queues: 2,
      });
      return { ...usual, on: bench(device, options), disk, hostActs: nothing, feed: nothing };
    }
    case "rng": {
      const device = new VirtioRng((count) => new Uint8Array(count).fill(0x77));
      return { ...usual, on: bench(device, options), hostActs: nothing, feed: nothing };
    }
    case "console": {
      let room = SINK_BYTES;
      const device = new VirtioConsole({ transmit: () => --room > 0 });
      const hostActs = (random: Random): void => {
        room = random.below(SINK_BYTES);
        device.transmitReady();
        device.receive(new Uint8Array(random.below(100)));
      };
      const feed = (): void => void device.receive(new Uint8Array(SECTOR_BYTES).fill(0x77));
      return { ...usual, on: bench(device, options), hostActs, feed };
    }
    case "balloon": {
      const device = new VirtioBalloon({ ramBytes: RAM_BYTES, keptBytes: 1 * MiB });
      const hostActs = (random: Random): void => {
        device.targetBytes = random.below(2 * RAM_BYTES);
        device.askStatistics();
      };
      const balloon = {
        ...{ queues: BALLOON_QUEUES, filledBytes: 0, writeHeader: writePageNumbers },
        ...{ hostActs, feed: nothing },
      };
      return { ...usual, ...balloon, on: bench(device, options) };
    }
    case "net": {
      const link = new RecordedLink();
      if (offersPacked) link.takeUnfinished();
      const clock = new ManualClock();
      const timers = new TimerQueue();
      const device = new VirtioNet({ macAddress: Uint8Array.of(2, 0, 0, 0, 0, 1), link, clock, timers });
      link.onSend = (frame) => {
        link.sent.length = 0;
        link.deliver(frame);
      };
      const hostActs = (random: Random): void => {
        link.sentUnfinished.length = 0;
        clock.advance(random.below(NS_PER_MS));
        timers.runDue(clock.nowNs());
        if (random.below(20) === 0) link.setUp(!link.isUp);
        for (let count = random.below(4); count > 0; count--) {
          const frame = frameOfNoise(random);
          if (random.below(3) === 0) link.deliverUnfinished(frame, random.below(2000));
          else link.deliver(frame);
        }
      };
      const feed = (): void => void link.deliver(new Uint8Array(SECTOR_BYTES - NET_HEADER_BYTES).fill(0x77));
      return {
        ...usual,
        on: bench(device, options),
        queues: NET_QUEUES,
        headerBytes: NET_HEADER_BYTES,
        writeHeader: writeNetHeader,
        hostActs,
        hostSettles: () => link.setUp(true),
        feed,
      };
    }
  }
}

/** Addresses that are good, at the edge, or nowhere. */
function address(random: Random): number {
  switch (random.below(8)) {
    case 0:
      return RAM_BYTES - random.below(64);
    case 1:
      return Number(random.next64() & 0xffff_ffff_ffffn);
    case 2:
      return QUEUE_GPA + random.below(0x1_0000);
    default:
      return DATA_GPA + 16 * random.below(0x1000);
  }
}

const length = (random: Random): number =>
  random.pick([0, 1, 16, 512, 4096, 8192, random.below(0x1_0000), 0xffff_ffff, random.below(2 ** 31)]);

/** The state of one driver between steps. */
class Chaos {
  readonly #random: Random;
  readonly #subject: Subject;
  readonly #modern: ModernDriver;
  readonly #legacy: LegacyDriver;
  #driver: Driver;
  #isPacked = false;
  #size = 8;
  #available = 0;
  #queueIndex = 0;

  constructor(random: Random, subject: Subject) {
    this.#random = random;
    this.#subject = subject;
    this.#modern = new ModernDriver(subject.on);
    this.#legacy = new LegacyDriver(subject.on);
    this.#driver = this.#modern;
    this.#setUp();
  }

  step(): void {
    const random = this.#random;
    switch (random.below(16)) {
      case 0:
        return this.#setUp();
      case 1:
        return this.#accessRegisters();
      case 2:
        return this.#corrupt();
      case 3:
        return this.#driver.notify(random.below(BALLOON_QUEUES + 1));
      case 4:
        return this.#subject.hostActs(random);
      default:
        this.#offer();
        if (random.below(2) === 0) this.#driver.notify(this.#queueIndex);
    }
  }

  #setUp(): void {
    const random = this.#random;
    this.#driver = random.below(3) === 0 ? this.#legacy : this.#modern;
    this.#driver.negotiate(
      random.below(2) === 0
        ? undefined
        : [0, 1, 4, 5, 7, 9, 11, 13, 14, 15, 17, 18, 28, 29, 34].filter(() => random.below(2) === 0),
    );
    if (random.below(3) === 0) enableMsix(this.#subject.on, 3);
    this.#queueIndex = random.below(this.#subject.queues);
    const { setup } = this.#driver.queue(this.#queueIndex, {
      size: random.below(3) === 0 ? random.pick(QUEUE_SIZES) : 8,
      baseGpa: random.below(10) === 0 ? RAM_BYTES - 0x1_0000 : QUEUE_GPA,
    });
    this.#isPacked = setup.isPacked;
    this.#size = Math.max(1, setup.size);
    this.#available = 0;
    if (random.below(20) !== 0) this.#driver.ready();
  }

  /** A chain of up to six descriptors, its header a request, made available whatever it is. */
  #offer(): void {
    const random = this.#random;
    const { ram } = this.#subject.on;
    this.#subject.writeHeader(ram, random, this.#queueIndex);
    const isGood = random.below(4) !== 0;
    const isTable = random.below(4) === 0;
    const count = 1 + random.below(5);
    const tableGpa = isTable ? 0x4_0000 + 0x100 * random.below(16) : QUEUE_GPA;
    const start = isTable ? 0 : this.#available % this.#size;
    const writableFrom = 1 + random.below(count);
    for (let index = 0; index < count; index++) {
      const isFirst = index === 0;
      const element = isGood
        ? {
            gpa: isFirst ? HEADER_GPA : DATA_GPA + 0x2000 * index,
            lengthBytes: isFirst ? 16 : random.pick([1, 16, 512, 1024]),
          }
        : { gpa: address(random), lengthBytes: length(random) };
      let flags = (index + 1 < count ? 1 : 0) | (index >= writableFrom ? 2 : 0);
      if (random.below(30) === 0) flags ^= 1 << random.below(3);
      const place = isTable ? index : (start + index) % this.#size;
      this.#write(tableGpa + 16 * place, element, flags, (start + index + 1) % (isTable ? 1024 : this.#size));
    }
    if (isTable) {
      const table = { gpa: tableGpa, lengthBytes: random.below(12) === 0 ? length(random) : 16 * count };
      this.#write(
        QUEUE_GPA + 16 * (this.#available % this.#size),
        table,
        4 | (random.below(20) === 0 ? 1 : 0),
        0,
      );
    }
    this.#publish(isTable ? 1 : count);
  }

  #write(at: number, element: { gpa: number; lengthBytes: number }, flags: number, next: number): void {
    const { ram } = this.#subject.on;
    if (!ram.contains(at, 16)) return;
    if (!this.#isPacked) {
      writeDescriptor(ram, at, element, flags, next);
      return;
    }
    const isFirstTurn = Math.floor(this.#available / this.#size) % 2 === 0;
    writeDescriptor(ram, at, element, this.#available & 0xffff, flags | (isFirstTurn ? 0x80 : 0x8000));
  }

  #publish(count: number): void {
    const { ram } = this.#subject.on;
    if (!this.#isPacked) {
      const driverGpa = QUEUE_GPA + (this.#driver instanceof LegacyDriver ? 16 * this.#size : 0x5000);
      const head = this.#random.below(30) === 0 ? this.#random.below(0x1_0000) : this.#available % this.#size;
      const entry = driverGpa + 4 + 2 * (this.#available % this.#size);
      if (!ram.contains(entry, 2)) return;
      ram.writeU16(entry, head);
      ram.writeU16(driverGpa + 2, (this.#available + 1) & 0xffff);
      this.#available++;
    } else {
      this.#available += count;
    }
  }

  /** Anywhere in the rings, where neither side expects it. */
  #corrupt(): void {
    const { ram } = this.#subject.on;
    for (let count = this.#random.below(4); count >= 0; count--) {
      ram.writeU8(QUEUE_GPA + this.#random.below(0x1_0000), this.#random.below(256));
    }
  }

  #accessRegisters(): void {
    const random = this.#random;
    const { mmio, ports, pci } = this.#subject.on;
    const size = random.pick(SIZES);
    const value = Number(random.next64() & (size === 4 ? 0xffff_ffffn : size === 2 ? 0xffffn : 0xffn));
    const modern = MODERN_GPA + 0x1000 * random.below(4) + random.below(64);
    const legacy = LEGACY_PORT + random.below(64);
    switch (random.below(8)) {
      case 0:
        return mmio.writeMmio(modern, size, value);
      case 1:
        return void mmio.readMmio(modern, size);
      case 2:
        return ports.writePort(legacy, size, value);
      case 3:
        return void ports.readPort(legacy, size);
      case 4:
        return mmio.writeMmio(MSIX_GPA + 4 * random.below(16), 4, value);
      case 5:
        pci.writeConfig(0x40 + (random.below(0x70) & -size), size, value);
        return pci.writeConfig(4, 2, random.below(4) === 0 ? random.below(8) : COMMAND_ALL);
      default:
        return void pci.readConfig(random.below(256) & -size, size);
    }
  }
}

/** A driver that keeps to the rules, on a device that has seen others. */
async function proveItWorks({ on, disk, headerBytes, filledBytes, feed }: Subject): Promise<void> {
  on.pci.reset();
  on.pci.writeConfig(0x10, 4, LEGACY_PORT);
  on.pci.writeConfig(0x14, 4, MSIX_GPA);
  on.pci.writeConfig(0x20, 4, MODERN_GPA);
  on.pci.writeConfig(4, 2, COMMAND_ALL);
  const driver = new ModernDriver(on);
  driver.negotiate();
  const queue = driver.queue(0, { size: 8 });
  driver.ready();
  disk?.bytes.fill(0x77, SECTOR_BYTES, 2 * SECTOR_BYTES);
  on.ram.fill(DATA_GPA, SECTOR_BYTES, 0);
  on.ram.writeU64(HEADER_GPA, 0n);
  on.ram.writeU64(HEADER_GPA + 8, 1n);
  const data = writable(DATA_GPA, SECTOR_BYTES);
  const id = queue.offer(
    disk === undefined ? [data] : [readable(HEADER_GPA, 16), data, writable(HEADER_GPA + 16, 1)],
  );
  driver.notify(0);
  feed();
  await settle();
  assert.deepEqual(queue.takeUsed(), [{ id, writtenBytes: filledBytes + (disk === undefined ? 0 : 1) }]);
  const filled = on.ram.slice(DATA_GPA + headerBytes, Math.max(0, filledBytes - headerBytes));
  assert.ok(filled.every((byte) => byte === 0x77));
}

/** Fuzzes `count` devices of seeds from `seed` on; throws the first failure with its seed. Returns the faults met. */
export async function fuzzVirtio(seed: number, count: number): Promise<number> {
  let faults = 0;
  for (let next = seed; next < seed + count; next++) {
    const random = new Random(next);
    const shape = [random.pick(KINDS), random.below(2) === 0] as const;
    const subject = build(...shape);
    try {
      const chaos = new Chaos(random, subject);
      for (let step = 0; step < STEPS; step++) {
        const start = performance.now();
        chaos.step();
        if (random.below(3) === 0) await settle();
        const tookMs = performance.now() - start;
        assert.ok(tookMs < STEP_MAX_MS, `a step took ${tookMs.toFixed(0)} ms`);
      }
      await settle();
      assertBelowLimits(`virtio-${shape[0]}`);
      subject.hostSettles();
      const saved = subject.on.pci.save();
      const other = build(...shape);
      other.on.ram.write(0, subject.on.ram.bytes);
      other.on.pci.restore(saved);
      assert.deepEqual(other.on.pci.save(), saved);
      faults += subject.on.pci.faults.count;
      await proveItWorks(subject);
      await settle();
      await proveItWorks(other);
    } catch (error) {
      throw new Error(`virtio, seed ${String(next)}`, { cause: error });
    }
  }
  return faults;
}
