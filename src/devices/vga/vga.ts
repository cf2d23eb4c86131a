/**
 * VGA: the register set of the IBM PS/2 video subsystem over video memory that is shared with the linear modes of VBE.
 * What the processor sees at A0000h is in video-window.ts, what it does to the planes in video-memory.ts, what a monitor
 * shows in frame.ts, and VBE in vbe.ts.
 *
 * Deliberately missing: the timing of modes other than text mode 3, whose retraces input status 1 shows in all of them;
 * the interrupt at the retrace, which no PC has connected.
 */

import { assert } from "../../base/index.ts";
import type { Clock, Device, DeviceState, Dma, MemorySlot, RegisterHooks } from "../../hw/index.ts";
import { RegisterFile, StateReader } from "../../hw/index.ts";
import { Dac } from "./dac.ts";
import { isGraphics, renderVbe, renderVga } from "./frame.ts";
import type { Frame } from "./frame.ts";
import {
  ATTRIBUTE_REGISTERS,
  CRTC_REGISTERS,
  GRAPHICS_REGISTERS,
  PORT_REGISTERS,
  SEQUENCER_REGISTERS,
} from "./registers.ts";
import { readTextScreen } from "./text-screen.ts";
import type { TextScreen, VgaScreen } from "./text-screen.ts";
import { Vbe } from "./vbe.ts";
import { VIDEO_MEMORY_BYTES, VideoMemory } from "./video-memory.ts";
import { VideoWindow } from "./video-window.ts";

/** The first port, and how many belong to the block; only those of VGA_PORT_RANGES are decoded. */
export const VGA_PORT_BASE = 0x3b0;
/** First port and length. */
export const VGA_PORT_RANGES = [
  [0x3b4, 2],
  [0x3ba, 1],
  [0x3c0, 16],
  [0x3d4, 2],
  [0x3da, 1],
] as const;

const MISC_COLOR_ADDRESSES = 0x01;
const MISC_MEMORY_ENABLE = 0x02;
const ATTRIBUTE_INDEX_MASK = 0x1f;
const ATTRIBUTE_SCREEN_ON = 0x20;
const CLOCKING_SCREEN_OFF = 0x20;
const CRTC_PROTECT = 0x80;
/** CRTC registers 0–7 are protected, but for the line compare bit of the overflow register. */
const LAST_PROTECTED = CRTC_REGISTERS.overflow.at;
const OVERFLOW_LINE_COMPARE = 0x10;
/** Attribute mode control: bits 4 and 5 of colours are those of the colour select register. */
const ATTRIBUTE_SELECTS_54 = 0x80;
/** The cursor changes every 8 frames, blinking characters every 16. */
const CURSOR_PHASE_FRAMES = 8;
const BLINK_PHASE_FRAMES = 16;
const DAC_ENTRIES = 256;

/** Mode 3's timing: 449 lines of 31.778 µs, of which 400 and in them 640/800 are displayed (70.09 Hz). */
const LINE_NS = 31_778;
const DISPLAYED_NS = 25_422;
const FRAME_LINES = 449;
const DISPLAYED_LINES = 400;
const RETRACE_FIRST_LINE = 412;
const RETRACE_LINES = 2;
const STATUS_1 = { blanked: 0x01, verticalRetrace: 0x08 } as const;
/** A colour monitor is sensed. */
const STATUS_0 = 0x10;
const UNDRIVEN = 0xff;

export interface VgaParts {
  /** VIDEO_MEMORY_BYTES that belong to the display alone. */
  readonly memory: Uint8Array;
  /** For the text buffers that stay in RAM. */
  readonly dma: Dma;
  readonly clock: Clock;
  /** Puts video memory or the display's window into the address space; offsets count from the start of `memory`. */
  readonly setSlot: (gpa: number, lengthBytes: number, slot: MemorySlot) => void;
}

