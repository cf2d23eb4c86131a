/**
 * The register kit: a device declares its registers once, as data, and gets from that declaration its dispatch by
 * offset and width, its reset state and its saved state. Devices never match raw offsets.
 *
 *     const UART_REGISTERS = defineRegisters({
 *       lsr: { at: 5, reset: 0x60, access: "ro", read: "readLineStatus" },
 *       …
 *     });
 *     class Uart16550 implements RegisterHooks<typeof UART_REGISTERS> {
 *       readonly #registers = new RegisterFile(UART_REGISTERS, this);
 *       readLineStatus(stored: number): number { … }
 *
 * A hook that is declared but not written, or misspelt, does not compile. How a read or write works:
 *   read   the stored value (0 for a register without `reset`), passed through the read hook if there is one;
 *   write  first the stored value changes in the bits of `writable` and loses the written ones of `clearedByOnes`,
 *          then the write hook gets the value as written and the stored value from before.
 * An access that matches no register exactly is put together from, or spread over, the registers it touches; a
 * partial write to a wider register keeps its other bytes (and writes zeros into their `clearedByOnes` bits).
 * Deliberately missing: registers wider than 32 bits, which are declared as two halves.
 */

import { allOnes, assert, defined, lowMask } from "../base/index.ts";
import type { AccessSize } from "./bus.ts";
import { StateReader } from "./state.ts";
import type { DeviceState } from "./state.ts";

export interface RegisterSpec {
  /** Byte offset from the start of the block, or the index for indexed registers. */
  readonly at: number;
  /** Width in bytes; 1 unless said otherwise. */
  readonly size?: AccessSize;
  /** Value after reset. A register without one stores nothing: its hooks are all there is. */
  readonly reset?: number;
  /** "rw" unless said otherwise. Reads of "wo" and writes of "ro" registers go to another register at the same place, if any. */
  readonly access?: "ro" | "wo" | "rw";
  /** Bits of the stored value that a write replaces; all unless said otherwise. */
  readonly writable?: number;
  /** Bits of the stored value that are cleared by writing ones to them. */
  readonly clearedByOnes?: number;
  /** The register is there only while this bank is selected, and then hides unbanked ones at its place. */
  readonly bank?: string;
  /** Name of the method `(stored) => value` that serves reads. */
  readonly read?: string;
  /** Name of the method `(written, before) => void` that acts on writes. */
  readonly write?: string;
}

export type RegisterMap = Readonly<Record<string, RegisterSpec>>;

type ReadHookNames<M extends RegisterMap> = {
  [K in keyof M]: M[K] extends { readonly read: infer H extends string } ? H : never;
}[keyof M];
type WriteHookNames<M extends RegisterMap> = {
  [K in keyof M]: M[K] extends { readonly write: infer H extends string } ? H : never;
}[keyof M];
type StoredNames<M extends RegisterMap> = {
  [K in keyof M]: M[K] extends { readonly reset: number } ? K : never;
}[keyof M];
type BankNames<M extends RegisterMap> = {
  [K in keyof M]: M[K] extends { readonly bank: infer B extends string } ? B : never;
}[keyof M];

/** The methods that a device with the registers M must have. */
export type RegisterHooks<M extends RegisterMap> = {
  readonly [H in ReadHookNames<M>]: (stored: number) => number;
} & {
  readonly [H in WriteHookNames<M>]: (written: number, before: number) => void;
};

/** The stored values of the registers M, by name. */
export type RegisterValues<M extends RegisterMap> = { [K in StoredNames<M>]: number };

/** Keeps the literal types of a declaration. */
export function defineRegisters<const M extends RegisterMap>(map: M): M {
  return map;
}

type AnyHook = (value: number, before: number) => number;

interface Register {
  readonly name: string;
  readonly at: number;
  readonly size: AccessSize;
  /** Undefined: stores nothing. */
  readonly reset: number | undefined;
  readonly writable: number;
  readonly clearedByOnes: number;
  readonly read: AnyHook | undefined;
  readonly write: AnyHook | undefined;
}

