import assert from "node:assert/strict";
import { test } from "node:test";
import { KiB, MiB } from "../../base/index.ts";
import { HeldDisk, PromptDisk } from "../../block/testing.ts";
import { PCI_COMMAND } from "../../hw/index.ts";
import { ADMIN, NVM, STATUS } from "./protocol.ts";
import { CC_ENABLE, MEMORY, NvmeDriver, REG, settled } from "./testing.ts";
import type { Completion, DriverOptions } from "./testing.ts";

const DISK_BYTES = 4 * MiB;
const READY = 1;
const FATAL = 2;
const IDENTIFY = { opcode: ADMIN.identify, prp1: MEMORY.data, dwords: [1] };

async function machine(options: DriverOptions & { readonly isReadOnly?: boolean } = {}) {
  const disk = new HeldDisk(DISK_BYTES, options);
  const driver = new NvmeDriver(disk, options);
  driver.enable();
  await driver.createQueues();
  return { disk, driver };
}

/** CDW10 to CDW12 for blocks. */
const blocks = (first: number, count: number, flags = 0): number[] => [first, 0, (count - 1) | flags];
const statusOf = ({ status }: Completion): string => status.toString(16);
const pattern = (lengthBytes: number, seed = 1): Uint8Array =>
  new Uint8Array(lengthBytes).map((_, index) => (index * 7 + (index >> 8) + seed) & 0xff);

function memory(driver: NvmeDriver, gpa: number, lengthBytes: number): Uint8Array {
  return new Uint8Array(driver.ram.slice(gpa, lengthBytes));
}

function text(driver: NvmeDriver, gpa: number, lengthBytes: number): string {
  return new TextDecoder().decode(memory(driver, gpa, lengthBytes));
}

test("the registers say what the controller can, and enabling makes it ready", () => {
  const driver = new NvmeDriver(new HeldDisk(DISK_BYTES));
  assert.equal(driver.read(REG.vs), 0x10400);
  // 1024 entries, contiguous, 10 s; NVM commands, pages of 4 to 64 KiB.
  assert.deepEqual([driver.read(REG.cap), driver.read(REG.cap + 4)], [0x1401_03ff, 0x0040_0020]);
  assert.equal(driver.read(REG.csts), 0);
  driver.enable();
  assert.equal(driver.read(REG.csts), READY);
  driver.write(REG.cc, 0);
  assert.equal(driver.read(REG.csts), 0);
});

for (const [what, configuration, entries] of [
  ["a command set", CC_ENABLE | (1 << 4), 16],
  ["an arbitration", CC_ENABLE | (1 << 11), 16],
  ["a page size", CC_ENABLE | (5 << 7), 16],
  ["queues of one entry", CC_ENABLE, 1],
] as const) {
  test(`enabling with ${what} that is not offered is a fatal error`, () => {
    const driver = new NvmeDriver(new HeldDisk(DISK_BYTES));
    driver.enable({ configuration, entries });
    assert.equal(driver.read(REG.csts), FATAL);
  });
}

test("identify tells of the controller, its namespace and the namespace's names", async () => {
  const { driver } = await machine({ serialNumber: "TYPEVISOR1" });
  await driver.succeed(IDENTIFY);
  assert.equal(text(driver, MEMORY.data + 4, 20), "TYPEVISOR1          ");
  assert.equal(text(driver, MEMORY.data + 24, 19), "Typevisor NVMe disk");
  assert.equal(driver.ram.readU32(MEMORY.data + 516), 1);
  await driver.succeed({ ...IDENTIFY, namespaceId: 1, dwords: [0] });
  assert.equal(driver.ram.readU32(MEMORY.data), DISK_BYTES / 512);
  assert.equal(driver.ram.readU32(MEMORY.data + 128), 9 << 16);
  await driver.succeed({ ...IDENTIFY, dwords: [2] });
  assert.deepEqual([driver.ram.readU32(MEMORY.data), driver.ram.readU32(MEMORY.data + 4)], [1, 0]);
  await driver.succeed({ ...IDENTIFY, namespaceId: 1, dwords: [3] });
  assert.equal(driver.ram.readU32(MEMORY.data), 0x1003);
  assert.equal(statusOf(await driver.send(0, { ...IDENTIFY, namespaceId: 2, dwords: [0] })), "400b");
  assert.equal(statusOf(await driver.send(0, { ...IDENTIFY, dwords: [0x15] })), "4002");
});

