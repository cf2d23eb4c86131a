/**
 * Instructions that programs are made of: rows whose effects stay in registers, flags and a few places of memory, in
 * shapes that leave the registers alone that have a purpose.
 *
 * RBX points to data, RBP and RDI count loops; programs leave these and RSP to the constructs that use them.
 */
import { DECODED, Decoder } from "../../src/engine/x86/decode.ts";
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import { instructionRows } from "../../src/engine/x86/spec.ts";
import { type CpuMode, DATA, DEFAULT_RIP, PAGE_BYTES, type Random } from "../oracle/index.ts";
import { isOpen } from "./exclusions.ts";
import { type FlagEffect, flagEffectOf } from "./flag-effects.ts";
import type { HostCpu } from "./host-cpu.ts";
import { byteRegister, memoryBytes } from "./operands.ts";
import { operandSizes } from "./policies.ts";
import { defaultAddressBits, encodeShape, immediateBytes, type MemoryForm, type Shape } from "./shape.ts";

export const RBX = 3;
const RSP = 4;
export const RBP = 5;
export const RDI = 7;
/** Registers that instructions of programs do not name. */
export const PURPOSEFUL: ReadonlySet<number> = new Set([RBX, RSP, RBP, RDI]);
/** Where RBX points to: in the first data page, with the second in reach. */
export const DATA_POINTER = DATA.gva + 0x800;

/** Vector and x87 instructions with effects beyond their registers and data, or with results that are not exact. */
const UNSUITABLE =
  /^(maskmov|ldmxcsr|stmxcsr|rcp|rsqrt|f2xm1|fyl2x|fptan|fpatan|fsin|fcos|fu?comi|fldenv|fnstenv|frstor|fnsave|fldcw|fxsave|fxrstor|wait|cvtpi2ps|emms|dpp[sd])/;

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

/** Chooses shapes of suitable rows. */
export class ProgramShapes {
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

  /** A random shape that names none of the registers in `reserved`, and no memory if that is not wanted. */
  shape(random: Random, mode: CpuMode, reserved = PURPOSEFUL, usesMemory = true): Shape {
    for (;;) {
      const row = random.pick(random.pick(this.#groups));
      const shape = chooseShape(row, mode, random, reserved);
      if (shape === undefined || (!usesMemory && shape.memory !== undefined)) continue;
      if (this.#decodes(shape) && !isOpen(shape, this.#host)) return shape;
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
function chooseShape(
  row: InstructionRow,
  mode: CpuMode,
  random: Random,
  reserved: ReadonlySet<number>,
): Shape | undefined {
  const { traits, encoding, operands } = row;
  if (mode === "long64" ? traits.has("i64") : traits.has("o64")) return undefined;
  const operandBits = random.pick(operandSizes(row, mode));
  if (row.mnemonic === "bswap" && operandBits === 16) return undefined;
  const isWide = encoding.rexW || (operandBits === 64 && !traits.has("d64") && !traits.has("f64"));
  const hasWidthByW = operands.some(({ width }) => width === "y");
  const rexW = mode === "long64" && (isWide || (hasWidthByW && random.below(2) === 0));
  const rmKind = operands.find(({ at }) => at === "rm");
  const isMemory = rmKind?.mod === "memory" || (rmKind?.mod === "any" && random.below(3) === 0);
  // A bit string in memory reaches as far as its register says.
  if (isMemory && row.mnemonic.startsWith("bt") && encoding.immediates.length === 0) return undefined;
  // AMD processors read what is not aligned, Intel's raise #GP(0).
  if (isMemory && row.features.has("sha")) return undefined;
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
    ...(operands.some(({ at }) => at === "vvvv") && { vvvv: random.below(registers) }),
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
  return names(shape, reserved) || isUndefinedShift(shape) ? undefined : shape;
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

/** Instructions that change RAX, RCX or RDX without naming them. */
const IMPLICIT = /^(i?mul|cmpxchg|cbw|cwd|lahf|pcmp[ei]str|mulx)/;

/** Whether an operand of a shape is one of these general registers. */
function names(shape: Shape, registers: ReadonlySet<number>): boolean {
  const hasRex = shape.rex || shape.rexW || shape.reg >= 8 || (shape.memory === undefined && shape.rm >= 8);
  const { mnemonic, operands } = shape.row;
  if (IMPLICIT.test(mnemonic) && [0, 1, 2].some((register) => registers.has(register))) return true;
  return operands.some(({ file, at, width, number: fixed }) => {
    if (file !== "gpr") return false;
    if (at === "fixed") return fixed !== undefined && registers.has(fixed);
    if (at === "rm" && shape.memory !== undefined) return false;
    const number = at === "reg" ? shape.reg : at === "vvvv" ? (shape.vvvv ?? 0) : shape.rm;
    return registers.has(width === 8 ? byteRegister(number, hasRex).register : number);
  });
}

/** What a shape does to the flags; undefined if programs do not use its row. */
export function effectOfShape(shape: Shape): FlagEffect | undefined {
  const { row, operandBits } = shape;
  const last = row.operandKinds.at(-1);
  const count = last === "1" ? 1 : last === "cl" ? undefined : Number(shape.immediates[0] ?? 0n);
  const bits = row.operands[0]?.width === 8 ? 8 : operandBits;
  return flagEffectOf(row.mnemonic, count, bits);
}
