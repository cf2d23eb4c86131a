/** PNG files (ISO/IEC 15948) as other programs write them: 8 bits, true colour with or without alpha, not interlaced. */

import assert from "node:assert/strict";
import { inflateSync } from "node:zlib";

export interface DecodedPng {
  readonly width: number;
  readonly height: number;
  /** Red, green and blue for each pixel. */
  readonly rgb: Buffer;
}

const SIGNATURE_BYTES = 8;
const CHANNELS: Readonly<Record<number, number>> = { 2: 3, 6: 4 };

export function decodePng(file: Buffer): DecodedPng {
  const data: Buffer[] = [];
  let header = Buffer.alloc(0);
  for (let at = SIGNATURE_BYTES; at < file.length;) {
    const length = file.readUInt32BE(at);
    const type = file.toString("latin1", at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    if (type === "IHDR") header = Buffer.from(body);
    if (type === "IDAT") data.push(body);
    at += 12 + length;
  }
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  const channels = CHANNELS[header[9] ?? 0] ?? 0;
  assert.deepEqual([header[8], channels > 0, header[12]], [8, true, 0], "a picture that this reads");
  const pixels = unfiltered(inflateSync(Buffer.concat(data)), width, height, channels);
  const rgb = Buffer.alloc(3 * width * height);
  for (let pixel = 0; pixel < width * height; pixel++)
    pixels.copy(rgb, 3 * pixel, channels * pixel, channels * pixel + 3);
  return { width, height, rgb };
}

/** Section 9.2: each byte was predicted from those to the left, above, and both. */
function unfiltered(lines: Buffer, width: number, height: number, channels: number): Buffer {
  const lineBytes = width * channels;
  const pixels = Buffer.alloc(lineBytes * height);
  for (let y = 0; y < height; y++) {
    const filter = lines[y * (lineBytes + 1)];
    for (let x = 0; x < lineBytes; x++) {
      const at = y * lineBytes + x;
      const left = x < channels ? 0 : (pixels[at - channels] ?? 0);
      const up = y === 0 ? 0 : (pixels[at - lineBytes] ?? 0);
      const upLeft = x < channels || y === 0 ? 0 : (pixels[at - lineBytes - channels] ?? 0);
      const predictions = [0, left, up, (left + up) >> 1, paeth(left, up, upLeft)];
      pixels[at] = (lines[at + y + 1] ?? 0) + (predictions[filter ?? 0] ?? 0);
    }
  }
  return pixels;
}

function paeth(left: number, up: number, upLeft: number): number {
  const estimate = left + up - upLeft;
  const [a, b, c] = [left, up, upLeft].map((value) => Math.abs(estimate - value));
  if ((a ?? 0) <= (b ?? 0) && (a ?? 0) <= (c ?? 0)) return left;
  return (b ?? 0) <= (c ?? 0) ? up : upLeft;
}
