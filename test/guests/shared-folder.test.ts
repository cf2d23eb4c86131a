/**
 * Linux with its own 9P client mounts folders of the host: what one side writes the other reads, and a guest gets neither
 * out of its folder nor anything written in one that is shared read-only.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdir, mkdtempDisposable, readdir, readFile, readlink, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { MiB } from "../../src/base/index.ts";
import { Unavailable } from "../programs/run-tool.ts";
import { guestOptions, LIMIT, linuxShell } from "./guests.ts";
import type { Skippable } from "./guests.ts";
import { kernelWithModules } from "./kernel-modules.ts";

const NAME = "linux-amd64";
/** Debian's cloud kernel has no 9P. In the order in which they can be loaded. */
const MODULES = [
  "drivers/virtio/virtio_ring.ko",
  "drivers/virtio/virtio.ko",
  "drivers/virtio/virtio_pci_legacy_dev.ko",
  "drivers/virtio/virtio_pci_modern_dev.ko",
  "drivers/virtio/virtio_pci.ko",
  "fs/netfs/netfs.ko",
  "fs/fscache/fscache.ko",
  "net/9p/9pnet.ko",
  "net/9p/9pnet_virtio.ko",
  "fs/9p/9p.ko",
] as const;
const MODULE_NAMES = MODULES.map((path) => path.slice(path.lastIndexOf("/") + 1));
const LARGE_BYTES = 3 * MiB;
const COMMAND_TIMEOUT_MS = 60_000;

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

async function prepare(t: Skippable, folder: string) {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return undefined;
  try {
    const { kernel, modules } = await kernelWithModules(MODULES);
    const initrd = join(folder, "initrd");
    await writeFile(initrd, Buffer.concat([await readFile(String(options.initrd)), modules]));
    return { ...options, kernel, initrd, append: "console=ttyS0 panic=-1" };
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(thrown.message);
    return undefined;
  }
}

test("folders of the host, one to write and one to read", LIMIT, async (t) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-share-"));
  const options = await prepare(t, folder.path);
  if (options === undefined) return;
  const [writable, readonly] = [join(folder.path, "writable"), join(folder.path, "readonly")];
  await mkdir(writable);
  await mkdir(join(readonly, "sub"), { recursive: true });
  await writeFile(join(folder.path, "secret"), "the host's secret\n");
  await symlink("../secret", join(writable, "out"));
  await symlink("sub/text", join(readonly, "in"));
  await writeFile(join(readonly, "sub", "text"), "from the host\n");
  const large = randomBytes(LARGE_BYTES);
  await writeFile(join(readonly, "large"), large);

  const share = [`${writable},tag=rw,writable`, { folder: readonly, tag: "ro" }];
  await using shell = await linuxShell({ ...options, share }, NAME);
  const run = (command: string): Promise<string> => shell.answer(command, COMMAND_TIMEOUT_MS);
  assert.equal(
    await run(`for m in ${MODULE_NAMES.join(" ")}; do insmod /modules/$m || echo failed $m; done`),
    "",
  );
  const mount = (tag: string): string =>
    `mkdir /${tag}; mount -t 9p -o trans=virtio,version=9p2000.L ${tag} /${tag}`;
  assert.equal(await run(`${mount("rw")} && ${mount("ro")}`), "");

  // What the host has written.
  assert.equal(await run("cat /ro/sub/text /ro/in"), "from the host\r\nfrom the host");
  assert.equal(await run("sha256sum </ro/large"), `${sha256(large)}  -`);
  assert.equal(await run("ls /ro"), "in     large  sub");

  // What the guest writes.
  const blocks = `bs=65536 count=${LARGE_BYTES / 65536}`;
  await run(`dd if=/dev/urandom of=/rw/large ${blocks} 2>/dev/null; echo one >/rw/text; echo two >>/rw/text`);
  const sum = await run("sha256sum </rw/large");
  assert.equal(`${sha256(await readFile(join(writable, "large")))}  -`, sum);
  assert.equal(await readFile(join(writable, "text"), "utf8"), "one\ntwo\n");
  const changes = [
    "mkdir -p /rw/a/b",
    "mv /rw/text /rw/a/b/moved",
    "ln /rw/a/b/moved /rw/hard",
    "ln -s a/b/moved /rw/soft",
    "chmod 640 /rw/hard",
    "truncate -s 5 /rw/hard",
    "rm /rw/large",
    "mkdir /rw/many; cd /rw/many; touch $(seq 1 300); cd /",
    "ls /rw/many | wc -l; rm -r /rw/many",
    "cat /rw/soft; echo",
  ];
  assert.equal(await run(changes.join("; ")), "300\r\none\r\nt");
  assert.deepEqual((await readdir(writable)).toSorted(), ["a", "hard", "out", "soft"]);
  assert.equal(await readFile(join(writable, "a", "b", "moved"), "utf8"), "one\nt");
  assert.equal(await readlink(join(writable, "soft")), "a/b/moved");
  assert.match(await run("stat -c %a:%h /rw/hard"), /^640:2$/);

  // Neither links nor the folder above lead out, and nothing is written where it may only be read.
  assert.match(await run("cat /rw/out"), /No such file/);
  assert.match(await run("cat /rw/../secret"), /No such file/);
  assert.match(await run("cat /rw/a/b/../../../secret"), /No such file/);
  await run("echo guest >/rw/../secret; echo guest >/rw/out");
  assert.match(await run("echo x >/ro/sub/text"), /Read-only file system/);
  assert.match(await run("rm /ro/large"), /Read-only file system/);
  assert.match(await run("mkdir /ro/new"), /Read-only file system/);
  assert.equal(await readFile(join(folder.path, "secret"), "utf8"), "the host's secret\n");
  assert.equal(await readFile(join(readonly, "sub", "text"), "utf8"), "from the host\n");
  assert.deepEqual((await readdir(readonly)).toSorted(), ["in", "large", "sub"]);
  assert.match(await run("mknod /rw/null c 1 3"), /Operation not permitted/);
  assert.equal(await run("umount /rw /ro; dmesg | grep -c 'cut here'"), "0");
});
