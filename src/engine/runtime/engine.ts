/**
 * The engine as its user sees it: one vCPU on a VM's memory that runs x86 code by translating it. It owns the core,
 * the code cache and the compiled regions; it knows no device, only the EngineHost it calls.
 */
import { assert } from "../../base/index.ts";
import type { CpuidLeaf, CpuModel } from "../../cpu/index.ts";
import type { CodeProfile, CodeProfileFinding, CodeProfileTask, MemorySlot } from "../../hw/index.ts";
import { INSTRUCTIONS_MAX, IrBlock } from "../ir/block.ts";
import * as L from "../layout.ts";
import { BlockTranslator } from "../x86/translate.ts";
import { CodeCache, HEAT_OF_A_KNOWN_BLOCK, NEVER_HOT } from "./code-cache.ts";
import { CodeProfiler, fingerprint, KnownCode } from "./code-profile.ts";
import { type Core, instantiateCore } from "./core.ts";
import { fuse } from "./fuse.ts";
import { Regions } from "./regions.ts";
import { Registers } from "./registers.ts";
import { type StopStatistics, StopTimes } from "./stops.ts";

/** The world outside the processor; called synchronously while run() is on the stack. */
export interface EngineHost {
  readPort(port: number, size: 1 | 2 | 4): number;
  writePort(port: number, size: 1 | 2 | 4, value: number): void;
  readMmio(gpa: number, size: 1 | 2 | 4): number;
  writeMmio(gpa: number, size: 1 | 2 | 4, value: number): void;
  /** Vector of the pending external interrupt. */
  acknowledgeInterrupt(): number;
  /** MSRs the processor does not have itself; undefined and false raise #GP. */
  readMsr(index: number): bigint | undefined;
  writeMsr(index: number, value: bigint): boolean;
  /** 32 random bits: what RDRAND and RDSEED are made of. */
  entropyU32(): number;
  /** Guest time in nanoseconds: the TSC's source. */
  nowNs(): number;
  /** The host's own time in nanoseconds, from any start: by it the guest's stops are measured. */
  monotonicNs(): number;
  // Notifications, for a host that has use for them.
  /** MOV to CR8 has set the task priority class, 0–15. */
  taskPriorityChanged?(priorityClass: number): void;
  /** The TSC is guest time plus this signed number of nanoseconds from now on. */
  tscOffsetChanged?(offsetNs: bigint): void;
}

export interface EngineOptions {
  /** The compiled core (build/core.wasm). */
  readonly core: WebAssembly.Module;
  /** The VM's memory: the engine's prefix of ENGINE_PREFIX_BYTES, then guest RAM. */
  readonly memory: WebAssembly.Memory;
  readonly ramSizeBytes: number;
  /** RAM and what lies behind it for slots; RAM alone unless given. */
  readonly memorySizeBytes?: number;
  readonly host: EngineHost;
  readonly cpu: CpuModel;
  /** CPUID leaves of the machine around the processor: the hypervisor range. */
  readonly hypervisorLeaves: readonly CpuidLeaf[];
  /** "interpreter" never compiles regions; "regions" compiles blocks whatever that costs, for tests. */
  readonly tier: "auto" | "interpreter" | "regions";
  /** With the tier "regions": the execution of a block at which it is compiled; by default the first. */
  readonly compiledAtExecution?: number;
  /** Of the translated blocks, at most CODE_CACHE_SIZE_MAX, which it is by default; small for tests. */
  readonly codeCacheSizeBytes?: number;
  /** What compiled regions may be taken to occupy; by default REGION_MEMORY_MAX_BYTES. */
  readonly regionMemoryLimitBytes?: number;
  /** What an earlier run of the guest has learnt about its code, or that this one shall; neither unless given. */
  readonly codeProfile?: CodeProfileTask;
}

export type EngineExit = "slice" | "halt" | "shutdown" | "requested";
const exits: readonly EngineExit[] = ["slice", "halt", "shutdown", "requested"];

