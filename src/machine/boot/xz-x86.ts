/**
 * The x86 branch filter of xz (".xz File Format" 1.1.0, sections 3.1.5 and 5.3.2), undone by us.
 *
 * Linux builds its xz payload with `--x86 --lzma2`, and the decoder we use knows LZMA2 alone. So `withoutX86Filter`
 * rewrites a one-block stream: the filter is struck from the block header, the check (which covers the *unfiltered*
 * bytes) is replaced by "none", index and footer are made to agree. The caller unpacks that with any xz decoder,
 * then `undoX86Filter` restores the branch targets and `verify` compares the CRC-32 that was struck out.
 *
 * Missing on purpose: several blocks (Linux's are far below xz's block size), filters of other processors, checks
 * other than CRC-32 and CRC-64 (a CRC-64 is not verified; Linux always uses CRC-32).
 */

import { crc32 } from "./crc32.ts";
import { BootFailure } from "./boot-error.ts";
import { ImageView } from "./image-view.ts";

export const XZ_MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] as const;
const FOOTER_MAGIC = [0x59, 0x5a] as const;
const STREAM_HEADER_BYTES = 12;
const FOOTER_BYTES = 12;
const FILTER_X86 = 0x04;
const FILTER_LZMA2 = 0x21;
const CHECK_CRC32 = 0x01;
/** Bytes of the check field by check id, section 2.1.1.2. */
const CHECK_BYTES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;
const FLAG_COMPRESSED_SIZE = 0x40;
const FLAG_UNCOMPRESSED_SIZE = 0x80;

export interface StrippedXz {
  /** The same stream without the filter and without a check. */
  readonly stream: Uint8Array;
  /** Applies the filter's inverse in place; throws `corrupt-image` when the stored CRC-32 does not match. */
  restore(unpacked: Uint8Array): void;
}

/** A variable-length integer, section 1.2; only the 28 bits that an image below 256 MiB needs. */
function readVli(view: ImageView, offset: number): { value: number; next: number } {
  let value = 0;
  for (let index = 0; index < 4; index++) {
    const byte = view.u8(offset + index, "xz data");
    value |= (byte & 0x7f) << (7 * index);
    if (byte < 0x80) return { value, next: offset + index + 1 };
  }
  throw new BootFailure("unsupported-image", `${view.name} holds xz data larger than 256 MiB.`);
}

function vli(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  bytes.push(rest);
  return bytes;
}

function u32le(value: number): number[] {
  return [value & 0xff, (value >>> 8) & 0xff, (value >>> 16) & 0xff, value >>> 24];
}

function withCrc(bytes: readonly number[]): number[] {
  return [...bytes, ...u32le(crc32(Uint8Array.from(bytes)))];
}

const align4 = (value: number): number => (value + 3) & ~3;

