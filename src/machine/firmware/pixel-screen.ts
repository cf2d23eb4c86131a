/**
 * Pixels and characters in the BIOS's modes of graphics, written through the VGA's window as a video BIOS writes them (IBM
 * PS/2 and PC BIOS Interface Technical Reference, INT 10h functions 09h, 0Ch, 0Dh, 0Eh).
 */

import type { MmioBus, PortBus } from "../../hw/index.ts";
import { FONT_CHARACTERS } from "./fonts.ts";
import type { GraphicsFont } from "./int10-fonts.ts";
import type { VideoMode } from "./video-modes.ts";

const SEQUENCER_MAP_MASK = { port: 0x3c4, index: 2 } as const;
const GRAPHICS = 0x3ce;
const READ_MAP = 4;
const MODE = 5;
const BIT_MASK = 8;
const ROTATE = 3;
const ALL_PLANES = 0x0f;
const WRITE_MODE = { bytes: 0, latches: 1, colors: 2 } as const;
const FUNCTION_XOR = 0x18;
/** In a colour: exclusive or with what is there. */
const COLOR_XOR = 0x80;
const PLANES = 4;
/** Odd lines of CGA modes are so far behind. */
const ODD_LINES_BYTES = 0x2000;
const CHARACTER_WIDTH = 8;
const SPACE = 0x20;

/** Where a character is drawn. */
export interface CharacterPlace {
  readonly page: number;
  readonly row: number;
  readonly column: number;
}

/** Characters, both ends included. */
export interface CharacterWindow {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export class PixelScreen {
  readonly #ports: PortBus;
  readonly #mmio: MmioBus;

  constructor(ports: PortBus, mmio: MmioBus) {
    this.#ports = ports;
    this.#mmio = mmio;
  }

  /** Bit 7 of the colour means exclusive or, but where a pixel is a byte. */
  setPixel(mode: VideoMode, page: number, x: number, y: number, color: number): void {
    const at = this.#pixelAt(mode, page, x, y);
    if (at === undefined) return;
    const { layout } = mode;
    if (layout.kind === "bytes") {
      this.#mmio.writeMmio(at, 1, color & 0xff);
      return;
    }
    const isXor = (color & COLOR_XOR) !== 0;
    if (layout.kind === "planes") {
      this.#graphics(BIT_MASK, 0x80 >> (x & 7));
      this.#graphics(MODE, WRITE_MODE.colors);
      this.#graphics(ROTATE, isXor ? FUNCTION_XOR : 0);
      this.#mmio.readMmio(at, 1);
      this.#mmio.writeMmio(at, 1, color & ALL_PLANES);
      this.#graphics(BIT_MASK, 0xff);
      this.#graphics(MODE, WRITE_MODE.bytes);
      this.#graphics(ROTATE, 0);
      return;
    }
    if (layout.kind === "cells") return;
    const { shift, mask } = packedPixel(layout.bitsPerPixel, x);
    const before = this.#mmio.readMmio(at, 1);
    const bits = (color & mask) << shift;
    this.#mmio.writeMmio(at, 1, isXor ? before ^ bits : (before & ~(mask << shift)) | bits);
  }

