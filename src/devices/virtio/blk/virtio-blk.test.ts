import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { MiB } from "../../../base/index.ts";
import { BLOCK_OK, BYTES_NOW_MAX, MemoryDisk, SECTOR_BYTES, TransferBuffers } from "../../../block/index.ts";
import { HeldDisk, PromptDisk } from "../../../block/testing.ts";
import type { BlockDevice } from "../../../block/index.ts";
import { VIRTIO_FEATURE, VIRTIO_STATUS } from "../index.ts";
import { bench, enableMsix, LegacyDriver, ModernDriver, readable, settle, writable } from "../testing.ts";
import type { Bench, VirtioDriver } from "../testing.ts";
import type { DriverElement, QueueDriver } from "../queue/testing.ts";
import { BLOCK_FEATURE, CLEARED_SECTORS_MAX, CLEARED_SEGMENTS_MAX, PIECE_BYTES } from "./block-config.ts";
import { REQUEST_STATUS, REQUEST_TYPE } from "./block-request.ts";
import { REQUESTS_UNDER_WAY_MAX, VirtioBlk } from "./virtio-blk.ts";

const SECTORS = 2 * 2048 + 100;
const HEADER_GPA = 0x10_0000;
const STATUS_GPA = 0x18_0000;
const DATA_GPA = 0x20_0000;
const TABLE_GPA = 0x1c_0000;
const RAM_BYTES = 8 * MiB;
const UNWRITTEN = 0xee;
const { ok, ioError, unsupported } = REQUEST_STATUS;

/** A disk of 5Ah whose requests stay under way until they are released. */
function heldDisk(): HeldDisk {
  const disk = openDisk();
  disk.hold();
  return disk;
}

/** The same, whose requests end at once. */
function openDisk(): HeldDisk {
  const disk = new HeldDisk(SECTORS * SECTOR_BYTES);
  disk.disk.bytes.fill(0x5a);
  return disk;
}

async function release(disk: HeldDisk): Promise<void> {
  disk.release();
  await settle();
}

/** A disk larger than any test needs memory for; it keeps nothing. */
const EMPTY_DISK: BlockDevice = {
  sizeBytes: 1024 * MiB,
  isReadOnly: false,
  canDiscard: true,
  read: () => Promise.resolve(BLOCK_OK),
  write: () => Promise.resolve(BLOCK_OK),
  flush: () => Promise.resolve(BLOCK_OK),
  discard: () => Promise.resolve(BLOCK_OK),
  close: () => Promise.resolve(),
};

function pattern(sector: number): Uint8Array {
  return Uint8Array.from({ length: SECTOR_BYTES }, (_, index) => (sector * 31 + index) & 0xff);
}

const PATTERN = new Uint8Array(SECTORS * SECTOR_BYTES);
for (let sector = 0; sector < SECTORS; sector++) PATTERN.set(pattern(sector), sector * SECTOR_BYTES);

const patternDisk = (): MemoryDisk => new MemoryDisk(PATTERN.slice());

/** deepEqual takes seconds for so many bytes. */
function assertSame(actual: Uint8Array, expected: Uint8Array): void {
  assert.equal(Buffer.compare(actual, expected), 0);
}

/** Requests as a driver makes them, each with a header and a status of its own. */
class BlockDriver {
  readonly on: Bench;
  readonly driver: VirtioDriver;
  readonly queue: QueueDriver;
  #count = 0;

  constructor(on: Bench, driver: VirtioDriver, features?: readonly number[], size = 128) {
    this.on = on;
    this.driver = driver;
    driver.negotiate(features);
    this.queue = driver.queue(0, { size });
    driver.ready();
  }

  /** Offers a request and returns where its status will be. */
  offer(type: number, sector: number, data: readonly DriverElement[], tableGpa?: number): number {
    const { ram } = this.on;
    const slot = this.#count++ % 1024;
    const header = HEADER_GPA + 16 * slot;
    ram.writeU32(header, type);
    ram.writeU32(header + 4, 0);
    ram.writeU64(header + 8, BigInt(sector));
    const status = STATUS_GPA + slot;
    ram.writeU8(status, UNWRITTEN);
    const elements = [readable(header, 16), ...data, writable(status, 1)];
    this.queue.offer(elements, tableGpa);
    return status;
  }

