/**
 * The capability list of a PCI function (PCI Local Bus Specification 3.0, section 6.7): each capability brings its
 * registers, the list gives it a place and links it to the next one.
 */

import { alignUp, assert } from "../../base/index.ts";
import type { AccessSize } from "../bus.ts";
import { StateReader } from "../state.ts";
import type { DeviceState } from "../state.ts";
import { PCI_CONFIG_BYTES } from "./pci-function.ts";

/** Registers of a device, as a RegisterFile has them. */
export interface DeviceRegisters {
  reset(): void;
  save(): DeviceState;
  restore(state: DeviceState, path?: string): void;
  read(offset: number, size: AccessSize): number;
  write(offset: number, size: AccessSize, value: number): void;
}

export interface PciCapability {
  /** Names it in saved state. */
  readonly name: string;
  /** Capability ID (appendix H). */
  readonly id: number;
  /** With the two bytes of ID and next pointer. */
  readonly sizeBytes: number;
  /** Offsets count from the capability's start; the first two are the list's. */
  readonly registers: DeviceRegisters;
}

interface Placed {
  readonly capability: PciCapability;
  readonly at: number;
  /** ID and pointer to the next capability. */
  readonly header: number;
}

const HEADER_BYTES = 2;
const ALIGNMENT = 4;

export class CapabilityList {
  readonly #placed: readonly Placed[];

  /** Places the capabilities one after the other from `start` on. */
  constructor(capabilities: readonly PciCapability[], start: number) {
    let at = start;
    this.#placed = capabilities.map((capability, index) => {
      const next = alignUp(at + capability.sizeBytes, ALIGNMENT);
      assert(next <= PCI_CONFIG_BYTES, `capability ${capability.name} fits configuration space`);
      const pointer = index + 1 < capabilities.length ? next : 0;
      const placed = { capability, at, header: capability.id | (pointer << 8) };
      at = next;
      return placed;
    });
  }

  /** Where the first one is; 0 when there is none. */
  get first(): number {
    return this.#placed[0]?.at ?? 0;
  }

  /** Undefined where no capability is. */
  read(offset: number, size: AccessSize): number | undefined {
    const placed = this.#at(offset);
    if (placed === undefined) return undefined;
    const { capability, at, header } = placed;
    const inside = offset - at;
    if (inside >= HEADER_BYTES) return capability.registers.read(inside, size);
    if (size === 4) return (header | (capability.registers.read(HEADER_BYTES, 2) << 16)) >>> 0;
    return size === 2 ? header : (header >>> (8 * inside)) & 0xff;
  }

  /** Whether a capability is there. ID and pointer are read-only. */
  write(offset: number, size: AccessSize, value: number): boolean {
    const placed = this.#at(offset);
    if (placed === undefined) return false;
    const { registers } = placed.capability;
    const inside = offset - placed.at;
    if (inside >= HEADER_BYTES) registers.write(inside, size, value);
    else if (size === 4) registers.write(HEADER_BYTES, 2, value >>> 16);
    return true;
  }

  reset(): void {
    for (const { capability } of this.#placed) capability.registers.reset();
  }

  save(): DeviceState {
    return Object.fromEntries(
      this.#placed.map(({ capability }) => [capability.name, capability.registers.save()]),
    );
  }

  restore(state: DeviceState, path: string): void {
    const reader = new StateReader(path, state);
    for (const { capability } of this.#placed) {
      capability.registers.restore(reader.object(capability.name), `${path}.${capability.name}`);
    }
  }

  #at(offset: number): Placed | undefined {
    return this.#placed.find(
      ({ at, capability }) => offset >= at && offset < alignUp(at + capability.sizeBytes, ALIGNMENT),
    );
  }
}
