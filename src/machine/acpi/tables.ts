/**
 * ACPI tables of the PC (ACPI 6.5 chapter 5; HPET: "IA-PC HPET Specification" 1.0a section 3.2.4), built from the
 * platform description: RSDP → RSDT and XSDT → FADT (→ FACS, DSDT), MADT, HPET.
 *
 * The FADT is of revision 3 (ACPI 2.0): old enough for everything, with the reset register that ACPI 1.0 lacked.
 * Missing on purpose: SSDT, MCFG (there is no ECAM), SRAT, hardware-reduced mode, waking vectors' use.
 */

import { alignUp, assert, concatBytes } from "../../base/index.ts";
import { ACPI_DISABLE, ACPI_ENABLE } from "../pci/index.ts";
import { dsdtTerms } from "./dsdt.ts";
import type { IsaInterruptOverride, PlatformDescription } from "./platform.ts";
import { checksum, defineStruct, encodeStruct, fieldOffset } from "./struct.ts";
import type { GenericAddress } from "./struct.ts";

const ascii = (text: string, length: number): Uint8Array =>
  new TextEncoder().encode(text.padEnd(length, " "));

const OEM_ID = ascii("TYPEV", 6);
const OEM_TABLE_ID = ascii("TYPEVPC", 8);
const CREATOR_ID = ascii("TYPV", 4);
const HEADER_BYTES = 36;
const LENGTH_AT = 4;
export const CHECKSUM_AT = 9;

/** The System Description Table Header (section 5.2.6) around `body`, with its checksum. */
function table(signature: string, revision: number, body: Uint8Array): Uint8Array {
  const REVISION_1 = Uint8Array.of(1, 0, 0, 0);
  const bytes = concatBytes(
    ascii(signature, 4),
    new Uint8Array(4),
    Uint8Array.of(revision, 0),
    OEM_ID,
    OEM_TABLE_ID,
    REVISION_1,
    CREATOR_ID,
    REVISION_1,
    body,
  );
  new DataView(bytes.buffer).setUint32(LENGTH_AT, bytes.length, true);
  bytes[CHECKSUM_AT] = checksum(bytes);
  return bytes;
}

/** Section 5.2.9, up to the last field of revision 3. */
const FADT = defineStruct([
  ["firmwareCtrl", "u32"],
  ["dsdt", "u32"],
  ["intModel", "u8"],
  ["preferredPmProfile", "u8"],
  ["sciInt", "u16"],
  ["smiCmd", "u32"],
  ["acpiEnable", "u8"],
  ["acpiDisable", "u8"],
  ["s4BiosReq", "u8"],
  ["pstateCnt", "u8"],
  ["pm1aEvtBlk", "u32"],
  ["pm1bEvtBlk", "u32"],
  ["pm1aCntBlk", "u32"],
  ["pm1bCntBlk", "u32"],
  ["pm2CntBlk", "u32"],
  ["pmTmrBlk", "u32"],
  ["gpe0Blk", "u32"],
  ["gpe1Blk", "u32"],
  ["pm1EvtLen", "u8"],
  ["pm1CntLen", "u8"],
  ["pm2CntLen", "u8"],
  ["pmTmrLen", "u8"],
  ["gpe0BlkLen", "u8"],
  ["gpe1BlkLen", "u8"],
  ["gpe1Base", "u8"],
  ["cstCnt", "u8"],
  ["pLvl2Lat", "u16"],
  ["pLvl3Lat", "u16"],
  ["flushSize", "u16"],
  ["flushStride", "u16"],
  ["dutyOffset", "u8"],
  ["dutyWidth", "u8"],
  ["dayAlrm", "u8"],
  ["monAlrm", "u8"],
  ["century", "u8"],
  ["iapcBootArch", "u16"],
  ["reserved", "u8"],
  ["flags", "u32"],
  ["resetReg", "gas"],
  ["resetValue", "u8"],
  ["armBootArch", "u16"],
  ["minorVersion", "u8"],
  ["xFirmwareCtrl", "u64"],
  ["xDsdt", "u64"],
  ["xPm1aEvtBlk", "gas"],
  ["xPm1bEvtBlk", "gas"],
  ["xPm1aCntBlk", "gas"],
  ["xPm1bCntBlk", "gas"],
  ["xPm2CntBlk", "gas"],
  ["xPmTmrBlk", "gas"],
  ["xGpe0Blk", "gas"],
  ["xGpe1Blk", "gas"],
]);

