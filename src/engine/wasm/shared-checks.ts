/**
 * Finds guest memory accesses of a region that one TLB check serves: those at constant distances from one address, as
 * pushes, pops and the fields of a record are. The first of them checks the bytes that all of them touch, and keeps
 * where they lie in host memory; if they are not all in one page of the TLB, each access goes its own slow way.
 *
 * Addresses are compared symbolically: a register-file slot holds a value that the region knows by number, plus a
 * constant. What is known at a node's end holds in the nodes that only it leads to. A mapping changes by a helper only,
 * so that helpers end what is shared; so do guest calls, behind which everything is read from memory again.
 *
 * Only 64-bit addresses are looked at.
 */
import type { Expr, Statement } from "../ir/expr.ts";
import { SLOT_ZERO } from "../layout.ts";
import { isBehindCall } from "./dataflow.ts";
import type { RegionNode } from "./graph.ts";
import { factsOfOp } from "./op-facts.ts";
import { CurrentOp, type RegionOps } from "./region-ops.ts";
import { isStatic, staticInteger } from "./static-value.ts";

/** Bytes that one check covers at most. */
const RANGE_MAX_BYTES = 256;
/** In SharedCheck.local until the check is made. */
export const NO_LOCAL = -1;

export interface SharedCheck {
  /** Bytes covered, from the symbolic value: [low, high). */
  low: number;
  high: number;
  /** It looks into the TLB for writes. */
  forWrite: boolean;
  accessCount: number;
  /** The local with the host address of the first byte, 0 if the check failed; NO_LOCAL until it is made. */
  local: number;
}

/** An access that a check serves, so far from the check's symbolic value. */
export interface SharedAccess {
  readonly check: SharedCheck;
  readonly distance: number;
}

/** A value that the region has a number for, plus a constant; number 0 stands for the constant alone. */
interface Symbolic {
  readonly value: number;
  readonly plus: number;
}

const CONSTANT = 0;

/** What is known at a point. */
class Knowledge {
  /** By slot (byte offset of its first byte). */
  readonly slots: Map<number, Symbolic>;
  /** By symbolic value: the check for reads and the one for writes that were begun, with the node that began each. */
  readonly reads: Map<number, OpenCheck>;
  readonly writes: Map<number, OpenCheck>;

  constructor(before?: Knowledge) {
    this.slots = new Map(before?.slots);
    this.reads = new Map(before?.reads);
    this.writes = new Map(before?.writes);
  }
}

interface OpenCheck {
  readonly check: SharedCheck;
  readonly node: RegionNode;
}

export class SharedChecks {
  #accesses: (SharedAccess | undefined)[] = [];
  #known = new Knowledge();
  #valueCount = CONSTANT + 1;
  /** Numbers of sums and multiples of values. */
  readonly #composed = new Map<string, number>();
  readonly #names = new Map<string, Symbolic>();
  readonly #op = new CurrentOp();

  /** What op `i`'s access shares, if there is another access that shares it. */
  of(i: number): SharedAccess | undefined {
    const access = this.#accesses[i];
    return access !== undefined && access.check.accessCount > 1 ? access : undefined;
  }

  analyze(nodes: readonly RegionNode[], ops: RegionOps): void {
    this.#accesses = [];
    this.#composed.clear();
    this.#valueCount = CONSTANT + 1;
    const inherited = new Map<number, Knowledge>();
    for (const [number, node] of nodes.entries()) {
      this.#known = inherited.get(number) ?? new Knowledge();
      const { start, end } = node.block;
      for (let i = start; i < end; i++) this.#step(node, ops, i);
      for (const [i, { to }] of node.edges.entries()) {
        const next = nodes[to];
        if (next === undefined || next.isMerge || next.isHeader || isBehindCall(ops, node, i)) continue;
        inherited.set(to, new Knowledge(this.#known));
      }
    }
  }

  #step(node: RegionNode, ops: RegionOps, i: number): void {
    this.#op.select(ops, i);
    const { helper, body } = factsOfOp(this.#op.number);
    // What a helper does not say it writes, it may write all the same: segment bases, through its registers.
    if (helper !== undefined) this.#known = new Knowledge();
    this.#names.clear();
    const isOnlyAccess = body.filter(isAccess).length === 1;
    for (const statement of body) this.#statement(node, i, statement, isOnlyAccess);
  }

  #statement(node: RegionNode, i: number, statement: Statement, isOnlyAccess: boolean): void {
    switch (statement.kind) {
      case "let": {
        const value = this.#valueOf(statement.value);
        if (value === undefined) this.#names.delete(statement.name);
        else this.#names.set(statement.name, value);
        return;
      }
      case "setReg":
        return this.#setSlot(this.#op[statement.role], statement);
      case "setGpr":
        return this.#setSlot(8 * statement.number, statement);
      case "load":
        this.#names.delete(statement.name);
        if (isOnlyAccess) this.#access(node, i, statement.address, statement.size / 8, statement.forWrite);
        return;
      case "store":
        if (isOnlyAccess) this.#access(node, i, statement.address, statement.size / 8, true);
        return;
      default:
        return;
    }
  }

  #setSlot(slot: number, { width, value }: Extract<Statement, { kind: "setReg" | "setGpr" }>): void {
    const known = width === 64 ? this.#valueOf(value) : undefined;
    this.#known.slots.set(slot & ~7, known ?? this.#newValue());
  }

