/**
 * A helper: an exported core function `h_<name>(d: u32, s: u32, imm: i32): u32` that the IR calls where an
 * expression would not do. It returns 0, or 1 with a fault recorded and nothing else changed.
 */
import type { Expr, FloatLanes, Statement } from "./expr.ts";

/** What a one-byte operand of a helper names, and whether the helper reads (r), writes (w) or does both (rw). */
export type HelperOperand =
  | "none"
  | `${"r" | "w" | "rw"}${8 | 16 | 32 | 64}`
  /** An XMM register index (16 and 17 are the translator's temporaries). */
  | "xmm"
  /** An x87 or MMX register index. */
  | "st"
  | "mm"
  /** A segment register number, or any other small number that is no register slot. */
  | "number";

export interface QuickForm {
  /** What `when` needs to be known: locals. */
  readonly before?: readonly Statement[];
  readonly when: Expr;
  readonly body: readonly Statement[];
  /** What is done in its place if this general register, which the body writes, is not needed behind it. */
  readonly without?: { readonly gpr: number; readonly body: readonly Statement[] };
  /** Of which XMM operands these lanes are ordinary floats behind it, on the quick way. */
  readonly ordinary?: { readonly lanes: FloatLanes; readonly operands: readonly ("d" | "s")[] };
}

export interface HelperRow {
  readonly name: string;
  readonly d: HelperOperand;
  readonly s: HelperOperand;
  /** What the immediate means; "none" if it is ignored. */
  readonly imm: string;
  /** General registers that the function reads or writes other than through d and s: a bit for each, or "all". */
  readonly gprs: "none" | "all" | number;
  /** "all": it reads or writes XMM registers other than through d and s. */
  readonly xmms?: "all";
  /** "writes": it may change more of MXCSR than set exception flags. */
  readonly mxcsr?: "writes";
  /** It may return 1. */
  readonly faults: boolean;
  /** It ends its block: it may change RIP, the mode, paging or what interrupts are taken. */
  readonly ends: boolean;
  /** "writes": all status flags, by setFlags() and whatever they were; what does it otherwise has "both". */
  readonly flags: "none" | "reads" | "writes" | "both";
  /** Called only if one of these bits of a u32 state field is set; else it would do nothing. Without operands. */
  readonly when?: { readonly offset: number; readonly mask: number };
  /**
   * What a compiled region does in place of the call if `when` is not 0: the same, in its own code. It does not fault
   * and writes whole registers, those of `gprs` and operands; flags that the helper writes it sets as status flags
   * (ir/flags.ts: `flags`).
   */
  readonly quick?: QuickForm;
}
