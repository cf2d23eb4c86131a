/**
 * The PC's two 8259As: the second one's INT drives input 2 of the first, giving IRQ 0–15, with the edge/level
 * control registers at 4D0h and 4D1h (EISA; Intel 82371SB PIIX3, section 2.5.8) that make inputs level-triggered
 * for PCI.
 */

import type { Device, DeviceState, IrqLine, RegisterHooks } from "../../hw/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import { Pic8259 } from "./pic-8259.ts";

/** IRQ 0, 1, 2, 8 and 13 are always edges. */
const ELCR_REGISTERS = defineRegisters({
  elcr1: { at: 0, reset: 0, writable: 0xf8, write: "edgeLevelWritten" },
  elcr2: { at: 1, reset: 0, writable: 0xde, write: "edgeLevelWritten" },
});

const CASCADE_INPUT = 2;

export class PicPair implements Device, RegisterHooks<typeof ELCR_REGISTERS> {
  readonly name = "pic";
  /** Ports 20h and 21h. */
  readonly first: Pic8259;
  /** Ports A0h and A1h. */
  readonly second: Pic8259;
  /** Ports 4D0h and 4D1h. */
  readonly elcr = new RegisterFile(ELCR_REGISTERS, this);

  /** `intr` is the INT output of the pair. */
  constructor(intr: IrqLine) {
    const first = new Pic8259(intr, 1 << CASCADE_INPUT);
    this.first = first;
    this.second = new Pic8259({ set: (level) => first.setInput(CASCADE_INPUT, level) }, 0);
    this.reset();
  }

  /** The end of ISA interrupt line `irq`, 0–15 but not 2, which is the cascade. */
  input(irq: number): IrqLine {
    const chip = irq < 8 ? this.first : this.second;
    return { set: (level) => chip.setInput(irq & 7, level) };
  }

  /** The INTA cycles of the pair: the vector for the CPU. */
  acknowledge(): number {
    const input = this.first.acknowledge();
    if (input !== CASCADE_INPUT) return this.first.vectorOf(input);
    return this.second.vectorOf(this.second.acknowledge());
  }

  reset(): void {
    this.elcr.reset();
    this.edgeLevelWritten();
    this.second.reset();
    this.first.reset();
  }

  save(): DeviceState {
    return { first: this.first.save(), second: this.second.save(), elcr: this.elcr.save() };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.elcr.restore(reader.object("elcr"), "pic.elcr");
    this.edgeLevelWritten();
    this.second.restore(reader.child("second"));
    // Last: restoring the second chip drove the cascade input.
    this.first.restore(reader.child("first"));
  }

  edgeLevelWritten(): void {
    this.first.levelTriggered = this.elcr.values.elcr1;
    this.second.levelTriggered = this.elcr.values.elcr2;
  }
}
