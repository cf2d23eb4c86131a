/**
 * Loads a font of text modes as a video BIOS does: into plane 2, through the window at A0000h, with the sequencer and the
 * graphics controller switched to plain accesses meanwhile (IBM VGA/XGA Technical Reference, "RAM Loadable Character
 * Generator").
 */

import type { MmioBus, PortBus } from "../../hw/index.ts";
import { FONT_CHARACTERS, romFont } from "./fonts.ts";

const WINDOW_GPA = 0xa0000;
const GLYPH_BYTES = 32;
export const GLYPH_LINES_MAX = GLYPH_BYTES;
/** Where each of the eight fonts begins, by its number. */
const BLOCK_OFFSETS = [0x0000, 0x4000, 0x8000, 0xc000, 0x2000, 0x6000, 0xa000, 0xe000] as const;
const SEQUENCER = 0x3c4;
const GRAPHICS = 0x3ce;
/** Index port, index and value: all accesses go to plane 2, a byte each, at A0000h. */
const PLAIN_ACCESS = [
  [SEQUENCER, 2, 0x04],
  [SEQUENCER, 4, 0x07],
  [GRAPHICS, 4, 0x02],
  [GRAPHICS, 5, 0x00],
  [GRAPHICS, 6, 0x04],
] as const;

/** Characters from `first` on, `lines` bytes each. */
export interface Glyphs {
  readonly rows: Uint8Array;
  readonly lines: number;
  readonly first: number;
}

const WHOLE_FONT: Glyphs = { rows: romFont(16), lines: 16, first: 0 };

/** What is beyond the last character, or the last line that a character can have, is left out. */
export function loadFont(ports: PortBus, mmio: MmioBus, glyphs: Glyphs = WHOLE_FONT, block = 0): void {
  const before = PLAIN_ACCESS.map(([port, index]) => {
    ports.writePort(port, 1, index);
    return [port, index, ports.readPort(port + 1, 1)] as const;
  });
  write(ports, PLAIN_ACCESS);
  const { rows, lines, first } = glyphs;
  const start = WINDOW_GPA + (BLOCK_OFFSETS[block & 7] ?? 0);
  rows.forEach((row, at) => {
    const character = first + Math.floor(at / lines);
    const line = at % lines;
    if (character < FONT_CHARACTERS && line < GLYPH_BYTES)
      mmio.writeMmio(start + GLYPH_BYTES * character + line, 1, row);
  });
  write(ports, before);
}

function write(ports: PortBus, registers: readonly (readonly [number, number, number])[]): void {
  for (const [port, index, value] of registers) {
    ports.writePort(port, 1, index);
    ports.writePort(port + 1, 1, value);
  }
}