  #newValue(): Symbolic {
    return { value: this.#valueCount++, plus: 0 };
  }

  // ---- Symbolic values --------------------------------------------------------------------------------------------
  #slot(slot: number): Symbolic {
    if (slot === SLOT_ZERO) return { value: CONSTANT, plus: 0 };
    const known = this.#known.slots.get(slot);
    if (known !== undefined) return known;
    const value = this.#newValue();
    this.#known.slots.set(slot, value);
    return value;
  }

  /** The value of a 64-bit expression if it is a sum of slots, multiples of them and constants. */
  #valueOf(e: Expr): Symbolic | undefined {
    if (e.type !== "i64") return undefined;
    if (isStatic(e)) return constant(staticInteger(e, this.#op));
    switch (e.kind) {
      case "reg":
        return this.#slot(this.#op[e.role]);
      case "gpr":
        return this.#slot(8 * e.number);
      case "local":
        return this.#names.get(e.name);
      case "binary":
        return this.#ofBinary(e);
      default:
        return undefined;
    }
  }

  #ofBinary(e: Extract<Expr, { kind: "binary" }>): Symbolic | undefined {
    const left = this.#valueOf(e.left);
    const right = this.#valueOf(e.right);
    if (left === undefined || right === undefined) return undefined;
    switch (e.op) {
      case "i64.add":
        return symbolic(this.#sum(left.value, right.value), left.plus + right.plus);
      case "i64.sub":
        return right.value === CONSTANT ? symbolic(left.value, left.plus - right.plus) : undefined;
      case "i64.shl":
        if (right.value !== CONSTANT || right.plus > 3) return undefined;
        return symbolic(this.#multiple(left.value, right.plus), left.plus * 2 ** right.plus);
      default:
        return undefined;
    }
  }

  #sum(left: number, right: number): number {
    if (left === CONSTANT) return right;
    if (right === CONSTANT) return left;
    return this.#numberOf(`${Math.min(left, right)}+${Math.max(left, right)}`);
  }

  #multiple(value: number, shift: number): number {
    return value === CONSTANT || shift === 0 ? value : this.#numberOf(`${value}<<${shift}`);
  }

  #numberOf(composed: string): number {
    const known = this.#composed.get(composed);
    if (known !== undefined) return known;
    const number = this.#valueCount++;
    this.#composed.set(composed, number);
    return number;
  }

  // ---- Accesses ---------------------------------------------------------------------------------------------------
  #access(node: RegionNode, i: number, address: Expr, sizeBytes: number, forWrite: boolean): void {
    const at = this.#valueOf(address);
    if (at === undefined || sizeBytes > 8) return;
    const { value, plus } = at;
    const { reads, writes } = this.#known;
    const written = writes.get(value);
    if (written !== undefined && joins(written.check, plus, sizeBytes))
      return this.#join(i, written.check, plus);
    const read = reads.get(value);
    if (!forWrite && read !== undefined && joins(read.check, plus, sizeBytes))
      return this.#join(i, read.check, plus);
    // A store makes a check for reads one for writes only where it is as certain to be reached.
    if (forWrite && read?.node === node && joins(read.check, plus, sizeBytes)) {
      read.check.forWrite = true;
      reads.delete(value);
      writes.set(value, read);
      return this.#join(i, read.check, plus);
    }
    const check = { low: plus, high: plus + sizeBytes, forWrite, accessCount: 0, local: NO_LOCAL };
    (forWrite ? writes : reads).set(value, { check, node });
    this.#join(i, check, plus);
  }

  #join(i: number, check: SharedCheck, distance: number): void {
    check.accessCount++;
    this.#accesses[i] = { check, distance };
  }
}

/** Widens the check so that it covers the access too, unless that would make it too wide. */
function joins(check: SharedCheck, at: number, sizeBytes: number): boolean {
  const low = Math.min(check.low, at);
  const high = Math.max(check.high, at + sizeBytes);
  if (high - low > RANGE_MAX_BYTES) return false;
  check.low = low;
  check.high = high;
  return true;
}

const isAccess = ({ kind }: Statement): boolean =>
  kind === "load" || kind === "store" || kind === "compareExchange";

/** Sums of so small constants stay exact. */
const CONSTANT_MAX = 2 ** 40;
const symbolic = (value: number, plus: number): Symbolic | undefined =>
  Math.abs(plus) < CONSTANT_MAX ? { value, plus } : undefined;
const constant = (value: bigint): Symbolic | undefined => symbolic(CONSTANT, Number(value));
