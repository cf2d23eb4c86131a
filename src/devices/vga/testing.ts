/**
 * A display and the processor's side of it: ports, and the addresses where RAM, video memory or the window's handler is, as
 * the slots say that the display has asked for.
 */

import { assert, ManualClock, MiB, unwrap } from "../../base/index.ts";
import { asPorts, MmioBus, PortBus, RamDma } from "../../hw/index.ts";
import type { AccessSize, MemorySlot } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { textLines, VBE_PORT_BASE, VBE_PORT_BYTES, Vga, VGA_PORT_BASE, VGA_PORT_RANGES } from "./index.ts";
import { VgaPci, VIDEO_MEMORY_BYTES, VIDEO_WINDOW_BYTES, VIDEO_WINDOW_GPA } from "./index.ts";
import type { Frame, TextScreen } from "./index.ts";

const TEXT_GPA = 0xb8000;
const PAGE_BYTES = 0x1000;

export class VgaBench {
  readonly clock = new ManualClock();
  readonly ram = unwrap(
    createGuestRam({ sizeBytes: 2 * MiB, reservedPrefixBytes: 0, slotMemoryBytes: VIDEO_MEMORY_BYTES }),
  );
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();
  /** By page number. */
  readonly slots = new Map<number, MemorySlot>();
  readonly chip: Vga;
  readonly pci: VgaPci;

  constructor() {
    const { ram, clock, ports, mmio } = this;
    const setSlot = (gpa: number, lengthBytes: number, slot: MemorySlot): void => {
      for (let at = 0; at < lengthBytes; at += PAGE_BYTES) {
        const page = (gpa + at) / PAGE_BYTES;
        if (slot.kind === "none") this.slots.delete(page);
        else this.slots.set(page, slot.kind === "memory" ? { ...slot, offset: slot.offset + at } : slot);
      }
    };
    this.chip = new Vga({ memory: ram.slotMemory, dma: new RamDma(ram, () => undefined), clock, setSlot });
    this.pci = new VgaPci({ vga: this.chip, buses: { ports, mmio }, setSlot });
    for (const [base, length] of VGA_PORT_RANGES) {
      ports.claim("vga", base, length, asPorts(this.chip.registers, base - VGA_PORT_BASE));
    }
    ports.claim("vbe", VBE_PORT_BASE, VBE_PORT_BYTES, this.chip.vbe);
    mmio.claim("vga", VIDEO_WINDOW_GPA, VIDEO_WINDOW_BYTES, this.chip.window);
  }

  out(port: number, value: number): void {
    this.ports.writePort(port, 1, value);
  }

  in(port: number): number {
    return this.ports.readPort(port, 1);
  }

  /** Index and data of a pair of ports in one 16-bit write, as drivers do. */
  indexed(port: number, index: number, value: number): void {
    this.ports.writePort(port, 2, index | (value << 8));
  }

  /** A register of VBE. */
  vbe(index: number, value: number): void {
    this.ports.writePort(0x1ce, 2, index);
    this.ports.writePort(0x1cf, 2, value);
  }

  readVbe(index: number): number {
    this.ports.writePort(0x1ce, 2, index);
    return this.ports.readPort(0x1cf, 2);
  }

  /** Programs a mode as a BIOS does: all registers of each kind from the first on. */
  setMode(mode: {
    readonly miscellaneous: number;
    readonly sequencer: readonly number[];
    readonly crtc: readonly number[];
    readonly graphics: readonly number[];
    readonly attribute: readonly number[];
  }): void {
    this.out(0x3c2, mode.miscellaneous);
    mode.sequencer.forEach((value, at) => this.indexed(0x3c4, at + 1, value));
    this.indexed(0x3d4, 0x11, 0);
    mode.crtc.forEach((value, at) => this.indexed(0x3d4, at, value));
    mode.graphics.forEach((value, at) => this.indexed(0x3ce, at, value));
    this.in(0x3da);
    for (const [at, value] of mode.attribute.entries()) {
      this.out(0x3c0, at);
      this.out(0x3c0, value);
    }
    this.out(0x3c0, 0x20);
  }

  /** The processor's accesses, through whatever is at the address. */
  read(gpa: number, size: AccessSize = 1): number {
    const slot = this.slots.get(Math.floor(gpa / PAGE_BYTES));
    if (slot === undefined && gpa < this.ram.sizeBytes) return load(this.ram.bytes, gpa, size);
    if (slot?.kind !== "memory") return this.mmio.readMmio(gpa, size);
    return load(this.ram.slotMemory, slot.offset + (gpa % PAGE_BYTES), size);
  }

  write(gpa: number, value: number, size: AccessSize = 1): void {
    const slot = this.slots.get(Math.floor(gpa / PAGE_BYTES));
    if (slot === undefined && gpa < this.ram.sizeBytes) store(this.ram.bytes, gpa, size, value);
    else if (slot?.kind !== "memory") this.mmio.writeMmio(gpa, size, value);
    else store(this.ram.slotMemory, slot.offset + (gpa % PAGE_BYTES), size, value);
  }

  print(row: number, column: number, text: string, attribute = 0x07): void {
    [...text].forEach((character, i) => {
      this.write(TEXT_GPA + 2 * (row * 80 + column + i), character.charCodeAt(0) | (attribute << 8), 2);
    });
  }

  text(): TextScreen {
    const screen = this.chip.screen();
    assert(screen.kind === "text", "the display shows text");
    return screen;
  }

  lines(): string[] {
    return textLines(this.text());
  }

  /** Pixels of a line as 0xRRGGBB. */
  line(frame: Frame, y: number): number[] {
    return Array.from({ length: frame.width }, (_, x) => {
      const [red = 0, green = 0, blue = 0] = frame.pixels.subarray(4 * (y * frame.width + x));
      return (red << 16) | (green << 8) | blue;
    });
  }
}

function load(bytes: Uint8Array, at: number, size: AccessSize): number {
  let value = 0;
  for (let i = 0; i < size; i++) value |= (bytes[at + i] ?? 0) << (8 * i);
  return value >>> 0;
}

function store(bytes: Uint8Array, at: number, size: AccessSize, value: number): void {
  for (let i = 0; i < size; i++) bytes[at + i] = (value >>> (8 * i)) & 0xff;
}
