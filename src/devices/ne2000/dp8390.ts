/**
 * National Semiconductor's DP8390 network interface controller (DP8390D/NS32490D data sheet) with the memory of an NE2000:
 * received frames go into a ring of pages of 256 bytes, a frame to be sent lies in memory, and the processor reaches that
 * memory by remote DMA through a data port. As Realtek's RTL8029AS has it, with that chip's identification.
 *
 * Frames for which the ring has no room wait in the network, so that it never overflows. Missing on purpose: the "send
 * packet" command, the FIFO and the addresses of the local DMA, the tally counters, whose errors do not happen here, and
 * Realtek's EEPROM and configuration registers (page 3 reads as zeros but for the chip's identification).
 */

import { RegisterFile } from "../../hw/index.ts";
import type {
  AccessSize,
  Clock,
  DeviceState,
  IrqLine,
  RegisterHooks,
  StateReader,
  Timers,
} from "../../hw/index.ts";
import { FRAME_BYTES_MAX, FRAME_BYTES_MIN, MAC_ADDRESS_BYTES } from "../../net/index.ts";
import type { NetworkLink } from "../../net/index.ts";
import { isBroadcast, isFor, isGroup } from "../ethernet/addresses.ts";
import { appendFrameCheckSequence, FCS_BYTES, multicastHash } from "../ethernet/frame-check-sequence.ts";
import { LinkPort } from "../ethernet/link-port.ts";
import { RoomReminder } from "../ethernet/room-reminder.ts";
import { Ne2000Memory } from "./ne2000-memory.ts";
import {
  ADDRESS_REGISTERS,
  CR,
  DATA_PORT,
  DCR_WORDS,
  ISR,
  MULTICAST_REGISTERS,
  PAGES,
  RCR,
  REGISTERS,
  RESET_PORT,
  RSR,
  TCR_LOOPBACK,
  TSR_TRANSMITTED,
} from "./registers.ts";
import type { Dp8390Registers } from "./registers.ts";

/** Registers, data port, reset port. */
export const NE2000_PORT_BYTES = 0x20;
const PAGE_BYTES = 256;
/** Status, next page, and two bytes of length, before each frame in the ring. */
const RING_HEADER_BYTES = 4;
const U16 = 0xffff;

export interface Dp8390Config {
  /** MAC_ADDRESS_BYTES of a single station's address, which drivers find in the PROM. */
  readonly macAddress: Uint8Array;
  readonly link: NetworkLink;
  readonly irq: IrqLine;
  readonly clock: Clock;
  readonly timers: Timers;
}

export class Dp8390 implements RegisterHooks<Dp8390Registers> {
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #memory: Ne2000Memory;
  readonly #port: LinkPort;
  readonly #irq: IrqLine;
  readonly #reminder: RoomReminder;
  /** Address and count of the remote DMA. */
  #remoteAddress = 0;
  #remoteCount = 0;
  /** A frame as it goes into the ring. */
  readonly #bytes = new Uint8Array(RING_HEADER_BYTES + FRAME_BYTES_MAX + FCS_BYTES);
  readonly #frame = this.#bytes.subarray(RING_HEADER_BYTES);
  readonly #ownAddress = new Uint8Array(MAC_ADDRESS_BYTES);

