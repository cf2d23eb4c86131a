/**
 * The firmware configuration device of QEMU's PC ("QEMU Firmware Configuration Device Specification"), through which
 * SeaBIOS, OVMF and others that are made for virtual PCs are told what machine they are on: numbered items and named files,
 * read byte by byte at a port or by DMA.
 *
 * Deliberately missing: writable items. Writes by the data port are ignored, as later versions of the specification have
 * it; those by DMA report an error.
 */

import { assert, joinU64 } from "../../base/index.ts";
import { defineRegisters, RegisterFile, StateReader } from "../../hw/index.ts";
import type { Device, DeviceState, Dma, RegisterHooks } from "../../hw/index.ts";

/** Numbered items that firmware of PCs reads. */
export const FW_CFG_ITEM = {
  signature: 0x0000,
  interfaceVersion: 0x0001,
  ramSize: 0x0003,
  processorCount: 0x0005,
  kernelSize: 0x0008,
  initrdSize: 0x000b,
  bootMenu: 0x000e,
  processorCountMax: 0x000f,
  kernelData: 0x0011,
  initrdData: 0x0012,
  commandLineSize: 0x0014,
  commandLineData: 0x0015,
  setupSize: 0x0017,
  setupData: 0x0018,
  fileDirectory: 0x0019,
  /** Files are numbered from here on, in the order of the directory. */
  firstFile: 0x0020,
} as const;
const SELECTOR_MASK = 0x3fff;
export const FW_CFG_FILES_MAX = 64;
const FILE_NAME_BYTES = 56;
const DIRECTORY_ENTRY_BYTES = 64;

const SIGNATURE = new TextEncoder().encode("QEMU");
/** The traditional interface, and DMA. */
const INTERFACE_VERSION = 0x03;
/** "QEMU CFG", what the DMA address register reads as, by its halves in the bus's byte order. */
const DMA_SIGNATURE = { high: 0x554d_4551, low: 0x4746_4320 } as const;
const CONTROL = { error: 1 << 0, read: 1 << 1, skip: 1 << 2, select: 1 << 3, write: 1 << 4 } as const;
const REQUEST_BYTES = 16;
const EMPTY = new Uint8Array(0);

const REGISTERS = defineRegisters({
  selector: { at: 0, size: 2, access: "wo", write: "select" },
  data: { at: 1, access: "ro", read: "readData" },
  dmaAddressHigh: { at: 4, size: 4, access: "wo", write: "setAddressHigh" },
  dmaAddressLow: { at: 8, size: 4, access: "wo", write: "startDma" },
  dmaSignatureHigh: { at: 4, size: 4, access: "ro", reset: DMA_SIGNATURE.high },
  dmaSignatureLow: { at: 8, size: 4, access: "ro", reset: DMA_SIGNATURE.low },
});

/** Bytes, or what makes them anew each time when firmware selects the item, as the machine then is: always as many. */
export type FwCfgContents = Uint8Array | (() => Uint8Array);

export interface FwCfgFile {
  readonly name: string;
  readonly contents: FwCfgContents;
}

export class FwCfg implements Device, RegisterHooks<typeof REGISTERS> {
  readonly name = "fw-cfg";
  readonly registers = new RegisterFile(REGISTERS, this);
  readonly #dma: Dma;
  readonly #items = new Map<number, FwCfgContents>();
  readonly #files: FwCfgFile[] = [];
  #selector = 0;
  /** Of the selected item. */
  #bytes: Uint8Array = EMPTY;
  /** Of the next byte in the selected item. */
  #offset = 0;
  #addressHigh = 0;

  constructor(dma: Dma) {
    this.#dma = dma;
    this.addItem(FW_CFG_ITEM.signature, SIGNATURE);
    this.addItem(FW_CFG_ITEM.interfaceVersion, littleEndian(INTERFACE_VERSION, 4));
    this.#writeDirectory();
  }

  /** Items are described in little-endian numbers; an item of the same number is replaced. */
  addItem(selector: number, contents: FwCfgContents): void {
    this.#items.set(selector, contents);
  }

