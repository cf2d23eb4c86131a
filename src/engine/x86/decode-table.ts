/**
 * The decoder's flat lookup tables, built from the rows of the x86 table. Every encoding point, which is a mode, an
 * opcode of a map, a mandatory prefix, REX.W and a ModRM byte, goes to the most specific row that covers it; two
 * equally specific rows are an error in the table. An opcode's points are worked out when it is first met: a guest uses
 * a fraction of them, and each VM's start waits for what is done in advance.
 *
 * `primary[plane << 11 | is64 << 10 | map << 8 | opcode]`, with the plane of the encoding (legacy, VEX with L = 0 or 1), is UNKNOWN until `learn` was called for it, then a row number, INVALID, or -2 - g for group g. `groups[g * GROUP_SIZE +
 * key]`, with key = prefix << 5 | W << 4 | (mod = 3) << 3 | reg, is a row number, INVALID, or -2 - l for leaf l.
 * `leaves[l * 8 + rm]` is a row number or INVALID.
 */
import { defined } from "../../base/index.ts";
import type { Operand } from "./operand.ts";
import type { InstructionRow } from "./row.ts";

export const INVALID = -1;
/** Less than any number of a group. */
export const UNKNOWN = -0x8000;
export const GROUP_SIZE = 128;
const LEAF_SIZE = 8;

const PREFIX_INDEX = { NP: 0, "66": 1, F3: 2, F2: 3 } as const;
const OPCODES = 4 * 256;
/** Planes of `primary`. */
export const PLANE_LEGACY = 0;
export const PLANE_VEX_L0 = 1;
export const PLANE_VEX_L1 = 2;
const PLANES = 3;

function planesOf({ encoding: { vex } }: InstructionRow): readonly number[] {
  switch (vex?.length) {
    case undefined:
      return [PLANE_LEGACY];
    case "L1":
    case "256":
      return [PLANE_VEX_L1];
    case "LIG":
      return [PLANE_VEX_L0, PLANE_VEX_L1];
    default:
      return [PLANE_VEX_L0];
  }
}

/** What ModRM.mod a row's operands allow. */
export const modOf = (operands: readonly Operand[]): "any" | "memory" | "register" | "ignored" =>
  operands.find(({ at }) => at === "rm")?.mod ?? "any";

export class LookupTables {
  readonly primary = new Int16Array(PLANES * 2 * OPCODES).fill(INVALID);
  groups = new Int16Array(64 * GROUP_SIZE);
  leaves = new Int16Array(64 * LEAF_SIZE);
  #groupCount = 0;
  #leafCount = 0;
  /** The rows that an UNKNOWN opcode may belong to. */
  readonly #candidates = new Map<number, number[]>();
  readonly #rows: readonly InstructionRow[];

  constructor(rows: readonly InstructionRow[]) {
    this.#rows = rows;
    for (const [index, row] of rows.entries()) {
      const { map, opcode, plusRegister } = row.encoding;
      for (let n = 0; n < (plusRegister ? 8 : 1); n++) {
        for (const plane of planesOf(row)) {
          const slot = plane * 2 * OPCODES + ((map << 8) | (opcode + n));
          if (!row.traits.has("o64")) this.#expect(slot, index);
          if (!row.traits.has("i64")) this.#expect(OPCODES + slot, index);
        }
      }
    }
  }

  /** Works out what an UNKNOWN element of `primary` is, and returns it. */
  learn(slot: number): number {
    const indices = this.#candidates.get(slot) ?? [];
    this.#candidates.delete(slot);
    const value = this.#valueOf(indices);
    this.primary[slot] = value;
    return value;
  }

