/**
 * Linux whose root is an ext4 file system on an NVMe disk: it reads and writes it, finds its data after a reset, and
 * leaves it clean when it powers off. The kernel is that of the ready-made guest, whose busybox is all the disk has.
 * matrix/rows-debian.ts does the same with a whole Debian.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdir, mkdtempDisposable, readFile, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";

import { MiB } from "../../src/base/index.ts";
import { Unavailable } from "../programs/run-tool.ts";
import { checkExt4Image, fileInCpio, fileInImage, makeExt4Image } from "./ext4-image.ts";
import { BOOT_TIMEOUT_MS, catalogueEntry, guestOptions, LIMIT, linuxShell } from "./guests.ts";

const NAME = "linux-amd64";
const DISK_BYTES = 64 * MiB;
const COMMAND_TIMEOUT_MS = 60_000;
const MARK = catalogueEntry(NAME).mark.text;

const INIT = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root TERM=linux
dmesg -n 4
echo '${MARK}'
setsid cttyhack sh
sync
mount -o remount,ro /
poweroff -f
`;

/** What starts Linux with its root on the disk `image`; undefined, after telling why, where something is missing. */
async function prepare(t: TestContext, folder: string, image: string) {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return undefined;
  const root = join(folder, "root");
  for (const name of ["bin", "dev", "proc", "sys", "root"])
    await mkdir(join(root, name), { recursive: true });
  const busybox = fileInCpio(await readFile(String(options.initrd)), "bin/busybox");
  await writeFile(join(root, "bin", "busybox"), busybox, { mode: 0o755 });
  await symlink("busybox", join(root, "bin", "sh"));
  await writeFile(join(root, "init"), INIT, { mode: 0o755 });
  try {
    await makeExt4Image(image, root, DISK_BYTES);
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(thrown.message);
    return undefined;
  }
  const append = "console=ttyS0 panic=-1 root=/dev/nvme0n1 rw init=/init";
  return { kernel: options.kernel, memory: options.memory, append };
}

test(
  "Linux on an NVMe disk keeps its data over a reset and leaves its file system clean",
  LIMIT,
  async (t) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-nvme-"));
    const image = join(folder.path, "disk.img");
    const options = await prepare(t, folder.path, image);
    if (options === undefined) return;
    await using shell = await linuxShell({ ...options, disk: `${image},bus=nvme` }, NAME);
    const { vm } = shell;
    const run = (command: string): Promise<string> => shell.answer(command, COMMAND_TIMEOUT_MS);

    assert.match(await run("grep ' / ' /proc/mounts"), /^\/dev\/root \/ ext4 rw/);
    assert.equal(await run("cat /sys/block/nvme0n1/device/serial | tr -d ' '"), "TYPEVISOR1");
    assert.match(await run("grep nvme0q /proc/interrupts"), /PCI-MSI \d+-edge\s+nvme0q1/);
    const written = await run("dd if=/dev/urandom of=/data bs=64k count=200 2>/dev/null; sha256sum </data");
    await run("echo kept >/kept; sync; echo 3 >/proc/sys/vm/drop_caches");
    assert.equal(await run("sha256sum </data"), written);

    await vm.write("reboot -f\n");
    await vm.waitFor(new RegExp(`${MARK}[^]*${MARK}`), { timeoutMs: BOOT_TIMEOUT_MS });
    await run("stty -echo");
    assert.equal(await run("cat /kept"), "kept");
    assert.equal(await run("sha256sum </data"), written);
    const { statistics } = await vm.statistics();
    assert.equal(statistics.resets, 1);

    await vm.write("exit\n");
    assert.equal((await vm.ended).kind, "powered-off");
    const check = await checkExt4Image(image);
    assert.equal(check.status, 0, check.output);
    assert.equal(await fileInImage(image, "/kept"), "kept\n");
  },
);

test("what is written to a temporary disk is not in its file", LIMIT, async (t) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-nvme-"));
  const image = join(folder.path, "disk.img");
  const options = await prepare(t, folder.path, image);
  if (options === undefined) return;
  const sum = async (): Promise<string> =>
    createHash("sha256")
      .update(await readFile(image))
      .digest("hex");
  const before = await sum();
  await using shell = await linuxShell({ ...options, disk: { file: image, temporary: true } }, NAME);
  await shell.answer("echo gone >/gone; sync; echo 3 >/proc/sys/vm/drop_caches");
  assert.equal(await shell.answer("cat /gone"), "gone");
  await shell.vm.stop();
  assert.equal(await sum(), before);
});
