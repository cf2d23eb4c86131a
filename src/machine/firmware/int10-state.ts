/**
 * Saving and restoring what the display is set to, in parts that a program chooses: the VGA's registers, the BIOS data area's
 * fields of the display with the fonts' vectors, the DAC's colours, and the registers of VBE (INT 10h, AH = 1Ch; VBE 3.0
 * section 4.7, AX = 4F04h). The contents of the buffer are the BIOS's own; what is on the screen is not in it.
 */

import type { PortBus } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { BDA_GPA } from "./bios-data.ts";
import type { ColorServices } from "./int10-colors.ts";
import type { ServiceCall } from "./service-call.ts";

const BLOCK_BYTES = 64;
const PART = { hardware: 1 << 0, data: 1 << 1, dac: 1 << 2, vbe: 1 << 3 } as const;
const VGA_PARTS = PART.hardware | PART.data | PART.dac;
const VBE_PARTS = VGA_PARTS | PART.vbe;
const OPERATION = { size: 0, save: 1, restore: 2 } as const;

/** Index ports, and how many registers each has. */
const INDEXED = [
  { port: 0x3c4, count: 5 },
  { port: 0x3ce, count: 9 },
] as const;
const CRTC = { color: 0x3d4, monochrome: 0x3b4, count: 25, protect: 0x11 } as const;
const ATTRIBUTES = 21;
const MISCELLANEOUS = { read: 0x3cc, write: 0x3c2, color: 0x01 } as const;
const DATA_AREAS = [
  { at: 0x49, bytes: 0x1e },
  { at: 0x84, bytes: 7 },
] as const;
const FONT_VECTORS = [0x1f, 0x43] as const;
const DAC = { mask: 0x3c6, read: 0x3c7, write: 0x3c8, data: 0x3c9, bytes: 768 } as const;
/** Width to vertical offset, which the register of enabling is among: it comes last, and keeps what is in memory. */
const DISPI = { index: 0x1ce, data: 0x1cf, first: 1, count: 9, enable: 4, keepMemory: 0x80 } as const;

interface StatePart {
  readonly bit: number;
  readonly save: () => number[];
  readonly restore: (bytes: readonly number[]) => void;
}

