/**
 * ISA bridge: Intel 82371SB PIIX3 (order 290550), function 0 of device 1: interrupt routing for PCI and the reset
 * control register. Its PIC, PIT and DMA are devices of their own.
 *
 * Missing on purpose: I/O recovery timing, BIOS chip select, ISA DMA and system management registers (reserved).
 */

import { definePciRegisters, PciConfigSpace, RegisterFile, StateReader, WiredOr } from "../../hw/index.ts";
import type { AccessSize, DeviceState, IrqLine, PciFunction, RegisterHooks } from "../../hw/index.ts";
import { PCI_LINKS } from "./pci-bus.ts";
import type { ResetControl } from "./pci-bus.ts";

const REGISTERS = definePciRegisters({
  pirqa: { at: 0x60, reset: 0x80, writable: 0x8f, write: "routesChanged" },
  pirqb: { at: 0x61, reset: 0x80, writable: 0x8f, write: "routesChanged" },
  pirqc: { at: 0x62, reset: 0x80, writable: 0x8f, write: "routesChanged" },
  pirqd: { at: 0x63, reset: 0x80, writable: 0x8f, write: "routesChanged" },
});
const ROUTE_NAMES = ["pirqa", "pirqb", "pirqc", "pirqd"] as const;
const ROUTE_DISABLED = 0x80;
/** IRQs 0, 1, 2, 8 and 13 belong to the board. */
const ROUTABLE_IRQS = 0xdef8;

/** Reset control (CF9h): bit 2 rising resets, with bit 1 all of the machine, without it the processor alone. */
const RESET_CPU = 1 << 2;
const RESET_ALL = 1 << 1;
const RESET_WRITABLE = 0x06;

export interface Piix3Config {
  /** One line per ISA IRQ, which the board joins with those of ISA devices; only routable ones are used. */
  readonly isaIrqs: readonly (IrqLine | undefined)[];
  /** Called from within the guest's port write. */
  readonly onReset: (isOfAll: boolean) => void;
}

export class Piix3 implements PciFunction, ResetControl, RegisterHooks<typeof REGISTERS> {
  readonly name = "piix3";
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #config = new PciConfigSpace({
    name: this.name,
    identity: {
      vendorId: 0x8086,
      deviceId: 0x7000,
      baseClass: 0x06,
      subClass: 0x01,
      command: 0x0007,
      commandWritable: 0,
      status: 0x0200,
      isMultiFunction: true,
    },
    registers: this.#registers,
  });
  /** Inputs PIRQA–PIRQD, to be driven by the PCI bus. */
  readonly links: readonly IrqLine[];
  readonly #isaIrqs: readonly (WiredOr | undefined)[];
  readonly #onReset: (isOfAll: boolean) => void;
  readonly #linkLevels: boolean[] = Array.from({ length: PCI_LINKS }, () => false);
  /** What each link drives on the IRQ it is routed to. */
  readonly #routed: { irq: number; driver: IrqLine }[][];
  #resetControl = 0;

  constructor(config: Piix3Config) {
    this.#onReset = config.onReset;
    this.#isaIrqs = config.isaIrqs.map((line, irq) =>
      line === undefined || ((ROUTABLE_IRQS >> irq) & 1) === 0 ? undefined : new WiredOr(line),
    );
    this.#routed = this.#linkLevels.map(() =>
      this.#isaIrqs.flatMap((joined, irq) =>
        joined === undefined ? [] : [{ irq, driver: joined.driver() }],
      ),
    );
    this.links = this.#linkLevels.map((_, link) => ({
      set: (level) => {
        this.#linkLevels[link] = level;
        this.#drive(link);
      },
    }));
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    this.#config.write(offset, size, value);
  }

  reset(): void {
    this.#config.reset();
    this.#resetControl = 0;
    this.routesChanged();
  }

  save(): DeviceState {
    return { config: this.#config.save(), resetControl: this.#resetControl };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#config.restore(reader.object("config"));
    this.#resetControl = reader.u8("resetControl") & RESET_WRITABLE;
    // Link levels come back with the devices that drive them.
    this.routesChanged();
  }

  readResetControl(): number {
    return this.#resetControl;
  }

  writeResetControl(value: number): void {
    const rises = (value & ~this.#resetControl & RESET_CPU) !== 0;
    this.#resetControl = value & RESET_WRITABLE;
    if (rises) this.#onReset((value & RESET_ALL) !== 0);
  }

  routesChanged(): void {
    for (let link = 0; link < PCI_LINKS; link++) this.#drive(link);
  }

  readReserved(): number {
    return 0;
  }

  /** Each link is high on the one IRQ it is routed to, and low on all others. */
  #drive(link: number): void {
    const route = this.#registers.values[ROUTE_NAMES[link] ?? "pirqa"];
    const irq = (route & ROUTE_DISABLED) !== 0 ? undefined : route & 0x0f;
    const level = this.#linkLevels[link] === true;
    for (const target of this.#routed[link] ?? []) target.driver.set(level && target.irq === irq);
  }
}
