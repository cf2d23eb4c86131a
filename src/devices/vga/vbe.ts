/**
 * The Bochs display interface ("DISPI") behind VBE: 16-bit registers by index at ports 1CEh and 1CFh, and in a row in the
 * PCI function's registers (Bochs, "VBE Display API"; QEMU, docs/specs/standard-vga). Modes of 8, 15, 16, 24 and 32 bits a
 * pixel with a linear frame buffer, whose first 64 KiB, or another bank of it, are at A0000h as well.
 *
 * Deliberately missing: 4 bits a pixel (the VGA's own modes have them), banks of their own for reading and writing.
 */

import type { AccessSize, DeviceState, PortHandler, RegisterHooks, StateReader } from "../../hw/index.ts";
import { defineRegisters, RegisterFile } from "../../hw/index.ts";
import { VIDEO_MEMORY_BYTES } from "./video-memory.ts";
import { BANK_BYTES } from "./video-window.ts";

export const VBE_PORT_BASE = 0x1ce;
/** Index, data, and data again for processors that want doublewords aligned. */
export const VBE_PORT_BYTES = 4;
export const VBE_WIDTH_MAX = 1920;
export const VBE_HEIGHT_MAX = 1200;

const ID_FIRST = 0xb0c0;
const ID_LAST = 0xb0c5;
const DEPTH_MAX = 32;
const BYTES_BY_DEPTH: Readonly<Record<number, number>> = { 8: 1, 15: 2, 16: 2, 24: 3, 32: 4 };
const ENABLE = { enabled: 0x01, getCapabilities: 0x02, eightBitDac: 0x20, keepMemory: 0x80 } as const;
const BANKS = VIDEO_MEMORY_BYTES / BANK_BYTES;

/** An index at its byte offset: two bytes each. */
export const VBE_REGISTERS = defineRegisters({
  id: { at: 0x00, size: 2, reset: ID_LAST, write: "writeId" },
  width: { at: 0x02, size: 2, reset: 0, read: "readWidth", write: "writeWidth" },
  height: { at: 0x04, size: 2, reset: 0, read: "readHeight", write: "writeHeight" },
  depth: { at: 0x06, size: 2, reset: 8, read: "readDepth", write: "writeDepth" },
  enable: { at: 0x08, size: 2, reset: 0, write: "writeEnable" },
  windowBank: { at: 0x0a, size: 2, reset: 0, write: "writeBank" },
  virtualWidth: { at: 0x0c, size: 2, reset: 0, write: "writeVirtualWidth" },
  virtualHeight: { at: 0x0e, size: 2, reset: 0, writable: 0 },
  offsetX: { at: 0x10, size: 2, reset: 0 },
  offsetY: { at: 0x12, size: 2, reset: 0 },
  memoryBanks: { at: 0x14, size: 2, access: "ro", reset: BANKS },
});
const REGISTER_BYTES = 0x16;

/** What a VBE mode shows. */
export interface VbeMode {
  readonly width: number;
  readonly height: number;
  /** Bits a pixel: 8, 15, 16, 24 or 32. */
  readonly depth: number;
  readonly lineBytes: number;
  /** Of the first pixel in video memory. */
  readonly startBytes: number;
}

export interface VbeEvents {
  /** The mode or the bank has changed: before anything is cleared. */
  changed(): void;
  /** Video memory [0, lengthBytes) becomes zero. */
  clear(lengthBytes: number): void;
  setDacWidth(isEightBit: boolean): void;
}

export class Vbe implements PortHandler, RegisterHooks<typeof VBE_REGISTERS> {
  readonly registers = new RegisterFile(VBE_REGISTERS, this);
  readonly #events: VbeEvents;
  #index = 0;

  constructor(events: VbeEvents) {
    this.#events = events;
  }

  /** Undefined while the VGA's own modes are shown. */
  get mode(): VbeMode | undefined {
    if (!this.isEnabled) return undefined;
    const { width, height, depth, offsetX, offsetY } = this.registers.values;
    const { bytesPerPixel, lineBytes } = this;
    return { width, height, depth, lineBytes, startBytes: offsetY * lineBytes + offsetX * bytesPerPixel };
  }

  get isEnabled(): boolean {
    return (this.registers.values.enable & ENABLE.enabled) !== 0;
  }

  /** Where the window's bank begins; undefined while VBE is off. */
  get bankOffset(): number | undefined {
    return this.isEnabled ? this.registers.values.windowBank * BANK_BYTES : undefined;
  }

  get bytesPerPixel(): number {
    return BYTES_BY_DEPTH[this.registers.values.depth] ?? 1;
  }

