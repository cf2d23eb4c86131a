/**
 * The code cache: writes translated blocks (IrBlock) as the bytes the interpreter reads. The formats are layout.ts'
 * BLOCK_* header and op.ts' words; a block, once written, stays where it is until the whole cache is reset.
 */
import { assert } from "../../base/index.ts";
import { INSTRUCTIONS_MAX, type IrBlock } from "../ir/block.ts";
import { opFormatWords } from "../ir/op.ts";
import { opNumber, ops } from "../ir/ops.ts";
import * as L from "../layout.ts";

const ENTER = opNumber("enter");
/** Words (8 bytes) of each op by number. */
const wordsOf = Uint8Array.from(ops, (row) => opFormatWords[row.format]);
const isBranch = Uint8Array.from(ops, ({ format }) => (format === "branch" || format === "indirect" ? 1 : 0));
/**
 * Executions after which a block counts as hot: what choosing, translating and compiling the region around it costs is
 * then about what interpreting it has cost (docs/engine.md).
 */
export const HEAT_OF_A_HOT_BLOCK = 12_000;
const NEVER_HOT = 0x7fffffff;

export class CodeCache {
  private readonly u32: Uint32Array;
  private readonly u16: Uint16Array;
  private readonly heat: number;
  private next = FIRST;

  /** `heat`: executions after which a new block counts as hot. */
  constructor(memory: WebAssembly.Memory, heat = HEAT_OF_A_HOT_BLOCK) {
    this.heat = heat;
    this.u32 = new Uint32Array(memory.buffer);
    this.u16 = new Uint16Array(memory.buffer);
  }

  get usedBytes(): number {
    return this.next - FIRST;
  }

  /** Is there room for the largest possible block? */
  hasRoomFor(block: IrBlock): boolean {
    return this.next + encodedSizeMax(block) <= L.CODE_CACHE + L.CODE_CACHE_SIZE;
  }

  reset(): void {
    this.next = FIRST;
  }

  /** Writes a block behind the last one and returns its address; the core still has to register it. */
  append(block: IrBlock): number {
    assert(this.hasRoomFor(block), "the code cache is full: reset it first");
    const address = this.next;
    this.next = alignTo8(this.write(block, address));
    return address;
  }

  /** Writes a block to the place of the one that is executed alone. */
  writeSingle(block: IrBlock): number {
    assert(encodedSizeMax(block) <= L.SINGLE_BLOCK_SIZE, "one instruction fills the single block's place");
    this.write(block, L.SINGLE_BLOCK);
    // It never becomes a region: what it is executed alone for would happen there again.
    this.u32[(L.SINGLE_BLOCK + L.BLOCK_HEAT) >>> 2] = NEVER_HOT;
    return L.SINGLE_BLOCK;
  }

  /** Returns the address behind the block's instruction table. */
  private write(block: IrBlock, address: number): number {
    const { u32 } = this;
    assert(block.op[0] === ENTER, "a block begins with enter");
    let word = (address + L.BLOCK_OPS) >>> 2;
    const firstOp = word;
    // Each instruction's first op; one without ops shares that of the instruction behind it.
    let instruction = 0;
    let lastOp = 0;
    for (let i = 0; i < block.count; i++) {
      const op = block.op[i] ?? 0;
      lastOp = (word - firstOp) >>> 1;
      if (i > 0) {
        const pc = block.pc[i] ?? 0;
        while (instruction < block.instructionCount && (block.instructionPc[instruction] ?? 0) <= pc) {
          tableOp[instruction++] = (word - firstOp) >>> 1;
        }
      }
      u32[word] = op | ((block.d[i] ?? 0) << 16) | ((block.s[i] ?? 0) << 24);
      if (wordsOf[op] === 1) {
        u32[word + 1] = block.imm[i] ?? 0;
        word += 2;
      } else if (isBranch[op] === 1) {
        u32[word + 1] = block.imm[i] ?? 0;
        u32[word + 2] = 0;
        u32[word + 3] = 0;
        u32[word + 4] = block.target0[i] ?? 0;
        u32[word + 5] = block.target1[i] ?? 0;
        const next = word + 2 * (wordsOf[op] ?? 0);
        u32.fill(0, word + 6, next);
        word = next;
      } else {
        this.writeLong(block, i, word);
        word += 4;
      }
    }
    // The last op is also that of a branch that is fused with what stands before it: it alone may raise its faults.
    while (instruction < block.instructionCount) tableOp[instruction++] = lastOp;
    const table = word << 2;
    for (let i = 0; i < block.instructionCount; i++) {
      this.u16[word * 2] = tableOp[i] ?? 0;
      this.u16[word * 2 + 1] = block.instructionPc[i] ?? 0;
      word++;
    }
    this.writeHeader(block, address, table);
    return word << 2;
  }

