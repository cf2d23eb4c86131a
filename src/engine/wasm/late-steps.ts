/**
 * INC and DEC whose flags only a fault would show: behind them, before anything reads the flags, stands an op that sets
 * them all, and between the two are memory accesses. INC and DEC keep CF, so that setting their flags means working out
 * the carry of what was before them, which is a call of the core where that is not known. Here they become ops without
 * flags, and a fault on the way to the next flags works out what they would have set (lower.ts).
 *
 * Looked for within a block.
 */
import { opEffects, opNumber, opWithoutFlags } from "../ir/ops.ts";
import { maskOf } from "./dataflow.ts";
import type { RegionNode } from "./graph.ts";
import { factsOfOp } from "./op-facts.ts";
import { REGION_OPS_MAX, type RegionOps } from "./region-ops.ts";
import { gprBit, isGpr } from "./slots.ts";

const WIDTHS = [8, 16, 32, 64] as const;

/** Flags that have not been set: those of this operation (ir/flags.ts) with the register as its result. */
export interface LateStep {
  readonly flagOp: number;
  readonly slot: number;
  readonly width: (typeof WIDTHS)[number];
}

const stepWidths = new Map(
  WIDTHS.flatMap((width) => [
    [opNumber(`inc${width}`), width] as const,
    [opNumber(`dec${width}`), width] as const,
  ]),
);

export class LateSteps {
  readonly #before: (LateStep | undefined)[] = Array.from({ length: REGION_OPS_MAX }, () => undefined);

  /** The step whose flags would have to be there if op `i` faults. */
  of(i: number): LateStep | undefined {
    return this.#before[i];
  }

  /** Replaces the ops; what was found for another region is forgotten. */
  find(nodes: readonly RegionNode[], ops: RegionOps): void {
    this.#before.fill(undefined, 0, ops.count);
    for (const { block } of nodes)
      for (let i = block.end - 1; i >= block.start; i--) this.#look(i, block.end, ops);
  }

  #look(i: number, end: number, ops: RegionOps): void {
    const op = ops.op[i] ?? 0;
    const width = stepWidths.get(op);
    const slot = ops.d[i] ?? 0;
    if (width === undefined || !isGpr(slot)) return;
    const next = this.#nextFlags(i, end, ops);
    if (next === undefined) return;
    const step = { flagOp: factsOfOp(op).flagOp, slot, width };
    ops.op[i] = opWithoutFlags[op] ?? op;
    for (let at = i + 1; at <= next; at++) this.#before[at] ??= step;
  }

  /** The op behind the one at `i` that sets all flags, or undefined if they, or the register, are needed before. */
  #nextFlags(i: number, end: number, ops: RegionOps): number | undefined {
    const register = gprBit(ops.d[i] ?? 0);
    for (let at = i + 1; at < end; at++) {
      // A later step that is late itself: its flags are followed by others.
      if (this.#before[at] !== undefined) return at - 1;
      const facts = factsOfOp(ops.op[at] ?? 0);
      const effects = opEffects[ops.op[at] ?? 0];
      if (
        effects === undefined ||
        facts.helper !== undefined ||
        facts.branch !== undefined ||
        effects.readsFlags
      )
        return undefined;
      if (effects.killsFlags) return at;
      if ((maskOf(facts.effects.written, ops, at) & register) !== 0) return undefined;
    }
    return undefined;
  }
}
