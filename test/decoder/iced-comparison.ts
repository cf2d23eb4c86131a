/**
 * Our decoder against iced-x86, an independent one: validity, length, mnemonic, memory operand. What only one of them
 * can know is listed here with its reason: CPUID features that the x86 table does not have, names that differ, and
 * registers that do not exist, about which our table's meanings decide.
 */
import assert from "node:assert/strict";
import {
  Code,
  CpuidFeature,
  Decoder as IcedDecoder,
  DecoderOptions,
  EncodingKind,
  Instruction,
  Mnemonic,
  OpKind,
  Register,
} from "iced-x86";
import { featureNames } from "../../src/cpu/index.ts";
import { CODE16, CODE32, CODE64, DECODED, Decoder } from "../../src/engine/x86/decode.ts";
import { instructionRows } from "../../src/engine/x86/spec.ts";
import { missingExtensions } from "./missing-extensions.ts";
import { SEG_CS, SEG_DS, SEG_ES, SEG_FS, SEG_GS, SEG_SS, SLOT_ZERO } from "../../src/engine/layout.ts";

/** Valid for iced-x86, not in the table. */
const missingFeatures: ReadonlySet<string> = new Set(
  missingExtensions.flatMap(({ icedFeatures }) => icedFeatures),
);

/** VEX-encoded instructions of other features (AVX and what builds on it) are missing as a whole. */
const vexFeatures: ReadonlySet<string> = new Set(["BMI1", "BMI2"]);

/** Rows that execute what later processors made instructions of: their prefixes or hints are ignored. */
const reinterpreted: ReadonlySet<string> = new Set(["nop", "prefetch", "prefetchw", "wbinvd"]);

/**
 * Names of ours that stand for several of iced-x86's, or for another: where a size makes a name of its own, aliases,
 * and opcodes that later processors gave a second name.
 */
const otherNames: Readonly<Record<string, RegExp>> = {
  ...Object.fromEntries(
    ["movs", "cmps", "stos", "lods", "scas", "ins", "outs"].map((name) => [
      name,
      new RegExp(`^${name}[wdq]$`),
    ]),
  ),
  ...Object.fromEntries(
    ["iret", "pusha", "popa", "pushf", "popf", "sysret", "sysexit"].map((name) => [
      name,
      new RegExp(`^${name}[dq]?$`),
    ]),
  ),
  ...Object.fromEntries(
    ["fxsave", "fxrstor", "xsave", "xrstor", "xsaveopt", "xsavec", "pcmpestri", "pcmpestrm"].map((name) => [
      name,
      new RegExp(`^${name}(64)?$`),
    ]),
  ),
  xchg: /^(xchg|nop)$/,
  shl: /^(shl|sal)$/,
  cbw: /^(cbw|cwde|cdqe)$/,
  cwd: /^(cwd|cdq|cqo)$/,
  jrcxz: /^j[er]?cxz$/,
  movd: /^mov[dq]$/,
  pinsrd: /^pinsr[dq]$/,
  pextrd: /^pextr[dq]$/,
  nop: /^(nop|reservednop)$/,
  prefetch: /^(prefetch(nta|t[012]|it[01])|reservednop)$/,
  prefetchw: /^(prefetch(w|wt1)?|reservednop)$/,
  fstp: /^fstp(nce)?$/,
  feni: /^fneni$/,
  fdisi: /^fndisi$/,
  fsetpm: /^fnsetpm$/,
};

export const modes = [
  { codeSize: CODE16, bits: 16 },
  { codeSize: CODE32, bits: 32 },
  { codeSize: CODE64, bits: 64 },
] as const;

const decoder = new Decoder(instructionRows, new Set(featureNames));
const instruction = new Instruction();

interface IcedResult {
  readonly valid: boolean;
  readonly length: number;
  readonly missing: boolean;
  readonly features: readonly string[];
}

/** What iced-x86 says of the bytes. */
function decodeByIced(bytes: Uint8Array, bits: number): IcedResult {
  const iced = new IcedDecoder(bits, bytes, DecoderOptions.None);
  iced.decodeOut(instruction);
  iced.free();
  const valid = instruction.code !== Code.INVALID;
  const features = [...instruction.cpuidFeatures()].map((feature) => CpuidFeature[feature] ?? "");
  const isMissing =
    instruction.encoding === EncodingKind.VEX
      ? !features.every((name) => vexFeatures.has(name))
      : instruction.encoding !== EncodingKind.Legacy || features.some((name) => missingFeatures.has(name));
  // SYSCALL and SYSRET in legacy modes are AMD's.
  const isForeign = bits !== 64 && features.includes("SYSCALL");
  const missing = isMissing || isForeign;
  return { valid, length: instruction.length, missing, features };
}

const hex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

const segmentOfRegister = new Map<Register, number>([
  [Register.ES, SEG_ES],
  [Register.CS, SEG_CS],
  [Register.SS, SEG_SS],
  [Register.DS, SEG_DS],
  [Register.FS, SEG_FS],
  [Register.GS, SEG_GS],
]);

