/**
 * Compiled regions: has the blocks around a hot one compiled (region-former.ts, wasm/region.ts), installs the function
 * where the interpreter and other regions find it, and takes it away when its code or its mapping changes, which the
 * core's write protection of the blocks tells. What compiling may cost is estimated, not timed, so that runs can be
 * repeated.
 */
import { assert, defined } from "../../base/index.ts";
import { opNumber } from "../ir/ops.ts";
import * as L from "../layout.ts";
import { contextOf } from "../wasm/graph.ts";
import { type MappedPage, REGION_EXPORT, RegionCompiler } from "../wasm/region.ts";
import { jumpCacheIndex, NO_REGION } from "../wasm/region-exits.ts";
import { AddressSpace } from "./address-space.ts";
import { type CodeProfiler, fingerprintOf, type KnownCode } from "./code-profile.ts";
import type { Core } from "./core.ts";
import { type InstalledRegion, InstalledRegions } from "./installed-regions.ts";
import { type BlockSource, type FormedRegion, RegionFormer, regionLimits } from "./region-former.ts";
import { EntryRecord, RegionRecord } from "./region-record.ts";

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

export class Regions {
  /** Regions compiled since the start, and the size of their modules. */
  compiledCount = 0;
  compiledBytes = 0;
  readonly #core: Core;
  readonly #eager: boolean;
  readonly #known: KnownCode | undefined;
  readonly #profiler: CodeProfiler | undefined;
  readonly #view: DataView;
  readonly #bytes: Uint8Array;
  readonly #imports: WebAssembly.Imports;
  readonly #former: RegionFormer;
  readonly #compiler: RegionCompiler;
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
    this.#eager = options.eager ?? false;
    this.#known = options.known;
    this.#profiler = options.profiler;
    this.#view = new DataView(memory.buffer);
    this.#bytes = new Uint8Array(memory.buffer);
    this.#installed = new InstalledRegions(core, this.#view, options.memoryLimitBytes);
    this.#former = new RegionFormer({
      core,
      view: this.#view,
      source: options.source,
      entersLargeRegion: (block) => this.#entersLargeRegion(block),
    });
    this.#compiler = new RegionCompiler(core, MEMORY_PAGES_MAX, this.#former.ops);
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
    const { addresses, pages, cold, baseRip } = forming;
    const id = ++this.#nextId;
    const counter = this.#profiler?.nextCounter;
    const entryRecord = this.#recordOf(entry);
    const bytes = this.#compiler.compile({
      id,
      baseRip,
      mode: this.#mode(entry),
      pages,
      nodes: this.#former.graph(forming),
      ops: this.#former.ops,
      counter,
      triesRuns: entryRecord.triesRuns,
      countsMisses: entryRecord.countsMisses,
      isCold: (offset) => cold.has(offset),
      mayGiveUp: (offset) => entryRecord.mayGiveUp(offset),
    });
    const costNs = COST_PER_REGION_NS + bytes.length * COST_PER_BYTE_NS;
    this.#spentNs += costNs;
    if (counter !== undefined) {
      const fingerprints = addresses.map((block) => fingerprintOf(this.#view, this.#bytes, block));
      this.#profiler?.regionFormed({ blocks: fingerprints, costNs });
    }
    this.compiledCount++;
    this.compiledBytes += bytes.length;
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), this.#imports);
    const region = new Region({
      ...{ id, slot: this.#takeSlot(), entry, rip: baseRip, blocks: addresses, pages },
      sizeBytes: bytes.length,
      record: new RegionRecord(entryRecord, this.#executed(0)),
    });
    this.#install(region, instance.exports);
    this.#letCool(forming);
  }

  /**
   * Blocks that a region takes in without inlining them were nearly as hot as its entry: what still comes to them past the
   * region, in the interpreter, has to do so as often as to others before they are entries too. They count as looked at
   * once, and so as warm.
   */
  #letCool({ blocks, addresses }: FormedRegion): void {
    for (const [i, { key }] of blocks.entries()) {
      const block = addresses[i];
      if (block === undefined || contextOf(key) !== 0) continue;
      if (this.#view.getUint32(block + L.BLOCK_REGION, true) !== NO_REGION) continue;
      if (this.#view.getUint8(block + L.BLOCK_LOOKS_LEFT) === L.LOOKS) continue;
      this.#view.setUint8(block + L.BLOCK_LOOKS_LEFT, L.LOOKS - 1);
      this.#view.setInt32(block + L.BLOCK_HEAT, L.EXECUTIONS_PER_LOOK, true);
    }
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

  #form(entry: number): FormedRegion | undefined {
    return this.#former.form(entry, this.#recordOf(entry).mayHaveSeveralPages ? regionLimits.pages : 1);
  }

  #mode(block: number): number {
    return this.#view.getUint32(block + L.BLOCK_MODE, true);
  }

  #entersLargeRegion(block: number): boolean {
    if (this.#view.getUint32(block + L.BLOCK_REGION, true) === NO_REGION) return false;
    const regions = [...(this.#regionsOfBlock.get(block) ?? [])];
    return regions.some(({ entry, blocks }) => entry === block && blocks.length > regionLimits.copiedBlocks);
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
    return this.#entryRecords.get(this.#view.getUint32(entry + L.BLOCK_GPA, true)) ?? new EntryRecord();
  }

  /** Keeps what a region has shown for the next one at its entry. */
  #keepRecord({ entry, record }: Region): void {
    if (this.#entryRecords.size >= ENTRY_RECORDS_MAX) this.#entryRecords.clear();
    this.#entryRecords.set(this.#view.getUint32(entry + L.BLOCK_GPA, true), record.entry);
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
    const block = region.blocks.find(
      (address) => this.#view.getBigUint64(address + L.BLOCK_RIP, true) === rip,
    );
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

/** WebAssembly's own limit of a memory32, which every memory's maximum is within. */
const MEMORY_PAGES_MAX = 65536;
