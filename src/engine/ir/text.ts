/**
 * The text form of a translated block, for golden tests and debugging: one op per line, "pc: name operands", in a
 * notation close to the op tables. Slots print by register name: rax … r15, ah … bh, es … gs (bases), zero, t0 … t8.
 */
import { SEG_BASE, SLOT_ZERO, TEMP } from "../layout.ts";
import type { IrBlock } from "./block.ts";
import type { Expr } from "./expr.ts";
import type { HelperOperand, HelperRow } from "./helper-row.ts";
import { helperRows } from "./helpers.ts";
import type { OpRow } from "./op.ts";
import { ops, opRow, visitExpressions } from "./ops.ts";

const registerNames = [
  "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
]; // prettier-ignore
const segmentNames = ["es", "cs", "ss", "ds", "fs", "gs"];
const highByteNames = ["ah", "ch", "dh", "bh"];

/** The name of a register-file slot. */
export function slotName(slot: number): string {
  if (slot < 128 && slot % 8 === 0) return registerNames[slot / 8] ?? "?";
  if (slot < 32 && slot % 8 === 1) return highByteNames[(slot - 1) / 8] ?? "?";
  if (slot >= SEG_BASE && slot < SLOT_ZERO && slot % 8 === 0)
    return `${segmentNames[(slot - SEG_BASE) / 8] ?? "?"}base`;
  if (slot === SLOT_ZERO) return "zero";
  if (slot >= TEMP && slot < 256 && slot % 8 === 0) return `t${(slot - TEMP) / 8}`;
  return `slot${slot}`;
}

/** What an operand field of an op names; "none" if the op ignores it. */
export type FieldUse = "none" | "slot" | "xmm" | "st" | "mm" | "number";
/** What the fields of an op mean, derived from its meaning. */
export interface OpFields {
  readonly d: FieldUse;
  readonly s: FieldUse;
  readonly a: FieldUse;
  readonly usesImmediate: boolean;
  readonly usesImmediate64: boolean;
  readonly usesScale: boolean;
}

const helpersByName = new Map<string, HelperRow>(helperRows.map((row) => [row.name, row]));

function helperUse(operand: HelperOperand): FieldUse {
  if (operand === "none" || operand === "xmm" || operand === "st" || operand === "mm" || operand === "number")
    return operand;
  return "slot";
}

function fieldsOf(row: OpRow): OpFields {
  const { meaning } = row;
  const uses = { d: "none", s: "none", a: "none" } satisfies Record<string, FieldUse>;
  const fields: { d: FieldUse; s: FieldUse; a: FieldUse } = uses;
  let usesImmediate = false;
  let usesImmediate64 = false;
  let usesScale = false;
  const visit = (e: Expr): void => {
    if (e.kind === "reg") fields[e.role] = "slot";
    if (e.kind === "xmm") fields[e.role] = "xmm";
    if (e.kind === "imm") usesImmediate = true;
    if (e.kind === "imm64") usesImmediate64 = true;
    if (e.kind === "scale") usesScale = true;
  };
  if (meaning.kind === "helper") {
    const helper = helpersByName.get(meaning.helper);
    if (helper !== undefined) {
      fields.d = helperUse(helper.d);
      fields.s = helperUse(helper.s);
      usesImmediate = helper.imm !== "none";
    }
  } else {
    const body = meaning.kind === "inline" ? meaning.body : [];
    for (const statement of body) {
      if (statement.kind === "setReg") fields[statement.role] = "slot";
      if (statement.kind === "setXmm") fields[statement.role] = "xmm";
      visitExpressions(statement, visit);
    }
    if (meaning.kind === "branch") {
      const { branch } = meaning;
      if (branch.kind === "indirect" || branch.kind === "canonical") fields.s = "slot";
      if (branch.kind === "conditional") {
        const nested: readonly Expr[] = [branch.condition];
        for (const e of nested) visitExpressions({ kind: "let", name: "condition", value: e }, visit);
        for (const statement of branch.before ?? []) visitExpressions(statement, visit);
      }
      usesImmediate ||= branch.kind === "enter" || branch.kind === "syncpc" || branch.kind === "raise";
    }
  }
  return { ...fields, usesImmediate, usesImmediate64, usesScale };
}

/** By op number. */
export const opFields: readonly OpFields[] = ops.map(fieldsOf);

function operandText(use: FieldUse, value: number): string {
  if (use === "slot") return slotName(value);
  return use === "number" ? String(value) : `${use}${value}`;
}

const signed = (value: number): string =>
  value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;

/** One op as text. */
export function opText(block: IrBlock, index: number): string {
  const number = block.op[index] ?? 0;
  const row = opRow(number);
  const fields = opFields[number];
  const parts: string[] = [];
  if (fields === undefined) return row.name;
  if (fields.d !== "none") parts.push(operandText(fields.d, block.d[index] ?? 0));
  if (fields.s !== "none") parts.push(operandText(fields.s, block.s[index] ?? 0));
  if (fields.a !== "none") {
    const scale = fields.usesScale ? `*${1 << (block.scale[index] ?? 0)}` : "";
    parts.push(operandText(fields.a, block.a[index] ?? 0) + scale);
  }
  if (fields.usesImmediate) parts.push(signed(block.imm[index] ?? 0));
  if (fields.usesImmediate64) {
    const value = (BigInt(block.immHigh[index] ?? 0) << 32n) | BigInt((block.imm[index] ?? 0) >>> 0);
    parts.push(`0x${BigInt.asUintN(64, value).toString(16)}`);
  }
  if (row.meaning.kind === "branch") {
    const { branch } = row.meaning;
    const target0 = `->${signed(block.target0[index] ?? 0)}`;
    const target1 = signed(block.target1[index] ?? 0);
    if (branch.kind === "jump") parts.push(target0);
    if (branch.kind === "conditional") parts.push(`${target0} else ${target1}`);
    if ((branch.kind === "jump" || branch.kind === "indirect") && branch.why === "call")
      parts.push(`back ${target1}`);
  }
  return parts.length === 0 ? row.name : `${row.name} ${parts.join(", ")}`;
}

/** The whole block, one line per op. */
export function blockText(block: IrBlock): string {
  const lines: string[] = [];
  for (let i = 0; i < block.count; i++) lines.push(`${(block.pc[i] ?? 0).toString(16)}: ${opText(block, i)}`);
  return lines.join("\n");
}
