/**
 * Compiled regions: chooses the blocks around a hot one, has them compiled (wasm/region.ts), installs the function
 * where the interpreter and other regions find it, and takes it away when its code or its mapping changes.
 *
 * A region's blocks all lie near its entry and are registered with the core, whose write protection tells when one
 * changes. Blocks are reached by jumps, branches and behind calls, and only those that have run often: code that hardly
 * ever runs stays outside. A region ends where another one begins, unless that is small enough to be copied, so that
 * little is compiled twice. What compiling may cost is estimated, not timed, so that runs can be repeated.
 */
import { assert, defined } from "../../base/index.ts";
import { IrBlock } from "../ir/block.ts";
import { opNumber } from "../ir/ops.ts";
import * as L from "../layout.ts";
import {
  type BlockKey,
  blockKey,
  buildGraph,
  contextOf,
  offsetOf,
  type RegionBlock,
  type ShortenedBlock,
} from "../wasm/graph.ts";
import { factsOfOp } from "../wasm/op-facts.ts";
import { type MappedPage, REGION_EXPORT, RegionCompiler } from "../wasm/region.ts";
import { jumpCacheIndex } from "../wasm/region-exits.ts";
import { RegionOps } from "../wasm/region-ops.ts";
import { AddressSpace, NO_PAGE } from "./address-space.ts";
import { type CodeProfiler, fingerprintOf, type KnownCode } from "./code-profile.ts";
import type { Core } from "./core.ts";
import { type InstalledRegion, InstalledRegions } from "./installed-regions.ts";
import { EntryRecord, RegionRecord } from "./region-record.ts";

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

/** Executions without which a block counts as cold and stays outside. */
const EXECUTIONS_OF_A_WARM_BLOCK = 100;
/** Executions until a block is asked for again for which no region was compiled. */
const HEAT_AFTER_PUTTING_OFF = 3000;
/** The same for one that was not worth compiling in an earlier run: it goes on counting as warm. */
const HEAT_OF_A_LUKEWARM_BLOCK = L.EXECUTIONS_OF_A_HOT_BLOCK - 1000;

/** What compiling is taken to cost, and the share of the estimated run time it may take. */
const COST_PER_REGION_NS = 120_000;
const COST_PER_BYTE_NS = 150;
const NS_PER_INSTRUCTION = 4;
const COMPILE_SHARE = 0.2;
const COMPILE_CREDIT_NS = 30_000_000;

/** A guest can have any number of entries; what is known of them only spares time. */
const ENTRY_RECORDS_MAX = 4096;
const TABLE_GROWTH = 1024;
const ENTER = opNumber("enter");
/** The interpreter's op for a block whose region is compiled (ir/print-interpreter.ts). */
const REGION = opNumber("region");
const NO_REGION = 0;

/** Where regions get their IR from. */
export interface BlockSource {
  /**
   * Translates the code at block.gpa into `block`, which has been reset to it, as for the interpreter but not fused;
   * gpa2 is the page it straddles into, or -1. False if its first instruction cannot be fetched.
   */
  translate(block: IrBlock, gpa2: number, maxInstructions: number): boolean;
}

export interface RegionsOptions {
  readonly memory: WebAssembly.Memory;
  readonly core: Core;
  readonly source: BlockSource;
  /** Compile whatever is hot at once, whatever it costs: for tests. */
  readonly eager?: boolean;
  /** Of what regions are taken to occupy; REGION_MEMORY_MAX_BYTES unless given. */
  readonly memoryLimitBytes?: number;
  /** What is known of the guest's code, and who learns about it. */
  readonly known?: KnownCode | undefined;
  readonly profiler?: CodeProfiler | undefined;
}

interface RegionParts {
  readonly id: number;
  readonly slot: number;
  readonly entry: number;
  readonly rip: bigint;
  readonly blocks: number[];
  readonly pages: readonly MappedPage[];
  readonly sizeBytes: number;
  readonly record: RegionRecord;
}

