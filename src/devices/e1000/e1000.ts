/**
 * Intel's 82540EM, the "PRO/1000 MT Desktop" (PCI/PCI-X Family of Gigabit Ethernet Controllers Software Developer's
 * Manual): a gigabit card that drivers of every system know. Its registers are in memory, and in I/O space through a window
 * of an address and a data register.
 *
 * Missing on purpose: message-signalled interrupts, PCI-X, power management and waking up; flow control, whose registers are
 * kept; the flash and the packet buffer's memory, which read as zeros; the TBI of fibre cards.
 */

import { BusMasterDma, Msi, PCI_PIN, PciConfigSpace, RegisterFile, StateReader } from "../../hw/index.ts";
import type {
  AccessSize,
  Clock,
  DeviceState,
  Dma,
  IrqLine,
  MmioHandler,
  PciBuses,
  PciFunction,
  PortHandler,
  RegisterHooks,
  SendMessage,
  Timers,
} from "../../hw/index.ts";
import type { NetworkLink } from "../../net/index.ts";
import { LinkPort } from "../ethernet/link-port.ts";
import { DelayTimer } from "./delay-timer.ts";
import { Eeprom } from "./eeprom.ts";
import { Interrupts } from "./interrupts.ts";
import { Phy } from "./phy.ts";
import { Receiver } from "./receiver.ts";
import {
  CTRL,
  CTRL_EXT_EEPROM_RESET,
  FLUSH,
  ICR,
  RCTL,
  REGISTER_SPACE_BYTES,
  REGISTERS,
  STATUS,
} from "./registers.ts";
import type { E1000Registers } from "./registers.ts";
import { Statistics } from "./statistics.ts";
import { Transmitter } from "./transmitter.ts";
import { WordTables } from "./word-tables.ts";

export interface E1000Config {
  /** Unique on the board. */
  readonly name: string;
  /** MAC_ADDRESS_BYTES of a single station's address. */
  readonly macAddress: Uint8Array;
  readonly link: NetworkLink;
  readonly dma: Dma;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly buses: PciBuses;
  readonly sendMessage: SendMessage;
  /** INTA# of the function's place. */
  readonly pin: IrqLine;
}

const IDENTITY = {
  vendorId: 0x8086,
  deviceId: 0x100e,
  subsystemVendorId: 0x8086,
  subsystemId: 0x001e,
} as const;
const REVISION_ID = 2;
/** Of the capability for messages, the last of the chip's list. */
const MSI_AT = 0xf0;
const IO_BAR_BYTES = 64;
const IO_DATA = 4;
const WORD_BYTES = 4;
const ADDRESS_VALID = 0x8000_0000;

const KNOWN: ReadonlySet<number> = new Set(Object.values(REGISTERS).map(({ at }) => at));

export class E1000 implements PciFunction, RegisterHooks<E1000Registers> {
  readonly name: string;
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #tables = new WordTables();
  readonly #statistics = new Statistics();
  readonly #eeprom: Eeprom;
  readonly #phy: Phy;
  readonly #interrupts: Interrupts;
  readonly #receiveDelay: DelayTimer;
  readonly #transmitDelay: DelayTimer;
  readonly #receiver: Receiver;
  readonly #transmitter: Transmitter;
  readonly #port: LinkPort;
  readonly #config: PciConfigSpace;
  readonly #macAddress: Uint8Array;
  /** What the window in I/O space shows. */
  #ioAddress = 0;

