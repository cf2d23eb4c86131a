/** The card's EEPROM (the manual's chapter 5), reached over its wires through EECD or a word at a time through EERD. */

import type { DeviceState, StateReader } from "../../hw/index.ts";
import { MAC_ADDRESS_BYTES } from "../../net/index.ts";
import { EEPROM_WORDS, MicrowireEeprom } from "../ethernet/microwire-eeprom.ts";

/** Words from 0 to this one add up to the sum. */
const CHECKSUM_WORD = 0x3f;
const CHECKSUM = 0xbaba;

const EECD = {
  clock: 1 << 0,
  select: 1 << 1,
  dataIn: 1 << 2,
  dataOut: 1 << 3,
  flashWrite: 3 << 4,
  request: 1 << 6,
  grant: 1 << 7,
  present: 1 << 8,
} as const;
const EECD_KEPT = EECD.clock | EECD.select | EECD.dataIn | EECD.flashWrite | EECD.request;
const EECD_RESET = 2 << 4;

const EERD = { start: 1 << 0, done: 1 << 4, addressShift: 8, dataShift: 16 } as const;

/** What the card is; words that the manual leaves open are all ones. */
export interface EepromContents {
  readonly macAddress: Uint8Array;
  readonly deviceId: number;
  readonly vendorId: number;
  readonly subsystemId: number;
  readonly subsystemVendorId: number;
}

function makeWords(contents: EepromContents): Uint16Array {
  const words = new Uint16Array(EEPROM_WORDS).fill(0xffff);
  const { macAddress, deviceId, vendorId, subsystemId, subsystemVendorId } = contents;
  for (let index = 0; index < MAC_ADDRESS_BYTES / 2; index++) {
    words[index] = (macAddress[2 * index] ?? 0) | ((macAddress[2 * index + 1] ?? 0) << 8);
  }
  // Compatibility, defaults of the LEDs and of the PHY, version; then a part number.
  words.set([0x0000, 0xffff, 0x0000, 0x0000, 0xffff, 0x0000, 0x0000], 0x03);
  // IDs are loaded from here, and the signature that says that this is an EEPROM.
  words.set([0x4003, subsystemId, subsystemVendorId, deviceId, vendorId, 0x3040], 0x0a);
  let sum = 0;
  for (const word of words.subarray(0, CHECKSUM_WORD)) sum += word;
  words[CHECKSUM_WORD] = CHECKSUM - sum;
  return words;
}

export class Eeprom {
  readonly #chip: MicrowireEeprom;
  #pins = EECD_RESET;

  constructor(contents: EepromContents) {
    this.#chip = new MicrowireEeprom(makeWords(contents));
  }

  /** EERD after a driver has written `value` to it. */
  readByWord(value: number): number {
    if ((value & EERD.start) === 0) return (value & ~EERD.done) >>> 0;
    const address = (value >>> EERD.addressShift) & 0xff;
    const data = this.#chip.word(address) << EERD.dataShift;
    return (data | (address << EERD.addressShift) | EERD.done) >>> 0;
  }

  get eecd(): number {
    const out = this.#chip.dataOut ? EECD.dataOut : 0;
    const grant = (this.#pins & EECD.request) === 0 ? 0 : EECD.grant;
    return this.#pins | out | grant | EECD.present;
  }

  set eecd(value: number) {
    this.#pins = value & EECD_KEPT;
    const has = (pin: number): boolean => (value & pin) !== 0;
    this.#chip.drive(has(EECD.select), has(EECD.clock), has(EECD.dataIn));
  }

  reset(): void {
    this.#pins = EECD_RESET;
    this.#chip.reset();
  }

  save(): DeviceState {
    return { pins: this.#pins, chip: this.#chip.save() };
  }

  restore(reader: StateReader): void {
    this.#pins = reader.integer("pins", EECD_KEPT);
    this.#chip.restore(reader.child("chip"));
  }
}
