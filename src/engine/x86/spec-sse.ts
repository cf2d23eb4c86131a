/**
 * The x86 table: SSE to SSE4.2. Moves, logic and integer operations are IR ops (ir/ops-simd.ts), as WebAssembly SIMD;
 * floating-point arithmetic, conversions and string comparisons come from the forms of ir/helpers-sse.ts. SDM 1,
 * chapters 10–12; SDM 2.
 *
 * 128-bit memory operands must be aligned to 16 bytes, except where the row says unaligned. AES,
 * PCLMULQDQ and SHA are in spec-crypto.ts. Deliberately missing: SSE4a and AVX.
 */
import type { Feature } from "../../cpu/index.ts";
import { sseFloatForms, type SseForm } from "../ir/helpers-sse.ts";
import { opNumber } from "../ir/ops.ts";
import { sse } from "./lower-fpu.ts";
import * as m from "./lower-sse.ts";
import { makeRow, row, type InstructionRow } from "./row.ts";

/** "opcode byte", mnemonic, feature: d = d op s on whole registers. */
type Binary = readonly [opcode: string, mnemonic: string, feature?: Feature];

const binary: readonly Binary[] = [
  ["60", "punpcklbw"],
  ["61", "punpcklwd"],
  ["62", "punpckldq"],
  ["63", "packsswb"],
  ["64", "pcmpgtb"],
  ["65", "pcmpgtw"],
  ["66", "pcmpgtd"],
  ["67", "packuswb"],
  ["68", "punpckhbw"],
  ["69", "punpckhwd"],
  ["6A", "punpckhdq"],
  ["6B", "packssdw"],
  ["6C", "punpcklqdq"],
  ["6D", "punpckhqdq"],
  ["74", "pcmpeqb"],
  ["75", "pcmpeqw"],
  ["76", "pcmpeqd"],
  ["D1", "psrlw"],
  ["D2", "psrld"],
  ["D3", "psrlq"],
  ["D4", "paddq"],
  ["D5", "pmullw"],
  ["D8", "psubusb"],
  ["D9", "psubusw"],
  ["DA", "pminub"],
  ["DB", "pand"],
  ["DC", "paddusb"],
  ["DD", "paddusw"],
  ["DE", "pmaxub"],
  ["DF", "pandn"],
  ["E0", "pavgb"],
  ["E1", "psraw"],
  ["E2", "psrad"],
  ["E3", "pavgw"],
  ["E4", "pmulhuw"],
  ["E5", "pmulhw"],
  ["E8", "psubsb"],
  ["E9", "psubsw"],
  ["EA", "pminsw"],
  ["EB", "por"],
  ["EC", "paddsb"],
  ["ED", "paddsw"],
  ["EE", "pmaxsw"],
  ["EF", "pxor"],
  ["F1", "psllw"],
  ["F2", "pslld"],
  ["F3", "psllq"],
  ["F4", "pmuludq"],
  ["F5", "pmaddwd"],
  ["F6", "psadbw"],
  ["F8", "psubb"],
  ["F9", "psubw"],
  ["FA", "psubd"],
  ["FB", "psubq"],
  ["FC", "paddb"],
  ["FD", "paddw"],
  ["FE", "paddd"],
  ["38 00", "pshufb", "ssse3"],
  ["38 01", "phaddw", "ssse3"],
  ["38 02", "phaddd", "ssse3"],
  ["38 03", "phaddsw", "ssse3"],
  ["38 04", "pmaddubsw", "ssse3"],
  ["38 05", "phsubw", "ssse3"],
  ["38 06", "phsubd", "ssse3"],
  ["38 07", "phsubsw", "ssse3"],
  ["38 08", "psignb", "ssse3"],
  ["38 09", "psignw", "ssse3"],
  ["38 0A", "psignd", "ssse3"],
  ["38 0B", "pmulhrsw", "ssse3"],
  ["38 1C", "pabsb", "ssse3"],
  ["38 1D", "pabsw", "ssse3"],
  ["38 1E", "pabsd", "ssse3"],
  ["38 28", "pmuldq", "sse4_1"],
  ["38 29", "pcmpeqq", "sse4_1"],
  ["38 2B", "packusdw", "sse4_1"],
  ["38 37", "pcmpgtq", "sse4_2"],
  ["38 38", "pminsb", "sse4_1"],
  ["38 39", "pminsd", "sse4_1"],
  ["38 3A", "pminuw", "sse4_1"],
  ["38 3B", "pminud", "sse4_1"],
  ["38 3C", "pmaxsb", "sse4_1"],
  ["38 3D", "pmaxsd", "sse4_1"],
  ["38 3E", "pmaxuw", "sse4_1"],
  ["38 3F", "pmaxud", "sse4_1"],
  ["38 40", "pmulld", "sse4_1"],
  ["38 41", "phminposuw", "sse4_1"],
];

