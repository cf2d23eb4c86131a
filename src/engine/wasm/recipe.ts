/**
 * Recipes: what lower.ts writes for an IR op, as a row of numbers that is derived from the op's meaning (ir/expr.ts) when
 * the op is met first. WebAssembly's code is in postfix order, so that an expression tree becomes a plain sequence of
 * bytes with holes, which the steps of recipe-steps.ts fill. All that does not
 * depend on a region is decided here once.
 *
 * An op's own values live in temporary locals, numbered from 0 for each type in the order in which they are needed.
 */
import { PAGE_SIZE, SCRATCH, TLB_INDEX_MASK } from "../layout.ts";
import { type Expr, type MemorySize, type Statement, type ValueType, type Width, unary } from "../ir/expr.ts";
import type { QuickForm } from "../ir/helper-row.ts";
import { ops } from "../ir/ops.ts";
import { binaryOps, simdOps, unaryOps } from "../ir/wasm-ops.ts";
import { ByteBuffer } from "./bytes.ts";
import { beginAgain, pureFunction, slowRead, slowReadForWrite, slowWrite } from "./core-calls.ts";
import type { ImportedFunction } from "./encode.ts";
import { FLAG_LOCALS, kindOf, usesAux, usesDst, usesSrc } from "./flag-values.ts";
import { factsOfOp } from "./op-facts.ts";
import { EMPTY_BLOCK_TYPE, compareExchangeOpcode, opcode, simdOpcode, valueTypeCode } from "./opcodes.ts";
import * as step from "./recipe-steps.ts";
import {
  HINTS,
  ROLE_NUMBERS,
  TYPES,
  calledFunctions,
  dynamicBits,
  ordinaryExpressions,
  staticExpressions,
  steps,
} from "./recipe-steps.ts";
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

const NO_ADDRESS = -1;
const TLB_ENTRY_ADDEND = 8;
const TLB_INDEX_SHIFT = 8;
/** Where a 128-bit value is put for slowWrite128: the second half, the first may hold what was read. */
const STORE_SCRATCH = SCRATCH + 16;
const STATUS_MASK_ALL = 0x8d5;
const NO_LABEL = -1;
/** More than any number takes. */
const SCRATCH_SIZE = 32;

interface Temporary {
  readonly type: number;
  readonly number: number;
}

const scratch = new ByteBuffer(SCRATCH_SIZE);

/** Writes the recipes of one op, whose values have names. */
class RecipeWriter {
  readonly #names = new Map<string, Temporary>();
  readonly #bits = new Map<string, Bits>();
  readonly #counts = TYPES.map(() => 0);

  /** Gives where what `content` writes begins. */
  write(content: () => void): number {
    const start = steps.length;
    content();
    steps.push(step.END);
    return start;
  }

