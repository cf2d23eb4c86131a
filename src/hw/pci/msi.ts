/**
 * MSI with one message (PCI Local Bus Specification 3.0, section 6.8.1): the guest says which write to memory takes the place
 * of the function's pin. Addresses have 64 bits; there is no mask.
 */

import { defineRegisters, RegisterFile } from "../register-map.ts";
import type { RegisterHooks } from "../register-map.ts";
import type { AccessSize } from "../bus.ts";
import type { IrqLine } from "../irq-line.ts";
import { StateReader } from "../state.ts";
import type { DeviceState } from "../state.ts";
import type { DeviceRegisters, PciCapability } from "./capabilities.ts";
import type { SendMessage } from "./msi-x.ts";

const CAPABILITY_ID = 0x05;
const CAPABILITY_BYTES = 14;
const CONTROL = { enable: 1 << 0, has64Bits: 1 << 7 } as const;

const REGISTERS = defineRegisters({
  messageControl: {
    at: 2,
    size: 2,
    reset: CONTROL.has64Bits,
    writable: CONTROL.enable,
    write: "controlWritten",
  },
  addressLow: { at: 4, size: 4, reset: 0, writable: 0xffff_fffc },
  addressHigh: { at: 8, size: 4, reset: 0 },
  data: { at: 12, size: 2, reset: 0 },
});

export class Msi implements DeviceRegisters, RegisterHooks<typeof REGISTERS> {
  readonly capability: PciCapability;
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #send: SendMessage;
  #pin: IrqLine | undefined;
  /** What the function wants of the line that it was given. */
  #isAsserted = false;

  constructor(send: SendMessage) {
    this.#send = send;
    this.capability = { name: "msi", id: CAPABILITY_ID, sizeBytes: CAPABILITY_BYTES, registers: this };
  }

  /** The message takes the place of the pin. */
  get isEnabled(): boolean {
    return (this.#registers.values.messageControl & CONTROL.enable) !== 0;
  }

  /** Sends the message; nothing happens while it is not enabled. */
  notify(): void {
    const { addressLow, addressHigh, data } = this.#registers.values;
    // Interrupts are below 4 GiB; a message elsewhere would be a write to memory, which nobody asks for.
    if (this.isEnabled && addressHigh === 0) this.#send(addressLow, data);
  }

  /** A line in the place of the pin, for a function whose interrupt is over before the next: it rises, or a message is sent. */
  carrying(pin: IrqLine): IrqLine {
    this.#pin = pin;
    return {
      set: (level) => {
        const rises = level && !this.#isAsserted;
        this.#isAsserted = level;
        this.#drivePin();
        if (rises) this.notify();
      },
    };
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
    this.#drivePin();
  }

  save(): DeviceState {
    return { registers: this.#registers.save(), isAsserted: this.#isAsserted };
  }

  /** A function that drives its line as it was saved sends nothing a second time. */
  restore(state: DeviceState, path = "msi"): void {
    const reader = new StateReader(path, state);
    this.#registers.restore(reader.object("registers"), `${path}.registers`);
    this.#isAsserted = reader.boolean("isAsserted");
    this.#drivePin();
  }

  /** An interrupt that is asserted while the pin gives way to the message is not lost. */
  controlWritten(written: number, before: number): void {
    this.#drivePin();
    if (this.#isAsserted && (written & ~before & CONTROL.enable) !== 0) this.notify();
  }

  #drivePin(): void {
    this.#pin?.set(this.#isAsserted && !this.isEnabled);
  }
}
