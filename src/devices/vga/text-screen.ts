/** What a text mode of the VGA shows: characters, colours and the cursor, read from guest RAM. */

import type { GuestRam } from "../../memory/index.ts";
import type { RegisterValues } from "../../hw/index.ts";
import { CODE_PAGE_437 } from "./code-page-437.ts";
import type { CRTC_REGISTERS } from "./registers.ts";

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
  /** A mode of graphics, which is not shown. */
  | { readonly kind: "graphics" }
  /** The guest switched the screen off. */
  | { readonly kind: "off" };

export interface TextScreenSource {
  readonly ram: GuestRam;
  readonly crtc: RegisterValues<typeof CRTC_REGISTERS>;
  /** Graphics register 6, bits 2–3. */
  readonly memoryMap: number;
  /** Attribute register 10h. */
  readonly attributeMode: number;
  readonly colors: readonly number[];
}

export const MAX_TEXT_COLUMNS = 256;
export const MAX_TEXT_ROWS = 128;
/** Where the character buffer is, by memory map select. */
const BUFFERS = [
  { gpa: 0xa0000, sizeBytes: 0x20000 },
  { gpa: 0xa0000, sizeBytes: 0x10000 },
  { gpa: 0xb0000, sizeBytes: 0x8000 },
  { gpa: 0xb8000, sizeBytes: 0x8000 },
] as const;
const CURSOR_OFF = 0x20;
const CURSOR_LINE = 0x1f;
const ATTRIBUTE_BLINK = 0x08;
const MAXIMUM_SCAN_LINE = 0x1f;
const DOUBLE_SCAN = 0x80;

export function readTextScreen(source: TextScreenSource): TextScreen {
  const { crtc, ram } = source;
  const buffer = BUFFERS[source.memoryMap & 3] ?? BUFFERS[3];
  const columns = Math.min(crtc.horizontalDisplayEnd + 1, MAX_TEXT_COLUMNS);
  const rows = Math.min(Math.max(1, Math.floor(displayedLines(crtc) / rowLines(crtc))), MAX_TEXT_ROWS);
  // Addresses count characters; the offset register counts pairs of them per row.
  const start = (crtc.startAddressHigh << 8) | crtc.startAddressLow;
  const pitch = crtc.offset * 2;
  const cells = new Uint8Array(rows * columns * 2);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const at = buffer.gpa + (((start + row * pitch + column) * 2) % buffer.sizeBytes);
      const cell = (row * columns + column) * 2;
      cells[cell] = ram.readU8(at);
      cells[cell + 1] = ram.readU8(at + 1);
    }
  }
  return {
    kind: "text",
    columns,
    rows,
    cells,
    cursor: cursorOf(crtc, start, pitch, columns, rows),
    colors: source.colors,
    blinks: (source.attributeMode & ATTRIBUTE_BLINK) !== 0,
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

type Crtc = TextScreenSource["crtc"];

function displayedLines(crtc: Crtc): number {
  const bit8 = (crtc.overflow >> 1) & 1;
  const bit9 = (crtc.overflow >> 6) & 1;
  return (crtc.verticalDisplayEnd | (bit8 << 8) | (bit9 << 9)) + 1;
}

function rowLines(crtc: Crtc): number {
  const lines = (crtc.maximumScanLine & MAXIMUM_SCAN_LINE) + 1;
  return (crtc.maximumScanLine & DOUBLE_SCAN) !== 0 ? lines * 2 : lines;
}

function cursorOf(
  crtc: Crtc,
  start: number,
  pitch: number,
  columns: number,
  rows: number,
): TextScreen["cursor"] {
  const isHidden =
    (crtc.cursorStart & CURSOR_OFF) !== 0 ||
    (crtc.cursorStart & CURSOR_LINE) > (crtc.cursorEnd & CURSOR_LINE);
  if (isHidden || pitch === 0) return undefined;
  const location = ((crtc.cursorLocationHigh << 8) | crtc.cursorLocationLow) - start;
  const row = Math.floor(location / pitch);
  const column = location - row * pitch;
  return row >= 0 && row < rows && column < columns ? { column, row } : undefined;
}
