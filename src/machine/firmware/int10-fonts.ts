/**
 * INT 10h, AH = 11h: fonts. Text modes have theirs in the VGA's plane 2, eight blocks of 256 characters; modes of pixels
 * draw what the vectors of INT 43h and, for the upper half in CGA modes, INT 1Fh point to. IBM VGA/XGA Technical Reference;
 * Ralf Brown's interrupt list.
 *
 * Deliberately missing: the alternate characters of nine dots, which are given as those of eight.
 */

import type { MmioBus, PortBus } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import type { BiosData } from "./bios-data.ts";
import { GLYPH_LINES_MAX, loadFont } from "./font-loader.ts";
import { FONT_CHARACTERS, romFont } from "./fonts.ts";
import type { FontHeight } from "./fonts.ts";
import { ROM_FONT_OFFSETS, ROM_SEGMENT } from "./rom.ts";
import type { CallerMemory } from "./caller-memory.ts";
import type { ServiceCall } from "./service-call.ts";
import type { VideoMode } from "./video-modes.ts";

const SEQUENCER = 0x3c4;
const CHARACTER_MAP_SELECT = 3;
const CRTC = { maximumScanLine: 0x09, verticalDisplayEnd: 0x12, underline: 0x14, overflow: 0x07 } as const;
const CRTC_MONOCHROME = 0x3b4;
const CRTC_COLOR = 0x3d4;
/** The upper half of CGA modes, and all of the others. */
const FONT_VECTOR = { upperHalf: 0x1f, graphics: 0x43 } as const;
const UPPER_HALF = 0x80;
/** What AL = 10h to 14h adds: the screen is programmed for the font's height. */
const ADAPTS_SCREEN = 0x10;
/** Rows by the code in BL; 0 means that DL has them. */
const ROWS_BY_CODE = [0, 14, 25, 43] as const;
const PAGE_ALIGNMENT = 0x100;

/** Lines of characters that are drawn as pixels. */
export interface GraphicsFont {
  readonly height: number;
  line(character: number, line: number): number;
}

export class FontServices {
  readonly #ram: GuestRam;
  readonly #ports: PortBus;
  readonly #mmio: MmioBus;
  readonly #data: BiosData;

  constructor(ram: GuestRam, ports: PortBus, mmio: MmioBus, data: BiosData) {
    this.#ram = ram;
    this.#ports = ports;
    this.#mmio = mmio;
    this.#data = data;
  }

  /** Once, at the power-on self-test: what a program may have put there survives changes of the mode. */
  reset(): void {
    this.#point(FONT_VECTOR.upperHalf, ROM_SEGMENT, ROM_FONT_OFFSETS[8] + UPPER_HALF * 8);
    this.#point(FONT_VECTOR.graphics, ROM_SEGMENT, ROM_FONT_OFFSETS[16]);
  }

