/**
 * SSE helpers (core/sse-*.ts, core/polynomials.ts) and the table of their encodings (SDM vol. 2). #NM and #UD from CR0,
 * CR4 and CPUID are the translator's to check; #XM (or #UD without CR4.OSXMMEXCPT) comes from the helpers.
 */
import type { HelperOperand, HelperRow } from "./helper-row.ts";

const row = <const Name extends string>(
  name: Name,
  d: HelperOperand,
  s: HelperOperand,
  more: Partial<Pick<HelperRow, "imm" | "gprs" | "faults" | "flags">> = {},
) =>
  ({
    name,
    d,
    s,
    imm: "none",
    gprs: "none",
    faults: true,
    ends: false,
    flags: "none",
    ...more,
  }) satisfies HelperRow;

/** XMM to XMM; it may raise #XM. */
const xx = <const Name extends string>(name: Name, imm = "none") => row(name, "xmm", "xmm", { imm });
/** A comparison that sets EFLAGS. */
const compare = <const Name extends string>(name: Name) => row(name, "xmm", "xmm", { flags: "writes" });
/** Anything without floating-point exceptions. */
const plain = { faults: false } as const;
const RAX = 1 << 0;
const RCX = 1 << 1;
const RDX = 1 << 2;
const string = (gprs: HelperRow["gprs"]) =>
  ({ imm: "control byte, 0x100 with REX.W", gprs, faults: false, flags: "writes" }) as const;

export const sseHelpers = [
  xx("addss"),
  xx("addsd"),
  xx("addps"),
  xx("addpd"),
  xx("subss"),
  xx("subsd"),
  xx("subps"),
  xx("subpd"),
  xx("mulss"),
  xx("mulsd"),
  xx("mulps"),
  xx("mulpd"),
  xx("divss"),
  xx("divsd"),
  xx("divps"),
  xx("divpd"),
  xx("minss"),
  xx("minsd"),
  xx("minps"),
  xx("minpd"),
  xx("maxss"),
  xx("maxsd"),
  xx("maxps"),
  xx("maxpd"),
  xx("sqrtss"),
  xx("sqrtsd"),
  xx("sqrtps"),
  xx("sqrtpd"),
  compare("comiss"),
  compare("comisd"),
  compare("ucomiss"),
  compare("ucomisd"),
  xx("cmpss", "predicate"),
  xx("cmpsd", "predicate"),
  xx("cmpps", "predicate"),
  xx("cmppd", "predicate"),
  xx("roundss", "control"),
  xx("roundsd", "control"),
  xx("roundps", "control"),
  xx("roundpd", "control"),
  xx("haddps"),
  xx("haddpd"),
  xx("hsubps"),
  xx("hsubpd"),
  xx("addsubps"),
  xx("addsubpd"),
  xx("dpps", "lane masks"),
  xx("dppd", "lane masks"),
  row("rcpss", "xmm", "xmm", plain),
  row("rcpps", "xmm", "xmm", plain),
  row("rsqrtss", "xmm", "xmm", plain),
  row("rsqrtps", "xmm", "xmm", plain),
  { ...row("ldmxcsr", "none", "r32"), mxcsr: "writes" }, // #GP for reserved bits
  row("stmxcsr", "w32", "none", plain),

  row("cvtsi2ss", "xmm", "r64", { imm: "width of the source, 32 or 64" }),
  row("cvtsi2sd", "xmm", "r64", { imm: "width of the source, 32 or 64" }),
  row("cvtss2si", "w64", "xmm", { imm: "width of the destination, 32 or 64" }),
  row("cvtsd2si", "w64", "xmm", { imm: "width of the destination, 32 or 64" }),
  row("cvttss2si", "w64", "xmm", { imm: "width of the destination, 32 or 64" }),
  row("cvttsd2si", "w64", "xmm", { imm: "width of the destination, 32 or 64" }),
  xx("cvtss2sd"),
  xx("cvtsd2ss"),
  xx("cvtps2pd"),
  xx("cvtpd2ps"),
  row("cvtdq2pd", "xmm", "xmm", plain),
  xx("cvtdq2ps"),
  xx("cvtps2dq"),
  xx("cvttps2dq"),
  xx("cvtpd2dq"),
  xx("cvttpd2dq"),
  row("cvtpi2ps", "xmm", "mm"),
  row("cvtpi2pd", "xmm", "mm", plain),
  row("cvtps2pi", "mm", "xmm"),
  row("cvttps2pi", "mm", "xmm"),
  row("cvtpd2pi", "mm", "xmm"),
  row("cvttpd2pi", "mm", "xmm"),

  row("pcmpestri", "xmm", "xmm", string(RAX | RCX | RDX)),
  // The masks go to XMM0.
  { ...row("pcmpestrm", "xmm", "xmm", string(RAX | RDX)), xmms: "all" },
  row("pcmpistri", "xmm", "xmm", string(RCX)),
  { ...row("pcmpistrm", "xmm", "xmm", string("none")), xmms: "all" },
  row("crc32", "rw64", "r64", { imm: "width of the source, 8, 16, 32 or 64", faults: false }),
] as const satisfies readonly HelperRow[];

