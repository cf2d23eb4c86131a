/** Machine code of a row of the x86 table: its opcode behind prefixes, with the ModRM bytes that it can have. */
import type { InstructionRow } from "../../src/engine/x86/row.ts";

/** What may follow an opcode: displacements, immediates, or the next instruction. */
export const TAIL = [0x90, 0x12, 0x83, 0x34, 0xf5, 0x56, 0x67, 0x78, 0x89, 0x9a, 0xab, 0xbc] as const;

const PP = { NP: 0, "66": 1, F3: 2, F2: 3 } as const;
const MANDATORY = { NP: [], "66": [0x66], F3: [0xf3], F2: [0xf2] } as const;
const ESCAPES = [[], [0x0f], [0x0f, 0x38], [0x0f, 0x3a]] as const;

/**
 * The bytes of a row's encoding up to its opcode, behind the given legacy prefixes; `rex` is what a REX byte, or the
 * VEX prefix in its place, says, 0 for none.
 */
export function opcodeBytes(row: InstructionRow, prefixes: readonly number[], rex: number): number[] {
  const { encoding } = row;
  const { vex, map } = encoding;
  if (vex !== undefined) {
    const l = vex.length === "L1" || vex.length === "256" ? 4 : 0;
    const w = encoding.rexW || (vex.w === undefined && (rex & 8) !== 0) ? 0x80 : 0;
    const usesVvvv = row.operands.some(({ at }) => at === "vvvv");
    const vvvv = usesVvvv ? 0x50 : 0x78;
    return [
      ...prefixes,
      0xc4,
      ((~rex & 7) << 5) | map,
      w | vvvv | l | PP[encoding.prefix ?? "NP"],
      encoding.opcode,
    ];
  }
  const rexByte = encoding.rexW ? [rex === 0 ? 0x48 : rex | 8] : rex === 0 ? [] : [rex];
  const prefix = encoding.prefix === undefined ? [] : MANDATORY[encoding.prefix];
  return [...prefixes, ...prefix, ...rexByte, ...(ESCAPES[map] ?? []), encoding.opcode];
}

/** ModRM bytes that a row can have: its own, or memory and register forms in every addressing mode. */
export function modrmBytes(row: InstructionRow): readonly number[][] {
  const { encoding } = row;
  if (!encoding.hasModrm) return [[]];
  if (encoding.modrm !== undefined) return [[encoding.modrm + (encoding.plusStack ? 5 : 0)]];
  const reg = (encoding.digit ?? 3) << 3;
  return [
    [0x00 | reg],
    [0x04 | reg, 0x4b],
    [0x04 | reg, 0x25],
    [0x05 | reg],
    [0x06 | reg],
    [0x44 | reg, 0xf4],
    [0x85 | reg],
    [0x84 | reg, 0xe5],
    [0xc1 | reg],
    [0xc7 | reg],
  ];
}
