/** Bytes of a connection as they are wanted: so many at a time, however they arrive, and some that nobody wants to see. */

/** What may wait to be read when more comes: the longest message, texts of the clipboard aside, has a sixteenth of it. */
export const READER_MAX_BYTES = 64 * 1024;

export class ByteReader {
  #bytes = new Uint8Array(0);
  #skipCount = 0;

  /** False when there is more than anybody sends who waits for answers. */
  push(chunk: Uint8Array): boolean {
    const skipped = Math.min(this.#skipCount, chunk.length);
    this.#skipCount -= skipped;
    const rest = chunk.subarray(skipped);
    if (this.#bytes.length > READER_MAX_BYTES) return false;
    const joined = new Uint8Array(this.#bytes.length + rest.length);
    joined.set(this.#bytes);
    joined.set(rest, this.#bytes.length);
    this.#bytes = joined;
    return true;
  }

  /** The next bytes, which stay; undefined when they are not there yet. */
  peek(byteCount: number): DataView | undefined {
    if (this.#bytes.length < byteCount) return undefined;
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset, byteCount);
  }

  take(byteCount: number): Uint8Array | undefined {
    if (this.#bytes.length < byteCount) return undefined;
    const taken = this.#bytes.subarray(0, byteCount);
    this.#bytes = this.#bytes.subarray(byteCount);
    return taken;
  }

  /** The next bytes do not matter, whether they are there or still to come. */
  skip(byteCount: number): void {
    const here = Math.min(byteCount, this.#bytes.length);
    this.#bytes = this.#bytes.subarray(here);
    this.#skipCount = byteCount - here;
  }
}
