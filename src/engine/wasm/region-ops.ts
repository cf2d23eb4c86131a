/** The IR ops of one region: those of its blocks, one behind the other, in arrays that all regions reuse. */
import type { IrBlock } from "../ir/block.ts";
import { opNumber } from "../ir/ops.ts";
import { FIXED_SLOT } from "./recipe-steps.ts";
import type { Immediates } from "./static-value.ts";

/** More ops than a region may have. */
export const REGION_OPS_MAX = 8192;

const SYNCPC = opNumber("syncpc");
/** Helpers that end their block only because they may stop half-way; when they have not, a region goes on. */
const repeatedStrings = new Set(
  ["repmovs", "repstos", "replods", "repcmps", "repscas"].map((helper) => opNumber(helper)),
);

export class RegionOps {
  count = 0;
  readonly op = new Uint16Array(REGION_OPS_MAX);
  readonly d = new Uint8Array(REGION_OPS_MAX);
  readonly s = new Uint8Array(REGION_OPS_MAX);
  readonly a = new Uint8Array(REGION_OPS_MAX);
  readonly scale = new Uint8Array(REGION_OPS_MAX);
  readonly imm = new Int32Array(REGION_OPS_MAX);
  readonly immHigh = new Int32Array(REGION_OPS_MAX);
  readonly target0 = new Int32Array(REGION_OPS_MAX);
  readonly target1 = new Int32Array(REGION_OPS_MAX);
  /** Offset of the op's instruction from its block's RIP. */
  readonly pc = new Uint16Array(REGION_OPS_MAX);
  /** Instructions of its block that are not retired when the op faults: its own and those behind it. */
  readonly notRetired = new Uint8Array(REGION_OPS_MAX);

  clear(): void {
    this.count = 0;
  }

  /** Copies the ops [start, end) behind the last one; gives the index of the first, or undefined if there is no room. */
  copy(start: number, end: number): number | undefined {
    const to = this.count;
    if (to + end - start > REGION_OPS_MAX) return undefined;
    const { op, d, s, a, scale, imm, immHigh, target0, target1, pc, notRetired } = this;
    for (const field of [op, d, s, a, scale, imm, immHigh, target0, target1, pc, notRetired])
      field.copyWithin(to, start, end);
    this.count += end - start;
    return to;
  }

  hasRoomFor(block: IrBlock): boolean {
    return this.count + block.count <= REGION_OPS_MAX;
  }

  /** If this op ends a block behind a repeated string instruction: the offset from its block of what follows it. */
  behindString(sysend: number): number | undefined {
    if (!repeatedStrings.has(this.op[sysend - 1] ?? 0) || this.op[sysend - 2] !== SYNCPC) return undefined;
    const imm = this.imm[sysend - 2] ?? 0;
    return (imm & 0xffff) + (imm >>> 16);
  }

  /** Appends a block's ops; gives the index of the first. */
  append(block: IrBlock): number {
    const start = this.count;
    const { count } = block;
    this.op.set(block.op.subarray(0, count), start);
    this.d.set(block.d.subarray(0, count), start);
    this.s.set(block.s.subarray(0, count), start);
    this.a.set(block.a.subarray(0, count), start);
    this.scale.set(block.scale.subarray(0, count), start);
    this.imm.set(block.imm.subarray(0, count), start);
    this.immHigh.set(block.immHigh.subarray(0, count), start);
    this.target0.set(block.target0.subarray(0, count), start);
    this.target1.set(block.target1.subarray(0, count), start);
    this.pc.set(block.pc.subarray(0, count), start);
    let begun = 0;
    for (let i = 0; i < count; i++) {
      const pc = block.pc[i] ?? 0;
      while (begun < block.instructionCount && (block.instructionPc[begun] ?? 0) <= pc) begun++;
      this.notRetired[start + i] = block.instructionCount - Math.max(begun - 1, 0);
    }
    this.count += count;
    return start;
  }
}

/** The operand fields of the op that is being compiled. */
export class CurrentOp implements Immediates {
  number = 0;
  d = 0;
  s = 0;
  a = 0;
  scale = 0;
  imm = 0;
  immHigh = 0;

  select(ops: RegionOps, i: number): void {
    this.number = ops.op[i] ?? 0;
    this.d = ops.d[i] ?? 0;
    this.s = ops.s[i] ?? 0;
    this.a = ops.a[i] ?? 0;
    this.scale = ops.scale[i] ?? 0;
    this.imm = ops.imm[i] ?? 0;
    this.immHigh = ops.immHigh[i] ?? 0;
  }
}

/** The field of an op that a role's number names (recipe-steps.ts). */
export const operandOf = (op: CurrentOp, role: number): number =>
  role === 0 ? op.d : role === 1 ? op.s : op.a;
/** The slot that an operand of a step names: the op's own, or a fixed one. */
export const slotOf = (op: CurrentOp, slot: number): number =>
  slot >= FIXED_SLOT ? slot - FIXED_SLOT : operandOf(op, slot);