const FADT_FLAG = {
  wbinvd: 1 << 0,
  procC1: 1 << 2,
  /** No sleep button in the fixed registers. */
  slpButton: 1 << 5,
  /** The RTC alarm does not show in the fixed registers. */
  fixRtc: 1 << 6,
  resetRegSup: 1 << 10,
} as const;
const BOOT_ARCH = { legacyDevices: 1 << 0, has8042: 1 << 1, vgaNotPresent: 1 << 2 } as const;
/** CMOS byte of the century, as on every PC since the PS/2's successors. */
const CMOS_CENTURY = 0x32;
/** Latencies above 100 and 1000 µs declare the C2 and C3 states absent. */
const NO_C2 = 101;
const NO_C3 = 1001;

/** Offsets in PIIX4's power management block ("82371AB" section 7.2). */
const PM1_EVENT = { offset: 0x00, bytes: 4 } as const;
const PM1_CONTROL = { offset: 0x04, bytes: 2 } as const;
const PM_TIMER = { offset: 0x08, bytes: 4 } as const;
const GPE0 = { offset: 0x0c, bytes: 4 } as const;

function fadt(platform: PlatformDescription, facsGpa: number, dsdtGpa: number): Uint8Array {
  const { pm } = platform;
  const block = (part: { offset: number; bytes: number }): GenericAddress => ({
    space: "io",
    bits: part.bytes * 8,
    address: pm.ioBase + part.offset,
  });
  const bootArch =
    BOOT_ARCH.legacyDevices |
    (platform.hasKeyboardController ? BOOT_ARCH.has8042 : 0) |
    (platform.hasVga ? 0 : BOOT_ARCH.vgaNotPresent);
  const body = encodeStruct(FADT, {
    firmwareCtrl: facsGpa,
    dsdt: dsdtGpa,
    intModel: 1,
    sciInt: pm.sciIrq,
    smiCmd: pm.apmPort,
    acpiEnable: ACPI_ENABLE,
    acpiDisable: ACPI_DISABLE,
    pm1aEvtBlk: pm.ioBase + PM1_EVENT.offset,
    pm1aCntBlk: pm.ioBase + PM1_CONTROL.offset,
    pmTmrBlk: pm.ioBase + PM_TIMER.offset,
    gpe0Blk: pm.ioBase + GPE0.offset,
    pm1EvtLen: PM1_EVENT.bytes,
    pm1CntLen: PM1_CONTROL.bytes,
    pmTmrLen: PM_TIMER.bytes,
    gpe0BlkLen: GPE0.bytes,
    pLvl2Lat: NO_C2,
    pLvl3Lat: NO_C3,
    century: CMOS_CENTURY,
    iapcBootArch: bootArch,
    flags:
      FADT_FLAG.wbinvd | FADT_FLAG.procC1 | FADT_FLAG.slpButton | FADT_FLAG.fixRtc | FADT_FLAG.resetRegSup,
    resetReg: { space: "io", bits: 8, address: platform.reset.port },
    resetValue: platform.reset.value,
    xDsdt: dsdtGpa,
    xPm1aEvtBlk: block(PM1_EVENT),
    xPm1aCntBlk: block(PM1_CONTROL),
    xPmTmrBlk: block(PM_TIMER),
    xGpe0Blk: block(GPE0),
  });
  return table("FACP", 3, body);
}

const FACS_BYTES = 64;
export const FACS_ALIGNMENT = 64;

/** Section 5.2.10: no standard header, no checksum. */
function facs(): Uint8Array {
  const bytes = new Uint8Array(FACS_BYTES);
  bytes.set(ascii("FACS", 4));
  new DataView(bytes.buffer).setUint32(LENGTH_AT, FACS_BYTES, true);
  return bytes;
}

