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

/** Points of one opcode: a group's keys times eight values of rm. */
const POINTS = GROUP_SIZE * 8;

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
  readonly #points: OpcodePoints;

  constructor(rows: readonly InstructionRow[]) {
    this.#points = new OpcodePoints(rows);
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
    const { row } = this.#points;
    this.#points.assign(indices);
    if (isUniform(row, 0, POINTS)) return row[0] ?? INVALID;
    const group = this.#groupCount++;
    this.groups = withRoomFor(this.groups, this.#groupCount * GROUP_SIZE);
    for (let key = 0; key < GROUP_SIZE; key++) {
      const at = key * LEAF_SIZE;
      this.groups[group * GROUP_SIZE + key] = isUniform(row, at, at + LEAF_SIZE)
        ? (row[at] ?? INVALID)
        : this.#addLeaf(row.subarray(at, at + LEAF_SIZE));
    }
    return -2 - group;
  }

  #addLeaf(rows: Int16Array): number {
    const leaf = this.#leafCount++;
    this.leaves = withRoomFor(this.leaves, this.#leafCount * LEAF_SIZE);
    this.leaves.set(rows, leaf * LEAF_SIZE);
    return -2 - leaf;
  }
}

function isUniform(values: Int16Array, start: number, end: number): boolean {
  const first = values[start];
  for (let at = start + 1; at < end; at++) if (values[at] !== first) return false;
  return true;
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

/** The points of one opcode, each with the row that it goes to. */
class OpcodePoints {
  readonly row = new Int16Array(POINTS);
  readonly #specificity = new Int8Array(POINTS);
  readonly #rows: readonly InstructionRow[];

  constructor(rows: readonly InstructionRow[]) {
    this.#rows = rows;
  }

  /** Gives every point to the most specific of these rows. */
  assign(indices: readonly number[]): void {
    this.row.fill(INVALID);
    this.#specificity.fill(-1);
    for (const index of indices) {
      const row = this.#rows[index];
      if (row !== undefined) this.#cover(index, row);
    }
  }

  #cover(index: number, row: InstructionRow): void {
    const { vex, prefix, rexW, digit, modrm, plusStack } = row.encoding;
    const mod = modOf(row.operands);
    const onlyRegister = mod === "register" || modrm !== undefined;
    const prefixes = prefix === undefined ? ([0, 3] as const) : exactly(PREFIX_INDEX[prefix]);
    const widths: Range = rexW ? [1, 1] : vex?.w === 0 ? [0, 0] : [0, 1];
    const mods: Range = onlyRegister ? [1, 1] : mod === "memory" ? [0, 0] : [0, 1];
    const regs =
      modrm !== undefined
        ? exactly((modrm >> 3) & 7)
        : digit !== undefined
          ? exactly(digit)
          : ([0, 7] as const);
    const rms = modrm !== undefined && !plusStack ? exactly(modrm & 7) : ([0, 7] as const);
    const specificity =
      (prefix === undefined ? 0 : 4) + (rexW ? 2 : 0) + (modrm === undefined ? 0 : plusStack ? 1 : 8);
    for (let p = prefixes[0]; p <= prefixes[1]; p++) {
      for (let w = widths[0]; w <= widths[1]; w++) {
        for (let m = mods[0]; m <= mods[1]; m++) {
          for (let reg = regs[0]; reg <= regs[1]; reg++) {
            const key = (p << 5) | (w << 4) | (m << 3) | reg;
            for (let rm = rms[0]; rm <= rms[1]; rm++) this.#give(key * 8 + rm, index, specificity);
          }
        }
      }
    }
  }

  #give(point: number, index: number, specificity: number): void {
    const before = this.#specificity[point] ?? -1;
    if (specificity < before) return;
    if (specificity === before) {
      const [a, b] = [this.#rows[index], this.#rows[this.row[point] ?? 0]].map(
        (row) => `${row?.opcode} ${row?.mnemonic}`,
      );
      throw new Error(`${a} and ${b} cover the same encoding`);
    }
    this.row[point] = index;
    this.#specificity[point] = specificity;
  }
}
