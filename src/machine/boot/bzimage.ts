/**
 * bzImage: the setup header and the compressed payload ("The Linux/x86 Boot Protocol", kernel documentation).
 *
 * Missing on purpose: zImages and boot protocols before 2.02 (Linux 2.4.0-test3), whose kernels load below 1 MiB;
 * bzip2, LZMA1 and LZO payloads, which are left to the kernel's own decompressor.
 */

import { MiB } from "../../base/index.ts";
import { BootFailure } from "./boot-error.ts";
import type { Decompressors } from "./decompressors.ts";
import { ImageView } from "./image-view.ts";
import { decodeLz4Legacy, LZ4_LEGACY_MAGIC } from "./lz4.ts";
import { wholeFile } from "./unpacked-file.ts";
import type { UnpackedFile } from "./unpacked-file.ts";
import { withoutX86Filter, XZ_MAGIC } from "./xz-x86.ts";

/** Header fields by their offset in the file, which is also their offset in the zero page. */
export const SETUP = {
  setupSects: 0x1f1,
  vidMode: 0x1fa,
  bootFlag: 0x1fe,
  jumpTarget: 0x201,
  magic: 0x202,
  version: 0x206,
  typeOfLoader: 0x210,
  loadflags: 0x211,
  code32Start: 0x214,
  ramdiskImage: 0x218,
  ramdiskSize: 0x21c,
  heapEndPtr: 0x224,
  cmdLinePtr: 0x228,
  initrdAddrMax: 0x22c,
  kernelAlignment: 0x230,
  xloadflags: 0x236,
  cmdlineSize: 0x238,
  payloadOffset: 0x248,
  payloadLength: 0x24c,
  setupData: 0x250,
  prefAddress: 0x258,
  initSize: 0x260,
} as const;

export const HEADER_MAGIC = [0x48, 0x64, 0x72, 0x53] as const; // "HdrS"
export const BOOT_FLAG = 0xaa55;
const LOADED_HIGH = 1 << 0;
const SECTOR_BYTES = 512;
/** Where the field is 0. */
const SETUP_SECTORS_USUAL = 4;
const VERSION_FIRST = 0x0202;
const VERSION_INITRD_MAX = 0x0203;
const VERSION_CMDLINE_SIZE = 0x0206;
const VERSION_PAYLOAD = 0x0208;
const VERSION_INIT_SIZE = 0x020a;
/** What every kernel before those fields assumed. */
const OLD_INITRD_MAX = 0x37ffffff;
const OLD_CMDLINE_SIZE = 255;
/** Where the header ends at the latest; behind it lies the zero page's EDD area. */
const HEADER_END_LIMIT = 0x290;

/** Debian's kernels unpack to 16–60 MiB, distributions' allyesconfigs to 150. */
export const MAX_PAYLOAD_BYTES = 256 * MiB;

/** Of a bzImage: boot sector and set-up code, in front of the kernel proper; undefined if it is none. */
export function bzImageSetupBytes(image: Uint8Array): number | undefined {
  if (!HEADER_MAGIC.every((byte, index) => image[SETUP.magic + index] === byte)) return undefined;
  return ((image[SETUP.setupSects] || SETUP_SECTORS_USUAL) + 1) * SECTOR_BYTES;
}

export interface BzImage {
  readonly view: ImageView;
  /** Major in the high byte: 0x020f is 2.15. */
  readonly version: number;
  /** The header's bytes, which the loader copies to the zero page at `SETUP.setupSects`. */
  readonly header: Uint8Array;
  /** Where the protected-mode code begins in the file. */
  readonly code32Offset: number;
  /** Where it wants to be entered. */
  readonly code32Start: number;
  readonly cmdlineMaxBytes: number;
  /** The highest address an initial RAM disk may occupy. */
  readonly initrdMaxGpa: number;
  /** Memory the kernel needs from its load address on before it knows its memory map; 0 where it does not say. */
  readonly initSizeBytes: number;
  /** The compressed kernel, or undefined where there is none. */
  readonly payload: Uint8Array | undefined;
}

export function isBzImage(view: ImageView): boolean {
  return view.has(0, SETUP.version + 2) && view.startsWith(HEADER_MAGIC, SETUP.magic);
}

