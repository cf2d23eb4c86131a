/**
 * Writes the body of one WebAssembly function: instructions, locals that are declared as they are needed, structured
 * labels, and branch hints (core specification 5.4 and 5.5.13).
 *
 * A label is the nesting depth at which its block was opened; branches to it turn that into the relative form.
 */
import type { ValueType } from "../ir/expr.ts";
import { ByteBuffer } from "./bytes.ts";
import { EMPTY_BLOCK_TYPE, opcode, simdOpcode, valueTypeCode } from "./opcodes.ts";

/** Is the branch at an `if` or `br_if` usually taken? */
export type Hint = "likely" | "unlikely" | "none";

const TWO_TO_32 = 4294967296;

/**
 * What V8's compilers keep on the stack for a function: Liftoff a place for each local and what is on the operand stack, 64 bytes
 * beyond the locals in the regions of a Linux; TurboFan, after which fewer values live at a time, half of that.
 */
const LOCAL_BYTES: Readonly<Record<ValueType, number>> = { i32: 8, i64: 8, f32: 8, f64: 8, v128: 16 };
const FRAME_BYTES_BESIDE_LOCALS = 256;

const blockType = (result: ValueType | undefined): number =>
  result === undefined ? EMPTY_BLOCK_TYPE : valueTypeCode[result];

export class FunctionEncoder {
  readonly #body = new ByteBuffer();
  readonly #header = new ByteBuffer();
  #parameterCount = 0;
  readonly #localTypes: ValueType[] = [];
  #depth = 0;
  readonly #hintOffsets: number[] = [];
  readonly #hintLikely: boolean[] = [];
  /** Positions of constants that stand for the size of this function's frame. */
  readonly #framePositions: number[] = [];
  /** Positions of calls to functions of this module, and which. */
  readonly #callPositions: number[] = [];
  readonly #callTargets: number[] = [];

  reset(parameters: readonly ValueType[]): void {
    this.#body.clear();
    this.#header.clear();
    this.#parameterCount = parameters.length;
    this.#localTypes.length = 0;
    this.#depth = 0;
    this.#hintOffsets.length = 0;
    this.#hintLikely.length = 0;
    this.#framePositions.length = 0;
    this.#callPositions.length = 0;
    this.#callTargets.length = 0;
  }

  /** Bytes of instructions so far. */
  get sizeBytes(): number {
    return this.#body.length;
  }

  get hintCount(): number {
    return this.#hintOffsets.length;
  }

  /** The index of a new local, 0 at first. */
  local(type: ValueType): number {
    this.#localTypes.push(type);
    return this.#parameterCount + this.#localTypes.length - 1;
  }

  // ---- Plain instructions ---------------------------------------------------------------------------------------
  op(code: number): void {
    this.#body.u8(code);
  }

  simd(code: number): void {
    this.#body.u8(opcode.simdPrefix);
    this.#body.u32(code);
  }

  /** A lane index or one of a shuffle's. */
  lane(index: number): void {
    this.#body.u8(index);
  }

  i32Const(value: number): void {
    this.#body.u8(opcode.i32Const);
    this.#body.i32(value);
  }

  i64Const(low: number, high: number): void {
    this.#body.u8(opcode.i64Const);
    this.#body.i64(low, high);
  }

  /** Pushes how many bytes of stack a call of this function takes at most, known once it is finished. */
  i32ConstFrameBytes(): void {
    this.#body.u8(opcode.i32Const);
    this.#framePositions.push(this.#body.paddedU32());
  }

  /** An i64 constant that is a safe integer. */
  i64ConstNumber(value: number): void {
    this.i64Const(value | 0, Math.floor(value / TWO_TO_32));
  }

