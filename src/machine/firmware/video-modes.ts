/**
 * The BIOS's video modes: what each programs into the VGA (IBM VGA/XGA Technical Reference, "Video modes"; FreeVGA's and
 * Ralf Brown's lists agree on the values) and what the BIOS data area says of it. Text modes only: the display has no
 * graphics yet.
 */

export interface VideoMode {
  readonly number: number;
  readonly columns: number;
  readonly rows: number;
  readonly characterHeight: number;
  /** Of its character buffer. */
  readonly gpa: number;
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
  gpa: COLOR_BUFFER_GPA,
  pageBytes: columns === 40 ? 0x800 : 0x1000,
  miscellaneous: 0x67,
  sequencer: [columns === 40 ? 0x08 : 0x00, 0x03, 0x00, 0x02],
  crtc: columns === 40 ? CRTC_40 : CRTC_80,
  graphics: GRAPHICS_COLOR,
  attribute: ATTRIBUTE_COLOR,
});

/** The mode in which the display is after its reset. */
export const RESET_MODE = color(3, 80);

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
];

export const videoMode = (number: number): VideoMode | undefined =>
  VIDEO_MODES.find((mode) => mode.number === number);

/** The colours of the DAC's first 64 places, two bits of each primary: rgbRGB of an attribute's palette register. */
export function palette64(index: number): readonly [red: number, green: number, blue: number] {
  const level = (high: number, low: number): number =>
    (((index >> high) & 1) * 0x2a + ((index >> low) & 1) * 0x15) & 0x3f;
  return [level(2, 5), level(1, 4), level(0, 3)];
}