export class Vga implements Device, RegisterHooks<typeof PORT_REGISTERS> {
  readonly name = "vga";
  readonly registers = new RegisterFile(PORT_REGISTERS, this);
  readonly vbe: Vbe;
  /** Serves the addresses from VIDEO_WINDOW_GPA on, wherever no slot does. */
  readonly window: VideoWindow;
  readonly memory: VideoMemory;
  readonly #sequencer = new RegisterFile(SEQUENCER_REGISTERS, {});
  readonly #crtc = new RegisterFile(CRTC_REGISTERS, {});
  readonly #graphics = new RegisterFile(GRAPHICS_REGISTERS, {});
  readonly #attribute = new RegisterFile(ATTRIBUTE_REGISTERS, {});
  readonly #dac = new Dac();
  readonly #clock: Clock;

  #crtcIndex = 0;
  /** Attribute index and, in bit 5, whether the screen is on. */
  #attributeAddress = ATTRIBUTE_SCREEN_ON;
  /** The next write at 3C0h is data; reading input status 1 makes it an index. */
  #attributeExpectsData = false;

  constructor({ memory, dma, clock, setSlot }: VgaParts) {
    assert(memory.length === VIDEO_MEMORY_BYTES, "video memory has its size");
    this.#clock = clock;
    this.memory = new VideoMemory(memory, this.#sequencer.values, this.#graphics.values);
    this.vbe = new Vbe({
      changed: () => this.window.update(),
      clear: (lengthBytes) => memory.fill(0, 0, lengthBytes),
      setDacWidth: (isEightBit) => this.#dac.setEightBit(isEightBit),
    });
    this.window = new VideoWindow({
      memory: this.memory,
      dma,
      setSlot,
      registers: {
        sequencer: this.#sequencer.values,
        graphics: this.#graphics.values,
        isEnabled: () => (this.registers.values.miscellaneous & MISC_MEMORY_ENABLE) !== 0,
        bankOffset: () => this.vbe.bankOffset,
      },
    });
  }

  /** What a monitor would show now: as text if it is text. */
  screen(): VgaScreen {
    if (this.vbe.isEnabled) return { kind: "graphics" };
    if (this.#isBlanked) return { kind: "off" };
    if (isGraphics({ attribute: this.#attribute.values, graphics: this.#graphics.values })) {
      return { kind: "graphics" };
    }
    this.window.fetchFromRam();
    return readTextScreen({
      memory: this.memory.bytes,
      crtc: this.#crtc.values,
      attributeMode: this.#attribute.values.modeControl,
      colors: this.#colors(),
    });
  }

  /** What a monitor would show now, as pixels. */
  frame(): Frame {
    const dacColors = Array.from({ length: DAC_ENTRIES }, (_, index) => this.#dacColor(index));
    const { mode } = this.vbe;
    if (mode !== undefined) return renderVbe(mode, this.memory.bytes, dacColors);
    this.window.fetchFromRam();
    const frames = Math.floor(this.#clock.nowNs() / (FRAME_LINES * LINE_NS));
    return renderVga({
      memory: this.memory.bytes,
      sequencer: this.#sequencer.values,
      crtc: this.#crtc.values,
      graphics: this.#graphics.values,
      attribute: this.#attribute.values,
      colors: this.#colors(),
      dacColors,
      isCursorOn: Math.floor(frames / CURSOR_PHASE_FRAMES) % 2 === 0,
      isBlinkOn: Math.floor(frames / BLINK_PHASE_FRAMES) % 2 === 0,
      isBlanked: this.#isBlanked,
    });
  }

  /** The screen while it shows text; undefined when it shows graphics or nothing. */
  textScreen(): TextScreen | undefined {
    const screen = this.screen();
    return screen.kind === "text" ? screen : undefined;
  }

  // Lifecycle. Video memory keeps its contents over a reset; characters in guest RAM are saved with that.

  reset(): void {
    for (const file of this.#files()) file.reset();
    this.#dac.reset();
    this.vbe.reset();
    this.memory.latches = 0;
    this.#crtcIndex = 0;
    this.#attributeAddress = ATTRIBUTE_SCREEN_ON;
    this.#attributeExpectsData = false;
    this.window.update();
  }

  save(): DeviceState {
    return {
      ports: this.registers.save(),
      sequencer: this.#sequencer.save(),
      crtc: this.#crtc.save(),
      graphics: this.#graphics.save(),
      attribute: this.#attribute.save(),
      dac: this.#dac.save(),
      vbe: this.vbe.save(),
      memory: withoutTrailingZeros(this.memory.bytes).slice(),
      latches: this.memory.latches >>> 0,
      crtcIndex: this.#crtcIndex,
      attributeAddress: this.#attributeAddress,
      attributeExpectsData: this.#attributeExpectsData,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.registers.restore(reader.object("ports"), "vga.ports");
    this.#sequencer.restore(reader.object("sequencer"), "vga.sequencer");
    this.#crtc.restore(reader.object("crtc"), "vga.crtc");
    this.#graphics.restore(reader.object("graphics"), "vga.graphics");
    this.#attribute.restore(reader.object("attribute"), "vga.attribute");
    this.#dac.restore(reader.child("dac"));
    this.#crtcIndex = reader.u8("crtcIndex");
    this.#attributeAddress = reader.u8("attributeAddress");
    this.#attributeExpectsData = reader.boolean("attributeExpectsData");
    this.vbe.restore(reader.child("vbe"));
    const bytes = reader.bytes("memory", VIDEO_MEMORY_BYTES);
    // Pages that nobody has written stay so: a fresh VGA is cleared by reading.
    const usedBytes = withoutTrailingZeros(this.memory.bytes).length;
    this.memory.bytes.set(bytes);
    this.memory.bytes.fill(0, bytes.length, Math.max(bytes.length, usedBytes));
    this.memory.latches = reader.u32("latches") | 0;
    this.window.restored();
  }

  // Register hooks: CRT controller, at its colour or its monochrome place.

  readCrtcIndex(): number {
    return this.#hasColorAddresses ? this.#crtcIndex : UNDRIVEN;
  }

  readCrtcIndexMono(): number {
    return this.#hasColorAddresses ? UNDRIVEN : this.#crtcIndex;
  }

  writeCrtcIndex(written: number): void {
    if (this.#hasColorAddresses) this.#crtcIndex = written;
  }

  writeCrtcIndexMono(written: number): void {
    if (!this.#hasColorAddresses) this.#crtcIndex = written;
  }

  readCrtcData(): number {
    return this.#hasColorAddresses ? this.#crtc.read(this.#crtcIndex, 1) : UNDRIVEN;
  }

  readCrtcDataMono(): number {
    return this.#hasColorAddresses ? UNDRIVEN : this.#crtc.read(this.#crtcIndex, 1);
  }

  writeCrtcData(written: number): void {
    if (this.#hasColorAddresses) this.#writeCrtc(written);
  }

  writeCrtcDataMono(written: number): void {
    if (!this.#hasColorAddresses) this.#writeCrtc(written);
  }

  readInputStatus1(): number {
    return this.#hasColorAddresses ? this.#readStatus1() : UNDRIVEN;
  }

  readInputStatus1Mono(): number {
    return this.#hasColorAddresses ? UNDRIVEN : this.#readStatus1();
  }

  writeFeatureControl(written: number): void {
    this.registers.values.featureControl = written;
  }

  // Register hooks: the rest.

  readAttributeAddress(): number {
    return this.#attributeAddress;
  }

  readAttributeData(): number {
    return this.#attribute.read(this.#attributeAddress & ATTRIBUTE_INDEX_MASK, 1);
  }

  writeAttribute(written: number): void {
    if (!this.#attributeExpectsData)
      this.#attributeAddress = written & (ATTRIBUTE_INDEX_MASK | ATTRIBUTE_SCREEN_ON);
    else this.#attribute.write(this.#attributeAddress & ATTRIBUTE_INDEX_MASK, 1, written);
    this.#attributeExpectsData = !this.#attributeExpectsData;
  }

  readInputStatus0(): number {
    return STATUS_0;
  }

  writeMiscellaneous(written: number): void {
    this.registers.values.miscellaneous = written;
    this.window.update();
  }

  readSequencer(): number {
    return this.#sequencer.read(this.registers.values.sequencerIndex, 1);
  }

  writeSequencer(written: number): void {
    this.#sequencer.write(this.registers.values.sequencerIndex, 1, written);
    this.window.update();
  }

  readGraphics(): number {
    return this.#graphics.read(this.registers.values.graphicsIndex, 1);
  }

  writeGraphics(written: number): void {
    this.#graphics.write(this.registers.values.graphicsIndex, 1, written);
    this.window.update();
  }

  readDacState(): number {
    return this.#dac.state;
  }

  startDacRead(index: number): void {
    this.#dac.start(index, true);
  }

  startDacWrite(index: number): void {
    this.#dac.start(index, false);
  }

  readDac(): number {
    const value = this.#dac.read();
    this.registers.values.dacWriteIndex = this.#dac.index;
    return value;
  }

  writeDac(written: number): void {
    this.#dac.write(written);
    this.registers.values.dacWriteIndex = this.#dac.index;
  }

  // Workings.

  get #hasColorAddresses(): boolean {
    return (this.registers.values.miscellaneous & MISC_COLOR_ADDRESSES) !== 0;
  }

  #files() {
    return [this.registers, this.#sequencer, this.#crtc, this.#graphics, this.#attribute];
  }

  #writeCrtc(written: number): void {
    const { values } = this.#crtc;
    if ((values.verticalRetraceEnd & CRTC_PROTECT) === 0 || this.#crtcIndex > LAST_PROTECTED) {
      this.#crtc.write(this.#crtcIndex, 1, written);
    } else if (this.#crtcIndex === LAST_PROTECTED) {
      values.overflow = (values.overflow & ~OVERFLOW_LINE_COMPARE) | (written & OVERFLOW_LINE_COMPARE);
    }
  }

  #readStatus1(): number {
    this.#attributeExpectsData = false;
    const nowNs = this.#clock.nowNs();
    const line = Math.floor(nowNs / LINE_NS) % FRAME_LINES;
    const isBlanked = line >= DISPLAYED_LINES || nowNs % LINE_NS >= DISPLAYED_NS;
    const isRetracing = line >= RETRACE_FIRST_LINE && line < RETRACE_FIRST_LINE + RETRACE_LINES;
    return (isBlanked ? STATUS_1.blanked : 0) | (isRetracing ? STATUS_1.verticalRetrace : 0);
  }

  get #isBlanked(): boolean {
    const isOn = (this.#attributeAddress & ATTRIBUTE_SCREEN_ON) !== 0;
    return !isOn || (this.#sequencer.values.clockingMode & CLOCKING_SCREEN_OFF) !== 0;
  }

  /** The sixteen colours through palette registers and DAC, as 0xRRGGBB. */
  #colors(): number[] {
    const { colorPlaneEnable, colorSelect, modeControl } = this.#attribute.values;
    return Array.from({ length: 16 }, (_, attribute) => {
      let entry = this.#attribute.read(attribute & colorPlaneEnable, 1) & 0x3f;
      if ((modeControl & ATTRIBUTE_SELECTS_54) !== 0) entry = (entry & 0x0f) | ((colorSelect & 0x03) << 4);
      return this.#dacColor(entry | ((colorSelect & 0x0c) << 4));
    });
  }

  #dacColor(index: number): number {
    return this.#dac.color(index & this.registers.values.pixelMask);
  }
}

function withoutTrailingZeros(bytes: Uint8Array): Uint8Array {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  let count = words.length;
  while (count > 0 && words[count - 1] === 0) count--;
  return bytes.subarray(0, 4 * count);
}
