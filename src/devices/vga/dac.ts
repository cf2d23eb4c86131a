/** The VGA's colour look-up table: 256 entries of three 6-bit components (IBM PS/2 HITR, "Video Digital-to-Analog Converter"). */

import type { DeviceState, StateReader } from "../../hw/index.ts";

const ENTRIES = 256;
const COMPONENTS = 3;
const COMPONENT_MASK = 0x3f;
/** The entries that modes of up to 64 colours use. */
const DEFAULT_ENTRIES = 64;

export class Dac {
  readonly #components = new Uint8Array(ENTRIES * COMPONENTS);
  /** Which component the next access at 3C9h takes. */
  #next = 0;
  #isReading = false;

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
    this.#components[this.#next] = value & COMPONENT_MASK;
    this.#advance();
  }

  /** Entry `index` as 0xRRGGBB. */
  color(index: number): number {
    let color = 0;
    for (let i = 0; i < COMPONENTS; i++) {
      const value = this.#components[index * COMPONENTS + i] ?? 0;
      color = (color << 8) | (value << 2) | (value >> 4);
    }
    return color;
  }

  /** The colours of text modes: bits 5–3 of an entry add a third of red, green and blue, bits 2–0 two thirds. */
  reset(): void {
    this.#components.fill(0);
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
    return { components: this.#components.slice(), next: this.#next, isReading: this.#isReading };
  }

  restore(reader: StateReader): void {
    this.#components.set(reader.bytes("components", ENTRIES * COMPONENTS));
    this.#next = reader.integer("next", ENTRIES * COMPONENTS - 1);
    this.#isReading = reader.boolean("isReading");
  }

  #advance(): void {
    this.#next = (this.#next + 1) % (ENTRIES * COMPONENTS);
  }
}
