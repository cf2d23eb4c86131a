/**
 * Linux with its own virtio drivers, by the legacy interface and by version 1, with split and packed queues, over the
 * pin and by messages: it finds its disk, reads and writes it with the right sums, gets random bytes, and gives memory into
 * its balloon.
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtempDisposable, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";
import type { TestContext } from "node:test";

import { alignDown, KiB, MiB } from "../../src/base/index.ts";
import { loadHostPages } from "../../src/platform/node/index.ts";
import { Unavailable } from "../programs/run-tool.ts";
import type { GuestMemory, Vm } from "../../src/apps/embed/index.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT, linuxShell } from "./guests.ts";
import type { LinuxShell, Skippable } from "./guests.ts";
import { modularLinux, VIRTIO_MODULES } from "./modular-linux.ts";

const NAME = "linux-amd64";
const DISK_BYTES = 16 * MiB;
/** What the guest writes, and where. */
const WRITTEN_BYTES = 3 * MiB;
const WRITTEN_AT = 5 * MiB;
const COMMAND_TIMEOUT_MS = 60_000;
const BALLOON_BYTES = 32 * MiB;
/** What the guest uses and frees again, before its host takes it. */
const USED_BYTES = 40 * MiB;
/** What it may keep beside its balloon. */
const LEFT_BYTES = 24 * MiB;
/** Linux has no free blocks as large as 2 to this many pages. */
const NO_ORDER = 11;
/** Feature bits as sysfs shows them: a digit each. */
const VERSION_1 = 32;
const RING_PACKED = 34;

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** Files for one VM: the disk, and the initramfs with the modules. */
async function prepare(t: TestContext, folder: string) {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return undefined;
  try {
    const { kernelPath, modulesPath } = await modularLinux(VIRTIO_MODULES);
    const initrd = join(folder, "initrd");
    const shell = await readFile(String(options.initrd));
    await writeFile(initrd, Buffer.concat([shell, await readFile(modulesPath)]));
    const disk = join(folder, "disk");
    await writeFile(disk, randomBytes(DISK_BYTES));
    return { ...options, kernel: kernelPath, initrd, disk: `${disk},bus=virtio`, diskPath: disk };
  } catch (thrown) {
    if (!(thrown instanceof Unavailable)) throw thrown;
    t.skip(thrown.message);
    return undefined;
  }
}

const run = (shell: LinuxShell, command: string): Promise<string> =>
  shell.answer(command, COMMAND_TIMEOUT_MS);

/** Reads all of the disk, writes a part of it and reads that again; returns the sum of what was written. */
async function exercise(shell: LinuxShell, diskPath: string): Promise<string> {
  assert.equal(await run(shell, "cat /sys/block/vda/serial; echo"), "TYPEVISOR1");
  assert.equal(await run(shell, "sha256sum </dev/vda"), `${sha256(await readFile(diskPath))}  -`);
  const blocks = `bs=4096 count=${WRITTEN_BYTES / 4096}`;
  await run(shell, `dd if=/dev/urandom of=new ${blocks} 2>/dev/null`);
  await run(
    shell,
    `dd if=new of=/dev/vda ${blocks} seek=${WRITTEN_AT / 4096} conv=fsync,notrunc 2>/dev/null`,
  );
  await run(shell, "echo 3 >/proc/sys/vm/drop_caches");
  const written = await run(shell, "sha256sum <new");
  assert.equal(
    await run(shell, `dd if=/dev/vda ${blocks} skip=${WRITTEN_AT / 4096} 2>/dev/null | sha256sum`),
    written,
  );
  const part = (await readFile(diskPath)).subarray(WRITTEN_AT, WRITTEN_AT + WRITTEN_BYTES);
  assert.equal(`${sha256(part)}  -`, written);

  assert.equal(await run(shell, "cat /sys/class/misc/hw_random/rng_current"), "virtio_rng.0");
  const random = () =>
    run(shell, "dd if=/dev/hwrng bs=64 count=1 2>/dev/null | hexdump -ve '1/1 \"%02x\"'; echo");
  const [first, second] = [await random(), await random()];
  assert.match(first, /^[0-9a-f]{128}$/);
  assert.notEqual(first, second);
  return written;
}

