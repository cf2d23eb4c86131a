/**
 * Realtek's RTL8139C (RTL8139C(L) data sheet): a fast Ethernet card with four transmit descriptors in registers and one
 * receive buffer in memory that frames are written into one behind the other.
 *
 * A frame for which the buffer has no room waits in the network, so that it never overflows. Missing on purpose: the
 * descriptor rings of the RTL8139C+, early interrupts, power management and waking up, the boot ROM, and what configuration
 * registers do beyond being kept.
 */

import {
  asMmio,
  asPorts,
  BusMasterDma,
  PCI_PIN,
  PciConfigSpace,
  RegisterFile,
  StateReader,
} from "../../hw/index.ts";
import type {
  AccessSize,
  Clock,
  DeviceState,
  Dma,
  IrqLine,
  PciBuses,
  PciFunction,
  RegisterHooks,
  Timers,
} from "../../hw/index.ts";
import { FRAME_BYTES_MAX } from "../../net/index.ts";
import type { NetworkLink } from "../../net/index.ts";
import { LinkPort } from "../ethernet/link-port.ts";
import { EEPROM_WORDS, MicrowireEeprom } from "../ethernet/microwire-eeprom.ts";
import { RoomReminder } from "../ethernet/room-reminder.ts";
import { GeneralTimer } from "./general-timer.ts";
import { ReceiveBuffer } from "./receive-buffer.ts";
import {
  ADDRESS_REGISTERS,
  BMCR,
  CR,
  EEPROM_COMMAND,
  GUARDED_REGISTERS,
  ISR,
  MSR_LINK_DOWN,
  MULTICAST_REGISTERS,
  REGISTER_BYTES,
  REGISTERS,
  TCR_LOOPBACK,
  TRANSMIT_ADDRESS,
  TRANSMIT_STATUS,
  TSD,
} from "./registers.ts";
import type { Rtl8139Registers } from "./registers.ts";

export interface Rtl8139Config {
  /** Unique on the board. */
  readonly name: string;
  /** MAC_ADDRESS_BYTES of a single station's address. */
  readonly macAddress: Uint8Array;
  readonly link: NetworkLink;
  readonly dma: Dma;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly buses: PciBuses;
  /** INTA# of the function's place. */
  readonly pin: IrqLine;
}

const IDENTITY = {
  vendorId: 0x10ec,
  deviceId: 0x8139,
  subsystemVendorId: 0x10ec,
  subsystemId: 0x8139,
} as const;
/** From 20h on drivers take it for an RTL8139C+. */
const REVISION_ID = 0x10;
/** The word of the EEPROM that says that it is one, and where it has the address. */
const EEPROM = { signature: 0x8129, address: 7 } as const;
const DESCRIPTORS = 4;
/** 10 and 100 Mb/s in both duplexes, management without preamble, negotiation, extended registers. */
const BMSR = { abilities: 0x7849, negotiated: 1 << 5, link: 1 << 2 } as const;
/** 10 and 100 Mb/s in both duplexes, flow control. */
const PARTNER_ABILITY = 0x45e1;

export class Rtl8139 implements PciFunction, RegisterHooks<Rtl8139Registers> {
  readonly name: string;
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #eeprom: MicrowireEeprom;
  readonly #timer: GeneralTimer;
  readonly #receiveBuffer: ReceiveBuffer;
  readonly #port: LinkPort;
  readonly #reminder: RoomReminder;
  readonly #config: PciConfigSpace;
  readonly #pin: IrqLine;
  readonly #dma: Dma;
  readonly #frame = new Uint8Array(FRAME_BYTES_MAX);
  /** The descriptor that is sent next. */
  #next = 0;
  #isSending = false;
  /** Guarded registers as they were when they were last written unlocked. */
  readonly #guarded = new Uint8Array(GUARDED_REGISTERS.length);

