/**
 * Configuration space as data: a function declares its identity, its base address registers and the registers behind
 * the standard header; the kit makes the header (PCI Local Bus Specification 3.0, section 6.1), answers BAR sizing
 * (6.2.5.1), and claims and releases bus ranges as the guest moves BARs and toggles decoding.
 *
 * Missing on purpose: expansion ROMs, BARs above 4 GiB, bridges' type 1 header.
 */

import { assert } from "../../base/index.ts";
import type { Releasable } from "../../base/index.ts";
import type { AccessSize, MmioHandler, PortHandler } from "../bus.ts";
import type { IrqLine } from "../irq-line.ts";
import { UNCONNECTED_LINE } from "../irq-line.ts";
import type { MmioBus } from "../mmio-bus.ts";
import type { PortBus } from "../port-bus.ts";
import { defineRegisters, RegisterFile } from "../register-map.ts";
import type { RegisterHooks, RegisterMap } from "../register-map.ts";
import { StateReader } from "../state.ts";
import type { DeviceState } from "../state.ts";
import { PCI_BARS, PCI_COMMAND, PCI_CONFIG_BYTES, PCI_HEADER } from "./pci-function.ts";
import type { PciPin } from "./pci-function.ts";
import { CapabilityList } from "./capabilities.ts";
import type { DeviceRegisters, PciCapability } from "./capabilities.ts";

export interface PciIdentity {
  readonly vendorId: number;
  readonly deviceId: number;
  readonly revisionId?: number;
  readonly baseClass: number;
  readonly subClass: number;
  readonly progIf?: number;
  readonly subsystemVendorId?: number;
  readonly subsystemId?: number;
  readonly interruptPin?: PciPin;
  /** Command register after reset, and the bits that can be written; by default 0 and those that the BARs need. */
  readonly command?: number;
  readonly commandWritable?: number;
  /** Read-only bits of the status register. */
  readonly status?: number;
  /** Function 0 of a device with several. */
  readonly isMultiFunction?: boolean;
}

/** A range the guest places; sizes are powers of two, at least 4 bytes for ports and 16 for memory. */
export type BarSpec =
  | { readonly kind: "ports"; readonly sizeBytes: number; readonly handler: PortHandler }
  | {
      readonly kind: "memory";
      readonly sizeBytes: number;
      readonly handler: MmioHandler;
      /** Reads have no side effects: none unless said otherwise. */
      readonly isPrefetchable?: boolean;
      /** Where the range is decoded has changed: for memory that processors reach by a slot, and not by the handler. */
      readonly placed?: (from: number | undefined, to: number | undefined) => void;
    };

export interface PciBuses {
  readonly ports: PortBus;
  readonly mmio: MmioBus;
}

const HEADER_END = 0x40;
const STATUS_INTERRUPT = 1 << 3;
const STATUS_CAPABILITIES = 1 << 4;
/** Error bits that software clears by writing ones. */
const STATUS_CLEARED_BY_ONES = 0xf900;
const BAR_IO = 1;
const BAR_PREFETCHABLE = 1 << 3;
const MULTI_FUNCTION = 0x80;

const BAR_NAMES = ["bar0", "bar1", "bar2", "bar3", "bar4", "bar5"] as const;

/** The reserved bytes of a block read as zero and ignore writes. */
type Reserved = Readonly<Record<`reserved${string}`, { readonly at: number; readonly read: "readReserved" }>>;

/** The bytes of [start, end) that `map` does not declare, as registers that read as zero. */
export function reservedBytes(map: RegisterMap, start: number, end: number): Reserved {
  const taken = new Set<number>();
  for (const { at, size = 1 } of Object.values(map))
    for (let byte = at; byte < at + size; byte++) taken.add(byte);
  const reserved: Record<`reserved${string}`, { at: number; read: "readReserved" }> = {};
  for (let at = start; at < end; at++) {
    if (!taken.has(at)) reserved[`reserved${at.toString(16)}`] = { at, read: "readReserved" };
  }
  return reserved;
}

/** Declares the registers from 40h on; every byte that is not declared is reserved. */
export function definePciRegisters<const M extends RegisterMap>(map: M): M & Reserved {
  return { ...map, ...reservedBytes(map, HEADER_END, PCI_CONFIG_BYTES) };
}

function typeOf(spec: BarSpec): number {
  if (spec.kind === "ports") return BAR_IO;
  return spec.isPrefetchable === true ? BAR_PREFETCHABLE : 0;
}

