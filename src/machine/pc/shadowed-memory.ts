/**
 * What lies between C0000 and FFFFF of an i440FX PC, and its ROM below 4 GiB: RAM or PCI, by the host bridge's memory
 * attributes (82441FX, section 3.2.13). On PCI there is the end of the ROM from E0000 on, and nothing else.
 *
 * The processor reads memory through slots; what it writes without a slot that takes it arrives here. Reads arrive here
 * only where there is nothing, or if an accelerator has no slots.
 *
 * Deliberately missing: expansion ROMs of PCI functions between C0000 and DFFFF, to which firmware copies their code.
 */

import { allOnes, assert, KiB, MiB, PAGE_SIZE_BYTES } from "../../base/index.ts";
import { readBytes } from "../../hw/index.ts";
import type { AccessSize, Dma, MemorySlot, MmioBus, MmioHandler } from "../../hw/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import type { MemoryAttributes } from "../pci/index.ts";

const START_GPA = 0xc0000;
const END_GPA = 1 * MiB;
/** How much of the ROM's end is also seen below 1 MiB. */
const ALIAS_BYTES = 128 * KiB;
const FOUR_GIB = 2 ** 32;

export type SetMemorySlot = (gpa: number, lengthBytes: number, slot: MemorySlot) => void;

/** Where in the slot memory of guest RAM the ROM is. */
export interface RomPlace {
  readonly offset: number;
  readonly sizeBytes: number;
}

interface ShadowedMemoryParts {
  readonly ram: GuestRam;
  readonly dma: Dma;
  readonly mmio: MmioBus;
  readonly setMemorySlot: SetMemorySlot;
  /** Absent on a board whose firmware is not a ROM. */
  readonly rom: RomPlace | undefined;
}

export class ShadowedMemory implements MmioHandler {
  readonly #parts: ShadowedMemoryParts;
  /** Of each page from C0000 on. */
  readonly #attributes: MemoryAttributes[] = Array.from(
    { length: (END_GPA - START_GPA) / PAGE_SIZE_BYTES },
    () => ({ readsDram: false, writesDram: false }),
  );

  constructor(parts: ShadowedMemoryParts) {
    this.#parts = parts;
    const { rom, ram } = parts;
    if (rom !== undefined) {
      assert(rom.sizeBytes % PAGE_SIZE_BYTES === 0, "a ROM has whole pages");
      assert(rom.offset + rom.sizeBytes <= ram.slotMemory.length, "the ROM is in slot memory");
    }
    parts.mmio.claim("shadowed-memory", START_GPA, END_GPA - START_GPA, this);
  }

  /** Shows the ROM where a processor fetches its first instruction. */
  showRom(): void {
    const { rom, ram, setMemorySlot } = this.#parts;
    if (rom === undefined) return;
    const offset = ram.sizeBytes + rom.offset;
    setMemorySlot(FOUR_GIB - rom.sizeBytes, rom.sizeBytes, { kind: "memory", offset, isWritable: false });
  }

  setAttributes(gpa: number, lengthBytes: number, attributes: MemoryAttributes): void {
    const { setMemorySlot } = this.#parts;
    for (let at = gpa; at < gpa + lengthBytes; at += PAGE_SIZE_BYTES)
      this.#attributes[(at - START_GPA) / PAGE_SIZE_BYTES] = attributes;
    // A range of the chipset is in the ROM's alias as a whole, or not at all: both are multiples of 16 KiB.
    setMemorySlot(gpa, lengthBytes, this.#slotAt(gpa, attributes));
  }

  readMmio(offset: number, size: AccessSize): number {
    return readBytes(size, (index) => this.#readByte(START_GPA + offset + index));
  }

  /** To RAM that only writes reach, or, at ROM, nowhere. */
  writeMmio(offset: number, size: AccessSize, value: number): void {
    for (let byte = 0; byte < size; byte++) {
      const gpa = START_GPA + offset + byte;
      if (this.#attributesAt(gpa)?.writesDram !== true) continue;
      this.#parts.dma.write(gpa, Uint8Array.of((value >>> (8 * byte)) & 0xff));
    }
  }

  #attributesAt(gpa: number): MemoryAttributes | undefined {
    return this.#attributes[Math.floor((gpa - START_GPA) / PAGE_SIZE_BYTES)];
  }

  #slotAt(gpa: number, { readsDram, writesDram }: MemoryAttributes): MemorySlot {
    if (readsDram) return writesDram ? { kind: "none" } : { kind: "memory", offset: gpa, isWritable: false };
    const rom = this.#romOffset(gpa);
    if (rom === undefined) return { kind: "device" };
    return { kind: "memory", offset: this.#parts.ram.sizeBytes + rom, isWritable: false };
  }

  /** Where in slot memory the byte of the ROM is that is seen at `gpa`. */
  #romOffset(gpa: number): number | undefined {
    const { rom } = this.#parts;
    if (rom === undefined || gpa < END_GPA - Math.min(ALIAS_BYTES, rom.sizeBytes)) return undefined;
    return rom.offset + rom.sizeBytes - (END_GPA - gpa);
  }

  #readByte(gpa: number): number {
    const { ram } = this.#parts;
    if (this.#attributesAt(gpa)?.readsDram === true) return ram.readU8(gpa);
    const rom = this.#romOffset(gpa);
    return (rom === undefined ? undefined : ram.slotMemory[rom]) ?? allOnes(1);
  }
}