/** PMOVSX and PMOVZX with the width of their memory operand. */
const widening = (["pmovsx", "pmovzx"] as const).flatMap((base, i) =>
  (
    [
      [0x20, "bw", 64],
      [0x21, "bd", 32],
      [0x22, "bq", 16],
      [0x23, "wd", 64],
      [0x24, "wq", 32],
      [0x25, "dq", 64],
    ] as const
  ).map(([opcode, suffix, bits]) => {
    const code = (opcode + 0x10 * i).toString(16).toUpperCase();
    const meaning = sse(m.binary(`${base}${suffix}`, bits));
    return makeRow(`66 0F 38 ${code} /r`, `${base}${suffix}`, `xmm, xmm/m${bits}`, meaning, ["sse4_1"]);
  }),
);

/** Shifts by an immediate. */
const shifts = (
  [
    ["71 /2", "psrlw"],
    ["71 /4", "psraw"],
    ["71 /6", "psllw"],
    ["72 /2", "psrld"],
    ["72 /4", "psrad"],
    ["72 /6", "pslld"],
    ["73 /2", "psrlq"],
    ["73 /6", "psllq"],
    ["73 /3", "psrldq"],
    ["73 /7", "pslldq"],
  ] as const
).map(([opcode, name]) => row(`66 0F ${opcode} ib`, name, "uxmm, imm8", sse(m.shiftImmediate(name)), "sse2"));

/** Bitwise logic and interleaving of packed floats: the integer ops for single and double precision. */
const logic = (
  [
    ["54", "and", "pand", "pand"],
    ["55", "andn", "pandn", "pandn"],
    ["56", "or", "por", "por"],
    ["57", "xor", "pxor", "pxor"],
    ["14", "unpckl", "punpckldq", "punpcklqdq"],
    ["15", "unpckh", "punpckhdq", "punpckhqdq"],
  ] as const
).flatMap(([opcode, name, single, double]) => [
  row(`NP 0F ${opcode} /r`, `${name}ps`, "xmm, xmm/m128", sse(m.binary(single, 128)), "sse"),
  row(`66 0F ${opcode} /r`, `${name}pd`, "xmm, xmm/m128", sse(m.binary(double, 128)), "sse2"),
]);