test("what was written is on the disk and is read, by one page, two, and lists", async () => {
  const { disk, driver } = await machine();
  const bytes = pattern(512 * KiB);
  driver.ram.write(MEMORY.data, bytes);
  const list = (gpa: number, pages: readonly number[]): void =>
    pages.forEach((page, index) => driver.ram.writeU32(gpa + 8 * index, page));
  const pages = Array.from({ length: 128 }, (_, index) => MEMORY.data + 4 * KiB * index);
  const cases = [
    { first: 0, lengthBytes: 512, prp1: pages[0] ?? 0, prp2: 0 },
    { first: 9, lengthBytes: 8 * KiB, prp1: pages[0] ?? 0, prp2: pages[1] ?? 0 },
    { first: 1000, lengthBytes: 512 * KiB, prp1: pages[0] ?? 0, prp2: MEMORY.prpLists },
  ];
  list(MEMORY.prpLists, pages.slice(1));
  for (const { first, lengthBytes, prp1, prp2 } of cases) {
    const write = { opcode: NVM.write, prp1, prp2, dwords: blocks(first, lengthBytes / 512) };
    assert.equal(statusOf(await driver.send(1, write)), "0");
    assert.deepEqual(
      disk.disk.bytes.subarray(first * 512, first * 512 + lengthBytes),
      bytes.subarray(0, lengthBytes),
    );
  }
  driver.ram.write(MEMORY.data, new Uint8Array(512 * KiB));
  // A list that begins near a page's end goes on in another one.
  const start = MEMORY.prpLists + 4 * KiB - 24;
  list(start, [...pages.slice(1, 3), MEMORY.prpLists + 8 * KiB]);
  list(MEMORY.prpLists + 8 * KiB, pages.slice(3));
  const read = { opcode: NVM.read, prp1: MEMORY.data, prp2: start, dwords: blocks(1000, 1024) };
  assert.equal(statusOf(await driver.send(1, read)), "0");
  assert.deepEqual(memory(driver, MEMORY.data, 512 * KiB), bytes);
});

test("data may begin inside a page", async () => {
  const { disk, driver } = await machine();
  disk.disk.bytes.set(pattern(4 * KiB));
  const prp1 = MEMORY.data + 4 * KiB - 100;
  const read = { opcode: NVM.read, prp1, prp2: MEMORY.data + 8 * KiB, dwords: blocks(0, 8) };
  assert.equal(statusOf(await driver.send(1, read)), "0");
  assert.deepEqual(memory(driver, prp1, 100), pattern(4 * KiB).subarray(0, 100));
  assert.deepEqual(memory(driver, MEMORY.data + 8 * KiB, 4 * KiB - 100), pattern(4 * KiB).subarray(100));
});

test("pages may be larger than 4 KiB", async () => {
  const disk = new HeldDisk(DISK_BYTES);
  disk.disk.bytes.set(pattern(128 * KiB));
  const driver = new NvmeDriver(disk);
  driver.enable({ configuration: CC_ENABLE | (4 << 7) });
  await driver.createQueues();
  const read = { opcode: NVM.read, prp1: MEMORY.data, prp2: MEMORY.data + 128 * KiB, dwords: blocks(0, 256) };
  assert.equal(statusOf(await driver.send(1, read)), "0");
  assert.deepEqual(memory(driver, MEMORY.data + 128 * KiB, 64 * KiB), pattern(128 * KiB).subarray(64 * KiB));
});

