/** The compressions that Debian uses, as streams over bytes in memory; the reader may stop early. */
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { createGunzip, createZstdDecompress } from "node:zlib";
import xzDecompress from "xz-decompress";
import { KiB } from "../../../base/index.ts";
import type { DebCompression } from "../../../host/index.ts";
import { byteStream } from "./byte-stream.ts";

/** Small enough that a reader who stops early has not paid for much more than it read. */
const CHUNK_BYTES = 256 * KiB;

export function decompressed(compression: DebCompression, bytes: Uint8Array): ReadableStream<Uint8Array> {
  const source = Readable.from(chunksOf(bytes), { objectMode: false });
  switch (compression) {
    case "none":
      return byteStream(source);
    case "gzip":
      return byteStream(source.pipe(createGunzip()));
    case "zstd":
      return byteStream(source.pipe(createZstdDecompress()));
    case "xz":
      return new xzDecompress.XzReadableStream(byteStream(source));
  }
}

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    yield bytes.subarray(start, start + CHUNK_BYTES);
  }
}