class Region implements InstalledRegion {
  readonly id: number;
  readonly slot: number;
  entry: number;
  readonly rip: bigint;
  readonly blocks: number[];
  readonly pages: readonly MappedPage[];
  readonly sizeBytes: number;
  readonly record: RegionRecord;

  constructor({ id, slot, entry, rip, blocks, pages, sizeBytes, record }: RegionParts) {
    this.id = id;
    this.slot = slot;
    this.entry = entry;
    this.rip = rip;
    this.blocks = blocks;
    this.pages = pages;
    this.sizeBytes = sizeBytes;
    this.record = record;
  }

  /** An inlined callee's blocks are here once for each call. */
  blockMoved(from: number, to: number): void {
    if (this.entry === from) this.entry = to;
    for (const [i, block] of this.blocks.entries()) if (block === from) this.blocks[i] = to;
  }
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

export class Regions {
  /** Regions compiled since the start, and the size of their modules. */
  compiledCount = 0;
  compiledBytes = 0;
  readonly #core: Core;
  readonly #source: BlockSource;
  readonly #eager: boolean;
  readonly #known: KnownCode | undefined;
  readonly #profiler: CodeProfiler | undefined;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #imports: WebAssembly.Imports;
  readonly #ops = new RegionOps();
  readonly #compiler: RegionCompiler;
  readonly #block = new IrBlock();
  readonly #regions = new Map<number, Region>();
  readonly #regionsOfBlock = new Map<number, Set<Region>>();
  readonly #installed: InstalledRegions<Region>;
  /** By guest-physical address of the entry: of those whose regions had to go for what they showed. */
  readonly #entryRecords = new Map<number, EntryRecord>();
  readonly #freeSlots: number[] = [];
  #nextId = 0;
  #spentNs = 0;

  constructor(options: RegionsOptions) {
    const { memory, core } = options;
    this.#core = core;
    this.#source = options.source;
    this.#eager = options.eager ?? false;
    this.#known = options.known;
    this.#profiler = options.profiler;
    this.#view = new DataView(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#installed = new InstalledRegions(core, this.#view, options.memoryLimitBytes);
    this.#compiler = new RegionCompiler(core, MEMORY_PAGES_MAX, this.#ops);
    this.#imports = {
      core: core.all,
      engine: {
        memory,
        table: core.exports.table,
        remap: (id: number) => (this.#remap(id) ? 1 : 0),
        guardMissed: (id: number, offset: number, target: number) => this.#guardMissed(id, offset, target),
        runsFailed: (id: number, count: number) => this.#runsFailed(id, count),
        gaveUp: (id: number, offset: number) => this.#gaveUp(id, offset),
      },
    };
  }

  /** Of the regions that are installed now, and how many had to go for others. */
  get installed(): Pick<InstalledRegions<Region>, "count" | "evictedCount" | "memoryBytes" | "limitBytes"> {
    return this.#installed;
  }

