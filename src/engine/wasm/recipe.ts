/**
 * Recipes: what lower.ts writes for an IR op, as a row of numbers that is derived from the op's meaning (ir/expr.ts) when
 * the op is met first. WebAssembly's code is in postfix order, so that an expression tree becomes a plain sequence of
 * bytes with holes, which the steps of recipe-steps.ts fill. All that does not depend on a region is decided here once.
 *
 * An op's own values live in temporary locals, numbered from 0 for each type in the order in which they are needed.
 */
import type { Expr, Statement, ValueType, Width } from "../ir/expr.ts";
import type { QuickForm } from "../ir/helper-row.ts";
import { ops } from "../ir/ops.ts";
import { binaryOps, simdOps, unaryOps } from "../ir/wasm-ops.ts";
import { pureFunction } from "./core-calls.ts";
import { FLAG_LOCALS, kindOf, usesAux, usesDst, usesSrc } from "./flag-values.ts";
import { factsOfOp } from "./op-facts.ts";
import { opcode, simdOpcode, valueTypeCode } from "./opcodes.ts";
import { RecipeCode, type Temporary } from "./recipe-code.ts";
import { GuestMemoryRecipes, typeOfLoad } from "./recipe-memory.ts";
import * as step from "./recipe-steps.ts";
import { ROLE_NUMBERS, dynamicBits, ordinaryExpressions, staticExpressions, steps } from "./recipe-steps.ts";
import {
  type Immediates,
  NO_IMMEDIATES,
  constantOf,
  formOf,
  isConstant,
  isStatic,
  staticInteger,
  staticVector,
} from "./static-value.ts";

type Bits = number | ((op: Immediates) => number);

const STATUS_MASK_ALL = 0x8d5;

/** Writes the recipes of one op, whose values have names. */
class RecipeWriter {
  readonly #names = new Map<string, Temporary>();
  readonly #bits = new Map<string, Bits>();
  readonly code = new RecipeCode();
  readonly #memory = new GuestMemoryRecipes(this.code, (e) => this.expression(e));

