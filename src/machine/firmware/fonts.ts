/**
 * The fonts in the ROM: the one of 16 lines, and those of 14 and 8 lines, which are made from it: its first and last line
 * are left out, or pairs of its lines become one. 256 characters each, a byte for a line.
 */

import { FONT_8X16, FONT_LINES } from "../../devices/vga/index.ts";

export const FONT_HEIGHTS = [8, 14, 16] as const;
export type FontHeight = (typeof FONT_HEIGHTS)[number];
export const FONT_CHARACTERS = 256;

export function romFont(height: FontHeight): Uint8Array {
  return Uint8Array.from({ length: FONT_CHARACTERS * height }, (_, at) => {
    const character = Math.floor(at / height);
    const line = at % height;
    const row = (index: number): number => FONT_8X16[character * FONT_LINES + index] ?? 0;
    return height === 8 ? row(2 * line) | row(2 * line + 1) : row(line + (FONT_LINES - height) / 2);
  });
}
