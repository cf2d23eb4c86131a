/**
 * NVMe fuzz: a driver that knows the structures and breaks the rules. A controller gets commands of which some are wrong,
 * lists of pages that lead anywhere, doorbells and registers at random and memory that changes under it, while its disk
 * is slow or fails. Nothing throws, nothing takes long, and what is under way stays bounded; a controller restored from
 * another one's saved state saves the same; and whatever was done, a driver that resets the controller and keeps to the
 * rules is served.
 */
import assert from "node:assert/strict";
import { KiB } from "../../src/base/index.ts";
import { HeldDisk } from "../../src/block/testing.ts";
import { PCI_COMMAND } from "../../src/hw/index.ts";
import { ADMIN, COMMANDS_MAX, LOG_PAGE, NVM } from "../../src/devices/nvme/protocol.ts";
import { CC_ENABLE, MEMORY, NvmeDriver, REG, settled } from "../../src/devices/nvme/testing.ts";
import type { Fields } from "../../src/devices/nvme/testing.ts";
import { Random } from "../oracle/index.ts";
import { assertBelowLimits } from "./memory-use.ts";

const STEPS = 300;
const STEP_MAX_MS = 2000;
const DISK_BLOCKS = 256;
const BLOCK_BYTES = 512;
const SIZES = [1, 2, 4] as const;
const OPCODES = [0, 1, 2, 4, 5, 6, 8, 9, 0x0a, 0x0c, 0x80, 0xff] as const;
const FAILURES = [undefined, "disk-io", "disk-full", "disk-read-only"] as const;
const ALL_BLOCKS = 0xffff_ffff;

interface Subject {
  readonly disk: HeldDisk;
  readonly driver: NvmeDriver;
}

function build(): Subject {
  const disk = new HeldDisk(DISK_BLOCKS * BLOCK_BYTES);
  return { disk, driver: new NvmeDriver(disk, { bufferBytes: 512 * KiB }) };
}

/** A page that is good, inside one, at the edge of RAM, or nowhere. */
function address(random: Random, ramBytes: number): number {
  switch (random.below(10)) {
    case 0:
      return ramBytes - random.below(2) * 4096;
    case 1:
      return Number(random.next64());
    case 2:
      return MEMORY.data + random.below(0x1_0000);
    case 3:
      return MEMORY.prpLists + 8 * random.below(1024);
    default:
      return MEMORY.data + 4096 * random.below(256);
  }
}

function dword(random: Random): number {
  const small = random.below(16);
  return random.pick([0, 1, small, small << 16, random.below(2 ** 31), ALL_BLOCKS, 0x000f_0001 + small]);
}

function command(random: Random, queueId: number, ramBytes: number): Fields {
  const prps = { prp1: address(random, ramBytes), prp2: address(random, ramBytes) };
  const flags = random.below(20) === 0 ? random.below(256) : 0;
  const isGood = random.below(3) !== 0;
  if (queueId > 0 && isGood) {
    const opcode = random.pick(Object.values(NVM));
    const count = random.pick([0, 0, 7, 15, 63, 255, 1023]);
    return { opcode, flags, ...prps, dwords: [random.below(DISK_BLOCKS), 0, count] };
  }
  if (isGood) {
    const opcode = random.pick([
      ADMIN.identify,
      ADMIN.getLogPage,
      ADMIN.asyncEventRequest,
      ADMIN.getFeatures,
    ]);
    return { opcode, flags, ...prps, dwords: [random.below(16) | (random.below(256) << 16)] };
  }
  return {
    opcode: random.pick(OPCODES),
    flags,
    namespaceId: random.pick([0, 1, 2, ALL_BLOCKS]),
    ...prps,
    dwords: Array.from({ length: 6 }, () => dword(random)),
  };
}

/** Enables the controller, in most cases as its rules say. */
async function setUp({ driver, disk }: Subject, random: Random): Promise<void> {
  disk.release();
  driver.controller.writeConfig(4, 2, PCI_COMMAND.memory | PCI_COMMAND.busMaster);
  driver.write(REG.cc, 0);
  await settled();
  if (random.below(3) === 0) driver.enableMsix(random.below(9));
  const isGood = random.below(4) !== 0;
  driver.enable(
    isGood ? {} : { configuration: CC_ENABLE ^ (1 << random.below(24)), entries: 1 + random.below(17) },
  );
  // With the entries' sizes or the page size wrong, queues are refused.
  if (isGood) {
    disk.failure = undefined;
    await driver.createQueues();
  }
}

