/**
 * One channel of an 8237A: current and base registers, mode, and the cycles that move its data. Addresses count in bytes,
 * or in words of two bytes on the PC's second controller, whose address lines lie one higher.
 *
 * Demand, single and block mode differ in who has the bus between two bytes, which nobody can see here: in each of them
 * a device is served as far as it asks, at most to the terminal count.
 */

import { allOnes } from "../../base/index.ts";
import type { DeviceState, Dma, IsaDmaTransfer, RegisterHooks, StateReader } from "../../hw/index.ts";
import { defineRegisters, RegisterFile } from "../../hw/index.ts";

const REGISTERS = defineRegisters({
  address: { at: 0, read: "readAddress", write: "addressWritten" },
  count: { at: 1, read: "readCount", write: "countWritten" },
});
export const CHANNEL_REGISTERS = 2;

/** The mode register (data sheet, figure 5), without the channel number. */
const MODE = { transfer: 0x0c, autoInitialize: 0x10, decrement: 0x20, service: 0xc0 } as const;
const MODE_BITS = 0xfc;
export const TRANSFER = { verify: 0x00, write: 0x04, read: 0x08 } as const;
const CASCADE = 0xc0;

/** What the bus carries when nobody drives it. */
const FLOATING = 0xff;
/** Memory is there or not there by whole pieces of this size. */
const PIECE_BYTES = 4096;
const NO_TRANSFER: IsaDmaTransfer = { countBytes: 0, isTerminal: false };

/** The first/last flip-flop, which the channels of one controller share: whether the high byte is next. */
export interface BytePointer {
  isHigh: boolean;
}

export class DmaChannel implements RegisterHooks<typeof REGISTERS> {
  readonly registers = new RegisterFile(REGISTERS, this);
  /** The page register: the address bits above the channel's own sixteen. */
  page = 0;
  /** DREQ. */
  isRequested = false;
  /** Told when a request that is up has become one that is served. */
  granted: () => void = () => {};
  readonly #unitBytes: 1 | 2;
  readonly #pointer: BytePointer;
  readonly #memory: Dma;
  readonly #piece = new Uint8Array(PIECE_BYTES);
  #mode = 0;
  #baseAddress = 0;
  #baseCount = 0;
  #address = 0;
  /** Units left, less one. */
  #count = 0;

  constructor(unitBytes: 1 | 2, pointer: BytePointer, memory: Dma) {
    this.#unitBytes = unitBytes;
    this.#pointer = pointer;
    this.#memory = memory;
  }

  /** As at power-on. The pins' levels are their drivers'. */
  reset(): void {
    this.page = 0;
    this.#mode = 0;
    this.#baseAddress = 0;
    this.#baseCount = 0;
    this.#address = 0;
    this.#count = 0;
  }

  save(): DeviceState {
    return {
      page: this.page,
      mode: this.#mode,
      baseAddress: this.#baseAddress,
      baseCount: this.#baseCount,
      address: this.#address,
      count: this.#count,
    };
  }

  restore(reader: StateReader): void {
    this.page = reader.u8("page");
    this.#mode = reader.u8("mode") & MODE_BITS;
    this.#baseAddress = reader.u16("baseAddress");
    this.#baseCount = reader.u16("baseCount");
    this.#address = reader.u16("address");
    this.#count = reader.u16("count");
  }

  // Register hooks.

  readAddress(): number {
    return this.#readHalf(this.#address);
  }

  addressWritten(written: number): void {
    this.#baseAddress = this.#withHalf(this.#baseAddress, written);
    this.#address = this.#baseAddress;
  }

  readCount(): number {
    return this.#readHalf(this.#count);
  }

  countWritten(written: number): void {
    this.#baseCount = this.#withHalf(this.#baseCount, written);
    this.#count = this.#baseCount;
  }

  // What its controller asks.

  setMode(written: number): void {
    this.#mode = written & MODE_BITS;
  }

  get isCascade(): boolean {
    return (this.#mode & MODE.service) === CASCADE;
  }

  get isAutoInitialized(): boolean {
    return (this.#mode & MODE.autoInitialize) !== 0;
  }

  /** Autoinitialize: the current registers become the base registers. */
  reload(): void {
    this.#address = this.#baseAddress;
    this.#count = this.#baseCount;
  }

  /** Serves a device that has bytes for memory. */
  toMemory(source: Uint8Array): IsaDmaTransfer {
    const transfer = this.#transferFor(TRANSFER.write);
    if (transfer === undefined) return NO_TRANSFER;
    return this.#cycles(source.length, (gpa, first, last) => {
      if (transfer === TRANSFER.write) this.#write(gpa, source, first, last);
    });
  }