for (const [what, fields, status] of [
  [
    "blocks behind the end",
    { opcode: NVM.read, prp1: MEMORY.data, dwords: blocks(8192, 1) },
    STATUS.lbaOutOfRange,
  ],
  [
    "blocks across the end",
    { opcode: NVM.write, prp1: MEMORY.data, dwords: blocks(8191, 2) },
    STATUS.lbaOutOfRange,
  ],
  [
    "a block beyond all disks",
    { opcode: NVM.read, dwords: [0xffffffff, 0xffffffff, 0] },
    STATUS.lbaOutOfRange,
  ],
  ["more than the largest transfer", { opcode: NVM.read, dwords: blocks(0, 1025) }, STATUS.invalidField],
  ["another namespace", { opcode: NVM.read, namespaceId: 2, dwords: blocks(0, 1) }, STATUS.invalidNamespace],
  ["an unknown opcode", { opcode: 0x7f }, STATUS.invalidOpcode],
  ["a fused operation", { opcode: NVM.compare, flags: 1, dwords: blocks(0, 1) }, STATUS.invalidField],
  ["an SGL", { opcode: NVM.read, flags: 0x40, dwords: blocks(0, 1) }, STATUS.invalidField],
  ["an odd address", { opcode: NVM.read, prp1: 0x1002, dwords: blocks(0, 1) }, STATUS.invalidPrpOffset],
  [
    "a second page that begins inside one",
    { opcode: NVM.read, prp1: 0x10_0000, prp2: 0x10_0200, dwords: blocks(0, 16) },
    STATUS.invalidPrpOffset,
  ],
  [
    "data that is not in RAM",
    { opcode: NVM.read, prp1: 0xf000_0000, dwords: blocks(0, 1) },
    STATUS.dataTransferError,
  ],
  ["data above 2^53", { opcode: NVM.write, prp1: 2 ** 60, dwords: blocks(0, 1) }, STATUS.dataTransferError],
  [
    "a list that is not in RAM",
    { opcode: NVM.read, prp1: 0x10_0000, prp2: 0xf000_0000, dwords: blocks(0, 64) },
    STATUS.dataTransferError,
  ],
] as const) {
  test(`${what}: the command fails as specified, and the next one works`, async () => {
    const { driver } = await machine();
    assert.equal(statusOf(await driver.send(1, fields)), status.toString(16));
    assert.equal(statusOf(await driver.send(1, { opcode: NVM.flush })), "0");
  });
}

test("a chain of lists without end comes to an end", async () => {
  const { driver } = await machine();
  const loop = MEMORY.prpLists + 4 * KiB - 8;
  driver.ram.writeU32(loop, loop);
  const read = { opcode: NVM.read, prp1: MEMORY.data, prp2: loop, dwords: blocks(0, 1024) };
  assert.equal((await driver.send(1, read)).status, STATUS.invalidPrpOffset);
  driver.ram.writeU32(loop, MEMORY.prpLists);
  assert.equal((await driver.send(1, read)).status, 0);
});

test("flush, write zeroes, compare and deallocation do what they say", async () => {
  const { disk, driver } = await machine();
  disk.disk.bytes.fill(0x33);
  driver.ram.write(MEMORY.data, disk.disk.bytes.subarray(0, 4 * KiB));
  const compare = { opcode: NVM.compare, prp1: MEMORY.data, dwords: blocks(0, 8) };
  assert.equal((await driver.send(1, compare)).status, 0);
  assert.equal((await driver.send(1, { opcode: NVM.writeZeroes, dwords: blocks(7, 2) })).status, 0);
  assert.equal((await driver.send(1, compare)).status, STATUS.compareFailure);
  // Two ranges: blocks 100–101 and 4000.
  [0, 2, 100, 0, 0, 1, 4000, 0].forEach((word, index) => driver.ram.writeU32(MEMORY.data + 4 * index, word));
  const deallocate = { opcode: NVM.datasetManagement, prp1: MEMORY.data, dwords: [1, 4] };
  assert.equal((await driver.send(1, deallocate)).status, 0);
  assert.equal((await driver.send(1, { opcode: NVM.flush, namespaceId: 0xffffffff })).status, 0);
  assert.deepEqual(disk.log.slice(-4), ["read 0+4096", "discard 51200+1024", "discard 2048000+512", "flush"]);
  driver.ram.writeU32(MEMORY.data + 8, 8192);
  assert.equal((await driver.send(1, deallocate)).status, STATUS.lbaOutOfRange);
});