  constructor(config: E1000Config) {
    const { name, macAddress, link, clock, timers } = config;
    this.name = name;
    this.#macAddress = macAddress;
    const msi = new Msi((address, data) => {
      if (this.#config.isBusMaster) config.sendMessage(address, data);
    });
    this.#eeprom = new Eeprom({ macAddress, ...IDENTITY });
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
        { kind: "memory", sizeBytes: REGISTER_SPACE_BYTES, handler: this.#memory },
        undefined,
        { kind: "ports", sizeBytes: IO_BAR_BYTES, handler: this.#ports },
      ],
      capabilities: [msi.capability],
      capabilitiesAt: MSI_AT,
    });
    const dma = new BusMasterDma(config.dma, this.#config);
    const { values } = this.#registers;
    const parts = { values, dma, statistics: this.#statistics };
    const raise = (causes: number): void => this.#interrupts.raise(causes);
    const line = msi.carrying(this.#config.connectPin(config.pin));
    this.#interrupts = new Interrupts(line, clock, timers, () => values.itr);
    this.#receiveDelay = new DelayTimer(clock, timers, () => raise(ICR.receiverTimer));
    this.#transmitDelay = new DelayTimer(clock, timers, () => raise(ICR.transmitDescriptorWritten));
    this.#phy = new Phy(
      () => this.#port.isUp,
      () => raise(ICR.linkStatusChange),
    );
    this.#port = new LinkPort(link, {
      frameArrived: (frame) => this.#isLoopback || this.#receiver.receive(frame),
      linkChanged: (isUp) => this.#linkChanged(isUp),
    });
    this.#receiver = new Receiver({
      ...parts,
      raise,
      tables: this.#tables,
      received: () => this.#receiveDelay.happened(values.rdtr, values.radv),
    });
    const sendUnfinished = (frame: Uint8Array): void => this.#port.sendUnfinished(frame);
    this.#transmitter = new Transmitter({
      ...parts,
      raise,
      written: (mayWait) => this.#transmitDelay.happened(mayWait ? values.tidv : 0, values.tadv),
      send: (frame) => this.#send(frame),
      unfinished: () => (this.#port.takesUnfinished && !this.#isLoopback ? sendUnfinished : undefined),
    });
    this.#resetCard();
  }

  readConfig(offset: number, size: AccessSize): number {
    return this.#config.read(offset, size);
  }

  writeConfig(offset: number, size: AccessSize, value: number): void {
    const wasBusMaster = this.#config.isBusMaster;
    this.#config.write(offset, size, value);
    if (wasBusMaster || !this.#config.isBusMaster) return;
    this.#transmitter.run();
    this.#port.roomAgain();
  }

  reset(): void {
    this.#resetCard();
    this.#config.reset();
  }

  save(): DeviceState {
    return {
      config: this.#config.save(),
      registers: this.#registers.save(),
      tables: this.#tables.save(),
      statistics: this.#statistics.save(),
      eeprom: this.#eeprom.save(),
      phy: this.#phy.save(),
      interrupts: this.#interrupts.save(),
      receiveDelay: this.#receiveDelay.save(),
      transmitDelay: this.#transmitDelay.save(),
      transmitter: this.#transmitter.save(),
      ioAddress: this.#ioAddress,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#config.restore(reader.object("config"));
    this.#registers.restore(reader.object("registers"), `${this.name}.registers`);
    this.#tables.restore(reader.child("tables"));
    this.#statistics.restore(reader.child("statistics"));
    this.#eeprom.restore(reader.child("eeprom"));
    this.#phy.restore(reader.child("phy"));
    this.#receiveDelay.restore(reader.child("receiveDelay"));
    this.#transmitDelay.restore(reader.child("transmitDelay"));
    this.#transmitter.restore(reader.child("transmitter"));
    this.#interrupts.restore(reader.child("interrupts"));
    this.#ioAddress = reader.u32("ioAddress");
    this.#port.reset();
  }

  // Register hooks: control, status and what belongs to the card as a whole.

  readCtrl(): number {
    return this.#registers.values.ctrl;
  }

  ctrlWritten(written: number): void {
    if ((written & CTRL.reset) !== 0) this.#resetCard();
    else if ((written & CTRL.phyReset) !== 0) this.#phy.reset();
    this.#registers.values.ctrl &= ~CTRL.reset;
  }

  ctrlDuplicateWritten(written: number): void {
    this.#registers.write(0, WORD_BYTES, written);
  }

  readStatus(): number {
    return STATUS.fixed | (this.#port.isUp ? STATUS.linkUp : 0);
  }

  ctrlExtWritten(written: number): void {
    if ((written & CTRL_EXT_EEPROM_RESET) !== 0) this.#loadAddress();
  }

  readEecd(): number {
    return this.#eeprom.eecd;
  }

  eecdWritten(written: number): void {
    this.#eeprom.eecd = written;
  }

  eerdWritten(written: number): void {
    this.#registers.values.eerd = this.#eeprom.readByWord(written);
  }

  mdicWritten(written: number): void {
    const { mdic, interrupts } = this.#phy.access(written);
    this.#registers.values.mdic = mdic;
    if (interrupts) this.#interrupts.raise(ICR.mdioComplete);
  }

  // Register hooks: interrupts.

  /** Reading takes the causes away. */
  readIcr(): number {
    const { causes } = this.#interrupts;
    this.#interrupts.clear(causes);
    return causes;
  }

  icrWritten(written: number): void {
    this.#interrupts.clear(written);
  }

  peekIcr(): number {
    return this.#interrupts.causes;
  }

  icsWritten(written: number): void {
    this.#interrupts.raise(written);
  }

  readIms(): number {
    return this.#interrupts.mask;
  }

  imsWritten(written: number): void {
    this.#interrupts.enable(written);
  }

  readImc(): number {
    return 0;
  }

  imcWritten(written: number): void {
    this.#interrupts.disable(written);
  }

  // Register hooks: rings.

  receiverChanged(): void {
    this.#port.roomAgain();
  }

  transmitterChanged(): void {
    this.#transmitter.run();
  }

  rdtrWritten(written: number): void {
    if ((written & FLUSH) !== 0 && this.#receiveDelay.isWaiting) this.#receiveDelay.flush();
  }

  tidvWritten(written: number): void {
    if ((written & FLUSH) !== 0 && this.#transmitDelay.isWaiting) this.#transmitDelay.flush();
  }

  // Workings: the registers' places.

  /** All registers are 32 bits wide; what is no register reads as zeros. */
  #read(offset: number): number {
    if (KNOWN.has(offset)) return this.#registers.read(offset, WORD_BYTES);
    if (Statistics.has(offset)) return this.#statistics.read(offset);
    return this.#tables.read(offset) ?? 0;
  }

  #write(offset: number, value: number): void {
    if (KNOWN.has(offset)) this.#registers.write(offset, WORD_BYTES, value);
    else this.#tables.write(offset, value);
  }

  get #memory(): MmioHandler {
    return {
      readMmio: (offset, size) => {
        const inWord = offset % WORD_BYTES;
        if (inWord + size > WORD_BYTES) return 0;
        const value = this.#read(offset - inWord) >>> (8 * inWord);
        return size === WORD_BYTES ? value : value & (size === 2 ? 0xffff : 0xff);
      },
      // Writes that are not of whole registers have no effect.
      writeMmio: (offset, size, value) => {
        if (size === WORD_BYTES && offset % WORD_BYTES === 0) this.#write(offset, value);
      },
    };
  }

  /** An address register and the register that it names (the manual's section 13.2). */
  get #ports(): PortHandler {
    return {
      readPort: (offset, size) => {
        if (size !== WORD_BYTES) return 0;
        if (offset === 0) return this.#ioAddress;
        return offset === IO_DATA && this.#isIoAddressGood ? this.#read(this.#ioAddress) : 0;
      },
      writePort: (offset, size, value) => {
        if (size !== WORD_BYTES) return;
        if (offset === 0) this.#ioAddress = value;
        else if (offset === IO_DATA && this.#isIoAddressGood) this.#write(this.#ioAddress, value);
      },
    };
  }

  get #isIoAddressGood(): boolean {
    return this.#ioAddress < REGISTER_SPACE_BYTES && this.#ioAddress % WORD_BYTES === 0;
  }

  // Workings: the card.

  /** What a reset by CTRL does; where the card is in the address spaces stays as it is. */
  #resetCard(): void {
    this.#registers.reset();
    this.#tables.reset();
    this.#statistics.reset();
    this.#eeprom.reset();
    this.#phy.reset();
    this.#receiveDelay.reset();
    this.#transmitDelay.reset();
    this.#transmitter.reset();
    this.#interrupts.reset();
    this.#ioAddress = 0;
    this.#loadAddress();
    this.#port.reset();
  }

  /** From the EEPROM, as the first of the addresses that the card answers to. */
  #loadAddress(): void {
    const [b0 = 0, b1 = 0, b2 = 0, b3 = 0, b4 = 0, b5 = 0] = this.#macAddress;
    const { receiveAddresses } = this.#tables.words;
    receiveAddresses[0] = b0 | (b1 << 8) | (b2 << 16) | (b3 << 24);
    receiveAddresses[1] = b4 | (b5 << 8) | ADDRESS_VALID;
  }

  #linkChanged(isUp: boolean): void {
    if (!isUp) this.#phy.linkFell();
    this.#interrupts.raise(ICR.linkStatusChange);
  }

  get #isLoopback(): boolean {
    return this.#phy.isLoopback || (this.#registers.values.rctl & RCTL.loopback) !== 0;
  }

  #send(frame: Uint8Array): void {
    if (this.#isLoopback) this.#receiver.receive(frame);
    else this.#port.send(frame);
  }
}
