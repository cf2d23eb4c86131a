import assert from "node:assert/strict";
import { test } from "node:test";
import { SECTOR_BYTES } from "../../block/index.ts";
import { PCI_COMMAND, PCI_HEADER } from "../../hw/index.ts";
import { BUFFER_GPA, controller, disk, TestDisk, patternBytes, RAM_BYTES, ST, TABLE_GPA } from "./testing.ts";

const OK = ST.ready | ST.seek;
const ACTIVE = 1;
const ERROR = 2;
const INTERRUPT = 4;
const SECTORS = 4096;

const pattern = patternBytes(SECTORS);
const sectors = (first: number, count: number): Uint8Array =>
  pattern.slice(first * SECTOR_BYTES, (first + count) * SECTOR_BYTES);

function withDisk() {
  const held = new TestDisk(SECTORS);
  const host = controller(disk(held));
  const ram = (gpa: number, lengthBytes: number): Uint8Array => host.ram.slice(gpa, lengthBytes).slice();
  return { held, host, ram };
}

for (const [name, command, first, count] of [
  ["READ DMA", { code: 0xc8, lba: 3, count: 5 }, 3, 5],
  ["READ DMA without retries", { code: 0xc9, lba: 3, count: 0 }, 3, 256],
  ["READ DMA EXT", { code: 0x25, address: "lba48", lba: 100, count: 1500 }, 100, 1500],
] as const) {
  test(`${name} puts sectors into memory and interrupts once`, async () => {
    const { host, ram } = withDisk();
    assert.equal(await host.runDma("in", command, count * SECTOR_BYTES), INTERRUPT);
    assert.deepEqual([host.irq.level, host.irq.risingEdges], [true, 1]);
    assert.equal(host.in(7), OK);
    assert.deepEqual(ram(BUFFER_GPA, count * SECTOR_BYTES), sectors(first, count));
    assert.equal(
      host.dmaWrites.reduce((sum, [, bytes]) => sum + bytes, 0),
      count * SECTOR_BYTES,
    );
  });
}

for (const [name, command, first, count, flushes] of [
  ["WRITE DMA", { code: 0xca, lba: 8, count: 4 }, 8, 4, 0],
  ["WRITE DMA without retries", { code: 0xcb, lba: 8, count: 4 }, 8, 4, 0],
  ["WRITE DMA EXT", { code: 0x35, address: "lba48", lba: 8, count: 1025 }, 8, 1025, 0],
  ["WRITE DMA FUA EXT", { code: 0x3d, address: "lba48", lba: 8, count: 3 }, 8, 3, 1],
] as const) {
  test(`${name} takes sectors from memory`, async () => {
    const { host, held } = withDisk();
    const bytes = sectors(first, count).map((byte) => ~byte & 0xff);
    host.ram.slice(BUFFER_GPA, bytes.length).set(bytes);
    assert.equal(await host.runDma("out", command, bytes.length), INTERRUPT);
    assert.equal(host.in(7), OK);
    assert.deepEqual(held.inner.bytes.slice(first * SECTOR_BYTES, (first + count) * SECTOR_BYTES), bytes);
    assert.equal(held.log.filter((line) => line === "flush").length, flushes);
  });
}

test("descriptors scatter, their bytes in the order of the table", async () => {
  const { host, ram } = withDisk();
  host.prepareDma("in", [
    { gpa: 0x5000, bytes: 2 },
    { gpa: 0x6001, bytes: 510 },
    { gpa: 0x7000, bytes: 1024, isLast: true },
  ]);
  host.issue({ code: 0xc8, lba: 1, count: 3 });
  host.startDma();
  await host.settled();
  assert.equal(host.inBusMaster(2), INTERRUPT);
  const wanted = sectors(1, 3);
  assert.deepEqual(ram(0x5000, 2), wanted.slice(0, 2));
  // Bit 0 of a base is not there.
  assert.deepEqual(ram(0x6000, 510), wanted.slice(2, 512));
  assert.deepEqual(ram(0x7000, 1024), wanted.slice(512));
});

