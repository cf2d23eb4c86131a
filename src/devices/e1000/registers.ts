/**
 * The registers of the 82540EM (PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's Manual, chapter 13):
 * those of 32 bits each that are one of a kind, the tables, and their fields as far as the card looks at them.
 */

import { defineRegisters } from "../../hw/index.ts";
import type { RegisterValues } from "../../hw/index.ts";

export const REGISTER_SPACE_BYTES = 0x2_0000;

const kept = (at: number, reset = 0, writable = 0xffffffff) => ({ at, size: 4, reset, writable }) as const;

export const REGISTERS = defineRegisters({
  ctrl: { at: 0x0000, size: 4, reset: 0x00140240, writable: 0x5fffffff, write: "ctrlWritten" },
  /** The same register at a second place. */
  ctrlDuplicate: { at: 0x0004, size: 4, read: "readCtrl", write: "ctrlDuplicateWritten" },
  status: { at: 0x0008, size: 4, access: "ro", read: "readStatus" },
  eecd: { at: 0x0010, size: 4, read: "readEecd", write: "eecdWritten" },
  eerd: { at: 0x0014, size: 4, reset: 0, write: "eerdWritten" },
  ctrlExt: { at: 0x0018, size: 4, reset: 0, writable: 0xffffdfff, write: "ctrlExtWritten" },
  fla: kept(0x001c),
  mdic: { at: 0x0020, size: 4, reset: 0, write: "mdicWritten" },
  fcal: kept(0x0028, 0x00c28001),
  fcah: kept(0x002c, 0x0100),
  fct: kept(0x0030, 0x8808),
  vet: kept(0x0038, 0x8100, 0xffff),
  icr: { at: 0x00c0, size: 4, read: "readIcr", write: "icrWritten" },
  itr: { at: 0x00c4, size: 4, reset: 0, writable: 0xffff },
  ics: { at: 0x00c8, size: 4, read: "peekIcr", write: "icsWritten" },
  ims: { at: 0x00d0, size: 4, read: "readIms", write: "imsWritten" },
  imc: { at: 0x00d8, size: 4, read: "readImc", write: "imcWritten" },
  rctl: { at: 0x0100, size: 4, reset: 0, writable: 0x07ffffff, write: "receiverChanged" },
  fcttv: kept(0x0170, 0, 0xffff),
  txcw: kept(0x0178),
  rxcw: kept(0x0180, 0, 0),
  tctl: { at: 0x0400, size: 4, reset: 0, writable: 0x01ffffff, write: "transmitterChanged" },
  tipg: kept(0x0410, 0x0060200a),
  ait: kept(0x0458, 0, 0xffff),
  ledctl: kept(0x0e00, 0x07061302),
  pba: kept(0x1000, 0x00100030),
  fcrtl: kept(0x2160),
  fcrth: kept(0x2168),
  rdfh: kept(0x2410),
  rdft: kept(0x2418),
  rdfhs: kept(0x2420),
  rdfts: kept(0x2428),
  rdfpc: kept(0x2430),
  rdbal: kept(0x2800, 0, 0xfffffff0),
  rdbah: kept(0x2804),
  rdlen: kept(0x2808, 0, 0x000fff80),
  rdh: kept(0x2810, 0, 0xffff),
  rdt: { at: 0x2818, size: 4, reset: 0, writable: 0xffff, write: "receiverChanged" },
  rdtr: { at: 0x2820, size: 4, reset: 0, writable: 0xffff, write: "rdtrWritten" },
  rxdctl: kept(0x2828, 0x00010000),
  radv: kept(0x282c, 0, 0xffff),
  rsrpd: kept(0x2c00, 0, 0xfff),
  txdmac: kept(0x3000, 1),
  tdfh: kept(0x3410),
  tdft: kept(0x3418),
  tdfhs: kept(0x3420),
  tdfts: kept(0x3428),
  tdfpc: kept(0x3430),
  tdbal: kept(0x3800, 0, 0xfffffff0),
  tdbah: kept(0x3804),
  tdlen: kept(0x3808, 0, 0x000fff80),
  tdh: kept(0x3810, 0, 0xffff),
  tdt: { at: 0x3818, size: 4, reset: 0, writable: 0xffff, write: "transmitterChanged" },
  tidv: { at: 0x3820, size: 4, reset: 0, writable: 0xffff, write: "tidvWritten" },
  txdctl: kept(0x3828),
  tadv: kept(0x382c, 0, 0xffff),
  tspmt: kept(0x3830, 0x01000400),
  rxcsum: kept(0x5000, 0, 0x3ff),
  wuc: kept(0x5800),
  wufc: kept(0x5808),
  wus: kept(0x5810, 0, 0),
  manc: kept(0x5820),
  ipav: kept(0x5838),
  wupl: kept(0x5900, 0, 0),
});

export type E1000Registers = typeof REGISTERS;
export type E1000Values = RegisterValues<E1000Registers>;

/** Tables of 32-bit words: where they are and how many. */
export const TABLES = {
  multicast: { at: 0x5200, count: 128 },
  /** RAL and RAH of each address in turn. */
  receiveAddresses: { at: 0x5400, count: 32 },
  vlanFilter: { at: 0x5600, count: 128 },
  ip4Addresses: { at: 0x5840, count: 8 },
  ip6Addresses: { at: 0x5880, count: 4 },
  wakeUpPacket: { at: 0x5a00, count: 32 },
  filterLengths: { at: 0x5f00, count: 8 },
  filterMasks: { at: 0x9000, count: 256 },
  filterValues: { at: 0x9800, count: 256 },
} as const;
export type TableName = keyof typeof TABLES;

export const CTRL = {
  fullDuplex: 1 << 0,
  setLinkUp: 1 << 6,
  reset: 0x0400_0000,
  vlanMode: 0x4000_0000,
  phyReset: 0x8000_0000,
} as const;
/** Full duplex, 1000 Mb/s as it is and as it was found, and the transmitter's clock. */
export const STATUS = { fixed: 0x0000_0681, linkUp: 1 << 1, transmitOff: 1 << 4 } as const;
export const CTRL_EXT_EEPROM_RESET = 1 << 13;

export const ICR = {
  transmitDescriptorWritten: 1 << 0,
  transmitQueueEmpty: 1 << 1,
  linkStatusChange: 1 << 2,
  receiveDescriptorMinimum: 1 << 4,
  receiverOverrun: 1 << 6,
  receiverTimer: 1 << 7,
  mdioComplete: 1 << 9,
  transmitDescriptorsLow: 1 << 15,
} as const;
/** Causes that exist. */
export const ICR_MASK = 0x0001_f6df;

export const RCTL = {
  enable: 1 << 1,
  unicastPromiscuous: 1 << 3,
  multicastPromiscuous: 1 << 4,
  loopback: 3 << 6,
  minimumThreshold: { shift: 8, mask: 3 },
  multicastOffset: { shift: 12, mask: 3 },
  broadcastAccept: 1 << 15,
  bufferSize: { shift: 16, mask: 3 },
  vlanFilter: 1 << 18,
  canonicalFormEnable: 1 << 19,
  canonicalFormValue: 1 << 20,
  bufferSizeExtension: 1 << 25,
  stripCrc: 1 << 26,
} as const;
export const TCTL_ENABLE = 1 << 1;
export const RXCSUM = { startMask: 0xff, ipOffload: 1 << 8, transportOffload: 1 << 9 } as const;
/** RDTR and TIDV: what was delayed happens now. */
export const FLUSH = 0x8000_0000;
