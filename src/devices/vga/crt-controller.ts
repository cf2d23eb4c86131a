/**
 * What the CRT controller's registers say together (IBM VGA/XGA Technical Reference, "CRT Controller"): the size of the
 * picture, and which address of the planes is shown where.
 *
 * Deliberately missing: blanking and retrace (they move the picture on a monitor, and change nothing in it), the vertical
 * counter at half the rate (mode control bit 2), skew of cursor and display.
 */

import type { RegisterValues } from "../../hw/index.ts";
import type { CRTC_REGISTERS } from "./registers.ts";

export type Crtc = RegisterValues<typeof CRTC_REGISTERS>;

const SCAN_LINE = 0x1f;
const DOUBLE_SCAN = 0x80;
const UNDERLINE_DOUBLEWORDS = 0x40;
const MODE_CONTROL = { row0IsA13: 0x01, row1IsA14: 0x02, wrapAtA15: 0x20, bytes: 0x40 } as const;
const CURSOR_OFF = 0x20;
const PLANE_MASK = 0xffff;

export const columnsOf = (crtc: Crtc): number => crtc.horizontalDisplayEnd + 1;

/** A value of ten bits, of which the overflow register has bits 8 and 9, as lines of the screen. */
export function displayedLines(crtc: Crtc): number {
  const bit8 = (crtc.overflow >> 1) & 1;
  const bit9 = (crtc.overflow >> 6) & 1;
  return (crtc.verticalDisplayEnd | (bit8 << 8) | (bit9 << 9)) + 1;
}

/** The last line of the upper part of a split screen. */
export function lineCompare(crtc: Crtc): number {
  const bit8 = (crtc.overflow >> 4) & 1;
  const bit9 = (crtc.maximumScanLine >> 6) & 1;
  return crtc.lineCompare | (bit8 << 8) | (bit9 << 9);
}

export const lastScanLine = (crtc: Crtc): number => crtc.maximumScanLine & SCAN_LINE;
export const isDoubleScanned = (crtc: Crtc): boolean => (crtc.maximumScanLine & DOUBLE_SCAN) !== 0;

/** Lines of the screen that a row of characters takes. */
export const rowLines = (crtc: Crtc): number => (lastScanLine(crtc) + 1) * (isDoubleScanned(crtc) ? 2 : 1);

export const startAddress = (crtc: Crtc): number => (crtc.startAddressHigh << 8) | crtc.startAddressLow;

/** Of the address counter, from one row to the next: the register counts pairs. */
export const pitchOf = (crtc: Crtc): number => crtc.offset * 2;

/**
 * The offset in the planes that the address counter and the line within the row select. Doublewords are the chain-4
 * addresses of video-memory.ts, where four addresses in a row have one offset: the counter is that offset.
 */
export function planeOffset(crtc: Crtc, counter: number, scanLine: number): number {
  if ((crtc.underlineLocation & UNDERLINE_DOUBLEWORDS) !== 0) return counter & PLANE_MASK;
  const { modeControl } = crtc;
  let offset = counter;
  if ((modeControl & MODE_CONTROL.bytes) === 0) {
    const low = (modeControl & MODE_CONTROL.wrapAtA15) !== 0 ? counter >> 15 : counter >> 13;
    offset = (counter << 1) | (low & 1);
  }
  if ((modeControl & MODE_CONTROL.row0IsA13) === 0) offset = (offset & ~0x2000) | ((scanLine & 1) << 13);
  if ((modeControl & MODE_CONTROL.row1IsA14) === 0) offset = (offset & ~0x4000) | ((scanLine & 2) << 13);
  return offset & PLANE_MASK;
}

export interface Cursor {
  /** Of the address counter. */
  readonly address: number;
  readonly firstLine: number;
  readonly lastLine: number;
}

/** Undefined while it is switched off. */
export function cursorOf(crtc: Crtc): Cursor | undefined {
  const firstLine = crtc.cursorStart & SCAN_LINE;
  const lastLine = crtc.cursorEnd & SCAN_LINE;
  if ((crtc.cursorStart & CURSOR_OFF) !== 0 || firstLine > lastLine) return undefined;
  return { address: (crtc.cursorLocationHigh << 8) | crtc.cursorLocationLow, firstLine, lastLine };
}
