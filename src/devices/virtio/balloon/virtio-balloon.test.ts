import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { MiB } from "../../../base/index.ts";
import type { QueueDriver } from "../queue/testing.ts";
import { bench, LegacyDriver, ModernDriver, readable, writable } from "../testing.ts";
import type { Bench } from "../testing.ts";
import { BALLOON_PAGE_BYTES, DISCARDED_RUNS_MAX, REQUEST_PAGES_MAX } from "./page-discards.ts";
import { VirtioBalloon } from "./virtio-balloon.ts";
import { STATISTICS_BYTES_MAX } from "./memory-statistics.ts";
import type { MemoryStatistics } from "./memory-statistics.ts";

const PAGES_GPA = 0x10_0000;
const STATISTICS_GPA = 0x20_0000;
const RAM_BYTES = 64 * MiB;
const MEMORY = { ramBytes: RAM_BYTES, keptBytes: 1 * MiB };
const PAGE = BALLOON_PAGE_BYTES;
const INFLATE = 0;
const DEFLATE = 1;
/** Where the specification has the queue for reports, and where drivers that leave no gap do. */
const REPORTS = 4;
const REPORTS_WITHOUT_GAP = 3;
const FEATURE = { statisticsQueue: 1, deflateOnOom: 2, pagePoison: 4, reporting: 5 } as const;
const POISON_VALUE = 12;

let balloon: VirtioBalloon;
let on: Bench;
let driver: ModernDriver;
let queues: QueueDriver[];
let told: MemoryStatistics[];

beforeEach(() => {
  balloon = new VirtioBalloon(MEMORY);
  told = [];
  balloon.onStatistics = (statistics) => void told.push(statistics);
  on = bench(balloon, { ramBytes: RAM_BYTES });
  driver = new ModernDriver(on);
  connect();
});