export class VideoState {
  readonly #ram: GuestRam;
  readonly #ports: PortBus;
  readonly #colors: ColorServices;
  /** In the order in which they lie in a buffer and are restored. */
  readonly #parts: readonly StatePart[] = [
    { bit: PART.vbe, save: () => this.#saveVbe(), restore: (bytes) => this.#restoreVbe(bytes) },
    {
      bit: PART.hardware,
      save: () => this.#saveHardware(),
      restore: (bytes) => this.#restoreHardware(bytes),
    },
    { bit: PART.data, save: () => this.#saveData(), restore: (bytes) => this.#restoreData(bytes) },
    { bit: PART.dac, save: () => this.#saveDac(), restore: (bytes) => this.#restoreDac(bytes) },
  ];

  constructor(ram: GuestRam, ports: PortBus, colors: ColorServices) {
    this.#ram = ram;
    this.#ports = ports;
    this.#colors = colors;
  }

  /** AH = 1Ch, with the operation in AL. */
  call(call: ServiceCall): void {
    if (this.#serve(call, call.al, VGA_PARTS)) call.al = 0x1c;
  }

  /** AX = 4F04h, with the operation in DL; false when there is no such operation. */
  callVbe(call: ServiceCall): boolean {
    return this.#serve(call, call.dl, VBE_PARTS);
  }

  /** Parts in CX, the buffer at ES:BX; its size comes back in BX. */
  #serve(call: ServiceCall, operation: number, allowed: number): boolean {
    const wanted = call.cx & allowed;
    const parts = this.#parts.filter(({ bit }) => (wanted & bit) !== 0);
    if (wanted === 0 || wanted !== call.cx) return false;
    switch (operation) {
      case OPERATION.size:
        call.bx = parts.reduce((blocks, { save }) => blocks + blocksOf(save().length), 0);
        return true;
      case OPERATION.save: {
        let at = call.bx;
        for (const { save } of parts) {
          const bytes = save();
          bytes.forEach((byte, index) => call.setByteInEs(at + index, byte));
          at += BLOCK_BYTES * blocksOf(bytes.length);
        }
        return true;
      }
      case OPERATION.restore: {
        let at = call.bx;
        for (const { save, restore } of parts) {
          const { length } = save();
          const start = at;
          restore(Array.from({ length }, (_, index) => call.byteInEs(start + index)));
          at += BLOCK_BYTES * blocksOf(length);
        }
        return true;
      }
      default:
        return false;
    }
  }

  #saveHardware(): number[] {
    const crtc = this.#crtcPort();
    return [
      this.#ports.readPort(MISCELLANEOUS.read, 1),
      ...INDEXED.flatMap(({ port, count }) => this.#readAll(port, count)),
      ...this.#readAll(crtc, CRTC.count),
      ...Array.from({ length: ATTRIBUTES }, (_, index) => this.#colors.readAttribute(index)),
    ];
  }

  #restoreHardware(bytes: readonly number[]): void {
    const [miscellaneous = 0, ...registers] = bytes;
    this.#ports.writePort(MISCELLANEOUS.write, 1, miscellaneous);
    for (const { port, count } of INDEXED) this.#writeAll(port, registers.splice(0, count));
    const crtc = this.#crtcPort();
    // The first eight are write-protected by bit 7 of this one.
    this.#write(crtc, CRTC.protect, 0);
    this.#writeAll(crtc, registers.splice(0, CRTC.count));
    registers.forEach((value, index) => this.#colors.setAttribute(index, value));
  }

  #saveData(): number[] {
    const data = DATA_AREAS.flatMap(({ at, bytes }) =>
      Array.from({ length: bytes }, (_, index) => this.#ram.readU8(BDA_GPA + at + index)),
    );
    const vectors = FONT_VECTORS.flatMap((vector) =>
      Array.from({ length: 4 }, (_, index) => this.#ram.readU8(4 * vector + index)),
    );
    return [...data, ...vectors];
  }

  #restoreData(bytes: readonly number[]): void {
    const rest = [...bytes];
    for (const { at, bytes: count } of DATA_AREAS)
      rest.splice(0, count).forEach((byte, index) => this.#ram.writeU8(BDA_GPA + at + index, byte));
    for (const vector of FONT_VECTORS)
      rest.splice(0, 4).forEach((byte, index) => this.#ram.writeU8(4 * vector + index, byte));
  }

  #saveDac(): number[] {
    const mask = this.#ports.readPort(DAC.mask, 1);
    this.#ports.writePort(DAC.read, 1, 0);
    return [mask, ...Array.from({ length: DAC.bytes }, () => this.#ports.readPort(DAC.data, 1))];
  }

  #restoreDac(bytes: readonly number[]): void {
    const [mask = 0xff, ...levels] = bytes;
    this.#ports.writePort(DAC.mask, 1, mask);
    this.#ports.writePort(DAC.write, 1, 0);
    for (const level of levels) this.#ports.writePort(DAC.data, 1, level);
  }

  #saveVbe(): number[] {
    return Array.from({ length: DISPI.count }, (_, index) => {
      this.#ports.writePort(DISPI.index, 2, DISPI.first + index);
      return this.#ports.readPort(DISPI.data, 2);
    }).flatMap((value) => [value & 0xff, value >>> 8]);
  }

  #restoreVbe(bytes: readonly number[]): void {
    const values = Array.from(
      { length: DISPI.count },
      (_, index) => (bytes[2 * index] ?? 0) | ((bytes[2 * index + 1] ?? 0) << 8),
    );
    const write = (register: number, value: number): void => {
      this.#ports.writePort(DISPI.index, 2, register);
      this.#ports.writePort(DISPI.data, 2, value);
    };
    const enable = values[DISPI.enable - DISPI.first] ?? 0;
    write(DISPI.enable, 0);
    const others = values.map((value, index) => ({ value, register: DISPI.first + index }));
    // The size of the picture first; where it begins in memory can be told only while it is shown.
    for (const { value, register } of others) if (register < DISPI.enable) write(register, value);
    write(DISPI.enable, enable | DISPI.keepMemory);
    for (const { value, register } of others) if (register > DISPI.enable) write(register, value);
  }

  #crtcPort(): number {
    const isColor = (this.#ports.readPort(MISCELLANEOUS.read, 1) & MISCELLANEOUS.color) !== 0;
    return isColor ? CRTC.color : CRTC.monochrome;
  }

  #readAll(port: number, count: number): number[] {
    return Array.from({ length: count }, (_, index) => {
      this.#ports.writePort(port, 1, index);
      return this.#ports.readPort(port + 1, 1);
    });
  }

  #writeAll(port: number, values: readonly number[]): void {
    values.forEach((value, index) => this.#write(port, index, value));
  }

  #write(port: number, index: number, value: number): void {
    this.#ports.writePort(port, 1, index);
    this.#ports.writePort(port + 1, 1, value);
  }
}

const blocksOf = (byteCount: number): number => Math.ceil(byteCount / BLOCK_BYTES);
