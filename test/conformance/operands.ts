/** Widths of a row's operands in a shape, and which of them is the memory operand. */
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import type { Operand, OperandKind } from "../../src/engine/x86/operand.ts";
import type { Shape } from "./shape.ts";

/** The legacy region and the header. */
export const XSAVE_AREA_BYTES = 576;

/** Memory that an instruction reads or writes behind an operand without a width (kind "m"), by mnemonic. */
const areaBytes: Readonly<Record<string, number>> = {
  fxsave: 512,
  xsave: XSAVE_AREA_BYTES,
  xsaveopt: XSAVE_AREA_BYTES,
  xsavec: XSAVE_AREA_BYTES,
  xrstor: XSAVE_AREA_BYTES,
  fxrstor: 512,
  fldenv: 28,
  fnstenv: 28,
  frstor: 108,
  fnsave: 108,
  lgdt: 10,
  lidt: 10,
};

export interface SizedOperand {
  readonly kind: OperandKind;
  readonly operand: Operand;
  readonly bits: number;
}

/** Bits of an operand; of one that may be memory too, those of the register. */
function bitsOf(operand: Operand, shape: Shape): number {
  switch (operand.width) {
    case "v":
      return shape.operandBits;
    case "z":
      return Math.min(shape.operandBits, 32);
    case "y":
      return shape.rexW && shape.mode === "long64" ? 64 : 32;
    case "far":
      return shape.operandBits + 16;
    case "none":
      return 8 * (areaBytes[shape.row.mnemonic] ?? 8);
    default:
      return operand.width;
  }
}

export function sizedOperands(shape: Shape): SizedOperand[] {
  return shape.row.operands.map((operand, i) => {
    const kind = shape.row.operandKinds[i] ?? "m";
    const narrower = /\/m(\d+)$/.exec(kind)?.[1];
    const isMemory = operand.at === "rm" && shape.memory !== undefined;
    // BOUND reads a pair.
    const pair = shape.row.mnemonic === "bound" && kind === "mv" ? 2 : 1;
    const bits = isMemory && narrower !== undefined ? Number(narrower) : bitsOf(operand, shape) * pair;
    return { kind, operand, bits };
  });
}

/** Bytes of the ModRM memory operand; 0 if there is none. */
export function memoryBytes(shape: Shape): number {
  if (shape.memory === undefined) return 0;
  const found = sizedOperands(shape).find(({ operand }) => operand.at === "rm");
  return found === undefined ? 8 : found.bits / 8;
}

export const rmOperand = (row: InstructionRow): Operand | undefined =>
  row.operands.find(({ at }) => at === "rm");
/** Whether operand `at` is in the general registers. */
export const isGpr = (operand: Operand): boolean => operand.file === "gpr";

/** The general register behind number `n` of an 8-bit operand, and the shift of its byte: AH, CH, DH, BH. */
export function byteRegister(
  n: number,
  hasRex: boolean,
): { readonly register: number; readonly shift: number } {
  return n >= 4 && n < 8 && !hasRex ? { register: n - 4, shift: 8 } : { register: n, shift: 0 };
}
