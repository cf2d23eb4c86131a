/**
 * A code profile (hw/code-profile.ts) as the bytes of a file: a line of text that names the format, the two counts, the
 * fingerprints, and a checksum of all before it, as little-endian u32. What does not fit is no profile: it was damaged, cut
 * short, or is of another version.
 */

import { CODE_PROFILE_BLOCKS_MAX } from "../vmm/index.ts";
import type { CodeProfile } from "../vmm/index.ts";

/** Changes with the format and with what fingerprints are made from. */
export const CODE_PROFILE_VERSION = 1;
const HEADING = new TextEncoder().encode(`typevisor code profile ${CODE_PROFILE_VERSION}\n`);
const COUNTS_BYTES = 8;
const CHECKSUM_BYTES = 4;
const WORD_BYTES = 4;

/** No file of ours is larger. */
export const CODE_PROFILE_FILE_MAX_BYTES =
  HEADING.length + COUNTS_BYTES + 2 * CODE_PROFILE_BLOCKS_MAX * WORD_BYTES + CHECKSUM_BYTES;

export function encodeCodeProfile({ hot, lukewarm }: CodeProfile): Uint8Array {
  const words = [hot.length, lukewarm.length, ...hot, ...lukewarm];
  const bytes = new Uint8Array(HEADING.length + words.length * WORD_BYTES + CHECKSUM_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(HEADING);
  for (const [i, word] of words.entries()) view.setUint32(HEADING.length + i * WORD_BYTES, word, true);
  const end = bytes.length - CHECKSUM_BYTES;
  view.setUint32(end, checksum(bytes.subarray(0, end)), true);
  return bytes;
}

export function decodeCodeProfile(bytes: Uint8Array): CodeProfile | undefined {
  const dataAt = HEADING.length + COUNTS_BYTES;
  const end = bytes.length - CHECKSUM_BYTES;
  if (end < dataAt || HEADING.some((byte, i) => bytes[i] !== byte)) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const hotCount = view.getUint32(HEADING.length, true);
  const lukewarmCount = view.getUint32(HEADING.length + WORD_BYTES, true);
  if (hotCount > CODE_PROFILE_BLOCKS_MAX || lukewarmCount > CODE_PROFILE_BLOCKS_MAX) return undefined;
  if (end !== dataAt + (hotCount + lukewarmCount) * WORD_BYTES) return undefined;
  if (view.getUint32(end, true) !== checksum(bytes.subarray(0, end))) return undefined;
  const words = (first: number, count: number): Uint32Array =>
    Uint32Array.from({ length: count }, (_, i) => view.getUint32(dataAt + (first + i) * WORD_BYTES, true));
  return { hot: words(0, hotCount), lukewarm: words(hotCount, lukewarmCount) };
}

/** FNV-1a, against damage and not against malice. */
function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}
