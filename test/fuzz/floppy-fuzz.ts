/**
 * Floppy fuzz: commands that are mostly well-formed, DMA programmings that mostly fit them, resets, broken-off command and
 * result phases, diskettes that come and go, time in odd steps, images that fail. Nothing throws or stays; the controller
 * can always be reset to a working one; a restored one saves what the other one saved; a protected image stays as it is.
 */
import assert from "node:assert/strict";
import { ManualClock, MiB, NS_PER_MS, NS_PER_S, TimerQueue, unwrap } from "../../src/base/index.ts";
import { MemoryDisk } from "../../src/block/index.ts";
import type { BlockDevice, BlockResult } from "../../src/block/index.ts";
import { FLOPPY_FORMATS, formatSizeBytes } from "../../src/devices/floppy/formats.ts";
import { Fdc82077aa, FDC_PORTS, FloppyDrive } from "../../src/devices/floppy/index.ts";
import { asPorts, PortBus, RamDma, RecordedLine } from "../../src/hw/index.ts";
import { DmaPair } from "../../src/machine/dma/index.ts";
import { createGuestRam } from "../../src/memory/index.ts";
import { Random } from "../oracle/index.ts";
import { assertBelowLimits } from "./memory-use.ts";

const STEPS = 3000;
/** Polling, four seeks, one command. */
const TIMERS_MAX = 6;
const RAM_BYTES = 2 * MiB;
/** Mostly enough for an answer of the image. */
const ANSWER_TURNS = 40;
const RESULT_BYTES_MAX = 10;
const BASE = 0x3f0;
/** Lengths of command phases by code, for commands that are given whole. */
const COMMANDS = [
  [0x46, 9], [0xe6, 9], [0xc6, 9], [0x66, 9], [0x4c, 9], [0x6c, 9], [0xc5, 9], [0x45, 9], [0xc9, 9], [0x49, 9],
  [0x42, 9], [0xd6, 9], [0x76, 9], [0x4a, 2], [0x4d, 6], [0x03, 3], [0x04, 2], [0x07, 2], [0x08, 1], [0x0e, 1],
  [0x0f, 3], [0x8f, 3], [0xcf, 3], [0x10, 1], [0x12, 2], [0x13, 4], [0x14, 1], [0x94, 1],
] as const; // prettier-ignore

/** An image that fails now and then, and answers late. */
class MoodyDisk implements BlockDevice {
  readonly canDiscard = false;
  readonly disk: MemoryDisk;
  readonly #random: Random;

  constructor(disk: MemoryDisk, random: Random) {
    this.disk = disk;
    this.#random = random;
  }

  get sizeBytes(): number {
    return this.disk.sizeBytes;
  }

  get isReadOnly(): boolean {
    return this.disk.isReadOnly;
  }

  read(offset: number, target: Uint8Array): Promise<BlockResult> {
    return this.#answer(() => this.disk.read(offset, target));
  }

  write(offset: number, source: Uint8Array): Promise<BlockResult> {
    return this.#answer(() => this.disk.write(offset, source));
  }

  flush(): Promise<BlockResult> {
    return this.disk.flush();
  }

  discard(offset: number, lengthBytes: number): Promise<BlockResult> {
    return this.disk.discard(offset, lengthBytes);
  }

  close(): Promise<void> {
    return this.disk.close();
  }

  async #answer(request: () => Promise<BlockResult>): Promise<BlockResult> {
    const turns = this.#random.below(8) * this.#random.below(8);
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    if (this.#random.below(50) > 0) return await request();
    return { ok: false, error: { code: "disk-io", message: "The disk is moody." } };
  }
}

function newDisk(random: Random, formatName: string): MoodyDisk {
  const format = FLOPPY_FORMATS.find(({ name }) => name === formatName) ?? FLOPPY_FORMATS[0];
  assert.ok(format);
  const bytes = new Uint8Array(formatSizeBytes(format)).fill(0x5a);
  return new MoodyDisk(new MemoryDisk(bytes, { isReadOnly: random.below(4) === 0 }), random);
}

