/**
 * Pixel formats of RFB clients (RFC 6143, section 7.4): true colour of 8, 16 or 32 bits with any shifts and maxima in both
 * byte orders. A client that wants a colour map gets one of 256 fixed colours, three bits of red and green and two of blue.
 */

export interface PixelFormat {
  readonly bitsPerPixel: 8 | 16 | 32;
  readonly depth: number;
  readonly isBigEndian: boolean;
  readonly isTrueColor: boolean;
  readonly redMax: number;
  readonly greenMax: number;
  readonly blueMax: number;
  readonly redShift: number;
  readonly greenShift: number;
  readonly blueShift: number;
}

export const PIXEL_FORMAT_BYTES = 16;

/** What the server would rather send: 0x00RRGGBB. */
export const SERVER_PIXEL_FORMAT: PixelFormat = {
  bitsPerPixel: 32,
  depth: 24,
  isBigEndian: false,
  isTrueColor: true,
  redMax: 255,
  greenMax: 255,
  blueMax: 255,
  redShift: 16,
  greenShift: 8,
  blueShift: 0,
};

/** RRRGGGBB, also as indices into {@link colorMapEntries}. */
const PACKED_332 = { redMax: 7, greenMax: 7, blueMax: 3, redShift: 5, greenShift: 2, blueShift: 0 } as const;

export function encodePixelFormat(format: PixelFormat): Uint8Array {
  const bytes = new Uint8Array(PIXEL_FORMAT_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set([format.bitsPerPixel, format.depth, Number(format.isBigEndian), Number(format.isTrueColor)]);
  view.setUint16(4, format.redMax);
  view.setUint16(6, format.greenMax);
  view.setUint16(8, format.blueMax);
  bytes.set([format.redShift, format.greenShift, format.blueShift], 10);
  return bytes;
}

/** Undefined when no pixel can have this format. */
export function decodePixelFormat(bytes: Uint8Array): PixelFormat | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, PIXEL_FORMAT_BYTES);
  const bits = view.getUint8(0);
  if (bits !== 8 && bits !== 16 && bits !== 32) return undefined;
  const common = {
    bitsPerPixel: bits,
    depth: view.getUint8(1),
    isBigEndian: view.getUint8(2) !== 0,
  } as const;
  if (view.getUint8(3) === 0)
    return bits === 8 ? { ...common, isTrueColor: false, ...PACKED_332 } : undefined;
  const format = {
    ...common,
    isTrueColor: true,
    redMax: view.getUint16(4),
    greenMax: view.getUint16(6),
    blueMax: view.getUint16(8),
    redShift: view.getUint8(10),
    greenShift: view.getUint8(11),
    blueShift: view.getUint8(12),
  };
  const fits = (max: number, shift: number): boolean => shift < bits && max * 2 ** shift < 2 ** bits;
  const isPossible =
    fits(format.redMax, format.redShift) &&
    fits(format.greenMax, format.greenShift) &&
    fits(format.blueMax, format.blueShift);
  return isPossible ? format : undefined;
}

/** SetColourMapEntries (section 7.6.2) with the colours of PACKED_332. */
export function colorMapEntries(): Uint8Array {
  const COLORS = 256;
  const HEADER_BYTES = 6;
  const bytes = new Uint8Array(HEADER_BYTES + 6 * COLORS);
  const view = new DataView(bytes.buffer);
  bytes[0] = 1;
  view.setUint16(4, COLORS);
  const full = (value: number, max: number): number => Math.round((value * 0xffff) / max);
  for (let color = 0; color < COLORS; color++) {
    const at = HEADER_BYTES + 6 * color;
    view.setUint16(at, full(color >> 5, PACKED_332.redMax));
    view.setUint16(at + 2, full((color >> 2) & 7, PACKED_332.greenMax));
    view.setUint16(at + 4, full(color & 3, PACKED_332.blueMax));
  }
  return bytes;
}

/** Translates the pixels of frames (red in the lowest byte, then green and blue) to those of one format. */
export class PixelWriter {
  readonly bytesPerPixel: number;
  /** Of a CPIXEL (RFC 6143, section 7.7.5): pixels of 32 bits leave out the byte that is always zero. */
  readonly compactBytes: number;
  readonly #red: Uint32Array;
  readonly #green: Uint32Array;
  readonly #blue: Uint32Array;
  readonly #isBigEndian: boolean;
  /** Bits to shift a value so that its CPIXEL is its low 24 bits. */
  readonly #compactShift: number;

  constructor(format: PixelFormat) {
    this.bytesPerPixel = format.bitsPerPixel / 8;
    this.#isBigEndian = format.isBigEndian;
    this.#red = component(format.redMax, format.redShift);
    this.#green = component(format.greenMax, format.greenShift);
    this.#blue = component(format.blueMax, format.blueShift);
    const all = ((this.#red[0xff] ?? 0) | (this.#green[0xff] ?? 0) | (this.#blue[0xff] ?? 0)) >>> 0;
    const isCompact = format.bitsPerPixel === 32 && format.depth <= 24;
    const isLow = isCompact && all <= 0xff_ffff;
    const isHigh = isCompact && (all & 0xff) === 0;
    this.compactBytes = isLow || isHigh ? 3 : this.bytesPerPixel;
    this.#compactShift = !isLow && isHigh ? 8 : 0;
  }

  /** The pixel's value in this format. */
  value(rgba: number): number {
    return (
      ((this.#red[rgba & 0xff] ?? 0) |
        (this.#green[(rgba >>> 8) & 0xff] ?? 0) |
        (this.#blue[(rgba >>> 16) & 0xff] ?? 0)) >>>
      0
    );
  }

  /** Writes a value as a PIXEL and returns the offset behind it. */
  put(target: Uint8Array, at: number, value: number): number {
    return this.#put(target, at, value, this.bytesPerPixel);
  }

  /** The same as a CPIXEL. */
  putCompact(target: Uint8Array, at: number, value: number): number {
    return this.#put(target, at, value >>> this.#compactShift, this.compactBytes);
  }

  #put(target: Uint8Array, at: number, value: number, byteCount: number): number {
    for (let byte = 0; byte < byteCount; byte++) {
      const shift = 8 * (this.#isBigEndian ? byteCount - 1 - byte : byte);
      target[at + byte] = value >>> shift;
    }
    return at + byteCount;
  }
}

/** For each of 256 intensities its bits in a pixel. */
function component(max: number, shift: number): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, value) => Math.round((value * max) / 255) * 2 ** shift);
}
