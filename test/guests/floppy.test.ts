/** Diskettes as guests use them: GNU Mach's driver finds the drives, Linux's reads and writes one from end to end. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import { MiB } from "../../src/base/index.ts";
import { Unavailable } from "../programs/run-tool.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT, linuxShell } from "./guests.ts";
import type { Skippable } from "./guests.ts";
import { kernelWithModules } from "./kernel-modules.ts";
import type { KernelWithModules } from "./kernel-modules.ts";

const DISKETTE_BYTES = 1440 * 1024;
const TRANSFER_TIMEOUT_MS = 120_000;

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function workFolder() {
  const path = await mkdtemp(join(tmpdir(), "typevisor-floppy-"));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

async function floppyKernel(t: Skippable): Promise<KernelWithModules | undefined> {
  try {
    return await kernelWithModules(["drivers/block/floppy.ko"]);
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(`the kernel's modules cannot be had: ${thrown.message}`);
    return undefined;
  }
}

test("GNU Mach finds both drives and takes the controller for what it is", LIMIT, async (t) => {
  const options = await guestOptions(t, "gnumach");
  if (options === undefined) return;
  await using folder = await workFolder();
  const images = [1440, 2880].map((kib) => ({ file: join(folder.path, `${kib}.img`), kib }));
  for (const { file, kib } of images) await writeFile(file, new Uint8Array(kib * 1024));
  const vm = await startVm({ ...options, floppy: images.map(({ file }) => file), profile: "off" });
  try {
    const timeoutMs = BOOT_TIMEOUT_MS;
    await vm.waitFor(/Floppy drive\(s\): fd0 is 1\.44M, fd1 is 2\.88M/, { timeoutMs });
    await vm.waitFor("FDC 0 is a post-1991 82077", { timeoutMs });
  } finally {
    await vm.stop();
  }
});

test("Linux reads a diskette as it is, and what it writes is in the image", LIMIT, async (t) => {
  const options = await guestOptions(t, "linux-amd64");
  const floppy = options === undefined ? undefined : await floppyKernel(t);
  if (options === undefined || floppy === undefined) return;
  await using folder = await workFolder();
  const image = join(folder.path, "diskette.img");
  const before = new Uint8Array(DISKETTE_BYTES).map((_, at) => (at * 31 + (at >> 9) * 7) & 0xff);
  await writeFile(image, before);
  const initrd = join(folder.path, "initrd");
  assert.ok(typeof options.initrd === "string");
  await writeFile(initrd, Buffer.concat([await readFile(options.initrd), floppy.modules]));
  const { kernel } = floppy;
  const memory = 256 * MiB;
  let written: string;
  {
    await using shell = await linuxShell(
      { ...options, kernel, initrd, memory, floppy: image },
      "linux-amd64",
    );
    await shell.answer("insmod /modules/floppy.ko; while [ ! -b /dev/fd0 ]; do sleep 0.1; done");
    assert.match(await shell.answer("cat /proc/dma"), /2: floppy/);
    const read = await shell.answer("dd if=/dev/fd0 bs=18k 2>/dev/null | sha256sum", TRANSFER_TIMEOUT_MS);
    assert.equal(read, `${sha256(before)}  -`);
    await shell.answer("head -c 1474560 /dev/urandom >new");
    written = (await shell.answer("sha256sum <new")).slice(0, 64);
    const copy = "dd if=new of=/dev/fd0 bs=18k 2>&1; sync";
    assert.match(await shell.answer(copy, TRANSFER_TIMEOUT_MS), /^80\+0 records out/m);
    assert.equal(await shell.answer("dmesg | grep -ci 'floppy.*error'"), "0");
  }
  assert.equal(sha256(await readFile(image)), written);
});
