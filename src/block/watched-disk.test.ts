import assert from "node:assert/strict";
import { test } from "node:test";
import { SECTOR_BYTES, WatchedDisk } from "./index.ts";
import { HeldDisk, PromptDisk } from "./testing.ts";

function watched() {
  const disk = new HeldDisk(2 * SECTOR_BYTES);
  const told: string[] = [];
  const watcher = { began: () => told.push("began"), ended: () => told.push("ended") };
  return { disk, told, watched: new WatchedDisk(disk, watcher) };
}

test("who watches hears of each request when it begins and when it has ended", async () => {
  const { disk, told, watched: subject } = watched();
  disk.hold();
  const request = subject.write(0, new Uint8Array(SECTOR_BYTES));
  assert.deepEqual(told, ["began"]);
  disk.release();
  assert.equal((await request).ok, true);
  assert.deepEqual(told, ["began", "ended"]);
});

test("what is asked for when the disk is closed fails, and nothing of it reaches the disk", async () => {
  const { disk, told, watched: subject } = watched();
  await subject.close();
  const results = [
    await subject.read(0, new Uint8Array(SECTOR_BYTES)),
    await subject.write(0, new Uint8Array(SECTOR_BYTES)),
    await subject.flush(),
    await subject.discard(0, SECTOR_BYTES),
  ];
  assert.deepEqual(
    results.map(({ ok }) => ok),
    [false, false, false, false],
  );
  assert.deepEqual([disk.log, told], [["close"], []]);
});

test("what the disk does at once is never under way, and fails when the disk is closed", async () => {
  const told: string[] = [];
  const disk = new PromptDisk(2 * SECTOR_BYTES);
  const subject = new WatchedDisk(disk, { began: () => told.push("began"), ended: () => told.push("ended") });
  const sector = new Uint8Array(SECTOR_BYTES).fill(7);
  assert.equal(subject.writeNow(SECTOR_BYTES, [sector])?.ok, true);
  const target = new Uint8Array(SECTOR_BYTES);
  assert.equal(subject.readNow(SECTOR_BYTES, [target])?.ok, true);
  assert.deepEqual(target, sector);
  await subject.close();
  assert.equal(subject.readNow(0, [target])?.ok, false);
  assert.equal(subject.writeNow(0, [target])?.ok, false);
  assert.deepEqual(told, []);
});

test("a disk that does nothing at once stays so", () => {
  const subject = new WatchedDisk(new HeldDisk(SECTOR_BYTES), {
    began: () => undefined,
    ended: () => undefined,
  });
  assert.equal(subject.readNow(0, [new Uint8Array(SECTOR_BYTES)]), undefined);
  assert.equal(subject.writeNow(0, [new Uint8Array(SECTOR_BYTES)]), undefined);
});