/** What the engine has done so far. */
export interface EngineStatistics {
  readonly instructionsRetired: bigint;
  readonly instructionsInRegions: bigint;
  readonly blocksTranslated: number;
  /** What translated blocks take, those that have become invalid too, and what they may take. */
  readonly codeCacheBytes: number;
  readonly codeCacheLimitBytes: number;
  /** Blocks that were dropped for new ones to find room. */
  readonly blocksEvicted: bigint;
  readonly regionsCompiled: number;
  /** Of these, those that can be entered now, and those that had to go so that others found room. */
  readonly regionsInstalled: number;
  readonly regionsEvicted: number;
  /** What the installed ones are taken to occupy in the host, module and machine code, and what they may. */
  readonly regionMemoryBytes: number;
  readonly regionMemoryLimitBytes: number;
  /** Of the profile that was given: its hot blocks, those met so far, and how often a region was put off for it. */
  readonly profileBlocks: number;
  readonly profileBlocksMet: number;
  readonly regionsPutOff: number;
  readonly tlbFills: bigint;
  readonly tlbFlushes: bigint;
  readonly interrupts: bigint;
  readonly exceptions: bigint;
  readonly codeWrites: bigint;
  readonly portAccesses: bigint;
  readonly mmioAccesses: bigint;
  /** How long the guest stood still while a block was translated, and while a region was compiled. */
  readonly translationStops: StopStatistics;
  readonly compilationStops: StopStatistics;
  /** Of the stops for translation, what making room for the block took. */
  readonly evictionStops: StopStatistics;
}

/** Bytes before guest RAM that the engine needs. */
export const ENGINE_PREFIX_BYTES = L.RAM_BASE;
export const ENGINE_RAM_SIZE_MAX = L.RAM_SIZE_MAX;

const NO_PAGE = -1;
const LIMIT_OF_CODE = L.SEG + L.SEG_CS * L.SEG_STRIDE + L.SEG_LIMIT;
const LONGEST_INSTRUCTION_BYTES = 15;

const isEmptyProfile = ({ hot, lukewarm }: CodeProfile): boolean => hot.length + lukewarm.length === 0;
const accessSize = (size: number): 1 | 2 | 4 => (size === 1 ? 1 : size === 2 ? 2 : 4);

export class Engine {
  readonly registers: Registers;
  private readonly ramSizeBytes: number;
  private readonly memorySizeBytes: number;
  private readonly core: Core;
  private readonly codeCache: CodeCache;
  private readonly translator: BlockTranslator;
  private readonly block = new IrBlock();
  private readonly memory: Uint8Array;
  /** Bytes on both sides of a page boundary, for an instruction that straddles it. */
  private readonly straddle = new Uint8Array(2 * LONGEST_INSTRUCTION_BYTES);
  private readonly regions: Regions | undefined;
  private readonly known: KnownCode | undefined;
  private readonly profiler: CodeProfiler | undefined;
  private blocksTranslated = 0;
  private readonly translationStops: StopTimes;
  private readonly compilationStops: StopTimes;
  private readonly evictionStops: StopTimes;

