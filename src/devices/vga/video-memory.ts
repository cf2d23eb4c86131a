/**
 * The VGA's four planes as the processor reaches them: latches, write modes 0–3, read modes 0 and 1, set/reset, rotation,
 * bit and map masks, odd/even and chain-4 addressing (IBM VGA/XGA Technical Reference, "Graphics Controller" and
 * "Sequencer").
 *
 * Byte `offset` of plane `plane` lies at 4·offset + plane, so that a linear frame buffer, chain-4 accesses and the planes
 * are the same bytes. Chain 4 therefore reaches offset ⌊address/4⌋ of a plane, where the IBM part leaves three offsets of
 * four unused: the difference shows only if a program looks at one mode's contents in another. The page bit for odd/even
 * modes (miscellaneous output bit 5) does not choose between the halves of a plane: only A16 does, in the window of 128 KiB.
 */

import type { RegisterValues } from "../../hw/index.ts";
import type { GRAPHICS_REGISTERS, SEQUENCER_REGISTERS } from "./registers.ts";

export const VIDEO_MEMORY_BYTES = 16 * 1024 * 1024;
export const PLANES = 4;
/** Of one plane: what the VGA itself addresses. The rest is the linear frame buffer's alone. */
export const PLANE_BYTES = 0x1_0000;

const OFFSET_MASK = PLANE_BYTES - 1;
export const MEMORY_MODE = { sequential: 0x04, chain4: 0x08 } as const;
export const GRAPHICS_MODE = { writeMode: 0x03, readMode1: 0x08, oddEven: 0x10 } as const;
export const GRAPHICS_CHAIN_ODD_EVEN = 0x02;
const ROTATE_COUNT = 0x07;
const ALL_PLANES = 0x0f;
/** Planes that even and odd addresses write. */
const EVEN_PLANES = 0x05;
const ODD_PLANES = 0x0a;
/** A byte for all four planes, times this. */
const EACH_PLANE = 0x01010101;
/** FFh in the byte of each plane whose bit is set. */
const PLANE_MASKS = Int32Array.from(
  { length: 16 },
  (_, bits) =>
    ((bits & 1) * 0xff) | ((bits & 2) * 0x7f80) | ((bits & 4) * 0x3fc000) | ((bits & 8) * 0x1fe00000),
);

export class VideoMemory {
  /** All of it: byte 4·offset + plane. */
  readonly bytes: Uint8Array;
  /** The VGA's planes, a doubleword of four planes for each offset. */
  readonly #offsets: Int32Array;
  readonly #sequencer: RegisterValues<typeof SEQUENCER_REGISTERS>;
  readonly #graphics: RegisterValues<typeof GRAPHICS_REGISTERS>;
  /** What the last read has left of each plane. */
  latches = 0;

  /** `bytes` are VIDEO_MEMORY_BYTES at a multiple of four. */
  constructor(
    bytes: Uint8Array,
    sequencer: RegisterValues<typeof SEQUENCER_REGISTERS>,
    graphics: RegisterValues<typeof GRAPHICS_REGISTERS>,
  ) {
    this.bytes = bytes;
    this.#offsets = new Int32Array(bytes.buffer, bytes.byteOffset, PLANE_BYTES);
    this.#sequencer = sequencer;
    this.#graphics = graphics;
  }

  /** A byte at an address of the processor's window. */
  read(address: number): number {
    const { readMapSelect, mode, colorCompare, colorDoNotCare } = this.#graphics;
    let plane = readMapSelect & 3;
    let offset = address;
    if (this.#isChained4) {
      plane = address & 3;
      offset = address >>> 2;
    } else if ((mode & GRAPHICS_MODE.oddEven) !== 0) {
      plane = (plane & 2) | (address & 1);
      offset = this.#oddEvenOffset(address);
    }
    const latches = this.#offsets[offset & OFFSET_MASK] ?? 0;
    this.latches = latches;
    if ((mode & GRAPHICS_MODE.readMode1) === 0) return (latches >>> (8 * plane)) & 0xff;
    const differing =
      (latches ^ (PLANE_MASKS[colorCompare & ALL_PLANES] ?? 0)) &
      (PLANE_MASKS[colorDoNotCare & ALL_PLANES] ?? 0);
    return ~(differing | (differing >>> 8) | (differing >>> 16) | (differing >>> 24)) & 0xff;
  }

  write(address: number, value: number): void {
    let planes = this.#sequencer.mapMask & ALL_PLANES;
    let offset = address;
    if (this.#isChained4) {
      planes &= 1 << (address & 3);
      offset = address >>> 2;
    } else if ((this.#sequencer.memoryMode & MEMORY_MODE.sequential) === 0) {
      planes &= (address & 1) === 0 ? EVEN_PLANES : ODD_PLANES;
      offset = this.#oddEvenOffset(address);
    }
    const mask = PLANE_MASKS[planes] ?? 0;
    const at = offset & OFFSET_MASK;
    this.#offsets[at] = ((this.#offsets[at] ?? 0) & ~mask) | (this.#written(value) & mask);
  }

  /** What the graphics controller makes of a byte for all four planes. */
  #written(value: number): number {
    const { mode, setReset, enableSetReset, dataRotate, bitMask } = this.#graphics;
    const { latches } = this;
    const count = dataRotate & ROTATE_COUNT;
    const rotated = ((value >>> count) | (value << (8 - count))) & 0xff;
    const setResetData = PLANE_MASKS[setReset & ALL_PLANES] ?? 0;
    switch (mode & GRAPHICS_MODE.writeMode) {
      case 0: {
        const enabled = PLANE_MASKS[enableSetReset & ALL_PLANES] ?? 0;
        const data = (Math.imul(rotated, EACH_PLANE) & ~enabled) | (setResetData & enabled);
        return this.#masked(data, bitMask);
      }
      case 1:
        return latches;
      case 2:
        return this.#masked(PLANE_MASKS[value & ALL_PLANES] ?? 0, bitMask);
      default:
        return this.#masked(setResetData, bitMask & rotated);
    }
  }

  /** The logical function, then the bit mask between its result and the latches. */
  #masked(data: number, bitMask: number): number {
    const { latches } = this;
    const mask = Math.imul(bitMask, EACH_PLANE);
    return (this.#combined(data) & mask) | (latches & ~mask);
  }

  #combined(data: number): number {
    switch ((this.#graphics.dataRotate >> 3) & 3) {
      case 1:
        return data & this.latches;
      case 2:
        return data | this.latches;
      case 3:
        return data ^ this.latches;
      default:
        return data;
    }
  }

  get #isChained4(): boolean {
    return (this.#sequencer.memoryMode & MEMORY_MODE.chain4) !== 0;
  }

  #oddEvenOffset(address: number): number {
    if ((this.#graphics.miscellaneous & GRAPHICS_CHAIN_ODD_EVEN) === 0) return address;
    return (address & ~1) | ((address >>> 16) & 1);
  }
}
