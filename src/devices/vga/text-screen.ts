/** What a text mode of the VGA shows: characters, colours and the cursor, read from the planes. */

import { CODE_PAGE_437 } from "./code-page-437.ts";
import {
  columnsOf,
  cursorOf,
  displayedLines,
  pitchOf,
  planeOffset,
  rowLines,
  startAddress,
} from "./crt-controller.ts";
import type { Crtc } from "./crt-controller.ts";
import { PLANES } from "./video-memory.ts";

export interface TextScreen {
  readonly kind: "text";
  readonly columns: number;
  readonly rows: number;
  /**
   * Two bytes per cell, row by row, as in the buffer: code page 437, then foreground in bits 0–3, background in
   * bits 4–6, and bit 7 as `blinks` says. A copy.
   */
  readonly cells: Uint8Array;
  /** Undefined when it is hidden or outside the screen. */
  readonly cursor: { readonly column: number; readonly row: number } | undefined;
  /** The sixteen colours that attributes choose from, as 0xRRGGBB. */
  readonly colors: readonly number[];
  /** Attribute bit 7 makes the character blink; otherwise it is bit 3 of the background. */
  readonly blinks: boolean;
}

export type VgaScreen =
  | TextScreen
  /** A mode of graphics: frame() has its picture. */
  | { readonly kind: "graphics" }
  /** The guest switched the screen off. */
  | { readonly kind: "off" };

export interface TextScreenSource {
  /** Byte 4·offset + plane. */
  readonly memory: Uint8Array;
  readonly crtc: Crtc;
  /** Attribute register 10h. */
  readonly attributeMode: number;
  readonly colors: readonly number[];
}

export const MAX_TEXT_COLUMNS = 256;
export const MAX_TEXT_ROWS = 128;
const ATTRIBUTE_BLINK = 0x08;

export function readTextScreen({ memory, crtc, attributeMode, colors }: TextScreenSource): TextScreen {
  const columns = Math.min(columnsOf(crtc), MAX_TEXT_COLUMNS);
  const rows = Math.min(Math.max(1, Math.floor(displayedLines(crtc) / rowLines(crtc))), MAX_TEXT_ROWS);
  const cells = new Uint8Array(rows * columns * 2);
  for (let row = 0; row < rows; row++) {
    const rowAddress = startAddress(crtc) + row * pitchOf(crtc);
    for (let column = 0; column < columns; column++) {
      const at = PLANES * planeOffset(crtc, rowAddress + column, 0);
      const cell = (row * columns + column) * 2;
      cells[cell] = memory[at] ?? 0;
      cells[cell + 1] = memory[at + 1] ?? 0;
    }
  }
  return {
    kind: "text",
    columns,
    rows,
    cells,
    cursor: placeOfCursor(crtc, columns, rows),
    colors,
    blinks: (attributeMode & ATTRIBUTE_BLINK) !== 0,
  };
}

/** The characters of the screen, a line per row without trailing blanks. */
export function textLines(screen: Pick<TextScreen, "columns" | "rows" | "cells">): string[] {
  return Array.from({ length: screen.rows }, (_, row) => {
    let line = "";
    for (let column = 0; column < screen.columns; column++) {
      line += CODE_PAGE_437[screen.cells[(row * screen.columns + column) * 2] ?? 0] ?? " ";
    }
    return line.trimEnd();
  });
}

function placeOfCursor(crtc: Crtc, columns: number, rows: number): TextScreen["cursor"] {
  const cursor = cursorOf(crtc);
  const pitch = pitchOf(crtc);
  if (cursor === undefined || pitch === 0) return undefined;
  const location = cursor.address - startAddress(crtc);
  const row = Math.floor(location / pitch);
  const column = location - row * pitch;
  return row >= 0 && row < rows && column < columns ? { column, row } : undefined;
}
