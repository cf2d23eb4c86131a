/**
 * IR ops that touch guest memory or compute addresses. Linear addresses come in four forms:
 *   m64  slot s + imm                                (64-bit)
 *   m32  the same, wrapped to 32 bits
 *   x64  slot s + (slot a << scale) + imm2           (long format)
 *   x32  the same, wrapped to 32 bits
 * A segment base is a register-file slot like any other, so FS:[disp] is m64 on its base slot.
 */
import type { OpFormat, OpRow } from "./op.ts";
import * as x from "./expr.ts";
import type { Expr, MemorySize, Statement, Width } from "./expr.ts";

const inline = (name: string, body: readonly Statement[], format: OpFormat = "short"): OpRow => ({
  name,
  format,
  meaning: { kind: "inline", body },
});

const add64 = (l: Expr, r: Expr): Expr => x.binary("i64.add", l, r);
const add32 = (l: Expr, r: Expr): Expr => x.binary("i32.add", l, r);
const scaled64 = x.binary("i64.shl", x.reg("a", 64), x.unary("i64.extend_i32_u", x.scale));
const scaled32 = x.binary("i32.shl", x.reg("a", 32), x.scale);

interface AddressForm {
  readonly suffix: "m64" | "m32" | "x64" | "x32";
  readonly format: OpFormat;
  /** The linear address, i64. */
  readonly address: Expr;
}

export const addressForms: readonly AddressForm[] = [
  { suffix: "m64", format: "short", address: add64(x.reg("s", 64), x.immSigned64) },
  { suffix: "m32", format: "short", address: x.widen(add32(x.reg("s", 32), x.imm32)) },
  { suffix: "x64", format: "long", address: add64(add64(x.reg("s", 64), scaled64), x.immSigned64) },
  { suffix: "x32", format: "long", address: x.widen(add32(add32(x.reg("s", 32), scaled32), x.imm32)) },
];

const v32 = x.local("v", "i32");
const v64 = x.local("v", "i64");

/** How a loaded value reaches its slot. */
const loads: readonly { readonly name: string; readonly size: MemorySize; readonly set: Statement }[] = [
  { name: "ldzx8", size: 8, set: x.setReg("d", 64, x.widen(v32)) },
  { name: "ldzx16", size: 16, set: x.setReg("d", 64, x.widen(v32)) },
  { name: "ld32", size: 32, set: x.setReg("d", 32, v32) },
  { name: "ld64", size: 64, set: x.setReg("d", 64, v64) },
  /** Partial registers. */
  { name: "ldp8", size: 8, set: x.setReg("d", 8, v32) },
  { name: "ldp16", size: 16, set: x.setReg("d", 16, v32) },
  { name: "ldsx8to16", size: 8, set: x.setReg("d", 16, x.truncate(16, x.unary("i32.extend8_s", v32))) },
  { name: "ldsx8to32", size: 8, set: x.setReg("d", 32, x.unary("i32.extend8_s", v32)) },
  {
    name: "ldsx8to64",
    size: 8,
    set: x.setReg("d", 64, x.unary("i64.extend_i32_s", x.unary("i32.extend8_s", v32))),
  },
  { name: "ldsx16to32", size: 16, set: x.setReg("d", 32, x.unary("i32.extend16_s", v32)) },
  {
    name: "ldsx16to64",
    size: 16,
    set: x.setReg("d", 64, x.unary("i64.extend_i32_s", x.unary("i32.extend16_s", v32))),
  },
  { name: "ldsx32to64", size: 32, set: x.setReg("d", 64, x.unary("i64.extend_i32_s", v32)) },
];

const memoryWidths = [8, 16, 32, 64] as const;
const valueOf = (w: Width): Expr => x.local("v", w === 64 ? "i64" : "i32");

const loadAndStoreRows: OpRow[] = addressForms.flatMap(({ suffix, format, address }) => [
  ...loads.map(({ name, size, set }) =>
    inline(`${name}_${suffix}`, [x.load("v", size, address), set], format),
  ),
  /** Loads for read-modify-write: they fault as the store would, so that the store after them cannot. */
  ...memoryWidths.map((w) =>
    inline(
      `ldw${w}_${suffix}`,
      [x.load("v", w, address, true), x.setReg("d", 64, x.widen(valueOf(w)))],
      format,
    ),
  ),
  ...memoryWidths.map((w) => inline(`st${w}_${suffix}`, [x.store(w, address, x.reg("d", w))], format)),
  /** Scalars of XMM registers. */
  ...([32, 64] as const).flatMap((w) => [
    inline(
      `ldx${w}_${suffix}`,
      [x.loadToVector("v", w, address), x.setXmm("d", x.local("v", "v128"))],
      format,
    ),
    inline(`stx${w}_${suffix}`, [x.store(w, address, x.xmm("d"))], format),
  ]),
  inline(`ld128_${suffix}`, [x.load("v", 128, address), x.setXmm("d", x.local("v", "v128"))], format),
  inline(`st128_${suffix}`, [x.store(128, address, x.xmm("d"))], format),
]);

/**
 * Slot d to the memory at slot s if it still holds slot a, the value that a load for write gave: the end of a locked
 * instruction. 8- and 16-bit values are zero-extended in a.
 */
const compareExchangeRows: OpRow[] = memoryWidths.map((w) =>
  inline(`cas${w}`, [x.compareExchange(w, x.reg("s", 64), x.reg("a", w), x.reg("d", w))], "long"),
);

/** LEA into a slot: 64-bit, 32-bit (clears the upper half) and 16-bit wrap-around (zero-extended to the slot). */
const addressRows: OpRow[] = addressForms.flatMap(({ suffix, format, address }): OpRow[] => {
  if (suffix.endsWith("64")) return [inline(`lea_${suffix}`, [x.setReg("d", 64, address)], format)];
  const wrapped16 = x.binary("i64.and", address, x.i64(0xffff));
  return [
    inline(`lea_${suffix}`, [x.setReg("d", 64, address)], format),
    inline(`lea16_${suffix}`, [x.setReg("d", 64, wrapped16)], format),
  ];
});

const RSP = 4;

/** PUSH and POP on a flat stack of the mode's full width; other stacks are composed from address ops. */
const stackRows: OpRow[] = ([64, 32] as const).flatMap((w) => {
  const m = x.arithmetic(w);
  const bytes = w / 8;
  const below = m.op("sub", x.gpr(RSP, w), m.constant(bytes));
  const sp = x.local("sp", m.type);
  const push = (value: Expr): Statement[] => [
    x.letLocal("sp", below),
    x.store(w, x.widen(sp), value),
    x.setGpr(RSP, w, sp),
  ];
  return [
    inline(`push${w}`, push(x.reg("s", w))),
    inline(`pushi${w}`, push(w === 64 ? x.imm64 : x.imm32), w === 64 ? "long" : "short"),
    inline(`pop${w}`, [
      x.letLocal("sp", x.gpr(RSP, w)),
      x.load("v", w, x.widen(sp)),
      x.setGpr(RSP, w, m.op("add", sp, m.constant(bytes))),
      x.setReg("d", w, valueOf(w)),
    ]),
  ];
});

export const memoryOps: readonly OpRow[] = [
  ...loadAndStoreRows,
  ...compareExchangeRows,
  ...addressRows,
  ...stackRows,
];
