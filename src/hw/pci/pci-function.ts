/**
 * The contract of a PCI function (PCI Local Bus Specification 3.0, chapter 6): 256 bytes of configuration space,
 * accessed in aligned pieces. Nothing here knows a bus or a machine.
 */

import type { AccessSize } from "../bus.ts";
import type { Device } from "../device.ts";

export interface PciFunction extends Device {
  /** `offset` is 0–255 and a multiple of `size`. */
  readConfig(offset: number, size: AccessSize): number;
  writeConfig(offset: number, size: AccessSize, value: number): void;
}

/** One of the four interrupt pins, as configuration space counts them. */
export const PCI_PIN = { none: 0, inta: 1, intb: 2, intc: 3, intd: 4 } as const;
export type PciPin = (typeof PCI_PIN)[keyof typeof PCI_PIN];

/** Registers of the standard header by offset. */
export const PCI_HEADER = {
  vendorId: 0x00,
  command: 0x04,
  status: 0x06,
  headerType: 0x0e,
  bar0: 0x10,
  interruptLine: 0x3c,
  interruptPin: 0x3d,
} as const;

export const PCI_COMMAND = {
  io: 1 << 0,
  memory: 1 << 1,
  busMaster: 1 << 2,
  interruptDisable: 1 << 10,
} as const;
export const PCI_CONFIG_BYTES = 256;
export const PCI_BARS = 6;