test("a disk that cannot discard offers no deallocation", async () => {
  const { disk, driver } = await machine();
  disk.canDiscard = false;
  assert.equal((await driver.send(1, { opcode: NVM.datasetManagement })).status, STATUS.invalidOpcode);
  await driver.succeed(IDENTIFY);
  assert.equal(driver.ram.readU32(MEMORY.data + 520) & 0xffff, 0b1001);
});

test("a write is flushed when it is forced, or when the guest has turned the cache off", async () => {
  const { disk, driver } = await machine();
  const write = { opcode: NVM.write, prp1: MEMORY.data };
  await driver.send(1, { ...write, dwords: blocks(0, 1, 1 << 30) });
  await driver.send(1, { ...write, dwords: blocks(0, 1) });
  await driver.succeed({ opcode: ADMIN.setFeatures, dwords: [6, 0] });
  await driver.send(1, { ...write, dwords: blocks(0, 1) });
  assert.deepEqual(disk.log, ["write 0+512", "flush", "write 0+512", "write 0+512", "flush"]);
});

test("errors of the host's disk are errors of the medium, of its capacity or of its protection", async () => {
  const { disk, driver } = await machine();
  const write = { opcode: NVM.write, prp1: MEMORY.data, dwords: blocks(5, 1) };
  const statuses: string[] = [];
  for (const failure of ["disk-io", "disk-full", "disk-read-only"] as const) {
    disk.failure = failure;
    statuses.push(statusOf(await driver.send(1, write)));
  }
  disk.failure = "disk-io";
  statuses.push(statusOf(await driver.send(1, { ...write, opcode: NVM.read })));
  statuses.push(statusOf(await driver.send(1, { opcode: NVM.flush })));
  assert.deepEqual(statuses, ["280", "4081", "4020", "281", "6"]);
  // The error log's newest but one entry tells of the read, SMART counts both media errors.
  await driver.succeed({ opcode: ADMIN.getLogPage, prp1: MEMORY.data, dwords: [1 | (31 << 16)] });
  assert.equal(driver.ram.readU32(MEMORY.data + 64 + 12) & 0xffff, 0x281 << 1);
  assert.equal(driver.ram.readU32(MEMORY.data + 64 + 16), 5);
  await driver.succeed({ opcode: ADMIN.getLogPage, prp1: MEMORY.data, dwords: [2 | (127 << 16)] });
  assert.equal(driver.ram.readU32(MEMORY.data + 160), 2);
});

test("a read-only disk is a write-protected namespace", async () => {
  const { driver } = await machine({ isReadOnly: true });
  const write = { opcode: NVM.write, prp1: MEMORY.data, dwords: blocks(0, 1) };
  assert.equal((await driver.send(1, write)).status, STATUS.namespaceWriteProtected);
  assert.equal(
    (await driver.send(1, { opcode: NVM.writeZeroes, dwords: blocks(0, 1) })).status,
    STATUS.namespaceWriteProtected,
  );
  await driver.succeed({ ...IDENTIFY, namespaceId: 1, dwords: [0] });
  assert.equal(driver.ram.readU32(MEMORY.data + 96) >>> 24, 1);
});

test("completions wait while their queue is full, and nothing more is fetched", async () => {
  const { driver } = await machine();
  // With a queue of 16, 15 completions fit; the 16th waits.
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 15; index++) driver.put(1, { opcode: NVM.flush });
    driver.ring(1);
    await settled();
  }
  const first = driver.take(1, { isSilent: true });
  assert.equal(first.length, 15);
  await settled();
  assert.deepEqual(driver.take(1, { isSilent: true }), []);
  driver.ringDoorbell(3, 15);
  await settled();
  assert.equal(driver.take(1).length, 15);
});

