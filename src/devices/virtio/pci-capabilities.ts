/** The vendor-specific capabilities that say where a virtio function has its structures (section 4.1.4). */

import { defineRegisters, RegisterFile } from "../../hw/index.ts";
import type { AccessSize, PciCapability, RegisterHooks } from "../../hw/index.ts";

const VENDOR_SPECIFIC = 0x09;
const CAPABILITY_BYTES = 16;
const CONFIG_TYPE = { common: 1, notify: 2, isr: 3, device: 4, pciAccess: 5 } as const;

/** Where a structure lies. */
export interface StructurePlace {
  readonly bar: number;
  readonly offset: number;
  readonly lengthBytes: number;
}

const structure = (type: number, sizeBytes: number, { bar, offset, lengthBytes }: StructurePlace) => {
  const fixed = (at: number, size: AccessSize, reset: number) => ({ at, size, reset, writable: 0 });
  return {
    length: fixed(2, 1, sizeBytes),
    configType: fixed(3, 1, type),
    bar: fixed(4, 1, bar),
    id: fixed(5, 1, 0),
    padding: fixed(6, 2, 0),
    structureOffset: fixed(8, 4, offset),
    structureLength: fixed(12, 4, lengthBytes),
  };
};

/** A structure that needs no more than a place. */
export function structureCapability(name: "common" | "isr" | "device", place: StructurePlace): PciCapability {
  const registers = new RegisterFile(
    defineRegisters(structure(CONFIG_TYPE[name], CAPABILITY_BYTES, place)),
    {},
  );
  return { name, id: VENDOR_SPECIFIC, sizeBytes: CAPABILITY_BYTES, registers };
}

/** Queues are notified at their offsets, `multiplier` bytes apart. */
export function notifyCapability(place: StructurePlace, multiplier: number): PciCapability {
  const sizeBytes = CAPABILITY_BYTES + 4;
  const map = defineRegisters({
    ...structure(CONFIG_TYPE.notify, sizeBytes, place),
    notifyOffMultiplier: { at: CAPABILITY_BYTES, size: 4, reset: multiplier, writable: 0 },
  });
  return { name: "notify", id: VENDOR_SPECIFIC, sizeBytes, registers: new RegisterFile(map, {}) };
}

/** An access to a BAR, made through configuration space. */
export interface BarAccess {
  read(bar: number, offset: number, size: AccessSize): number;
  write(bar: number, offset: number, size: AccessSize, value: number): void;
}

const ACCESS_BYTES = CAPABILITY_BYTES + 4;
const ACCESS_REGISTERS = defineRegisters({
  length: { at: 2, reset: ACCESS_BYTES, writable: 0 },
  configType: { at: 3, reset: CONFIG_TYPE.pciAccess, writable: 0 },
  bar: { at: 4, reset: 0 },
  id: { at: 5, reset: 0, writable: 0 },
  padding: { at: 6, size: 2, reset: 0, writable: 0 },
  structureOffset: { at: 8, size: 4, reset: 0 },
  structureLength: { at: 12, size: 4, reset: 0 },
  data: { at: 16, size: 4, read: "readData", write: "dataWritten" },
});

/** A window for those who cannot reach memory space yet, as firmware (section 4.1.4.9). */
export class PciAccessCapability implements RegisterHooks<typeof ACCESS_REGISTERS> {
  readonly capability: PciCapability;
  readonly #registers = new RegisterFile(ACCESS_REGISTERS, this);
  readonly #access: BarAccess;

  constructor(access: BarAccess) {
    this.#access = access;
    this.capability = {
      name: "pciAccess",
      id: VENDOR_SPECIFIC,
      sizeBytes: ACCESS_BYTES,
      registers: this.#registers,
    };
  }

  readData(): number {
    const { bar, structureOffset } = this.#registers.values;
    const size = this.#size;
    return size === undefined ? 0 : this.#access.read(bar, structureOffset, size);
  }

  dataWritten(value: number): void {
    const { bar, structureOffset } = this.#registers.values;
    const size = this.#size;
    if (size !== undefined)
      this.#access.write(
        bar,
        structureOffset,
        size,
        size === 4 ? value : value & (size === 2 ? 0xffff : 0xff),
      );
  }

  /** Undefined unless the access is of 1, 2 or 4 bytes and aligned. */
  get #size(): AccessSize | undefined {
    const { structureOffset, structureLength } = this.#registers.values;
    const size = SIZES.find((one) => one === structureLength);
    return size === undefined || structureOffset % size !== 0 ? undefined : size;
  }
}

const SIZES: readonly AccessSize[] = [1, 2, 4];
