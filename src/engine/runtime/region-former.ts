/**
 * Which blocks make up the region around a hot one: those that are reached by jumps, branches and behind calls, lie near
 * the entry and have run often; code that hardly ever runs stays outside. A region ends where another one begins, unless
 * that is small enough to be copied, so that little is compiled twice. Small callees are inlined.
 */
import { defined } from "../../base/index.ts";
import { IrBlock } from "../ir/block.ts";
import * as L from "../layout.ts";
import {
  type BlockKey,
  blockKey,
  buildGraph,
  contextOf,
  offsetOf,
  type RegionBlock,
  type RegionNode,
  type ShortenedBlock,
} from "../wasm/graph.ts";
import { factsOfOp } from "../wasm/op-facts.ts";
import type { MappedPage } from "../wasm/region.ts";
import { RegionOps } from "../wasm/region-ops.ts";
import { AddressSpace, NO_PAGE } from "./address-space.ts";
import type { Core } from "./core.ts";

/** How large one region may become; all together are bounded in installed-regions.ts. */
export const regionLimits = {
  blocks: 96,
  instructions: 400,
  pages: 6,
  /** Of another region that is taken in where this one leads to its entry; for a larger one it is left. */
  copiedBlocks: 12,
  /** Distance of any instruction from the entry, and of any in an inlined callee. */
  spanBytes: 0x6000,
  inlinedSpanBytes: 0x40000000,
  /** Of a callee that is inlined with all it calls, and how deep such calls may nest: beyond it, callees of one block. */
  inlinedBlocks: 12,
  inlinedInstructions: 60,
  inlinedDepth: 2,
  /** How deep calls of the region's own entry may nest: twice as many calls are spared for each level. */
  recursionDepth: 3,
  /** Callees of one call through a pointer that are inlined. */
  inlinedCallees: 3,
} as const;

/** What findBlock() gives where none is registered. */
const NO_BLOCK = 0;
/** Executions without which a block counts as cold and stays outside. */
const EXECUTIONS_OF_A_WARM_BLOCK = 100;
/** Where regions get their IR from. */
export interface BlockSource {
  /**
   * Translates the code at block.gpa into `block`, which has been reset to it, as for the interpreter but not fused;
   * gpa2 is the page it straddles into, or -1. False if its first instruction cannot be fetched.
   */
  translate(block: IrBlock, gpa2: number, maxInstructions: number): boolean;
}

/** A block that may become part of a region. */
interface Candidate {
  readonly address: number;
  readonly key: BlockKey;
}

/** A call that is inlined: where it returns to, and how many such calls it is in. */
interface InlinedCall {
  readonly back: BlockKey;
  readonly depth: number;
}

interface CodeSize {
  readonly blocks: number;
  readonly instructions: number;
}

/** What code is looked for with. */
interface CodeSearch {
  readonly baseRip: bigint;
  readonly mode: number;
  readonly addressSpace: AddressSpace;
}

/** What a function that may be inlined is looked for with. */
interface CalleeSearch extends CodeSearch {
  readonly depth: number;
  readonly room: CodeSize;
}

/** What a region is to consist of; the ops of its blocks are the former's. */
export interface FormedRegion {
  readonly baseRip: bigint;
  /** The entry's block is the first. */
  readonly blocks: readonly RegionBlock[];
  /** Of these blocks, in the code cache. */
  readonly addresses: number[];
  readonly pages: readonly MappedPage[];
  /** Offsets behind these blocks whose code has hardly run. */
  readonly cold: ReadonlySet<number>;
}

interface RegionFormerOptions {
  readonly core: Core;
  readonly view: DataView;
  readonly source: BlockSource;
  /** Does this block begin a region that is too large to be copied? */
  readonly entersLargeRegion: (block: number) => boolean;
}

export class RegionFormer {
  /** Of the region that was formed last. */
  readonly ops = new RegionOps();
  readonly #core: Core;
  readonly #view: DataView;
  readonly #source: BlockSource;
  readonly #entersLargeRegion: (block: number) => boolean;
  readonly #block = new IrBlock();

  constructor({ core, view, source, entersLargeRegion }: RegionFormerOptions) {
    this.#core = core;
    this.#view = view;
    this.#source = source;
    this.#entersLargeRegion = entersLargeRegion;
  }

