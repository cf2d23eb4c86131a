/** IR ops of integer arithmetic and data movement between registers. */
import type { OpRow } from "./op.ts";
import * as x from "./expr.ts";
import type { Expr, Statement, Width } from "./expr.ts";
import { AF, CF, FLAG_OP_FLAGS, PF, SF, STATUS_FLAGS, ZF, OF, flagOp } from "./flags.ts";
import { letHighProduct } from "./wide-multiply.ts";

export const widths = [8, 16, 32, 64] as const satisfies readonly Width[];
const wideWidths = [16, 32, 64] as const;

const inline = (
  name: string,
  body: readonly Statement[],
  withoutFlags?: string,
  format: OpRow["format"] = "short",
): OpRow =>
  withoutFlags === undefined
    ? { name, format, meaning: { kind: "inline", body } }
    : { name, format, meaning: { kind: "inline", body }, withoutFlags };

const immOf = (w: Width): Expr => (w === 64 ? x.immSigned64 : x.truncate(w, x.imm32));
const a = (w: Width): Expr => x.local("a", x.arithmetic(w).type);
const b = (w: Width): Expr => x.local("b", x.arithmetic(w).type);
const r = (w: Width): Expr => x.local("r", x.arithmetic(w).type);
const letA = (w: Width): Statement => x.letLocal("a", x.reg("d", w));

/** Rows for d = d op operand, with a register and an immediate operand, with and without flags. */
function twoOperand(name: "add" | "sub" | "and" | "or" | "xor"): OpRow[] {
  return widths.flatMap((w) => {
    const rows = (suffix: string, operand: Expr): OpRow[] => {
      const compute = x.letLocal("r", x.truncate(w, x.arithmetic(w).op(name, a(w), b(w))));
      const head = [x.letLocal("b", operand), letA(w), compute, x.setReg("d", w, r(w))];
      const flags =
        name === "add"
          ? x.setFlags(flagOp("add", w), x.widen(r(w)), x.widen(b(w)))
          : name === "sub"
            ? x.setFlags(flagOp("sub", w), x.widen(a(w)), x.widen(b(w)))
            : x.setFlags(flagOp("logic", w), x.widen(r(w)));
      return [
        inline(`${name}${suffix}${w}`, [...head, flags], `${name}n${suffix}${w}`),
        inline(`${name}n${suffix}${w}`, head),
      ];
    };
    return [...rows("", x.reg("s", w)), ...rows("i", immOf(w))];
  });
}

/** Compare and test: flags only. */
const compares: OpRow[] = widths.flatMap((w) => {
  const cmp = (operand: Expr): Statement[] => [
    x.setFlags(flagOp("sub", w), x.widen(x.reg("d", w)), x.widen(operand)),
  ];
  const test = (operand: Expr): Statement[] => [
    x.setFlags(flagOp("logic", w), x.widen(x.truncate(w, x.arithmetic(w).op("and", x.reg("d", w), operand)))),
  ];
  return [
    inline(`cmp${w}`, cmp(x.reg("s", w)), "nop"),
    inline(`cmpi${w}`, cmp(immOf(w)), "nop"),
    inline(`test${w}`, test(x.reg("s", w)), "nop"),
    inline(`testi${w}`, test(immOf(w)), "nop"),
  ];
});

/** d = d + operand + CF and d = d - operand - CF. */
const carries: OpRow[] = widths.flatMap((w) => {
  const m = x.arithmetic(w);
  const carry = w === 64 ? x.unary("i64.extend_i32_u", x.local("c", "i32")) : x.local("c", "i32");
  const rows = (suffix: string, operand: Expr): OpRow[] => {
    const head = [x.letLocal("c", x.condition(2)), x.letLocal("b", operand), letA(w)];
    const aux = x.unary("i64.extend_i32_u", x.local("c", "i32"));
    const adc = [
      ...head,
      x.letLocal("r", x.truncate(w, m.op("add", m.op("add", a(w), b(w)), carry))),
      x.setReg("d", w, r(w)),
    ];
    const sbb = [
      ...head,
      x.letLocal("r", x.truncate(w, m.op("sub", m.op("sub", a(w), b(w)), carry))),
      x.setReg("d", w, r(w)),
    ];
    return [
      inline(
        `adc${suffix}${w}`,
        [...adc, x.setFlags(flagOp("adc", w), x.widen(r(w)), x.widen(b(w)), aux)],
        `adcn${suffix}${w}`,
      ),
      inline(`adcn${suffix}${w}`, adc),
      inline(
        `sbb${suffix}${w}`,
        [...sbb, x.setFlags(flagOp("sbb", w), x.widen(a(w)), x.widen(b(w)), aux)],
        `sbbn${suffix}${w}`,
      ),
      inline(`sbbn${suffix}${w}`, sbb),
    ];
  };
  return [...rows("", x.reg("s", w)), ...rows("i", immOf(w))];
});