/** Section 5.2.12: the table's own fields, then entries of {type, length, …}. */
const MADT = defineStruct([
  ["localApicAddress", "u32"],
  ["flags", "u32"],
]);
const MADT_PCAT_COMPAT = 1;
const MADT_LOCAL_APIC = defineStruct([
  ["type", "u8"],
  ["length", "u8"],
  ["processorUid", "u8"],
  ["apicId", "u8"],
  ["flags", "u32"],
]);
const MADT_IO_APIC = defineStruct([
  ["type", "u8"],
  ["length", "u8"],
  ["ioApicId", "u8"],
  ["reserved", "u8"],
  ["address", "u32"],
  ["gsiBase", "u32"],
]);
const MADT_OVERRIDE = defineStruct([
  ["type", "u8"],
  ["length", "u8"],
  ["bus", "u8"],
  ["source", "u8"],
  ["gsi", "u32"],
  ["flags", "u16"],
]);
const MADT_LOCAL_APIC_NMI = defineStruct([
  ["type", "u8"],
  ["length", "u8"],
  ["processorUid", "u8"],
  ["flags", "u16"],
  ["lint", "u8"],
]);
const ALL_PROCESSORS = 0xff;
const POLARITY = { bus: 0, "active-high": 1, "active-low": 3 } as const;
const TRIGGER = { bus: 0, edge: 1, level: 3 } as const;

function interruptFlags(override: IsaInterruptOverride): number {
  return POLARITY[override.polarity] | (TRIGGER[override.trigger] << 2);
}

function madt(platform: PlatformDescription): Uint8Array {
  const { ioApic } = platform;
  const entries = [
    ...platform.apicIds.map((apicId, index) =>
      encodeStruct(MADT_LOCAL_APIC, { type: 0, length: 8, processorUid: index, apicId, flags: 1 }),
    ),
    encodeStruct(MADT_IO_APIC, {
      type: 1,
      length: 12,
      ioApicId: ioApic.id,
      address: ioApic.gpa,
      gsiBase: ioApic.gsiBase,
    }),
    ...platform.overrides.map((override) =>
      encodeStruct(MADT_OVERRIDE, {
        type: 2,
        length: 10,
        source: override.irq,
        gsi: override.gsi,
        flags: interruptFlags(override),
      }),
    ),
    // NMI is wired to LINT1 of every processor, as the MP specification has it.
    encodeStruct(MADT_LOCAL_APIC_NMI, { type: 4, length: 6, processorUid: ALL_PROCESSORS, lint: 1 }),
  ];
  const fields = encodeStruct(MADT, { localApicAddress: platform.localApicGpa, flags: MADT_PCAT_COMPAT });
  return table("APIC", 3, concatBytes(fields, ...entries));
}

const HPET = defineStruct([
  ["eventTimerBlockId", "u32"],
  ["baseAddress", "gas"],
  ["hpetNumber", "u8"],
  ["minimumTick", "u16"],
  ["pageProtection", "u8"],
]);
/** Periods shorter than this many ticks may lose interrupts. */
const HPET_MINIMUM_TICK = 0x80;

function hpet(gpa: number, blockId: number): Uint8Array {
  const baseAddress: GenericAddress = { space: "memory", bits: 0, address: gpa };
  return table(
    "HPET",
    1,
    encodeStruct(HPET, { eventTimerBlockId: blockId, baseAddress, minimumTick: HPET_MINIMUM_TICK }),
  );
}

export const RSDP_V1_BYTES = 20;
export const RSDP_BYTES = 36;
/** Where the RSDP has its two pointers and its two checksums, of the first 20 bytes and of all. */
export const RSDP_AT = { checksum: 8, rsdt: 16, xsdt: 24, extendedChecksum: 32 } as const;

/** Section 5.2.5.3: found by its signature on a 16-byte boundary between E0000 and FFFFF. */
function rsdp(rsdtGpa: number, xsdtGpa: number): Uint8Array {
  const bytes = new Uint8Array(RSDP_BYTES);
  const view = new DataView(bytes.buffer);
  bytes.set(ascii("RSD PTR", 8));
  bytes.set(OEM_ID, 9);
  view.setUint8(15, 2);
  view.setUint32(RSDP_AT.rsdt, rsdtGpa, true);
  view.setUint32(20, RSDP_BYTES, true);
  view.setBigUint64(RSDP_AT.xsdt, BigInt(xsdtGpa), true);
  bytes[RSDP_AT.checksum] = checksum(bytes.subarray(0, RSDP_V1_BYTES));
  bytes[RSDP_AT.extendedChecksum] = checksum(bytes);
  return bytes;
}

