/** The steps of recipes as they are written: WebAssembly's bytes, places to jump to, temporary locals. */
import type { MemorySize, ValueType } from "../ir/expr.ts";
import { ByteBuffer } from "./bytes.ts";
import type { ImportedFunction } from "./encode.ts";
import { EMPTY_BLOCK_TYPE, opcode, simdOpcode, valueTypeCode } from "./opcodes.ts";
import * as step from "./recipe-steps.ts";
import { HINTS, TYPES, calledFunctions, steps } from "./recipe-steps.ts";

const NO_LABEL = -1;
/** More than any number takes. */
const SCRATCH_SIZE = 32;

export interface Temporary {
  readonly type: number;
  readonly number: number;
}

const scratch = new ByteBuffer(SCRATCH_SIZE);

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

/** Writes behind all recipes that there are; numbers the temporaries of one op. */
export class RecipeCode {
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

  u32(value: number): void {
    scratch.u32(value);
    this.#takeBytes();
  }

  i32Const(value: number): void {
    steps.push(opcode.i32Const);
    scratch.i32(value);
    this.#takeBytes();
  }

  i64Const(value: bigint): void {
    steps.push(opcode.i64Const);
    scratch.i64(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
    this.#takeBytes();
  }

  /** An access without alignment promise; its offset comes next. */
  access(code: number): void {
    steps.push(code, 0);
  }

  v128Access(code: number): void {
    steps.push(opcode.simdPrefix, code, 0);
  }

  load(size: MemorySize): void {
    if (size === 128) this.v128Access(simdOpcode.v128Load);
    else this.access(loadOpcodes[size]);
  }

  store(size: MemorySize): void {
    if (size === 128) this.v128Access(simdOpcode.v128Store);
    else this.access(storeOpcodes[size]);
  }

  // ---- Places --------------------------------------------------------------------------------------------------------
  /** A jump to a place that comes later: see #here. */
  jump(...step: readonly number[]): number {
    steps.push(...step, NO_LABEL);
    return steps.length - 1;
  }

  here(jump: number): void {
    steps[jump] = steps.length;
  }

  if(hint: (typeof HINTS)[number], type?: ValueType): void {
    steps.push(step.IF, HINTS.indexOf(hint), type === undefined ? EMPTY_BLOCK_TYPE : valueTypeCode[type]);
  }

  call(called: ImportedFunction): void {
    const known = calledFunctions.indexOf(called);
    steps.push(step.CALL, known >= 0 ? known : calledFunctions.push(called) - 1);
  }

  // ---- Temporaries ---------------------------------------------------------------------------------------------------
  temporary(type: ValueType): Temporary {
    const index = TYPES.indexOf(type);
    const number = this.#counts[index] ?? 0;
    this.#counts[index] = number + 1;
    return { type: index, number };
  }

  needed(type: ValueType): Temporary {
    const temporary = this.temporary(type);
    steps.push(step.NEED_TEMPORARY, temporary.type, temporary.number);
    return temporary;
  }

  get({ type, number }: Temporary): void {
    steps.push(step.GET_TEMPORARY, type, number);
  }

  set({ type, number }: Temporary): void {
    steps.push(step.SET_TEMPORARY, type, number);
  }

  tee({ type, number }: Temporary): void {
    steps.push(step.TEE_TEMPORARY, type, number);
  }
}
