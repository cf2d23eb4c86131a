import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { link, mkdtemp, readFile, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { once } from "node:events";
import { AssertionError, KiB, MiB, unwrap } from "../../base/index.ts";
import { SECTOR_BYTES } from "../../block/index.ts";
import type { BlockDevice, BlockResult } from "../../block/index.ts";
import { DISK_READERS_MAX, openRawDisk } from "./index.ts";

let folder: string;
let image: string;
let opened: BlockDevice[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "typevisor-disk-"));
  image = join(folder, "disk.img");
  await writeFile(image, new Uint8Array(4 * MiB).fill(0x11));
  opened = [];
});

afterEach(async () => {
  for (const disk of opened) await disk.close();
  await rm(folder, { recursive: true });
});

async function open(path = image, { isReadOnly = false } = {}): Promise<BlockDevice> {
  const disk = unwrap(await openRawDisk({ path, isReadOnly, what: "disk" }));
  opened.push(disk);
  return disk;
}

async function refusal(path: string, { isReadOnly = false } = {}): Promise<string> {
  const result = await openRawDisk({ path, isReadOnly, what: "disk" });
  assert.ok(!result.ok);
  return result.error.message.replaceAll(folder, "FOLDER");
}

const codeOf = (result: BlockResult): string => (result.ok ? "ok" : result.error.code);

test("what is written and flushed is in the file, and is read again", async () => {
  const disk = await open();
  assert.equal(disk.sizeBytes, 4 * MiB);
  const bytes = new Uint8Array(64 * KiB).map((_, index) => index * 7);
  assert.equal(codeOf(await disk.write(MiB, bytes)), "ok");
  assert.equal(codeOf(await disk.flush()), "ok");
  assert.deepEqual(new Uint8Array((await readFile(image)).subarray(MiB, MiB + bytes.length)), bytes);
  const target = new Uint8Array(bytes.length + SECTOR_BYTES);
  assert.equal(codeOf(await disk.read(MiB - SECTOR_BYTES, target)), "ok");
  assert.deepEqual(target.subarray(SECTOR_BYTES), bytes);
  assert.equal(target[0], 0x11);
});

test("a discarded range reads as zeros, to the last sector", async () => {
  const disk = await open();
  assert.equal(codeOf(await disk.discard(MiB - SECTOR_BYTES, 3 * MiB + SECTOR_BYTES)), "ok");
  const bytes = await readFile(image);
  assert.equal(bytes.length, 4 * MiB);
  assert.equal(bytes.indexOf(0), MiB - SECTOR_BYTES);
  assert.equal(bytes.lastIndexOf(0x11), MiB - SECTOR_BYTES - 1);
});

test("a read-only disk is read, and refuses what would change it", async () => {
  const disk = await open(image, { isReadOnly: true });
  const sector = new Uint8Array(SECTOR_BYTES);
  assert.equal(codeOf(await disk.read(0, sector)), "ok");
  assert.equal(codeOf(await disk.write(0, sector)), "disk-read-only");
  assert.equal(codeOf(await disk.discard(0, SECTOR_BYTES)), "disk-read-only");
  assert.equal(codeOf(await disk.flush()), "ok");
});

test("a file that has become shorter gives errors, not zeros", async () => {
  const disk = await open();
  await truncate(image, MiB + 100);
  assert.equal(codeOf(await disk.read(MiB, new Uint8Array(SECTOR_BYTES))), "disk-io");
  assert.equal(codeOf(await disk.read(0, new Uint8Array(SECTOR_BYTES))), "ok");
});

test("what is no disk image is refused with a sentence", async () => {
  const odd = join(folder, "odd.img");
  await writeFile(odd, new Uint8Array(1000));
  await writeFile(join(folder, "empty.img"), "");
  assert.equal(await refusal(join(folder, "none.img")), "The disk FOLDER/none.img does not exist.");
  assert.equal(await refusal(folder), "The disk FOLDER is a folder, not a disk image.");
  assert.equal(await refusal(join(folder, "empty.img")), "The disk FOLDER/empty.img is empty.");
  assert.match(
    await refusal(odd),
    /has 1000 bytes, which is not a multiple of 512: it is no raw disk image\.$/,
  );
  assert.equal(await refusal("/dev/null"), "The disk /dev/null is neither a file nor a block device.");
});

