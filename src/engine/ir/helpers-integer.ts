/** Helpers of integer arithmetic that expressions would make too large: core/integer.ts. */
import * as x from "./expr.ts";
import type { HelperRow, QuickForm } from "./helper-row.ts";

type Options = Partial<
  Pick<HelperRow, "d" | "s" | "imm" | "gprs" | "xmms" | "faults" | "ends" | "flags" | "quick">
>;
const row = (name: string, options: Options = {}): HelperRow => ({
  name,
  d: "none",
  s: "none",
  imm: "none",
  gprs: "none",
  faults: false,
  ends: false,
  flags: "none",
  ...options,
});

const AX = 0;
const DX = 2;

/** DIV of a dividend whose upper half is 0, as compilers make them, by what is not 0. */
function quickDivision(w: 32 | 64): QuickForm {
  const m = x.arithmetic(w);
  const isZero = m.op("eq", x.gpr(DX, w), m.constant(0));
  const isDivisor = m.op("ne", x.reg("s", w), m.constant(0));
  // The processor's own division gives the remainder sooner than a product and a difference behind it.
  const remainder = x.setGpr(DX, w, m.op("rem_u", x.gpr(AX, w), x.reg("s", w)));
  return {
    when: x.binary("i32.and", isZero, isDivisor),
    body: division(w, "div_u"),
    without: { gpr: AX, body: [remainder] },
  };
}

/** IDIV of a dividend that the lower half says all of, as CDQ and CQO make it, by what is neither 0 nor -1. */
function quickSignedDivision(w: 32 | 64): QuickForm {
  const m = x.arithmetic(w);
  const isExtended = m.op("eq", x.gpr(DX, w), m.op("shr_s", x.gpr(AX, w), m.constant(w - 1)));
  const isDivisor = m.op("gt_u", m.op("add", x.reg("s", w), m.constant(1)), m.constant(1));
  return { when: x.binary("i32.and", isExtended, isDivisor), body: division(w, "div_s") };
}

function division(w: 32 | 64, divide: "div_u" | "div_s"): readonly x.Statement[] {
  const m = x.arithmetic(w);
  const dividend = x.local("dividend", m.type);
  const divisor = x.local("divisor", m.type);
  const quotient = x.local("quotient", m.type);
  return [
    x.letLocal("dividend", x.gpr(AX, w)),
    x.letLocal("divisor", x.reg("s", w)),
    x.letLocal("quotient", m.op(divide, dividend, divisor)),
    x.setGpr(AX, w, quotient),
    x.setGpr(DX, w, m.op("sub", dividend, m.op("mul", quotient, divisor))),
  ];
}

const isAligned16 = x.unary("i32.eqz", x.binary("i32.and", x.reg("s", 32), x.i32(15)));

const dividendGprs = (1 << AX) | (1 << DX);

export const integerHelpers: readonly HelperRow[] = [
  /** DIV and IDIV of rDX:rAX (AX for 8 bits) by slot s; #DE. The status flags keep their values. */
  ...([8, 16] as const).flatMap((w) => [
    row(`div${w}`, { s: `r${w}`, gprs: dividendGprs, faults: true }),
    row(`idiv${w}`, { s: `r${w}`, gprs: dividendGprs, faults: true }),
  ]),
  ...([32, 64] as const).flatMap((w) => [
    row(`div${w}`, { s: `r${w}`, gprs: dividendGprs, faults: true, quick: quickDivision(w) }),
    row(`idiv${w}`, { s: `r${w}`, gprs: dividendGprs, faults: true, quick: quickSignedDivision(w) }),
  ]),
  /** RCL and RCR of slot d by the low byte of slot s, or by the immediate when the name says so. */
  ...([8, 16, 32, 64] as const).flatMap((w) => [
    row(`rcl${w}`, { d: `rw${w}`, s: "r8", flags: "both" }),
    row(`rcr${w}`, { d: `rw${w}`, s: "r8", flags: "both" }),
    row(`rcli${w}`, { d: `rw${w}`, imm: "count", flags: "both" }),
    row(`rcri${w}`, { d: `rw${w}`, imm: "count", flags: "both" }),
  ]),
  /** SHLD and SHRD of slot d from slot s by the immediate, or by CL if that is 0. */
  ...([16, 32, 64] as const).flatMap((w) => [
    row(`shldcl${w}`, { d: `rw${w}`, s: `r${w}`, imm: "count, or 0 for CL", gprs: "all", flags: "both" }),
    row(`shrdcl${w}`, { d: `rw${w}`, s: `r${w}`, imm: "count, or 0 for CL", gprs: "all", flags: "both" }),
  ]),
  /** CMPXCHG8B and CMPXCHG16B on the linear address in slot s (16 bytes: #GP unless aligned). */
  row("cmpxchg8b", { s: "r64", gprs: "all", faults: true, flags: "both" }),
  row("cmpxchg16b", { s: "r64", gprs: "all", faults: true, flags: "both" }),
  /** #GP(0) unless the linear address in slot s is a multiple of 16: 128-bit operands of legacy SSE instructions. */
  row("align16", { s: "r64", faults: true, quick: { when: isAligned16, body: [] } }),
  /** #GP(0) in place of an instruction: the `raise` op knows no error codes. */
  row("raise_gp0", { faults: true }),
  row("daa", { gprs: "all", flags: "both" }),
  row("das", { gprs: "all", flags: "both" }),
  row("aaa", { gprs: "all", flags: "both" }),
  row("aas", { gprs: "all", flags: "both" }),
  row("aam", { imm: "base", gprs: "all", faults: true, flags: "both" }),
  row("aad", { imm: "base", gprs: "all", flags: "writes" }),
  /** PUSHA and POPA with the operand size in bytes as immediate (the stack size comes from SS.B). */
  row("pusha", { imm: "operand size in bytes", gprs: "all", faults: true }),
  row("popa", { imm: "operand size in bytes", gprs: "all", faults: true }),
  /** ENTER: imm = frame size | nesting level << 16 | operand size in bytes << 24. */
  row("enter_frame", { imm: "frame size, nesting level, operand size", gprs: "all", faults: true }),
  /** BOUND: index in slot d against the pair of bounds at the linear address in slot s; imm = operand size in bits. */
  row("bound", { d: "r32", s: "r64", imm: "operand size in bits", faults: true }),
  /** Integer SIMD that WebAssembly has no instructions for: core/simd-integer.ts. */
  row("phminposuw", { d: "xmm", s: "xmm" }),
  row("mpsadbw", { d: "xmm", s: "xmm", imm: "offsets" }),
  /** MASKMOVDQU: bytes of XMM d to the linear address in slot s where the mask's sign bits are set. */
  row("maskmovdqu", { d: "xmm", s: "r64", imm: "XMM register with the mask", faults: true, xmms: "all" }),
  /** CLD and STD. */
  row("cld"),
  row("std"),
];
