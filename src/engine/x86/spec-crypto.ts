/**
 * The x86 table: AES, PCLMULQDQ and SHA in their legacy SSE encodings, whose memory operands must be aligned to 16
 * bytes. SDM 1, 12.13; SDM 2. Deliberately missing: the VEX-encoded forms, Key Locker.
 */
import { sse } from "./lower-fpu.ts";
import { binary, binaryImmediate } from "./lower-sse.ts";
import { row, type InstructionRow } from "./row.ts";

export const cryptoRows: readonly InstructionRow[] = [
  row("66 0F 38 DB /r", "aesimc", "xmm, xmm/m128", sse(binary("aesimc", 128)), "aes"),
  row("66 0F 38 DC /r", "aesenc", "xmm, xmm/m128", sse(binary("aesenc", 128)), "aes"),
  row("66 0F 38 DD /r", "aesenclast", "xmm, xmm/m128", sse(binary("aesenclast", 128)), "aes"),
  row("66 0F 38 DE /r", "aesdec", "xmm, xmm/m128", sse(binary("aesdec", 128)), "aes"),
  row("66 0F 38 DF /r", "aesdeclast", "xmm, xmm/m128", sse(binary("aesdeclast", 128)), "aes"),
  row(
    "66 0F 3A DF /r ib",
    "aeskeygenassist",
    "xmm, xmm/m128, imm8",
    sse(binaryImmediate("aeskeygenassist", 128)),
    "aes",
  ),
  row(
    "66 0F 3A 44 /r ib",
    "pclmulqdq",
    "xmm, xmm/m128, imm8",
    sse(binaryImmediate("pclmulqdq", 128)),
    "pclmulqdq",
  ),

  row("NP 0F 3A CC /r ib", "sha1rnds4", "xmm, xmm/m128, imm8", sse(binaryImmediate("sha1rnds4", 128)), "sha"),
  row("NP 0F 38 C8 /r", "sha1nexte", "xmm, xmm/m128", sse(binary("sha1nexte", 128)), "sha"),
  row("NP 0F 38 C9 /r", "sha1msg1", "xmm, xmm/m128", sse(binary("sha1msg1", 128)), "sha"),
  row("NP 0F 38 CA /r", "sha1msg2", "xmm, xmm/m128", sse(binary("sha1msg2", 128)), "sha"),
  row("NP 0F 38 CB /r", "sha256rnds2", "xmm, xmm/m128", sse(binary("sha256rnds2", 128)), "sha"),
  row("NP 0F 38 CC /r", "sha256msg1", "xmm, xmm/m128", sse(binary("sha256msg1", 128)), "sha"),
  row("NP 0F 38 CD /r", "sha256msg2", "xmm, xmm/m128", sse(binary("sha256msg2", 128)), "sha"),
];
