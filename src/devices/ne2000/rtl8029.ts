/**
 * Realtek's RTL8029AS: an NE2000 as a PCI function (RTL8029AS data sheet), 32 ports and an interrupt.
 *
 * Missing on purpose: the boot ROM, full duplex, power management.
 */

import { asPorts, PCI_PIN, PciConfigSpace, StateReader } from "../../hw/index.ts";
import type {
  AccessSize,
  Clock,
  DeviceState,
  IrqLine,
  PciBuses,
  PciFunction,
  Timers,
} from "../../hw/index.ts";
import type { NetworkLink } from "../../net/index.ts";
import { Dp8390, NE2000_PORT_BYTES } from "./dp8390.ts";

export interface Rtl8029Config {
  /** Unique on the board. */
  readonly name: string;
  /** MAC_ADDRESS_BYTES of a single station's address. */
  readonly macAddress: Uint8Array;
  readonly link: NetworkLink;
  readonly buses: PciBuses;
  readonly clock: Clock;
  readonly timers: Timers;
  /** INTA# of the function's place. */
  readonly pin: IrqLine;
}

export class Rtl8029 implements PciFunction {
  readonly name: string;
  readonly #chip: Dp8390;
  readonly #config: PciConfigSpace;

  constructor({ name, buses, pin, ...chip }: Rtl8029Config) {
    this.name = name;
    const block = {
      read: (offset: number, size: AccessSize) => this.#chip.read(offset, size),
      write: (offset: number, size: AccessSize, value: number) => this.#chip.write(offset, size, value),
    };
    this.#config = new PciConfigSpace({
      name,
      identity: {
        vendorId: 0x10ec,
        deviceId: 0x8029,
        subsystemVendorId: 0x10ec,
        subsystemId: 0x8029,
        baseClass: 0x02,
        subClass: 0x00,
        interruptPin: PCI_PIN.inta,
      },
      buses,
      bars: [{ kind: "ports", sizeBytes: NE2000_PORT_BYTES, handler: asPorts(block) }],
    });
    this.#chip = new Dp8390({ ...chip, irq: this.#config.connectPin(pin) });
    this.#chip.reset();
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.#config.write(offset, size, value);
  }

  reset(): void {
    this.#chip.reset();
    this.#config.reset();
  }

  save(): DeviceState {
    return { config: this.#config.save(), chip: this.#chip.save() };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#config.restore(reader.object("config"));
    this.#chip.restore(reader.child("chip"), `${this.name}.chip`);
  }
}
