/**
 * UART: National Semiconductor PC16550D (data sheet of June 1995; section numbers below are its own), in 16450
 * and FIFO mode, as Linux's 8250 driver and GNU Mach's com driver expect it.
 *
 * The transmitter takes no time: a byte written to THR is handed to the back end at once, and only a back end
 * that says it is full keeps THRE clear. Received bytes come from a host-side queue that refills the receive
 * FIFO as the guest reads it, so that input is never overrun. Baud rate matters only for the character time-out
 * interrupt. OUT2 gates the interrupt output, as the PC's serial adapter wires it.
 *
 * Deliberately missing: parity and framing errors (a byte stream has none), DMA modes of FCR bit 3, and modem
 * inputs that change while running.
 */

import type { Clock, Device, DeviceState, IrqLine, RegisterHooks, Timer, Timers } from "../../hw/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import { NS_PER_S } from "../../base/index.ts";
import { ByteQueue } from "../byte-queue.ts";

/** Where a UART's output goes. */
export interface SerialSink {
  /**
   * Takes one byte. Returning false asks the UART to hold further bytes back until its transmitReady() is called;
   * the byte given has still been taken.
   */
  transmit(byte: number): boolean;
}

export interface Uart16550Config {
  readonly name: string;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly irq: IrqLine;
  readonly sink: SerialSink;
}

/** Both FIFOs (8.0). */
export const FIFO_BYTES = 16;
/** Bytes the host may have waiting for the guest to read. */
export const MAX_PENDING_INPUT_BYTES = 64 * 1024;
/** Input clock of a PC's UART; the divisor counts in sixteenths of it (8.3). */
const UART_CLOCK_HZ = 1_843_200;

const REGISTERS = defineRegisters({
  rbr: { at: 0, access: "ro", read: "takeReceived" },
  thr: { at: 0, access: "wo", write: "transmitHolding" },
  ier: { at: 1, reset: 0, writable: 0x0f, write: "interruptEnableWritten" },
  iir: { at: 2, access: "ro", read: "identifyInterrupt" },
  fcr: { at: 2, access: "wo", reset: 0, writable: 0xc1, write: "fifoControlWritten" },
  lcr: { at: 3, reset: 0, write: "lineControlWritten" },
  mcr: { at: 4, reset: 0, writable: 0x1f, write: "modemControlWritten" },
  lsr: { at: 5, access: "ro", reset: 0x60, read: "readLineStatus" },
  msr: { at: 6, access: "ro", reset: 0, read: "readModemStatus" },
  scr: { at: 7, reset: 0 },
  dll: { at: 0, bank: "divisor", reset: 12 },
  dlm: { at: 1, bank: "divisor", reset: 0 },
});

const IER = { receivedData: 1, transmitterEmpty: 2, lineStatus: 4, modemStatus: 8 } as const;
const IIR = {
  modemStatus: 0x00,
  none: 0x01,
  transmitterEmpty: 0x02,
  receivedData: 0x04,
  lineStatus: 0x06,
  timeout: 0x0c,
  fifosEnabled: 0xc0,
} as const;
const FCR = { enable: 0x01, clearReceive: 0x02, clearTransmit: 0x04 } as const;
const LCR = { twoStopBits: 0x04, parity: 0x08, divisorLatch: 0x80 } as const;
const MCR = { dtr: 1, rts: 2, out1: 4, out2: 8, loop: 0x10 } as const;
const LSR = {
  dataReady: 1,
  overrun: 2,
  breakSeen: 0x10,
  holdingEmpty: 0x20,
  empty: 0x40,
  fifoError: 0x80,
} as const;
const MSR = { cts: 0x10, dsr: 0x20, ri: 0x40, dcd: 0x80, ringEnded: 0x04 } as const;

/** A received character that came with a break (bits 0–7 are the character). */
const BREAK = 0x100;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;

export class Uart16550 implements Device, RegisterHooks<typeof REGISTERS> {
  readonly name: string;
  readonly registers = new RegisterFile(REGISTERS, this);
  readonly #clock: Clock;
  readonly #timers: Timers;
  readonly #irq: IrqLine;
  readonly #sink: SerialSink;

  readonly #input = new ByteQueue(MAX_PENDING_INPUT_BYTES);
  readonly #received = new ByteQueue(FIFO_BYTES);
  readonly #sending = new ByteQueue(FIFO_BYTES);
  #sinkReady = true;
  /** THRE interrupt condition: set when THR empties or is enabled empty, reset by reading it in IIR (8.5). */
  #holdingEmptyPending = false;
  #timeoutPending = false;
  #timeoutTimer: Timer | undefined;

  constructor(config: Uart16550Config) {
    this.name = config.name;
    this.#clock = config.clock;
    this.#timers = config.timers;
    this.#irq = config.irq;
    this.#sink = config.sink;
    this.reset();
  }

  // The host's side.