const unaryRows: OpRow[] = widths.flatMap((w) => {
  const m = x.arithmetic(w);
  const step = (op: "add" | "sub", kind: "inc" | "dec"): OpRow =>
    inline(
      kind + String(w),
      [
        x.letLocal("c", x.condition(2)),
        x.letLocal("r", x.truncate(w, m.op(op, x.reg("d", w), m.constant(1)))),
        x.setReg("d", w, r(w)),
        x.setFlags(flagOp(kind, w), x.widen(r(w)), x.unary("i64.extend_i32_u", x.local("c", "i32"))),
      ],
      `${kind}n${w}`,
    );
  const stepNoFlags = (op: "add" | "sub", kind: string): OpRow =>
    inline(`${kind}n${w}`, [x.setReg("d", w, x.truncate(w, m.op(op, x.reg("d", w), m.constant(1))))]);
  const negated = [letA(w), x.setReg("d", w, x.truncate(w, m.op("sub", m.constant(0), a(w))))];
  return [
    step("add", "inc"),
    stepNoFlags("add", "inc"),
    step("sub", "dec"),
    stepNoFlags("sub", "dec"),
    inline(`neg${w}`, [...negated, x.setFlags(flagOp("sub", w), x.i64(0), x.widen(a(w)))], `negn${w}`),
    inline(`negn${w}`, negated),
    inline(`not${w}`, [x.setReg("d", w, x.truncate(w, m.op("xor", x.reg("d", w), m.constant(-1))))]),
  ];
});

/** The status flags with CF and OF replaced, as FLAGS kind: what rotates leave. */
function rotateFlags(carry: Expr, overflow: Expr, when?: Expr): Statement {
  const kept = x.binary("i32.and", x.statusFlags, x.i32(PF | AF | ZF | SF));
  const bits = x.binary("i32.or", x.binary("i32.or", kept, carry), x.binary("i32.shl", overflow, x.i32(11)));
  return x.setFlags(FLAG_OP_FLAGS, x.i64(0), x.widen(bits), undefined, when);
}

/** Bit `n` of a value of width w's type, as i32. */
function bitAt(w: Width, value: Expr, n: Expr): Expr {
  const m = x.arithmetic(w);
  const bit = m.op("and", m.op("shr_u", value, n), m.constant(1));
  return w === 64 ? x.unary("i32.wrap_i64", bit) : bit;
}

/**
 * Shifts by an immediate (1 to width - 1, or 1 to 31 for the narrow ones) and by a count in slot s (masked here as
 * the processor does; a count of 0 leaves the flags alone).
 */
