/**
 * IDE fuzz: drivers that know the registers, the commands, the packets and the descriptor tables, and break the rules. A
 * controller with two disks, one of them with bad sectors, and a CD-ROM drive gets commands of which most exist, data in
 * the wrong direction or amount, tables that lead outside RAM, resets at any time, other base addresses, discs that come
 * and go, while requests are under way. Nothing throws, nothing takes long, no drive has more than one request in its
 * back end; a controller restored from another one's saved state saves the same; and whatever was done, a driver that
 * resets the channel and keeps to the rules is served.
 */
import assert from "node:assert/strict";
import { SECTOR_BYTES } from "../../src/block/index.ts";
import { AtaDisk, AtapiDrive } from "../../src/devices/ide/drives.ts";
import { patternBytes, RAM_BYTES, ST, TABLE_GPA, TestDisk, TestHost } from "../../src/devices/ide/testing.ts";
import { PCI_COMMAND } from "../../src/hw/index.ts";
import { Random } from "../oracle/index.ts";
import { assertBelowLimits } from "./memory-use.ts";

const STEPS = 1500;
const STEP_MAX_MS = 2000;
const SECTORS = 600;
const SIZES = [1, 2, 4] as const;
/** Those that do something, some of them obsolete or of other kinds of drives. */
const COMMANDS = [
  0x00, 0x08, 0x10, 0x20, 0x21, 0x24, 0x25, 0x27, 0x29, 0x30, 0x34, 0x35, 0x39, 0x3d, 0x40, 0x42, 0x70, 0x90, 0x91, 0xa0,
  0xa0, 0xa0, 0xa0, 0xa0, 0xa1, 0xc4, 0xc5, 0xc6, 0xc8, 0xca, 0xce, 0xe0, 0xe5, 0xe7, 0xec, 0xef, 0xf8,
] as const; // prettier-ignore
const PACKETS = [
  0x00, 0x03, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25, 0x28, 0x28, 0x2b, 0x42, 0x43, 0x46, 0x4a, 0x51, 0x52, 0x55, 0x5a, 0xa8,
  0xa8, 0xb9, 0xbb, 0xbd, 0xbe, 0xbe,
] as const; // prettier-ignore
const PACKET_BYTES = 12;

const identity = { serial: "FUZZ", firmware: "1", model: "Fuzzed drive" };

interface Machine {
  readonly host: TestHost;
  readonly disks: readonly TestDisk[];
  readonly cdrom: AtapiDrive;
}

function build(): Machine {
  const disks = [new TestDisk(SECTORS), new TestDisk(SECTORS), new TestDisk(SECTORS)];
  const [first, second, disc] = disks;
  assert.ok(first !== undefined && second !== undefined && disc !== undefined);
  for (const sector of [3, 100, 101, 599]) second.badSectors.add(sector);
  disc.badSectors.add(402);
  const cdrom = new AtapiDrive({ name: "cd", disc, identity, isSecond: false });
  const host = new TestHost([
    new AtaDisk({ name: "a", disk: first, identity, isSecond: false }),
    new AtaDisk({ name: "b", disk: second, identity, isSecond: true }),
    cdrom,
  ]);
  host.ide.reset();
  host.enable();
  return { host, disks, cdrom };
}

const byte = (random: Random): number =>
  random.pick([0, 1, 2, 0xff, 0x7f, random.below(256), random.below(16)]);

/** Mostly small, sometimes at the ends of the disk or of what fits. */
const blockNumber = (random: Random): number =>
  random.pick([random.below(SECTORS), SECTORS - 1, SECTORS, 150, 149, random.below(2 ** 32), 0xffff_ffff]);

function writeTable({ host }: Machine, random: Random): void {
  const entries = 1 + random.below(8);
  const table = new Uint8Array(entries * 8);
  const view = new DataView(table.buffer);
  for (let index = 0; index < entries; index++) {
    const inside = random.below(RAM_BYTES);
    view.setUint32(8 * index, random.pick([inside, inside, inside, RAM_BYTES - 6, RAM_BYTES, 0xfee0_0000, 0xffff_fffe]), true); // prettier-ignore
    const isLast = index === entries - 1 && random.below(4) > 0;
    view.setUint32(8 * index + 4, ((isLast ? 0x8000_0000 : 0) | random.pick([0, 1, 2, 512, 2048, random.below(0x1_0000)])) >>> 0, true); // prettier-ignore
  }
  const at = random.pick([TABLE_GPA, TABLE_GPA, RAM_BYTES - 8, 0xfff8]);
  host.ram.slice(at, Math.min(table.length, RAM_BYTES - at)).set(table.subarray(0, RAM_BYTES - at));
  host.outBusMaster(4, random.pick([at, at, at, RAM_BYTES - 4, 0xffff_fff8, random.below(2 ** 32)]), 4);
}

function command({ host }: Machine, random: Random): void {
  const lba = blockNumber(random);
  host.issue({
    code: random.below(10) === 0 ? random.below(256) : random.pick(COMMANDS),
    features: random.pick([0, 1, 3, 0x82, byte(random)]),
    count: random.pick([1, 2, 8, 0, byte(random)]),
    lba,
    address: random.pick(["lba28", "lba48", "chs"]),
    cylinder: random.below(4),
    head: random.below(16),
    sector: random.below(65),
    drive: random.pick([0, 0, 1]),
  });
}