  /** Queues as many of `bytes` as there is room for and returns that number; the rest is the caller's to retry. */
  receive(bytes: Uint8Array): number {
    let taken = 0;
    while (taken < bytes.length && this.#input.push(bytes[taken] ?? 0)) taken++;
    this.#refill();
    this.#update();
    return taken;
  }

  /** A break condition on the line (Linux's SysRq on a serial console). False when the queue is full. */
  receiveBreak(): boolean {
    const taken = this.#input.push(BREAK);
    this.#refill();
    this.#update();
    return taken;
  }

  /** Bytes given to receive() that the guest has not read. */
  get pendingInputBytes(): number {
    return this.#input.length + this.#received.length;
  }

  /** The sink that returned false can take bytes again. */
  transmitReady(): void {
    if (this.#sinkReady) return;
    this.#sinkReady = true;
    this.#drain();
    if (this.#isHoldingEmpty) this.#holdingEmptyPending = true;
    this.#update();
  }

  // Lifecycle.

  reset(): void {
    this.registers.reset();
    this.#received.clear();
    this.#sending.clear();
    this.#holdingEmptyPending = false;
    this.#cancelTimeout();
    this.registers.values.msr = this.#modemLines();
    this.#refill();
    this.#update();
  }

  save(): DeviceState {
    return {
      registers: this.registers.save(),
      received: this.#received.toArray(),
      sending: this.#sending.toArray(),
      holdingEmptyPending: this.#holdingEmptyPending,
      timeoutPending: this.#timeoutPending,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.registers.restore(reader.object("registers"), `${this.name}.registers`);
    this.#received.clear();
    for (const item of reader.integers("received", FIFO_BYTES, 0x1ff)) this.#received.push(item);
    this.#sending.clear();
    for (const item of reader.integers("sending", FIFO_BYTES, 0xff)) this.#sending.push(item);
    this.#holdingEmptyPending = reader.boolean("holdingEmptyPending");
    const timeoutPending = reader.boolean("timeoutPending");
    this.#restartTimeout();
    this.#timeoutPending = timeoutPending;
    this.#drain();
    this.#update();
  }

  // Register hooks.

  takeReceived(): number {
    this.#timeoutPending = false;
    if (this.#received.length === 0) return 0;
    const item = this.#received.shift();
    this.#refill();
    this.#restartTimeout();
    this.#update();
    return item & 0xff;
  }

  transmitHolding(byte: number): void {
    // The interrupt falls and rises again even though no time passes: an edge-triggered PIC must see it.
    this.#holdingEmptyPending = false;
    this.#update();
    if (this.#isLooping) {
      this.#arrive(byte);
    } else if (this.#sending.length < this.#depth) {
      this.#sending.push(byte);
      this.#drain();
    }
    // A guest that writes without THRE, while the back end is full and the FIFO too, loses the byte.
    if (this.#isHoldingEmpty) this.#holdingEmptyPending = true;
    this.#update();
  }

  interruptEnableWritten(written: number, before: number): void {
    // Enabling the interrupt while THR is empty raises it, which drivers use to start transmitting.
    const enabled = written & ~before & IER.transmitterEmpty;
    if (enabled !== 0 && this.#isHoldingEmpty) this.#holdingEmptyPending = true;
    this.#update();
  }

  identifyInterrupt(): number {
    const cause = this.#cause();
    if (cause === IIR.transmitterEmpty) {
      this.#holdingEmptyPending = false;
      this.#update();
    }
    return cause | (this.#hasFifos ? IIR.fifosEnabled : 0);
  }

  fifoControlWritten(written: number, before: number): void {
    // Turning FIFO mode on or off clears both FIFOs (8.4).
    const switched = ((written ^ before) & FCR.enable) !== 0;
    if (switched || (written & FCR.clearReceive) !== 0) {
      this.#received.clear();
      this.#cancelTimeout();
    }
    if (switched || (written & FCR.clearTransmit) !== 0) {
      this.#sending.clear();
    }
    this.#refill();
    this.#update();
  }

  lineControlWritten(written: number): void {
    this.registers.bank = (written & LCR.divisorLatch) !== 0 ? "divisor" : undefined;
  }

  modemControlWritten(): void {
    const { values } = this.registers;
    const lines = this.#modemLines();
    const changed = (values.msr ^ lines) & 0xf0;
    // Ring is noted only when it ends; the other three deltas note either edge (8.7).
    const ringEnded = (changed & values.msr & MSR.ri) !== 0 ? MSR.ringEnded : 0;
    values.msr = lines | (values.msr & 0x0f) | ((changed >> 4) & ~MSR.ringEnded) | ringEnded;
    this.#refill();
    this.#update();
  }

  readLineStatus(stored: number): number {
    let status = stored & LSR.overrun;
    if (this.#received.length > 0) {
      status |= LSR.dataReady;
      if ((this.#received.peek() & BREAK) !== 0) status |= LSR.breakSeen;
      if (this.#hasFifos && this.#received.hasBits(BREAK)) status |= LSR.fifoError;
    }
    if (this.#isHoldingEmpty) status |= LSR.holdingEmpty | LSR.empty;
    if ((status & (LSR.overrun | LSR.breakSeen)) !== 0) {
      // Reading takes note of the errors of the oldest character (8.6.4).
      this.registers.values.lsr &= ~LSR.overrun;
      if (this.#received.length > 0) this.#received.clearBitsOfFirst(BREAK);
      this.#update();
    }
    return status;
  }

  readModemStatus(stored: number): number {
    this.registers.values.msr = stored & 0xf0;
    this.#update();
    return stored;
  }

  // Workings.

  get #hasFifos(): boolean {
    return (this.registers.values.fcr & FCR.enable) !== 0;
  }

  /** Characters that each direction holds. */
  get #depth(): number {
    return this.#hasFifos ? FIFO_BYTES : 1;
  }

  get #isLooping(): boolean {
    return (this.registers.values.mcr & MCR.loop) !== 0;
  }

  get #isHoldingEmpty(): boolean {
    return this.#sending.length === 0 && (this.#sinkReady || this.#isLooping);
  }

  /** The modem inputs as MSR bits 4–7: a connected, always ready peer, or in loopback our own outputs (8.7). */
  #modemLines(): number {
    const { mcr } = this.registers.values;
    if ((mcr & MCR.loop) === 0) return MSR.cts | MSR.dsr | MSR.dcd;
    return (
      ((mcr & MCR.rts) !== 0 ? MSR.cts : 0) |
      ((mcr & MCR.dtr) !== 0 ? MSR.dsr : 0) |
      ((mcr & MCR.out1) !== 0 ? MSR.ri : 0) |
      ((mcr & MCR.out2) !== 0 ? MSR.dcd : 0)
    );
  }

  /** Moves bytes from the host's queue to the receiver while there is room. */
  #refill(): void {
    if (this.#isLooping || this.#input.length === 0) return;
    while (this.#input.length > 0 && this.#received.length < this.#depth) {
      this.#received.push(this.#input.shift());
    }
    this.#restartTimeout();
  }

  /** A looped character arrives; without room it is lost and the overrun is noted. */
  #arrive(byte: number): void {
    if (this.#received.length < this.#depth) this.#received.push(byte);
    else this.registers.values.lsr |= LSR.overrun;
    this.#restartTimeout();
  }

  #drain(): void {
    while (this.#sinkReady && this.#sending.length > 0) {
      this.#sinkReady = this.#sink.transmit(this.#sending.shift());
    }
  }

  get #triggerLevel(): number {
    if (!this.#hasFifos) return 1;
    return TRIGGER_LEVELS[this.registers.values.fcr >> 6] ?? 1;
  }

  /** Below the trigger level, waiting characters interrupt after four character times without traffic (8.4.2). */
  #restartTimeout(): void {
    this.#cancelTimeout();
    const waits = this.#received.length > 0 && this.#received.length < this.#triggerLevel;
    if (!waits) return;
    this.#timeoutTimer = this.#timers.schedule(this.#clock.nowNs() + 4 * this.#characterTimeNs, () => {
      this.#timeoutTimer = undefined;
      this.#timeoutPending = true;
      this.#update();
    });
  }

  #cancelTimeout(): void {
    this.#timeoutTimer?.cancel();
    this.#timeoutTimer = undefined;
    this.#timeoutPending = false;
  }

  get #characterTimeNs(): number {
    const { dll, dlm, lcr } = this.registers.values;
    // A divisor of 0 stops the hardware's baud generator; here it counts as the slowest one.
    const divisor = dll | (dlm << 8) || 0x1_0000;
    const dataBits = 5 + (lcr & 3);
    const bits = 1 + dataBits + ((lcr & LCR.parity) !== 0 ? 1 : 0) + ((lcr & LCR.twoStopBits) !== 0 ? 2 : 1);
    return Math.ceil((bits * 16 * divisor * NS_PER_S) / UART_CLOCK_HZ);
  }

  /** The enabled interrupt of the highest priority (table IV). */
  #cause(): number {
    const { ier, lsr, msr } = this.registers.values;
    const held = this.#received.length;
    if ((ier & IER.lineStatus) !== 0) {
      const hasBreak = held > 0 && (this.#received.peek() & BREAK) !== 0;
      if (hasBreak || (lsr & LSR.overrun) !== 0) return IIR.lineStatus;
    }
    if ((ier & IER.receivedData) !== 0) {
      if (held >= this.#triggerLevel) return IIR.receivedData;
      if (this.#timeoutPending) return IIR.timeout;
    }
    if ((ier & IER.transmitterEmpty) !== 0 && this.#holdingEmptyPending) return IIR.transmitterEmpty;
    if ((ier & IER.modemStatus) !== 0 && (msr & 0x0f) !== 0) return IIR.modemStatus;
    return IIR.none;
  }

  #update(): void {
    this.#irq.set(this.#cause() !== IIR.none && (this.registers.values.mcr & MCR.out2) !== 0);
  }
}
