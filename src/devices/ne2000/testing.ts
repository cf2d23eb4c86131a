/** The driver's side of an NE2000, for its tests, as the DP8390's data sheet tells drivers to use it. */

import { ManualClock, TimerQueue } from "../../base/index.ts";
import { MmioBus, PCI_COMMAND, PortBus, RecordedLine } from "../../hw/index.ts";
import type { AccessSize } from "../../hw/index.ts";
import { RecordedLink } from "../../net/testing.ts";
import { Rtl8029 } from "./rtl8029.ts";

export const MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56] as const;
export const PORT = 0xc100;
export const TRANSMIT_PAGE = 0x40;
export const RING_START = 0x46;
export const RING_STOP = 0x80;

/** Registers of page 0 unless a comment says otherwise. */
export const REG = {
  cr: 0, pstart: 1, pstop: 2, bnry: 3, tpsr: 4, tsr: 4, tbcr0: 5, tbcr1: 6, isr: 7, rsar0: 8, rsar1: 9,
  rbcr0: 10, rbcr1: 11, rcr: 12, rsr: 12, tcr: 13, dcr: 14, imr: 15,
  // Page 1.
  par0: 1, curr: 7, mar0: 8,
  data: 0x10, reset: 0x18,
} as const; // prettier-ignore
export type RegName = keyof typeof REG;

export const CR = { stop: 1, start: 2, transmit: 4, read: 8, write: 0x10, noDma: 0x20, page1: 0x40, page2: 0x80, page3: 0xc0 } as const; // prettier-ignore
export const ISR = { received: 1, transmitted: 2, complete: 0x40, reset: 0x80 } as const;
export const RCR = { broadcast: 4, multicast: 8, promiscuous: 16, monitor: 32 } as const;

export interface ReceivedFrame {
  readonly status: number;
  /** Without the check sequence. */
  readonly frame: Uint8Array;
  readonly checkSequence: number;
}

export class Ne2000Driver {
  readonly link: RecordedLink;
  readonly pin = new RecordedLine();
  readonly ports = new PortBus();
  readonly clock = new ManualClock();
  readonly timers = new TimerQueue();
  readonly card: Rtl8029;
  #isWords = true;

  constructor(link = new RecordedLink()) {
    this.link = link;
    const buses = { ports: this.ports, mmio: new MmioBus() };
    const macAddress = Uint8Array.from(MAC);
    const { clock, timers, pin } = this;
    this.card = new Rtl8029({ name: "ne2000", macAddress, link, buses, clock, timers, pin });
    this.card.reset();
    this.place();
  }

  place(): void {
    this.card.writeConfig(0x10, 4, PORT);
    this.card.writeConfig(0x04, 2, PCI_COMMAND.io);
  }

  read(register: RegName, size: AccessSize = 1): number {
    return this.ports.readPort(PORT + REG[register], size);
  }

  write(register: RegName, value: number, size: AccessSize = 1): void {
    this.ports.writePort(PORT + REG[register], size, value);
  }

  /** The initialization sequence of the data sheet's section 11. */
  start(rcr: number = RCR.broadcast, isWords = true): void {
    this.#isWords = isWords;
    this.write("cr", CR.stop | CR.noDma);
    this.write("dcr", isWords ? 0x49 : 0x48);
    this.write("rbcr0", 0);
    this.write("rbcr1", 0);
    this.write("rcr", rcr);
    this.write("tcr", 2);
    this.write("pstart", RING_START);
    this.write("pstop", RING_STOP);
    this.write("bnry", RING_START);
    this.write("isr", 0xff);
    this.write("imr", 0x7f);
    this.write("cr", CR.stop | CR.noDma | CR.page1);
    MAC.forEach((byte, index) => this.ports.writePort(PORT + REG.par0 + index, 1, byte));
    this.write("curr", RING_START + 1);
    this.write("cr", CR.start | CR.noDma);
    this.write("tcr", 0);
  }

  /** Reads the card's memory by remote DMA, in units of `size`. */
  readMemory(address: number, lengthBytes: number, size: AccessSize = this.#isWords ? 2 : 1): Uint8Array {
    this.#remote(address, lengthBytes, CR.read);
    const bytes = new Uint8Array(Math.ceil(lengthBytes / size) * size);
    for (let at = 0; at < lengthBytes; at += size) {
      const value = this.read("data", size);
      for (let byte = 0; byte < size; byte++) bytes[at + byte] = value >>> (8 * byte);
    }
    return bytes.subarray(0, lengthBytes);
  }

  writeMemory(address: number, bytes: Uint8Array, size: AccessSize = this.#isWords ? 2 : 1): void {
    this.#remote(address, bytes.length, CR.write);
    for (let at = 0; at < bytes.length; at += size) {
      let value = 0;
      for (let byte = 0; byte < size; byte++) value |= (bytes[at + byte] ?? 0) << (8 * byte);
      this.write("data", value >>> 0, size);
    }
  }

  send(frame: Uint8Array): void {
    const even = new Uint8Array(frame.length + (frame.length & 1));
    even.set(frame);
    this.writeMemory(TRANSMIT_PAGE * 256, even);
    this.write("tpsr", TRANSMIT_PAGE);
    this.write("tbcr0", frame.length & 0xff);
    this.write("tbcr1", frame.length >>> 8);
    this.write("cr", CR.start | CR.noDma | CR.transmit);
  }

  /** The page that the chip writes next. */
  get curr(): number {
    this.write("cr", CR.start | CR.noDma | CR.page1);
    const curr = this.read("curr");
    this.write("cr", CR.start | CR.noDma);
    return curr;
  }

  set curr(page: number) {
    this.write("cr", CR.start | CR.noDma | CR.page1);
    this.write("curr", page);
    this.write("cr", CR.start | CR.noDma);
  }

  /** Takes everything out of the ring; the boundary stays one page behind what is read next. */
  received(): ReceivedFrame[] {
    const frames: ReceivedFrame[] = [];
    for (;;) {
      const behind = this.read("bnry") + 1;
      const page = behind === RING_STOP ? RING_START : behind;
      if (page === this.curr) return frames;
      const [status = 0, next = 0, low = 0, high = 0] = this.readMemory(page * 256, 4);
      const bytes = this.readMemory(page * 256 + 4, low | (high << 8));
      const end = bytes.length - 4;
      const checkSequence = new DataView(bytes.buffer, bytes.byteOffset).getUint32(end, true);
      frames.push({ status, frame: bytes.slice(0, end), checkSequence });
      this.write("bnry", next === RING_START ? RING_STOP - 1 : next - 1);
    }
  }

  /** Lets guest time pass, and timers run. */
  pass(ns: number): void {
    this.clock.advance(ns);
    this.timers.runDue(this.clock.nowNs());
  }

  #remote(address: number, lengthBytes: number, command: number): void {
    this.write("rbcr0", lengthBytes & 0xff);
    this.write("rbcr1", lengthBytes >>> 8);
    this.write("rsar0", address & 0xff);
    this.write("rsar1", address >>> 8);
    this.write("cr", CR.start | command);
  }
}
