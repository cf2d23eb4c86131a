/**
 * Parallel NOR flash of 8 bits width with Intel's command set: Common Flash Interface (JEDEC JESD68.01, query table), primary
 * command set 0001h as Intel's StrataFlash J3 has it (data sheet 308551, sections 9 to 12: commands and status register). Blocks
 * are of 4 KiB, as firmware of virtual PCs expects, which finds the chip by what it answers: UEFI's variable store.
 *
 * While the chip shows its array, the processor reads it as memory (`showArray`) and only writes come here; otherwise reads do
 * too. Commands take no time. What differs from the data sheet: behind Clear Status Register the register is 00h until the next
 * command ends, by which OVMF tells flash from RAM and ROM; and the device code, 00h, is no part's of Intel's, since none
 * has these sizes.
 *
 * Deliberately missing: locking of blocks and the protection register, whose commands end with a command sequence error;
 * suspending, for which there is nothing under way; the STS pin.
 */

import { assert, KiB } from "../../base/index.ts";
import { readBytes, StateReader } from "../../hw/index.ts";
import type { AccessSize, Device, DeviceState, MmioHandler } from "../../hw/index.ts";

export const FLASH_BLOCK_BYTES = 4 * KiB;
/** Of the buffer that is programmed at once: its size is 2 to the power of this. */
const BUFFER_SHIFT = 8;
export const FLASH_BUFFER_BYTES = 1 << BUFFER_SHIFT;
const ERASED = 0xff;

const COMMAND = {
  program: 0x10,
  erase: 0x20,
  programOther: 0x40,
  clearStatus: 0x50,
  lockSetup: 0x60,
  readStatus: 0x70,
  readId: 0x90,
  query: 0x98,
  protectionProgram: 0xc0,
  confirm: 0xd0,
  bufferProgram: 0xe8,
} as const;

const STATUS = { ready: 0x80, eraseError: 0x20, programError: 0x10 } as const;
const SEQUENCE_ERROR = STATUS.ready | STATUS.eraseError | STATUS.programError;

const IDENTIFIERS: Readonly<Record<number, number>> = { 0: 0x89, 1: 0x00 };
const QUERY_MASK = 0xff;

/** What reads give. */
const READ_MODES = ["array", "status", "id", "query"] as const;
type ReadMode = (typeof READ_MODES)[number];
/** What the next write is taken for. */
const STEPS = [
  "command",
  "program-data",
  "erase-confirm",
  "unsupported-second",
  "buffer-count",
  "buffer-data",
  "buffer-confirm",
] as const;
type Step = (typeof STEPS)[number];

export interface CfiFlashConfig {
  readonly name: string;
  /** What the chip holds, whole blocks: kept over resets, and saved by its owner. */
  readonly contents: Uint8Array;
  /** Whether the processor reads the array as memory from now on, or asks the chip. */
  readonly showArray: (isShown: boolean) => void;
  /** These bytes of the contents have changed. */
  readonly onChange: (offset: number, lengthBytes: number) => void;
}

export class CfiFlash implements Device, MmioHandler {
  readonly name: string;
  readonly #contents: Uint8Array;
  readonly #showArray: CfiFlashConfig["showArray"];
  readonly #onChange: CfiFlashConfig["onChange"];
  readonly #query: ReadonlyMap<number, number>;
  #mode: ReadMode = "array";
  #step: Step = "command";
  #status: number = STATUS.ready;
  /** Of Write to Buffer: what to program, from where on, and how many bytes are still to come. */
  readonly #buffer = new Uint8Array(FLASH_BUFFER_BYTES);
  #bufferStart = 0;
  #bufferBytes = 0;
  #bufferMissing = 0;
  #sequenceErrors = 0;

  constructor({ name, contents, showArray, onChange }: CfiFlashConfig) {
    const isWhole = contents.length > 0 && contents.length % FLASH_BLOCK_BYTES === 0;
    assert(isWhole, "a flash has whole blocks");
    this.name = name;
    this.#contents = contents;
    this.#showArray = showArray;
    this.#onChange = onChange;
    this.#query = queryTable(contents.length);
  }

