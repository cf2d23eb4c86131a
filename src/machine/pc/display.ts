/** The display of a board: the VGA, its PCI function, and the ports and addresses at which a PC has it. */

import { asPorts } from "../../hw/index.ts";
import type { Clock, Dma, MemorySlot, PciBuses } from "../../hw/index.ts";
import {
  VBE_PORT_BASE,
  VBE_PORT_BYTES,
  Vga,
  VGA_PORT_BASE,
  VGA_PORT_RANGES,
  VgaPci,
  VIDEO_WINDOW_BYTES,
  VIDEO_WINDOW_GPA,
} from "../../devices/vga/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import type { PoweredPins } from "./powered-pins.ts";
import { SLOT_MEMORY } from "./slot-memory.ts";

export interface DisplayParts {
  readonly ram: GuestRam;
  readonly dma: Dma;
  readonly clock: Clock;
  readonly buses: PciBuses;
  readonly pins: PoweredPins;
}

export class Display {
  readonly vga: Vga;
  readonly pci: VgaPci;

  constructor({ ram, dma, clock, buses, pins }: DisplayParts) {
    const { offset, sizeBytes } = SLOT_MEMORY.video;
    const setSlot = (gpa: number, lengthBytes: number, slot: MemorySlot): void =>
      pins.setMemorySlot(gpa, lengthBytes, offset, slot);
    const memory = ram.slotMemory.subarray(offset, offset + sizeBytes);
    this.vga = new Vga({ memory, dma, clock, setSlot });
    this.pci = new VgaPci({ vga: this.vga, buses, setSlot });
  }

  claim({ ports, mmio }: PciBuses): void {
    for (const [base, lengthBytes] of VGA_PORT_RANGES) {
      ports.claim("vga", base, lengthBytes, asPorts(this.vga.registers, base - VGA_PORT_BASE));
    }
    ports.claim("vbe", VBE_PORT_BASE, VBE_PORT_BYTES, this.vga.vbe);
    mmio.claim("vga", VIDEO_WINDOW_GPA, VIDEO_WINDOW_BYTES, this.vga.window);
  }
}
