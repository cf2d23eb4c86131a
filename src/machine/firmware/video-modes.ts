/**
 * The BIOS's video modes: what each programs into the VGA (IBM VGA/XGA Technical Reference, "Video modes"; FreeVGA's and
 * Ralf Brown's lists agree on the values) and what the BIOS data area says of it. Deliberately missing: mode 0Fh, for
 * monochrome displays.
 */

/** What a pixel is made of; characters are drawn in modes that have no cells. */
export type PixelLayout =
  | { readonly kind: "cells" }
  /** As the CGA has it: packed from the highest bits down, odd lines 8 KiB behind even ones. */
  | { readonly kind: "interleaved"; readonly bitsPerPixel: 1 | 2 }
  | { readonly kind: "planes" }
  | { readonly kind: "bytes" };

/** Which colours the DAC gets. */
export type DacColors = "rgbRGB" | "intensity" | "256";

export interface VideoMode {
  readonly number: number;
  readonly columns: number;
  readonly rows: number;
  readonly characterHeight: number;
  readonly layout: PixelLayout;
  readonly dac: DacColors;
  /** Of its character buffer, or of the window in which its pixels are. */
  readonly gpa: number;
  /** In modes of pixels, a line's of the window. */
  readonly lineBytes: number;
  readonly pageBytes: number;
  /** Miscellaneous output register. */
  readonly miscellaneous: number;
  /** From index 1 on. */
  readonly sequencer: readonly number[];
  readonly crtc: readonly number[];
  readonly graphics: readonly number[];
  readonly attribute: readonly number[];
}

const COLOR_BUFFER_GPA = 0xb8000;
const MONOCHROME_BUFFER_GPA = 0xb0000;
const CRTC_40 = [
  0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
  0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
];
const CRTC_80 = [
  0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e,
  0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
];
const CRTC_UNDERLINE_LOCATION = 0x14;
const GRAPHICS_COLOR = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff];
const GRAPHICS_MONOCHROME = [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0a, 0x00, 0xff];
const ATTRIBUTE_COLOR = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00,
  0x0f, 0x08, 0x00,
];
const ATTRIBUTE_MONOCHROME = [
  0x00, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x08, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x0e, 0x00,
  0x0f, 0x08, 0x00,
];

const color = (number: number, columns: 40 | 80): VideoMode => ({
  number,
  columns,
  rows: 25,
  characterHeight: 16,
  layout: { kind: "cells" },
  dac: "rgbRGB",
  gpa: COLOR_BUFFER_GPA,
  lineBytes: 0,
  pageBytes: columns === 40 ? 0x800 : 0x1000,
  miscellaneous: 0x67,
  sequencer: [columns === 40 ? 0x08 : 0x00, 0x03, 0x00, 0x02],
  crtc: columns === 40 ? CRTC_40 : CRTC_80,
  graphics: GRAPHICS_COLOR,
  attribute: ATTRIBUTE_COLOR,
});

/** The mode in which the display is after its reset. */
export const RESET_MODE = color(3, 80);

const PIXELS_GPA = 0xa0000;
const ATTRIBUTE_INTENSITY = [
  0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01, 0x00,
  0x0f, 0x00, 0x00,
];
const ATTRIBUTE_PIXELS = [...ATTRIBUTE_COLOR.slice(0, 16), 0x01, 0x00, 0x0f, 0x00, 0x00];
const GRAPHICS_PLANES = [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff];
/** 200 lines, each twice: of 320 and of 640 dots; the maximum scan line, offset, underline and mode control differ. */
const crtc200 = (
  width: 320 | 640,
  [scanLine, offset, underline, mode]: readonly [number, number, number, number],
): number[] => [
  ...(width === 320
    ? [0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00]
    : [0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00]),
  ...[
    scanLine,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x00,
    0x9c,
    0x8e,
    0x8f,
    offset,
    underline,
    0x96,
    0xb9,
    mode,
    0xff,
  ],
];
const CRTC_350 = [
  0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x83, 0x85,
  0x5d, 0x28, 0x0f, 0x63, 0xba, 0xe3, 0xff,
];
const CRTC_480 = [
  0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xea, 0x8c,
  0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff,
];

