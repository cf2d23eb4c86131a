/**
 * What firmware that a user brings is told through the firmware configuration device: memory, processors, what to start, the
 * tables that it has to place, and the VGA's BIOS, by the names under which SeaBIOS and OVMF look for them.
 */

import type { GuestRam } from "../../memory/index.ts";
import { ACPI_LOADER_FILES, acpiLoaderFiles } from "../acpi/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import { encodeE820 } from "../boot/index.ts";
import { FW_CFG_ITEM, littleEndian } from "../fw-cfg/index.ts";
import type { FwCfg, FwCfgFile } from "../fw-cfg/index.ts";
import type { Piix4Pm } from "../pci/index.ts";
import { buildSmbios, ENTRY_POINT_BYTES, SMBIOS_ENTRY_BYTES } from "../tables/index.ts";
import type { FirmwareConfig } from "./board-config.ts";
import { bootOrderFile } from "./boot-order-file.ts";
import type { Drive } from "./drive.ts";
import { addKernelItems } from "./firmware-kernel.ts";

/** Firmware proper writes its own version into tables; this is the machine's. */
const MACHINE_VERSION = "1";
/** Where SeaBIOS looks for an option ROM of the PCI function with these identities, the VGA. */
const VGA_ROM_FILE = "pci1234,1111.rom";
const BIOS_SEGMENT = 0xf000;

interface FirmwareItems {
  readonly ram: GuestRam;
  readonly platform: PlatformDescription;
  /** It is firmware that places its ports, before it asks for tables. */
  readonly power: Pick<Piix4Pm, "bases">;
  readonly firmware: FirmwareConfig;
  readonly drives: readonly Drive[];
  /** PCI device numbers by the names of functions. */
  readonly slots: ReadonlyMap<string, number>;
}

export function addFirmwareItems(device: FwCfg, items: FirmwareItems): void {
  const { ram, platform, power, firmware, drives, slots } = items;
  const { vgaBios, kernel, bootOrder } = firmware;
  const processorCount = platform.apicIds.length;
  device.addItem(FW_CFG_ITEM.ramSize, littleEndian(ram.sizeBytes, 8));
  device.addItem(FW_CFG_ITEM.processorCount, littleEndian(processorCount, 2));
  device.addItem(FW_CFG_ITEM.processorCountMax, littleEndian(processorCount, 2));
  device.addItem(FW_CFG_ITEM.bootMenu, littleEndian(0, 2));
  const files: FwCfgFile[] = [
    { name: "etc/e820", contents: encodeE820([{ gpa: 0, sizeBytes: ram.sizeBytes, type: "ram" }]) },
    ...acpiFiles(platform, power),
    ...smbiosFiles(ram.sizeBytes, processorCount),
    { name: "bootorder", contents: bootOrderFile(drives, bootOrder, slots) },
    ...(vgaBios === undefined ? [] : [{ name: VGA_ROM_FILE, contents: vgaBios }]),
  ];
  for (const file of files) device.addFile(file);
  if (kernel !== undefined) addKernelItems(device, kernel);
}

/** The tables say where power management is: SeaBIOS, OVMF and U-Boot each put it somewhere else. */
function acpiFiles(platform: PlatformDescription, power: Pick<Piix4Pm, "bases">): FwCfgFile[] {
  const { rsdp, loader } = acpiLoaderFiles(platform);
  const tables = (): Uint8Array => {
    const { ioBase, smbusIoBase } = power.bases;
    const pm = {
      ...platform.pm,
      ioBase: ioBase === 0 ? platform.pm.ioBase : ioBase,
      smbusIoBase: smbusIoBase === 0 ? platform.pm.smbusIoBase : smbusIoBase,
    };
    return acpiLoaderFiles({ ...platform, pm }).tables;
  };
  return [
    { name: ACPI_LOADER_FILES.rsdp, contents: rsdp },
    { name: ACPI_LOADER_FILES.tables, contents: tables },
    { name: ACPI_LOADER_FILES.loader, contents: loader },
  ];
}

/** Entry point and structures apart: firmware finds a place for the structures and corrects the entry point. */
function smbiosFiles(ramBytes: number, processorCount: number): FwCfgFile[] {
  const smbios = buildSmbios(
    { ramBytes, processorCount, firmwareVersion: MACHINE_VERSION, biosSegment: BIOS_SEGMENT },
    0,
  );
  return [
    { name: "etc/smbios/smbios-anchor", contents: smbios.slice(0, ENTRY_POINT_BYTES) },
    { name: "etc/smbios/smbios-tables", contents: smbios.slice(SMBIOS_ENTRY_BYTES) },
  ];
}
