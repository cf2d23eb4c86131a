/**
 * Shapes: one complete choice of how a row of the x86 table is encoded (mode, sizes, prefixes, registers, addressing
 * form, immediates), and its machine code. SDM 2, chapter 2.
 */
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import type { CpuMode, SegmentName } from "../oracle/index.ts";

export type SizeBits = 16 | 32 | 64;
/** Segment registers by number, in the order of their encoding. */
export const segmentRegisters = ["es", "cs", "ss", "ds", "fs", "gs"] as const;
export type SegmentRegister = (typeof segmentRegisters)[number];
const segmentPrefixes: Record<SegmentRegister, number> = {
  es: 0x26,
  cs: 0x2e,
  ss: 0x36,
  ds: 0x3e,
  fs: 0x64,
  gs: 0x65,
};

/** A memory operand in ModRM: base + index << scale + displacement. */
export interface MemoryForm {
  /** Register numbers; with 16-bit addresses BX or BP, and SI or DI. */
  readonly base?: number;
  readonly index?: number;
  readonly scale: 0 | 1 | 2 | 3;
  /** Signed; of an absolute or RIP-relative form the whole effective address. */
  readonly displacement: number;
  readonly displacementBytes: 0 | 1 | 2 | 4;
  readonly ripRelative: boolean;
  /** Encoded with a SIB byte although none is needed. */
  readonly needlessSib: boolean;
}

export interface Shape {
  readonly row: InstructionRow;
  readonly mode: CpuMode;
  readonly operandBits: SizeBits;
  readonly addressBits: SizeBits;
  readonly lock: boolean;
  /** A repeat prefix that is not part of the opcode. */
  readonly repeat: 0xf2 | 0xf3 | undefined;
  readonly segment: SegmentRegister | undefined;
  readonly rexW: boolean;
  /** A REX byte even if nothing in it is needed: SPL, BPL, SIL and DIL instead of AH, CH, DH and BH. */
  readonly rex: boolean;
  /** ModRM.reg unless the row fixes it. */
  readonly reg: number;
  /** VEX.vvvv as a register number, of VEX-encoded rows that use it. */
  readonly vvvv?: number;
  /** ModRM.rm, or the register in the opcode. */
  readonly rm: number;
  /** Set if ModRM.rm is memory. */
  readonly memory: MemoryForm | undefined;
  /** Values of the row's immediates in their order; branch targets are linear addresses. */
  readonly immediates: readonly bigint[];
  readonly codeGva: number;
  /** What segment registers hold, as far as it is not the mode's default. */
  readonly segments: Partial<Record<Exclude<SegmentRegister, "cs">, SegmentName>>;
}

export const defaultOperandBits = (mode: CpuMode): SizeBits => (mode === "protected16" ? 16 : 32);
export const defaultAddressBits = (mode: CpuMode): SizeBits =>
  mode === "long64" ? 64 : mode === "compat32" ? 32 : 16;

/** Bytes of an immediate. */
export function immediateBytes(token: string, shape: Pick<Shape, "operandBits" | "addressBits">): number {
  const { operandBits, addressBits } = shape;
  switch (token) {
    case "ib":
    case "cb":
      return 1;
    case "iw":
      return 2;
    case "iv":
      return operandBits / 8;
    case "cp":
      return operandBits === 16 ? 4 : 6;
    case "mo":
      return addressBits / 8;
    default: // iz, cz
      return operandBits === 16 ? 2 : 4;
  }
}

const modOf = (bytes: MemoryForm["displacementBytes"]): number => (bytes === 0 ? 0 : bytes === 1 ? 1 : 2);

/** ModRM, SIB and displacement; `at` gets the place of a RIP-relative displacement. */
function emitMemory(out: number[], reg: number, form: MemoryForm, addressBits: SizeBits): void {
  const { base, index, scale, displacement, displacementBytes } = form;
  const middle = (reg & 7) << 3;
  if (addressBits === 16) {
    const rm =
      base === undefined
        ? index === undefined
          ? 6
          : index - 2 // SI 4, DI 5
        : index === undefined
          ? base === 3
            ? 7
            : 6
          : (base === 3 ? 0 : 2) + (index - 6);
    const absolute = base === undefined && index === undefined;
    out.push((absolute ? 0 : modOf(displacementBytes) << 6) | middle | rm);
    emitNumber(out, BigInt(displacement), displacementBytes);
    return;
  }
  const needsSib = index !== undefined || (base !== undefined && (base & 7) === 4) || form.needlessSib;
  if (base === undefined) {
    // No base: a 32-bit displacement, relative to RIP without a SIB byte in 64-bit mode.
    if (needsSib) out.push(0x04 | middle, (scale << 6) | (((index ?? 4) & 7) << 3) | 5);
    else out.push(0x05 | middle);
    emitNumber(out, BigInt(displacement), 4);
    return;
  }
  const mod = modOf(displacementBytes) << 6;
  if (needsSib) out.push(mod | middle | 4, (scale << 6) | (((index ?? 4) & 7) << 3) | (base & 7));
  else out.push(mod | middle | (base & 7));
  emitNumber(out, BigInt(displacement), displacementBytes);
}

