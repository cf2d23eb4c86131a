/** Boot loaders and firmware by themselves, to their menus and prompts. */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import type { VmOptions } from "../../../src/apps/embed/index.ts";
import { filesOfPackage, packageTree } from "../package-files.ts";
import {
  CYLINDER_BYTES,
  layOut,
  makeDiskette,
  makeEmulatingCd,
  makeGrubCd,
  makeGrubDisk,
  makeSyslinuxDiskette,
} from "./media.ts";
import { shareOfColor } from "./picture.ts";
import { bothBioses, startWith, waitForPicture } from "./row.ts";
import type { GuestRow, RowBench } from "./row.ts";

const GRUB = {
  ...{ guest: "GRUB 2.06", packages: ["grub-rescue-pc"], limitSeconds: 60 },
  mark: { where: "screen", text: /GNU GRUB +version 2/ },
} as const;

async function packageFile(packageName: string, path: string): Promise<string> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return (await filesOfPackage(packageName, [path]))(name);
}

const GRAPHICAL_MENU = `loadfont /boot/grub/unicode.pf2
set gfxmode=1024x768
set color_highlight=white/red
terminal_output gfxterm
menuentry "Nothing" { true }
`;
const CHOSEN_ENTRY = { x: 200, y: 76, width: 700, height: 12 };

/** Its two stages, one behind the other, as its manual has it for a diskette without a file system. */
async function grubLegacyDiskette(folder: string): Promise<string> {
  const stages = ["stage1", "stage2"].map((name) => `usr/lib/grub/x86_64-pc/${name}`);
  const file = await filesOfPackage("grub-legacy", stages);
  const image = join(folder, "stages");
  await writeFile(image, Buffer.concat([await readFile(file("stage1")), await readFile(file("stage2"))]));
  return await makeDiskette(folder, image);
}

async function toIpxePrompt(bench: RowBench, options: VmOptions): Promise<void> {
  const vm = await bench.start({ ...options, memory: "64M" });
  await vm.waitForScreen("Press Ctrl-B for the iPXE command line", bench.patience);
  vm.typeKeys([
    { kind: "press", key: "ControlLeft" },
    { kind: "key", key: "KeyB" },
    { kind: "release", key: "ControlLeft" },
  ]);
  await bench.reachMark(vm);
}

