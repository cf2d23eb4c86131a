/**
 * A whole Debian on an NVMe disk: it boots to its login on the serial port, somebody logs in, writes a file and shuts it
 * down; after another start, in another VM, the file is there, and the host finds the file system clean.
 */
import assert from "node:assert/strict";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import type { Vm, VmOptions } from "../../src/apps/embed/index.ts";
import { Unavailable } from "../programs/run-tool.ts";
import { makeDebianDisk, ROOT_PASSWORD } from "./debian-disk-image.ts";
import { checkExt4Image, fileInImage } from "./ext4-image.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT, LinuxShell } from "./guests.ts";

const patience = { timeoutMs: BOOT_TIMEOUT_MS };

/** Boots, logs in, and hands the shell over; then shuts the system down as its administrator does. */
async function session(options: VmOptions, work: (shell: LinuxShell) => Promise<void>): Promise<number> {
  await using vm: Vm = await startVm(options);
  const startMs = performance.now();
  await vm.waitFor("debian login: ", patience);
  const bootMs = performance.now() - startMs;
  await vm.write("root\n");
  await vm.waitFor("Password: ", patience);
  await vm.write(`${ROOT_PASSWORD}\n`);
  await vm.waitFor("root@debian:~# ", patience);
  const shell = new LinuxShell(vm);
  await shell.answer("stty -echo");
  await work(shell);
  await vm.write("poweroff\n");
  assert.equal((await vm.ended).kind, "powered-off");
  return bootMs;
}

test("Debian on an NVMe disk: login, clean shutdown, and its data after the next start", LIMIT, async (t) => {
  const guest = await guestOptions(t, "linux-amd64");
  if (guest === undefined) return;
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-debian-"));
  const image = join(folder.path, "debian.img");
  try {
    await makeDebianDisk(image, "/dev/nvme0n1");
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(thrown.message);
    return;
  }
  const options: VmOptions = {
    kernel: guest.kernel,
    append: "console=ttyS0 root=/dev/nvme0n1 rw",
    disk: `${image},bus=nvme`,
    memory: "512M",
  };
  let written = "";
  const firstMs = await session(options, async (shell) => {
    assert.match(await shell.answer("systemctl --failed --no-legend --plain | wc -l"), /^0$/);
    written = await shell.answer(
      "dd if=/dev/urandom of=/var/lib/data bs=1M count=16 2>/dev/null; sha256sum /var/lib/data",
      BOOT_TIMEOUT_MS,
    );
    await shell.answer("echo kept >/var/lib/kept; sync");
  });
  const secondMs = await session(options, async (shell) => {
    assert.equal(await shell.answer("cat /var/lib/kept"), "kept");
    assert.equal(await shell.answer("sha256sum /var/lib/data", BOOT_TIMEOUT_MS), written);
  });
  const check = await checkExt4Image(image);
  assert.equal(check.status, 0, check.output);
  assert.equal(await fileInImage(image, "/var/lib/kept"), "kept\n");
  t.diagnostic(`login after ${(firstMs / 1000).toFixed(1)} s and ${(secondMs / 1000).toFixed(1)} s`);
});
