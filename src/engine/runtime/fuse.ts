/**
 * The last pass before a block goes to the interpreter: drops the ops that dead-flag removal left empty and fuses a
 * compare or test with the conditional branch behind it, and an indirect call's three steps. Compiled regions take the block as it was before.
 */
import type { IrBlock } from "../ir/block.ts";
import { ops, opNumber } from "../ir/ops.ts";
import { sequenceName, sequences } from "../ir/ops-sequences.ts";

const NOP = opNumber("nop");

/** fused[compare op * 16 + condition code] = the fused op's number, 0 if there is none. */
const fusedOps = new Uint16Array(ops.length * 16);
/** Condition code + 1 of the branch ops j0–j15, 0 for all other ops. */
const conditionCodes = new Uint8Array(ops.length);

for (let code = 0; code < 16; code++) conditionCodes[opNumber(`j${code}`)] = code + 1;
let fusedCount = 0;
for (const [number, row] of ops.entries()) {
  const match = /^j((?:cmp|test)i?\d+)_(\d+)$/.exec(row.name);
  if (match === null) continue;
  const [, compare = "", code = ""] = match;
  fusedOps[opNumber(compare) * 16 + Number(code)] = number;
  fusedCount++;
}
if (fusedCount === 0) throw new Error("the op table has no fused branches");

const CANONICAL = opNumber("canonical");
const PUSHI64 = opNumber("pushi64");
const CALLR = opNumber("callr");
const CALLR64 = opNumber("callr64");

interface Sequence {
  readonly number: number;
  /** Op numbers. */
  readonly parts: readonly number[];
}
/** By the first op's number, longest first. */
const sequencesOf: Sequence[][] = ops.map(() => []);
const startsSequence = new Uint8Array(ops.length);
for (const names of sequences.toSorted((a, b) => b.length - a.length)) {
  const parts = names.map(opNumber);
  const first = parts[0] ?? NOP;
  sequencesOf[first]?.push({ number: opNumber(sequenceName(names)), parts });
  startsSequence[first] = 1;
}

export function fuse(block: IrBlock): void {
  const { op } = block;
  let to = 0;
  for (let from = 0; from < block.count; from++) {
    const number = op[from] ?? NOP;
    if (number === NOP) continue;
    const code = conditionCodes[number] ?? 0;
    if (code > 0 && to > 0) {
      const pair = fusedOps[(op[to - 1] ?? NOP) * 16 + code - 1] ?? 0;
      if (pair !== 0) {
        op[to - 1] = pair;
        block.target0[to - 1] = block.target0[from] ?? 0;
        block.target1[to - 1] = block.target1[from] ?? 0;
        continue;
      }
    }
    if (number === CALLR && to > 1 && op[to - 1] === PUSHI64 && op[to - 2] === CANONICAL) {
      to -= 2;
      block.move(from, to);
      op[to++] = CALLR64;
      continue;
    }
    if (from !== to) block.move(from, to);
    to++;
  }
  block.count = to;
  joinSequences(block);
}

/** Gives the first op of each sequence, the longest one that begins there, the number that stands for it. */
function joinSequences(block: IrBlock): void {
  const { op, count } = block;
  for (let i = 0; i < count; i++) {
    if (startsSequence[op[i] ?? NOP] === 0) continue;
    const found = sequenceAt(op, i, count);
    if (found === undefined) continue;
    op[i] = found.number;
    i += found.parts.length - 1;
  }
}

/** The longest sequence that the ops from `i` on begin with. */
function sequenceAt(op: Uint16Array, i: number, count: number): Sequence | undefined {
  for (const sequence of sequencesOf[op[i] ?? NOP] ?? []) {
    const { parts } = sequence;
    const { length } = parts;
    let matched = 1;
    while (matched < length && op[i + matched] === parts[matched]) matched++;
    if (matched === length && i + length <= count) return sequence;
  }
  return undefined;
}
