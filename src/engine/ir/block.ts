/**
 * One translated basic block in scratch form: typed arrays, one entry per op. The translator appends, the passes edit
 * in place, the code-cache encoder and the region compiler read. One IrBlock is reused for all translations.
 */
import { opEffects, opNumber, opWithoutFlags } from "./ops.ts";

/** More ops than any block: the translator ends a block after INSTRUCTIONS_MAX instructions of at most ~20 ops. */
const CAPACITY = 4096;

/** Guest instructions of a block at most. */
export const INSTRUCTIONS_MAX = 64;

const NOP = opNumber("nop");

export class IrBlock {
  count = 0;
  readonly op = new Uint16Array(CAPACITY);
  readonly d = new Uint8Array(CAPACITY);
  readonly s = new Uint8Array(CAPACITY);
  /** Long ops: index slot and scale, or a second register index. */
  readonly a = new Uint8Array(CAPACITY);
  readonly scale = new Uint8Array(CAPACITY);
  readonly imm = new Int32Array(CAPACITY);
  /** High half of a 64-bit immediate. */
  readonly immHigh = new Int32Array(CAPACITY);
  /** Branch ops: targets relative to the block's RIP. */
  readonly target0 = new Int32Array(CAPACITY);
  readonly target1 = new Int32Array(CAPACITY);
  /** Offset from the block's RIP of the guest instruction an op belongs to. */
  readonly pc = new Uint16Array(CAPACITY);

  /** Offset from the block's RIP of each guest instruction, those without ops too; instructionCount of them. */
  readonly instructionPc = new Uint16Array(INSTRUCTIONS_MAX);

  /** RIP of the first instruction as hi:lo pair, its guest-physical address, the translation mode. */
  ripLow = 0;
  ripHigh = 0;
  gpa = 0;
  mode = 0;
  /** Guest-physical page of the second page an instruction straddles into, or -1. */
  gpa2 = -1;
  guestSizeBytes = 0;
  instructionCount = 0;

  reset(ripLow: number, ripHigh: number, gpa: number, mode: number): void {
    this.count = 0;
    this.ripLow = ripLow >>> 0;
    this.ripHigh = ripHigh >>> 0;
    this.gpa = gpa;
    this.mode = mode;
    this.gpa2 = -1;
    this.guestSizeBytes = 0;
    this.instructionCount = 0;
  }

  /** Notes that the next guest instruction begins at offset `pc`. */
  beginInstruction(pc: number): void {
    this.instructionPc[this.instructionCount++] = pc;
  }

  /** Appends an op for the guest instruction at offset `pc`; returns its index. */
  push(pc: number, op: number, d: number, s: number, imm: number): number {
    const i = this.count++;
    this.op[i] = op;
    this.d[i] = d;
    this.s[i] = s;
    this.a[i] = 0;
    this.scale[i] = 0;
    this.imm[i] = imm;
    this.immHigh[i] = 0;
    this.target0[i] = 0;
    this.target1[i] = 0;
    this.pc[i] = pc;
    return i;
  }

  /** Copies op `from` over op `to`. */
  move(from: number, to: number): void {
    this.op[to] = this.op[from] ?? NOP;
    this.d[to] = this.d[from] ?? 0;
    this.s[to] = this.s[from] ?? 0;
    this.a[to] = this.a[from] ?? 0;
    this.scale[to] = this.scale[from] ?? 0;
    this.imm[to] = this.imm[from] ?? 0;
    this.immHigh[to] = this.immHigh[from] ?? 0;
    this.target0[to] = this.target0[from] ?? 0;
    this.target1[to] = this.target1[from] ?? 0;
    this.pc[to] = this.pc[from] ?? 0;
  }

  /** Room for the ops of one more guest instruction? */
  get isFull(): boolean {
    return this.count > CAPACITY - 128;
  }
}

/**
 * Replaces flag-setting ops whose flags are overwritten before anyone can see them. A fault or a helper that reads
 * flags sees them, so an op's flags are dead only if the next op that touches flags kills them with no possible
 * fault in between: state at a fault stays exact.
 */
export function removeDeadFlags(block: IrBlock): void {
  let dead = false;
  for (let i = block.count - 1; i >= 0; i--) {
    const number = block.op[i] ?? NOP;
    const effects = opEffects[number];
    if (effects === undefined) continue;
    if (dead && effects.writesFlags && !effects.mayFault) {
      const bare = opWithoutFlags[number] ?? number;
      block.op[i] = bare;
      const after = opEffects[bare];
      if (after !== undefined && after.readsFlags) dead = false;
      continue;
    }
    if (effects.killsFlags && !effects.readsFlags) dead = true;
    else if (effects.readsFlags || effects.mayFault || effects.endsBlock || effects.writesFlags) dead = false;
  }
}
