/**
 * LZ4 as the Linux build uses it (`lz4 -l`): the legacy frame of the "LZ4 Frame Format" 1.6.1 around blocks of the
 * "LZ4 Block Format". Missing on purpose: the modern frame, dictionaries, compression.
 *
 * A legacy frame is the magic 0x184C2102, then blocks of {u32 compressed size, data}, each unpacking to at most
 * 8 MiB, until the data ends. The frame stores no length; Linux appends its own, which the caller passes in.
 */

import { BootFailure } from "./boot-error.ts";

export const LZ4_LEGACY_MAGIC = [0x02, 0x21, 0x4c, 0x18] as const;
const BLOCK_LIMIT_BYTES = 8 << 20;
/** No match is shorter: the token stores length − 4. */
const MIN_MATCH_BYTES = 4;
/** Short runs of literals are copied in one go, with what stands behind them; the next sequence overwrites that. */
const SHORT_RUN_BYTES = 16;
/** Matches are copied by words, which may reach as far behind their end. */
const WORD_BYTES = 8;
/** A length nibble of 15 continues in further bytes. */
const LONG_LENGTH = 15;

function damaged(name: string, why: string): BootFailure {
  return new BootFailure("corrupt-image", `${name} is damaged: its LZ4 data ${why}.`);
}

/**
 * Decodes one block from `source` into `target` at `targetStart`, writing at most to `targetEnd`; returns the end of
 * what was written. Matches reach back no further than `targetStart`: legacy blocks are independent.
 */
export function decodeLz4Block(
  name: string,
  source: Uint8Array,
  target: Uint8Array,
  targetStart: number,
  targetEnd: number,
): number {
  const sourceEnd = source.length;
  const sourceView = new DataView(source.buffer, source.byteOffset, sourceEnd);
  const targetView = new DataView(target.buffer, target.byteOffset, target.length);
  let from = 0;
  let to = targetStart;

  // hot: 53 MB of Debian's cloud kernel pass here at each start; `undefined` cannot occur behind the length checks,
  // and `?? 0` costs nothing on typed arrays.
  while (from < sourceEnd) {
    const token = source[from++] ?? 0;

    let literalBytes = token >>> 4;
    if (literalBytes === LONG_LENGTH) {
      let more = 255;
      while (more === 255) {
        if (from >= sourceEnd) throw damaged(name, "ends inside a literal length");
        more = source[from++] ?? 0;
        literalBytes += more;
      }
    }
    if (from + literalBytes > sourceEnd) throw damaged(name, "ends inside a run of literals");
    if (to + literalBytes > targetEnd) throw damaged(name, "unpacks to more than it declares");
    const mayReadShort = from + SHORT_RUN_BYTES <= sourceEnd && to + SHORT_RUN_BYTES <= targetEnd;
    if (literalBytes <= SHORT_RUN_BYTES && mayReadShort) {
      targetView.setBigUint64(to, sourceView.getBigUint64(from));
      targetView.setBigUint64(to + WORD_BYTES, sourceView.getBigUint64(from + WORD_BYTES));
      from += literalBytes;
      to += literalBytes;
    } else if (literalBytes > 32) {
      target.set(source.subarray(from, from + literalBytes), to);
      from += literalBytes;
      to += literalBytes;
    } else {
      for (let left = literalBytes; left > 0; left--) target[to++] = source[from++] ?? 0;
    }
    // The last sequence of a block has literals only.
    if (from === sourceEnd) return to;

    if (from + 2 > sourceEnd) throw damaged(name, "ends inside a match offset");
    const distance = (source[from] ?? 0) | ((source[from + 1] ?? 0) << 8);
    from += 2;
    if (distance === 0 || distance > to - targetStart)
      throw damaged(name, "refers to bytes before its beginning");

    let matchBytes = (token & 15) + MIN_MATCH_BYTES;
    if (matchBytes === LONG_LENGTH + MIN_MATCH_BYTES) {
      let more = 255;
      while (more === 255) {
        if (from >= sourceEnd) throw damaged(name, "ends inside a match length");
        more = source[from++] ?? 0;
        matchBytes += more;
      }
    }
    if (to + matchBytes > targetEnd) throw damaged(name, "unpacks to more than it declares");
    if (distance >= WORD_BYTES && to + matchBytes + WORD_BYTES <= targetEnd) {
      const end = to + matchBytes;
      for (; to < end; to += WORD_BYTES) targetView.setBigUint64(to, targetView.getBigUint64(to - distance));
      to = end;
    } else {
      // A match that begins less than a word back repeats its own output: byte by byte, forwards.
      for (let left = matchBytes; left > 0; left--, to++) target[to] = target[to - distance] ?? 0;
    }
  }
  throw damaged(name, "ends without a last run of literals");
}

/** Unpacks a legacy frame that must give exactly `unpackedBytes`. The caller has checked that against its limit. */
export function decodeLz4Legacy(name: string, frame: Uint8Array, unpackedBytes: number): Uint8Array {
  if (!LZ4_LEGACY_MAGIC.every((byte, index) => frame[index] === byte))
    throw damaged(name, "has no frame header");
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const unpacked = new Uint8Array(unpackedBytes);
  let from = LZ4_LEGACY_MAGIC.length;
  let to = 0;
  while (from < frame.length) {
    if (from + 4 > frame.length) throw damaged(name, "ends inside a block length");
    const blockBytes = view.getUint32(from, true);
    from += 4;
    if (blockBytes === 0 || from + blockBytes > frame.length)
      throw damaged(name, "has a block that leaves the file");
    const end = Math.min(unpacked.length, to + BLOCK_LIMIT_BYTES);
    to = decodeLz4Block(name, frame.subarray(from, from + blockBytes), unpacked, to, end);
    from += blockBytes;
  }
  if (to !== unpackedBytes) throw damaged(name, `unpacks to ${to} bytes instead of ${unpackedBytes}`);
  return unpacked;
}
