/**
 * VGA in its text modes: the register set of the IBM PS/2 video subsystem over a character buffer that is plain
 * guest RAM, read when somebody looks at the screen. A guest that only writes characters costs nothing.
 *
 * Deliberately missing, and said so by screen(): planar and linear graphics. Also missing: fonts loaded by the
 * guest (characters are always code page 437), the split screen, panning, and Bochs VBE. Planes do not exist, so
 * sequencer and graphics registers are kept without changing how the buffer is written.
 */

import type { GuestRam } from "../../memory/index.ts";
import type { Clock, Device, DeviceState, RegisterHooks } from "../../hw/index.ts";
import { RegisterFile, StateReader } from "../../hw/index.ts";
import { Dac } from "./dac.ts";
import {
  ATTRIBUTE_REGISTERS,
  CRTC_REGISTERS,
  GRAPHICS_REGISTERS,
  PORT_REGISTERS,
  SEQUENCER_REGISTERS,
} from "./registers.ts";
import { readTextScreen } from "./text-screen.ts";
import type { TextScreen, VgaScreen } from "./text-screen.ts";

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
const ATTRIBUTE_INDEX_MASK = 0x1f;
const ATTRIBUTE_SCREEN_ON = 0x20;
const CLOCKING_SCREEN_OFF = 0x20;
const CRTC_PROTECT = 0x80;
/** CRTC registers 0–7 are protected, but for the line compare bit of the overflow register. */
const LAST_PROTECTED = CRTC_REGISTERS.overflow.at;
const OVERFLOW_LINE_COMPARE = 0x10;
/** Attribute mode control and graphics miscellaneous: graphics instead of characters. */
const GRAPHICS_MODE = 0x01;

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

export class Vga implements Device, RegisterHooks<typeof PORT_REGISTERS> {
  readonly name = "vga";
  readonly registers = new RegisterFile(PORT_REGISTERS, this);
  readonly #sequencer = new RegisterFile(SEQUENCER_REGISTERS, {});
  readonly #crtc = new RegisterFile(CRTC_REGISTERS, {});
  readonly #graphics = new RegisterFile(GRAPHICS_REGISTERS, {});
  readonly #attribute = new RegisterFile(ATTRIBUTE_REGISTERS, {});
  readonly #dac = new Dac();
  readonly #ram: GuestRam;
  readonly #clock: Clock;

  #crtcIndex = 0;
  /** Attribute index and, in bit 5, whether the screen is on. */
  #attributeAddress = ATTRIBUTE_SCREEN_ON;
  /** The next write at 3C0h is data; reading input status 1 makes it an index. */
  #attributeExpectsData = false;

  constructor(ram: GuestRam, clock: Clock) {
    this.#ram = ram;
    this.#clock = clock;
  }

  /** What a monitor would show now. */
  screen(): VgaScreen {
    const isOn = (this.#attributeAddress & ATTRIBUTE_SCREEN_ON) !== 0;
    if (!isOn || (this.#sequencer.values.clockingMode & CLOCKING_SCREEN_OFF) !== 0) return { kind: "off" };
    const mode = this.#attribute.values.modeControl | this.#graphics.values.miscellaneous;
    if ((mode & GRAPHICS_MODE) !== 0) return { kind: "graphics" };
    return readTextScreen({
      ram: this.#ram,
      crtc: this.#crtc.values,
      memoryMap: (this.#graphics.values.miscellaneous >> 2) & 3,
      attributeMode: this.#attribute.values.modeControl,
      colors: this.#colors(),
    });
  }

  /** The screen while it shows text; undefined when it shows graphics or nothing. */
  textScreen(): TextScreen | undefined {
    const screen = this.screen();
    return screen.kind === "text" ? screen : undefined;
  }

  // Lifecycle. The characters are in guest RAM, which the board owns.

  reset(): void {
    for (const file of this.#files()) file.reset();
    this.#dac.reset();
    this.#crtcIndex = 0;
    this.#attributeAddress = ATTRIBUTE_SCREEN_ON;
    this.#attributeExpectsData = false;
  }

  save(): DeviceState {
    return {
      ports: this.registers.save(),
      sequencer: this.#sequencer.save(),
      crtc: this.#crtc.save(),
      graphics: this.#graphics.save(),
      attribute: this.#attribute.save(),
      dac: this.#dac.save(),
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
  }

  readSequencer(): number {
    return this.#sequencer.read(this.registers.values.sequencerIndex, 1);
  }

  writeSequencer(written: number): void {
    this.#sequencer.write(this.registers.values.sequencerIndex, 1, written);
  }

  readGraphics(): number {
    return this.#graphics.read(this.registers.values.graphicsIndex, 1);
  }

  writeGraphics(written: number): void {
    this.#graphics.write(this.registers.values.graphicsIndex, 1, written);
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

  /** The sixteen text colours through palette registers and DAC, as 0xRRGGBB. */
  #colors(): number[] {
    const { colorPlaneEnable, colorSelect } = this.#attribute.values;
    return Array.from({ length: 16 }, (_, attribute) => {
      const entry = this.#attribute.read(attribute & colorPlaneEnable, 1) & 0x3f;
      return this.#dac.color((entry | ((colorSelect & 0x0c) << 4)) & this.registers.values.pixelMask);
    });
  }
}
