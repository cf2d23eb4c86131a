/**
 * What a compiled region knows about floating-point numbers (ir/quick-floats.ts): whether MXCSR is as quick forms need
 * it, and of which lanes of which XMM registers the numbers are ordinary, which here means zero or normal.
 *
 * The second is known while code is generated, from the ops since the last place where paths meet, on the condition
 * that all of them took the quick way or left ordinary numbers on the slow one. That condition and MXCSR's state are one
 * local, `quick`; where it is 0 every further op calls its helper. Loop headers, at which nothing is assumed of any
 * register, look at MXCSR again.
 *
 * The test of a number costs four vector instructions: the 16-bit words of the register, shifted left by one to be rid
 * of the sign, minus a bias that makes the least accepted exponent the least signed number, compared with a limit. The
 * word of a lane that has the exponent decides; a bit mask of the comparison shows it. Accepted are exponents from 2 (1
 * might be tiny before rounding) to the greatest of finite numbers. Shifted words are even and the bias is odd, so that
 * no difference is the least signed number: with that as the limit, which `quick` = 0 sets, all numbers fail.
 */
import { type Expr, type FloatFormat, type FloatLanes, formatOf } from "../ir/expr.ts";
import { opNumber } from "../ir/ops.ts";
import { binaryOps, simdOps, unaryOps } from "../ir/wasm-ops.ts";
import { MXCSR, XMM_COUNT } from "../layout.ts";
import { floatsAreOrdinary } from "./core-calls.ts";
import type { ImportedFunction } from "./encode.ts";
import type { FunctionEncoder } from "./function.ts";
import { type NumberRange, eitherOf, integersOf } from "./number-range.ts";
import { factsOfOp } from "./op-facts.ts";
import { opcode } from "./opcodes.ts";
import type { RegionOps } from "./region-ops.ts";
import type { ZeroTests } from "./zero-test.ts";

/** All exceptions masked, PE set, round to nearest, neither FZ nor DAZ; the other flags do not matter. */
const MXCSR_LOOKED_AT = 0xffe0;
const MXCSR_QUICK = 0x1fa0;

const LEAST_SIGNED_WORD = -0x8000;
interface Test {
  /** The least accepted word, minus one, and the greatest, after the shift. */
  readonly bias: number;
  readonly greatest: number;
}
/** Exponents of 8 and 11 bits at the top of a word. */
const tests: Record<FloatFormat, Test> = {
  f32: { bias: 0x1ff, greatest: 0xfefe },
  f64: { bias: 0x3f, greatest: 0xffde },
};
/** The bits of the words that decide, in a mask of 16 bytes. */
const decidingBits: Record<FloatLanes, number> = { ss: 0x8, ps: 0x8888, sd: 0x80, pd: 0x8080 };

// What is known of a register: one bit for each lane, those of the upper half three above those of the lower.
const LOWER_F64 = 1;
const LOWER_F32 = 6;
const HALF_BITS = 3;
const LOWER_HALF = 7;
const ALL_KNOWN = 63;
const knownBits: Record<FloatLanes, number> = {
  ss: 2,
  ps: LOWER_F32 | (LOWER_F32 << HALF_BITS),
  sd: LOWER_F64,
  pd: LOWER_F64 | (LOWER_F64 << HALF_BITS),
};
const LOWEST_F32 = knownBits.ss;

/** All of the lanes that an instruction works on, a bit for each. */
const allLanes: Record<FloatLanes, number> = { ss: 1, ps: 15, sd: 1, pd: 3 };

const halves = (lower: number, upper: number): number =>
  (lower & LOWER_HALF) | ((upper & LOWER_HALF) << HALF_BITS);
const upperHalf = (known: number): number => known >> HALF_BITS;

/** Zeros above an unknown number of 32 or 64 bits. */
const FROM_32 = ALL_KNOWN & ~(LOWER_F64 | LOWEST_F32);
const FROM_64 = halves(0, LOWER_HALF);
/** Address forms of loads. */
const FORMS = ["m64", "m32", "x64", "x32"] as const;