test("a byte count of 0 stands for 64 KiB", async () => {
  const { host, ram } = withDisk();
  host.prepareDma("in", [{ gpa: 0x2_0000, bytes: 0, isLast: true }]);
  host.issue({ code: 0xc8, lba: 0, count: 128 });
  host.startDma();
  await host.settled();
  assert.equal(host.inBusMaster(2), INTERRUPT);
  assert.deepEqual(ram(0x2_0000, 0x1_0000), sectors(0, 128));
});

test("a table longer than the transfer leaves the engine active, until it is stopped", async () => {
  const { host } = withDisk();
  host.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 4096, isLast: true }]);
  host.issue({ code: 0xc8, count: 2 });
  host.startDma();
  await host.settled();
  assert.equal(host.inBusMaster(2), ACTIVE | INTERRUPT);
  host.stopDma();
  assert.equal(host.inBusMaster(2), INTERRUPT);
  host.outBusMaster(2, INTERRUPT);
  assert.equal(host.inBusMaster(2), 0);
});

test("a table shorter than the transfer ends it in the middle: neither active nor interrupt, the drive waits", async () => {
  const { host, ram } = withDisk();
  host.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 512, isLast: true }]);
  host.issue({ code: 0xc8, lba: 4, count: 2 });
  host.startDma();
  await host.settled();
  assert.equal(host.inBusMaster(2), 0);
  assert.deepEqual([host.alternateStatus, host.irq.level], [OK | ST.drq, false]);
  // The rest goes where the next table says.
  host.stopDma();
  host.prepareDma("in", [{ gpa: 0x8000, bytes: 512, isLast: true }]);
  host.startDma();
  assert.equal(host.inBusMaster(2), INTERRUPT);
  assert.deepEqual([ram(BUFFER_GPA, 512), ram(0x8000, 512)], [sectors(4, 1), sectors(5, 1)]);
});

test("the engine may be started before the command, and before it may master the bus", async () => {
  const { host, ram } = withDisk();
  host.ide.writeConfig(PCI_HEADER.command, 2, PCI_COMMAND.io);
  host.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 512, isLast: true }]);
  host.startDma();
  assert.equal(host.inBusMaster(2), ACTIVE);
  host.issue({ code: 0xc8, lba: 6, count: 1 });
  assert.equal(await host.settled(), OK | ST.drq);
  assert.equal(host.inBusMaster(2), ACTIVE);
  host.ide.writeConfig(PCI_HEADER.command, 2, PCI_COMMAND.io | PCI_COMMAND.busMaster);
  assert.equal(host.inBusMaster(2), INTERRUPT);
  assert.deepEqual(ram(BUFFER_GPA, 512), sectors(6, 1));
});

test("a drive that wants its data the other way round gets nothing moved", async () => {
  const { host, held, ram } = withDisk();
  host.prepareDma("out", [{ gpa: BUFFER_GPA, bytes: 512, isLast: true }]);
  host.startDma();
  host.issue({ code: 0xc8, count: 1 });
  await host.settled();
  assert.deepEqual([host.inBusMaster(2), host.alternateStatus], [ACTIVE, OK | ST.drq]);
  assert.deepEqual(ram(BUFFER_GPA, 512), new Uint8Array(512));
  host.control(4);
  host.control(0);
  host.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 512, isLast: true }]);
  host.issue({ code: 0xca, count: 1 });
  host.startDma();
  await host.turns();
  assert.deepEqual(
    held.log.filter((line) => line.startsWith("write")),
    [],
  );
});

test("stopping in the middle and starting again reads the table from its beginning", async () => {
  const { host, held } = withDisk();
  held.isHeld = true;
  host.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 512, isLast: true }]);
  host.issue({ code: 0xc8, lba: 2, count: 1 });
  host.startDma();
  host.stopDma();
  assert.equal(host.inBusMaster(2), 0);
  held.release();
  assert.equal(await host.settled(), OK | ST.drq);
  host.startDma();
  assert.equal(host.inBusMaster(2), INTERRUPT);
});

