/**
 * INT 10h, AH = 0Bh and 10h: the palette of sixteen colours, the DAC's 256, the border, and whether attributes blink. IBM
 * VGA/XGA Technical Reference, attribute controller and video DAC; Ralf Brown's interrupt list.
 */

import type { PortBus } from "../../hw/index.ts";
import type { ServiceCall } from "./service-call.ts";

const PORT = {
  attribute: 0x3c0,
  pixelMask: 0x3c6,
  dacRead: 0x3c7,
  dacWrite: 0x3c8,
  dacData: 0x3c9,
  statusColor: 0x3da,
  statusMonochrome: 0x3ba,
} as const;
const ATTRIBUTE = { modeControl: 0x10, overscan: 0x11, colorSelect: 0x14 } as const;
const MODE_CONTROL = { blink: 0x08, sixteenPages: 0x80 } as const;
/** Palette address source: the attribute controller shows the screen. */
const SCREEN_ON = 0x20;
const PALETTE_COLORS = 16;
const DAC_ENTRIES = 256;
const DAC_LEVEL_MAX = 0x3f;
/** Of 4-colour modes: green, red and brown, or cyan, magenta and white; each may be bright. */
const CGA_PALETTES = [
  [2, 4, 6],
  [3, 5, 7],
] as const;
const BRIGHT = 0x10;
/** Shares of red, green and blue in what an eye sees. */
const GRAY = [0.3, 0.59, 0.11] as const;

export class ColorServices {
  readonly #ports: PortBus;

  constructor(ports: PortBus) {
    this.#ports = ports;
  }

  /** A palette register or another of the attribute controller. */
  setAttribute(index: number, value: number): void {
    this.#selectAttribute(index);
    this.#ports.writePort(PORT.attribute, 1, value);
    this.#ports.writePort(PORT.attribute, 1, SCREEN_ON);
  }

  /** Entries from 0 on, three levels each. */
  setDac(levels: Iterable<readonly number[]>): void {
    this.#ports.writePort(PORT.pixelMask, 1, 0xff);
    this.#ports.writePort(PORT.dacWrite, 1, 0);
    for (const entry of levels) for (const level of entry) this.#ports.writePort(PORT.dacData, 1, level);
  }

  /** AH = 0Bh: the border, in modes of pixels with the background, or the palette of 4-colour modes. */
  callCga(call: ServiceCall, isText: boolean): void {
    if (call.bh === 0) {
      this.setAttribute(ATTRIBUTE.overscan, call.bl & 0x1f);
      if (!isText) this.setAttribute(0, call.bl & 0x1f);
      return;
    }
    const bright = this.readAttribute(1) & BRIGHT;
    CGA_PALETTES[call.bl & 1]?.forEach((color, index) => this.setAttribute(index + 1, color | bright));
  }

