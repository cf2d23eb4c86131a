/**
 * INT 10h, video services: modes, cursor, pages, scrolling, characters, teletype, strings, pixels, palette, information. IBM
 * PS/2 and PC BIOS Interface Technical Reference; Ralf Brown's interrupt list.
 *
 * Colours, fonts, information, the saved state and VBE have files of their own. Deliberately missing: the light pen, which is
 * never triggered.
 */

import type { MmioBus, PortBus } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import type { BiosData } from "./bios-data.ts";
import type { CallerMemory } from "./caller-memory.ts";
import { ColorServices } from "./int10-colors.ts";
import { FontServices } from "./int10-fonts.ts";
import { VideoState } from "./int10-state.ts";
import { InformationServices } from "./int10-information.ts";
import { PixelScreen } from "./pixel-screen.ts";
import type { CharacterPlace } from "./pixel-screen.ts";
import type { ServiceCall } from "./service-call.ts";
import { VbeServices } from "./vbe-services.ts";
import { dacColors, RESET_MODE, videoMode } from "./video-modes.ts";
import type { VideoMode } from "./video-modes.ts";

const VGA = { miscellaneousWrite: 0x3c2, sequencer: 0x3c4, graphics: 0x3ce } as const;
const CRTC = { cursorStart: 0x0a, startHigh: 0x0c, cursorHigh: 0x0e, protect: 0x11 } as const;
const CRTC_COLOR = 0x3d4;
const CRTC_MONOCHROME = 0x3b4;
const MISCELLANEOUS_COLOR = 1;

const KEEP_MEMORY = 0x80;
const BLANK_ATTRIBUTE = 0x07;
const BLANK = (BLANK_ATTRIBUTE << 8) | 0x20;
const CURSOR_SHAPE = 0x0607;
/** 256 KiB of memory, EGA-compatible, mode kept where asked. */
const VIDEO_CONTROL = 0x60;
const VIDEO_SWITCHES = 0xf9;
const VIDEO_MODE_SET = 0x51;
/** VGA with an analogue colour display. */
const DISPLAY_COMBINATION = 0x08;

