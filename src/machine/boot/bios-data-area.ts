/**
 * The BIOS data area at 400h and the extended one below 640 KiB, as far as kernels read them without calling the
 * BIOS: Xen finds room for its trampoline by them, Linux and others the end of conventional memory, and text-mode
 * consoles the screen's shape. Layout: IBM PS/2 and PC BIOS Interface Technical Reference, section 3.
 */

import { KiB } from "../../base/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import type { BootScreen } from "./boot-request.ts";
import { EBDA_GPA } from "./memory-map.ts";

const BDA_GPA = 0x400;
const BDA_BYTES = 0x100;
const BDA = {
  serialPorts: 0x00,
  ebdaSegment: 0x0e,
  equipment: 0x10,
  baseMemoryKib: 0x13,
  videoMode: 0x49,
  videoColumns: 0x4a,
  videoPageBytes: 0x4c,
  cursorShape: 0x60,
  crtcPort: 0x63,
  videoLastRow: 0x84,
  characterHeight: 0x85,
} as const;
export const MAX_BDA_SERIAL_PORTS = 4;
const EQUIPMENT = { coprocessor: 1 << 1, serialPortsShift: 9 } as const;

export function writeBiosDataArea(ram: GuestRam, screen: BootScreen, serialPorts: readonly number[]): void {
  const ports = serialPorts.slice(0, MAX_BDA_SERIAL_PORTS);
  ram.fill(BDA_GPA, BDA_BYTES, 0);
  ports.forEach((port, index) => ram.writeU16(BDA_GPA + BDA.serialPorts + 2 * index, port));
  ram.writeU16(BDA_GPA + BDA.ebdaSegment, EBDA_GPA >>> 4);
  ram.writeU16(BDA_GPA + BDA.equipment, EQUIPMENT.coprocessor | (ports.length << EQUIPMENT.serialPortsShift));
  ram.writeU16(BDA_GPA + BDA.baseMemoryKib, EBDA_GPA / KiB);
  // The first byte of the EBDA is its own size in KiB.
  ram.fill(EBDA_GPA, KiB, 0);
  ram.writeU8(EBDA_GPA, 1);
  if (screen === "none") return;

  ram.writeU8(BDA_GPA + BDA.videoMode, 3);
  ram.writeU16(BDA_GPA + BDA.videoColumns, 80);
  ram.writeU16(BDA_GPA + BDA.videoPageBytes, 0x1000);
  ram.writeU16(BDA_GPA + BDA.cursorShape, 0x0607);
  ram.writeU16(BDA_GPA + BDA.crtcPort, 0x3d4);
  ram.writeU8(BDA_GPA + BDA.videoLastRow, 24);
  ram.writeU16(BDA_GPA + BDA.characterHeight, 16);
}
