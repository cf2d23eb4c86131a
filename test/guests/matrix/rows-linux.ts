/** Linux on every way to boot it: loaded directly, from disks, CDs and by UEFI; and Debian's installer. */

import { join } from "node:path";

import { filesOfPackage } from "../package-files.ts";
import { makeFatDisk, makeGrubDisk, makeIsolinuxCd, layOut } from "./media.ts";
import { shareOfColor } from "./picture.ts";
import { bothBioses, startWith, waitForPicture } from "./row.ts";
import type { GuestRow, RowBench } from "./row.ts";
import { guest, installerFiles, installerPackage, linuxFiles, markOf } from "./systems.ts";
import { MiB } from "../../../src/base/index.ts";

const CATALOGUE_TEST = "test/guests/catalogue.test.ts";
const AMD64 = ["linux-image-cloud-amd64", "busybox-static"];
const I386 = ["linux-image-686:i386", "busybox-static:i386"];
const SERIAL = "console=ttyS0 panic=-1";

async function isolinuxCd(
  bench: RowBench,
  name: "linux-amd64" | "linux-i386",
  isHybrid = false,
): Promise<string> {
  const { kernel, initrd } = await linuxFiles(name);
  const cd = join(bench.folder, "linux.iso");
  const configuration = `SERIAL 0\nDEFAULT linux\nLABEL linux\n  KERNEL /vmlinuz\n  INITRD /initrd\n  APPEND ${SERIAL}\n`;
  const files = { vmlinuz: { from: kernel }, initrd: { from: initrd } };
  await makeIsolinuxCd(cd, files, configuration, isHybrid);
  return cd;
}

async function grubDisk(bench: RowBench): Promise<string> {
  const { kernel, initrd } = await linuxFiles("linux-amd64");
  const tree = join(bench.folder, "tree");
  const configuration = `linux /vmlinuz ${SERIAL}\ninitrd /initrd\nboot\n`;
  await layOut(tree, {
    ...{ vmlinuz: { from: kernel }, initrd: { from: initrd } },
    "boot/grub/grub.cfg": { text: configuration },
  });
  const disk = join(bench.folder, "linux.img");
  await makeGrubDisk(disk, tree, 64 * MiB);
  return disk;
}

