/**
 * What kind of kernel a file is. `readKernelImage` looks at the content alone, unpacks what the host can unpack
 * faster than the guest, and returns a plan that `loadKernel` can carry out any number of times (once per reset).
 */

import { BootFailure } from "./boot-error.ts";
import type { BootFile } from "./boot-request.ts";
import { isBzImage, isGzip, parseBzImage, SETUP, unpackGzip, unpackPayload } from "./bzimage.ts";
import type { BzImage } from "./bzimage.ts";
import type { Decompressors } from "./decompressors.ts";
import { isElf, parseElf, parseElfProgram } from "./elf.ts";
import type { ElfImage, ElfProgram } from "./elf.ts";
import { ImageView } from "./image-view.ts";
import { findMultibootHeader } from "./multiboot-header.ts";
import type { MultibootHeader } from "./multiboot-header.ts";
import { findMultiboot2Header } from "./multiboot2-header.ts";
import type { Multiboot2Header } from "./multiboot2-header.ts";
import { pvhEntry } from "./pvh.ts";
import { gather } from "./unpacked-file.ts";

/**
 * "auto" prefers multiboot 1 over 2 and both over PVH for an ELF file (Xen carries all three), and Linux's own protocol for
 * a bzImage: by its 16-bit entry ("linux16") only if it has no other.
 */
export const BOOT_PROTOCOLS = ["auto", "linux", "linux16", "pvh", "multiboot1", "multiboot2"] as const;
export type BootProtocol = (typeof BOOT_PROTOCOLS)[number];

export type KernelImage =
  /** An unpacked vmlinux, entered as Linux's boot protocol says for its class. */
  | { readonly kind: "linux"; readonly elf: ElfProgram; readonly bzImage: BzImage | undefined }
  /** A bzImage (or something in its clothes, like memtest86+) that is entered at code32_start and unpacks itself. */
  | { readonly kind: "linux-code32"; readonly bzImage: BzImage }
  /** The same, entered in real mode through its set-up code. */
  | { readonly kind: "linux-real-mode"; readonly bzImage: BzImage }
  | {
      readonly kind: "pvh";
      readonly elf: ElfImage;
      readonly entryGpa: number;
      readonly bzImage: BzImage | undefined;
    }
  | {
      readonly kind: "multiboot1";
      readonly view: ImageView;
      readonly header: MultibootHeader;
      readonly elf: ElfImage | undefined;
    }
  | {
      readonly kind: "multiboot2";
      readonly view: ImageView;
      readonly header: Multiboot2Header;
      readonly elf: ElfImage | undefined;
    };

/** More than any kernel; a disk image given by mistake is refused before it is searched. */
const MAX_KERNEL_FILE_BYTES = 1 << 30;

export async function readKernelImage(
  file: BootFile,
  decompressors: Decompressors,
  protocol: BootProtocol,
): Promise<KernelImage> {
  let view = new ImageView(file.name, file.bytes);
  if (view.sizeBytes === 0) throw new BootFailure("not-a-kernel", `${file.name} is empty.`);
  if (view.sizeBytes > MAX_KERNEL_FILE_BYTES) {
    throw new BootFailure("not-a-kernel", `${file.name} is larger than 1 GiB, which no kernel is.`);
  }
  if (isGzip(view)) view = new ImageView(file.name, await unpackGzip(file.name, view.bytes, decompressors));

  const image = isBzImage(view)
    ? await readBzImage(view, decompressors, protocol)
    : readPlainImage(view, protocol);
  if (image !== undefined) return image;
  throw new BootFailure("not-a-kernel", notAKernel(view, protocol));
}

const MISSING: Partial<Record<BootProtocol, string>> = {
  linux16: "set-up code of a bzImage",
  pvh: "PVH entry note",
  multiboot1: "multiboot header",
  multiboot2: "multiboot 2 header",
};

