/**
 * Decompression under Node, in the shape of the boot loader's `Decompressors` (which this layer may not import:
 * applications pass it on, and the compiler compares the shapes there): gzip and zstd by node:zlib, xz by the WebAssembly build of xz-embedded
 * in the package xz-decompress. That build knows LZMA2 only; the boot loader removes branch filters before. LZ4 is the boot
 * loader's own. Each is loaded when it is used first: most VMs need one or none, and all wait for what is loaded at their
 * start.
 */

import type { Result } from "../../base/index.ts";
import { loadBuilt } from "./load-core.ts";

/** Each that unpacks takes one stream, and rejects on damage or when more than `limitBytes` come out. */
export const nodeDecompressors = {
  async gunzip(packed: Uint8Array, limitBytes: number): Promise<Uint8Array> {
    const { gunzip } = await import("node:zlib");
    return settled((done) => gunzip(packed, { maxOutputLength: limitBytes }, done));
  },

  async unzstd(packed: Uint8Array, limitBytes: number): Promise<Uint8Array> {
    const { zstdDecompress } = await import("node:zlib");
    return settled((done) => zstdDecompress(packed, { maxOutputLength: limitBytes }, done));
  },

  async unxz(packed: Uint8Array, limitBytes: number): Promise<Uint8Array> {
    const { default: xz } = await import("xz-decompress");
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

  lz4Decoder(): Promise<Result<WebAssembly.Module>> {
    return loadBuilt("lz4.wasm", "The LZ4 decoder", "no-decoder");
  },
};

/** The result of a function with a callback of Node's kind. */
function settled(run: (done: (error: Error | null, bytes: Uint8Array) => void) => void): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    run((error, bytes) => {
      if (error === null) resolve(bytes);
      else reject(error);
    });
  });
}
