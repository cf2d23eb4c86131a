/**
 * What is where in a compiled region. Forward: which general and XMM registers are newer in their locals than in the state
 * block ("dirty"; where paths meet, on any of them), and in which state the lazy flags are. Backward: which locals
 * must hold their register's value ("live"): it is read, or stored at an exit because it is dirty there.
 *
 * Masks have one bit for each general register, and one for each XMM register above them (slots.ts). lower.ts, region.ts
 * and their parts write the code that this describes.
 */
import { defined } from "../../base/index.ts";
import { FLAGS_IN_MEMORY, FLAGS_MIXED } from "./flag-values.ts";
import { OUTSIDE, type RegionNode } from "./graph.ts";
import { FLAGS_KEPT, type OpFacts, ROLE_A, ROLE_D, ROLE_S, type Registers, factsOfOp } from "./op-facts.ts";
import { REGION_OPS_MAX, type RegionOps } from "./region-ops.ts";
import { gprBit, xmmBit } from "./slots.ts";

/** Not reached yet; no state of LazyFlags. */
const FLAGS_UNKNOWN = -3;

/** What all ops of a node do together, as masks (op-facts.ts: Effects), and what is known at its ends. */
class NodeFlow {
  /** Dirty at the end: what is at the start of `kept`, and `dirtied`. */
  kept = 0;
  dirtied = 0;
  /** All that it writes. */
  written = 0;
  /** Live at the start: what is at the end without `replaced`, `read`, and what is dirty at the start of `needed`. */
  replaced = 0;
  read = 0;
  needed = 0;
  /** The state of the flags at the end, or FLAGS_KEPT. With `onlyIf`, if that is their state at the start; else mixed. */
  flags = FLAGS_KEPT;
  onlyIf = false;
  hasHelper = false;

  dirtyIn = 0;
  dirtyOut = 0;
  flagsIn = FLAGS_UNKNOWN;
  liveIn = 0;
}

export class DataFlow {
  /** By op: live behind it; only for helpers. */
  readonly liveAfter = new Int32Array(REGION_OPS_MAX);
  readonly #dirtyBefore = new Int32Array(REGION_OPS_MAX);
  #flows: NodeFlow[] = [];

  analyze(nodes: readonly RegionNode[], ops: RegionOps): void {
    this.#flows = nodes.map((node) => this.#summary(node, ops));
    this.#at(0).flagsIn = FLAGS_IN_MEMORY;
    for (let changed = true; changed;) {
      changed = false;
      for (let number = 0; number < nodes.length; number++)
        changed = this.#forward(number, nodeAt(nodes, number), ops) || changed;
    }
    for (let changed = true; changed;) {
      changed = false;
      for (let number = nodes.length - 1; number >= 0; number--)
        changed = this.#backward(number, nodeAt(nodes, number), ops) || changed;
    }
    for (let number = 0; number < nodes.length; number++)
      if (this.#at(number).hasHelper) this.#liveBehindHelpers(number, nodeAt(nodes, number), ops);
  }

  #at(number: number): NodeFlow {
    return defined(this.#flows[number], "a node that is not there");
  }

  dirtyIn(number: number): number {
    return this.#at(number).dirtyIn;
  }

  flagsIn(number: number): number {
    return this.#at(number).flagsIn;
  }

  /** Nothing is live OUTSIDE: all is stored in front of it. */
  liveIn(number: number): number {
    return number === OUTSIDE ? 0 : this.#at(number).liveIn;
  }

  /** Union of the registers written anywhere in the region. */
  get written(): number {
    let mask = 0;
    for (let number = 0; number < this.#flows.length; number++) mask |= this.#at(number).written;
    return mask;
  }

  #summary(node: RegionNode, ops: RegionOps): NodeFlow {
    const flow = new NodeFlow();
    const { start, end } = node.block;
    // What is dirty in front of an op: of what is at the node's start, and what is in any case.
    let fromStart = ~0;
    let inAnyCase = 0;
    for (let i = start; i < end; i++) {
      const { effects, helper, flagsConditional } = factsOfOp(ops.op[i] ?? 0);
      if (helper !== undefined) flow.hasHelper = true;
      const needed = maskOf(effects.needed, ops, i);
      // Nothing in front of it has replaced this register.
      const reaching = ~flow.replaced;
      flow.read |= (maskOf(effects.read, ops, i) | (inAnyCase & needed)) & reaching;
      flow.needed |= fromStart & needed & reaching;
      flow.replaced |= maskOf(effects.replaced, ops, i);
      const stored = maskOf(effects.stored, ops, i);
      const written = maskOf(effects.written, ops, i);
      flow.written |= written;
      fromStart &= ~stored;
      inAnyCase = (inAnyCase & ~stored) | written;
      if (effects.flags !== FLAGS_KEPT) thenFlags(flow, effects.flags, flagsConditional);
    }
    flow.kept = fromStart;
    flow.dirtied = inAnyCase;
    return flow;
  }

  #forward(number: number, node: RegionNode, ops: RegionOps): boolean {
    const flow = this.#at(number);
    if (flow.flagsIn === FLAGS_UNKNOWN) return false;
    flow.dirtyOut = (flow.dirtyIn & flow.kept) | flow.dirtied;
    const flagsOut = flagsBehind(flow);
    const { edges } = node;
    let changed = false;
    for (let i = 0; i < edges.length; i++) {
      const to = edges[i]?.to ?? OUTSIDE;
      if (to === OUTSIDE) continue;
      const next = this.#at(to);
      const afterCall = isBehindCall(ops, node, i);
      const dirty = next.dirtyIn | (afterCall ? 0 : flow.dirtyOut);
      const flags = afterCall ? FLAGS_IN_MEMORY : flagsOut;
      const met = next.flagsIn === FLAGS_UNKNOWN || next.flagsIn === flags ? flags : FLAGS_MIXED;
      if (dirty === next.dirtyIn && met === next.flagsIn) continue;
      next.dirtyIn = dirty;
      next.flagsIn = met;
      changed = true;
    }
    return changed;
  }

