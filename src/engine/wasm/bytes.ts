/**
 * A growable byte buffer with the integer encodings of the WebAssembly binary format (core specification 5.2):
 * unsigned and signed LEB128, names, and patchable fields. It allocates only when it grows.
 */
const INITIAL_SIZE = 1 << 16;

/** A u32 in the longest form LEB128 allows, so that its value can be filled in later. */
export const PADDED_U32_SIZE = 5;
const I64_SIZE_MAX = 10;

export class ByteBuffer {
  length = 0;
  #bytes: Uint8Array<ArrayBuffer>;

  constructor(initialSize = INITIAL_SIZE) {
    this.#bytes = new Uint8Array(initialSize);
  }

  /** What has been written; the view is invalid after the next write. */
  get view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }

  at(index: number): number {
    return this.#bytes[index] ?? 0;
  }

  clear(): void {
    this.length = 0;
  }

  #reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.view);
    this.#bytes = larger;
  }

  u8(value: number): void {
    if (this.length === this.#bytes.length) this.#reserve(1);
    this.#bytes[this.length++] = value;
  }

  /** An unsigned number below 2^32. */
  u32(value: number): void {
    if (value >>> 0 < 0x80) return this.u8(value);
    this.#reserve(PADDED_U32_SIZE);
    const bytes = this.#bytes;
    let at = this.length;
    let rest = value >>> 0;
    while (rest > 0x7f) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }

  /** A signed 32-bit number; the same bytes say it as an i64. */
  i32(value: number): void {
    let rest = value | 0;
    if (rest >= -64 && rest <= 63) return this.u8(rest & 0x7f);
    this.#reserve(PADDED_U32_SIZE);
    const bytes = this.#bytes;
    let at = this.length;
    while (rest < -64 || rest > 63) {
      bytes[at++] = (rest & 0x7f) | 0x80;
      rest >>= 7;
    }
    bytes[at++] = rest & 0x7f;
    this.length = at;
  }

  /** A signed 64-bit number as its two halves. */
  i64(low: number, high: number): void {
    let lo = low | 0;
    let hi = high | 0;
    if (hi === lo >> 31) return this.i32(lo);
    this.#reserve(I64_SIZE_MAX);
    const bytes = this.#bytes;
    let at = this.length;
    while (hi !== lo >> 31 || lo < -64 || lo > 63) {
      bytes[at++] = (lo & 0x7f) | 0x80;
      lo = (lo >>> 7) | (hi << 25);
      hi >>= 7;
    }
    bytes[at++] = lo & 0x7f;
    this.length = at;
  }

  /** A u32 to be set with patchU32; gives its position. */
  paddedU32(): number {
    const at = this.length;
    for (let i = 1; i < PADDED_U32_SIZE; i++) this.u8(0x80);
    this.u8(0);
    return at;
  }

  patchU32(at: number, value: number): void {
    for (let i = 0; i < PADDED_U32_SIZE; i++) {
      const more = i < PADDED_U32_SIZE - 1 ? 0x80 : 0;
      this.#bytes[at + i] = ((value >>> (7 * i)) & 0x7f) | more;
    }
  }

  /** ASCII text as a name. */
  name(text: string): void {
    this.u32(text.length);
    for (let i = 0; i < text.length; i++) this.u8(text.charCodeAt(i));
  }

  append(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }
}