function packet({ host }: Machine, random: Random): void {
  const bytes = Uint8Array.from({ length: PACKET_BYTES }, () => (random.below(3) === 0 ? byte(random) : 0));
  bytes[0] = random.below(12) === 0 ? random.below(256) : random.pick(PACKETS);
  const view = new DataView(bytes.buffer);
  view.setUint32(2, blockNumber(random));
  if (random.below(2) === 0) view.setUint32(6, random.below(300) * random.pick([1, 256]));
  const limit = random.pick([0, 1, 2, 7, 512, 2048, 0xfffe, 0xffff]);
  host.issue({ code: 0xa0, features: random.below(3), lba: limit << 8 });
  host.giveData(bytes.subarray(0, random.below(8) === 0 ? 2 * random.below(7) : PACKET_BYTES));
}

async function step(machine: Machine, random: Random): Promise<void> {
  const { host, disks, cdrom } = machine;
  switch (random.below(18)) {
    case 0:
    case 1:
    case 2:
      return command(machine, random);
    case 3:
    case 4:
      return packet(machine, random);
    case 5:
    case 6: {
      const words = random.pick([1, 3, 256, 1024, 4096]);
      const size = random.pick(SIZES);
      for (let i = 0; i < words; i++) host.in(0, size);
      return;
    }
    case 7:
    case 8: {
      const words = random.pick([1, 6, 256, 1024]);
      const size = random.pick(SIZES);
      for (let i = 0; i < words; i++) host.out(0, random.below(0x1_0000), size);
      return;
    }
    case 9:
      return writeTable(machine, random);
    case 10:
      return host.outBusMaster(0, random.pick([0, 1, 8, 9, 9, byte(random)]));
    case 11:
      return host.outBusMaster(random.below(8), byte(random), random.pick(SIZES));
    case 12:
      return void [host.in(random.below(8), random.pick(SIZES)), host.inBusMaster(random.below(8), random.pick(SIZES)), host.alternateStatus]; // prettier-ignore
    case 13:
      return host.out(1 + random.below(7), byte(random), random.pick(SIZES));
    case 14:
      if (random.below(4) > 0) return host.control(random.pick([0, 2, 4, 0x80]));
      host.ide.writeConfig(4, 2, random.below(2) * PCI_COMMAND.busMaster + PCI_COMMAND.io);
      return host.ide.writeConfig(random.pick([0x20, 0x40, 0x44]), random.pick(SIZES), random.below(2 ** 32));
    case 15: {
      const disk = random.pick(disks);
      if (random.below(2) === 0) disk.isHeld = true;
      else disk.release();
      return;
    }
    case 16:
      host.enable();
      host.channel = random.pick([0, 1]);
      if (random.below(8) > 0) return;
      if (random.below(2) === 0) return void cdrom.unit.eject({ isForced: random.below(2) === 0 });
      return cdrom.unit.insert(disks[2] ?? new TestDisk(4));
    default:
      return host.turns(random.pick([1, 5, 200]));
  }
}

/** A driver that keeps to the rules. */
async function isServed({ host, disks }: Machine): Promise<void> {
  host.enable();
  for (const channel of [0, 1] as const) {
    host.channel = channel;
    host.control(4);
    host.control(0);
  }
  host.channel = 0;
  await host.settled();
  const expected = disks[0]?.inner.bytes.slice(7 * SECTOR_BYTES, 9 * SECTOR_BYTES);
  assert.deepEqual(await host.readPio({ code: 0x20, lba: 7, count: 2 }, 2), expected);
  assert.equal(await host.runDma("in", { code: 0xc8, lba: 7, count: 2 }, 2 * SECTOR_BYTES), 4);
  host.channel = 1;
  await host.settled();
  const identify = await host.readPio({ code: 0xa1 });
  assert.equal((identify[1] ?? 0) >> 6, 2);
}

/** Fuzzes `count` controllers of seeds from `seed` on; gives how many commands ended with an error. */
export async function fuzzIde(seed: number, count: number): Promise<number> {
  let errors = 0;
  for (let next = seed; next < seed + count; next++) {
    const random = new Random(next);
    const machine = build();
    const { host, disks } = machine;
    try {
      for (let i = 0; i < STEPS; i++) {
        const start = performance.now();
        await step(machine, random);
        const tookMs = performance.now() - start;
        assert.ok(tookMs < STEP_MAX_MS, `a step took ${tookMs.toFixed(0)} ms`);
        for (const disk of disks) assert.ok(disk.waiting <= 1, `${String(disk.waiting)} requests at once`);
        errors += host.alternateStatus & ST.error;
      }
      assertBelowLimits(host.ide.name);
      for (const disk of disks) disk.release();
      await host.turns(20_000);
      const saved = host.ide.save();
      const other = build();
      other.host.ide.restore(saved);
      await other.host.turns(20_000);
      assert.deepEqual(other.host.ide.save(), saved);
      await isServed(machine);
      await isServed(other);
      assert.deepEqual(disks[2]?.inner.bytes, patternBytes(SECTORS));
    } catch (error) {
      throw new Error(`ide, seed ${String(next)}`, { cause: error });
    }
  }
  return errors;
}
