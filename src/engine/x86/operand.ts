/**
 * The closed set of operand kinds that a row of the x86 table may name, in the manual's spelling where it has one
 * (SDM 2, 3.1.1.3): where the operand is encoded, which register file it means, how wide it is.
 *
 * Width "v" is the operand size (16, 32, 64), "z" the same but 32 for 64, "y" 32 or, with REX.W, 64 bits.
 */

/** Where an instruction encodes an operand; "fixed" ones are named by the opcode itself, "vvvv" is VEX's field. */
export type OperandPlace = "reg" | "rm" | "vvvv" | "opcode" | "imm" | "fixed" | "moffs";
export type OperandFile = "gpr" | "sreg" | "cr" | "dr" | "mm" | "xmm" | "st" | "none";
export type OperandWidth = 8 | 16 | 32 | 64 | 80 | 128 | "v" | "z" | "y" | "far" | "none";
/** Encoded immediates, by the manual's token in the opcode column. */
export type ImmediateToken = "ib" | "iw" | "iz" | "iv" | "cb" | "cz" | "cp" | "mo";

export interface Operand {
  readonly at: OperandPlace;
  readonly file: OperandFile;
  readonly width: OperandWidth;
  /** For operands in r/m: whether a register (mod = 3), memory or both are valid; "ignored": a register whatever mod is. */
  readonly mod?: "any" | "memory" | "register" | "ignored";
  readonly immediate?: ImmediateToken;
  /** Sign-extended from its encoded width to the operand size. */
  readonly signed?: boolean;
  /** For fixed registers: the number. */
  readonly number?: number;
}

const reg = (file: OperandFile, width: OperandWidth) => ({ at: "reg", file, width }) as const;
const rm = (file: OperandFile, width: OperandWidth) => ({ at: "rm", file, width, mod: "any" }) as const;
const rmRegister = (file: OperandFile, width: OperandWidth) =>
  ({ at: "rm", file, width, mod: "register" }) as const;
const memory = (width: OperandWidth) => ({ at: "rm", file: "none", width, mod: "memory" }) as const;
const vvvv = (file: OperandFile, width: OperandWidth) => ({ at: "vvvv", file, width }) as const;
const opcode = (file: OperandFile, width: OperandWidth) => ({ at: "opcode", file, width }) as const;
const fixed = (file: OperandFile, number: number, width: OperandWidth) =>
  ({ at: "fixed", file, number, width }) as const;
const immediate = (token: ImmediateToken, width: OperandWidth, signed = false) =>
  ({ at: "imm", file: "none", immediate: token, width, signed }) as const;

export const operandKinds = {
  r8: reg("gpr", 8),
  r16: reg("gpr", 16),
  r32: reg("gpr", 32),
  r64: reg("gpr", 64),
  rv: reg("gpr", "v"),
  rz: reg("gpr", "z"),
  ry: reg("gpr", "y"),
  rm8: rm("gpr", 8),
  rm16: rm("gpr", 16),
  rm32: rm("gpr", 32),
  rm64: rm("gpr", 64),
  rmv: rm("gpr", "v"),
  rmy: rm("gpr", "y"),
  /** General register in r/m, or narrower memory: MOV to sreg, PINSRB, PEXTRB, SLDT. */
  "rv/m16": rm("gpr", "v"),
  "r32/m8": rm("gpr", 32),
  "r32/m16": rm("gpr", 32),
  /** General register in r/m only. */
  ur16: rmRegister("gpr", 16),
  ur32: rmRegister("gpr", 32),
  ur64: rmRegister("gpr", 64),
  urv: rmRegister("gpr", "v"),
  ury: rmRegister("gpr", "y"),
  /** The general register of MOV to and from control and debug registers. */
  rcr: { at: "rm", file: "gpr", width: 64, mod: "ignored" },
  m: memory("none"),
  m8: memory(8),
  m16: memory(16),
  m32: memory(32),
  m64: memory(64),
  m80: memory(80),
  m128: memory(128),
  mv: memory("v"),
  my: memory("y"),
  /** Far pointer: offset of the operand size, then a selector. */
  mfar: memory("far"),
  /** General register in VEX.vvvv. */
  vy: vvvv("gpr", "y"),
  /** Register in the opcode's low three bits. */
  o8: opcode("gpr", 8),
  ov: opcode("gpr", "v"),
  al: fixed("gpr", 0, 8),
  cl: fixed("gpr", 1, 8),
  ax: fixed("gpr", 0, 16),
  dx: fixed("gpr", 2, 16),
  /** rAX at the operand size; eAX at most 32 bits wide. */
  acc: fixed("gpr", 0, "v"),
  accz: fixed("gpr", 0, "z"),
  es: fixed("sreg", 0, 16),
  cs: fixed("sreg", 1, 16),
  ss: fixed("sreg", 2, 16),
  ds: fixed("sreg", 3, 16),
  fs: fixed("sreg", 4, 16),
  gs: fixed("sreg", 5, 16),
  "1": fixed("none", 1, "none"),
  imm8: immediate("ib", 8),
  simm8: immediate("ib", "v", true),
  imm16: immediate("iw", 16),
  immz: immediate("iz", "v", true),
  immv: immediate("iv", "v"),
  rel8: immediate("cb", "none", true),
  relz: immediate("cz", "none", true),
  "ptr16:z": immediate("cp", "far"),
  moffs8: { at: "moffs", file: "none", width: 8, immediate: "mo" },
  moffsv: { at: "moffs", file: "none", width: "v", immediate: "mo" },
  sreg: reg("sreg", 16),
  cr: reg("cr", 64),
  dr: reg("dr", 64),
  mm: reg("mm", 64),
  "mm/m32": rm("mm", 32),
  "mm/m64": rm("mm", 64),
  umm: rmRegister("mm", 64),
  xmm: reg("xmm", 128),
  "xmm/m8": rm("xmm", 8),
  "xmm/m16": rm("xmm", 16),
  "xmm/m32": rm("xmm", 32),
  "xmm/m64": rm("xmm", 64),
  "xmm/m128": rm("xmm", 128),
  uxmm: rmRegister("xmm", 128),
  xmm0: fixed("xmm", 0, 128),
  st0: fixed("st", 0, 80),
  sti: rmRegister("st", 80),
} as const satisfies Record<string, Operand>;

export type OperandKind = keyof typeof operandKinds;

/** `S` itself if it is a comma-separated list of operand kinds, else never: a misspelt operand does not compile. */
export type OperandList<S extends string> = S extends "" | OperandKind
  ? S
  : S extends `${infer First}, ${infer Rest}`
    ? First extends OperandKind
      ? OperandList<Rest> extends never
        ? never
        : S
      : never
    : never;

const isOperandKind = (text: string): text is OperandKind => Object.hasOwn(operandKinds, text);

/** The kinds in a list such as "rmv, simm8". */
export function operandKindsOf(list: string): readonly OperandKind[] {
  if (list === "") return [];
  return list.split(", ").map((text) => {
    if (!isOperandKind(text)) throw new Error(`there is no operand kind ${text}`);
    return text;
  });
}

/** The description of an operand kind, with every optional field of Operand visible. */
export const operandOf = (kind: OperandKind): Operand => operandKinds[kind];
