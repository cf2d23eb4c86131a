/**
 * Rewrites expressions over lazy flags of a known kind and width. ir/flags.ts shifts operands to the top of 64 bits
 * so that one text serves all widths; where the width is known, comparisons of 32-bit values become i32 ones and
 * those of narrow zero-extended values need no shift.
 */
import { type Expr, binary, i32, i64, unary } from "../ir/expr.ts";
import type { BinaryOp } from "../ir/wasm-ops.ts";

const COMPARISON_NAMES = [
  "eq",
  "ne",
  "lt_s",
  "lt_u",
  "gt_s",
  "gt_u",
  "le_s",
  "le_u",
  "ge_s",
  "ge_u",
] as const;
const comparisons = new Map<string, { readonly i32: BinaryOp; readonly signed: boolean }>(
  COMPARISON_NAMES.map((name) => [`i64.${name}`, { i32: `i32.${name}`, signed: name.endsWith("_s") }]),
);

const isConst = (e: Expr, value: bigint): boolean => e.kind === "const" && e.value === value;

/** x if e is x << n, else undefined. */
function shifted(e: Expr, n: bigint): Expr | undefined {
  return e.kind === "binary" && e.op === "i64.shl" && isConst(e.right, n) ? e.left : undefined;
}

const low = (e: Expr): Expr => unary("i32.wrap_i64", e);
const isLeaf = (e: Expr): boolean => e.kind === "local";

/** The i32 comparison that equals comparing left << n with right << n as i64; leaves are zero-extended values. */
function narrowed(op: string, left: Expr, right: Expr): Expr | undefined {
  const comparison = comparisons.get(op);
  if (comparison === undefined) return undefined;
  for (const n of [32n, 48n, 56n]) {
    const a = shifted(left, n);
    const b = isConst(right, 0n) ? i64(0) : shifted(right, n);
    if (a === undefined || b === undefined) continue;
    const extend = (e: Expr): Expr => {
      if (e.kind === "const") return i32(0);
      if (n === 32n) return low(e);
      if (comparison.signed) return unary(n === 48n ? "i32.extend16_s" : "i32.extend8_s", low(e));
      return isLeaf(e) ? low(e) : binary("i32.and", low(e), i32(n === 48n ? 0xffff : 0xff));
    };
    return binary(comparison.i32, extend(a), extend(b));
  }
  return undefined;
}

export function simplify(e: Expr): Expr {
  switch (e.kind) {
    case "unary": {
      const value = simplify(e.value);
      if (e.op === "i64.eqz") {
        const zeroTest = narrowed("i64.eq", value, i64(0));
        if (zeroTest !== undefined) return zeroTest;
      }
      return unary(e.op, value);
    }
    case "binary": {
      const left = simplify(e.left);
      const right = simplify(e.right);
      if (e.op === "i64.shl" && isConst(right, 0n)) return left;
      return narrowed(e.op, left, right) ?? binary(e.op, left, right);
    }
    case "select":
      return { ...e, condition: simplify(e.condition), then: simplify(e.then), else: simplify(e.else) };
    default:
      return e;
  }
}
