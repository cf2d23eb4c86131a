/**
 * What shared-checks.ts has to know of an op, as a row of numbers that is derived from its meaning (ir/expr.ts) when the op
 * is met first: which sums of slots, multiples of them and constants it computes, in postfix order, into which slots
 * they go, and which memory it accesses at one. All other values are unknown.
 */
import type { Expr, Statement } from "../ir/expr.ts";
import { ops } from "../ir/ops.ts";
import { factsOfOp } from "./op-facts.ts";
import { FIXED_SLOT, ROLE_NUMBERS } from "./recipe-steps.ts";
import { formOf, isStatic } from "./static-value.ts";

/** slot, width: pushes what a slot holds. */
export const SUM_SLOT = 0;
/** form, type: pushes a static value. */
export const SUM_STATIC = 1;
/** name: pushes a value of the op that has been kept; pops it to keep it. */
export const SUM_NAMED = 2;
export const SUM_KEEP = 3;
/** Zero-extends the low 32 bits. */
export const SUM_LOW_32 = 4;
/** operation, type: pops two operands. */
export const SUM_BINARY = 5;
/** slot: pops what it is set to; is set to something unknown. */
export const SUM_SET_SLOT = 6;
export const SUM_UNKNOWN_SLOT = 7;
/** size in bytes, 1 for a store or a load for write: pops an address. */
export const SUM_ACCESS = 8;
export const SUM_END = 9;

/** Types and operations, as operands. */
export const TYPE_I32 = 0;
export const TYPE_I64 = 1;
export const OPERATION_ADD = 0;
export const OPERATION_SUB = 1;
export const OPERATION_SHL = 2;

/** All rows, one behind the other. */
export const sumSteps: number[] = [];

const NONE = -1;
const rowsOfOps = ops.map(() => NONE);

/** Where the row of an op begins. */
export function sumsOf(number: number): number {
  const known = rowsOfOps[number];
  if (known !== undefined && known !== NONE) return known;
  const start = sumSteps.length;
  rowsOfOps[number] = start;
  const { body, accesses } = factsOfOp(number);
  const writer = new SumWriter(accesses === 1);
  for (const statement of body) writer.statement(statement);
  sumSteps.push(SUM_END);
  return start;
}

const operations = new Map([
  ["i32.add", OPERATION_ADD],
  ["i32.sub", OPERATION_SUB],
  ["i32.shl", OPERATION_SHL],
  ["i64.add", OPERATION_ADD],
  ["i64.sub", OPERATION_SUB],
  ["i64.shl", OPERATION_SHL],
]);

class SumWriter {
  readonly #hasOneAccess: boolean;
  /** Names of the op's values that are sums. */
  readonly #names: string[] = [];

  constructor(hasOneAccess: boolean) {
    this.#hasOneAccess = hasOneAccess;
  }

  statement(statement: Statement): void {
    switch (statement.kind) {
      case "let":
        if (!this.#isSum(statement.value)) return this.#forget(statement.name);
        this.#push(statement.value);
        sumSteps.push(SUM_KEEP, this.#keep(statement.name));
        return;
      case "setReg":
        return this.#setSlot(ROLE_NUMBERS[statement.role], statement);
      case "setGpr":
        return this.#setSlot(FIXED_SLOT + 8 * statement.number, statement);
      case "load":
        this.#forget(statement.name);
        return this.#access(statement, statement.forWrite);
      case "store":
        return this.#access(statement, true);
      default:
        return;
    }
  }

  #forget(name: string): void {
    const index = this.#names.indexOf(name);
    // No name is empty.
    if (index >= 0) this.#names[index] = "";
  }

  #keep(name: string): number {
    const index = this.#names.indexOf(name);
    return index >= 0 ? index : this.#names.push(name) - 1;
  }

  #setSlot(slot: number, { width, value }: Extract<Statement, { kind: "setReg" | "setGpr" }>): void {
    if (width < 32 || !this.#isSum(value)) {
      sumSteps.push(SUM_UNKNOWN_SLOT, slot);
      return;
    }
    this.#push(value);
    sumSteps.push(SUM_SET_SLOT, slot);
  }

  #access({ address, size }: Extract<Statement, { kind: "load" | "store" }>, forWrite: boolean): void {
    if (!this.#hasOneAccess || !this.#isSum(address)) return;
    this.#push(address);
    sumSteps.push(SUM_ACCESS, size / 8, forWrite ? 1 : 0);
  }

  #isSum(e: Expr): boolean {
    if (e.type !== "i64" && e.type !== "i32") return false;
    if (isStatic(e)) return true;
    switch (e.kind) {
      case "reg":
      case "gpr":
        return e.width >= 32;
      case "local":
        return this.#names.includes(e.name);
      case "unary":
        return (e.op === "i64.extend_i32_u" || e.op === "i32.wrap_i64") && this.#isSum(e.value);
      case "binary":
        return operations.has(e.op) && this.#isSum(e.left) && this.#isSum(e.right);
      default:
        return false;
    }
  }

  /** Pushes a sum. */
  #push(e: Expr): void {
    const type = e.type === "i32" ? TYPE_I32 : TYPE_I64;
    if (isStatic(e)) {
      sumSteps.push(SUM_STATIC, formOf(e), type);
      return;
    }
    switch (e.kind) {
      case "reg":
        sumSteps.push(SUM_SLOT, ROLE_NUMBERS[e.role], e.width);
        return;
      case "gpr":
        sumSteps.push(SUM_SLOT, FIXED_SLOT + 8 * e.number, e.width);
        return;
      case "local":
        sumSteps.push(SUM_NAMED, this.#names.indexOf(e.name));
        return;
      case "unary":
        this.#push(e.value);
        sumSteps.push(SUM_LOW_32);
        return;
      case "binary":
        this.#push(e.left);
        this.#push(e.right);
        sumSteps.push(SUM_BINARY, operations.get(e.op) ?? OPERATION_ADD, type);
        return;
      default:
        throw new Error(`${e.kind} is no sum`);
    }
  }
}
