/**
 * A tier of our engine as an executor of instruction cases: a minimal 64-bit kernel (page tables, GDT, LDT, IDT, TSS
 * and handlers that halt) around the same user-mode address space that the oracle gives its cases. The first exception
 * reaches a handler, whose HLT ends the run; its stack frame and the state block are the outcome.
 */
import { readFileSync } from "node:fs";
import { cpuModel, type Feature } from "../../src/cpu/index.ts";
import { Engine, type EngineExit, ENGINE_PREFIX_BYTES } from "../../src/engine/index.ts";
import * as L from "../../src/engine/layout.ts";
import type { CpuState as MachineState, SegmentState } from "../../src/hw/index.ts";
import {
  type CaseExit,
  CODE,
  type CpuExecutor,
  type CpuMode,
  type CpuOutcome,
  DATA,
  exceptionExit,
  FpImage,
  FXSAVE_BYTES,
  initialContents,
  type InstructionCase,
  LDT,
  type MemoryRegion,
  memoryChangesOf,
  READ_ONLY,
  type ResolvedCase,
  resolveCase,
  type SegmentDescriptor,
  SELECTOR,
  STACK,
} from "../oracle/index.ts";

const RAM_SIZE_BYTES = 4 << 20;
/** Linear address of guest-physical 0, for the kernel alone. */
const KERNEL = 0xffff_ffff_8000_0000n;

// Guest-physical addresses of the kernel's structures and of the case's regions.
const PML4 = 0x1000;
const PDPT_LOW = 0x2000;
const PD_LOW = 0x3000;
const PT_CODE = 0x4000;
const PT_DATA = 0x5000;
const PDPT_HIGH = 0x6000;
const PD_HIGH = 0x7000;
const GDT = 0x8000;
const LDT_TABLE = 0x8800;
const TSS = 0x9000;
const IDT = 0xa000;
const HANDLERS = 0xc000;
const SYSTEM_CALL_HANDLER = 0xe000;
const KERNEL_STACK_TOP = 0x11000;
const REGION_GPA: Record<MemoryRegion["name"], number> = {
  code: 0x100000,
  data: 0x110000,
  readOnly: 0x120000,
  stack: 0x130000,
};

const KERNEL_CODE = 0x08;
const TSS_SELECTOR = 0x40;
const LDT_SELECTOR = 0x50;
const HLT = 0xf4;
/** What Linux clears at a system call: TF, IF, DF, IOPL, NT, AC and more. */
const SYSCALL_FLAG_MASK = 0x25_7fd5n;
const SLICE_INSTRUCTIONS = 100_000;
/** What an endless case gets. */
const MAX_INSTRUCTIONS = 2_000_000n;

const P = 1n;
const RW = 2n;
const US = 4n;
const PS = 0x80n;
const NX = 1n << 63n;

const CR0 = 0x8005_0033n;
/** PAE, PGE, OSFXSR, OSXMMEXCPT, FSGSBASE, OSXSAVE. */
const CR4 = 0x5_06a0n;
const EFER = 0xd01n;

/** Descriptor bits 40–55 of the user segments of 64-bit Linux. */
const USER_CODE64 = 0xa0fb;
const USER_CODE32 = 0xc0fb;
const USER_DATA = 0xc0f3;
const LIMIT_4G = 0xffffffff;

function attributesOf(d: SegmentDescriptor): number {
  const type = d.code
    ? 0x9 | (d.writableOrReadable ? 2 : 0)
    : 0x1 | (d.writableOrReadable ? 2 : 0) | (d.expandDown ? 4 : 0);
  // Linux sets AVL in the entries that modify_ldt makes.
  return type | 0x1070 | (d.present ? 0x80 : 0) | (d.big ? 0x4000 : 0);
}

function descriptorBits(base: number, limit: number, attributes: number): bigint {
  const b = BigInt(base);
  const l = BigInt((attributes & 0x8000) !== 0 ? limit >>> 12 : limit);
  return (
    (l & 0xffffn) |
    ((b & 0xffffffn) << 16n) |
    (BigInt(attributes & 0xff) << 40n) |
    (((l >> 16n) & 0xfn) << 48n) |
    (BigInt(attributes >> 12) << 52n) |
    ((b >> 24n) << 56n)
  );
}

const NULL_SEGMENT: SegmentState = { selector: 0, base: 0n, limit: 0, attributes: 0 };