/** The stream without its x86 filter, or undefined when its first block uses none (any decoder can read it then). */
export function withoutX86Filter(name: string, xz: Uint8Array): StrippedXz | undefined {
  const view = new ImageView(name, xz);
  const damaged = (why: string): BootFailure =>
    new BootFailure("corrupt-image", `${name} is damaged: its xz data ${why}.`);

  view.require(0, STREAM_HEADER_BYTES + FOOTER_BYTES, "xz stream");
  const check = view.u8(7, "xz stream") & 15;
  const checkBytes = CHECK_BYTES[check] ?? 0;

  const headerBytes = (view.u8(STREAM_HEADER_BYTES, "xz block header") + 1) * 4;
  const blockHeader = new ImageView(name, view.slice(STREAM_HEADER_BYTES, headerBytes, "xz block header"));
  const flags = blockHeader.u8(1, "xz block header");
  let at = 2;
  if ((flags & FLAG_COMPRESSED_SIZE) !== 0) at = readVli(blockHeader, at).next;
  if ((flags & FLAG_UNCOMPRESSED_SIZE) !== 0) at = readVli(blockHeader, at).next;
  const sizesEnd = at;
  const filter = readVli(blockHeader, at);
  if (filter.value !== FILTER_X86) return undefined;
  const properties = readVli(blockHeader, filter.next);
  const secondFilter = properties.next + properties.value;
  if (
    (flags & 3) !== 1 ||
    properties.value !== 0 ||
    blockHeader.u8(secondFilter, "xz filter") !== FILTER_LZMA2
  ) {
    throw new BootFailure("unsupported-image", `${name} uses an xz filter chain other than x86 and LZMA2.`);
  }

  const footerAt = xz.length - FOOTER_BYTES;
  if (!view.startsWith(FOOTER_MAGIC, xz.length - 2)) throw damaged("has no footer");
  const indexBytes = (view.u32(footerAt + 4, "xz footer") + 1) * 4;
  const indexAt = footerAt - indexBytes;
  view.require(indexAt, indexBytes, "xz index");
  const records = readVli(view, indexAt + 1);
  if (view.u8(indexAt, "xz index") !== 0 || records.value !== 1) {
    throw new BootFailure("unsupported-image", `${name} holds xz data in several blocks.`);
  }
  const unpadded = readVli(view, records.next);
  const uncompressed = readVli(view, unpadded.next);
  const dataEnd = STREAM_HEADER_BYTES + unpadded.value - checkBytes;
  if (unpadded.value < headerBytes + checkBytes || STREAM_HEADER_BYTES + align4(unpadded.value) !== indexAt) {
    throw damaged("has an index that does not fit its block");
  }
  const storedCheck = check === CHECK_CRC32 ? view.u32(align4(dataEnd), "xz check") : undefined;

  const keptHeader = [...blockHeader.bytes.subarray(secondFilter, secondFilter + 3)];
  const newHeader = [
    headerBytes / 4 - 1,
    flags & ~3,
    ...blockHeader.bytes.subarray(2, sizesEnd),
    ...keptHeader,
  ];
  while (newHeader.length < headerBytes - 4) newHeader.push(0);
  const newIndex = [0, 1, ...vli(unpadded.value - checkBytes), ...vli(uncompressed.value)];
  while (newIndex.length % 4 !== 0) newIndex.push(0);
  const newFooter = [...u32le((newIndex.length + 4) / 4 - 1), 0, 0];

  const head = Uint8Array.from([...XZ_MAGIC, ...withCrc([0, 0]), ...withCrc(newHeader)]);
  const packed = xz.subarray(STREAM_HEADER_BYTES + headerBytes, align4(dataEnd));
  const tail = Uint8Array.from([
    ...withCrc(newIndex),
    ...u32le(crc32(Uint8Array.from(newFooter))),
    ...newFooter,
    ...FOOTER_MAGIC,
  ]);
  const stream = new Uint8Array(head.length + packed.length + tail.length);
  stream.set(head, 0);
  stream.set(packed, head.length);
  stream.set(tail, head.length + packed.length);

  return {
    stream,
    restore(unpacked) {
      undoX86Filter(unpacked);
      if (storedCheck !== undefined && crc32(unpacked) !== storedCheck) throw damaged("fails its CRC-32");
    },
  };
}

/** Whether a branch displacement's top byte is a plain sign extension, the only kind the filter touches. */
function isSign(byte: number): boolean {
  return byte === 0 || byte === 0xff;
}

/**
 * How many bytes back the latest possible opcode lies, by the mask of opcode bytes seen in the last three; and the
 * masks for which a conversion is still allowed.
 */
const LATEST_OPCODE = [0, 1, 2, 2, 3, 3, 3, 3] as const;
const ALLOWED = [true, true, true, false, true, false, false, false] as const;

/** Turns the absolute targets of CALL (E8) and JMP (E9) back into displacements, in place. Section 5.3.2. */
export function undoX86Filter(code: Uint8Array): void {
  const end = code.length - 4;
  /** One bit per opcode byte among the last three bytes, newest lowest. */
  let seen = 0;
  let last = -1;
  for (let at = 0; at < end; at++) {
    if (((code[at] ?? 0) & 0xfe) !== 0xe8) continue;

    const distance = at - last;
    last = at;
    seen = distance > 3 ? 0 : (seen << (distance - 1)) & 7;
    if (seen !== 0) {
      const overlapped = code[at + 4 - (LATEST_OPCODE[seen] ?? 0)] ?? 0;
      if (ALLOWED[seen] !== true || isSign(overlapped)) {
        seen = ((seen << 1) | 1) & 7;
        continue;
      }
    }
    if (!isSign(code[at + 4] ?? 0)) {
      seen = ((seen << 1) | 1) & 7;
      continue;
    }

    let target =
      (code[at + 1] ?? 0) |
      ((code[at + 2] ?? 0) << 8) |
      ((code[at + 3] ?? 0) << 16) |
      ((code[at + 4] ?? 0) << 24);
    let displacement = (target - (at + 5)) | 0;
    // The encoder flipped bits where its result would have looked like an earlier opcode's operand; flip them back.
    while (seen !== 0) {
      const bits = (LATEST_OPCODE[seen] ?? 0) * 8;
      if (!isSign((displacement >>> (24 - bits)) & 0xff)) break;
      target = displacement ^ ((1 << (32 - bits)) - 1);
      displacement = (target - (at + 5)) | 0;
    }
    displacement &= 0x01ffffff;
    if ((displacement & 0x01000000) !== 0) displacement |= 0xff000000;
    code[at + 1] = displacement & 0xff;
    code[at + 2] = (displacement >>> 8) & 0xff;
    code[at + 3] = (displacement >>> 16) & 0xff;
    code[at + 4] = displacement >>> 24;
    // The operand is not searched for opcodes, and counts as distance.
    at += 4;
    last = at - 4;
  }
}
