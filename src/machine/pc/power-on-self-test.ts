/**
 * What firmware's power-on self-test leaves in guest RAM for operating systems that are loaded directly: the BIOS
 * data area (IBM PS/2 and PC BIOS Interface Technical Reference, "Data Areas"), a cleared text screen, the ACPI
 * tables and a BIOS32 header. No interrupt vectors: there are no BIOS services to call.
 */

import { alignUp, assert, KiB } from "../../base/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { buildAcpiTables, MAX_ACPI_BYTES } from "../acpi/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import { BIOS_AREA_GPA, EBDA_GPA } from "../boot/memory-map.ts";
import { bios32Header } from "../pci/index.ts";

/** The BIOS data area, gpa 400h. */
const BDA = {
  serialPorts: 0x400,
  ebdaSegment: 0x40e,
  equipment: 0x410,
  baseMemoryKib: 0x413,
  videoMode: 0x449,
  videoColumns: 0x44a,
  videoPageBytes: 0x44c,
  cursorShape: 0x460,
  crtcPort: 0x463,
  videoRowsLess1: 0x484,
  characterLines: 0x485,
} as const;
const BDA_GPA = 0x400;
const BDA_BYTES = 0x100;
const MAX_SERIAL_PORTS = 4;
const EQUIPMENT_FPU_AND_MOUSE = 0x06;

const TEXT_BUFFER_GPA = 0xb8000;
const TEXT_BUFFER_BYTES = 32 * KiB;
const BLANK = 0x0720;
const EBDA_KIB = 1;

/** Writes everything and returns where the ACPI root pointer is. */
export function writeFirmwareData(ram: GuestRam, platform: PlatformDescription): number {
  writeBiosDataArea(ram, platform);
  for (let at = 0; at < TEXT_BUFFER_BYTES; at += 2) ram.writeU16(TEXT_BUFFER_GPA + at, BLANK);
  const acpi = buildAcpiTables(platform, BIOS_AREA_GPA);
  ram.write(acpi.gpa, acpi.bytes);
  const header = bios32Header();
  const headerGpa = alignUp(acpi.gpa + MAX_ACPI_BYTES, 16);
  assert(ram.contains(headerGpa, header.length), "the BIOS area is RAM");
  ram.write(headerGpa, header);
  return acpi.rsdpGpa;
}

function writeBiosDataArea(ram: GuestRam, platform: PlatformDescription): void {
  ram.fill(BDA_GPA, BDA_BYTES, 0);
  const serialPorts = platform.serialPorts.slice(0, MAX_SERIAL_PORTS);
  serialPorts.forEach((port, index) => ram.writeU16(BDA.serialPorts + 2 * index, port.ioBase));
  ram.writeU16(BDA.ebdaSegment, EBDA_GPA >> 4);
  ram.writeU8(EBDA_GPA, EBDA_KIB);
  ram.writeU16(BDA.equipment, EQUIPMENT_FPU_AND_MOUSE | (serialPorts.length << 9));
  ram.writeU16(BDA.baseMemoryKib, EBDA_GPA / KiB);
  if (!platform.hasVga) return;
  ram.writeU8(BDA.videoMode, 3);
  ram.writeU16(BDA.videoColumns, 80);
  ram.writeU16(BDA.videoPageBytes, 0x1000);
  ram.writeU16(BDA.cursorShape, 0x0d0e);
  ram.writeU16(BDA.crtcPort, 0x3d4);
  ram.writeU8(BDA.videoRowsLess1, 24);
  ram.writeU16(BDA.characterLines, 16);
}
