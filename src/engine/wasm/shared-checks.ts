/**
 * Finds guest memory accesses of a region that one TLB check serves: those at constant distances from one address, as
 * pushes, pops and the fields of a record are. The first of them checks the bytes that all of them touch, and keeps
 * where they lie in host memory. If they are not all in one page of RAM to which they may go, each access goes its own slow way;
 * or, where that is seldom so, the region gives up: it is left in front of the instruction, which the interpreter takes.
 *
 * Addresses are compared symbolically: a register-file slot holds a value that the region knows by number, plus a
 * constant. What is known at a node's end holds in the nodes that only it leads to. A mapping changes by a helper only,
 * so that helpers end what is shared; so do guest calls, behind which everything is read from memory again.
 *
 * Addresses of 32 bits are sums modulo 2^32: two of them keep their distance unless one has wrapped around, and bytes
 * between which that happens are in different pages.
 */
import { defined } from "../../base/index.ts";
import { GPR_RSP, MODE_DIRECT, PAGE_SIZE, SLOT_ZERO } from "../layout.ts";
import { isBehindCall } from "./dataflow.ts";
import { OUTSIDE, type RegionNode } from "./graph.ts";
import { factsOfOp } from "./op-facts.ts";
import { CurrentOp, type RegionOps, slotOf } from "./region-ops.ts";
import { staticNumber } from "./static-value.ts";
import {
  OPERATION_ADD,
  OPERATION_SUB,
  SUM_ACCESS,
  SUM_BINARY,
  SUM_END,
  SUM_KEEP,
  SUM_LOW_32,
  SUM_NAMED,
  SUM_SET_SLOT,
  SUM_SLOT,
  SUM_STATIC,
  SUM_UNKNOWN_SLOT,
  TYPE_I32,
  sumSteps,
  sumsOf,
} from "./sum-steps.ts";

/** The register file that slots name: 256 bytes. */
const SLOT_COUNT = 32;
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
  /** The region is left in front of the instruction that makes the check if it misses: behind it, it has succeeded. */
  readonly isCertain: boolean;
  /** Each access is looked up for itself all the same: the region has been left too often where the check would be made. */
  readonly isDissolved: boolean;
  accessCount: number;
  /** The local with the host address of the first byte, 0 if it has missed; NO_LOCAL until the check is made. */
  local: number;
  /** NO_LOCAL, or the local that it is to have once it is made: it has been made on a way that others meet. */
  reserved: number;
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
const NOTHING_KNOWN: readonly (Symbolic | undefined)[] = Array.from({ length: SLOT_COUNT });
const ZERO: Symbolic = { value: CONSTANT, plus: 0, is32: false };

/** A check for reads or for writes that was begun, and where. A newer one in front hides older ones for the same key. */
interface OpenCheck {
  /** keyOf() the addresses. */
  readonly key: number;
  readonly forWrite: boolean;
  /** Undefined: from here on there is none. */
  readonly check: SharedCheck | undefined;
  readonly node: RegionNode;
  readonly older: OpenCheck | undefined;
}

/** What is analyzed: a region's code, and of which instructions accesses may leave it. */
export interface CheckedCode {
  readonly nodes: readonly RegionNode[];
  readonly ops: RegionOps;
  readonly mode: number;
  readonly mayGiveUp: (offset: number) => boolean;
}

/** What is known at a point. */
class Knowledge {
  /** By slot (its byte offset in words); undefined until a value is asked for. */
  readonly slots: (Symbolic | undefined)[];
  checks: OpenCheck | undefined;

  constructor(before?: Knowledge) {
    this.slots = (before?.slots ?? NOTHING_KNOWN).slice();
    this.checks = before?.checks;
  }

  forget(): void {
    this.slots.fill(undefined);
    this.checks = undefined;
  }

  find(key: number, forWrite: boolean): OpenCheck | undefined {
    for (let open = this.checks; open !== undefined; open = open.older)
      if (open.key === key && open.forWrite === forWrite) return open.check === undefined ? undefined : open;
    return undefined;
  }

  begin(key: number, forWrite: boolean, check: SharedCheck | undefined, node: RegionNode): void {
    this.checks = { key, forWrite, check, node, older: this.checks };
  }
}

export class SharedChecks {
  #accesses: (SharedAccess | undefined)[] = [];
  #known = new Knowledge();
  #valueCount = CONSTANT + 1;
  /** By op, whether its access is its instruction's first: whether the instruction may still be begun again. */
  #isFirst: boolean[] = [];
  #isDirect = false;
  /** Values that the stack pointer had. */
  readonly #stackValues = new Set<number>();
  #mayGiveUpAt: (offset: number) => boolean = () => false;
  /** Of the current op's instruction, from the entry. */
  #offset = 0;
  /** Numbers of sums and multiples of values. */
  readonly #composed = new Map<number, number>();
  /** The current op's values: those on the stack of its steps, and those that it keeps. */
  readonly #stack: (Symbolic | undefined)[] = [];
  readonly #names: (Symbolic | undefined)[] = [];
  readonly #op = new CurrentOp();

