/**
 * Interrupt lines between devices and interrupt controllers. A line has a level; an edge is set(true) followed
 * by set(false). Who drives a line does not know what it is connected to.
 */

export interface IrqLine {
  set(level: boolean): void;
}

/** A line that ends nowhere. */
export const UNCONNECTED_LINE: IrqLine = { set() {} };

/** Carries one level to several inputs, as ISA IRQs reach both the PIC and the I/O APIC. */
export function fanOut(...inputs: readonly IrqLine[]): IrqLine {
  return {
    set(level) {
      for (const input of inputs) input.set(level);
    },
  };
}

/** Joins several drivers to one input: the input is high while any driver is (a shared, level-triggered line). */
export class WiredOr {
  readonly #input: IrqLine;
  #high = 0;

  constructor(input: IrqLine) {
    this.#input = input;
  }

  /** A line for one more driver, low at first. */
  driver(): IrqLine {
    let level = false;
    return {
      set: (next) => {
        if (next === level) return;
        level = next;
        const before = this.#high;
        this.#high += next ? 1 : -1;
        if ((before === 0) !== (this.#high === 0)) this.#input.set(this.#high > 0);
      },
    };
  }
}

/** A line end that remembers its level and counts rising edges: for tests and diagnostics. */
export class RecordedLine implements IrqLine {
  level = false;
  risingEdges = 0;

  set(level: boolean): void {
    if (level && !this.level) this.risingEdges++;
    this.level = level;
  }
}