  /** Serves a device that wants bytes of memory. In a verify transfer it gets the idle bus. */
  fromMemory(target: Uint8Array): IsaDmaTransfer {
    const transfer = this.#transferFor(TRANSFER.read);
    if (transfer === undefined) return NO_TRANSFER;
    return this.#cycles(target.length, (gpa, first, last) => {
      if (transfer === TRANSFER.read) this.#read(gpa, target, first, last);
      else target.fill(FLOATING, first, last);
    });
  }

  /** A software request: cycles without a device, to the terminal count. */
  runAlone(): void {
    const transfer = this.#mode & MODE.transfer;
    const idle = new Uint8Array(PIECE_BYTES).fill(FLOATING);
    this.#cycles((this.#count + 1) * this.#unitBytes, (gpa, first, last) => {
      if (transfer === TRANSFER.write) this.#write(gpa, idle, 0, last - first);
    });
  }

  /** The address of the current unit of memory, from which the channel goes on unless it holds. */
  nextAddress(isHeld: boolean): number {
    const gpa = this.#gpa();
    if (!isHeld) this.#advance(1);
    return gpa;
  }

  /** Counts one unit; true at the terminal count. */
  countUnit(): boolean {
    const isTerminal = this.#count === 0;
    this.#count = (this.#count - 1) & 0xffff;
    return isTerminal;
  }

  // Workings.

  /** What a channel programmed for `wanted` or for verifying does; undefined when it is programmed the other way. */
  #transferFor(wanted: number): number | undefined {
    const transfer = this.#mode & MODE.transfer;
    return transfer === wanted || transfer === TRANSFER.verify ? transfer : undefined;
  }

  /**
   * Counts cycles for up to `lengthBytes` bytes, in pieces that lie together in memory: bytes `first` to `last` of the
   * transfer belong at `gpa`.
   */
  #cycles(lengthBytes: number, move: (gpa: number, first: number, last: number) => void): IsaDmaTransfer {
    const units = Math.min(Math.floor(lengthBytes / this.#unitBytes), this.#count + 1);
    const isTerminal = units > this.#count;
    for (let done = 0; done < units;) {
      const piece = Math.min(units - done, this.#unitsInPiece());
      // A downward piece ends at the current unit.
      const start = this.#isDown ? this.#address - (piece - 1) : this.#address;
      move(this.#gpa(start), done * this.#unitBytes, (done + piece) * this.#unitBytes);
      this.#advance(piece);
      done += piece;
    }
    this.#count = (this.#count - units) & 0xffff;
    return { countBytes: units * this.#unitBytes, isTerminal };
  }

  /** Units from the current one to where its piece of memory, or the sixteen bits, end. */
  #unitsInPiece(): number {
    const pieceUnits = PIECE_BYTES / this.#unitBytes;
    const offset = this.#address % pieceUnits;
    return this.#isDown ? offset + 1 : pieceUnits - offset;
  }

  #write(gpa: number, source: Uint8Array, first: number, last: number): void {
    const bytes = source.subarray(first, last);
    this.#memory.write(gpa, this.#isDown ? this.#turned(bytes) : bytes);
  }

  /** Where there is no RAM the bus floats. */
  #read(gpa: number, target: Uint8Array, first: number, last: number): void {
    const bytes = target.subarray(first, last);
    if (!this.#memory.read(gpa, bytes)) bytes.fill(FLOATING);
    else if (this.#isDown) bytes.set(this.#turned(bytes));
  }

  /** The units of `bytes` in the opposite order. */
  #turned(bytes: Uint8Array): Uint8Array {
    const turned = this.#piece.subarray(0, bytes.length);
    for (let at = 0; at < bytes.length; at += this.#unitBytes) {
      turned.set(bytes.subarray(at, at + this.#unitBytes), bytes.length - at - this.#unitBytes);
    }
    return turned;
  }

  get #isDown(): boolean {
    return (this.#mode & MODE.decrement) !== 0;
  }

  /** Sixteen bits: the page register stays. */
  #advance(units: number): void {
    this.#address = (this.#address + (this.#isDown ? -units : units)) & allOnes(2);
  }

  /** Words leave out bit 0 of the page, whose place their own sixteen bits reach. */
  #gpa(address = this.#address): number {
    const page = this.#unitBytes === 2 ? this.page & ~1 : this.page;
    return page * 0x1_0000 + address * this.#unitBytes;
  }

  #readHalf(value: number): number {
    const half = this.#pointer.isHigh ? value >> 8 : value & 0xff;
    this.#pointer.isHigh = !this.#pointer.isHigh;
    return half;
  }

  #withHalf(value: number, written: number): number {
    const { isHigh } = this.#pointer;
    this.#pointer.isHigh = !isHigh;
    return isHigh ? (value & 0x00ff) | (written << 8) : (value & 0xff00) | written;
  }
}
