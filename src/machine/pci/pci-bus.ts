/**
 * PCI bus 0 and configuration mechanism #1 (PCI Local Bus Specification 3.0, section 3.2.2.3.2): CONFIG_ADDRESS at
 * port CF8, written and read only as a doubleword, and CONFIG_DATA at CFC–CFF. Byte 1 of the same ports belongs to
 * PIIX's reset control register (82371SB section 2.5.3), which only byte accesses reach.
 *
 * Missing on purpose: mechanism #2, buses behind bridges, ECAM.
 */

import { allOnes, assert } from "../../base/index.ts";
import { PCI_PIN, StateReader, WiredOr } from "../../hw/index.ts";
import type {
  AccessSize,
  Device,
  DeviceState,
  IrqLine,
  PciFunction,
  PciPin,
  PortHandler,
} from "../../hw/index.ts";

export const PCI_PORT_BASE = 0xcf8;
export const PCI_PORT_BYTES = 8;
export const PCI_DEVICES = 32;
export const PCI_FUNCTIONS = 8;
/** Interrupt requests PIRQA–PIRQD of the chipset. */
export const PCI_LINKS = 4;

/** CONFIG_ADDRESS: enable 31, bus 16–23, device 11–15, function 8–10, register 2–7. */
const ADDRESS_ENABLE = 0x80000000;
const ADDRESS_WRITABLE = 0x80fffffc;
const DATA_OFFSET = 4;
const RESET_CONTROL_OFFSET = 1;

/** Which PIRQ a device's interrupt pin drives: each slot is shifted by one, beginning with PIRQA for slot 1's INTA#. */
export function pciLink(deviceNumber: number, pin: PciPin): number {
  return (deviceNumber - 1 + (pin - PCI_PIN.inta)) & 3;
}

/** Reset control, PIIX's register CF9h. */
export interface ResetControl {
  readResetControl(): number;
  writeResetControl(value: number): void;
}

export class PciBus implements Device, PortHandler {
  readonly name = "pci";
  readonly #functions = new Map<number, PciFunction>();
  readonly #links: readonly WiredOr[];
  #resetControl: ResetControl | undefined;
  #address = 0;

  /** `links` are the chipset's inputs PIRQA–PIRQD. */
  constructor(links: readonly IrqLine[]) {
    assert(links.length === PCI_LINKS, "there are four interrupt links");
    this.#links = links.map((link) => new WiredOr(link));
  }

  /** Puts a function on bus 0. The board owns its lifecycle. */
  attach(deviceNumber: number, functionNumber: number, pciFunction: PciFunction): void {
    assert(deviceNumber < PCI_DEVICES && functionNumber < PCI_FUNCTIONS, "the place exists on a bus");
    const key = deviceNumber * PCI_FUNCTIONS + functionNumber;
    assert(
      !this.#functions.has(key),
      `place ${deviceNumber}.${functionNumber} of ${pciFunction.name} is free`,
    );
    this.#functions.set(key, pciFunction);
  }

  attachResetControl(resetControl: ResetControl): void {
    this.#resetControl = resetControl;
  }

  functionAt(deviceNumber: number, functionNumber: number): PciFunction | undefined {
    return this.#functions.get(deviceNumber * PCI_FUNCTIONS + functionNumber);
  }

  /** A line for one function's interrupt pin: level, shared. */
  interruptLine(deviceNumber: number, pin: Exclude<PciPin, 0>): IrqLine {
    const link = this.#links[pciLink(deviceNumber, pin)];
    assert(link !== undefined, "pins map to the four links");
    return link.driver();
  }

  reset(): void {
    this.#address = 0;
  }

  save(): DeviceState {
    return { address: this.#address };
  }

  restore(state: DeviceState): void {
    this.#address = (new StateReader(this.name, state).u32("address") & ADDRESS_WRITABLE) >>> 0;
  }

  readPort(offset: number, size: AccessSize): number {
    if (offset >= DATA_OFFSET) {
      const target = this.#target();
      return target?.readConfig(this.#register(offset), size) ?? allOnes(size);
    }
    if (offset === 0 && size === 4) return this.#address;
    if (offset === RESET_CONTROL_OFFSET && size === 1) return this.#resetControl?.readResetControl() ?? 0xff;
    return allOnes(size);
  }

  writePort(offset: number, size: AccessSize, value: number): void {
    if (offset >= DATA_OFFSET) this.#target()?.writeConfig(this.#register(offset), size, value);
    else if (offset === 0 && size === 4) this.#address = (value & ADDRESS_WRITABLE) >>> 0;
    else if (offset === RESET_CONTROL_OFFSET && size === 1) this.#resetControl?.writeResetControl(value);
  }

  /** The function that CONFIG_ADDRESS names; absent ones read as all ones. */
  #target(): PciFunction | undefined {
    const isHere = (this.#address & ADDRESS_ENABLE) !== 0 && ((this.#address >>> 16) & 0xff) === 0;
    return isHere ? this.#functions.get((this.#address >>> 8) & 0xff) : undefined;
  }

  #register(offset: number): number {
    return (this.#address & 0xfc) | (offset - DATA_OFFSET);
  }
}