const shifts: OpRow[] = widths.flatMap((w) => {
  const m = x.arithmetic(w);
  const asCount = (count32: Expr): Expr => (w === 64 ? x.unary("i64.extend_i32_u", count32) : count32);
  const mask = w === 64 ? 63 : 31;
  const rowsFor = (kind: "shl" | "shr" | "sar"): OpRow[] => {
    const operand = kind === "sar" ? x.signExtend(w, a(w)) : a(w);
    const step = kind === "shl" ? "shl" : kind === "shr" ? "shr_u" : "shr_s";
    const n = x.local("n", m.type);
    const before = x.truncate(w, m.op(step, operand, m.op("sub", n, m.constant(1))));
    const flags = (when?: Expr): Statement =>
      x.setFlags(flagOp(kind, w), x.widen(r(w)), x.widen(x.local("before", m.type)), undefined, when);
    const value = (count: Expr): Statement[] => [
      x.letLocal("n", count),
      letA(w),
      x.letLocal("r", x.truncate(w, m.op(step, operand, n))),
    ];
    const immediate = value(w === 64 ? x.immSigned64 : x.imm32);
    const variable = value(asCount(x.binary("i32.and", x.reg("s", 8), x.i32(mask))));
    const nonZero = w === 64 ? x.binary("i64.ne", n, x.i64(0)) : n;
    const set = x.setReg("d", w, r(w));
    return [
      inline(`${kind}i${w}`, [...immediate, x.letLocal("before", before), set, flags()], `${kind}ni${w}`),
      inline(`${kind}ni${w}`, [...immediate, set]),
      inline(`${kind}${w}`, [...variable, x.letLocal("before", before), set, flags(nonZero)], `${kind}n${w}`),
      inline(`${kind}n${w}`, [...variable, set]),
    ];
  };
  return [...rowsFor("shl"), ...rowsFor("shr"), ...rowsFor("sar")];
});

/** Rotates by an immediate or by slot s. Flags: CF and OF only, unchanged by a masked count of 0. */
const rotates: OpRow[] = widths.flatMap((w) => {
  const m = x.arithmetic(w);
  const asCount = (count32: Expr): Expr => (w === 64 ? x.unary("i64.extend_i32_u", count32) : count32);
  const countMask = w === 64 ? 63 : 31;
  const rotated = (left: boolean): Expr => {
    const n = x.local("n", m.type);
    if (w === 32 || w === 64) return m.op(left ? "rotl" : "rotr", a(w), n);
    const k = m.op("and", n, m.constant(w - 1));
    const back = m.op("and", m.op("sub", m.constant(w), k), m.constant(w - 1));
    const [up, down] = left ? [k, back] : [back, k];
    return x.truncate(w, m.op("or", m.op("shl", a(w), up), m.op("shr_u", a(w), down)));
  };
  const msb = (value: Expr): Expr => bitAt(w, value, m.constant(w - 1));
  const rowsFor = (name: "rol" | "ror"): OpRow[] => {
    const left = name === "rol";
    const carry = left ? bitAt(w, r(w), m.constant(0)) : msb(r(w));
    const overflow = left
      ? x.binary("i32.xor", msb(r(w)), carry)
      : x.binary("i32.xor", msb(r(w)), bitAt(w, r(w), m.constant(w - 2)));
    const body = (count: Expr): Statement[] => [
      x.letLocal("n", asCount(x.binary("i32.and", count, x.i32(countMask)))),
      letA(w),
      x.letLocal("r", rotated(left)),
      x.setReg("d", w, r(w)),
    ];
    const n = x.local("n", m.type);
    const nonZero = w === 64 ? x.binary("i64.ne", n, x.i64(0)) : n;
    return [
      inline(`${name}i${w}`, [...body(x.imm32), rotateFlags(carry, overflow)], `${name}ni${w}`),
      inline(`${name}ni${w}`, body(x.imm32)),
      inline(`${name}${w}`, [...body(x.reg("s", 8)), rotateFlags(carry, overflow, nonZero)], `${name}n${w}`),
      inline(`${name}n${w}`, body(x.reg("s", 8))),
    ];
  };
  return [...rowsFor("rol"), ...rowsFor("ror")];
});