test("requests beyond the buffers wait for them, and all are done", async () => {
  const { disk, driver } = await machine({ bufferBytes: 8 * KiB });
  disk.hold();
  for (let index = 0; index < 10; index++)
    driver.put(1, { opcode: NVM.read, prp1: MEMORY.data, dwords: blocks(index, 8) });
  driver.ring(1);
  await settled();
  assert.equal(disk.heldCount, 2);
  disk.release();
  await settled();
  assert.equal(driver.take(1).length, 10);
});

test("the pin is high while there are completions to see, unless it is masked", async () => {
  const { driver } = await machine();
  assert.equal(driver.line.level, false);
  driver.put(1, { opcode: NVM.flush });
  driver.ring(1);
  await settled();
  assert.equal(driver.line.level, true);
  driver.write(REG.intms, 1);
  assert.equal(driver.line.level, false);
  assert.equal(driver.read(REG.intmc), 1);
  driver.write(REG.intmc, 1);
  assert.equal(driver.line.level, true);
  driver.take(1);
  assert.equal(driver.line.level, false);
});

test("with MSI all queues have one message, which the mask holds back, and the pin is silent", async () => {
  const driver = new NvmeDriver(new HeldDisk(DISK_BYTES));
  assert.equal(driver.controller.readConfig(0x4c, 4), 0x0080_0005);
  driver.enableMsi();
  driver.enable();
  await driver.createQueues(2);
  driver.messages.length = 0;
  await driver.send(2, { opcode: NVM.flush });
  assert.deepEqual(driver.messages, ["fee00000=45"]);

  driver.write(REG.intms, 1);
  driver.put(2, { opcode: NVM.flush });
  driver.ring(2);
  await settled();
  assert.equal(driver.messages.length, 1);
  driver.write(REG.intmc, 1);
  assert.equal(driver.messages.length, 2);
  driver.write(REG.intmc, 1);
  assert.equal(driver.messages.length, 2, "nothing was masked any more");
  assert.equal(driver.line.risingEdges, 0);

  // With completions that nobody has taken the pin is high when the message gives way to it.
  driver.controller.writeConfig(0x4e, 2, 0);
  assert.equal(driver.line.level, true);
  driver.controller.writeConfig(0x4e, 2, 1);
  assert.equal(driver.line.level, false);
  assert.equal(driver.messages.length, 3, "what was asserted is not lost");
});

test("with MSI-X each queue has its message, and the pin is silent", async () => {
  const driver = new NvmeDriver(new HeldDisk(DISK_BYTES));
  driver.enableMsix(3);
  driver.enable();
  await driver.createQueues(2, { vector: 2 });
  driver.messages.length = 0;
  await driver.send(2, { opcode: NVM.flush });
  await driver.succeed(IDENTIFY);
  assert.deepEqual(driver.messages, ["fee00000=42", "fee00000=40"]);
  assert.equal(driver.line.risingEdges, 0);
});

