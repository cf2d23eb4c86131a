import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeHextile, ENCODING, encodeRaw, encodeZrle } from "./encodings.ts";
import type { PixelBlock } from "./encodings.ts";
import { decodePixelFormat, encodePixelFormat, PixelWriter, SERVER_PIXEL_FORMAT } from "./pixel-format.ts";
import type { PixelFormat } from "./pixel-format.ts";
import { TestRfbScreen, TestZlib } from "./testing.ts";

const FORMATS: Readonly<Record<string, PixelFormat>> = {
  "32 bits": SERVER_PIXEL_FORMAT,
  "32 bits, big endian": { ...SERVER_PIXEL_FORMAT, isBigEndian: true },
  "32 bits, the low byte unused": { ...SERVER_PIXEL_FORMAT, redShift: 24, greenShift: 16, blueShift: 8 },
  "32 bits, the low byte unused, big endian": {
    ...{ ...SERVER_PIXEL_FORMAT, isBigEndian: true },
    ...{ redShift: 24, greenShift: 16, blueShift: 8 },
  },
  "30 bits": {
    ...SERVER_PIXEL_FORMAT,
    ...{ depth: 30, redMax: 1023, greenMax: 1023, blueMax: 1023, redShift: 20, greenShift: 10 },
  },
  "16 bits": {
    ...{ ...SERVER_PIXEL_FORMAT, bitsPerPixel: 16, depth: 16 },
    ...{ redMax: 31, greenMax: 63, blueMax: 31, redShift: 11, greenShift: 5 },
  },
  "8 bits": {
    ...{ ...SERVER_PIXEL_FORMAT, bitsPerPixel: 8, depth: 8 },
    ...{ redMax: 7, greenMax: 7, blueMax: 3, redShift: 0, greenShift: 3, blueShift: 6 },
  },
};

/** Of a fixed seed: Marsaglia's xorshift. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

const COLORS = Array.from({ length: 40 }, (_, index) => (index * 0x4a3b17) & 0xff_ffff);

/** Pixels as they come in screens: many equal ones in a row, of so many colours. */
function picture(width: number, height: number, colors: number, runs: boolean): Uint32Array {
  const next = random(width * 1000 + height * 10 + colors);
  const pixels = new Uint32Array(width * height);
  let color = 0;
  for (let at = 0; at < pixels.length; at++) {
    const isNew = !runs || next() % 7 === 0;
    if (isNew) color = COLORS[next() % colors] ?? 0;
    pixels[at] = colors === COLORS.length && !runs ? next() & 0xff_ffff : color;
  }
  return pixels;
}

const SIZES = [
  [1, 1],
  [16, 16],
  [17, 5],
  [64, 64],
  [65, 130],
  [128, 16],
] as const;

const message = (width: number, height: number, encoding: number, body: Uint8Array): Uint8Array => {
  const head = new Uint8Array(16);
  const view = new DataView(head.buffer);
  view.setUint16(2, 1);
  view.setUint16(8, width);
  view.setUint16(10, height);
  view.setInt32(12, encoding);
  return Buffer.concat([head, body]);
};

const withLength = (packed: Uint8Array): Uint8Array => {
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, packed.length);
  return Buffer.concat([length, packed]);
};

const encoders = {
  raw: encodeRaw,
  hextile: encodeHextile,
  zrle: async (block: PixelBlock, writer: PixelWriter) =>
    withLength(await new TestZlib().deflate(encodeZrle(block, writer))),
} as const;

for (const [format, description] of Object.entries(FORMATS)) {
  test(`a client of ${format} sees what was sent, in every encoding`, async () => {
    const writer = new PixelWriter(description);
    let pixels = 0;
    for (const [width, height] of SIZES) {
      for (const colors of [1, 2, 4, 9, 16, 17, COLORS.length]) {
        for (const runs of [true, false]) {
          const values = picture(width, height, colors, runs).map((pixel) => writer.value(pixel));
          for (const encoding of ["raw", "hextile", "zrle"] as const) {
            const screen = new TestRfbScreen(width, height);
            const { bytesPerPixel, compactBytes } = writer;
            screen.format = { bytesPerPixel, compactBytes, isBigEndian: description.isBigEndian };
            const body = await encoders[encoding]({ width, height, values }, writer);
            screen.decode(message(width, height, ENCODING[encoding], body));
            const shift = compactBytes === 3 && description.redShift === 24 && encoding === "zrle" ? 8 : 0;
            const seen = screen.pixels.map((value) => (value << shift) >>> 0);
            assert.deepEqual(seen, values, `${encoding} ${width}×${height}, ${colors} colours`);
            pixels += width * height;
          }
        }
      }
    }
    assert.ok(pixels > 100_000);
  });
}

test("intensities become those of the format, black and white exactly", () => {
  const white = 0xff_ffff;
  const values = (name: string): number[] => {
    const writer = new PixelWriter(FORMATS[name] ?? SERVER_PIXEL_FORMAT);
    return [writer.value(0), writer.value(white), writer.value(0x0000ff), writer.value(0xff0000)];
  };
  assert.deepEqual(
    values("32 bits"),
    [0, 0xffffff, 0xff0000, 0x0000ff],
    "frames have red in the lowest byte",
  );
  assert.deepEqual(values("16 bits"), [0, 0xffff, 0xf800, 0x001f]);
  assert.deepEqual(values("8 bits"), [0, 0xff, 0x07, 0xc0]);
});

test("formats are decoded as they were encoded, and impossible ones refused", () => {
  for (const format of Object.values(FORMATS))
    assert.deepEqual(decodePixelFormat(encodePixelFormat(format)), format);
  const wrong = (change: Partial<PixelFormat>) =>
    decodePixelFormat(encodePixelFormat({ ...SERVER_PIXEL_FORMAT, ...change }));
  assert.equal(wrong({ redShift: 25 }), undefined);
  assert.equal(wrong({ redShift: 255 }), undefined);
  assert.equal(wrong({ blueMax: 65535, blueShift: 17 }), undefined);
  assert.ok(wrong({ redMax: 65535, redShift: 16, greenMax: 0, blueMax: 0 }));
  assert.equal(decodePixelFormat(encodePixelFormat(SERVER_PIXEL_FORMAT).with(0, 24)), undefined);
  assert.equal(
    decodePixelFormat(encodePixelFormat(SERVER_PIXEL_FORMAT).with(3, 0)),
    undefined,
    "a map of 32 bits",
  );
  assert.equal(wrong({ isTrueColor: false, bitsPerPixel: 8 })?.redMax, 7);
});

test("text compresses: a screen of two colours takes a fraction of its pixels", () => {
  const writer = new PixelWriter(SERVER_PIXEL_FORMAT);
  const values = picture(640, 400, 2, true);
  assert.ok(encodeZrle({ width: 640, height: 400, values }, writer).length < 640 * 400 * 0.2);
  assert.ok(encodeHextile({ width: 640, height: 400, values }, writer).length < 640 * 400 * 2);
});
