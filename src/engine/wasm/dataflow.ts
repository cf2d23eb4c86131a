/**
 * What is where in a compiled region. Forward: which general and XMM registers are newer in their locals than in the state
 * block ("dirty"; where paths meet, on any of them), and in which state the lazy flags are. Backward: which locals
 * must hold their register's value ("live"): it is read, or stored at an exit because it is dirty there.
 *
 * Masks have one bit for each general register, and one for each XMM register above them (slots.ts). lower.ts, region.ts
 * and their parts write the code that this describes.
 */
import type { HelperRow } from "../ir/helper-row.ts";
import { OUTSIDE, type RegionNode } from "./graph.ts";
import { FLAGS_IN_MEMORY, FLAGS_MIXED, FLAG_OP_FLAGS } from "./lazy-flags.ts";
import {
  NO_FLAGS,
  ROLE_A,
  ROLE_D,
  ROLE_S,
  factsOfOp,
  helperPartialRoles,
  helperReadRoles,
  helperWriteRoles,
} from "./op-facts.ts";
import { REGION_OPS_MAX, type RegionOps } from "./region-ops.ts";
import { ALL_GPRS, ALL_REGISTERS, ALL_XMMS, gprBit, xmmBit } from "./slots.ts";

/** Not reached yet; no state of LazyFlags. */
const FLAGS_UNKNOWN = -3;

export class DataFlow {
  dirtyIn = new Int32Array(0);
  dirtyOut = new Int32Array(0);
  flagsIn = new Int32Array(0);
  liveIn = new Int32Array(0);
  /** By op: live behind it; only for helpers. */
  readonly liveAfter = new Int32Array(REGION_OPS_MAX);
  readonly #dirtyBefore = new Int32Array(REGION_OPS_MAX);
  /** The state while a node's ops are walked. */
  #dirty = 0;
  #flags = 0;

  analyze(nodes: readonly RegionNode[], ops: RegionOps): void {
    this.dirtyIn = new Int32Array(nodes.length);
    this.dirtyOut = new Int32Array(nodes.length);
    this.flagsIn = new Int32Array(nodes.length).fill(FLAGS_UNKNOWN);
    this.liveIn = new Int32Array(nodes.length);
    this.flagsIn[0] = FLAGS_IN_MEMORY;
    for (let changed = true; changed;) {
      changed = false;
      for (const [number, node] of nodes.entries()) changed = this.#forward(number, node, ops) || changed;
    }
    for (let changed = true; changed;) {
      changed = false;
      for (let number = nodes.length - 1; number >= 0; number--) {
        const node = nodes[number];
        if (node !== undefined) changed = this.#backward(number, node, ops) || changed;
      }
    }
  }

  /** Union of the registers written anywhere in the region. */
  static written(ops: RegionOps): number {
    let mask = 0;
    for (let i = 0; i < ops.count; i++) mask |= writtenBy(ops, i);
    return mask;
  }