  /** Makes one request and returns its status and the used length. */
  async request(type: number, sector: number, data: readonly DriverElement[], tableGpa?: number) {
    const status = this.offer(type, sector, data, tableGpa);
    this.driver.notify(0);
    await settle();
    return { status: this.on.ram.readU8(status), used: this.queue.takeUsed().map((one) => one.writtenBytes) };
  }

  /** Segments of a discard or write zeroes request at DATA_GPA. */
  segments(...all: readonly (readonly [sector: number, sectors: number, flags: number])[]): DriverElement[] {
    all.forEach(([sector, sectors, flags], index) => {
      const at = DATA_GPA + 16 * index;
      this.on.ram.writeU64(at, BigInt(sector));
      this.on.ram.writeU32(at + 8, sectors);
      this.on.ram.writeU32(at + 12, flags);
    });
    return [readable(DATA_GPA, 16 * all.length)];
  }
}

function blk(disk: BlockDevice, queues = 1): VirtioBlk {
  return new VirtioBlk({ disk, buffers: new TransferBuffers(2 * MiB), serial: "disk-1", queues });
}

function modern(disk: BlockDevice, features?: readonly number[], offersPacked = true): BlockDriver {
  const on = bench(blk(disk), { ramBytes: RAM_BYTES, offersPacked });
  return new BlockDriver(on, new ModernDriver(on), features);
}

function legacy(disk: BlockDevice): BlockDriver {
  const on = bench(blk(disk), { ramBytes: RAM_BYTES });
  return new BlockDriver(on, new LegacyDriver(on));
}

let disk: MemoryDisk;
beforeEach(() => {
  disk = patternDisk();
});

for (const [name, connect] of [
  ["packed", () => modern(disk)],
  ["split", () => modern(disk, undefined, false)],
  ["legacy", () => legacy(disk)],
] as const) {
  describe(name, () => {
    test("sectors are read into scattered memory", async () => {
      const guest = connect();
      const data = [writable(DATA_GPA, 100), writable(DATA_GPA + 0x1000, 924)];
      assert.deepEqual(await guest.request(REQUEST_TYPE.in, 5, data), { status: ok, used: [1025] });
      const got = [...guest.on.ram.slice(DATA_GPA, 100), ...guest.on.ram.slice(DATA_GPA + 0x1000, 924)];
      assert.deepEqual(got, [...pattern(5), ...pattern(6)]);
      assert.equal(guest.on.pin.level, true);
    });

    test("sectors are written from an indirect table, up to the last one", async () => {
      const guest = connect();
      guest.on.ram.fill(DATA_GPA, SECTOR_BYTES, 0x77);
      const data = Array.from({ length: 8 }, (_, index) => readable(DATA_GPA + 64 * index, 64));
      const result = await guest.request(REQUEST_TYPE.out, SECTORS - 1, data, TABLE_GPA);
      assert.deepEqual(result, { status: ok, used: [1] });
      assert.deepEqual(
        disk.bytes.subarray(-2 * SECTOR_BYTES),
        Uint8Array.of(...pattern(SECTORS - 2), ...new Uint8Array(SECTOR_BYTES).fill(0x77)),
      );
    });

    test("a request larger than one piece", async () => {
      const guest = connect();
      const bytes = 2 * PIECE_BYTES + SECTOR_BYTES;
      const result = await guest.request(REQUEST_TYPE.in, 0, [writable(DATA_GPA, bytes)]);
      assert.deepEqual(result, { status: ok, used: [bytes + 1] });
      assertSame(guest.on.ram.slice(DATA_GPA, bytes), disk.bytes.subarray(0, bytes));
    });

    test("the configuration tells of the disk", () => {
      const { driver } = connect();
      assert.deepEqual(
        [driver.readConfig(0, 4), driver.readConfig(4, 4), driver.readConfig(12, 4)],
        [SECTORS, 0, 254],
      );
      assert.deepEqual(
        [driver.readConfig(18, 1), driver.readConfig(19, 1), driver.readConfig(20, 4)],
        [16, 63, 512],
      );
      assert.deepEqual(
        [driver.readConfig(24, 1), driver.readConfig(33, 1), driver.readConfig(34, 2)],
        [3, 0, 1],
      );
      driver.writeConfig(0, 4, 1);
      assert.equal(driver.readConfig(0, 4), SECTORS);
    });

    test("the identification", async () => {
      const guest = connect();
      assert.deepEqual(await guest.request(REQUEST_TYPE.getId, 0, [writable(DATA_GPA, 20)]), {
        status: ok,
        used: [21],
      });
      const expected = new Uint8Array(20);
      expected.set(new TextEncoder().encode("disk-1"));
      assert.deepEqual(guest.on.ram.slice(DATA_GPA, 20).slice(), expected);
    });

    test("a flush, and what is not known", async () => {
      const guest = connect();
      assert.deepEqual(await guest.request(REQUEST_TYPE.flush, 0, []), { status: ok, used: [1] });
      assert.deepEqual(await guest.request(REQUEST_TYPE.flushOut, 0, []), { status: ok, used: [1] });
      assert.deepEqual(await guest.request(2, 0, []), { status: unsupported, used: [1] });
    });
  });
}

