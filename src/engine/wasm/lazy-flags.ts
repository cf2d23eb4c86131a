/**
 * The lazy flags inside a compiled region (ir/flags.ts). At each point they are in one of three states:
 *   an operation number ≥ 0   its values are in locals, and which operation it was is known at compile time;
 *   FLAGS_IN_MEMORY           the state block is current;
 *   FLAGS_MIXED               all is in locals, the operation number too: where known ones meet.
 * Reading flags never changes the state.
 */
import { CC_AUX, CC_DST, CC_OP, CC_SRC } from "../layout.ts";
import type { Expr } from "../ir/expr.ts";
import * as x from "../ir/expr.ts";
import { AF, CF, OF, PF, SF, ZF, conditionOf, flag, type FlagInputs } from "../ir/flags.ts";
import { binaryOps } from "../ir/wasm-ops.ts";
import { computeFlags, conditionFunction } from "./core-calls.ts";
import type { ImportedFunction } from "./encode.ts";
import {
  FLAGS_IN_MEMORY,
  FLAGS_MIXED,
  FLAG_LOCALS,
  FLAG_OP_FLAGS,
  kindOf,
  usesAux,
  usesDst,
  usesSrc,
} from "./flag-values.ts";
import type { FunctionEncoder } from "./function.ts";
import { opcode } from "./opcodes.ts";
import { recipeOfExpression } from "./recipe.ts";
import { simplify } from "./simplify.ts";

const FLAG_NAMES = [
  ["cf", CF, 0],
  ["pf", PF, 2],
  ["af", AF, 4],
  ["zf", ZF, 6],
  ["sf", SF, 7],
  ["of", OF, 11],
] as const;

function inputs(op: number): FlagInputs {
  return {
    dst: x.local(FLAG_LOCALS.dst, "i64"),
    src: x.local(FLAG_LOCALS.src, "i64"),
    aux: x.local(FLAG_LOCALS.aux, "i64"),
    shift: x.i64(64 - (8 << (op & 3))),
  };
}

const conditions = new Map<number, number>();
/** A condition code after a known operation. */
function knownCondition(code: number, op: number): number {
  const key = op * 16 + code;
  const before = conditions.get(key);
  if (before !== undefined) return before;
  const recipe = recipeOfExpression(simplify(conditionOf(code, kindOf(op), inputs(op))));
  conditions.set(key, recipe);
  return recipe;
}

const statuses = new Map<number, number>();
/** The status flags of `mask` after a known operation. */
function knownStatus(mask: number, op: number): number {
  const key = op * 0x1000 + mask;
  const before = statuses.get(key);
  if (before !== undefined) return before;
  const kind = kindOf(op);
  const at = inputs(op);
  let e: Expr | undefined;
  if (kind === "flags") {
    e = x.binary("i32.and", x.unary("i32.wrap_i64", at.src), x.i32(mask));
  } else {
    for (const [name, bit, shift] of FLAG_NAMES) {
      if ((mask & bit) === 0) continue;
      const value = x.binary("i32.shl", simplify(flag(name, kind, at)), x.i32(shift));
      e = e === undefined ? value : x.binary("i32.or", e, value);
    }
  }
  const recipe = recipeOfExpression(e ?? x.i32(0));
  statuses.set(key, recipe);
  return recipe;
}

/** What the flags need of the code around them. */
export interface FlagsHost {
  /** Writes what a recipe says. */
  follow(recipe: number): void;
  coreFunction(called: ImportedFunction): number;
}

interface FlagLocals {
  readonly op: number;
  readonly dst: number;
  readonly src: number;
  readonly aux: number;
}

export class LazyFlags {
  state = FLAGS_IN_MEMORY;
  readonly #host: FlagsHost;
  readonly #stateBase: number;
  #f: FunctionEncoder;
  dst = 0;
  src = 0;
  aux = 0;
  /** The operation number, an i32: set when the state is FLAGS_MIXED. */
  op = 0;
  /** Those that the four change places with for a trial. */
  #trial: FlagLocals | undefined;

  constructor(stateBase: number, f: FunctionEncoder, host: FlagsHost) {
    this.#stateBase = stateBase;
    this.#f = f;
    this.#host = host;
  }

  begin(f: FunctionEncoder): void {
    this.#f = f;
    this.op = f.local("i32");
    this.dst = f.local("i64");
    this.src = f.local("i64");
    this.aux = f.local("i64");
    this.state = FLAGS_IN_MEMORY;
    this.#trial = undefined;
  }

  /** From here on flags are written on trial: what branches away has them as they are now. Nothing is stored. */
  startTrial(): void {
    this.#trial ??= { op: this.#f.local("i32"), dst: this.#value(), src: this.#value(), aux: this.#value() };
    this.#exchange(this.#trial);
  }