export type SseHelper = (typeof sseHelpers)[number]["name"];

export interface SseForm {
  /** As in the manual; "NP": no mandatory prefix. */
  readonly opcode: string;
  readonly mnemonic: SseHelper;
  /**
   * As in the manual. Where d and s come from: "xmm" ModRM.reg or ModRM.rm; "xmm/mN": a memory operand of N bits
   * loaded to the start of XMM_TEMP (s = 16), 128-bit ones #GP unless aligned or `unaligned`; "rW" and "r/mW": the
   * slot of a general register of 32 or 64 bits by REX.W, memory through a temporary; "mm/m64": MMX register, or 8 for
   * a memory operand at the start of XMM_TEMP; "m32": a temporary.
   */
  readonly operands:
    | `xmm, xmm/m${32 | 64 | 128}`
    | `xmm, xmm/m${32 | 64 | 128}, imm8`
    | "xmm, r/mW"
    | `rW, xmm/m${32 | 64}`
    | "xmm, mm/m64"
    | `mm, xmm/m${64 | 128}`
    | "rW, r/m8"
    | "rW, r/mV"
    | "m32";
  /**
   * "imm8": the immediate; "imm8+w": plus 0x100 with REX.W; "w": 64 with REX.W, else 32; "v": operand size 16, 32
   * or 64. Without it 0.
   */
  readonly imm?: "imm8" | "imm8+w" | "w" | "v" | 8;
  /** The 128-bit memory operand need not be aligned (PCMPxSTRx). */
  readonly unaligned?: true;
  /** The MMX register file is used: x87_check first (#MF). CVTPI2PD with a memory operand does not use it. */
  readonly mmx?: true;
  /** CPUID feature, named as in the manual. */
  readonly feature: "SSE" | "SSE2" | "SSE3" | "SSE4_1" | "SSE4_2";
}

const four = (base: "add" | "mul" | "sub" | "min" | "div" | "max" | "sqrt", opcode: string): SseForm[] => [
  { opcode: `NP 0F ${opcode} /r`, mnemonic: `${base}ps`, operands: "xmm, xmm/m128", feature: "SSE" },
  { opcode: `66 0F ${opcode} /r`, mnemonic: `${base}pd`, operands: "xmm, xmm/m128", feature: "SSE2" },
  { opcode: `F3 0F ${opcode} /r`, mnemonic: `${base}ss`, operands: "xmm, xmm/m32", feature: "SSE" },
  { opcode: `F2 0F ${opcode} /r`, mnemonic: `${base}sd`, operands: "xmm, xmm/m64", feature: "SSE2" },
];

