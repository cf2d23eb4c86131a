/**
 * What the region compiler's data flow needs to know of each IR op, derived from its meaning once: which operands and
 * general registers it reads and writes, what it does to the lazy flags, whether it can fault.
 */
import type { HelperOperand, HelperRow } from "../ir/helper-row.ts";
import { quickFloats } from "../ir/quick-floats.ts";
import { helperRows } from "../ir/helpers.ts";
import type { Role, Statement } from "../ir/expr.ts";
import type { Branch, OpRow } from "../ir/op.ts";
import { accessesMemory, opRow, ops, visitExpressions } from "../ir/ops.ts";

import { FLAGS_IN_MEMORY, FLAG_OP_FLAGS } from "./flag-values.ts";
import { ALL_GPRS, ALL_REGISTERS, ALL_XMMS } from "./slots.ts";

export const ROLE_D = 1;
export const ROLE_S = 2;
export const ROLE_A = 4;
const roleBit: Record<Role, number> = { d: ROLE_D, s: ROLE_S, a: ROLE_A };

/** In OpFacts.flagOp, and in Effects.flags: an op leaves the flags alone. */
export const NO_FLAGS = -1;
export const FLAGS_KEPT = -4;

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
  /** Slots that a helper reads, writes, and writes only the low 8 or 16 bits of: what it leaves alone must be in memory. */
  readonly helperReads: number;
  readonly helperWrites: number;
  readonly helperPartial: number;
  /** It is a helper whose quick form depends on MXCSR. */
  readonly usesFloats: boolean;
  /** What it does to the registers and flags that a region has in locals. */
  readonly effects: Effects;
  /** The lazy-flag operation (flags.ts) it leaves behind, or NO_FLAGS. */
  readonly flagOp: number;
  /** It writes the flags only in some cases. */
  readonly flagsConditional: boolean;
  /** It can leave the region with a fault, other than as a helper. */
  readonly faults: boolean;
  /** How often it accesses guest memory, other than as a helper. */
  readonly accesses: number;
  /** What it runs; exactly one of the three is there, `body` also for what a branch does before it decides. */
  readonly body: readonly Statement[];
  readonly helper: HelperRow | undefined;
  readonly branch: Branch | undefined;
  /** It branches to an address in a slot; it is a guest call. */
  readonly isIndirect: boolean;
  readonly isCall: boolean;
}

/** Registers that are always meant, and those that operands name (ROLE_* bits). */
export interface Registers {
  readonly fixed: number;
  readonly gprRoles: number;
  readonly xmmRoles: number;
}

/**
 * Forward: registers are dirty behind an op if they were in front of it and are not stored, or if they are written.
 * Backward: registers are live in front of it if they are behind it and are not replaced, if they are read, or if they are
 * dirty there and needed in memory.
 */
export interface Effects {
  readonly stored: Registers;
  readonly written: Registers;
  readonly replaced: Registers;
  readonly read: Registers;
  readonly needed: Registers;
  /** The state of the flags behind it, or FLAGS_KEPT. */
  readonly flags: number;
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
  const slots = {
    helperReads: rolesOf(helper, readsSlot),
    helperWrites: rolesOf(helper, writesSlot),
    helperPartial: rolesOf(helper, writesSlotPartly),
  };
  const isIndirect = branch?.kind === "indirect";
  const isCall = (branch?.kind === "jump" || branch?.kind === "indirect") && branch.why === "call";
  const effects = helper === undefined ? effectsOf(facts) : effectsOfHelper(helper, { ...slots, ...facts });
  const accesses = body.filter(accessesMemory).length;
  return { ...facts, ...slots, accesses, body, helper, branch, usesFloats, effects, isIndirect, isCall };
}

const rolesOf = (helper: HelperRow | undefined, is: (operand: HelperOperand) => boolean): number =>
  helper === undefined ? 0 : (is(helper.d) ? ROLE_D : 0) | (is(helper.s) ? ROLE_S : 0);

