/**
 * How RFB sends a rectangle of pixels: Raw, Hextile and ZRLE (RFC 6143, section 7.7). The pixels are values in the client's
 * format already; what is compressed is compressed by who sends it.
 *
 * Deliberately missing: CopyRect (guests draw, they do not tell what they moved), RRE and TRLE, which Hextile and ZRLE surpass,
 * Tight and its JPEG.
 */

import type { PixelWriter } from "./pixel-format.ts";

export const ENCODING = { raw: 0, hextile: 5, zrle: 16 } as const;

/** Pixels of a rectangle, line by line, as values of a {@link PixelWriter}. */
export interface PixelBlock {
  readonly width: number;
  readonly height: number;
  readonly values: Uint32Array;
}

export function encodeRaw({ values }: PixelBlock, writer: PixelWriter): Uint8Array {
  const bytes = new Uint8Array(values.length * writer.bytesPerPixel);
  let at = 0;
  for (const value of values) at = writer.put(bytes, at, value);
  return bytes;
}

/** The part of a block that a tile covers; tiles at the right and the bottom may be smaller. */
function tileOf(block: PixelBlock, x: number, y: number, sizePixels: number): PixelBlock {
  const width = Math.min(sizePixels, block.width - x);
  const height = Math.min(sizePixels, block.height - y);
  const values = new Uint32Array(width * height);
  for (let row = 0; row < height; row++) {
    const from = (y + row) * block.width + x;
    values.set(block.values.subarray(from, from + width), row * width);
  }
  return { width, height, values };
}

function* tilesOf(block: PixelBlock, sizePixels: number): Generator<PixelBlock> {
  for (let y = 0; y < block.height; y += sizePixels) {
    for (let x = 0; x < block.width; x += sizePixels) yield tileOf(block, x, y, sizePixels);
  }
}

// Hextile.

const HEXTILE_PIXELS = 16;
const HEXTILE = { raw: 0x01, background: 0x02, foreground: 0x04, subrects: 0x08, colored: 0x10 } as const;
const SUBRECTS_MAX = 255;

export function encodeHextile(block: PixelBlock, writer: PixelWriter): Uint8Array {
  const tiles = Math.ceil(block.width / HEXTILE_PIXELS) * Math.ceil(block.height / HEXTILE_PIXELS);
  // A tile is never larger than raw.
  const bytes = new Uint8Array(tiles + block.values.length * writer.bytesPerPixel);
  let at = 0;
  for (const tile of tilesOf(block, HEXTILE_PIXELS)) at = putHextile(bytes, at, tile, writer);
  return bytes.subarray(0, at);
}

/** The background, and lines of other colours on it; raw if that is shorter. Each tile says its colours itself. */
function putHextile(bytes: Uint8Array, start: number, tile: PixelBlock, writer: PixelWriter): number {
  const { width, values } = tile;
  const [background = 0] = values;
  const runs: { readonly x: number; readonly y: number; readonly length: number; readonly value: number }[] =
    [];
  const colors = new Set<number>();
  for (let index = 0; index < values.length;) {
    const value = values[index] ?? 0;
    const x = index % width;
    let length = 1;
    while (x + length < width && values[index + length] === value) length++;
    if (value !== background) {
      runs.push({ x, y: Math.floor(index / width), length, value });
      colors.add(value);
    }
    index += length;
  }
  const { bytesPerPixel } = writer;
  const isColored = colors.size > 1;
  const runBytes = 2 + (isColored ? bytesPerPixel : 0);
  const headBytes = 1 + bytesPerPixel + (runs.length > 0 ? 1 + (isColored ? 0 : bytesPerPixel) : 0);
  const rawBytes = 1 + values.length * bytesPerPixel;
  let at = start;
  if (runs.length > SUBRECTS_MAX || headBytes + runs.length * runBytes >= rawBytes) {
    bytes[at++] = HEXTILE.raw;
    for (const value of values) at = writer.put(bytes, at, value);
    return at;
  }
  const [foreground = 0] = colors;
  const kind =
    runs.length === 0
      ? 0
      : isColored
        ? HEXTILE.subrects | HEXTILE.colored
        : HEXTILE.subrects | HEXTILE.foreground;
  bytes[at++] = HEXTILE.background | kind;
  at = writer.put(bytes, at, background);
  if (runs.length === 0) return at;
  if (!isColored) at = writer.put(bytes, at, foreground);
  bytes[at++] = runs.length;
  for (const run of runs) {
    if (isColored) at = writer.put(bytes, at, run.value);
    bytes[at++] = (run.x << 4) | run.y;
    bytes[at++] = (run.length - 1) << 4;
  }
  return at;
}

