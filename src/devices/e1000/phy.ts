/**
 * The PHY in the card, reached through MDIC (the manual's section 13.4.9): the registers of IEEE 802.3 clause 22 and those
 * of Marvell's 88E1000 family that drivers read. It negotiates 1000 Mb/s, full duplex, with its link at once.
 *
 * Missing on purpose: other speeds, the cable's diagnostics, and what the registers of the family beyond these do; they are
 * kept as written.
 */

import { defineRegisters, RegisterFile } from "../../hw/index.ts";
import type { DeviceState, RegisterHooks, StateReader } from "../../hw/index.ts";

const PHY_ADDRESS = 1;
const MDIC = {
  dataMask: 0xffff,
  register: { shift: 16, mask: 31 },
  phy: { shift: 21, mask: 31 },
  write: 1 << 26,
  read: 2 << 26,
  operation: 3 << 26,
  ready: 1 << 28,
  interruptEnable: 1 << 29,
  error: 1 << 30,
} as const;

const CONTROL = { restart: 1 << 9, loopback: 1 << 14, reset: 1 << 15 } as const;
/** 10 and 100 Mb/s in both duplexes, extended status, negotiation, management without preamble, extended registers. */
const BMSR_ABILITIES = 0x7949;
const BMSR_LINK = 1 << 2;
const BMSR_NEGOTIATED = 1 << 5;

/** Register numbers are offsets, and each register is 16 bits wide; the map counts bytes, so that they lie two apart. */
const at = (index: number) => ({ at: 2 * index, size: 2 }) as const;
const kept = (index: number, reset: number, writable = 0xffff) =>
  ({ ...at(index), reset, writable }) as const;

const REGISTERS = defineRegisters({
  control: { ...at(0), reset: 0x1140, write: "controlWritten" },
  status: { ...at(1), access: "ro", read: "readStatus" },
  identifier1: kept(2, 0x0141, 0),
  identifier2: kept(3, 0x0c20, 0),
  advertisement: kept(4, 0x0de1),
  linkPartnerAbility: { ...at(5), reset: 0x4de1, writable: 0, read: "whileUp" },
  expansion: { ...at(6), reset: 0x000f, writable: 0, read: "whileUp" },
  nextPage: kept(7, 0x2001),
  linkPartnerNextPage: kept(8, 0, 0),
  gigabitControl: kept(9, 0x0e00),
  gigabitStatus: { ...at(10), reset: 0x7c00, writable: 0, read: "whileUp" },
  extendedStatus: kept(15, 0x3000, 0),
  specificControl: kept(16, 0x0360),
  specificStatus: { ...at(17), reset: 0xac00, writable: 0, read: "whileUp" },
  interruptEnable: kept(18, 0),
  interruptStatus: kept(19, 0, 0),
  extendedSpecificControl: kept(20, 0x0d60),
  receiveErrors: kept(21, 0, 0),
  extendedSpecificControl2: kept(26, 0),
  ledControl: kept(24, 0x4100),
  pageSelect: kept(29, 0),
  pageData: kept(30, 0),
});
const KNOWN = new Set(Object.values(REGISTERS).map((register) => register.at));

export class Phy implements RegisterHooks<typeof REGISTERS> {
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #isUp: () => boolean;
  readonly #onNegotiated: () => void;
  /** The link has been down since the status was last read, which shows that once. */
  #hasFallen = false;

  /** `onNegotiated` is called when the driver has asked for another negotiation, which is done then. */
  constructor(isUp: () => boolean, onNegotiated: () => void) {
    this.#isUp = isUp;
    this.#onNegotiated = onNegotiated;
  }

  get isLoopback(): boolean {
    return (this.#registers.values.control & CONTROL.loopback) !== 0;
  }

  linkFell(): void {
    this.#hasFallen = true;
  }

  /** MDIC after a driver has written `value` to it, and whether it wants an interrupt. */
  access(value: number): { readonly mdic: number; readonly interrupts: boolean } {
    const register = (value >>> MDIC.register.shift) & MDIC.register.mask;
    const phy = (value >>> MDIC.phy.shift) & MDIC.phy.mask;
    const interrupts = (value & MDIC.interruptEnable) !== 0;
    const operation = value & MDIC.operation;
    const rest = (value & ~(MDIC.dataMask | MDIC.error)) | MDIC.ready;
    if (phy !== PHY_ADDRESS || (operation !== MDIC.read && operation !== MDIC.write)) {
      return { mdic: (rest | MDIC.error | (value & MDIC.dataMask)) >>> 0, interrupts };
    }
    let data = value & MDIC.dataMask;
    if (operation === MDIC.write) this.#write(register, data);
    else data = KNOWN.has(2 * register) ? this.#registers.read(2 * register, 2) : 0;
    return { mdic: (rest | data) >>> 0, interrupts };
  }

  reset(): void {
    this.#registers.reset();
    this.#hasFallen = false;
  }

  save(): DeviceState {
    return { registers: this.#registers.save(), hasFallen: this.#hasFallen };
  }

  restore(reader: StateReader): void {
    this.#registers.restore(reader.object("registers"), "phy");
    this.#hasFallen = reader.boolean("hasFallen");
  }

  // Register hooks.

  controlWritten(written: number): void {
    const { values } = this.#registers;
    if ((written & CONTROL.reset) !== 0) this.reset();
    const isRestarted = (written & (CONTROL.reset | CONTROL.restart)) !== 0;
    values.control &= ~(CONTROL.reset | CONTROL.restart);
    if (isRestarted && this.#isUp()) this.#onNegotiated();
  }

  /** What it can do, and whether the link is there and has been since the last time. */
  readStatus(): number {
    const isUp = this.#isUp() && !this.#hasFallen;
    this.#hasFallen = false;
    return BMSR_ABILITIES | (isUp ? BMSR_LINK : 0) | (this.#isUp() ? BMSR_NEGOTIATED : 0);
  }

  whileUp(stored: number): number {
    return this.#isUp() ? stored : 0;
  }

  #write(register: number, value: number): void {
    if (KNOWN.has(2 * register)) this.#registers.write(2 * register, 2, value);
  }
}
