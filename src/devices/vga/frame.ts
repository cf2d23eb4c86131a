/**
 * What a monitor shows, as pixels: the attribute controller and the shift registers of the VGA (IBM VGA/XGA Technical
 * Reference, "Attribute Controller", "Graphics Controller"; FreeVGA, "VGA Sequencer Operation"), and the linear modes of
 * VBE. A pixel of the picture is a dot of the monitor, so that modes of 320 pixels have each of them twice, and
 * double-scanned lines are there twice.
 *
 * Deliberately missing: the border, blinking in modes of graphics, palette registers in modes of 256 colours (BIOSes leave
 * them as they are, one to one).
 */

import type { RegisterValues } from "../../hw/index.ts";
import {
  columnsOf,
  cursorOf,
  displayedLines,
  isDoubleScanned,
  lastScanLine,
  lineCompare,
  pitchOf,
  planeOffset,
  startAddress,
} from "./crt-controller.ts";
import type { Crtc } from "./crt-controller.ts";
import type { ATTRIBUTE_REGISTERS, GRAPHICS_REGISTERS, SEQUENCER_REGISTERS } from "./registers.ts";
import { PLANES } from "./video-memory.ts";
import type { VbeMode } from "./vbe.ts";

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue, 255 for each pixel, line by line from the top left. */
  readonly pixels: Uint8Array;
}

/** Of the VGA's own modes: 256 characters of 9 dots, each twice. Those of VBE are smaller. */
export const FRAME_WIDTH_MAX = 256 * 9 * 2;
export const FRAME_HEIGHT_MAX = 1200;

export interface VgaPicture {
  /** Byte 4·offset + plane. */
  readonly memory: Uint8Array;
  readonly sequencer: RegisterValues<typeof SEQUENCER_REGISTERS>;
  readonly crtc: Crtc;
  readonly graphics: RegisterValues<typeof GRAPHICS_REGISTERS>;
  readonly attribute: RegisterValues<typeof ATTRIBUTE_REGISTERS>;
  /** The sixteen colours of the attribute controller and the 256 of the DAC, as 0xRRGGBB. */
  readonly colors: readonly number[];
  readonly dacColors: readonly number[];
  /** The phases of what blinks. */
  readonly isCursorOn: boolean;
  readonly isBlinkOn: boolean;
  /** The picture is black. */
  readonly isBlanked: boolean;
}

const CLOCKING = { eightDots: 0x01, halfDotClock: 0x08 } as const;
const MODE = { graphics: 0x01, lineGraphics: 0x04, blink: 0x08, pansBoth: 0x20 } as const;
const SHIFT = { interleaved: 0x20, colors256: 0x40 } as const;
/** Characters of box drawing, whose last dot is continued into the ninth. */
const LINE_GRAPHICS = { mask: 0xe0, value: 0xc0 } as const;
const UNDERLINE_LOCATION = 0x1f;
const PRESET_ROW_SCAN = 0x1f;
/** Where the eight fonts are in plane 2, by character map. */
const FONT_OFFSETS = [0x0000, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000] as const;
const GLYPH_BYTES = 32;
const FONT_PLANE = 2;
const OPAQUE = 0xff00_0000;

/** Fills a line of dots, eight or nine for each character; the line has one character more than the screen. */
type LinePainter = (dots: Uint32Array, address: number, scanLine: number) => void;

export function renderVga(picture: VgaPicture): Frame {
  const { crtc, sequencer, attribute } = picture;
  const columns = columnsOf(crtc);
  const isText = !isGraphics(picture);
  const characterDots = isText && (sequencer.clockingMode & CLOCKING.eightDots) === 0 ? 9 : 8;
  const repeats = (sequencer.clockingMode & CLOCKING.halfDotClock) !== 0 ? 2 : 1;
  const visibleDots = columns * characterDots;
  const width = visibleDots * repeats;
  const height = displayedLines(crtc);
  const image = new Uint32Array(width * height).fill(OPAQUE);
  const frame = { width, height, pixels: new Uint8Array(image.buffer) };
  if (picture.isBlanked) return frame;

  const paint = isText ? textPainter(picture, columns, characterDots) : graphicsPainter(picture, columns);
  const dots = new Uint32Array((columns + 1) * characterDots);
  const split = lineCompare(crtc);
  let scanLine = crtc.presetRowScan & PRESET_ROW_SCAN;
  let address = startAddress(crtc) + ((crtc.presetRowScan >> 5) & 3);
  let panned = pannedDots(picture, characterDots);
  let isRepeated = false;
  for (let y = 0; y < height; y++) {
    paint(dots, address, scanLine);
    for (let x = 0; x < width; x++) image[y * width + x] = dots[panned + Math.floor(x / repeats)] ?? OPAQUE;
    if (y === split) {
      address = 0;
      scanLine = 0;
      isRepeated = false;
      if ((attribute.modeControl & MODE.pansBoth) !== 0) panned = 0;
      continue;
    }
    isRepeated = isDoubleScanned(crtc) && !isRepeated;
    if (isRepeated) continue;
    if (scanLine === lastScanLine(crtc)) {
      scanLine = 0;
      address += pitchOf(crtc);
    } else {
      scanLine = (scanLine + 1) & PRESET_ROW_SCAN;
    }
  }
  return frame;
}

