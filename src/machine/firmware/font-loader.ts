/**
 * Loads the font of text modes as a video BIOS does: into plane 2, through the window at A0000h, with the sequencer and the
 * graphics controller switched to plain accesses meanwhile (IBM VGA/XGA Technical Reference, "RAM Loadable Character
 * Generator").
 */

import { FONT_8X16, FONT_LINES } from "../../devices/index.ts";
import type { MmioBus, PortBus } from "../../hw/index.ts";

const WINDOW_GPA = 0xa0000;
const GLYPH_BYTES = 32;
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

export function loadFont(ports: PortBus, mmio: MmioBus): void {
  const before = PLAIN_ACCESS.map(([port, index]) => {
    ports.writePort(port, 1, index);
    return [port, index, ports.readPort(port + 1, 1)] as const;
  });
  write(ports, PLAIN_ACCESS);
  FONT_8X16.forEach((row, at) => {
    const character = Math.floor(at / FONT_LINES);
    mmio.writeMmio(WINDOW_GPA + GLYPH_BYTES * character + (at % FONT_LINES), 1, row);
  });
  write(ports, before);
}

function write(ports: PortBus, registers: readonly (readonly [number, number, number])[]): void {
  for (const [port, index, value] of registers) {
    ports.writePort(port, 1, index);
    ports.writePort(port + 1, 1, value);
  }
}
