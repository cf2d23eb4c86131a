/**
 * The register file inside a compiled region: general registers and temporaries (layout.ts: the first 256 bytes of the
 * state block) live in i64 locals, XMM registers and the translator's temporary ones in v128 locals; the segment bases
 * and the constant zero stay where they are. Temporaries are dead between instructions and never stored but for helpers.
 *
 * A register is dirty while its local is newer than the state block. Which locals are valid where is the
 * data flow's to know (dataflow.ts); this writes the code.
 */
import type { FloatFormat } from "../ir/expr.ts";
import { binaryOps, simdOps, unaryOps } from "../ir/wasm-ops.ts";
import { SEG_BASE, SLOT_ZERO, TEMP, TEMP_COUNT, XMM, XMM_COUNT, XMM_STRIDE } from "../layout.ts";
import type { FunctionEncoder } from "./function.ts";
import { opcode } from "./opcodes.ts";
import { TrialLocals } from "./trial-locals.ts";

const GPR_COUNT = 16;
/** The translator has two temporary ones. */
const XMM_LOCALS = XMM_COUNT + 2;
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
  readonly #locals: TrialLocals;
  readonly #xmmLocals: TrialLocals;
  /** During a trial: locals with the lowest lane of an XMM register, and of which format that is newer than the rest. */
  readonly #lowLocals: Record<FloatFormat, Int32Array>;
  readonly #newerLow: (FloatFormat | undefined)[];
  #f: FunctionEncoder;

  constructor(stateBase: number, f: FunctionEncoder) {
    this.#stateBase = stateBase;
    this.#f = f;
    this.#locals = new TrialLocals("i64", GPR_COUNT + TEMP_COUNT, f);
    this.#xmmLocals = new TrialLocals("v128", XMM_LOCALS, f);
    this.#lowLocals = { f32: new Int32Array(XMM_LOCALS), f64: new Int32Array(XMM_LOCALS) };
    this.#newerLow = Array.from({ length: XMM_LOCALS }, () => undefined);
  }

  begin(f: FunctionEncoder): void {
    this.#f = f;
    this.#locals.begin(f);
    this.#xmmLocals.begin(f);
    for (const locals of [this.#lowLocals.f32, this.#lowLocals.f64]) locals.fill(NO_LOCAL);
    this.#newerLow.fill(undefined);
    this.dirty = 0;
  }

  // ---- Trials -------------------------------------------------------------------------------------------------------
  /** From here on registers are written on trial: what branches away has them as they are now. Nothing is stored. */
  startTrial(): void {
    this.#locals.startTrial();
    this.#xmmLocals.startTrial();
  }

  /** What was written since lasts. */
  keepTrial(): void {
    for (let n = 0; n < XMM_LOCALS; n++) this.#mergeLow(n);
    this.#locals.keepTrial();
    this.#xmmLocals.keepTrial();
  }

  /** Where a slot's local stands in #locals, or NO_LOCAL if it has none. */
  #index(slot: number): number {
    if (slot < SEG_BASE) return slot >> 3;
    return slot >= TEMP ? GPR_COUNT + ((slot - TEMP) >> 3) : NO_LOCAL;
  }

  /** Pushes a slot's low bits, zero-extended: i32 for widths up to 32, i64 for 64. */
  get(slot: number, width: number): void {
    const f = this.#f;
    const index = this.#index(slot);
    if (index === NO_LOCAL) return this.#getFromMemory(slot, width);
    f.localGet(this.#locals.at(index));
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
    f.localGet(this.#locals.at(index));
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
    f.localSet(this.#locals.toWrite(index));
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
    f.localGet(this.#locals.at(index));
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
    f.localSet(this.#locals.at(index));
  }

  // ---- XMM registers ----------------------------------------------------------------------------------------------
  #xmmAddress(n: number): number {
    return this.#stateBase + XMM + n * XMM_STRIDE;
  }

  /** Pushes an XMM register. */
  getXmm(n: number): void {
    this.#mergeLow(n);
    this.#f.localGet(this.#xmmLocals.at(n));
  }

  /** Pops an XMM register. */
  setXmm(n: number): void {
    this.#newerLow[n] = undefined;
    this.#f.localSet(this.#xmmLocals.toWrite(n));
    this.dirty |= xmmBit(n);
  }

  /** Pushes the lowest lane of an XMM register. */
  getLow(n: number, format: FloatFormat): void {
    if (this.#newerLow[n] === format) return this.#f.localGet(this.#lowLocal(n, format));
    this.getXmm(n);
    this.#f.simd(simdOps[format === "f32" ? "f32x4.extract_lane" : "f64x2.extract_lane"]);
    this.#f.lane(0);
  }

  /** Pops the lowest lane of an XMM register, whose others stay; during a trial. */
  setLow(n: number, format: FloatFormat): void {
    // The upper half of a lowest 64-bit lane is among those that stay.
    if (format === "f32" && this.#newerLow[n] === "f64") this.#mergeLow(n);
    this.#f.localSet(this.#lowLocal(n, format));
    this.#newerLow[n] = format;
    this.dirty |= xmmBit(n);
  }

  /** Register d becomes what s is; during a trial. */
  copyXmm(d: number, s: number): void {
    const newer = this.#newerLow[s];
    if (d === s) return;
    this.#f.localGet(this.#xmmLocals.at(s));
    this.setXmm(d);
    if (newer === undefined) return;
    this.getLow(s, newer);
    this.setLow(d, newer);
  }

  #lowLocal(n: number, format: FloatFormat): number {
    const locals = this.#lowLocals[format];
    const known = locals[n] ?? NO_LOCAL;
    if (known !== NO_LOCAL) return known;
    const local = this.#f.local(format);
    locals[n] = local;
    return local;
  }

  #mergeLow(n: number): void {
    const format = this.#newerLow[n];
    if (format === undefined) return;
    const f = this.#f;
    f.localGet(this.#xmmLocals.at(n));
    f.localGet(this.#lowLocal(n, format));
    f.simd(simdOps[format === "f32" ? "f32x4.replace_lane" : "f64x2.replace_lane"]);
    f.lane(0);
    f.localSet(this.#xmmLocals.toWrite(n));
    this.#newerLow[n] = undefined;
  }

  /** Writes the local of an XMM register to the state block. */
  storeXmm(n: number): void {
    const f = this.#f;
    f.i32Const(0);
    f.localGet(this.#xmmLocals.at(n));
    f.v128Store(this.#xmmAddress(n));
    this.dirty &= ~xmmBit(n);
  }

  loadXmm(n: number): void {
    const f = this.#f;
    f.i32Const(0);
    f.v128Load(this.#xmmAddress(n));
    f.localSet(this.#xmmLocals.at(n));
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