function connect(features?: readonly number[]): void {
  driver.negotiate(features);
  queues = [0, 1, 2, 3, 4].map((index) => driver.queue(index));
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
    [1, 2, 4, 5],
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

/** Offers an array of page numbers. */
function tellPages(index: number, pages: readonly number[], lengthBytes = 4 * pages.length): void {
  pages.forEach((page, at) => on.ram.writeU32(PAGES_GPA + 4 * at, page));
  queues[index]?.offer([readable(PAGES_GPA, lengthBytes)]);
  driver.notify(index);
}

function report(index: number, ...ranges: readonly (readonly [gpa: number, lengthBytes: number])[]): void {
  queues[index]?.offer(ranges.map(([gpa, lengthBytes]) => writable(gpa, lengthBytes)));
  driver.notify(index);
}

test("pages that come into the balloon are given back, in as few runs as they make, and acknowledged", () => {
  on.ram.fill(0x30_0000, 0x10_0000, 0x5a);
  tellPages(INFLATE, [0x305, 0x304, 0x303, 0x300, 0x301, 0x3ff, 0x304]);
  const runs = [
    [0x30_0000, 2 * PAGE],
    [0x30_3000, 3 * PAGE],
    [0x3f_f000, PAGE],
  ];
  assert.deepEqual([on.released, used(INFLATE)], [runs, [0]]);
  assert.deepEqual([on.ram.readU32(0x30_4ffc), on.ram.readU8(0x30_2000)], [0, 0x5a]);
});

test("pages that leave the balloon are acknowledged and not touched", () => {
  on.ram.writeU32(0x30_0000, 0x12345678);
  tellPages(DEFLATE, [0x300]);
  assert.deepEqual([on.released, used(DEFLATE), on.ram.readU32(0x30_0000)], [[], [0], 0x12345678]);
});

test("pages outside RAM, those that are kept, and a number that is cut off are ignored", () => {
  const last = RAM_BYTES / PAGE - 1;
  tellPages(INFLATE, [0, 0xff, last + 1, 0xffff_ffff, 0x8000_0000, 0x0010_0000]);
  tellPages(INFLATE, [0x300], 3);
  assert.deepEqual([on.released, used(INFLATE)], [[], [0, 0]]);
  tellPages(INFLATE, [0x100, last, last + 1, 0x300], 15);
  const runs = [
    [1 * MiB, PAGE],
    [RAM_BYTES - PAGE, PAGE],
  ];
  assert.deepEqual([on.released, used(INFLATE)], [runs, [0]]);
});

test("of a request that is too long the rest is kept", () => {
  const first = 0x1000;
  tellPages(
    INFLATE,
    Array.from({ length: REQUEST_PAGES_MAX + 9 }, (_, index) => first + index),
  );
  assert.deepEqual(on.released, [[first * PAGE, REQUEST_PAGES_MAX * PAGE]]);
});

test("one notification makes a limited number of runs, and gives all of RAM away once", () => {
  const scattered = Array.from({ length: REQUEST_PAGES_MAX }, (_, index) => 0x1000 + 2 * index);
  scattered.forEach((page, at) => on.ram.writeU32(PAGES_GPA + 4 * at, page));
  for (let count = 0; count < 6; count++)
    queues[INFLATE]?.offer([readable(PAGES_GPA, 4 * REQUEST_PAGES_MAX)]);
  driver.notify(INFLATE);
  assert.equal(on.released.length, DISCARDED_RUNS_MAX);
  assert.equal(used(INFLATE)?.length, 6);

  on.released.length = 0;
  const whole = [32 * MiB, 32 * MiB] as const;
  report(REPORTS, whole, whole, whole, [16 * MiB, PAGE]);
  assert.deepEqual(on.released, [whole, whole]);
});

for (const index of [REPORTS, REPORTS_WITHOUT_GAP]) {
  test(`what the guest reports through queue ${index} is given back and comes back`, () => {
    on.ram.fill(0x40_0000, 0x1_0000, 0x5a);
    report(
      index,
      [0x40_0000, 4 * PAGE],
      [0x40_8000, PAGE],
      [0x40_a010, 2 * PAGE],
      [0x10_0000 - PAGE, 2 * PAGE],
    );
    const runs = [
      [0x40_0000, 4 * PAGE],
      [0x40_8000, PAGE],
      [0x40_b000, PAGE],
      [0x10_0000, PAGE],
    ];
    assert.deepEqual([on.released, used(index)], [runs, [0]]);
    assert.deepEqual([on.ram.readU32(0x40_0000), on.ram.readU8(0x40_a010)], [0, 0x5a]);
  });
}

test("a guest without statistics reports through their queue", () => {
  connect([FEATURE.reporting]);
  report(2, [0x40_0000, PAGE]);
  assert.deepEqual([on.released, used(2)], [[[0x40_0000, PAGE]], [0]]);
  assert.equal(balloon.askStatistics(), false);
});

test("a guest that has not asked for reporting gives nothing away by it", () => {
  connect([FEATURE.statisticsQueue]);
  report(REPORTS, [0x40_0000, PAGE]);
  assert.deepEqual([on.released, used(REPORTS)], [[], [0]]);
});

test("what the guest expects in its free pages stays there, unless that is zero", () => {
  driver.writeConfig(POISON_VALUE, 4, 0xaaaa_aaaa);
  assert.equal(driver.readConfig(POISON_VALUE, 4), 0xaaaa_aaaa);
  report(REPORTS, [0x40_0000, PAGE]);
  assert.deepEqual([on.released, used(REPORTS)], [[], [0]]);
  tellPages(INFLATE, [0x300]);
  assert.deepEqual(on.released.splice(0), [[0x30_0000, PAGE]]);
  driver.writeConfig(POISON_VALUE, 4, 0);
  report(REPORTS, [0x40_0000, PAGE]);
  assert.deepEqual(on.released, [[0x40_0000, PAGE]]);

  driver.writeConfig(POISON_VALUE, 4, 1);
  connect([FEATURE.reporting]);
  driver.writeConfig(POISON_VALUE, 4, 1);
  report(REPORTS, [0x50_0000, PAGE]);
  assert.deepEqual(on.released.at(-1), [0x50_0000, PAGE]);
});

test("by the legacy interface pages are given back too", () => {
  const legacy = new LegacyDriver(on);
  legacy.negotiate();
  const queue = legacy.queue(INFLATE);
  legacy.ready();
  on.ram.writeU32(PAGES_GPA, 0x300);
  queue.offer([readable(PAGES_GPA, 4)]);
  legacy.notify(INFLATE);
  assert.deepEqual(on.released, [[0x30_0000, PAGE]]);
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
  driver.writeConfig(POISON_VALUE, 4, 0xaaaa_aaaa);
  tell([[4, 1n]]);
  const other = new VirtioBalloon(MEMORY);
  const otherBench = bench(other, { ramBytes: RAM_BYTES });
  otherBench.ram.write(0, on.ram.bytes);
  otherBench.pci.restore(on.pci.save());
  assert.deepEqual([other.targetBytes, other.sizeBytes], [MiB, 9 * BALLOON_PAGE_BYTES]);
  assert.deepEqual(otherBench.pci.save(), on.pci.save());
  assert.equal(other.askStatistics(), true);
});
