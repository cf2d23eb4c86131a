/**
 * Runs: sequences of scalar floating-point instructions, with moves, loads and integer arithmetic between them, that a
 * region does twice over in its code. First on trial: each operation is the host's alone, registers are written to other
 * locals (slots.ts), and the numbers that enter the run are looked at together, once, at its end; what the others may be
 * follows from these (number-range.ts). If all is well, what was written lasts. If not, or if a load is not of plain RAM,
 * nothing has happened yet, and the run is done as single instructions (helper-calls.ts), each with its tests.
 *
 * A number costs two vector instructions: a bias taken from the word with the exponent leaves the bits above the band's
 * exponents clear for numbers of the band, and all that is left is gathered by OR. Zeros are not of the band; where the
 * test fails, a function of the module looks at each number again.
 *
 * A region whose runs fail often is formed again without them (runtime/regions.ts).
 *
 * What is known of registers holds where `doubt` is 0. Single instructions make it 1, so that further runs are not
 * tried, until a loop's next round looks at MXCSR again.
 *
 * Not in runs, and thus their ends: stores, branches, helpers other than those below.
 */
import { defined } from "../../base/index.ts";
import { type FloatFormat, type FloatLanes, formatOf } from "../ir/expr.ts";
import { opEffects } from "../ir/ops.ts";
import { binaryOps, simdOps, unaryOps } from "../ir/wasm-ops.ts";
import { SEG_BASE, TEMP } from "../layout.ts";
import { runsFailed } from "./core-calls.ts";
import type { ModuleEncoder } from "./encode.ts";
import { FLAG_OP_FLAGS } from "./flag-values.ts";
import type { RegionNode } from "./graph.ts";
import type { Lowering } from "./lower.ts";
import {
  type BandKind,
  type NumberRange,
  bandOf,
  bands,
  differenceOf,
  eitherOf,
  integersOf,
  isInRange,
  isPacked,
  productOf,
  quotientOf,
  rootOf,
  sumOf,
} from "./number-range.ts";
import { FLAGS_KEPT, ROLE_A, ROLE_D, ROLE_S, factsOfOp } from "./op-facts.ts";
import { opcode } from "./opcodes.ts";
import type { RegionFrame } from "./region-frame.ts";
import { REGION_OPS_MAX, type RegionOps } from "./region-ops.ts";
import { NO_LOCAL, type SharedCheck } from "./shared-checks.ts";

type Arithmetic = "add" | "sub" | "mul" | "div";
interface Operation {
  readonly kind: Arithmetic | "sqrt" | "min" | "max" | "compare" | "fromInteger" | "convert";
  /** Of its result. */
  readonly lanes: FloatLanes;
}

/** By helper. */
const operations = new Map<string, Operation>([
  ...(["ss", "sd", "ps", "pd"] as const).flatMap((lanes) =>
    (["add", "sub", "mul", "div", "sqrt", "min", "max"] as const).map(
      (kind) => [`${kind}${lanes}`, { kind, lanes }] as const,
    ),
  ),
  ...(["ss", "sd"] as const).flatMap((lanes) => [
    [`comi${lanes}`, { kind: "compare", lanes }] as const,
    [`ucomi${lanes}`, { kind: "compare", lanes }] as const,
    [`cvtsi2${lanes}`, { kind: "fromInteger", lanes }] as const,
  ]),
  ["cvtss2sd", { kind: "convert", lanes: "sd" }],
  ["cvtsd2ss", { kind: "convert", lanes: "ss" }],
]);
/** The test of an address that must be a multiple of 16. */
const ALIGNMENT = "align16";

const NOT_IN_RUNS = 0;
const PLAIN = 1;
const FLOAT = 2;
const ALIGNED = 3;
const kindsOfOps: number[] = [];

/** Whether an op may be in a run, by its number. */
function kindOfOp(op: number): number {
  const known = kindsOfOps[op];
  if (known !== undefined) return known;
  const kind = findKind(op);
  kindsOfOps[op] = kind;
  return kind;
}

function findKind(op: number): number {
  const { helper, branch, body, flagsConditional } = factsOfOp(op);
  if (helper?.name === ALIGNMENT) return ALIGNED;
  if (helper !== undefined) return operations.has(helper.name) ? FLOAT : NOT_IN_RUNS;
  if (branch !== undefined || flagsConditional || opEffects[op]?.readsFlags !== false) return NOT_IN_RUNS;
  const isPlain = body.every((statement) => {
    if (statement.kind === "load") return !statement.forWrite;
    return ["let", "setReg", "setGpr", "setXmm", "flags"].includes(statement.kind);
  });
  return isPlain ? PLAIN : NOT_IN_RUNS;
}

