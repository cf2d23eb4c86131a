/**
 * Decompression under Node, in the shape of the boot loader's `Decompressors` (which this layer may not import:
 * applications pass it on, and the compiler compares the shapes there): gzip and zstd by node:zlib, xz by the WebAssembly build of xz-embedded
 * in the package xz-decompress. That build knows LZMA2 only; the boot loader removes branch filters before.
 */

import { promisify } from "node:util";
import * as zlib from "node:zlib";
import xz from "xz-decompress";

const gunzip = promisify<Uint8Array, zlib.ZlibOptions, Uint8Array>(zlib.gunzip);
const zstdDecompress = promisify<Uint8Array, zlib.ZstdOptions, Uint8Array>(zlib.zstdDecompress);

/** Each takes one stream, and rejects on damage or when more than `limitBytes` come out. */
export const nodeDecompressors = {
  gunzip(packed: Uint8Array, limitBytes: number): Promise<Uint8Array> {
    return gunzip(packed, { maxOutputLength: limitBytes });
  },

  unzstd(packed: Uint8Array, limitBytes: number): Promise<Uint8Array> {
    return zstdDecompress(packed, { maxOutputLength: limitBytes });
  },

  async unxz(packed: Uint8Array, limitBytes: number): Promise<Uint8Array> {
    const source = new ReadableStream<Uint8Array>({
      start(controller): void {
        controller.enqueue(packed);
        controller.close();
      },
    });
    const chunks: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const chunk of new xz.XzReadableStream(source)) {
      sizeBytes += chunk.length;
      if (sizeBytes > limitBytes) throw new RangeError(`it unpacks to more than ${limitBytes} bytes`);
      chunks.push(chunk);
    }
    const unpacked = new Uint8Array(sizeBytes);
    let at = 0;
    for (const chunk of chunks) {
      unpacked.set(chunk, at);
      at += chunk.length;
    }
    return unpacked;
  },
};
