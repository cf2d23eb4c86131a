/**
 * A whole Debian on a disk: it boots to its login on the serial port, somebody logs in, writes files and shuts it down; after
 * another start, in another VM, and a reboot within it, they are there, and the host finds the file system clean.
 */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import type { Vm, VmOptions } from "../../../src/apps/embed/index.ts";
import { makeDebianDisk, ROOT_PASSWORD } from "../debian-disk-image.ts";
import { addToImage, checkExt4Image, fileInImage } from "../ext4-image.ts";
import { LinuxShell } from "../guests.ts";
import { IDE_MODULES, VIRTIO_MODULES } from "../modular-linux.ts";
import { makeGrubDisk, partitionOf } from "./media.ts";
import { bothBioses } from "./row.ts";
import type { GuestRow, RowBench } from "./row.ts";
import { linuxFiles, linuxForDisk } from "./systems.ts";

const LOGIN = "debian login: ";
/** Neither the terminal nor the kernel says anything between a command and its answer. */
const QUIET = "stty -echo; dmesg -n 1";
const PACKAGES = ["debootstrap", "linux-image-cloud-amd64"];

async function logIn(vm: Vm, { patience }: RowBench): Promise<LinuxShell> {
  await vm.write("root\n");
  await vm.waitFor("Password: ", patience);
  await vm.write(`${ROOT_PASSWORD}\n`);
  await vm.waitFor("root@debian:~# ", patience);
  const shell = new LinuxShell(vm);
  await shell.answer(QUIET);
  return shell;
}

async function powerOff(vm: Vm): Promise<void> {
  await vm.write("poweroff\n");
  assert.equal((await vm.ended).kind, "powered-off");
}

/** `fileSystem` is where the host's tools find it. */
async function twoSessions(bench: RowBench, options: VmOptions, fileSystem: string): Promise<void> {
  const { timeoutMs } = bench.patience;
  const first = await bench.start(options);
  await bench.reachMark(first);
  const shell = await logIn(first, bench);
  assert.match(await shell.answer("systemctl --failed --no-legend --plain | wc -l"), /^0$/);
  const data = "dd if=/dev/urandom of=/var/lib/data bs=1M count=16 2>/dev/null; sha256sum /var/lib/data";
  const written = await shell.answer(data, timeoutMs);
  await shell.answer("echo kept >/var/lib/kept");
  await powerOff(first);

  const second = await bench.start(options);
  await second.waitFor(LOGIN, bench.patience);
  const again = await logIn(second, bench);
  assert.equal(await again.answer("cat /var/lib/kept"), "kept");
  assert.equal(await again.answer("sha256sum /var/lib/data", timeoutMs), written);
  // The second login prompt of this VM is that behind the reboot.
  await second.write("reboot\n");
  await second.waitFor(new RegExp(`${LOGIN}[^]*${LOGIN}$`), bench.patience);
  await logInAgain(second, again, bench);
  assert.equal(await again.answer("sha256sum /var/lib/data", timeoutMs), written);
  await powerOff(second);

  const check = await checkExt4Image(fileSystem);
  assert.equal(check.status, 0, check.output);
  assert.equal(await fileInImage(fileSystem, "/var/lib/kept"), "kept\n");
}

/** What the first login has said is still in the history of the port: only what comes behind it counts. */
async function logInAgain(vm: Vm, shell: LinuxShell, { patience }: RowBench): Promise<void> {
  await vm.write("root\n");
  await vm.waitFor(/Password: [^]*Password: $/, patience);
  await vm.write(`${ROOT_PASSWORD}\n`);
  await vm.waitFor(/Password: [^]*Password: [^]*root@debian:~# $/, patience);
  await shell.answer(QUIET);
}

const runOnNvme: GuestRow["run"] = async (bench) => {
  const image = join(bench.folder, "debian.img");
  await makeDebianDisk(image, "/dev/nvme0n1");
  const { kernel } = await linuxFiles("linux-amd64");
  const append = "console=ttyS0 root=/dev/nvme0n1 rw";
  await twoSessions(bench, { kernel, append, disk: `${image},bus=nvme`, memory: "512M" }, image);
};

/** The disk has all that it starts from: GRUB, the kernel, an initramfs with its drivers. */
const runFromGrub =
  (bus: "ide" | "virtio", root: string, modules: readonly string[]): GuestRow["run"] =>
  async (bench) => {
    const image = join(bench.folder, "debian.img");
    await makeDebianDisk(image, root, makeGrubDisk);
    const { kernel, initrd } = await linuxForDisk(bench.folder, modules, root);
    const configuration = join(bench.folder, "grub.cfg");
    await writeFile(configuration, "linux /boot/vmlinuz console=ttyS0\ninitrd /boot/initrd\nboot\n");
    await addToImage(partitionOf(image), {
      ...{ "boot/vmlinuz": kernel, "boot/initrd": initrd },
      "boot/grub/grub.cfg": configuration,
    });
    await twoSessions(bench, { disk: `${image},bus=${bus}`, memory: "512M" }, partitionOf(image));
  };

const DEBIAN = {
  guest: "Debian 12 with systemd",
  mark: { where: "serial", text: LOGIN },
  also: "its data after a shutdown and a reboot, a clean file system",
  limitSeconds: 300,
} as const;

export const DEBIAN_ROWS: readonly GuestRow[] = [
  {
    ...{ id: "debian-nvme", ...DEBIAN, packages: PACKAGES, path: "bzImage", firmware: "none", bus: "NVMe" },
    run: runOnNvme,
  },
  ...bothBioses({
    ...{
      id: "debian-ide",
      ...DEBIAN,
      packages: [...PACKAGES, "grub-pc-bin"],
      path: "disk, GRUB",
      bus: "IDE",
    },
    run: runFromGrub("ide", "/dev/sda1", IDE_MODULES),
  }),
  ...bothBioses({
    ...{ id: "debian-virtio", ...DEBIAN, packages: [...PACKAGES, "grub-pc-bin"], path: "disk, GRUB" },
    ...{ bus: "virtio" },
    run: runFromGrub("virtio", "/dev/vda1", VIRTIO_MODULES),
  }),
];