  /** Sequences of commands that were no such, since the chip exists. */
  get sequenceErrors(): number {
    return this.#sequenceErrors;
  }

  /** RP#: the array is shown, and what has been programmed and erased stays. */
  reset(): void {
    this.#mode = "array";
    this.#step = "command";
    this.#status = STATUS.ready;
    this.#buffer.fill(0);
    this.#bufferStart = 0;
    this.#bufferBytes = 0;
    this.#bufferMissing = 0;
    this.#showArray(true);
  }

  save(): DeviceState {
    return {
      mode: this.#mode,
      step: this.#step,
      status: this.#status,
      buffer: this.#buffer.slice(),
      bufferStart: this.#bufferStart,
      bufferBytes: this.#bufferBytes,
      bufferMissing: this.#bufferMissing,
    };
  }

  restore(state: DeviceState): void {
    const reader = new StateReader(this.name, state);
    this.#mode = reader.choice("mode", READ_MODES);
    this.#step = reader.choice("step", STEPS);
    this.#status = reader.u8("status");
    this.#buffer.set(reader.bytes("buffer", FLASH_BUFFER_BYTES));
    this.#bufferStart = reader.integer("bufferStart", this.#contents.length - 1);
    this.#bufferBytes = reader.integer("bufferBytes", FLASH_BUFFER_BYTES);
    this.#bufferMissing = reader.integer("bufferMissing", FLASH_BUFFER_BYTES);
    this.#showArray(this.#mode === "array");
  }

  readMmio(offset: number, size: AccessSize): number {
    return readBytes(size, (index) => this.#read(offset + index));
  }

  /** A wider access is as many cycles of the chip's bus. */
  writeMmio(offset: number, size: AccessSize, value: number): void {
    for (let index = 0; index < size; index++) this.#write(offset + index, (value >>> (8 * index)) & 0xff);
  }

  #read(offset: number): number {
    switch (this.#mode) {
      case "array":
        return this.#contents[offset] ?? ERASED;
      case "status":
        return this.#status;
      case "id":
        return IDENTIFIERS[offset % FLASH_BLOCK_BYTES] ?? 0;
      case "query":
        return this.#query.get(offset & QUERY_MASK) ?? 0;
    }
  }

