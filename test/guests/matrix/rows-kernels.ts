/** Kernels and programs that boot loaders start by multiboot or as if they were Linux: Xen, GNU Mach, memtest86+, a game. */

import { basename, join } from "node:path";

import { filesOfPackage } from "../package-files.ts";
import { makeGrubCd } from "./media.ts";
import { bothBioses, startWith } from "./row.ts";
import type { GuestRow, RowBench } from "./row.ts";
import { fullKernel, guest, linuxFiles, markOf } from "./systems.ts";

const CATALOGUE_TEST = "test/guests/catalogue.test.ts";
const XEN = ["xen-hypervisor-4.17-amd64", "linux-image-amd64", "busybox-static"];
const XEN_CONSOLE = "console=com1 com1=115200,8n1 noreboot";
const XEN_MEMORY = "512M";

async function xenFiles() {
  const file = await filesOfPackage("xen-hypervisor-4.17-amd64", ["boot/xen-4.17-amd64.gz"]);
  const { initrd } = await linuxFiles("linux-amd64");
  return { xen: file("xen-4.17-amd64.gz"), kernel: await fullKernel(), initrd };
}

const xenBy = (protocol: "multiboot1" | "multiboot2"): GuestRow["run"] =>
  startWith(async () => {
    const { xen, kernel, initrd } = await xenFiles();
    const module = [`${kernel},args=console=hvc0`, initrd];
    return { kernel: xen, protocol, module, append: XEN_CONSOLE, memory: XEN_MEMORY };
  });

async function xenCd(bench: RowBench): Promise<string> {
  const { xen, kernel, initrd } = await xenFiles();
  const cd = join(bench.folder, "xen.iso");
  const files = { "xen.gz": { from: xen }, vmlinuz: { from: kernel }, initrd: { from: initrd } };
  const configuration = `multiboot2 /xen.gz ${XEN_CONSOLE}
module2 /vmlinuz console=hvc0
module2 /initrd
boot
`;
  await makeGrubCd(cd, files, configuration);
  return cd;
}

/** A CD on which GRUB starts a kernel of a package by multiboot 1. */
async function multibootCd(
  bench: RowBench,
  packageName: string,
  path: string,
  words: string,
): Promise<string> {
  const file = await filesOfPackage(packageName, [path]);
  const cd = join(bench.folder, "kernel.iso");
  const configuration = `multiboot /kernel ${words}\nboot\n`;
  await makeGrubCd(cd, { kernel: { from: file(basename(path)) } }, configuration);
  return cd;
}

const DOM0 = { guest: "Xen 4.17 with a Linux dom0", mark: markOf("linux-amd64"), limitSeconds: 240 } as const;
const MACH64 = "gnumach-image-1.8-486";

export const KERNEL_ROWS: readonly GuestRow[] = [
  {
    ...{ id: "xen-multiboot1", ...DOM0, packages: XEN, path: "multiboot 1", firmware: "none" },
    run: xenBy("multiboot1"),
  },
  {
    ...{ id: "xen-multiboot2", ...DOM0, packages: XEN, path: "multiboot 2", firmware: "none" },
    run: xenBy("multiboot2"),
  },
  ...bothBioses({
    ...{ id: "xen-grub", ...DOM0, packages: [...XEN, "grub-pc-bin"], path: "CD, GRUB" },
    run: startWith(async (bench) => ({ cdrom: await xenCd(bench), memory: XEN_MEMORY })),
  }),
  {
    id: "gnumach-i386",
    ...{ guest: "GNU Mach 1.8, 32-bit", packages: ["gnumach-image-1.8-486-dbg:i386"], path: "multiboot 1" },
    ...{ firmware: "none", mark: markOf("gnumach"), limitSeconds: 120, shownBy: CATALOGUE_TEST },
    run: startWith(() => guest("gnumach")),
  },
  ...bothBioses({
    id: "gnumach-amd64-grub",
    ...{ guest: "GNU Mach 1.8, 64-bit", packages: [MACH64, "grub-pc-bin"], path: "CD, GRUB" },
    mark: { where: "serial", text: "No bootstrap code loaded with the kernel!" },
    limitSeconds: 120,
    run: startWith(async (bench) => ({
      cdrom: await multibootCd(bench, MACH64, "boot/gnumach-1.8-486.gz", "console=com0"),
      memory: "128M",
    })),
  }),
  {
    id: "memtest86plus",
    ...{
      guest: "Memtest86+",
      packages: ["memtest86+"],
      path: "bzImage",
      firmware: "none",
      limitSeconds: 600,
    },
    mark: { where: "screen", text: /Pass: +[1-9]\d* +Errors: 0/ },
    run: startWith(async () => ({ ...(await guest("memtest86plus")), memory: "5M" })),
  },
  {
    id: "grub-invaders",
    ...{ guest: "GRUB Invaders", packages: ["grub-invaders"], path: "multiboot 1", firmware: "none" },
    ...{ mark: markOf("grub-invaders"), limitSeconds: 60, shownBy: CATALOGUE_TEST },
    run: startWith(() => guest("grub-invaders")),
  },
];