  /** AH = 10h. */
  call(call: ServiceCall): void {
    const ports = this.#ports;
    switch (call.al) {
      case 0x00:
        this.setAttribute(call.bl & 0x1f, call.bh);
        return;
      case 0x01:
        this.setAttribute(ATTRIBUTE.overscan, call.bh);
        return;
      case 0x02:
        for (let index = 0; index < PALETTE_COLORS; index++) {
          this.setAttribute(index, call.byteInEs(call.dx + index));
        }
        this.setAttribute(ATTRIBUTE.overscan, call.byteInEs(call.dx + PALETTE_COLORS));
        return;
      case 0x03: {
        const mode = this.readAttribute(ATTRIBUTE.modeControl);
        const { blink } = MODE_CONTROL;
        this.setAttribute(ATTRIBUTE.modeControl, call.bl === 0 ? mode & ~blink : mode | blink);
        return;
      }
      case 0x07:
        call.bh = this.readAttribute(call.bl & 0x1f);
        return;
      case 0x08:
        call.bh = this.readAttribute(ATTRIBUTE.overscan);
        return;
      case 0x09:
        for (let index = 0; index < PALETTE_COLORS; index++) {
          call.setByteInEs(call.dx + index, this.readAttribute(index));
        }
        call.setByteInEs(call.dx + PALETTE_COLORS, this.readAttribute(ATTRIBUTE.overscan));
        return;
      case 0x10:
        this.#writeEntry(call.bl, [call.dh, call.ch, call.cl]);
        return;
      case 0x12:
        ports.writePort(PORT.dacWrite, 1, call.bl);
        for (let index = 0; index < 3 * Math.min(call.cx, DAC_ENTRIES); index++) {
          ports.writePort(PORT.dacData, 1, call.byteInEs(call.dx + index));
        }
        return;
      case 0x13:
        this.#selectPage(call);
        return;
      case 0x15:
        [call.dh, call.ch, call.cl] = this.#readEntry(call.bl);
        return;
      case 0x17:
        ports.writePort(PORT.dacRead, 1, call.bl);
        for (let index = 0; index < 3 * Math.min(call.cx, DAC_ENTRIES); index++) {
          call.setByteInEs(call.dx + index, ports.readPort(PORT.dacData, 1));
        }
        return;
      case 0x18:
        ports.writePort(PORT.pixelMask, 1, call.bl);
        return;
      case 0x19:
        call.bl = ports.readPort(PORT.pixelMask, 1);
        return;
      case 0x1a: {
        const hasSixteen = this.#hasSixteenPages();
        const select = this.readAttribute(ATTRIBUTE.colorSelect) & 0x0f;
        call.bl = hasSixteen ? 1 : 0;
        call.bh = hasSixteen ? select : select >> 2;
        return;
      }
      case 0x1b:
        this.#makeGray(call.bx, Math.min(call.cx, DAC_ENTRIES));
        return;
      default:
    }
  }

  /** Whether the DAC has four pages of 64 colours or sixteen of 16, and which of them is shown. */
  #selectPage(call: ServiceCall): void {
    if (call.bl === 0) {
      const mode = this.readAttribute(ATTRIBUTE.modeControl) & ~MODE_CONTROL.sixteenPages;
      const { sixteenPages } = MODE_CONTROL;
      this.setAttribute(ATTRIBUTE.modeControl, (call.bh & 1) === 0 ? mode : mode | sixteenPages);
    } else {
      this.setAttribute(ATTRIBUTE.colorSelect, (this.#hasSixteenPages() ? call.bh : call.bh << 2) & 0x0f);
    }
  }

  #hasSixteenPages(): boolean {
    return (this.readAttribute(ATTRIBUTE.modeControl) & MODE_CONTROL.sixteenPages) !== 0;
  }

  #makeGray(first: number, count: number): void {
    for (let index = 0; index < count; index++) {
      const entry = (first + index) % DAC_ENTRIES;
      const levels = this.#readEntry(entry);
      const gray = GRAY.reduce((sum, share, color) => sum + share * (levels[color] ?? 0), 0);
      const level = Math.min(DAC_LEVEL_MAX, Math.round(gray));
      this.#writeEntry(entry, [level, level, level]);
    }
  }

  #readEntry(entry: number): readonly [red: number, green: number, blue: number] {
    this.#ports.writePort(PORT.dacRead, 1, entry);
    const level = (): number => this.#ports.readPort(PORT.dacData, 1);
    return [level(), level(), level()];
  }

  #writeEntry(entry: number, levels: readonly number[]): void {
    this.#ports.writePort(PORT.dacWrite, 1, entry);
    for (const level of levels) this.#ports.writePort(PORT.dacData, 1, level);
  }

  readAttribute(index: number): number {
    this.#selectAttribute(index);
    const value = this.#ports.readPort(PORT.attribute + 1, 1);
    this.#expectIndex();
    this.#ports.writePort(PORT.attribute, 1, SCREEN_ON);
    return value;
  }

  #selectAttribute(index: number): void {
    this.#expectIndex();
    this.#ports.writePort(PORT.attribute, 1, index);
  }

  /** Reading the status makes the next write an index, for colour and monochrome alike. */
  #expectIndex(): void {
    this.#ports.readPort(PORT.statusColor, 1);
    this.#ports.readPort(PORT.statusMonochrome, 1);
  }
}
