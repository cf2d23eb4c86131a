/**
 * SMBIOS tables: what the machine is, for guests' inventories (DMTF DSP0134, System Management BIOS Reference
 * Specification 2.8; the 32-bit entry point of section 5.2.1).
 *
 * Deliberately missing: slots, ports, sensors; the UUID (all zeros: there is none).
 */

import { assert, KiB, MiB, concatBytes } from "../../base/index.ts";
import { checksum, defineStruct, encodeStruct } from "../acpi/struct.ts";
import type { StructLayout, StructValues } from "../acpi/struct.ts";

const MANUFACTURER = "Typevisor";
const PRODUCT = "Typevisor PC";
const RELEASE_DATE = "11/22/2026";
/** The size of DIMMs that a machine is said to have, at most. */
const DIMM_MIB_MAX = 0x7fff;

export const ENTRY_POINT_BYTES = 0x1f;
const INTERMEDIATE_OFFSET = 0x10;
const ENTRY_ALIGNMENT = 16;
/** The entry point with its padding. */
export const SMBIOS_ENTRY_BYTES = 32;
const FIRST_HANDLE = 0x100;
/** Everything fits, with room to spare; a test says how much is used. */
export const SMBIOS_BYTES_MAX = 1 * KiB;

const BIOS = defineStruct([
  ["vendor", "u8"],
  ["version", "u8"],
  ["startSegment", "u16"],
  ["releaseDate", "u8"],
  ["romSize", "u8"],
  ["characteristics", "u64"],
  ["characteristicsExtension1", "u8"],
  ["characteristicsExtension2", "u8"],
  ["majorRelease", "u8"],
  ["minorRelease", "u8"],
  ["controllerMajorRelease", "u8"],
  ["controllerMinorRelease", "u8"],
]);
/** PCI is supported, and booting from a CD. */
const BIOS_CHARACTERISTICS = (1 << 7) | (1 << 15);
/** ACPI is supported; the machine is virtual. */
const ACPI_SUPPORTED = 1 << 0;
const VIRTUAL_MACHINE = 1 << 4;
const NOT_APPLICABLE = 0xff;

const SYSTEM = defineStruct([
  ["manufacturer", "u8"],
  ["productName", "u8"],
  ["version", "u8"],
  ["serialNumber", "u8"],
  ["uuidLow", "u64"],
  ["uuidHigh", "u64"],
  ["wakeUpType", "u8"],
  ["skuNumber", "u8"],
  ["family", "u8"],
]);
const WOKEN_BY_POWER_SWITCH = 6;

const CHASSIS = defineStruct([
  ["manufacturer", "u8"],
  ["type", "u8"],
  ["version", "u8"],
  ["serialNumber", "u8"],
  ["assetTag", "u8"],
  ["bootUpState", "u8"],
  ["powerSupplyState", "u8"],
  ["thermalState", "u8"],
  ["securityStatus", "u8"],
  ["oemDefined", "u32"],
  ["height", "u8"],
  ["powerCords", "u8"],
  ["elementCount", "u8"],
  ["elementLength", "u8"],
]);
const CHASSIS_OTHER = 1;
const SAFE = 3;
const SECURITY_NONE = 3;

const PROCESSOR = defineStruct([
  ["socket", "u8"],
  ["type", "u8"],
  ["family", "u8"],
  ["manufacturer", "u8"],
  ["processorId", "u64"],
  ["version", "u8"],
  ["voltage", "u8"],
  ["externalClock", "u16"],
  ["maxSpeed", "u16"],
  ["currentSpeed", "u16"],
  ["status", "u8"],
  ["upgrade", "u8"],
  ["l1Handle", "u16"],
  ["l2Handle", "u16"],
  ["l3Handle", "u16"],
  ["serialNumber", "u8"],
  ["assetTag", "u8"],
  ["partNumber", "u8"],
  ["coreCount", "u8"],
  ["coresEnabled", "u8"],
  ["threadCount", "u8"],
  ["characteristics", "u16"],
]);
const CENTRAL_PROCESSOR = 3;
const FAMILY_OTHER = 1;
const PROCESSOR_ENABLED = 0x41;
const UPGRADE_OTHER = 1;
const NO_CACHE_HANDLE = 0xffff;
const CAPABLE_OF_64_BITS = 1 << 2;

const MEMORY_ARRAY = defineStruct([
  ["location", "u8"],
  ["use", "u8"],
  ["errorCorrection", "u8"],
  ["maximumCapacityKib", "u32"],
  ["errorHandle", "u16"],
  ["deviceCount", "u16"],
]);
const ON_OTHER_BOARD = 1;
const SYSTEM_MEMORY = 3;
const NO_ERROR_CORRECTION = 3;
const NO_ERROR_HANDLE = 0xfffe;

const MEMORY_DEVICE = defineStruct([
  ["arrayHandle", "u16"],
  ["errorHandle", "u16"],
  ["totalWidthBits", "u16"],
  ["dataWidthBits", "u16"],
  ["sizeMib", "u16"],
  ["formFactor", "u8"],
  ["deviceSet", "u8"],
  ["deviceLocator", "u8"],
  ["bankLocator", "u8"],
  ["memoryType", "u8"],
  ["typeDetail", "u16"],
]);
const FORM_DIMM = 9;
const MEMORY_RAM = 7;
const TYPE_OTHER = 1 << 1;

const MEMORY_ADDRESSES = defineStruct([
  ["startKib", "u32"],
  ["endKib", "u32"],
  ["arrayHandle", "u16"],
  ["partitionWidth", "u8"],
]);

const BOOT_INFORMATION = defineStruct([
  ["reserved1", "u32"],
  ["reserved2", "u16"],
  ["status", "u8"],
]);

