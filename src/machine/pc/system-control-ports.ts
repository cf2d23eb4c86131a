/**
 * System control ports of the PC/AT and PS/2 (IBM PS/2 Hardware Interface Technical Reference, "System Control
 * Port A/B"): 61h with the speaker's counter, which kernels calibrate delays with, and 92h with the fast A20 gate
 * and reset. There is no speaker, and no parity or channel check to report.
 */

import { NS_PER_US } from "../../base/index.ts";
import type { Clock, Device, DeviceState, RegisterHooks } from "../../hw/index.ts";
import { defineRegisters, RegisterFile } from "../../hw/index.ts";
import type { Pit8254 } from "../timer/pit-8254.ts";

const PORT_B_REGISTERS = defineRegisters({
  /** Gate of counter 2, speaker data, and the two check disables are writable. */
  control: { at: 0, reset: 0, writable: 0x0f, read: "readControl", write: "controlWritten" },
});
const PORT_B = { speakerGate: 0x01, refreshToggle: 0x10, speakerOut: 0x20 } as const;
/** DRAM is refreshed every 15.085 µs; old delay loops count the changes. */
const REFRESH_NS = 15.085 * NS_PER_US;

/** Port 61h. */
export class SystemControlPortB implements Device, RegisterHooks<typeof PORT_B_REGISTERS> {
  readonly name = "port-61";
  readonly registers = new RegisterFile(PORT_B_REGISTERS, this);
  readonly #clock: Clock;
  readonly #pit: Pit8254;

  constructor(clock: Clock, pit: Pit8254) {
    this.#clock = clock;
    this.#pit = pit;
  }

  reset(): void {
    this.registers.reset();
    this.controlWritten();
  }

  save(): DeviceState {
    return this.registers.save();
  }

  /** The gate itself is part of the 8254's state. */
  restore(state: DeviceState): void {
    this.registers.restore(state, this.name);
  }

  readControl(stored: number): number {
    const refreshes = Math.floor(this.#clock.nowNs() / REFRESH_NS);
    return (
      stored |
      (refreshes % 2 === 1 ? PORT_B.refreshToggle : 0) |
      (this.#pit.speakerOut ? PORT_B.speakerOut : 0)
    );
  }

  controlWritten(): void {
    this.#pit.setSpeakerGate((this.registers.values.control & PORT_B.speakerGate) !== 0);
  }
}

const PORT_A_REGISTERS = defineRegisters({
  control: { at: 0, reset: 0, writable: 0x03, write: "controlWritten" },
});
const PORT_A = { reset: 0x01, a20: 0x02 } as const;

/** Port 92h. */
export class SystemControlPortA implements Device, RegisterHooks<typeof PORT_A_REGISTERS> {
  readonly name = "port-92";
  readonly registers = new RegisterFile(PORT_A_REGISTERS, this);
  readonly #onA20: (enabled: boolean) => void;
  readonly #onReset: () => void;

  /** `onReset` is called from within the guest's port write. */
  constructor(onA20: (enabled: boolean) => void, onReset: () => void) {
    this.#onA20 = onA20;
    this.#onReset = onReset;
  }

  reset(): void {
    this.registers.reset();
    this.#driveA20();
  }

  save(): DeviceState {
    return this.registers.save();
  }

  restore(state: DeviceState): void {
    this.registers.restore(state, this.name);
    this.#driveA20();
  }

  controlWritten(written: number, before: number): void {
    this.#driveA20();
    if ((written & ~before & PORT_A.reset) !== 0) this.#onReset();
  }

  #driveA20(): void {
    this.#onA20((this.registers.values.control & PORT_A.a20) !== 0);
  }
}
