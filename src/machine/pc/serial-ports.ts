/** The serial ports of a board, as the platform description places them. */

import { asPorts } from "../../hw/index.ts";
import type { Clock, PortBus, Timers } from "../../hw/index.ts";
import { Uart16550 } from "../../devices/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import type { IsaInterrupts } from "./isa-interrupts.ts";

const UART_PORTS = 8;

/** By COM number less one. */
export function serialPorts(parts: {
  readonly platform: PlatformDescription;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly isa: IsaInterrupts;
  readonly ports: PortBus;
  /** A byte of the first one; false asks it to wait until it is told to go on. */
  readonly output: (byte: number) => boolean;
}): readonly Uart16550[] {
  const { platform, clock, timers, isa, ports, output } = parts;
  return platform.serialPorts.map(({ ioBase, irq }, index) => {
    const uart = new Uart16550({
      name: `com${index + 1}`,
      ...{ clock, timers },
      irq: isa.driver(irq),
      // Only the first port leads somewhere; the others send into the void, as unplugged ones do.
      sink: { transmit: index === 0 ? output : () => true },
    });
    ports.claim(uart.name, ioBase, UART_PORTS, asPorts(uart.registers));
    return uart;
  });
}