  get lineBytes(): number {
    return this.registers.values.virtualWidth * this.bytesPerPixel;
  }

  // Ports: offset 0 is the index, the others are data.

  readPort(offset: number): number {
    if (offset === 0) return this.#index;
    return this.#isIndexed ? this.registers.read(2 * this.#index, 2) : 0;
  }

  writePort(offset: number, _size: AccessSize, value: number): void {
    if (offset === 0) this.#index = value & 0xffff;
    else if (this.#isIndexed) this.registers.write(2 * this.#index, 2, value & 0xffff);
  }

  reset(): void {
    this.registers.reset();
    this.#index = 0;
    this.#events.setDacWidth(false);
  }

  save(): DeviceState {
    return { registers: this.registers.save(), index: this.#index };
  }

  restore(reader: StateReader): void {
    this.registers.restore(reader.object("registers"), "vga.vbe");
    this.#index = reader.u16("index");
    // What a snapshot says must not lead out of video memory either.
    const { values } = this.registers;
    values.windowBank = Math.min(values.windowBank, BANKS - 1);
    if (!this.isEnabled) return;
    if (this.#fits(values.width, values.height, values.depth)) this.#setVirtualWidth(values.virtualWidth);
    else values.enable &= ~ENABLE.enabled;
  }

  // Register hooks. Values that are not possible leave the registers as they were.

  writeId(written: number, before: number): void {
    if (written < ID_FIRST || written > ID_LAST) this.registers.values.id = before;
  }

  readWidth(stored: number): number {
    return this.#tellsCapabilities ? VBE_WIDTH_MAX : stored;
  }

  writeWidth(written: number, before: number): void {
    if (this.isEnabled || written > VBE_WIDTH_MAX) this.registers.values.width = before;
  }

  readHeight(stored: number): number {
    return this.#tellsCapabilities ? VBE_HEIGHT_MAX : stored;
  }

  writeHeight(written: number, before: number): void {
    if (this.isEnabled || written > VBE_HEIGHT_MAX) this.registers.values.height = before;
  }

  readDepth(stored: number): number {
    return this.#tellsCapabilities ? DEPTH_MAX : stored;
  }

  writeDepth(written: number, before: number): void {
    const { values } = this.registers;
    // 0 is what drivers of the interface's first version write for 8.
    if (written === 0) values.depth = 8;
    if (this.isEnabled || BYTES_BY_DEPTH[values.depth] === undefined) values.depth = before;
  }

  writeEnable(written: number, before: number): void {
    const { values } = this.registers;
    const { width, height, depth } = values;
    if (this.isEnabled && !this.#fits(width, height, depth)) values.enable &= ~ENABLE.enabled;
    this.#events.setDacWidth((written & ENABLE.eightBitDac) !== 0);
    const isNew = this.isEnabled && (before & ENABLE.enabled) === 0;
    if (isNew) {
      this.#setVirtualWidth(width);
      values.offsetX = 0;
      values.offsetY = 0;
    }
    if (!this.isEnabled || isNew) values.windowBank = 0;
    this.#events.changed();
    if (isNew && (written & ENABLE.keepMemory) === 0) this.#events.clear(this.lineBytes * height);
  }

  writeBank(written: number, before: number): void {
    if (written >= BANKS) this.registers.values.windowBank = before;
    this.#events.changed();
  }

  writeVirtualWidth(written: number, before: number): void {
    const { values } = this.registers;
    values.virtualWidth = before;
    if (this.isEnabled) this.#setVirtualWidth(written);
  }

  // Workings.

  get #tellsCapabilities(): boolean {
    return (this.registers.values.enable & ENABLE.getCapabilities) !== 0;
  }

  get #isIndexed(): boolean {
    return 2 * this.#index < REGISTER_BYTES;
  }

  #fits(width: number, height: number, depth: number): boolean {
    const isSize = width > 0 && width <= VBE_WIDTH_MAX && height > 0 && height <= VBE_HEIGHT_MAX;
    return isSize && BYTES_BY_DEPTH[depth] !== undefined;
  }

  /** At least as wide as the screen, and not so wide that its lines have no room. */
  #setVirtualWidth(width: number): void {
    const { values } = this.registers;
    const wanted = Math.max(width, values.width);
    const lines = Math.floor(VIDEO_MEMORY_BYTES / (wanted * this.bytesPerPixel));
    if (lines < values.height) return;
    values.virtualWidth = wanted;
    values.virtualHeight = Math.min(lines, 0xffff);
  }
}
