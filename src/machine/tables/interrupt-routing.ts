/**
 * The table of interrupt routing, by which systems without ACPI and without an I/O APIC learn which of the chipset's links
 * each slot's pins are wired to, and which interrupts a link may have (PCI IRQ Routing Table Specification 1.0, "$PIR").
 */

import { PCI_PIN } from "../../hw/index.ts";
import { checksum } from "../acpi/struct.ts";
import { PCI_DEVICES, pciLink } from "../pci/index.ts";

const HEADER_BYTES = 32;
const ENTRY_BYTES = 16;
const CHECKSUM_AT = 31;
const VERSION = 0x0100;
/** PIIX3, device 1 function 0: its registers 60h–63h are what the links are called. */
const ROUTER = { deviceFunction: 1 << 3, vendorId: 0x8086, deviceId: 0x7000, firstLink: 0x60 } as const;
/** Chipset and display are on the board; what is behind them is in slots, counted from 1. */
const LAST_ON_BOARD = 2;
const PINS = [PCI_PIN.inta, PCI_PIN.intb, PCI_PIN.intc, PCI_PIN.intd] as const;

export const INTERRUPT_ROUTING_BYTES_MAX = HEADER_BYTES + ENTRY_BYTES * PCI_DEVICES;

/** An entry for each device number but the host bridge's. `linkIrqs` are the IRQs that links may have. */
export function routingEntries(linkIrqs: readonly number[]): Uint8Array<ArrayBuffer> {
  const bitmap = linkIrqs.reduce((bits, irq) => bits | (1 << irq), 0);
  const entries = new DataView(new ArrayBuffer(ENTRY_BYTES * (PCI_DEVICES - 1)));
  for (let number = 1; number < PCI_DEVICES; number++) {
    const at = ENTRY_BYTES * (number - 1);
    entries.setUint8(at + 1, number << 3);
    PINS.forEach((pin, index) => {
      entries.setUint8(at + 2 + 3 * index, ROUTER.firstLink + pciLink(number, pin));
      entries.setUint16(at + 3 + 3 * index, bitmap, true);
    });
    entries.setUint8(at + 14, Math.max(0, number - LAST_ON_BOARD));
  }
  return new Uint8Array(entries.buffer);
}

/** To be placed on a 16-byte boundary between F0000 and FFFFF. No interrupt is kept for PCI alone. */
export function buildInterruptRouting(linkIrqs: readonly number[]): Uint8Array {
  const entries = routingEntries(linkIrqs);
  const table = new Uint8Array(HEADER_BYTES + entries.length);
  const view = new DataView(table.buffer);
  table.set(new TextEncoder().encode("$PIR"));
  view.setUint16(4, VERSION, true);
  view.setUint16(6, table.length, true);
  view.setUint8(9, ROUTER.deviceFunction);
  view.setUint16(12, ROUTER.vendorId, true);
  view.setUint16(14, ROUTER.deviceId, true);
  table.set(entries, HEADER_BYTES);
  table[CHECKSUM_AT] = checksum(table);
  return table;
}