/** Double-width shifts by an immediate 1 to width - 1 (16-bit counts above 15 go through the helper). */
const doubleShifts: OpRow[] = wideWidths.flatMap((w) => {
  const m = x.arithmetic(w);
  const n = w === 64 ? x.immSigned64 : x.imm32;
  const back = m.op("sub", m.constant(w), n);
  const flags = (kind: "shl" | "shr"): Statement =>
    x.setFlags(flagOp(kind, w), x.widen(r(w)), x.widen(x.local("before", m.type)));
  const row = (name: string, kind: "shl" | "shr"): OpRow[] => {
    const left = kind === "shl";
    const body: Statement[] = [
      letA(w),
      x.letLocal("b", x.reg("s", w)),
      x.letLocal(
        "r",
        x.truncate(
          w,
          left
            ? m.op("or", m.op("shl", a(w), n), m.op("shr_u", b(w), back))
            : m.op("or", m.op("shr_u", a(w), n), m.op("shl", b(w), back)),
        ),
      ),
    ];
    const previous = m.op("sub", n, m.constant(1));
    const before = x.letLocal(
      "before",
      left ? x.truncate(w, m.op("shl", a(w), previous)) : m.op("shr_u", a(w), previous),
    );
    const set = x.setReg("d", w, r(w));
    return [
      inline(`${name}i${w}`, [...body, before, set, flags(kind)], `${name}ni${w}`),
      inline(`${name}ni${w}`, [...body, set]),
    ];
  };
  return [...row("shld", "shl"), ...row("shrd", "shr")];
});

const AX = 0;
const DX = 2;

/** One-operand multiplications (rAX, rDX) and the truncating two- and three-operand IMUL. */
const multiplications: OpRow[] = (() => {
  const rows: OpRow[] = [];
  const mulFlags = (w: Width, low: Expr, overflow: Expr): Statement =>
    x.setFlags(flagOp("mul", w), x.widen(low), x.widen(overflow));
  for (const signed of [false, true]) {
    const name = signed ? "muls" : "mulu";
    const ext = (w: 8 | 16, e: Expr): Expr => (signed ? x.signExtend(w, e) : e);
    const p32 = x.local("p", "i32");
    for (const w of [8, 16] as const) {
      const product = x.letLocal("p", x.binary("i32.mul", ext(w, x.gpr(AX, w)), ext(w, x.reg("s", w))));
      const overflow = signed
        ? x.binary("i32.ne", p32, x.signExtend(w, p32))
        : x.binary("i32.ne", x.binary("i32.shr_u", p32, x.i32(w)), x.i32(0));
      const set =
        w === 8
          ? [x.setGpr(AX, 16, x.truncate(16, p32))]
          : [
              x.setGpr(AX, 16, x.truncate(16, p32)),
              x.setGpr(DX, 16, x.truncate(16, x.binary("i32.shr_u", p32, x.i32(16)))),
            ];
      rows.push(
        inline(`${name}${w}`, [product, ...set, mulFlags(w, x.truncate(w, p32), overflow)], `${name}n${w}`),
        inline(`${name}n${w}`, [product, ...set]),
      );
    }
    const p64 = x.local("p", "i64");
    const wide = (e: Expr): Expr => x.unary(signed ? "i64.extend_i32_s" : "i64.extend_i32_u", e);
    const product32 = [
      x.letLocal("p", x.binary("i64.mul", wide(x.gpr(AX, 32)), wide(x.reg("s", 32)))),
      x.setGpr(AX, 32, x.unary("i32.wrap_i64", p64)),
      x.setGpr(DX, 32, x.unary("i32.wrap_i64", x.binary("i64.shr_u", p64, x.i64(32)))),
    ];
    const overflow32 = signed
      ? x.binary("i64.ne", p64, x.unary("i64.extend32_s", p64))
      : x.binary("i64.ne", x.binary("i64.shr_u", p64, x.i64(32)), x.i64(0));
    rows.push(
      inline(
        `${name}32`,
        [...product32, mulFlags(32, x.unary("i32.wrap_i64", p64), overflow32)],
        `${name}n32`,
      ),
      inline(`${name}n32`, product32),
    );
    const high = x.local("high", "i64");
    const low = x.local("low", "i64");
    const product64 = [
      ...letHighProduct(x.gpr(AX, 64), x.reg("s", 64), signed),
      x.letLocal("low", x.binary("i64.mul", x.gpr(AX, 64), x.reg("s", 64))),
      x.setGpr(AX, 64, low),
      x.setGpr(DX, 64, high),
    ];
    const overflow64 = signed
      ? x.binary("i64.ne", high, x.binary("i64.shr_s", low, x.i64(63)))
      : x.binary("i64.ne", high, x.i64(0));
    rows.push(
      inline(`${name}64`, [...product64, mulFlags(64, low, overflow64)], `${name}n64`),
      inline(`${name}n64`, product64),
    );
  }
  for (const w of wideWidths) {
    const m = x.arithmetic(w);
    const two = (suffix: string, left: Expr, right: Expr): OpRow[] => {
      const operands = [x.letLocal("a", left), x.letLocal("b", right)];
      if (w === 64) {
        const body = [...operands, x.letLocal("r", m.op("mul", a(w), b(w))), x.setReg("d", w, r(w))];
        const high = letHighProduct(a(w), b(w), true);
        const overflow = x.binary("i64.ne", x.local("high", "i64"), x.binary("i64.shr_s", r(w), x.i64(63)));
        return [
          inline(`imul${suffix}64`, [...body, ...high, mulFlags(w, r(w), overflow)], `imuln${suffix}64`),
          inline(`imuln${suffix}64`, body),
        ];
      }
      const wide = (e: Expr): Expr => x.unary("i64.extend_i32_s", x.signExtend(w, e));
      const p = x.local("p", "i64");
      const low = x.truncate(w, x.unary("i32.wrap_i64", p));
      const body = [
        ...operands,
        x.letLocal("p", x.binary("i64.mul", wide(a(w)), wide(b(w)))),
        x.setReg("d", w, low),
      ];
      const overflow = x.binary("i64.ne", p, x.unary(w === 16 ? "i64.extend16_s" : "i64.extend32_s", p));
      return [
        inline(`imul${suffix}${w}`, [...body, mulFlags(w, low, overflow)], `imuln${suffix}${w}`),
        inline(`imuln${suffix}${w}`, [...operands, x.setReg("d", w, x.truncate(w, m.op("mul", a(w), b(w))))]),
      ];
    };
    rows.push(...two("", x.reg("d", w), x.reg("s", w)), ...two("i", x.reg("s", w), immOf(w)));
  }
  return rows;
})();