  /** A file of this name; one that is there already gets other contents and keeps its number. */
  addFile({ name, contents }: FwCfgFile): void {
    assert(name.length < FILE_NAME_BYTES, "a file's name fits the directory, with its final zero");
    const index = this.#files.findIndex((file) => file.name === name);
    if (index >= 0) this.#files[index] = { name, contents };
    else this.#files.push({ name, contents });
    assert(this.#files.length <= FW_CFG_FILES_MAX, "the directory has room");
    this.#files.forEach((file, at) => this.addItem(FW_CFG_ITEM.firstFile + at, file.contents));
    this.#writeDirectory();
  }

  reset(): void {
    this.select(0);
    this.#addressHigh = 0;
  }

  /** Items are the board's, made anew with it. */
  save(): DeviceState {
    return { selector: this.#selector, offset: this.#offset, addressHigh: this.#addressHigh };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.select(reader.u16("selector"));
    this.#offset = reader.u32("offset");
    this.#addressHigh = reader.u32("addressHigh");
  }

  // Register hooks.

  select(selector: number): void {
    this.#selector = selector & SELECTOR_MASK;
    this.#bytes = bytesOf(this.#items.get(this.#selector) ?? EMPTY);
    this.#offset = 0;
  }

  /** Behind an item's end, and of items that are not there, everything is 0. */
  readData(): number {
    const value = this.#bytes[this.#offset] ?? 0;
    this.#advance(1);
    return value;
  }

  setAddressHigh(value: number): void {
    this.#addressHigh = swapped(value);
  }

  startDma(value: number): void {
    const gpa = Number(joinU64(swapped(value), this.#addressHigh));
    this.#addressHigh = 0;
    const request = this.#dma.readable(gpa, REQUEST_BYTES);
    if (request === undefined) return;
    const view = new DataView(request.slice().buffer);
    const isDone = this.#transfer(view.getUint32(0), view.getUint32(4), Number(view.getBigUint64(8)));
    const result = new DataView(new ArrayBuffer(4));
    result.setUint32(0, isDone ? 0 : CONTROL.error);
    this.#dma.write(gpa, new Uint8Array(result.buffer));
  }

  #transfer(control: number, lengthBytes: number, targetGpa: number): boolean {
    if ((control & CONTROL.select) !== 0) this.select(control >>> 16);
    if ((control & CONTROL.read) !== 0) {
      const target = this.#dma.writable(targetGpa, lengthBytes);
      if (target === undefined) return false;
      const source = this.#bytes.subarray(this.#offset, this.#offset + lengthBytes);
      target.set(source);
      target.fill(0, source.length);
      this.#advance(lengthBytes);
      return true;
    }
    if ((control & CONTROL.write) !== 0) return false;
    if ((control & CONTROL.skip) !== 0) this.#advance(lengthBytes);
    return true;
  }

  /** Never past what a saved state can hold. */
  #advance(lengthBytes: number): void {
    this.#offset = Math.min(this.#offset + lengthBytes, 0xffff_ffff);
  }

  /** Big-endian, unlike everything else: the number of files, then size, selector and name of each. */
  #writeDirectory(): void {
    const bytes = new Uint8Array(4 + this.#files.length * DIRECTORY_ENTRY_BYTES);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.#files.length);
    this.#files.forEach((file, index) => {
      const at = 4 + index * DIRECTORY_ENTRY_BYTES;
      view.setUint32(at, bytesOf(file.contents).length);
      view.setUint16(at + 4, FW_CFG_ITEM.firstFile + index);
      bytes.set(new TextEncoder().encode(file.name), at + 8);
    });
    this.addItem(FW_CFG_ITEM.fileDirectory, bytes);
  }
}

const bytesOf = (contents: FwCfgContents): Uint8Array =>
  contents instanceof Uint8Array ? contents : contents();

export function littleEndian(value: number, lengthBytes: 2 | 4 | 8): Uint8Array {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt(value), true);
  return new Uint8Array(view.buffer, 0, lengthBytes);
}

function swapped(value: number): number {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, value, true);
  return view.getUint32(0);
}