  // ---- Bytes ---------------------------------------------------------------------------------------------------------
  /** Appends what has been encoded in scratch. */
  #takeBytes(): void {
    for (let i = 0; i < scratch.length; i++) steps.push(scratch.at(i));
    scratch.clear();
  }

  #u32(value: number): void {
    scratch.u32(value);
    this.#takeBytes();
  }

  #i32Const(value: number): void {
    steps.push(opcode.i32Const);
    scratch.i32(value);
    this.#takeBytes();
  }

  #i64Const(value: bigint): void {
    steps.push(opcode.i64Const);
    scratch.i64(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
    this.#takeBytes();
  }

  /** An access without alignment promise; its offset comes next. */
  #access(code: number): void {
    steps.push(code, 0);
  }

  #v128Access(code: number): void {
    steps.push(opcode.simdPrefix, code, 0);
  }

  #load(size: MemorySize): void {
    if (size === 128) this.#v128Access(simdOpcode.v128Load);
    else this.#access(loadOpcodes[size]);
  }

  #store(size: MemorySize): void {
    if (size === 128) this.#v128Access(simdOpcode.v128Store);
    else this.#access(storeOpcodes[size]);
  }

  // ---- Places --------------------------------------------------------------------------------------------------------
  /** A jump to a place that comes later: see #here. */
  #jump(...step: readonly number[]): number {
    steps.push(...step, NO_LABEL);
    return steps.length - 1;
  }

  #here(jump: number): void {
    steps[jump] = steps.length;
  }

  /** What pushes an expression in several places: a recipe of its own if it is long. */
  #several(e: Expr): () => void {
    if (e.kind !== "binary" && e.kind !== "unary") return () => this.expression(e);
    const behind = this.#jump(step.JUMP);
    const start = this.write(() => this.expression(e));
    this.#here(behind);
    return () => steps.push(step.FOLLOW, start);
  }

  #if(hint: (typeof HINTS)[number], type?: ValueType): void {
    steps.push(step.IF, HINTS.indexOf(hint), type === undefined ? EMPTY_BLOCK_TYPE : valueTypeCode[type]);
  }

  #call(called: ImportedFunction): void {
    const known = calledFunctions.indexOf(called);
    steps.push(step.CALL, known >= 0 ? known : calledFunctions.push(called) - 1);
  }

  // ---- Temporaries ---------------------------------------------------------------------------------------------------
  #temporary(type: ValueType): Temporary {
    const index = TYPES.indexOf(type);
    const number = this.#counts[index] ?? 0;
    this.#counts[index] = number + 1;
    return { type: index, number };
  }

  #needed(type: ValueType): Temporary {
    const temporary = this.#temporary(type);
    steps.push(step.NEED_TEMPORARY, temporary.type, temporary.number);
    return temporary;
  }

  #get({ type, number }: Temporary): void {
    steps.push(step.GET_TEMPORARY, type, number);
  }

  #set({ type, number }: Temporary): void {
    steps.push(step.SET_TEMPORARY, type, number);
  }

  #tee({ type, number }: Temporary): void {
    steps.push(step.TEE_TEMPORARY, type, number);
  }

  #setNamed(name: string, type: ValueType, bits: Bits): void {
    const before = this.#bits.get(name);
    this.#bits.set(name, before === undefined ? bits : most(bits, before));
    const known = this.#names.get(name) ?? this.#temporary(type);
    this.#names.set(name, known);
    this.#set(known);
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
        this.#i32Const(0);
        this.expression(statement.value);
        this.#access(opcode.i32Store);
        steps.push(step.STATE_OFFSET, statement.offset);
        return;
      case "flags":
        return this.#setFlags(statement);
      case "load":
        return this.#loadGuest(statement);
      case "store":
        return this.#storeGuest(statement);
      case "compareExchange":
        return this.#compareExchange(statement);
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
    if (e === undefined) this.#i64Const(0n);
    else this.expression(e);
  }

  // ---- Guest memory --------------------------------------------------------------------------------------------------
  /** Pops an address and keeps it in va; pushes 1 if the bytes hit the TLB, with the entry's place in `entry`. */
  #lookUp(tlb: number, sizeBytes: number | "of the check", va: Temporary, entry: Temporary): void {
    this.#tee(va);
    steps.push(unaryOps["i32.wrap_i64"]);
    this.#i32Const(TLB_INDEX_SHIFT);
    steps.push(binaryOps["i32.shr_u"]);
    this.#i32Const(TLB_INDEX_MASK);
    steps.push(binaryOps["i32.and"]);
    this.#tee(entry);
    this.#access(opcode.i64Load);
    steps.push(step.TLB_OFFSET, tlb, 0);
    this.#get(va);
    steps.push(binaryOps["i64.xor"]);
    if (sizeBytes === "of the check") steps.push(step.CHECK_LAST_OFFSET);
    else this.#i64Const(BigInt(PAGE_SIZE - sizeBytes));
    steps.push(binaryOps["i64.le_u"]);
  }

  #hostAddress(tlb: number, va: Temporary, entry: Temporary): void {
    this.#get(entry);
    this.#access(opcode.i32Load);
    steps.push(step.TLB_OFFSET, tlb, TLB_ENTRY_ADDEND);
    this.#get(va);
    steps.push(unaryOps["i32.wrap_i64"], binaryOps["i32.add"]);
  }

  /** Pushes the host address of what a shared check covers, 0 if it has missed; the first access makes the check. */
  #sharedCheck(address: Expr, pushAddress: () => void, va: Temporary, entry: Temporary): void {
    const made = this.#jump(step.JUMP_IF_CHECKED);
    steps.push(step.NEW_CHECK);
    // A sum of 64 bits is none of 32.
    const narrow = address.kind === "binary" ? undefined : this.#jump(step.JUMP_IF_CHECK_32);
    pushAddress();
    steps.push(step.CHECK_ADDRESS);
    if (narrow !== undefined) {
      const end = this.#jump(step.JUMP);
      this.#here(narrow);
      this.expression(address.kind === "unary" ? address.value : unary("i32.wrap_i64", address));
      steps.push(step.CHECK_ADDRESS_32, unaryOps["i64.extend_i32_u"]);
      this.#here(end);
    }
    this.#lookUp(step.TLB_OF_CHECK, "of the check", va, entry);
    this.#if("likely", "i32");
    this.#hostAddress(step.TLB_OF_CHECK, va, entry);
    steps.push(opcode.else);
    this.#i32Const(0);
    steps.push(step.END_IF, step.SET_CHECK);
    this.#here(made);
    steps.push(step.GET_CHECK);
  }

  /** Both arms of an access, alone and where others share its check; `hit` is given the address, `miss` the linear one. */
  #accessGuest(
    { address, size }: { readonly address: Expr; readonly size: MemorySize },
    tlb: number,
    type: ValueType | undefined,
    hit: (offset: readonly number[]) => void,
    miss: (pushAddress: () => void) => void,
    [va, entry]: readonly [Temporary, Temporary],
  ): void {
    const pushAddress = this.#several(address);
    const shared = this.#jump(step.JUMP_IF_SHARED);
    pushAddress();
    this.#lookUp(tlb, size / 8, va, entry);
    this.#if("likely", type);
    this.#hostAddress(tlb, va, entry);
    hit([0]);
    steps.push(opcode.else);
    miss(() => this.#get(va));
    steps.push(step.END_IF);
    const end = this.#jump(step.JUMP);
    this.#here(shared);
    this.#sharedCheck(address, pushAddress, va, entry);
    this.#if("likely", type);
    steps.push(step.GET_CHECK);
    hit([step.CHECK_OFFSET]);
    steps.push(opcode.else);
    miss(pushAddress);
    steps.push(step.END_IF);
    this.#here(end);
  }

  /** Pops 1 if the core has recorded a fault. */
  #faultIf(): void {
    this.#if("unlikely");
    steps.push(step.FAULT, step.END_IF);
  }

  #loadGuest(statement: Extract<Statement, { kind: "load" }>): void {
    const { name, size, forWrite } = statement;
    const va = this.#needed("i64");
    const entry = this.#needed("i32");
    const type = typeOfAccess(size);
    this.#accessGuest(
      statement,
      forWrite ? step.TLB_WRITE : step.TLB_READ,
      type,
      (offset) => {
        this.#load(size);
        steps.push(...offset);
      },
      (pushAddress) => {
        pushAddress();
        this.#call(forWrite ? slowReadForWrite(size) : slowRead(size));
        this.#tee(entry);
        this.#i32Const(NO_ADDRESS);
        steps.push(binaryOps["i32.eq"]);
        this.#faultIf();
        this.#get(entry);
        this.#load(size);
        steps.push(0);
      },
      [va, entry],
    );
    this.#setNamed(name, type, size);
  }

  #storeGuest(statement: Extract<Statement, { kind: "store" }>): void {
    const { size, value } = statement;
    const va = this.#needed("i64");
    const entry = this.#needed("i32");
    const kept = this.#needed(typeOfAccess(size));
    this.expression(value);
    this.#set(kept);
    // A hit pushes its address before the value.
    this.#accessGuest(
      statement,
      step.TLB_WRITE,
      undefined,
      (offset) => {
        this.#get(kept);
        this.#store(size);
        steps.push(...offset);
      },
      (pushAddress) => {
        if (size === 128) {
          this.#i32Const(0);
          this.#get(kept);
          this.#v128Access(simdOpcode.v128Store);
          steps.push(step.STATE_OFFSET, STORE_SCRATCH);
        }
        pushAddress();
        if (size === 128) steps.push(step.STATE_ADDRESS, STORE_SCRATCH);
        else this.#get(kept);
        this.#call(slowWrite(size));
        this.#faultIf();
      },
      [va, entry],
    );
  }

  #compareExchange(statement: Extract<Statement, { kind: "compareExchange" }>): void {
    const { size } = statement;
    const type = size === 64 ? "i64" : "i32";
    const va = this.#needed("i64");
    const entry = this.#needed("i32");
    const expected = this.#needed(type);
    const value = this.#needed(type);
    this.expression(statement.expected);
    this.#set(expected);
    this.expression(statement.value);
    this.#set(value);
    this.expression(statement.address);
    this.#lookUp(step.TLB_WRITE, size / 8, va, entry);
    // An unaligned access that hits lies within a page, which is not enough.
    this.#get(va);
    steps.push(unaryOps["i32.wrap_i64"]);
    this.#i32Const(size / 8 - 1);
    steps.push(binaryOps["i32.and"], unaryOps["i32.eqz"], binaryOps["i32.and"]);
    this.#if("likely");
    this.#hostAddress(step.TLB_WRITE, va, entry);
    this.#get(expected);
    this.#get(value);
    steps.push(opcode.atomicPrefix, compareExchangeOpcode[size], Math.log2(size / 8), 0);
    this.#get(expected);
    steps.push(binaryOps[`${type}.ne`]);
    this.#if("unlikely");
    this.#call(beginAgain);
    steps.push(opcode.drop, step.FAULT, step.END_IF, opcode.else);
    this.#get(va);
    this.#get(value);
    this.#call(slowWrite(size));
    this.#faultIf();
    steps.push(step.END_IF);
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
        this.#u32(simdOps[e.op]);
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
        this.#i32Const(0);
        this.#access(opcode.i32Load);
        steps.push(step.STATE_OFFSET, e.offset);
        return;
      case "pure":
        for (const argument of e.args) this.expression(argument);
        return this.#call(pureFunction(e.name));
      default:
        throw new Error(`${e.kind} is static`);
    }
  }

  #local(name: string): void {
    const flagValue = FLAG_VALUES.indexOf(name);
    if (flagValue >= 0) steps.push(step.GET_FLAG_VALUE, flagValue);
    else this.#get(this.#named(name));
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
      const otherwise = this.#jump(step.JUMP_IF_ZERO, formOf(e.condition));
      this.expression(e.then);
      const end = this.#jump(step.JUMP);
      this.#here(otherwise);
      this.expression(e.else);
      return this.#here(end);
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
      this.#i64Const(constantOf(e));
    } else {
      this.#i32Const(Number(constantOf(e)));
    }
  }

  #binary(e: Extract<Expr, { kind: "binary" }>): void {
    const { op, left, right } = e;
    if (isStatic(right)) return this.#withStatic(e);
    if (left.kind === "reg" && isAddition(op)) {
      const zero = this.#jump(step.JUMP_IF_ZERO_SLOT, ROLE_NUMBERS[left.role]);
      this.expression(left);
      this.expression(right);
      steps.push(binaryOps[op]);
      const end = this.#jump(step.JUMP);
      this.#here(zero);
      this.expression(right);
      return this.#here(end);
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
        ? this.#jump(step.JUMP_IF_ZERO_SLOT, ROLE_NUMBERS[left.role])
        : undefined;
    const none = isMask && !isConstant(right) ? this.#jump(step.JUMP_IF_ZERO, formOf(right)) : undefined;
    this.expression(left);
    const neutral =
      isNeutral && !isConstant(right) ? this.#jump(step.JUMP_IF_ZERO, formOf(right)) : undefined;
    this.#static(right);
    steps.push(binaryOps[op]);
    // Without the left operand there is the right one alone: 0 itself, or what is added to 0.
    if (zeroSlot !== undefined || none !== undefined) {
      const end = this.#jump(step.JUMP);
      for (const alone of [zeroSlot, none]) if (alone !== undefined) this.#here(alone);
      this.#static(right);
      this.#here(end);
    }
    if (neutral !== undefined) this.#here(neutral);
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

const typeOfAccess = (size: MemorySize): ValueType => (size === 128 ? "v128" : size === 64 ? "i64" : "i32");
const loadOpcodes = {
  8: opcode.i32Load8U,
  16: opcode.i32Load16U,
  32: opcode.i32Load,
  64: opcode.i64Load,
} as const;
const storeOpcodes = {
  8: opcode.i32Store8,
  16: opcode.i32Store16,
  32: opcode.i32Store,
  64: opcode.i64Store,
} as const;

// ---- The recipes ----------------------------------------------------------------------------------------------------
const NONE = -1;
const recipesOfOps = ops.map(() => NONE);

/** Where the recipe of an inline op begins; of a conditional branch, that of its decision, which stays on the stack. */
export function recipeOf(number: number): number {
  const known = recipesOfOps[number];
  if (known !== NONE && known !== undefined) return known;
  const { body, branch } = factsOfOp(number);
  const writer = new RecipeWriter();
  const start = writer.write(() => {
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
}
const recipesOfForms = new Map<QuickForm, QuickRecipes>();

export function recipesOf(form: QuickForm): QuickRecipes {
  const known = recipesOfForms.get(form);
  if (known !== undefined) return known;
  const writer = new RecipeWriter();
  const all = (statements: readonly Statement[]): number =>
    writer.write(() => {
      for (const statement of statements) writer.statement(statement);
    });
  const before = all(form.before ?? []);
  const when = writer.write(() => writer.expression(form.when));
  const recipes = { before, when, body: all(form.body) };
  recipesOfForms.set(form, recipes);
  return recipes;
}

/** The recipe of an expression without values of an op: one over the lazy flags. */
export function recipeOfExpression(e: Expr): number {
  const writer = new RecipeWriter();
  return writer.write(() => writer.expression(e));
}
