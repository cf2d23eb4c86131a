/**
 * The EEPROM on a memory module: a 24C02 of 256 bytes, write-protected as modules have it, with the serial presence
 * detect data of JEDEC Standard 21-C, 4.1.2.5 (SDRAM modules). A byte written sets the address, from which reads go on.
 *
 * Deliberately missing: the software write protection at addresses 30h–37h.
 */

import { assert, MiB } from "../../base/index.ts";
import { StateReader } from "../../hw/index.ts";
import type { DeviceState } from "../../hw/index.ts";
import type { I2cTarget } from "./i2c-target.ts";

export const SPD_BYTES = 256;
/** The first module's; each socket has the next. */
export const SPD_FIRST_ADDRESS = 0x50;
export const MEMORY_SOCKETS = 4;

export class SpdEeprom implements I2cTarget {
  readonly name: string;
  readonly address: number;
  readonly #content: Uint8Array;
  #wordAddress = 0;
  /** The next byte written is an address. */
  #isAddressed = false;

  constructor(socket: number, content: Uint8Array) {
    assert(socket < MEMORY_SOCKETS, "there is such a socket");
    assert(content.length === SPD_BYTES, "an EEPROM is full");
    this.name = `spd${socket}`;
    this.address = SPD_FIRST_ADDRESS + socket;
    this.#content = content;
  }

  start(): void {
    this.#isAddressed = false;
  }

  /** What follows the address would be stored, were it not for the write protection; it is acknowledged all the same. */
  write(byte: number): boolean {
    this.#wordAddress = this.#isAddressed ? (this.#wordAddress + 1) % SPD_BYTES : byte;
    this.#isAddressed = true;
    return true;
  }

  read(): number {
    const byte = this.#content[this.#wordAddress] ?? 0;
    this.#wordAddress = (this.#wordAddress + 1) % SPD_BYTES;
    return byte;
  }

  reset(): void {
    this.#wordAddress = 0;
    this.#isAddressed = false;
  }

  save(): DeviceState {
    return { wordAddress: this.#wordAddress, isAddressed: this.#isAddressed };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#wordAddress = reader.u8("wordAddress");
    this.#isAddressed = reader.boolean("isAddressed");
  }
}

/** The module's chips as the data count them: rows and columns of addresses, banks in a chip, ranks of chips. */
interface ModuleShape {
  readonly sizeMib: number;
  readonly rows: number;
  readonly columns: number;
  readonly banks: number;
  readonly ranks: number;
}

/** 64 bits wide: 2^(rows + columns) times 8 bytes for each bank of each rank. */
const SHAPES: readonly ModuleShape[] = [
  { sizeMib: 2048, rows: 13, columns: 12, banks: 4, ranks: 2 },
  { sizeMib: 1024, rows: 13, columns: 11, banks: 4, ranks: 2 },
  { sizeMib: 512, rows: 13, columns: 10, banks: 4, ranks: 2 },
  { sizeMib: 256, rows: 13, columns: 10, banks: 4, ranks: 1 },
  { sizeMib: 128, rows: 12, columns: 10, banks: 4, ranks: 1 },
  { sizeMib: 64, rows: 12, columns: 9, banks: 4, ranks: 1 },
  { sizeMib: 32, rows: 12, columns: 8, banks: 4, ranks: 1 },
  { sizeMib: 16, rows: 11, columns: 8, banks: 4, ranks: 1 },
  { sizeMib: 8, rows: 11, columns: 8, banks: 2, ranks: 1 },
];

/**
 * The modules that so much RAM is made of, the largest first, each a power of two. What is left over of an odd size
 * when all sockets are full, or is smaller than any module, has none.
 */
export function memoryModules(ramBytes: number): Uint8Array[] {
  const modules: Uint8Array[] = [];
  let leftMib = Math.floor(ramBytes / MiB);
  for (const shape of SHAPES) {
    if (leftMib < shape.sizeMib || modules.length === MEMORY_SOCKETS) continue;
    leftMib -= shape.sizeMib;
    modules.push(spdOf(shape, modules.length));
  }
  return modules;
}

const CHECKED_BYTES = 63;
const PART_NUMBER = "TYPEVISOR";
const PART_NUMBER_BYTES = 18;
/** Of a rank, in the bits of byte 31: 4 MiB or 1 GiB is bit 0, each next bit twice as much. */
const RANK_UNIT_MIB = 4;
const DENSITY_BITS = 8;

const SPD = {
  sdram: 4,
  /** Voltage of the interface. */
  lvttl: 1,
  /** 15.6 µs, and the module refreshes itself. */
  selfRefresh: 0x80,
  /** 1, 2, 4, 8 and a page. */
  burstLengths: 0x8f,
  latencies2And3: 0x06,
  precharges: 0x0e,
  revision: 0x12,
  clock100Mhz: 0x64,
  /** Clocks 0 to 3 are connected, both latencies do at 100 MHz. */
  intelDetail: 0xf6,
} as const;

/** PC133 modules without parity, unbuffered, CAS latency 2 or 3. */
function spdOf({ sizeMib, rows, columns, banks, ranks }: ModuleShape, socket: number): Uint8Array {
  const spd = new Uint8Array(SPD_BYTES);
  const densityBit = Math.log2(sizeMib / ranks / RANK_UNIT_MIB) % DENSITY_BITS;
  spd.set([
    ...[128, Math.log2(SPD_BYTES), SPD.sdram, rows, columns, ranks, 64, 0, SPD.lvttl],
    ...[0x75, 0x54, 0, SPD.selfRefresh, 8, 0, 1, SPD.burstLengths, banks, SPD.latencies2And3, 1, 1],
    ...[0, SPD.precharges, 0xa0, 0x60, 0, 0, 20, 15, 20, 45],
    ...[1 << densityBit, 0x15, 0x08, 0x15, 0x08],
  ]);
  spd[62] = SPD.revision;
  spd[CHECKED_BYTES] = spd.subarray(0, CHECKED_BYTES).reduce((sum, byte) => sum + byte, 0);
  spd.set(new TextEncoder().encode(PART_NUMBER.padEnd(PART_NUMBER_BYTES)), 73);
  new DataView(spd.buffer).setUint32(95, socket + 1);
  spd[126] = SPD.clock100Mhz;
  spd[127] = SPD.intelDetail;
  return spd;
}