/** Four colours of 320 × 200; mode 5 differs on composite monitors only. */
const cga = (number: number): VideoMode => ({
  ...{
    number,
    columns: 40,
    rows: 25,
    characterHeight: 8,
    gpa: COLOR_BUFFER_GPA,
    pageBytes: 0x4000,
    lineBytes: 80,
  },
  layout: { kind: "interleaved", bitsPerPixel: 2 },
  dac: "intensity",
  miscellaneous: 0x63,
  sequencer: [0x09, 0x03, 0x00, 0x02],
  crtc: crtc200(320, [0xc1, 0x14, 0x00, 0xa2]),
  graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0f, 0x00, 0xff],
  attribute: [
    0x00, 0x13, 0x15, 0x17, 0x02, 0x04, 0x06, 0x07, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x01,
    0x00, 0x03, 0x00, 0x00,
  ],
});

const planar = (
  mode: Pick<VideoMode, "number" | "columns" | "rows" | "characterHeight" | "pageBytes" | "crtc"> &
    Partial<VideoMode>,
): VideoMode => ({
  layout: { kind: "planes" },
  dac: "rgbRGB",
  gpa: PIXELS_GPA,
  lineBytes: mode.columns,
  miscellaneous: 0x63,
  sequencer: [mode.columns === 40 ? 0x09 : 0x01, 0x0f, 0x00, 0x06],
  graphics: GRAPHICS_PLANES,
  attribute: ATTRIBUTE_PIXELS,
  ...mode,
});

const intensity = { dac: "intensity", attribute: ATTRIBUTE_INTENSITY } as const;
const lines480 = {
  columns: 80,
  rows: 30,
  characterHeight: 16,
  pageBytes: 0xa000,
  crtc: CRTC_480,
  miscellaneous: 0xe3,
};

const PIXEL_MODES: readonly VideoMode[] = [
  cga(4),
  cga(5),
  {
    ...{
      number: 6,
      columns: 80,
      rows: 25,
      characterHeight: 8,
      gpa: COLOR_BUFFER_GPA,
      pageBytes: 0x4000,
      lineBytes: 80,
    },
    layout: { kind: "interleaved", bitsPerPixel: 1 },
    dac: "intensity",
    miscellaneous: 0x63,
    sequencer: [0x01, 0x01, 0x00, 0x06],
    crtc: crtc200(640, [0xc1, 0x28, 0x00, 0xc2]),
    graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0d, 0x00, 0xff],
    attribute: [0x00, ...Array<number>(15).fill(0x17), 0x01, 0x00, 0x01, 0x00, 0x00],
  },
  planar({
    ...{ number: 0x0d, columns: 40, rows: 25, characterHeight: 8, pageBytes: 0x2000, ...intensity },
    crtc: crtc200(320, [0xc0, 0x14, 0x00, 0xe3]),
  }),
  planar({
    ...{ number: 0x0e, columns: 80, rows: 25, characterHeight: 8, pageBytes: 0x4000, ...intensity },
    crtc: crtc200(640, [0xc0, 0x28, 0x00, 0xe3]),
  }),
  planar({
    ...{ number: 0x10, columns: 80, rows: 25, characterHeight: 14, pageBytes: 0x8000, miscellaneous: 0xa3 },
    crtc: CRTC_350,
  }),
  // All planes alike: the second colour is white, whatever a program writes.
  planar({
    ...{ ...lines480, number: 0x11 },
    attribute: [0x00, ...Array<number>(15).fill(0x3f), 0x01, 0x00, 0x0f, 0x00, 0x00],
  }),
  planar({ ...lines480, number: 0x12 }),
  {
    ...{
      number: 0x13,
      columns: 40,
      rows: 25,
      characterHeight: 8,
      gpa: PIXELS_GPA,
      pageBytes: 0x1_0000,
      lineBytes: 320,
    },
    layout: { kind: "bytes" },
    dac: "256",
    miscellaneous: 0x63,
    sequencer: [0x01, 0x0f, 0x00, 0x0e],
    crtc: crtc200(640, [0x41, 0x28, 0x40, 0xa3]),
    graphics: [0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff],
    attribute: [
      0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x41,
      0x00, 0x0f, 0x00, 0x00,
    ],
  },
];

