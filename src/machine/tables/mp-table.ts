/**
 * The MP configuration table, by which systems without ACPI find processors, the I/O APIC and the routes of interrupts
 * (Intel MultiProcessor Specification 1.4, chapter 4), made from the platform description.
 */

import { assert, concatBytes } from "../../base/index.ts";
import { PCI_PIN } from "../../hw/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import { checksum, defineStruct, encodeStruct } from "../acpi/struct.ts";
import { pciLink, PIRQ_ROUTES, PCI_DEVICES } from "../pci/index.ts";

const POINTER_BYTES = 16;
const HEADER_BYTES = 44;
/** Everything fits for the most processors there may be; a test says how much is used. */
export const MP_TABLE_BYTES_MAX = 2048;

const ascii = (text: string, length: number): Uint8Array =>
  new TextEncoder().encode(text.padEnd(length, " "));

const ENTRY = { processor: 0, bus: 1, ioApic: 2, ioInterrupt: 3, localInterrupt: 4 } as const;

const PROCESSOR = defineStruct([
  ["type", "u8"],
  ["localApicId", "u8"],
  ["localApicVersion", "u8"],
  ["flags", "u8"],
  ["signature", "u32"],
  ["features", "u32"],
  ["reserved1", "u32"],
  ["reserved2", "u32"],
]);
const PROCESSOR_ENABLED = 1;
const BOOT_PROCESSOR = 2;
const APIC_VERSION = 0x14;
const IO_APIC_VERSION = 0x11;
const PROCESSOR_SIGNATURE = 0x600;
/** An FPU and an APIC on the chip. */
const PROCESSOR_FEATURES = 0x201;

const IO_APIC = defineStruct([
  ["type", "u8"],
  ["id", "u8"],
  ["version", "u8"],
  ["flags", "u8"],
  ["gpa", "u32"],
]);
const IO_APIC_USABLE = 1;

const INTERRUPT = defineStruct([
  ["type", "u8"],
  ["kind", "u8"],
  ["flags", "u16"],
  ["sourceBus", "u8"],
  ["sourceIrq", "u8"],
  ["destinationId", "u8"],
  ["destinationInput", "u8"],
]);
const KIND = { int: 0, nmi: 1, extInt: 3 } as const;
const ALL_APICS = 0xff;
const BUS = { pci: 0, isa: 1 } as const;
const ISA_IRQS = 16;
const CASCADE_IRQ = 2;
/** Polarity in bits 0–1, trigger in bits 2–3; 0 is as the bus has it. */
const ACTIVE_HIGH_LEVEL = 0x01 | (0x03 << 2);

/** The floating pointer, to be placed on a boundary of 16 bytes in the BIOS's area, and the table behind it. */
export function buildMpTable(platform: PlatformDescription, gpa: number): Uint8Array {
  const entries = [...processors(platform), ...busesAndIoApic(platform), ...interrupts(platform)];
  const header = new Uint8Array(HEADER_BYTES);
  const view = new DataView(header.buffer);
  header.set(ascii("PCMP", 4));
  header[6] = 4;
  header.set(ascii("TYPEVSOR", 8), 8);
  header.set(ascii("TYPEVISOR PC", 12), 16);
  view.setUint16(34, entries.length, true);
  view.setUint32(36, platform.localApicGpa, true);
  const table = concatBytes(header, ...entries);
  new DataView(table.buffer).setUint16(4, table.length, true);
  table[7] = checksum(table);

  const pointer = new Uint8Array(POINTER_BYTES);
  pointer.set(ascii("_MP_", 4));
  new DataView(pointer.buffer).setUint32(4, gpa + POINTER_BYTES, true);
  pointer[8] = 1;
  pointer[9] = 4;
  pointer[10] = checksum(pointer);
  const bytes = concatBytes(pointer, table);
  assert(bytes.length <= MP_TABLE_BYTES_MAX, "the table fits its place");
  return bytes;
}

function processors({ apicIds }: PlatformDescription): Uint8Array[] {
  return apicIds.map((localApicId, index) =>
    encodeStruct(PROCESSOR, {
      type: ENTRY.processor,
      localApicId,
      localApicVersion: APIC_VERSION,
      flags: PROCESSOR_ENABLED | (index === 0 ? BOOT_PROCESSOR : 0),
      signature: PROCESSOR_SIGNATURE,
      features: PROCESSOR_FEATURES,
    }),
  );
}

function busesAndIoApic({ ioApic }: PlatformDescription): Uint8Array[] {
  return [
    concatBytes(Uint8Array.of(ENTRY.bus, BUS.pci), ascii("PCI", 6)),
    concatBytes(Uint8Array.of(ENTRY.bus, BUS.isa), ascii("ISA", 6)),
    encodeStruct(IO_APIC, {
      type: ENTRY.ioApic,
      id: ioApic.id,
      version: IO_APIC_VERSION,
      flags: IO_APIC_USABLE,
      gpa: ioApic.gpa,
    }),
  ];
}

function interrupts(platform: PlatformDescription): Uint8Array[] {
  const { ioApic, overrides } = platform;
  const toIoApic = (sourceBus: number, sourceIrq: number, irq: number): Uint8Array => {
    const override = overrides.find((known) => known.irq === irq);
    const isLevel = override?.trigger === "level";
    return encodeStruct(INTERRUPT, {
      type: ENTRY.ioInterrupt,
      kind: KIND.int,
      flags: isLevel ? ACTIVE_HIGH_LEVEL : 0,
      sourceBus,
      sourceIrq,
      destinationId: ioApic.id,
      destinationInput: (override?.gsi ?? irq) - ioApic.gsiBase,
    });
  };
  const toLocalApics = (kind: number, destinationInput: number): Uint8Array =>
    encodeStruct(INTERRUPT, {
      type: ENTRY.localInterrupt,
      kind,
      sourceBus: BUS.isa,
      destinationId: ALL_APICS,
      destinationInput,
    });
  const pci = Array.from({ length: PCI_DEVICES }, (_, device) =>
    ([PCI_PIN.inta, PCI_PIN.intb, PCI_PIN.intc, PCI_PIN.intd] as const).map((pin) =>
      toIoApic(BUS.pci, (device << 2) | (pin - 1), PIRQ_ROUTES[pciLink(device, pin)] ?? 0),
    ),
  );
  const isa = Array.from({ length: ISA_IRQS }, (_, irq) => irq)
    .filter((irq) => irq !== CASCADE_IRQ)
    .map((irq) => toIoApic(BUS.isa, irq, irq));
  return [...pci.slice(1).flat(), ...isa, toLocalApics(KIND.extInt, 0), toLocalApics(KIND.nmi, 1)];
}
