/**
 * Lazy status flags: an operation stores what it did (kind, size, two or three values) and CF PF AF ZF SF OF are
 * computed when somebody asks. This table is their one definition; core/flags.gen.ts is printed from it, and the
 * region compiler folds it where the kind is known. Flag meanings: SDM 1, 3.4.3.1 and appendix A.
 *
 * Values are zero-extended to 64 bits. `dst`, `src` and `aux` mean, for each kind:
 */
import * as x from "./expr.ts";
import type { Expr, Width } from "./expr.ts";

export const flagKinds = {
  /** src = the status bits themselves, in EFLAGS positions. */
  flags: 0,
  /** dst = result, src = second operand. */
  add: 1,
  /** dst = result, src = second operand, aux = carry in. */
  adc: 2,
  /** dst = first operand, src = second operand (the result is their difference). */
  sub: 3,
  /** dst = first operand, src = second operand, aux = borrow in. */
  sbb: 4,
  /** dst = result; CF = OF = AF = 0. */
  logic: 5,
  /** dst = result, src = CF before. */
  inc: 6,
  dec: 7,
  /** dst = result, src = operand << (count - 1), truncated. */
  shl: 8,
  /** dst = result, src = operand >> (count - 1). */
  shr: 9,
  sar: 10,
  /** dst = low half of the product, src = 1 if the product does not fit (CF = OF). */
  mul: 11,
} as const;
export type FlagKind = keyof typeof flagKinds;
export const FLAG_KIND_COUNT = 12;

const sizeLog2: Record<Width, number> = { 8: 0, 16: 1, 32: 2, 64: 3 };

/** The CC_OP value of a kind at an operand width. */
export const flagOp = (kind: FlagKind, width: Width): number => flagKinds[kind] * 4 + sizeLog2[width];
export const FLAG_OP_FLAGS = flagOp("flags", 8);

export const CF = 0x001;
export const PF = 0x004;
export const AF = 0x010;
export const ZF = 0x040;
export const SF = 0x080;
export const OF = 0x800;
export const STATUS_FLAGS = CF | PF | AF | ZF | SF | OF;

/** Where the lazy values come from: memory or locals, all i64. `shift` is 64 minus the operand width, as i64. */
export interface FlagInputs {
  readonly dst: Expr;
  readonly src: Expr;
  readonly aux: Expr;
  readonly shift: Expr;
}

type Flag = "cf" | "zf" | "sf" | "of" | "pf" | "af";

const and = (a: Expr, b: Expr): Expr => x.binary("i64.and", a, b);
const xor = (a: Expr, b: Expr): Expr => x.binary("i64.xor", a, b);
const sub = (a: Expr, b: Expr): Expr => x.binary("i64.sub", a, b);
const add = (a: Expr, b: Expr): Expr => x.binary("i64.add", a, b);
const shl = (a: Expr, n: Expr): Expr => x.binary("i64.shl", a, n);
const zero = x.i64(0);
/** Bit 63 of an i64 as i32 0 or 1. */
const top = (a: Expr): Expr => x.binary("i64.lt_s", a, zero);
/** Whether any of these bits is set in status flags that are there as such. */
const anyFlag = (i: FlagInputs, bits: number): Expr =>
  x.binary("i32.ne", x.binary("i32.and", x.unary("i32.wrap_i64", i.src), x.i32(bits)), x.i32(0));

/** The result of the operation in the low bits (higher bits are garbage), as i64. */
function result(kind: FlagKind, i: FlagInputs): Expr {
  if (kind === "sub") return sub(i.dst, i.src);
  if (kind === "sbb") return sub(sub(i.dst, i.src), i.aux);
  return i.dst;
}

/** The first operand of an addition or subtraction (low bits). */
function firstOperand(kind: FlagKind, i: FlagInputs): Expr {
  if (kind === "sub" || kind === "sbb") return i.dst;
  if (kind === "adc") return sub(sub(i.dst, i.src), i.aux);
  if (kind === "inc") return sub(i.dst, x.i64(1));
  if (kind === "dec") return add(i.dst, x.i64(1));
  return sub(i.dst, i.src);
}

/** Overflow of an addition: both operands differ in sign from the result. */
const addOverflow = (a: Expr, b: Expr, r: Expr, i: FlagInputs): Expr =>
  top(shl(and(xor(a, r), xor(b, r)), i.shift));
const subOverflow = (a: Expr, b: Expr, r: Expr, i: FlagInputs): Expr =>
  top(shl(and(xor(a, b), xor(a, r)), i.shift));