test("the legacy configuration makes way for the vectors while MSI-X is enabled", () => {
  const guest = legacy(disk);
  const driver = new LegacyDriver(guest.on);
  assert.equal(driver.readConfig(0, 4), SECTORS);
  enableMsix(guest.on, 1);
  driver.configOffset = 24;
  assert.equal(driver.readConfig(0, 4), SECTORS);
  assert.equal(driver.setVector("config", 1), 1);
});

for (const [what, type, sector, lengthBytes] of [
  ["a read across the end", REQUEST_TYPE.in, SECTORS - 1, 1024],
  ["a read far behind the end", REQUEST_TYPE.in, Number.MAX_SAFE_INTEGER, 512],
  ["a write across the end", REQUEST_TYPE.out, SECTORS, 512],
  ["a read of part of a sector", REQUEST_TYPE.in, 0, 100],
  ["a write of part of a sector", REQUEST_TYPE.out, 0, 513],
] as const) {
  test(`${what} is an error, and the disk is as before`, async () => {
    const guest = modern(disk);
    const element =
      type === REQUEST_TYPE.in ? writable(DATA_GPA, lengthBytes) : readable(DATA_GPA, lengthBytes);
    assert.equal((await guest.request(type, sector, [element])).status, ioError);
    assertSame(disk.bytes, PATTERN);
  });
}

test("errors of the disk are errors of the request", async () => {
  const gated = openDisk();
  gated.failure = "disk-io";
  const guest = modern(gated);
  assert.deepEqual(await guest.request(REQUEST_TYPE.in, 0, [writable(DATA_GPA, 512)]), {
    status: ioError,
    used: [0],
  });
  assert.equal((await guest.request(REQUEST_TYPE.out, 0, [readable(DATA_GPA, 512)])).status, ioError);
  assert.equal((await guest.request(REQUEST_TYPE.flush, 0, [])).status, ioError);
  assert.equal((await guest.request(REQUEST_TYPE.discard, 0, guest.segments([0, 8, 0]))).status, ioError);
  assert.equal((await guest.request(REQUEST_TYPE.writeZeroes, 0, guest.segments([0, 8, 0]))).status, ioError);
});

test("a read-only disk says so and takes no writes", async () => {
  const readOnly = new MemoryDisk(pattern(1), { isReadOnly: true });
  const guest = modern(readOnly);
  const on = new ModernDriver(guest.on);
  const { readOnly: bit, discard, writeZeroes } = BLOCK_FEATURE;
  assert.deepEqual(
    [bit, discard, writeZeroes].map((one) => on.offered().has(one)),
    [true, false, false],
  );
  assert.equal((await guest.request(REQUEST_TYPE.out, 0, [readable(DATA_GPA, 512)])).status, ioError);
  assert.equal((await guest.request(REQUEST_TYPE.discard, 0, guest.segments([0, 1, 0]))).status, unsupported);
  assert.deepEqual(readOnly.bytes, pattern(1));
});

