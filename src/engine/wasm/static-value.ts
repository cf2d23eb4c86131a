/**
 * Evaluates at compile time what an op's expressions say about its immediates: index vectors of shuffles, masks of
 * counts, scaled displacements. Only expressions without registers, memory and locals are static.
 */
import { defined } from "../../base/index.ts";
import type { Expr } from "../ir/expr.ts";

/** The fields of one op that expressions read. */
export interface Immediates {
  readonly imm: number;
  readonly immHigh: number;
  readonly scale: number;
}

const staticSimd = new Set<string>([
  "i8x16.splat",
  "i16x8.splat",
  "i32x4.splat",
  "i64x2.splat",
  "i8x16.replace_lane",
  "i16x8.replace_lane",
  "i32x4.replace_lane",
  "i8x16.add",
  "i8x16.sub",
  "i8x16.add_sat_u",
  "v128.and",
]);

/** Does the expression depend on immediates only? */
export function isStatic(e: Expr): boolean {
  switch (e.kind) {
    case "const":
    case "imm":
    case "imm64":
    case "scale":
      return true;
    case "unary":
      return isStatic(e.value) && e.op in unaryOperations;
    case "binary":
      return isStatic(e.right) && isStatic(e.left) && nameOf(e.op) in binaryOperations;
    case "select":
      return e.type !== "v128" && isStatic(e.condition) && isStatic(e.then) && isStatic(e.else);
    case "simd":
      return e.type === "v128" && staticSimd.has(e.op) && e.args.every(isStatic);
    default:
      return false;
  }
}

/** The arm of a selection that immediates decide, or the expression itself. */
export function pick(e: Expr, immediates: Immediates): Expr {
  if (e.kind !== "select" || !isStatic(e.condition)) return e;
  return pick(staticInteger(e.condition, immediates) !== 0n ? e.then : e.else, immediates);
}

const nameOf = (op: string): string => op.slice(4);
const signed = (bits: number, value: bigint): bigint => BigInt.asIntN(bits, value);
const unsigned = (bits: number, value: bigint): bigint => BigInt.asUintN(bits, value);
const truth = (value: boolean): bigint => (value ? 1n : 0n);

const unaryOperations: Record<string, (value: bigint) => bigint> = {
  "i32.eqz": (v) => truth(v === 0n),
  "i64.eqz": (v) => truth(v === 0n),
  "i32.wrap_i64": (v) => signed(32, v),
  "i64.extend_i32_s": (v) => v,
  "i64.extend_i32_u": (v) => unsigned(32, v),
  "i32.extend8_s": (v) => signed(8, v),
  "i32.extend16_s": (v) => signed(16, v),
  "i64.extend8_s": (v) => signed(8, v),
  "i64.extend16_s": (v) => signed(16, v),
  "i64.extend32_s": (v) => signed(32, v),
};

/** On signed values of `bits` bits; the caller wraps the result. */
const binaryOperations: Record<string, (left: bigint, right: bigint, bits: number) => bigint> = {
  add: (l, r) => l + r,
  sub: (l, r) => l - r,
  mul: (l, r) => l * r,
  and: (l, r) => l & r,
  or: (l, r) => l | r,
  xor: (l, r) => l ^ r,
  shl: (l, r, bits) => l << (r & BigInt(bits - 1)),
  shr_s: (l, r, bits) => l >> (r & BigInt(bits - 1)),
  shr_u: (l, r, bits) => unsigned(bits, l) >> (r & BigInt(bits - 1)),
  eq: (l, r) => truth(l === r),
  ne: (l, r) => truth(l !== r),
  lt_s: (l, r) => truth(l < r),
  gt_s: (l, r) => truth(l > r),
  lt_u: (l, r, bits) => truth(unsigned(bits, l) < unsigned(bits, r)),
  gt_u: (l, r, bits) => truth(unsigned(bits, l) > unsigned(bits, r)),
};

/** The value of a static i32 or i64 expression, signed. */
export function staticInteger(e: Expr, op: Immediates): bigint {
  switch (e.kind) {
    case "const":
      return signed(e.type === "i64" ? 64 : 32, e.value);
    case "imm":
      return BigInt(op.imm | 0);
    case "imm64":
      return (BigInt(op.immHigh | 0) << 32n) | BigInt(op.imm >>> 0);
    case "scale":
      return BigInt(op.scale);
    case "unary":
      return unaryOperations[e.op]?.(staticInteger(e.value, op)) ?? 0n;
    case "binary": {
      // The operands of a comparison are wider than its result.
      const bits = e.op.startsWith("i64") ? 64 : 32;
      const value =
        binaryOperations[nameOf(e.op)]?.(staticInteger(e.left, op), staticInteger(e.right, op), bits) ?? 0n;
      return signed(bits, value);
    }
    case "select":
      return staticInteger(staticInteger(e.condition, op) !== 0n ? e.then : e.else, op);
    default:
      throw new Error(`${e.kind} is not static`);
  }
}

