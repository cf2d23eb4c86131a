/**
 * What the parts of a region's function have in common: its encoder and its ops, the locals by which they hand values to
 * each other, and how they name addresses of code and reach the state block. Registers and flags have locals of their
 * own (slots.ts, lazy-flags.ts).
 */
import { FunctionEncoder } from "./function.ts";
import { opcode } from "./opcodes.ts";
import type { RegionOps } from "./region-ops.ts";
import { ALL_XMMS } from "./slots.ts";

/** The parameter of a region's function: bytes of stack that it and what it calls for guest calls may use. */
export const STACK_LEFT = 0;

/**
 * What an op tells a shared exit, packed in an i64: low half dirty GPRs (16 bits), instructions of the block not
 * retired (8 bits) and the flags' operation (8 bits, or one of the two values below); high half the instruction's
 * offset from the region's base. Dirty XMM registers (the upper 16 bits of a mask) are in a local of their own, which
 * only regions that write XMM registers set.
 */
export const WORD_PC_SHIFT = 32;
export const WORD_NOT_RETIRED_SHIFT = 16;
export const WORD_FLAGS_SHIFT = 24;
export const WORD_FLAGS_IN_MEMORY = 0xfe;
export const WORD_FLAGS_MIXED = 0xff;
export const WORD_NOT_RETIRED_MASK = 0xff;

/** Where a VM's memory has what regions access. */
export interface VmMemory {
  readonly stateBase: number;
  readonly ramSizeBytes: number;
}

export class RegionFrame {
  readonly stateBase: number;
  readonly ramSizeBytes: number;
  f = new FunctionEncoder();
  ops: RegionOps;
  /** The translation mode of all blocks. */
  mode = 0;
  /** The registers that any op writes. */
  written = 0;
  /** Local: the instructions not yet taken from the budget. */
  count = 0;
  /** Local: a table slot, or whatever else is needed for a moment. */
  slot = 0;
  /** Locals: what an op tells a shared exit; the second is undefined in a region that writes no XMM register. */
  word = 0;
  xmmWord: number | undefined;
  /** Local: the next RIP, or a REGION_* result. */
  result = 0;
  /** Label of the exit for faults. */
  faultLabel = 0;
  /** Label of the exit for instructions that are left to the interpreter. */
  giveUpLabel = 0;
  #baseRip = 0n;
  /** Its halves, the lower one unsigned. */
  #baseLow = 0;
  #baseHigh = 0;

  constructor({ stateBase, ramSizeBytes }: VmMemory, ops: RegionOps) {
    this.stateBase = stateBase;
    this.ramSizeBytes = ramSizeBytes;
    this.ops = ops;
  }

  /** Before the first instruction of a region's function; all offsets count from baseRip. */
  begin(f: FunctionEncoder, ops: RegionOps, written: number, baseRip: bigint, mode: number): void {
    this.f = f;
    this.ops = ops;
    this.mode = mode;
    this.#baseRip = baseRip;
    this.#baseLow = Number(BigInt.asUintN(32, baseRip));
    this.#baseHigh = Number(BigInt.asIntN(32, baseRip >> 32n));
    this.written = written;
    this.count = f.local("i32");
    this.slot = f.local("i32");
    this.word = f.local("i64");
    this.result = f.local("i64");
    this.xmmWord = (this.written & ALL_XMMS) === 0 ? undefined : f.local("i32");
  }

  ripAt(offset: number): bigint {
    return BigInt.asUintN(64, this.#baseRip + BigInt(offset));
  }

  /** The halves of the same. */
  ripLow(offset: number): number {
    return (this.#baseLow + offset) | 0;
  }

  ripHigh(offset: number): number {
    return (this.#baseHigh + Math.floor((this.#baseLow + offset) / 2 ** 32)) | 0;
  }

  pushRip(offset: number): void {
    this.f.i64Const(this.ripLow(offset), this.ripHigh(offset));
  }

  loadState32(offset: number): void {
    this.f.i32Const(0);
    this.f.access(opcode.i32Load, this.stateBase + offset);
  }

  storeState32(offset: number, value: number): void {
    this.f.i32Const(0);
    this.f.i32Const(value);
    this.f.access(opcode.i32Store, this.stateBase + offset);
  }

  storeState64(offset: number, value: bigint): void {
    this.f.i32Const(0);
    this.f.i64ConstBig(value);
    this.f.access(opcode.i64Store, this.stateBase + offset);
  }
}