for (const [what, fields, status] of [
  [
    "a completion queue twice",
    { opcode: 5, prp1: 0x10_0000, dwords: [0x000f_0001, 1] },
    STATUS.invalidQueueId,
  ],
  ["queue 0", { opcode: 5, prp1: 0x10_0000, dwords: [0x000f_0000, 1] }, STATUS.invalidQueueId],
  [
    "more queues than there may be",
    { opcode: 5, prp1: 0x10_0000, dwords: [0x000f_0009, 1] },
    STATUS.invalidQueueId,
  ],
  ["a queue of one entry", { opcode: 5, prp1: 0x10_0000, dwords: [0x0000_0002, 1] }, STATUS.invalidQueueSize],
  [
    "a queue of 1025 entries",
    { opcode: 5, prp1: 0x10_0000, dwords: [0x0400_0002, 1] },
    STATUS.invalidQueueSize,
  ],
  ["a queue in pieces", { opcode: 5, prp1: 0x10_0000, dwords: [0x000f_0002, 0] }, STATUS.invalidField],
  [
    "a queue inside a page",
    { opcode: 5, prp1: 0x10_0040, dwords: [0x000f_0002, 1] },
    STATUS.invalidPrpOffset,
  ],
  [
    "a vector without MSI-X",
    { opcode: 5, prp1: 0x10_0000, dwords: [0x000f_0002, 0x1_0003] },
    STATUS.invalidInterruptVector,
  ],
  [
    "a queue for no completion queue",
    { opcode: 1, prp1: 0x10_0000, dwords: [0x000f_0002, 0x3_0001] },
    STATUS.completionQueueInvalid,
  ],
  [
    "a queue for the admin's",
    { opcode: 1, prp1: 0x10_0000, dwords: [0x000f_0002, 1] },
    STATUS.invalidQueueId,
  ],
  ["deleting a queue that others need", { opcode: 4, dwords: [1] }, STATUS.invalidQueueDeletion],
  ["deleting no queue", { opcode: 0, dwords: [2] }, STATUS.invalidQueueId],
  ["deleting the admin queue", { opcode: 0, dwords: [0] }, STATUS.invalidQueueId],
  ["formatting", { opcode: 0x80, namespaceId: 1 }, STATUS.invalidOpcode],
  ["a log page that is not there", { opcode: 2, dwords: [0x10_0070] }, STATUS.invalidLogPage],
  ["a log page behind its end", { opcode: 2, dwords: [0x10_0002, 0, 516, 0] }, STATUS.invalidField],
  ["a feature that is not there", { opcode: 9, dwords: [0x7f] }, STATUS.invalidField],
  ["saving a feature", { opcode: 9, dwords: [0x8000_0006, 1] }, STATUS.featureNotSaveable],
  ["another number of queues, too late", { opcode: 9, dwords: [7, 0] }, STATUS.commandSequence],
] as const) {
  test(`${what} is refused as specified`, async () => {
    const { driver } = await machine();
    assert.equal(statusOf(await driver.send(0, fields)), status.toString(16));
  });
}

test("features are told as they were set, and a reset takes them back", async () => {
  const driver = new NvmeDriver(new HeldDisk(DISK_BYTES));
  driver.enable();
  const get = (id: number) => driver.succeed({ opcode: ADMIN.getFeatures, dwords: [id] });
  assert.equal(await driver.succeed({ opcode: ADMIN.setFeatures, dwords: [7, 0x0003_0003] }), 0x0007_0007);
  await driver.succeed({ opcode: ADMIN.setFeatures, dwords: [4, 333] });
  assert.equal(await get(4), 333);
  driver.write(REG.cc, 0);
  driver.enable();
  assert.equal(await get(4), 343);
  assert.equal(await get(6), 1);
});

test("deleting a queue waits for the commands that were fetched, and forgets the others", async () => {
  const { disk, driver } = await machine();
  disk.hold();
  driver.put(1, { opcode: NVM.read, prp1: MEMORY.data, dwords: blocks(0, 1) });
  driver.ring(1);
  driver.put(0, { opcode: ADMIN.deleteSubmissionQueue, dwords: [1] });
  driver.ring(0);
  driver.put(1, { opcode: NVM.flush });
  driver.ring(1);
  await settled();
  assert.deepEqual(driver.take(0), []);
  disk.release();
  await settled();
  assert.deepEqual(driver.take(0).map(statusOf), ["0"]);
  assert.deepEqual(driver.take(1).map(statusOf), ["0"]);
  assert.equal(statusOf(await driver.send(0, { opcode: ADMIN.deleteCompletionQueue, dwords: [1] })), "0");
  assert.equal(driver.line.level, false);
});

test("events of wrong doorbells reach the request that waits, once until their log is read", async () => {
  const { driver } = await machine();
  const ask = (): void => {
    driver.put(0, { opcode: ADMIN.asyncEventRequest });
    driver.ring(0);
  };
  ask();
  ask();
  driver.ringDoorbell(2, 16);
  driver.ringDoorbell(2, 17);
  await settled();
  assert.deepEqual(
    driver.take(0).map(({ result }) => result),
    [0x1_0100],
  );
  driver.ringDoorbell(6, 0);
  await settled();
  assert.deepEqual(driver.take(0), []);
  await driver.succeed({ opcode: ADMIN.getLogPage, prp1: MEMORY.data, dwords: [1 | (15 << 16)] });
  driver.ringDoorbell(6, 0);
  await settled();
  assert.deepEqual(
    driver.take(0).map(({ result }) => result),
    [0x1_0000],
  );
});