/** Does the op write a slot that is not in a local? */
function writesMemory(ops: RegionOps, i: number): boolean {
  const { fullRoles, partialRoles } = factsOfOp(ops.op[i] ?? 0);
  const roles = fullRoles | partialRoles;
  const isInMemory = (slot: number): boolean => slot >= SEG_BASE && slot < TEMP;
  return (
    ((roles & ROLE_D) !== 0 && isInMemory(ops.d[i] ?? 0)) ||
    ((roles & ROLE_S) !== 0 && isInMemory(ops.s[i] ?? 0)) ||
    ((roles & ROLE_A) !== 0 && isInMemory(ops.a[i] ?? 0))
  );
}

/** Where the exponent's word is, and how far up in it the exponent. */
const words = { f32: { lane: 1, shift: 7 }, f64: { lane: 3, shift: 4 } } as const;
const WORD_BITS = 16;
/** Of such a word all bits above the band's exponents but the sign. */
const outsideBand = (format: FloatFormat): number =>
  (1 << (WORD_BITS - 1)) - (1 << (words[format].shift + bands[format].exponentBits));

const ALL_LANES = ["ss", "sd", "ps", "pd"] as const;
const LAST_UNALIGNED = 15;
/** As the helpers' immediates name it. */
const WIDTH_32 = 32;
/** One in so many failures is told to runsFailed(). */
export const RUN_FAILURES_COUNTED = 1000;
const SIGN_SHIFT = 31;
const ZF_SHIFT = 6;

function operationOf(op: number): Operation {
  return defined(operations.get(factsOfOp(op).helper?.name ?? ""), "an operation of a run");
}

function combination(
  kind: Arithmetic | "min" | "max",
  isSame: boolean,
): (a: NumberRange, b: NumberRange) => NumberRange {
  switch (kind) {
    case "add":
      return sumOf;
    case "sub":
      return differenceOf;
    case "mul":
      return (a, b) => productOf(a, b, isSame);
    case "div":
      return quotientOf;
    case "min":
    case "max":
      return eitherOf;
  }
}

/** A number that a run looks at, or a vector of them, in a local. */
interface Look {
  readonly local: number;
  readonly lanes: FloatLanes;
  readonly kind: BandKind;
}

interface LanesLocals {
  readonly bias: number;
  /** The bits in question, of packed numbers. */
  readonly outside: number;
  /** What was left of all numbers so far. */
  readonly rest: number;
}

export class FloatRuns {
  readonly #module: ModuleEncoder;
  readonly #frame: RegionFrame;
  readonly #lowering: Lowering;
  /** By op: the end of the run that begins with it, or 0. */
  readonly #ends = new Uint16Array(REGION_OPS_MAX);
  readonly #locals: Partial<Record<FloatLanes, LanesLocals>> = {};
  #looks: Look[] = [];
  readonly #lookLocals: number[] = [];

  /** What runsFailed() is called with, and the global that counts up to its next call. */
  #regionId = 0;
  #failureCounter: number | undefined;

  constructor(module: ModuleEncoder, frame: RegionFrame, lowering: Lowering) {
    this.#module = module;
    this.#frame = frame;
    this.#lowering = lowering;
  }

  /** Finds the runs of a region; before its first op is lowered. */
  find(nodes: readonly RegionNode[], ops: RegionOps, regionId: number): void {
    this.#regionId = regionId;
    this.#failureCounter = undefined;
    this.#ends.fill(0, 0, ops.count);
    this.#lookLocals.length = 0;
    for (const lanes of ALL_LANES) delete this.#locals[lanes];
    for (const { block } of nodes) {
      for (let i = block.start; i < block.end; i++) {
        const end = this.#endOfRun(i, block.end, ops);
        if (end === undefined) continue;
        this.#ends[i] = end;
        for (; i < end; i++) this.#prepare(ops.op[i] ?? 0);
        i--;
      }
    }
  }

  /** At the region's entry: what an op of a run will need. */
  #prepare(op: number): void {
    if (kindOfOp(op) !== FLOAT) return;
    const { kind, lanes } = operationOf(op);
    for (const each of kind === "convert" ? (["ss", "sd"] as const) : [lanes]) {
      if (this.#locals[each] !== undefined) continue;
      const { f } = this.#frame;
      const locals = { bias: f.local("v128"), rest: f.local("v128"), outside: f.local("v128") };
      const format = formatOf(each);
      f.i32Const(bands[format].firstExponent << words[format].shift);
      f.simd(simdOps["i16x8.splat"]);
      f.localSet(locals.bias);
      if (isPacked(each)) {
        const bits = BigInt(outsideBand(format)) << BigInt(WORD_BITS * words[format].lane);
        if (format === "f32") f.i32Const(Number(bits));
        else f.i64ConstBig(bits);
        f.simd(simdOps[format === "f32" ? "i32x4.splat" : "i64x2.splat"]);
        f.localSet(locals.outside);
      }
      this.#locals[each] = locals;
    }
  }

