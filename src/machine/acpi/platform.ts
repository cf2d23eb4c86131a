/**
 * The description of the PC from which both its ACPI tables and its wiring are made, so that they cannot disagree.
 * Addresses are those at which i440FX/PIIX machines have always had these parts.
 *
 * Missing on purpose: more than one I/O APIC or PCI root, NUMA, hot plug.
 */

import { IO_APIC_GPA } from "../irq/ioapic.ts";
import { LOCAL_APIC_GPA } from "../irq/lapic.ts";
import { HPET_BLOCK_ID, HPET_GPA } from "../timer/hpet.ts";

export interface IsaInterruptOverride {
  readonly irq: number;
  /** Global system interrupt: the I/O APIC's input. */
  readonly gsi: number;
  readonly polarity: "bus" | "active-high" | "active-low";
  readonly trigger: "bus" | "edge" | "level";
}

export interface SerialPortDescription {
  readonly ioBase: number;
  readonly irq: number;
}

export interface ParallelPortDescription {
  readonly ioBase: number;
  readonly irq: number;
}

export interface FloppyControllerDescription {
  readonly ioBase: number;
  readonly irq: number;
  readonly dmaChannel: number;
}

export interface PlatformDescription {
  /** Local APIC ids in the order of the processors; at least one. */
  readonly apicIds: readonly number[];
  readonly localApicGpa: number;
  readonly ioApic: { readonly id: number; readonly gpa: number; readonly gsiBase: number };
  readonly overrides: readonly IsaInterruptOverride[];
  readonly hpet: { readonly gpa: number; readonly blockId: number } | undefined;
  /** PIIX4 power management: `ioBase` is PMBA, `smbusIoBase` SMBBA, the SCI is an ISA IRQ. */
  readonly pm: {
    readonly ioBase: number;
    readonly smbusIoBase: number;
    readonly sciIrq: number;
    readonly apmPort: number;
  };
  /** PIIX3's reset control register. */
  readonly reset: { readonly port: number; readonly value: number };
  readonly pci: {
    /** Where BARs in memory may lie. */
    readonly holeGpa: number;
    readonly holeEndGpa: number;
    /** ISA IRQs that the four PIRQ links may be routed to. */
    readonly linkIrqs: readonly number[];
  };
  /** At most four. */
  readonly serialPorts: readonly SerialPortDescription[];
  /** Undefined on a PC without a printer. */
  readonly parallelPort: ParallelPortDescription | undefined;
  /** Undefined on a PC without diskette drives. */
  readonly floppyController: FloppyControllerDescription | undefined;
  /** The firmware configuration device, which guests may look for too. */
  readonly hasFirmwareConfiguration: boolean;
  readonly hasKeyboardController: boolean;
  readonly hasVga: boolean;
}

/** ISA IRQ 0 reaches input 2 of the I/O APIC; the IRQs that PCI may use are level-triggered there, active high. */
const PIIX_OVERRIDES: readonly IsaInterruptOverride[] = [
  { irq: 0, gsi: 2, polarity: "bus", trigger: "bus" },
  { irq: 5, gsi: 5, polarity: "active-high", trigger: "level" },
  { irq: 9, gsi: 9, polarity: "active-high", trigger: "level" },
  { irq: 10, gsi: 10, polarity: "active-high", trigger: "level" },
  { irq: 11, gsi: 11, polarity: "active-high", trigger: "level" },
];

/** COM1 to COM4; two share each interrupt, as they always have. */
export const PC_SERIAL_PORTS: readonly SerialPortDescription[] = [
  { ioBase: 0x3f8, irq: 4 },
  { ioBase: 0x2f8, irq: 3 },
  { ioBase: 0x3e8, irq: 4 },
  { ioBase: 0x2e8, irq: 3 },
];

export const PC_PARALLEL_PORT: ParallelPortDescription = { ioBase: 0x378, irq: 7 };

/** Where the primary diskette controller has always been. */
export const PC_FLOPPY_CONTROLLER: FloppyControllerDescription = { ioBase: 0x3f0, irq: 6, dmaChannel: 2 };

/** One processor, all parts but diskettes and a printer, the first serial port. */
export const PC_PLATFORM: PlatformDescription = {
  apicIds: [0],
  localApicGpa: LOCAL_APIC_GPA,
  ioApic: { id: 1, gpa: IO_APIC_GPA, gsiBase: 0 },
  overrides: PIIX_OVERRIDES,
  hpet: { gpa: HPET_GPA, blockId: HPET_BLOCK_ID },
  pm: { ioBase: 0x600, smbusIoBase: 0x700, sciIrq: 9, apmPort: 0xb2 },
  reset: { port: 0xcf9, value: 0x06 },
  pci: { holeGpa: 0xc0000000, holeEndGpa: IO_APIC_GPA, linkIrqs: [5, 10, 11] },
  serialPorts: PC_SERIAL_PORTS.slice(0, 1),
  parallelPort: undefined,
  floppyController: undefined,
  hasFirmwareConfiguration: false,
  hasKeyboardController: true,
  hasVga: true,
};