/** The segment register that loading `selector` would give. */
function segmentOf(selector: number, nullBase = 0n): SegmentState {
  if ((selector & ~3) === 0) return { ...NULL_SEGMENT, selector, base: nullBase };
  if (selector === SELECTOR.code64) return { selector, base: 0n, limit: LIMIT_4G, attributes: USER_CODE64 };
  if (selector === SELECTOR.code32) return { selector, base: 0n, limit: LIMIT_4G, attributes: USER_CODE32 };
  if (selector === SELECTOR.flat) return { selector, base: 0n, limit: LIMIT_4G, attributes: USER_DATA };
  const entry = LDT.find((each) => each.selector === selector);
  if (entry === undefined) throw new RangeError(`no segment has the selector 0x${selector.toString(16)}`);
  return { selector, base: BigInt(entry.base), limit: entry.limit, attributes: attributesOf(entry) };
}

export const tierNames = ["interpreter", "regions"] as const;
export type Tier = (typeof tierNames)[number];

interface LoadedCode {
  readonly mode: CpuMode;
  readonly codeGva: number;
  readonly contents: Uint8Array;
}

const isInCode = (gva: number): boolean => gva >= CODE.gva && gva < CODE.gva + CODE.sizeBytes;

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
  /** The state block, for FP state that has no other way in. */
  readonly #block: DataView;
  /** All memory, for the headers of translated blocks. */
  readonly #all: DataView;
  /** Cases executed so far, and those whose code was in a compiled region. */
  caseCount = 0;
  casesInRegions = 0;
  /** The code that is in the code region, and translated. */
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
        nowNs: () => 0,
      },
    });
    this.#writeKernel();
    const { registers } = this.#engine;
    for (const [field, value] of [
      [L.MSR_LSTAR, KERNEL + BigInt(SYSTEM_CALL_HANDLER)],
      [L.MSR_CSTAR, KERNEL + BigInt(SYSTEM_CALL_HANDLER)],
      [L.MSR_STAR, BigInt(KERNEL_CODE) << 32n],
      [L.MSR_FMASK, SYSCALL_FLAG_MASK],
      [L.MSR_SYSENTER_CS, BigInt(KERNEL_CODE)],
      [L.MSR_SYSENTER_EIP, KERNEL + BigInt(SYSTEM_CALL_HANDLER)],
      [L.MSR_SYSENTER_ESP, KERNEL + BigInt(KERNEL_STACK_TOP)],
    ] as const) {
      registers.setU64(field, value);
    }
  }

  execute(cases: readonly InstructionCase[]): Promise<CpuOutcome[]> {
    return Promise.resolve().then(() => cases.map((each) => this.#run(resolveCase(each))));
  }

  #put64(gpa: number, value: bigint): void {
    this.#view.setBigUint64(gpa, BigInt.asUintN(64, value), true);
  }

  #writeKernel(): void {
    this.#put64(PML4, BigInt(PDPT_LOW) | P | RW | US);
    this.#put64(PML4 + 511 * 8, BigInt(PDPT_HIGH) | P | RW);
    this.#put64(PDPT_LOW, BigInt(PD_LOW) | P | RW | US);
    this.#put64(PDPT_HIGH + 510 * 8, BigInt(PD_HIGH) | P | RW);
    this.#put64(PD_HIGH, P | RW | PS);
    this.#put64(PD_LOW + (CODE.gva >>> 21) * 8, BigInt(PT_CODE) | P | RW | US);
    this.#put64(PD_LOW + (DATA.gva >>> 21) * 8, BigInt(PT_DATA) | P | RW | US);
    for (const region of [CODE, DATA, READ_ONLY, STACK]) {
      const table = region.name === "code" ? PT_CODE : PT_DATA;
      const rights = P | US | (region.writable ? RW : 0n) | (region.executable ? 0n : NX);
      for (let offset = 0; offset < region.sizeBytes; offset += L.PAGE_SIZE) {
        const index = ((region.gva + offset) >>> 12) & 511;
        this.#put64(table + index * 8, BigInt(REGION_GPA[region.name] + offset) | rights);
      }
    }
    this.#put64(GDT + KERNEL_CODE, descriptorBits(0, LIMIT_4G, 0xa09b));
    this.#put64(GDT + 0x10, descriptorBits(0, LIMIT_4G, 0xc093));
    this.#put64(GDT + (SELECTOR.code32 & ~7), descriptorBits(0, LIMIT_4G, USER_CODE32));
    this.#put64(GDT + (SELECTOR.flat & ~7), descriptorBits(0, LIMIT_4G, USER_DATA));
    this.#put64(GDT + (SELECTOR.code64 & ~7), descriptorBits(0, LIMIT_4G, USER_CODE64));
    for (const [i, entry] of LDT.entries()) {
      this.#put64(LDT_TABLE + i * 8, descriptorBits(entry.base, entry.limit, attributesOf(entry)));
    }
    this.#put64(TSS + 4, KERNEL + BigInt(KERNEL_STACK_TOP));
    this.#view.setUint16(TSS + 102, 0x68, true);
    for (let vector = 0; vector < 256; vector++) {
      const handler = KERNEL + BigInt(HANDLERS + vector * 16);
      this.#ram[HANDLERS + vector * 16] = HLT;
      const dpl = vector === 3 || vector === 4 || vector === 0x80 ? 3n : 0n;
      const low =
        (handler & 0xffffn) |
        (BigInt(KERNEL_CODE) << 16n) |
        ((0x8en | (dpl << 5n)) << 40n) |
        (((handler >> 16n) & 0xffffn) << 48n);
      this.#put64(IDT + vector * 16, low);
      this.#put64(IDT + vector * 16 + 8, (handler >> 32n) & 0xffffffffn);
    }
    this.#ram[SYSTEM_CALL_HANDLER] = HLT;
  }

  #machineState(resolved: ResolvedCase): MachineState {
    const { state } = resolved;
    const { segments } = state;
    return {
      gpr: [...state.gpr],
      rip: state.rip,
      rflags: state.rflags,
      cs: segmentOf(segments.cs),
      ss: { ...segmentOf(segments.ss), ...((segments.ss & ~3) === 0 ? { attributes: 0x60 } : {}) },
      ds: segmentOf(segments.ds),
      es: segmentOf(segments.es),
      fs: segmentOf(segments.fs, state.fsBase),
      gs: segmentOf(segments.gs, state.gsBase),
      ldtr: {
        selector: LDT_SELECTOR,
        base: KERNEL + BigInt(LDT_TABLE),
        limit: LDT.length * 8 - 1,
        attributes: 0x82,
      },
      tr: { selector: TSS_SELECTOR, base: KERNEL + BigInt(TSS), limit: 0x67, attributes: 0x8b },
      gdtr: { base: KERNEL + BigInt(GDT), limit: 0x7f },
      idtr: { base: KERNEL + BigInt(IDT), limit: 256 * 16 - 1 },
      cr0: CR0,
      cr2: 0n,
      cr3: BigInt(PML4),
      cr4: CR4,
      cr8: 0n,
      efer: EFER,
    };
  }

  #run(resolved: ResolvedCase): CpuOutcome {
    this.#loadCode(resolved);
    const exit = this.#execute(resolved);
    this.caseCount++;
    if (this.#blocks().some((block) => this.#all.getUint32(block + L.BLOCK_REGION, true) !== 0))
      this.casesInRegions++;
    const outcome = this.#outcome(resolved, exit);
    if (outcome.memory.some(({ gva }) => isInCode(gva))) this.#loaded = undefined;
    return outcome;
  }

  /** Puts the case's code into place unless it is there. */
  #loadCode(resolved: ResolvedCase): void {
    const { state, codeGva } = resolved;
    const contents = initialContents(state, CODE);
    const loaded = this.#loaded;
    const isSame =
      loaded?.mode === state.mode &&
      loaded.codeGva === codeGva &&
      Buffer.compare(loaded.contents, contents) === 0;
    if (isSame) return;
    this.#engine.memoryWritten(REGION_GPA.code, CODE.sizeBytes);
    this.#ram.set(contents, REGION_GPA.code);
    this.#loaded = { mode: state.mode, codeGva, contents };
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

  #execute(resolved: ResolvedCase): EngineExit {
    const { state } = resolved;
    for (const region of [DATA, READ_ONLY, STACK])
      this.#ram.set(initialContents(state, region), REGION_GPA[region.name]);
    this.#writeFp(new FpImage(state.fp));
    const { registers } = this.#engine;
    registers.setU32(L.HALTED, 0);
    registers.setU32(L.INTERRUPT_SHADOW, 0);
    registers.writeKeepingCaches(this.#machineState(resolved));
    const slice = this.#slices[this.caseCount % this.#slices.length] ?? SLICE_INSTRUCTIONS;
    const end = this.#engine.statistics.instructionsRetired + MAX_INSTRUCTIONS;
    let exit = this.#engine.run(slice);
    while ((exit === "slice" || exit === "requested") && this.#engine.statistics.instructionsRetired < end)
      exit = this.#engine.run(slice);
    return exit;
  }

  #outcome(resolved: ResolvedCase, engineExit: EngineExit): CpuOutcome {
    const { registers } = this.#engine;
    const s = registers.read();
    const fp = new Uint8Array(FXSAVE_BYTES);
    this.#readFp(new FpImage(fp));
    const gpr = BigUint64Array.from(s.gpr);
    const after = {
      gpr,
      segments: {
        cs: s.cs.selector,
        ss: s.ss.selector,
        ds: s.ds.selector,
        es: s.es.selector,
        fs: s.fs.selector,
        gs: s.gs.selector,
      },
      fp,
      memory: memoryChangesOf(resolved.state, (region) => {
        const gpa = REGION_GPA[region.name];
        return this.#ram.subarray(gpa, gpa + region.sizeBytes);
      }),
    };
    const inKernel = s.rip - KERNEL;
    if (engineExit !== "halt" || inKernel < 0n) {
      const exit: CaseExit =
        engineExit === "slice"
          ? { kind: "timeout" }
          : { kind: "lost", reason: `the engine ended with ${engineExit}` };
      return { exit, rip: s.rip, rflags: s.rflags, ...after };
    }
    const vector = Math.floor((Number(inKernel) - HANDLERS) / 16);
    if (Number(inKernel) >= SYSTEM_CALL_HANDLER || vector === 0x80) {
      return { exit: { kind: "systemCall" }, rip: s.rip, rflags: s.rflags, ...after };
    }
    let frame = Number((s.gpr[4] ?? 0n) - KERNEL);
    let errorCode = 0;
    if ([8, 10, 11, 12, 13, 14, 17].includes(vector)) {
      errorCode = this.#view.getUint32(frame, true);
      frame += 8;
    }
    if (frame < 0 || frame > RAM_SIZE_BYTES - 0x100) {
      const reason = `vector ${String(vector)} was delivered on a stack at ${(s.gpr[4] ?? 0n).toString(16)}`;
      return { exit: { kind: "lost", reason }, rip: s.rip, rflags: s.rflags, ...after };
    }
    const pushed = (index: number): bigint => this.#view.getBigUint64(frame + 8 * index, true);
    gpr[4] = pushed(3);
    const { exit, rip } = exceptionExit(resolved, vector, pushed(0), errorCode, s.cr2);
    const segments = { ...after.segments, cs: Number(pushed(1)), ss: Number(pushed(4)) };
    return { exit, rip, rflags: pushed(2), ...after, segments };
  }

  #writeFp(image: FpImage): void {
    const b = this.#block;
    b.setUint16(L.X87_CW, image.fcw, true);
    b.setUint16(L.X87_SW, image.fsw, true);
    b.setUint8(L.X87_TAG, image.ftw);
    b.setUint32(L.MXCSR, image.mxcsr, true);
    for (let i = 0; i < 8; i++) {
      const at = L.X87 + ((image.top + i) & 7) * L.X87_STRIDE;
      b.setBigUint64(at, BigInt.asUintN(64, image.st(i)), true);
      b.setUint16(at + 8, Number(image.st(i) >> 64n), true);
    }
    for (let i = 0; i < 16; i++) {
      b.setBigUint64(L.XMM + i * L.XMM_STRIDE, BigInt.asUintN(64, image.xmm(i)), true);
      b.setBigUint64(L.XMM + i * L.XMM_STRIDE + 8, image.xmm(i) >> 64n, true);
    }
  }

  #readFp(image: FpImage): void {
    const b = this.#block;
    image.fcw = b.getUint16(L.X87_CW, true);
    image.fsw = b.getUint16(L.X87_SW, true);
    image.ftw = b.getUint8(L.X87_TAG);
    image.mxcsr = b.getUint32(L.MXCSR, true);
    for (let i = 0; i < 8; i++) {
      const at = L.X87 + ((image.top + i) & 7) * L.X87_STRIDE;
      image.setSt(i, b.getBigUint64(at, true) | (BigInt(b.getUint16(at + 8, true)) << 64n));
    }
    for (let i = 0; i < 16; i++) {
      const at = L.XMM + i * L.XMM_STRIDE;
      image.setXmm(i, b.getBigUint64(at, true) | (b.getBigUint64(at + 8, true) << 64n));
    }
  }
}
