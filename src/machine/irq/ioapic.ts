/**
 * I/O APIC: Intel 82093AA (order 290566), 24 inputs. Version 11h, so the local APICs' EOI broadcasts end its
 * level-triggered interrupts.
 *
 * An input's level is its assertion: boards wire active-low sources so that "true" means asserted, and the polarity
 * bit of an entry is stored without effect. Missing on purpose: ExtINT, SMI and INIT deliveries, which PCs do not
 * use, and the arbitration ID's serial bus.
 */

import { assert } from "../../base/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import type {
  AccessSize,
  Device,
  DeviceState,
  IrqLine,
  MmioHandler,
  RegisterHooks,
  RegisterMap,
} from "../../hw/index.ts";
import type { ApicBus, EoiListener } from "./lapic-bus.ts";

export const IO_APIC_GPA = 0xfec00000;
export const IO_APIC_BYTES = 0x1000;
export const IO_APIC_INPUTS = 24;

/** The two registers in memory (section 3.1). */
const WINDOW_REGISTERS = defineRegisters({
  ioregsel: { at: 0x00, size: 4, reset: 0, writable: 0xff },
  iowin: { at: 0x10, size: 4, reset: 0, read: "readWindow", write: "writeWindow" },
});

const ENTRY = {
  logical: 1 << 11,
  /** Read-only: accepted by a local APIC, EOI outstanding. */
  remoteIrr: 1 << 14,
  level: 1 << 15,
  masked: 1 << 16,
} as const;
/** All but delivery status (12) and remote IRR (14). */
const ENTRY_WRITABLE = 0x0001afff;

interface RedirectionRegister {
  readonly at: number;
  readonly size: 4;
  readonly reset: number;
  readonly writable: number;
  readonly write: "redirectionChanged";
}
type RedirectionRegisters = Readonly<Record<`low${number}` | `high${number}`, RedirectionRegister>>;

/** Registers behind the window are numbered; as bytes, each takes four. */
const BYTES_PER_INDEX = 4;

function redirectionRegisters(): RedirectionRegisters {
  const registers: Record<`low${number}` | `high${number}`, RedirectionRegister> = {};
  for (let input = 0; input < IO_APIC_INPUTS; input++) {
    const at = (0x10 + 2 * input) * BYTES_PER_INDEX;
    const common = { size: 4, write: "redirectionChanged" } as const;
    registers[`low${input}`] = { at, reset: ENTRY.masked, writable: ENTRY_WRITABLE, ...common };
    registers[`high${input}`] = { at: at + BYTES_PER_INDEX, reset: 0, writable: 0xff000000, ...common };
  }
  return registers;
}

/** Section 3.2, in two blocks: identification, and from index 10h on a pair for each input. */
const INDEXED_REGISTERS = defineRegisters({
  id: { at: 0, size: 4, reset: 0, writable: 0x0f000000 },
  version: { at: 0x01 * BYTES_PER_INDEX, size: 4, reset: ((IO_APIC_INPUTS - 1) << 16) | 0x11, writable: 0 },
  arbitration: { at: 0x02 * BYTES_PER_INDEX, size: 4, reset: 0, writable: 0 },
});
const REDIRECTION_REGISTERS = redirectionRegisters();
const REDIRECTION_OFFSET = 0x10 * BYTES_PER_INDEX;

