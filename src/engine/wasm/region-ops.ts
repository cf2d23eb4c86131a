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
    for (let i = start; i < end; i++) {
      const at = to + i - start;
      this.op[at] = this.op[i] ?? 0;
      this.d[at] = this.d[i] ?? 0;
      this.s[at] = this.s[i] ?? 0;
      this.a[at] = this.a[i] ?? 0;
      this.scale[at] = this.scale[i] ?? 0;
      this.imm[at] = this.imm[i] ?? 0;
      this.immHigh[at] = this.immHigh[i] ?? 0;
      this.target0[at] = this.target0[i] ?? 0;
      this.target1[at] = this.target1[i] ?? 0;
      this.pc[at] = this.pc[i] ?? 0;
      this.notRetired[at] = this.notRetired[i] ?? 0;
    }
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

  /** Appends a block's ops; gives the index of the first. hot: a block has few, so that views of its arrays cost more. */
  append(block: IrBlock): number {
    const start = this.count;
    const { count, instructionCount, instructionPc } = block;
    let begun = 0;
    for (let i = 0; i < count; i++) {
      const to = start + i;
      const pc = block.pc[i] ?? 0;
      this.op[to] = block.op[i] ?? 0;
      this.d[to] = block.d[i] ?? 0;
      this.s[to] = block.s[i] ?? 0;
      this.a[to] = block.a[i] ?? 0;
      this.scale[to] = block.scale[i] ?? 0;
      this.imm[to] = block.imm[i] ?? 0;
      this.immHigh[to] = block.immHigh[i] ?? 0;
      this.target0[to] = block.target0[i] ?? 0;
      this.target1[to] = block.target1[i] ?? 0;
      this.pc[to] = pc;
      while (begun < instructionCount && (instructionPc[begun] ?? 0) <= pc) begun++;
      this.notRetired[to] = instructionCount - Math.max(begun - 1, 0);
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