const BELL = 0x07;
const BACKSPACE = 0x08;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export class VideoServices {
  readonly #ram: GuestRam;
  readonly #ports: PortBus;
  readonly #data: BiosData;
  readonly #colors: ColorServices;
  readonly #information: InformationServices;
  readonly #fonts: FontServices;
  readonly #state: VideoState;
  readonly #pixels: PixelScreen;
  readonly #vbe: VbeServices;

  constructor(ram: GuestRam, ports: PortBus, mmio: MmioBus, data: BiosData) {
    this.#ram = ram;
    this.#ports = ports;
    this.#data = data;
    this.#colors = new ColorServices(ports);
    this.#information = new InformationServices(ports, data);
    this.#fonts = new FontServices(ram, ports, mmio, data);
    this.#pixels = new PixelScreen(ports, mmio);
    this.#state = new VideoState(ram, ports, this.#colors);
    this.#vbe = new VbeServices({
      state: this.#state,
      ports,
      setBiosMode: (numberAndFlag) => this.setMode(numberAndFlag),
      biosMode: () => data.get("videoMode"),
    });
  }

  /** At the power-on self-test, before the first mode. */
  reset(): void {
    this.#fonts.reset();
  }

  call(call: ServiceCall): void {
    switch (call.ah) {
      case 0x00:
        this.setMode(call.al);
        return;
      case 0x01:
        this.#setCursorShape(call.cx);
        return;
      case 0x02:
        this.#moveCursor(call.bh, call.dh, call.dl);
        return;
      case 0x03:
        this.#readCursor(call);
        return;
      case 0x04:
        call.ah = 0;
        return;
      case 0x05:
        this.#selectPage(call.al);
        return;
      case 0x06:
      case 0x07:
        this.#scroll(call);
        return;
      case 0x08:
        call.ax = this.#hasCells
          ? this.#ram.readU16(this.#cell(call.bh))
          : this.#readDrawn(call.memory, call.bh);
        return;
      case 0x09:
      case 0x0a:
        this.#writeCharacters(call);
        return;
      case 0x0b:
        this.#colors.callCga(call, this.#hasCells);
        return;
      case 0x0c:
        if (!this.#hasCells) this.#pixels.setPixel(this.#mode, call.bh, call.cx, call.dx, call.al);
        return;
      case 0x0d:
        if (!this.#hasCells) call.al = this.#pixels.getPixel(this.#mode, call.bh, call.cx, call.dx);
        return;
      case 0x0e:
        this.teletype(call.memory, call.al, call.bl);
        return;
      case 0x0f:
        call.al = this.#data.get("videoMode") | (this.#data.get("videoControl") & KEEP_MEMORY);
        call.ah = this.#data.get("videoColumns");
        call.bh = this.#data.get("activePage");
        return;
      case 0x10:
        this.#colors.call(call);
        return;
      case 0x11:
        if (this.#fonts.call(call)) this.#setCursorShape(CURSOR_SHAPE);
        return;
      case 0x12:
        this.#information.alternateSelect(call);
        return;
      case 0x13:
        this.#writeString(call);
        return;
      case 0x1a:
        this.#information.displayCombination(call);
        return;
      case 0x1b:
        this.#information.state(call, this.#mode);
        return;
      case 0x1c:
        this.#state.call(call);
        return;
      case 0x4f:
        this.#vbe.call(call);
        return;
      default:
    }
  }

  /** Sets a mode; bit 7 keeps what is on the screen. Modes that are not there leave everything as it is. */
  setMode(numberAndFlag: number): void {
    const mode = videoMode(numberAndFlag & ~KEEP_MEMORY);
    if (mode === undefined) return;
    const keepsMemory = (numberAndFlag & KEEP_MEMORY) !== 0;
    this.#program(mode);
    const data = this.#data;
    data.set("videoMode", mode.number);
    data.set("videoColumns", mode.columns);
    data.set("videoPageBytes", mode.pageBytes);
    data.set("videoPageOffset", 0);
    data.set("activePage", 0);
    data.set("crtcPort", isColor(mode) ? CRTC_COLOR : CRTC_MONOCHROME);
    data.set("videoLastRow", mode.rows - 1);
    data.set("characterHeight", mode.characterHeight);
    data.set("videoControl", VIDEO_CONTROL | (keepsMemory ? KEEP_MEMORY : 0));
    data.set("videoSwitches", VIDEO_SWITCHES);
    data.set("videoModeSet", VIDEO_MODE_SET);
    data.set("displayCombination", DISPLAY_COMBINATION);
    for (let page = 0; page < 8; page++) data.setCursor(page, 0, 0);
    this.#setCursorShape(CURSOR_SHAPE);
    this.#showCursor();
    if (keepsMemory) return;
    if (mode.layout.kind === "cells") this.#fill(mode.gpa, 8 * mode.pageBytes, BLANK);
    else this.#pixels.clear(mode);
  }

  /** A character as a terminal takes it, on the page that is shown; the colour is for modes of graphics. */
  teletype(memory: CallerMemory, character: number, color = BLANK_ATTRIBUTE): void {
    const page = this.#data.get("activePage");
    let { row, column } = this.#data.cursor(page);
    switch (character) {
      case BELL:
        return;
      case BACKSPACE:
        column = Math.max(0, column - 1);
        break;
      case LINE_FEED:
        row++;
        break;
      case CARRIAGE_RETURN:
        column = 0;
        break;
      default:
        if (this.#hasCells) this.#ram.writeU8(this.#cellAt(page, row, column), character);
        else this.#draw(memory, { page, row, column }, character, color);
        column++;
    }
    if (column >= this.#columns) {
      column = 0;
      row++;
    }
    if (row >= this.#rows) {
      row = this.#rows - 1;
      const attribute = this.#hasCells ? this.#ram.readU8(this.#cellAt(page, row, column) + 1) : 0;
      this.#scrollWindow(page, 1, { top: 0, left: 0, bottom: row, right: this.#columns - 1 }, attribute);
    }
    this.#data.setCursor(page, row, column);
    this.#showCursor();
  }

  get #mode(): VideoMode {
    return videoMode(this.#data.get("videoMode")) ?? RESET_MODE;
  }

  /** Text, and not pixels. */
  get #hasCells(): boolean {
    return this.#mode.layout.kind === "cells";
  }

  get #columns(): number {
    return Math.max(1, this.#data.get("videoColumns"));
  }

  get #rows(): number {
    return this.#data.get("videoLastRow") + 1;
  }

  // The display.

  #write(index: number, at: number, value: number): void {
    this.#ports.writePort(index, 1, at);
    this.#ports.writePort(index + 1, 1, value);
  }

  #writeCrtc(at: number, value: number): void {
    const port = this.#data.get("crtcPort");
    this.#write(port === CRTC_MONOCHROME ? port : CRTC_COLOR, at, value);
  }

  #writeCrtc16(at: number, value: number): void {
    this.#writeCrtc(at, value >>> 8);
    this.#writeCrtc(at + 1, value & 0xff);
  }

  #program(mode: VideoMode): void {
    const ports = this.#ports;
    this.#vbe.disable();
    ports.writePort(VGA.miscellaneousWrite, 1, mode.miscellaneous);
    this.#write(VGA.sequencer, 0, 1);
    mode.sequencer.forEach((value, index) => this.#write(VGA.sequencer, index + 1, value));
    this.#write(VGA.sequencer, 0, 3);
    const crtc = isColor(mode) ? CRTC_COLOR : CRTC_MONOCHROME;
    // The first eight are write-protected by bit 7 of this one.
    this.#write(crtc, CRTC.protect, 0);
    mode.crtc.forEach((value, index) => this.#write(crtc, index, value));
    mode.graphics.forEach((value, index) => this.#write(VGA.graphics, index, value));
    mode.attribute.forEach((value, index) => this.#colors.setAttribute(index, value));
    this.#colors.setDac(dacColors(mode.dac));
    this.#fonts.useRomFont(mode);
  }

  // Cursor and pages.

  #setCursorShape(startAndEnd: number): void {
    const start = startAndEnd >>> 8;
    const end = startAndEnd & 0xff;
    this.#data.set("cursorStart", start);
    this.#data.set("cursorEnd", end);
    // Programs give lines of an 8-line character; those of 16 lines are twice as high.
    const height = this.#data.get("characterHeight");
    const isScaled = this.#information.scalesCursor && height > 8 && (start & 0x1f) < 8 && end < 8;
    const scale = (line: number): number => (line === 7 || line === 6 ? height - 9 + line : line * 2);
    this.#writeCrtc(CRTC.cursorStart, isScaled ? (start & 0x60) | scale(start & 0x1f) : start & 0x7f);
    this.#writeCrtc(CRTC.cursorStart + 1, isScaled ? scale(end) : end & 0x7f);
  }

  #moveCursor(page: number, row: number, column: number): void {
    this.#data.setCursor(page, row, column);
    this.#showCursor();
  }

  #showCursor(): void {
    const page = this.#data.get("activePage");
    const { row, column } = this.#data.cursor(page);
    this.#writeCrtc16(CRTC.cursorHigh, this.#data.get("videoPageOffset") / 2 + row * this.#columns + column);
  }

  #readCursor(call: ServiceCall): void {
    const { row, column } = this.#data.cursor(call.bh);
    call.ch = this.#data.get("cursorStart");
    call.cl = this.#data.get("cursorEnd");
    call.dh = row;
    call.dl = column;
  }

  #selectPage(page: number): void {
    const offset = (page & 7) * this.#data.get("videoPageBytes");
    this.#data.set("activePage", page & 7);
    this.#data.set("videoPageOffset", offset);
    this.#writeCrtc16(CRTC.startHigh, offset / 2);
    this.#showCursor();
  }

  // Characters.

  #readDrawn(memory: CallerMemory, page: number): number {
    const mode = this.#mode;
    const font = this.#fonts.graphicsFont(mode, memory);
    return this.#pixels.read(mode, font, { page, ...this.#data.cursor(page) });
  }

  #draw(memory: CallerMemory, place: CharacterPlace, character: number, color: number): void {
    const mode = this.#mode;
    this.#pixels.draw(mode, this.#fonts.graphicsFont(mode, memory), place, character, color);
  }

  #cell(page: number): number {
    const { row, column } = this.#data.cursor(page);
    return this.#cellAt(page, row, column);
  }

  /** Within the buffer's 32 KiB, wherever a program has put the cursor. */
  #cellAt(page: number, row: number, column: number): number {
    const offset = (page & 7) * this.#data.get("videoPageBytes") + 2 * (row * this.#columns + column);
    return this.#mode.gpa + (offset & 0x7ffe);
  }

  #fill(gpa: number, lengthBytes: number, cell: number): void {
    for (let at = 0; at < lengthBytes; at += 2) this.#ram.writeU16(gpa + (at & 0x7ffe), cell);
  }

  #writeCharacters(call: ServiceCall): void {
    const { row, column } = this.#data.cursor(call.bh);
    const hasAttribute = call.ah === 0x09;
    for (let index = 0; index < call.cx; index++) {
      if (!this.#hasCells) {
        this.#draw(call.memory, { page: call.bh, row, column: column + index }, call.al, call.bl);
        continue;
      }
      const at = this.#cellAt(call.bh, row, column + index);
      this.#ram.writeU8(at, call.al);
      if (hasAttribute) this.#ram.writeU8(at + 1, call.bl);
    }
  }

  #writeString(call: ServiceCall): void {
    const page = call.bh;
    const before = this.#data.cursor(page);
    const isPaired = (call.al & 2) !== 0;
    const { bp: start, cx: count, bl } = call;
    this.#data.setCursor(page, call.dh, call.dl);
    for (let index = 0; index < count; index++) {
      const at = start + index * (isPaired ? 2 : 1);
      const character = call.byteInEs(at);
      const attribute = isPaired ? call.byteInEs(at + 1) : bl;
      if (character >= 0x20 || ![BELL, BACKSPACE, LINE_FEED, CARRIAGE_RETURN].includes(character)) {
        if (this.#hasCells) this.#ram.writeU8(this.#cell(page) + 1, attribute);
      }
      this.teletype(call.memory, character, attribute);
    }
    if ((call.al & 1) === 0) this.#moveCursor(page, before.row, before.column);
  }

  #scroll(call: ServiceCall): void {
    const window = {
      top: call.ch,
      left: call.cl,
      bottom: Math.min(call.dh, this.#rows - 1),
      right: Math.min(call.dl, this.#columns - 1),
    };
    const lines = call.al === 0 ? this.#rows : call.al;
    const page = this.#data.get("activePage");
    this.#scrollWindow(page, call.ah === 0x06 ? lines : -lines, window, call.bh);
  }

  /** Upwards by `lines`, or downwards by a negative number of them; what becomes free is blank. */
  #scrollWindow(
    page: number,
    lines: number,
    { top, left, bottom, right }: Readonly<Record<"top" | "left" | "bottom" | "right", number>>,
    attribute: number,
  ): void {
    if (!this.#hasCells) {
      const height = this.#fonts.graphicsHeight(this.#mode);
      this.#pixels.scroll(this.#mode, height, page, lines, { top, left, bottom, right });
      return;
    }
    const blank = (attribute << 8) | 0x20;
    const rows = Array.from({ length: Math.max(0, bottom - top + 1) }, (_, index) => top + index);
    for (const row of lines > 0 ? rows : rows.toReversed()) {
      const from = row + lines;
      const isInside = from >= top && from <= bottom;
      for (let column = left; column <= right; column++) {
        const cell = isInside ? this.#ram.readU16(this.#cellAt(page, from, column)) : blank;
        this.#ram.writeU16(this.#cellAt(page, row, column), cell);
      }
    }
  }
}

const isColor = (mode: VideoMode): boolean => (mode.miscellaneous & MISCELLANEOUS_COLOR) !== 0;
