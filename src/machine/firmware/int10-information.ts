/**
 * INT 10h, AH = 12h, 1Ah and 1Bh: what display there is, its state as a table, and switches of the display. IBM PS/2 and PC
 * BIOS Interface Technical Reference; Ralf Brown's interrupt list.
 *
 * Deliberately missing of AH = 12h: text modes of 200 and 350 lines (30h), keeping the palette (31h), sums of gray (33h), the
 * second display (35h); a program sees that they are not there.
 */

import type { PortBus } from "../../hw/index.ts";
import type { BiosData } from "./bios-data.ts";
import { ROM_OFFSETS, ROM_SEGMENT } from "./rom.ts";
import type { ServiceCall } from "./service-call.ts";
import type { VideoMode } from "./video-modes.ts";

const SEQUENCER = { port: 0x3c4, clockingMode: 1, screenOff: 0x20 } as const;
const MISCELLANEOUS = { read: 0x3cc, write: 0x3c2, memoryEnabled: 0x02 } as const;
/** What AL is where a function is there. */
const SUPPORTED = { alternateSelect: 0x12, displayCombination: 0x1a, state: 0x1b } as const;
/** In the video control byte at 40:87: programs' cursor shapes are taken as they are. */
const CURSOR_UNSCALED = 0x01;
/** Colour, 256 KiB. */
const EGA_CONFIGURATION = 0x0003;

const STATE_BYTES = 0x40;
const STATE = {
  staticTable: 0x00,
  mode: 0x04,
  columns: 0x05,
  pageBytes: 0x07,
  pageOffset: 0x09,
  cursors: 0x0b,
  cursorShape: 0x1b,
  activePage: 0x1d,
  crtcPort: 0x1e,
  rows: 0x22,
  characterHeight: 0x23,
  displayCombination: 0x25,
  colors: 0x27,
  pages: 0x29,
  scanLines: 0x2a,
  miscellaneous: 0x2d,
  memory: 0x31,
} as const;
const PAGES = 8;
const WINDOW_BYTES = { cells: 0x8000, pixels: 0x1_0000 } as const;
/** By the lines of the picture. */
const SCAN_LINE_CODES: ReadonlyMap<number, number> = new Map([
  [200, 0],
  [350, 1],
  [400, 2],
  [480, 3],
]);
/** All modes on this display; attributes blink. */
const MISCELLANEOUS_STATE = 0x21;
const MEMORY_256_KIB = 3;

export class InformationServices {
  readonly #ports: PortBus;
  readonly #data: BiosData;

  constructor(ports: PortBus, data: BiosData) {
    this.#ports = ports;
    this.#data = data;
  }

  /** AH = 12h. */
  alternateSelect(call: ServiceCall): void {
    switch (call.bl) {
      case 0x10:
        call.bx = EGA_CONFIGURATION;
        call.cx = this.#data.get("videoSwitches") & 0x0f;
        return;
      case 0x32: {
        const before = this.#ports.readPort(MISCELLANEOUS.read, 1);
        const { memoryEnabled } = MISCELLANEOUS;
        const value = call.al === 0 ? before | memoryEnabled : before & ~memoryEnabled;
        this.#ports.writePort(MISCELLANEOUS.write, 1, value);
        break;
      }
      case 0x34: {
        const control = this.#data.get("videoControl") & ~CURSOR_UNSCALED;
        this.#data.set("videoControl", call.al === 0 ? control : control | CURSOR_UNSCALED);
        break;
      }
      case 0x36: {
        const { port, clockingMode, screenOff } = SEQUENCER;
        this.#ports.writePort(port, 1, clockingMode);
        const before = this.#ports.readPort(port + 1, 1);
        this.#ports.writePort(port + 1, 1, call.al === 0 ? before & ~screenOff : before | screenOff);
        break;
      }
      default:
        return;
    }
    call.al = SUPPORTED.alternateSelect;
  }

  /** AH = 1Ah. */
  displayCombination(call: ServiceCall): void {
    if (call.al === 0) call.bx = this.#data.get("displayCombination");
    call.al = SUPPORTED.displayCombination;
  }

  /** AH = 1Bh: 64 bytes at ES:DI. */
  state(call: ServiceCall, mode: VideoMode): void {
    if (call.bx !== 0) return;
    const data = this.#data;
    const table = new DataView(new ArrayBuffer(STATE_BYTES));
    table.setUint32(STATE.staticTable, ((ROM_SEGMENT << 16) | ROM_OFFSETS.videoFunctionality) >>> 0, true);
    table.setUint8(STATE.mode, data.get("videoMode"));
    table.setUint16(STATE.columns, data.get("videoColumns"), true);
    table.setUint16(STATE.pageBytes, data.get("videoPageBytes"), true);
    table.setUint16(STATE.pageOffset, data.get("videoPageOffset"), true);
    for (let page = 0; page < PAGES; page++) {
      const { row, column } = data.cursor(page);
      table.setUint16(STATE.cursors + 2 * page, (row << 8) | column, true);
    }
    table.setUint16(STATE.cursorShape, (data.get("cursorStart") << 8) | data.get("cursorEnd"), true);
    table.setUint8(STATE.activePage, data.get("activePage"));
    table.setUint16(STATE.crtcPort, data.get("crtcPort"), true);
    table.setUint8(STATE.rows, data.get("videoLastRow") + 1);
    table.setUint16(STATE.characterHeight, data.get("characterHeight"), true);
    table.setUint8(STATE.displayCombination, data.get("displayCombination"));
    table.setUint16(STATE.colors, colorCount(mode), true);
    table.setUint8(STATE.pages, pageCount(mode));
    table.setUint8(STATE.scanLines, SCAN_LINE_CODES.get(mode.rows * mode.characterHeight) ?? 0);
    table.setUint8(STATE.miscellaneous, MISCELLANEOUS_STATE);
    table.setUint8(STATE.memory, MEMORY_256_KIB);
    for (let at = 0; at < STATE_BYTES; at++) call.setByteInEs(call.di + at, table.getUint8(at));
    call.al = SUPPORTED.state;
  }

  /** Whether cursor shapes are given as those of 8 lines. */
  get scalesCursor(): boolean {
    return (this.#data.get("videoControl") & CURSOR_UNSCALED) === 0;
  }
}

function colorCount({ layout }: VideoMode): number {
  if (layout.kind === "bytes") return 256;
  return layout.kind === "interleaved" ? 1 << layout.bitsPerPixel : 16;
}

function pageCount({ layout, pageBytes }: VideoMode): number {
  const windowBytes = layout.kind === "planes" ? WINDOW_BYTES.pixels : WINDOW_BYTES.cells;
  return Math.min(PAGES, Math.max(1, Math.floor(windowBytes / pageBytes)));
}
