/**
 * Disks and CDs that systems boot from, made without root by the tools of Debian packages, which are unpacked beside the
 * guests and need not be installed: GRUB's, xorriso, isolinux, mtools.
 */

import { copyFile, mkdir, open, readdir, readFile, truncate, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { KiB, MiB } from "../../../src/base/index.ts";
import { runTool } from "../../programs/run-tool.ts";
import { packageTree } from "../package-files.ts";

const SECTOR_BYTES = 512;
const PARTITION_START = MiB;

/** The one partition of a disk that {@link makeGrubDisk} makes, as tools of e2fsprogs take it. */
export const partitionOf = (disk: string): string => `${disk}?offset=${PARTITION_START}`;
const LINUX_PARTITION = 0x83;
const MBR_CODE_BYTES = 440;
/** For an application and nothing else. */
const EFI_IMAGE_BYTES = 4 * MiB;
const LIBRARIES = "usr/lib/x86_64-linux-gnu";

/** Files of a medium: the path on it, and where it comes from or what it says. */
export type MediumFiles = Readonly<Record<string, { readonly from: string } | { readonly text: string }>>;

export async function layOut(folder: string, files: MediumFiles): Promise<void> {
  for (const [path, file] of Object.entries(files)) {
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true });
    if ("from" in file) await copyFile(file.from, target);
    else await writeFile(target, file.text);
  }
}

/**
 * The image is not taken for a disk, and its first 2 KiB are loaded: code that finds the rest by a table that is put into it.
 * UEFI takes all of an image.
 */
const NO_EMULATION = ["-no-emul-boot", "-boot-load-size", "4", "-boot-info-table"];

/**
 * A CD that isolinux starts; with `isHybrid` also a disk, by a boot sector that finds isolinux, as what is written to USB
 * sticks.
 */
export async function makeIsolinuxCd(
  path: string,
  files: MediumFiles,
  configuration: string,
  isHybrid = false,
): Promise<void> {
  const tree = await packageTree(["isolinux", "syslinux-common"]);
  const modules = join(tree, "usr/lib/syslinux/modules/bios");
  const own = (name: string): MediumFiles => ({ [`isolinux/${name}`]: { from: join(modules, name) } });
  const folder = `${path}.tree`;
  await layOut(folder, {
    ...files,
    "isolinux/isolinux.bin": { from: join(tree, "usr/lib/ISOLINUX/isolinux.bin") },
    "isolinux/isolinux.cfg": { text: configuration },
    ...own("ldlinux.c32"),
  });
  const hybrid = ["-isohybrid-mbr", join(tree, "usr/lib/ISOLINUX/isohdpfx.bin")];
  const boot = ["-b", "isolinux/isolinux.bin", ...NO_EMULATION, ...(isHybrid ? hybrid : [])];
  await makeIso(path, folder, boot);
}

/** A CD whose boot image the BIOS shows as a diskette or as a disk. */
export async function makeEmulatingCd(
  path: string,
  image: string,
  emulated: "diskette" | "disk",
): Promise<void> {
  const folder = `${path}.tree`;
  await layOut(folder, { "boot.img": { from: image } });
  await makeIso(path, folder, ["-b", "boot.img", ...(emulated === "disk" ? ["-hard-disk-boot"] : [])]);
}

const GRUB_MODULES = [
  ...["biosdisk", "normal", "linux", "multiboot", "multiboot2", "serial", "echo", "sleep", "test", "gzio"],
  ...["vbe", "gfxterm", "font"],
];

/** A CD that GRUB starts, all of it in one image, with this configuration. */
export async function makeGrubCd(path: string, files: MediumFiles, configuration: string): Promise<void> {
  const folder = `${path}.tree`;
  const image = "boot/grub/eltorito.img";
  await layOut(folder, { ...files, "boot/grub/grub.cfg": { text: configuration } });
  await makeGrubImage(join(folder, image), "i386-pc-eltorito", "/boot/grub", ["iso9660"]);
  await makeIso(path, folder, ["-b", image, ...NO_EMULATION, "--grub2-boot-info"]);
}

async function makeIso(path: string, folder: string, boot: readonly string[]): Promise<void> {
  const tree = await packageTree(["xorriso", "libisoburn1", "libisofs6", "libburn4", "libjte2"]);
  await runTool(
    join(tree, "usr/bin/xorriso"),
    ["-as", "mkisofs", "-quiet", "-R", "-o", path, "-c", "boot.cat", ...boot, folder],
    { env: { LD_LIBRARY_PATH: join(tree, LIBRARIES) } },
  );
}

async function makeGrubImage(
  target: string,
  format: string,
  prefix: string,
  modules: readonly string[],
): Promise<string> {
  const tree = await packageTree(["grub-common", "grub-pc-bin"]);
  const platform = join(tree, "usr/lib/grub/i386-pc");
  await runTool(join(tree, "usr/bin/grub-mkimage"), [
    ...["-d", platform, "-O", format, "-p", prefix, "-o", target],
    ...[...GRUB_MODULES, ...modules],
  ]);
  return platform;
}

/**
 * A disk of one ext4 partition with what is in `folder`, and GRUB: its boot sector in sector 0, the rest of it in the
 * sectors before the partition, as grub-install puts them.
 */