const moves: OpRow[] = [
  inline("nop", []),
  ...widths.flatMap((w) => [
    inline(`mov${w}`, [x.setReg("d", w, x.reg("s", w))]),
    /** movi64 sign-extends its immediate; movi32 clears the upper half. */
    inline(`movi${w}`, [x.setReg("d", w, immOf(w))]),
    inline(`xchg${w}`, [
      letA(w),
      x.letLocal("b", x.reg("s", w)),
      x.setReg("d", w, b(w)),
      x.setReg("s", w, a(w)),
    ]),
  ]),
  inline("movabs", [x.setReg("d", 64, x.imm64)], undefined, "long"),
  inline("zx8", [x.setReg("d", 64, x.widen(x.reg("s", 8)))]),
  inline("zx16", [x.setReg("d", 64, x.widen(x.reg("s", 16)))]),
  inline("zx8to16", [x.setReg("d", 16, x.reg("s", 8))]),
  inline("sx8to16", [x.setReg("d", 16, x.truncate(16, x.unary("i32.extend8_s", x.reg("s", 8))))]),
  inline("sx8to32", [x.setReg("d", 32, x.unary("i32.extend8_s", x.reg("s", 8)))]),
  inline("sx16to32", [x.setReg("d", 32, x.unary("i32.extend16_s", x.reg("s", 16)))]),
  inline("sx8to64", [
    x.setReg("d", 64, x.unary("i64.extend_i32_s", x.unary("i32.extend8_s", x.reg("s", 8)))),
  ]),
  inline("sx16to64", [
    x.setReg("d", 64, x.unary("i64.extend_i32_s", x.unary("i32.extend16_s", x.reg("s", 16)))),
  ]),
  inline("sx32to64", [x.setReg("d", 64, x.unary("i64.extend_i32_s", x.reg("s", 32)))]),
  inline("bswap32", [
    x.letLocal("v", x.reg("d", 32)),
    x.setReg(
      "d",
      32,
      x.binary(
        "i32.or",
        x.binary("i32.and", x.binary("i32.rotl", x.local("v", "i32"), x.i32(8)), x.i32(0x00ff00ff)),
        x.binary("i32.and", x.binary("i32.rotr", x.local("v", "i32"), x.i32(8)), x.i32(-0x00ff0100)),
      ),
    ),
  ]),
  inline(
    "bswap64",
    (() => {
      const v = x.local("v", "i64");
      const swapBytes = (e: Expr, n: number, mask: bigint): Expr =>
        x.binary(
          "i64.or",
          x.binary("i64.shl", x.binary("i64.and", e, x.i64(mask)), x.i64(n)),
          x.binary("i64.and", x.binary("i64.shr_u", e, x.i64(n)), x.i64(mask)),
        );
      return [
        x.letLocal("v", swapBytes(x.reg("d", 64), 8, 0x00ff00ff00ff00ffn)),
        x.letLocal("v", swapBytes(v, 16, 0x0000ffff0000ffffn)),
        x.setReg("d", 64, x.binary("i64.rotl", v, x.i64(32))),
      ];
    })(),
  ),
  /** CWD, CDQ, CQO: rDX = sign of rAX. */
  inline("signdx16", [
    x.setGpr(
      DX,
      16,
      x.truncate(16, x.binary("i32.shr_s", x.unary("i32.extend16_s", x.gpr(AX, 16)), x.i32(15))),
    ),
  ]),
  inline("signdx32", [x.setGpr(DX, 32, x.binary("i32.shr_s", x.gpr(AX, 32), x.i32(31)))]),
  inline("signdx64", [x.setGpr(DX, 64, x.binary("i64.shr_s", x.gpr(AX, 64), x.i64(63)))]),
];