export const sseFloatForms: readonly SseForm[] = [
  ...four("sqrt", "51"),
  { opcode: "NP 0F 52 /r", mnemonic: "rsqrtps", operands: "xmm, xmm/m128", feature: "SSE" },
  { opcode: "F3 0F 52 /r", mnemonic: "rsqrtss", operands: "xmm, xmm/m32", feature: "SSE" },
  { opcode: "NP 0F 53 /r", mnemonic: "rcpps", operands: "xmm, xmm/m128", feature: "SSE" },
  { opcode: "F3 0F 53 /r", mnemonic: "rcpss", operands: "xmm, xmm/m32", feature: "SSE" },
  ...four("add", "58"),
  ...four("mul", "59"),
  ...four("sub", "5C"),
  ...four("min", "5D"),
  ...four("div", "5E"),
  ...four("max", "5F"),
  { opcode: "NP 0F 2E /r", mnemonic: "ucomiss", operands: "xmm, xmm/m32", feature: "SSE" },
  { opcode: "66 0F 2E /r", mnemonic: "ucomisd", operands: "xmm, xmm/m64", feature: "SSE2" },
  { opcode: "NP 0F 2F /r", mnemonic: "comiss", operands: "xmm, xmm/m32", feature: "SSE" },
  { opcode: "66 0F 2F /r", mnemonic: "comisd", operands: "xmm, xmm/m64", feature: "SSE2" },
  {
    opcode: "NP 0F C2 /r ib",
    mnemonic: "cmpps",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8",
    feature: "SSE",
  },
  {
    opcode: "66 0F C2 /r ib",
    mnemonic: "cmppd",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8",
    feature: "SSE2",
  },
  {
    opcode: "F3 0F C2 /r ib",
    mnemonic: "cmpss",
    operands: "xmm, xmm/m32, imm8",
    imm: "imm8",
    feature: "SSE",
  },
  {
    opcode: "F2 0F C2 /r ib",
    mnemonic: "cmpsd",
    operands: "xmm, xmm/m64, imm8",
    imm: "imm8",
    feature: "SSE2",
  },
  {
    opcode: "66 0F 3A 08 /r ib",
    mnemonic: "roundps",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8",
    feature: "SSE4_1",
  },
  {
    opcode: "66 0F 3A 09 /r ib",
    mnemonic: "roundpd",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8",
    feature: "SSE4_1",
  },
  {
    opcode: "66 0F 3A 0A /r ib",
    mnemonic: "roundss",
    operands: "xmm, xmm/m32, imm8",
    imm: "imm8",
    feature: "SSE4_1",
  },
  {
    opcode: "66 0F 3A 0B /r ib",
    mnemonic: "roundsd",
    operands: "xmm, xmm/m64, imm8",
    imm: "imm8",
    feature: "SSE4_1",
  },
  {
    opcode: "66 0F 3A 40 /r ib",
    mnemonic: "dpps",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8",
    feature: "SSE4_1",
  },
  {
    opcode: "66 0F 3A 41 /r ib",
    mnemonic: "dppd",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8",
    feature: "SSE4_1",
  },
  { opcode: "F2 0F 7C /r", mnemonic: "haddps", operands: "xmm, xmm/m128", feature: "SSE3" },
  { opcode: "66 0F 7C /r", mnemonic: "haddpd", operands: "xmm, xmm/m128", feature: "SSE3" },
  { opcode: "F2 0F 7D /r", mnemonic: "hsubps", operands: "xmm, xmm/m128", feature: "SSE3" },
  { opcode: "66 0F 7D /r", mnemonic: "hsubpd", operands: "xmm, xmm/m128", feature: "SSE3" },
  { opcode: "F2 0F D0 /r", mnemonic: "addsubps", operands: "xmm, xmm/m128", feature: "SSE3" },
  { opcode: "66 0F D0 /r", mnemonic: "addsubpd", operands: "xmm, xmm/m128", feature: "SSE3" },

  { opcode: "F3 0F 2A /r", mnemonic: "cvtsi2ss", operands: "xmm, r/mW", imm: "w", feature: "SSE" },
  { opcode: "F2 0F 2A /r", mnemonic: "cvtsi2sd", operands: "xmm, r/mW", imm: "w", feature: "SSE2" },
  { opcode: "F3 0F 2C /r", mnemonic: "cvttss2si", operands: "rW, xmm/m32", imm: "w", feature: "SSE" },
  { opcode: "F2 0F 2C /r", mnemonic: "cvttsd2si", operands: "rW, xmm/m64", imm: "w", feature: "SSE2" },
  { opcode: "F3 0F 2D /r", mnemonic: "cvtss2si", operands: "rW, xmm/m32", imm: "w", feature: "SSE" },
  { opcode: "F2 0F 2D /r", mnemonic: "cvtsd2si", operands: "rW, xmm/m64", imm: "w", feature: "SSE2" },
  { opcode: "F3 0F 5A /r", mnemonic: "cvtss2sd", operands: "xmm, xmm/m32", feature: "SSE2" },
  { opcode: "F2 0F 5A /r", mnemonic: "cvtsd2ss", operands: "xmm, xmm/m64", feature: "SSE2" },
  { opcode: "NP 0F 5A /r", mnemonic: "cvtps2pd", operands: "xmm, xmm/m64", feature: "SSE2" },
  { opcode: "66 0F 5A /r", mnemonic: "cvtpd2ps", operands: "xmm, xmm/m128", feature: "SSE2" },
  { opcode: "NP 0F 5B /r", mnemonic: "cvtdq2ps", operands: "xmm, xmm/m128", feature: "SSE2" },
  { opcode: "66 0F 5B /r", mnemonic: "cvtps2dq", operands: "xmm, xmm/m128", feature: "SSE2" },
  { opcode: "F3 0F 5B /r", mnemonic: "cvttps2dq", operands: "xmm, xmm/m128", feature: "SSE2" },
  { opcode: "66 0F E6 /r", mnemonic: "cvttpd2dq", operands: "xmm, xmm/m128", feature: "SSE2" },
  { opcode: "F2 0F E6 /r", mnemonic: "cvtpd2dq", operands: "xmm, xmm/m128", feature: "SSE2" },
  { opcode: "F3 0F E6 /r", mnemonic: "cvtdq2pd", operands: "xmm, xmm/m64", feature: "SSE2" },
  { opcode: "NP 0F 2A /r", mnemonic: "cvtpi2ps", operands: "xmm, mm/m64", mmx: true, feature: "SSE" },
  { opcode: "66 0F 2A /r", mnemonic: "cvtpi2pd", operands: "xmm, mm/m64", mmx: true, feature: "SSE2" },
  { opcode: "NP 0F 2C /r", mnemonic: "cvttps2pi", operands: "mm, xmm/m64", mmx: true, feature: "SSE" },
  { opcode: "66 0F 2C /r", mnemonic: "cvttpd2pi", operands: "mm, xmm/m128", mmx: true, feature: "SSE2" },
  { opcode: "NP 0F 2D /r", mnemonic: "cvtps2pi", operands: "mm, xmm/m64", mmx: true, feature: "SSE" },
  { opcode: "66 0F 2D /r", mnemonic: "cvtpd2pi", operands: "mm, xmm/m128", mmx: true, feature: "SSE2" },

  { opcode: "NP 0F AE /2", mnemonic: "ldmxcsr", operands: "m32", feature: "SSE" },
  { opcode: "NP 0F AE /3", mnemonic: "stmxcsr", operands: "m32", feature: "SSE" },

  {
    opcode: "66 0F 3A 60 /r ib",
    mnemonic: "pcmpestrm",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8+w",
    unaligned: true,
    feature: "SSE4_2",
  },
  {
    opcode: "66 0F 3A 61 /r ib",
    mnemonic: "pcmpestri",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8+w",
    unaligned: true,
    feature: "SSE4_2",
  },
  {
    opcode: "66 0F 3A 62 /r ib",
    mnemonic: "pcmpistrm",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8",
    unaligned: true,
    feature: "SSE4_2",
  },
  {
    opcode: "66 0F 3A 63 /r ib",
    mnemonic: "pcmpistri",
    operands: "xmm, xmm/m128, imm8",
    imm: "imm8",
    unaligned: true,
    feature: "SSE4_2",
  },
  { opcode: "F2 0F 38 F0 /r", mnemonic: "crc32", operands: "rW, r/m8", imm: 8, feature: "SSE4_2" },
  { opcode: "F2 0F 38 F1 /r", mnemonic: "crc32", operands: "rW, r/mV", imm: "v", feature: "SSE4_2" },
];