/** Does the helper's operand name a register-file slot that it reads? That it writes? Whose rest it leaves alone? */
const readsSlot = (operand: HelperOperand): boolean => /^(r|rw)\d+$/.test(operand);
const writesSlot = (operand: HelperOperand): boolean => /^(w|rw)\d+$/.test(operand);
const writesSlotPartly = (operand: HelperOperand): boolean => /^w(8|16)$/.test(operand);

const NO_REGISTERS: Registers = { fixed: 0, gprRoles: 0, xmmRoles: 0 };
const EVERY_REGISTER: Registers = { fixed: ALL_REGISTERS, gprRoles: 0, xmmRoles: 0 };

function effectsOf(facts: Accumulator): Effects {
  return {
    stored: NO_REGISTERS,
    written: {
      fixed: facts.fullGprs | facts.partialGprs,
      gprRoles: facts.fullRoles | facts.partialRoles,
      xmmRoles: facts.xmmWrites,
    },
    replaced: { fixed: facts.fullGprs, gprRoles: facts.fullRoles, xmmRoles: facts.xmmWrites },
    read: {
      fixed: facts.partialGprs | facts.readGprs,
      gprRoles: facts.partialRoles | facts.readRoles,
      xmmRoles: facts.xmmReads,
    },
    needed: facts.faults ? EVERY_REGISTER : NO_REGISTERS,
    flags: facts.flagOp === NO_FLAGS ? FLAGS_KEPT : facts.flagOp,
  };
}

interface HelperSlots {
  readonly helperReads: number;
  readonly helperWrites: number;
  readonly helperPartial: number;
  readonly xmmReads: number;
  readonly xmmWrites: number;
}

function effectsOfHelper(helper: HelperRow, slots: HelperSlots): Effects {
  const { helperReads, helperWrites, helperPartial, xmmReads, xmmWrites } = slots;
  const gprs = gprsOfHelper(helper);
  // Where the two ways of a quick helper meet, a register is as dirty, and needed, as on either.
  if (helper.quick !== undefined)
    return {
      stored: NO_REGISTERS,
      written: { fixed: gprs, gprRoles: helperWrites, xmmRoles: xmmWrites },
      replaced: NO_REGISTERS,
      read: { fixed: gprs, gprRoles: helperReads, xmmRoles: xmmReads },
      needed: EVERY_REGISTER,
      flags: helper.flags === "none" ? FLAGS_KEPT : FLAG_OP_FLAGS,
    };
  const fixed = gprs | (helper.xmms === "all" ? ALL_XMMS : 0);
  return {
    stored: { fixed, gprRoles: helperReads | helperWrites | helperPartial, xmmRoles: xmmReads },
    written: NO_REGISTERS,
    replaced: { fixed, gprRoles: helperWrites, xmmRoles: xmmWrites },
    read: NO_REGISTERS,
    needed: helper.faults
      ? EVERY_REGISTER
      : { fixed, gprRoles: helperReads | helperPartial, xmmRoles: xmmReads },
    flags: flagsBehindHelper(helper),
  };
}

function flagsBehindHelper({ flags }: HelperRow): number {
  if (flags === "none") return FLAGS_KEPT;
  return flags === "writes" ? FLAG_OP_FLAGS : FLAGS_IN_MEMORY;
}

/** The general registers that a helper reads or writes on its own. */
export const gprsOfHelper = ({ gprs }: HelperRow): number =>
  gprs === "all" ? ALL_GPRS : gprs === "none" ? 0 : gprs;

const NOT_DERIVED: readonly (OpFacts | undefined)[] = ops.map(() => undefined);
const factsOfOps = NOT_DERIVED.slice();

/** The facts of an op number, derived when they are first asked for. */
export function factsOfOp(number: number): OpFacts {
  const known = factsOfOps[number];
  if (known !== undefined) return known;
  const facts = factsOf(opRow(number));
  factsOfOps[number] = facts;
  return facts;
}
