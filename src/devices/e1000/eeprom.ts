/**
 * The serial EEPROM of 64 words (the manual's chapter 5), read bit by bit over its three wires through EECD as a 93C46
 * is, or a word at a time through EERD. Missing on purpose: writing to it; what a driver writes is not kept, and without the
 * answer "ready" it says so.
 */

import { MAC_ADDRESS_BYTES } from "../../net/index.ts";
import type { DeviceState, StateReader } from "../../hw/index.ts";

const EEPROM_WORDS = 64;
const ADDRESS_BITS = 6;
/** Words from 0 to this one add up to the sum. */
const CHECKSUM_WORD = 0x3f;
const CHECKSUM = 0xbaba;
const WORD_BITS = 16;

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

/** Start bit, operation, address. */
const COMMAND_BITS = 1 + 2 + ADDRESS_BITS;
const OPERATION_READ = 2;

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
  readonly #words: Uint16Array;
  #pins = EECD_RESET;
  /** What has been shifted in since the start bit, and how many bits. */
  #command = 0;
  #commandBits = 0;
  /** Bits that have been shifted out, of this word and those behind it. */
  #outBits = 0;
  #dataOut = true;

  constructor(contents: EepromContents) {
    this.#words = makeWords(contents);
  }

  word(index: number): number {
    return this.#words[index] ?? 0xffff;
  }

  /** EERD after a driver has written `value` to it. */
  readByWord(value: number): number {
    if ((value & EERD.start) === 0) return (value & ~EERD.done) >>> 0;
    const address = (value >>> EERD.addressShift) & 0xff;
    return ((this.word(address) << EERD.dataShift) | (address << EERD.addressShift) | EERD.done) >>> 0;
  }

  get eecd(): number {
    const out = this.#dataOut ? EECD.dataOut : 0;
    const grant = (this.#pins & EECD.request) === 0 ? 0 : EECD.grant;
    return this.#pins | out | grant | EECD.present;
  }

  set eecd(value: number) {
    const before = this.#pins;
    this.#pins = value & EECD_KEPT;
    if ((this.#pins & EECD.select) === 0) this.#deselect();
    else if ((before & EECD.clock) === 0 && (this.#pins & EECD.clock) !== 0) this.#clockRises();
  }

  reset(): void {
    this.#pins = EECD_RESET;
    this.#deselect();
  }

  save(): DeviceState {
    return {
      pins: this.#pins,
      command: this.#command,
      commandBits: this.#commandBits,
      outBits: this.#outBits,
      dataOut: this.#dataOut,
    };
  }

  restore(reader: StateReader): void {
    this.#pins = reader.integer("pins", EECD_KEPT);
    this.#command = reader.integer("command", (1 << COMMAND_BITS) - 1);
    this.#commandBits = reader.integer("commandBits", COMMAND_BITS);
    this.#outBits = reader.integer("outBits", EEPROM_WORDS * WORD_BITS);
    this.#dataOut = reader.boolean("dataOut");
  }

  #deselect(): void {
    this.#command = 0;
    this.#commandBits = 0;
    this.#outBits = 0;
    this.#dataOut = true;
  }

  #clockRises(): void {
    if (this.#commandBits < COMMAND_BITS) this.#shiftIn((this.#pins & EECD.dataIn) !== 0 ? 1 : 0);
    else if (this.#isReading) this.#shiftOut();
  }

  /** Zeros before the start bit mean nothing. Behind the address comes a zero before the data. */
  #shiftIn(bit: number): void {
    if (this.#commandBits === 0 && bit === 0) return;
    this.#command = (this.#command << 1) | bit;
    this.#commandBits++;
    if (this.#commandBits === COMMAND_BITS) this.#dataOut = !this.#isReading;
  }

  get #isReading(): boolean {
    return ((this.#command >>> ADDRESS_BITS) & 3) === OPERATION_READ;
  }

  /** Words follow each other until the chip is deselected. */
  #shiftOut(): void {
    const first = this.#command & (EEPROM_WORDS - 1);
    const word = this.word((first + Math.floor(this.#outBits / WORD_BITS)) % EEPROM_WORDS);
    this.#dataOut = ((word >>> (WORD_BITS - 1 - (this.#outBits % WORD_BITS))) & 1) !== 0;
    this.#outBits = (this.#outBits + 1) % (EEPROM_WORDS * WORD_BITS);
  }
}