  /** Behind the last floating-point instruction of those from `start` on; a run begins with one or with what brings numbers. */
  #endOfRun(start: number, blockEnd: number, ops: RegionOps): number | undefined {
    const first = ops.op[start] ?? 0;
    if (kindOfOp(first) !== FLOAT && (kindOfOp(first) !== PLAIN || factsOfOp(first).xmmWrites === 0))
      return undefined;
    let end: number | undefined;
    for (let i = start; i < blockEnd; i++) {
      const kind = kindOfOp(ops.op[i] ?? 0);
      if (kind === NOT_IN_RUNS || writesMemory(ops, i)) break;
      if (kind === FLOAT) end = i + 1;
    }
    return end;
  }

  /** The end of the run that begins with op `i`, or 0. */
  endOf(i: number): number {
    return this.#ends[i] ?? 0;
  }

  /** Lowers a run; `single` does so for one op, and tells where the op stands in any case. */
  lower(start: number, end: number, locate: (i: number) => void, single: (i: number) => void): void {
    const { f } = this.#frame;
    const { slots, flags, floats } = this.#lowering;
    const { dirty } = slots;
    const { state } = flags;
    const before = floats.save();
    const checks = new Set<SharedCheck>();
    const done = f.block();
    const givenUp = f.block();
    f.localGet(floats.doubt);
    f.brIf(givenUp, "unlikely");
    this.#looks = [];
    this.#lowering.trialLabel = givenUp;
    slots.startTrial();
    const setsFlags = this.#setsFlags(start, end);
    if (setsFlags) flags.startTrial();
    for (let i = start; i < end; i++) {
      locate(i);
      const check = this.#lowering.shared?.check;
      if (check?.local === NO_LOCAL) checks.add(check);
      const kind = kindOfOp(this.#frame.ops.op[i] ?? 0);
      if (kind === FLOAT) this.#float(i);
      else if (kind === ALIGNED) this.#checkAlignment(i, givenUp);
      else this.#plain(i);
    }
    this.#test(givenUp);
    slots.keepTrial();
    if (setsFlags) flags.keepTrial();
    this.#lowering.trialLabel = undefined;
    f.br(done);
    f.end();
    const behind = floats.save();
    slots.dirty = dirty;
    flags.state = state;
    floats.restore(before);
    // Both ways leave it in the same local.
    for (const check of checks) {
      check.reserved = check.local;
      check.local = NO_LOCAL;
    }
    for (let i = start; i < end; i++) single(i);
    f.i32Const(1);
    f.localSet(floats.doubt);
    f.end();
    if (behind !== undefined) floats.restoreRanges(behind);
  }

  #setsFlags(start: number, end: number): boolean {
    const { ops } = this.#frame;
    for (let i = start; i < end; i++) if (factsOfOp(ops.op[i] ?? 0).effects.flags !== FLAGS_KEPT) return true;
    return false;
  }

  // ---- The trial's end ------------------------------------------------------------------------------------------------
  /** Leaves for the label unless all that has been looked at is of its band, or zero where it may be. */
  #test(givenUp: number): void {
    const { f } = this.#frame;
    if (this.#looks.length === 0) return;
    const isWell = f.block();
    const hasFailed = f.block();
    const used = ALL_LANES.filter((lanes) => this.#looks.some((look) => look.lanes === lanes));
    for (const [i, lanes] of used.entries()) {
      const { rest, outside } = this.#lanesLocals(lanes);
      const format = formatOf(lanes);
      f.localGet(rest);
      if (isPacked(lanes)) {
        f.localGet(outside);
        f.simd(simdOps["v128.and"]);
        f.simd(simdOps["v128.any_true"]);
      } else {
        f.simd(simdOps["i16x8.extract_lane_u"]);
        f.lane(words[format].lane);
        f.i32Const(outsideBand(format));
        f.op(binaryOps["i32.and"]);
      }
      if (i > 0) f.op(binaryOps["i32.or"]);
    }
    f.op(unaryOps["i32.eqz"]);
    f.brIf(isWell, "likely");
    for (const { local, lanes, kind } of this.#looks) {
      f.localGet(local);
      f.callOwn(this.#lowering.zeroTests.bandNumber(lanes, kind));
      f.op(unaryOps["i32.eqz"]);
      f.brIf(hasFailed, "unlikely");
    }
    f.br(isWell);
    f.end();
    this.#countFailure();
    f.br(givenUp);
    f.end();
  }

  #countFailure(): void {
    const { f, count } = this.#frame;
    const counter = (this.#failureCounter ??= this.#module.global());
    f.globalGet(counter);
    f.i32Const(1);
    f.op(binaryOps["i32.add"]);
    f.globalSet(counter);
    f.globalGet(counter);
    f.i32Const(RUN_FAILURES_COUNTED);
    f.op(binaryOps["i32.eq"]);
    f.if("unlikely");
    f.i32Const(0);
    f.globalSet(counter);
    f.i32Const(this.#regionId);
    f.localGet(count);
    f.call(this.#module.import(runsFailed));
    f.end();
  }

  #lanesLocals(lanes: FloatLanes): LanesLocals {
    return defined(this.#locals[lanes], "locals of a region with runs");
  }

  /** Looks at the numbers in a register: from here on they are known to be of the band. */
  #look(n: number, lanes: FloatLanes, kind: BandKind): void {
    const { f } = this.#frame;
    const { slots, floats } = this.#lowering;
    const { bias, rest } = this.#lanesLocals(lanes);
    const local = (this.#lookLocals[this.#looks.length] ??= f.local("v128"));
    const isFirst = !this.#looks.some((look) => look.lanes === lanes);
    this.#looks.push({ local, lanes, kind });
    slots.getXmm(n);
    f.localTee(local);
    f.localGet(bias);
    f.simd(simdOps["i16x8.sub"]);
    if (kind === "nonnegative") {
      f.localGet(local);
      f.i32Const(SIGN_SHIFT);
      f.simd(simdOps["i32x4.shr_s"]);
      f.simd(simdOps["v128.or"]);
    }
    if (!isFirst) {
      f.localGet(rest);
      f.simd(simdOps["v128.or"]);
    }
    f.localSet(rest);
    floats.looked(n, bandOf(lanes, kind));
  }

  // ---- Ops on trial -----------------------------------------------------------------------------------------------------
  #plain(i: number): void {
    const { slots, floats } = this.#lowering;
    const { ops } = this.#frame;
    const [op, d, s] = [ops.op[i] ?? 0, ops.d[i] ?? 0, ops.s[i] ?? 0];
    const format = floats.lowMoved(op);
    if (format === undefined) return this.#lowering.lower(ops, i);
    const range = floats.rangeBehind(op, d, s);
    if (format === "all") {
      slots.copyXmm(d, s);
    } else {
      slots.getLow(s, format);
      slots.setLow(d, format);
    }
    floats.written(d);
    floats.moved(op, d, s, range);
  }

  #checkAlignment(i: number, givenUp: number): void {
    const { f, ops } = this.#frame;
    this.#lowering.slots.get(ops.s[i] ?? 0, 32);
    f.i32Const(LAST_UNALIGNED);
    f.op(binaryOps["i32.and"]);
    f.brIf(givenUp, "unlikely");
  }

  /** What the numbers in a register may be, which are looked at if they are not known to be of this kind. */
  #range(n: number, lanes: FloatLanes, kind: BandKind = "any"): NumberRange {
    const known = this.#lowering.floats.ranges[n];
    const isOfKind =
      kind === "any" || (kind === "nonzero" ? known?.isNonZero : known?.isNonNegative) === true;
    if (known?.format === formatOf(lanes) && (known.isPacked || !isPacked(lanes)) && isOfKind) return known;
    this.#look(n, lanes, kind);
    return bandOf(lanes, kind);
  }

  /** The range of a result by that of its operands, which are looked at if it might be out of range otherwise. */
  #result(
    [a, b]: readonly [number, number],
    lanes: FloatLanes,
    combine: (a: NumberRange, b: NumberRange) => NumberRange,
  ): NumberRange {
    const range = combine(this.#range(a, lanes), this.#range(b, lanes));
    if (isInRange(range)) return range;
    for (const n of new Set([a, b]))
      this.#look(n, lanes, this.#range(n, lanes).isNonZero ? "nonzero" : "any");
    return combine(this.#range(a, lanes), this.#range(b, lanes));
  }

  #float(i: number): void {
    const { ops } = this.#frame;
    const { slots, floats } = this.#lowering;
    const [d, s] = [ops.d[i] ?? 0, ops.s[i] ?? 0];
    const { kind, lanes } = operationOf(ops.op[i] ?? 0);
    if (kind === "compare") {
      this.#range(d, lanes);
      this.#range(s, lanes);
      return this.#compare(d, s, formatOf(lanes));
    }
    if (kind === "convert") return this.#convert(d, s, formatOf(lanes));
    const range =
      kind === "fromInteger" ? this.#fromInteger(i, formatOf(lanes)) : this.#calculate(kind, d, s, lanes);
    if (isPacked(lanes)) slots.setXmm(d);
    else slots.setLow(d, formatOf(lanes));
    floats.written(d);
    floats.ranges[d] = { ...range, isPacked: isPacked(lanes) };
  }

  /** Pushes a result and gives its range. */
  #calculate(
    kind: Arithmetic | "sqrt" | "min" | "max",
    d: number,
    s: number,
    lanes: FloatLanes,
  ): NumberRange {
    const { f } = this.#frame;
    const format = formatOf(lanes);
    const shape = format === "f32" ? "f32x4" : "f64x2";
    if (kind === "sqrt") {
      const range = rootOf(this.#range(s, lanes, "nonnegative"));
      this.#push(s, lanes);
      if (isPacked(lanes)) f.simd(simdOps[`${shape}.sqrt`]);
      else f.op(unaryOps[`${format}.sqrt`]);
      return range;
    }
    if (kind === "div") this.#range(s, lanes, "nonzero");
    const range = this.#result([d, s], lanes, combination(kind, d === s));
    if (kind === "min" || kind === "max") {
      this.#pushExtreme(kind, d, s, lanes);
      return range;
    }
    this.#push(d, lanes);
    this.#push(s, lanes);
    if (isPacked(lanes)) f.simd(simdOps[`${shape}.${kind}`]);
    else f.op(binaryOps[`${format}.${kind}`]);
    return range;
  }

  #push(n: number, lanes: FloatLanes): void {
    if (isPacked(lanes)) this.#lowering.slots.getXmm(n);
    else this.#lowering.slots.getLow(n, formatOf(lanes));
  }

  /** MIN is d < s ? d : s and MAX d > s ? d : s; so are the packed instructions with s first. */
  #pushExtreme(kind: "min" | "max", d: number, s: number, lanes: FloatLanes): void {
    const { f } = this.#frame;
    const format = formatOf(lanes);
    if (isPacked(lanes)) {
      this.#push(s, lanes);
      this.#push(d, lanes);
      f.simd(simdOps[`${format === "f32" ? "f32x4" : "f64x2"}.p${kind}`]);
      return;
    }
    const [less, more] = kind === "min" ? [d, s] : [s, d];
    for (const n of [d, s, less, more]) this.#push(n, lanes);
    f.op(binaryOps[`${format}.lt`]);
    f.op(opcode.select);
  }

  #fromInteger(i: number, format: FloatFormat): NumberRange {
    const { f, ops } = this.#frame;
    const is32 = ops.imm[i] === WIDTH_32;
    this.#lowering.slots.get(ops.s[i] ?? 0, is32 ? 32 : 64);
    f.op(unaryOps[`${format}.convert_${is32 ? "i32" : "i64"}_s`]);
    return integersOf(format, is32 ? 32 : 64);
  }

  /** To this format from the other. */
  #convert(d: number, s: number, format: FloatFormat): void {
    const { f } = this.#frame;
    const { slots, floats } = this.#lowering;
    const isWider = format === "f64";
    const range = { ...this.#range(s, isWider ? "ss" : "sd"), format, isPacked: false };
    slots.getLow(s, isWider ? "f32" : "f64");
    f.op(unaryOps[isWider ? "f64.promote_f32" : "f32.demote_f64"]);
    slots.setLow(d, format);
    floats.written(d);
    floats.ranges[d] = range;
    // A result of the band has neither overflowed nor been tiny.
    if (!isInRange(range)) this.#look(d, "ss", "nonzero");
  }

  /** CF is d < s, ZF is d = s; the other status flags are clear. */
  #compare(d: number, s: number, format: FloatFormat): void {
    const { f } = this.#frame;
    const { slots, flags } = this.#lowering;
    const push = (op: "lt" | "le"): void => {
      slots.getLow(d, format);
      slots.getLow(s, format);
      f.op(binaryOps[`${format}.${op}`]);
    };
    push("le");
    push("lt");
    f.localTee(this.#frame.slot);
    f.op(binaryOps["i32.xor"]);
    f.i32Const(ZF_SHIFT);
    f.op(binaryOps["i32.shl"]);
    f.localGet(this.#frame.slot);
    f.op(binaryOps["i32.or"]);
    f.op(unaryOps["i64.extend_i32_u"]);
    flags.set(FLAG_OP_FLAGS);
  }
}
