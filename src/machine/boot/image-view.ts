/**
 * A bounds-checked little-endian view of a file that came from outside. Every read names what it was for, so that a
 * cut file gives "vmlinuz is truncated: its program headers end at byte 1234, the file at byte 1000".
 */

import { BootFailure } from "./boot-error.ts";

/** Throws `truncated-image` unless bytes [offset, offset + lengthBytes) are within a file of `sizeBytes`. */
export function requireBytes(
  file: { readonly name: string; readonly sizeBytes: number },
  offset: number,
  lengthBytes: number,
  what: string,
): void {
  const end = offset + lengthBytes;
  if (offset < 0 || lengthBytes < 0 || !Number.isSafeInteger(end)) {
    throw new BootFailure(
      "corrupt-image",
      `${file.name} is damaged: the place of its ${what} is impossible.`,
    );
  }
  if (end > file.sizeBytes) {
    throw new BootFailure(
      "truncated-image",
      `${file.name} is truncated: its ${what} would end at byte ${end}, but the file ends at byte ${file.sizeBytes}.`,
    );
  }
}

export class ImageView {
  /** The file's name as the operator knows it, for sentences. */
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get sizeBytes(): number {
    return this.bytes.byteLength;
  }

  /** Throws `truncated-image` unless bytes [offset, offset + lengthBytes) exist. */
  require(offset: number, lengthBytes: number, what: string): void {
    requireBytes(this, offset, lengthBytes, what);
  }

  /** True when bytes [offset, offset + lengthBytes) exist. */
  has(offset: number, lengthBytes: number): boolean {
    return offset >= 0 && offset + lengthBytes <= this.sizeBytes;
  }

  u8(offset: number, what: string): number {
    this.require(offset, 1, what);
    return this.#view.getUint8(offset);
  }

  u16(offset: number, what: string): number {
    this.require(offset, 2, what);
    return this.#view.getUint16(offset, true);
  }

  u32(offset: number, what: string): number {
    this.require(offset, 4, what);
    return this.#view.getUint32(offset, true);
  }

  u64(offset: number, what: string): bigint {
    this.require(offset, 8, what);
    return this.#view.getBigUint64(offset, true);
  }

  slice(offset: number, lengthBytes: number, what: string): Uint8Array {
    this.require(offset, lengthBytes, what);
    return this.bytes.subarray(offset, offset + lengthBytes);
  }

  startsWith(magic: readonly number[], offset = 0): boolean {
    return (
      this.has(offset, magic.length) && magic.every((byte, index) => this.bytes[offset + index] === byte)
    );
  }
}
