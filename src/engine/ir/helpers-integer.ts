/** Helpers of integer arithmetic that expressions would make too large: core/integer.ts. */
import type { HelperRow } from "./helper-row.ts";

type Options = Partial<Pick<HelperRow, "d" | "s" | "imm" | "gprs" | "faults" | "ends" | "flags">>;
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

export const integerHelpers: readonly HelperRow[] = [
  /** DIV and IDIV of rDX:rAX (AX for 8 bits) by slot s; #DE. The status flags keep their values. */
  ...([8, 16, 32, 64] as const).flatMap((w) => [
    row(`div${w}`, { s: `r${w}`, gprs: "all", faults: true }),
    row(`idiv${w}`, { s: `r${w}`, gprs: "all", faults: true }),
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
  row("align16", { s: "r64", faults: true }),
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
  row("maskmovdqu", { d: "xmm", s: "r64", imm: "XMM register with the mask", faults: true }),
  /** CLD and STD. */
  row("cld"),
  row("std"),
];
