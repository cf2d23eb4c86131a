/**
 * Helpers of AES, carry-less multiplication and SHA (core/aes.ts, core/polynomials.ts, core/sha.ts): XMM to XMM, no
 * exceptions. #NM and #UD from CR0, CR4 and CPUID are the translator's to check.
 */
import type { HelperRow } from "./helper-row.ts";

const row = <const Name extends string>(name: Name, imm = "none") =>
  ({
    name,
    d: "xmm",
    s: "xmm",
    imm,
    gprs: "none",
    faults: false,
    ends: false,
    flags: "none",
  }) satisfies HelperRow;

export const cryptoHelpers = [
  row("aesenc"),
  row("aesenclast"),
  row("aesdec"),
  row("aesdeclast"),
  row("aesimc"),
  row("aeskeygenassist", "round constant"),
  row("pclmulqdq", "bit 0: quadword of d, bit 4: quadword of s"),
  row("sha1rnds4", "which twenty of the eighty rounds"),
  row("sha1nexte"),
  row("sha1msg1"),
  row("sha1msg2"),
  // Reads XMM0 besides.
  { ...row("sha256rnds2"), xmms: "all" },
  row("sha256msg1"),
  row("sha256msg2"),
] as const satisfies readonly HelperRow[];