  constructor({ macAddress, link, irq, clock, timers }: Dp8390Config) {
    this.#memory = new Ne2000Memory(macAddress);
    this.#irq = irq;
    this.#port = new LinkPort(link, {
      frameArrived: (frame) => this.#frameArrived(frame),
      // The chip knows nothing of its link.
      linkChanged: () => undefined,
    });
    this.#reminder = new RoomReminder(
      clock,
      timers,
      () => this.#port.isAwaited,
      () => this.#raise(ISR.received),
    );
  }

  // The bus.

  read(offset: number, size: AccessSize): number {
    if (offset < DATA_PORT) return this.#registers.read(offset, size);
    if (offset < RESET_PORT) return this.#readData(size);
    this.reset();
    return 0;
  }

  write(offset: number, size: AccessSize, value: number): void {
    if (offset < DATA_PORT) this.#registers.write(offset, size, value);
    else if (offset < RESET_PORT) this.#writeData(size, value);
    // A write to the reset port ends the reset, which a read has begun.
  }

  // Lifecycle.

  /** Memory keeps what it has. */
  reset(): void {
    this.#registers.reset();
    this.#registers.bank = PAGES[0];
    this.#remoteAddress = 0;
    this.#remoteCount = 0;
    this.#drive();
    this.#reminder.reset();
    this.#port.reset();
  }

  save(): DeviceState {
    return {
      registers: this.#registers.save(),
      memory: this.#memory.save(),
      remoteAddress: this.#remoteAddress,
      remoteCount: this.#remoteCount,
    };
  }

  restore(reader: StateReader, path: string): void {
    this.#registers.restore(reader.object("registers"), `${path}.registers`);
    this.#memory.restore(reader.child("memory"));
    this.#remoteAddress = reader.u16("remoteAddress");
    this.#remoteCount = reader.u16("remoteCount");
    this.#drive();
    this.#reminder.reset();
    this.#port.reset();
  }

  // Register hooks: commands.

  commandWritten(written: number): void {
    const { values } = this.#registers;
    values.cr = written & ~CR.transmit;
    this.#registers.bank = PAGES[written >>> CR.page.shift] ?? PAGES[0];
    if ((written & CR.stop) !== 0) {
      values.isr |= ISR.reset;
      return;
    }
    if ((written & CR.start) !== 0) values.isr &= ~ISR.reset;
    const { read, write } = CR.remote;
    const remote = (written >>> CR.remote.shift) & CR.remote.mask;
    if ((remote === read || remote === write) && this.#remoteCount === 0) this.#raise(ISR.remoteComplete);
    if ((written & CR.transmit) !== 0 && this.#isStarted) this.#transmit();
    this.#port.roomAgain();
  }

  boundaryWritten(): void {
    this.#port.roomAgain();
  }

  receiverChanged(): void {
    this.#port.roomAgain();
  }

  interruptChanged(): void {
    this.#drive();
  }

  remoteAddressLowWritten(written: number): void {
    this.#remoteAddress = (this.#remoteAddress & 0xff00) | written;
  }

  remoteAddressHighWritten(written: number): void {
    this.#remoteAddress = (this.#remoteAddress & 0xff) | (written << 8);
  }

  remoteCountLowWritten(written: number): void {
    this.#remoteCount = (this.#remoteCount & 0xff00) | written;
  }

  remoteCountHighWritten(written: number): void {
    this.#remoteCount = (this.#remoteCount & 0xff) | (written << 8);
  }

  // Register hooks: what is read elsewhere than it is written.

  readZero(): number {
    return 0;
  }

  /** The local DMA stands at the start of a page whenever somebody can look. */
  readCurrentLow(): number {
    return 0;
  }

  readCurrent(): number {
    return this.#registers.values.curr;
  }

  readRemoteLow(): number {
    return this.#remoteAddress & 0xff;
  }

  readRemoteHigh(): number {
    return this.#remoteAddress >>> 8;
  }

  readPstart(): number {
    return this.#registers.values.pstart;
  }

  readPstop(): number {
    return this.#registers.values.pstop;
  }

  readTpsr(): number {
    return this.#registers.values.tpsr;
  }

  readRcr(): number {
    return this.#registers.values.rcr;
  }

  readTcr(): number {
    return this.#registers.values.tcr;
  }

  readDcr(): number {
    return this.#registers.values.dcr;
  }

  readImr(): number {
    return this.#registers.values.imr;
  }

  /** From a start command to the next stop: commands with neither of the two bits, as drivers use them, change nothing. */
  get #isStarted(): boolean {
    return (this.#registers.values.isr & ISR.reset) === 0;
  }

  // Workings: remote DMA.

  /** Units of a transfer: words if the driver has said so, of which a double word is two; bytes one at a time. */
  #readData(size: AccessSize): number {
    if ((this.#registers.values.dcr & DCR_WORDS) === 0) return this.#readBytes(1);
    if (size === 4) return (this.#readBytes(2) | (this.#readBytes(2) << 16)) >>> 0;
    return this.#readBytes(2) & (size === 1 ? 0xff : U16);
  }

  #writeData(size: AccessSize, value: number): void {
    if ((this.#registers.values.dcr & DCR_WORDS) === 0) {
      this.#writeBytes(1, value);
      return;
    }
    this.#writeBytes(2, value);
    if (size === 4) this.#writeBytes(2, value >>> 16);
  }

  /** Without a count nothing is transferred. */
  #readBytes(count: number): number {
    if (this.#remoteCount === 0) return U16;
    let value = 0;
    for (let index = 0; index < count; index++) {
      value |= this.#memory.readByte((this.#remoteAddress + index) & U16) << (8 * index);
    }
    this.#remoteDone(count);
    return value;
  }

  #writeBytes(count: number, value: number): void {
    if (this.#remoteCount === 0) return;
    for (let index = 0; index < count; index++) {
      this.#memory.writeByte((this.#remoteAddress + index) & U16, (value >>> (8 * index)) & 0xff);
    }
    this.#remoteDone(count);
  }

  /** Reading goes round the receive ring with the frames in it. */
  #remoteDone(count: number): void {
    const { pstart, pstop } = this.#registers.values;
    this.#remoteAddress = (this.#remoteAddress + count) & U16;
    if (this.#remoteAddress === pstop * PAGE_BYTES) this.#remoteAddress = pstart * PAGE_BYTES;
    this.#remoteCount = Math.max(0, this.#remoteCount - count);
    if (this.#remoteCount === 0) this.#raise(ISR.remoteComplete);
  }

  // Workings: sending.

  /** In loopback a frame goes nowhere. */
  #transmit(): void {
    const { values } = this.#registers;
    const frame = this.#memory.slice(values.tpsr * PAGE_BYTES, values.tbcr0 | (values.tbcr1 << 8));
    if (frame !== undefined && (values.tcr & TCR_LOOPBACK) === 0) this.#port.send(frame);
    values.tsr = TSR_TRANSMITTED;
    this.#raise(ISR.transmitted);
  }

  // Workings: receiving.

  #frameArrived(frame: Uint8Array): boolean {
    const { values } = this.#registers;
    const isOn = this.#isStarted && (values.tcr & TCR_LOOPBACK) === 0;
    if (!isOn || (values.rcr & RCR.monitor) !== 0 || !this.#accepts(frame)) return true;

    const { pstart, pstop, bnry } = values;
    const ringPages = pstop - pstart;
    const frameBytes = Math.max(frame.length, FRAME_BYTES_MIN);
    const countBytes = frameBytes + FCS_BYTES;
    const pages = Math.ceil((RING_HEADER_BYTES + countBytes) / PAGE_BYTES);
    if (pages >= ringPages) return true;
    const curr = values.curr >= pstart && values.curr < pstop ? values.curr : pstart;
    // A ring of which both ends are on one page is empty, so it never gets full.
    const free = curr < bnry ? bnry - curr : ringPages - (curr - bnry);
    if (pages >= free) {
      this.#reminder.refused();
      return false;
    }

    const next = curr + pages < pstop ? curr + pages : curr + pages - ringPages;
    const status = RSR.received | (isGroup(frame) ? RSR.group : 0);
    this.#bytes.set([status, next, countBytes & 0xff, countBytes >>> 8]);
    this.#frame.set(frame);
    this.#frame.fill(0, frame.length, frameBytes);
    appendFrameCheckSequence(this.#frame, frameBytes);
    this.#store(curr, RING_HEADER_BYTES + countBytes);
    values.curr = next;
    values.rsr = status;
    this.#raise(ISR.received);
    return true;
  }

  /** Puts bytes into the ring from a page on. */
  #store(page: number, lengthBytes: number): void {
    const { pstart, pstop } = this.#registers.values;
    let at = page * PAGE_BYTES;
    for (let index = 0; index < lengthBytes; index++) {
      this.#memory.writeByte(at, this.#bytes[index] ?? 0);
      at++;
      if (at === pstop * PAGE_BYTES) at = pstart * PAGE_BYTES;
    }
  }

  #accepts(frame: Uint8Array): boolean {
    const { values } = this.#registers;
    if (isBroadcast(frame)) return (values.rcr & RCR.broadcast) !== 0;
    if (isGroup(frame)) {
      const hash = multicastHash(frame);
      const filter = values[MULTICAST_REGISTERS[hash >>> 3] ?? "mar0"];
      return (values.rcr & RCR.multicast) !== 0 && ((filter >>> (hash & 7)) & 1) !== 0;
    }
    if ((values.rcr & RCR.promiscuous) !== 0) return true;
    ADDRESS_REGISTERS.forEach((name, index) => (this.#ownAddress[index] = values[name]));
    return isFor(frame, this.#ownAddress);
  }

  // Workings: interrupts.

  #raise(bits: number): void {
    this.#registers.values.isr |= bits;
    this.#drive();
  }

  #drive(): void {
    const { isr, imr } = this.#registers.values;
    this.#irq.set((isr & imr & ISR.interrupts) !== 0);
  }
}
