import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryDisk, PaddedDisk, SECTOR_BYTES } from "./index.ts";

const sectors = (...values: readonly number[]): Uint8Array =>
  Uint8Array.from(
    { length: values.length * SECTOR_BYTES },
    (_, at) => values[Math.floor(at / SECTOR_BYTES)] ?? 0,
  );

const padded = (): { readonly contents: MemoryDisk; readonly disk: PaddedDisk } => {
  const contents = new MemoryDisk(sectors(1, 2));
  return { contents, disk: new PaddedDisk(contents, 4 * SECTOR_BYTES) };
};

test("behind the contents there are zeros", async () => {
  const { disk } = padded();
  const target = sectors(9, 9, 9);
  assert.equal((await disk.read(SECTOR_BYTES, target)).ok, true);
  assert.deepEqual(target, sectors(2, 0, 0));
  const last = sectors(9);
  assert.equal((await disk.read(3 * SECTOR_BYTES, last)).ok, true);
  assert.deepEqual(last, sectors(0));
});

test("what is written within the contents is there, and zeros may follow", async () => {
  const { disk, contents } = padded();
  assert.equal((await disk.write(SECTOR_BYTES, sectors(7, 0))).ok, true);
  assert.deepEqual(contents.bytes, sectors(1, 7));
});

test("anything else behind the contents is refused, and nothing of the request written", async () => {
  const { disk, contents } = padded();
  const written = await disk.write(SECTOR_BYTES, sectors(7, 7));
  assert.equal(written.ok ? "written" : written.error.code, "disk-full");
  assert.deepEqual(contents.bytes, sectors(1, 2));
});

test("what is discarded reads as zeros on both sides of the contents' end", async () => {
  const { disk, contents } = padded();
  assert.equal((await disk.discard(SECTOR_BYTES, 3 * SECTOR_BYTES)).ok, true);
  assert.deepEqual(contents.bytes, sectors(1, 0));
});
