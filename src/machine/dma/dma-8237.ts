/**
 * Intel 8237A programmable DMA controller (order number 231466): four channels, software requests, transfers from memory
 * to memory. Transfers take no time: a channel that serves a device moves everything it asks for at once.
 *
 * Deliberately missing: the external EOP input, which the PC leaves unconnected. Priority, compressed timing, extended
 * write and the senses of DREQ and DACK are kept in the command register without effect: cycles have no length here, and
 * the wiring of the PC has one sense.
 */

import { defined } from "../../base/index.ts";
import type {
  AccessSize,
  DeviceState,
  Dma,
  IsaDmaChannel,
  IsaDmaTransfer,
  RegisterBlock,
  RegisterHooks,
} from "../../hw/index.ts";
import { defineRegisters, readBytes, RegisterFile, StateReader } from "../../hw/index.ts";
import { CHANNEL_REGISTERS, DmaChannel } from "./dma-channel.ts";

export interface Dma8237Config {
  readonly name: string;
  /** What the channels' addresses and counts count: bytes, or words of two. */
  readonly unitBytes: 1 | 2;
  readonly memory: Dma;
  /** HRQ to HLDA: whether the bus is granted to this controller. */
  readonly hasBus: () => boolean;
  /** What a write may have changed for others than this controller's own channels. */
  readonly onChange: () => void;
}

export const CHANNELS = 4;

/** Behind the channels' address and count registers. */
const REGISTERS = defineRegisters({
  status: { at: 8, access: "ro", read: "takeStatus" },
  command: { at: 8, access: "wo", reset: 0, write: "controlWritten" },
  request: { at: 9, access: "wo", write: "requestWritten" },
  singleMask: { at: 10, access: "wo", write: "singleMaskWritten" },
  mode: { at: 11, access: "wo", write: "modeWritten" },
  clearBytePointer: { at: 12, access: "wo", write: "clearBytePointer" },
  temporary: { at: 13, access: "ro", reset: 0 },
  masterClear: { at: 13, access: "wo", write: "masterClear" },
  clearMask: { at: 14, access: "wo", write: "clearMask" },
  /** The 8237A's is written only; in a PIIX it can be read as well. */
  mask: { at: 15, reset: 0x0f, writable: 0x0f, write: "controlWritten" },
});
const CONTROL_REGISTERS_AT = CHANNELS * CHANNEL_REGISTERS;

const COMMAND = { memoryToMemory: 0x01, holdChannel0: 0x02, disable: 0x04 } as const;
/** Of the single mask and the request register: the bit to write, and the channel. */
const SET = 0x04;
const CHANNEL = 0x03;
const SOURCE = 0;
const DESTINATION = 1;
/** The bit of a channel in status, request and mask. */
const bitOf = (channel: number): number => 1 << channel;
const NOT_SERVED: IsaDmaTransfer = { countBytes: 0, isTerminal: false };

export class Dma8237 implements RegisterBlock, RegisterHooks<typeof REGISTERS> {
  readonly #config: Dma8237Config;
  readonly #registers = new RegisterFile(REGISTERS, this);
  readonly #pointer = { isHigh: false };
  readonly #channels: readonly DmaChannel[];
  /** Bits by channel: terminal count reached since the status was read, and software requests. */
  #reached = 0;
  #softRequests = 0;
  readonly #byte = new Uint8Array(1);

  constructor(config: Dma8237Config) {
    this.#config = config;
    this.#channels = Array.from(
      { length: CHANNELS },
      () => new DmaChannel(config.unitBytes, this.#pointer, config.memory),
    );
  }

