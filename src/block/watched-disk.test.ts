import assert from "node:assert/strict";
import { test } from "node:test";
import { SECTOR_BYTES, WatchedDisk } from "./index.ts";
import { HeldDisk } from "./testing.ts";

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
