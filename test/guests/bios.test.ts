/** The built-in BIOS as a boot sector of ours sees it: loaded from a diskette or a disk, it prints, waits for a key, and ends. */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import { LIMIT } from "./guests.ts";

const SECTOR_BYTES = 512;
const DISK_BYTES = 4 * 1024 * 1024;
const TIMEOUT_MS = 30_000;
/** Where the message is, behind the code at 7C00h. */
const MESSAGE = 0x7c26;
const CODE = [
  ...[0x31, 0xc0], // xor ax, ax
  ...[0x8e, 0xd8], // mov ds, ax
  0xfc, // cld
  ...[0xbe, MESSAGE & 0xff, MESSAGE >> 8], // mov si, message
  0xac, // next: lodsb
  ...[0x84, 0xc0], // test al, al
  ...[0x74, 0x09], // jz done
  ...[0xb4, 0x0e, 0xbb, 0x07, 0x00], // mov ah, 0eh; mov bx, 7
  ...[0xcd, 0x10], // int 10h
  ...[0xeb, 0xf2], // jmp next
  ...[0xb4, 0x00, 0xcd, 0x16], // done: mov ah, 0; int 16h
  ...[0xb4, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10], // the key's character by int 10h
  ...[0xe6, 0xf4], // out 0f4h, al
  ...[0xf4, 0xeb, 0xfd], // hlt for ever
];

/** A medium whose boot sector says `text`. */
function bootable(text: string, sizeBytes: number): Uint8Array {
  const bytes = new Uint8Array(sizeBytes);
  bytes.set(CODE);
  bytes.set(new TextEncoder().encode(`${text}\0`), MESSAGE - 0x7c00);
  bytes.set([0x55, 0xaa], SECTOR_BYTES - 2);
  return bytes;
}

async function workFolder() {
  const path = await mkdtemp(join(tmpdir(), "typevisor-bios-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

test(
  "a boot sector is started from a diskette whose image ends early, prints, and takes a key",
  LIMIT,
  async () => {
    await using folder = await workFolder();
    const floppy = join(folder.path, "floppy.img");
    const image = bootable("Started from a diskette.", 3 * SECTOR_BYTES);
    await writeFile(floppy, image);
    await using vm = await startVm({ floppy: [floppy], device: ["isa-debug-exit"], memory: "16M" });
    await vm.waitForScreen("Started from a diskette.", { timeoutMs: TIMEOUT_MS });
    vm.typeKeys([{ kind: "text", text: "x" }]);
    const end = await vm.ended;
    assert.deepEqual(end, { kind: "debug-exit", value: "x".charCodeAt(0) });
    assert.deepEqual(new Uint8Array(await readFile(floppy)), image);
  },
);

test("the order of drives decides which of two systems is started", LIMIT, async () => {
  await using folder = await workFolder();
  const floppy = join(folder.path, "floppy.img");
  const disk = join(folder.path, "disk.img");
  await writeFile(floppy, bootable("The diskette's.", SECTOR_BYTES));
  await writeFile(disk, bootable("The disk's.", DISK_BYTES));
  await using vm = await startVm({ floppy: [floppy], disk: [disk], boot: "disk,floppy", memory: "16M" });
  await vm.waitForScreen("The disk's.", { timeoutMs: TIMEOUT_MS });
});

test("what is not bootable says so on the screen", LIMIT, async () => {
  await using folder = await workFolder();
  const disk = join(folder.path, "disk.img");
  await writeFile(disk, new Uint8Array(DISK_BYTES));
  await using vm = await startVm({ disk: [disk], memory: "16M" });
  await vm.waitForScreen("No bootable device.", { timeoutMs: TIMEOUT_MS });
});
