/** The built-in BIOS as a boot sector of ours sees it: loaded from a diskette or a disk, it prints, waits for a key, and ends. */

import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import { bootableDisc } from "../../src/machine/firmware/testing.ts";
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

/** Where the pointing device's handler and the bytes are that the mouse is made to send, behind the code. */
const HANDLER = 0x7c70;
const MOUSE_BYTES = 0x7c90;
const SUM = 0x500;
const MOUSE_CODE = [
  ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0, 0xfc], // xor ax, ax; mov ds, ax; mov es, ax; cld
  ...[0xc6, 0x06, SUM & 0xff, SUM >> 8, 0x00], // mov byte [sum], 0
  ...[0xb8, 0x05, 0xc2, 0xb7, 0x03, 0xcd, 0x15], // mov ax, 0c205h; mov bh, 3; int 15h
  ...[0xb8, 0x07, 0xc2, 0xbb, HANDLER & 0xff, HANDLER >> 8, 0xcd, 0x15], // mov ax, 0c207h; mov bx, handler; int 15h
  ...[0xb8, 0x00, 0xc2, 0xb7, 0x01, 0xcd, 0x15], // mov ax, 0c200h; mov bh, 1; int 15h
  ...[0xbe, MOUSE_BYTES & 0xff, MOUSE_BYTES >> 8], // mov si, bytes
  ...[0xb9, 0x06, 0x00], // mov cx, 6
  ...[0xb0, 0xd3, 0xe6, 0x64, 0xac, 0xe6, 0x60], // next: the controller sends the byte as if it were the mouse's
  ...[0xe4, 0x64, 0xa8, 0x01, 0x75, 0xfa], // wait: in al, 64h; test al, 1; jnz wait
  ...[0xe2, 0xf1], // loop next
  ...[0xa0, SUM & 0xff, SUM >> 8, 0xe6, 0xf4], // mov al, [sum]; out 0f4h, al
  ...[0xf4, 0xeb, 0xfd], // hlt for ever
];
/** Adds to the sum: status and x, less y. */
const HANDLER_CODE = [
  ...[0x55, 0x89, 0xe5], // push bp; mov bp, sp
  ...[0x8a, 0x46, 0x0c, 0x02, 0x46, 0x0a, 0x2a, 0x46, 0x08], // mov al, [bp+12]; add al, [bp+10]; sub al, [bp+8]
  ...[0x00, 0x06, SUM & 0xff, SUM >> 8], // add [sum], al
  ...[0x5d, 0xcb], // pop bp; retf
];

test(
  "the pointing device's handler is called for each packet, and the program goes on behind it",
  LIMIT,
  async () => {
    await using folder = await workFolder();
    const floppy = join(folder.path, "floppy.img");
    const image = new Uint8Array(SECTOR_BYTES);
    image.set(MOUSE_CODE);
    image.set(HANDLER_CODE, HANDLER - 0x7c00);
    image.set([0x09, 5, 3, 0x08, 1, 0], MOUSE_BYTES - 0x7c00);
    image.set([0x55, 0xaa], SECTOR_BYTES - 2);
    await writeFile(floppy, image);
    for (const tier of ["auto", "interpreter"] as const) {
      await using vm = await startVm({
        floppy,
        device: ["isa-debug-exit"],
        memory: "16M",
        tier,
        timeout: 60,
      });
      assert.deepEqual(await vm.ended, { kind: "debug-exit", value: 0x09 + 5 - 3 + 0x08 + 1 });
    }
  },
);

const FLAG = 0x600;
const WAITING_CODE = [
  ...[0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xc0], // xor ax, ax; mov ds, ax; mov es, ax
  ...[0xc6, 0x06, FLAG & 0xff, FLAG >> 8, 0x07], // mov byte [flag], 7
  ...[0xb8, 0x00, 0x83, 0xbb, FLAG & 0xff, FLAG >> 8], // mov ax, 8300h; mov bx, flag
  ...[0x31, 0xc9, 0xba, 0x50, 0xc3, 0xcd, 0x15], // xor cx, cx; mov dx, 50000; int 15h
  ...[0xf4, 0xf6, 0x06, FLAG & 0xff, FLAG >> 8, 0x80, 0x74, 0xf8], // wait: hlt; test byte [flag], 80h; jz wait
  ...[0xa0, FLAG & 0xff, FLAG >> 8, 0xe6, 0xf4], // mov al, [flag]; out 0f4h, al
  ...[0xf4, 0xeb, 0xfd], // hlt for ever
];

test("an event that a program waits for comes by the real-time clock's interrupt", LIMIT, async () => {
  await using folder = await workFolder();
  const floppy = join(folder.path, "floppy.img");
  const image = new Uint8Array(SECTOR_BYTES);
  image.set(WAITING_CODE);
  image.set([0x55, 0xaa], SECTOR_BYTES - 2);
  await writeFile(floppy, image);
  await using vm = await startVm({ floppy, device: ["isa-debug-exit"], memory: "16M", timeout: 60 });
  assert.deepEqual(await vm.ended, { kind: "debug-exit", value: 0x87 });
});

