/**
 * The modes of VBE that the BIOS offers (VESA BIOS Extension Core Functions Standard 3.0, section 4.3 for the numbers up to
 * 11Bh; those above are the maker's to choose, and here as Bochs has them), and what is told of each (section 4.4).
 */

export interface VbeBiosMode {
  readonly number: number;
  readonly width: number;
  readonly height: number;
  readonly depth: 8 | 15 | 16 | 24 | 32;
}

const family = (
  width: number,
  height: number,
  numbers: Readonly<Partial<Record<VbeBiosMode["depth"], number>>>,
): VbeBiosMode[] => {
  const depths = [8, 15, 16, 24, 32] as const;
  return depths.flatMap((depth) => {
    const number = numbers[depth];
    return number === undefined ? [] : [{ number, width, height, depth }];
  });
};

export const VBE_MODES: readonly VbeBiosMode[] = [
  ...family(320, 200, { 8: 0x146, 15: 0x10d, 16: 0x10e, 24: 0x10f, 32: 0x140 }),
  ...family(640, 400, { 8: 0x100, 32: 0x141 }),
  ...family(640, 480, { 8: 0x101, 15: 0x110, 16: 0x111, 24: 0x112, 32: 0x142 }),
  ...family(800, 600, { 8: 0x103, 15: 0x113, 16: 0x114, 24: 0x115, 32: 0x143 }),
  ...family(1024, 768, { 8: 0x105, 15: 0x116, 16: 0x117, 24: 0x118, 32: 0x144 }),
  ...family(1280, 1024, { 8: 0x107, 15: 0x119, 16: 0x11a, 24: 0x11b, 32: 0x145 }),
  ...family(1600, 1200, { 8: 0x11c, 15: 0x11d, 16: 0x11e, 24: 0x11f, 32: 0x147 }),
  ...family(1920, 1080, { 16: 0x18e, 24: 0x18f, 32: 0x190 }),
  ...family(1920, 1200, { 16: 0x17b, 24: 0x17c, 32: 0x17d }),
];

export const bytesPerPixel = (depth: number): number => Math.ceil(depth / 8);

export const MODE_INFO_BYTES = 256;
/** Supported, with this block, colour, graphics; no output of text by the BIOS. */
const ATTRIBUTES = 0x001b;
const ATTRIBUTE_LINEAR = 0x0080;
/** It can be moved, read and written. */
const WINDOW_ATTRIBUTES = 0x07;
export const WINDOW_KIB = 64;
const WINDOW_SEGMENT = 0xa000;
const MODEL = { packed: 0x04, direct: 0x06 } as const;
/** Size and position of red, green, blue and what is unused. */
const FIELDS: Readonly<Record<VbeBiosMode["depth"], readonly number[]>> = {
  8: [0, 0, 0, 0, 0, 0, 0, 0],
  15: [5, 10, 5, 5, 5, 0, 1, 15],
  16: [5, 11, 6, 5, 5, 0, 0, 0],
  24: [8, 16, 8, 8, 8, 0, 0, 0],
  32: [8, 16, 8, 8, 8, 0, 8, 24],
};

/** The ModeInfoBlock; without a frame buffer only the window is told of. */
export function modeInfo(
  mode: VbeBiosMode,
  memoryBytes: number,
  frameBufferGpa: number | undefined,
): Uint8Array {
  const bytes = new Uint8Array(MODE_INFO_BYTES);
  const view = new DataView(bytes.buffer);
  const lineBytes = mode.width * bytesPerPixel(mode.depth);
  const pages = Math.min(0xff, Math.max(0, Math.floor(memoryBytes / (lineBytes * mode.height)) - 1));
  view.setUint16(0x00, ATTRIBUTES | (frameBufferGpa === undefined ? 0 : ATTRIBUTE_LINEAR), true);
  bytes[0x02] = WINDOW_ATTRIBUTES;
  view.setUint16(0x04, WINDOW_KIB, true);
  view.setUint16(0x06, WINDOW_KIB, true);
  view.setUint16(0x08, WINDOW_SEGMENT, true);
  view.setUint16(0x10, lineBytes, true);
  view.setUint16(0x12, mode.width, true);
  view.setUint16(0x14, mode.height, true);
  // Characters of 8 × 16, one plane, one bank.
  bytes.set([8, 16, 1, mode.depth, 1, mode.depth === 8 ? MODEL.packed : MODEL.direct, 0, pages, 1], 0x16);
  bytes.set(FIELDS[mode.depth], 0x1f);
  view.setUint32(0x28, frameBufferGpa ?? 0, true);
  // The same for the linear frame buffer (version 3).
  view.setUint16(0x32, lineBytes, true);
  bytes.set([pages, pages, ...FIELDS[mode.depth]], 0x34);
  return bytes;
}
