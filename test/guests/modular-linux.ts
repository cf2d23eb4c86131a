/**
 * Debian's cloud kernel together with drivers that it has as modules, which the ready-made guest leaves out: kernel and
 * modules must be of one package, so both are taken from it. It is downloaded by apt-get into the user's cache.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { copyFile, mkdir, mkdtempDisposable, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";

import { buildCpio } from "../../src/host/index.ts";
import type { CpioEntry } from "../../src/host/index.ts";
import { programCacheFolder } from "../programs/debian-archives.ts";
import { kernelPackage, unpackPackage } from "./debian-package.ts";

const META_PACKAGE = "linux-image-cloud-amd64";
/** In the order in which they can be loaded. */
export const VIRTIO_MODULES = [
  "drivers/virtio/virtio_ring.ko",
  "drivers/virtio/virtio.ko",
  "drivers/virtio/virtio_pci_legacy_dev.ko",
  "drivers/virtio/virtio_pci_modern_dev.ko",
  "drivers/virtio/virtio_pci.ko",
  "drivers/block/virtio_blk.ko",
  "drivers/char/hw_random/virtio-rng.ko",
  "drivers/virtio/virtio_balloon.ko",
] as const;
export const NETWORK_MODULES = [
  "drivers/virtio/virtio_ring.ko",
  "drivers/virtio/virtio.ko",
  "drivers/virtio/virtio_pci_legacy_dev.ko",
  "drivers/virtio/virtio_pci_modern_dev.ko",
  "drivers/virtio/virtio_pci.ko",
  "net/core/failover.ko",
  "drivers/net/net_failover.ko",
  "drivers/net/virtio_net.ko",
] as const;
export const IDE_MODULES = [
  "drivers/scsi/scsi_common.ko",
  "drivers/scsi/scsi_mod.ko",
  "drivers/ata/libata.ko",
  "drivers/ata/ata_piix.ko",
  "drivers/scsi/sd_mod.ko",
  "drivers/cdrom/cdrom.ko",
  "drivers/scsi/sr_mod.ko",
] as const;
/** Loaded apart, since it takes over the terminal. */
const CONSOLE_MODULE = "drivers/char/virtio_console.ko";

export interface ModularLinux {
  readonly kernelPath: string;
  /** An archive with /modules and /console, to be put behind another initramfs. */
  readonly modulesPath: string;
}

/** `modules` are paths below the package's kernel/ folder. Throws Unavailable where the package cannot be had. */
export async function modularLinux(modules: readonly string[]): Promise<ModularLinux> {
  const name = await kernelPackage(META_PACKAGE);
  const home = join(programCacheFolder(), `${name}-${digestOf(modules)}`);
  const files = { kernelPath: join(home, "kernel"), modulesPath: join(home, "modules.cpio") };
  if (existsSync(home)) return files;
  await mkdir(programCacheFolder(), { recursive: true });
  await using work = await mkdtempDisposable(join(programCacheFolder(), ".work-"));
  const tree = await unpackPackage(name, work.path);
  const version = name.replace("linux-image-", "");
  await mkdir(join(work.path, "home"));
  await copyFile(join(tree, "boot", `vmlinuz-${version}`), join(work.path, "home", "kernel"));
  const entries: CpioEntry[] = [{ kind: "directory", path: "modules" }];
  for (const [index, module] of modules.entries()) {
    const data = await readFile(join(tree, "lib/modules", version, "kernel", module));
    entries.push({ kind: "file", path: `modules/${index}-${moduleName(module)}.ko`, data });
  }
  entries.push({ kind: "directory", path: "console" });
  const data = await readFile(join(tree, "lib/modules", version, "kernel", CONSOLE_MODULE));
  entries.push({ kind: "file", path: "console/virtio_console.ko", data });
  await writeFile(join(work.path, "home", "modules.cpio"), buildCpio(entries));
  await rename(join(work.path, "home"), home);
  return files;
}

function digestOf(modules: readonly string[]): string {
  return createHash("sha256")
    .update([...modules, CONSOLE_MODULE].join(" "))
    .digest("hex")
    .slice(0, 12);
}

function moduleName(path: string): string {
  return /([^/]+)\.ko$/.exec(path)?.[1] ?? path;
}