for (const [name, table, regions] of [
  ["a region behind the end of RAM", TABLE_GPA, [{ gpa: RAM_BYTES, bytes: 512, isLast: true }]],
  ["a region across the end of RAM", TABLE_GPA, [{ gpa: RAM_BYTES - 256, bytes: 512, isLast: true }]],
  ["a region in a device", TABLE_GPA, [{ gpa: 0xfee0_0000, bytes: 512, isLast: true }]],
  ["a region across 4 GiB", TABLE_GPA, [{ gpa: 0xffff_ff00, bytes: 512, isLast: true }]],
  ["a table outside RAM", 0xfffc_0000, []],
] as const) {
  test(`${name} is an error that reaches nothing`, async () => {
    const { host } = withDisk();
    host.prepareDma("in", regions);
    host.outBusMaster(4, table, 4);
    const before = host.ram.slice(0, RAM_BYTES).slice();
    host.issue({ code: 0xc8, count: 1 });
    host.startDma();
    await host.settled();
    assert.equal(host.inBusMaster(2), ERROR);
    assert.equal(host.alternateStatus, OK | ST.drq);
    assert.deepEqual(host.dmaWrites, []);
    assert.deepEqual(host.ram.slice(0, RAM_BYTES).slice(), before);
    // The function received a master abort.
    assert.equal(host.ide.readConfig(PCI_HEADER.status, 2) & 0x2000, 0x2000);
    host.stopDma();
    host.outBusMaster(2, ERROR);
    assert.equal(host.inBusMaster(2), 0);
  });
}

test("a table of the smallest regions is walked as far as the drive has bytes, and no further", async () => {
  const { host, ram } = withDisk();
  const regions = Array.from({ length: 8192 }, (_, index) => ({ gpa: BUFFER_GPA + 2 * index, bytes: 2 }));
  host.prepareDma("in", regions, 0x8_0000);
  host.issue({ code: 0xc8, lba: 9, count: 32 });
  host.startDma();
  await host.settled();
  assert.equal(host.inBusMaster(2), ACTIVE | INTERRUPT);
  assert.deepEqual(ram(BUFFER_GPA, 32 * SECTOR_BYTES), sectors(9, 32));
});

test("what is in front of a bad sector is in memory before the error", async () => {
  const { host, held, ram } = withDisk();
  held.badSectors.add(12);
  host.prepareDma("in", [{ gpa: BUFFER_GPA, bytes: 2048, isLast: true }]);
  host.issue({ code: 0xc8, lba: 10, count: 4 });
  host.startDma();
  assert.equal(await host.settled(), OK | ST.error);
  assert.equal(host.inBusMaster(2), ACTIVE | INTERRUPT);
  assert.deepEqual(host.registers.slice(0, 3), [0x40, 4, 12]);
  assert.deepEqual(ram(BUFFER_GPA, 1024), sectors(10, 2));
});

test("registers: reserved bytes are 0, capability bits are the driver's, simplex stays 0", () => {
  const { host } = withDisk();
  host.outBusMaster(2, 0xe0);
  assert.equal(host.inBusMaster(2), 0x60);
  host.outBusMaster(4, 0x1234_5677, 4);
  assert.equal(host.inBusMaster(4, 4), 0x1234_5674);
  host.outBusMaster(1, 0xff);
  host.outBusMaster(3, 0xff);
  assert.deepEqual([host.inBusMaster(0), host.inBusMaster(1), host.inBusMaster(3)], [0, 0, 0]);
  host.outBusMaster(5, 0xab);
  assert.equal(host.inBusMaster(4, 4), 0x1234_ab74);
});

test("the interrupt bit follows every interrupt of the drive, DMA or not, and stays until it is cleared", async () => {
  const { host } = withDisk();
  await host.run({ code: 0xe5 });
  assert.equal(host.inBusMaster(2), INTERRUPT);
  host.outBusMaster(2, INTERRUPT);
  host.control(2);
  await host.run({ code: 0xe5 });
  assert.equal(host.inBusMaster(2), 0);
});
