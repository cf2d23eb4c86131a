/**
 * A case being made: registers, memory and segments that policies change until it is finished. It starts with random
 * values in all registers, a stack, and a memory operand whose address registers are solved.
 */
import {
  type CpuMode,
  DATA,
  DEFAULT_RSP,
  GPR_NAMES,
  type InitialState,
  type InstructionCase,
  integerValues,
  type IntegerBits,
  type MemoryBytes,
  READ_ONLY,
  type Random,
  REGIONS,
  STACK,
  type Undefined,
} from "../oracle/index.ts";
import {
  chooseTarget,
  effectiveAddress,
  isAbsolute,
  NON_CANONICAL,
  segmentBaseOf,
  segmentNameOf,
  segmentOfForm,
  solveForm,
} from "./addressing.ts";
import { byteRegister, memoryBytes, XSAVE_AREA_BYTES, type SizedOperand, sizedOperands } from "./operands.ts";
import type { SegmentRegister, Shape, SizeBits } from "./shape.ts";

export const RAX = 0;
export const RCX = 1;
export const RDX = 2;
export const RBX = 3;
export const RSP = 4;
export const RBP = 5;
export const RSI = 6;
export const RDI = 7;

const MASK_64 = (1n << 64n) - 1n;
const maskOf = (bits: number): bigint => (1n << BigInt(bits)) - 1n;
const boundaries = {
  8: integerValues(8),
  16: integerValues(16),
  32: integerValues(32),
  64: integerValues(64),
} satisfies Record<IntegerBits, readonly bigint[]>;

export class Draft {
  readonly shape: Shape;
  readonly random: Random;
  readonly mode: CpuMode;
  readonly gpr: bigint[];
  /** Bases of FS and GS while they hold the null selector. */
  readonly bases: { readonly fs: bigint; readonly gs: bigint };
  readonly memory: MemoryBytes[] = [];
  readonly operands: readonly SizedOperand[];
  flags = 0;
  /** Linear address of the memory operand; undefined without one, or where it has none in writable memory. */
  operandGva: number | undefined;
  fp: Pick<InitialState, "fcw" | "fsw" | "st" | "mm" | "mxcsr" | "xmm"> = {};
  undefined: Undefined = {};

