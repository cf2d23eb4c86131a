/**
 * What the region compiler's data flow needs to know of each IR op, derived from its meaning once: which operands and
 * general registers it reads and writes, what it does to the lazy flags, whether it can fault.
 */
import type { HelperOperand, HelperRow } from "../ir/helper-row.ts";
import { quickFloats } from "../ir/quick-floats.ts";
import { helperRows } from "../ir/helpers.ts";
import type { Role, Statement } from "../ir/expr.ts";
import type { Branch, OpRow } from "../ir/op.ts";
import { accessesMemory, ops, visitExpressions } from "../ir/ops.ts";

export const ROLE_D = 1;
export const ROLE_S = 2;
export const ROLE_A = 4;
const roleBit: Record<Role, number> = { d: ROLE_D, s: ROLE_S, a: ROLE_A };

/** An op leaves the flags alone. */
export const NO_FLAGS = -1;

export interface OpFacts {
  /** Operand slots read, written whole, and written in part (ROLE_* bits). */
  readonly readRoles: number;
  readonly fullRoles: number;
  readonly partialRoles: number;
  /** The same for fixed general registers, one bit each. */
  readonly readGprs: number;
  readonly fullGprs: number;
  readonly partialGprs: number;
  /** Operands that name XMM registers read and written (ROLE_* bits). */
  readonly xmmReads: number;
  readonly xmmWrites: number;
  /** It is a helper whose quick form depends on MXCSR. */
  readonly usesFloats: boolean;
  /** The lazy-flag operation (flags.ts) it leaves behind, or NO_FLAGS. */
  readonly flagOp: number;
  /** It writes the flags only in some cases. */
  readonly flagsConditional: boolean;
  /** It can leave the region with a fault, other than as a helper. */
  readonly faults: boolean;
  /** What it runs; exactly one of the three is there, `body` also for what a branch does before it decides. */
  readonly body: readonly Statement[];
  readonly helper: HelperRow | undefined;
  readonly branch: Branch | undefined;
}

const helpersByName = new Map<string, HelperRow>(helperRows.map((row) => [row.name, row]));

interface Accumulator {
  readRoles: number;
  fullRoles: number;
  partialRoles: number;
  readGprs: number;
  fullGprs: number;
  partialGprs: number;
  xmmReads: number;
  xmmWrites: number;
  flagOp: number;
  flagsConditional: boolean;
  faults: boolean;
}

function addStatement(facts: Accumulator, statement: Statement): void {
  visitExpressions(statement, (e) => {
    if (e.kind === "reg") facts.readRoles |= roleBit[e.role];
    else if (e.kind === "gpr") facts.readGprs |= 1 << e.number;
    else if (e.kind === "xmm") facts.xmmReads |= roleBit[e.role];
  });
  if (statement.kind === "setReg") {
    if (statement.width >= 32) facts.fullRoles |= roleBit[statement.role];
    else facts.partialRoles |= roleBit[statement.role];
  } else if (statement.kind === "setGpr") {
    if (statement.width >= 32) facts.fullGprs |= 1 << statement.number;
    else facts.partialGprs |= 1 << statement.number;
  } else if (statement.kind === "setXmm") {
    facts.xmmWrites |= roleBit[statement.role];
  } else if (statement.kind === "flags") {
    facts.flagOp = statement.op;
    facts.flagsConditional = statement.when !== undefined;
  } else if (accessesMemory(statement)) {
    facts.faults = true;
  }
}

function branchBody(branch: Branch): readonly Statement[] {
  if (branch.kind !== "conditional") return [];
  const decide: Statement = { kind: "let", name: "condition", value: branch.condition };
  return [...(branch.before ?? []), decide];
}

function factsOf(row: OpRow): OpFacts {
  const { meaning } = row;
  const facts: Accumulator = {
    readRoles: 0,
    fullRoles: 0,
    partialRoles: 0,
    readGprs: 0,
    fullGprs: 0,
    partialGprs: 0,
    xmmReads: 0,
    xmmWrites: 0,
    flagOp: NO_FLAGS,
    flagsConditional: false,
    faults:
      meaning.kind === "branch" && (meaning.branch.kind === "raise" || meaning.branch.kind === "canonical"),
  };
  const helper = meaning.kind === "helper" ? helpersByName.get(meaning.helper) : undefined;
  const branch = meaning.kind === "branch" ? meaning.branch : undefined;
  const body = meaning.kind === "inline" ? meaning.body : branch === undefined ? [] : branchBody(branch);
  for (const statement of body) addStatement(facts, statement);
  if (helper?.d === "xmm") facts.xmmReads = ROLE_D;
  // What sets the flags compares.
  if (helper?.d === "xmm" && helper.flags !== "writes") facts.xmmWrites = ROLE_D;
  if (helper?.s === "xmm") facts.xmmReads |= ROLE_S;
  if (branch?.kind === "indirect" || branch?.kind === "canonical") facts.readRoles |= ROLE_S;
  const usesFloats = helper !== undefined && quickFloats.has(helper.name);
  return { ...facts, body, helper, branch, usesFloats };
}

export const opFacts: readonly OpFacts[] = ops.map(factsOf);

/** The facts of an op number. */
export function factsOfOp(number: number): OpFacts {
  const facts = opFacts[number];
  if (facts === undefined) throw new Error(`there is no IR op number ${number}`);
  return facts;
}

/** Does the helper's operand name a register-file slot that it reads? That it writes? */
export const readsSlot = (operand: HelperOperand): boolean => /^(r|rw)\d+$/.test(operand);
export const writesSlot = (operand: HelperOperand): boolean => /^(w|rw)\d+$/.test(operand);

/** The same for all ops, by number: ROLE_D and ROLE_S bits. */
export const helperReadRoles = Uint8Array.from(opFacts, ({ helper }) =>
  helper === undefined ? 0 : (readsSlot(helper.d) ? ROLE_D : 0) | (readsSlot(helper.s) ? ROLE_S : 0),
);
export const helperWriteRoles = Uint8Array.from(opFacts, ({ helper }) =>
  helper === undefined ? 0 : (writesSlot(helper.d) ? ROLE_D : 0) | (writesSlot(helper.s) ? ROLE_S : 0),
);
/** Slots of which a helper writes only the low 8 or 16 bits: what it leaves alone must be in memory too. */
export const helperPartialRoles = Uint8Array.from(opFacts, ({ helper }) =>
  helper === undefined
    ? 0
    : (/^w(8|16)$/.test(helper.d) ? ROLE_D : 0) | (/^w(8|16)$/.test(helper.s) ? ROLE_S : 0),
);
