/**
 * IR ops of BMI1, BMI2 and ADX (SDM 2): bit manipulation with a destination of its own, for 32 and 64 bits. `s` is
 * the r/m operand, `a` the one in VEX.vvvv. Flags that the manual leaves undefined are cleared.
 */
import type { OpRow } from "./op.ts";
import * as x from "./expr.ts";
import type { Expr, Statement } from "./expr.ts";
import { letHighProduct } from "./wide-multiply.ts";
import { CF, FLAG_OP_FLAGS, OF, STATUS_FLAGS, flagOp } from "./flags.ts";

type BitWidth = 32 | 64;
const bitWidths = [32, 64] as const satisfies readonly BitWidth[];
const DX = 2;

const inline = (
  name: string,
  format: OpRow["format"],
  body: readonly Statement[],
  withoutFlags?: string,
): OpRow =>
  withoutFlags === undefined
    ? { name, format, meaning: { kind: "inline", body } }
    : { name, format, meaning: { kind: "inline", body }, withoutFlags };

/** An op and its form without flags. */
const withFlags = (
  name: string,
  w: BitWidth,
  format: OpRow["format"],
  body: readonly Statement[],
  flags: Statement,
): OpRow[] => [
  inline(`${name}${w}`, format, [...body, flags], `${name}n${w}`),
  inline(`${name}n${w}`, format, body),
];

const bits = (...parts: readonly Expr[]): Expr => parts.reduce((a, b) => x.binary("i32.or", a, b));
const setBits = (...parts: readonly Expr[]): Statement =>
  x.setFlags(FLAG_OP_FLAGS, x.i64(0), x.widen(bits(...parts)));

function opsOf(w: BitWidth): OpRow[] {
  const m = x.arithmetic(w);
  const type = m.type;
  const s = x.local("s", type);
  const r = x.local("r", type);
  const readS = x.letLocal("s", x.reg("s", w));
  const result = (value: Expr): Statement[] => [x.letLocal("r", value), x.setReg("d", w, r)];
  const isZero = (e: Expr): Expr => x.unary(`${type}.eqz`, e);
  const cf = (e: Expr): Expr => e;
  const zf = x.binary("i32.shl", isZero(r), x.i32(6));
  const sign =
    w === 64 ? x.unary("i32.wrap_i64", m.op("shr_u", r, m.constant(63))) : m.op("shr_u", r, m.constant(31));
  const sf = x.binary("i32.shl", sign, x.i32(7));
  const not = (e: Expr): Expr => x.unary("i32.eqz", e);
  const lower = m.op("sub", s, m.constant(1));

  /** The byte of `a` from this bit on, as i32. */
  const byteOfA = (from: number): Expr =>
    x.binary("i32.and", x.binary("i32.shr_u", x.reg("a", 32), x.i32(from)), x.i32(0xff));
  const count = (e: Expr): Expr => (w === 64 ? x.unary("i64.extend_i32_u", e) : e);
  /** The lowest n bits of a value; all of it from n = w on. */
  const lowest = (value: Expr, n: Expr): Expr =>
    x.select(
      x.binary("i32.lt_u", n, x.i32(w)),
      m.op("and", value, m.op("sub", m.op("shl", m.constant(1), count(n)), m.constant(1))),
      value,
    );
  const start = x.local("start", "i32");
  const n = x.local("n", "i32");
  const shifted = x.local("shifted", type);
  const pureBits = (name: "depositBits" | "extractBits"): Expr => {
    const value = x.pure(name, x.widen(x.reg("a", w)), x.widen(x.reg("s", w)));
    return w === 64 ? value : x.unary("i32.wrap_i64", value);
  };
  const shift = (name: string, step: "shl" | "shr_u" | "shr_s"): OpRow =>
    inline(`${name}${w}`, "long", [x.setReg("d", w, m.op(step, x.reg("s", w), x.reg("a", w)))]);

  return [
    ...withFlags(
      "andnot",
      w,
      "long",
      result(m.op("and", m.op("xor", x.reg("a", w), m.constant(-1)), x.reg("s", w))),
      x.setFlags(flagOp("logic", w), x.widen(r)),
    ),
    ...withFlags(
      "bextr",
      w,
      "long",
      [
        readS,
        x.letLocal("start", byteOfA(0)),
        x.letLocal("n", byteOfA(8)),
        x.letLocal(
          "shifted",
          x.select(x.binary("i32.lt_u", start, x.i32(w)), m.op("shr_u", s, count(start)), m.constant(0)),
        ),
        ...result(lowest(shifted, n)),
      ],
      setBits(zf),
    ),
    ...withFlags(
      "blsi",
      w,
      "short",
      [readS, ...result(m.op("and", s, m.op("sub", m.constant(0), s)))],
      setBits(cf(not(isZero(s))), zf, sf),
    ),
    ...withFlags("blsmsk", w, "short", [readS, ...result(m.op("xor", s, lower))], setBits(cf(isZero(s)), sf)),
    ...withFlags(
      "blsr",
      w,
      "short",
      [readS, ...result(m.op("and", s, lower))],
      setBits(cf(isZero(s)), zf, sf),
    ),
    ...withFlags(
      "bzhi",
      w,
      "long",
      [readS, x.letLocal("n", byteOfA(0)), ...result(lowest(s, n))],
      setBits(cf(x.binary("i32.ge_u", n, x.i32(w))), zf, sf),
    ),
    shift("shlx", "shl"),
    shift("shrx", "shr_u"),
    shift("sarx", "shr_s"),
    inline(`rorx${w}`, "short", [
      x.setReg("d", w, m.op("rotr", x.reg("s", w), w === 64 ? x.immSigned64 : x.imm32)),
    ]),
    inline(`pdep${w}`, "long", [x.setReg("d", w, pureBits("depositBits"))]),
    inline(`pext${w}`, "long", [x.setReg("d", w, pureBits("extractBits"))]),
    // The low half goes to a, then the high half to d, which is what is left if they are one register.
    inline(`mulx${w}`, "long", w === 64 ? mulx64 : mulx32),
    ...addWithFlag("adcx", w, CF),
    ...addWithFlag("adox", w, OF),
  ];
}

