/**
 * MSI-X (PCI Local Bus Specification 3.0, section 6.8.2): a table of messages in a BAR of its own, each of which can be
 * masked, and the pending bits of those that were sent while masked.
 */

import { allOnes, assert } from "../../base/index.ts";
import type { AccessSize, MmioHandler } from "../bus.ts";
import { defineRegisters, RegisterFile } from "../register-map.ts";
import type { RegisterHooks } from "../register-map.ts";
import { StateReader } from "../state.ts";
import type { DeviceState } from "../state.ts";
import type { DeviceRegisters, PciCapability } from "./capabilities.ts";

/** A write of `data` to `address` that becomes an interrupt: what a message-signalled interrupt is. */
export type SendMessage = (address: number, data: number) => void;

/** The whole BAR: the table in the first half, the pending bits in the second. */
export const MSIX_BAR_BYTES = 0x1000;
/** What fits the table's half. */
export const MSIX_VECTORS_MAX = 128;
const PENDING_OFFSET = 0x800;

const CAPABILITY_ID = 0x11;
const CAPABILITY_BYTES = 12;
const CONTROL = { functionMask: 1 << 14, enable: 1 << 15 } as const;

const ENTRY_WORDS = 4;
const WORD = { addressLow: 0, addressHigh: 1, data: 2, control: 3 } as const;
const ENTRY_MASKED = 1;

const registersOf = (vectors: number, bar: number) =>
  defineRegisters({
    messageControl: { at: 2, size: 2, reset: vectors - 1, writable: 0xc000, write: "controlWritten" },
    table: { at: 4, size: 4, reset: bar, writable: 0 },
    pendingBits: { at: 8, size: 4, reset: PENDING_OFFSET | bar, writable: 0 },
  });

export class MsiX implements DeviceRegisters, MmioHandler, RegisterHooks<ReturnType<typeof registersOf>> {
  readonly capability: PciCapability;
  readonly #registers: RegisterFile<ReturnType<typeof registersOf>>;
  readonly #vectors: number;
  readonly #send: SendMessage;
  readonly #table: Uint32Array<ArrayBuffer>;
  readonly #pending: Uint32Array<ArrayBuffer>;

  /** `bar` is the index of the BAR whose handler this is; its size is {@link MSIX_BAR_BYTES}. */
  constructor(vectors: number, bar: number, send: SendMessage) {
    assert(vectors > 0 && vectors <= MSIX_VECTORS_MAX, "the table fits its half of the BAR");
    this.#vectors = vectors;
    this.#send = send;
    this.#registers = new RegisterFile(registersOf(vectors, bar), this);
    this.#table = new Uint32Array(vectors * ENTRY_WORDS);
    this.#pending = new Uint32Array(Math.ceil(vectors / 32));
    this.capability = { name: "msix", id: CAPABILITY_ID, sizeBytes: CAPABILITY_BYTES, registers: this };
    this.reset();
  }

  /** Interrupts go by messages; the function's pin is to stay silent. */
  get isEnabled(): boolean {
    return (this.#registers.values.messageControl & CONTROL.enable) !== 0;
  }

  /** Sends the message of a vector, or keeps it pending while masked. Nothing happens for vectors that are not there. */
  notify(vector: number): void {
    if (!this.isEnabled || vector >= this.#vectors) return;
    if (this.#isMasked(vector)) this.#setPending(vector, true);
    else this.#sendNow(vector);
  }

  // Configuration space.

  read(offset: number, size: AccessSize): number {
    return this.#registers.read(offset, size);
  }

  write(offset: number, size: AccessSize, value: number): void {
    this.#registers.write(offset, size, value);
  }

  reset(): void {
    this.#registers.reset();
    this.#table.fill(0);
    for (let vector = 0; vector < this.#vectors; vector++) {
      this.#table[vector * ENTRY_WORDS + WORD.control] = ENTRY_MASKED;
    }
    this.#pending.fill(0);
  }

  save(): DeviceState {
    return {
      registers: this.#registers.save(),
      table: [...this.#table],
      pending: [...this.#pending],
    };
  }

  restore(state: DeviceState, path = "msix"): void {
    const reader = new StateReader(path, state);
    this.#registers.restore(reader.object("registers"), `${path}.registers`);
    restoreWords(this.#table, reader.integers("table", this.#table.length, allOnes(4)));
    restoreWords(this.#pending, reader.integers("pending", this.#pending.length, allOnes(4)));
  }

  controlWritten(): void {
    this.#sendPending();
  }

  // The BAR. Only aligned accesses of 32 and 64 bits are defined; narrower ones read their part and write nothing.

  readMmio(offset: number, size: AccessSize): number {
    const word = this.#word(offset >>> 2);
    return ((word >>> (8 * (offset & 3))) & allOnes(size)) >>> 0;
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    const index = offset >>> 2;
    if (size !== 4 || index >= this.#table.length) return;
    this.#table[index] = index % ENTRY_WORDS === WORD.control ? value & ENTRY_MASKED : value;
    this.#sendPending();
  }

  #word(index: number): number {
    if (index < this.#table.length) return this.#table[index] ?? 0;
    return this.#pending[index - PENDING_OFFSET / 4] ?? 0;
  }

  #isMasked(vector: number): boolean {
    if ((this.#registers.values.messageControl & CONTROL.functionMask) !== 0) return true;
    return (this.#entry(vector, WORD.control) & ENTRY_MASKED) !== 0;
  }

  #entry(vector: number, word: number): number {
    return this.#table[vector * ENTRY_WORDS + word] ?? 0;
  }

  #sendNow(vector: number): void {
    // Interrupts are below 4 GiB; a message elsewhere would be a write to memory, which nobody asks for.
    if (this.#entry(vector, WORD.addressHigh) !== 0) return;
    this.#send((this.#entry(vector, WORD.addressLow) & ~3) >>> 0, this.#entry(vector, WORD.data));
  }

  #setPending(vector: number, isPending: boolean): void {
    const bit = 1 << (vector & 31);
    const word = this.#pending[vector >>> 5] ?? 0;
    this.#pending[vector >>> 5] = isPending ? word | bit : word & ~bit;
  }

  #sendPending(): void {
    if (!this.isEnabled || this.#pending.every((word) => word === 0)) return;
    for (let vector = 0; vector < this.#vectors; vector++) {
      const isPending = ((this.#pending[vector >>> 5] ?? 0) & (1 << (vector & 31))) !== 0;
      if (!isPending || this.#isMasked(vector)) continue;
      this.#setPending(vector, false);
      this.#sendNow(vector);
    }
  }
}

function restoreWords(target: Uint32Array<ArrayBuffer>, words: readonly number[]): void {
  target.fill(0);
  target.set(words);
}
