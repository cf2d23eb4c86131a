/**
 * The addresses A0000h to BFFFFh, where the processor reaches video memory, and what is put there in each mode:
 *
 * - Ordinary text modes, and the CGA's of four colours, leave RAM where it is, as long as each access would mean what it means
 *   in RAM. A guest that writes characters then costs nothing. What is there moves between RAM and the planes when such a
 *   mode begins and ends.
 * - Plain chain-4 accesses (mode 13h) and VBE's banks are video memory itself.
 * - Everything else goes byte by byte through latches and masks.
 */

import { assert } from "../../base/index.ts";
import type { AccessSize, Dma, MemorySlot, MmioHandler, RegisterValues } from "../../hw/index.ts";
import type { GRAPHICS_REGISTERS, SEQUENCER_REGISTERS } from "./registers.ts";
import { GRAPHICS_CHAIN_ODD_EVEN, GRAPHICS_MODE, MEMORY_MODE, PLANES } from "./video-memory.ts";
import type { VideoMemory } from "./video-memory.ts";

export const VIDEO_WINDOW_GPA = 0xa0000;
export const VIDEO_WINDOW_BYTES = 0x2_0000;
export const BANK_BYTES = 0x1_0000;

/** Where the window is, by memory map select. */
const WINDOWS = [
  { gpa: 0xa0000, sizeBytes: 0x20000 },
  { gpa: 0xa0000, sizeBytes: 0x10000 },
  { gpa: 0xb0000, sizeBytes: 0x8000 },
  { gpa: 0xb8000, sizeBytes: 0x8000 },
] as const;
const TEXT_BYTES = 0x8000;
const MAP_128K = 0;
const MAP_64K = 1;
const UNDRIVEN = 0xff;
/** Of the map mask: characters and attributes. */
const TEXT_PLANES = 0x03;
const ALL_PLANES = 0x0f;

/** What is seen at the window's addresses. */
type Contents =
  | { readonly kind: "ram"; readonly gpa: number }
  | { readonly kind: "memory"; readonly offset: number }
  | { readonly kind: "device" };

const RESET_CONTENTS: Contents = { kind: "ram", gpa: WINDOWS[3].gpa };

export interface WindowRegisters {
  readonly sequencer: RegisterValues<typeof SEQUENCER_REGISTERS>;
  readonly graphics: RegisterValues<typeof GRAPHICS_REGISTERS>;
  /** Miscellaneous output bit 1: the processor reaches video memory. */
  isEnabled(): boolean;
  /** Where the bank of a VBE mode begins; undefined in the VGA's own modes. */
  bankOffset(): number | undefined;
}

export interface WindowParts {
  readonly memory: VideoMemory;
  readonly registers: WindowRegisters;
  readonly dma: Dma;
  /** Slots of the VM's address space; offsets are those of video memory. */
  readonly setSlot: (gpa: number, lengthBytes: number, slot: MemorySlot) => void;
}

export class VideoWindow implements MmioHandler {
  readonly #parts: WindowParts;
  #contents: Contents = RESET_CONTENTS;

  constructor(parts: WindowParts) {
    this.#parts = parts;
  }

  /** After a change of registers. */
  update(): void {
    const before = this.#contents;
    const wanted = this.#wanted();
    if (isSame(before, wanted)) return;
    this.fetchFromRam();
    this.#contents = wanted;
    if (wanted.kind === "ram") this.#storeToRam(wanted.gpa);
    this.#setSlots(wanted);
  }

  /** After all state has been restored: RAM and planes are as they were when it was saved. */
  restored(): void {
    this.#contents = this.#wanted();
    this.#setSlots(this.#contents);
  }