export const NO_IMMEDIATES: Immediates = { imm: 0, immHigh: 0, scale: 0 };

/** Is a static expression the same for all ops? */
export function isConstant(e: Expr): boolean {
  switch (e.kind) {
    case "const":
      return true;
    case "unary":
      return isConstant(e.value);
    case "binary":
      return isConstant(e.left) && isConstant(e.right);
    case "select":
      return isConstant(e.condition) && isConstant(e.then) && isConstant(e.else);
    case "simd":
      return e.args.every(isConstant);
    default:
      return false;
  }
}

export const constantOf = (e: Expr): bigint => staticInteger(e, NO_IMMEDIATES);

const laneSizes: Record<string, number> = { i8x16: 1, i16x8: 2, i32x4: 4, i64x2: 8 };

/** The value of a static v128 expression. */
export function staticVector(e: Expr, op: Immediates): Uint8Array {
  if (e.kind !== "simd") throw new Error(`${e.kind} is no static vector`);
  const [shape = "", name = ""] = e.op.split(".");
  const [first, second] = e.args;
  if (first === undefined) throw new Error(`${e.op} without arguments`);
  const size = laneSizes[shape] ?? 1;
  const bytes = new Uint8Array(16);
  if (name === "splat") {
    const value = staticInteger(first, op);
    for (let at = 0; at < 16; at += size) putLane(bytes, at, size, value);
    return bytes;
  }
  if (second === undefined) throw new Error(`${e.op} with one argument`);
  bytes.set(staticVector(first, op));
  if (name === "replace_lane") {
    putLane(bytes, (e.lanes?.[0] ?? 0) * size, size, staticInteger(second, op));
    return bytes;
  }
  const right = staticVector(second, op);
  for (let i = 0; i < 16; i++) {
    const l = bytes[i] ?? 0;
    const r = right[i] ?? 0;
    bytes[i] =
      name === "add" ? l + r : name === "sub" ? l - r : name === "and" ? l & r : Math.min(255, l + r);
  }
  return bytes;
}

function putLane(bytes: Uint8Array, at: number, size: number, value: bigint): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

// ---- Forms ----------------------------------------------------------------------------------------------------------
/** Static values by number: the usual ones, and from FORM_OTHER on any other expression that has been asked for. */
export const FORM_IMM = 0;
export const FORM_IMM64 = 1;
export const FORM_SCALE = 2;
export const FORM_OTHER = 3;

/** Of each: the expression, and its value if that is the same for all ops and not too large to be exact. */
const others: { readonly e: Expr; readonly constant: number | undefined }[] = [];

/** The form of a static i32 or i64 expression. */
export function formOf(e: Expr): number {
  if (e.kind === "imm") return FORM_IMM;
  if (e.kind === "imm64") return FORM_IMM64;
  if (e.kind === "scale") return FORM_SCALE;
  // It is 0 to 3.
  if (e.kind === "unary" && e.op === "i64.extend_i32_u" && e.value.kind === "scale") return FORM_SCALE;
  const constant = isConstant(e) ? Number(constantOf(e)) : undefined;
  others.push({ e, constant: Number.isSafeInteger(constant) ? constant : undefined });
  return FORM_OTHER + others.length - 1;
}

function otherOf(form: number, op: Immediates): bigint {
  const { e, constant } = defined(others[form - FORM_OTHER], "a form of a static value");
  return constant === undefined ? staticInteger(e, op) : BigInt(constant);
}

export function isZero(form: number, op: Immediates): boolean {
  if (form === FORM_IMM) return op.imm === 0;
  if (form === FORM_SCALE) return op.scale === 0;
  if (form === FORM_IMM64) return op.imm === 0 && op.immHigh === 0;
  return otherOf(form, op) === 0n;
}

/** The value, signed; above 2^53 not exactly. */
export function staticNumber(form: number, op: Immediates): number {
  if (form === FORM_IMM) return op.imm;
  if (form === FORM_SCALE) return op.scale;
  if (form === FORM_IMM64) return op.immHigh * 2 ** 32 + (op.imm >>> 0);
  return others[form - FORM_OTHER]?.constant ?? Number(otherOf(form, op));
}

export const staticBig = (form: number, op: Immediates): bigint =>
  form === FORM_IMM64
    ? (BigInt(op.immHigh) << 32n) | BigInt(op.imm >>> 0)
    : form < FORM_OTHER
      ? BigInt(staticNumber(form, op))
      : otherOf(form, op);