  // ---- Forward ----------------------------------------------------------------------------------------------------
  #forward(number: number, node: RegionNode, ops: RegionOps): boolean {
    const flagsIn = this.flagsIn[number] ?? FLAGS_UNKNOWN;
    if (flagsIn === FLAGS_UNKNOWN) return false;
    this.#dirty = this.dirtyIn[number] ?? 0;
    this.#flags = flagsIn;
    const { start, end } = node.block;
    for (let i = start; i < end; i++) {
      this.#dirtyBefore[i] = this.#dirty;
      this.#step(ops, i);
    }
    this.dirtyOut[number] = this.#dirty;
    let changed = false;
    for (const [i, { to }] of node.edges.entries()) {
      if (to === OUTSIDE) continue;
      const afterCall = isBehindCall(ops, node, i);
      const dirty = afterCall ? 0 : this.#dirty;
      const flags = afterCall ? FLAGS_IN_MEMORY : this.#flags;
      const dirtyBefore = this.dirtyIn[to] ?? 0;
      const flagsBefore = this.flagsIn[to] ?? FLAGS_UNKNOWN;
      const flagsAfter = flagsBefore === FLAGS_UNKNOWN || flagsBefore === flags ? flags : FLAGS_MIXED;
      if ((dirtyBefore | dirty) === dirtyBefore && flagsAfter === flagsBefore) continue;
      this.dirtyIn[to] = dirtyBefore | dirty;
      this.flagsIn[to] = flagsAfter;
      changed = true;
    }
    return changed;
  }

  #step(ops: RegionOps, i: number): void {
    const number = ops.op[i] ?? 0;
    const { helper, flagOp, flagsConditional, xmmReads } = factsOfOp(number);
    if (helper !== undefined) {
      const touched =
        (helperReadRoles[number] ?? 0) | (helperWriteRoles[number] ?? 0) | (helperPartialRoles[number] ?? 0);
      // Where the two ways of a quick helper meet, a register is as dirty as on either.
      if (helper.quick !== undefined) this.#dirty |= writtenBy(ops, i);
      else this.#dirty &= ~(roleMask(ops, i, touched) | xmmMask(ops, i, xmmReads) | fixedOfHelper(helper));
      if (helper.flags !== "none") this.#flags = helper.quick === undefined ? FLAGS_IN_MEMORY : FLAG_OP_FLAGS;
      return;
    }
    this.#dirty |= writtenBy(ops, i);
    if (flagOp === NO_FLAGS) return;
    this.#flags = flagsConditional && this.#flags !== flagOp ? FLAGS_MIXED : flagOp;
  }

  // ---- Backward ---------------------------------------------------------------------------------------------------
  #backward(number: number, node: RegionNode, ops: RegionOps): boolean {
    const { start, end } = node.block;
    let live = this.#liveAtEnd(number, node, ops);
    for (let i = end - 1; i >= start; i--) live = this.#stepBack(ops, i, live);
    // A loop's header may leave the region because the budget is used up.
    if (node.isHeader) live |= this.dirtyIn[number] ?? 0;
    if (live === this.liveIn[number]) return false;
    this.liveIn[number] = live;
    return true;
  }

  #liveAtEnd(number: number, node: RegionNode, ops: RegionOps): number {
    const dirty = this.dirtyOut[number] ?? 0;
    // Behind a call everything that is live is read from the state block again.
    if (node.edges.length === 0 || isCall(ops, node)) return dirty;
    // What an indirect branch is compared with may not be where it leads.
    let live = isIndirect(ops, node) ? dirty : 0;
    for (const [i, { to }] of node.edges.entries()) {
      if (i === GUARDED_CALL_BACK && isGuardedCall(ops, node)) continue;
      live |= to === OUTSIDE ? dirty : (this.liveIn[to] ?? 0);
    }
    return live;
  }

  #stepBack(ops: RegionOps, i: number, liveAfter: number): number {
    const number = ops.op[i] ?? 0;
    const facts = factsOfOp(number);
    const dirty = this.#dirtyBefore[i] ?? 0;
    const { helper } = facts;
    if (helper !== undefined) {
      this.liveAfter[i] = liveAfter;
      if (helper.quick !== undefined)
        return (
          liveAfter |
          dirty |
          gprsOfHelper(helper) |
          roleMask(ops, i, helperReadRoles[number] ?? 0) |
          xmmMask(ops, i, facts.xmmReads)
        );
      const fixed = fixedOfHelper(helper);
      const stored =
        fixed |
        roleMask(ops, i, (helperReadRoles[number] ?? 0) | (helperPartialRoles[number] ?? 0)) |
        xmmMask(ops, i, facts.xmmReads);
      const loaded =
        fixed | roleMask(ops, i, helperWriteRoles[number] ?? 0) | xmmMask(ops, i, facts.xmmWrites);
      return (liveAfter & ~loaded) | (dirty & (helper.faults ? ALL_REGISTERS : stored));
    }
    const full = facts.fullGprs | roleMask(ops, i, facts.fullRoles) | xmmMask(ops, i, facts.xmmWrites);
    const partial = facts.partialGprs | roleMask(ops, i, facts.partialRoles);
    const read = facts.readGprs | roleMask(ops, i, facts.readRoles) | xmmMask(ops, i, facts.xmmReads);
    return (liveAfter & ~full) | partial | read | (facts.faults ? dirty : 0);
  }
}

