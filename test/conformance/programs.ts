/**
 * Random programs for the tiers: arithmetic on registers, memory, vectors and the x87 stack, with branches, loops,
 * calls and code that changes itself. What single instructions cannot show is shown here: lazy flags over several
 * instructions, registers kept in locals, faults in the middle of a region, invalidation.
 *
 * RBX points to data, RBP and RDI count loops; programs leave these and RSP to the constructs that use them.
 */
import { STATUS_FLAGS } from "../../src/engine/ir/flags.ts";
import { DECODED, Decoder } from "../../src/engine/x86/decode.ts";
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import { instructionRows } from "../../src/engine/x86/spec.ts";
import { FloatSource } from "../../src/engine/core/fpu-cases-fixture.ts";
import {
  type CpuMode,
  DATA,
  DEFAULT_RIP,
  GPR_NAMES,
  type InstructionCase,
  integerValues,
  PAGE_BYTES,
  type Random,
} from "../oracle/index.ts";
import { isOpen } from "./exclusions.ts";
import { type FlagEffect, flagEffectOf, flagsOfCondition } from "./flag-effects.ts";
import type { HostCpu } from "./host-cpu.ts";
import { byteRegister, memoryBytes } from "./operands.ts";
import { operandSizes } from "./policies.ts";
import { defaultAddressBits, encodeShape, immediateBytes, type MemoryForm, type Shape } from "./shape.ts";

const RBX = 3;
const RSP = 4;
const RBP = 5;
const RDI = 7;
const RESERVED: ReadonlySet<number> = new Set([RBX, RSP, RBP, RDI]);
const COUNTERS = [RBP, RDI] as const;
/** Where RBX points to: in the first data page, with the second in reach. */
const DATA_POINTER = DATA.gva + 0x800;
/** Iterations after which a block is compiled without help, and some more. */
const HOT_ITERATIONS = 700;

/** Vector and x87 instructions with effects beyond their registers and data, or with results that are not exact. */
const UNSUITABLE =
  /^(maskmov|ldmxcsr|stmxcsr|rcp|rsqrt|f2xm1|fyl2x|fptan|fpatan|fsin|fcos|fu?comi|fldenv|fnstenv|frstor|fnsave|fldcw|fxsave|fxrstor|wait|cvtpi2ps|emms)/;

/** Rows that programs are made of. */
function isSuitable(row: InstructionRow): boolean {
  const { mnemonic, operands, traits, features, encoding } = row;
  if (traits.has("cpl0") || operands.some(({ file }) => file === "sreg" || file === "cr" || file === "dr"))
    return false;
  if (operands.some(({ at }) => at === "moffs") || encoding.immediates.some((token) => /^c|mo/.test(token)))
    return false;
  const isVector = operands.some(({ file }) => file === "xmm" || file === "mm");
  if (isVector || features.has("fpu") || mnemonic === "crc32") return !UNSUITABLE.test(mnemonic);
  return flagEffectOf(mnemonic, 1, 32) !== undefined;
}

/** A counted loop around this many blocks of instructions, a branch over some, a call, a patch of later code. */
interface Budget {
  instructions: number;
}

export interface Program {
  readonly source: InstructionCase;
  /** The same, for when it ends by a fault: flags may then be open that later instructions would have defined. */
  readonly sourceIfFaulting: InstructionCase;
}

export class ProgramGenerator {
  readonly #host: HostCpu;
  readonly #decoder: Decoder;
  readonly #groups: readonly (readonly InstructionRow[])[];

  constructor(host: HostCpu) {
    this.#host = host;
    this.#decoder = new Decoder(instructionRows, host.features);
    const rows = this.#decoder.rows.filter(isSuitable);
    const isInteger = (row: InstructionRow): boolean =>
      row.operands.every(({ file }) => file === "gpr" || file === "none") && !row.features.has("fpu");
    const integer = rows.filter(isInteger);
    const rest = rows.filter((row) => !isInteger(row));
    // Integer instructions make up most of each program.
    this.#groups = [integer, integer, integer, rest];
  }

  /** A program; the same for the same number. */
  program(mode: CpuMode, number: number): Program {
    const floats = new FloatSource(number * 4 + ["long64", "compat32", "protected16"].indexOf(mode));
    return new ProgramWriter(mode, floats, (random, m) => this.#shape(random, m)).write(
      `program ${String(number)}`,
    );
  }

