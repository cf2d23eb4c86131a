/**
 * The register file inside a compiled region: general registers and temporaries (layout.ts: the first 256 bytes of the
 * state block) live in i64 locals, XMM registers and the translator's temporary ones in v128 locals; the segment bases
 * and the constant zero stay where they are. Temporaries are dead between instructions and never stored but for helpers.
 *
 * A register is dirty while its local is newer than the state block. Which locals are valid where is the
 * data flow's to know (dataflow.ts); this writes the code.
 */
import { unaryOps, binaryOps } from "../ir/wasm-ops.ts";
import { SEG_BASE, SLOT_ZERO, TEMP, TEMP_COUNT, XMM, XMM_COUNT, XMM_STRIDE } from "../layout.ts";
import type { FunctionEncoder } from "./function.ts";
import { opcode } from "./opcodes.ts";

const GPR_COUNT = 16;
const XMM_TEMPORARIES = 2;
const NO_LOCAL = -1;

export const isGpr = (slot: number): boolean => slot < SEG_BASE;
/** The mask with the bit of a slot's general register, 0 for other slots. */
export const gprBit = (slot: number): number => (slot < SEG_BASE ? 1 << (slot >> 3) : 0);

/** The bit of an XMM register in the same masks, 0 for the temporary ones. */
export const xmmBit = (n: number): number => (n < XMM_COUNT ? 1 << (GPR_COUNT + n) : 0);
export const ALL_GPRS = 0xffff;
export const ALL_XMMS = 0xffff << GPR_COUNT;
export const ALL_REGISTERS = -1;
/** The number of the lowest bit that is set. */
const lowestBit = (mask: number): number => 31 - Math.clz32(mask & -mask);

export class Slots {
  /** Registers whose local is newer than the state block. */
  dirty = 0;
  readonly #stateBase: number;
  readonly #locals = new Int32Array(GPR_COUNT + TEMP_COUNT);
  readonly #xmmLocals = new Int32Array(XMM_COUNT + XMM_TEMPORARIES);
  #f: FunctionEncoder;

  constructor(stateBase: number, f: FunctionEncoder) {
    this.#stateBase = stateBase;
    this.#f = f;
  }

  begin(f: FunctionEncoder): void {
    this.#f = f;
    this.#locals.fill(NO_LOCAL);
    this.#xmmLocals.fill(NO_LOCAL);
    this.dirty = 0;
  }

