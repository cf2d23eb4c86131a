/**
 * The second look at numbers of which the quick test of ordinary-floats.ts has said no: zeros are as ordinary as normal
 * numbers, and a result that is zero is exact if the operands say so. One function of a region's module for each format
 * and rule; it is called where the quick test fails.
 */
import { type FloatFormat, type FloatLanes, type ZeroRule, formatOf } from "../ir/expr.ts";
import { binaryOps, simdOps, unaryOps } from "../ir/wasm-ops.ts";
import type { ModuleEncoder, Signature } from "./encode.ts";
import type { FunctionEncoder } from "./function.ts";
import { type BandKind, bands, formats, isPacked } from "./number-range.ts";

/** (a, b, result, mask of the lanes that matter): 1 if all is well in these lanes, else 0. */
export const zeroTestSignature: Signature = {
  parameters: ["v128", "v128", "v128", "i32"],
  results: ["i32"],
};
/** (a vector with the numbers as its lowest lanes): 1 or 0. */
const bandTestSignature: Signature = { parameters: ["v128"], results: ["i32"] };
const FIRST = 0;
const SECOND = 1;
const RESULT = 2;
const LANES = 3;

/** Bits of the least normal number and of infinity. */
const bounds = { f32: [0x00800000, 0x7f800000], f64: [0x00100000, 0x7ff00000] } as const;

export class ZeroTests {
  readonly #module: ModuleEncoder;
  /** Function numbers in the module that is being written. */
  readonly #numbers = new Map<string, number>();

  constructor(module: ModuleEncoder) {
    this.#module = module;
  }

  /** Before the first op of a module. */
  begin(): void {
    this.#numbers.clear();
  }

  /** The number of a test's function, for FunctionEncoder.callOwn. */
  number(format: FloatFormat, rule: ZeroRule): number {
    return this.#function(`zero_${format}_${rule}`, zeroTestSignature, (f) => write(f, format, rule));
  }

  /** The same for a test by a band: 1 if the numbers are in the band or, of this kind, zero. */
  bandNumber(lanes: FloatLanes, kind: BandKind): number {
    return this.#function(`band_${lanes}_${kind}`, bandTestSignature, (f) => writeBandTest(f, lanes, kind));
  }

  #function(key: string, signature: Signature, content: (f: FunctionEncoder) => void): number {
    const known = this.#numbers.get(key);
    if (known !== undefined) return known;
    // The region itself is function 0.
    const number = this.#numbers.size + 1;
    this.#numbers.set(key, number);
    content(this.#module.function(key, signature));
    return number;
  }
}

function write(f: FunctionEncoder, format: FloatFormat, rule: ZeroRule): void {
  const shape = format === "f32" ? "f32x4" : "f64x2";
  const magnitude = f.local("v128");
  const bound = (index: 0 | 1): void => {
    if (format === "f32") {
      f.i32Const(bounds.f32[index]);
      f.simd(simdOps["i32x4.splat"]);
    } else {
      f.i64Const(0, bounds.f64[index]);
      f.simd(simdOps["i64x2.splat"]);
    }
  };
  const isZero = (local: number): void => {
    f.localGet(local);
    f.i32Const(0);
    f.simd(simdOps["i32x4.splat"]);
    f.simd(simdOps[`${shape}.eq`]);
  };
  /** Finite, and normal or, if it may be, zero. A result that is the least normal number may have been tiny. */
  const test = (
    local: number,
    least: "f32x4.ge" | "f64x2.ge" | "f32x4.gt" | "f64x2.gt",
    zero: () => void,
  ): void => {
    f.localGet(local);
    f.simd(simdOps[`${shape}.abs`]);
    f.localTee(magnitude);
    bound(0);
    f.simd(simdOps[least]);
    zero();
    f.simd(simdOps["v128.or"]);
    f.localGet(magnitude);
    bound(1);
    f.simd(simdOps[`${shape}.lt`]);
    f.simd(simdOps["v128.and"]);
  };
  /** Where the operands make an exact zero of the result. */
  const exactZero = (): void => {
    isZero(RESULT);
    if (rule === "sum") return;
    isZero(rule === "root" ? SECOND : FIRST);
    if (rule === "product") {
      isZero(SECOND);
      f.simd(simdOps["v128.or"]);
    }
    f.simd(simdOps["v128.and"]);
  };
  test(FIRST, `${shape}.ge`, () => isZero(FIRST));
  test(SECOND, `${shape}.ge`, () => isZero(SECOND));
  f.simd(simdOps["v128.and"]);
  test(RESULT, `${shape}.gt`, exactZero);
  f.simd(simdOps["v128.and"]);
  f.simd(simdOps[format === "f32" ? "i32x4.bitmask" : "i64x2.bitmask"]);
  f.localGet(LANES);
  f.op(binaryOps["i32.and"]);
  f.localGet(LANES);
  f.op(binaryOps["i32.eq"]);
}

function writeBandTest(f: FunctionEncoder, lanes: FloatLanes, kind: BandKind): void {
  const format = formatOf(lanes);
  const { firstExponent, exponentBits } = bands[format];
  const isSingle = format === "f32";
  const type = isSingle ? "i32" : "i64";
  const fractionBits = BigInt(formats[format].fractionBits);
  const constant = (value: bigint): void => {
    if (isSingle) f.i32Const(Number(BigInt.asIntN(32, value)));
    else f.i64ConstBig(value);
  };
  const bits = f.local(type);
  const magnitude = f.local(type);
  const laneCount = !isPacked(lanes) ? 1 : isSingle ? 4 : 2;
  for (let lane = 0; lane < laneCount; lane++) {
    f.localGet(FIRST);
    f.simd(simdOps[isSingle ? "i32x4.extract_lane" : "i64x2.extract_lane"]);
    f.lane(lane);
    f.localTee(bits);
    constant((1n << (isSingle ? 31n : 63n)) - 1n);
    f.op(binaryOps[`${type}.and`]);
    f.localTee(magnitude);
    constant(BigInt(firstExponent) << fractionBits);
    f.op(binaryOps[`${type}.sub`]);
    constant(1n << (BigInt(exponentBits) + fractionBits));
    f.op(binaryOps[`${type}.lt_u`]);
    if (kind === "nonnegative") {
      f.localGet(bits);
      constant(0n);
      f.op(binaryOps[`${type}.ge_s`]);
      f.op(binaryOps["i32.and"]);
    }
    if (kind !== "nonzero") {
      f.localGet(magnitude);
      f.op(unaryOps[`${type}.eqz`]);
      f.op(binaryOps["i32.or"]);
    }
    if (lane > 0) f.op(binaryOps["i32.and"]);
  }
}
