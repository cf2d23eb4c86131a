/** Pictures as PNG files (ISO/IEC 15948): true colour with 8 bits, no filters, compressed away from the event loop. */

import { concatBytes } from "../../base/index.ts";
import { crc32, deflate } from "node:zlib";
import { promisify } from "node:util";

/** Red, green, blue and an alpha that is not looked at, for each pixel, line by line. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const BIT_DEPTH = 8;
const COLOR_TYPE_RGB = 2;
const BYTES_PER_PIXEL = 3;
/** Screens are large and simple: more effort makes them hardly smaller. */
const COMPRESSION_LEVEL = 3;

const compress = promisify<Uint8Array, { level: number }, Uint8Array>(deflate);

export async function encodePng({ width, height, pixels }: Picture): Promise<Uint8Array> {
  const lineBytes = 1 + BYTES_PER_PIXEL * width;
  const lines = new Uint8Array(height * lineBytes);
  let from = 0;
  for (let y = 0; y < height; y++) {
    // The byte before each line names its filter: none.
    let to = y * lineBytes + 1;
    for (let x = 0; x < width; x++, from += 4) {
      for (let component = 0; component < BYTES_PER_PIXEL; component++)
        lines[to++] = pixels[from + component] ?? 0;
    }
  }
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  header.set([BIT_DEPTH, COLOR_TYPE_RGB], 8);
  return concatBytes(
    SIGNATURE,
    chunk("IHDR", header),
    chunk("IDAT", await compress(lines, { level: COMPRESSION_LEVEL })),
    chunk("IEND", new Uint8Array(0)),
  );
}

/** Length, type, data and a checksum of the latter two. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const typed = concatBytes(new TextEncoder().encode(type), data);
  const frame = new Uint8Array(8);
  const view = new DataView(frame.buffer);
  view.setUint32(0, data.length);
  view.setUint32(4, crc32(typed));
  return concatBytes(frame.subarray(0, 4), typed, frame.subarray(4));
}
