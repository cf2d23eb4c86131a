/** The driver's side of the RTL8139, for its tests: four transmit buffers, one receive buffer. From the data sheet. */

import { KiB, ManualClock, MiB, TimerQueue, unwrap } from "../../base/index.ts";
import { MmioBus, PCI_COMMAND, PortBus, RamDma, RecordedLine } from "../../hw/index.ts";
import type { AccessSize } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import { RecordedLink } from "../../net/testing.ts";
import { Rtl8139 } from "./rtl8139.ts";

export const MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56] as const;
export const PORT = 0xc200;
export const REGISTERS_GPA = 0xe000_0000;
export const TX_BUFFERS_GPA = 0x1_0000;
export const RX_BUFFER_GPA = 0x10_0000;
const TX_SPACING = 0x800;

export const REG = {
  idr0: 0x00, idr4: 0x04, mar0: 0x08, mar4: 0x0c, tsd0: 0x10, tsd1: 0x14, tsd2: 0x18, tsd3: 0x1c, tsad0: 0x20,
  rbstart: 0x30, cr: 0x37, capr: 0x38, cbr: 0x3a, imr: 0x3c, isr: 0x3e, tcr: 0x40, rcr: 0x44, tctr: 0x48,
  mpc: 0x4c, eeprom: 0x50, config1: 0x52, timerInterrupt: 0x54, msr: 0x58, config3: 0x59, rerid: 0x5e, tsad: 0x60,
  bmcr: 0x62, bmsr: 0x64, anar: 0x66, anlpar: 0x68,
} as const; // prettier-ignore
export type RegName = keyof typeof REG;

export const CR = { empty: 1, transmit: 4, receive: 8, reset: 16 } as const;
export const ISR = { received: 1, transmitted: 4, link: 0x20, timeOut: 0x4000 } as const;
export const RCR = { all: 1, own: 2, multicast: 4, broadcast: 8, wrap: 0x80 } as const;
export const TSD = { own: 0x2000, ok: 0x8000 } as const;

export interface ReceivedFrame {
  readonly status: number;
  /** Without the check sequence. */
  readonly frame: Uint8Array;
  readonly checkSequence: number;
}

export class Rtl8139Driver {
  readonly link: RecordedLink;
  readonly ram = unwrap(createGuestRam({ sizeBytes: 2 * MiB, reservedPrefixBytes: 64 * KiB }));
  readonly pin = new RecordedLine();
  readonly ports = new PortBus();
  readonly mmio = new MmioBus();
  readonly clock = new ManualClock();
  readonly timers = new TimerQueue();
  readonly card: Rtl8139;
  #next = 0;
  #read = 0;
  #sizeBytes = 8192;
  #wraps = false;

  constructor(link = new RecordedLink()) {
    this.link = link;
    const { ram, ports, mmio, clock, timers, pin } = this;
    const dma = new RamDma(ram, () => undefined);
    const macAddress = Uint8Array.from(MAC);
    this.card = new Rtl8139({ name: "rtl8139", macAddress, link, dma, clock, timers, buses: { ports, mmio }, pin }); // prettier-ignore
    this.card.reset();
    this.place();
  }

  place(): void {
    this.card.writeConfig(0x10, 4, PORT);
    this.card.writeConfig(0x14, 4, REGISTERS_GPA);
    this.card.writeConfig(0x04, 2, PCI_COMMAND.io | PCI_COMMAND.memory | PCI_COMMAND.busMaster);
  }

  read(register: RegName, size: AccessSize = 4): number {
    return this.ports.readPort(PORT + REG[register], size);
  }

  write(register: RegName, value: number, size: AccessSize = 4): void {
    this.ports.writePort(PORT + REG[register], size, value);
  }

  /** Resets the chip, then sets both directions up with a buffer of 8 KiB, doubled `lengthCode` times. */
  start(rcr: number = RCR.own | RCR.broadcast, lengthCode = 0): void {
    this.write("cr", CR.reset, 1);
    this.#next = 0;
    this.#read = 0;
    this.#sizeBytes = 8192 << lengthCode;
    this.#wraps = (rcr & RCR.wrap) !== 0 && lengthCode !== 3;
    this.write("rbstart", RX_BUFFER_GPA);
    this.write("cr", CR.transmit | CR.receive, 1);
    this.write("rcr", rcr | (lengthCode << 11));
    this.write("imr", 0xffff, 2);
    for (let index = 0; index < 4; index++) {
      this.ports.writePort(PORT + REG.tsad0 + 4 * index, 4, TX_BUFFERS_GPA + TX_SPACING * index);
    }
  }

  /** Sends by the next descriptor; returns its status. */
  send(frame: Uint8Array, lengthBytes = frame.length): number {
    const index = this.#next;
    this.#next = (index + 1) % 4;
    this.ram.write(TX_BUFFERS_GPA + TX_SPACING * index, frame);
    this.ports.writePort(PORT + REG.tsd0 + 4 * index, 4, lengthBytes);
    return this.ports.readPort(PORT + REG.tsd0 + 4 * index, 4);
  }

  /** Takes everything out of the buffer. */
  received(): ReceivedFrame[] {
    const frames: ReceivedFrame[] = [];
    while ((this.read("cr", 1) & CR.empty) === 0) {
      const header = this.#bytes(this.#read, 4);
      const view = new DataView(header.buffer);
      const length = view.getUint16(2, true);
      const bytes = this.#bytes(this.#read + 4, length);
      frames.push({
        status: view.getUint16(0, true),
        frame: bytes.slice(0, length - 4),
        checkSequence: new DataView(bytes.buffer).getUint32(length - 4, true),
      });
      this.#read = (this.#read + Math.ceil((4 + length) / 4) * 4) % this.#sizeBytes;
      this.write("capr", (this.#read - 16) & 0xffff, 2);
    }
    return frames;
  }

  /** Lets guest time pass, and timers run. */
  pass(ns: number): void {
    this.clock.advance(ns);
    this.timers.runDue(this.clock.nowNs());
  }

  #bytes(at: number, lengthBytes: number): Uint8Array {
    const bytes = new Uint8Array(lengthBytes);
    for (let index = 0; index < lengthBytes; index++) {
      const place = this.#wraps ? (at % this.#sizeBytes) + index : (at + index) % this.#sizeBytes;
      bytes[index] = this.ram.readU8(RX_BUFFER_GPA + place);
    }
    return bytes;
  }
}