const headerRegisters = (
  identity: PciIdentity,
  bars: readonly (BarSpec | undefined)[],
  capabilities: number,
) => {
  const fixed = (at: number, size: AccessSize, reset: number) => ({ at, size, reset, writable: 0 });
  const bar = (index: number) => {
    const spec = bars[index];
    const type = spec === undefined ? 0 : typeOf(spec);
    const writable = spec === undefined ? 0 : -spec.sizeBytes >>> 0;
    return {
      at: PCI_HEADER.bar0 + 4 * index,
      size: 4,
      reset: type,
      writable,
      write: "decodeChanged",
    } as const;
  };
  let commandWritable = identity.commandWritable ?? PCI_COMMAND.busMaster | PCI_COMMAND.interruptDisable;
  for (const spec of bars) {
    if (spec !== undefined) commandWritable |= spec.kind === "ports" ? PCI_COMMAND.io : PCI_COMMAND.memory;
  }
  const map = defineRegisters({
    vendorId: fixed(0x00, 2, identity.vendorId),
    deviceId: fixed(0x02, 2, identity.deviceId),
    command: {
      at: 0x04,
      size: 2,
      reset: identity.command ?? 0,
      writable: commandWritable,
      write: "commandWritten",
    },
    status: {
      at: 0x06,
      size: 2,
      reset: (identity.status ?? 0) | (capabilities === 0 ? 0 : STATUS_CAPABILITIES),
      writable: 0,
      clearedByOnes: STATUS_CLEARED_BY_ONES,
      read: "readStatus",
    },
    revisionId: fixed(0x08, 1, identity.revisionId ?? 0),
    progIf: fixed(0x09, 1, identity.progIf ?? 0),
    subClass: fixed(0x0a, 1, identity.subClass),
    baseClass: fixed(0x0b, 1, identity.baseClass),
    cacheLineSize: { at: 0x0c, reset: 0 },
    latencyTimer: { at: 0x0d, reset: 0 },
    headerType: fixed(0x0e, 1, identity.isMultiFunction === true ? MULTI_FUNCTION : 0),
    bar0: bar(0),
    bar1: bar(1),
    bar2: bar(2),
    bar3: bar(3),
    bar4: bar(4),
    bar5: bar(5),
    subsystemVendorId: fixed(0x2c, 2, identity.subsystemVendorId ?? 0),
    subsystemId: fixed(0x2e, 2, identity.subsystemId ?? 0),
    capabilities: fixed(0x34, 1, capabilities),
    interruptLine: { at: 0x3c, reset: 0 },
    interruptPin: fixed(0x3d, 1, identity.interruptPin ?? 0),
  });
  return { ...map, ...reservedBytes(map, 0, HEADER_END) };
};
type HeaderMap = ReturnType<typeof headerRegisters>;

interface MappedBar {
  readonly base: number;
  readonly claim: Releasable;
}

export interface PciConfigSpec {
  readonly name: string;
  readonly identity: PciIdentity;
  /** By index; a gap is a BAR that reads as zero. */
  readonly bars?: readonly (BarSpec | undefined)[];
  /** Where BARs are mapped; needed when there are any. */
  readonly buses?: PciBuses;
  /** Those behind the header, as `new RegisterFile(definePciRegisters({…}), this)` makes them. */
  readonly registers?: DeviceRegisters;
  /** In the order of the list, which begins at `capabilitiesAt`, 40h by default. */
  readonly capabilities?: readonly PciCapability[];
  readonly capabilitiesAt?: number;
}

export class PciConfigSpace implements RegisterHooks<HeaderMap> {
  readonly header: RegisterFile<HeaderMap>;
  readonly #name: string;
  readonly #bars: readonly (BarSpec | undefined)[];
  readonly #buses: PciBuses | undefined;
  readonly #registers: DeviceRegisters | undefined;
  readonly #capabilities: CapabilityList;
  readonly #mapped: (MappedBar | undefined)[] = [];
  #conflicts = 0;
  #pin: IrqLine = UNCONNECTED_LINE;
  #isInterrupting = false;

