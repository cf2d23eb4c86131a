/**
 * What compiled regions do in place of the SSE helpers for ordinary numbers (core/sse-*.ts say what an instruction means;
 * docs/floating-point.md, when the two agree). WebAssembly rounds to nearest and keeps denormals, as MXCSR asks for after
 * reset. A result that is normal and not the least normal number, of operands that are neither denormal nor NaN, raises
 * PE at most: where PE is set already, nothing of MXCSR changes.
 *
 * Not here, and thus always a call: HADD, ADDSUB, DP, RCP, RSQRT, packed conversions between formats and to integers.
 */
import * as x from "./expr.ts";
import { formatOf } from "./expr.ts";
import type { Expr, FloatFormat, FloatLanes, Statement, ZeroRule } from "./expr.ts";
import type { QuickForm } from "./helper-row.ts";
import type { SseHelper } from "./helpers-sse.ts";
import type { BinaryOp, SimdOp, UnaryOp } from "./wasm-ops.ts";

const d = x.xmm("d");
const s = x.xmm("s");
const v = (op: SimdOp, ...args: Expr[]): Expr => x.simd(op, "v128", args);
const setD = (value: Expr): Statement => x.setXmm("d", value);

const shapeOf = (lanes: FloatLanes): "f32x4" | "f64x2" => (formatOf(lanes) === "f32" ? "f32x4" : "f64x2");
const isScalar = (lanes: FloatLanes): boolean => lanes.startsWith("s");

/** The lowest lane, and XMM register d with another one. */
const lowest = (format: FloatFormat, value: Expr): Expr =>
  format === "f32"
    ? x.simd("f32x4.extract_lane", "f32", [value], [0])
    : x.simd("f64x2.extract_lane", "f64", [value], [0]);
const withLowest = (format: FloatFormat, value: Expr): Expr =>
  x.simd(format === "f32" ? "f32x4.replace_lane" : "f64x2.replace_lane", "v128", [d, value], [0]);

/** XMM register d with the lowest lane of a vector. */
const withLowestOf = (format: FloatFormat, value: Expr): Expr => {
  const bytes = format === "f32" ? 4 : 8;
  const indices = Array.from({ length: 16 }, (_, i) => (i < bytes ? i : 16 + i));
  return x.simd("i8x16.shuffle", "v128", [value, d], indices);
};

const result = x.local("result", "v128");

/** An instruction of d and s whose result is looked at. */
const checked = (
  lanes: FloatLanes,
  operands: readonly ("d" | "s")[],
  value: Expr,
  zeros: ZeroRule,
): QuickForm => ({
  before: [x.letLocal("result", value)],
  when: x.ordinary(lanes, operands, result, zeros),
  body: [setD(result)],
  ordinary: { lanes, operands: ["d", "s"] },
});

const zerosOf = { add: "sum", sub: "sum", mul: "product", div: "quotient" } as const;
const arithmetic = (name: "add" | "sub" | "mul" | "div", lanes: FloatLanes): QuickForm => {
  const format = formatOf(lanes);
  const scalar: BinaryOp = `${format}.${name}`;
  const shape = shapeOf(lanes);
  const packed = v(`${shape}.${name}`, d, s);
  if (!isScalar(lanes)) return checked(lanes, ["d", "s"], packed, zerosOf[name]);
  // Of a product or sum the other lanes cost nothing, and the lowest need not be taken out and put back.
  const value =
    name === "div"
      ? withLowest(format, x.binary(scalar, lowest(format, d), lowest(format, s)))
      : withLowestOf(format, packed);
  return checked(lanes, ["d", "s"], value, zerosOf[name]);
};

const squareRoot = (lanes: FloatLanes): QuickForm => {
  const format = formatOf(lanes);
  const scalar: UnaryOp = `${format}.sqrt`;
  const value = isScalar(lanes)
    ? withLowest(format, x.unary(scalar, lowest(format, s)))
    : v(`${shapeOf(lanes)}.sqrt`, s);
  return checked(lanes, ["s"], value, "root");
};

/** MIN is d < s ? d : s and MAX d > s ? d : s, which raise nothing for ordinary operands. */
const extreme = (name: "min" | "max", lanes: FloatLanes): QuickForm => {
  const format = formatOf(lanes);
  const less: BinaryOp = `${format}.lt`;
  const [a, b] = [lowest(format, d), lowest(format, s)];
  const isD = name === "min" ? x.binary(less, a, b) : x.binary(less, b, a);
  const value = isScalar(lanes)
    ? withLowest(format, x.select(isD, a, b))
    : v(`${shapeOf(lanes)}.${name === "min" ? "pmin" : "pmax"}`, s, d);
  return {
    when: x.ordinary(lanes, ["d", "s"]),
    body: [setD(value)],
    ordinary: { lanes, operands: ["d", "s"] },
  };
};

