/**
 * What firmware's power-on self-test leaves in guest RAM for operating systems that are loaded directly: a cleared
 * text screen, the ACPI, SMBIOS and MP tables, the one of interrupt routing and a BIOS32 header. Interrupt vectors and the BIOS data area are the BIOS's part.
 */

import { alignUp, assert, KiB } from "../../base/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { buildAcpiTables, MAX_ACPI_BYTES } from "../acpi/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import { BIOS_AREA_GPA } from "../boot/index.ts";
import { bios32Header } from "../pci/index.ts";
import {
  buildInterruptRouting,
  buildMpTable,
  buildSmbios,
  MP_TABLE_BYTES_MAX,
  SMBIOS_BYTES_MAX,
} from "../tables/index.ts";

/** All are looked for from F0000 on; the built-in BIOS begins behind them. */
const SMBIOS_GPA = 0xf0000;
const MP_TABLE_GPA = SMBIOS_GPA + SMBIOS_BYTES_MAX;
const INTERRUPT_ROUTING_GPA = MP_TABLE_GPA + MP_TABLE_BYTES_MAX;
const FIRMWARE_VERSION = "1";
const TEXT_BUFFER_GPA = 0xb8000;
const TEXT_BUFFER_BYTES = 32 * KiB;
const BLANK = 0x0720;

/** Writes everything and returns where the ACPI root pointer is. */
export function writeFirmwareData(ram: GuestRam, platform: PlatformDescription): number {
  for (let at = 0; at < TEXT_BUFFER_BYTES; at += 2) ram.writeU16(TEXT_BUFFER_GPA + at, BLANK);
  const acpi = buildAcpiTables(platform, BIOS_AREA_GPA);
  ram.write(acpi.gpa, acpi.bytes);
  const header = bios32Header();
  const headerGpa = alignUp(acpi.gpa + MAX_ACPI_BYTES, 16);
  assert(ram.contains(headerGpa, header.length), "the BIOS area is RAM");
  ram.write(headerGpa, header);
  const { apicIds } = platform;
  ram.write(
    SMBIOS_GPA,
    buildSmbios(
      {
        ramBytes: ram.sizeBytes,
        processorCount: apicIds.length,
        firmwareVersion: FIRMWARE_VERSION,
        biosSegment: BIOS_AREA_GPA >>> 4,
      },
      SMBIOS_GPA,
    ),
  );
  ram.write(MP_TABLE_GPA, buildMpTable(platform, MP_TABLE_GPA));
  ram.write(INTERRUPT_ROUTING_GPA, buildInterruptRouting(platform.pci.linkIrqs));
  return acpi.rsdpGpa;
}