  i64ConstBig(value: bigint): void {
    this.i64Const(Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n)));
  }

  v128Const(bytes: Uint8Array): void {
    this.simd(simdOpcode.v128Const);
    this.#body.append(bytes);
  }

  localGet(index: number): void {
    this.#body.u8(opcode.localGet);
    this.#body.u32(index);
  }

  localSet(index: number): void {
    this.#body.u8(opcode.localSet);
    this.#body.u32(index);
  }

  localTee(index: number): void {
    this.#body.u8(opcode.localTee);
    this.#body.u32(index);
  }

  globalGet(index: number): void {
    this.#body.u8(opcode.globalGet);
    this.#body.u32(index);
  }

  globalSet(index: number): void {
    this.#body.u8(opcode.globalSet);
    this.#body.u32(index);
  }

  /** The immediate of an access. */
  offset(value: number): void {
    this.#body.u32(value);
  }

  /** A scalar load or store without alignment promise, at the address on the stack plus a constant. */
  access(code: number, offset = 0): void {
    this.#body.u8(code);
    this.#body.u32(0);
    this.#body.u32(offset);
  }

  /** Address, expected and new value to the value found; the address must be aligned to its size of 2^log2 bytes. */
  atomic(code: number, sizeLog2: number): void {
    this.#body.u8(opcode.atomicPrefix);
    this.#body.u32(code);
    this.#body.u32(sizeLog2);
    this.#body.u32(0);
  }

  v128Load(offset = 0): void {
    this.simd(simdOpcode.v128Load);
    this.#body.u32(0);
    this.#body.u32(offset);
  }

  v128Store(offset = 0): void {
    this.simd(simdOpcode.v128Store);
    this.#body.u32(0);
    this.#body.u32(offset);
  }

  select(type: ValueType): void {
    if (type !== "v128") return this.op(opcode.select);
    this.op(opcode.selectTyped);
    this.#body.u32(1);
    this.#body.u8(valueTypeCode.v128);
  }

  call(index: number): void {
    this.#body.u8(opcode.call);
    this.#body.u32(index);
  }

  /** Calls function number `number` of the same module. */
  callOwn(number: number): void {
    this.#body.u8(opcode.call);
    this.#callPositions.push(this.#body.paddedU32());
    this.#callTargets.push(number);
  }

  callIndirect(type: number): void {
    this.#body.u8(opcode.callIndirect);
    this.#body.u32(type);
    this.#body.u32(0);
  }

  returnCallIndirect(type: number): void {
    this.#body.u8(opcode.returnCallIndirect);
    this.#body.u32(type);
    this.#body.u32(0);
  }

  // ---- Control ----------------------------------------------------------------------------------------------------
  #open(code: number, type: number): number {
    this.#body.u8(code);
    this.#body.u8(type);
    return ++this.#depth;
  }

  /** Opens a block; gives its label. */
  block(result?: ValueType): number {
    return this.#open(opcode.block, blockType(result));
  }

  loop(): number {
    return this.#open(opcode.loop, EMPTY_BLOCK_TYPE);
  }

  if(hint: Hint = "none", result?: ValueType): number {
    return this.ifTyped(hint, blockType(result));
  }

  /** With the code of the block's type. */
  ifTyped(hint: Hint, type: number): number {
    this.#hint(hint);
    return this.#open(opcode.if, type);
  }

  else(): void {
    this.#body.u8(opcode.else);
  }

  end(): void {
    this.#body.u8(opcode.end);
    this.#depth--;
  }

  br(label: number): void {
    this.#body.u8(opcode.br);
    this.#body.u32(this.#depth - label);
  }

  brIf(label: number, hint: Hint = "none"): void {
    this.#hint(hint);
    this.#body.u8(opcode.brIf);
    this.#body.u32(this.#depth - label);
  }

  /** Pops an index into the labels; what is behind them goes to `otherwise`. */
  brTable(labels: readonly number[], otherwise: number): void {
    this.#body.u8(opcode.brTable);
    this.#body.u32(labels.length);
    for (const label of labels) this.#body.u32(this.#depth - label);
    this.#body.u32(this.#depth - otherwise);
  }

  #hint(hint: Hint): void {
    if (hint === "none") return;
    this.#hintOffsets.push(this.#body.length);
    this.#hintLikely.push(hint === "likely");
  }

  // ---- For the module ---------------------------------------------------------------------------------------------
  /** Ends the function; its module imports `importCount` functions. */
  finish(importCount: number): void {
    this.#body.u8(opcode.end);
    for (let i = 0; i < this.#callPositions.length; i++)
      this.#body.patchU32(this.#callPositions[i] ?? 0, importCount + (this.#callTargets[i] ?? 0));
    const types = this.#localTypes;
    const frameBytes = types.reduce((sum, type) => sum + LOCAL_BYTES[type], FRAME_BYTES_BESIDE_LOCALS);
    for (const position of this.#framePositions) this.#body.patchU32(position, frameBytes);
    let runs = 0;
    for (let i = 0; i < types.length; i++) if (i === 0 || types[i] !== types[i - 1]) runs++;
    this.#header.u32(runs);
    let start = 0;
    for (let i = 0; i < types.length; i++) {
      const type = types[i];
      if (type === undefined || (i + 1 < types.length && type === types[i + 1])) continue;
      this.#header.u32(i + 1 - start);
      this.#header.u8(valueTypeCode[type]);
      start = i + 1;
    }
  }

  writeTo(out: ByteBuffer): void {
    out.u32(this.#header.length + this.#body.length);
    out.append(this.#header.view);
    out.append(this.#body.view);
  }

  /** Hints name instructions by their distance from the start of the body, the locals' declarations included. */
  writeHintsTo(out: ByteBuffer): void {
    out.u32(this.#hintOffsets.length);
    for (let i = 0; i < this.#hintOffsets.length; i++) {
      out.u32(this.#header.length + (this.#hintOffsets[i] ?? 0));
      out.u32(1);
      out.u8(this.#hintLikely[i] === true ? 1 : 0);
    }
  }
}
