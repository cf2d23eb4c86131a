/**
 * What firmware that a user brings is told through the firmware configuration device: memory, processors, boot menu, the
 * tables that it has to place, and the VGA's BIOS, by the names under which SeaBIOS and OVMF look for them.
 */

import type { GuestRam } from "../../memory/index.ts";
import { acpiLoaderFiles } from "../acpi/index.ts";
import type { FirmwareFile, PlatformDescription } from "../acpi/index.ts";
import { encodeE820 } from "../boot/index.ts";
import { FW_CFG_ITEM, littleEndian } from "../fw-cfg/index.ts";
import type { FwCfg } from "../fw-cfg/index.ts";
import { buildSmbios, ENTRY_POINT_BYTES, SMBIOS_ENTRY_BYTES } from "../tables/index.ts";

/** Firmware proper writes its own version into tables; this is the machine's. */
const MACHINE_VERSION = "1";
/** Where SeaBIOS looks for an option ROM of the PCI function with these identities, the VGA. */
const VGA_ROM_FILE = "pci1234,1111.rom";
const BIOS_SEGMENT = 0xf000;

interface FirmwareItems {
  readonly ram: GuestRam;
  readonly platform: PlatformDescription;
  /** The VGA's BIOS, if there is one. */
  readonly vgaBios: Uint8Array | undefined;
}

export function addFirmwareItems(device: FwCfg, { ram, platform, vgaBios }: FirmwareItems): void {
  const processorCount = platform.apicIds.length;
  device.addItem(FW_CFG_ITEM.ramSize, littleEndian(ram.sizeBytes, 8));
  device.addItem(FW_CFG_ITEM.processorCount, littleEndian(processorCount, 2));
  device.addItem(FW_CFG_ITEM.processorCountMax, littleEndian(processorCount, 2));
  device.addItem(FW_CFG_ITEM.bootMenu, littleEndian(0, 2));
  const files = [
    { name: "etc/e820", bytes: encodeE820([{ gpa: 0, sizeBytes: ram.sizeBytes, type: "ram" }]) },
    ...acpiLoaderFiles(platform),
    ...smbiosFiles(ram.sizeBytes, processorCount),
    ...(vgaBios === undefined ? [] : [{ name: VGA_ROM_FILE, bytes: vgaBios }]),
  ];
  for (const { name, bytes } of files) device.addFile(name, bytes);
}

/** Entry point and structures apart: firmware finds a place for the structures and corrects the entry point. */
function smbiosFiles(ramBytes: number, processorCount: number): FirmwareFile[] {
  const smbios = buildSmbios(
    { ramBytes, processorCount, firmwareVersion: MACHINE_VERSION, biosSegment: BIOS_SEGMENT },
    0,
  );
  return [
    { name: "etc/smbios/smbios-anchor", bytes: smbios.slice(0, ENTRY_POINT_BYTES) },
    { name: "etc/smbios/smbios-tables", bytes: smbios.slice(SMBIOS_ENTRY_BYTES) },
  ];
}