function pointers(bits: 32 | 64, gpas: readonly number[]): Uint8Array {
  const bytes = new Uint8Array((gpas.length * bits) / 8);
  const view = new DataView(bytes.buffer);
  gpas.forEach((gpa, index) => {
    if (bits === 32) view.setUint32(index * 4, gpa, true);
    else view.setBigUint64(index * 8, BigInt(gpa), true);
  });
  return bytes;
}

export interface AcpiTable {
  readonly signature: string;
  readonly gpa: number;
  readonly bytes: Uint8Array;
  /** Where in `bytes` it has addresses of other tables. */
  readonly pointers: readonly AcpiPointer[];
}

export interface AcpiPointer {
  readonly at: number;
  readonly sizeBytes: 4 | 8;
}

const fadtPointer = (field: (typeof FADT)[number][0], sizeBytes: 4 | 8): AcpiPointer => ({
  at: HEADER_BYTES + fieldOffset(FADT, field),
  sizeBytes,
});
const FADT_POINTERS = [fadtPointer("firmwareCtrl", 4), fadtPointer("dsdt", 4), fadtPointer("xDsdt", 8)];

/** Of an RSDT or XSDT with this many tables. */
const listPointers = (sizeBytes: 4 | 8, count: number): AcpiPointer[] =>
  Array.from({ length: count }, (_, index) => ({ at: HEADER_BYTES + index * sizeBytes, sizeBytes }));

export interface AcpiTables {
  /** Where `bytes` belong. */
  readonly gpa: number;
  readonly bytes: Uint8Array;
  readonly rsdpGpa: number;
  /** For tests and for people: every table but the RSDP, within `bytes`. */
  readonly tables: readonly AcpiTable[];
}

/** More than the tables of 255 processors. */
export const MAX_ACPI_BYTES = 0x1_0000;
export const MAX_PROCESSORS = 255;

/** Lays the tables out from `gpa` (a multiple of 64) on; below 1 MiB, so that guests without our pointer find them. */
export function buildAcpiTables(platform: PlatformDescription, gpa: number): AcpiTables {
  assert(gpa % FACS_ALIGNMENT === 0, "the FACS is aligned to 64 bytes");
  assert(
    platform.apicIds.length >= 1 && platform.apicIds.length <= MAX_PROCESSORS,
    "an xAPIC PC has 1–255 processors",
  );
  let next = gpa + FACS_ALIGNMENT;
  const tables: AcpiTable[] = [];
  const add = (
    signature: string,
    bytes: Uint8Array,
    tablePointers: readonly AcpiPointer[] = [],
    alignment = 16,
  ): number => {
    const at = alignUp(next, alignment);
    tables.push({ signature, gpa: at, bytes, pointers: tablePointers });
    next = at + bytes.length;
    return at;
  };

  const facsGpa = add("FACS", facs(), [], FACS_ALIGNMENT);
  const dsdtGpa = add("DSDT", table("DSDT", 2, dsdtTerms(platform)));
  const listed = [
    add("FACP", fadt(platform, facsGpa, dsdtGpa), FADT_POINTERS),
    add("APIC", madt(platform)),
    ...(platform.hpet === undefined ? [] : [add("HPET", hpet(platform.hpet.gpa, platform.hpet.blockId))]),
  ];
  const rsdtGpa = add("RSDT", table("RSDT", 1, pointers(32, listed)), listPointers(4, listed.length));
  const xsdtGpa = add("XSDT", table("XSDT", 1, pointers(64, listed)), listPointers(8, listed.length));

  const bytes = new Uint8Array(next - gpa);
  assert(bytes.length <= MAX_ACPI_BYTES, "the ACPI tables fit their area");
  bytes.set(rsdp(rsdtGpa, xsdtGpa));
  for (const each of tables) bytes.set(each.bytes, each.gpa - gpa);
  return { gpa, bytes, rsdpGpa: gpa, tables };
}