  /** Chooses and translates the blocks around an entry into `ops`; undefined if the entry's own is not where it says. */
  form(entry: number, pagesMax: number): FormedRegion | undefined {
    const baseRip = this.#view.getBigUint64(entry + L.BLOCK_RIP, true);
    const mode = this.#view.getUint32(entry + L.BLOCK_MODE, true);
    const addressSpace = new AddressSpace(this.#core, this.#view, mode, pagesMax);
    const blocks: RegionBlock[] = [];
    const addresses: number[] = [];
    const cold = new Set<number>();
    const where: CodeSearch = { baseRip, mode, addressSpace };
    const seen = new Set<BlockKey>([0]);
    const queue: Candidate[] = [{ address: entry, key: 0 }];
    // By context; the first is the region itself.
    const calls: InlinedCall[] = [{ back: 0, depth: 0 }];
    let instructions = 0;
    this.ops.clear();
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { address, key } = next;
      const offset = offsetOf(key);
      const context = contextOf(key);
      if (blocks.length === regionLimits.blocks) break;
      const count = this.#view.getUint16(address + L.BLOCK_INSTRUCTION_COUNT, true);
      if (blocks.length > 0 && instructions + count > regionLimits.instructions) break;
      if (!this.#include(addressSpace, baseRip + BigInt(offset), address)) continue;
      if (!this.#translate(address, count)) continue;
      instructions += count;
      const start = this.ops.append(this.#block);
      const { instructionCount } = this.#block;
      const end = this.ops.count;
      const room = {
        blocks: Math.min(regionLimits.inlinedBlocks, regionLimits.blocks - blocks.length - queue.length - 2),
        instructions: Math.min(regionLimits.inlinedInstructions, regionLimits.instructions - instructions),
      };
      const seenTargets = this.#seenTargets(address, end - 1, baseRip);
      const successors = this.#successors(offset, end - 1, seenTargets).map((to) => blockKey(to, context));
      const { depth, back } = defined(calls[context], "a block is in a context that was entered");
      const leadsOut = context !== 0 && this.#isIndirectJump(end - 1);
      const usual =
        leadsOut || this.#isCall(end - 1)
          ? this.#usualTargets(seenTargets, leadsOut ? 1 : regionLimits.inlinedCallees, where)
          : [];
      const isTailCall = leadsOut && usual.length > 0;
      const direct = this.#directCallee(offset, end - 1);
      const callees = this.#fittingCallees(direct === undefined ? usual : [direct], {
        ...where,
        depth: isTailCall ? depth : depth + 1,
        room,
      });
      const inlinesCall = callees.length > 0;
      this.ops.count = end;
      if (isTailCall) {
        // What it leads to returns to where this callee would.
        successors.length = 0;
        for (const callee of callees) successors.push(blockKey(callee, context));
        successors.push(back);
      } else if (inlinesCall) {
        const behind = defined(successors[0], "a call has a return address");
        const inlined = callees.map((callee) =>
          blockKey(callee, calls.push({ back: behind, depth: depth + 1 }) - 1),
        );
        successors.splice(0, direct === undefined ? 0 : 1, ...inlined);
      } else if (context !== 0 && this.#isReturn(end - 1)) {
        successors.push(back);
      }
      blocks.push({ key, offset, inlinesCall, isTailCall, start, end, instructionCount, successors });
      addresses.push(address);
      for (const successor of successors) {
        if (seen.has(successor)) continue;
        seen.add(successor);
        const block = this.#warmBlock(baseRip, successor, mode, addressSpace);
        if (block === NO_BLOCK) {
          const to = offsetOf(successor);
          if (!this.#isWarm(baseRip, to, mode, addressSpace)) cold.add(to);
        }
        // A callee is of no use unless all of it is there.
        else if (contextOf(successor) !== 0) queue.unshift({ address: block, key: successor });
        else if (!this.#entersLargeRegion(block)) queue.push({ address: block, key: successor });
      }
    }
    if (blocks.length === 0) return undefined;
    return { blocks, addresses, cold, baseRip, pages: addressSpace.pages };
  }

  #include(addressSpace: AddressSpace, rip: bigint, block: number): boolean {
    const gpa = this.#view.getUint32(block + L.BLOCK_GPA, true);
    return addressSpace.include(rip, gpa, this.#secondPage(block));
  }

  /** Offset of the callee if this op is a direct call. */
  #directCallee(offset: number, last: number): number | undefined {
    const branch = factsOfOp(this.ops.op[last] ?? 0).branch;
    const isCall = branch?.kind === "jump" && branch.why === "call";
    return isCall ? offset + (this.ops.target0[last] ?? 0) : undefined;
  }

  /** Those targets that are warm (what filled a linkage table has run once), none if they are more than `most`. */
  #usualTargets(
    seenTargets: readonly number[],
    most: number,
    { baseRip, mode, addressSpace }: CodeSearch,
  ): readonly number[] {
    const warm = seenTargets.filter((offset) => this.#isWarm(baseRip, offset, mode, addressSpace));
    return warm.length > most ? [] : warm;
  }

  /** Those callees that can be inlined, one after the other, until the room is used up; leaves ops behind those in ops. */
  #fittingCallees(callees: readonly number[], where: CalleeSearch): readonly number[] {
    const { pages } = where.addressSpace;
    let { room } = where;
    return callees.filter((callee) => {
      const pageCount = pages.length;
      const size = this.#sizeOfCallee(callee, { ...where, room });
      if (size === undefined) pages.length = pageCount;
      else room = { blocks: room.blocks - size.blocks, instructions: room.instructions - size.instructions };
      return size !== undefined;
    });
  }

  #isCall(last: number): boolean {
    return factsOfOp(this.ops.op[last] ?? 0).isCall;
  }

