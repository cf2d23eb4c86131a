/**
 * IR ops of one MOVS, STOS or LODS in flat segments, with 32- or 64-bit addresses: movs8_m32 and so on. SDM 1 7.3.9.
 * Other addresses, comparisons and repetitions are the helpers' of helpers-system.ts.
 */
import type { OpRow } from "./op.ts";
import * as x from "./expr.ts";
import type { Expr, Statement, Width } from "./expr.ts";
import { RFLAGS_REST } from "../layout.ts";

const RAX = 0;
const RSI = 6;
const RDI = 7;
const DF = 0x400;

const elements = [8, 16, 32, 64] as const satisfies readonly Width[];

/** How far an element of w bits moves the index registers. */
function letStep(w: Width, address: 32 | 64): Statement {
  const m = x.arithmetic(address);
  const down = x.binary("i32.and", x.state(RFLAGS_REST), x.i32(DF));
  return x.letLocal("step", x.select(down, m.constant(-(w / 8)), m.constant(w / 8)));
}

const stringRows = (w: Width, address: 32 | 64): OpRow[] => {
  const m = x.arithmetic(address);
  const at = (register: number): Expr => x.widen(x.gpr(register, address));
  const pass = (register: number): Statement =>
    x.setGpr(register, address, m.op("add", x.gpr(register, address), x.local("step", m.type)));
  const element = x.local("v", x.arithmetic(w).type);
  const row = (name: string, body: readonly Statement[]): OpRow => ({
    name: `${name}${w}_m${address}`,
    format: "short",
    meaning: { kind: "inline", body },
  });
  return [
    row("movs", [
      x.load("v", w, at(RSI)),
      x.store(w, at(RDI), element),
      letStep(w, address),
      pass(RSI),
      pass(RDI),
    ]),
    row("stos", [x.store(w, at(RDI), x.gpr(RAX, w)), letStep(w, address), pass(RDI)]),
    row("lods", [x.load("v", w, at(RSI)), letStep(w, address), pass(RSI), x.setGpr(RAX, w, element)]),
  ];
};

export const stringOps: readonly OpRow[] = ([32, 64] as const).flatMap((address) =>
  elements.flatMap((w) => stringRows(w, address)),
);
