/**
 * IR ops that keep the x87 unit's pointers to its last instruction and operand (SDM 1, 8.1.8). The instruction's
 * address and opcode are known when a block is translated, so that they cost a few stores of constants.
 */
import {
  SEG,
  SEG_CS,
  SEG_DS,
  SEG_SELECTOR,
  SEG_SS,
  SEG_STRIDE,
  X87_CS,
  X87_DP,
  X87_DS,
  X87_IP,
  X87_OPCODE,
} from "../layout.ts";
import * as x from "./expr.ts";
import type { Expr, Statement } from "./expr.ts";
import type { OpRow } from "./op.ts";
import { addressForms } from "./ops-memory.ts";

const low = (value: Expr): Expr => x.unary("i32.wrap_i64", value);
const high = (value: Expr): Expr => low(x.binary("i64.shr_s", value, x.i64(32)));
/** A selector with the attributes of its segment above it, which nobody reads. */
const selector = (segment: number): Expr => x.state(SEG + segment * SEG_STRIDE + SEG_SELECTOR);

/** imm64: the instruction's address, canonical, in its low 48 bits; its 11 bits of opcode above. */
const site: OpRow = {
  name: "x87_site",
  format: "long",
  meaning: {
    kind: "inline",
    body: [
      x.setState(X87_IP, low(x.imm64)),
      x.setState(X87_IP + 4, low(x.binary("i64.shr_s", x.binary("i64.shl", x.imm64, x.i64(16)), x.i64(48)))),
      x.setState(X87_OPCODE, low(x.binary("i64.shr_u", x.imm64, x.i64(48)))),
      x.setState(X87_CS, selector(SEG_CS)),
    ],
  },
};

const address = x.local("p", "i64");
const data = (segment: number): Statement[] => [
  x.setState(X87_DP, low(address)),
  x.setState(X87_DP + 4, high(address)),
  x.setState(X87_DS, selector(segment)),
];

/** The offset of a memory operand in SS or DS; other segments are put right by the helper x87_data_segment. */
const operands: OpRow[] = (
  [
    ["ss", SEG_SS],
    ["ds", SEG_DS],
  ] as const
).flatMap(([name, segment]) =>
  addressForms.map((form) => ({
    name: `x87_data_${name}_${form.suffix}`,
    format: form.format,
    meaning: { kind: "inline" as const, body: [x.letLocal("p", form.address), ...data(segment)] },
  })),
);

export const x87Ops: readonly OpRow[] = [site, ...operands];
