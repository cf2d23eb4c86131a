/**
 * The PC/AT's two 8237As and their page registers (IBM PC/AT Technical Reference, "DMA controller"; Intel 82371SB):
 * channels 0 to 3 move bytes, 5 to 7 words, and the first controller has the bus through channel 4 of the second, which
 * the guest therefore has to put into cascade mode. All of them reach the first 16 MiB.
 *
 * The second controller's registers lie two ports apart. Page registers without a channel are storage; that of channel 4
 * was for memory refresh. Port 80h among them shows POST codes and is another device's.
 *
 * Deliberately missing: the aliases of ports 10h-1Fh and 90h-9Fh, type F timing, and distributed DMA.
 */

import { assert } from "../../base/index.ts";
import type {
  AccessSize,
  Device,
  DeviceState,
  Dma,
  IsaDmaChannel,
  PortBus,
  PortHandler,
  RegisterBlock,
} from "../../hw/index.ts";
import { asPorts, readBytes, StateReader } from "../../hw/index.ts";
import { CHANNELS, Dma8237 } from "./dma-8237.ts";

const FIRST_PORT = 0x00;
const SECOND_PORT = 0xc0;
const CONTROLLER_REGISTERS = 16;
const PAGE_PORT = 0x81;
const PAGES = 15;
/** The channel whose page register is at port 81h and on. */
const PAGE_CHANNELS: readonly (number | undefined)[] = [
  ...[2, 3, 1, undefined, undefined, undefined, 0],
  ...[undefined, 6, 7, 5, undefined, undefined, undefined, 4],
];
const CASCADE_CHANNEL = 4;

export class DmaPair implements Device {
  readonly name = "dma";
  readonly #second: Dma8237;
  readonly #first: Dma8237;
  /** Page registers without a channel, by offset from {@link PAGE_PORT}. */
  readonly #pages = new Uint8Array(PAGES);

  constructor(memory: Dma) {
    const cascadeInput = CASCADE_CHANNEL % CHANNELS;
    const first = new Dma8237({
      name: "dma.first",
      unitBytes: 1,
      memory,
      hasBus: () => this.#second.isCascadeOpen(cascadeInput),
      onChange: () => {},
    });
    this.#first = first;
    this.#second = new Dma8237({
      name: "dma.second",
      unitBytes: 2,
      memory,
      hasBus: () => true,
      onChange: () => first.serve(),
    });
  }

  /** For the device at DREQ and DACK `number`, 0 to 7 without 4. */
  channel(number: number): IsaDmaChannel {
    assert(number !== CASCADE_CHANNEL, "channel 4 is the first controller's");
    return this.#controllerOf(number).deviceChannel(number % CHANNELS);
  }

  claimPorts(ports: PortBus): void {
    ports.claim("dma1", FIRST_PORT, CONTROLLER_REGISTERS, asPorts(this.#first));
    ports.claim("dma2", SECOND_PORT, 2 * CONTROLLER_REGISTERS, asPorts(everySecond(this.#second)));
    ports.claim("dma-pages", PAGE_PORT, PAGES, this.#pagePorts);
  }

  /** What firmware does at power-on: channel 4 cascades the first controller. */
  openCascade(): void {
    this.#second.modeWritten(0xc0);
    this.#second.singleMaskWritten(0);
  }

  reset(): void {
    this.#first.reset();
    this.#second.reset();
    this.#pages.fill(0);
  }

  save(): DeviceState {
    return { first: this.#first.save(), second: this.#second.save(), pages: this.#pages.slice() };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#first.restore(reader.object("first"));
    this.#second.restore(reader.object("second"));
    this.#pages.set(reader.bytes("pages", PAGES));
  }

  #controllerOf(channel: number): Dma8237 {
    return channel < CHANNELS ? this.#first : this.#second;
  }

  readonly #pagePorts: PortHandler = {
    readPort: (offset, size) => {
      return readBytes(size, (index) => this.#readPage(offset + index));
    },
    writePort: (offset, size, value) => {
      for (let i = 0; i < size; i++) this.#writePage(offset + i, (value >>> (8 * i)) & 0xff);
    },
  };

  #readPage(offset: number): number {
    const channel = PAGE_CHANNELS[offset];
    if (channel === undefined) return this.#pages[offset] ?? 0;
    return this.#controllerOf(channel).channel(channel % CHANNELS).page;
  }

  #writePage(offset: number, value: number): void {
    const channel = PAGE_CHANNELS[offset];
    if (channel === undefined) this.#pages[offset] = value;
    else this.#controllerOf(channel).channel(channel % CHANNELS).page = value;
  }
}

/** Registers at every second port, each of which answers at the odd port behind it too: A0 is not decoded. */
function everySecond(block: RegisterBlock): RegisterBlock {
  return {
    read(offset: number, size: AccessSize) {
      return readBytes(size, (index) => block.read((offset + index) >> 1, 1));
    },
    write(offset: number, size: AccessSize, value: number) {
      for (let i = 0; i < size; i++) block.write((offset + i) >> 1, 1, (value >>> (8 * i)) & 0xff);
    },
  };
}