const FLAG_OP_FLAGS = 0;
const ZF_SHIFT = 6;
/** COMI and UCOMI: CF is d < s, ZF is d = s; PF, which is unordered, and OF, SF, AF are clear. */
const compareToFlags = (lanes: FloatLanes): QuickForm => {
  const format = formatOf(lanes);
  const [a, b] = [lowest(format, d), lowest(format, s)];
  const less = x.binary(`${format}.lt`, a, b);
  const equal = x.binary("i32.xor", x.binary(`${format}.le`, a, b), less);
  const bits = x.binary("i32.or", less, x.binary("i32.shl", equal, x.i32(ZF_SHIFT)));
  return {
    when: x.ordinary(lanes, ["d", "s"]),
    body: [x.setFlags(FLAG_OP_FLAGS, x.i64(0), x.widen(bits))],
    ordinary: { lanes, operands: ["d", "s"] },
  };
};

const immediateBits = (mask: number): Expr => x.binary("i32.and", x.imm32, x.i32(mask));
const immediateIs = (mask: number, value: number): Expr =>
  x.binary("i32.eq", immediateBits(mask), x.i32(value));

/** CMP with the predicates 0–7; of ordinary operands none is unordered. */
const compareToMask = (lanes: FloatLanes): QuickForm => {
  const shape = shapeOf(lanes);
  const none = v("i32x4.splat", x.i32(0));
  const holds = x.select(
    immediateIs(3, 0),
    v(`${shape}.eq`, d, s),
    x.select(
      immediateIs(3, 1),
      v(`${shape}.lt`, d, s),
      x.select(immediateIs(3, 2), v(`${shape}.le`, d, s), none),
    ),
  );
  const mask = x.select(immediateBits(4), v("v128.not", holds), holds);
  const lane = (value: Expr): Expr =>
    formatOf(lanes) === "f32"
      ? x.simd("i32x4.replace_lane", "v128", [d, x.simd("i32x4.extract_lane", "i32", [value], [0])], [0])
      : x.simd("i64x2.replace_lane", "v128", [d, x.simd("i64x2.extract_lane", "i64", [value], [0])], [0]);
  return {
    when: x.ordinary(lanes, ["d", "s"]),
    body: [setD(isScalar(lanes) ? lane(mask) : mask)],
    ordinary: { lanes, operands: ["s"] },
  };
};

// ---- Conversions --------------------------------------------------------------------------------------------------
const isWidth32 = immediateIs(-1, 32);

/** The magnitude of the lowest lane of s is below 2^exponent: compared as integers, which a NaN fails. */
function isBelow(format: FloatFormat, bits: bigint): Expr {
  return format === "f32"
    ? x.binary(
        "i32.lt_u",
        x.binary("i32.and", x.simd("i32x4.extract_lane", "i32", [s], [0]), x.i32(0x7fffffff)),
        x.i32(Number(bits)),
      )
    : x.binary(
        "i64.lt_u",
        x.binary("i64.and", x.simd("i64x2.extract_lane", "i64", [s], [0]), x.i64(0x7fffffffffffffffn)),
        x.i64(bits),
      );
}
const INFINITY = { f32: 0x7f800000n, f64: 0x7ff0000000000000n } as const;
/** Below it, integers of 32 bits and of 64 bits, rounded to nearest, are in range. */
const LIMIT_32 = { f32: 0x4f000000n, f64: 0x41dfffffffc00000n } as const;
const LIMIT_64 = { f32: 0x5f000000n, f64: 0x43e0000000000000n } as const;

/** CVTSI2SD of 32 bits is exact; the others may raise PE. */
const fromInteger = (lanes: "ss" | "sd"): QuickForm => {
  const format = formatOf(lanes);
  const settled = x.ordinary(lanes, []);
  const from32: UnaryOp = `${format}.convert_i32_s`;
  const from64: UnaryOp = `${format}.convert_i64_s`;
  return {
    when: format === "f64" ? x.select(isWidth32, x.i32(1), settled) : settled,
    body: [
      setD(
        withLowest(
          format,
          x.select(isWidth32, x.unary(from32, x.reg("s", 32)), x.unary(from64, x.reg("s", 64))),
        ),
      ),
    ],
    ordinary: { lanes, operands: ["d"] },
  };
};

