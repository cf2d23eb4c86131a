import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError, KiB, MiB } from "../base/index.ts";
import { MemoryDisk, OverlayDisk, SECTOR_BYTES } from "./index.ts";
import type { BlockDevice, BlockResult } from "./index.ts";

const SIZE_BYTES = 40 * MiB;

/** A base whose every sector holds its number, and an overlay of it. */
function disks(maxBytes?: number) {
  const bytes = new Uint8Array(SIZE_BYTES);
  const words = new Uint32Array(bytes.buffer);
  for (let at = 0; at < words.length; at++) words[at] = Math.floor((at * 4) / SECTOR_BYTES) + 1;
  const base = new MemoryDisk(bytes.slice(), { isReadOnly: true });
  return { base, bytes, overlay: new OverlayDisk(base, maxBytes) };
}

async function read(disk: BlockDevice, offset: number, lengthBytes: number): Promise<Uint8Array> {
  const target = new Uint8Array(lengthBytes).fill(0xee);
  assert.equal((await disk.read(offset, target)).ok, true);
  return target;
}

const codeOf = (result: BlockResult): string => (result.ok ? "ok" : result.error.code);

test("what was written is read from the overlay, the rest from the base, which does not change", async () => {
  const { base, bytes, overlay } = disks();
  const before = bytes.slice();
  const model = bytes;
  const change = new Uint8Array(3 * SECTOR_BYTES).fill(0xaa);
  for (const offset of [SECTOR_BYTES, 7 * SECTOR_BYTES, 39 * MiB + 512, SIZE_BYTES - change.length]) {
    assert.equal((await overlay.write(offset, change)).ok, true);
    model.set(change, offset);
  }
  assert.deepEqual(await read(overlay, 0, 64 * KiB), model.subarray(0, 64 * KiB));
  assert.deepEqual(await read(overlay, 39 * MiB, MiB), model.subarray(39 * MiB));
  assert.deepEqual(base.bytes, before);
});

test("what was discarded reads as zeros: sectors, clusters and more at once, and can be written again", async () => {
  const { bytes: model, overlay } = disks();
  const sector = new Uint8Array(SECTOR_BYTES).fill(0x55);
  await overlay.write(20 * MiB, sector);
  for (const [offset, lengthBytes] of [
    [SECTOR_BYTES, SECTOR_BYTES],
    [8 * KiB - SECTOR_BYTES, 9 * KiB],
    [15 * MiB, 20 * MiB],
  ] as const) {
    assert.equal((await overlay.discard(offset, lengthBytes)).ok, true);
    model.fill(0, offset, offset + lengthBytes);
  }
  await overlay.write(17 * MiB + SECTOR_BYTES, sector);
  model.set(sector, 17 * MiB + SECTOR_BYTES);
  await overlay.discard(17 * MiB, SECTOR_BYTES);
  assert.deepEqual(await read(overlay, 0, SIZE_BYTES), model);
});

test("discarding gives its room to later writes", async () => {
  const { overlay } = disks(MiB);
  const chunk = new Uint8Array(MiB).fill(1);
  for (const offset of [0, 3 * MiB, 16 * MiB]) {
    assert.equal(codeOf(await overlay.write(offset, chunk)), "ok");
    assert.equal(codeOf(await overlay.discard(offset, MiB)), "ok");
  }
  await overlay.write(16 * MiB, chunk);
  assert.equal(codeOf(await overlay.discard(16 * MiB, 16 * MiB)), "ok");
  assert.equal(codeOf(await overlay.write(0, chunk)), "ok");
  assert.equal(overlay.occupiedBytes, MiB);
});

test("at the limit of changes writes and discards of parts fail as on a full disk; what is there stays", async () => {
  const { overlay } = disks(MiB);
  const chunk = new Uint8Array(MiB).fill(2);
  assert.equal(codeOf(await overlay.write(4 * MiB, chunk)), "ok");
  assert.equal(codeOf(await overlay.write(8 * MiB, chunk.subarray(0, SECTOR_BYTES))), "disk-full");
  assert.equal(codeOf(await overlay.discard(8 * MiB, SECTOR_BYTES)), "disk-full");
  assert.equal(codeOf(await overlay.write(4 * MiB, chunk)), "ok");
  assert.deepEqual(await read(overlay, 4 * MiB, MiB), chunk);
});

test("an error of the base is the answer to a read that needs it", async () => {
  const { base, overlay } = disks();
  const failed: BlockResult = { ok: false, error: { code: "disk-io", message: "broken" } };
  base.read = () => Promise.resolve(failed);
  await overlay.write(0, new Uint8Array(SECTOR_BYTES));
  assert.equal(codeOf(await overlay.read(0, new Uint8Array(SECTOR_BYTES))), "ok");
  assert.equal(codeOf(await overlay.read(0, new Uint8Array(2 * SECTOR_BYTES))), "disk-io");
});

test("a range that is not on the disk is a bug of the controller's", async () => {
  const { overlay } = disks();
  assert.throws(() => overlay.write(SIZE_BYTES, new Uint8Array(SECTOR_BYTES)), AssertionError);
  assert.throws(() => overlay.discard(100, SECTOR_BYTES), AssertionError);
  await assert.rejects(overlay.read(SIZE_BYTES - SECTOR_BYTES, new Uint8Array(KiB)), AssertionError);
});