  /** What op `i`'s access shares, if there is another access that shares it. */
  of(i: number): SharedAccess | undefined {
    const access = this.#accesses[i];
    if (access === undefined || access.check.accessCount === 1 || access.check.isDissolved) return undefined;
    // Asking whether something was found would take as long as the one comparison that a read needs then.
    const isQuickAlone = this.#isDirect && !access.check.forWrite;
    return isQuickAlone && !access.check.isCertain ? undefined : access;
  }

  /** Whether the region may be left in front of op `i`'s instruction, `offset` bytes from the entry, if its access misses. */
  mayGiveUp(i: number, offset: number): boolean {
    return this.#isFirst[i] === true && this.#mayGiveUpAt(offset);
  }

  analyze({ nodes, ops, mode, mayGiveUp }: CheckedCode): void {
    this.#isFirst = [];
    this.#isDirect = (mode & MODE_DIRECT) !== 0;
    this.#stackValues.clear();
    this.#mayGiveUpAt = mayGiveUp;
    this.#accesses = [];
    this.#composed.clear();
    this.#valueCount = CONSTANT + 1;
    const inherited: (Knowledge | undefined)[] = nodes.map(() => undefined);
    for (let number = 0; number < nodes.length; number++) {
      const node = defined(nodes[number], "a node");
      this.#known = inherited[number] ?? new Knowledge();
      const { edges, block } = node;
      let accessedAt = -1;
      for (let i = block.start; i < block.end; i++) {
        const { helper, accesses } = factsOfOp(ops.op[i] ?? 0);
        const pc = ops.pc[i] ?? 0;
        this.#offset = block.offset + pc;
        this.#isFirst[i] = accesses === 1 && pc !== accessedAt;
        if (accesses > 0 || helper !== undefined) accessedAt = pc;
        // What a helper does not say it writes, it may write all the same: segment bases, through its registers.
        if (helper !== undefined) this.#known.forget();
        else this.#step(node, ops, i);
      }
      for (let i = 0; i < edges.length; i++) {
        const to = edges[i]?.to ?? OUTSIDE;
        const next = nodes[to];
        if (next === undefined || next.isMerge || next.isHeader || isBehindCall(ops, node, i)) continue;
        inherited[to] = new Knowledge(this.#known);
      }
    }
  }

  #step(node: RegionNode, ops: RegionOps, i: number): void {
    const start = sumsOf(ops.op[i] ?? 0);
    if (sumSteps[start] === SUM_END) return;
    this.#op.select(ops, i);
    const stack = this.#stack;
    for (let at = start; ;) {
      const first = sumSteps[at + 1] ?? 0;
      const second = sumSteps[at + 2] ?? 0;
      switch (sumSteps[at]) {
        case SUM_SLOT:
          stack.push(this.#slotOfWidth(slotOf(this.#op, first), second));
          at += 3;
          break;
        case SUM_STATIC:
          stack.push(symbolic(CONSTANT, staticNumber(first, this.#op), second === TYPE_I32));
          at += 3;
          break;
        case SUM_NAMED:
          stack.push(this.#names[first]);
          at += 2;
          break;
        case SUM_KEEP:
          this.#names[first] = stack.pop();
          at += 2;
          break;
        case SUM_LOW_32: {
          const value = stack.pop();
          stack.push(value === undefined ? undefined : low32(value));
          at += 1;
          break;
        }
        case SUM_BINARY: {
          const right = stack.pop();
          const left = stack.pop();
          stack.push(this.#binary(first, left, right, second === TYPE_I32));
          at += 3;
          break;
        }
        case SUM_SET_SLOT:
          this.#known.slots[slotOf(this.#op, first) >> 3] = stack.pop() ?? this.#newValue();
          at += 2;
          break;
        case SUM_UNKNOWN_SLOT:
          this.#known.slots[slotOf(this.#op, first) >> 3] = undefined;
          at += 2;
          break;
        case SUM_ACCESS:
          this.#access(node, i, stack.pop(), first, second !== 0);
          at += 3;
          break;
        default:
          return;
      }
    }
  }

  #newValue(): Symbolic {
    return { value: this.#valueCount++, plus: 0, is32: false };
  }

  // ---- Symbolic values --------------------------------------------------------------------------------------------
  #slotOfWidth(slot: number, width: number): Symbolic {
    if (slot === SLOT_ZERO) return width === 64 ? ZERO : low32(ZERO);
    const { slots } = this.#known;
    const known = slots[slot >> 3];
    const whole = known ?? this.#newValue();
    slots[slot >> 3] = whole;
    if (known === undefined && slot === GPR_RSP) this.#stackValues.add(whole.value);
    return width === 64 ? whole : low32(whole);
  }

  #binary(
    operation: number,
    first: Symbolic | undefined,
    second: Symbolic | undefined,
    is32: boolean,
  ): Symbolic | undefined {
    const left = this.#operand(first, is32);
    const right = this.#operand(second, is32);
    if (left === undefined || right === undefined) return undefined;
    if (operation === OPERATION_ADD)
      return symbolic(this.#sum(left.value, right.value), left.plus + right.plus, is32);
    if (right.value !== CONSTANT) return undefined;
    if (operation === OPERATION_SUB) return symbolic(left.value, left.plus - right.plus, is32);
    if (right.plus < 0 || right.plus > 3) return undefined;
    return symbolic(this.#multiple(left.value, right.plus), left.plus * 2 ** right.plus, is32);
  }

  /** An operand of a sum of that width: 64-bit sums of what has wrapped around at 32 bits take it as it is. */
  #operand(operand: Symbolic | undefined, is32: boolean): Symbolic | undefined {
    if (operand === undefined || is32 || !operand.is32) return operand;
    const { value, plus } = operand;
    if (value === CONSTANT) return symbolic(CONSTANT, plus >>> 0, false);
    return { value: this.#numberOf(KEYS_OF_WRAPPED + value * 2 ** 32 + (plus >>> 0)), plus: 0, is32: false };
  }

  #sum(left: number, right: number): number {
    if (left === CONSTANT) return right;
    if (right === CONSTANT) return left;
    return this.#numberOf(Math.min(left, right) * VALUES_MAX + Math.max(left, right));
  }

  #multiple(value: number, shift: number): number {
    return value === CONSTANT || shift === 0 ? value : this.#numberOf(KEYS_OF_MULTIPLES + value * 4 + shift);
  }

  #numberOf(key: number): number {
    const known = this.#composed.get(key);
    if (known !== undefined) return known;
    const number = this.#valueCount++;
    this.#composed.set(key, number);
    return number;
  }

  // ---- Accesses ---------------------------------------------------------------------------------------------------
  #access(node: RegionNode, i: number, at: Symbolic | undefined, sizeBytes: number, forWrite: boolean): void {
    if (at === undefined) return;
    const { plus, is32 } = at;
    const key = keyOf(at);
    const known = this.#known;
    const isConstant = at.value === CONSTANT;
    const write = known.find(key, true)?.check;
    if (write !== undefined && joins(write, plus, sizeBytes, isConstant)) return this.#join(i, write, plus);
    const open = known.find(key, false);
    const read = open?.check;
    if (
      read !== undefined &&
      (!forWrite || open?.node === node) &&
      joins(read, plus, sizeBytes, isConstant)
    ) {
      // A store makes a check for reads one for writes only where it is as certain to be reached.
      if (forWrite) {
        read.forWrite = true;
        known.begin(key, false, undefined, node);
        known.begin(key, true, read, node);
      }
      return this.#join(i, read, plus);
    }
    const isCertain = this.#isFirst[i] === true && this.#seldomMisses(at);
    const check = {
      low: plus,
      high: plus + sizeBytes,
      is32,
      forWrite,
      isCertain,
      isDissolved: isCertain && !this.#mayGiveUpAt(this.#offset),
      accessCount: 0,
      local: NO_LOCAL,
      reserved: NO_LOCAL,
    };
    known.begin(key, forWrite, check, node);
    this.#join(i, check, plus);
  }

  /**
   * Records on a heap lie across two pages now and then, one in a hundred; parts of a stack do so for all calls from one place, or
   * none, and where no TLB is asked pages make no difference.
   */
  #seldomMisses({ value }: Symbolic): boolean {
    return this.#isDirect || value === CONSTANT || this.#stackValues.has(value);
  }

  #join(i: number, check: SharedCheck, distance: number): void {
    check.accessCount++;
    this.#accesses[i] = { check, distance };
  }
}