const moves: readonly InstructionRow[] = [
  row("NP 0F 10 /r", "movups", "xmm, xmm/m128", sse(m.load128(false)), "sse"),
  row("66 0F 10 /r", "movupd", "xmm, xmm/m128", sse(m.load128(false)), "sse2"),
  row("NP 0F 11 /r", "movups", "xmm/m128, xmm", sse(m.store128(false)), "sse"),
  row("66 0F 11 /r", "movupd", "xmm/m128, xmm", sse(m.store128(false)), "sse2"),
  row("NP 0F 28 /r", "movaps", "xmm, xmm/m128", sse(m.load128(true)), "sse"),
  row("66 0F 28 /r", "movapd", "xmm, xmm/m128", sse(m.load128(true)), "sse2"),
  row("NP 0F 29 /r", "movaps", "xmm/m128, xmm", sse(m.store128(true)), "sse"),
  row("66 0F 29 /r", "movapd", "xmm/m128, xmm", sse(m.store128(true)), "sse2"),
  row("66 0F 6F /r", "movdqa", "xmm, xmm/m128", sse(m.load128(true)), "sse2"),
  row("F3 0F 6F /r", "movdqu", "xmm, xmm/m128", sse(m.load128(false)), "sse2"),
  row("66 0F 7F /r", "movdqa", "xmm/m128, xmm", sse(m.store128(true)), "sse2"),
  row("F3 0F 7F /r", "movdqu", "xmm/m128, xmm", sse(m.store128(false)), "sse2"),
  row("NP 0F 2B /r", "movntps", "m128, xmm", sse(m.store128(true)), "sse"),
  row("66 0F 2B /r", "movntpd", "m128, xmm", sse(m.store128(true)), "sse2"),
  row("66 0F E7 /r", "movntdq", "m128, xmm", sse(m.store128(true)), "sse2"),
  row("66 0F 38 2A /r", "movntdqa", "xmm, m128", sse(m.load128(true)), "sse4_1"),
  row("F2 0F F0 /r", "lddqu", "xmm, m128", sse(m.load128(false)), "sse3"),

  row("F3 0F 10 /r", "movss", "xmm, xmm/m32", sse(m.loadScalar("movss", 32)), "sse"),
  row("F2 0F 10 /r", "movsd", "xmm, xmm/m64", sse(m.loadScalar("movsd", 64)), "sse2"),
  row("F3 0F 11 /r", "movss", "xmm/m32, xmm", sse(m.storeScalar("movss", 32)), "sse"),
  row("F2 0F 11 /r", "movsd", "xmm/m64, xmm", sse(m.storeScalar("movsd", 64)), "sse2"),
  row("F3 0F 7E /r", "movq", "xmm, xmm/m64", sse(m.loadScalar("movq", 64)), "sse2"),
  row("66 0F D6 /r", "movq", "xmm/m64, xmm", sse(m.storeScalar("movq", 64)), "sse2"),

  row("NP 0F 12 /r", "movhlps", "xmm, uxmm", sse(m.binary("movhlps", 128)), "sse"),
  row("NP 0F 12 /r", "movlps", "xmm, m64", sse(m.loadHalf("low")), "sse"),
  row("66 0F 12 /r", "movlpd", "xmm, m64", sse(m.loadHalf("low")), "sse2"),
  row("NP 0F 13 /r", "movlps", "m64, xmm", sse(m.storeHalf("low")), "sse"),
  row("66 0F 13 /r", "movlpd", "m64, xmm", sse(m.storeHalf("low")), "sse2"),
  row("NP 0F 16 /r", "movlhps", "xmm, uxmm", sse(m.binary("movlhps", 128)), "sse"),
  row("NP 0F 16 /r", "movhps", "xmm, m64", sse(m.loadHalf("high")), "sse"),
  row("66 0F 16 /r", "movhpd", "xmm, m64", sse(m.loadHalf("high")), "sse2"),
  row("NP 0F 17 /r", "movhps", "m64, xmm", sse(m.storeHalf("high")), "sse"),
  row("66 0F 17 /r", "movhpd", "m64, xmm", sse(m.storeHalf("high")), "sse2"),
  row("F3 0F 12 /r", "movsldup", "xmm, xmm/m128", sse(m.binary("movsldup", 128)), "sse3"),
  row("F3 0F 16 /r", "movshdup", "xmm, xmm/m128", sse(m.binary("movshdup", 128)), "sse3"),
  row("F2 0F 12 /r", "movddup", "xmm, xmm/m64", sse(m.binary("movddup", 64)), "sse3"),

  row("66 0F 6E /r", "movd", "xmm, rmy", sse(m.fromGeneral), "sse2"),
  row("66 0F 7E /r", "movd", "rmy, xmm", sse(m.toGeneral), "sse2"),
  row("NP 0F 50 /r", "movmskps", "r32, uxmm", sse(m.mask("movmskps")), "sse"),
  row("66 0F 50 /r", "movmskpd", "r32, uxmm", sse(m.mask("movmskpd")), "sse2"),
  row("66 0F D7 /r", "pmovmskb", "r32, uxmm", sse(m.mask("pmovmskb")), "sse2"),
  row("66 0F F7 /r", "maskmovdqu", "xmm, uxmm", sse(m.maskedStore), "sse2"),
];