  constructor(spec: PciConfigSpec) {
    const bars = spec.bars ?? [];
    assert(bars.length <= PCI_BARS, `${spec.name} has at most ${PCI_BARS} BARs`);
    assert(
      bars.length === 0 || spec.buses !== undefined,
      `${spec.name} knows the buses that its BARs are on`,
    );
    for (const bar of bars)
      assert(bar === undefined || isBarSize(bar), `${spec.name}'s BAR sizes are powers of two`);
    this.#name = spec.name;
    this.#bars = bars;
    this.#buses = spec.buses;
    this.#registers = spec.registers;
    this.#capabilities = new CapabilityList(spec.capabilities ?? [], spec.capabilitiesAt ?? HEADER_END);
    this.header = new RegisterFile(headerRegisters(spec.identity, bars, this.#capabilities.first), this);
  }

  /** How often the guest placed a BAR over something else; it is then not decoded. */
  get conflicts(): number {
    return this.#conflicts;
  }

  /** Where a BAR is decoded now. */
  mappedAt(index: number): number | undefined {
    return this.#mapped[index]?.base;
  }

  /** Whether the guest lets the function access memory by itself, which includes sending messages. */
  get isBusMaster(): boolean {
    return (this.header.values.command & PCI_COMMAND.busMaster) !== 0;
  }

  /** Connects the function's interrupt pin; what is returned is the function's side of it (section 6.2.4). */
  connectPin(line: IrqLine): IrqLine {
    this.#pin = line;
    return {
      set: (level) => {
        this.#isInterrupting = level;
        this.#drivePin();
      },
    };
  }

  read(offset: number, size: AccessSize): number {
    if (offset < HEADER_END) return this.header.read(offset, size);
    return this.#capabilities.read(offset, size) ?? this.#registers?.read(offset, size) ?? 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (offset < HEADER_END) this.header.write(offset, size, value);
    else if (!this.#capabilities.write(offset, size, value)) this.#registers?.write(offset, size, value);
  }

  reset(): void {
    this.header.reset();
    this.#registers?.reset();
    this.#capabilities.reset();
    this.decodeChanged();
    this.#drivePin();
  }

  save(): DeviceState {
    return {
      header: this.header.save(),
      registers: this.#registers?.save() ?? {},
      capabilities: this.#capabilities.save(),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.#name, state);
    this.header.restore(reader.object("header"), `${this.#name}.header`);
    this.#registers?.restore(reader.object("registers"), `${this.#name}.registers`);
    this.#capabilities.restore(reader.object("capabilities"), `${this.#name}.capabilities`);
    this.decodeChanged();
    this.#drivePin();
  }

  // Register hooks.

  readReserved(): number {
    return 0;
  }

  readStatus(stored: number): number {
    return stored | (this.#isInterrupting ? STATUS_INTERRUPT : 0);
  }

  commandWritten(): void {
    this.decodeChanged();
    this.#drivePin();
  }

  /** Makes the buses agree with the command register and the BARs. */
  decodeChanged(): void {
    this.#bars.forEach((bar, index) => {
      if (bar === undefined) return;
      const wanted = this.#wantedBase(bar, index);
      const mapped = this.#mapped[index];
      if (mapped?.base === wanted) return;
      mapped?.claim.release();
      this.#mapped[index] = undefined;
      if (wanted !== undefined) {
        const claim = this.#claim(bar, index, wanted);
        if (claim === undefined) this.#conflicts++;
        else this.#mapped[index] = { base: wanted, claim };
      }
      if (bar.kind === "memory") bar.placed?.(mapped?.base, this.#mapped[index]?.base);
    });
  }

  // Workings.

  #drivePin(): void {
    const isDisabled = (this.header.values.command & PCI_COMMAND.interruptDisable) !== 0;
    this.#pin.set(this.#isInterrupting && !isDisabled);
  }

  #wantedBase(bar: BarSpec, index: number): number | undefined {
    const { values } = this.header;
    const enable = bar.kind === "ports" ? PCI_COMMAND.io : PCI_COMMAND.memory;
    if ((values.command & enable) === 0) return undefined;
    const base = (values[BAR_NAMES[index] ?? "bar0"] & -bar.sizeBytes) >>> 0;
    // All ones is the sizing probe; ports live in 16 bits; address 0 means "not placed yet".
    const end = bar.kind === "ports" ? 0x1_0000 : 0x1_0000_0000;
    return base === 0 || base + bar.sizeBytes >= end ? undefined : base;
  }

  #claim(bar: BarSpec, index: number, base: number): Releasable | undefined {
    const name = `${this.#name} BAR ${index}`;
    if (bar.kind === "ports") return this.#buses?.ports.tryClaim(name, base, bar.sizeBytes, bar.handler);
    return this.#buses?.mmio.tryClaim(name, base, bar.sizeBytes, bar.handler);
  }
}

function isBarSize(bar: BarSpec): boolean {
  const least = bar.kind === "ports" ? 4 : 16;
  return bar.sizeBytes >= least && (bar.sizeBytes & (bar.sizeBytes - 1)) === 0;
}