  constructor(shape: Shape, random: Random, bases: { readonly fs: bigint; readonly gs: bigint }) {
    this.shape = shape;
    this.random = random;
    this.mode = shape.mode;
    this.bases = bases;
    this.operands = sizedOperands(shape);
    this.gpr = Array.from({ length: 16 }, () => this.integer(this.#naturalBits()));
    this.setStack(DEFAULT_RSP - 0x40 + random.below(16) * 8);
  }

  #naturalBits(): IntegerBits {
    const bits = this.operands.find(({ operand }) => operand.file === "gpr")?.bits ?? this.shape.operandBits;
    return bits === 8 || bits === 16 || bits === 32 ? bits : 64;
  }

  /** A 64-bit value that is interesting in its low `bits` bits. */
  integer(bits: IntegerBits): bigint {
    const { random } = this;
    const low =
      random.below(3) === 0
        ? random.next64()
        : random.below(2) === 0
          ? random.runs(bits)
          : random.pick(boundaries[bits]);
    const high = random.below(4) === 0 ? ((low >> BigInt(bits - 1)) & 1n ? MASK_64 : 0n) : random.next64();
    return (low & maskOf(bits)) | (high & ~maskOf(bits) & MASK_64);
  }

  segmentBase(register: SegmentRegister): bigint {
    return segmentBaseOf(this.shape, register, this.bases);
  }

  /** Truncates a linear address to the offset in a segment. */
  offsetIn(register: SegmentRegister, linear: bigint | number, bits: SizeBits): bigint {
    return BigInt.asUintN(bits, BigInt(linear) - this.segmentBase(register));
  }

  /** The linear address of an offset in a segment. */
  linear(register: SegmentRegister, offset: bigint): bigint {
    return BigInt.asUintN(this.mode === "long64" ? 64 : 32, offset + this.segmentBase(register));
  }

  /** Puts the low `bits` of a register. */
  set(register: number, value: bigint | number, bits = 64): void {
    const mask = maskOf(bits);
    this.gpr[register] = ((this.gpr[register] ?? 0n) & ~mask & MASK_64) | (BigInt(value) & mask);
  }

  get(register: number, bits = 64): bigint {
    return (this.gpr[register] ?? 0n) & maskOf(bits);
  }

  /** Width of the stack pointer. */
  get stackBits(): SizeBits {
    if (this.mode === "long64") return 64;
    return segmentNameOf(this.shape, "ss") === "data16" ? 16 : 32;
  }

  setStack(linear: number | bigint): void {
    this.set(RSP, this.offsetIn("ss", linear, this.stackBits), this.stackBits);
  }

  /** The linear address that the stack pointer, or another register used in its place, points to. */
  stackAddress(register: number = RSP): number {
    return Number(this.linear("ss", this.get(register, this.stackBits)) & 0xffff_ffffn);
  }

  /**
   * A stack pointer with surprises: not aligned, at the ends of its page, in memory that cannot be written, and if
   * `wide` not canonical.
   */
  varyStack(wide = true): void {
    const { random } = this;
    const kind = random.below(20);
    if (kind < 4) this.setStack(DEFAULT_RSP + random.below(64) - 32);
    else if (kind < 5) this.setStack(STACK.gva + random.below(10));
    else if (kind < 6) this.setStack(STACK.gva + STACK.sizeBytes - random.below(10));
    else if (kind < 7) this.setStack(DATA.gva + 0x1000 + random.below(12) - 6);
    else if (kind < 8) this.setStack(READ_ONLY.gva + 0x100);
    else if (kind < 9 && wide && this.mode === "long64") this.set(RSP, NON_CANONICAL);
  }

  /** Writes as many of the bytes as lie in writable memory. */
  write(gva: number | bigint, bytes: Uint8Array): void {
    const start = Number(gva);
    for (const region of REGIONS.filter(({ writable }) => writable)) {
      const from = Math.max(start, region.gva);
      const to = Math.min(start + bytes.length, region.gva + region.sizeBytes);
      if (from < to) this.memory.push({ gva: from, bytes: bytes.slice(from - start, to - start) });
    }
  }

  writeNumber(gva: number | bigint, value: bigint, sizeBytes: number): void {
    this.write(
      gva,
      Uint8Array.from({ length: sizeBytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn)),
    );
  }

  /** Writes consecutive values of `sizeBytes` at the top of the stack. */
  writeStack(sizeBytes: number, ...values: readonly bigint[]): void {
    const top = this.stackAddress();
    for (const [i, value] of values.entries()) this.writeNumber(top + i * sizeBytes, value, sizeBytes);
  }

  /** Chooses the address of the ModRM memory operand, solves its registers, and writes `contents` there. */
  placeMemoryOperand(contents: (sizeBytes: number) => bigint): void {
    const { shape, random } = this;
    const { memory, addressBits } = shape;
    if (memory === undefined) return;
    const sizeBytes = memoryBytes(shape);
    const segment = segmentOfForm(memory, shape.segment, shape.mode);
    if (!isAbsolute(memory)) {
      const target = chooseTarget(random, {
        sizeBytes,
        reach: reachOf(shape, segment),
        wide: addressBits === 64,
      });
      const chosen = target & ~ambiguousBits(shape.mode, segment, sizeBytes);
      solveForm(memory, addressBits, this.offsetIn(segment, chosen, addressBits), this.gpr);
    }
    const offset = memory.ripRelative
      ? BigInt.asUintN(addressBits, BigInt(memory.displacement))
      : effectiveAddress(memory, addressBits, this.gpr);
    const gva = this.linear(segment, offset);
    if (gva > 0xffff_ffffn) return;
    this.operandGva = Number(gva);
    this.writeNumber(this.operandGva, contents(sizeBytes), sizeBytes);
  }

  get hasRex(): boolean {
    const { shape } = this;
    return shape.rex || shape.rexW || shape.reg >= 8 || shape.rm >= 8;
  }

  #registerOf({ operand }: SizedOperand): number | undefined {
    if (operand.file !== "gpr") return undefined;
    if (operand.at === "fixed") return operand.number;
    if (operand.at === "reg") return this.shape.reg;
    if (operand.at === "vvvv") return this.shape.vvvv;
    return this.shape.memory === undefined || operand.at === "opcode" ? this.shape.rm : undefined;
  }

