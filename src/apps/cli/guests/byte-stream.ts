/** Streams of bytes with a checked type: Node declares the chunks of its own streams and of fetch as any. */
import { ReadableStream } from "node:stream/web";
import { assert } from "../../../base/index.ts";

/** The chunks of a Node stream or a fetch body; leaving the loop early destroys the source. */
export async function* byteChunks(source: AsyncIterable<unknown>): AsyncGenerator<Uint8Array, void, void> {
  for await (const chunk of source) {
    assert(chunk instanceof Uint8Array, "a byte stream gave something other than bytes");
    yield chunk;
  }
}

export function byteStream(source: AsyncIterable<unknown>): ReadableStream<Uint8Array> {
  return ReadableStream.from(byteChunks(source));
}

/** All bytes of a stream, or undefined when there are more than `maxBytes`. */
export async function readAll(
  source: AsyncIterable<Uint8Array>,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of source) {
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
