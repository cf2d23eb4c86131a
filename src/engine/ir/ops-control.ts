/** IR ops that begin and end blocks. See Branch in op.ts. */
import type { Branch, OpFormat, OpRow } from "./op.ts";
import * as x from "./expr.ts";
import { flagOp } from "./flags.ts";

const row = (name: string, format: OpFormat, branch: Branch): OpRow => ({
  name,
  format,
  meaning: { kind: "branch", branch },
});

/**
 * Conditions that a comparison of a and b decides without looking at flags, by condition code; with b = 0 they serve
 * a test's result too, except that B, AE, BE and A are then constant and left to the plain form.
 */
const comparisons: readonly (readonly [
  code: number,
  op: "lt_u" | "ge_u" | "eq" | "ne" | "le_u" | "gt_u" | "lt_s" | "ge_s" | "le_s" | "gt_s",
])[] = [
  [2, "lt_u"],
  [3, "ge_u"],
  [4, "eq"],
  [5, "ne"],
  [6, "le_u"],
  [7, "gt_u"],
  [12, "lt_s"],
  [13, "ge_s"],
  [14, "le_s"],
  [15, "gt_s"],
];

/** Compare (or test) and branch in one op: what the interpreter's fusion pass makes of a pair. */
export const fusedWidths = [8, 32, 64] as const;
const fused: OpRow[] = fusedWidths.flatMap((w) => {
  const m = x.arithmetic(w);
  const a = x.local("a", m.type);
  const b = x.local("b", m.type);
  const r = x.local("r", m.type);
  const immediate = w === 64 ? x.immSigned64 : x.truncate(w, x.imm32);
  const rows = (suffix: string, operand: x.Expr): OpRow[] => {
    const operands = [x.letLocal("a", x.reg("d", w)), x.letLocal("b", operand)];
    const signed = (e: x.Expr, op: string): x.Expr => (op.endsWith("_s") ? x.signExtend(w, e) : e);
    const compare = comparisons.map(([code, op]) =>
      row(`jcmp${suffix}${w}_${code}`, "branch", {
        kind: "conditional",
        before: [...operands, x.setFlags(flagOp("sub", w), x.widen(a), x.widen(b))],
        condition: m.op(op, signed(a, op), signed(b, op)),
      }),
    );
    const test = comparisons
      .filter(([, op]) => !op.endsWith("_u"))
      .map(([code, op]) =>
        row(`jtest${suffix}${w}_${code}`, "branch", {
          kind: "conditional",
          before: [
            ...operands,
            x.letLocal("r", m.op("and", a, b)),
            x.setFlags(flagOp("logic", w), x.widen(r)),
          ],
          condition: m.op(op, signed(r, op), m.constant(0)),
        }),
      );
    return [...compare, ...test];
  };
  return [...rows("", x.reg("s", w)), ...rows("i", immediate)];
});

const conditional = (name: string, condition: x.Expr): OpRow =>
  row(name, "branch", { kind: "conditional", condition });

export const controlOps: readonly OpRow[] = [
  row("enter", "short", { kind: "enter" }),
  row("stale", "short", { kind: "stale" }),
  row("region", "short", { kind: "region" }),
  row("syncpc", "short", { kind: "syncpc" }),
  row("jmp", "branch", { kind: "jump", why: "jump" }),
  row("call", "branch", { kind: "jump", why: "call" }),
  row("next", "branch", { kind: "jump", why: "next" }),
  ...Array.from({ length: 16 }, (_, code) => conditional(`j${code}`, x.condition(code))),
  /** LOOP, JCXZ and their address sizes: on the value of slot s, not on flags. */
  conditional("jz16", x.unary("i32.eqz", x.reg("s", 16))),
  conditional("jz32", x.unary("i32.eqz", x.reg("s", 32))),
  conditional("jz64", x.unary("i64.eqz", x.reg("s", 64))),
  ...fused,
  row("jmpr", "indirect", { kind: "indirect", why: "jump" }),
  row("callr", "indirect", { kind: "indirect", why: "call" }),
  row("ret", "branch", { kind: "indirect", why: "return" }),
  /** #GP(0) unless a call's target, in slot s, is canonical. */
  row("canonical", "short", { kind: "canonical" }),
  /** That, the push of the return address and `callr` in one op: the interpreter's. */
  row("callr64", "indirect", { kind: "indirect", why: "call", pushes: true }),
  row("sysend", "short", { kind: "sysend" }),
  row("raise", "short", { kind: "raise" }),
];
