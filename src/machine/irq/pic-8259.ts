/**
 * Intel 8259A programmable interrupt controller (order number 231468), one chip. The pair that a PC has, with
 * its cascade and the edge/level registers, is pic-pair.ts.
 *
 * As in the PIIX, ICW1's LTIM bit is replaced by the edge/level control register. A rising edge stays latched
 * until it is acknowledged even when the line falls again, which real chips forget; devices here signal edges by
 * set(true), set(false) without time between. A request that is withdrawn by masking, or by a level line that
 * falls, gives the spurious request 7.
 *
 * Deliberately missing: MCS-80/85 mode (CALL instructions) and buffered mode, which PCs do not use.
 */

import type { DeviceState, IrqLine, RegisterHooks, StateReader } from "../../hw/index.ts";
import { defineRegisters, RegisterFile } from "../../hw/index.ts";

const REGISTERS = defineRegisters({
  /** IRR, ISR or the poll byte, as OCW3 selected. */
  status: { at: 0, access: "ro", read: "readStatus" },
  /** ICW1, OCW2 and OCW3, told apart by bits 3 and 4. */
  command: { at: 0, access: "wo", write: "commandWritten" },
  /** OCW1 (the mask), or ICW2 to ICW4 while the chip is being initialized. */
  data: { at: 1, read: "readMask", write: "dataWritten" },
});

const ICW1 = { needsIcw4: 0x01, single: 0x02, select: 0x10 } as const;
const ICW4 = { autoEoi: 0x02, specialFullyNested: 0x10 } as const;
const OCW3 = {
  select: 0x08,
  readIsr: 0x01,
  readSelected: 0x02,
  poll: 0x04,
  specialMask: 0x20,
  setMask: 0x40,
};

/** The byte that the data port takes next. */
const STAGES = ["mask", "icw2", "icw3", "icw4"] as const;

export class Pic8259 implements RegisterHooks<typeof REGISTERS> {
  readonly registers = new RegisterFile(REGISTERS, this);
  /** Inputs whose request is their level (ELCR); the others request by rising edges. */
  #levelTriggered = 0;
  readonly #int: IrqLine;
  /** Inputs that carry the INT of another chip; special fully nested mode lets them interrupt themselves. */
  readonly #cascadeInputs: number;

  /** Level of the INT pin. */
  #isInterrupting = false;
  #inputs = 0;
  #irr = 0;
  #isr = 0;
  #imr = 0;
  #vectorBase = 0;
  /** The input of highest priority. */
  #highest = 0;
  #stage: (typeof STAGES)[number] = "mask";
  #hasIcw3 = false;
  #hasIcw4 = false;
  #autoEoi = false;
  #rotateOnAutoEoi = false;
  #specialMask = false;
  #specialFullyNested = false;
  #readsIsr = false;
  #polling = false;

  constructor(int: IrqLine, cascadeInputs: number) {
    this.#int = int;
    this.#cascadeInputs = cascadeInputs;
  }

  set levelTriggered(inputs: number) {
    this.#levelTriggered = inputs;
    // What an edge has latched is forgotten: the request of a level is the level itself.
    this.#irr = (this.#irr & ~inputs) | (this.#inputs & inputs);
    this.#update();
  }