/** The general registers that a helper reads or writes on its own. */
export function gprsOfHelper({ gprs }: HelperRow): number {
  return gprs === "all" ? ALL_GPRS : gprs === "none" ? 0 : gprs;
}

/** The general registers that operands name. */
function roleMask(ops: RegionOps, i: number, roles: number): number {
  let mask = 0;
  if ((roles & ROLE_D) !== 0) mask |= gprBit(ops.d[i] ?? 0);
  if ((roles & ROLE_S) !== 0) mask |= gprBit(ops.s[i] ?? 0);
  if ((roles & ROLE_A) !== 0) mask |= gprBit(ops.a[i] ?? 0);
  return mask;
}

/** The XMM registers that operands name. */
function xmmMask(ops: RegionOps, i: number, roles: number): number {
  if (roles === 0) return 0;
  let mask = 0;
  if ((roles & ROLE_D) !== 0) mask |= xmmBit(ops.d[i] ?? 0);
  if ((roles & ROLE_S) !== 0) mask |= xmmBit(ops.s[i] ?? 0);
  if ((roles & ROLE_A) !== 0) mask |= xmmBit(ops.a[i] ?? 0);
  return mask;
}

/** Registers that a helper reads or writes besides its operands. */
function fixedOfHelper(helper: HelperRow): number {
  return gprsOfHelper(helper) | (helper.xmms === "all" ? ALL_XMMS : 0);
}

/** Registers whose local an op may leave newer than the state block; a helper writes there itself, unless it is quick. */
function writtenBy(ops: RegionOps, i: number): number {
  const facts = factsOfOp(ops.op[i] ?? 0);
  const { helper } = facts;
  if (helper !== undefined)
    return helper.quick === undefined
      ? 0
      : gprsOfHelper(helper) |
          roleMask(ops, i, helperWriteRoles[ops.op[i] ?? 0] ?? 0) |
          xmmMask(ops, i, facts.xmmWrites);
  const roles = facts.fullRoles | facts.partialRoles;
  return facts.fullGprs | facts.partialGprs | roleMask(ops, i, roles) | xmmMask(ops, i, facts.xmmWrites);
}

function isIndirect(ops: RegionOps, node: RegionNode): boolean {
  return factsOfOp(ops.op[node.block.end - 1] ?? 0).branch?.kind === "indirect";
}

/** Which edge of a guarded call leads to behind it, after a call of something else than the inlined callee. */
export const GUARDED_CALL_BACK = 1;

/** Does edge `i` lead from a guest call to behind it, where all is in the state block? */
export function isBehindCall(ops: RegionOps, node: RegionNode, i: number): boolean {
  return isCall(ops, node) || (i === GUARDED_CALL_BACK && isGuardedCall(ops, node));
}

/** Does the node end with an indirect call whose usual callee is inlined? */
export function isGuardedCall(ops: RegionOps, node: RegionNode): boolean {
  return node.block.inlinesCall && isIndirect(ops, node);
}

/** Does the node end with a guest call, direct or indirect, that is not inlined? */
export function isCall(ops: RegionOps, node: RegionNode): boolean {
  if (node.block.inlinesCall) return false;
  const branch = factsOfOp(ops.op[node.block.end - 1] ?? 0).branch;
  return (
    branch !== undefined && (branch.kind === "jump" || branch.kind === "indirect") && branch.why === "call"
  );
}
