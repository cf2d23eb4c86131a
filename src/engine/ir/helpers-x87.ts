/**
 * x87 and MMX state helpers (core/x87*.ts, core/fxsave.ts, core/xsave.ts), and the table that maps every x87 encoding D8–DF to its
 * helper call (SDM vol. 2 appendix A.5.2). #NM and #UD from CR0 and CR4 are the translator's to check.
 */
import { X87_SW } from "../layout.ts";
import type { HelperOperand, HelperRow } from "./helper-row.ts";
import { mmxHelpers } from "./helpers-mmx.ts";

/** A row of a helper that only touches the x87 state; `address`: it accesses guest memory and can fault. */
const x87 = <const Name extends string>(
  name: Name,
  d: HelperOperand,
  s: HelperOperand,
  imm: string,
  more: { readonly address?: true; readonly flags?: HelperRow["flags"] } = {},
) =>
  ({
    name,
    d,
    s,
    imm,
    gprs: "none",
    faults: more.address ?? false,
    ends: false,
    flags: more.flags ?? "none",
  }) satisfies HelperRow;

/** They read a mask from EDX:EAX. */
const xsave = (["xsave", "xsaveopt", "xsavec", "xrstor"] as const).map((name) => ({
  ...x87(name, "none", "r64", "64 with REX.W, else 32", { address: true }),
  gprs: "all" as const,
  xmms: "all" as const,
  mxcsr: "writes" as const,
}));

/** ES in the status word. */
const ERROR_SUMMARY = 0x80;

export const x87Helpers = [
  // Before every waiting instruction: #MF if an unmasked exception is pending.
  {
    ...x87("x87_check", "none", "none", "none"),
    faults: true,
    when: { offset: X87_SW, mask: ERROR_SUMMARY },
  },
  { ...x87("x87_wait", "none", "none", "none"), faults: true },
  x87("x87_init", "none", "none", "none"),
  x87("x87_clear_exceptions", "none", "none", "none"),
  x87("x87_load_control", "none", "r16", "none"),
  x87("x87_get_control", "w16", "none", "none"),
  x87("x87_get_status", "w16", "none", "none"),
  x87("x87_load_environment", "none", "r64", "operand size 16 or 32", { address: true }),
  x87("x87_store_environment", "none", "r64", "operand size 16 or 32", { address: true }),
  x87("x87_save", "none", "r64", "operand size 16 or 32", { address: true }),
  x87("x87_restore", "none", "r64", "operand size 16 or 32", { address: true }),
  { ...x87("fxsave", "none", "r64", "64 with REX.W, else 32", { address: true }), xmms: "all" },
  {
    ...x87("fxrstor", "none", "r64", "64 with REX.W, else 32", { address: true }),
    xmms: "all",
    mxcsr: "writes",
  },
  // #UD and #NM of the XSAVE family.
  { ...x87("xsave_check", "none", "none", "none"), faults: true },
  ...xsave,

  x87("x87_data_segment", "none", "none", "number of the last operand's segment"),
  x87("x87_rotate", "none", "none", "1 FINCSTP, -1 FDECSTP"),
  x87("x87_free", "st", "none", "1 to pop too"),
  x87("x87_exchange", "none", "st", "none"),
  x87("x87_load_sti", "none", "st", "none"),
  x87("x87_store_sti", "st", "none", "bit 0 pop, bit 1 an empty ST(0) is no fault"),
  x87("x87_cmov", "none", "st", "condition 0 B 1 E 2 BE 3 U, +4 negated", { flags: "reads" }),

  x87("x87_load_f32", "none", "r32", "none"),
  x87("x87_load_f64", "none", "r64", "none"),
  x87("x87_load_f80", "none", "r64", "none", { address: true }),
  x87("x87_load_integer", "none", "r64", "width 16, 32 or 64"),
  x87("x87_load_bcd", "none", "r64", "none", { address: true }),
  x87("x87_load_constant", "none", "none", "0 1, 1 L2T, 2 L2E, 3 PI, 4 LG2, 5 LN2, 6 Z"),
  x87("x87_store_f32", "none", "r64", "1 to pop", { address: true }),
  x87("x87_store_f64", "none", "r64", "1 to pop", { address: true }),
  x87("x87_store_f80", "none", "r64", "none", { address: true }),
  x87("x87_store_i16", "none", "r64", "bit 0 pop, bit 1 truncate", { address: true }),
  x87("x87_store_i32", "none", "r64", "bit 0 pop, bit 1 truncate", { address: true }),
  x87("x87_store_i64", "none", "r64", "bit 0 pop, bit 1 truncate", { address: true }),
  x87("x87_store_bcd", "none", "r64", "none", { address: true }),

  x87("x87_arith", "number", "st", "0 to ST(0), 1 to ST(i), 2 to ST(i) and pop"),
  x87("x87_arith_f32", "number", "r32", "none"),
  x87("x87_arith_f64", "number", "r64", "none"),
  x87("x87_arith_integer", "number", "r32", "width 16 or 32"),
  x87("x87_compare", "none", "st", "bits 0–1 pops, bit 2 QNaNs raise IE"),
  x87("x87_compare_flags", "none", "st", "bit 0 pop, bit 2 QNaNs raise IE", { flags: "writes" }),
  x87("x87_test", "none", "none", "none"),
  x87("x87_examine", "none", "none", "none"),
  x87("x87_sign", "none", "none", "0 FCHS, 1 FABS"),
  x87("x87_sqrt", "none", "none", "none"),
  x87("x87_round", "none", "none", "none"),
  x87("x87_extract", "none", "none", "none"),
  x87("x87_scale", "none", "none", "none"),
  x87("x87_remainder", "none", "none", "0 FPREM, 1 FPREM1"),
  x87("x87_sine", "none", "none", "0 FSIN, 1 FCOS"),
  x87("x87_sincos", "none", "none", "none"),
  x87("x87_tangent", "none", "none", "none"),
  x87("x87_arctangent", "none", "none", "none"),
  x87("x87_power", "none", "none", "none"),
  x87("x87_logarithm", "none", "none", "none"),
  x87("x87_logarithm_plus_one", "none", "none", "none"),

  // MMX lives in the x87 registers.
  ...mmxHelpers,
] as const satisfies readonly HelperRow[];