  /**
   * The second word of a long op. Ops with a 64-bit immediate fill it with imm64; the others hold a, scale and the
   * 32-bit immediate in its upper half.
   */
  private writeLong(block: IrBlock, i: number, word: number): void {
    const { u32 } = this;
    u32[word + 1] = 0;
    if (hasImm64[block.op[i] ?? 0] === 1) {
      u32[word + 2] = block.imm[i] ?? 0;
      u32[word + 3] = block.immHigh[i] ?? 0;
    } else {
      u32[word + 2] = (block.a[i] ?? 0) | ((block.scale[i] ?? 0) << 8);
      u32[word + 3] = block.imm[i] ?? 0;
    }
  }

  private writeHeader(block: IrBlock, address: number, table: number): void {
    const h = address >>> 2;
    const { u32 } = this;
    u32[h + (L.BLOCK_RIP >>> 2)] = block.ripLow;
    u32[h + (L.BLOCK_RIP >>> 2) + 1] = block.ripHigh;
    u32[h + (L.BLOCK_GPA >>> 2)] = block.gpa;
    u32[h + (L.BLOCK_MODE >>> 2)] = block.mode;
    u32[h + (L.BLOCK_HASH_NEXT >>> 2)] = 0;
    u32[h + (L.BLOCK_PAGE_NEXT >>> 2)] = 0;
    u32[h + (L.BLOCK_PAGE2_NEXT >>> 2)] = 0;
    u32[h + (L.BLOCK_GPA2 >>> 2)] = block.gpa2;
    this.u16[(address + L.BLOCK_GUEST_SIZE) >>> 1] = block.guestSizeBytes;
    this.u16[(address + L.BLOCK_INSTRUCTION_COUNT) >>> 1] = block.instructionCount;
    u32[h + (L.BLOCK_TABLE >>> 2)] = table;
    u32[h + (L.BLOCK_REGION >>> 2)] = 0;
    u32[h + (L.BLOCK_HEAT >>> 2)] = this.heat;
    u32[h + (L.BLOCK_IN_REGIONS >>> 2)] = 0;
  }
}

/** What a block's one indirect branch adds. */
const SEEN_SIZE = 4 * L.SEEN_TARGETS_COUNT;
const FIRST = L.CODE_CACHE + L.SINGLE_BLOCK_SIZE;
const tableOp = new Uint16Array(INSTRUCTIONS_MAX);

const alignTo8 = (n: number): number => (n + 7) & ~7;
const encodedSizeMax = (block: IrBlock): number =>
  L.BLOCK_OPS + block.count * 24 + SEEN_SIZE + (block.instructionCount + 2) * 4;

/** 1 for ops whose meaning reads the 64-bit immediate. */
const hasImm64 = Uint8Array.from(ops, (row) =>
  row.format === "long" &&
  row.meaning.kind === "inline" &&
  JSON.stringify(row.meaning.body, bigintText).includes('"imm64"')
    ? 1
    : 0,
);

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