/** CVT and CVTT to an integer that is in range: they raise PE at most, for denormals too. */
const toInteger = (lanes: "ss" | "sd", truncates: boolean): QuickForm => {
  const format = formatOf(lanes);
  const source = lowest(format, s);
  const rounded = truncates ? source : x.unary(`${format}.nearest`, source);
  return {
    when: x.binary(
      "i32.and",
      x.ordinary(lanes, []),
      x.select(isWidth32, isBelow(format, LIMIT_32[format]), isBelow(format, LIMIT_64[format])),
    ),
    body: [
      x.setReg(
        "d",
        64,
        x.select(
          isWidth32,
          x.widen(x.unary(`i32.trunc_${format}_s`, rounded)),
          x.unary(`i64.trunc_${format}_s`, rounded),
        ),
      ),
    ],
  };
};

/** ROUND of a finite number, by the control byte or, with bit 2, by MXCSR, which says to nearest. */
const roundToIntegral = (lanes: "ss" | "sd"): QuickForm => {
  const format = formatOf(lanes);
  const by = (name: "nearest" | "floor" | "ceil" | "trunc"): Expr =>
    x.unary(`${format}.${name}`, lowest(format, s));
  const directed = x.select(
    immediateIs(3, 1),
    by("floor"),
    x.select(immediateIs(3, 2), by("ceil"), by("trunc")),
  );
  const byMxcsr = x.binary("i32.ne", immediateBits(4), x.i32(0));
  const toNearest = x.binary("i32.or", byMxcsr, immediateIs(3, 0));
  return {
    when: x.binary("i32.and", x.ordinary(lanes, []), isBelow(format, INFINITY[format])),
    body: [setD(withLowest(format, x.select(toNearest, by("nearest"), directed)))],
    ordinary: { lanes, operands: ["d"] },
  };
};

/** Every binary32 is a binary64; the other way the result is looked at. */
const widening: QuickForm = {
  when: x.ordinary("ss", ["s"]),
  body: [setD(withLowest("f64", x.unary("f64.promote_f32", lowest("f32", s))))],
  ordinary: { lanes: "sd", operands: ["d"] },
};
const narrowing: QuickForm = {
  before: [x.letLocal("result", withLowest("f32", x.unary("f32.demote_f64", lowest("f64", s))))],
  when: x.ordinary("ss", [], result),
  body: [setD(result)],
  ordinary: { lanes: "ss", operands: ["d"] },
};

const allLanes = ["ss", "sd", "ps", "pd"] as const;
type Forms = Partial<Record<SseHelper, QuickForm>>;
const four = (
  name: "add" | "sub" | "mul" | "div" | "sqrt" | "min" | "max" | "cmp",
  form: (lanes: FloatLanes) => QuickForm,
): Forms => Object.fromEntries(allLanes.map((lanes) => [`${name}${lanes}`, form(lanes)]));

const forms: Forms = {
  ...four("add", (lanes) => arithmetic("add", lanes)),
  ...four("sub", (lanes) => arithmetic("sub", lanes)),
  ...four("mul", (lanes) => arithmetic("mul", lanes)),
  ...four("div", (lanes) => arithmetic("div", lanes)),
  ...four("sqrt", squareRoot),
  ...four("min", (lanes) => extreme("min", lanes)),
  ...four("max", (lanes) => extreme("max", lanes)),
  ...four("cmp", compareToMask),
  comiss: compareToFlags("ss"),
  comisd: compareToFlags("sd"),
  ucomiss: compareToFlags("ss"),
  ucomisd: compareToFlags("sd"),
  cvtsi2ss: fromInteger("ss"),
  cvtsi2sd: fromInteger("sd"),
  cvtss2si: toInteger("ss", false),
  cvtsd2si: toInteger("sd", false),
  cvttss2si: toInteger("ss", true),
  cvttsd2si: toInteger("sd", true),
  roundss: roundToIntegral("ss"),
  roundsd: roundToIntegral("sd"),
  cvtss2sd: widening,
  cvtsd2ss: narrowing,
  // Exact whatever MXCSR says.
  cvtdq2pd: {
    when: x.i32(1),
    body: [setD(v("f64x2.convert_low_i32x4_s", s))],
    ordinary: { lanes: "pd", operands: ["d"] },
  },
  cvtdq2ps: {
    when: x.ordinary("ps", []),
    body: [setD(v("f32x4.convert_i32x4_s", s))],
    ordinary: { lanes: "ps", operands: ["d"] },
  },
};

/** By helper. */
export const quickFloats: ReadonlyMap<string, QuickForm> = new Map(Object.entries(forms));