/** What the translator passes as d or s. */
export type X87Argument =
  /** A number that the row states (an operation). */
  | number
  /** The stack index i of the encoding. */
  | "i"
  /** A temporary slot: the loaded memory operand, or what is to be stored to it. */
  | "value"
  /** A temporary slot with the linear address of the memory operand; the helper accesses it. */
  | "address"
  /** The slot of AX. */
  | "ax";

export interface X87Form {
  /** "D8 /0": ModRM.reg with a memory operand; "D8 C0+i": eight encodings; "D9 E0": one. */
  readonly opcode: string;
  /** As in the manual; undocumented aliases have the mnemonic of what they repeat. */
  readonly mnemonic: string;
  /** Undefined: nothing to call (FNOP). */
  readonly helper?: (typeof x87Helpers)[number]["name"];
  readonly d?: X87Argument;
  readonly s?: X87Argument;
  /** "operandSize": 16 with a 16-bit operand size, else 32. */
  readonly imm?: number | "operandSize";
  /** The memory operand; for 0, 14 or 28 (94 or 108) bytes by operand size, the larger one. */
  readonly memoryBytes?: 2 | 4 | 8 | 10 | 28 | 108;
  /** "load", "store": by the translator through a "value" slot. "read", "write": by the helper. */
  readonly access?: "load" | "store" | "read" | "write";
  /** false: a non-waiting instruction, not preceded by x87_check. */
  readonly waits?: false;
}

const arithmetic = ["fadd", "fmul", "fcom", "fcomp", "fsub", "fsubr", "fdiv", "fdivr"] as const;
const hex = (byte: number): string => byte.toString(16).toUpperCase();

/** Memory operands of arithmetic: D8 (m32), DC (m64), DA (m32int), DE (m16int). */
const memoryArithmetic = (
  opcode: string,
  letter: "" | "i",
  memoryBytes: 2 | 4 | 8,
  helper: "x87_arith_f32" | "x87_arith_f64" | "x87_arith_integer",
  imm: number,
): X87Form[] =>
  arithmetic.map((name, op) => ({
    opcode: `${opcode} /${String(op)}`,
    mnemonic: letter === "" ? name : `fi${name.slice(1)}`,
    helper,
    d: op,
    s: "value",
    imm,
    memoryBytes,
    access: "load",
  }));

