/**
 * MMX helpers (core/mmx.ts) and the table of their encodings (SDM vol. 2). #NM and #UD from CR0 and CPUID are the
 * translator's to check; x87_check comes before every form (pending x87 exceptions raise #MF).
 */
import type { HelperOperand, HelperRow } from "./helper-row.ts";

const row = <const Name extends string>(
  name: Name,
  d: HelperOperand,
  s: HelperOperand,
  imm = "none",
  faults = false,
) => ({ name, d, s, imm, gprs: "none", faults, ends: false, flags: "none" }) satisfies HelperRow;

export const mmxHelpers = [
  row("mmx_binary", "mm", "mm", "opcode byte after 0F, or 0x100 plus the one after 0F 38"),
  row("mmx_shift", "mm", "none", "opcode of the shift by register << 8, plus the count"),
  row("mmx_pshufw", "mm", "mm", "order"),
  row("mmx_palignr", "mm", "mm", "bytes"),
  row("mmx_pinsrw", "mm", "r64", "element"),
  row("mmx_pextrw", "w64", "mm", "element"),
  row("mmx_pmovmskb", "w64", "mm"),
  row("mmx_load", "mm", "r64", "width 32 or 64"),
  row("mmx_read", "w64", "mm", "width 32 or 64"),
  row("mmx_store", "mm", "r64", "width 32 or 64", true),
  row("mmx_move", "mm", "mm"),
  row("movq2dq", "xmm", "mm"),
  row("movdq2q", "mm", "xmm"),
  row("maskmovq", "mm", "r64", "MMX register with the mask", true),
  row("emms", "none", "none"),
] as const satisfies readonly HelperRow[];

export interface MmxForm {
  /** As in the manual; "NP": no mandatory prefix. */
  readonly opcode: string;
  readonly mnemonic: string;
  readonly helper: (typeof mmxHelpers)[number]["name"];
  /**
   * As in the manual, d first. "mm/mN": register, or s = 8 with a memory operand of N bits loaded
   * to the start of XMM_TEMP; "rW", "r/mW", "mW": slot of a general register of 32 or 64 bits by REX.W, memory loaded
   * into a temporary or (mW as destination) its linear address in one; "r/m16" uses 16 bits of the slot.
   */
  readonly operands:
    | "mm, mm/m64"
    | "mm, mm/m32"
    | "mm, mm/m64, imm8"
    | "mm, imm8"
    | "mm, r/mW"
    | "r/mW, mm"
    | "mm/m64, mm"
    | "m64, mm"
    | "mm, r32/m16, imm8"
    | "r32, mm, imm8"
    | "r32, mm"
    | "mm, mm"
    | "xmm, mm"
    | "mm, xmm"
    | "none";
  /** What the call's imm is: a number; the immediate byte (plus `base`); 64 with REX.W, else 32; the MMX register ModRM.rm (MASKMOVQ: s is a slot with the linear address DS:rDI, d is ModRM.reg). */
  readonly imm?: number | "imm8" | "w" | "rm";
  /** Added to "imm8". */
  readonly base?: number;
  /** With a memory destination mmx_store is called: d = the MMX register, s = slot with the address. */
  readonly memory?: "mmx_store";
  readonly feature: "MMX" | "SSE" | "SSE2" | "SSSE3";
}

type Named = readonly [
  opcode: string,
  mnemonic: string,
  feature?: MmxForm["feature"],
  operands?: MmxForm["operands"],
];

const binary: readonly Named[] = [
  ["60", "punpcklbw", "MMX", "mm, mm/m32"],
  ["61", "punpcklwd", "MMX", "mm, mm/m32"],
  ["62", "punpckldq", "MMX", "mm, mm/m32"],
  ["63", "packsswb"],
  ["64", "pcmpgtb"],
  ["65", "pcmpgtw"],
  ["66", "pcmpgtd"],
  ["67", "packuswb"],
  ["68", "punpckhbw"],
  ["69", "punpckhwd"],
  ["6A", "punpckhdq"],
  ["6B", "packssdw"],
  ["74", "pcmpeqb"],
  ["75", "pcmpeqw"],
  ["76", "pcmpeqd"],
  ["D1", "psrlw"],
  ["D2", "psrld"],
  ["D3", "psrlq"],
  ["D4", "paddq", "SSE2"],
  ["D5", "pmullw"],
  ["D8", "psubusb"],
  ["D9", "psubusw"],
  ["DA", "pminub", "SSE"],
  ["DB", "pand"],
  ["DC", "paddusb"],
  ["DD", "paddusw"],
  ["DE", "pmaxub", "SSE"],
  ["DF", "pandn"],
  ["E0", "pavgb", "SSE"],
  ["E1", "psraw"],
  ["E2", "psrad"],
  ["E3", "pavgw", "SSE"],
  ["E4", "pmulhuw", "SSE"],
  ["E5", "pmulhw"],
  ["E8", "psubsb"],
  ["E9", "psubsw"],
  ["EA", "pminsw", "SSE"],
  ["EB", "por"],
  ["EC", "paddsb"],
  ["ED", "paddsw"],
  ["EE", "pmaxsw", "SSE"],
  ["EF", "pxor"],
  ["F1", "psllw"],
  ["F2", "pslld"],
  ["F3", "psllq"],
  ["F4", "pmuludq", "SSE2"],
  ["F5", "pmaddwd"],
  ["F6", "psadbw", "SSE"],
  ["F8", "psubb"],
  ["F9", "psubw"],
  ["FA", "psubd"],
  ["FB", "psubq", "SSE2"],
  ["FC", "paddb"],
  ["FD", "paddw"],
  ["FE", "paddd"],
];

