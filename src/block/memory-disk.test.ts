import assert from "node:assert/strict";
import { test } from "node:test";
import { AssertionError } from "../base/index.ts";
import { MemoryDisk, SECTOR_BYTES } from "./index.ts";

const SECTORS = 4;
const sector = (value: number) => new Uint8Array(SECTOR_BYTES).fill(value);

async function read(disk: MemoryDisk, offset: number) {
  const target = new Uint8Array(SECTOR_BYTES);
  assert.deepEqual(await disk.read(offset, target), { ok: true, value: undefined });
  return target;
}

test("what was written is read, to the last sector, and zeros where it was discarded", async () => {
  const disk = new MemoryDisk(new Uint8Array(SECTORS * SECTOR_BYTES));
  const last = (SECTORS - 1) * SECTOR_BYTES;
  assert.equal((await disk.write(last, sector(7))).ok, true);
  assert.deepEqual(await read(disk, last), sector(7));
  assert.deepEqual(await read(disk, 0), sector(0));
  assert.equal((await disk.discard(last, SECTOR_BYTES)).ok, true);
  assert.deepEqual(await read(disk, last), sector(0));
});

test("a read-only disk refuses changes and keeps its contents", async () => {
  const disk = new MemoryDisk(sector(9), { isReadOnly: true });
  const refusals = [await disk.write(0, sector(1)), await disk.discard(0, SECTOR_BYTES)];
  assert.deepEqual(
    refusals.map((result) => (result.ok ? "changed" : result.error.code)),
    ["disk-read-only", "disk-read-only"],
  );
  assert.deepEqual(await read(disk, 0), sector(9));
});

for (const [what, offset, lengthBytes] of [
  ["behind the end", SECTOR_BYTES, SECTOR_BYTES],
  ["across the end", 0, 2 * SECTOR_BYTES],
  ["of part of a sector", 0, 100],
  ["in front of the start", -SECTOR_BYTES, SECTOR_BYTES],
] as const) {
  test(`a range ${what} is a bug of the controller's`, () => {
    const disk = new MemoryDisk(sector(0));
    assert.throws(() => disk.read(offset, new Uint8Array(lengthBytes)), AssertionError);
  });
}
