/** IR ops that begin and end blocks. See Branch in op.ts. */
import { type Branch, type OpFormat, type OpRow } from "./op.ts";
import * as x from "./expr.ts";

const row = (name: string, format: OpFormat, branch: Branch): OpRow => ({ name, format, meaning: { kind: "branch", branch } });

const conditional = (name: string, condition: x.Expr): OpRow => row(name, "branch", { kind: "conditional", condition });

export const controlOps: readonly OpRow[] = [
  row("enter", "short", { kind: "enter" }),
  row("syncpc", "short", { kind: "syncpc" }),
  row("jmp", "branch", { kind: "jump", why: "jump" }),
  row("call", "branch", { kind: "jump", why: "call" }),
  row("next", "branch", { kind: "jump", why: "next" }),
  ...Array.from({ length: 16 }, (_, code) => conditional(`j${code}`, x.condition(code))),
  /** LOOP, JCXZ and their address sizes: on the value of slot s, not on flags. */
  conditional("jz16", x.unary("i32.eqz", x.reg("s", 16))),
  conditional("jz32", x.unary("i32.eqz", x.reg("s", 32))),
  conditional("jz64", x.unary("i64.eqz", x.reg("s", 64))),
  row("jmpr", "branch", { kind: "indirect", why: "jump" }),
  row("callr", "branch", { kind: "indirect", why: "call" }),
  row("ret", "branch", { kind: "indirect", why: "return" }),
  row("sysend", "short", { kind: "sysend" }),
  row("raise", "short", { kind: "raise" }),
];