describe("discard and write zeroes", () => {
  test("clear what their segments name", async () => {
    const guest = modern(disk);
    const discarded = guest.segments([8, 8, 0], [100, 1, 0]);
    assert.deepEqual(await guest.request(REQUEST_TYPE.discard, 0, discarded), { status: ok, used: [1] });
    assert.equal(
      (await guest.request(REQUEST_TYPE.writeZeroes, 0, guest.segments([200, 2, 1], [300, 2, 0]))).status,
      ok,
    );
    const expected = patternDisk().bytes;
    for (const [sector, count] of [
      [8, 8],
      [100, 1],
      [200, 2],
      [300, 2],
    ] as const) {
      expected.fill(0, sector * SECTOR_BYTES, (sector + count) * SECTOR_BYTES);
    }
    assertSame(disk.bytes, expected);
  });

  test("as many segments as there may be, and not one more", async () => {
    const guest = modern(disk);
    const segment = [0, 1, 0] as const;
    const most = Array.from({ length: CLEARED_SEGMENTS_MAX }, () => segment);
    assert.equal((await guest.request(REQUEST_TYPE.discard, 0, guest.segments(...most))).status, ok);
    assert.equal(
      (await guest.request(REQUEST_TYPE.discard, 0, guest.segments(...most, segment))).status,
      ioError,
    );
  });

  test("as many sectors as a segment may have, and not one more", async () => {
    const guest = modern(EMPTY_DISK);
    const most = guest.segments([8, CLEARED_SECTORS_MAX, 0]);
    assert.equal((await guest.request(REQUEST_TYPE.discard, 0, most)).status, ok);
    assert.equal((await guest.request(REQUEST_TYPE.writeZeroes, 0, most)).status, ok);
    const more = guest.segments([8, CLEARED_SECTORS_MAX + 1, 0]);
    assert.equal((await guest.request(REQUEST_TYPE.discard, 0, more)).status, ioError);
    assert.equal((await guest.request(REQUEST_TYPE.writeZeroes, 0, more)).status, ioError);
  });

  test("what is wrong changes nothing, not even what is right before it", async () => {
    const guest = modern(disk);
    const before = disk.bytes.slice();
    const wrong = [
      [SECTORS - 1, 2, 0],
      [Number.MAX_SAFE_INTEGER, 1, 0],
    ] as const;
    for (const segment of wrong) {
      const data = guest.segments([0, 1, 0], segment);
      assert.equal((await guest.request(REQUEST_TYPE.discard, 0, data)).status, ioError);
    }
    assert.equal(
      (await guest.request(REQUEST_TYPE.discard, 0, guest.segments([0, 1, 1]))).status,
      unsupported,
    );
    assert.equal(
      (await guest.request(REQUEST_TYPE.writeZeroes, 0, guest.segments([0, 1, 2]))).status,
      unsupported,
    );
    assert.equal((await guest.request(REQUEST_TYPE.discard, 0, [readable(DATA_GPA, 15)])).status, ioError);
    assert.equal((await guest.request(REQUEST_TYPE.discard, 0, [])).status, ioError);
    assertSame(disk.bytes, before);
  });

  test("of a disk that cannot discard: only zeros are written", async () => {
    const gated = openDisk();
    gated.canDiscard = false;
    const guest = modern(gated);
    assert.equal(guest.driver.readConfig(56, 1), 0);
    assert.equal(
      (await guest.request(REQUEST_TYPE.discard, 0, guest.segments([0, 1, 0]))).status,
      unsupported,
    );
    assert.equal((await guest.request(REQUEST_TYPE.writeZeroes, 0, guest.segments([4, 8, 1]))).status, ok);
    assert.deepEqual(gated.log, ["write 2048+4096"]);
  });

  test("are not there for who has not agreed on them", async () => {
    const guest = modern(disk, [BLOCK_FEATURE.flush]);
    assert.equal(
      (await guest.request(REQUEST_TYPE.discard, 0, guest.segments([0, 1, 0]))).status,
      unsupported,
    );
  });
});