/** The slot that iced-x86's register name has here. */
function slotOfRegister(register: Register): number {
  for (const first of [Register.RAX, Register.EAX, Register.AX]) {
    if (register >= first && register < first + 16) return 8 * (register - first);
  }
  assert.equal(register, Register.None);
  return SLOT_ZERO;
}

/** Does the instruction have a ModRM memory operand, for both decoders? */
function hasMemoryOperand(): boolean {
  for (let i = 0; i < instruction.opCount; i++) if (instruction.opKind(i) === OpKind.Memory) return true;
  return false;
}

/** In 64-bit mode only FS and GS mean something: the others count as DS. */
const effectiveSegment = (segment: number | undefined, bits: number): number | undefined =>
  bits === 64 && segment !== undefined && segment < SEG_FS ? SEG_DS : segment;

function compareMemoryOperand(bits: number, context: () => string): void {
  const isModrm = decoder.row.operands.some(({ at }) => at === "rm") && !decoder.isRegister;
  if (!isModrm || !hasMemoryOperand()) return;
  const segment = segmentOfRegister.get(instruction.memorySegment);
  assert.equal(
    effectiveSegment(decoder.segment, bits),
    effectiveSegment(segment, bits),
    `segment: ${context()}`,
  );
  const mask = decoder.addressSize === 1 ? 0xffff : -1;
  assert.equal(decoder.disp & mask, displacement() & mask, `displacement: ${context()}`);
  const isRip = instruction.memoryBase === Register.RIP || instruction.memoryBase === Register.EIP;
  assert.equal(decoder.isRipRelative, isRip, `RIP-relative: ${context()}`);
  if (isRip) return;
  // base + index without a scale may be written either way.
  const ours = [decoder.base, decoder.index];
  const theirs = [slotOfRegister(instruction.memoryBase), slotOfRegister(instruction.memoryIndex)];
  assert.deepEqual(ours, theirs, `registers: ${context()}`);
  if (decoder.index !== SLOT_ZERO) {
    assert.equal(1 << decoder.scale, instruction.memoryIndexScale, `scale: ${context()}`);
  }
}

/** iced-x86's displacement as the instruction encodes it. */
function displacement(): number {
  const value = Number(BigInt.asIntN(32, instruction.memoryDisplacement));
  const isRip = instruction.memoryBase === Register.RIP || instruction.memoryBase === Register.EIP;
  return isRip ? (value - instruction.length) | 0 : value;
}

/** VEX.vvvv as a general register: the operand that is neither in ModRM nor an immediate. */
function compareVvvv(context: () => string): void {
  const index = decoder.row.operands.findIndex(({ at }) => at === "vvvv");
  if (index < 0) return;
  assert.equal(8 * decoder.vvvv, slotOfRegister(instruction.opRegister(index)), `vvvv: ${context()}`);
}

function compareMnemonic(context: () => string): void {
  const ours = decoder.row.mnemonic;
  const theirs = (Mnemonic[instruction.mnemonic] ?? "").toLowerCase();
  const isSame = otherNames[ours]?.test(theirs) ?? ours === theirs;
  assert.ok(isSame, `mnemonic: ${ours}, ${theirs}: ${context()}`);
}

/** MOV with a control or debug register that does not exist. */
function namesMissingRegister(result: number): boolean {
  if (result !== DECODED) return false;
  const files = new Set(decoder.row.operands.map(({ file }) => file));
  if (files.has("cr")) return ![0, 2, 3, 4, 8].includes(decoder.reg);
  return files.has("dr") && decoder.reg > 7;
}

/** Compares both decoders, throwing where they differ; returns our row if the encoding is valid. */
export function compare(bytes: Uint8Array, codeSize: number, bits: number): Decoder["row"] | undefined {
  const theirs = decodeByIced(bytes, bits);
  const result = decoder.decode(bytes, 0, bytes.length, codeSize);
  const context = (): string =>
    `${hex(bytes)} in ${bits}-bit mode (${decoder.row.opcode} ${decoder.row.mnemonic}; ${theirs.features.join()})`;
  if (theirs.missing) {
    const isOther = result !== DECODED || reinterpreted.has(decoder.row.mnemonic);
    assert.ok(isOther, `of a missing feature, but decoded: ${context()}`);
    return undefined;
  }
  if (namesMissingRegister(result)) {
    // The decoder takes it; its meaning raises #UD.
    assert.ok(!theirs.valid, context());
    return undefined;
  }
  assert.equal(result === DECODED, theirs.valid, `validity: ${context()}`);
  if (result !== DECODED) return undefined;
  assert.equal(decoder.length, theirs.length, `length: ${context()}`);
  compareMnemonic(context);
  compareMemoryOperand(bits, context);
  compareVvvv(context);
  return decoder.row;
}
