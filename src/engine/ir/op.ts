/**
 * What an IR op is: its name, the fields it encodes and its meaning. The rows stand in ops-*.ts; ops.ts numbers
 * them. An op never names an x86 instruction: several instructions share an op, several ops make an instruction.
 */
import { SEEN_TARGETS, SEEN_TARGETS_COUNT } from "../layout.ts";
import type { Expr, Statement } from "./expr.ts";

/**
 * Encodings, in 8-byte words. Every op starts with { op u16, d u8, s u8, imm i32 }.
 * short: that word alone. long: a second word { a u8, scale u8, u16, imm2 i32 }; a 64-bit immediate is imm2:imm.
 * branch: three words; imm = aux, then two chain addresses (u32), then two targets (i32, relative to the block's
 * RIP): taken and not taken. indirect: a branch, and behind it where it has led (layout.ts).
 */
export type OpFormat = "short" | "long" | "branch" | "indirect";
export const opFormatWords: Record<OpFormat, number> = {
  short: 1,
  long: 2,
  branch: 3,
  indirect: (SEEN_TARGETS + 4 * SEEN_TARGETS_COUNT) / 8,
};

export type OpMeaning =
  | { readonly kind: "inline"; readonly body: readonly Statement[] }
  /** A call of an exported core function h_<helper>(d, s, imm); see helper-row.ts. */
  | {
      readonly kind: "helper";
      readonly helper: string;
      readonly gprs: "none" | "all" | number;
      readonly ends: boolean;
    }
  | { readonly kind: "branch"; readonly branch: Branch }
  /** This op and those behind it, by name; encoded as the first of them (ops-sequences.ts). Never appended. */
  | { readonly kind: "sequence"; readonly parts: readonly string[] };

/** How a block ends, or what the dispatcher needs within it. */
export type Branch =
  /** First op of a block: counts instructions and heat, polls for exits. */
  | { readonly kind: "enter" }
  /** First op of a block that has been dropped: finds the translation that replaced it. Never appended. */
  | { readonly kind: "stale" }
  /** First op of a block that a compiled region enters: calls the region. Never appended. */
  | { readonly kind: "region" }
  /** RIP and NEXT_RIP := this instruction and the next (imm = offset | length << 16). */
  | { readonly kind: "syncpc" }
  /** To target 0. `call` and `next` say why, for the region compiler: a near call (target 1 is the return address). */
  | { readonly kind: "jump"; readonly why: "jump" | "call" | "next" }
  /** To target 0 if the condition is not 0, else to target 1. `before` runs first: fused compares set flags there. */
  | { readonly kind: "conditional"; readonly condition: Expr; readonly before?: readonly Statement[] }
  /**
   * To the address in slot s, or #GP(0) at this instruction. For `call`, target 1 is the return address, which `pushes`
   * pushes; for `return`, imm is how many bytes rSP has moved over in 64-bit mode, which a fault takes back.
   */
  | { readonly kind: "indirect"; readonly why: "jump" | "call" | "return"; readonly pushes?: true }
  /** #GP(0) at this instruction unless slot s is a canonical address; imm is 1 if it is about to push, as CALL is. */
  | { readonly kind: "canonical" }
  /** RIP = NEXT_RIP, back to the dispatcher. */
  | { readonly kind: "sysend" }
  /** Raises exception imm (no error code) at this instruction. */
  | { readonly kind: "raise" };

export interface OpRow {
  readonly name: string;
  readonly format: OpFormat;
  readonly meaning: OpMeaning;
  /** The same op without its effect on the flags, for when they are dead. */
  readonly withoutFlags?: string;
}

/** What the passes must know of an op; derived from its meaning by ops.ts. */
export interface OpEffects {
  readonly readsFlags: boolean;
  /** Overwrites all six status flags whatever they were. */
  readonly killsFlags: boolean;
  readonly writesFlags: boolean;
  readonly mayFault: boolean;
  readonly endsBlock: boolean;
}
