/**
 * The code cache: writes translated blocks (IrBlock) as the bytes the interpreter reads. The formats are layout.ts'
 * BLOCK_* header and op.ts' words.
 *
 * It is a ring of parts. Blocks are written one behind the other into one part; the part ahead of it is always empty. When
 * a part is full, the next one is filled, and the one ahead of that is evicted (core/eviction.ts): what is in use is moved
 * to the part that is filled, the rest is dropped. So old code that nobody runs goes first, a part at a time, and no stop
 * of the guest is longer than emptying one part takes.
 */
import { assert } from "../../base/index.ts";
import { INSTRUCTIONS_MAX, type IrBlock } from "../ir/block.ts";
import { opFormatWords } from "../ir/op.ts";
import { opNumber, opRow, ops } from "../ir/ops.ts";
import * as L from "../layout.ts";

const ENTER = opNumber("enter");
/** Words (8 bytes) of each op by number. */
const wordsOf = Uint8Array.from(ops, (row) => opFormatWords[row.format]);
const isBranch = Uint8Array.from(ops, ({ format }) => (format === "branch" || format === "indirect" ? 1 : 0));
/** Executions after which a block that is known to be worth compiling is hot: its neighbours have then shown which of them are warm. */
export const HEAT_OF_A_KNOWN_BLOCK = 800;
/** So many executions to go are never made. */
export const NEVER_HOT = 0x7fffffff;

/** Bytes of the code cache at most, and at least: four parts that hold the largest single instruction in their halves. */
export const CODE_CACHE_SIZE_MAX = L.CODE_CACHE_SIZE;
export const CODE_CACHE_SIZE_MIN = L.SINGLE_BLOCK_SIZE + 4 * (2 * L.SINGLE_BLOCK_SIZE);
const PART_COUNT_MAX = 256;
const PART_SIZE_MIN = 2 * L.SINGLE_BLOCK_SIZE;

export interface CodeCacheOptions {
  /** Executions after which a new block counts as hot, instead of looks at it (core/hot-blocks.ts). */
  readonly heat?: number;
  readonly sizeBytes?: number;
}

/** The core's evictBlocks(). */
export type EvictBlocks = (start: number, end: number, to: number, heat: number) => number;

export class CodeCache {
  /** Bytes that blocks may take. */
  readonly limitBytes: number;
  private readonly u32: Uint32Array;
  private readonly u16: Uint16Array;
  private readonly u8: Uint8Array;
  private readonly heat: number | undefined;
  private readonly partSizeBytes: number;
  /** By part: where its blocks end. */
  private readonly ends: Uint32Array;
  private filling = 0;

  constructor(memory: WebAssembly.Memory, options: CodeCacheOptions = {}) {
    const { heat, sizeBytes = CODE_CACHE_SIZE_MAX } = options;
    assert(
      sizeBytes >= CODE_CACHE_SIZE_MIN && sizeBytes <= CODE_CACHE_SIZE_MAX,
      "the code cache has an impossible size",
    );
    this.heat = heat;
    this.u32 = new Uint32Array(memory.buffer);
    this.u16 = new Uint16Array(memory.buffer);
    this.u8 = new Uint8Array(memory.buffer);
    const forParts = sizeBytes - L.SINGLE_BLOCK_SIZE;
    const partCount = Math.min(PART_COUNT_MAX, Math.floor(forParts / PART_SIZE_MIN));
    this.partSizeBytes = Math.floor(forParts / partCount) & ~7;
    this.limitBytes = partCount * this.partSizeBytes;
    this.ends = new Uint32Array(partCount);
    this.reset();
  }

  get usedBytes(): number {
    return this.ends.reduce((sum, end, part) => sum + end - this.startOf(part), 0);
  }

  /** May the block be written at all? Half of a part may be taken by blocks that were moved there. */
  mayHold(block: IrBlock): boolean {
    return encodedSizeMax(block) <= this.partSizeBytes >>> 1;
  }

  hasRoomFor(block: IrBlock): boolean {
    return this.next + encodedSizeMax(block) <= this.startOf(this.filling) + this.partSizeBytes;
  }

  /** Goes on in the next part, for which the one ahead of it is emptied. */
  openNextPart(evictBlocks: EvictBlocks): void {
    const { ends } = this;
    this.filling = (this.filling + 1) % ends.length;
    const ahead = (this.filling + 1) % ends.length;
    const start = this.startOf(ahead);
    const end = ends[ahead] ?? start;
    if (end === start) return;
    ends[this.filling] = evictBlocks(
      start,
      end,
      this.startOf(this.filling),
      this.heat ?? L.EXECUTIONS_OF_A_HOT_BLOCK,
    );
    ends[ahead] = start;
  }

  /** The core has forgotten all blocks. */
  reset(): void {
    this.filling = 0;
    for (let part = 0; part < this.ends.length; part++) this.ends[part] = this.startOf(part);
  }

  /** Writes a block behind the last one and returns its address; the core still has to register it. */
  append(block: IrBlock, heat = this.heat): number {
    assert(this.hasRoomFor(block), "the part of the code cache is full: open the next one first");
    const address = this.next;
    this.ends[this.filling] = alignTo8(this.write(block, address));
    this.u8[address + L.BLOCK_LOOKS_LEFT] = heat === undefined ? L.LOOKS : 0;
    this.u32[(address + L.BLOCK_HEAT) >>> 2] = heat ?? L.EXECUTIONS_PER_LOOK;
    return address;
  }

  private get next(): number {
    return this.ends[this.filling] ?? FIRST;
  }

  private startOf(part: number): number {
    return FIRST + part * this.partSizeBytes;
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
    let chains = 0;
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
        assert(i === block.count - 1, "a branch ends its block");
        chains = word << 2;
        u32[word + 1] = block.imm[i] ?? 0;
        u32[word + 2] = 0;
        u32[word + 3] = 0;
        u32[word + 4] = block.target0[i] ?? 0;
        u32[word + 5] = block.target1[i] ?? 0;
        const next = word + 2 * (wordsOf[op] ?? 0);
        for (word += 6; word < next; word++) u32[word] = 0;
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
    u32[(address + L.BLOCK_CHAINS) >>> 2] = chains;
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
    // BLOCK_IN_REGIONS and what looks at it leave behind.
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

/** 1 for ops whose meaning, or that of the first op of a sequence, reads the 64-bit immediate. */
const hasImm64 = Uint8Array.from(ops, ({ format, meaning }) => {
  const { meaning: first } =
    meaning.kind === "sequence" ? opRow(opNumber(meaning.parts[0] ?? "")) : { meaning };
  const reads =
    format === "long" &&
    first.kind === "inline" &&
    JSON.stringify(first.body, bigintText).includes('"imm64"');
  return reads ? 1 : 0;
});

function bigintText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