  constructor(options: EngineOptions) {
    const { memory, host, ramSizeBytes, memorySizeBytes = ramSizeBytes } = options;
    this.ramSizeBytes = ramSizeBytes;
    this.memorySizeBytes = memorySizeBytes;
    this.translationStops = new StopTimes(() => host.monotonicNs());
    this.compilationStops = new StopTimes(() => host.monotonicNs());
    this.evictionStops = new StopTimes(() => host.monotonicNs());
    this.core = instantiateCore(
      options.core,
      memory,
      { ramSizeBytes, memorySizeBytes },
      {
        readPort: (port, size) => host.readPort(port, accessSize(size)),
        writePort: (port, size, value) => host.writePort(port, accessSize(size), value),
        readMmio: (gpa, size) => host.readMmio(gpa, accessSize(size)),
        writeMmio: (gpa, size, value) => host.writeMmio(gpa, accessSize(size), value),
        acknowledgeInterrupt: () => host.acknowledgeInterrupt(),
        readMsr: (index) => this.readMsr(host, index),
        writeMsr: (index, low, high) => (host.writeMsr(index, (BigInt(high) << 32n) | BigInt(low)) ? 1 : 0),
        taskPriorityChanged: (priorityClass) => host.taskPriorityChanged?.(priorityClass),
        tscOffsetChanged: (low, high) =>
          host.tscOffsetChanged?.(BigInt.asIntN(64, (BigInt(high) << 32n) | BigInt(low))),
        entropyU32: () => host.entropyU32(),
        nowNs: () => host.nowNs(),
        translateBlock: (gpa, gpa2) => this.translateBlock(gpa, gpa2),
        translateSingle: (gpa, gpa2) => this.translateSingle(gpa, gpa2),
        translateFetched: (gpa, sizeBytes) => this.translateFetched(gpa, sizeBytes),
        blockIsHot: (block) => this.blockIsHot(block),
        blockInvalidated: (block) => this.regions?.blockInvalidated(block),
        blocksForgotten: () => {
          this.codeCache.reset();
          this.regions?.reset();
        },
        blockMoved: (from, to) => this.regions?.blockMoved(from, to),
      },
    );
    this.registers = new Registers(memory, this.core);
    const { tier, compiledAtExecution = 1, codeCacheSizeBytes } = options;
    this.codeCache = new CodeCache(memory, {
      ...(tier === "regions" ? { heat: compiledAtExecution } : {}),
      ...(tier === "interpreter" ? { heat: NEVER_HOT } : {}),
      ...(codeCacheSizeBytes === undefined ? {} : { sizeBytes: codeCacheSizeBytes }),
    });
    this.translator = new BlockTranslator(options.cpu.features, this.block);
    this.memory = new Uint8Array(memory.buffer);
    if (tier !== "interpreter") {
      const source = { translate: this.translateInto.bind(this) };
      const { regionMemoryLimitBytes, codeProfile } = options;
      // With "regions" everything is compiled anyway.
      const task = tier === "auto" ? codeProfile : undefined;
      if (task === "learn")
        this.profiler = new CodeProfiler(new DataView(memory.buffer), this.core.stateBase);
      else if (task !== undefined) this.known = new KnownCode(task);
      this.regions = new Regions({
        ...{ memory, core: this.core, source, eager: tier === "regions" },
        ...{ known: this.known, profiler: this.profiler },
        ...(regionMemoryLimitBytes === undefined ? {} : { memoryLimitBytes: regionMemoryLimitBytes }),
      });
    }
    this.reset();
    this.writeCpuid([...options.cpu.cpuid(), ...options.hypervisorLeaves]);
  }

  /** Power-on state; guest RAM is left alone. */
  reset(): void {
    this.core.exports.resetCpu();
    this.core.exports.resetCaches();
  }

  /** INIT#: real mode at the reset vector, with floating-point registers and MSRs as they are. */
  init(): void {
    this.core.exports.initCpu();
    this.core.exports.resetCaches();
  }

  run(maxInstructions: number): EngineExit {
    const exit = exits[this.core.exports.run(maxInstructions)];
    if (exit === undefined) throw new Error("the core returned an unknown exit");
    return exit;
  }

  setInterruptLine(level: boolean): void {
    this.registers.setU32(L.INTERRUPT_LINE, level ? 1 : 0);
    if (level) this.core.exports.stopSoon();
  }

  raiseNmi(): void {
    this.registers.setU32(L.NMI_PENDING, 1);
    this.core.exports.stopSoon();
  }

  requestExit(): void {
    this.registers.setU32(L.EXIT_REQUEST, 1);
    this.core.exports.stopSoon();
  }

  /** The local APIC's task priority class, which CR8 shows, has been set from outside. */
  setTaskPriority(priorityClass: number): void {
    this.registers.setU32(L.CR8, priorityClass);
  }

  /**
   * The A20M# pin: while it is closed, bit 20 of every physical address of the processor is 0. It moves between slices or by
   * a port access, which ends its block; a region would go on behind any other access of the guest as before.
   */
  setA20(isOpen: boolean): void {
    this.core.exports.setA20(isOpen ? 1 : 0);
  }

  /**
   * What is seen at [gpa, gpa + sizeBytes), whole pages. Between slices or by an access of the guest to a port or device,
   * like the A20M# pin.
   */
  setMemorySlot(gpa: number, sizeBytes: number, slot: MemorySlot): void {
    assert(gpa % L.PAGE_SIZE === 0 && sizeBytes % L.PAGE_SIZE === 0, "slots have whole pages");
    const isInRam = gpa < this.ramSizeBytes && gpa + sizeBytes > L.FIRST_PAGE_WITHOUT_SLOT;
    assert(!isInRam, "RAM above 1 MiB has no slots");
    this.core.exports.setMemorySlots(gpa, sizeBytes / L.PAGE_SIZE, this.slotWord(slot, sizeBytes));
  }