/** ST(0) and ST(i): D8 (result in ST(0)), DC (in ST(i)), DE (in ST(i), with a pop). */
const registerArithmetic = (opcode: string, ops: readonly number[], imm: 0 | 1 | 2): X87Form[] =>
  ops.map((op) => {
    // In DC and DE the mnemonics of /4 and /5, and of /6 and /7, change places: the result is ST(0) op ST(i) still.
    const name = arithmetic[imm !== 0 && op >= 4 ? op ^ 1 : op] ?? "";
    return {
      opcode: `${opcode} ${hex(0xc0 + op * 8)}+i`,
      mnemonic: imm === 2 && op !== 3 ? `${name}p` : name,
      helper: "x87_arith",
      d: op,
      s: "i",
      imm,
    };
  });

const constants = ["fld1", "fldl2t", "fldl2e", "fldpi", "fldlg2", "fldln2", "fldz"] as const;
const conditions = ["b", "e", "be", "u"] as const;

const conditionalMoves = (opcode: string, negated: boolean): X87Form[] =>
  conditions.map((condition, index) => ({
    opcode: `${opcode} ${hex(0xc0 + index * 8)}+i`,
    mnemonic: `fcmov${negated ? "n" : ""}${condition}`,
    helper: "x87_cmov",
    s: "i",
    imm: index + (negated ? 4 : 0),
  }));

/** FIST, FISTP and FISTTP of one width. */
const integerStore = (
  opcode: string,
  mnemonic: "fist" | "fistp" | "fisttp",
  memoryBytes: 2 | 4 | 8,
  helper: "x87_store_i16" | "x87_store_i32" | "x87_store_i64",
): X87Form => ({
  opcode,
  mnemonic,
  helper,
  s: "address",
  imm: mnemonic === "fist" ? 0 : mnemonic === "fistp" ? 1 : 3,
  memoryBytes,
  access: "write",
});

