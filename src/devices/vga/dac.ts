/**
 * The VGA's colour look-up table: 256 entries of three 6-bit components (IBM PS/2 HITR, "Video Digital-to-Analog
 * Converter"), or of 8-bit ones, as VBE can switch it to.
 */

import type { DeviceState, StateReader } from "../../hw/index.ts";

const ENTRIES = 256;
const COMPONENTS = 3;
/** The entries that modes of up to 64 colours use. */
const DEFAULT_ENTRIES = 64;

export class Dac {
  readonly #components = new Uint8Array(ENTRIES * COMPONENTS);
  /** Which component the next access at 3C9h takes. */
  #next = 0;
  #isReading = false;
  #isEightBit = false;

  constructor() {
    this.reset();
  }

  /** State of 3C7h: 3 after a read index was written, 0 after a write index. */
  get state(): number {
    return this.#isReading ? 3 : 0;
  }

  /** The entry whose component is next. */
  get index(): number {
    return Math.floor(this.#next / COMPONENTS);
  }

  start(index: number, isReading: boolean): void {
    this.#next = index * COMPONENTS;
    this.#isReading = isReading;
  }

  read(): number {
    const value = this.#components[this.#next] ?? 0;
    this.#advance();
    return value;
  }

  write(value: number): void {
    this.#components[this.#next] = value & (this.#isEightBit ? 0xff : 0x3f);
    this.#advance();
  }

  /** Entry `index` as 0xRRGGBB. */
  color(index: number): number {
    let color = 0;
    for (let i = 0; i < COMPONENTS; i++) {
      const value = this.#components[index * COMPONENTS + i] ?? 0;
      color = (color << 8) | (this.#isEightBit ? value : (value << 2) | (value >> 4));
    }
    return color;
  }

  /** Components of 8 bits instead of 6; those that are there keep their colour as nearly as may be. */
  setEightBit(isEightBit: boolean): void {
    if (isEightBit === this.#isEightBit) return;
    this.#isEightBit = isEightBit;
    this.#components.forEach((value, at) => {
      this.#components[at] = isEightBit ? (value << 2) | (value >> 4) : value >> 2;
    });
  }

  /** The colours of text modes: bits 5–3 of an entry add a third of red, green and blue, bits 2–0 two thirds. */
  reset(): void {
    this.#components.fill(0);
    this.#isEightBit = false;
    for (let entry = 0; entry < DEFAULT_ENTRIES; entry++) {
      for (let i = 0; i < COMPONENTS; i++) {
        const strong = (entry >> (2 - i)) & 1;
        const weak = (entry >> (5 - i)) & 1;
        this.#components[entry * COMPONENTS + i] = 42 * strong + 21 * weak;
      }
    }
    this.start(0, false);
  }

  save(): DeviceState {
    return {
      components: this.#components.slice(),
      next: this.#next,
      isReading: this.#isReading,
      isEightBit: this.#isEightBit,
    };
  }

  restore(reader: StateReader): void {
    this.#components.set(reader.bytes("components", ENTRIES * COMPONENTS));
    this.#next = reader.integer("next", ENTRIES * COMPONENTS - 1);
    this.#isReading = reader.boolean("isReading");
    this.#isEightBit = reader.boolean("isEightBit");
  }

  #advance(): void {
    this.#next = (this.#next + 1) % (ENTRIES * COMPONENTS);
  }
}