  #isIndirectJump(last: number): boolean {
    const branch = factsOfOp(this.ops.op[last] ?? 0).branch;
    return branch?.kind === "indirect" && branch.why === "jump";
  }

  /** Offsets to which the indirect jump or call at the end of a block has led in the interpreter. */
  #seenTargets(address: number, last: number, baseRip: bigint): number[] {
    if (!isIndirect(this.ops.op[last] ?? 0) || this.#isReturn(last)) return [];
    const seen = this.#view.getUint32(address + L.BLOCK_TABLE, true) - 4 * L.SEEN_TARGETS_COUNT;
    const base = Number(BigInt.asIntN(32, baseRip));
    const offsets = new Set<number>();
    for (let i = 0; i < L.SEEN_TARGETS_COUNT; i++) {
      const low = this.#view.getInt32(seen + 4 * i, true);
      if (low !== 0) offsets.add((low - base) | 0);
    }
    return [...offsets];
  }

  #isReturn(last: number): boolean {
    const branch = factsOfOp(this.ops.op[last] ?? 0).branch;
    return branch?.kind === "indirect" && branch.why === "return";
  }

  /**
   * Size of the warm part of a function with what it calls as far as that fits, if it fits into `room`, returns and has
   * nothing that leaves the region: a jump through a pointer, a system instruction. Leaves its ops behind those in ops.
   */
  #sizeOfCallee(callee: number, where: CalleeSearch): CodeSize | undefined {
    const { baseRip, mode, addressSpace, depth, room } = where;
    const depthMax = callee === 0 ? regionLimits.recursionDepth : regionLimits.inlinedDepth;
    const blocksMax = depth > depthMax ? Math.min(1, room.blocks) : room.blocks;
    const seen = new Set<number>([callee]);
    let blocks = 0;
    let instructions = 0;
    let returns = false;
    for (const offset of seen) {
      const address = this.#warmBlock(baseRip, blockKey(offset, depth), mode, addressSpace);
      if (address === NO_BLOCK) {
        if (offset === callee) return undefined;
        continue;
      }
      const count = this.#view.getUint16(address + L.BLOCK_INSTRUCTION_COUNT, true);
      if (!this.#include(addressSpace, baseRip + BigInt(offset), address)) return undefined;
      blocks++;
      instructions += count;
      if (blocks > blocksMax || instructions > room.instructions) return undefined;
      if (!this.#translate(address, count)) return undefined;
      this.ops.append(this.#block);
      const last = this.ops.count - 1;
      const nested = this.#directCallee(offset, last);
      const successors = this.#successors(offset, last);
      if (nested !== undefined) {
        const left = { blocks: room.blocks - blocks, instructions: room.instructions - instructions };
        const size = this.#sizeOfNested(nested, { ...where, depth: depth + 1, room: left });
        blocks += size.blocks;
        instructions += size.instructions;
      } else if (this.#isReturn(last) || this.#isTailCall(address, last, where)) {
        returns = true;
      } else if (successors.length === 0) {
        return undefined;
      }
      for (const successor of successors) seen.add(successor);
    }
    return returns ? { blocks, instructions } : undefined;
  }

  /** Does a block of a callee end in an indirect jump that leads to one function only, as from a linkage table? */
  #isTailCall(address: number, last: number, where: CodeSearch): boolean {
    if (!this.#isIndirectJump(last)) return false;
    return this.#usualTargets(this.#seenTargets(address, last, where.baseRip), 1, where).length > 0;
  }

  /** What inlining a call inside an inlined callee adds: nothing if it stays a call. */
  #sizeOfNested(callee: number, where: CalleeSearch): CodeSize {
    const { pages } = where.addressSpace;
    const pageCount = pages.length;
    const size = this.#sizeOfCallee(callee, where);
    if (size === undefined) pages.length = pageCount;
    return size ?? { blocks: 0, instructions: 0 };
  }

  #secondPage(block: number): number {
    return this.#view.getUint32(block + L.BLOCK_GPA2, true);
  }

  /** Translates a registered block again; false if it does not fit or its code has gone. */
  #translate(address: number, instructionCount: number): boolean {
    const view = this.#view;
    const block = this.#block;
    block.reset(
      view.getUint32(address + L.BLOCK_RIP, true),
      view.getUint32(address + L.BLOCK_RIP + 4, true),
      view.getUint32(address + L.BLOCK_GPA, true),
      this.#view.getUint32(address + L.BLOCK_MODE, true),
    );
    if (!this.#source.translate(block, view.getInt32(address + L.BLOCK_GPA2, true), instructionCount))
      return false;
    return this.ops.hasRoomFor(block);
  }

  /** The region's control flow; edges that lead into blocks' middles get the rest of these as blocks of their own. */
  graph({ blocks, addresses }: FormedRegion): RegionNode[] {
    const addressOf = new Map(blocks.map(({ key }, i) => [key, addresses[i] ?? NO_BLOCK]));
    return buildGraph(
      blocks,
      ({ start, end }) => this.ops.copy(start, end),
      (block, to) => {
        const address = defined(addressOf.get(block.key), "a block has an address");
        return this.#shortened(address, block, to - block.offset);
      },
    );
  }

  /** Appends what of a block is in front of an offset from its start, if an instruction begins there. */
  #shortened(address: number, { end }: RegionBlock, to: number): ShortenedBlock | undefined {
    if (to > (this.ops.pc[end - 1] ?? 0)) return undefined;
    const countBefore = this.#view.getUint16(address + L.BLOCK_INSTRUCTION_COUNT, true);
    if (!this.#translate(address, countBefore)) return undefined;
    const instructionCount = this.#block.instructionPc.subarray(0, this.#block.instructionCount).indexOf(to);
    if (instructionCount <= 0 || !this.#translate(address, instructionCount)) return undefined;
    const start = this.ops.append(this.#block);
    return { start, end: this.ops.count, instructionCount };
  }

  /** Offsets of the code that may follow the block whose last op this is; behind a call, where it returns to. */
  #successors(offset: number, last: number, seenTargets: readonly number[] = []): number[] {
    const { op, target0, target1 } = this.ops;
    const branch = factsOfOp(op[last] ?? 0).branch;
    const first = offset + (target0[last] ?? 0);
    const second = offset + (target1[last] ?? 0);
    if (branch?.kind === "conditional") return [first, second];
    if (branch?.kind === "jump") return [branch.why === "call" ? second : first];
    if (branch?.kind === "indirect" && branch.why === "call") return [second];
    if (branch?.kind === "indirect" && branch.why === "jump") return [...seenTargets];
    if (branch?.kind === "sysend") {
      const next = this.ops.behindString(last);
      return next === undefined ? [] : [offset + next];
    }
    return [];
  }

  /** Has the code at an offset run often enough, though it be too far away for the region? */
  #isWarm(baseRip: bigint, offset: number, mode: number, addressSpace: AddressSpace): boolean {
    return this.#warmBlock(baseRip, blockKey(offset, 1), mode, addressSpace) !== NO_BLOCK;
  }

  /** The registered block at an offset if it is near and has run often enough, else NO_BLOCK. */
  #warmBlock(baseRip: bigint, key: BlockKey, mode: number, addressSpace: AddressSpace): number {
    const offset = offsetOf(key);
    const isInlined = contextOf(key) !== 0;
    if (Math.abs(offset) > (isInlined ? regionLimits.inlinedSpanBytes : regionLimits.spanBytes))
      return NO_BLOCK;
    const rip = baseRip + BigInt(offset);
    if (rip < 0n || rip >= addressSpace.end) return NO_BLOCK;
    const gpa = addressSpace.gpaOf(rip);
    if (gpa === NO_PAGE) return NO_BLOCK;
    const block = this.#core.exports.findBlock(BigInt.asIntN(64, rip), gpa, mode) >>> 0;
    if (block === NO_BLOCK) return NO_BLOCK;
    const isWarm =
      this.#view.getUint8(block + L.BLOCK_LOOKS_LEFT) < L.LOOKS ||
      this.#view.getInt32(block + L.BLOCK_HEAT, true) <= L.EXECUTIONS_PER_LOOK - EXECUTIONS_OF_A_WARM_BLOCK ||
      this.#view.getUint8(block + L.BLOCK_IN_REGIONS) !== 0;
    return isWarm ? block : NO_BLOCK;
  }
}

const isIndirect = (op: number): boolean => factsOfOp(op).branch?.kind === "indirect";