  #backward(number: number, node: RegionNode, ops: RegionOps): boolean {
    const flow = this.#at(number);
    let live = (this.#liveAtEnd(flow, node, ops) & ~flow.replaced) | flow.read | (flow.dirtyIn & flow.needed);
    // A loop's header may leave the region because the budget is used up.
    if (node.isHeader) live |= flow.dirtyIn;
    if (live === flow.liveIn) return false;
    flow.liveIn = live;
    return true;
  }

  #liveAtEnd({ dirtyOut }: NodeFlow, node: RegionNode, ops: RegionOps): number {
    const { edges } = node;
    // Behind a call everything that is live is read from the state block again.
    if (edges.length === 0 || isCall(ops, node)) return dirtyOut;
    // What an indirect branch is compared with may not be where it leads.
    let live = lastFacts(ops, node).isIndirect ? dirtyOut : 0;
    for (let i = 0; i < edges.length; i++) {
      if (i === backOfGuardedCall(node) && isGuardedCall(ops, node)) continue;
      const to = edges[i]?.to ?? OUTSIDE;
      live |= to === OUTSIDE ? dirtyOut : this.#at(to).liveIn;
    }
    return live;
  }

  #liveBehindHelpers(number: number, node: RegionNode, ops: RegionOps): void {
    const flow = this.#at(number);
    const { start, end } = node.block;
    let dirty = flow.dirtyIn;
    for (let i = start; i < end; i++) {
      const { stored, written } = factsOfOp(ops.op[i] ?? 0).effects;
      this.#dirtyBefore[i] = dirty;
      dirty = (dirty & ~maskOf(stored, ops, i)) | maskOf(written, ops, i);
    }
    let live = this.#liveAtEnd(flow, node, ops);
    for (let i = end - 1; i >= start; i--) {
      const { replaced, read, needed } = factsOfOp(ops.op[i] ?? 0).effects;
      this.liveAfter[i] = live;
      const inMemory = (this.#dirtyBefore[i] ?? 0) & maskOf(needed, ops, i);
      live = (live & ~maskOf(replaced, ops, i)) | maskOf(read, ops, i) | inMemory;
    }
  }
}

const nodeAt = (nodes: readonly RegionNode[], number: number): RegionNode =>
  defined(nodes[number], "a node that is not there");

/** The registers that are meant, of an op. */
export function maskOf({ fixed, gprRoles, xmmRoles }: Registers, ops: RegionOps, i: number): number {
  let mask = fixed;
  if ((gprRoles | xmmRoles) === 0) return mask;
  if ((gprRoles & ROLE_D) !== 0) mask |= gprBit(ops.d[i] ?? 0);
  if ((gprRoles & ROLE_S) !== 0) mask |= gprBit(ops.s[i] ?? 0);
  if ((gprRoles & ROLE_A) !== 0) mask |= gprBit(ops.a[i] ?? 0);
  if (xmmRoles === 0) return mask;
  if ((xmmRoles & ROLE_D) !== 0) mask |= xmmBit(ops.d[i] ?? 0);
  if ((xmmRoles & ROLE_S) !== 0) mask |= xmmBit(ops.s[i] ?? 0);
  if ((xmmRoles & ROLE_A) !== 0) mask |= xmmBit(ops.a[i] ?? 0);
  return mask;
}

/** Adds an op that sets the flags, or does so in some cases. */
function thenFlags(flow: NodeFlow, flags: number, isConditional: boolean): void {
  if (!isConditional) {
    flow.flags = flags;
    flow.onlyIf = false;
  } else if (flow.flags === FLAGS_KEPT) {
    flow.flags = flags;
    flow.onlyIf = true;
  } else if (flow.flags !== flags) {
    flow.flags = FLAGS_MIXED;
    flow.onlyIf = false;
  }
}

function flagsBehind({ flagsIn, flags, onlyIf }: NodeFlow): number {
  if (flags === FLAGS_KEPT) return flagsIn;
  return onlyIf && flagsIn !== flags ? FLAGS_MIXED : flags;
}

const lastFacts = (ops: RegionOps, { block }: RegionNode): OpFacts => factsOfOp(ops.op[block.end - 1] ?? 0);
/** Which edge of a guarded call leads to behind it, after a call of something else than the inlined callees. */
export const backOfGuardedCall = (node: RegionNode): number => node.edges.length - 1;

/** Does edge `i` lead from a guest call to behind it, where all is in the state block? */
export function isBehindCall(ops: RegionOps, node: RegionNode, i: number): boolean {
  return isCall(ops, node) || (i === backOfGuardedCall(node) && isGuardedCall(ops, node));
}

/** Does the node end with an indirect call whose usual callees are inlined? */
export function isGuardedCall(ops: RegionOps, node: RegionNode): boolean {
  return node.block.inlinesCall && lastFacts(ops, node).isIndirect;
}

/** Does the node end with a guest call or tail call that is not inlined? */
export function isCall(ops: RegionOps, node: RegionNode): boolean {
  const { inlinesCall, isTailCall } = node.block;
  return !inlinesCall && (isTailCall || lastFacts(ops, node).isCall);
}
