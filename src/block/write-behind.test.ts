import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { HeldDisk } from "./testing.ts";
import { WRITE_BEHIND_BLOCK_BYTES, WriteBehind } from "./write-behind.ts";

const BLOCK = WRITE_BEHIND_BLOCK_BYTES;

function store(blocks = 4) {
  const disk = new HeldDisk(blocks * BLOCK);
  return { disk, store: new WriteBehind(disk, new Uint8Array(blocks * BLOCK)) };
}

const turn = (): Promise<void> => setImmediate();

test("bytes that change in one turn are one write of their block", async () => {
  const { disk, store: behind } = store();
  behind.write(BLOCK + 1, Uint8Array.of(1));
  behind.write(BLOCK + 2, Uint8Array.of(2));
  assert.deepEqual(disk.log, []);
  await turn();
  assert.deepEqual(disk.log, [`write ${BLOCK}+${BLOCK}`]);
  assert.deepEqual([...disk.disk.bytes.subarray(BLOCK, BLOCK + 4)], [0, 1, 2, 0]);
});

test("blocks are written one after the other, in the order of their changes", async () => {
  const { disk, store: behind } = store();
  disk.hold();
  behind.write(3 * BLOCK - 1, Uint8Array.of(1, 2));
  behind.write(0, Uint8Array.of(3));
  await turn();
  assert.deepEqual(disk.log, [`write ${2 * BLOCK}+${BLOCK}`]);
  behind.write(2 * BLOCK, Uint8Array.of(4));
  disk.release();
  await behind.flush();
  const order = [2, 3, 0, 2].map((block) => `write ${block * BLOCK}+${BLOCK}`);
  assert.deepEqual(disk.log, [...order, "flush"]);
  assert.equal(disk.disk.bytes[2 * BLOCK], 4);
});

test("a change between the last write's end and who hears of it is not lost", async () => {
  const { disk, store: behind } = store();
  for (let index = 0; index < 50; index++) {
    behind.write(0, Uint8Array.of(index));
    for (let microtask = 0; microtask < index; microtask++) await Promise.resolve();
    behind.write(0, Uint8Array.of(index + 100));
    await turn();
    assert.equal(disk.disk.bytes[0], index + 100);
  }
});

test("what could not be written is tried again, and an error at the end is told", async () => {
  const { disk, store: behind } = store();
  disk.failure = "disk-full";
  behind.write(0, Uint8Array.of(1));
  await turn();
  disk.failure = undefined;
  behind.write(BLOCK, Uint8Array.of(2));
  assert.equal((await behind.flush()).ok, true);
  assert.deepEqual([disk.disk.bytes[0], disk.disk.bytes[BLOCK]], [1, 2]);
  disk.failure = "disk-io";
  behind.write(0, Uint8Array.of(3));
  const closed = await behind.close();
  assert.equal(closed.ok, false);
  assert.equal(disk.log.at(-1), "close");
});
