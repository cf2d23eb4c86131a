/**
 * Makes instruction cases from the rows of the x86 table: each row is encoded in several shapes, and each shape is run
 * with several sets of values. A row's cases depend on its text and the seed alone, so that adding a row leaves the
 * cases of all others as they are. The decoder has to attribute the encoded bytes to the row they were made from.
 */
import { DECODED, Decoder } from "../../src/engine/x86/decode.ts";
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import { instructionRows } from "../../src/engine/x86/spec.ts";
import { FloatSource } from "../../src/engine/core/fpu-cases-fixture.ts";
import {
  CODE,
  type CpuMode,
  DEFAULT_RIP,
  FLAG,
  type InstructionCase,
  PAGE_BYTES,
  type Random,
  type SegmentName,
  STATUS_FLAGS,
} from "../oracle/index.ts";
import { chooseForm, chooseTarget, isAbsolute, segmentBaseOf, segmentOfForm } from "./addressing.ts";
import { ambiguousBits, Draft, reachOf } from "./draft.ts";
import { isOpen } from "./exclusions.ts";
import { memoryContents, setFloatState } from "./float-state.ts";
import type { HostCpu } from "./host-cpu.ts";
import { memoryBytes, rmOperand } from "./operands.ts";
import { operandSizes, policyOf, reservedRegisters } from "./policies.ts";
import {
  defaultAddressBits,
  encodeShape,
  type MemoryForm,
  type SegmentRegister,
  type Shape,
} from "./shape.ts";
import { undefinedOf } from "./undefined.ts";

/** Cases with the same code one after the other: an engine translates it once for all of them. */
export const VALUES_PER_SHAPE = 3;
/** Attempts to find a shape that decodes to its row. */
const ATTEMPTS_MAX = 40;

/** The text by which a row is known in reports. */
export const rowName = (row: InstructionRow): string =>
  `${row.opcode} ${row.mnemonic} ${row.operandList}`.trim();

function hashOf(text: string): bigint {
  let hash = 0xcbf2_9ce4_8422_2325n;
  for (let i = 0; i < text.length; i++)
    hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100_0000_01b3n);
  return hash;
}

/** Modes in which a row exists, 64-bit mode twice as often. */
function modesOf(row: InstructionRow, host: HostCpu): CpuMode[] {
  const all: CpuMode[] = row.traits.has("o64")
    ? ["long64"]
    : row.traits.has("i64")
      ? ["compat32", "protected16"]
      : ["long64", "compat32", "long64", "protected16"];
  return all.filter((mode) => host.modes.includes(mode));
}

const chance = (random: Random, among: number): boolean => random.below(among) === 0;

export class CaseGenerator {
  readonly #host: HostCpu;
  readonly #decoder: Decoder;
  readonly #seed: bigint;

  constructor(host: HostCpu, seed: number) {
    this.#host = host;
    this.#decoder = new Decoder(instructionRows, host.features);
    this.#seed = BigInt(seed);
  }