function build(random: Random) {
  const ram = unwrap(createGuestRam({ sizeBytes: RAM_BYTES, reservedPrefixBytes: 0 }));
  let writtenBytes = 0;
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const ports = new PortBus();
  const dma = new DmaPair(
    new RamDma(ram, (_, lengthBytes) => {
      writtenBytes += lengthBytes;
    }),
  );
  dma.claimPorts(ports);
  dma.reset();
  dma.openCascade();
  const drives = ["1.44M", random.pick(["360K", "1.2M", "2.88M"])].map((name) =>
    unwrap(FloppyDrive.forMedium(newDisk(random, name))),
  );
  const irq = new RecordedLine();
  const fdc = new Fdc82077aa({ clock, timers, irq, dma: dma.channel(2), drives });
  for (const { at, lengthBytes } of [FDC_PORTS.first, FDC_PORTS.second]) {
    ports.claim("fdc", BASE + at, lengthBytes, asPorts(fdc.registers, at));
  }
  fdc.reset();
  return { clock, timers, ports, dma, fdc, irq, drives, written: () => writtenBytes };
}

type Machine = ReturnType<typeof build>;

const out = (m: Machine, offset: number, value: number): void => m.ports.writePort(BASE + offset, 1, value);
const status = (m: Machine): number => m.ports.readPort(BASE + 4, 1);

async function pass(m: Machine, ns: number): Promise<void> {
  const endNs = m.clock.nowNs() + ns;
  for (;;) {
    for (let turn = 0; turn < ANSWER_TURNS; turn++) await Promise.resolve();
    const dueNs = m.timers.nextDeadlineNs();
    if (dueNs === undefined || dueNs > endNs) break;
    m.clock.advanceTo(Math.max(dueNs, m.clock.nowNs()));
    m.timers.runDue(m.clock.nowNs());
  }
  m.clock.advanceTo(endNs);
}

/** Channel 2 to a place that is mostly RAM, for mostly whole sectors, in mostly the direction of the command. */
function programDma(m: Machine, random: Random, isToMemory: boolean): void {
  const write = (port: number, value: number): void => m.ports.writePort(port, 1, value);
  const direction = random.below(10) === 0 ? random.below(4) << 2 : isToMemory ? 0x04 : 0x08;
  const count = random.below(4) === 0 ? random.below(0x10000) : 512 * (1 + random.below(40)) - 1;
  const address = random.below(0x10000);
  write(0x0a, 6);
  write(0x0c, 0);
  write(0x0b, 0x42 | direction | (random.below(8) === 0 ? random.below(16) << 4 : 0));
  write(0x81, random.below(8) === 0 ? random.below(256) : random.below(RAM_BYTES >> 16));
  write(0x04, address & 0xff);
  write(0x04, address >> 8);
  write(0x05, count & 0xff);
  write(0x05, count >> 8);
  if (random.below(10) > 0) write(0x0a, 2);
  if (random.below(50) === 0) write(random.pick([0x08, 0xd0]), random.below(256));
  else if (random.below(10) === 0) for (const port of [0x08, 0xd0]) write(port, 0);
}

function commandBytes(random: Random): number[] {
  const [code, lengthBytes] = random.pick(COMMANDS);
  const cylinder = random.below(4);
  const head = random.below(2);
  const drive = random.below(3) === 0 ? random.below(4) : 0;
  const bytes: number[] = [code, (head << 2) | drive];
  const rest =
    code === 0x0f ? [cylinder] : code === 0x4d ? [2, random.pick([8, 9, 15, 18]), 0x54, 0xe5]
    : [cylinder, head, 1 + random.below(20), 2, random.pick([9, 15, 18, 36]), 27, 255]; // prettier-ignore
  bytes.push(...rest);
  while (random.below(6) === 0) bytes[random.below(bytes.length)] = random.below(256);
  return bytes.slice(0, random.below(20) === 0 ? random.below(12) : lengthBytes);
}

/** Moves bytes and reads results as the main status register asks; gives the result, of a phase that was read to its end. */
function converse(m: Machine, random: Random): number[] {
  const result: number[] = [];
  const limit = random.below(20) === 0 ? random.below(40) : 40 * 512;
  for (let i = 0; i < limit; i++) {
    const now = status(m);
    if ((now & 0xb0) === 0xb0) {
      if ((now & 0x40) === 0) out(m, 5, random.below(256));
      else m.ports.readPort(BASE + 5, 1);
    } else if ((now & 0xd0) === 0xd0) result.push(m.ports.readPort(BASE + 5, 1));
    else break;
  }
  assert.ok(result.length <= RESULT_BYTES_MAX, `a result of ${String(result.length)} bytes`);
  return result;
}