  setInput(input: number, level: boolean): void {
    const bit = 1 << input;
    const rose = level && (this.#inputs & bit) === 0;
    this.#inputs = level ? this.#inputs | bit : this.#inputs & ~bit;
    if ((this.#levelTriggered & bit) !== 0) this.#irr = level ? this.#irr | bit : this.#irr & ~bit;
    else if (rose) this.#irr |= bit;
    this.#update();
  }

  /** The input that INT stands for now, or undefined when INT is low. */
  get requested(): number | undefined {
    const request = this.#highestOf(this.#irr & ~this.#imr);
    if (request === undefined) return undefined;
    let inService = this.#isr;
    if (this.#specialMask) inService &= ~this.#imr;
    if (this.#specialFullyNested) inService &= ~this.#cascadeInputs;
    const busy = this.#highestOf(inService);
    return busy === undefined || this.#rank(request) < this.#rank(busy) ? request : undefined;
  }

  /** The INTA cycles: the input now in service; 7, without being in service, when nothing is requested any more. */
  acknowledge(): number {
    const input = this.requested;
    if (input === undefined) return 7;
    const bit = 1 << input;
    if ((this.#levelTriggered & bit) === 0) this.#irr &= ~bit;
    if (!this.#autoEoi) this.#isr |= bit;
    else if (this.#rotateOnAutoEoi) this.#highest = (input + 1) & 7;
    // INT falls for each acknowledge, so that a chip this one is cascaded to sees an edge for the next request.
    this.#setInt(false);
    this.#update();
    return input;
  }

  /** The vector of `input` (ICW2). */
  vectorOf(input: number): number {
    return this.#vectorBase | input;
  }

  // Lifecycle. The levels of the inputs belong to the devices that drive them and survive a reset.

  reset(): void {
    this.#initialize();
    this.#irr = this.#inputs & this.#levelTriggered;
    this.#vectorBase = 0;
    this.#stage = "mask";
    this.#hasIcw3 = false;
    this.#hasIcw4 = false;
    // Before its first ICW1 the chip answers nothing.
    this.#imr = 0xff;
    this.#update();
  }

  save(): DeviceState {
    return {
      inputs: this.#inputs,
      irr: this.#irr,
      isr: this.#isr,
      imr: this.#imr,
      vectorBase: this.#vectorBase,
      highest: this.#highest,
      stage: this.#stage,
      hasIcw3: this.#hasIcw3,
      hasIcw4: this.#hasIcw4,
      autoEoi: this.#autoEoi,
      rotateOnAutoEoi: this.#rotateOnAutoEoi,
      specialMask: this.#specialMask,
      specialFullyNested: this.#specialFullyNested,
      readsIsr: this.#readsIsr,
      polling: this.#polling,
    };
  }

  restore(reader: StateReader): void {
    this.#inputs = reader.u8("inputs");
    this.#irr = reader.u8("irr");
    this.#isr = reader.u8("isr");
    this.#imr = reader.u8("imr");
    this.#vectorBase = reader.u8("vectorBase");
    this.#highest = reader.integer("highest", 7);
    this.#stage = reader.choice("stage", STAGES);
    this.#hasIcw3 = reader.boolean("hasIcw3");
    this.#hasIcw4 = reader.boolean("hasIcw4");
    this.#autoEoi = reader.boolean("autoEoi");
    this.#rotateOnAutoEoi = reader.boolean("rotateOnAutoEoi");
    this.#specialMask = reader.boolean("specialMask");
    this.#specialFullyNested = reader.boolean("specialFullyNested");
    this.#readsIsr = reader.boolean("readsIsr");
    this.#polling = reader.boolean("polling");
    this.#update();
  }

  // Register hooks.

  readStatus(): number {
    if (this.#polling) {
      this.#polling = false;
      const pending = this.requested !== undefined;
      const input = this.acknowledge();
      return pending ? 0x80 | input : input;
    }
    return this.#readsIsr ? this.#isr : this.#irr;
  }

  readMask(): number {
    return this.#imr;
  }

  commandWritten(written: number): void {
    if ((written & ICW1.select) !== 0) {
      this.#initialize();
      this.#hasIcw3 = (written & ICW1.single) === 0;
      this.#hasIcw4 = (written & ICW1.needsIcw4) !== 0;
      this.#stage = "icw2";
    } else if ((written & OCW3.select) !== 0) this.#ocw3(written);
    else this.#ocw2(written >> 5, written & 7);
    this.#update();
  }

  dataWritten(written: number): void {
    switch (this.#stage) {
      case "mask":
        this.#imr = written;
        break;
      case "icw2":
        this.#vectorBase = written & 0xf8;
        this.#stage = this.#hasIcw3 ? "icw3" : this.#hasIcw4 ? "icw4" : "mask";
        break;
      case "icw3":
        // Which inputs are cascaded is wiring here, not a choice.
        this.#stage = this.#hasIcw4 ? "icw4" : "mask";
        break;
      case "icw4":
        this.#autoEoi = (written & ICW4.autoEoi) !== 0;
        this.#specialFullyNested = (written & ICW4.specialFullyNested) !== 0;
        this.#stage = "mask";
        break;
    }
    this.#update();
  }

  // Workings.

  /** ICW1 (data sheet, "Initialization Command Words"): edges seen so far are forgotten. */
  #initialize(): void {
    this.#irr = this.#inputs & this.#levelTriggered;
    this.#isr = 0;
    this.#imr = 0;
    this.#highest = 0;
    this.#autoEoi = false;
    this.#rotateOnAutoEoi = false;
    this.#specialMask = false;
    this.#specialFullyNested = false;
    this.#readsIsr = false;
    this.#polling = false;
  }

  #ocw3(written: number): void {
    if ((written & OCW3.setMask) !== 0) this.#specialMask = (written & OCW3.specialMask) !== 0;
    if ((written & OCW3.poll) !== 0) this.#polling = true;
    else if ((written & OCW3.readSelected) !== 0) this.#readsIsr = (written & OCW3.readIsr) !== 0;
  }

  /** `command` is R, SL and EOI, the top three bits of OCW2. */
  #ocw2(command: number, input: number): void {
    switch (command) {
      case 0b000:
        this.#rotateOnAutoEoi = false;
        break;
      case 0b100:
        this.#rotateOnAutoEoi = true;
        break;
      case 0b001:
      case 0b101: {
        // In special mask mode a masked input in service is passed over.
        const ended = this.#highestOf(this.#specialMask ? this.#isr & ~this.#imr : this.#isr);
        if (ended === undefined) break;
        this.#isr &= ~(1 << ended);
        if (command === 0b101) this.#highest = (ended + 1) & 7;
        break;
      }
      case 0b011:
        this.#isr &= ~(1 << input);
        break;
      case 0b110:
        this.#highest = (input + 1) & 7;
        break;
      case 0b111:
        this.#isr &= ~(1 << input);
        this.#highest = (input + 1) & 7;
        break;
      default:
        // 0b010 is "no operation".
        break;
    }
  }

  /** 0 for the input of highest priority, 7 for the lowest. */
  #rank(input: number): number {
    return (input - this.#highest) & 7;
  }

  #highestOf(inputs: number): number | undefined {
    if (inputs === 0) return undefined;
    for (let rank = 0; rank < 8; rank++) {
      const input = (this.#highest + rank) & 7;
      if ((inputs & (1 << input)) !== 0) return input;
    }
    return undefined;
  }

  #update(): void {
    this.#setInt(this.requested !== undefined);
  }

  #setInt(level: boolean): void {
    if (level === this.#isInterrupting) return;
    this.#isInterrupting = level;
    this.#int.set(level);
  }
}
