/**
 * One row of the x86 table: an encoding as the manual's opcode column writes it (SDM 2, 3.1.1.1), the mnemonic, the
 * operands, traits, and the meaning as a lowering to IR. Rows are plain data that the decoder, the translator, the
 * oracle's case generator and the tables in the documentation enumerate.
 *
 * Opcode column: optional mandatory prefix (NP, 66, F2, F3), REX.W, the opcode bytes with 0F, 0F 38 or 0F 3A in
 * front, or VEX.length.prefix.map.W and the opcode byte (VEX.LZ.F2.0F38.W1 F5), then /r, /digit, +r (register in the opcode), +i (ST(i) in the ModRM byte) or a fixed ModRM byte, then
 * immediates (ib iw iz iv cb cz cp mo). A row without a mandatory prefix takes any; 66 is then the operand size. A VEX
 * row without a prefix takes pp = 0 alone; without W it takes both, and W is then the operand size.
 */
import { isFeature, type Feature } from "../../cpu/index.ts";
import {
  type ImmediateToken,
  type Operand,
  type OperandKind,
  type OperandList,
  operandKindsOf,
  operandOf,
} from "./operand.ts";
import type { Translator } from "./translator.ts";

/**
 * lock: LOCK is valid with a memory destination. i64: invalid in 64-bit mode. o64: valid in 64-bit mode only.
 * d64: the operand size defaults to 64 bits in 64-bit mode (66 gives 16). f64: it is 64 whatever the prefixes.
 * cpl0: #GP(0) unless CPL is 0. prot: #UD in real and virtual-8086 mode. rep: any REP prefix repeats; repz: REPE and
 * REPNE repeat while ZF agrees.
 */
export type Trait = "lock" | "i64" | "o64" | "d64" | "f64" | "cpl0" | "prot" | "rep" | "repz";

export interface FlagsTrait {
  /** Status flags the instruction leaves undefined (flags.ts bits). */
  readonly undefinedFlags: number;
}

/** Appends the IR of the decoded instruction. */
export type Lowering = (t: Translator) => void;
/** Builds the lowering for a row's operands when the table loads: op names are resolved here, once. */
export type Meaning = (form: Form) => Lowering;

/** A row's operands as its meaning sees them. */
export interface Form {
  readonly mnemonic: string;
  readonly operands: readonly Operand[];
}

export type MandatoryPrefix = "NP" | "66" | "F3" | "F2";
export const mandatoryPrefixes = ["NP", "66", "F3", "F2"] as const satisfies readonly MandatoryPrefix[];

/** VEX.L of a row: LZ, L0 and 128 ask for 0, L1 and 256 for 1, LIG takes either. */
export const vexLengths = ["LZ", "L0", "128", "L1", "256", "LIG"] as const;
export type VexLength = (typeof vexLengths)[number];
export interface VexEncoding {
  readonly length: VexLength;
  /** undefined: either. */
  readonly w: 0 | 1 | undefined;
}

/** The opcode column, parsed. */
export interface Encoding {
  /** undefined: not VEX-encoded. */
  readonly vex: VexEncoding | undefined;
  readonly prefix: MandatoryPrefix | undefined;
  /** REX.W, or VEX.W, has to be 1. */
  readonly rexW: boolean;
  /** 0: one byte, 1: 0F, 2: 0F 38, 3: 0F 3A. */
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  readonly hasModrm: boolean;
  /** ModRM.reg that belongs to the opcode. */
  readonly digit: number | undefined;
  /** Register in the opcode's low three bits. */
  readonly plusRegister: boolean;
  /** Whole ModRM byte that belongs to the opcode, and whether its low three bits are a register (+i). */
  readonly modrm: number | undefined;
  readonly plusStack: boolean;
  readonly immediates: readonly ImmediateToken[];
}

export interface InstructionRow {
  readonly opcode: string;
  readonly mnemonic: string;
  readonly operandList: string;
  readonly encoding: Encoding;
  readonly operandKinds: readonly OperandKind[];
  readonly operands: readonly Operand[];
  readonly traits: ReadonlySet<Trait>;
  /** All of them are needed. */
  readonly features: ReadonlySet<Feature>;
  readonly undefinedFlags: number;
  readonly lower: Lowering;
}

const immediateTokens: readonly string[] = [
  "ib",
  "iw",
  "iz",
  "iv",
  "cb",
  "cz",
  "cp",
  "mo",
] satisfies ImmediateToken[];
const isImmediateToken = (token: string): token is ImmediateToken => immediateTokens.includes(token);

const byteOf = (token: string): number | undefined =>
  /^[0-9A-F]{2}$/.test(token) ? Number.parseInt(token, 16) : undefined;

const vexMaps = { "0F": 1, "0F38": 2, "0F3A": 3 } as const;