export async function makeGrubDisk(path: string, folder: string, sizeBytes: number): Promise<void> {
  const core = `${path}.core`;
  const modules = ["part_msdos", "ext2"];
  const platform = await makeGrubImage(core, "i386-pc", "(hd0,msdos1)/boot/grub", modules);
  await writeFile(path, "");
  await truncate(path, sizeBytes);
  const kibibytes = (sizeBytes - PARTITION_START) / 1024;
  const place = ["-E", `offset=${PARTITION_START}`];
  await runTool("/sbin/mke2fs", [
    ...["-q", "-F", "-t", "ext4", ...place, "-d", folder, path, `${kibibytes}k`],
  ]);
  const sector = Buffer.alloc(SECTOR_BYTES);
  (await readFile(join(platform, "boot.img"))).copy(sector, 0, 0, MBR_CODE_BYTES);
  const [first, last] = [PARTITION_START / SECTOR_BYTES, sizeBytes / SECTOR_BYTES - 1];
  sector.set([0x80, ...chs(first), LINUX_PARTITION, ...chs(last)], 446);
  sector.writeUInt32LE(PARTITION_START / SECTOR_BYTES, 454);
  sector.writeUInt32LE((sizeBytes - PARTITION_START) / SECTOR_BYTES, 458);
  sector.writeUInt16LE(0xaa55, 510);
  const disk = await open(path, "r+");
  try {
    await disk.write(sector, 0, SECTOR_BYTES, 0);
    const image = await readFile(core);
    await disk.write(image, 0, image.length, SECTOR_BYTES);
  } finally {
    await disk.close();
  }
}

/** GRUB as an application of UEFI that carries its configuration. */
export async function makeGrubApplication(path: string, configuration: string): Promise<void> {
  const tree = await packageTree(["grub-common", "grub-efi-amd64-bin"]);
  const embedded = `${path}.cfg`;
  await writeFile(embedded, configuration);
  await runTool(join(tree, "usr/bin/grub-mkimage"), [
    ...["-d", join(tree, "usr/lib/grub/x86_64-efi"), "-O", "x86_64-efi", "-p", "/boot/grub"],
    ...["-c", embedded, "-o", path],
    ...["normal", "linux", "search", "search_fs_file", "fat", "iso9660", "part_gpt", "part_msdos"],
  ]);
}

/** A CD that UEFI firmware starts: an El Torito image for EFI with a FAT file system, beside the files of the CD itself. */
export async function makeEfiCd(path: string, files: MediumFiles, system: MediumFiles): Promise<void> {
  const folder = `${path}.tree`;
  await layOut(folder, files);
  const image = `${path}.efi`;
  await makeFatDisk(image, EFI_IMAGE_BYTES, system);
  await copyFile(image, join(folder, "efi.img"));
  await makeIso(path, folder, ["-e", "efi.img", "-no-emul-boot"]);
}

const HEADS = 16;
const SECTORS_PER_TRACK = 63;
const CYLINDERS_MAX = 1024;
/** Of a disk of whole cylinders; the BIOS takes the geometry from the partition's end when it emulates one. */
export const CYLINDER_BYTES = HEADS * SECTORS_PER_TRACK * SECTOR_BYTES;

/** Head, sector and cylinder as a partition table has them, or what it has for a place beyond them. */
function chs(sector: number): readonly number[] {
  const cylinder = Math.floor(sector / (HEADS * SECTORS_PER_TRACK));
  if (cylinder >= CYLINDERS_MAX) return [0xfe, 0xff, 0xff];
  const head = Math.floor(sector / SECTORS_PER_TRACK) % HEADS;
  return [head, ((sector % SECTORS_PER_TRACK) + 1) | ((cylinder >> 2) & 0xc0), cylinder & 0xff];
}

/** A diskette of full size, for an image that ends with its last used sector. */
export async function makeDiskette(folder: string, image: string): Promise<string> {
  const path = join(folder, `${basename(image)}.diskette`);
  await copyFile(image, path);
  await truncate(path, 1440 * 1024);
  return path;
}

/** A disk that is one FAT file system, without partitions, as firmware takes it for removable. */
export async function makeFatDisk(path: string, sizeBytes: number, files: MediumFiles): Promise<void> {
  const tree = await packageTree(["mtools"]);
  const tool = (name: string, args: readonly string[]): Promise<string> =>
    runTool(join(tree, "usr/bin", name), ["-i", path, ...args]);
  const folder = `${path}.tree`;
  await layOut(folder, files);
  const shape = sizeBytes === 2880 * KiB ? ["-f", "2880"] : ["-T", String(sizeBytes / SECTOR_BYTES)];
  await tool("mformat", ["-C", ...shape, "::"]);
  const entries = await readdir(folder);
  await tool("mcopy", ["-s", ...entries.map((entry) => join(folder, entry)), "::/"]);
}

/** A diskette of 2.88 M that SYSLINUX starts, with its modules, memdisk and these files. */
export async function makeSyslinuxDiskette(
  folder: string,
  files: MediumFiles,
  configuration: string,
): Promise<string> {
  const tree = await packageTree(["syslinux", "syslinux-common", "mtools"]);
  const path = join(folder, "syslinux.img");
  const library = join(tree, "usr/lib/syslinux");
  const modules = ["ldlinux", "libcom32", "libutil", "libgpl", "libmenu", "menu", "hdt"];
  const parts: Record<string, { readonly from: string }> = {};
  for (const name of modules) parts[`${name}.c32`] = { from: join(library, "modules/bios", `${name}.c32`) };
  await makeFatDisk(path, 2880 * KiB, {
    ...parts,
    memdisk: { from: join(library, "memdisk") },
    "syslinux.cfg": { text: configuration },
    ...files,
  });
  const programs = join(tree, "usr/bin");
  const env = { PATH: `${programs}:${process.env["PATH"] ?? ""}` };
  await runTool(join(programs, "syslinux"), ["--install", path], { env });
  return path;
}