/** What moves leave behind, from what was known of d and s. */
const moves = new Map<number, (d: number, s: number) => number>(
  (
    [
      ["movdqa", (_d, s) => s],
      ["movss", (d, s) => (d & ~(LOWEST_F32 | LOWER_F64)) | (s & LOWEST_F32)],
      ["movsd", (d, s) => halves(s, upperHalf(d))],
      ["movq", (_d, s) => halves(s, LOWER_HALF)],
      ["movhlps", (d, s) => halves(upperHalf(s), upperHalf(d))],
      ["movlhps", (d, s) => halves(d, s)],
      ["movddup", (_d, s) => halves(s, s)],
      ["punpcklqdq", (d, s) => halves(d, s)],
      ["punpckhqdq", (d, s) => halves(upperHalf(d), upperHalf(s))],
      ["xmm_from32", () => FROM_32],
      ["xmm_from64", () => FROM_64],
      ["xmm_low64", (d) => halves(0, upperHalf(d))],
      ["xmm_high64", (d) => halves(d, 0)],
      ...FORMS.flatMap((form) => [
        [`ldx32_${form}`, () => FROM_32] as const,
        [`ldx64_${form}`, () => FROM_64] as const,
      ]),
    ] as const satisfies readonly (readonly [string, (d: number, s: number) => number])[]
  ).map(([name, after]) => [opNumber(name), after]),
);
const PXOR = opNumber("pxor");
const SHUFPD = opNumber("shufpd");

const MOVDQA = opNumber("movdqa");
const MOVSD = opNumber("movsd");
const MOVSS = opNumber("movss");
const MOVQ = opNumber("movq");
const MOVDDUP = opNumber("movddup");
const MOVLHPS = opNumber("movlhps");
const PUNPCKLQDQ = opNumber("punpcklqdq");
/** As doubles; as singles it is looked at anew. */
const ZERO: NumberRange = { ...integersOf("f64", 1), isPacked: true };

/** Of two doubles side by side, by their ranges. */
function bothLanes(lower: NumberRange | undefined, upper: NumberRange | undefined): NumberRange | undefined {
  if (lower?.format !== "f64" || upper?.format !== "f64") return lower && { ...lower, isPacked: false };
  return { ...eitherOf(lower, upper), isPacked: true };
}

/** What is known at a place. */
export interface KnownFloats {
  readonly known: Uint8Array;
  readonly ranges: readonly (NumberRange | undefined)[];
  readonly values: Int32Array;
}

type OrdinaryExpr = Extract<Expr, { kind: "ordinary" }>;

/** What the floats need of the code around them. */
export interface FloatsHost {
  coreFunction(called: ImportedFunction): number;
  pushXmm(role: "d" | "s"): void;
}

interface TestLocals {
  readonly bias: number;
  readonly limit: number;
}

export class OrdinaryFloats {
  readonly #host: FloatsHost;
  readonly #stateBase: number;
  #f: FunctionEncoder;
  readonly #known = new Uint8Array(XMM_COUNT + 2);
  /** Locals; undefined in regions without floating-point instructions. */
  #quick: number | undefined;
  #tests: Record<FloatFormat, TestLocals> | undefined;
  #scratch = 0;
  /** A local: 0 while `ranges` is true and quick forms may be taken. */
  doubt = 0;
  /** What is known of the numbers in registers where `doubt` is 0 (float-runs.ts); else undefined. */
  readonly ranges: (NumberRange | undefined)[] = Array.from({ length: XMM_COUNT + 2 }, () => undefined);
  readonly #zeroTests: ZeroTests;

  constructor(stateBase: number, zeroTests: ZeroTests, f: FunctionEncoder, host: FloatsHost) {
    this.#zeroTests = zeroTests;
    this.#stateBase = stateBase;
    this.#f = f;
    this.#host = host;
  }

  /** Numbers of what is in registers: two with the same number hold the same. */
  readonly #values = new Int32Array(XMM_COUNT + 2);
  #valueCount = 0;