  /** Forgets all regions; the block addresses they know are about to become invalid. */
  reset(): void {
    for (const { slot } of this.#regions.values()) this.#releaseSlot(slot);
    this.#regions.clear();
    this.#installed.clear();
    this.#regionsOfBlock.clear();
    this.#entryRecords.clear();
  }

  /**
   * A block has been executed often: compiles a region for it, or has it asked for again later if that costs too much
   * just now or its code is not where the block says.
   */
  blockIsHot(entry: number): void {
    if (this.#known?.putsOff(fingerprintOf(this.#view, this.#bytes, entry)) === true) {
      this.#view.setInt32(entry + L.BLOCK_HEAT, HEAT_OF_A_LUKEWARM_BLOCK, true);
      return;
    }
    const forming = this.#mayCompile(entry) ? this.#form(entry) : undefined;
    if (forming === undefined) {
      this.#view.setInt32(entry + L.BLOCK_HEAT, HEAT_AFTER_PUTTING_OFF, true);
      return;
    }
    const { blocks, pages, cold, baseRip } = forming;
    const addressOf = new Map(blocks.map(({ key }, i) => [key, forming.addresses[i] ?? 0]));
    const id = ++this.#nextId;
    const counter = this.#profiler?.nextCounter;
    const entryRecord = this.#recordOf(entry);
    const bytes = this.#compiler.compile({
      id,
      baseRip,
      mode: this.#mode(entry),
      pages,
      nodes: buildGraph(
        blocks,
        ({ start, end }) => this.#ops.copy(start, end),
        (block, to) => {
          const address = defined(addressOf.get(block.key), "a block has an address");
          return this.#shortened(address, block, to - block.offset);
        },
      ),
      ops: this.#ops,
      counter,
      triesRuns: entryRecord.triesRuns,
      countsMisses: entryRecord.countsMisses,
      isCold: (offset) => cold.has(offset),
      mayGiveUp: (offset) => entryRecord.mayGiveUp(offset),
    });
    const costNs = COST_PER_REGION_NS + bytes.length * COST_PER_BYTE_NS;
    this.#spentNs += costNs;
    if (counter !== undefined) {
      const fingerprints = forming.addresses.map((block) => fingerprintOf(this.#view, this.#bytes, block));
      this.#profiler?.regionFormed({ blocks: fingerprints, costNs });
    }
    this.compiledCount++;
    this.compiledBytes += bytes.length;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
    const region = new Region({
      ...{ id, slot: this.#takeSlot(), entry, rip: baseRip, blocks: forming.addresses, pages },
      sizeBytes: bytes.length,
      record: new RegionRecord(entryRecord, this.#executed(0)),
    });
    this.#install(region, instance.exports);
  }

  /** A block that regions contain has been dropped. */
  blockInvalidated(block: number): void {
    const regions = this.#regionsOfBlock.get(block);
    if (regions === undefined) return;
    for (const region of regions) this.#uninstall(region);
  }

  /** A block that regions contain lies elsewhere from now on. */
  blockMoved(from: number, to: number): void {
    const regions = this.#regionsOfBlock.get(from);
    if (regions === undefined) return;
    this.#regionsOfBlock.delete(from);
    this.#regionsOfBlock.set(to, regions);
    for (const region of regions) region.blockMoved(from, to);
  }

  #mayCompile(entry: number): boolean {
    // Single-stepped blocks run one instruction and come back.
    if ((this.#mode(entry) & L.MODE_STEP) !== 0) return false;
    if (this.#eager) return true;
    const retired = Number(this.#view.getBigUint64(this.#core.stateBase + L.INSTRUCTION_COUNT, true));
    return this.#spentNs < COMPILE_CREDIT_NS + retired * NS_PER_INSTRUCTION * COMPILE_SHARE;
  }

  // ---- Forming ----------------------------------------------------------------------------------------------------
  #mode(block: number): number {
    return this.#view.getUint32(block + L.BLOCK_MODE, true);
  }

  #gpa(block: number): number {
    return this.#view.getUint32(block + L.BLOCK_GPA, true);
  }

  #rip(block: number): bigint {
    return this.#view.getBigUint64(block + L.BLOCK_RIP, true);
  }

  /** Chooses and translates the blocks around an entry into #ops. */
  #form(entry: number) {
    const baseRip = this.#rip(entry);
    const mode = this.#mode(entry);
    const pagesMax = this.#recordOf(entry).mayHaveSeveralPages ? regionLimits.pages : 1;
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
    this.#ops.clear();
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
      const start = this.#ops.append(this.#block);
      const { instructionCount } = this.#block;
      const end = this.#ops.count;
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
      this.#ops.count = end;
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
        if (block === NO_REGION) {
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

  #entersLargeRegion(block: number): boolean {
    if (this.#view.getUint32(block + L.BLOCK_REGION, true) === NO_REGION) return false;
    const regions = [...(this.#regionsOfBlock.get(block) ?? [])];
    return regions.some(({ entry, blocks }) => entry === block && blocks.length > regionLimits.copiedBlocks);
  }

  #include(addressSpace: AddressSpace, rip: bigint, block: number): boolean {
    const gpa = this.#view.getUint32(block + L.BLOCK_GPA, true);
    return addressSpace.include(rip, gpa, this.#secondPage(block));
  }

  /** Offset of the callee if this op is a direct call. */
  #directCallee(offset: number, last: number): number | undefined {
    const branch = factsOfOp(this.#ops.op[last] ?? 0).branch;
    const isCall = branch?.kind === "jump" && branch.why === "call";
    return isCall ? offset + (this.#ops.target0[last] ?? 0) : undefined;
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

  /** Those callees that can be inlined, one after the other, until the room is used up; leaves ops behind those in #ops. */
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
    return factsOfOp(this.#ops.op[last] ?? 0).isCall;
  }

  #isIndirectJump(last: number): boolean {
    const branch = factsOfOp(this.#ops.op[last] ?? 0).branch;
    return branch?.kind === "indirect" && branch.why === "jump";
  }

  /** Offsets to which the indirect jump or call at the end of a block has led in the interpreter. */
  #seenTargets(address: number, last: number, baseRip: bigint): number[] {
    if (!isIndirect(this.#ops.op[last] ?? 0) || this.#isReturn(last)) return [];
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
    const branch = factsOfOp(this.#ops.op[last] ?? 0).branch;
    return branch?.kind === "indirect" && branch.why === "return";
  }

  /**
   * Size of the warm part of a function with what it calls as far as that fits, if it fits into `room`, returns and has
   * nothing that leaves the region: a jump through a pointer, a system instruction. Leaves its ops behind those in #ops.
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
      if (address === NO_REGION) {
        if (offset === callee) return undefined;
        continue;
      }
      const count = this.#view.getUint16(address + L.BLOCK_INSTRUCTION_COUNT, true);
      if (!this.#include(addressSpace, baseRip + BigInt(offset), address)) return undefined;
      blocks++;
      instructions += count;
      if (blocks > blocksMax || instructions > room.instructions) return undefined;
      if (!this.#translate(address, count)) return undefined;
      this.#ops.append(this.#block);
      const last = this.#ops.count - 1;
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
      this.#mode(address),
    );
    if (!this.#source.translate(block, view.getInt32(address + L.BLOCK_GPA2, true), instructionCount))
      return false;
    return this.#ops.hasRoomFor(block);
  }

  /** Appends what of a block is in front of an offset from its start, if an instruction begins there. */
  #shortened(address: number, { end }: RegionBlock, to: number): ShortenedBlock | undefined {
    if (to > (this.#ops.pc[end - 1] ?? 0)) return undefined;
    const countBefore = this.#view.getUint16(address + L.BLOCK_INSTRUCTION_COUNT, true);
    if (!this.#translate(address, countBefore)) return undefined;
    const instructionCount = this.#block.instructionPc.subarray(0, this.#block.instructionCount).indexOf(to);
    if (instructionCount <= 0 || !this.#translate(address, instructionCount)) return undefined;
    const start = this.#ops.append(this.#block);
    return { start, end: this.#ops.count, instructionCount };
  }

  /** Offsets of the code that may follow the block whose last op this is; behind a call, where it returns to. */
  #successors(offset: number, last: number, seenTargets: readonly number[] = []): number[] {
    const { op, target0, target1 } = this.#ops;
    const branch = factsOfOp(op[last] ?? 0).branch;
    const first = offset + (target0[last] ?? 0);
    const second = offset + (target1[last] ?? 0);
    if (branch?.kind === "conditional") return [first, second];
    if (branch?.kind === "jump") return [branch.why === "call" ? second : first];
    if (branch?.kind === "indirect" && branch.why === "call") return [second];
    if (branch?.kind === "indirect" && branch.why === "jump") return [...seenTargets];
    if (branch?.kind === "sysend") {
      const next = this.#ops.behindString(last);
      return next === undefined ? [] : [offset + next];
    }
    return [];
  }

  /** Has the code at an offset run often enough, though it be too far away for the region? */
  #isWarm(baseRip: bigint, offset: number, mode: number, addressSpace: AddressSpace): boolean {
    return this.#warmBlock(baseRip, blockKey(offset, 1), mode, addressSpace) !== NO_REGION;
  }

  /** The registered block at an offset if it is near and has run often enough, else NO_REGION. */
  #warmBlock(baseRip: bigint, key: BlockKey, mode: number, addressSpace: AddressSpace): number {
    const offset = offsetOf(key);
    const isInlined = contextOf(key) !== 0;
    if (Math.abs(offset) > (isInlined ? regionLimits.inlinedSpanBytes : regionLimits.spanBytes))
      return NO_REGION;
    const rip = baseRip + BigInt(offset);
    if (rip < 0n || rip >= addressSpace.end) return NO_REGION;
    const gpa = addressSpace.gpaOf(rip);
    if (gpa === NO_PAGE) return NO_REGION;
    const block = this.#core.exports.findBlock(BigInt.asIntN(64, rip), gpa, mode) >>> 0;
    if (block === 0) return NO_REGION;
    const isWarm =
      this.#view.getUint8(block + L.BLOCK_LOOKS_LEFT) < L.LOOKS ||
      this.#view.getInt32(block + L.BLOCK_HEAT, true) <= L.EXECUTIONS_PER_LOOK - EXECUTIONS_OF_A_WARM_BLOCK ||
      this.#view.getUint8(block + L.BLOCK_IN_REGIONS) !== 0;
    return isWarm ? block : NO_REGION;
  }

  // ---- Installing -------------------------------------------------------------------------------------------------
  #takeSlot(): number {
    const { table } = this.#core.exports;
    if (this.#freeSlots.length === 0) {
      const first = table.grow(TABLE_GROWTH);
      for (let slot = first + TABLE_GROWTH - 1; slot >= Math.max(first, NO_REGION + 1); slot--)
        this.#freeSlots.push(slot);
    }
    return defined(this.#freeSlots.pop(), "the table has just grown");
  }

  #releaseSlot(slot: number): void {
    this.#core.exports.table.set(slot, null);
    this.#freeSlots.push(slot);
  }

  #install(region: Region, exports: WebAssembly.Exports): void {
    this.#core.exports.table.set(region.slot, exports[REGION_EXPORT]);
    this.#regions.set(region.id, region);
    for (const block of region.blocks) {
      this.#view.setUint8(block + L.BLOCK_IN_REGIONS, 1);
      const regions = this.#regionsOfBlock.get(block);
      if (regions === undefined) this.#regionsOfBlock.set(block, new Set([region]));
      else regions.add(region);
    }
    assert(
      this.#view.getUint16(region.entry + L.BLOCK_OPS, true) === ENTER,
      "a region's entry is an ordinary block",
    );
    this.#setEntry(region, REGION, region.slot);
    this.#view.setInt32(region.entry + L.BLOCK_HEAT, 1, true);
    this.#installed.add(region, (other) => this.#uninstall(other));
  }

  #uninstall(region: Region): void {
    const { entry } = region;
    for (const block of region.blocks) {
      const regions = this.#regionsOfBlock.get(block);
      regions?.delete(region);
      if (regions?.size !== 0) continue;
      this.#regionsOfBlock.delete(block);
      this.#view.setUint8(block + L.BLOCK_IN_REGIONS, 0);
    }
    // An entry that has itself been dropped has another op there by now.
    const isValid = this.#view.getUint16(entry + L.BLOCK_OPS, true) === REGION;
    this.#setEntry(region, isValid ? ENTER : undefined, NO_REGION);
    this.#view.setUint8(entry + L.BLOCK_LOOKS_LEFT, L.LOOKS);
    this.#view.setInt32(entry + L.BLOCK_HEAT, L.EXECUTIONS_PER_LOOK, true);
    this.#regions.delete(region.id);
    this.#installed.delete(region);
    this.#releaseSlot(region.slot);
  }

  /** Makes the interpreter and the jump cache see a region at its entry, or none. */
  #setEntry(region: Region, op: number | undefined, slot: number): void {
    const view = this.#view;
    const { entry } = region;
    if (op !== undefined) view.setUint16(entry + L.BLOCK_OPS, op, true);
    view.setUint32(entry + L.BLOCK_REGION, slot, true);
    const index = jumpCacheIndex(region.rip);
    // One that was displaced may come back to its own place as it is.
    for (const place of [index, index ^ 1]) {
      const cached = this.#core.stateBase + L.JUMP_CACHE + (place << L.JUMP_CACHE_SHIFT);
      if (view.getUint32(cached + 8, true) === entry) view.setUint32(cached + 12, slot, true);
    }
  }

  // ---- What regions tell --------------------------------------------------------------------------------------------
  #recordOf(entry: number): EntryRecord {
    return this.#entryRecords.get(this.#gpa(entry)) ?? new EntryRecord();
  }

  /** Keeps what a region has shown for the next one at its entry. */
  #keepRecord({ entry, record }: Region): void {
    if (this.#entryRecords.size >= ENTRY_RECORDS_MAX) this.#entryRecords.clear();
    this.#entryRecords.set(this.#gpa(entry), record.entry);
  }

  /**
   * Called by a region for one of many calls through a pointer, in the block at an offset, that did not lead to what was
   * inlined: notes the callee, as the interpreter does, and after many has the region formed again, now with it. Code of
   * the old one that still runs goes on.
   */
  #guardMissed(id: number, offset: number, target: number): void {
    const region = this.#regions.get(id);
    if (region === undefined) return;
    const rip = BigInt.asUintN(64, region.rip + BigInt(offset));
    const block = region.blocks.find((address) => this.#rip(address) === rip);
    if (block === undefined) return;
    const seen = this.#view.getUint32(block + L.BLOCK_TABLE, true) - 4 * L.SEEN_TARGETS_COUNT;
    this.#core.exports.noteTarget(seen, target);
    if (region.record.guardMissed()) this.#formAgain(region);
  }

  /** Called by a region for one of many runs that it had to do again as single instructions. */
  #runsFailed(id: number, unsettled: number): void {
    const region = this.#regions.get(id);
    if (region?.record.runsFailed(this.#executed(unsettled)) === true) this.#formAgain(region);
  }

  /** Called by a region that is left because of where an access of the instruction at an offset leads. */
  #gaveUp(id: number, offset: number): void {
    const region = this.#regions.get(id);
    if (region?.record.gaveUp(offset, this.#executed(0)) === true) this.#formAgain(region);
  }

  /** The instructions executed so far, with those that a region has not taken from the budget yet. */
  #executed(unsettled: number): number {
    const state = this.#core.stateBase;
    const count = Number(this.#view.getBigUint64(state + L.INSTRUCTION_COUNT, true));
    const budget = this.#view.getInt32(state + L.BUDGET, true);
    return count + this.#view.getInt32(state + L.BUDGET_GIVEN, true) - budget + unsettled;
  }

  /** Has a region's entry asked for anew at its next execution. */
  #formAgain(region: Region): void {
    this.#keepRecord(region);
    this.#uninstall(region);
    this.#view.setUint8(region.entry + L.BLOCK_LOOKS_LEFT, 0);
    this.#view.setInt32(region.entry + L.BLOCK_HEAT, 1, true);
  }

  // ---- Mapping ----------------------------------------------------------------------------------------------------
  /** Called by a region of several pages that finds one of them elsewhere: are its pages where they were? */
  #remap(id: number): boolean {
    // One of the walks that led here may have faulted.
    this.#view.setUint32(this.#core.stateBase + L.FAULT_VECTOR, L.FAULT_NONE, true);
    const region = this.#regions.get(id);
    if (region === undefined) return false;
    const addressSpace = new AddressSpace(
      this.#core,
      this.#view,
      this.#mode(region.entry),
      regionLimits.pages,
    );
    if (region.pages.every((page) => addressSpace.isStillAt(page))) return true;
    region.record.entry.remapFailed();
    this.#keepRecord(region);
    this.#uninstall(region);
    return false;
  }
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

const isIndirect = (op: number): boolean => factsOfOp(op).branch?.kind === "indirect";

/** WebAssembly's own limit of a memory32, which every memory's maximum is within. */
const MEMORY_PAGES_MAX = 65536;