  /** Puts a general-purpose operand by its place in the row's list, into its register or memory. */
  setOperand(index: number, value: bigint): void {
    const sized = this.operands[index];
    if (sized === undefined) return;
    const register = this.#registerOf(sized);
    if (register === undefined) {
      if (this.operandGva !== undefined) this.writeNumber(this.operandGva, value, sized.bits / 8);
    } else if (sized.bits === 8) {
      const { register: n, shift } = byteRegister(register, this.hasRex);
      this.gpr[n] = (this.get(n) & ~(0xffn << BigInt(shift))) | ((value & 0xffn) << BigInt(shift));
    } else this.set(register, value, sized.bits);
  }

  /** The value of a general-purpose operand. */
  operand(index: number): bigint {
    const sized = this.operands[index];
    if (sized === undefined) return 0n;
    const register = this.#registerOf(sized);
    if (register === undefined)
      return this.operandGva === undefined ? 0n : this.read(this.operandGva, sized.bits / 8);
    if (sized.bits !== 8) return this.get(register, sized.bits);
    const { register: n, shift } = byteRegister(register, this.hasRex);
    return (this.get(n) >> BigInt(shift)) & 0xffn;
  }

  /** What has been written at an address; bytes that have not read as 0. */
  read(gva: number, sizeBytes: number): bigint {
    let value = 0n;
    for (let i = 0; i < sizeBytes; i++) {
      const layer = this.memory.findLast(
        ({ gva: at, bytes }) => gva + i >= at && gva + i < at + bytes.length,
      );
      value |= BigInt(layer?.bytes[gva + i - layer.gva] ?? 0) << BigInt(8 * i);
    }
    return value;
  }

  finish(name: string, code: Uint8Array): InstructionCase {
    const { shape, bases } = this;
    const narrow = this.mode !== "long64";
    return {
      name,
      mode: this.mode,
      code,
      initial: {
        gpr: Object.fromEntries(
          GPR_NAMES.map((register, i) => [register, narrow ? this.get(i, 32) : this.get(i)]),
        ),
        flags: this.flags,
        codeGva: shape.codeGva,
        segments: shape.segments,
        ...(!narrow && { fsBase: bases.fs, gsBase: bases.gs }),
        ...this.fp,
      },
      memory: this.memory,
      undefined: this.undefined,
    };
  }
}

/**
 * Address bits that have to be clear because it is open which fault comes first where an operand is neither aligned nor
 * within its stack segment, or in 64-bit mode its address not canonical.
 */
export function ambiguousBits(mode: CpuMode, segment: SegmentRegister, sizeBytes: number): bigint {
  if (segment !== "ss") return 0n;
  if (sizeBytes === XSAVE_AREA_BYTES) return 63n;
  return sizeBytes >= 16 && mode !== "long64" ? 15n : 0n;
}

/** Where the offsets of a segment lead. */
export function reachOf(shape: Shape, segment: SegmentRegister): "data" | "code" | "stack" {
  if (segment === "cs" && shape.mode === "protected16") return "code";
  if (shape.mode === "long64") return "data";
  const name = segmentNameOf(shape, segment);
  if (name === "code16") return "code";
  return name === "stack32" ? "stack" : "data";
}
