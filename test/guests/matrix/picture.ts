/** Looks at regions of a screenshot, for guests whose screen is graphics; of PNG it knows what `platform/node/png.ts` writes. */

import { inflateSync } from "node:zlib";

export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Red, green, blue. */
export type Color = readonly [number, number, number];

const HEADER_AT = 16;
const DATA_CHUNK_AT = 33;
const BYTES_PER_PIXEL = 3;

/** The share of the region's pixels that have exactly this colour; 0 for a region that is not on the screen. */
export function shareOfColor(png: Uint8Array, region: Region, color: Color): number {
  const file = new DataView(png.buffer, png.byteOffset, png.length);
  const width = file.getUint32(HEADER_AT);
  const height = file.getUint32(HEADER_AT + 4);
  if (region.x + region.width > width || region.y + region.height > height) return 0;
  const dataBytes = file.getUint32(DATA_CHUNK_AT);
  const lines = inflateSync(png.subarray(DATA_CHUNK_AT + 8, DATA_CHUNK_AT + 8 + dataBytes));
  const lineBytes = 1 + width * BYTES_PER_PIXEL;
  let count = 0;
  for (let y = region.y; y < region.y + region.height; y++) {
    for (let x = region.x; x < region.x + region.width; x++) {
      const at = y * lineBytes + 1 + x * BYTES_PER_PIXEL;
      if (color.every((component, index) => lines[at + index] === component)) count++;
    }
  }
  return count / (region.width * region.height);
}