  #shape(random: Random, mode: CpuMode): Shape {
    for (;;) {
      const row = random.pick(random.pick(this.#groups));
      const shape = chooseShape(row, mode, random);
      if (shape !== undefined && this.#decodes(shape) && !isOpen(shape, this.#host)) return shape;
    }
  }

  #decodes(shape: Shape): boolean {
    const bytes = encodeShape(shape);
    const codeSize = shape.mode === "long64" ? 2 : shape.mode === "compat32" ? 1 : 0;
    const result = this.#decoder.decode(bytes, 0, bytes.length, codeSize);
    return result === DECODED && this.#decoder.row === shape.row && this.#decoder.length === bytes.length;
  }
}

/** A shape with a memory operand near RBX and without registers that have a purpose; undefined if it does not fit. */
function chooseShape(row: InstructionRow, mode: CpuMode, random: Random): Shape | undefined {
  const { traits, encoding, operands } = row;
  if (mode === "long64" ? traits.has("i64") : traits.has("o64")) return undefined;
  const operandBits = random.pick(operandSizes(row, mode));
  if (row.mnemonic === "bswap" && operandBits === 16) return undefined;
  const rexW =
    mode === "long64" && (encoding.rexW || (operandBits === 64 && !traits.has("d64") && !traits.has("f64")));
  const rmKind = operands.find(({ at }) => at === "rm");
  const isMemory = rmKind?.mod === "memory" || (rmKind?.mod === "any" && random.below(3) === 0);
  // A bit string in memory reaches as far as its register says.
  if (isMemory && row.mnemonic.startsWith("bt") && encoding.immediates.length === 0) return undefined;
  const registers = mode === "long64" ? 16 : 8;
  const addressBits = defaultAddressBits(mode);
  const isByte = operands.some(({ file, width }) => file === "gpr" && width === 8);
  const partial: Omit<Shape, "memory"> = {
    row,
    mode,
    operandBits,
    addressBits,
    lock: isMemory && traits.has("lock") && random.below(8) === 0,
    repeat: undefined,
    segment: undefined,
    rexW,
    rex: mode === "long64" && isByte && random.below(2) === 0,
    reg: random.below(registers),
    rm: random.below(registers),
    codeGva: DEFAULT_RIP,
    segments: {},
    immediates: encoding.immediates.map((token) =>
      /^(rol|ror|rcl|rcr|shl|shr|sar|shld|shrd|bt)/.test(row.mnemonic)
        ? BigInt(random.below(40))
        : immediate(random, token),
    ),
  };
  const form = isMemory
    ? chooseForm(random, addressBits, memoryBytes({ ...partial, memory: NEAR_RBX }))
    : undefined;
  const shape: Shape = { ...partial, memory: form };
  return usesReserved(shape) || isUndefinedShift(shape) ? undefined : shape;
}

/** SHLD and SHRD by more than the operand's size have no defined result. */
function isUndefinedShift({ row, operandBits, immediates }: Shape): boolean {
  if (row.mnemonic !== "shld" && row.mnemonic !== "shrd") return false;
  return operandBits === 16 && (immediates.length === 0 || (Number(immediates[0]) & 31) > 16);
}

const immediate = (random: Random, token: string): bigint => {
  const bits = 8 * immediateBytes(token, { operandBits: 64, addressBits: 64 });
  return random.below(2) === 0 ? random.next64() : random.runs(bits);
};

const NEAR_RBX: MemoryForm = {
  base: RBX,
  scale: 0,
  displacement: 0,
  displacementBytes: 0,
  ripRelative: false,
  needlessSib: false,
};

/** [RBX + displacement]: few places, so that loads meet stores; now and then across pages, or into unmapped memory. */
function chooseForm(random: Random, addressBits: number, sizeBytes: number): MemoryForm {
  const wide = addressBits === 16 ? 2 : 4;
  const kind = random.below(60);
  if (kind === 0)
    return { ...NEAR_RBX, displacement: 2 * PAGE_BYTES - 0x800 - (sizeBytes >> 1), displacementBytes: wide };
  if (kind < 4)
    return { ...NEAR_RBX, displacement: PAGE_BYTES - 0x800 - (sizeBytes >> 1), displacementBytes: wide };
  const aligned = random.below(8) * 16;
  if (kind < 8 && sizeBytes < 16)
    return { ...NEAR_RBX, displacement: aligned + random.below(16), displacementBytes: 1 };
  return { ...NEAR_RBX, displacement: aligned, displacementBytes: aligned === 0 ? 0 : 1 };
}

function usesReserved(shape: Shape): boolean {
  const hasRex = shape.rex || shape.rexW || shape.reg >= 8 || (shape.memory === undefined && shape.rm >= 8);
  return shape.row.operands.some(({ file, at, width }) => {
    if (file !== "gpr" || at === "fixed") return false;
    if (at === "rm" && shape.memory !== undefined) return false;
    const number = at === "reg" ? shape.reg : shape.rm;
    return RESERVED.has(width === 8 ? byteRegister(number, hasRex).register : number);
  });
}

/** Emits one program. */
class ProgramWriter {
  readonly #mode: CpuMode;
  readonly #random: Random;
  readonly #floats: FloatSource;
  readonly #choose: (random: Random, mode: CpuMode) => Shape;
  readonly #bytes: number[] = [];
  /** Calls whose target is not known yet: places of their displacements. */
  readonly #calls: number[] = [];
  /** Flags that may be anything here, and that may be so somewhere. */
  #open = 0;
  #everOpen = 0;
  #budget: Budget = { instructions: 0 };