test("requests for events are limited, and can be aborted; other commands cannot", async () => {
  const { disk, driver } = await machine();
  const ids = Array.from({ length: 4 }, () => driver.put(0, { opcode: ADMIN.asyncEventRequest }));
  driver.ring(0);
  assert.equal((await driver.send(0, { opcode: ADMIN.asyncEventRequest })).status, STATUS.asyncEventLimit);
  const abort = (queueId: number, id: number) => ({ opcode: ADMIN.abort, dwords: [(id << 16) | queueId] });
  driver.put(0, abort(0, ids[1] ?? 0));
  driver.ring(0);
  await settled();
  assert.deepEqual(
    driver.take(0).map(({ commandId, status, result }) => [commandId === ids[1], status, result]),
    [
      [false, 0, 0],
      [true, STATUS.abortRequested, 0],
    ],
  );
  disk.hold();
  const id = driver.put(1, { opcode: NVM.flush });
  driver.ring(1);
  assert.equal(await driver.succeed(abort(1, id)), 1);
  disk.release();
});

test("a controller reset is over when the host does nothing for the old life, whose completions are lost", async () => {
  const { disk, driver } = await machine();
  disk.hold();
  driver.ram.write(MEMORY.data, pattern(512));
  driver.put(1, { opcode: NVM.write, prp1: MEMORY.data, dwords: blocks(0, 1) });
  driver.put(1, { opcode: NVM.read, prp1: MEMORY.data + 4 * KiB, dwords: blocks(1, 1) });
  driver.ring(1);
  driver.ram.writeU32(MEMORY.data + 4 * KiB, 0x1234);
  driver.write(REG.cc, 0);
  assert.equal(driver.read(REG.csts), READY);
  await settled();
  assert.equal(driver.read(REG.csts), READY);
  disk.disk.bytes.fill(0xff, 512, 1024);
  disk.release();
  await settled();
  assert.equal(driver.read(REG.csts), 0);
  assert.deepEqual(driver.take(1), []);
  assert.equal(driver.ram.readU32(MEMORY.data + 4 * KiB), 0x1234);
  driver.enable();
  await driver.createQueues();
  assert.equal(statusOf(await driver.send(1, { opcode: NVM.flush })), "0");
});

test("enabling before a reset is over takes effect when it is", async () => {
  const { disk, driver } = await machine();
  disk.hold();
  driver.put(1, { opcode: NVM.flush });
  driver.ring(1);
  driver.write(REG.cc, 0);
  driver.enable();
  disk.release();
  await settled();
  assert.equal(driver.read(REG.csts), READY);
  await driver.createQueues();
});

test("a shutdown is over when everything written is on stable storage", async () => {
  const { disk, driver } = await machine();
  disk.hold();
  driver.put(1, { opcode: NVM.write, prp1: MEMORY.data, dwords: blocks(0, 1) });
  driver.ring(1);
  driver.write(REG.cc, CC_ENABLE | (1 << 14));
  await settled();
  assert.equal(driver.read(REG.csts), READY | (1 << 2));
  disk.release();
  await settled();
  assert.deepEqual(disk.log, ["write 0+512", "flush"]);
  assert.equal(driver.read(REG.csts), READY | (2 << 2));
});

test("queues outside RAM are fatal until the controller is reset", async () => {
  const { driver } = await machine();
  driver.write(REG.cc, 0);
  driver.write(REG.asq, 0xf000_0000);
  driver.write(REG.cc, CC_ENABLE);
  driver.ringDoorbell(0, 1);
  assert.equal(driver.read(REG.csts), READY | FATAL);
  driver.ringDoorbell(0, 2);
  driver.write(REG.cc, 0);
  assert.equal(driver.read(REG.csts), 0);
  driver.enable();
  await driver.succeed(IDENTIFY);
});