export const LINUX_ROWS: readonly GuestRow[] = [
  {
    id: "linux-amd64-bzimage",
    ...{ guest: "Debian Linux amd64", packages: AMD64, path: "bzImage", firmware: "none" },
    ...{ mark: markOf("linux-amd64"), limitSeconds: 120, shownBy: CATALOGUE_TEST },
    run: startWith(() => guest("linux-amd64")),
  },
  {
    id: "linux-amd64-minimal",
    ...{ guest: "Debian Linux amd64, 8259s and 8254 alone", packages: AMD64, path: "bzImage" },
    ...{ firmware: "none", mark: markOf("linux-amd64"), limitSeconds: 120 },
    run: startWith(async () => ({
      ...(await guest("linux-amd64")),
      append: `${SERIAL} noapic nolapic acpi=off hpet=disable`,
    })),
  },
  {
    id: "linux-amd64-bzimage16",
    ...{ guest: "Debian Linux amd64", packages: AMD64, path: "bzImage, 16-bit", firmware: "built-in BIOS" },
    ...{ mark: markOf("linux-amd64"), limitSeconds: 120 },
    run: startWith(async () => ({ ...(await guest("linux-amd64")), protocol: "linux16" })),
  },
  {
    id: "linux-amd64-pvh",
    ...{ guest: "Debian Linux amd64", packages: AMD64, path: "PVH", firmware: "none" },
    ...{ mark: markOf("linux-amd64"), limitSeconds: 120, isShort: true },
    run: startWith(async () => ({ ...(await guest("linux-amd64")), protocol: "pvh" })),
  },
  ...(["ide", "virtio", "nvme"] as const).flatMap((bus) =>
    bothBioses({
      id: `linux-amd64-grub-${bus}`,
      ...{ guest: "Debian Linux amd64", packages: [...AMD64, "grub-pc-bin"], path: "disk, GRUB" },
      bus: ({ ide: "IDE", virtio: "virtio", nvme: "NVMe" } as const)[bus],
      ...{ mark: markOf("linux-amd64"), limitSeconds: 180 },
      run: startWith(async (bench) => ({ disk: `${await grubDisk(bench)},bus=${bus}` })),
    }),
  ),
  ...bothBioses({
    id: "linux-amd64-isolinux",
    ...{ guest: "Debian Linux amd64", packages: [...AMD64, "isolinux"], path: "CD, isolinux" },
    ...{ mark: markOf("linux-amd64"), limitSeconds: 180 },
    run: startWith(async (bench) => ({ cdrom: await isolinuxCd(bench, "linux-amd64") })),
  }),
  ...bothBioses({
    id: "linux-amd64-isohybrid",
    ...{
      guest: "Debian Linux amd64",
      packages: [...AMD64, "isolinux"],
      path: "CD image on a disk",
      bus: "IDE",
    },
    ...{ mark: markOf("linux-amd64"), limitSeconds: 180 },
    run: startWith(async (bench) => ({ disk: `${await isolinuxCd(bench, "linux-amd64", true)},bus=ide` })),
  }),
  {
    id: "linux-i386-bzimage",
    ...{ guest: "Debian Linux i386", packages: I386, path: "bzImage", firmware: "none" },
    ...{ mark: markOf("linux-i386"), limitSeconds: 120, shownBy: CATALOGUE_TEST },
    run: startWith(() => guest("linux-i386")),
  },
  ...bothBioses({
    id: "linux-i386-isolinux",
    ...{ guest: "Debian Linux i386", packages: [...I386, "isolinux"], path: "CD, isolinux" },
    ...{ mark: markOf("linux-i386"), limitSeconds: 180 },
    run: startWith(async (bench) => ({ cdrom: await isolinuxCd(bench, "linux-i386") })),
  }),
  ...(["amd64", "i386"] as const).map((architecture): GuestRow => ({
    id: architecture === "amd64" ? "installer-serial" : `installer-${architecture}-serial`,
    guest: architecture === "amd64" ? "Debian installer" : `Debian installer ${architecture}`,
    packages: [installerPackage(architecture)],
    ...{ path: "bzImage", firmware: "none", limitSeconds: 300 },
    mark: { where: "serial", text: "Select a language" },
    run: startWith(async () => ({ ...(await installerFiles(architecture)), append: SERIAL })),
  })),
  {
    id: "installer-screen",
    guest: "Debian installer",
    packages: [installerPackage("amd64")],
    ...{ path: "bzImage", firmware: "none", limitSeconds: 300 },
    mark: { where: "picture", what: "the list of languages in 1024 × 768, one chosen" },
    async run(bench) {
      const vm = await bench.start(await installerFiles());
      await waitForPicture(bench, vm, showsLanguages);
    },
  },
  {
    id: "linux-amd64-systemd-boot",
    ...{ guest: "Debian Linux amd64", packages: [...AMD64, "systemd-boot-efi", "mtools"], path: "UEFI" },
    ...{ firmware: "OVMF", bus: "NVMe", mark: markOf("linux-amd64"), limitSeconds: 240 },
    run: startWith(async (bench) => {
      const { kernel, initrd } = await linuxFiles("linux-amd64");
      const loader = "usr/lib/systemd/boot/efi/systemd-bootx64.efi";
      const file = await filesOfPackage("systemd-boot-efi", [loader]);
      const entry = `title Linux\nlinux /vmlinuz\ninitrd /initrd\noptions ${SERIAL}\n`;
      const disk = join(bench.folder, "efi.img");
      await makeFatDisk(disk, 64 * MiB, {
        "EFI/BOOT/BOOTX64.EFI": { from: file("systemd-bootx64.efi") },
        "loader/entries/linux.conf": { text: entry },
        ...{ vmlinuz: { from: kernel }, initrd: { from: initrd } },
      });
      return { disk: `${disk},bus=nvme` };
    }),
  },
  {
    id: "linux-amd64-uefi",
    ...{ guest: "Debian Linux amd64", packages: [...AMD64, "mtools"], path: "UEFI", firmware: "OVMF" },
    ...{ bus: "IDE", mark: markOf("linux-amd64"), limitSeconds: 240 },
    run: startWith(async (bench) => {
      const { kernel, initrd } = await linuxFiles("linux-amd64");
      const disk = join(bench.folder, "efi.img");
      await makeFatDisk(disk, 64 * MiB, {
        ...{ "vmlinuz.efi": { from: kernel }, initrd: { from: initrd } },
        "startup.nsh": { text: `vmlinuz.efi initrd=\\initrd ${SERIAL}\r\n` },
      });
      return { disk: `${disk},bus=ide` };
    }),
  },
];

/** Where the installer draws the language that is chosen, and the background beside its window. */
const CHOSEN = { x: 312, y: 368, width: 360, height: 16 };
const BACKGROUND = { x: 0, y: 0, width: 16, height: 740 };

function showsLanguages(png: Uint8Array): boolean {
  return shareOfColor(png, CHOSEN, [0xaa, 0, 0]) > 0.7 && shareOfColor(png, BACKGROUND, [0, 0, 0xaa]) > 0.95;
}