// ZRLE.

const ZRLE_PIXELS = 64;
const ZRLE = { raw: 0, solid: 1, plainRle: 128 } as const;
const PACKED_PALETTE_MAX = 16;

/** What goes through the connection's zlib stream. */
export function encodeZrle(block: PixelBlock, writer: PixelWriter): Uint8Array {
  const tiles = Math.ceil(block.width / ZRLE_PIXELS) * Math.ceil(block.height / ZRLE_PIXELS);
  // A tile is never larger than raw, or than its palette and a byte for each pixel.
  const paletteBytes = PACKED_PALETTE_MAX * writer.compactBytes;
  const bytes = new Uint8Array(tiles * (1 + paletteBytes) + block.values.length * writer.compactBytes);
  let at = 0;
  for (const tile of tilesOf(block, ZRLE_PIXELS)) at = putZrle(bytes, at, tile, writer);
  return bytes.subarray(0, at);
}

function putZrle(bytes: Uint8Array, start: number, tile: PixelBlock, writer: PixelWriter): number {
  const { values } = tile;
  const palette = new Map<number, number>();
  let runs = 0;
  let previous = -1;
  for (const value of values) {
    if (value === previous) continue;
    runs++;
    previous = value;
    if (palette.size <= PACKED_PALETTE_MAX && !palette.has(value)) palette.set(value, palette.size);
  }
  let at = start;
  if (palette.size === 1) {
    bytes[at++] = ZRLE.solid;
    return writer.putCompact(bytes, at, previous);
  }
  if (palette.size <= PACKED_PALETTE_MAX) return putPackedPalette(bytes, at, tile, palette, writer);
  const runBytes = runs * (writer.compactBytes + 1) + Math.ceil(values.length / 255);
  if (runBytes < values.length * writer.compactBytes) return putPlainRle(bytes, at, values, writer);
  bytes[at++] = ZRLE.raw;
  for (const value of values) at = writer.putCompact(bytes, at, value);
  return at;
}

/** Indices of 1, 2 or 4 bits, each line on whole bytes. */
function putPackedPalette(
  bytes: Uint8Array,
  start: number,
  { width, height, values }: PixelBlock,
  palette: ReadonlyMap<number, number>,
  writer: PixelWriter,
): number {
  let at = start;
  bytes[at++] = palette.size;
  for (const value of palette.keys()) at = writer.putCompact(bytes, at, value);
  const bits = palette.size <= 2 ? 1 : palette.size <= 4 ? 2 : 4;
  for (let row = 0; row < height; row++) {
    let byte = 0;
    let used = 0;
    for (let column = 0; column < width; column++) {
      byte = (byte << bits) | (palette.get(values[row * width + column] ?? 0) ?? 0);
      used += bits;
      if (used < 8) continue;
      bytes[at++] = byte;
      byte = 0;
      used = 0;
    }
    if (used > 0) bytes[at++] = byte << (8 - used);
  }
  return at;
}

/** Each run's pixel, then its length less one in bytes of which all but the last are 255. */
function putPlainRle(bytes: Uint8Array, start: number, values: Uint32Array, writer: PixelWriter): number {
  let at = start;
  bytes[at++] = ZRLE.plainRle;
  for (let index = 0; index < values.length;) {
    const value = values[index] ?? 0;
    let length = 1;
    while (values[index + length] === value) length++;
    index += length;
    at = writer.putCompact(bytes, at, value);
    let rest = length - 1;
    for (; rest >= 255; rest -= 255) bytes[at++] = 255;
    bytes[at++] = rest;
  }
  return at;
}