  /** At a region's entry. */
  begin(f: FunctionEncoder, ops: RegionOps): void {
    this.#f = f;
    this.#known.fill(0);
    this.#forgetValues();
    this.#quick = undefined;
    if (!usesFloats(ops)) return;
    this.#quick = f.local("i32");
    this.doubt = f.local("i32");
    this.#scratch = f.local("v128");
    const test = (): TestLocals => ({ bias: f.local("v128"), limit: f.local("v128") });
    this.#tests = { f32: test(), f64: test() };
    for (const format of ["f32", "f64"] as const) {
      f.i32Const((tests[format].bias + LEAST_SIGNED_WORD) | 0);
      f.simd(simdOps["i16x8.splat"]);
      f.localSet(this.#tests[format].bias);
    }
    this.refresh();
  }

  /** Nothing is known of any register: where paths meet, and behind what may have changed them all. */
  forget(): void {
    if (this.#quick === undefined) return;
    this.#known.fill(0);
    this.#forgetValues();
  }

  #forgetValues(): void {
    this.ranges.fill(undefined);
    for (let n = 0; n < this.#values.length; n++) this.#values[n] = this.#valueCount++;
  }

  /** Undefined in regions without floating-point instructions, of which nothing is asked. */
  save(): KnownFloats | undefined {
    return this.#quick === undefined
      ? undefined
      : { known: this.#known.slice(), ranges: this.ranges.slice(), values: this.#values.slice() };
  }

  restore(saved: KnownFloats | undefined): void {
    if (saved === undefined) return;
    this.#known.set(saved.known);
    this.restoreRanges(saved);
  }

  restoreRanges({ ranges, values }: KnownFloats): void {
    this.#values.set(values);
    for (const [n, range] of ranges.entries()) this.ranges[n] = range;
  }

  // ---- MXCSR --------------------------------------------------------------------------------------------------------
  /** At a loop header, where nothing is known: what made a round slow may be over. */
  enterLoop(): void {
    if (this.#quick === undefined) return;
    this.#f.localGet(this.doubt);
    this.#f.if("unlikely");
    this.refresh();
    this.#f.end();
  }

  /** Looks at MXCSR; nothing may be known of registers but what does not depend on `quick`. */
  refresh(): void {
    const f = this.#f;
    if (this.#quick === undefined) return;
    f.i32Const(0);
    f.access(opcode.i32Load, this.#stateBase + MXCSR);
    f.i32Const(MXCSR_LOOKED_AT);
    f.op(binaryOps["i32.and"]);
    f.i32Const(MXCSR_QUICK);
    f.op(binaryOps["i32.eq"]);
    f.localSet(this.#quick);
    this.#setDoubt(this.#quick);
    this.#setLimits(this.#quick);
  }

  #setDoubt(quick: number): void {
    this.#f.localGet(quick);
    this.#f.op(unaryOps["i32.eqz"]);
    this.#f.localSet(this.doubt);
  }

  #setLimits(quick: number): void {
    const f = this.#f;
    for (const format of ["f32", "f64"] as const) {
      f.i32Const(tests[format].greatest - tests[format].bias + LEAST_SIGNED_WORD);
      f.i32Const(LEAST_SIGNED_WORD);
      f.localGet(quick);
      f.select("i32");
      f.simd(simdOps["i16x8.splat"]);
      f.localSet(this.#testLocals(format).limit);
    }
  }

  #testLocals(format: FloatFormat): TestLocals {
    if (this.#tests === undefined) throw new Error("a region without floats tests one");
    return this.#tests[format];
  }

  // ---- Quick forms --------------------------------------------------------------------------------------------------
  /** Pushes 1 if the quick way may be taken, else 0; operands are the XMM registers d and s, the result is in a local. */
  pushOrdinary(e: OrdinaryExpr, d: number, s: number, result: number | undefined): void {
    const f = this.#f;
    const quick = this.#quickLocal();
    const bits = knownBits[e.lanes];
    // By register: d and s may be the same.
    const roles = new Map(e.operands.map((role) => [role === "d" ? d : s, role]));
    for (const n of roles.keys()) if (((this.#known[n] ?? 0) & bits) === bits) roles.delete(n);
    if (roles.size === 0 && result === undefined) return f.localGet(quick);
    const format = formatOf(e.lanes);
    let pushed = 0;
    const combine = (): void => {
      this.#toWords(format);
      if (pushed++ > 0) f.simd(simdOps["i16x8.max_s"]);
    };
    for (const role of roles.values()) {
      this.#host.pushXmm(role);
      combine();
    }
    if (result !== undefined) {
      f.localGet(result);
      combine();
    }
    f.localGet(this.#testLocals(format).limit);
    f.simd(simdOps["i16x8.gt_s"]);
    f.simd(simdOps["i8x16.bitmask"]);
    f.i32Const(decidingBits[e.lanes]);
    f.op(binaryOps["i32.and"]);
    f.op(unaryOps["i32.eqz"]);
    f.if("likely", "i32");
    f.i32Const(1);
    f.else();
    this.#pushSecondLook(e, result);
    f.end();
  }

  /** Pushes 1 if zeros were all that the test minded. Operands it has not looked at are ordinary if `quick` is 1. */
  #pushSecondLook(e: OrdinaryExpr, result: number | undefined): void {
    const f = this.#f;
    const [only] = e.operands;
    if (only === undefined) return f.i32Const(0);
    const other = e.operands.length === 1 ? only : "d";
    this.#host.pushXmm(other);
    this.#host.pushXmm(e.operands.length === 1 ? only : "s");
    if (result === undefined) this.#host.pushXmm(only);
    else f.localGet(result);
    f.i32Const(allLanes[e.lanes]);
    f.callOwn(this.#zeroTests.number(formatOf(e.lanes), e.zeros));
    f.localGet(this.#quickLocal());
    f.op(binaryOps["i32.and"]);
  }

  #quickLocal(): number {
    if (this.#quick === undefined) throw new Error("a region without floats asks for them");
    return this.#quick;
  }

  /** Pops a vector, pushes one of words that are above the limit where it is not ordinary. */
  #toWords(format: FloatFormat): void {
    const f = this.#f;
    const { bias } = this.#testLocals(format);
    f.localTee(this.#scratch);
    f.localGet(this.#scratch);
    f.simd(simdOps["i16x8.add"]);
    f.localGet(bias);
    f.simd(simdOps["i16x8.sub"]);
  }

  /** Behind a helper's call on the slow way: what will be known of these registers must hold here too. */
  verify(lanes: FloatLanes, registers: readonly number[]): void {
    const f = this.#f;
    const quick = this.#quickLocal();
    const [first = 0, second = first] = registers;
    f.i32Const(first);
    f.i32Const(second);
    f.i32Const(formatOf(lanes) === "f32" ? 4 : 8);
    f.i32Const(lanes.startsWith("s") ? 1 : 0);
    f.call(this.#host.coreFunction(floatsAreOrdinary));
    f.localGet(quick);
    f.op(binaryOps["i32.and"]);
    f.localSet(quick);
    f.i32Const(1);
    f.localSet(this.doubt);
    this.#setLimits(quick);
  }

  // ---- What is known ------------------------------------------------------------------------------------------------
  /** XMM register n has been written. */
  written(n: number): void {
    this.#known[n] = 0;
    this.ranges[n] = undefined;
    this.#values[n] = this.#valueCount++;
  }

  /** XMM register n has been looked at: so have those that hold the same. */
  looked(n: number, range: NumberRange): void {
    const value = this.#values[n];
    for (let other = 0; other < this.#values.length; other++)
      if (this.#values[other] === value) this.ranges[other] = range;
  }

  /** An op other than a helper has written XMM register d; `range` is what rangeBehind() said before. */
  moved(op: number, d: number, s: number, range: NumberRange | undefined): void {
    this.ranges[d] = range;
    if (op === MOVDQA) this.#values[d] = this.#values[s] ?? 0;
  }

  know(n: number, lanes: FloatLanes): void {
    this.#known[n] = (this.#known[n] ?? 0) | knownBits[lanes];
  }

  /** What will be known of XMM register d behind an inline op, before it is lowered. */
  behind(op: number, d: number, s: number, imm: number): number {
    if (this.#quick === undefined) return 0;
    const before = this.#known[d] ?? 0;
    const source = this.#known[s] ?? 0;
    if (op === PXOR && d === s) return ALL_KNOWN;
    if (op === SHUFPD)
      return halves(
        (imm & 1) === 0 ? before : upperHalf(before),
        (imm & 2) === 0 ? source : upperHalf(source),
      );
    return moves.get(op)?.(before, source) ?? 0;
  }

  /** Which lane, the lowest of a format or all, an op moves from s to d and does nothing else. */
  lowMoved(op: number): FloatFormat | "all" | undefined {
    return op === MOVDQA ? "all" : op === MOVSD ? "f64" : op === MOVSS ? "f32" : undefined;
  }

  /** The range of XMM register d behind an op other than a helper, before it is lowered. */
  rangeBehind(op: number, d: number, s: number): NumberRange | undefined {
    if (this.#quick === undefined) return undefined;
    if (op === PXOR && d === s) return ZERO;
    const range = this.ranges[s];
    const before = this.ranges[d];
    if (op === MOVDQA) return range;
    if (op === PUNPCKLQDQ || op === MOVLHPS) return bothLanes(before, range);
    if (op === MOVDDUP) return bothLanes(range, range);
    if (range === undefined) return undefined;
    return op === MOVSD || op === MOVQ || (op === MOVSS && range.format === "f32")
      ? { ...range, isPacked: false }
      : undefined;
  }

  setKnown(n: number, known: number): void {
    this.#known[n] = known;
  }
}

function usesFloats(ops: RegionOps): boolean {
  for (let i = 0; i < ops.count; i++) if (factsOfOp(ops.op[i] ?? 0).usesFloats) return true;
  return false;
}