async function step(subject: Subject, random: Random): Promise<void> {
  const { disk, driver } = subject;
  const { ram } = driver;
  switch (random.below(24)) {
    case 0:
      return await setUp(subject, random);
    case 1: {
      const offset = random.below(4) === 0 ? 0x1000 + 4 * random.below(20) : random.below(0x50);
      const size = random.pick(SIZES);
      const gpa = (driver.controller.readConfig(0x10, 4) & ~15) >>> 0;
      driver.mmio.readMmio(gpa + offset, size);
      if (random.below(3) === 0) driver.mmio.writeMmio(gpa + offset, size, dword(random));
      return;
    }
    case 2:
      return driver.ringDoorbell(random.below(24), random.below(20));
    case 3:
      for (let count = random.below(8); count >= 0; count--) {
        const area = random.pick([MEMORY.adminQueues, MEMORY.ioQueues, MEMORY.prpLists]);
        ram.writeU8(area + random.below(0x8000), random.below(256));
      }
      return;
    case 4:
      for (let entry = 0; entry < 512; entry++) {
        const page =
          random.below(100) === 0 ? address(random, ram.sizeBytes) : MEMORY.data + 4096 * (entry % 256);
        ram.writeU32(MEMORY.prpLists + 8 * entry, page % 2 ** 32);
        ram.writeU32(MEMORY.prpLists + 8 * entry + 4, page / 2 ** 32);
      }
      return;
    case 5:
      return disk.hold();
    case 6:
      disk.release();
      return await settled();
    case 7:
      disk.failure = FAILURES[random.below(FAILURES.length)];
      return;
    case 8:
      return void driver.take(driver.has(1) ? random.below(2) : 0, { isSilent: random.below(4) === 0 });
    case 9:
      return driver.write(REG.cc, CC_ENABLE | (random.below(4) << 14));
    case 10:
      return driver.controller.writeConfig(4, 2, random.below(8));
    case 11:
      return driver.controller.writeConfig(0x42, 2, random.below(4) << 14);
    default: {
      const queueId = driver.has(1) && random.below(4) !== 0 ? 1 : 0;
      driver.put(queueId, command(random, queueId, ram.sizeBytes));
      if (random.below(2) === 0) driver.ring(queueId);
      if (random.below(4) === 0) await settled();
      if (random.below(4) === 0) driver.take(queueId);
    }
  }
}

/** A driver that keeps to the rules writes a block and reads it again; returns the errors of its log. */
async function isServed({ disk, driver }: Subject, seed: number): Promise<number> {
  disk.release();
  disk.failure = undefined;
  driver.controller.writeConfig(0x42, 2, 0);
  driver.placeBars();
  driver.write(REG.cc, 0);
  await settled();
  assert.equal(driver.read(REG.csts), 0, "the reset comes to its end");
  driver.enable();
  await driver.createQueues();
  const bytes = new Uint8Array(BLOCK_BYTES).fill(seed);
  driver.ram.write(MEMORY.data, bytes);
  const block = { prp1: MEMORY.data, dwords: [seed % DISK_BLOCKS, 0, 0] };
  assert.equal((await driver.send(1, { opcode: NVM.write, ...block })).status, 0);
  driver.ram.write(MEMORY.data, new Uint8Array(BLOCK_BYTES));
  assert.equal((await driver.send(1, { opcode: NVM.read, ...block })).status, 0);
  assert.deepEqual(new Uint8Array(driver.ram.slice(MEMORY.data, BLOCK_BYTES)), bytes);
  const smart = { opcode: ADMIN.getLogPage, prp1: MEMORY.data, dwords: [LOG_PAGE.smart | (127 << 16)] };
  await driver.succeed(smart);
  return driver.ram.readU32(MEMORY.data + 176);
}

/** Fuzzes `count` controllers of seeds from `seed` on; how many errors they met. Throws the first failure with its seed. */
export async function fuzzNvme(seed: number, count: number): Promise<number> {
  let errors = 0;
  for (let next = seed; next < seed + count; next++) {
    const random = new Random(next);
    const subject = build();
    try {
      await setUp(subject, random);
      for (let i = 0; i < STEPS; i++) {
        const start = performance.now();
        await step(subject, random);
        const tookMs = performance.now() - start;
        assert.ok(tookMs < STEP_MAX_MS, `a step took ${tookMs.toFixed(0)} ms`);
        assert.ok(subject.disk.heldCount <= COMMANDS_MAX + 1, `${subject.disk.heldCount} requests under way`);
      }
      assertBelowLimits(subject.driver.controller.name);
      subject.disk.release();
      await settled();
      const saved = subject.driver.controller.save();
      const other = build();
      other.driver.ram.write(0, new Uint8Array(subject.driver.ram.slice(0, subject.driver.ram.sizeBytes)));
      other.driver.controller.restore(saved);
      assert.deepEqual(other.driver.controller.save(), saved);
      errors += await isServed(subject, next);
      await isServed(other, next);
    } catch (error) {
      throw new Error(`nvme, seed ${String(next)}`, { cause: error });
    }
  }
  return errors;
}