/** SETcc and CMOVcc by condition code, in the order of the encoding. */
const conditionals: OpRow[] = Array.from({ length: 16 }, (_, code) => [
  inline(`set${code}`, [x.setReg("d", 8, x.condition(code))]),
  ...wideWidths.map((w) =>
    inline(`cmov${code}_${w}`, [x.setReg("d", w, x.select(x.condition(code), x.reg("s", w), x.reg("d", w)))]),
  ),
]).flat();

/** Bit tests on registers: bit number in slot s or the immediate, modulo the width. Only CF changes. */
const bitTests: OpRow[] = wideWidths.flatMap((w) => {
  const m = x.arithmetic(w);
  const n = x.local("n", m.type);
  const bit = m.op("shl", m.constant(1), n);
  const changed: Record<string, Expr | undefined> = {
    bt: undefined,
    bts: m.op("or", a(w), bit),
    btr: m.op("and", a(w), m.op("xor", bit, m.constant(-1))),
    btc: m.op("xor", a(w), bit),
  };
  return Object.entries(changed).flatMap(([name, value]) => {
    const rows = (suffix: string, index: Expr): OpRow[] => {
      const head = [x.letLocal("n", m.op("and", index, m.constant(w - 1))), letA(w)];
      const set = value === undefined ? [] : [x.setReg("d", w, x.truncate(w, value))];
      const kept = x.binary("i32.and", x.statusFlags, x.i32(STATUS_FLAGS & ~CF));
      const flags = x.setFlags(FLAG_OP_FLAGS, x.i64(0), x.widen(x.binary("i32.or", kept, bitAt(w, a(w), n))));
      const bare = value === undefined ? "nop" : `${name}n${suffix}${w}`;
      const row = inline(`${name}${suffix}${w}`, [...head, flags, ...set], bare);
      return value === undefined ? [row] : [row, inline(bare, [...head, ...set])];
    };
    return [...rows("", x.reg("s", w)), ...rows("i", w === 64 ? x.immSigned64 : x.imm32)];
  });
});