export const LOADER_ROWS: readonly GuestRow[] = [
  ...bothBioses({
    ...{ id: "grub-floppy", ...GRUB, path: "diskette", bus: "floppy" },
    run: startWith(async (bench) => {
      const image = await packageFile("grub-rescue-pc", "usr/lib/grub-rescue/grub-rescue-floppy.img");
      return { floppy: await makeDiskette(bench.folder, image), memory: "64M" };
    }),
  }),
  ...bothBioses({
    ...{ id: "grub-cd", ...GRUB, path: "CD", bus: "IDE", isShort: true },
    run: startWith(async () => ({
      cdrom: await packageFile("grub-rescue-pc", "usr/lib/grub-rescue/grub-rescue-cdrom.iso"),
      memory: "64M",
    })),
  }),
  ...bothBioses({
    id: "grub-graphics",
    ...{ guest: "GRUB 2.06", packages: ["grub-pc-bin", "grub-common"], path: "CD, GRUB", limitSeconds: 60 },
    mark: { where: "picture", what: "a menu in 1024 × 768, by VBE" },
    async run(bench) {
      const font = join(await packageTree(["grub-common", "grub-pc-bin"]), "usr/share/grub/unicode.pf2");
      const cdrom = join(bench.folder, "grub.iso");
      await makeGrubCd(cdrom, { "boot/grub/unicode.pf2": { from: font } }, GRAPHICAL_MENU);
      const vm = await bench.start({ cdrom, memory: "64M" });
      await waitForPicture(bench, vm, (png) => shareOfColor(png, CHOSEN_ENTRY, [0xa8, 0, 0]) > 0.7);
    },
  }),
  ...bothBioses({
    ...{ id: "ipxe-cd", guest: "iPXE", packages: ["ipxe"], path: "CD", bus: "IDE", limitSeconds: 60 },
    mark: { where: "screen", text: "iPXE>" },
    run: async (bench) => toIpxePrompt(bench, { cdrom: await packageFile("ipxe", "usr/lib/ipxe/ipxe.iso") }),
  }),
  {
    ...{ id: "ipxe-kernel", guest: "iPXE", packages: ["ipxe"], path: "bzImage, 16-bit", limitSeconds: 60 },
    ...{ firmware: "built-in BIOS", mark: { where: "screen", text: "iPXE>" } },
    run: async (bench) => toIpxePrompt(bench, { kernel: await packageFile("ipxe", "boot/ipxe.lkrn") }),
  },
  ...bothBioses({
    id: "grub-legacy",
    ...{ guest: "GRUB 0.97", packages: ["grub-legacy"], path: "diskette", bus: "floppy" },
    ...{ mark: { where: "screen", text: "grub>" }, limitSeconds: 120 },
    run: startWith(async (bench) => ({ floppy: await grubLegacyDiskette(bench.folder), memory: "64M" })),
  }),
  ...bothBioses({
    id: "cd-as-diskette",
    ...{ guest: "GRUB 0.97", packages: ["grub-legacy"], path: "CD as a diskette", bus: "IDE" },
    ...{ mark: { where: "screen", text: "grub>" }, limitSeconds: 120 },
    run: startWith(async (bench) => {
      const cdrom = join(bench.folder, "diskette.iso");
      await makeEmulatingCd(cdrom, await grubLegacyDiskette(bench.folder), "diskette");
      return { cdrom, memory: "64M" };
    }),
  }),
  ...bothBioses({
    id: "cd-as-disk",
    ...{ guest: "GRUB 2.06", packages: ["grub-pc-bin"], path: "CD as a disk", bus: "IDE" },
    ...{ mark: { where: "screen", text: "from the emulated disk" }, limitSeconds: 120 },
    run: startWith(async (bench) => {
      const file = (name: string): string => join(bench.folder, name);
      const [tree, disk, cdrom] = [file("tree"), file("disk.img"), file("disk.iso")];
      await layOut(tree, { "boot/grub/grub.cfg": { text: "echo from the emulated disk\nsleep 60\n" } });
      await makeGrubDisk(disk, tree, 17 * CYLINDER_BYTES);
      await makeEmulatingCd(cdrom, disk, "disk");
      return { cdrom, memory: "64M" };
    }),
  }),
  ...bothBioses({
    id: "syslinux-memdisk",
    ...{
      guest: "SYSLINUX 6.04, memdisk, GRUB 0.97",
      packages: ["syslinux", "grub-legacy"],
      path: "diskette",
    },
    ...{ bus: "floppy", mark: { where: "screen", text: "grub>" }, limitSeconds: 120 },
    run: startWith(async (bench) => {
      const inner = await grubLegacyDiskette(bench.folder);
      const packed = join(bench.folder, "grub.gz");
      await writeFile(packed, gzipSync(await readFile(inner)));
      const configuration = "DEFAULT grub\nPROMPT 0\nLABEL grub\n  KERNEL memdisk\n  INITRD grub.gz\n";
      const files = { "grub.gz": { from: packed } };
      return { floppy: await makeSyslinuxDiskette(bench.folder, files, configuration), memory: "64M" };
    }),
  }),
  ...bothBioses({
    id: "syslinux-hdt",
    ...{ guest: "SYSLINUX 6.04, hardware detection tool", packages: ["syslinux"], path: "diskette" },
    ...{ bus: "floppy", limitSeconds: 120 },
    mark: { where: "screen", text: /PCI Devices\( ?[1-9]/ },
    run: startWith(async (bench) => ({
      floppy: await makeSyslinuxDiskette(bench.folder, {}, "DEFAULT hdt.c32\nPROMPT 0\n"),
      memory: "64M",
    })),
  }),
  {
    id: "ovmf-shell",
    ...{ guest: "UEFI shell", packages: ["ovmf"], path: "UEFI", firmware: "OVMF", limitSeconds: 120 },
    ...{ mark: { where: "serial", text: "Shell> " } },
    run: startWith(() => Promise.resolve({})),
  },
];