  private slotWord(slot: MemorySlot, sizeBytes: number): number {
    if (slot.kind === "none") return 0;
    if (slot.kind === "device") return L.SLOT_PRESENT;
    const { offset, isWritable } = slot;
    assert(offset % L.PAGE_SIZE === 0 && offset + sizeBytes <= this.memorySizeBytes, "a slot shows memory");
    return (offset | L.SLOT_PRESENT | L.SLOT_READABLE | (isWritable ? L.SLOT_WRITABLE : 0)) >>> 0;
  }

  /** Guest memory is about to be changed from outside the processor (DMA, images): its translations are dropped. */
  memoryWritten(gpa: number, sizeBytes: number): void {
    this.core.exports.codePagesWritten(gpa, sizeBytes);
  }

  /** What has been found out about the guest's code, if there was something to find out; asked for once. */
  codeProfile(): CodeProfileFinding | undefined {
    if (this.known !== undefined) return this.known.isUnfit ? "unfit" : undefined;
    const profile = this.profiler?.profile();
    return profile === undefined || isEmptyProfile(profile) ? undefined : profile;
  }

  get instructionsRetired(): bigint {
    return this.registers.u64(L.INSTRUCTION_COUNT);
  }

  get statistics(): EngineStatistics {
    const { registers } = this;
    return {
      instructionsRetired: this.instructionsRetired,
      instructionsInRegions: registers.u64(L.STAT_IN_REGIONS),
      blocksTranslated: this.blocksTranslated,
      codeCacheBytes: this.codeCache.usedBytes,
      codeCacheLimitBytes: this.codeCache.limitBytes,
      blocksEvicted: registers.u64(L.STAT_BLOCKS_EVICTED),
      regionsCompiled: this.regions?.compiledCount ?? 0,
      regionsInstalled: this.regions?.installed.count ?? 0,
      regionsEvicted: this.regions?.installed.evictedCount ?? 0,
      regionMemoryBytes: this.regions?.installed.memoryBytes ?? 0,
      regionMemoryLimitBytes: this.regions?.installed.limitBytes ?? 0,
      profileBlocks: this.known?.blockCount ?? 0,
      profileBlocksMet: this.known?.metCount ?? 0,
      regionsPutOff: this.known?.putOffCount ?? 0,
      tlbFills: registers.u64(L.STAT_TLB_FILLS),
      tlbFlushes: registers.u64(L.STAT_TLB_FLUSHES),
      interrupts: registers.u64(L.STAT_INTERRUPTS),
      exceptions: registers.u64(L.STAT_EXCEPTIONS),
      codeWrites: registers.u64(L.STAT_CODE_WRITES),
      portAccesses: registers.u64(L.STAT_PORT_ACCESSES),
      mmioAccesses: registers.u64(L.STAT_MMIO_ACCESSES),
      translationStops: this.translationStops.statistics,
      compilationStops: this.compilationStops.statistics,
      evictionStops: this.evictionStops.statistics,
    };
  }

  private readMsr(host: EngineHost, index: number): number {
    const value = host.readMsr(index);
    if (value === undefined) return 0;
    this.registers.setU64(L.SCRATCH, BigInt.asUintN(64, value));
    return 1;
  }

  /** Translates the code at `gpa` into `this.block`; false if its first instruction needs a page that is not there. */
  private translate(gpa: number, gpa2: number, maxInstructions: number): boolean {
    const { block, registers } = this;
    block.reset(registers.u32(L.RIP), registers.u32(L.RIP + 4), gpa, registers.u32(L.MODE));
    if (!this.translateInto(block, gpa2, maxInstructions)) return false;
    fuse(block);
    return true;
  }

  /** Translates the code at block.gpa; gpa2 is the page behind it if it may straddle, or NO_PAGE. */
  private translateInto(block: IrBlock, gpa2: number, maxInstructions: number): boolean {
    const { memory, straddle } = this;
    const { gpa } = block;
    const start = L.RAM_BASE + gpa;
    const pageLeftBytes = L.PAGE_SIZE - (gpa & (L.PAGE_SIZE - 1));
    const segmentBytes = this.bytesToLimit(block);
    this.translator.watched = this.watchedOffsets();
    if (segmentBytes <= 0) return false;
    if (gpa2 === NO_PAGE || pageLeftBytes >= LONGEST_INSTRUCTION_BYTES) {
      const end = start + Math.min(pageLeftBytes, segmentBytes);
      return this.translator.translate(block, memory, start, end, NO_PAGE, maxInstructions);
    }
    const second = L.RAM_BASE + (gpa2 >>> 0);
    straddle.set(memory.subarray(start, start + pageLeftBytes));
    straddle.set(memory.subarray(second, second + LONGEST_INSTRUCTION_BYTES), pageLeftBytes);
    const limit = Math.min(pageLeftBytes + LONGEST_INSTRUCTION_BYTES, segmentBytes);
    return this.translator.translate(block, straddle, 0, limit, gpa2, maxInstructions);
  }