export interface SmbiosDescription {
  readonly ramBytes: number;
  readonly processorCount: number;
  readonly firmwareVersion: string;
  /** The segment where the BIOS begins. */
  readonly biosSegment: number;
}

class Structures {
  readonly parts: Uint8Array[] = [];
  largestBytes = 0;
  #handle = FIRST_HANDLE;

  /** Header, formatted area, then the strings that its string numbers count from 1; gives the handle. */
  add<const L extends StructLayout>(
    type: number,
    layout: L,
    values: StructValues<L>,
    strings: readonly string[] = [],
  ): number {
    const body = encodeStruct(layout, values);
    const handle = this.#handle++;
    const text = strings.map((string) => `${string}\0`).join("");
    const ending = new TextEncoder().encode(text === "" ? "\0\0" : `${text}\0`);
    const part = concatBytes(Uint8Array.of(type, 4 + body.length, handle & 0xff, handle >> 8), body, ending);
    this.parts.push(part);
    this.largestBytes = Math.max(this.largestBytes, part.length);
    return handle;
  }
}

/** The entry point, to be placed on a boundary of 16 bytes between F0000 and FFFFF, with the structures behind it. */
export function buildSmbios(description: SmbiosDescription, gpa: number): Uint8Array {
  assert(gpa % ENTRY_ALIGNMENT === 0, "the entry point lies where it is looked for");
  const { ramBytes, processorCount, firmwareVersion, biosSegment } = description;
  const structures = new Structures();
  structures.add(
    0,
    BIOS,
    {
      vendor: 1,
      version: 2,
      startSegment: biosSegment,
      releaseDate: 3,
      characteristics: BIOS_CHARACTERISTICS,
      characteristicsExtension1: ACPI_SUPPORTED,
      characteristicsExtension2: VIRTUAL_MACHINE,
      majorRelease: NOT_APPLICABLE,
      minorRelease: NOT_APPLICABLE,
      controllerMajorRelease: NOT_APPLICABLE,
      controllerMinorRelease: NOT_APPLICABLE,
    },
    [MANUFACTURER, firmwareVersion, RELEASE_DATE],
  );
  structures.add(
    1,
    SYSTEM,
    { manufacturer: 1, productName: 2, version: 3, wakeUpType: WOKEN_BY_POWER_SWITCH },
    [MANUFACTURER, PRODUCT, firmwareVersion],
  );
  structures.add(
    3,
    CHASSIS,
    {
      manufacturer: 1,
      type: CHASSIS_OTHER,
      bootUpState: SAFE,
      powerSupplyState: SAFE,
      thermalState: SAFE,
      securityStatus: SECURITY_NONE,
    },
    [MANUFACTURER],
  );
  for (let index = 0; index < processorCount; index++) {
    structures.add(
      4,
      PROCESSOR,
      {
        socket: 1,
        type: CENTRAL_PROCESSOR,
        family: FAMILY_OTHER,
        manufacturer: 2,
        status: PROCESSOR_ENABLED,
        upgrade: UPGRADE_OTHER,
        l1Handle: NO_CACHE_HANDLE,
        l2Handle: NO_CACHE_HANDLE,
        l3Handle: NO_CACHE_HANDLE,
        coreCount: 1,
        coresEnabled: 1,
        threadCount: 1,
        characteristics: CAPABLE_OF_64_BITS,
      },
      [`CPU ${index}`, MANUFACTURER],
    );
  }
  const sizeMib = Math.floor(ramBytes / MiB);
  const arrayHandle = structures.add(16, MEMORY_ARRAY, {
    location: ON_OTHER_BOARD,
    use: SYSTEM_MEMORY,
    errorCorrection: NO_ERROR_CORRECTION,
    maximumCapacityKib: sizeMib * KiB,
    errorHandle: NO_ERROR_HANDLE,
    deviceCount: 1,
  });
  structures.add(
    17,
    MEMORY_DEVICE,
    {
      arrayHandle,
      errorHandle: NO_ERROR_HANDLE,
      totalWidthBits: 64,
      dataWidthBits: 64,
      sizeMib: Math.min(sizeMib, DIMM_MIB_MAX),
      formFactor: FORM_DIMM,
      deviceLocator: 1,
      memoryType: MEMORY_RAM,
      typeDetail: TYPE_OTHER,
    },
    ["DIMM 0"],
  );
  structures.add(19, MEMORY_ADDRESSES, { endKib: sizeMib * KiB - 1, arrayHandle, partitionWidth: 1 });
  structures.add(32, BOOT_INFORMATION, {});
  structures.add(127, [], {});

  const table = concatBytes(...structures.parts);
  const entry = new Uint8Array(SMBIOS_ENTRY_BYTES);
  const view = new DataView(entry.buffer);
  entry.set(new TextEncoder().encode("_SM_"));
  entry.set(Uint8Array.of(0, ENTRY_POINT_BYTES, 2, 8), 4);
  view.setUint16(8, structures.largestBytes, true);
  entry.set(new TextEncoder().encode("_DMI_"), INTERMEDIATE_OFFSET);
  view.setUint16(0x16, table.length, true);
  view.setUint32(0x18, gpa + entry.length, true);
  view.setUint16(0x1c, structures.parts.length, true);
  entry[0x1e] = 0x28;
  entry[0x15] = checksum(entry.subarray(INTERMEDIATE_OFFSET, ENTRY_POINT_BYTES));
  entry[4] = checksum(entry.subarray(0, ENTRY_POINT_BYTES));
  const bytes = concatBytes(entry, table);
  assert(bytes.length <= SMBIOS_BYTES_MAX, "the tables fit their place");
  return bytes;
}
