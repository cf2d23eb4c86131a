/**
 * The processor's pins as the board drives them: INTR, A20M# by its two gates, and the slots of memory over RAM that
 * devices place. Nothing is driven while the board is being built, since the processor may be built after it.
 */

import { MiB } from "../../base/index.ts";
import type { MemorySlot } from "../../hw/index.ts";
import type { ProcessorPins } from "./board-config.ts";

export class PoweredPins {
  readonly #pins: ProcessorPins;
  readonly #ramBytes: number;
  #isPowered = false;
  #interrupt = false;
  /** The address line is open while either of its two gates is. */
  readonly #a20Gates = { i8042: true, port92: false };

  constructor(pins: ProcessorPins, ramBytes: number) {
    this.#pins = pins;
    this.#ramBytes = ramBytes;
  }

  /** From now on levels reach the processor. */
  powerOn(): void {
    this.#isPowered = true;
  }

  /** Gives the processor the levels as they are, whether they have changed or not. */
  drive(): void {
    this.#pins.interrupt.set(this.#interrupt);
    this.#driveA20();
  }

  setInterrupt(level: boolean): void {
    if (level === this.#interrupt) return;
    this.#interrupt = level;
    if (this.#isPowered) this.#pins.interrupt.set(level);
  }

  raiseNmi(): void {
    this.#pins.raiseNmi();
  }

  setTaskPriority(priorityClass: number): void {
    if (this.#isPowered) this.#pins.setTaskPriority(priorityClass);
  }

  setA20(gate: "i8042" | "port92", enabled: boolean): void {
    this.#a20Gates[gate] = enabled;
    if (this.#isPowered) this.#driveA20();
  }

  /** `slotMemoryOffset` is where the bytes begin from which the slot counts. RAM stays where somebody places memory over it. */
  setMemorySlot(gpa: number, lengthBytes: number, slotMemoryOffset: number, slot: MemorySlot): void {
    if (!this.#isPowered || (gpa >= MiB && gpa < this.#ramBytes)) return;
    const offset = slot.kind === "memory" ? this.#ramBytes + slotMemoryOffset + slot.offset : 0;
    const placed = slot.kind === "memory" ? { ...slot, offset } : slot;
    this.#pins.setMemorySlot(gpa, lengthBytes, placed);
  }

  #driveA20(): void {
    this.#pins.setA20(this.#a20Gates.i8042 || this.#a20Gates.port92);
  }
}
