import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { MiB } from "../../../base/index.ts";
import type { QueueDriver } from "../queue/testing.ts";
import { bench, ModernDriver, readable } from "../testing.ts";
import type { Bench } from "../testing.ts";
import { BALLOON_PAGE_BYTES, VirtioBalloon } from "./virtio-balloon.ts";
import { STATISTICS_BYTES_MAX } from "./memory-statistics.ts";
import type { MemoryStatistics } from "./memory-statistics.ts";

const PAGES_GPA = 0x10_0000;
const STATISTICS_GPA = 0x20_0000;
const RAM_BYTES = 64 * MiB;

let balloon: VirtioBalloon;
let on: Bench;
let driver: ModernDriver;
let queues: QueueDriver[];
let told: MemoryStatistics[];

beforeEach(() => {
  balloon = new VirtioBalloon(RAM_BYTES);
  told = [];
  balloon.onStatistics = (statistics) => void told.push(statistics);
  on = bench(balloon);
  driver = new ModernDriver(on);
  connect();
});

function connect(): void {
  driver.negotiate();
  queues = [0, 1, 2].map((index) => driver.queue(index));
  driver.ready();
}

const used = (index: number): number[] | undefined =>
  queues[index]?.takeUsed().map(({ writtenBytes }) => writtenBytes);

/** Puts figures into the buffer for statistics and offers it. */
function tell(figures: readonly (readonly [tag: number, value: bigint])[]): void {
  figures.forEach(([tag, value], index) => {
    on.ram.writeU16(STATISTICS_GPA + 10 * index, tag);
    on.ram.writeU64(STATISTICS_GPA + 10 * index + 2, value);
  });
  queues[2]?.offer([readable(STATISTICS_GPA, 10 * figures.length)]);
  driver.notify(2);
}

test("the driver is told how large the balloon shall be, and tells how large it is", () => {
  assert.deepEqual(
    [...driver.offered()].filter((bit) => bit < 24),
    [1, 2],
  );
  assert.equal(driver.readConfig(0, 4), 0);
  balloon.targetBytes = 10 * MiB + 5;
  assert.equal(on.pin.level, true);
  assert.equal(driver.readIsr(), 2);
  assert.equal(driver.readConfig(0, 4), (10 * MiB) / BALLOON_PAGE_BYTES);
  driver.writeConfig(0, 4, 7);
  driver.writeConfig(4, 4, 5);
  assert.deepEqual([balloon.targetBytes, balloon.sizeBytes], [10 * MiB, 5 * BALLOON_PAGE_BYTES]);
});

test("neither side's size is above the guest's memory", () => {
  balloon.targetBytes = 2 * RAM_BYTES;
  driver.writeConfig(4, 4, 0xffff_ffff);
  assert.deepEqual([balloon.targetBytes, balloon.sizeBytes], [RAM_BYTES, RAM_BYTES]);
});

test("pages that come and go are acknowledged and not touched", () => {
  on.ram.writeU32(PAGES_GPA, 0x300);
  on.ram.writeU32(0x30_0000, 0x12345678);
  for (const index of [0, 1]) {
    queues[index]?.offer([readable(PAGES_GPA, 4)]);
    queues[index]?.offer([readable(PAGES_GPA, 1024)]);
    driver.notify(index);
    assert.deepEqual(used(index), [0, 0]);
  }
  assert.equal(on.ram.readU32(0x30_0000), 0x12345678);
});

test("the guest's buffer for statistics is held until they are wanted, and comes back with them", () => {
  assert.equal(balloon.askStatistics(), false);
  tell([[5, 1000n]]);
  assert.deepEqual([used(2), told], [[], [{ totalBytes: 1000 }]]);
  assert.equal(balloon.askStatistics(), true);
  assert.equal(balloon.askStatistics(), false);
  assert.deepEqual(used(2), [0]);
  tell([
    [4, 400n],
    [5, 1000n],
    [6, 600n],
    [2, 1n],
    [999, 1n],
  ]);
  assert.deepEqual(told[1], { freeBytes: 400, totalBytes: 1000, availableBytes: 600, majorFaults: 1 });
});

test("no more is read than there can be, and a second buffer comes back at once", () => {
  queues[2]?.offer([readable(STATISTICS_GPA, STATISTICS_BYTES_MAX + 100)]);
  on.ram.writeU16(STATISTICS_GPA + STATISTICS_BYTES_MAX - 10, 4);
  on.ram.writeU64(STATISTICS_GPA + STATISTICS_BYTES_MAX - 8, 44n);
  on.ram.writeU16(STATISTICS_GPA + STATISTICS_BYTES_MAX, 5);
  on.ram.writeU64(STATISTICS_GPA + STATISTICS_BYTES_MAX + 2, 55n);
  driver.notify(2);
  queues[2]?.offer([readable(STATISTICS_GPA, 3)]);
  driver.notify(2);
  assert.deepEqual(used(2), [0]);
  assert.deepEqual(told, [{ swappedInBytes: 0, freeBytes: 44 }]);
});

test("a reset takes the buffer away and leaves the target", () => {
  tell([[4, 1n]]);
  balloon.targetBytes = MiB;
  connect();
  assert.equal(balloon.askStatistics(), false);
  assert.equal(driver.readConfig(0, 4), 256);
  assert.equal(driver.readConfig(4, 4), 0);
  tell([[4, 2n]]);
  assert.equal(balloon.askStatistics(), true);
});

test("a restored balloon has the target, the size, and the buffer to ask with", () => {
  balloon.targetBytes = MiB;
  driver.writeConfig(4, 4, 9);
  tell([[4, 1n]]);
  const other = new VirtioBalloon(RAM_BYTES);
  const otherBench = bench(other);
  otherBench.ram.write(0, on.ram.bytes);
  otherBench.pci.restore(on.pci.save());
  assert.deepEqual([other.targetBytes, other.sizeBytes], [MiB, 9 * BALLOON_PAGE_BYTES]);
  assert.deepEqual(otherBench.pci.save(), on.pci.save());
  assert.equal(other.askStatistics(), true);
});