export function isGraphics({ attribute, graphics }: Pick<VgaPicture, "attribute" | "graphics">): boolean {
  return ((attribute.modeControl | graphics.miscellaneous) & MODE.graphics) !== 0;
}

/** Dots by which the picture is moved to the left. */
function pannedDots({ attribute, graphics }: VgaPicture, characterDots: number): number {
  const panning = attribute.horizontalPanning & 0x0f;
  if ((graphics.mode & SHIFT.colors256) !== 0) return panning & 0x06;
  if (characterDots === 9) return panning >= 8 ? 0 : panning + 1;
  return panning & 0x07;
}

function textPainter(picture: VgaPicture, columns: number, characterDots: number): LinePainter {
  const { memory, crtc, attribute, sequencer } = picture;
  const colors = rgba(picture.colors);
  const { characterMapSelect: select } = sequencer;
  const fonts = [
    FONT_OFFSETS[((select >> 2) & 4) | (select & 3)] ?? 0,
    FONT_OFFSETS[((select >> 3) & 4) | ((select >> 2) & 3)] ?? 0,
  ] as const;
  const underline = crtc.underlineLocation & UNDERLINE_LOCATION;
  const blinks = (attribute.modeControl & MODE.blink) !== 0;
  const continuesLines = (attribute.modeControl & MODE.lineGraphics) !== 0;
  const cursor = picture.isCursorOn ? cursorOf(crtc) : undefined;
  return (dots, address, scanLine) => {
    for (let column = 0; column <= columns; column++) {
      const counter = address + column;
      const at = PLANES * planeOffset(crtc, counter, scanLine);
      const character = memory[at] ?? 0;
      const cell = memory[at + 1] ?? 0;
      const font = (cell & 0x08) !== 0 ? fonts[1] : fonts[0];
      let glyph = memory[PLANES * (font + GLYPH_BYTES * character + scanLine) + FONT_PLANE] ?? 0;
      const isLine = continuesLines && (character & LINE_GRAPHICS.mask) === LINE_GRAPHICS.value;
      glyph = (glyph << 1) | (isLine ? glyph & 1 : 0);
      const background = blinks ? (cell >> 4) & 7 : cell >> 4;
      let foreground = cell & 0x0f;
      if (blinks && (cell & 0x80) !== 0 && !picture.isBlinkOn) foreground = background;
      if ((cell & 0x07) === 1 && scanLine === underline) glyph = 0x1ff;
      const isCursor =
        counter === cursor?.address && scanLine >= cursor.firstLine && scanLine <= cursor.lastLine;
      if (isCursor) {
        glyph = 0x1ff;
        foreground = cell & 0x0f;
      }
      for (let dot = 0; dot < characterDots; dot++) {
        const color = (glyph & (0x100 >> dot)) !== 0 ? foreground : background;
        dots[column * characterDots + dot] = colors[color] ?? OPAQUE;
      }
    }
  };
}

function graphicsPainter(picture: VgaPicture, columns: number): LinePainter {
  const { memory, crtc, graphics } = picture;
  const isWide = (graphics.mode & SHIFT.colors256) !== 0;
  const shift = isWide
    ? shift256
    : (graphics.mode & SHIFT.interleaved) !== 0
      ? shiftInterleaved
      : shiftPlanes;
  const colors = rgba(isWide ? picture.dacColors : picture.colors);
  const values = new Uint8Array(8);
  return (dots, address, scanLine) => {
    for (let column = 0; column <= columns; column++) {
      const at = PLANES * planeOffset(crtc, address + column, scanLine);
      shift(memory, at, values);
      for (let dot = 0; dot < 8; dot++) dots[column * 8 + dot] = colors[values[dot] ?? 0] ?? OPAQUE;
    }
  };
}