/** Widens the check so that it covers the access too, unless that would make it too wide, or known to lie in two pages. */
function joins(check: SharedCheck, at: number, sizeBytes: number, isConstant: boolean): boolean {
  const low = Math.min(check.low, at);
  const high = Math.max(check.high, at + sizeBytes);
  if (high - low > RANGE_MAX_BYTES) return false;
  if (isConstant && Math.floor(low / PAGE_SIZE) !== Math.floor((high - 1) / PAGE_SIZE)) return false;
  check.low = low;
  check.high = high;
  return true;
}

/** Keys of composed values: sums of two, multiples, and what wraps around. There are fewer values than that. */
const VALUES_MAX = 2 ** 17;
const KEYS_OF_MULTIPLES = 2 ** 40;
const KEYS_OF_WRAPPED = 2 ** 41;

/** Sums of so small constants stay exact. */
const CONSTANT_MAX = 2 ** 40;
function symbolic(value: number, plus: number, is32: boolean): Symbolic | undefined {
  if (is32) return { value, plus: plus | 0, is32 };
  return Math.abs(plus) < CONSTANT_MAX ? { value, plus, is32 } : undefined;
}
const low32 = ({ value, plus, is32 }: Symbolic): Symbolic =>
  is32 ? { value, plus, is32 } : { value, plus: plus | 0, is32: true };

/** Addresses with the same key have a known distance; the 32-bit ones have negative keys. */
const keyOf = ({ value, is32 }: Symbolic): number => (is32 ? -1 - value : value);