const INTERCEPT = 0x7c40;
const INTERCEPTED_CODE = [
  ...[0x31, 0xc0, 0x8e, 0xd8], // xor ax, ax; mov ds, ax
  ...[0xc7, 0x06, 0x54, 0x00, INTERCEPT & 0xff, INTERCEPT >> 8], // mov word [15h * 4], intercept
  ...[0xc7, 0x06, 0x56, 0x00, 0x00, 0x00], // mov word [15h * 4 + 2], 0
  ...[0xb8, 0x3e, 0x0e, 0xbb, 0x07, 0x00, 0xcd, 0x10], // mov ax, 0e3eh; mov bx, 7; int 10h
  ...[0xb4, 0x00, 0xcd, 0x16, 0xe6, 0xf4], // mov ah, 0; int 16h; out 0f4h, al
  ...[0xf4, 0xeb, 0xfd], // hlt for ever
];
/** The codes of "a" become those of "b". */
const INTERCEPT_CODE = [
  ...[0x3c, 0x1e, 0x75, 0x02, 0xb0, 0x30], // cmp al, 1eh; jne on; mov al, 30h
  ...[0xf9, 0xca, 0x02, 0x00], // on: stc; retf 2
];

test("a program sees the keyboard's codes before the BIOS does, and may change them", LIMIT, async () => {
  await using folder = await workFolder();
  const floppy = join(folder.path, "floppy.img");
  const image = new Uint8Array(SECTOR_BYTES);
  image.set(INTERCEPTED_CODE);
  image.set(INTERCEPT_CODE, INTERCEPT - 0x7c00);
  image.set([0x55, 0xaa], SECTOR_BYTES - 2);
  await writeFile(floppy, image);
  await using vm = await startVm({ floppy, device: ["isa-debug-exit"], memory: "16M", timeout: 60 });
  await vm.waitForScreen(">", { timeoutMs: TIMEOUT_MS });
  vm.typeKeys([{ kind: "text", text: "a" }]);
  assert.deepEqual(await vm.ended, { kind: "debug-exit", value: "b".charCodeAt(0) });
});

/** Stands for the distance to what follows the code. */
const FAILED = -1;
const EJECTING_CODE = withFailure(
  [
    ...[0x31, 0xc0, 0x8e, 0xd8], // xor ax, ax; mov ds, ax
    ...[0xb8, 0x00, 0x45, 0xcd, 0x13, 0x72, FAILED], // mov ax, 4500h; int 13h; jc failed
    ...[0xb8, 0x00, 0x46, 0xcd, 0x13, 0x73, FAILED], // mov ax, 4600h; int 13h; jnc failed
    ...[0x80, 0xfc, 0xb1, 0x75, FAILED], // cmp ah, 0b1h; jne failed
    ...[0xb8, 0x01, 0x45, 0xcd, 0x13, 0x72, FAILED], // mov ax, 4501h; int 13h; jc failed
    ...[0x66, 0xa1, 0x54, 0x00, 0x66, 0xa3, 0x00, 0x05], // mov eax, [15h * 4]; mov [500h], eax
    ...[0x66, 0xc7, 0x06, 0x54, 0x00, 0x00, 0x7d, 0x00, 0x00], // mov dword [15h * 4], 0000:7d00
    ...[0xb8, 0x00, 0x46, 0xcd, 0x13, 0x73, FAILED], // mov ax, 4600h; int 13h; jnc failed
    ...[0x80, 0xfc, 0xb3, 0x75, FAILED], // cmp ah, 0b3h; jne failed
    ...[0x66, 0xa1, 0x00, 0x05, 0x66, 0xa3, 0x54, 0x00], // mov eax, [500h]; mov [15h * 4], eax
    ...[0xb8, 0x00, 0x46, 0xcd, 0x13, 0x72, FAILED], // mov ax, 4600h; int 13h; jc failed
    ...[0xbe, 0x10, 0x7d, 0xb8, 0x00, 0x42, 0xcd, 0x13, 0x73, FAILED], // mov si, 7d10h; mov ax, 4200h; int 13h; jnc
    ...[0x88, 0xe0, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd], // mov al, ah; out 0f4h, al; hlt for ever
  ],
  [0xb0, 0xff, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd], // failed: mov al, 0ffh; out 0f4h, al; hlt for ever
);
const REFUSING_HANDLER = [0xb4, 0xb3, 0xf9, 0xca, 0x02, 0x00]; // mov ah, 0b3h; stc; retf 2
const READ_PACKET = [16, 0, 1, 0, 0x00, 0x50, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/** The code with what follows it, to which its jumps lead. */
function withFailure(code: readonly number[], failure: readonly number[]): number[] {
  const bytes = code.map((byte, at) => (byte === FAILED ? code.length - at - 1 : byte));
  return [...bytes, ...failure];
}

test(
  "a program from a CD locks its drive, unlocks it, hears from another that it may not eject, and ejects",
  LIMIT,
  async () => {
    await using folder = await workFolder();
    const cdrom = join(folder.path, "cd.iso");
    const code = new Uint8Array(SECTOR_BYTES);
    code.set(EJECTING_CODE);
    code.set(REFUSING_HANDLER, 0x100);
    code.set(READ_PACKET, 0x110);
    await writeFile(cdrom, bootableDisc([...code]));
    for (const tier of ["auto", "interpreter"] as const) {
      await using vm = await startVm({ cdrom, device: ["isa-debug-exit"], memory: "16M", tier, timeout: 60 });
      const NO_MEDIA = 0x31;
      assert.deepEqual(await vm.ended, { kind: "debug-exit", value: NO_MEDIA });
    }
  },
);
