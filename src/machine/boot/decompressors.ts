/**
 * Unpacking that the host does better than portable code would: injected, because gzip and zstd come from `node:zlib`
 * under Node and from elsewhere in a browser. LZ4 is ours (`lz4.ts`); only the file with its compiled code is the host's.
 *
 * Each function that unpacks takes exactly one compressed stream, rejects on damage, and rejects as soon as more than
 * `limitBytes` came out: a kernel file is untrusted input, and a few kilobytes can unpack to gigabytes.
 */

import type { Result } from "../../base/index.ts";

export interface Decompressors {
  gunzip(packed: Uint8Array, limitBytes: number): Promise<Uint8Array>;
  unzstd(packed: Uint8Array, limitBytes: number): Promise<Uint8Array>;
  /** LZMA2 is enough: branch filters are undone by the caller (`xz-x86.ts`). */
  unxz(packed: Uint8Array, limitBytes: number): Promise<Uint8Array>;
  /** build/lz4.wasm, made from `lz4-core/`. */
  lz4Decoder(): Promise<Result<WebAssembly.Module>>;
}