  /** About `count` cases of a row; fewer only if it cannot be encoded. */
  casesOf(row: InstructionRow, count: number): InstructionCase[] {
    const seed = hashOf(rowName(row)) ^ (this.#seed * 0x9e37_79b9n);
    const floats = new FloatSource(Number(BigInt.asUintN(32, seed)));
    const { random } = floats;
    const cases: InstructionCase[] = [];
    for (let index = 0; cases.length < count && index < count; index++) {
      const shape = this.shape(row, index, random);
      if (shape === undefined) return cases;
      const code = codeOf(shape);
      for (let value = 0; value < VALUES_PER_SHAPE; value++) {
        const draft = makeAcceptable(shape, floats);
        if (draft !== undefined) cases.push(draft.finish(`${rowName(row)} #${String(cases.length)}`, code));
      }
    }
    return cases;
  }

  /** A shape that decodes to the row, or undefined if none was found. `index` rotates through modes and forms. */
  shape(row: InstructionRow, index: number, random: Random): ShapeWithBases | undefined {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const shape = chooseShape(row, index, random, this.#host);
      if (shape !== undefined && this.#decodesToRow(shape) && !isOpen(shape, this.#host)) return shape;
    }
    return undefined;
  }

  #decodesToRow(shape: Shape): boolean {
    const bytes = encodeShape(shape);
    const codeSize = shape.mode === "long64" ? 2 : shape.mode === "compat32" ? 1 : 0;
    const result = this.#decoder.decode(bytes, 0, bytes.length, codeSize);
    // LOCK makes some of them invalid, which is a case too.
    if (result !== DECODED && !shape.lock) return false;
    return this.#decoder.row === shape.row && this.#decoder.length === bytes.length;
  }
}

export interface ShapeWithBases extends Shape {
  readonly bases: { readonly fs: bigint; readonly gs: bigint };
}

/** A random shape of a row, or undefined if the choices do not go together. `index` rotates through the main ones. */
function chooseShape(
  row: InstructionRow,
  index: number,
  random: Random,
  host: HostCpu,
): ShapeWithBases | undefined {
  const modes = modesOf(row, host);
  const mode = modes[index % modes.length];
  if (mode === undefined) return undefined;
  const { encoding, traits } = row;
  const policy = policyOf(row);
  const dependsOnW = encoding.rexW || row.operands.some(({ width }) => width === "y");
  const operandBits = random.pick(operandSizes(row, mode));
  const wide = traits.has("f64") || traits.has("d64");
  // VEX.W exists in every mode, but is the operand size in 64-bit mode alone.
  const hasVexW = encoding.vex !== undefined && encoding.vex.w === undefined && mode !== "long64";
  const rexW =
    (hasVexW && chance(random, 4)) ||
    (mode === "long64" &&
      (encoding.rexW ||
        (operandBits === 64 && !wide) ||
        (dependsOnW ? chance(random, 2) : chance(random, 8))));
  if (encoding.rexW && mode !== "long64") return undefined;
  const usual = defaultAddressBits(mode);
  const addressBits = chance(random, 6) ? (mode === "long64" ? 32 : usual === 32 ? 16 : 32) : usual;
  const registers = mode === "long64" ? 16 : 8;
  const mod = rmOperand(row)?.mod;
  const isMemory = mod === "memory" || (mod === "any" && (index >> 1) % 2 === random.below(4) % 2);
  const form = isMemory ? chooseForm(random, mode, addressBits, reservedRegisters(row)) : undefined;
  const isString = traits.has("rep") || traits.has("repz");
  const usesMemory =
    isMemory ||
    isString ||
    row.operands.some(({ at }) => at === "moffs") ||
    /^xlat|^maskmov/.test(row.mnemonic);
  const segment =
    usesMemory && chance(random, 5)
      ? random.pick(["es", "cs", "ss", "ds", "fs", "gs", "fs", "gs"] as const)
      : undefined;
  const rm = random.below(registers);
  const reg = random.below(row.operands.some(({ file }) => file === "sreg") ? 8 : registers);
  const usesVvvv = row.operands.some(({ at }) => at === "vvvv");
  const partial = {
    row,
    mode,
    operandBits: rexW && mode === "long64" && !(wide && operandBits === 64) ? 64 : operandBits,
    addressBits,
    lock: chance(random, traits.has("lock") && isMemory ? 4 : 60),
    repeat: isString && !chance(random, 4) ? random.pick([0xf3, 0xf3, 0xf2] as const) : undefined,
    segment,
    rexW,
    rex: mode === "long64" && chance(random, 4),
    reg,
    ...(usesVvvv && { vvvv: random.below(registers) }),
    rm,
    memory: form,
    codeGva: chance(random, 12) ? CODE.gva + PAGE_BYTES - 1 - random.below(4) : DEFAULT_RIP,
    segments: chooseSegments(random, mode, {
      addressBits,
      segment,
      form,
      isStack: policy.stack === true,
      isString,
    }),
    bases: chooseBases(random, addressBits),
  } as const;
  const placed = placeAbsolute(partial, random);
  const immediates = encoding.immediates.map((token, i) => {
    if (token === "mo") return moffsTarget(placed, random);
    return policy.immediate?.(random, placed, i) ?? immediateValue(random, token);
  });
  return { ...placed, immediates };
}

function immediateValue(random: Random, token: string): bigint {
  const bits = token === "ib" ? 8 : token === "iw" ? 16 : 64;
  return random.below(2) === 0 ? random.next64() : random.runs(bits);
}

/** What FS and GS have as bases in 64-bit mode. Linux never maps anything within 4 GiB of the largest by itself. */
function chooseBases(random: Random, addressBits: number): { readonly fs: bigint; readonly gs: bigint } {
  const base = (): bigint =>
    random.pick(
      addressBits === 64 ? [0n, 0x1000n, 0x1234_5670n, 0x4321_1234_5000n] : [0n, 0x1000n, 0x1234_5670n],
    );
  return { fs: base(), gs: base() };
}

interface SegmentNeeds {
  readonly addressBits: number;
  readonly segment: SegmentRegister | undefined;
  readonly form: MemoryForm | undefined;
  readonly isStack: boolean;
  readonly isString: boolean;
}

const DATA_SEGMENTS = ["flat", "data16", "limited", "readOnlyData", "expandDown", "stack32", "null"] as const;

/** Segment registers other than usual where the case's memory is reached through them. */
function chooseSegments(random: Random, mode: CpuMode, needs: SegmentNeeds): Shape["segments"] {
  if (mode === "long64") return {};
  const { addressBits, form, isStack, isString } = needs;
  const segments: Partial<Record<"es" | "ss" | "ds" | "fs" | "gs", SegmentName>> = {};
  // 16-bit addresses reach the case's memory only through segments that begin there.
  const usual = addressBits === 16 ? "data16" : mode === "compat32" ? "flat" : "data16";
  const used = form === undefined ? (needs.segment ?? "ds") : segmentOfForm(form, needs.segment, mode);
  const stack =
    mode === "compat32"
      ? (["flat", "flat", "flat", "data16", "stack32", "limited"] as const)
      : (["data16", "data16", "data16", "stack32", "flat"] as const);
  if (isStack) segments.ss = random.pick(stack);
  if (form === undefined && !isString && needs.segment === undefined && addressBits !== 16) return segments;
  if (used === "ss")
    segments.ss = isStack
      ? random.pick(stack)
      : random.pick([usual, usual, usual, "limited", "stack32", "expandDown"] as const);
  else if (used !== "cs")
    segments[used] =
      random.below(4) > 0 ? usual : random.pick(addressBits === 16 ? DATA_SEGMENTS.slice(1) : DATA_SEGMENTS);
  if (isString) segments.es = random.below(4) > 0 ? usual : random.pick(DATA_SEGMENTS);
  return segments;
}

/** Gives a form without registers its address, which is part of the code. */
function placeAbsolute<S extends Omit<ShapeWithBases, "immediates">>(shape: S, random: Random): S {
  const { memory, addressBits } = shape;
  if (memory === undefined || !isAbsolute(memory)) return shape;
  const segment = segmentOfForm(memory, shape.segment, shape.mode);
  const sizeBytes = memoryBytes({ ...shape, immediates: [] });
  const target = chooseTarget(random, {
    sizeBytes,
    reach: reachOf({ ...shape, immediates: [] }, segment),
    wide: false,
  });
  const base = segmentBaseOf(shape, segment, shape.bases);
  const offset = (target - base) & ~ambiguousBits(shape.mode, segment, sizeBytes);
  const displacement = Number(BigInt.asIntN(addressBits === 16 ? 16 : 32, offset));
  return { ...shape, memory: { ...memory, displacement } };
}

/** The absolute offset of MOV moffs. */
function moffsTarget(shape: Omit<ShapeWithBases, "immediates">, random: Random): bigint {
  const segment = segmentOfForm(noForm, shape.segment, shape.mode);
  const full = { ...shape, immediates: [] };
  const target = chooseTarget(random, {
    sizeBytes: shape.operandBits / 8,
    reach: reachOf(full, segment),
    wide: shape.addressBits === 64,
  });
  return BigInt.asUintN(shape.addressBits, target - segmentBaseOf(shape, segment, shape.bases));
}

const noForm: MemoryForm = {
  scale: 0,
  displacement: 0,
  displacementBytes: 0,
  ripRelative: false,
  needlessSib: false,
};

/** The shape's instruction, and behind it what shows its effect. */
export function codeOf(shape: Shape): Uint8Array {
  const code = encodeShape(shape);
  const { suffix } = policyOf(shape.row);
  return suffix === undefined || shape.mode !== "long64" ? code : Uint8Array.from([...code, ...suffix]);
}

/** A draft that the row's policy accepts, or undefined if this shape has none. */
export function makeAcceptable(shape: ShapeWithBases, floats: FloatSource): Draft | undefined {
  const { accepts } = policyOf(shape.row);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const draft = makeDraft(shape, floats);
    if (accepts?.(draft) ?? true) return draft;
  }
  return undefined;
}

function makeDraft(shape: ShapeWithBases, floats: FloatSource): Draft {
  const { random } = floats;
  const draft = new Draft(shape, random, shape.bases);
  draft.flags = Number(random.next64()) & STATUS_FLAGS;
  const isString = shape.row.traits.has("rep") || shape.row.traits.has("repz");
  if (chance(random, isString ? 3 : 20)) draft.flags |= FLAG.df;
  if (chance(random, 30)) draft.flags |= FLAG.tf;
  draft.placeMemoryOperand((sizeBytes) => memoryContents(draft, floats, sizeBytes));
  policyOf(shape.row).prepare?.(draft);
  setFloatState(draft, floats);
  draft.undefined = undefinedOf(draft);
  return draft;
}