describe("the cache", () => {
  const oneSector = [readable(DATA_GPA, SECTOR_BYTES)];
  for (const [what, features, writeback, flushes] of [
    ["with flush agreed on, a write may stay in the cache", [BLOCK_FEATURE.flush], undefined, 0],
    ["without flush, a write is flushed", [], undefined, 1],
    ["with the cache on", [BLOCK_FEATURE.flush, BLOCK_FEATURE.configWriteback], 1, 0],
    ["with the cache off, a write is flushed", [BLOCK_FEATURE.flush, BLOCK_FEATURE.configWriteback], 0, 1],
    ["who can toggle the cache but not flush it finds it off", [BLOCK_FEATURE.configWriteback], undefined, 1],
  ] as const) {
    test(what, async () => {
      const gated = openDisk();
      const guest = modern(gated, features);
      guest.driver.writeConfig(32, 1, writeback ?? guest.driver.readConfig(32, 1));
      assert.equal((await guest.request(REQUEST_TYPE.out, 3, oneSector)).status, ok);
      assert.deepEqual(gated.log, ["write 1536+512", ...Array.from({ length: flushes }, () => "flush")]);
    });
  }
});

test("by the legacy interface no choice of features changes the cache", () => {
  const on = bench(blk(disk), { ramBytes: RAM_BYTES });
  const driver = new LegacyDriver(on);
  driver.negotiate([BLOCK_FEATURE.configWriteback]);
  assert.equal(driver.readConfig(32, 1), 1);
});

describe("many requests", () => {
  test("are under way side by side up to the limit; the others wait without notifications", async () => {
    const gated = heldDisk();
    const guest = modern(gated, [VIRTIO_FEATURE.indirectDescriptors], false);
    const wholeQueue = Array.from({ length: 128 }, (_, index) =>
      guest.offer(
        REQUEST_TYPE.in,
        index,
        [writable(DATA_GPA + SECTOR_BYTES * index, SECTOR_BYTES)],
        TABLE_GPA + 64 * index,
      ),
    );
    assert.equal(guest.queue.mustNotify(), true);
    guest.driver.notify(0);
    await settle();
    assert.equal(gated.heldCount, REQUESTS_UNDER_WAY_MAX);
    assert.equal(guest.queue.mustNotify(), false);
    await release(gated);
    await settle();
    assert.deepEqual(
      wholeQueue.map((status) => guest.on.ram.readU8(status)),
      wholeQueue.map(() => ok),
    );
    assert.equal(guest.queue.takeUsed().length, 128);
    assert.equal(guest.queue.mustNotify(), true);
  });

  test("with a request that ends, one that waited begins", async () => {
    const gated = heldDisk();
    const guest = modern(gated, [VIRTIO_FEATURE.indirectDescriptors]);
    for (let index = 0; index <= REQUESTS_UNDER_WAY_MAX; index++)
      guest.offer(REQUEST_TYPE.flush, 0, [], TABLE_GPA + 64 * index);
    guest.driver.notify(0);
    await settle();
    await release(gated);
    assert.equal(gated.log.length, REQUESTS_UNDER_WAY_MAX + 1);
  });

  test("several queues share the disk, each with its own interrupt state", async () => {
    const on = bench(blk(disk, 2), { ramBytes: RAM_BYTES });
    const driver = new ModernDriver(on);
    driver.negotiate();
    const queues = [driver.queue(0), driver.queue(1)] as const;
    driver.ready();
    assert.equal(driver.readConfig(34, 2), 2);
    for (const index of [0, 1] as const) {
      on.ram.writeU64(HEADER_GPA, 0n);
      on.ram.writeU64(HEADER_GPA + 8, 4n);
      queues[index].offer([
        readable(HEADER_GPA, 16),
        writable(DATA_GPA, SECTOR_BYTES),
        writable(STATUS_GPA, 1),
      ]);
      driver.notify(index);
      await settle();
      assert.deepEqual(
        queues[index].takeUsed().map(({ writtenBytes }) => writtenBytes),
        [SECTOR_BYTES + 1],
      );
    }
  });
});