const load = (shell: LinuxShell, pciOptions = ""): Promise<string> =>
  run(
    shell,
    `for m in /modules/*; do case $m in *virtio_pci.ko) o=${pciOptions};; *) o=;; esac; insmod $m $o || echo failed $m; done`,
  );

/** What the guest tells once its balloon has a size. */
async function balloonOf(vm: Vm, sizeBytes: number): Promise<GuestMemory> {
  const endMs = performance.now() + COMMAND_TIMEOUT_MS;
  let memory = await vm.guestMemory();
  while (memory.balloonBytes !== sizeBytes && performance.now() < endMs) memory = await vm.guestMemory();
  assert.equal(memory.balloonBytes, sizeBytes);
  return await vm.guestMemory();
}

/** What the VM's process has in memory. */
function residentBytes({ pid }: Vm): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * KiB;
}

/** Waits until the VM's process has no more than this in memory. */
async function shrinks(vm: Vm, toBytes: number): Promise<void> {
  const endMs = performance.now() + COMMAND_TIMEOUT_MS;
  while (residentBytes(vm) > toBytes && performance.now() < endMs) await setTimeout(100);
  assert.ok(residentBytes(vm) <= toBytes, `${residentBytes(vm)} bytes are resident, not ${toBytes}`);
}

/** Files in the guest's memory, which are gone again when the command is done. */
const use = (shell: LinuxShell): Promise<string> =>
  run(shell, `dd if=/dev/zero of=used bs=1M count=${USED_BYTES / MiB} 2>/dev/null`);

/** What the guest has freed, its balloon takes, and what it reports as free, leaves the VM's process. */
async function giveBack(t: Skippable, shell: LinuxShell): Promise<void> {
  const { vm } = shell;
  if ((await loadHostPages()) === undefined) {
    t.skip(`this host (${process.platform}, Node.js ${process.version}) gives no pages back`);
    return;
  }
  // Linux reports no free memory by itself meanwhile.
  const order = "/sys/module/page_reporting/parameters/page_reporting_order";
  const usualOrder = await run(shell, `cat ${order}`);
  assert.equal(await run(shell, `echo ${NO_ORDER} >${order}; cat ${order}`), String(NO_ORDER));
  await use(shell);
  await run(shell, "rm used");
  const used = residentBytes(vm);
  const { releasedBytes: before, statistics } = await vm.guestMemory();
  const sizeBytes = alignDown((statistics?.freeBytes ?? 0) - LEFT_BYTES, 4 * KiB);
  vm.setBalloon(sizeBytes);
  const { releasedBytes: after } = await balloonOf(vm, sizeBytes);
  assert.equal(after - before, sizeBytes);
  await shrinks(vm, used - 0.5 * USED_BYTES);

  vm.setBalloon(0);
  await balloonOf(vm, 0);
  const small = residentBytes(vm);
  await use(shell);
  assert.equal(await run(shell, "tr -d '\\0' <used | wc -c"), "0");
  const grown = residentBytes(vm);
  assert.ok(grown > small + 0.5 * USED_BYTES, `${small} bytes were resident, then ${grown}`);
  // Without a target: Linux reports what has been free for two seconds.
  await run(shell, `echo ${usualOrder} >${order}; rm used`);
  await shrinks(vm, grown - 0.5 * USED_BYTES);
}

async function featuresOf(shell: LinuxShell): Promise<string> {
  return await run(shell, "cat /sys/bus/virtio/devices/virtio0/features");
}

test(
  "over the pin: the legacy interface, then packed queues after the drivers were taken away",
  LIMIT,
  async (t) => {
    await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-virtio-"));
    const prepared = await prepare(t, folder.path);
    if (prepared === undefined) return;
    const { diskPath, ...options } = prepared;
    const rings = { device: ["virtio-rng"], "virtio-ring": "packed" } as const;
    await using shell = await linuxShell({ ...options, ...rings }, NAME);
    assert.equal(await load(shell, "force_legacy=1"), "");
    assert.equal((await featuresOf(shell)).slice(VERSION_1, RING_PACKED + 1), "000");
    await exercise(shell, diskPath);
    assert.match(await run(shell, "grep virtio /proc/interrupts"), /XT-PIC\s+virtio/);

    const unload = await run(
      shell,
      "for m in virtio_rng virtio_balloon virtio_blk virtio_pci virtio_pci_modern_dev virtio_pci_legacy_dev virtio virtio_ring; do rmmod $m; done",
    );
    assert.equal(unload, "");
    assert.equal(await load(shell), "");
    assert.equal((await featuresOf(shell)).slice(VERSION_1, RING_PACKED + 1), "101");
    await exercise(shell, diskPath);
  },
);

