/** The compressions that Debian uses, as streams over bytes in memory; the reader may stop early. */
import { Readable } from "node:stream";
import type { ReadableStream } from "node:stream/web";
import { createGunzip, createZstdDecompress } from "node:zlib";
import xzDecompress from "xz-decompress";
import { KiB } from "../../../base/index.ts";
import type { DebCompression } from "../../../host/images/index.ts";

/** Small enough that a reader who stops early has not paid for much more than it read. */
const CHUNK_BYTES = 256 * KiB;

export function decompressed(compression: DebCompression, bytes: Uint8Array): ReadableStream<Uint8Array> {
  const source = Readable.from(chunksOf(bytes), { objectMode: false });
  switch (compression) {
    case "none":
      return Readable.toWeb(source);
    case "gzip":
      return Readable.toWeb(source.pipe(createGunzip()));
    case "zstd":
      return Readable.toWeb(source.pipe(createZstdDecompress()));
    case "xz":
      return new xzDecompress.XzReadableStream(Readable.toWeb(source));
  }
}

/** All bytes of a stream, or undefined when there are more than `maxBytes`. */
export async function readAll(
  stream: ReadableStream<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of stream) {
    sizeBytes += chunk.length;
    if (sizeBytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  const all = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const chunk of chunks) {
    all.set(chunk, offset);
    offset += chunk.length;
  }
  return all;
}

function* chunksOf(bytes: Uint8Array): Generator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += CHUNK_BYTES) {
    yield bytes.subarray(start, start + CHUNK_BYTES);
  }
}