  /** Where translated code checks for instruction breakpoints. */
  private watchedOffsets(): Uint8Array | undefined {
    if (this.registers.u32(L.WATCHED_OFFSET_COUNT) === 0) return undefined;
    const start = this.core.stateBase + L.WATCHED_OFFSETS;
    return this.memory.subarray(start, start + L.WATCHED_OFFSETS_SIZE);
  }

  /** Bytes from the block's RIP to the end of CS, which 64-bit code does not have. */
  private bytesToLimit(block: IrBlock): number {
    if ((block.mode & L.MODE_CODE_SIZE) === 2) return Infinity;
    return this.registers.u32(LIMIT_OF_CODE) + 1 - block.ripLow;
  }

  private translateBlock(gpa: number, gpa2: number): number {
    const startNs = this.translationStops.begin();
    const address = this.translateIntoCache(gpa, gpa2);
    this.translationStops.end(startNs);
    return address;
  }

  private translateIntoCache(gpa: number, gpa2: number): number {
    if (!this.translate(gpa, gpa2, INSTRUCTIONS_MAX)) return 0;
    // A cache of the usual size holds any block.
    for (let most = INSTRUCTIONS_MAX >> 1; !this.codeCache.mayHold(this.block); most >>= 1)
      this.translate(gpa, gpa2, most);
    while (!this.codeCache.hasRoomFor(this.block)) this.evict();
    this.blocksTranslated++;
    const isKnownHot = this.known?.isHot(fingerprint(this.memory, this.block)) === true;
    return this.codeCache.append(this.block, isKnownHot ? HEAT_OF_A_KNOWN_BLOCK : undefined);
  }

  private evict(): void {
    const startNs = this.evictionStops.begin();
    const { exports } = this.core;
    this.codeCache.openNextPart((start, end, to, heat) => exports.evictBlocks(start, end, to, heat));
    this.evictionStops.end(startNs);
  }

  /** Most calls only find that compiling would cost too much just now; they are no stops. */
  private blockIsHot(block: number): void {
    if (this.regions === undefined) return;
    const { compiledCount } = this.regions;
    const startNs = this.compilationStops.begin();
    this.regions.blockIsHot(block);
    if (this.regions.compiledCount !== compiledCount) this.compilationStops.end(startNs);
  }

  private translateSingle(gpa: number, gpa2: number): number {
    return this.translate(gpa, gpa2, 1) ? this.codeCache.writeSingle(this.block) : 0;
  }

  /** The instruction that the core has fetched to FETCHED: it ends where the segment and its pages let it. */
  private translateFetched(gpa: number, sizeBytes: number): number {
    const { block, registers, memory } = this;
    const start = this.core.stateBase + L.FETCHED;
    block.reset(registers.u32(L.RIP), registers.u32(L.RIP + 4), gpa, registers.u32(L.MODE));
    this.translator.watched = this.watchedOffsets();
    if (!this.translator.translate(block, memory, start, start + sizeBytes, NO_PAGE, 1)) return 0;
    fuse(block);
    return this.codeCache.writeSingle(block);
  }

  private writeCpuid(leaves: readonly CpuidLeaf[]): void {
    this.registers.setU32(L.CPUID_TABLE, leaves.length);
    for (const [i, leaf] of leaves.entries()) {
      const at = L.CPUID_TABLE + 4 + i * L.CPUID_ENTRY_SIZE;
      for (const [j, value] of [
        leaf.leaf,
        leaf.subleaf ?? 0,
        leaf.eax,
        leaf.ebx,
        leaf.ecx,
        leaf.edx,
      ].entries()) {
        this.registers.setU32(at + 4 * j, value);
      }
    }
  }
}