function carry(kind: FlagKind, i: FlagInputs): Expr {
  const up = (e: Expr): Expr => shl(e, i.shift);
  switch (kind) {
    case "flags":
      return anyFlag(i, CF);
    case "add":
      return x.binary("i64.lt_u", up(i.dst), up(i.src));
    case "adc":
      return x.select(
        x.unary("i32.wrap_i64", i.aux),
        x.binary("i64.le_u", up(i.dst), up(i.src)),
        x.binary("i64.lt_u", up(i.dst), up(i.src)),
      );
    case "sub":
      return x.binary("i64.lt_u", up(i.dst), up(i.src));
    case "sbb":
      return x.select(
        x.unary("i32.wrap_i64", i.aux),
        x.binary("i64.le_u", up(i.dst), up(i.src)),
        x.binary("i64.lt_u", up(i.dst), up(i.src)),
      );
    case "logic":
      return x.i32(0);
    case "inc":
    case "dec":
      return x.unary("i32.wrap_i64", i.src);
    case "shl":
      return top(up(i.src));
    case "shr":
    case "sar":
      return x.unary("i32.wrap_i64", and(i.src, x.i64(1)));
    case "mul":
      return x.unary("i32.wrap_i64", i.src);
  }
}

function overflow(kind: FlagKind, i: FlagInputs): Expr {
  const first = firstOperand(kind, i);
  switch (kind) {
    case "flags":
      return anyFlag(i, OF);
    case "add":
    case "adc":
      return addOverflow(first, i.src, i.dst, i);
    case "sub":
    case "sbb":
      return subOverflow(i.dst, i.src, result(kind, i), i);
    case "logic":
      return x.i32(0);
    case "inc":
      return addOverflow(first, x.i64(1), i.dst, i);
    case "dec":
      return subOverflow(first, x.i64(1), i.dst, i);
    case "shl":
    case "shr":
    case "sar":
      return top(shl(xor(i.src, i.dst), i.shift));
    case "mul":
      return x.unary("i32.wrap_i64", i.src);
  }
}

function adjust(kind: FlagKind, i: FlagInputs): Expr {
  const bit4 = (e: Expr): Expr => x.unary("i32.wrap_i64", and(x.binary("i64.shr_u", e, x.i64(4)), x.i64(1)));
  switch (kind) {
    case "flags":
      return anyFlag(i, AF);
    case "add":
    case "adc":
    case "sub":
    case "sbb":
      return bit4(xor(xor(firstOperand(kind, i), i.src), result(kind, i)));
    case "inc":
    case "dec":
      return bit4(xor(firstOperand(kind, i), i.dst));
    default:
      return x.i32(0);
  }
}

/** Even parity of the low byte, folded with xor and looked up in the 16-bit constant 0x9669. */
function parity(kind: FlagKind, i: FlagInputs): Expr {
  if (kind === "flags") return anyFlag(i, PF);
  const r = x.unary("i32.wrap_i64", result(kind, i));
  const nibble = x.binary("i32.and", x.binary("i32.xor", r, x.binary("i32.shr_u", r, x.i32(4))), x.i32(15));
  return x.binary("i32.and", x.binary("i32.shr_u", x.i32(0x9669), nibble), x.i32(1));
}

/** One status flag as i32 0 or 1. */
export function flag(name: Flag, kind: FlagKind, i: FlagInputs): Expr {
  switch (name) {
    case "cf":
      return carry(kind, i);
    case "of":
      return overflow(kind, i);
    case "zf":
      return kind === "flags" ? anyFlag(i, ZF) : x.unary("i64.eqz", shl(result(kind, i), i.shift));
    case "sf":
      return kind === "flags" ? anyFlag(i, SF) : top(shl(result(kind, i), i.shift));
    case "pf":
      return parity(kind, i);
    case "af":
      return adjust(kind, i);
  }
}

const not = (e: Expr): Expr => x.unary("i32.eqz", e);

/**
 * An x86 condition code (0–15: O NO B AE E NE BE A S NS P NP L GE LE G) as i32 0 or 1. Comparisons use the shortcut
 * that a subtraction's operands give.
 */
export function conditionOf(code: number, kind: FlagKind, i: FlagInputs): Expr {
  if ((code & 1) === 1) return not(conditionOf(code & ~1, kind, i));
  const up = (e: Expr): Expr => shl(e, i.shift);
  const f = (name: Flag): Expr => flag(name, kind, i);
  switch (code) {
    case 0:
      return f("of");
    case 2:
      return f("cf");
    case 4:
      return kind === "sub" ? x.binary("i64.eq", up(i.dst), up(i.src)) : f("zf");
    case 6:
      if (kind === "sub") return x.binary("i64.le_u", up(i.dst), up(i.src));
      return kind === "flags" ? anyFlag(i, CF | ZF) : x.binary("i32.or", f("cf"), f("zf"));
    case 8:
      return f("sf");
    case 10:
      return f("pf");
    case 12:
      if (kind === "sub") return x.binary("i64.lt_s", up(i.dst), up(i.src));
      return kind === "logic" ? f("sf") : x.binary("i32.xor", f("sf"), f("of"));
    default:
      if (kind === "sub") return x.binary("i64.le_s", up(i.dst), up(i.src));
      return x.binary("i32.or", f("zf"), kind === "logic" ? f("sf") : x.binary("i32.xor", f("sf"), f("of")));
  }
}
