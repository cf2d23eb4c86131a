/** Which flags machine code leaves open, found by decoding it: for sequences that are no longer as they were made. */
import { STATUS_FLAGS } from "../../../src/engine/ir/flags.ts";
import { DECODED, Decoder } from "../../../src/engine/x86/decode.ts";
import { instructionRows } from "../../../src/engine/x86/spec.ts";
import { featureNames } from "../../../src/cpu/index.ts";
import { type FlagEffect, flagEffectOf } from "../../conformance/flag-effects.ts";
import type { CpuMode } from "../../oracle/index.ts";

const BRANCHES = /^(j|loop|call|ret|iret)/;
const READS_ALL = /^(pushf|int|iret|into)/;

export type OpenFlags =
  | { readonly kind: "known"; readonly flags: number }
  /** There are branches, or what is no instruction. */
  | { readonly kind: "unknown" }
  /** An instruction's result depends on flags that are open before it. */
  | { readonly kind: "dependent" };

const decoder = new Decoder(instructionRows, new Set(featureNames));

function effectOf(): FlagEffect {
  const { mnemonic, operandKinds, operands, undefinedFlags } = decoder.row;
  const last = operandKinds.at(-1);
  const count = last === "1" ? 1 : last === "cl" ? undefined : decoder.immediate & 0xff;
  const bits = operands[0]?.width === 8 ? 8 : 8 << decoder.operandSize;
  const reads = READS_ALL.test(mnemonic) ? STATUS_FLAGS : 0;
  return flagEffectOf(mnemonic, count, bits) ?? { reads, defines: 0, undefines: undefinedFlags };
}

/** The flags that are open behind code that is executed from its first byte to its last. */
export function openFlagsOf(code: Uint8Array, mode: CpuMode): OpenFlags {
  const codeSize = mode === "long64" ? 2 : mode === "compat32" ? 1 : 0;
  let flags = 0;
  for (let at = 0; at < code.length; at += decoder.length) {
    const isInstruction = decoder.decode(code, at, code.length, codeSize) === DECODED;
    if (!isInstruction || BRANCHES.test(decoder.row.mnemonic)) return { kind: "unknown" };
    const { reads, defines, undefines } = effectOf();
    if ((reads & flags) !== 0) return { kind: "dependent" };
    flags = (flags & ~defines) | undefines;
  }
  return { kind: "known", flags };
}