  constructor(config: Rtl8139Config) {
    const { name, macAddress, link, clock, timers } = config;
    this.name = name;
    this.#eeprom = new MicrowireEeprom(makeWords(macAddress));
    const block = {
      read: (offset: number, size: AccessSize) => this.#registers.read(offset, size),
      write: (offset: number, size: AccessSize, value: number) => this.#registers.write(offset, size, value),
    };
    this.#config = new PciConfigSpace({
      name,
      identity: {
        ...IDENTITY,
        revisionId: REVISION_ID,
        baseClass: 0x02,
        subClass: 0x00,
        interruptPin: PCI_PIN.inta,
      },
      buses: config.buses,
      bars: [
        { kind: "ports", sizeBytes: REGISTER_BYTES, handler: asPorts(block) },
        { kind: "memory", sizeBytes: REGISTER_BYTES, handler: asMmio(block) },
      ],
    });
    this.#pin = this.#config.connectPin(config.pin);
    this.#dma = new BusMasterDma(config.dma, this.#config);
    this.#timer = new GeneralTimer(clock, timers, () => this.#raise(ISR.timeOut));
    this.#receiveBuffer = new ReceiveBuffer(this.#registers.values, this.#dma);
    this.#port = new LinkPort(link, {
      frameArrived: (frame) => this.#isLoopback || this.#receive(frame),
      linkChanged: () => this.#raise(ISR.linkChange),
    });
    this.#reminder = new RoomReminder(
      clock,
      timers,
      () => this.#port.isAwaited,
      () => this.#raise(ISR.received),
    );
    this.#resetAll();
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    const wasBusMaster = this.#config.isBusMaster;
    this.#config.write(offset, size, value);
    if (!wasBusMaster && this.#config.isBusMaster) this.#transmit();
  }

  reset(): void {
    this.#resetAll();
    this.#config.reset();
  }

  save(): DeviceState {
    return {
      config: this.#config.save(),
      registers: this.#registers.save(),
      eeprom: this.#eeprom.save(),
      timer: this.#timer.save(),
      next: this.#next,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#config.restore(reader.object("config"));
    this.#registers.restore(reader.object("registers"), `${this.name}.registers`);
    this.#eeprom.restore(reader.child("eeprom"));
    this.#timer.restore(reader.child("timer"));
    this.#next = reader.integer("next", DESCRIPTORS - 1);
    this.#keepGuarded();
    this.#drive();
    this.#reminder.reset();
    this.#port.reset();
  }

  // Register hooks: commands and configuration.

  readCommand(stored: number): number {
    return stored | (this.#receiveBuffer.isEmpty ? CR.bufferEmpty : 0);
  }

  commandWritten(written: number): void {
    if ((written & CR.reset) !== 0) {
      this.#softReset();
      return;
    }
    this.#transmit();
    this.#port.roomAgain();
  }

  guardedWritten(): void {
    const mode = this.#registers.values.eepromCommand & EEPROM_COMMAND.mode.mask;
    if (mode === EEPROM_COMMAND.mode.unlock) this.#keepGuarded();
    else this.#restoreGuarded();
  }

  /** The EEPROM's wires are the driver's only while it programs it. */
  readEeprom(stored: number): number {
    const mode = stored & EEPROM_COMMAND.mode.mask;
    const isOut = mode === EEPROM_COMMAND.mode.program && this.#eeprom.dataOut;
    return stored | (isOut ? EEPROM_COMMAND.dataOut : 0);
  }

  eepromWritten(written: number): void {
    const { mask, autoLoad, program } = EEPROM_COMMAND.mode;
    const mode = written & mask;
    const has = (pin: number): boolean => mode === program && (written & pin) !== 0;
    this.#eeprom.drive(has(EEPROM_COMMAND.select), has(EEPROM_COMMAND.clock), has(EEPROM_COMMAND.dataIn));
    if (mode !== autoLoad) return;
    this.#loadAddress();
    this.#registers.values.eepromCommand = 0;
  }

  // Register hooks: transmission.

  transmitStatusWritten(): void {
    this.#transmit();
  }

  /** Of all descriptors: OK, underrun, abort and OWN, four bits each from above. */
  readTransmitSummary(): number {
    let summary = 0;
    TRANSMIT_STATUS.forEach((name, index) => {
      const status = this.#registers.values[name];
      if ((status & TSD.ok) !== 0) summary |= 1 << (12 + index);
      if ((status & TSD.own) !== 0) summary |= 1 << index;
    });
    return summary;
  }

  // Register hooks: reception and interrupts.

  readPointerWritten(): void {
    this.#port.roomAgain();
  }

  receiverChanged(): void {
    this.#port.roomAgain();
  }

  interruptChanged(): void {
    this.#drive();
  }

  // Register hooks: the timer.

  readTimer(): number {
    return this.#timer.count;
  }

  timerWritten(): void {
    this.#timer.restart();
  }

  timerInterruptWritten(written: number): void {
    this.#timer.interruptAt(written);
  }

  // Register hooks: the link.

  readMediaStatus(stored: number): number {
    return stored | (this.#port.isUp ? 0 : MSR_LINK_DOWN);
  }

  /** A negotiation and a reset are done at once. */
  mediaControlWritten(written: number): void {
    const { values } = this.#registers;
    if ((written & BMCR.reset) !== 0) values.bmcr = REGISTERS.bmcr.reset;
  }

  readMediaCapabilities(): number {
    return BMSR.abilities | (this.#port.isUp ? BMSR.link | BMSR.negotiated : 0);
  }

  readPartner(): number {
    return this.#port.isUp ? PARTNER_ABILITY : 0;
  }

  readExpansion(): number {
    return this.#port.isUp ? 1 : 0;
  }

  readReserved(): number {
    return 0;
  }

  // Workings: resets.

  #resetAll(): void {
    this.#registers.reset();
    this.#eeprom.reset();
    this.#timer.reset();
    this.#next = 0;
    this.#loadAddress();
    this.#drive();
    this.#reminder.reset();
    this.#port.reset();
  }

  /** Addresses, the configuration and the link stay as they are (section 5.7). */
  #softReset(): void {
    const { values } = this.#registers;
    const kept = { ...values };
    this.#registers.reset();
    for (const name of [...GUARDED_REGISTERS, ...MULTICAST_REGISTERS]) values[name] = kept[name];
    for (const name of ["eepromCommand", "bmcr", "anar"] as const) values[name] = kept[name];
    this.#timer.reset();
    this.#next = 0;
    this.#drive();
    this.#reminder.reset();
    this.#port.reset();
  }

  #loadAddress(): void {
    ADDRESS_REGISTERS.forEach((name, index) => {
      const word = this.#eeprom.word(EEPROM.address + (index >>> 1));
      this.#registers.values[name] = (word >>> (8 * (index & 1))) & 0xff;
    });
    this.#keepGuarded();
  }

  #keepGuarded(): void {
    GUARDED_REGISTERS.forEach((name, index) => (this.#guarded[index] = this.#registers.values[name]));
  }

  #restoreGuarded(): void {
    GUARDED_REGISTERS.forEach((name, index) => (this.#registers.values[name] = this.#guarded[index] ?? 0));
  }

  // Workings: sending and receiving.

  get #isLoopback(): boolean {
    return (this.#registers.values.tcr & TCR_LOOPBACK) === TCR_LOOPBACK;
  }

  /** Descriptors are sent in their order: each that the driver has given away, up to the first that it has not. */
  #transmit(): void {
    const { values } = this.#registers;
    if (this.#isSending || !this.#config.isBusMaster) return;
    this.#isSending = true;
    // What comes back meanwhile cannot give another descriptor away.
    for (let count = 0; count < DESCRIPTORS && (values.cr & CR.transmitter) !== 0; count++) {
      const status = values[TRANSMIT_STATUS[this.#next] ?? "tsd0"];
      if ((status & TSD.own) !== 0) break;
      this.#send(values[TRANSMIT_ADDRESS[this.#next] ?? "tsad0"], status & TSD.sizeMask);
      values[TRANSMIT_STATUS[this.#next] ?? "tsd0"] = status | TSD.own | TSD.ok;
      this.#next = (this.#next + 1) % DESCRIPTORS;
      this.#raise(ISR.transmitted);
    }
    this.#isSending = false;
  }

  /** What is too long for Ethernet or not in RAM is lost. */
  #send(gpa: number, lengthBytes: number): void {
    if (lengthBytes > FRAME_BYTES_MAX) return;
    const frame = this.#frame.subarray(0, lengthBytes);
    if (!this.#dma.read(gpa, frame)) return;
    if (this.#isLoopback) this.#receive(frame);
    else this.#port.send(frame);
  }

  #receive(frame: Uint8Array): boolean {
    if ((this.#registers.values.cr & CR.receiver) === 0 || !this.#config.isBusMaster) return true;
    const result = this.#receiveBuffer.receive(frame);
    if (result === "stored") this.#raise(ISR.received);
    else if (result === "no-room") this.#reminder.refused();
    return result !== "no-room";
  }

  #raise(bits: number): void {
    this.#registers.values.isr |= bits;
    this.#drive();
  }

  #drive(): void {
    const { isr, imr } = this.#registers.values;
    this.#pin.set((isr & imr) !== 0);
  }
}

function makeWords(macAddress: Uint8Array): Uint16Array {
  const words = new Uint16Array(EEPROM_WORDS);
  const { vendorId, deviceId, subsystemVendorId, subsystemId } = IDENTITY;
  words.set([EEPROM.signature, vendorId, deviceId, subsystemVendorId, subsystemId]);
  for (let index = 0; index < 3; index++) {
    words[EEPROM.address + index] = (macAddress[2 * index] ?? 0) | ((macAddress[2 * index + 1] ?? 0) << 8);
  }
  return words;
}