  getPixel(mode: VideoMode, page: number, x: number, y: number): number {
    const at = this.#pixelAt(mode, page, x, y);
    if (at === undefined) return 0;
    const { layout } = mode;
    if (layout.kind === "planes") {
      let color = 0;
      for (let plane = 0; plane < PLANES; plane++) {
        this.#graphics(READ_MAP, plane);
        color |= ((this.#mmio.readMmio(at, 1) >> (7 - (x & 7))) & 1) << plane;
      }
      this.#graphics(READ_MAP, 0);
      return color;
    }
    const value = this.#mmio.readMmio(at, 1);
    if (layout.kind !== "interleaved") return value;
    const { shift, mask } = packedPixel(layout.bitsPerPixel, x);
    return (value >> shift) & mask;
  }

  /** Colours are those of pixels; the background is 0, and left as it is with exclusive or. */
  draw(
    mode: VideoMode,
    font: GraphicsFont,
    { page, row, column }: CharacterPlace,
    character: number,
    color: number,
  ): void {
    if (column >= mode.columns) return;
    const isXor = (color & COLOR_XOR) !== 0 && mode.layout.kind !== "bytes";
    for (let line = 0; line < font.height; line++) {
      const bits = font.line(character, line);
      for (let dot = 0; dot < CHARACTER_WIDTH; dot++) {
        const isSet = (bits & (0x80 >> dot)) !== 0;
        if (!isSet && isXor) continue;
        const x = CHARACTER_WIDTH * column + dot;
        this.setPixel(mode, page, x, font.height * row + line, isSet ? color : 0);
      }
    }
  }

  /** The character whose dots are there, in whatever colour; 0 when it is none of the font's. */
  read(mode: VideoMode, font: GraphicsFont, { page, row, column }: CharacterPlace): number {
    const lines = Array.from({ length: font.height }, (_, line) => {
      let bits = 0;
      for (let dot = 0; dot < CHARACTER_WIDTH; dot++) {
        const x = CHARACTER_WIDTH * column + dot;
        if (this.getPixel(mode, page, x, font.height * row + line) !== 0) bits |= 0x80 >> dot;
      }
      return bits;
    });
    const isShown = (character: number): boolean =>
      lines.every((bits, line) => font.line(character, line) === bits);
    // An empty place is a space, and not the first character, which is empty too.
    const characters = [SPACE, ...Array.from({ length: FONT_CHARACTERS }, (_, character) => character)];
    return characters.find(isShown) ?? 0;
  }

  /** Upwards by `rows` of characters, or downwards by a negative number; what becomes free is black. */
  scroll(mode: VideoMode, height: number, page: number, rows: number, window: CharacterWindow): void {
    const first = window.top * height;
    const end = Math.min((window.bottom + 1) * height, linesOf(mode));
    const lines = Array.from({ length: Math.max(0, end - first) }, (_, index) => first + index);
    for (const y of rows > 0 ? lines : lines.toReversed()) {
      const from = y + rows * height;
      if (from >= first && from < end) this.#copyLine(mode, page, from, y, window);
      else this.#clearLine(mode, page, y, window);
    }
  }

  /** All of the window becomes zero. */
  clear(mode: VideoMode): void {
    const bytes = mode.layout.kind === "interleaved" ? mode.pageBytes : 0x1_0000;
    for (let at = 0; at < bytes; at += 4) this.#mmio.writeMmio(mode.gpa + at, 4, 0);
  }

  #copyLine(mode: VideoMode, page: number, from: number, to: number, window: CharacterWindow): void {
    const { first, count } = lineBytes(mode, window);
    const isPlanar = mode.layout.kind === "planes";
    if (isPlanar) this.#graphics(MODE, WRITE_MODE.latches);
    const source = lineAt(mode, page, from) + first;
    const target = lineAt(mode, page, to) + first;
    for (let at = 0; at < count; at++) {
      this.#mmio.writeMmio(target + at, 1, this.#mmio.readMmio(source + at, 1));
    }
    if (isPlanar) this.#graphics(MODE, WRITE_MODE.bytes);
  }

  #clearLine(mode: VideoMode, page: number, y: number, window: CharacterWindow): void {
    const { first, count } = lineBytes(mode, window);
    const target = lineAt(mode, page, y) + first;
    if (mode.layout.kind === "planes")
      this.#write(SEQUENCER_MAP_MASK.port, SEQUENCER_MAP_MASK.index, ALL_PLANES);
    for (let at = 0; at < count; at++) this.#mmio.writeMmio(target + at, 1, 0);
  }

  /** Undefined outside the screen. */
  #pixelAt(mode: VideoMode, page: number, x: number, y: number): number | undefined {
    if (x >= mode.columns * CHARACTER_WIDTH || y >= linesOf(mode)) return undefined;
    return lineAt(mode, page, y) + Math.floor((x * bitsAcross(mode)) / 8);
  }

  #graphics(index: number, value: number): void {
    this.#write(GRAPHICS, index, value);
  }

  #write(port: number, index: number, value: number): void {
    this.#ports.writePort(port, 1, index);
    this.#ports.writePort(port + 1, 1, value);
  }
}

function linesOf(mode: VideoMode): number {
  return mode.rows * mode.characterHeight;
}

function lineAt({ layout, gpa, pageBytes, lineBytes: bytes }: VideoMode, page: number, y: number): number {
  if (layout.kind === "interleaved") return gpa + (y & 1) * ODD_LINES_BYTES + (y >> 1) * bytes;
  return gpa + ((page * pageBytes) & 0xffff) + y * bytes;
}

/** Bits of a pixel in the bytes of one line. */
function bitsAcross({ layout }: VideoMode): number {
  if (layout.kind === "interleaved") return layout.bitsPerPixel;
  return layout.kind === "bytes" ? 8 : 1;
}

function lineBytes(mode: VideoMode, { left, right }: CharacterWindow): { first: number; count: number } {
  const bytesPerCharacter = bitsAcross(mode);
  return { first: left * bytesPerCharacter, count: (right - left + 1) * bytesPerCharacter };
}

function packedPixel(bitsPerPixel: 1 | 2, x: number): { shift: number; mask: number } {
  const mask = (1 << bitsPerPixel) - 1;
  const perByte = 8 / bitsPerPixel;
  return { shift: (perByte - 1 - (x % perByte)) * bitsPerPixel, mask };
}
