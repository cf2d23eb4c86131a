/**
 * VBE, functions 4Fxxh of INT 10h, over the Bochs display interface (VESA BIOS Extension Core Functions Standard 3.0,
 * section 4). Deliberately missing, and answered as not supported: the protected mode interface (0Ah), refresh rates (0Bh), and output of text in these modes.
 */

import type { PortBus } from "../../hw/index.ts";
import type { VideoState } from "./int10-state.ts";
import type { ServiceCall } from "./service-call.ts";
import { bytesPerPixel, modeInfo, VBE_MODES, WINDOW_KIB } from "./vbe-modes.ts";
import { dacColors } from "./video-modes.ts";

const SUPPORTED = 0x4f;
const SUCCEEDED = 0x00;
const FAILED = 0x01;

/** Ports and indices of the display interface. */
const DISPI = { index: 0x1ce, data: 0x1cf } as const;
const REGISTER = {
  width: 1,
  height: 2,
  depth: 3,
  enable: 4,
  bank: 5,
  virtualWidth: 6,
  virtualHeight: 7,
  x: 8,
  y: 9,
  memoryBanks: 10,
} as const;
const ENABLE = { enabled: 0x01, eightBitDac: 0x20, linear: 0x40, keepMemory: 0x80 } as const;
const BANK_BYTES = WINDOW_KIB * 1024;

const MODE_NUMBER = 0x01ff;
const MODE_LINEAR = 0x4000;
const MODE_KEEP_MEMORY = 0x8000;
/** Numbers below are the BIOS's own modes. */
const FIRST_VBE_MODE = 0x100;

const VERSION = 0x0200;
const CAPABILITY_DAC_SWITCHES = 0x01;
/** The block's fields end here; the list of modes and the text follow. */
const INFO_LIST_AT = 0x22;
const INFO_BYTES = 256;
const INFO_VBE2_BYTES = 512;
const END_OF_LIST = 0xffff;
const OEM_TEXT = "Typevisor VGA\0";

const PCI = { address: 0xcf8, data: 0xcfc } as const;
const PCI_DEVICES = 32;
const DISPLAY_ID = 0x1111_1234;
const BAR_0 = 0x10;

const DAC = { read: 0x3c7, write: 0x3c8, data: 0x3c9 } as const;
const DAC_ENTRIES = 256;

export class VbeServices {
  readonly #ports: PortBus;
  readonly #state: VideoState;
  /** Sets one of the BIOS's own modes, in which VBE is off. */
  readonly #setBiosMode: (numberAndFlag: number) => void;
  readonly #biosMode: () => number;

  constructor(parts: {
    readonly ports: PortBus;
    readonly state: VideoState;
    readonly setBiosMode: (numberAndFlag: number) => void;
    readonly biosMode: () => number;
  }) {
    this.#ports = parts.ports;
    this.#state = parts.state;
    this.#setBiosMode = parts.setBiosMode;
    this.#biosMode = parts.biosMode;
  }

  call(call: ServiceCall): void {
    const isDone = this.#serve(call);
    call.ax = ((isDone ? SUCCEEDED : FAILED) << 8) | SUPPORTED;
  }

  /** The VGA's own modes are shown again. */
  disable(): void {
    this.#write(REGISTER.enable, 0);
  }