async function start(m: Machine): Promise<void> {
  out(m, 2, 0);
  out(m, 2, 0x3c);
  await pass(m, NS_PER_MS);
  for (let drive = 0; drive < 4; drive++) {
    out(m, 5, 0x08);
    for (let i = 0; i < 2; i++) m.ports.readPort(BASE + 5, 1);
  }
  // With implied seeks any cylinder is the right one.
  for (const byte of [0x13, 0, 0x5f, 0, 0x07, 0]) out(m, 5, byte);
  await pass(m, 10 * NS_PER_MS);
  out(m, 7, 0);
}

/** Takes a diskette out, and mostly puts it, another one or one that the drive refuses in. */
function changeDiskette(m: Machine, random: Random): void {
  const drive = random.below(2);
  const old = m.fdc.eject(drive);
  const other = newDisk(random, random.pick(FLOPPY_FORMATS).name);
  const isIn = m.fdc.insert(drive, random.below(2) === 0 ? other : (old ?? other)).ok;
  if (!isIn && old !== undefined) m.fdc.insert(drive, old);
  if (random.below(8) === 0) m.fdc.eject(drive);
}

/** Gives 1 for a command that ended well. */
async function step(m: Machine, random: Random): Promise<number> {
  // Waiting for index pulses that do not come, or held in reset.
  const isStuck = (status(m) & 0x90) !== 0x80;
  if (isStuck && random.below(2) === 0) {
    if (m.drives[0]?.medium === undefined) m.fdc.insert(0, newDisk(random, "1.44M"));
    await start(m);
  }
  switch (random.below(20)) {
    case 0:
      await start(m);
      return 0;
    case 1:
      out(m, random.pick([2, 3, 4, 7]), random.below(256));
      return 0;
    case 2:
      out(m, 7, random.pick([0, 1, 2, 3]));
      return 0;
    case 3:
      changeDiskette(m, random);
      return 0;
    case 4:
      m.ports.readPort(BASE + random.below(8), random.pick([1, 2, 4]));
      return 0;
    case 5:
      await pass(m, random.pick([1, 1000, NS_PER_MS, NS_PER_S]));
      return 0;
    default: {
      const bytes = commandBytes(random);
      programDma(m, random, (bytes[0] ?? 0) % 2 === 0);
      for (const byte of bytes) out(m, 5, byte);
      await pass(m, random.pick([0, 10 * NS_PER_MS, 10 * NS_PER_MS, 10 * NS_PER_MS]));
      const result = converse(m, random);
      return result.length === 7 && (result[0] ?? 0) < 0x40 ? 1 : 0;
    }
  }
}

export interface FloppyFuzzResult {
  /** Data commands that ended normally. */
  readonly completed: number;
  readonly writtenBytes: number;
}

/** Fuzzes one controller per seed; throws the first failure with its seed. */
export async function fuzzFloppy(seed: number, count: number): Promise<FloppyFuzzResult> {
  let completed = 0;
  let writtenBytes = 0;
  for (let next = seed; next < seed + count; next++) {
    const random = new Random(next);
    const m = build(random);
    try {
      await start(m);
      for (let i = 0; i < STEPS; i++) {
        completed += await step(m, random);
        assert.ok(m.timers.size <= TIMERS_MAX, `${String(m.timers.size)} timers`);
      }
      assertBelowLimits(m.fdc.name);
      const saved = m.fdc.save();
      const other = build(new Random(next));
      other.dma.restore(m.dma.save());
      other.fdc.restore(saved);
      assert.deepEqual(other.fdc.save(), saved);
      await start(m);
      out(m, 5, 0x10);
      assert.equal(m.ports.readPort(BASE + 5, 1), 0x90);
      for (const { medium } of m.drives) {
        if (medium instanceof MoodyDisk && medium.isReadOnly)
          assert.ok(medium.disk.bytes.every((byte) => byte === 0x5a));
      }
      writtenBytes += m.written();
    } catch (error) {
      throw new Error(`floppy, seed ${String(next)}`, { cause: error });
    }
  }
  return { completed, writtenBytes };
}