test("an image that is written is nobody else's, by whatever name", async () => {
  const [hard, soft] = [join(folder, "hard.img"), join(folder, "soft.img")];
  await link(image, hard);
  await symlink(image, soft);
  const disk = await open();
  for (const path of [image, hard, soft]) {
    assert.match(await refusal(path), /^The disk .* is used by another VM, or given twice\.$/);
    assert.match(await refusal(path, { isReadOnly: true }), /^The disk .* is written by another VM/);
  }
  opened.pop();
  await disk.close();
  await open(hard);
});

test("an image may be read by several, but then not written, nor read by too many", async () => {
  for (let readers = 0; readers < DISK_READERS_MAX; readers++) await open(image, { isReadOnly: true });
  assert.match(await refusal(image), /^The disk .* is used by another VM/);
  assert.match(await refusal(image, { isReadOnly: true }), /or read by 16 already\.$/);
});

test("the lock of a process that was killed is gone with it", async () => {
  const module = JSON.stringify(new URL("./index.ts", import.meta.url).href);
  const holder = spawn(process.execPath, [
    "--input-type=module",
    "--eval",
    `const { openRawDisk } = await import(${module});
    const disk = await openRawDisk({ path: ${JSON.stringify(image)}, isReadOnly: false, what: "disk" });
    console.log(disk.ok);
    setInterval(() => disk, 1000);`,
  ]);
  const said = new Promise<string>((resolve) => {
    holder.stdout.setEncoding("utf8").once("data", resolve);
  });
  assert.equal(await said, "true\n");
  assert.match(await refusal(image), /is used by another VM/);
  holder.kill("SIGKILL");
  await once(holder, "exit");
  await open();
});

test("closing waits for what is under way, and refuses what comes later", async () => {
  const disk = unwrap(await openRawDisk({ path: image, isReadOnly: false, what: "disk" }));
  const writing = disk.write(0, new Uint8Array(4 * MiB).fill(0x22));
  await disk.close();
  assert.equal(codeOf(await writing), "ok");
  assert.equal((await readFile(image)).indexOf(0x11), -1);
  const late = [disk.write(0, new Uint8Array(SECTOR_BYTES)), disk.flush(), disk.discard(0, SECTOR_BYTES)];
  assert.deepEqual((await Promise.all(late)).map(codeOf), ["disk-io", "disk-io", "disk-io"]);
});

test("a range that is not on the disk is a bug of the controller's", async () => {
  const disk = await open();
  assert.throws(() => disk.read(4 * MiB, new Uint8Array(SECTOR_BYTES)), AssertionError);
  assert.throws(() => disk.write(1, new Uint8Array(SECTOR_BYTES)), AssertionError);
});

test("what is done at once is in the file and in the pieces, one behind the other", async () => {
  const disk = await open();
  const sources = [new Uint8Array(100).fill(1), new Uint8Array(924).fill(2)];
  assert.equal(disk.writeNow?.(MiB, sources)?.ok, true);
  const written = new Uint8Array((await readFile(image)).subarray(MiB, MiB + 1024));
  assert.deepEqual(written, Uint8Array.of(...sources.flatMap((source) => [...source])));
  const targets = [new Uint8Array(600), new Uint8Array(424)];
  assert.equal(disk.readNow?.(MiB, targets)?.ok, true);
  assert.deepEqual(Uint8Array.of(...targets.flatMap((target) => [...target])), written);
});

test("what cannot be done at once is left to the way that says why", async () => {
  const disk = await open();
  await truncate(image, MiB);
  const target = new Uint8Array(2 * SECTOR_BYTES);
  assert.equal(disk.readNow?.(MiB - SECTOR_BYTES, [target]), undefined);
  assert.equal(codeOf(await disk.read(MiB - SECTOR_BYTES, target)), "disk-io");
});

test("nothing is done at once on a read-only disk's sectors, nor on a closed one's", async () => {
  const disk = await open(image, { isReadOnly: true });
  const result = disk.writeNow?.(0, [new Uint8Array(SECTOR_BYTES)]);
  assert.equal(result && codeOf(result), "disk-read-only");
  await disk.close();
  opened = [];
  assert.equal(disk.readNow?.(0, [new Uint8Array(SECTOR_BYTES)])?.ok, false);
});
