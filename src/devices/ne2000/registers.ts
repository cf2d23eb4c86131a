/** The DP8390's registers, four pages of sixteen (data sheet, section 10), and their bits. */

import { defineRegisters } from "../../hw/index.ts";

type Page = "page0" | "page1" | "page2" | "page3";

/** A register that is read through a hook, or written and read where the data sheet says so. */
const shown = <const H extends string>(bank: Page, at: number, read: H) =>
  ({ at, access: "ro", bank, read }) as const;
const written = (at: number) => ({ at, access: "wo", bank: "page0", reset: 0 }) as const;
const both = (at: number) => ({ at, bank: "page1", reset: 0 }) as const;

export const DATA_PORT = 0x10;
export const RESET_PORT = 0x18;

export const REGISTERS = defineRegisters({
  cr: { at: 0x00, reset: 0x21, write: "commandWritten" },

  pstart: written(0x01),
  pstop: written(0x02),
  bnry: { at: 0x03, bank: "page0", reset: 0, write: "boundaryWritten" },
  tpsr: written(0x04),
  tbcr0: written(0x05),
  tbcr1: written(0x06),
  isr: { at: 0x07, bank: "page0", reset: 0x80, writable: 0, clearedByOnes: 0x7f, write: "interruptChanged" },
  rsar0: { at: 0x08, access: "wo", bank: "page0", write: "remoteAddressLowWritten" },
  rsar1: { at: 0x09, access: "wo", bank: "page0", write: "remoteAddressHighWritten" },
  rbcr0: { at: 0x0a, access: "wo", bank: "page0", write: "remoteCountLowWritten" },
  rbcr1: { at: 0x0b, access: "wo", bank: "page0", write: "remoteCountHighWritten" },
  rcr: { at: 0x0c, access: "wo", bank: "page0", reset: 0, write: "receiverChanged" },
  tcr: written(0x0d),
  dcr: { at: 0x0e, access: "wo", bank: "page0", reset: 0x04 },
  imr: { at: 0x0f, access: "wo", bank: "page0", reset: 0, write: "interruptChanged" },

  clda0: shown("page0", 0x01, "readCurrentLow"),
  clda1: shown("page0", 0x02, "readCurrent"),
  tsr: { at: 0x04, access: "ro", bank: "page0", reset: 0 },
  ncr: shown("page0", 0x05, "readZero"),
  fifo: shown("page0", 0x06, "readZero"),
  crda0: shown("page0", 0x08, "readRemoteLow"),
  crda1: shown("page0", 0x09, "readRemoteHigh"),
  /** "P" and "C": Realtek's chips. */
  id0: { at: 0x0a, access: "ro", bank: "page0", reset: 0x50 },
  id1: { at: 0x0b, access: "ro", bank: "page0", reset: 0x43 },
  rsr: { at: 0x0c, access: "ro", bank: "page0", reset: 0 },
  cntr0: shown("page0", 0x0d, "readZero"),
  cntr1: shown("page0", 0x0e, "readZero"),
  cntr2: shown("page0", 0x0f, "readZero"),

  par0: both(0x01),
  par1: both(0x02),
  par2: both(0x03),
  par3: both(0x04),
  par4: both(0x05),
  par5: both(0x06),
  curr: { at: 0x07, bank: "page1", reset: 0, write: "receiverChanged" },
  mar0: both(0x08),
  mar1: both(0x09),
  mar2: both(0x0a),
  mar3: both(0x0b),
  mar4: both(0x0c),
  mar5: both(0x0d),
  mar6: both(0x0e),
  mar7: both(0x0f),

  pstartShown: shown("page2", 0x01, "readPstart"),
  pstopShown: shown("page2", 0x02, "readPstop"),
  tpsrShown: shown("page2", 0x04, "readTpsr"),
  rcrShown: shown("page2", 0x0c, "readRcr"),
  tcrShown: shown("page2", 0x0d, "readTcr"),
  dcrShown: shown("page2", 0x0e, "readDcr"),
  imrShown: shown("page2", 0x0f, "readImr"),

  /** The RTL8029AS by its number. */
  chipId0: { at: 0x0e, access: "ro", bank: "page3", reset: 0x29 },
  chipId1: { at: 0x0f, access: "ro", bank: "page3", reset: 0x80 },
});
export type Dp8390Registers = typeof REGISTERS;

/** Pages as CR's upper two bits select them. */
export const PAGES = ["page0", "page1", "page2", "page3"] as const;

export const CR = {
  stop: 1 << 0,
  start: 1 << 1,
  transmit: 1 << 2,
  remote: { shift: 3, mask: 7, read: 1, write: 2, abort: 4 },
  page: { shift: 6 },
} as const;
export const ISR = {
  received: 1 << 0,
  transmitted: 1 << 1,
  remoteComplete: 1 << 6,
  reset: 1 << 7,
  interrupts: 0x7f,
} as const;
export const DCR_WORDS = 1 << 0;
export const TCR_LOOPBACK = 3 << 1;
export const RCR = { broadcast: 1 << 2, multicast: 1 << 3, promiscuous: 1 << 4, monitor: 1 << 5 } as const;
export const TSR_TRANSMITTED = 1 << 0;
export const RSR = { received: 1 << 0, group: 1 << 5 } as const;

export const ADDRESS_REGISTERS = ["par0", "par1", "par2", "par3", "par4", "par5"] as const;
export const MULTICAST_REGISTERS = ["mar0", "mar1", "mar2", "mar3", "mar4", "mar5", "mar6", "mar7"] as const;