export class IoApic
  implements
    Device,
    MmioHandler,
    EoiListener,
    RegisterHooks<typeof WINDOW_REGISTERS>,
    RegisterHooks<RedirectionRegisters>
{
  readonly name = "ioapic";
  /** By input number. */
  readonly inputs: readonly IrqLine[];
  readonly #bus: ApicBus;
  readonly #apicId: number;
  readonly #window = new RegisterFile(WINDOW_REGISTERS, this);
  readonly #registers = new RegisterFile(INDEXED_REGISTERS, this);
  readonly #redirections = new RegisterFile(REDIRECTION_REGISTERS, this);
  readonly #levels: boolean[] = Array.from({ length: IO_APIC_INPUTS }, () => false);

  constructor(bus: ApicBus, apicId: number) {
    this.#bus = bus;
    this.#apicId = apicId;
    this.inputs = this.#levels.map((_, input) => ({ set: (level) => this.#setInput(input, level) }));
    this.#registers.values.id = apicId << 24;
    bus.attachIoApic(this);
  }

  readMmio(offset: number, size: AccessSize): number {
    return this.#window.read(offset, size);
  }

  writeMmio(offset: number, size: AccessSize, value: number): void {
    this.#window.write(offset, size, value);
  }

  /** A local APIC finished `vector`: inputs that are still asserted interrupt again. */
  endOfInterrupt(vector: number): void {
    for (let input = 0; input < IO_APIC_INPUTS; input++) {
      const entry = this.#low(input);
      if ((entry & ENTRY.remoteIrr) === 0 || (entry & 0xff) !== vector) continue;
      this.#redirections.values[`low${input}`] = entry & ~ENTRY.remoteIrr;
      this.#serviceLevel(input);
    }
  }

  reset(): void {
    this.#window.reset();
    this.#registers.reset();
    this.#redirections.reset();
    this.#registers.values.id = this.#apicId << 24;
  }

  save(): DeviceState {
    return {
      window: this.#window.save(),
      registers: this.#registers.save(),
      redirections: this.#redirections.save(),
      levels: this.#levels.map(Number),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#window.restore(reader.object("window"), `${this.name}.window`);
    this.#registers.restore(reader.object("registers"), `${this.name}.registers`);
    this.#redirections.restore(reader.object("redirections"), `${this.name}.redirections`);
    const levels = reader.integers("levels", IO_APIC_INPUTS, 1);
    levels.forEach((level, input) => (this.#levels[input] = level === 1));
  }

  // Register hooks.

  readWindow(): number {
    return this.#selectedBlock.read(this.#selected, 4);
  }

  writeWindow(value: number): void {
    this.#selectedBlock.write(this.#selected, 4, value);
  }

  /** An entry that became unmasked or level-triggered may have to interrupt now. */
  redirectionChanged(): void {
    for (let input = 0; input < IO_APIC_INPUTS; input++) {
      const entry = this.#low(input);
      // Software clears a stuck remote IRR by switching to edge and back, as Linux does for this version.
      if ((entry & ENTRY.level) === 0) this.#redirections.values[`low${input}`] = entry & ~ENTRY.remoteIrr;
      this.#serviceLevel(input);
    }
  }

  // Workings.

  get #selected(): number {
    return this.#window.values.ioregsel * BYTES_PER_INDEX;
  }

  get #selectedBlock(): Pick<RegisterFile<RegisterMap>, "read" | "write"> {
    return this.#selected < REDIRECTION_OFFSET ? this.#registers : this.#redirections;
  }

  #low(input: number): number {
    const entry = this.#redirections.values[`low${input}`];
    assert(entry !== undefined, "every input has an entry");
    return entry;
  }

  #setInput(input: number, level: boolean): void {
    const rises = level && this.#levels[input] !== true;
    this.#levels[input] = level;
    const entry = this.#low(input);
    if ((entry & ENTRY.level) !== 0) this.#serviceLevel(input);
    // An edge that arrives while its entry is masked is lost (section 3.2.4, interrupt mask).
    else if (rises && (entry & ENTRY.masked) === 0) this.#deliver(input, entry);
  }

  #serviceLevel(input: number): void {
    const entry = this.#low(input);
    const isReady = (entry & ENTRY.level) !== 0 && (entry & (ENTRY.masked | ENTRY.remoteIrr)) === 0;
    if (!isReady || this.#levels[input] !== true) return;
    if (this.#deliver(input, entry)) this.#redirections.values[`low${input}`] = entry | ENTRY.remoteIrr;
  }

  #deliver(input: number, entry: number): boolean {
    const high = this.#redirections.values[`high${input}`] ?? 0;
    return this.#bus.deliver({
      destination: high >>> 24,
      isLogical: (entry & ENTRY.logical) !== 0,
      deliveryMode: (entry >>> 8) & 7,
      vector: entry & 0xff,
      isLevel: (entry & ENTRY.level) !== 0,
    });
  }
}