  /** A mode has been set: it begins with the ROM's font. */
  useRomFont({ characterHeight, layout }: VideoMode): void {
    const height = characterHeight === 8 || characterHeight === 14 ? characterHeight : 16;
    this.#point(FONT_VECTOR.graphics, ROM_SEGMENT, ROM_FONT_OFFSETS[height]);
    // Pixels may have been where the font is.
    if (layout.kind === "cells") loadFont(this.#ports, this.#mmio);
  }

  /** The font with which characters are drawn in a mode of pixels, which a program may have in its own memory. */
  graphicsFont(mode: VideoMode, memory: CallerMemory): GraphicsFont {
    const height = this.graphicsHeight(mode);
    const hasHalves = mode.layout.kind === "interleaved";
    const [all, upper] = [this.#pointer(FONT_VECTOR.graphics), this.#pointer(FONT_VECTOR.upperHalf)];
    return {
      height,
      line: (character, line) =>
        hasHalves && character >= UPPER_HALF
          ? memory.readU8(upper + (character - UPPER_HALF) * height + line)
          : memory.readU8(all + character * height + line),
    };
  }

  /** What a program has written to the BIOS data area may be anything. */
  graphicsHeight({ characterHeight }: VideoMode): number {
    const height = this.#data.get("characterHeight");
    return height === 0 || height > GLYPH_LINES_MAX ? characterHeight : height;
  }

  /** True when the screen has got another number of rows. */
  call(call: ServiceCall): boolean {
    const isAdapting = (call.al & ADAPTS_SCREEN) !== 0;
    switch (call.al) {
      case 0x00:
      case 0x10:
        return this.#loadUserFont(call, isAdapting);
      case 0x01:
      case 0x11:
        return this.#loadRomFont(14, call.bl, isAdapting);
      case 0x02:
      case 0x12:
        return this.#loadRomFont(8, call.bl, isAdapting);
      case 0x04:
      case 0x14:
        return this.#loadRomFont(16, call.bl, isAdapting);
      case 0x03:
        this.#ports.writePort(SEQUENCER, 1, CHARACTER_MAP_SELECT);
        this.#ports.writePort(SEQUENCER + 1, 1, call.bl);
        return false;
      case 0x20:
        this.#point(FONT_VECTOR.upperHalf, call.es, call.bp);
        return false;
      case 0x21:
        return this.#drawWith(call, call.es, call.bp, call.cx);
      case 0x22:
        return this.#drawWith(call, ROM_SEGMENT, ROM_FONT_OFFSETS[14], 14);
      case 0x23:
        return this.#drawWith(call, ROM_SEGMENT, ROM_FONT_OFFSETS[8], 8);
      case 0x24:
        return this.#drawWith(call, ROM_SEGMENT, ROM_FONT_OFFSETS[16], 16);
      case 0x30:
        this.#information(call);
        return false;
      default:
        return false;
    }
  }

  #loadUserFont(call: ServiceCall, isAdapting: boolean): boolean {
    const lines = call.bh;
    const first = call.dx;
    if (lines === 0 || lines > GLYPH_LINES_MAX || first >= FONT_CHARACTERS) return false;
    const count = Math.min(call.cx, FONT_CHARACTERS - first);
    const { bp } = call;
    const rows = Uint8Array.from({ length: count * lines }, (_, at) => call.byteInEs(bp + at));
    loadFont(this.#ports, this.#mmio, { rows, lines, first }, call.bl);
    if (isAdapting) this.#adaptScreen(lines);
    return isAdapting;
  }

  #loadRomFont(height: FontHeight, block: number, isAdapting: boolean): boolean {
    loadFont(this.#ports, this.#mmio, { rows: romFont(height), lines: height, first: 0 }, block);
    if (isAdapting) this.#adaptScreen(height);
    return isAdapting;
  }

  /** As many rows as fit on the screen's lines; those are at least 350, so that the overflow register stays as it is. */
  #adaptScreen(height: number): void {
    const data = this.#data;
    const port = data.get("crtcPort") === CRTC_MONOCHROME ? CRTC_MONOCHROME : CRTC_COLOR;
    const read = (index: number): number => {
      this.#ports.writePort(port, 1, index);
      return this.#ports.readPort(port + 1, 1);
    };
    const write = (index: number, value: number): void => {
      this.#ports.writePort(port, 1, index);
      this.#ports.writePort(port + 1, 1, value);
    };
    const overflow = read(CRTC.overflow);
    const highBits = ((overflow & 0x02) << 7) | ((overflow & 0x40) << 3);
    const rows = Math.floor((highBits + read(CRTC.verticalDisplayEnd) + 1) / height);
    write(CRTC.maximumScanLine, (read(CRTC.maximumScanLine) & 0xe0) | (height - 1));
    write(CRTC.verticalDisplayEnd, (rows * height - 1) & 0xff);
    write(CRTC.underline, height - 1);
    data.set("videoLastRow", rows - 1);
    data.set("characterHeight", height);
    const pageBytes = 2 * rows * data.get("videoColumns");
    data.set("videoPageBytes", Math.ceil(pageBytes / PAGE_ALIGNMENT) * PAGE_ALIGNMENT);
  }

  /** For modes of pixels; what is on the screen stays. */
  #drawWith(call: ServiceCall, segment: number, offset: number, height: number): boolean {
    if (height === 0 || height > GLYPH_LINES_MAX) return false;
    const rows = ROWS_BY_CODE[call.bl] ?? 25;
    this.#point(FONT_VECTOR.graphics, segment, offset);
    this.#data.set("characterHeight", height);
    this.#data.set("videoLastRow", Math.max(1, rows === 0 ? call.dl : rows) - 1);
    return true;
  }

  /** By BH: the two vectors, then the ROM's fonts. */
  #information(call: ServiceCall): void {
    const vector = (number: number): readonly [number, number] => {
      const pointer = this.#ram.readU32(4 * number);
      return [pointer >>> 16, pointer & 0xffff];
    };
    const rom = (height: FontHeight, first = 0): readonly [number, number] => [
      ROM_SEGMENT,
      ROM_FONT_OFFSETS[height] + first * height,
    ];
    const places = [
      vector(FONT_VECTOR.upperHalf),
      vector(FONT_VECTOR.graphics),
      ...[rom(14), rom(8), rom(8, UPPER_HALF), rom(14), rom(16), rom(16)],
    ];
    const place = places[call.bh];
    if (place === undefined) return;
    [call.es, call.bp] = place;
    call.cx = this.#data.get("characterHeight");
    call.dl = this.#data.get("videoLastRow");
  }

  #pointer(vector: number): number {
    const pointer = this.#ram.readU32(4 * vector);
    return (pointer >>> 16) * 16 + (pointer & 0xffff);
  }

  #point(vector: number, segment: number, offset: number): void {
    this.#ram.writeU32(4 * vector, ((segment << 16) | offset) >>> 0);
  }
}