  #setNamed(name: string, type: ValueType, bits: Bits): void {
    const before = this.#bits.get(name);
    this.#bits.set(name, before === undefined ? bits : most(bits, before));
    const known = this.#names.get(name) ?? this.code.temporary(type);
    this.#names.set(name, known);
    this.code.set(known);
  }

  #named(name: string): Temporary {
    const known = this.#names.get(name);
    if (known === undefined) throw new Error(`local ${name} is read before it is set`);
    return known;
  }

  // ---- Statements ----------------------------------------------------------------------------------------------------
  statement(statement: Statement): void {
    switch (statement.kind) {
      case "let":
        this.expression(statement.value);
        return this.#setNamed(statement.name, statement.value.type, this.#bitsOf(statement.value));
      case "setReg":
        return this.#setSlot(ROLE_NUMBERS[statement.role], statement.width, statement.value);
      case "setGpr":
        return this.#setSlot(step.FIXED_SLOT + 8 * statement.number, statement.width, statement.value);
      case "setXmm":
        this.expression(statement.value);
        steps.push(step.SET_XMM, ROLE_NUMBERS[statement.role]);
        return;
      case "setState":
        this.code.i32Const(0);
        this.expression(statement.value);
        this.code.access(opcode.i32Store);
        steps.push(step.STATE_OFFSET, statement.offset);
        return;
      case "flags":
        return this.#setFlags(statement);
      case "load":
        this.#memory.load(statement);
        return this.#setNamed(statement.name, typeOfLoad(statement), statement.size);
      case "store":
        return this.#memory.store(statement);
      case "compareExchange":
        return this.#memory.compareExchange(statement);
    }
  }

  #setSlot(slot: number, width: Width, value: Expr): void {
    steps.push(step.BEGIN_SET_SLOT, slot, width);
    this.expression(value);
    const bits = this.#bitsOf(value);
    steps.push(
      step.SET_SLOT,
      slot,
      width,
      typeof bits === "number" ? bits : step.DYNAMIC + dynamicBits.push(bits) - 1,
    );
  }

  #setFlags(statement: Extract<Statement, { kind: "flags" }>): void {
    const { op, when } = statement;
    if (when !== undefined) {
      steps.push(step.MIX_FLAGS, op);
      this.expression(when);
      steps.push(step.IF_FLAGS);
    }
    const kind = kindOf(op);
    if (usesDst(kind)) this.#flagValue(statement.dst);
    if (usesSrc(kind)) this.#flagValue(statement.src);
    if (usesAux(kind)) this.#flagValue(statement.aux);
    steps.push(step.SET_FLAGS, op);
    if (when !== undefined) steps.push(step.END_IF_FLAGS);
  }

  #flagValue(e: Expr | undefined): void {
    if (e === undefined) this.code.i64Const(0n);
    else this.expression(e);
  }

  // ---- Expressions ---------------------------------------------------------------------------------------------------
  /** Pushes a value. */
  expression(e: Expr): void {
    if (isStatic(e)) return this.#static(e);
    switch (e.kind) {
      case "reg":
        steps.push(step.GET_SLOT, ROLE_NUMBERS[e.role], e.width);
        return;
      case "gpr":
        steps.push(step.GET_SLOT, step.FIXED_SLOT + 8 * e.number, e.width);
        return;
      case "xmm":
        steps.push(step.GET_XMM, ROLE_NUMBERS[e.role]);
        return;
      case "local":
        return this.#local(e.name);
      case "unary":
        this.expression(e.value);
        steps.push(unaryOps[e.op]);
        return;
      case "binary":
        return this.#binary(e);
      case "select":
        return this.#select(e);
      case "simd":
        for (const argument of e.args) this.expression(argument);
        steps.push(opcode.simdPrefix);
        this.code.u32(simdOps[e.op]);
        steps.push(...(e.lanes ?? []));
        return;
      case "ordinary":
        return this.#ordinary(e);
      case "condition":
        steps.push(step.CONDITION, e.code);
        return;
      case "statusFlags":
        steps.push(step.STATUS, STATUS_MASK_ALL);
        return;
      case "state":
        this.code.i32Const(0);
        this.code.access(opcode.i32Load);
        steps.push(step.STATE_OFFSET, e.offset);
        return;
      case "pure":
        for (const argument of e.args) this.expression(argument);
        return this.code.call(pureFunction(e.name));
      default:
        throw new Error(`${e.kind} is static`);
    }
  }

  #local(name: string): void {
    const flagValue = FLAG_VALUES.indexOf(name);
    if (flagValue >= 0) steps.push(step.GET_FLAG_VALUE, flagValue);
    else this.code.get(this.#named(name));
  }

  #ordinary(e: Extract<Expr, { kind: "ordinary" }>): void {
    const { result } = e;
    if (result !== undefined && result.kind !== "local")
      throw new Error("a result that is looked at is a local");
    const number = result === undefined ? step.NO_RESULT : this.#named(result.name).number;
    steps.push(step.ORDINARY, ordinaryExpressions.push(e) - 1, number);
  }

  #select(e: Extract<Expr, { kind: "select" }>): void {
    if (isStatic(e.condition)) {
      if (isConstant(e.condition)) return this.expression(constantOf(e.condition) !== 0n ? e.then : e.else);
      const otherwise = this.code.jump(step.JUMP_IF_ZERO, formOf(e.condition));
      this.expression(e.then);
      const end = this.code.jump(step.JUMP);
      this.code.here(otherwise);
      this.expression(e.else);
      return this.code.here(end);
    }
    this.expression(e.then);
    this.expression(e.else);
    this.expression(e.condition);
    if (e.type === "v128") steps.push(opcode.selectTyped, 1, valueTypeCode.v128);
    else steps.push(opcode.select);
  }

  #static(e: Expr): void {
    if (e.type === "v128" && isConstant(e)) {
      steps.push(opcode.simdPrefix, simdOpcode.v128Const, ...staticVector(e, NO_IMMEDIATES));
    } else if (e.type === "v128") {
      steps.push(step.STATIC_VECTOR, staticExpressions.push(e) - 1);
    } else if (!isConstant(e)) {
      steps.push(e.type === "i64" ? step.STATIC_64 : step.STATIC_32, formOf(e));
    } else if (e.type === "i64") {
      this.code.i64Const(constantOf(e));
    } else {
      this.code.i32Const(Number(constantOf(e)));
    }
  }

  #binary(e: Extract<Expr, { kind: "binary" }>): void {
    const { op, left, right } = e;
    if (isStatic(right)) return this.#withStatic(e);
    if (left.kind === "reg" && isAddition(op)) {
      const zero = this.code.jump(step.JUMP_IF_ZERO_SLOT, ROLE_NUMBERS[left.role]);
      this.expression(left);
      this.expression(right);
      steps.push(binaryOps[op]);
      const end = this.code.jump(step.JUMP);
      this.code.here(zero);
      this.expression(right);
      return this.code.here(end);
    }
    this.expression(left);
    this.expression(right);
    steps.push(binaryOps[op]);
  }

  /** Displacements and scales are often 0. */
  #withStatic(e: Extract<Expr, { kind: "binary" }>): void {
    const { op, left, right } = e;
    const isNeutral = neutralZero.has(op);
    const isMask = op.endsWith(".and");
    if (isConstant(right)) {
      const value = constantOf(right);
      if (op === "i32.and" && left.kind === "statusFlags") {
        steps.push(step.STATUS, Number(value));
        return;
      }
      if (value === 0n && isNeutral) return this.expression(left);
      if (value === 0n && isMask) return this.#static(right);
    }
    const zeroSlot =
      left.kind === "reg" && isAddition(op)
        ? this.code.jump(step.JUMP_IF_ZERO_SLOT, ROLE_NUMBERS[left.role])
        : undefined;
    const none = isMask && !isConstant(right) ? this.code.jump(step.JUMP_IF_ZERO, formOf(right)) : undefined;
    this.expression(left);
    const neutral =
      isNeutral && !isConstant(right) ? this.code.jump(step.JUMP_IF_ZERO, formOf(right)) : undefined;
    this.#static(right);
    steps.push(binaryOps[op]);
    // Without the left operand there is the right one alone: 0 itself, or what is added to 0.
    if (zeroSlot !== undefined || none !== undefined) {
      const end = this.code.jump(step.JUMP);
      for (const alone of [zeroSlot, none]) if (alone !== undefined) this.code.here(alone);
      this.#static(right);
      this.code.here(end);
    }
    if (neutral !== undefined) this.code.here(neutral);
  }

  /** How many low bits of an expression may be set: to leave out masks. */
  #bitsOf(e: Expr): Bits {
    const all = e.type === "i64" ? 64 : 32;
    if (isStatic(e) && e.type !== "v128")
      return isConstant(e) ? bitLength(constantOf(e), all) : (op) => bitLength(staticInteger(e, op), all);
    switch (e.kind) {
      case "reg":
      case "gpr":
        return e.width;
      case "local":
        return this.#bits.get(e.name) ?? all;
      case "condition":
        return 1;
      case "select":
        return most(this.#bitsOf(e.then), this.#bitsOf(e.else));
      case "binary":
        if (e.op === "i32.and" || e.op === "i64.and")
          return least(this.#bitsOf(e.left), this.#bitsOf(e.right));
        if (e.op === "i32.or" || e.op === "i32.xor") return most(this.#bitsOf(e.left), this.#bitsOf(e.right));
        return COMPARISON.test(e.op) ? 1 : all;
      case "unary":
        return e.op.endsWith(".eqz") ? 1 : all;
      default:
        return all;
    }
  }
}

// ---- Static values --------------------------------------------------------------------------------------------------
const bitLength = (value: bigint, all: number): number => (value < 0n ? all : value.toString(2).length);

function combined(a: Bits, b: Bits, choose: (a: number, b: number) => number): Bits {
  if (typeof a === "number" && typeof b === "number") return choose(a, b);
  const of = (bits: Bits, op: Immediates): number => (typeof bits === "number" ? bits : bits(op));
  return (op) => choose(of(a, op), of(b, op));
}
const most = (a: Bits, b: Bits): Bits => combined(a, b, Math.max);
const least = (a: Bits, b: Bits): Bits => combined(a, b, Math.min);

const neutralZero = new Set<string>([
  "i32.add",
  "i64.add",
  "i32.sub",
  "i64.sub",
  "i32.shl",
  "i64.shl",
  "i32.or",
  "i64.or",
]);
const isAddition = (op: string): boolean => op === "i32.add" || op === "i64.add";
const COMPARISON = /\.(eq|ne|lt_s|lt_u|gt_s|gt_u|le_s|le_u|ge_s|ge_u)$/;

const FLAG_VALUES: readonly string[] = [FLAG_LOCALS.dst, FLAG_LOCALS.src, FLAG_LOCALS.aux];

// ---- The recipes ----------------------------------------------------------------------------------------------------
const NONE = -1;
const recipesOfOps = ops.map(() => NONE);

/** Where the recipe of an inline op begins; of a conditional branch, that of its decision, which stays on the stack. */
export function recipeOf(number: number): number {
  const known = recipesOfOps[number];
  if (known !== NONE && known !== undefined) return known;
  const { body, branch } = factsOfOp(number);
  const writer = new RecipeWriter();
  const start = writer.code.write(() => {
    for (const statement of body) {
      if (branch !== undefined && statement.kind === "let" && statement.name === "condition")
        writer.expression(statement.value);
      else writer.statement(statement);
    }
  });
  recipesOfOps[number] = start;
  return start;
}

/** The recipes of a helper's quick form. */
export interface QuickRecipes {
  readonly before: number;
  readonly when: number;
  readonly body: number;
  /** The body without a register, or the body itself. */
  readonly without: number;
}
const recipesOfForms = new Map<QuickForm, QuickRecipes>();

export function recipesOf(form: QuickForm): QuickRecipes {
  const known = recipesOfForms.get(form);
  if (known !== undefined) return known;
  const writer = new RecipeWriter();
  const all = (statements: readonly Statement[]): number =>
    writer.code.write(() => {
      for (const statement of statements) writer.statement(statement);
    });
  const before = all(form.before ?? []);
  const when = writer.code.write(() => writer.expression(form.when));
  const body = all(form.body);
  const without = form.without === undefined ? body : all(form.without.body);
  const recipes = { before, when, body, without };
  recipesOfForms.set(form, recipes);
  return recipes;
}

/** The recipe of an expression without values of an op: one over the lazy flags. */
export function recipeOfExpression(e: Expr): number {
  const writer = new RecipeWriter();
  return writer.code.write(() => writer.expression(e));
}
