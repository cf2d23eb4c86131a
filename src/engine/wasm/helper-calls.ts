/**
 * Lowers ops whose meaning is a helper: a call of the core's h_NAME with the registers that it uses in the state block,
 * and for a row with a quick form (ir/helper-row.ts) the ordinary case in place with the call as its other arm.
 */
import * as L from "../layout.ts";
import type { HelperRow, QuickForm } from "../ir/helper-row.ts";
import { binaryOps } from "../ir/wasm-ops.ts";
import { helperFunction } from "./core-calls.ts";
import type { ImportedFunction } from "./encode.ts";
import type { FunctionEncoder } from "./function.ts";
import { FLAGS_IN_MEMORY } from "./flag-values.ts";
import type { LazyFlags } from "./lazy-flags.ts";
import { ROLE_D, ROLE_S, factsOfOp, gprsOfHelper } from "./op-facts.ts";
import { opcode } from "./opcodes.ts";
import type { OrdinaryFloats } from "./ordinary-floats.ts";
import { recipesOf } from "./recipe.ts";
import type { CurrentOp } from "./region-ops.ts";
import { ALL_XMMS, type Slots, gprBit, isGpr, xmmBit } from "./slots.ts";
import { isStatic, pick, staticInteger } from "./static-value.ts";

/** From here on a helper's MMX operand is the start of XMM_TEMP. */
const MMX_COUNT = 8;

/** What helper calls need of the code around them. */
export interface HelperHost {
  readonly slots: Slots;
  readonly flags: LazyFlags;
  readonly floats: OrdinaryFloats;
  /** Registers whose value is needed behind the op. */
  readonly liveAfter: number;
  /** Writes what a recipe says. */
  follow(recipe: number): void;
  fault(): void;
  coreFunction(called: ImportedFunction): number;
}

export class HelperCalls {
  readonly #stateBase: number;
  readonly #op: CurrentOp;
  readonly #host: HelperHost;
  #f: FunctionEncoder;

  constructor(stateBase: number, f: FunctionEncoder, op: CurrentOp, host: HelperHost) {
    this.#stateBase = stateBase;
    this.#f = f;
    this.#op = op;
    this.#host = host;
  }

  begin(f: FunctionEncoder): void {
    this.#f = f;
  }

  /** Lowers the current op, which calls the helper of this row. */
  lower(row: HelperRow): void {
    if (row.quick === undefined) return this.#callHelper(row);
    const f = this.#f;
    const { slots, flags, floats } = this.#host;
    const { dirty } = slots;
    const { state } = flags;
    const { ordinary, without } = row.quick;
    const isNeeded = without === undefined || (this.#host.liveAfter & gprBit(8 * without.gpr)) !== 0;
    const recipes = recipesOf(row.quick);
    const { before, when } = recipes;
    this.#host.follow(before);
    const decided = pick(row.quick.when, this.#op);
    const isDecided = isStatic(decided) && staticInteger(decided, this.#op) !== 0n;
    if (!isDecided) {
      this.#host.follow(when);
      f.if("likely");
    }
    this.#host.follow(isNeeded ? recipes.body : recipes.without);
    if (!isDecided) {
      const dirtyQuick = slots.dirty;
      f.else();
      slots.dirty = dirty;
      flags.state = state;
      this.#callHelper(row);
      if (ordinary !== undefined)
        floats.verify(
          ordinary.lanes,
          ordinary.operands.map((role) => this.#op[role]),
        );
      f.end();
      slots.dirty |= dirtyQuick;
    }
    if (ordinary !== undefined) this.#knowOrdinary(ordinary);
  }

  #knowOrdinary({ lanes, operands }: NonNullable<QuickForm["ordinary"]>): void {
    const { d, s } = this.#op;
    if (operands.includes("d")) this.#host.floats.know(d, lanes);
    if (operands.includes("s") && (s !== d || operands.includes("d"))) this.#host.floats.know(s, lanes);
  }

  #callHelper(row: HelperRow): void {
    const f = this.#f;
    const { slots, flags, floats } = this.#host;
    const { number, d, s, imm } = this.#op;
    const { helperReads: reads, helperWrites: writes, helperPartial: partial, xmmWrites } = factsOfOp(number);
    const fixed = gprsOfHelper(row) | (row.xmms === "all" ? ALL_XMMS : 0);
    const writesXmm = (xmmWrites & ROLE_D) !== 0;
    slots.storeAll(slots.dirty & fixed);
    this.#storeXmmOperands(row, d, s);
    for (const [role, slot] of [[ROLE_D, d] as const, [ROLE_S, s] as const]) {
      if (((reads | partial) & role) === 0) continue;
      if (!isGpr(slot) || (slots.dirty & gprBit(slot)) !== 0) slots.store(slot);
    }
    if (row.flags === "reads" || row.flags === "both") {
      flags.store();
      flags.state = FLAGS_IN_MEMORY;
    }
    if (row.when !== undefined) {
      f.i32Const(0);
      f.access(opcode.i32Load, this.#stateBase + row.when.offset);
      f.i32Const(row.when.mask);
      f.op(binaryOps["i32.and"]);
      f.if("unlikely");
    }
    f.i32Const(d);
    f.i32Const(s);
    f.i32Const(imm);
    f.call(this.#host.coreFunction(helperFunction(row.name)));
    if (row.faults) {
      f.if("unlikely");
      this.#host.fault();
      f.end();
    } else {
      f.op(opcode.drop);
    }
    if (row.when !== undefined) f.end();
    if (row.flags === "writes") flags.takeStatusFlags();
    else if (row.flags === "both") flags.state = FLAGS_IN_MEMORY;
    for (const [role, slot] of [[ROLE_D, d] as const, [ROLE_S, s] as const]) {
      if ((writes & role) !== 0) this.#reload(slot, row.quick !== undefined);
    }
    const loaded = fixed | (writesXmm ? xmmBit(d) : 0);
    slots.loadAll(row.quick === undefined ? loaded & this.#host.liveAfter : loaded);
    if (writesXmm) floats.written(d);
    if (row.xmms === "all") floats.forget();
    if (row.mxcsr === "writes") {
      floats.forget();
      floats.refresh();
    }
  }

  /** Puts XMM operands, temporary ones too, where a helper finds them. */
  #storeXmmOperands(row: HelperRow, d: number, s: number): void {
    const { slots } = this.#host;
    for (const [kind, n] of [[row.d, d] as const, [row.s, s] as const]) {
      if (kind === "xmm" && (n >= L.XMM_COUNT || (slots.dirty & xmmBit(n)) !== 0)) slots.storeXmm(n);
      if (kind === "mm" && n >= MMX_COUNT) slots.storeXmm(L.XMM_TEMP);
    }
  }

  /** Behind the slow way of a quick form the local is needed, for behind the quick one it is dirty. */
  #reload(slot: number, isNeeded: boolean): void {
    const { slots, liveAfter } = this.#host;
    if (!isGpr(slot) || isNeeded || (liveAfter & gprBit(slot)) !== 0) slots.load(slot);
    slots.dirty &= ~gprBit(slot);
  }
}
