/**
 * The driver's side of the card, for its tests: a bench that has it on its buses, rings that are written and read as a
 * driver does. From the manual, not from the card's code.
 */

import { KiB, ManualClock, MiB, TimerQueue, unwrap } from "../../base/index.ts";
import { MmioBus, PCI_COMMAND, PortBus, RamDma, RecordedLine } from "../../hw/index.ts";
import { createGuestRam } from "../../memory/index.ts";
import type { GuestRam } from "../../memory/index.ts";
import { RecordedLink } from "../../net/testing.ts";
import { E1000 } from "./e1000.ts";

export const MAC = [0x52, 0x54, 0x00, 0x12, 0x34, 0x56] as const;
export const REGISTERS_GPA = 0xe000_0000;
export const IO_PORT = 0xc040;
export const RX_RING_GPA = 0x1_0000;
export const TX_RING_GPA = 0x2_0000;
export const RX_BUFFERS_GPA = 0x10_0000;
export const TX_BUFFERS_GPA = 0x20_0000;
const BUFFER_SPACING = 0x4000;
const TX_SPACING = 0x1_0000;
const DESCRIPTOR_BYTES = 16;

export const REG = {
  ctrl: 0x0000, status: 0x0008, eecd: 0x0010, eerd: 0x0014, ctrlExt: 0x0018, mdic: 0x0020, vet: 0x0038,
  icr: 0x00c0, itr: 0x00c4, ics: 0x00c8, ims: 0x00d0, imc: 0x00d8, rctl: 0x0100, tctl: 0x0400,
  rdbal: 0x2800, rdbah: 0x2804, rdlen: 0x2808, rdh: 0x2810, rdt: 0x2818, rdtr: 0x2820, radv: 0x282c,
  tdbal: 0x3800, tdbah: 0x3804, tdlen: 0x3808, tdh: 0x3810, tdt: 0x3818, tidv: 0x3820, txdctl: 0x3828,
  tadv: 0x382c, rxcsum: 0x5000, mta: 0x5200, ral: 0x5400, rah: 0x5404, vfta: 0x5600,
} as const; // prettier-ignore
export type RegName = keyof typeof REG;

export const RCTL = {
  enable: 2,
  unicast: 8,
  multicast: 16,
  broadcast: 0x8000,
  stripCrc: 0x400_0000,
} as const;
export const TCTL_ENABLE = 2;

export interface E1000Machine {
  readonly ram: GuestRam;
  readonly clock: ManualClock;
  readonly timers: TimerQueue;
  readonly ports: PortBus;
  readonly mmio: MmioBus;
  readonly pin: RecordedLine;
  /** "address=data" of each message. */
  readonly messages: string[];
  readonly link: RecordedLink;
  readonly card: E1000;
}

/** A card with its addresses placed and decoded, and a bus master. */
export function machine(link = new RecordedLink()): E1000Machine {
  const ram = unwrap(createGuestRam({ sizeBytes: 4 * MiB, reservedPrefixBytes: 64 * KiB }));
  const clock = new ManualClock();
  const timers = new TimerQueue();
  const ports = new PortBus();
  const mmio = new MmioBus();
  const pin = new RecordedLine();
  const dma = new RamDma(ram, () => undefined);
  const buses = { ports, mmio };
  const messages: string[] = [];
  const sendMessage = (address: number, data: number): void => {
    messages.push(`${address.toString(16)}=${data.toString(16)}`);
  };
  const card = new E1000({ name: "e1000", macAddress: Uint8Array.from(MAC), link, dma, clock, timers, buses, pin, sendMessage }); // prettier-ignore
  card.reset();
  place(card);
  return { ram, clock, timers, ports, mmio, pin, messages, link, card };
}

export function place(card: E1000): void {
  card.writeConfig(0x10, 4, REGISTERS_GPA);
  card.writeConfig(0x18, 4, IO_PORT);
  card.writeConfig(0x04, 2, PCI_COMMAND.io | PCI_COMMAND.memory | PCI_COMMAND.busMaster);
}

/** What the card has reported of a received frame. */
export interface ReceivedPart {
  readonly bytes: number[];
  readonly checksum: number;
  readonly status: number;
  readonly errors: number;
  readonly special: number;
}