/** The registers that answer while one bank is selected, by byte offset. */
interface Decoder {
  readonly readers: (Register | undefined)[];
  readonly writers: (Register | undefined)[];
}

const UNBANKED = "";

export class RegisterFile<const M extends RegisterMap> {
  /** Stored values; a device may change them at will, hooks are not called. */
  readonly values: RegisterValues<M>;
  readonly #stored: Record<string, number> = {};
  readonly #registers: Register[] = [];
  readonly #decoders = new Map<string, Decoder>();
  #decoder: Decoder;
  #bank: string = UNBANKED;
  #unmappedAccesses = 0;

  constructor(map: M, hooks: RegisterHooks<M>) {
    const banks = new Set<string>([UNBANKED]);
    for (const spec of Object.values(map)) banks.add(spec.bank ?? UNBANKED);
    for (const bank of banks) this.#decoders.set(bank, { readers: [], writers: [] });
    for (const [name, spec] of Object.entries(map)) {
      const register = compileRegister(name, spec, hooks);
      this.#registers.push(register);
      for (const bank of banks) {
        const isHere = spec.bank === bank || (spec.bank === undefined && !isHidden(map, spec, bank));
        if (isHere)
          this.#place(register, spec, defined(this.#decoders.get(bank), "every bank has a decoder"));
      }
    }
    this.#decoder = defined(this.#decoders.get(UNBANKED), "the unbanked decoder exists");
    const stored = this.#stored;
    for (const register of this.#registers) {
      if (register.reset !== undefined) stored[register.name] = register.reset;
    }
    assert(hasValues(map, stored), "every register with a reset value is stored");
    this.values = stored;
  }

  /** The selected bank; undefined when only unbanked registers answer. */
  get bank(): BankNames<M> | undefined {
    const bank = this.#bank;
    return this.#isBank(bank) ? bank : undefined;
  }

  set bank(bank: BankNames<M> | undefined) {
    this.#bank = bank ?? UNBANKED;
    this.#decoder = defined(this.#decoders.get(this.#bank), "every declared bank has a decoder");
  }

  /** Accesses (of one byte each) to places without a register. */
  get unmappedAccesses(): number {
    return this.#unmappedAccesses;
  }

  /** Gives every stored register its reset value and selects no bank. Hooks are not called. */
  reset(): void {
    for (const register of this.#registers) {
      if (register.reset !== undefined) this.#stored[register.name] = register.reset;
    }
    this.bank = undefined;
  }