describe("a reset", () => {
  test("of the device while requests are under way: nothing of them reaches the guest, and new ones come after them", async () => {
    const gated = heldDisk();
    const guest = modern(gated);
    const status = guest.offer(REQUEST_TYPE.in, 1, [writable(DATA_GPA, SECTOR_BYTES)]);
    guest.driver.notify(0);
    await settle();
    assert.deepEqual(gated.log, ["read 512+512"]);
    const next = new BlockDriver(guest.on, guest.driver);
    next.offer(REQUEST_TYPE.out, 1, [readable(DATA_GPA, SECTOR_BYTES)]);
    next.driver.notify(0);
    await settle();
    assert.deepEqual(gated.log, ["read 512+512"]);
    guest.on.ram.fill(DATA_GPA, SECTOR_BYTES, 0x11);
    guest.on.ram.writeU8(status, UNWRITTEN);
    await release(gated);
    assert.deepEqual(gated.log, ["read 512+512", "write 512+512"]);
    assert.deepEqual(
      guest.on.ram.slice(DATA_GPA, SECTOR_BYTES).slice(),
      new Uint8Array(SECTOR_BYTES).fill(0x11),
    );
    assert.equal(next.queue.takeUsed().length, 1);
  });

  test("of a queue does the same", async () => {
    const gated = heldDisk();
    const guest = modern(gated);
    const driver = new ModernDriver(guest.on);
    guest.offer(REQUEST_TYPE.in, 1, [writable(DATA_GPA, SECTOR_BYTES)]);
    guest.driver.notify(0);
    await settle();
    driver.write("queueSelect", 2, 0);
    driver.write("queueReset", 2, 1);
    await release(gated);
    assert.deepEqual(guest.queue.takeUsed(), []);
    assert.equal(guest.on.ram.readU8(DATA_GPA), 0);
    assert.equal(guest.on.pin.risingEdges, 0);
  });

  test("in the middle of a long write stops it between two pieces", async () => {
    const gated = heldDisk();
    const guest = modern(gated);
    guest.offer(REQUEST_TYPE.out, 0, [readable(DATA_GPA, 2 * PIECE_BYTES)]);
    guest.driver.notify(0);
    await settle();
    guest.driver.writeStatus(0);
    await release(gated);
    assert.deepEqual(gated.log, [`write 0+${PIECE_BYTES}`]);
  });
});

test("requests under way are saved, and done from the start where they are restored", async () => {
  const gated = heldDisk();
  const guest = modern(gated);
  const status = guest.offer(REQUEST_TYPE.in, 2, [writable(DATA_GPA, SECTOR_BYTES)]);
  guest.driver.notify(0);
  await settle();
  const saved = guest.on.pci.save();
  const on = bench(blk(disk), { ramBytes: RAM_BYTES });
  on.ram.write(0, guest.on.ram.bytes);
  on.pci.restore(saved);
  assert.deepEqual(on.pci.save(), saved);
  await settle();
  assert.equal(on.ram.readU8(status), ok);
  assert.deepEqual(on.ram.slice(DATA_GPA, SECTOR_BYTES).slice(), pattern(2));
  assert.equal(on.pin.level, true);
  assert.equal(gated.heldCount, 1);
});

for (const [what, elements] of [
  ["without a header", [writable(DATA_GPA, 513)]],
  ["with half a header", [readable(HEADER_GPA, 8), writable(DATA_GPA, 513)]],
  ["without a status", [readable(HEADER_GPA, 16)]],
] as const) {
  test(`a request ${what} is a violation: the device needs a reset`, async () => {
    const guest = modern(disk);
    guest.queue.offer(elements);
    guest.driver.notify(0);
    await settle();
    assert.equal(guest.driver.readStatus() & VIRTIO_STATUS.needsReset, VIRTIO_STATUS.needsReset);
    assert.deepEqual(guest.on.pci.faults, { count: 1, last: "request" });
    assert.deepEqual(guest.queue.takeUsed(), []);
  });
}