const shuffles: readonly InstructionRow[] = [
  row("66 0F 70 /r ib", "pshufd", "xmm, xmm/m128, imm8", sse(m.binaryImmediate("pshufd", 128)), "sse2"),
  row("F3 0F 70 /r ib", "pshufhw", "xmm, xmm/m128, imm8", sse(m.binaryImmediate("pshufhw", 128)), "sse2"),
  row("F2 0F 70 /r ib", "pshuflw", "xmm, xmm/m128, imm8", sse(m.binaryImmediate("pshuflw", 128)), "sse2"),
  row("NP 0F C6 /r ib", "shufps", "xmm, xmm/m128, imm8", sse(m.binaryImmediate("shufps", 128)), "sse"),
  row("66 0F C6 /r ib", "shufpd", "xmm, xmm/m128, imm8", sse(m.binaryImmediate("shufpd", 128)), "sse2"),
  row("66 0F 3A 0F /r ib", "palignr", "xmm, xmm/m128, imm8", sse(m.binaryImmediate("palignr", 128)), "ssse3"),
  row(
    "66 0F 3A 42 /r ib",
    "mpsadbw",
    "xmm, xmm/m128, imm8",
    sse(m.binaryImmediate("mpsadbw", 128)),
    "sse4_1",
  ),
  row("66 0F 3A 0E /r ib", "pblendw", "xmm, xmm/m128, imm8", sse(m.blendWords(1)), "sse4_1"),
  row("66 0F 3A 0C /r ib", "blendps", "xmm, xmm/m128, imm8", sse(m.blendWords(2)), "sse4_1"),
  row("66 0F 3A 0D /r ib", "blendpd", "xmm, xmm/m128, imm8", sse(m.blendWords(4)), "sse4_1"),
  row("66 0F 38 10 /r", "pblendvb", "xmm, xmm/m128", sse(m.blendVariable("pblendvb")), "sse4_1"),
  row("66 0F 38 14 /r", "blendvps", "xmm, xmm/m128", sse(m.blendVariable("blendvps")), "sse4_1"),
  row("66 0F 38 15 /r", "blendvpd", "xmm, xmm/m128", sse(m.blendVariable("blendvpd")), "sse4_1"),
  row("66 0F 38 17 /r", "ptest", "xmm, xmm/m128", sse(m.binary("ptest", 128)), "sse4_1"),

  row("66 0F C4 /r ib", "pinsrw", "xmm, r32/m16, imm8", sse(m.insert("pinsrw", 16)), "sse2"),
  row("66 0F C5 /r ib", "pextrw", "r32, uxmm, imm8", sse(m.extractWord), "sse2"),
  row("66 0F 3A 20 /r ib", "pinsrb", "xmm, r32/m8, imm8", sse(m.insert("pinsrb", 8)), "sse4_1"),
  row("66 0F 3A 22 /r ib", "pinsrd", "xmm, rmy, imm8", sse(m.insertGeneral), "sse4_1"),
  row("66 0F 3A 21 /r ib", "insertps", "xmm, xmm/m32, imm8", sse(m.insertSingle), "sse4_1"),
  row("66 0F 3A 14 /r ib", "pextrb", "r32/m8, xmm, imm8", sse(m.extract("pextrb", 8)), "sse4_1"),
  row("66 0F 3A 15 /r ib", "pextrw", "r32/m16, xmm, imm8", sse(m.extract("pextrw", 16)), "sse4_1"),
  row("66 0F 3A 16 /r ib", "pextrd", "rmy, xmm, imm8", sse(m.extractGeneral), "sse4_1"),
  row("66 0F 3A 17 /r ib", "extractps", "rm32, xmm, imm8", sse(m.extract("pextrd", 32)), "sse4_1"),
];

// ---- Floating point -------------------------------------------------------------------------------------------
const features: Record<SseForm["feature"], Feature> = {
  SSE: "sse",
  SSE2: "sse2",
  SSE3: "sse3",
  SSE4_1: "sse4_1",
  SSE4_2: "sse4_2",
};

/** The table's operand kinds for a form's. */
const operandKinds = (form: SseForm): string => {
  if (form.operands === "m32") return "m32";
  return form.operands
    .replace("r/mW", "rmy")
    .replace("rW", "ry")
    .replace("r/m8", "rm8")
    .replace("r/mV", "rmv");
};

const floatRows = sseFloatForms.map((form) => {
  const op = opNumber(form.mnemonic);
  // CRC32 works on general registers and needs no SSE state.
  const meaning = form.mnemonic === "crc32" ? m.crc32(op, form) : sse(m.floatForm(op, form));
  return makeRow(form.opcode, form.mnemonic, operandKinds(form), meaning, [features[form.feature]]);
});

export const sseRows: readonly InstructionRow[] = [
  ...binary.map(([opcode, name, feature = "sse2"]) =>
    row(`66 0F ${opcode} /r`, name, "xmm, xmm/m128", sse(m.binary(name, 128)), feature),
  ),
  ...widening,
  ...shifts,
  ...logic,
  ...moves,
  ...shuffles,
  ...floatRows,
];