  /** Gives the planes the characters, or pixels, that the guest has in RAM. */
  fetchFromRam(): void {
    if (this.#contents.kind !== "ram") return;
    const { bytes } = this.#parts.memory;
    const source = this.#parts.dma.readable(this.#contents.gpa, TEXT_BYTES);
    assert(source !== undefined, "there is RAM below 1 MiB");
    for (let at = 0; at < TEXT_BYTES; at += 2) {
      bytes[PLANES * at] = source[at] ?? 0;
      bytes[PLANES * at + 1] = source[at + 1] ?? 0;
    }
  }

  // The bus; firmware's services come by it even while the processor would reach RAM.

  readMmio(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = 0; i < size; i++) value |= this.#read(offset + i) << (8 * i);
    return value >>> 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) this.#write(offset + i, (value >>> (8 * i)) & 0xff);
  }

  #read(offset: number): number {
    const address = this.#address(offset);
    if (address === undefined) return UNDRIVEN;
    if (this.#contents.kind !== "ram") return this.#parts.memory.read(address);
    return this.#parts.dma.readable(VIDEO_WINDOW_GPA + offset, 1)?.[0] ?? UNDRIVEN;
  }

  #write(offset: number, value: number): void {
    const address = this.#address(offset);
    if (address === undefined) return;
    if (this.#contents.kind === "ram") this.#parts.dma.write(VIDEO_WINDOW_GPA + offset, Uint8Array.of(value));
    else this.#parts.memory.write(address, value);
  }

  /** The address that the VGA sees; undefined when it is not its own. */
  #address(offset: number): number | undefined {
    const { registers } = this.#parts;
    if (!registers.isEnabled() || registers.bankOffset() !== undefined) return undefined;
    const window = WINDOWS[(registers.graphics.miscellaneous >> 2) & 3] ?? WINDOWS[MAP_128K];
    const address = VIDEO_WINDOW_GPA + offset - window.gpa;
    return address >= 0 && address < window.sizeBytes ? address : undefined;
  }

  // Workings.

  #wanted(): Contents {
    const { registers } = this.#parts;
    const bank = registers.bankOffset();
    if (bank !== undefined) return { kind: "memory", offset: bank };
    const { graphics, sequencer } = registers;
    const isPlain =
      registers.isEnabled() &&
      graphics.enableSetReset === 0 &&
      graphics.dataRotate === 0 &&
      graphics.bitMask === 0xff &&
      (graphics.mode & (GRAPHICS_MODE.writeMode | GRAPHICS_MODE.readMode1)) === 0;
    if (!isPlain) return { kind: "device" };
    const map = (graphics.miscellaneous >> 2) & 3;
    const planes = sequencer.mapMask & ALL_PLANES;
    if ((sequencer.memoryMode & MEMORY_MODE.chain4) !== 0) {
      return map === MAP_64K && planes === ALL_PLANES ? { kind: "memory", offset: 0 } : { kind: "device" };
    }
    const isOddEven =
      (sequencer.memoryMode & MEMORY_MODE.sequential) === 0 &&
      (graphics.mode & GRAPHICS_MODE.oddEven) !== 0 &&
      (graphics.miscellaneous & GRAPHICS_CHAIN_ODD_EVEN) !== 0 &&
      (graphics.readMapSelect & 2) === 0;
    const { gpa, sizeBytes } = WINDOWS[map] ?? WINDOWS[MAP_128K];
    if (isOddEven && planes === TEXT_PLANES && sizeBytes === TEXT_BYTES) return { kind: "ram", gpa };
    return { kind: "device" };
  }

  #storeToRam(gpa: number): void {
    const { bytes } = this.#parts.memory;
    const target = this.#parts.dma.writable(gpa, TEXT_BYTES);
    assert(target !== undefined, "there is RAM below 1 MiB");
    for (let at = 0; at < TEXT_BYTES; at += 2) {
      target[at] = bytes[PLANES * at] ?? 0;
      target[at + 1] = bytes[PLANES * at + 1] ?? 0;
    }
  }

  #setSlots(contents: Contents): void {
    const { setSlot } = this.#parts;
    if (contents.kind !== "memory") {
      const kind = contents.kind === "ram" ? "none" : "device";
      setSlot(VIDEO_WINDOW_GPA, VIDEO_WINDOW_BYTES, { kind });
      return;
    }
    setSlot(VIDEO_WINDOW_GPA, BANK_BYTES, { kind: "memory", offset: contents.offset, isWritable: true });
    const rest = { gpa: VIDEO_WINDOW_GPA + BANK_BYTES, lengthBytes: VIDEO_WINDOW_BYTES - BANK_BYTES };
    setSlot(rest.gpa, rest.lengthBytes, { kind: "device" });
  }
}

function isSame(a: Contents, b: Contents): boolean {
  if (a.kind === "ram") return b.kind === "ram" && a.gpa === b.gpa;
  if (a.kind === "memory") return b.kind === "memory" && a.offset === b.offset;
  return b.kind === a.kind;
}