test("with event indices a driver that asks for one interrupt for several requests gets one", async () => {
  const guest = modern(disk, [VIRTIO_FEATURE.eventIndex]);
  guest.queue.wantInterrupts(3);
  for (let index = 0; index < 3; index++) {
    guest.offer(REQUEST_TYPE.flush, 0, []);
    guest.driver.notify(0);
    await settle();
    assert.equal(guest.driver.readIsr(), index === 2 ? 1 : 0);
  }
});

describe("a disk that does things at once", () => {
  function prompt(features?: readonly number[]) {
    const on = new PromptDisk(SECTORS * SECTOR_BYTES);
    on.disk.bytes.set(PATTERN);
    return { on, guest: modern(on, features) };
  }

  test("has served the driver's request when the notification returns, from and to its memory", () => {
    const { on, guest } = prompt();
    const read = guest.offer(REQUEST_TYPE.in, 5, [writable(DATA_GPA, 100), writable(DATA_GPA + 0x1000, 412)]);
    const write = guest.offer(REQUEST_TYPE.out, 6, [
      readable(DATA_GPA, 100),
      readable(DATA_GPA + 0x1000, 412),
    ]);
    guest.driver.notify(0);
    const { ram } = guest.on;
    assert.deepEqual([ram.readU8(read), ram.readU8(write)], [ok, ok]);
    assert.deepEqual(
      guest.queue.takeUsed().map((one) => one.writtenBytes),
      [513, 1],
    );
    assert.deepEqual(on.disk.bytes.slice(6 * SECTOR_BYTES, 7 * SECTOR_BYTES), pattern(5));
    assert.deepEqual(on.log, ["read now 2560+100+412", "write now 3072+100+412"]);
    assert.equal(guest.on.pin.level, true);
  });

  test("is asked the other way when it takes long", async () => {
    const { on, guest } = prompt();
    on.isSlow = true;
    assert.equal((await guest.request(REQUEST_TYPE.in, 5, [writable(DATA_GPA, 512)])).status, ok);
    assert.equal((await guest.request(REQUEST_TYPE.out, 6, [readable(DATA_GPA, 512)])).status, ok);
    assert.deepEqual(on.log, ["read 2560+512", "write 3072+512"]);
  });

  test("fails at once too, with nothing said to be written", async () => {
    const { on, guest } = prompt();
    on.failure = "disk-io";
    assert.deepEqual(await guest.request(REQUEST_TYPE.in, 5, [writable(DATA_GPA, 512)]), {
      status: ioError,
      used: [0],
    });
    assert.equal((await guest.request(REQUEST_TYPE.out, 6, [readable(DATA_GPA, 512)])).status, ioError);
    assert.deepEqual(on.log, ["read now 2560+512", "write now 3072+512"]);
  });

  test("has flushed a write before it is reported to a driver that cannot flush", async () => {
    const { on, guest } = prompt([VIRTIO_FEATURE.version1]);
    assert.equal((await guest.request(REQUEST_TYPE.out, 6, [readable(DATA_GPA, 512)])).status, ok);
    assert.deepEqual(on.log, ["write 3072+512", "flush"]);
  });

  test("serves larger requests piece by piece", async () => {
    const { on, guest } = prompt();
    const most = await guest.request(REQUEST_TYPE.in, 0, [writable(DATA_GPA, BYTES_NOW_MAX)]);
    const more = await guest.request(REQUEST_TYPE.in, 0, [writable(DATA_GPA, BYTES_NOW_MAX + 512)]);
    assert.deepEqual([most.status, more.status], [ok, ok]);
    assert.deepEqual(on.log[0], `read now 0+${BYTES_NOW_MAX}`);
    assert.equal(on.log.filter((line) => line.startsWith("read now")).length, 1);
  });
});