/** Eight dots of a doubleword of the planes, as the shift registers give them. */
type Shift = (memory: Uint8Array, at: number, values: Uint8Array) => void;

const shiftPlanes: Shift = (memory, at, values) => {
  for (let dot = 0; dot < 8; dot++) {
    const bit = 7 - dot;
    let value = 0;
    for (let plane = 0; plane < PLANES; plane++) value |= (((memory[at + plane] ?? 0) >> bit) & 1) << plane;
    values[dot] = value;
  }
};

/** Two bits a dot: the even planes are four dots, the odd ones the next four; planes 2 and 3 give the upper bits. */
const shiftInterleaved: Shift = (memory, at, values) => {
  for (let dot = 0; dot < 8; dot++) {
    const plane = dot >> 2;
    const shift = 6 - 2 * (dot & 3);
    const low = ((memory[at + plane] ?? 0) >> shift) & 3;
    const high = ((memory[at + plane + 2] ?? 0) >> shift) & 3;
    values[dot] = low | (high << 2);
  }
};

/** A byte for each plane in turn, two dots wide. */
const shift256: Shift = (memory, at, values) => {
  for (let dot = 0; dot < 8; dot++) values[dot] = memory[at + (dot >> 1)] ?? 0;
};

/** The linear modes; what lies behind the end of video memory is its beginning again. */
export function renderVbe(mode: VbeMode, memory: Uint8Array, dacColors: readonly number[]): Frame {
  const { width, height, lineBytes, startBytes } = mode;
  if (mode.depth === 32 && startBytes % 4 === 0 && startBytes + height * lineBytes <= memory.length)
    return renderWords(mode, memory);
  const image = new Uint32Array(width * height);
  const colors = rgba(dacColors);
  const color = PIXELS[mode.depth] ?? PIXELS[8];
  const bytesPerPixel = Math.ceil(mode.depth / 8);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = (startBytes + y * lineBytes + x * bytesPerPixel) % memory.length;
      image[y * width + x] = color(memory, at, colors);
    }
  }
  return { width, height, pixels: new Uint8Array(image.buffer) };
}

/** The usual depth, where the picture lies in memory as a whole: viewers look at large screens often. */
function renderWords({ width, height, lineBytes, startBytes }: VbeMode, memory: Uint8Array): Frame {
  const words = new Uint32Array(memory.buffer, memory.byteOffset, memory.length >> 2);
  const image = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) {
    const from = (startBytes + y * lineBytes) >> 2;
    const to = y * width;
    for (let x = 0; x < width; x++) {
      const value = words[from + x] ?? 0;
      image[to + x] = OPAQUE | (value & 0xff00) | ((value & 0xff) << 16) | ((value >>> 16) & 0xff);
    }
  }
  return { width, height, pixels: new Uint8Array(image.buffer) };
}

type Pixel = (memory: Uint8Array, at: number, colors: Uint32Array) => number;

const pixel16 = (memory: Uint8Array, at: number): number => (memory[at] ?? 0) | ((memory[at + 1] ?? 0) << 8);
const pixel24: Pixel = (memory, at) => packed(memory[at + 2] ?? 0, memory[at + 1] ?? 0, memory[at] ?? 0);
const of5 = (value: number): number => ((value & 0x1f) << 3) | ((value & 0x1f) >> 2);
const of6 = (value: number): number => ((value & 0x3f) << 2) | ((value & 0x3f) >> 4);

const PIXELS: Readonly<Record<number, Pixel>> & Readonly<Record<8, Pixel>> = {
  8: (memory, at, colors) => colors[memory[at] ?? 0] ?? OPAQUE,
  15: (memory, at) => {
    const value = pixel16(memory, at);
    return packed(of5(value >> 10), of5(value >> 5), of5(value));
  },
  16: (memory, at) => {
    const value = pixel16(memory, at);
    return packed(of5(value >> 11), of6(value >> 5), of5(value));
  },
  24: pixel24,
  32: pixel24,
};

/** A pixel in the order of its bytes. */
function packed(red: number, green: number, blue: number): number {
  return (OPAQUE | (blue << 16) | (green << 8) | red) >>> 0;
}

const rgba = (colors: readonly number[]): Uint32Array =>
  Uint32Array.from(colors, (color) => packed(color >> 16, (color >> 8) & 0xff, color & 0xff));