  constructor(mode: CpuMode, floats: FloatSource, choose: (random: Random, mode: CpuMode) => Shape) {
    this.#mode = mode;
    this.#random = floats.random;
    this.#floats = floats;
    this.#choose = choose;
  }

  write(name: string): Program {
    const random = this.#random;
    this.#budget = { instructions: 3 + random.below(20) };
    const isHot = random.below(5) === 0;
    this.#loop(0, isHot ? HOT_ITERATIONS + random.below(200) : 1 + random.below(40));
    this.#emit(...this.#jumpBytes(0xe9));
    const leave = this.#bytes.length;
    const subroutine = this.#bytes.length;
    if (this.#calls.length > 0) this.#subroutine();
    for (const call of this.#calls) this.#patchRelative(call, subroutine);
    const openAtEnd = this.#calls.length > 0 ? STATUS_FLAGS : this.#open;
    // Behind the program the INT3 fill begins.
    this.#patchRelative(leave, this.#bytes.length);
    const source = this.#case(name);
    return {
      source: { ...source, undefined: { flags: openAtEnd } },
      sourceIfFaulting: { ...source, undefined: { flags: this.#everOpen } },
    };
  }

  #emit(...bytes: number[]): void {
    this.#bytes.push(...bytes);
  }

  get #relativeBytes(): 2 | 4 {
    return this.#mode === "protected16" ? 2 : 4;
  }

  /** An opcode with a displacement to be patched. */
  #jumpBytes(...opcode: number[]): number[] {
    return [...opcode, ...Array.from({ length: this.#relativeBytes }, () => 0)];
  }

  /** Sets the displacement that ends at `end` so that it leads to `target`. */
  #patchRelative(end: number, target: number): void {
    const size = this.#relativeBytes;
    const value = BigInt(target - end);
    for (let i = 0; i < size; i++) this.#bytes[end - size + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }

  /** MOV counter, n; body; DEC counter; JNZ body. */
  #loop(depth: number, iterations: number): void {
    const counter = COUNTERS[depth] ?? RBP;
    const immediateSize = this.#mode === "protected16" ? 2 : 4;
    this.#emit(
      0xb8 + counter,
      ...Array.from({ length: immediateSize }, (_, i) => (iterations >> (8 * i)) & 0xff),
    );
    const start = this.#bytes.length;
    // DEC leaves CF as the body ends with.
    this.#open |= 1;
    this.#body(depth);
    this.#emit(0xff, 0xc8 + counter, ...this.#jumpBytes(0x0f, 0x85));
    this.#open &= 1;
    this.#patchRelative(this.#bytes.length, start);
  }

  #body(depth: number): void {
    const random = this.#random;
    const length = 2 + random.below(8);
    for (let i = 0; i < length && this.#budget.instructions > 0; i++) {
      const kind = random.below(24);
      if (kind < 3) this.#branch(depth);
      else if (kind === 3 && depth === 0) this.#loop(1, 1 + random.below(12));
      else if (kind === 4) this.#pushAndPop();
      else if (kind === 5) this.#call();
      else if (kind === 6) this.#patch(depth);
      else if (kind < 10) this.#accumulateFlags();
      else this.#instruction();
    }
  }

  #instruction(): void {
    for (;;) {
      const shape = this.#choose(this.#random, this.#mode);
      const found = effectOfShape(shape);
      if ((found.reads & this.#open) !== 0) continue;
      this.#open = (this.#open & ~found.defines) | found.undefines;
      this.#everOpen |= this.#open;
      const code = encodeShape(shape);
      this.#emit(...code);
      this.#budget.instructions--;
      return;
    }
  }

  /** Jcc over some instructions. */
  #branch(depth: number): void {
    const usable = Array.from({ length: 16 }, (_, code) => code).filter(
      (code) => (flagsOfCondition(code) & this.#open) === 0,
    );
    if (usable.length === 0) return;
    this.#emit(...this.#jumpBytes(0x0f, 0x80 + this.#random.pick(usable)));
    const end = this.#bytes.length;
    const before = this.#open;
    const length = 1 + this.#random.below(3);
    for (let i = 0; i < length; i++) {
      if (this.#random.below(6) === 0) this.#branch(depth);
      else this.#instruction();
    }
    this.#open |= before;
    this.#patchRelative(end, this.#bytes.length);
  }

  #freeRegister(): number {
    return this.#random.pick([0, 1, 2, 6]);
  }

  #pushAndPop(): void {
    this.#emit(0x50 + this.#freeRegister());
    const length = this.#random.below(3);
    for (let i = 0; i < length; i++) this.#instruction();
    this.#emit(0x58 + this.#freeRegister());
  }

  /** PUSHF; POP r; AND r, defined flags; ADD [RBX + 70h], r: makes all of a flag's history count in the end. */
  #accumulateFlags(): void {
    const register = this.#freeRegister();
    const defined = STATUS_FLAGS & ~this.#open;
    const rexW = this.#mode === "long64" ? [0x48] : [];
    const high = this.#mode === "protected16" ? [] : [0, 0];
    this.#emit(0x9c, 0x58 + register, ...rexW, 0x81, 0xe0 + register, defined & 0xff, defined >> 8, ...high);
    // Over the image on the stack, whose open flags would count as well.
    this.#emit(0x50 + register, 0x58 + register);
    this.#emit(...rexW, 0x01, (register << 3) | (this.#mode === "protected16" ? 0x47 : 0x43), 0x70);
    this.#open = 0;
  }