test("by messages: version 1 with split queues", LIMIT, async (t) => {
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-virtio-"));
  const prepared = await prepare(t, folder.path);
  if (prepared === undefined) return;
  const { diskPath, ...options } = prepared;
  const withApic = {
    append: "console=ttyS0 panic=-1",
    device: ["virtio-rng", "virtio-console", "virtio-balloon"],
  } as const;
  await using shell = await linuxShell({ ...options, ...withApic }, NAME);
  assert.equal(await load(shell), "");
  assert.equal((await featuresOf(shell)).slice(VERSION_1, RING_PACKED + 1), "100");
  await exercise(shell, diskPath);
  assert.match(await run(shell, "grep virtio /proc/interrupts"), /PCI-MSI \d+-edge\s+virtio\d-req\.0/);

  const { statistics: before } = await shell.vm.guestMemory();
  shell.vm.setBalloon(BALLOON_BYTES);
  const { statistics: during } = await balloonOf(shell.vm, BALLOON_BYTES);
  const total = Number(await run(shell, "awk '/MemTotal/ { print $2 }' /proc/meminfo")) * KiB;
  assert.equal(during?.totalBytes, total);
  assert.ok((during?.freeBytes ?? 0) < (before?.freeBytes ?? 0) - BALLOON_BYTES / 2);
  assert.ok((during?.minorFaults ?? 0) > 0 && (during?.availableBytes ?? 0) > 0);
  shell.vm.setBalloon(0);
  const { statistics: after } = await balloonOf(shell.vm, 0);
  assert.ok((after?.freeBytes ?? 0) > (during?.freeBytes ?? 0) + BALLOON_BYTES / 2);

  await giveBack(t, shell);

  // From when its driver is there, what is typed goes to the virtio console: a shell has to be there too.
  // It is open without a break: Linux drops what was typed when the last one closes a terminal.
  const shellThere = "exec <>/dev/hvc0 >&0 2>&1; echo hvc0 is up; exec sh -i";
  await shell.vm.write(
    `insmod /console/virtio_console.ko; stty -F /dev/hvc0 -echo; setsid sh -c '${shellThere}'\n`,
  );
  await shell.vm.waitFor("hvc0 is up", { timeoutMs: COMMAND_TIMEOUT_MS });
  assert.equal(await run(shell, "readlink /proc/self/fd/0"), "/dev/hvc0");
  const lines = Array.from({ length: 5000 }, (_, index) => String(index + 1));
  assert.deepEqual((await run(shell, "seq 1 5000")).split("\r\n"), lines);

  // A file system: many requests side by side, and what was written survives a reset while the disk is in use.
  assert.equal(await run(shell, "mkdir mnt; mke2fs /dev/vda >/dev/null && mount /dev/vda mnt"), "");
  await run(shell, "for i in 1 2 3 4; do cp /bin/busybox mnt/$i & done; wait; sync");
  await shell.vm.write("while :; do cp /bin/busybox mnt/5; echo copied 5; done &\n");
  await shell.vm.waitFor("copied 5", { timeoutMs: COMMAND_TIMEOUT_MS });
  await shell.vm.reset();
  await shell.vm.waitFor(/copied 5[^]*Linux version[^]*is up/, { timeoutMs: BOOT_TIMEOUT_MS });
  await shell.answer("stty -echo");
  assert.equal(await load(shell), "");
  assert.equal(await run(shell, "mkdir mnt; mount /dev/vda mnt"), "");
  const sums = await run(shell, "sha256sum /bin/busybox mnt/[1234]");
  const distinct = new Set(sums.split("\r\n").map((line) => line.slice(0, 64)));
  assert.deepEqual([sums.split("\r\n").length, distinct.size], [5, 1], sums);
});