/** Every encoding of D8–DF that exists; what is not here is #UD. */
export const x87Forms: readonly X87Form[] = [
  ...memoryArithmetic("D8", "", 4, "x87_arith_f32", 0),
  ...registerArithmetic("D8", [0, 1, 2, 3, 4, 5, 6, 7], 0),

  { opcode: "D9 /0", mnemonic: "fld", helper: "x87_load_f32", s: "value", memoryBytes: 4, access: "load" },
  {
    opcode: "D9 /2",
    mnemonic: "fst",
    helper: "x87_store_f32",
    s: "address",
    imm: 0,
    memoryBytes: 4,
    access: "write",
  },
  {
    opcode: "D9 /3",
    mnemonic: "fstp",
    helper: "x87_store_f32",
    s: "address",
    imm: 1,
    memoryBytes: 4,
    access: "write",
  },
  {
    opcode: "D9 /4",
    mnemonic: "fldenv",
    helper: "x87_load_environment",
    s: "address",
    imm: "operandSize",
    memoryBytes: 28,
    access: "read",
  },
  {
    opcode: "D9 /5",
    mnemonic: "fldcw",
    helper: "x87_load_control",
    s: "value",
    memoryBytes: 2,
    access: "load",
  },
  {
    opcode: "D9 /6",
    mnemonic: "fnstenv",
    helper: "x87_store_environment",
    s: "address",
    imm: "operandSize",
    memoryBytes: 28,
    access: "write",
    waits: false,
  },
  {
    opcode: "D9 /7",
    mnemonic: "fnstcw",
    helper: "x87_get_control",
    d: "value",
    memoryBytes: 2,
    access: "store",
    waits: false,
  },
  { opcode: "D9 C0+i", mnemonic: "fld", helper: "x87_load_sti", s: "i" },
  { opcode: "D9 C8+i", mnemonic: "fxch", helper: "x87_exchange", s: "i" },
  { opcode: "D9 D0", mnemonic: "fnop" },
  { opcode: "D9 D8+i", mnemonic: "fstp", helper: "x87_store_sti", d: "i", imm: 3 },
  { opcode: "D9 E0", mnemonic: "fchs", helper: "x87_sign", imm: 0 },
  { opcode: "D9 E1", mnemonic: "fabs", helper: "x87_sign", imm: 1 },
  { opcode: "D9 E4", mnemonic: "ftst", helper: "x87_test" },
  { opcode: "D9 E5", mnemonic: "fxam", helper: "x87_examine" },
  ...constants.map(
    (mnemonic, index) =>
      ({ opcode: `D9 ${hex(0xe8 + index)}`, mnemonic, helper: "x87_load_constant", imm: index }) as const,
  ),
  { opcode: "D9 F0", mnemonic: "f2xm1", helper: "x87_power" },
  { opcode: "D9 F1", mnemonic: "fyl2x", helper: "x87_logarithm" },
  { opcode: "D9 F2", mnemonic: "fptan", helper: "x87_tangent" },
  { opcode: "D9 F3", mnemonic: "fpatan", helper: "x87_arctangent" },
  { opcode: "D9 F4", mnemonic: "fxtract", helper: "x87_extract" },
  { opcode: "D9 F5", mnemonic: "fprem1", helper: "x87_remainder", imm: 1 },
  { opcode: "D9 F6", mnemonic: "fdecstp", helper: "x87_rotate", imm: -1 },
  { opcode: "D9 F7", mnemonic: "fincstp", helper: "x87_rotate", imm: 1 },
  { opcode: "D9 F8", mnemonic: "fprem", helper: "x87_remainder", imm: 0 },
  { opcode: "D9 F9", mnemonic: "fyl2xp1", helper: "x87_logarithm_plus_one" },
  { opcode: "D9 FA", mnemonic: "fsqrt", helper: "x87_sqrt" },
  { opcode: "D9 FB", mnemonic: "fsincos", helper: "x87_sincos" },
  { opcode: "D9 FC", mnemonic: "frndint", helper: "x87_round" },
  { opcode: "D9 FD", mnemonic: "fscale", helper: "x87_scale" },
  { opcode: "D9 FE", mnemonic: "fsin", helper: "x87_sine", imm: 0 },
  { opcode: "D9 FF", mnemonic: "fcos", helper: "x87_sine", imm: 1 },

  ...memoryArithmetic("DA", "i", 4, "x87_arith_integer", 32),
  ...conditionalMoves("DA", false),
  { opcode: "DA E9", mnemonic: "fucompp", helper: "x87_compare", s: 1, imm: 2 },

  {
    opcode: "DB /0",
    mnemonic: "fild",
    helper: "x87_load_integer",
    s: "value",
    imm: 32,
    memoryBytes: 4,
    access: "load",
  },
  integerStore("DB /1", "fisttp", 4, "x87_store_i32"),
  integerStore("DB /2", "fist", 4, "x87_store_i32"),
  integerStore("DB /3", "fistp", 4, "x87_store_i32"),
  { opcode: "DB /5", mnemonic: "fld", helper: "x87_load_f80", s: "address", memoryBytes: 10, access: "read" },
  {
    opcode: "DB /7",
    mnemonic: "fstp",
    helper: "x87_store_f80",
    s: "address",
    memoryBytes: 10,
    access: "write",
  },
  ...conditionalMoves("DB", true),
  // 8087 and 80287 interrupt and mode control: no operations since.
  { opcode: "DB E0", mnemonic: "feni", waits: false },
  { opcode: "DB E1", mnemonic: "fdisi", waits: false },
  { opcode: "DB E2", mnemonic: "fnclex", helper: "x87_clear_exceptions", waits: false },
  { opcode: "DB E3", mnemonic: "fninit", helper: "x87_init", waits: false },
  { opcode: "DB E4", mnemonic: "fsetpm", waits: false },
  { opcode: "DB E8+i", mnemonic: "fucomi", helper: "x87_compare_flags", s: "i", imm: 0 },
  { opcode: "DB F0+i", mnemonic: "fcomi", helper: "x87_compare_flags", s: "i", imm: 4 },

  ...memoryArithmetic("DC", "", 8, "x87_arith_f64", 0),
  ...registerArithmetic("DC", [0, 1, 2, 3, 4, 5, 6, 7], 1),

  { opcode: "DD /0", mnemonic: "fld", helper: "x87_load_f64", s: "value", memoryBytes: 8, access: "load" },
  integerStore("DD /1", "fisttp", 8, "x87_store_i64"),
  {
    opcode: "DD /2",
    mnemonic: "fst",
    helper: "x87_store_f64",
    s: "address",
    imm: 0,
    memoryBytes: 8,
    access: "write",
  },
  {
    opcode: "DD /3",
    mnemonic: "fstp",
    helper: "x87_store_f64",
    s: "address",
    imm: 1,
    memoryBytes: 8,
    access: "write",
  },
  {
    opcode: "DD /4",
    mnemonic: "frstor",
    helper: "x87_restore",
    s: "address",
    imm: "operandSize",
    memoryBytes: 108,
    access: "read",
  },
  {
    opcode: "DD /6",
    mnemonic: "fnsave",
    helper: "x87_save",
    s: "address",
    imm: "operandSize",
    memoryBytes: 108,
    access: "write",
    waits: false,
  },
  {
    opcode: "DD /7",
    mnemonic: "fnstsw",
    helper: "x87_get_status",
    d: "value",
    memoryBytes: 2,
    access: "store",
    waits: false,
  },
  { opcode: "DD C0+i", mnemonic: "ffree", helper: "x87_free", d: "i", imm: 0 },
  { opcode: "DD C8+i", mnemonic: "fxch", helper: "x87_exchange", s: "i" },
  { opcode: "DD D0+i", mnemonic: "fst", helper: "x87_store_sti", d: "i", imm: 0 },
  { opcode: "DD D8+i", mnemonic: "fstp", helper: "x87_store_sti", d: "i", imm: 1 },
  { opcode: "DD E0+i", mnemonic: "fucom", helper: "x87_compare", s: "i", imm: 0 },
  { opcode: "DD E8+i", mnemonic: "fucomp", helper: "x87_compare", s: "i", imm: 1 },

  ...memoryArithmetic("DE", "i", 2, "x87_arith_integer", 16),
  ...registerArithmetic("DE", [0, 1, 4, 5, 6, 7], 2),
  { opcode: "DE D0+i", mnemonic: "fcomp", helper: "x87_arith", d: 3, s: "i", imm: 0 },
  { opcode: "DE D9", mnemonic: "fcompp", helper: "x87_compare", s: 1, imm: 6 },

  {
    opcode: "DF /0",
    mnemonic: "fild",
    helper: "x87_load_integer",
    s: "value",
    imm: 16,
    memoryBytes: 2,
    access: "load",
  },
  integerStore("DF /1", "fisttp", 2, "x87_store_i16"),
  integerStore("DF /2", "fist", 2, "x87_store_i16"),
  integerStore("DF /3", "fistp", 2, "x87_store_i16"),
  {
    opcode: "DF /4",
    mnemonic: "fbld",
    helper: "x87_load_bcd",
    s: "address",
    memoryBytes: 10,
    access: "read",
  },
  {
    opcode: "DF /5",
    mnemonic: "fild",
    helper: "x87_load_integer",
    s: "value",
    imm: 64,
    memoryBytes: 8,
    access: "load",
  },
  {
    opcode: "DF /6",
    mnemonic: "fbstp",
    helper: "x87_store_bcd",
    s: "address",
    memoryBytes: 10,
    access: "write",
  },
  integerStore("DF /7", "fistp", 8, "x87_store_i64"),
  { opcode: "DF C0+i", mnemonic: "ffreep", helper: "x87_free", d: "i", imm: 1 },
  { opcode: "DF C8+i", mnemonic: "fxch", helper: "x87_exchange", s: "i" },
  { opcode: "DF D0+i", mnemonic: "fstp", helper: "x87_store_sti", d: "i", imm: 1 },
  { opcode: "DF D8+i", mnemonic: "fstp", helper: "x87_store_sti", d: "i", imm: 1 },
  { opcode: "DF E0", mnemonic: "fnstsw", helper: "x87_get_status", d: "ax", waits: false },
  { opcode: "DF E8+i", mnemonic: "fucomip", helper: "x87_compare_flags", s: "i", imm: 1 },
  { opcode: "DF F0+i", mnemonic: "fcomip", helper: "x87_compare_flags", s: "i", imm: 5 },
];