  #write(offset: number, value: number): void {
    switch (this.#step) {
      case "command":
        this.#command(value);
        return;
      case "program-data":
        this.#program(offset, Uint8Array.of(value));
        return;
      case "erase-confirm":
        if (value === COMMAND.confirm) this.#erase(offset);
        else this.#refuse();
        return;
      case "unsupported-second":
        this.#refuse();
        return;
      case "buffer-count":
        this.#beginBuffer(value + 1);
        return;
      case "buffer-data":
        this.#fillBuffer(offset, value);
        return;
      case "buffer-confirm":
        if (value === COMMAND.confirm) this.#programBuffer();
        else this.#refuse();
        return;
    }
  }

  #command(value: number): void {
    switch (value) {
      case COMMAND.program:
      case COMMAND.programOther:
        this.#await("program-data");
        return;
      case COMMAND.erase:
        this.#await("erase-confirm");
        return;
      case COMMAND.lockSetup:
      case COMMAND.protectionProgram:
        this.#await("unsupported-second");
        return;
      case COMMAND.bufferProgram:
        // What is read now is the extended status register: the buffer is free.
        this.#status |= STATUS.ready;
        this.#await("buffer-count");
        return;
      case COMMAND.clearStatus:
        this.#status = 0;
        return;
      case COMMAND.readStatus:
        this.#show("status");
        return;
      case COMMAND.readId:
        this.#show("id");
        return;
      case COMMAND.query:
        this.#show("query");
        return;
      default:
        // Read Array, FFh, and whatever is no command.
        this.#show("array");
    }
  }

  #await(step: Step): void {
    this.#step = step;
    this.#show("status");
  }

  #show(mode: ReadMode): void {
    if (mode === this.#mode) return;
    const wasArray = this.#mode === "array";
    this.#mode = mode;
    if (wasArray || mode === "array") this.#showArray(mode === "array");
  }

  /** Programming clears bits; only an erased block has ones. */
  #program(offset: number, bytes: Uint8Array): void {
    for (const [index, value] of bytes.entries()) {
      const at = offset + index;
      this.#contents[at] = (this.#contents[at] ?? ERASED) & value;
    }
    this.#onChange(offset, bytes.length);
    this.#end(STATUS.ready);
  }

  #erase(offset: number): void {
    const start = offset - (offset % FLASH_BLOCK_BYTES);
    this.#contents.fill(ERASED, start, start + FLASH_BLOCK_BYTES);
    this.#onChange(start, FLASH_BLOCK_BYTES);
    this.#end(STATUS.ready);
  }

  /** `byteCount` is what is to come, 1 to FLASH_BUFFER_BYTES by the width of the count. */
  #beginBuffer(byteCount: number): void {
    this.#bufferBytes = byteCount;
    this.#bufferMissing = byteCount;
    this.#step = "buffer-data";
  }

  /** The first address is where the data begins; all others are behind it, in any order. */
  #fillBuffer(offset: number, value: number): void {
    if (this.#bufferMissing === this.#bufferBytes) {
      this.#bufferStart = offset;
      // What gets no data stays as it is.
      this.#buffer.fill(ERASED);
    }
    const at = offset - this.#bufferStart;
    if (at < 0 || at >= this.#bufferBytes) {
      this.#refuse();
      return;
    }
    this.#buffer[at] = value;
    if (--this.#bufferMissing === 0) this.#step = "buffer-confirm";
  }

  #programBuffer(): void {
    const start = this.#bufferStart;
    if (blockOf(start + this.#bufferBytes - 1) === blockOf(start))
      this.#program(start, this.#buffer.subarray(0, this.#bufferBytes));
    else this.#refuse();
  }

  #refuse(): void {
    this.#sequenceErrors++;
    this.#end(SEQUENCE_ERROR);
  }

  /** The status register keeps errors until it is cleared, and is what is read next. */
  #end(status: number): void {
    this.#status |= status;
    this.#step = "command";
    this.#show("status");
  }
}

const blockOf = (offset: number): number => Math.floor(offset / FLASH_BLOCK_BYTES);

/** JESD68.01 section 4 and, from 31h on, the extended table of command set 0001h; the rest is 0. */
function queryTable(sizeBytes: number): ReadonlyMap<number, number> {
  const lastBlock = sizeBytes / FLASH_BLOCK_BYTES - 1;
  const blockUnits = FLASH_BLOCK_BYTES / 256;
  const EXTENDED_AT = 0x31;
  const text = (at: number, characters: string): [number, number][] =>
    [...characters].map((character, index) => [at + index, character.charCodeAt(0)]);
  const u16 = (at: number, value: number): [number, number][] => [
    [at, value & 0xff],
    [at + 1, value >>> 8],
  ];
  return new Map<number, number>([
    ...text(0x10, "QRY"),
    ...u16(0x13, 0x0001),
    ...u16(0x15, EXTENDED_AT),
    // VCC from 4.5 to 5.5 V in BCD, no VPP; typical times are 2 to the power of these µs or ms, maximum ones that many
    // times as long.
    [0x1b, 0x45],
    [0x1c, 0x55],
    [0x1f, 0x07],
    [0x20, 0x07],
    [0x21, 0x0a],
    [0x23, 0x04],
    [0x24, 0x04],
    [0x25, 0x04],
    [0x27, Math.ceil(Math.log2(sizeBytes))],
    // Width: x8 alone.
    ...u16(0x28, 0x0000),
    ...u16(0x2a, BUFFER_SHIFT),
    // One region of equal blocks: how many, less one, and their size.
    [0x2c, 1],
    ...u16(0x2d, lastBlock),
    ...u16(0x2f, blockUnits),
    ...text(EXTENDED_AT, "PRI11"),
  ]);
}