  /** What was written since lasts. */
  keepTrial(): void {
    if (this.#trial !== undefined) this.#exchange(this.#trial);
  }

  #value(): number {
    return this.#f.local("i64");
  }

  /** Other locals take the place of these, with their values; those come back the same way. */
  #exchange(locals: FlagLocals): void {
    const { op, dst, src, aux } = locals;
    for (const [from, to] of [
      [this.op, op],
      [this.dst, dst],
      [this.src, src],
      [this.aux, aux],
    ] as const) {
      this.#f.localGet(from);
      this.#f.localSet(to);
    }
    this.#trial = { op: this.op, dst: this.dst, src: this.src, aux: this.aux };
    this.op = op;
    this.dst = dst;
    this.src = src;
    this.aux = aux;
  }

  /** Pushes 1 if the condition code holds, else 0. */
  condition(code: number): void {
    if (this.state >= 0) return this.#host.follow(knownCondition(code, this.state));
    this.#storeIfMixed();
    this.#f.call(this.#host.coreFunction(conditionFunction(code)));
  }

  /** Pushes those status flags that are in `mask`, in their EFLAGS positions. */
  status(mask: number): void {
    if (this.state >= 0) return this.#host.follow(knownStatus(mask, this.state));
    this.#storeIfMixed();
    this.#f.call(this.#host.coreFunction(computeFlags));
    this.#f.i32Const(mask);
    this.#f.op(binaryOps["i32.and"]);
  }

  #storeIfMixed(): void {
    if (this.state === FLAGS_MIXED) this.store();
  }

  /** Pops aux, src and dst, as far as the operation's kind has them (dst was pushed first). */
  set(op: number): void {
    const kind = kindOf(op);
    if (usesAux(kind)) this.#f.localSet(this.aux);
    if (usesSrc(kind)) this.#f.localSet(this.src);
    if (usesDst(kind)) this.#f.localSet(this.dst);
    this.state = op;
  }

  /** Writes the state block's lazy flags; the state stays as it is. */
  store(): void {
    const f = this.#f;
    if (this.state === FLAGS_IN_MEMORY) return;
    if (this.state === FLAGS_MIXED) return this.storeMixed();
    const kind = kindOf(this.state);
    f.i32Const(0);
    f.i32Const(this.state);
    f.access(opcode.i32Store, this.#stateBase + CC_OP);
    if (usesDst(kind)) this.#storeLocal(this.dst, CC_DST);
    if (usesSrc(kind)) this.#storeLocal(this.src, CC_SRC);
    if (usesAux(kind)) this.#storeLocal(this.aux, CC_AUX);
  }

  /** Writes all four, whatever the state: for shared exits. */
  storeMixed(): void {
    const f = this.#f;
    f.i32Const(0);
    f.localGet(this.op);
    f.access(opcode.i32Store, this.#stateBase + CC_OP);
    this.#storeLocal(this.dst, CC_DST);
    this.#storeLocal(this.src, CC_SRC);
    this.#storeLocal(this.aux, CC_AUX);
  }

  #storeLocal(local: number, offset: number): void {
    this.#f.i32Const(0);
    this.#f.localGet(local);
    this.#f.access(opcode.i64Store, this.#stateBase + offset);
  }

  #loadLocal(local: number, offset: number): void {
    this.#f.i32Const(0);
    this.#f.access(opcode.i64Load, this.#stateBase + offset);
    this.#f.localSet(local);
  }

  /** Behind a helper that has set status flags by setFlags(): knows them as such. */
  takeStatusFlags(): void {
    this.#loadLocal(this.src, CC_SRC);
    this.state = FLAG_OP_FLAGS;
  }

  /** In front of a shared exit, which stores all: what the operation does not use is not needed from further up. */
  tellExit(): void {
    const f = this.#f;
    const kind = kindOf(this.state);
    f.i32Const(this.state);
    f.localSet(this.op);
    for (const [local, isUsed] of [
      [this.dst, usesDst(kind)],
      [this.src, usesSrc(kind)],
      [this.aux, usesAux(kind)],
    ] as const) {
      if (isUsed) continue;
      f.i64Const(0, 0);
      f.localSet(local);
    }
  }

  /** Goes from this state to FLAGS_MIXED. */
  mix(): void {
    const f = this.#f;
    if (this.state >= 0) {
      f.i32Const(this.state);
      f.localSet(this.op);
    } else if (this.state === FLAGS_IN_MEMORY) {
      f.i32Const(0);
      f.access(opcode.i32Load, this.#stateBase + CC_OP);
      f.localSet(this.op);
      this.#loadLocal(this.dst, CC_DST);
      this.#loadLocal(this.src, CC_SRC);
      this.#loadLocal(this.aux, CC_AUX);
    }
    this.state = FLAGS_MIXED;
  }
}
