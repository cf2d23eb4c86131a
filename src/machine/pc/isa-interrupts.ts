/**
 * The sixteen ISA interrupt lines: each joins its drivers and reaches both the 8259s and the input of the I/O APIC
 * that the platform's overrides give it. IRQ 0 and 8 pass through the HPET, which can take their sources' place.
 */

import { assert } from "../../base/index.ts";
import { fanOut, UNCONNECTED_LINE, WiredOr } from "../../hw/index.ts";
import type { IrqLine } from "../../hw/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import type { PicPair } from "../irq/pic-pair.ts";

const ISA_IRQS = 16;
/** The 8259s' own cascade. */
const CASCADE_IRQ = 2;

/** The global system interrupt of an ISA IRQ. */
export function gsiOfIrq(platform: PlatformDescription, irq: number): number {
  return platform.overrides.find((override) => override.irq === irq)?.gsi ?? irq;
}

export class IsaInterrupts {
  readonly #lines: readonly WiredOr[];

  constructor(platform: PlatformDescription, pic: PicPair, ioApicInputs: readonly IrqLine[]) {
    this.#lines = Array.from({ length: ISA_IRQS }, (_, irq) => {
      if (irq === CASCADE_IRQ) return new WiredOr(UNCONNECTED_LINE);
      const ioApicInput = ioApicInputs[gsiOfIrq(platform, irq) - platform.ioApic.gsiBase];
      return new WiredOr(fanOut(pic.input(irq), ioApicInput ?? UNCONNECTED_LINE));
    });
  }

  /** A line for one more driver of `irq`. */
  driver(irq: number): IrqLine {
    const line = this.#lines[irq];
    assert(line !== undefined && irq !== CASCADE_IRQ, `IRQ ${irq} can be driven`);
    return line.driver();
  }

  /** A driver of each line, with a gap for the cascade. */
  drivers(): (IrqLine | undefined)[] {
    return this.#lines.map((line, irq) => (irq === CASCADE_IRQ ? undefined : line.driver()));
  }
}