  #call(): void {
    this.#emit(...this.#jumpBytes(0xe8));
    this.#calls.push(this.#bytes.length);
    this.#open = STATUS_FLAGS;
    this.#everOpen = STATUS_FLAGS;
  }

  #subroutine(): void {
    this.#open = STATUS_FLAGS;
    this.#budget.instructions = 6;
    const length = 1 + this.#random.below(5);
    for (let i = 0; i < length; i++) {
      if (this.#random.below(5) === 0) this.#branch(1);
      else this.#instruction();
    }
    this.#emit(0xc3);
  }

  /**
   * MOV r, n and MOV [place of n], AL, one way round or the other: code that changes itself, at every turn of the loop or
   * when its counter has come near its end.
   */
  #patch(depth: number): void {
    // Only flat data segments reach the code.
    if (this.#mode === "protected16") return;
    const first = this.#random.below(2) === 0;
    const move = [0xb8 + this.#random.pick([1, 2, 6]), 1, 0, 0, 0];
    const store = 1 + (this.#mode === "long64" ? 8 : 4);
    const counter = COUNTERS[depth] ?? RBP;
    const isLate = this.#random.below(3) > 0;
    // CMP counter, n; JNE.
    const condition = isLate ? [0x83, 0xf8 + counter, this.#random.below(20), 0x75, store] : [];
    if (isLate) this.#open = 0;
    const start = this.#bytes.length;
    const target = first ? start + 1 : start + condition.length + store + 1;
    const address = BigInt(DEFAULT_RIP + target);
    const patch = [
      ...condition,
      0xa2,
      ...Array.from({ length: store - 1 }, (_, i) => Number((address >> BigInt(8 * i)) & 0xffn)),
    ];
    this.#emit(...(first ? [...move, ...patch] : [...patch, ...move]));
  }

  #case(name: string): InstructionCase {
    const random = this.#random;
    const floats = this.#floats;
    const values = integerValues(64);
    const value = (): bigint => (random.below(2) === 0 ? random.pick(values) : random.next64());
    const dataBase = this.#mode === "protected16" ? DATA.gva : 0;
    const registers = GPR_NAMES.filter((register) => register !== "rsp");
    const gpr = Object.fromEntries(registers.map((register) => [register, value()]));
    const vector = (): bigint =>
      random.below(2) === 0
        ? floats.vector(random.pick([32, 64]))
        : random.next64() | (random.next64() << 64n);
    const usesMmx = random.below(2) === 0;
    return {
      name: `${name} (${this.#mode})`,
      mode: this.#mode,
      code: Uint8Array.from(this.#bytes),
      initial: {
        gpr: { ...gpr, rbx: BigInt(DATA_POINTER - dataBase) },
        flags: Number(random.next64()) & STATUS_FLAGS,
        xmm: Object.fromEntries(
          Array.from({ length: this.#mode === "long64" ? 16 : 8 }, (_, i) => [i, vector()]),
        ),
        ...(usesMmx
          ? { mm: Array.from({ length: 8 }, () => random.next64()) }
          : { st: Array.from({ length: random.below(6) }, () => floats.f80()) }),
      },
    };
  }
}

function effectOfShape(shape: Shape): FlagEffect {
  const { row, operandBits } = shape;
  const last = row.operandKinds.at(-1);
  const count = last === "1" ? 1 : last === "cl" ? undefined : Number(shape.immediates[0] ?? 0n);
  const bits = row.operands[0]?.width === 8 ? 8 : operandBits;
  return flagEffectOf(row.mnemonic, count, bits) ?? { reads: 0, defines: 0, undefines: 0 };
}
