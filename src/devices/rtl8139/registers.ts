/** The RTL8139C's registers (RTL8139C(L) data sheet, chapter 5) and their bits. */

import { defineRegisters, reservedBytes } from "../../hw/index.ts";

export const REGISTER_BYTES = 0x100;

/** Written only while the configuration registers are unlocked. */
const guarded = (at: number, reset: number) => ({ at, reset, write: "guardedWritten" }) as const;
const multicast = (index: number) => ({ at: 0x08 + index, reset: 0 }) as const;
/** OWN is set: the descriptor is the driver's, who clears what it says when giving it away. */
const transmitStatus = (index: number) =>
  ({
    at: 0x10 + 4 * index,
    size: 4,
    reset: 0x2000,
    writable: 0x003f_ffff,
    write: "transmitStatusWritten",
  }) as const;
const transmitAddress = (index: number) => ({ at: 0x20 + 4 * index, size: 4, reset: 0 }) as const;
const word = (at: number, reset: number, writable = 0xffff) => ({ at, size: 2, reset, writable }) as const;
const long = (at: number, reset: number) => ({ at, size: 4, reset }) as const;

const map = defineRegisters({
  idr0: guarded(0x00, 0),
  idr1: guarded(0x01, 0),
  idr2: guarded(0x02, 0),
  idr3: guarded(0x03, 0),
  idr4: guarded(0x04, 0),
  idr5: guarded(0x05, 0),
  mar0: multicast(0),
  mar1: multicast(1),
  mar2: multicast(2),
  mar3: multicast(3),
  mar4: multicast(4),
  mar5: multicast(5),
  mar6: multicast(6),
  mar7: multicast(7),
  tsd0: transmitStatus(0),
  tsd1: transmitStatus(1),
  tsd2: transmitStatus(2),
  tsd3: transmitStatus(3),
  tsad0: transmitAddress(0),
  tsad1: transmitAddress(1),
  tsad2: transmitAddress(2),
  tsad3: transmitAddress(3),
  rbstart: { at: 0x30, size: 4, reset: 0 },
  erbcr: { at: 0x34, size: 2, reset: 0, writable: 0 },
  ersr: { at: 0x36, reset: 0, writable: 0 },
  cr: { at: 0x37, reset: 0, writable: 0x0c, read: "readCommand", write: "commandWritten" },
  capr: { at: 0x38, size: 2, reset: 0xfff0, write: "readPointerWritten" },
  cbr: { at: 0x3a, size: 2, reset: 0, writable: 0 },
  imr: { at: 0x3c, size: 2, reset: 0, writable: 0xe07f, write: "interruptChanged" },
  isr: { at: 0x3e, size: 2, reset: 0, writable: 0, clearedByOnes: 0xe07f, write: "interruptChanged" },
  /** The upper bits name the chip: RTL8139C. */
  tcr: { at: 0x40, size: 4, reset: 0x7400_0600, writable: 0x0307_07f0 },
  rcr: { at: 0x44, size: 4, reset: 0, writable: 0x0f03_ffbf, write: "receiverChanged" },
  tctr: { at: 0x48, size: 4, read: "readTimer", write: "timerWritten" },
  mpc: { at: 0x4c, size: 4, reset: 0, writable: 0 },
  eepromCommand: { at: 0x50, reset: 0, writable: 0xce, read: "readEeprom", write: "eepromWritten" },
  config0: guarded(0x51, 0x00),
  config1: guarded(0x52, 0x0c),
  timerInterrupt: { at: 0x54, size: 4, reset: 0, write: "timerInterruptWritten" },
  msr: { at: 0x58, reset: 0x10, writable: 0xc0, read: "readMediaStatus" },
  config3: guarded(0x59, 0x01),
  config4: guarded(0x5a, 0x00),
  mulint: word(0x5c, 0, 0x0fff),
  rerid: { at: 0x5e, reset: 0x10, writable: 0 },
  tsad: { at: 0x60, size: 2, access: "ro", read: "readTransmitSummary" },
  bmcr: { at: 0x62, size: 2, reset: 0x1000, writable: 0x3100, write: "mediaControlWritten" },
  bmsr: { at: 0x64, size: 2, access: "ro", read: "readMediaCapabilities" },
  anar: word(0x66, 0x05e1),
  anlpar: { at: 0x68, size: 2, access: "ro", read: "readPartner" },
  aner: { at: 0x6a, size: 2, access: "ro", read: "readExpansion" },
  dis: word(0x6c, 0, 0),
  fcsc: word(0x6e, 0, 0),
  nwaytr: word(0x70, 0),
  rec: word(0x72, 0, 0),
  cscr: word(0x74, 0x07c8),
  phy1Parm: long(0x78, 0),
  twParm: long(0x7c, 0),
  phy2Parm: { at: 0x80, reset: 0 },
  wakeUp0: long(0x8c, 0),
  wakeUp1: long(0x90, 0),
  config5: { at: 0xd8, reset: 0 },
});
export const REGISTERS = { ...map, ...reservedBytes(map, 0, REGISTER_BYTES) };
export type Rtl8139Registers = typeof REGISTERS;

export const CR = { bufferEmpty: 1 << 0, transmitter: 1 << 2, receiver: 1 << 3, reset: 1 << 4 } as const;
export const TSD = { sizeMask: 0x1fff, own: 1 << 13, underrun: 1 << 14, ok: 1 << 15 } as const;
export const ISR = {
  received: 1 << 0,
  transmitted: 1 << 2,
  receiveError: 1 << 1,
  overflow: 1 << 4,
  linkChange: 1 << 5,
  timeOut: 1 << 14,
} as const;
export const TCR_LOOPBACK = 3 << 17;
export const RCR = {
  everyAddress: 1 << 0,
  ownAddress: 1 << 1,
  multicast: 1 << 2,
  broadcast: 1 << 3,
  wrap: 1 << 7,
  bufferLength: { shift: 11, mask: 3 },
} as const;
/** The word before each frame in the buffer. */
export const RECEIVED = { ok: 1 << 0, broadcast: 1 << 13, ownAddress: 1 << 14, multicast: 1 << 15 } as const;
export const EEPROM_COMMAND = {
  mode: { mask: 0xc0, autoLoad: 0x40, program: 0x80, unlock: 0xc0 },
  select: 1 << 3,
  clock: 1 << 2,
  dataIn: 1 << 1,
  dataOut: 1 << 0,
} as const;
/** Its complement says that there is a link. */
export const MSR_LINK_DOWN = 1 << 2;
export const BMCR = { restart: 1 << 9, reset: 1 << 15 } as const;

export const ADDRESS_REGISTERS = ["idr0", "idr1", "idr2", "idr3", "idr4", "idr5"] as const;
export const GUARDED_REGISTERS = [...ADDRESS_REGISTERS, "config0", "config1", "config3", "config4"] as const;
export const MULTICAST_REGISTERS = ["mar0", "mar1", "mar2", "mar3", "mar4", "mar5", "mar6", "mar7"] as const;
export const TRANSMIT_STATUS = ["tsd0", "tsd1", "tsd2", "tsd3"] as const;
export const TRANSMIT_ADDRESS = ["tsad0", "tsad1", "tsad2", "tsad3"] as const;