  #serve(call: ServiceCall): boolean {
    switch (call.al) {
      case 0x00:
        return this.#information(call);
      case 0x01:
        return this.#modeInformation(call);
      case 0x02:
        return this.#setMode(call.bx);
      case 0x03:
        call.bx = this.#currentMode();
        return true;
      case 0x04:
        return this.#state.callVbe(call);
      case 0x05:
        return this.#window(call);
      case 0x06:
        return this.#lineLength(call);
      case 0x07:
        return this.#displayStart(call);
      case 0x08:
        return this.#dacWidth(call);
      case 0x09:
        return this.#palette(call);
      default:
        return false;
    }
  }

  #information(call: ServiceCall): boolean {
    const isVersion2 =
      String.fromCharCode(...[0, 1, 2, 3].map((at) => call.byteInEs(call.di + at))) === "VBE2";
    const bytes = new Uint8Array(isVersion2 ? INFO_VBE2_BYTES : INFO_BYTES);
    const view = new DataView(bytes.buffer);
    const blockGpa = call.inEs(call.di);
    /** Segment and offset. */
    const pointer = (at: number): number => (((blockGpa >>> 4) << 16) | ((blockGpa & 0x0f) + at)) >>> 0;
    const text = new TextEncoder().encode(OEM_TEXT);
    const textAt = INFO_LIST_AT + 2 * (VBE_MODES.length + 1);
    bytes.set(new TextEncoder().encode("VESA"));
    view.setUint16(0x04, VERSION, true);
    view.setUint32(0x06, pointer(textAt), true);
    view.setUint32(0x0a, CAPABILITY_DAC_SWITCHES, true);
    view.setUint32(0x0e, pointer(INFO_LIST_AT), true);
    view.setUint16(0x12, this.#read(REGISTER.memoryBanks), true);
    if (isVersion2) for (const at of [0x16, 0x1a, 0x1e]) view.setUint32(at, pointer(textAt), true);
    [...VBE_MODES.map(({ number }) => number), END_OF_LIST].forEach((number, index) =>
      view.setUint16(INFO_LIST_AT + 2 * index, number, true),
    );
    bytes.set(text, textAt);
    this.#store(call, bytes);
    return true;
  }

  #modeInformation(call: ServiceCall): boolean {
    const mode = VBE_MODES.find(({ number }) => number === (call.cx & MODE_NUMBER));
    if (mode === undefined) return false;
    this.#store(call, modeInfo(mode, this.#memoryBytes, this.#frameBufferGpa()));
    return true;
  }

  #setMode(bx: number): boolean {
    const number = bx & MODE_NUMBER;
    if (number < FIRST_VBE_MODE) {
      this.#setBiosMode((number & 0x7f) | ((bx & MODE_KEEP_MEMORY) !== 0 ? 0x80 : 0));
      return true;
    }
    const mode = VBE_MODES.find((candidate) => candidate.number === number);
    if (mode === undefined) return false;
    this.#write(REGISTER.enable, 0);
    this.#write(REGISTER.width, mode.width);
    this.#write(REGISTER.height, mode.height);
    this.#write(REGISTER.depth, mode.depth);
    const linear = (bx & MODE_LINEAR) !== 0 ? ENABLE.linear : 0;
    const keep = (bx & MODE_KEEP_MEMORY) !== 0 ? ENABLE.keepMemory : 0;
    this.#write(REGISTER.enable, ENABLE.enabled | linear | keep);
    this.#ports.writePort(DAC.write, 1, 0);
    for (const level of dacColors("256").flat()) this.#ports.writePort(DAC.data, 1, level);
    return true;
  }

  #currentMode(): number {
    const enable = this.#read(REGISTER.enable);
    if ((enable & ENABLE.enabled) === 0) return this.#biosMode();
    const [width, height, depth] = [REGISTER.width, REGISTER.height, REGISTER.depth].map((index) =>
      this.#read(index),
    );
    const mode = VBE_MODES.find(
      (candidate) => candidate.width === width && candidate.height === height && candidate.depth === depth,
    );
    return (mode?.number ?? 0) | ((enable & ENABLE.linear) !== 0 ? MODE_LINEAR : 0);
  }

  #window(call: ServiceCall): boolean {
    if (call.bl !== 0 || !this.#isEnabled) return false;
    if (call.bh === 1) {
      call.dx = this.#read(REGISTER.bank);
      return true;
    }
    if (call.bh !== 0 || call.dx >= this.#read(REGISTER.memoryBanks)) return false;
    this.#write(REGISTER.bank, call.dx);
    return true;
  }

  #lineLength(call: ServiceCall): boolean {
    if (!this.#isEnabled || call.bl > 3) return false;
    const bytes = bytesPerPixel(this.#read(REGISTER.depth));
    const height = this.#read(REGISTER.height);
    const widest = Math.min(0xffff, Math.floor(this.#memoryBytes / height / bytes));
    if (call.bl === 3) {
      call.bx = Math.min(0xffff, widest * bytes);
      call.cx = widest;
      call.dx = height;
      return true;
    }
    if (call.bl !== 1) {
      const wanted = call.bl === 0 ? call.cx : Math.ceil(call.cx / bytes);
      if (wanted > widest) return false;
      this.#write(REGISTER.virtualWidth, wanted);
    }
    const width = this.#read(REGISTER.virtualWidth);
    call.bx = width * bytes;
    call.cx = width;
    call.dx = this.#read(REGISTER.virtualHeight);
    return true;
  }

  #displayStart(call: ServiceCall): boolean {
    if (!this.#isEnabled) return false;
    if (call.bl === 1) {
      call.bh = 0;
      call.cx = this.#read(REGISTER.x);
      call.dx = this.#read(REGISTER.y);
      return true;
    }
    // 80h waits for the retrace, which is where changes show here anyway.
    if ((call.bl & 0x7f) !== 0) return false;
    const isInside = call.dx + this.#read(REGISTER.height) <= this.#read(REGISTER.virtualHeight);
    if (!isInside) return false;
    this.#write(REGISTER.x, call.cx);
    this.#write(REGISTER.y, call.dx);
    return true;
  }

  #dacWidth(call: ServiceCall): boolean {
    if (!this.#isEnabled || this.#read(REGISTER.depth) !== 8 || call.bl > 1) return false;
    const enable = this.#read(REGISTER.enable);
    if (call.bl === 0) {
      const isEight = call.bh >= 8;
      this.#write(REGISTER.enable, isEight ? enable | ENABLE.eightBitDac : enable & ~ENABLE.eightBitDac);
    }
    call.bh = (this.#read(REGISTER.enable) & ENABLE.eightBitDac) !== 0 ? 8 : 6;
    return true;
  }

  /** Entries of blue, green, red and a byte for alignment. */
  #palette(call: ServiceCall): boolean {
    const { bl, cx: count, dx: first, di } = call;
    if (first + count > DAC_ENTRIES) return false;
    const isGet = bl === 1;
    if (!isGet && (bl & 0x7f) !== 0) return false;
    this.#ports.writePort(isGet ? DAC.read : DAC.write, 1, first);
    for (let index = 0; index < count; index++) {
      for (const component of [2, 1, 0]) {
        const at = di + 4 * index + component;
        if (isGet) call.setByteInEs(at, this.#ports.readPort(DAC.data, 1));
        else this.#ports.writePort(DAC.data, 1, call.byteInEs(at));
      }
    }
    return true;
  }

  // Workings.

  get #isEnabled(): boolean {
    return (this.#read(REGISTER.enable) & ENABLE.enabled) !== 0;
  }

  get #memoryBytes(): number {
    return this.#read(REGISTER.memoryBanks) * BANK_BYTES;
  }

  /** Where the display's first range is; undefined while it is nowhere. */
  #frameBufferGpa(): number | undefined {
    for (let slot = 0; slot < PCI_DEVICES; slot++) {
      if (this.#readPci(slot, 0) !== DISPLAY_ID) continue;
      const gpa = (this.#readPci(slot, BAR_0) & ~15) >>> 0;
      return gpa === 0 ? undefined : gpa;
    }
    return undefined;
  }

  #readPci(slot: number, register: number): number {
    this.#ports.writePort(PCI.address, 4, (0x8000_0000 | (slot << 11) | register) >>> 0);
    return this.#ports.readPort(PCI.data, 4);
  }

  #read(index: number): number {
    this.#ports.writePort(DISPI.index, 2, index);
    return this.#ports.readPort(DISPI.data, 2);
  }

  #write(index: number, value: number): void {
    this.#ports.writePort(DISPI.index, 2, index);
    this.#ports.writePort(DISPI.data, 2, value);
  }

  #store(call: ServiceCall, bytes: Uint8Array): void {
    bytes.forEach((byte, at) => call.setByteInEs(call.di + at, byte));
  }
}
