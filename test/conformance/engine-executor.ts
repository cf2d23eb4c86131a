/**
 * A tier of our engine as an executor of instruction cases: a minimal 64-bit kernel (guest-kernel.ts) around the same
 * user-mode address space that the oracle gives its cases. The first exception reaches a handler, whose HLT ends the
 * run; its stack frame, the state block and memory become a result record like those of the native runner. Memory that
 * a case has changed is put back afterwards, so that the next one has only its own bytes to write.
 */
import { readFileSync } from "node:fs";
import { cpuModel, type Feature } from "../../src/cpu/index.ts";
import { Engine, type EngineExit, ENGINE_PREFIX_BYTES } from "../../src/engine/index.ts";
import * as L from "../../src/engine/layout.ts";
import {
  baselineBytes,
  CODE,
  type CpuExecutor,
  type CpuMode,
  type CpuOutcome,
  type CpuState,
  DATA,
  decodeResult,
  FXSAVE_BYTES,
  GPR_SLOT,
  type InstructionCase,
  type MemoryBytes,
  type MemoryRegion,
  outcomeOf,
  REGIONS,
  RESULT,
  type ResultRecord,
  resolveCase,
  SIGNAL,
  SIGNAL_LOST,
  SLOT,
  STACK,
} from "../oracle/index.ts";
import {
  HANDLERS,
  KERNEL,
  machineStateOf,
  RAM_SIZE_BYTES,
  REGION_GPA,
  SYSTEM_CALL_HANDLER,
  kernelRegisters,
  writeKernel,
} from "./guest-kernel.ts";

export const tierNames = ["interpreter", "regions"] as const;
export type Tier = (typeof tierNames)[number];

const SLICE_INSTRUCTIONS = 100_000;
/** What an endless case gets. */
const MAX_INSTRUCTIONS = 2_000_000;
const VECTOR_PAGE_FAULT = 14;
const VECTOR_INT80 = 0x80;
const PUSHES_ERROR_CODE: ReadonlySet<number> = new Set([8, 10, 11, 12, 13, 14, 17]);

const CODE_BASELINE = baselineBytes(CODE);

const isInCode = ({ gva }: MemoryBytes): boolean => gva >= CODE.gva && gva < CODE.gva + CODE.sizeBytes;

/** The code that is in the code region, and translated. */
interface LoadedCode {
  readonly mode: CpuMode;
  readonly codeGva: number;
  readonly parts: readonly MemoryBytes[];
  /** The whole region with it. */
  readonly image: Uint32Array;
}

/** Pieces of a region are compared as a whole: most are as they were. */
const PIECE_BYTES = 512;
/** And before them pages. */
const PIECES_PER_PAGE = L.PAGE_SIZE / PIECE_BYTES;

/** A writable region in guest RAM and its baseline. */
interface WatchedRegion {
  readonly region: MemoryRegion;
  readonly words: Uint32Array;
  readonly baseline: Uint32Array;
  readonly pages: readonly Watched[];
  readonly pieces: readonly Watched[];
}

/** The same bytes now and in the baseline. */
interface Watched {
  readonly now: Uint8Array;
  readonly before: Uint8Array;
}

function watch(memory: WebAssembly.Memory, region: MemoryRegion): WatchedRegion {
  const start = ENGINE_PREFIX_BYTES + REGION_GPA[region.name];
  const baseline = baselineBytes(region);
  const watched = (sizeBytes: number): Watched[] =>
    Array.from({ length: region.sizeBytes / sizeBytes }, (_, i) => ({
      now: new Uint8Array(memory.buffer, start + i * sizeBytes, sizeBytes),
      before: baseline.subarray(i * sizeBytes, (i + 1) * sizeBytes),
    }));
  return {
    region,
    words: new Uint32Array(memory.buffer, start, region.sizeBytes / 4),
    baseline: new Uint32Array(baseline.buffer),
    pages: watched(L.PAGE_SIZE),
    pieces: watched(PIECE_BYTES),
  };
}