const ssse3: readonly Named[] = [
  ["00", "pshufb"],
  ["01", "phaddw"],
  ["02", "phaddd"],
  ["03", "phaddsw"],
  ["04", "pmaddubsw"],
  ["05", "phsubw"],
  ["06", "phsubd"],
  ["07", "phsubsw"],
  ["08", "psignb"],
  ["09", "psignw"],
  ["0A", "psignd"],
  ["0B", "pmulhrsw"],
  ["1C", "pabsb"],
  ["1D", "pabsw"],
  ["1E", "pabsd"],
];

/** Shifts by an immediate: opcode and digit, mnemonic, opcode of the shift by register. */
const shifts: readonly (readonly [opcode: string, mnemonic: string, register: number])[] = [
  ["71 /2", "psrlw", 0xd1],
  ["71 /4", "psraw", 0xe1],
  ["71 /6", "psllw", 0xf1],
  ["72 /2", "psrld", 0xd2],
  ["72 /4", "psrad", 0xe2],
  ["72 /6", "pslld", 0xf2],
  ["73 /2", "psrlq", 0xd3],
  ["73 /6", "psllq", 0xf3],
];

export const mmxForms: readonly MmxForm[] = [
  ...binary.map(([opcode, mnemonic, feature = "MMX", operands = "mm, mm/m64"]): MmxForm => ({
    opcode: `NP 0F ${opcode} /r`,
    mnemonic,
    helper: "mmx_binary",
    operands,
    imm: parseInt(opcode, 16),
    feature,
  })),
  ...ssse3.map(([opcode, mnemonic]): MmxForm => ({
    opcode: `NP 0F 38 ${opcode} /r`,
    mnemonic,
    helper: "mmx_binary",
    operands: "mm, mm/m64",
    imm: 0x100 + parseInt(opcode, 16),
    feature: "SSSE3",
  })),
  ...shifts.map(([opcode, mnemonic, register]): MmxForm => ({
    opcode: `NP 0F ${opcode} ib`,
    mnemonic,
    helper: "mmx_shift",
    operands: "mm, imm8",
    imm: "imm8",
    base: register << 8,
    feature: "MMX",
  })),
  {
    opcode: "NP 0F 6E /r",
    mnemonic: "movd",
    helper: "mmx_load",
    operands: "mm, r/mW",
    imm: "w",
    feature: "MMX",
  },
  {
    opcode: "NP 0F 7E /r",
    mnemonic: "movd",
    helper: "mmx_read",
    operands: "r/mW, mm",
    imm: "w",
    memory: "mmx_store",
    feature: "MMX",
  },
  { opcode: "NP 0F 6F /r", mnemonic: "movq", helper: "mmx_move", operands: "mm, mm/m64", feature: "MMX" },
  {
    opcode: "NP 0F 7F /r",
    mnemonic: "movq",
    helper: "mmx_move",
    operands: "mm/m64, mm",
    imm: 64,
    memory: "mmx_store",
    feature: "MMX",
  },
  {
    opcode: "NP 0F E7 /r",
    mnemonic: "movntq",
    helper: "mmx_store",
    operands: "m64, mm",
    imm: 64,
    memory: "mmx_store",
    feature: "SSE",
  },
  {
    opcode: "NP 0F 70 /r ib",
    mnemonic: "pshufw",
    helper: "mmx_pshufw",
    operands: "mm, mm/m64, imm8",
    imm: "imm8",
    feature: "SSE",
  },
  {
    opcode: "NP 0F 3A 0F /r ib",
    mnemonic: "palignr",
    helper: "mmx_palignr",
    operands: "mm, mm/m64, imm8",
    imm: "imm8",
    feature: "SSSE3",
  },
  {
    opcode: "NP 0F C4 /r ib",
    mnemonic: "pinsrw",
    helper: "mmx_pinsrw",
    operands: "mm, r32/m16, imm8",
    imm: "imm8",
    feature: "SSE",
  },
  {
    opcode: "NP 0F C5 /r ib",
    mnemonic: "pextrw",
    helper: "mmx_pextrw",
    operands: "r32, mm, imm8",
    imm: "imm8",
    feature: "SSE",
  },
  {
    opcode: "NP 0F D7 /r",
    mnemonic: "pmovmskb",
    helper: "mmx_pmovmskb",
    operands: "r32, mm",
    feature: "SSE",
  },
  { opcode: "F3 0F D6 /r", mnemonic: "movq2dq", helper: "movq2dq", operands: "xmm, mm", feature: "SSE2" },
  { opcode: "F2 0F D6 /r", mnemonic: "movdq2q", helper: "movdq2q", operands: "mm, xmm", feature: "SSE2" },
  {
    opcode: "NP 0F F7 /r",
    mnemonic: "maskmovq",
    helper: "maskmovq",
    operands: "mm, mm",
    imm: "rm",
    feature: "SSE",
  },
  { opcode: "NP 0F 77", mnemonic: "emms", helper: "emms", operands: "none", feature: "MMX" },
];