test("without bus mastering nothing is fetched and nothing interrupts", async () => {
  const { driver } = await machine();
  driver.controller.writeConfig(4, 2, PCI_COMMAND.memory);
  driver.put(1, { opcode: NVM.flush });
  driver.ring(1);
  await settled();
  assert.equal(driver.read(REG.csts), READY | FATAL);
  assert.equal(driver.line.level, false);
});

test("a machine's reset drops everything, and what the host ends afterwards is not seen", async () => {
  const { disk, driver } = await machine();
  disk.hold();
  driver.put(1, { opcode: NVM.read, prp1: MEMORY.data, dwords: blocks(0, 1) });
  driver.ring(1);
  driver.ram.writeU32(MEMORY.data, 0x1234);
  driver.controller.reset();
  disk.release();
  await settled();
  assert.equal(driver.ram.readU32(MEMORY.data), 0x1234);
  driver.placeBars();
  assert.deepEqual([driver.read(REG.csts), driver.read(REG.cc), driver.read(REG.aqa)], [0, 0, 0]);
});

test("a restored controller goes on where the saved one was, commands under way and full queues included", async () => {
  const { disk, driver } = await machine();
  disk.disk.bytes.set(pattern(512));
  disk.hold();
  driver.put(0, { opcode: ADMIN.asyncEventRequest });
  driver.ring(0);
  driver.put(1, { opcode: NVM.read, prp1: MEMORY.data, dwords: blocks(0, 1) });
  driver.ring(1);
  const saved = driver.controller.save();
  const other = new NvmeDriver(disk);
  other.enable();
  await other.createQueues();
  other.take(0);
  other.ram.write(0, memory(driver, 0, other.ram.sizeBytes));
  other.controller.restore(saved);
  assert.deepEqual(other.controller.save(), saved);
  disk.release();
  await settled();
  assert.deepEqual(memory(other, MEMORY.data, 512), pattern(512));
  assert.deepEqual(other.take(1).map(statusOf), ["0"]);
  other.ringDoorbell(2, 99);
  await settled();
  assert.deepEqual(
    other.take(0).map(({ result }) => result),
    [0x1_0100],
  );
});

test("what the disk does at once is done from and to the guest's pages, and completed when the doorbell returns", async () => {
  const disk = new PromptDisk(DISK_BYTES);
  const driver = new NvmeDriver(disk);
  driver.enable();
  await driver.createQueues();
  const bytes = pattern(8 * KiB);
  driver.ram.write(MEMORY.data, bytes);
  const data = { prp1: MEMORY.data, prp2: MEMORY.data + 16 * KiB };
  assert.equal(statusOf(await driver.send(1, { ...data, opcode: NVM.write, dwords: blocks(8, 16) })), "0");
  assert.deepEqual(disk.disk.bytes.slice(4 * KiB, 8 * KiB), bytes.subarray(0, 4 * KiB));
  assert.equal(statusOf(await driver.send(1, { ...data, opcode: NVM.read, dwords: blocks(4, 16) })), "0");
  const [first, second] = [memory(driver, MEMORY.data, 4 * KiB), memory(driver, data.prp2, 2 * KiB)];
  assert.deepEqual(first, Uint8Array.of(...new Uint8Array(2 * KiB), ...bytes.subarray(0, 2 * KiB)));
  assert.deepEqual(second, bytes.slice(2 * KiB, 4 * KiB));
  const forced = { ...data, opcode: NVM.write, dwords: blocks(8, 16, 1 << 30) };
  assert.equal(statusOf(await driver.send(1, forced)), "0");
  disk.failure = "disk-full";
  assert.equal(statusOf(await driver.send(1, forced)), STATUS.capacityExceeded.toString(16));
  disk.isSlow = true;
  disk.failure = undefined;
  assert.equal(statusOf(await driver.send(1, { ...data, opcode: NVM.read, dwords: blocks(4, 16) })), "0");
  assert.deepEqual(disk.log, [
    "write now 4096+4096+4096",
    "read now 2048+4096+4096",
    "write now 4096+4096+4096",
    "flush",
    "write now 4096+4096+4096",
    "read 2048+8192",
  ]);
});