const differs = ({ now, before }: Watched): boolean => Buffer.compare(now, before) !== 0;

export interface ExecutorOptions {
  /** For reports, if not that of the tier. */
  readonly name?: string;
  /** Instructions that the engine is asked to run at a time; each case takes the next of these in turn. */
  readonly sliceInstructions?: readonly number[];
  /** The execution of a block at which the tier "regions" compiles it. */
  readonly compiledAtExecution?: number;
}

export class EngineExecutor implements CpuExecutor {
  readonly name: string;
  readonly #slices: readonly number[];
  readonly #engine: Engine;
  readonly #ram: Uint8Array;
  readonly #view: DataView;
  /** The state block, for what has no other way in or out. */
  readonly #block: DataView;
  /** All memory, for the headers of translated blocks. */
  readonly #all: DataView;
  readonly #regions: readonly WatchedRegion[];
  readonly #record: ResultRecord;
  readonly #recordWords: Uint32Array;
  #lostReason = "";
  /** Cases executed so far, and those whose code was in a compiled region. */
  caseCount = 0;
  casesInRegions = 0;
  #loaded: LoadedCode | undefined;

  /** A processor that has all of `features`: rows that need others are #UD. */
  constructor(
    tier: Tier,
    features: ReadonlySet<Feature> = cpuModel().features,
    options: ExecutorOptions = {},
  ) {
    this.#slices = options.sliceInstructions ?? [SLICE_INSTRUCTIONS];
    this.name = options.name ?? tier;
    const pages = (ENGINE_PREFIX_BYTES + RAM_SIZE_BYTES) / 65536;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.#ram = new Uint8Array(memory.buffer, ENGINE_PREFIX_BYTES, RAM_SIZE_BYTES);
    this.#view = new DataView(memory.buffer, ENGINE_PREFIX_BYTES, RAM_SIZE_BYTES);
    this.#block = new DataView(memory.buffer, L.VCPU_BASE, L.STATE_SIZE);
    this.#all = new DataView(memory.buffer);
    this.#engine = new Engine({
      core: new WebAssembly.Module(readFileSync(new URL("../../build/core.wasm", import.meta.url))),
      memory,
      ramSizeBytes: RAM_SIZE_BYTES,
      cpu: { ...cpuModel(), features },
      hypervisorLeaves: [],
      tier,
      compiledAtExecution: options.compiledAtExecution ?? 1,
      host: {
        readPort: () => 0xffffffff,
        writePort: () => undefined,
        readMmio: () => 0xffffffff,
        writeMmio: () => undefined,
        acknowledgeInterrupt: () => 0xff,
        readMsr: () => undefined,
        writeMsr: () => false,
        entropyU32: () => 0x12345678,
        nowNs: () => 0,
        monotonicNs: () => 0,
      },
    });
    writeKernel(this.#view);
    for (const region of REGIONS) this.#ram.set(baselineBytes(region), REGION_GPA[region.name]);
    this.#regions = REGIONS.filter(({ writable }) => writable).map((region) => watch(memory, region));
    const chunks = REGIONS.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / RESULT.chunkBytes;
    const bytes = new Uint8Array(RESULT.fp + FXSAVE_BYTES + chunks * RESULT.chunkRecordBytes);
    this.#record = { bytes, view: new DataView(bytes.buffer), offset: 0, fpBytes: FXSAVE_BYTES };
    this.#recordWords = new Uint32Array(bytes.buffer);
    const { registers } = this.#engine;
    for (const [field, value] of kernelRegisters) registers.setU64(field, value);
  }

  execute(cases: readonly InstructionCase[]): Promise<CpuOutcome[]> {
    return Promise.resolve().then(() =>
      cases.map((each) => {
        const resolved = resolveCase(each);
        const { bytes, offset, fpBytes } = this.run(resolved.state, resolved.codeGva);
        return outcomeOf(
          resolved,
          this.#lostReason === ""
            ? { kind: "ended", ...decodeResult(bytes, offset, fpBytes) }
            : { kind: "lost", reason: this.#lostReason },
        );
      }),
    );
  }

  /** Why the last case has no result; empty if it has. */
  get lostReason(): string {
    return this.#lostReason;
  }

  /** Whether compiled regions contain the code that was run last. */
  get isInRegions(): boolean {
    return this.#blocks().some((block) => this.#all.getUint32(block + L.BLOCK_REGION, true) !== 0);
  }

  /** Runs a case, so many instructions at a time. The record is overwritten by the next one. */
  run(
    state: CpuState,
    codeGva: number,
    slice = this.#slices[this.caseCount % this.#slices.length] ?? SLICE_INSTRUCTIONS,
  ): ResultRecord {
    const loaded = this.#loadCode(state, codeGva);
    const exit = this.#execute(state, slice);
    this.caseCount++;
    if (this.isInRegions) this.casesInRegions++;
    this.#writeResult(exit, loaded);
    return this.#record;
  }

  /** Puts the case's code into place unless it is there. */
  #loadCode(state: CpuState, codeGva: number): LoadedCode {
    const parts = state.memory.filter(isInCode);
    const loaded = this.#loaded;
    const isSame =
      loaded?.mode === state.mode &&
      loaded.codeGva === codeGva &&
      loaded.parts.length === parts.length &&
      loaded.parts.every(({ gva, bytes }, i) => {
        const part = parts[i];
        return part?.gva === gva && (part.bytes === bytes || Buffer.compare(part.bytes, bytes) === 0);
      });
    if (isSame) return loaded;
    this.#engine.memoryWritten(REGION_GPA.code, CODE.sizeBytes);
    const image = CODE_BASELINE.slice();
    for (const { gva, bytes } of parts) image.set(bytes, gva - CODE.gva);
    this.#ram.set(image, REGION_GPA.code);
    this.#loaded = { mode: state.mode, codeGva, parts, image: new Uint32Array(image.buffer) };
    return this.#loaded;
  }

  /** Addresses of the translated blocks of the code region. */
  #blocks(): number[] {
    const blocks: number[] = [];
    for (let offset = 0; offset < CODE.sizeBytes; offset += L.PAGE_SIZE) {
      const page = (REGION_GPA.code + offset) >>> L.PAGE_SHIFT;
      let block = this.#all.getUint32(L.PAGE_BLOCKS + 4 * page, true);
      while (block !== 0) {
        blocks.push(block);
        const isFirstPage = this.#all.getUint32(block + L.BLOCK_GPA, true) >>> L.PAGE_SHIFT === page;
        block = this.#all.getUint32(block + (isFirstPage ? L.BLOCK_PAGE_NEXT : L.BLOCK_PAGE2_NEXT), true);
      }
    }
    return blocks;
  }

  #execute(state: CpuState, slice: number): EngineExit {
    for (const part of state.memory) {
      if (isInCode(part)) continue;
      const region = part.gva < STACK.gva ? DATA : STACK;
      this.#ram.set(part.bytes, REGION_GPA[region.name] + part.gva - region.gva);
    }
    this.#writeFp(state.fp);
    const { registers } = this.#engine;
    registers.setU32(L.HALTED, 0);
    registers.setU32(L.INTERRUPT_SHADOW, 0);
    registers.writeKeepingCaches(machineStateOf(state));
    let exit = this.#engine.run(slice);
    for (
      let given = slice;
      (exit === "slice" || exit === "requested") && given < MAX_INSTRUCTIONS;
      given += slice
    )
      exit = this.#engine.run(slice);
    return exit;
  }

  #writeResult(engineExit: EngineExit, loaded: LoadedCode): void {
    const { view, bytes } = this.#record;
    const { registers } = this.#engine;
    const block = this.#block;
    this.#lostReason = "";
    for (let i = 0; i < GPR_SLOT.length; i++) {
      const at = RESULT.registers + 8 * (GPR_SLOT[i] ?? 0);
      view.setUint32(at, block.getUint32(L.GPR + 8 * i, true), true);
      view.setUint32(at + 4, block.getUint32(L.GPR + 8 * i + 4, true), true);
    }
    const selector = (segment: number): number =>
      block.getUint16(L.SEG + segment * L.SEG_STRIDE + L.SEG_SELECTOR, true);
    view.setUint16(RESULT.ds, selector(L.SEG_DS), true);
    view.setUint16(RESULT.es, selector(L.SEG_ES), true);
    view.setUint16(RESULT.fs, selector(L.SEG_FS), true);
    view.setUint16(RESULT.gs, selector(L.SEG_GS), true);
    this.#setSelectors(selector(L.SEG_CS), selector(L.SEG_SS));
    this.#setRegister(SLOT.rflags, registers.rflags);
    this.#setRegister(SLOT.rip, registers.u64(L.RIP));
    this.#setRegister(SLOT.errorCode, 0n);
    this.#setRegister(SLOT.trapNumber, 0n);
    this.#setRegister(SLOT.cr2, 0n);
    this.#readFp(bytes.subarray(RESULT.fp, RESULT.fp + FXSAVE_BYTES), view);
    view.setUint32(RESULT.signal, this.#writeExit(engineExit), true);
    let count = 0;
    for (const each of this.#regions) count = this.#harvest(each, count, loaded);
    view.setUint32(RESULT.chunkCount, count, true);
    view.setUint32(RESULT.sizeBytes, RESULT.fp + FXSAVE_BYTES + count * RESULT.chunkRecordBytes, true);
  }

  #setRegister(slot: number, value: bigint): void {
    this.#record.view.setBigUint64(RESULT.registers + 8 * slot, value, true);
  }

  #setSelectors(cs: number, ss: number): void {
    const at = RESULT.registers + 8 * SLOT.selectors;
    this.#record.view.setUint16(at, cs, true);
    this.#record.view.setUint16(at + 6, ss, true);
  }

  /** The signal, as the host of the native runner would send it, and what the exception frame holds. */
  #writeExit(engineExit: EngineExit): number {
    const { registers } = this.#engine;
    const lost = (reason: string): number => {
      this.#lostReason = reason;
      return SIGNAL_LOST;
    };
    const inKernel = registers.u64(L.RIP) - KERNEL;
    if (engineExit !== "halt" || inKernel < 0n)
      return engineExit === "slice" ? SIGNAL.tick : lost(`the engine ended with ${engineExit}`);
    const vector = Math.floor((Number(inKernel) - HANDLERS) / 16);
    if (Number(inKernel) >= SYSTEM_CALL_HANDLER || vector === VECTOR_INT80) return SIGNAL.sys;
    const stackPointer = registers.u64(L.GPR_RSP);
    let frame = Number(stackPointer - KERNEL);
    if (frame < 0 || frame > RAM_SIZE_BYTES - 0x100)
      return lost(`vector ${String(vector)} was delivered on a stack at ${stackPointer.toString(16)}`);
    if (PUSHES_ERROR_CODE.has(vector)) {
      this.#setRegister(SLOT.errorCode, BigInt(this.#view.getUint32(frame, true)));
      frame += 8;
    }
    const pushed = (index: number): bigint => this.#view.getBigUint64(frame + 8 * index, true);
    this.#setRegister(SLOT.rip, pushed(0));
    this.#setRegister(SLOT.rflags, pushed(2));
    this.#setRegister(GPR_SLOT[4], pushed(3));
    this.#setSelectors(Number(pushed(1)), Number(pushed(4)));
    this.#setRegister(SLOT.trapNumber, BigInt(vector));
    if (vector === VECTOR_PAGE_FAULT) this.#setRegister(SLOT.cr2, registers.u64(L.CR2));
    return SIGNAL.segv;
  }

  /** Records the chunks of a region that are not as in the baseline, from `count` on, and puts them back. */
  #harvest(watched: WatchedRegion, count: number, loaded: LoadedCode): number {
    watched.pages.forEach((page, i) => {
      if (!differs(page)) return;
      const first = i * PIECES_PER_PAGE;
      for (let piece = first; piece < first + PIECES_PER_PAGE; piece++) {
        const bytes = watched.pieces[piece];
        if (bytes !== undefined && differs(bytes)) count = this.#harvestPiece(watched, piece, count, loaded);
      }
    });
    return count;
  }

  #harvestPiece(watched: WatchedRegion, piece: number, count: number, loaded: LoadedCode): number {
    const { region, words, baseline } = watched;
    const records = this.#recordWords;
    const isCode = region.name === "code";
    const stepWords = RESULT.chunkBytes / 4;
    const end = ((piece + 1) * PIECE_BYTES) / 4;
    for (let i = (piece * PIECE_BYTES) / 4; i < end; i += stepWords) {
      if (
        words[i] === baseline[i] &&
        words[i + 1] === baseline[i + 1] &&
        words[i + 2] === baseline[i + 2] &&
        words[i + 3] === baseline[i + 3]
      ) {
        continue;
      }
      let at = (RESULT.fp + FXSAVE_BYTES + count++ * RESULT.chunkRecordBytes) / 4;
      records[at++] = region.gva + 4 * i;
      records[at++] = 0;
      for (let j = i; j < i + stepWords; j++) {
        const word = words[j] ?? 0;
        records[at++] = word;
        if (!isCode) words[j] = baseline[j] ?? 0;
        else if (word !== loaded.image[j]) this.#loaded = undefined;
      }
    }
    return count;
  }

  #writeFp(image: Uint8Array): void {
    const from = new DataView(image.buffer, image.byteOffset, image.byteLength);
    const b = this.#block;
    const status = from.getUint16(2, true);
    b.setUint16(L.X87_CW, from.getUint16(0, true), true);
    b.setUint16(L.X87_SW, status, true);
    b.setUint8(L.X87_TAG, from.getUint8(4));
    b.setUint32(L.MXCSR, from.getUint32(24, true), true);
    for (let i = 0; i < 8; i++) {
      const at = L.X87 + (((status >> 11) + i) & 7) * L.X87_STRIDE;
      b.setUint32(at, from.getUint32(32 + 16 * i, true), true);
      b.setUint32(at + 4, from.getUint32(36 + 16 * i, true), true);
      b.setUint16(at + 8, from.getUint16(40 + 16 * i, true), true);
    }
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 16; j += 4)
        b.setUint32(L.XMM + i * L.XMM_STRIDE + j, from.getUint32(160 + 16 * i + j, true), true);
    }
  }

  #readFp(image: Uint8Array, view: DataView): void {
    const b = this.#block;
    const to = image.byteOffset;
    const status = b.getUint16(L.X87_SW, true);
    view.setUint16(to, b.getUint16(L.X87_CW, true), true);
    view.setUint16(to + 2, status, true);
    view.setUint8(to + 4, b.getUint8(L.X87_TAG));
    view.setUint32(to + 24, b.getUint32(L.MXCSR, true), true);
    for (let i = 0; i < 8; i++) {
      const at = L.X87 + (((status >> 11) + i) & 7) * L.X87_STRIDE;
      view.setUint32(to + 32 + 16 * i, b.getUint32(at, true), true);
      view.setUint32(to + 36 + 16 * i, b.getUint32(at + 4, true), true);
      view.setUint16(to + 40 + 16 * i, b.getUint16(at + 8, true), true);
    }
    for (let i = 0; i < 16; i++) {
      for (let j = 0; j < 16; j += 4)
        view.setUint32(to + 160 + 16 * i + j, b.getUint32(L.XMM + i * L.XMM_STRIDE + j, true), true);
    }
  }
}