  /** Where a slot's local stands in #locals, or NO_LOCAL if it has none. */
  #index(slot: number): number {
    if (slot < SEG_BASE) return slot >> 3;
    return slot >= TEMP ? GPR_COUNT + ((slot - TEMP) >> 3) : NO_LOCAL;
  }

  #local(index: number): number {
    const known = this.#locals[index] ?? NO_LOCAL;
    if (known !== NO_LOCAL) return known;
    const local = this.#f.local("i64");
    this.#locals[index] = local;
    return local;
  }

  /** Pushes a slot's low bits, zero-extended: i32 for widths up to 32, i64 for 64. */
  get(slot: number, width: number): void {
    const f = this.#f;
    const index = this.#index(slot);
    if (index === NO_LOCAL) return this.#getFromMemory(slot, width);
    f.localGet(this.#local(index));
    if (width === 64) return;
    f.op(unaryOps["i32.wrap_i64"]);
    if (width === 32) return;
    if ((slot & 7) !== 0) {
      f.i32Const(8 * (slot & 7));
      f.op(binaryOps["i32.shr_u"]);
    }
    f.i32Const(width === 16 ? 0xffff : 0xff);
    f.op(binaryOps["i32.and"]);
  }

  #getFromMemory(slot: number, width: number): void {
    const f = this.#f;
    if (slot === SLOT_ZERO) {
      if (width === 64) f.i64Const(0, 0);
      else f.i32Const(0);
      return;
    }
    f.i32Const(0);
    const code =
      width === 64
        ? opcode.i64Load
        : width === 32
          ? opcode.i32Load
          : width === 16
            ? opcode.i32Load16U
            : opcode.i32Load8U;
    f.access(code, this.#stateBase + slot);
  }

  /** Before the value of a set() is pushed: what of the old value stays, or an address. */
  beginSet(slot: number, width: number): void {
    const f = this.#f;
    const index = this.#index(slot);
    if (index === NO_LOCAL) return f.i32Const(0);
    if (width >= 32) return;
    f.localGet(this.#local(index));
    const replaced = (width === 16 ? 0xffff : 0xff) << (8 * (slot & 7));
    f.i64Const(~replaced, -1);
    f.op(binaryOps["i64.and"]);
  }

  /** Pops a value of the width's type; `bits` of it at most are not zero. */
  set(slot: number, width: number, bits: number): void {
    const f = this.#f;
    const index = this.#index(slot);
    if (index === NO_LOCAL) return this.#setInMemory(slot, width);
    if (width < 32 && bits > width) {
      f.i32Const(width === 16 ? 0xffff : 0xff);
      f.op(binaryOps["i32.and"]);
    }
    if (width < 64) f.op(unaryOps["i64.extend_i32_u"]);
    if (width < 32) {
      if ((slot & 7) !== 0) {
        f.i64Const(8 * (slot & 7), 0);
        f.op(binaryOps["i64.shl"]);
      }
      f.op(binaryOps["i64.or"]);
    }
    f.localSet(this.#local(index));
    this.dirty |= gprBit(slot);
  }

  #setInMemory(slot: number, width: number): void {
    const f = this.#f;
    if (width === 64) return f.access(opcode.i64Store, this.#stateBase + slot);
    if (width === 32) {
      f.op(unaryOps["i64.extend_i32_u"]);
      return f.access(opcode.i64Store, this.#stateBase + slot);
    }
    f.access(width === 16 ? opcode.i32Store16 : opcode.i32Store8, this.#stateBase + slot);
  }

  /** Writes the local of a slot that has one to the state block. */
  store(slot: number): void {
    const f = this.#f;
    const index = this.#index(slot);
    if (index === NO_LOCAL) return;
    f.i32Const(0);
    f.localGet(this.#local(index));
    f.access(opcode.i64Store, this.#stateBase + (slot & ~7));
    this.dirty &= ~gprBit(slot);
  }

  /** Reads the local of a slot that has one from the state block. */
  load(slot: number): void {
    const f = this.#f;
    const index = this.#index(slot);
    if (index === NO_LOCAL) return;
    f.i32Const(0);
    f.access(opcode.i64Load, this.#stateBase + (slot & ~7));
    f.localSet(this.#local(index));
  }

  // ---- XMM registers ----------------------------------------------------------------------------------------------
  #xmmLocal(n: number): number {
    const known = this.#xmmLocals[n] ?? NO_LOCAL;
    if (known !== NO_LOCAL) return known;
    const local = this.#f.local("v128");
    this.#xmmLocals[n] = local;
    return local;
  }

  #xmmAddress(n: number): number {
    return this.#stateBase + XMM + n * XMM_STRIDE;
  }

  /** Pushes an XMM register. */
  getXmm(n: number): void {
    this.#f.localGet(this.#xmmLocal(n));
  }

  /** Pops an XMM register. */
  setXmm(n: number): void {
    this.#f.localSet(this.#xmmLocal(n));
    this.dirty |= xmmBit(n);
  }

  /** Writes the local of an XMM register to the state block. */
  storeXmm(n: number): void {
    const f = this.#f;
    f.i32Const(0);
    f.localGet(this.#xmmLocal(n));
    f.v128Store(this.#xmmAddress(n));
    this.dirty &= ~xmmBit(n);
  }

  loadXmm(n: number): void {
    const f = this.#f;
    f.i32Const(0);
    f.v128Load(this.#xmmAddress(n));
    f.localSet(this.#xmmLocal(n));
  }

  // ---- Masks of registers -----------------------------------------------------------------------------------------
  /** Writes the registers of a mask to the state block. */
  storeAll(mask: number): void {
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const n = lowestBit(rest);
      if (n < GPR_COUNT) this.store(8 * n);
      else this.storeXmm(n - GPR_COUNT);
    }
  }

  loadAll(mask: number): void {
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const n = lowestBit(rest);
      if (n < GPR_COUNT) this.load(8 * n);
      else this.loadXmm(n - GPR_COUNT);
    }
  }

  /** Writes those registers of `mask` whose bit in the i32 local `bits` is set: for shared exits. */
  storeChosen(mask: number, bits: number): void {
    const f = this.#f;
    for (let rest = mask; rest !== 0; rest &= rest - 1) {
      const n = lowestBit(rest);
      f.localGet(bits);
      f.i32Const(1 << n);
      f.op(binaryOps["i32.and"]);
      f.if();
      if (n < GPR_COUNT) this.store(8 * n);
      else this.storeXmm(n - GPR_COUNT);
      f.end();
    }
  }
}
