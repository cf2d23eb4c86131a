/**
 * Interrupts of a virtio function: which MSI-X vector is for what, and the ISR status of those who use the pin (Virtual
 * I/O Device 1.2, sections 4.1.4.5 and 4.1.5.1.2).
 */

import type { DeviceState, StateReader } from "../../hw/index.ts";

/** "No vector": the interrupt is not sent. */
export const NO_VECTOR = 0xffff;

export class InterruptVectors {
  readonly #count: number;
  readonly #queues: Uint16Array;
  #config = NO_VECTOR;

  /** `count` vectors can be sent. */
  constructor(count: number, queues: number) {
    this.#count = count;
    this.#queues = new Uint16Array(queues).fill(NO_VECTOR);
  }

  get config(): number {
    return this.#config;
  }

  /** A vector that is not there reads back as none, which tells the driver that it could not be had. */
  set config(vector: number) {
    this.#config = this.#existing(vector);
  }

  queue(index: number): number {
    return this.#queues[index] ?? NO_VECTOR;
  }

  setQueue(index: number, vector: number): void {
    if (index < this.#queues.length) this.#queues[index] = this.#existing(vector);
  }

  reset(): void {
    this.#config = NO_VECTOR;
    this.#queues.fill(NO_VECTOR);
  }

  save(): DeviceState {
    return { config: this.#config, queues: [...this.#queues] };
  }

  restore(reader: StateReader): void {
    this.reset();
    this.config = reader.u16("config");
    reader
      .integers("queues", this.#queues.length, 0xffff)
      .forEach((vector, index) => this.setQueue(index, vector));
  }

  #existing(vector: number): number {
    return vector < this.#count ? vector : NO_VECTOR;
  }
}

export const ISR = { queue: 1, config: 2 } as const;

export class IsrStatus {
  readonly #onChange: () => void;
  #bits = 0;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  get isSet(): boolean {
    return this.#bits !== 0;
  }

  raise(bit: number): void {
    this.#bits |= bit;
    this.#onChange();
  }

  /** Reading acknowledges. */
  take(): number {
    const bits = this.#bits;
    this.set(0);
    return bits;
  }

  set(bits: number): void {
    this.#bits = bits;
    this.#onChange();
  }

  get bits(): number {
    return this.#bits;
  }
}