function notAKernel(view: ImageView, protocol: BootProtocol): string {
  const missing = MISSING[protocol];
  if (missing !== undefined) {
    return `${view.name} cannot be started by ${protocol}: it has no ${missing}.`;
  }
  if (isElf(view)) return `${view.name} is an ELF file with neither a multiboot header nor a PVH entry note.`;
  return `${view.name} is not a kernel: it is no Linux bzImage, no ELF file and no multiboot image.`;
}

async function readBzImage(
  view: ImageView,
  decompressors: Decompressors,
  protocol: BootProtocol,
): Promise<KernelImage | undefined> {
  if (protocol === "multiboot1" || protocol === "multiboot2") return undefined;
  const bzImage = parseBzImage(view);
  const only16 = bzImage.payload === undefined && bzImage.code32Start === 0;
  if (protocol === "linux16" || (only16 && protocol !== "pvh")) return { kind: "linux-real-mode", bzImage };
  const unpacked =
    bzImage.payload === undefined
      ? undefined
      : await unpackPayload(view.name, bzImage.payload, decompressors);
  if (unpacked === undefined) return protocol === "pvh" ? undefined : { kind: "linux-code32", bzImage };

  if (protocol !== "pvh") return { kind: "linux", elf: parseElfProgram(unpacked), bzImage };
  const elf = parseElf(gather(unpacked));
  const entryGpa = pvhEntry(elf);
  return entryGpa === undefined ? undefined : { kind: "pvh", elf, entryGpa, bzImage };
}

function readPlainImage(view: ImageView, protocol: BootProtocol): KernelImage | undefined {
  const elf = isElf(view) ? parseElf(view) : undefined;
  if (protocol === "linux") return elf === undefined ? undefined : { kind: "linux", elf, bzImage: undefined };

  if (protocol === "auto" || protocol === "multiboot1") {
    const header = findMultibootHeader(view);
    if (header !== undefined) return { kind: "multiboot1", view, header, elf };
  }
  if (protocol === "auto" || protocol === "multiboot2") {
    const header = findMultiboot2Header(view);
    if (header !== undefined) return { kind: "multiboot2", view, header, elf };
  }
  if (protocol === "multiboot1" || protocol === "multiboot2" || protocol === "linux16") return undefined;
  const entryGpa = elf === undefined ? undefined : pvhEntry(elf);
  return elf === undefined || entryGpa === undefined
    ? undefined
    : { kind: "pvh", elf, entryGpa, bzImage: undefined };
}

const VERSION_POINTER = 0x20e;
const MAX_VERSION_CHARACTERS = 200;

/** For people: "Linux 6.1.0-50-cloud-amd64, 64-bit boot protocol". */
export function describeKernel(image: KernelImage): string {
  switch (image.kind) {
    case "linux":
      return `${linuxName(image.bzImage)}, ${image.elf.bits}-bit boot protocol`;
    case "linux-code32":
      return `${linuxName(image.bzImage)}, 32-bit boot protocol, not unpacked`;
    case "linux-real-mode":
      return `${linuxName(image.bzImage)}, 16-bit boot protocol`;
    case "pvh":
      return `${image.bzImage === undefined ? "ELF" : linuxName(image.bzImage)}, PVH`;
    case "multiboot1":
      return image.elf === undefined ? "flat image, multiboot" : `ELF${image.elf.bits}, multiboot`;
    case "multiboot2":
      return image.elf === undefined ? "flat image, multiboot 2" : `ELF${image.elf.bits}, multiboot 2`;
  }
}

/** The first word of the version string that the header points at, relative to byte 0x200. */
function linuxName(bzImage: BzImage | undefined): string {
  if (bzImage === undefined) return "Linux";
  const { view } = bzImage;
  const pointer = view.u16(VERSION_POINTER, "Linux setup header");
  const start = pointer + 0x200;
  if (pointer === 0 || start <= SETUP.magic || !view.has(start, 1)) return "Linux";
  const text = String.fromCharCode(...view.bytes.subarray(start, start + MAX_VERSION_CHARACTERS));
  const version = /^[\x20-\x7e]+/.exec(text)?.[0] ?? "";
  return /^\d/.test(version) ? `Linux ${version.split(" ")[0] ?? ""}` : version || "Linux";
}