/** Parses a token such as VEX.LZ.F2.0F38.W1; undefined if there is an error in it. */
function parseVex(token: string): Pick<Encoding, "vex" | "prefix" | "rexW" | "map"> | undefined {
  const fields = token.split(".").slice(1);
  const length = vexLengths.find((name) => name === fields[0]);
  const prefix = mandatoryPrefixes.find((name) => name === fields[1]);
  const [mapName = "", wName = "WIG", ...rest] = fields.slice(prefix === undefined ? 1 : 2);
  const map = mapName === "0F" || mapName === "0F38" || mapName === "0F3A" ? vexMaps[mapName] : undefined;
  const hasW = wName === "W0" || wName === "W1" || wName === "WIG";
  if (length === undefined || map === undefined || !hasW || rest.length > 0) return undefined;
  const w = wName === "W0" ? 0 : wName === "W1" ? 1 : undefined;
  return { vex: { length, w }, prefix: prefix ?? "NP", rexW: w === 1, map };
}

/** Parses the opcode column; throws on what it does not know. */
export function parseOpcode(text: string): Encoding {
  const tokens = text.split(" ");
  const fail = (): never => {
    throw new Error(`bad opcode column: ${text}`);
  };
  let at = 0;
  let prefix = mandatoryPrefixes.find((name) => name === tokens[0] && tokens.length > 1);
  if (prefix !== undefined) at++;
  let rexW = tokens[at] === "REX.W";
  if (rexW) at++;
  let map: 0 | 1 | 2 | 3 = 0;
  let vex: VexEncoding | undefined;
  if (tokens[at]?.startsWith("VEX.") === true) {
    ({ vex, prefix, rexW, map } = parseVex(tokens[at++] ?? "") ?? fail());
  } else if (tokens[at] === "0F" && byteOf((tokens[at + 1] ?? "").slice(0, 2)) !== undefined) {
    at++;
    map = 1;
    if (tokens[at] === "38" || tokens[at] === "3A") map = tokens[at++] === "38" ? 2 : 3;
  }
  const opcodeToken = tokens[at++] ?? fail();
  const plusRegister = opcodeToken.endsWith("+r");
  const opcode = byteOf(plusRegister ? opcodeToken.slice(0, 2) : opcodeToken) ?? fail();
  let hasModrm = false;
  let digit: number | undefined;
  let modrm: number | undefined;
  let plusStack = false;
  const modrmToken = tokens[at] ?? "";
  if (/^\/[0-7r]$/.test(modrmToken)) {
    hasModrm = true;
    if (modrmToken !== "/r") digit = Number(modrmToken[1]);
    at++;
  } else if (/^[0-9A-F]{2}(\+i)?$/.test(modrmToken)) {
    hasModrm = true;
    plusStack = modrmToken.endsWith("+i");
    modrm = Number.parseInt(modrmToken.slice(0, 2), 16);
    at++;
  }
  const immediates = tokens.slice(at).map((token) => (isImmediateToken(token) ? token : fail()));
  return { vex, prefix, rexW, map, opcode, hasModrm, digit, plusRegister, modrm, plusStack, immediates };
}

/** One row; `traits` are attributes, features and the flags left undefined, in any order. */
export function row<const S extends string>(
  opcode: string,
  mnemonic: string,
  operandList: S & OperandList<S>,
  meaning: Meaning,
  ...traits: readonly (Trait | Feature | FlagsTrait)[]
): InstructionRow {
  return makeRow(opcode, mnemonic, operandList, meaning, traits);
}

/** `row` for operand lists that are generated: they are checked when the table loads instead. */
export function makeRow(
  opcode: string,
  mnemonic: string,
  operandList: string,
  meaning: Meaning,
  traits: readonly (Trait | Feature | FlagsTrait)[],
): InstructionRow {
  const encoding = parseOpcode(opcode);
  const kinds = operandKindsOf(operandList);
  const operands = kinds.map(operandOf);
  const encoded = operands.flatMap(({ immediate }) => (immediate === undefined ? [] : [immediate]));
  if (encoded.join() !== encoding.immediates.join()) {
    throw new Error(`${opcode} ${mnemonic}: the opcode's immediates are not those of ${operandList}`);
  }
  const needsModrm = operands.some(({ at }) => at === "reg" || at === "rm");
  if (needsModrm && !encoding.hasModrm)
    throw new Error(`${opcode} ${mnemonic}: ${operandList} needs a ModRM byte`);
  const named = traits.filter((trait) => typeof trait === "string");
  // What is VEX-encoded does not exist in real and virtual-8086 mode.
  const names = encoding.vex === undefined ? named : [...named, "prot" as const];
  return {
    opcode,
    mnemonic,
    operandList,
    encoding,
    operandKinds: kinds,
    operands,
    traits: new Set(names.filter((name): name is Trait => !isFeature(name))),
    features: new Set(names.filter((name): name is Feature => isFeature(name))),
    undefinedFlags: traits.reduce(
      (flags, trait) => (typeof trait === "string" ? flags : flags | trait.undefinedFlags),
      0,
    ),
    lower: meaning({ mnemonic, operands }),
  };
}
