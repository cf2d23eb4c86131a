/**
 * The display as a PCI function, 1234:1111 (QEMU, docs/specs/standard-vga): video memory as BAR 0, and in BAR 2 the VGA's
 * ports and the registers of VBE, for drivers that do without ports. The VGA's own ports and window are there whether or
 * not the function decodes them, as chip sets route them to the one display of a PC.
 *
 * Deliberately missing: EDID (its bytes read as zero, which drivers take for a monitor that tells nothing), the byte order
 * register, an expansion ROM: the BIOS has its services built in.
 */

import { allOnes } from "../../base/index.ts";
import { PCI_COMMAND, PciConfigSpace, StateReader } from "../../hw/index.ts";
import type {
  AccessSize,
  DeviceState,
  MemorySlot,
  MmioHandler,
  PciBuses,
  PciFunction,
} from "../../hw/index.ts";
import { VGA_PORT_BASE } from "./vga.ts";
import type { Vga } from "./vga.ts";
import { VIDEO_MEMORY_BYTES } from "./video-memory.ts";

const REGISTERS_BYTES = 0x1000;
/** Ports 3C0h to 3DFh. */
const PORTS = { at: 0x400, lengthBytes: 0x20, firstPort: 0x3c0 } as const;
const VBE = { at: 0x500, lengthBytes: 0x16 } as const;
const EDID_BYTES = 0x400;

export interface VgaPciParts {
  readonly vga: Vga;
  readonly buses: PciBuses;
  /** Offsets count from the start of video memory. */
  readonly setSlot: (gpa: number, lengthBytes: number, slot: MemorySlot) => void;
}

export class VgaPci implements PciFunction {
  readonly name = "vga-pci";
  readonly #config: PciConfigSpace;

  constructor({ vga, buses, setSlot }: VgaPciParts) {
    this.#config = new PciConfigSpace({
      name: this.name,
      buses,
      identity: {
        vendorId: 0x1234,
        deviceId: 0x1111,
        revisionId: 2,
        baseClass: 0x03,
        subClass: 0x00,
        // Its ports are the VGA's and need no BAR; SeaBIOS takes a function for a VGA only with them enabled.
        commandWritable: PCI_COMMAND.io | PCI_COMMAND.memory,
      },
      bars: [
        {
          kind: "memory",
          sizeBytes: VIDEO_MEMORY_BYTES,
          isPrefetchable: true,
          handler: frameBuffer(vga.memory.bytes),
          placed: (from, to) => {
            if (from !== undefined) setSlot(from, VIDEO_MEMORY_BYTES, { kind: "none" });
            if (to !== undefined) {
              setSlot(to, VIDEO_MEMORY_BYTES, { kind: "memory", offset: 0, isWritable: true });
            }
          },
        },
        undefined,
        { kind: "memory", sizeBytes: REGISTERS_BYTES, handler: registers(vga) },
      ],
    });
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.#config.write(offset, size, value);
  }

  reset(): void {
    this.#config.reset();
  }

  save(): DeviceState {
    return { config: this.#config.save() };
  }

  restore(state: DeviceState): void {
    this.#config.restore(new StateReader(this.name, state).object("config"));
  }
}

/** The same bytes that the slot shows, for accesses that come over the bus. */
function frameBuffer(bytes: Uint8Array): MmioHandler {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return {
    readMmio: (offset, size) =>
      size === 4
        ? view.getUint32(offset, true)
        : size === 2
          ? view.getUint16(offset, true)
          : view.getUint8(offset),
    writeMmio: (offset, size, value) => {
      if (size === 4) view.setUint32(offset, value, true);
      else if (size === 2) view.setUint16(offset, value, true);
      else view.setUint8(offset, value);
    },
  };
}

function registers(vga: Vga): MmioHandler {
  const blocks = [
    { ...PORTS, block: vga.registers, first: PORTS.firstPort - VGA_PORT_BASE },
    { ...VBE, block: vga.vbe.registers, first: 0 },
  ];
  const find = (offset: number, size: AccessSize) =>
    blocks.find(({ at, lengthBytes }) => offset >= at && offset + size <= at + lengthBytes);
  return {
    readMmio(offset, size) {
      const found = find(offset, size);
      if (found !== undefined) return found.block.read(found.first + offset - found.at, size);
      return offset < EDID_BYTES ? 0 : allOnes(size);
    },
    writeMmio(offset, size, value) {
      const found = find(offset, size);
      found?.block.write(found.first + offset - found.at, size, value);
    },
  };
}