  channel(index: number): DmaChannel {
    return defined(this.#channels[index], "a controller has four channels");
  }

  /** The channel as the device at its DREQ and DACK sees it. */
  deviceChannel(index: number): IsaDmaChannel {
    const channel = this.channel(index);
    const served = (move: () => IsaDmaTransfer): IsaDmaTransfer => {
      if (!channel.isRequested || !this.#serves(index)) return NOT_SERVED;
      const transfer = move();
      if (transfer.isTerminal) this.#terminalCount(index);
      return transfer;
    };
    return {
      setRequest: (isRequested) => {
        channel.isRequested = isRequested;
      },
      onGrant: (granted) => {
        channel.granted = granted;
      },
      toMemory: (source) => served(() => channel.toMemory(source)),
      fromMemory: (target) => served(() => channel.fromMemory(target)),
    };
  }

  /** Whether a request of a cascaded controller at this channel gets the bus. */
  isCascadeOpen(index: number): boolean {
    return this.#isEnabled && !this.#isMasked(index) && this.channel(index).isCascade;
  }

  /** Gives the bus to whoever asks for it and may have it now. */
  serve(): void {
    if (!this.#isEnabled || !this.#config.hasBus()) return;
    for (let index = 0; index < CHANNELS; index++) {
      if ((this.#softRequests & bitOf(index)) !== 0) this.#runSoftRequest(index);
      if (this.channel(index).isRequested && this.#serves(index)) this.channel(index).granted();
    }
  }

  // Registers.

  read(offset: number, size: AccessSize): number {
    return readBytes(size, (index) => this.#readByte(offset + index));
  }

  write(offset: number, size: AccessSize, value: number): void {
    for (let i = 0; i < size; i++) this.#writeByte(offset + i, (value >>> (8 * i)) & 0xff);
  }

  takeStatus(): number {
    const status = this.#reached | (this.#requests << CHANNELS);
    this.#reached = 0;
    return status;
  }

  controlWritten(): void {
    this.#changed();
  }

  requestWritten(written: number): void {
    const request = bitOf(written & CHANNEL);
    if ((written & SET) === 0) this.#softRequests &= ~request;
    else this.#softRequests |= request;
    this.#changed();
  }

  singleMaskWritten(written: number): void {
    const masked = bitOf(written & CHANNEL);
    const { values } = this.#registers;
    if ((written & SET) === 0) values.mask &= ~masked;
    else values.mask |= masked;
    this.#changed();
  }

  modeWritten(written: number): void {
    this.channel(written & CHANNEL).setMode(written);
    this.#changed();
  }

  clearBytePointer(): void {
    this.#pointer.isHigh = false;
  }

  /** The same as the reset pin: channels keep their addresses, counts and modes. */
  masterClear(): void {
    this.#registers.reset();
    this.#pointer.isHigh = false;
    this.#reached = 0;
    this.#softRequests = 0;
  }

  clearMask(): void {
    this.#registers.values.mask = 0;
    this.#changed();
  }

  // Lifecycle.

  reset(): void {
    this.masterClear();
    for (const channel of this.#channels) channel.reset();
  }

  save(): DeviceState {
    return {
      registers: this.#registers.save(),
      isHighByteNext: this.#pointer.isHigh,
      reached: this.#reached,
      softRequests: this.#softRequests,
      channels: this.#channels.map((channel) => channel.save()),
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.#config.name, state);
    this.#registers.restore(reader.object("registers"), `${this.#config.name}.registers`);
    this.#pointer.isHigh = reader.boolean("isHighByteNext");
    this.#reached = reader.integer("reached", 0x0f);
    this.#softRequests = reader.integer("softRequests", 0x0f);
    reader.children("channels", CHANNELS).forEach((channel, index) => this.channel(index).restore(channel));
  }

  // Workings.

  #readByte(offset: number): number {
    if (offset >= CONTROL_REGISTERS_AT) return this.#registers.read(offset, 1);
    return this.channel(Math.floor(offset / CHANNEL_REGISTERS)).registers.read(offset % CHANNEL_REGISTERS, 1);
  }

  #writeByte(offset: number, value: number): void {
    if (offset >= CONTROL_REGISTERS_AT) this.#registers.write(offset, 1, value);
    else
      this.channel(Math.floor(offset / CHANNEL_REGISTERS)).registers.write(
        offset % CHANNEL_REGISTERS,
        1,
        value,
      );
  }

  get #requests(): number {
    let requests = this.#softRequests;
    for (const [index, channel] of this.#channels.entries())
      if (channel.isRequested) requests |= bitOf(index);
    return requests;
  }

  get #isEnabled(): boolean {
    return (this.#registers.values.command & COMMAND.disable) === 0;
  }

  #isMasked(index: number): boolean {
    return (this.#registers.values.mask & bitOf(index)) !== 0;
  }

  /** Whether a device's request at this channel is served. */
  #serves(index: number): boolean {
    return (
      this.#isEnabled && this.#config.hasBus() && !this.#isMasked(index) && !this.channel(index).isCascade
    );
  }

  #changed(): void {
    this.serve();
    this.#config.onChange();
  }

  /** Software requests cannot be masked; at the terminal count they are gone. */
  #runSoftRequest(index: number): void {
    const channel = this.channel(index);
    const { command } = this.#registers.values;
    if (index === SOURCE && (command & COMMAND.memoryToMemory) !== 0) {
      this.#copyMemory((command & COMMAND.holdChannel0) !== 0);
    } else if (!channel.isCascade) {
      channel.runAlone();
      this.#terminalCount(index);
    }
  }

  /**
   * "Memory-to-Memory": a byte at a time through the temporary register, from channel 0's address to channel 1's, until
   * channel 1's terminal count. Channel 0 counts too, which its own autoinitialization is all that comes of. Each channel
   * has its own page register. The second controller's words do not fit the temporary register: it counts without
   * copying, as nothing on a PC is wired for that.
   */
  #copyMemory(isSourceHeld: boolean): void {
    const source = this.channel(SOURCE);
    const destination = this.channel(DESTINATION);
    const { memory, unitBytes } = this.#config;
    for (let isTerminal = false; !isTerminal;) {
      const from = source.nextAddress(isSourceHeld);
      const to = destination.nextAddress(false);
      if (unitBytes === 1) {
        if (!memory.read(from, this.#byte)) this.#byte[0] = 0xff;
        memory.write(to, this.#byte);
      }
      if (source.countUnit() && source.isAutoInitialized) source.reload();
      isTerminal = destination.countUnit();
    }
    this.#registers.values.temporary = this.#byte[0] ?? 0;
    this.#softRequests &= ~bitOf(SOURCE);
    this.#terminalCount(DESTINATION);
  }

  #terminalCount(index: number): void {
    const channel = this.channel(index);
    this.#reached |= bitOf(index);
    this.#softRequests &= ~bitOf(index);
    if (channel.isAutoInitialized) channel.reload();
    else this.#registers.values.mask |= bitOf(index);
  }
}