/** Bit scans and counts. BSF and BSR leave the destination alone for a zero source; ZF tells. */
const bitScans: OpRow[] = wideWidths.flatMap((w) => {
  const m = x.arithmetic(w);
  const s = x.local("s", m.type);
  const type = w === 64 ? "i64" : "i32";
  const isZero = x.unary(`${type}.eqz`, s);
  const count = (op: "clz" | "ctz" | "popcnt", e: Expr): Expr => x.unary(`${type}.${op}`, e);
  const bits = w === 64 ? 64 : 32;
  const leading = m.op("sub", count("clz", s), m.constant(bits - w));
  const read = x.letLocal("s", x.reg("s", w));
  const scan = (name: string, index: Expr): OpRow[] => {
    // A 32-bit destination that is left alone keeps its upper half too.
    const body =
      w === 16
        ? [read, x.setReg("d", w, x.select(isZero, x.reg("d", w), index))]
        : [read, x.setReg("d", 64, x.select(isZero, x.reg("d", 64), x.widen(index)))];
    return [
      inline(`${name}${w}`, [...body, x.setFlags(flagOp("logic", w), x.widen(s))], `${name}n${w}`),
      inline(`${name}n${w}`, body),
    ];
  };
  /** TZCNT and LZCNT: CF = source is zero, ZF = result is zero, the others cleared. */
  const counted = (name: string, value: Expr): OpRow[] => {
    const body = [read, x.letLocal("r", value), x.setReg("d", w, r(w))];
    const zf = x.binary("i32.shl", x.unary(`${type}.eqz`, r(w)), x.i32(6));
    return [
      inline(
        `${name}${w}`,
        [...body, x.setFlags(FLAG_OP_FLAGS, x.i64(0), x.widen(x.binary("i32.or", isZero, zf)))],
        `${name}n${w}`,
      ),
      inline(`${name}n${w}`, body),
    ];
  };
  const popcnt = [read, x.setReg("d", w, count("popcnt", s))];
  const popcntZf = x.binary("i32.shl", isZero, x.i32(6));
  return [
    ...scan("bsf", count("ctz", s)),
    ...scan("bsr", m.op("sub", m.constant(bits - 1), count("clz", s))),
    ...counted("tzcnt", w === 16 ? count("ctz", m.op("or", s, m.constant(0x10000))) : count("ctz", s)),
    ...counted("lzcnt", leading),
    inline(`popcnt${w}`, [...popcnt, x.setFlags(FLAG_OP_FLAGS, x.i64(0), x.widen(popcntZf))], `popcntn${w}`),
    inline(`popcntn${w}`, popcnt),
  ];
});

/** Instructions that edit the flags themselves. */
const flagEdits: OpRow[] = (() => {
  const set = (bits: Expr): Statement => x.setFlags(FLAG_OP_FLAGS, x.i64(0), x.widen(bits));
  const AH = x.truncate(8, x.binary("i32.shr_u", x.gpr(AX, 16), x.i32(8)));
  const sahfBits = PF | AF | ZF | SF | CF;
  return [
    inline("clc", [set(x.binary("i32.and", x.statusFlags, x.i32(STATUS_FLAGS & ~CF)))], "nop"),
    inline("stc", [set(x.binary("i32.or", x.statusFlags, x.i32(CF)))], "nop"),
    inline("cmc", [set(x.binary("i32.xor", x.statusFlags, x.i32(CF)))], "nop"),
    inline(
      "sahf",
      [
        set(
          x.binary(
            "i32.or",
            x.binary("i32.and", x.statusFlags, x.i32(OF)),
            x.binary("i32.and", AH, x.i32(sahfBits)),
          ),
        ),
      ],
      "nop",
    ),
    inline("lahf", [
      x.letLocal("f", x.binary("i32.or", x.binary("i32.and", x.statusFlags, x.i32(sahfBits)), x.i32(2))),
      x.setGpr(
        AX,
        16,
        x.binary(
          "i32.or",
          x.binary("i32.and", x.gpr(AX, 16), x.i32(0xff)),
          x.binary("i32.shl", x.local("f", "i32"), x.i32(8)),
        ),
      ),
    ]),
  ];
})();

export const integerOps: readonly OpRow[] = [
  ...moves,
  ...twoOperand("add"),
  ...twoOperand("sub"),
  ...twoOperand("and"),
  ...twoOperand("or"),
  ...twoOperand("xor"),
  ...compares,
  ...carries,
  ...unaryRows,
  ...shifts,
  ...rotates,
  ...doubleShifts,
  ...multiplications,
  ...conditionals,
  ...bitTests,
  ...bitScans,
  ...flagEdits,
];