export function parseBzImage(view: ImageView): BzImage {
  const what = "Linux setup header";
  view.require(0, 2 * SECTOR_BYTES, what);
  if (view.u16(SETUP.bootFlag, what) !== BOOT_FLAG) {
    throw new BootFailure(
      "corrupt-image",
      `${view.name} is damaged: its Linux setup header lacks the boot flag.`,
    );
  }
  const version = view.u16(SETUP.version, what);
  if (version < VERSION_FIRST || (view.u8(SETUP.loadflags, what) & LOADED_HIGH) === 0) {
    throw new BootFailure(
      "unsupported-image",
      `${view.name} speaks Linux boot protocol ${version >>> 8}.${version & 0xff} or loads low; Typevisor needs 2.2 and a bzImage.`,
    );
  }
  const headerEnd = Math.min(SETUP.magic + view.u8(SETUP.jumpTarget, what), HEADER_END_LIMIT);
  // A count of 0 means 4, for compatibility with the oldest kernels.
  const setupSects = view.u8(SETUP.setupSects, what) || 4;
  const code32Offset = (setupSects + 1) * SECTOR_BYTES;
  view.require(code32Offset, 1, "protected-mode code");

  let payload: Uint8Array | undefined;
  if (version >= VERSION_PAYLOAD) {
    const length = view.u32(SETUP.payloadLength, what);
    const offset = code32Offset + view.u32(SETUP.payloadOffset, what);
    if (length > 0) payload = view.slice(offset, length, "compressed kernel");
  }
  return {
    view,
    version,
    header: view.slice(SETUP.setupSects, headerEnd - SETUP.setupSects, what),
    code32Offset,
    code32Start: view.u32(SETUP.code32Start, what),
    cmdlineMaxBytes: version >= VERSION_CMDLINE_SIZE ? view.u32(SETUP.cmdlineSize, what) : OLD_CMDLINE_SIZE,
    initrdMaxGpa: version >= VERSION_INITRD_MAX ? view.u32(SETUP.initrdAddrMax, what) : OLD_INITRD_MAX,
    initSizeBytes: version >= VERSION_INIT_SIZE ? view.u32(SETUP.initSize, what) : 0,
    payload,
  };
}

const GZIP_MAGIC = [0x1f, 0x8b] as const;
const ZSTD_MAGIC = [0x28, 0xb5, 0x2f, 0xfd] as const;
const ELF_MAGIC = [0x7f, 0x45, 0x4c, 0x46] as const;

export function isGzip(view: ImageView): boolean {
  return view.startsWith(GZIP_MAGIC);
}

/**
 * The unpacked payload: an ELF file followed by relocations. Undefined when its compression is one that the kernel
 * must undo itself. The build appends the unpacked size to every compression but gzip, which ends with it anyway.
 */
export async function unpackPayload(
  name: string,
  payload: Uint8Array,
  decompressors: Decompressors,
): Promise<UnpackedFile | undefined> {
  const view = new ImageView(name, payload);
  if (view.startsWith(ELF_MAGIC)) return wholeFile(view);
  if (payload.length < 8) return undefined;
  const sizeBytes = view.u32(payload.length - 4, "size of the unpacked kernel");
  const body = payload.subarray(0, payload.length - 4);
  const unpackedFile = (bytes: Uint8Array): UnpackedFile => wholeFile(new ImageView(name, bytes));
  if (view.startsWith(GZIP_MAGIC)) return unpackedFile(await unpackGzip(name, payload, decompressors));
  const isLz4 = view.startsWith(LZ4_LEGACY_MAGIC);
  if (!isLz4 && !view.startsWith(ZSTD_MAGIC) && !view.startsWith(XZ_MAGIC)) return undefined;

  if (sizeBytes > MAX_PAYLOAD_BYTES) throw tooLarge(name, sizeBytes);
  if (isLz4) {
    const decoder = await decompressors.lz4Decoder();
    if (!decoder.ok) throw new BootFailure("no-decoder", decoder.error.message);
    const frame = { name, bytes: body, unpackedBytes: sizeBytes };
    return { name, sizeBytes, pieces: () => decodeLz4Legacy(decoder.value, frame) };
  }
  if (view.startsWith(ZSTD_MAGIC)) {
    return unpackedFile(await unpack(name, "zstd", sizeBytes, () => decompressors.unzstd(body, sizeBytes)));
  }
  const filtered = withoutX86Filter(name, body);
  const unpacked = await unpack(name, "xz", sizeBytes, () =>
    decompressors.unxz(filtered?.stream ?? body, sizeBytes),
  );
  filtered?.restore(unpacked);
  return unpackedFile(unpacked);
}

/** Unpacks a gzip file, whose last four bytes are its unpacked size. */
export async function unpackGzip(
  name: string,
  packed: Uint8Array,
  decompressors: Decompressors,
): Promise<Uint8Array> {
  const view = new ImageView(name, packed);
  view.require(0, 18, "gzip data");
  return unpack(name, "gzip", undefined, () => decompressors.gunzip(packed, MAX_PAYLOAD_BYTES));
}

function tooLarge(name: string, sizeBytes: number): BootFailure {
  const limit = `${MAX_PAYLOAD_BYTES / MiB} MiB`;
  return new BootFailure(
    "corrupt-image",
    `${name} claims to unpack to ${sizeBytes} bytes; the limit is ${limit}.`,
  );
}

async function unpack(
  name: string,
  format: string,
  expectedBytes: number | undefined,
  run: () => Promise<Uint8Array>,
): Promise<Uint8Array> {
  let unpacked: Uint8Array;
  try {
    unpacked = await run();
  } catch (reason) {
    const why = reason instanceof Error ? reason.message : String(reason);
    throw new BootFailure(
      "corrupt-image",
      `${name} is damaged: its ${format} data cannot be unpacked (${why}).`,
    );
  }
  if (expectedBytes !== undefined && unpacked.length !== expectedBytes) {
    throw new BootFailure(
      "corrupt-image",
      `${name} is damaged: its ${format} data unpacks to ${unpacked.length} bytes instead of ${expectedBytes}.`,
    );
  }
  return unpacked;
}