function emitNumber(out: number[], value: bigint, bytes: number): void {
  for (let i = 0n; i < bytes; i++) out.push(Number((value >> (8n * i)) & 0xffn));
}

/** The top bits of the registers in ModRM and SIB, as REX has them: R, X, B. */
function registerHighBits({ row: { encoding }, memory, reg, rm }: Shape): number {
  const b = memory === undefined ? rm >> 3 : (memory.base ?? 0) >> 3;
  const isFree = encoding.hasModrm && encoding.digit === undefined && encoding.modrm === undefined;
  const r = isFree ? reg >> 3 : 0;
  const x = (memory?.index ?? 0) >> 3;
  return (r << 2) | (x << 1) | b;
}

/** Size, repeat and REX prefixes, and the escape bytes of the opcode map. */
function emitOpcodeMap(out: number[], shape: Shape): void {
  const { row, mode, operandBits } = shape;
  const { encoding } = row;
  if (needsOperandSizePrefix(row, mode, operandBits)) out.push(0x66);
  const repeat = encoding.prefix === "F3" ? 0xf3 : encoding.prefix === "F2" ? 0xf2 : shape.repeat;
  if (repeat !== undefined) out.push(repeat);
  if (mode === "long64") {
    const rex = (shape.rexW ? 8 : 0) | registerHighBits(shape);
    if (rex !== 0 || shape.rex) out.push(0x40 | rex);
  }
  if (encoding.map !== 0) out.push(0x0f);
  if (encoding.map === 2) out.push(0x38);
  if (encoding.map === 3) out.push(0x3a);
}

const VEX_PREFIX = { NP: 0, "66": 1, F3: 2, F2: 3 } as const;

/** The VEX prefix, of two bytes if they hold what is needed (SDM 2, 2.3.5). */
function emitVex(out: number[], shape: Shape): void {
  const { row, rexW, rex, vvvv } = shape;
  const { map, prefix = "NP", vex } = row.encoding;
  const usesVvvv = row.operands.some(({ at }) => at === "vvvv");
  const l = vex?.length === "L1" || vex?.length === "256" ? 4 : 0;
  const last = (usesVvvv ? (~(vvvv ?? 0) & 15) << 3 : 0x78) | l | VEX_PREFIX[prefix];
  const high = registerHighBits(shape);
  if (map === 1 && !rexW && !rex && (high & 3) === 0) out.push(0xc5, ((~high & 4) << 5) | last);
  else out.push(0xc4, ((~high & 7) << 5) | map, (rexW ? 0x80 : 0) | last);
}

/** The machine code of a shape. */
export function encodeShape(shape: Shape): Uint8Array {
  const { row, mode, memory } = shape;
  const { encoding } = row;
  const out: number[] = [];
  if (shape.lock) out.push(0xf0);
  if (shape.segment !== undefined) out.push(segmentPrefixes[shape.segment]);
  if (shape.addressBits !== defaultAddressBits(mode)) out.push(0x67);
  if (encoding.vex !== undefined) emitVex(out, shape);
  else emitOpcodeMap(out, shape);
  out.push(encoding.opcode + (encoding.plusRegister ? shape.rm & 7 : 0));
  const isRegisterForm = memory === undefined;
  let ripRelativeAt = -1;
  if (encoding.modrm !== undefined) out.push(encoding.modrm + (encoding.plusStack ? shape.rm & 7 : 0));
  else if (encoding.hasModrm) {
    const reg = encoding.digit ?? shape.reg;
    if (isRegisterForm) out.push(0xc0 | ((reg & 7) << 3) | (shape.rm & 7));
    else {
      emitMemory(out, reg, memory, shape.addressBits);
      if (memory.ripRelative) ripRelativeAt = out.length - 4;
    }
  }
  const immediatesAt = out.length;
  const sizes = encoding.immediates.map((token) => immediateBytes(token, shape));
  const length = immediatesAt + sizes.reduce((sum, size) => sum + size, 0);
  for (const [i, token] of encoding.immediates.entries()) {
    const value = shape.immediates[i] ?? 0n;
    const relative = token === "cb" || token === "cz";
    emitNumber(out, relative ? value - BigInt(shape.codeGva + length) : value, sizes[i] ?? 0);
  }
  const code = Uint8Array.from(out);
  if (ripRelativeAt >= 0 && memory !== undefined) {
    new DataView(code.buffer).setInt32(ripRelativeAt, memory.displacement - (shape.codeGva + length), true);
  }
  return code;
}

function needsOperandSizePrefix(row: InstructionRow, mode: CpuMode, operandBits: SizeBits): boolean {
  if (row.encoding.prefix === "66") return true;
  if (row.encoding.prefix === "NP") return false;
  return mode === "protected16" ? operandBits !== 16 : operandBits === 16;
}
