/** zlib streams (RFC 1950) that last as long as a connection, compressed away from the event loop. */

import { constants, createDeflate } from "node:zlib";

/** Screens are large and simple: more effort makes them hardly smaller. */
const COMPRESSION_LEVEL = 3;

export interface Deflater {
  /** What `bytes` add to the stream, with an end up to which it can be unpacked. Calls follow each other. */
  deflate(bytes: Uint8Array): Promise<Uint8Array>;
  close(): void;
}

export function createDeflater(): Deflater {
  const stream = createDeflate({ level: COMPRESSION_LEVEL });
  let chunks: Buffer[] = [];
  stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  // Nothing that is compressed can be wrong; a stream that is closed meanwhile has nobody waiting.
  stream.on("error", () => undefined);
  return {
    deflate(bytes) {
      return new Promise((resolve) => {
        stream.write(bytes);
        stream.flush(constants.Z_SYNC_FLUSH, () => {
          resolve(Buffer.concat(chunks));
          chunks = [];
        });
      });
    },
    close() {
      stream.close();
    },
  };
}