  save(): DeviceState {
    return { ...this.#stored, bank: this.#bank };
  }

  restore(state: DeviceState, path = "registers"): void {
    const reader = new StateReader(path, state);
    const bank = reader.choice("bank", [...this.#decoders.keys()]);
    for (const register of this.#registers) {
      if (register.reset === undefined) continue;
      this.#stored[register.name] = reader.integer(register.name, allOnes(register.size));
    }
    this.bank = this.#isBank(bank) ? bank : undefined;
  }

  read(offset: number, size: AccessSize): number {
    const register = this.#decoder.readers[offset];
    if (register !== undefined && register.at === offset && register.size === size) {
      return this.#readRegister(register);
    }
    return this.#readPieces(offset, size);
  }

  write(offset: number, size: AccessSize, value: number): void {
    const register = this.#decoder.writers[offset];
    if (register !== undefined && register.at === offset && register.size === size) {
      this.#writeRegister(register, value);
    } else {
      this.#writePieces(offset, size, value);
    }
  }

  #readRegister(register: Register): number {
    const stored = this.#stored[register.name] ?? 0;
    return register.read === undefined ? stored : register.read(stored, stored);
  }

  #writeRegister(register: Register, value: number): void {
    const before = this.#stored[register.name] ?? 0;
    if (register.reset !== undefined) {
      const kept = before & ~register.writable & ~(value & register.clearedByOnes);
      this.#stored[register.name] = (kept | (value & register.writable)) >>> 0;
    }
    register.write?.(value, before);
  }

  /** Every register touched is read once, however many of its bytes are wanted. */
  #readPieces(offset: number, size: AccessSize): number {
    let value = 0;
    let done = 0;
    while (done < size) {
      const at = offset + done;
      const register = this.#decoder.readers[at];
      if (register === undefined) {
        this.#unmappedAccesses++;
        value |= 0xff << (8 * done);
        done++;
        continue;
      }
      const first = at - register.at;
      const count = Math.min(register.size - first, size - done);
      const piece = (this.#readRegister(register) >>> (8 * first)) & lowMask(8 * count);
      value |= piece << (8 * done);
      done += count;
    }
    return value >>> 0;
  }

  #writePieces(offset: number, size: AccessSize, value: number): void {
    let done = 0;
    while (done < size) {
      const at = offset + done;
      const register = this.#decoder.writers[at];
      if (register === undefined) {
        this.#unmappedAccesses++;
        done++;
        continue;
      }
      const first = at - register.at;
      const count = Math.min(register.size - first, size - done);
      const mask = (lowMask(8 * count) << (8 * first)) >>> 0;
      const others = (this.#stored[register.name] ?? 0) & ~mask & ~register.clearedByOnes;
      const written = ((value >>> (8 * done)) << (8 * first)) & mask;
      this.#writeRegister(register, (others | written) >>> 0);
      done += count;
    }
  }

  #place(register: Register, spec: RegisterSpec, decoder: Decoder): void {
    for (let byte = register.at; byte < register.at + register.size; byte++) {
      if (spec.access !== "wo") placeOnce(decoder.readers, byte, register);
      if (spec.access !== "ro") placeOnce(decoder.writers, byte, register);
    }
  }

  #isBank(bank: string): bank is BankNames<M> {
    return bank !== UNBANKED && this.#decoders.has(bank);
  }
}

function placeOnce(table: (Register | undefined)[], byte: number, register: Register): void {
  const other = table[byte];
  assert(other === undefined, `registers ${register.name} and ${other?.name} do not overlap`);
  while (table.length < byte) table.push(undefined);
  table[byte] = register;
}

/** Whether a register of `bank` takes the place of the unbanked `spec`, for reading or writing. */
function isHidden(map: RegisterMap, spec: RegisterSpec, bank: string): boolean {
  return bank !== UNBANKED && Object.values(map).some((other) => other.bank === bank && other.at === spec.at);
}

function compileRegister(name: string, spec: RegisterSpec, hooks: object): Register {
  const size = spec.size ?? 1;
  const all = allOnes(size);
  const clearedByOnes = spec.clearedByOnes ?? 0;
  assert(name !== "bank", "no register is called bank, which names the selected bank in saved state");
  assert(
    spec.reset !== undefined || spec.read !== undefined || spec.access === "wo",
    `register ${name} stores a value or has a read hook`,
  );
  return {
    name,
    at: spec.at,
    size,
    reset: spec.reset,
    writable: ((spec.writable ?? all) & ~clearedByOnes) >>> 0,
    clearedByOnes,
    read: bindHook(hooks, spec.read),
    write: bindHook(hooks, spec.write),
  };
}

function bindHook(hooks: object, name: string | undefined): AnyHook | undefined {
  if (name === undefined) return undefined;
  const method: unknown = Reflect.get(hooks, name);
  assert(isHook(method), `${name} is a method`);
  return (value, before) => method.call(hooks, value, before);
}

/** RegisterHooks has already checked the signature; only the lookup by name loses it. */
function isHook(method: unknown): method is AnyHook {
  return typeof method === "function";
}

function hasValues<M extends RegisterMap>(
  map: M,
  stored: Record<string, number>,
): stored is Record<string, number> & RegisterValues<M> {
  return Object.entries(map).every(([name, spec]) => spec.reset === undefined || name in stored);
}