const VIDEO_MODES: readonly VideoMode[] = [
  color(0, 40),
  color(1, 40),
  color(2, 80),
  RESET_MODE,
  {
    ...color(7, 80),
    gpa: MONOCHROME_BUFFER_GPA,
    miscellaneous: 0x66,
    crtc: CRTC_80.map((value, index) => (index === CRTC_UNDERLINE_LOCATION ? 0x0d : value)),
    graphics: GRAPHICS_MONOCHROME,
    attribute: ATTRIBUTE_MONOCHROME,
  },
  ...PIXEL_MODES,
];

export const videoMode = (number: number): VideoMode | undefined =>
  VIDEO_MODES.find((mode) => mode.number === number);

export type Levels = readonly [red: number, green: number, blue: number];

/** What a mode puts into the DAC from entry 0 on. */
export function dacColors(colors: DacColors): readonly Levels[] {
  switch (colors) {
    case "rgbRGB":
      return Array.from({ length: 64 }, (_, index) => palette64(index));
    case "intensity":
      return Array.from({ length: 64 }, (_, index) => intensityColor(index));
    case "256":
      return palette256();
  }
}

/** Two bits of each primary: rgbRGB of an attribute's palette register. */
function palette64(index: number): Levels {
  const level = (high: number, low: number): number =>
    (((index >> high) & 1) * 0x2a + ((index >> low) & 1) * 0x15) & 0x3f;
  return [level(2, 5), level(1, 4), level(0, 3)];
}

/** A bit of each primary and, in bit 4, intensity for all; dark yellow is brown. */
function intensityColor(index: number): Levels {
  const base = (index & 0x10) !== 0 ? 0x15 : 0;
  const level = (bit: number): number => base + ((index >> bit) & 1) * 0x2a;
  return (index & 0x17) === 6 ? [0x2a, 0x15, 0] : [level(2), level(1), level(0)];
}

const GRAYS = [0, 5, 8, 11, 14, 17, 20, 24, 28, 32, 36, 40, 45, 50, 56, 63];
/** The brightest and the darkest primary of each round of 24 hues. */
const HUE_ROUNDS = [
  [63, 0],
  [63, 31],
  [63, 45],
  [28, 0],
  [28, 14],
  [28, 20],
  [16, 0],
  [16, 8],
  [16, 11],
] as const;
/** Quarters of the way from dark to bright, beginning at blue. */
const HUES = Array.from({ length: 24 }, (_, hue) => {
  const level = (phase: number): number =>
    Math.min(4, Math.max(0, 8 - Math.abs(((hue - phase + 36) % 24) - 12)));
  return [level(8), level(16), level(0)] as const;
});

function palette256(): Levels[] {
  const sixteen = Array.from({ length: 16 }, (_, index) => intensityColor((index & 7) | ((index & 8) << 1)));
  const rounds = HUE_ROUNDS.flatMap(([bright, dark]) =>
    HUES.map((hue): Levels => {
      const [red, green, blue] = hue.map((quarters) =>
        Math.ceil(dark + ((bright - dark) * quarters) / 4 - 0.5),
      );
      return [red ?? 0, green ?? 0, blue ?? 0];
    }),
  );
  const black = Array.from({ length: 8 }, (): Levels => [0, 0, 0]);
  return [...sixteen, ...GRAYS.map((gray): Levels => [gray, gray, gray]), ...rounds, ...black];
}