  #expect(slot: number, index: number): void {
    this.primary[slot] = UNKNOWN;
    const known = this.#candidates.get(slot);
    if (known === undefined) this.#candidates.set(slot, [index]);
    else known.push(index);
  }

  #valueOf(indices: readonly number[]): number {
    const boxes = indices.map((index) => boxOf(defined(this.#rows[index], "a row of the table"), index));
    boxes.sort((one, other) => one.specificity - other.specificity);
    this.#refuseEquals(boxes);
    const [only] = boxes;
    if (only !== undefined && boxes.length === 1 && isWhole(only)) return only.index;
    const group = this.#groupCount++;
    this.groups = withRoomFor(this.groups, this.#groupCount * GROUP_SIZE);
    const keys = this.groups.subarray(group * GROUP_SIZE, (group + 1) * GROUP_SIZE).fill(INVALID);
    for (const box of boxes) this.#paint(keys, box);
    return -2 - group;
  }

  /** Gives the keys of a group that a box covers to its row. */
  #paint(keys: Int16Array, { index, prefixes, widths, mods, regs, rms }: Box): void {
    for (let prefix = prefixes[0]; prefix <= prefixes[1]; prefix++) {
      for (let width = widths[0]; width <= widths[1]; width++) {
        for (let mod = mods[0]; mod <= mods[1]; mod++) {
          const key = (prefix << 5) | (width << 4) | (mod << 3);
          if (isAll(rms)) keys.fill(index, key + regs[0], key + regs[1] + 1);
          else for (let reg = regs[0]; reg <= regs[1]; reg++) this.#paintLeaf(keys, key + reg, index, rms);
        }
      }
    }
  }

  #paintLeaf(keys: Int16Array, key: number, index: number, rms: Range): void {
    const before = keys[key] ?? INVALID;
    const value = before < INVALID ? before : this.#addLeaf(before);
    const at = (-2 - value) * LEAF_SIZE;
    this.leaves.fill(index, at + rms[0], at + rms[1] + 1);
    keys[key] = value;
  }

  /** A leaf that is the same for each rm so far. */
  #addLeaf(row: number): number {
    const leaf = this.#leafCount++;
    this.leaves = withRoomFor(this.leaves, this.#leafCount * LEAF_SIZE);
    this.leaves.fill(row, leaf * LEAF_SIZE, (leaf + 1) * LEAF_SIZE);
    return -2 - leaf;
  }

  #refuseEquals(boxes: readonly Box[]): void {
    for (const [i, box] of boxes.entries()) {
      const other = boxes
        .slice(0, i)
        .find((before) => before.specificity === box.specificity && overlap(before, box));
      if (other === undefined) continue;
      const [a, b] = [other, box].map(
        ({ index }) => `${this.#rows[index]?.opcode} ${this.#rows[index]?.mnemonic}`,
      );
      throw new Error(`${a} and ${b} cover the same encoding`);
    }
  }
}

function withRoomFor(values: Int16Array<ArrayBuffer>, length: number): Int16Array<ArrayBuffer> {
  if (length <= values.length) return values;
  const larger = new Int16Array(2 * values.length);
  larger.set(values);
  return larger;
}

/** Smallest and largest value of a field of the point, both included. */
type Range = readonly [first: number, last: number];
const exactly = (value: number): Range => [value, value];

const isAll = (range: Range): boolean => range === ALL_REGISTERS;
const ALL_REGISTERS: Range = [0, 7];
const EITHER: Range = [0, 1];
const ALL_PREFIXES: Range = [0, 3];

/** The points of an opcode that a row covers: each value of each field with each of the others'. */
interface Box {
  readonly index: number;
  /** A point goes to the row with the largest one that covers it. */
  readonly specificity: number;
  readonly prefixes: Range;
  readonly widths: Range;
  readonly mods: Range;
  readonly regs: Range;
  readonly rms: Range;
}

function boxOf({ encoding, operands }: InstructionRow, index: number): Box {
  const { vex, prefix, rexW, digit, modrm, plusStack } = encoding;
  const mod = modOf(operands);
  const onlyRegister = mod === "register" || modrm !== undefined;
  const reg = modrm === undefined ? digit : (modrm >> 3) & 7;
  return {
    index,
    specificity:
      (prefix === undefined ? 0 : 4) + (rexW ? 2 : 0) + (modrm === undefined ? 0 : plusStack ? 1 : 8),
    prefixes: prefix === undefined ? ALL_PREFIXES : exactly(PREFIX_INDEX[prefix]),
    widths: rexW ? exactly(1) : vex?.w === 0 ? exactly(0) : EITHER,
    mods: onlyRegister ? exactly(1) : mod === "memory" ? exactly(0) : EITHER,
    regs: reg === undefined ? ALL_REGISTERS : exactly(reg),
    rms: modrm !== undefined && !plusStack ? exactly(modrm & 7) : ALL_REGISTERS,
  };
}

const isWhole = ({ prefixes, widths, mods, regs, rms }: Box): boolean =>
  prefixes === ALL_PREFIXES && widths === EITHER && mods === EITHER && isAll(regs) && isAll(rms);

const overlap = (one: Box, other: Box): boolean =>
  meet(one.prefixes, other.prefixes) &&
  meet(one.widths, other.widths) &&
  meet(one.mods, other.mods) &&
  meet(one.regs, other.regs) &&
  meet(one.rms, other.rms);

const meet = (one: Range, other: Range): boolean => one[0] <= other[1] && other[0] <= one[1];
