/**
 * Finds guest memory accesses of a region that one TLB check serves: those at constant distances from one address, as
 * pushes, pops and the fields of a record are. The first of them checks the bytes that all of them touch, and keeps
 * where they lie in host memory; if they are not all in one page of the TLB, each access goes its own slow way.
 *
 * Addresses are compared symbolically: a register-file slot holds a value that the region knows by number, plus a
 * constant. What is known at a node's end holds in the nodes that only it leads to. A mapping changes by a helper only,
 * so that helpers end what is shared; so do guest calls, behind which everything is read from memory again.
 *
 * Addresses of 32 bits are sums modulo 2^32: two of them keep their distance unless one has wrapped around, and bytes
 * between which that happens are in different pages.
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
  /** The addresses are zero-extended from 32 bits, where their sums wrap around. */
  readonly is32: boolean;
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

/**
 * A value that the region has a number for, plus a constant; number 0 stands for the constant alone. With `is32` the
 * low 32 bits of that sum, zero-extended.
 */
interface Symbolic {
  readonly value: number;
  readonly plus: number;
  readonly is32: boolean;
}

const CONSTANT = 0;
const ZERO: Symbolic = { value: CONSTANT, plus: 0, is32: false };

/** What is known at a point. */
class Knowledge {
  /** By slot (byte offset of its first byte). */
  readonly slots: Map<number, Symbolic>;
  /** By keyOf() their addresses: the check for reads and the one for writes that were begun, with the node of each. */
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
    const known = width >= 32 ? this.#valueOf(value) : undefined;
    this.#known.slots.set(slot & ~7, known ?? this.#newValue());
  }

  #newValue(): Symbolic {
    return { value: this.#valueCount++, plus: 0, is32: false };
  }

  // ---- Symbolic values --------------------------------------------------------------------------------------------
  #slot(slot: number): Symbolic {
    if (slot === SLOT_ZERO) return ZERO;
    const known = this.#known.slots.get(slot);
    if (known !== undefined) return known;
    const value = this.#newValue();
    this.#known.slots.set(slot, value);
    return value;
  }

  /** The value of an expression if it is a sum of slots, multiples of them and constants; an i32's zero-extended. */
  #valueOf(e: Expr): Symbolic | undefined {
    if (e.type !== "i64" && e.type !== "i32") return undefined;
    if (isStatic(e)) return constant(staticInteger(e, this.#op), e.type === "i32");
    switch (e.kind) {
      case "reg":
        return this.#slotOfWidth(this.#op[e.role], e.width);
      case "gpr":
        return this.#slotOfWidth(8 * e.number, e.width);
      case "local":
        return this.#names.get(e.name);
      case "unary":
        return this.#ofUnary(e);
      case "binary":
        return this.#ofBinary(e);
      default:
        return undefined;
    }
  }

  #slotOfWidth(slot: number, width: number): Symbolic | undefined {
    if (width < 32) return undefined;
    const whole = this.#slot(slot);
    return width === 64 ? whole : low32(whole);
  }

  #ofUnary(e: Extract<Expr, { kind: "unary" }>): Symbolic | undefined {
    if (e.op !== "i64.extend_i32_u" && e.op !== "i32.wrap_i64") return undefined;
    const value = this.#valueOf(e.value);
    return value === undefined ? undefined : low32(value);
  }

  #ofBinary(e: Extract<Expr, { kind: "binary" }>): Symbolic | undefined {
    if (!sums.has(e.op)) return undefined;
    const is32 = e.type === "i32";
    const left = this.#operand(e.left, is32);
    const right = this.#operand(e.right, is32);
    if (left === undefined || right === undefined) return undefined;
    switch (e.op) {
      case "i32.add":
      case "i64.add":
        return symbolic(this.#sum(left.value, right.value), left.plus + right.plus, is32);
      case "i32.sub":
      case "i64.sub":
        return right.value === CONSTANT ? symbolic(left.value, left.plus - right.plus, is32) : undefined;
      default:
        if (right.value !== CONSTANT || right.plus < 0 || right.plus > 3) return undefined;
        return symbolic(this.#multiple(left.value, right.plus), left.plus * 2 ** right.plus, is32);
    }
  }

  /** An operand of a sum of that width: 64-bit sums of what has wrapped around at 32 bits take it as it is. */
  #operand(e: Expr, is32: boolean): Symbolic | undefined {
    const operand = this.#valueOf(e);
    if (operand === undefined || is32 || !operand.is32) return operand;
    const { value, plus } = operand;
    if (value === CONSTANT) return symbolic(CONSTANT, plus >>> 0, false);
    return { value: this.#numberOf(`${value}:${plus}`), plus: 0, is32: false };
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
    const { plus, is32 } = at;
    const key = keyOf(at);
    const { reads, writes } = this.#known;
    const written = writes.get(key);
    if (written !== undefined && joins(written.check, plus, sizeBytes))
      return this.#join(i, written.check, plus);
    const read = reads.get(key);
    if (!forWrite && read !== undefined && joins(read.check, plus, sizeBytes))
      return this.#join(i, read.check, plus);
    // A store makes a check for reads one for writes only where it is as certain to be reached.
    if (forWrite && read?.node === node && joins(read.check, plus, sizeBytes)) {
      read.check.forWrite = true;
      reads.delete(key);
      writes.set(key, read);
      return this.#join(i, read.check, plus);
    }
    const check = { low: plus, high: plus + sizeBytes, is32, forWrite, accessCount: 0, local: NO_LOCAL };
    (forWrite ? writes : reads).set(key, { check, node });
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

const sums = new Set(["i32.add", "i32.sub", "i32.shl", "i64.add", "i64.sub", "i64.shl"]);

/** Sums of so small constants stay exact. */
const CONSTANT_MAX = 2 ** 40;
function symbolic(value: number, plus: number, is32: boolean): Symbolic | undefined {
  if (is32) return { value, plus: plus | 0, is32 };
  return Math.abs(plus) < CONSTANT_MAX ? { value, plus, is32 } : undefined;
}
const constant = (value: bigint, is32: boolean): Symbolic | undefined =>
  symbolic(CONSTANT, Number(value), is32);
const low32 = ({ value, plus, is32 }: Symbolic): Symbolic =>
  is32 ? { value, plus, is32 } : { value, plus: plus | 0, is32: true };

/** Addresses with the same key have a known distance; the 32-bit ones have negative keys. */
const keyOf = ({ value, is32 }: Symbolic): number => (is32 ? -1 - value : value);
