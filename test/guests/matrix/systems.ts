/** Files of the systems that several rows boot, taken from the ready-made guests and from Debian packages. */

import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";

import { readyMadeGuest } from "../../../src/apps/embed/index.ts";
import type { VmOptions } from "../../../src/apps/embed/index.ts";
import { buildCpio } from "../../../src/host/index.ts";
import { kernelPackage } from "../debian-package.ts";
import { catalogueEntry } from "../guests.ts";
import type { GuestName } from "../guests.ts";
import { modularLinux } from "../modular-linux.ts";
import { filesOfPackage } from "../package-files.ts";
import type { Mark } from "./row.ts";

export function markOf(name: GuestName): Mark {
  const { where, text } = catalogueEntry(name).mark;
  return { where: where === "serial" ? "serial" : "screen", text };
}
export const guest = (name: GuestName): Promise<VmOptions> => readyMadeGuest(name);

export interface LinuxFiles {
  readonly kernel: string;
  readonly initrd: string;
}

/** A Linux that comes to a shell by itself, with nothing but its initramfs. */
export async function linuxFiles(name: "linux-amd64" | "linux-i386"): Promise<LinuxFiles> {
  const { kernel, initrd } = await readyMadeGuest(name);
  return { kernel: String(kernel), initrd: String(initrd) };
}

/** Debian's full kernel: the one for cloud machines cannot be Xen's dom0. */
export async function fullKernel(): Promise<string> {
  const name = await kernelPackage("linux-image-amd64");
  const path = `boot/vmlinuz-${name.replace("linux-image-", "")}`;
  return (await filesOfPackage(name, [path]))(basename(path));
}

export interface InstallerFiles extends LinuxFiles {
  /** Of Debian's release. */
  readonly memory: string;
}

export const installerPackage = (architecture: "amd64" | "i386"): string =>
  `debian-installer-12-netboot-${architecture}`;

export async function installerFiles(architecture: "amd64" | "i386" = "amd64"): Promise<InstallerFiles> {
  const folder = `usr/lib/debian-installer/images/12/${architecture}/text/debian-installer/${architecture}`;
  const file = await filesOfPackage(installerPackage(architecture), [
    `${folder}/linux`,
    `${folder}/initrd.gz`,
  ]);
  return { kernel: file("linux"), initrd: file("initrd.gz"), memory: "1G" };
}

/**
 * A kernel with drivers as modules, and an initramfs that loads them, mounts `root` (a device) and starts the system there,
 * as an installed Debian's does.
 */
export async function linuxForDisk(
  folder: string,
  modules: readonly string[],
  root: string,
): Promise<LinuxFiles> {
  const { kernelPath, modulesPath } = await modularLinux(modules);
  const { initrd: shell } = await linuxFiles("linux-amd64");
  const init = `#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
/bin/busybox --install -s /bin
export PATH=/bin
for m in /modules/*; do insmod $m; done
while [ ! -b ${root} ]; do sleep 0.1; done
mkdir /new
mount -t ext4 ${root} /new
umount /proc /sys
exec switch_root /new /sbin/init
`;
  const initrd = join(folder, "initrd-for-disk");
  const override = buildCpio([
    { kind: "file", path: "init", mode: 0o755, data: new TextEncoder().encode(init) },
  ]);
  await writeFile(initrd, Buffer.concat([await readFile(shell), await readFile(modulesPath), override]));
  return { kernel: kernelPath, initrd };
}