const mulx64: readonly Statement[] = [
  ...letHighProduct(x.gpr(DX, 64), x.reg("s", 64), false),
  x.letLocal("low", x.binary("i64.mul", x.gpr(DX, 64), x.reg("s", 64))),
  x.setReg("a", 64, x.local("low", "i64")),
  x.setReg("d", 64, x.local("high", "i64")),
];
const mulx32: readonly Statement[] = [
  x.letLocal("p", x.binary("i64.mul", x.widen(x.gpr(DX, 32)), x.widen(x.reg("s", 32)))),
  x.setReg("a", 32, x.unary("i32.wrap_i64", x.local("p", "i64"))),
  x.setReg("d", 32, x.unary("i32.wrap_i64", x.binary("i64.shr_u", x.local("p", "i64"), x.i64(32)))),
];

/** d = d + s + a flag, which takes the carry; the other flags stay. */
function addWithFlag(name: string, w: BitWidth, flag: typeof CF | typeof OF): OpRow[] {
  const m = x.arithmetic(w);
  const s = x.local("s", m.type);
  const r = x.local("r", m.type);
  const c = x.local("c", "i32");
  // Condition 2 is CF, condition 0 OF.
  const body = [
    x.letLocal("c", x.condition(flag === CF ? 2 : 0)),
    x.letLocal("s", x.reg("s", w)),
    x.letLocal("r", m.op("add", m.op("add", x.reg("d", w), s), w === 64 ? x.widen(c) : c)),
    x.setReg("d", w, r),
  ];
  const carry = x.select(c, m.op("le_u", r, s), m.op("lt_u", r, s));
  const kept = x.binary("i32.and", x.statusFlags, x.i32(STATUS_FLAGS & ~flag));
  const placed = flag === CF ? carry : x.binary("i32.shl", carry, x.i32(11));
  return withFlags(name, w, "short", body, setBits(kept, placed));
}

export const bitOps: readonly OpRow[] = bitWidths.flatMap(opsOf);
