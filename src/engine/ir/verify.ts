/**
 * The IR's verifier: what every translated block must satisfy before a tier may run it. Used by tests and by the
 * translator's fuzzing; it costs too much for every translation.
 *
 * - The first op is `enter`, the last the only branch op that ends a block, and nothing stands behind it.
 * - Operands name slots that exist; XMM indices are below 18; pc never decreases and lies within the block.
 * - Instructions are restartable: once an op of an instruction has written a register or the flags, no later op of
 *   that instruction may fault. Temporaries do not count; PUSH and POP ops order this within themselves. A store to
 *   the address that the instruction has loaded for writing cannot fault.
 */
import { SEG_BASE, SLOT_ZERO, TEMP, TEMP_COUNT, XMM_COUNT } from "../layout.ts";
import type { IrBlock } from "./block.ts";
import type { Statement } from "./expr.ts";
import type { HelperRow } from "./helper-row.ts";
import { helperRows } from "./helpers.ts";
import { opEffects, opRow } from "./ops.ts";
import { opFields, opText, type FieldUse } from "./text.ts";

const helpersByName = new Map<string, HelperRow>(helperRows.map((row) => [row.name, row]));
const XMM_TEMPORARIES = 2;

/** What is wrong with the block, one sentence each; empty if nothing is. */
export function verifyBlock(block: IrBlock): string[] {
  const problems: string[] = [];
  const report = (index: number, message: string): void => {
    problems.push(`op ${index} (${opText(block, index)}): ${message}`);
  };
  if (block.count === 0) return ["the block is empty"];
  if (opRow(block.op[0] ?? 0).name !== "enter") report(0, "the first op is not enter");
  if (block.imm[0] !== block.instructionCount) report(0, "the instruction count differs from the block's");

  let previousPc = 0;
  /** First op of the current instruction that changed architectural state; -1 if none has. */
  let changedAt = -1;
  /** The address operands of the current instruction's loads for writing. */
  let writable: string[] = [];
  for (let i = 0; i < block.count; i++) {
    const number = block.op[i] ?? 0;
    const row = opRow(number);
    const effects = opEffects[number];
    const fields = opFields[number];
    if (effects === undefined || fields === undefined) {
      report(i, "the op has no row");
      continue;
    }
    const pc = block.pc[i] ?? 0;
    if (pc < previousPc) report(i, "pc goes backwards");
    if (pc >= Math.max(1, block.guestSizeBytes)) report(i, "pc lies outside the block");
    if (pc !== previousPc) {
      changedAt = -1;
      writable = [];
    }
    previousPc = pc;
    for (const role of ["d", "s", "a"] as const) {
      const problem = operandProblem(fields[role], block[role][i] ?? 0);
      if (problem !== undefined) report(i, `${role}: ${problem}`);
    }
    if (fields.usesScale && (block.scale[i] ?? 0) > 3) report(i, "the scale is above 3");
    const isLast = i === block.count - 1;
    if (effects.endsBlock !== isLast)
      report(i, isLast ? "the block does not end with a branch" : "a branch within the block");

    const address = `${block.s[i] ?? 0},${block.a[i] ?? 0},${block.scale[i] ?? 0},${block.imm[i] ?? 0}`;
    const name = row.name.replace(/^(ldw|st)\d+/, "");
    const isSafeStore = /^st\d/.test(row.name) && writable.includes(name + address);
    if (effects.mayFault && changedAt >= 0 && !isSafeStore)
      report(i, `may fault behind the change of state at op ${changedAt}`);
    if (row.name.startsWith("ldw")) writable.push(name + address);
    if (changedAt < 0 && changesState(block, i)) changedAt = i;
  }
  return problems;
}

function operandProblem(use: FieldUse, value: number): string | undefined {
  switch (use) {
    case "none":
    case "number":
      return undefined;
    case "xmm":
      return value < XMM_COUNT + XMM_TEMPORARIES ? undefined : `there is no xmm${value}`;
    case "st":
      return value < 8 ? undefined : `there is no st${value}`;
    case "mm":
      // 8: the memory operand in the XMM temporary.
      return value <= 8 ? undefined : `there is no mm${value}`;
    case "slot": {
      const isHighByte = value < 32 && value % 8 === 1;
      const isSlot = value % 8 === 0 && value < TEMP + 8 * TEMP_COUNT;
      return isHighByte || isSlot ? undefined : `there is no slot ${value}`;
    }
  }
}

const isArchitectural = (slot: number): boolean => slot < SEG_BASE || (slot > SLOT_ZERO && slot < TEMP);

/** Does the op write a general register, an XMM register or the flags? */
function changesState(block: IrBlock, index: number): boolean {
  const { meaning } = opRow(block.op[index] ?? 0);
  const operand = { d: block.d[index] ?? 0, s: block.s[index] ?? 0, a: block.a[index] ?? 0 };
  if (meaning.kind === "branch" || meaning.kind === "sequence") return false;
  if (meaning.kind === "helper") {
    const helper = helpersByName.get(meaning.helper);
    if (helper === undefined || helper.flags === "writes" || helper.flags === "both") return true;
    const writes = (kind: string, slot: number): boolean => kind.includes("w") && isArchitectural(slot);
    const writesXmm = helper.d === "xmm" && operand.d < XMM_COUNT;
    return (
      writes(helper.d, operand.d) ||
      writes(helper.s, operand.s) ||
      writesXmm ||
      helper.d === "st" ||
      helper.d === "mm"
    );
  }
  return meaning.body.some((statement: Statement) => {
    switch (statement.kind) {
      case "setReg":
        return isArchitectural(operand[statement.role]);
      case "setXmm":
        return operand[statement.role] < XMM_COUNT;
      case "setGpr":
      case "setState":
      case "flags":
        return true;
      default:
        return false;
    }
  });
}
