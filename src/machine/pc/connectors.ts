/**
 * The connectors of a PC through which bytes flow to and from the world outside, by the names of their sockets, and the
 * ports behind them: serial ones at the addresses and interrupts that they have always had, and a printer's.
 */

import { asPorts } from "../../hw/index.ts";
import type { Clock, Device, PortBus, Timers } from "../../hw/index.ts";
import { PARALLEL_PORT_BYTES, ParallelPort } from "../../devices/parallel/index.ts";
import { Uart16550 } from "../../devices/serial/index.ts";
import type { PlatformDescription } from "../acpi/index.ts";
import type { IsaInterrupts } from "./isa-interrupts.ts";

export const SERIAL_CONNECTORS = ["com1", "com2", "com3", "com4"] as const;
export const PRINTER_CONNECTOR = "lpt1";
export const CONNECTORS = [...SERIAL_CONNECTORS, PRINTER_CONNECTOR] as const;
export type SerialConnector = (typeof SERIAL_CONNECTORS)[number];
export type Connector = (typeof CONNECTORS)[number];

const UART_PORTS = 8;

export interface ConnectorsParts {
  readonly platform: PlatformDescription;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly isa: IsaInterrupts;
  readonly ports: PortBus;
  /** A byte from the guest; false asks the port to wait until it is told to go on. */
  readonly output: (byte: number, connector: Connector) => boolean;
}

export class Connectors {
  /** By COM number less one. */
  readonly serialPorts: readonly Uart16550[];
  readonly #printer: ParallelPort | undefined;
  readonly #uarts = new Map<Connector, Uart16550>();

  constructor({ platform, clock, timers, isa, ports, output }: ConnectorsParts) {
    SERIAL_CONNECTORS.forEach((name, index) => {
      const place = platform.serialPorts[index];
      if (place === undefined) return;
      const sink = { transmit: (byte: number) => output(byte, name) };
      const uart = new Uart16550({ name, clock, timers, irq: isa.driver(place.irq), sink });
      ports.claim(name, place.ioBase, UART_PORTS, asPorts(uart.registers));
      this.#uarts.set(name, uart);
    });
    this.serialPorts = [...this.#uarts.values()];
    if (platform.parallelPort === undefined) return;
    const { ioBase, irq } = platform.parallelPort;
    const name = PRINTER_CONNECTOR;
    const sink = { transmit: (byte: number) => output(byte, name) };
    this.#printer = new ParallelPort({ name, irq: isa.driver(irq), sink });
    ports.claim(name, ioBase, PARALLEL_PORT_BYTES, asPorts(this.#printer.registers));
  }

  get devices(): readonly Device[] {
    return [...this.serialPorts, ...(this.#printer === undefined ? [] : [this.#printer])];
  }

  /** Returns how many bytes the port took; those of a port that is not there are taken and lost. */
  receive(connector: Connector, bytes: Uint8Array): number {
    return this.#uarts.get(connector)?.receive(bytes) ?? bytes.length;
  }

  /** After output() returned false: bytes of this connector are taken again. */
  transmitReady(connector: Connector): void {
    this.#uarts.get(connector)?.transmitReady();
    if (connector === PRINTER_CONNECTOR) this.#printer?.transmitReady();
  }
}