export class E1000Driver {
  readonly on: E1000Machine;
  readonly rxCount: number;
  readonly txCount: number;
  #rxTail = 0;
  #rxSeen = 0;
  #txTail = 0;
  #txBuffers = 0;

  constructor(on: E1000Machine, rxCount = 8, txCount = 8) {
    this.on = on;
    this.rxCount = rxCount;
    this.txCount = txCount;
  }

  read(register: RegName, index = 0): number {
    return this.on.mmio.readMmio(REGISTERS_GPA + REG[register] + 4 * index, 4);
  }

  write(register: RegName, value: number, index = 0): void {
    this.on.mmio.writeMmio(REGISTERS_GPA + REG[register] + 4 * index, 4, value);
  }

  /** Sets both rings up, all receive buffers but one offered, and switches both directions on. */
  start(rctl: number = RCTL.broadcast | RCTL.stripCrc): void {
    this.write("rdbal", RX_RING_GPA);
    this.write("rdlen", DESCRIPTOR_BYTES * this.rxCount);
    this.write("tdbal", TX_RING_GPA);
    this.write("tdlen", DESCRIPTOR_BYTES * this.txCount);
    this.write("rctl", rctl | RCTL.enable);
    this.write("tctl", TCTL_ENABLE);
    this.offer(this.rxCount - 1);
  }

  /** Offers receive buffers, each with its place by its index in the ring. */
  offer(count: number): void {
    const { ram } = this.on;
    for (let done = 0; done < count; done++) {
      const at = RX_RING_GPA + DESCRIPTOR_BYTES * this.#rxTail;
      ram.writeU64(at, BigInt(RX_BUFFERS_GPA + BUFFER_SPACING * this.#rxTail));
      ram.writeU64(at + 8, 0n);
      this.#rxTail = (this.#rxTail + 1) % this.rxCount;
    }
    this.write("rdt", this.#rxTail);
  }

  /** Everything that has arrived since the last call. */
  received(): ReceivedPart[] {
    const { ram } = this.on;
    const parts: ReceivedPart[] = [];
    for (;;) {
      const at = RX_RING_GPA + DESCRIPTOR_BYTES * this.#rxSeen;
      const status = ram.readU8(at + 12);
      if ((status & 1) === 0) return parts;
      const bytes = [...ram.slice(RX_BUFFERS_GPA + BUFFER_SPACING * this.#rxSeen, ram.readU16(at + 8))];
      parts.push({
        bytes,
        status,
        checksum: ram.readU16(at + 10),
        errors: ram.readU8(at + 13),
        special: ram.readU16(at + 14),
      });
      ram.writeU8(at + 12, 0);
      this.#rxSeen = (this.#rxSeen + 1) % this.rxCount;
    }
  }

  /** Queues a descriptor with these words; returns where it is. */
  queue(address: number, word2: number, word3: number): number {
    const { ram } = this.on;
    const at = TX_RING_GPA + DESCRIPTOR_BYTES * this.#txTail;
    ram.writeU64(at, BigInt(address));
    ram.writeU32(at + 8, word2 >>> 0);
    ram.writeU32(at + 12, word3 >>> 0);
    this.#txTail = (this.#txTail + 1) % this.txCount;
    return at;
  }

  /** A data buffer of its own for each call. */
  buffer(bytes: Uint8Array): number {
    const gpa = TX_BUFFERS_GPA + TX_SPACING * (this.#txBuffers++ % 16);
    this.on.ram.write(gpa, bytes);
    return gpa;
  }

  kick(): void {
    this.write("tdt", this.#txTail);
  }

  /** Sends a frame by one legacy descriptor: end of packet, FCS by the card, report of its status. */
  send(frame: Uint8Array, command = 0x0b, { css = 0, cso = 0, special = 0 } = {}): void {
    this.queue(
      this.buffer(frame),
      frame.length | (cso << 16) | (command << 24),
      (css << 8) | (special << 16),
    );
    this.kick();
  }

  /** Lets guest time pass, and timers run. */
  pass(ns: number): void {
    this.on.clock.advance(ns);
    this.on.timers.runDue(this.on.clock.nowNs());
  }
}
