/**
 * A 93C46: a serial EEPROM of 64 words behind three wires (chip select, clock, data in) and one back, as network cards keep
 * their addresses in. Missing on purpose: writing to it; what a driver writes is not kept, and the chip never says "ready"
 * for it.
 */

import type { DeviceState, StateReader } from "../../hw/index.ts";

export const EEPROM_WORDS = 64;
const ADDRESS_BITS = 6;
const WORD_BITS = 16;
/** Start bit, operation, address. */
const COMMAND_BITS = 1 + 2 + ADDRESS_BITS;
const OPERATION_READ = 2;

export class MicrowireEeprom {
  readonly #words: Uint16Array;
  #clock = false;
  /** What has been shifted in since the start bit, and how many bits. */
  #command = 0;
  #commandBits = 0;
  /** Bits that have been shifted out, of this word and those behind it. */
  #outBits = 0;
  #dataOut = true;

  /** EEPROM_WORDS words. */
  constructor(words: Uint16Array) {
    this.#words = words;
  }

  /** What does not exist reads as ones. */
  word(index: number): number {
    return this.#words[index] ?? 0xffff;
  }

  get dataOut(): boolean {
    return this.#dataOut;
  }

  /** The levels of the three wires. */
  drive(isSelected: boolean, clock: boolean, dataIn: boolean): void {
    const rose = clock && !this.#clock;
    this.#clock = clock;
    if (!isSelected) this.#deselect();
    else if (rose) this.#clockRises(dataIn);
  }

  reset(): void {
    this.#clock = false;
    this.#deselect();
  }

  save(): DeviceState {
    return {
      clock: this.#clock,
      command: this.#command,
      commandBits: this.#commandBits,
      outBits: this.#outBits,
      dataOut: this.#dataOut,
    };
  }

  restore(reader: StateReader): void {
    this.#clock = reader.boolean("clock");
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

  #clockRises(dataIn: boolean): void {
    if (this.#commandBits < COMMAND_BITS) this.#shiftIn(dataIn ? 1 : 0);
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
