/**
 * A machine for tests of both tiers: the real core on a small memory with 4-level paging, running programs that are
 * written as IR blocks instead of x86 code. The same blocks are interpreted, and compiled to regions. Paging can be
 * turned off.
 *
 * Linear memory: 2 MiB mapped to itself page by page, except that HOLE is not present and READ_ONLY not writable.
 */
import { IrBlock } from "../ir/block.ts";
import { opNumber } from "../ir/ops.ts";
import * as L from "../layout.ts";
import { CodeCache } from "../runtime/code-cache.ts";
import { type Core, instantiateCore } from "../runtime/core.ts";
import { Registers } from "../runtime/registers.ts";
import { Regions } from "../runtime/regions.ts";

export const RAM_SIZE = 4 << 20;
export const DATA = 0x40000;
export const HOLE = 0x50000;
export const READ_ONLY = 0x51000;
export const STACK = 0x60000;
export const CODE = 0x10000;
/** Where programs end: a block that halts. */
export const END = 0x1f000;
const PAGE_TABLES = 0x1000;

const PRESENT = 1n;
const WRITABLE = 2n;
const LARGE_ENTRY_COUNT = 512;

/** One IR op of a test program. */
export interface TestOp {
  readonly op: string;
  readonly d?: number;
  readonly s?: number;
  readonly a?: number;
  readonly scale?: number;
  readonly imm?: number;
  readonly immHigh?: number;
  /** Addresses, for branches. */
  readonly to?: number;
  readonly else?: number;
  /** It belongs to the same instruction as the op before it. */
  readonly more?: true;
}

/** A block: its address and its ops without `enter`; instructions, as a rule of one op each, have one byte. */
export interface TestBlock {
  readonly rip: number;
  readonly ops: readonly TestOp[];
}

export interface TierState {
  readonly exit: number;
  readonly gpr: readonly bigint[];
  readonly rip: bigint;
  readonly flags: number;
  readonly xmm: readonly bigint[];
  readonly fault: readonly number[];
  readonly faultAddress: bigint;
  readonly instructions: bigint;
  readonly memory: readonly Uint8Array[];
}

const HALT: TestBlock = { rip: END, ops: [{ op: "syncpc", imm: 1 << 16 }, { op: "hlt" }, { op: "sysend" }] };

export class TierMachine {
  readonly core: Core;
  readonly registers: Registers;
  readonly regions: Regions;
  readonly view: DataView;
  /** The block of which a region was last asked for; none is formed for that. */
  hotBlock = 0;
  readonly #ram: Uint8Array;
  readonly #codeCache: CodeCache;
  readonly #blocks = new Map<number, TestBlock>();
  readonly #block = new IrBlock();
  /** Called for MMIO, which begins behind RAM. */
  onMmioWrite: (gpa: number, value: number) => void = () => {};
  /** What a device's register holds. */
  onMmioRead: (gpa: number) => number = (gpa) => gpa;

  /** With the compiled core, build/core.wasm. */
  constructor(module: WebAssembly.Module) {
    const memory = new WebAssembly.Memory({
      initial: (L.RAM_BASE + RAM_SIZE) >>> 16,
      maximum: 65536,
      shared: true,
    });
    this.core = instantiateCore(
      module,
      memory,
      { ramSizeBytes: RAM_SIZE },
      {
        readPort: () => 0,
        writePort: () => {},
        readMmio: (gpa) => this.onMmioRead(gpa),
        writeMmio: (gpa, _size, value) => this.onMmioWrite(gpa, value),
        acknowledgeInterrupt: () => 0,
        readMsr: () => 0,
        writeMsr: () => 0,
        taskPriorityChanged: () => {},
        tscOffsetChanged: () => {},
        entropyU32: () => 0x12345678,
        nowNs: () => 0,
        translateBlock: (gpa) => this.#translate(gpa),
        translateSingle: (gpa) => this.#translateSingle(gpa),
        translateFetched: () => 0,
        blockIsHot: (block) => {
          this.hotBlock = block;
        },
        blockInvalidated: (block) => this.regions.blockInvalidated(block),
        blocksForgotten: () => {
          this.#codeCache.reset();
          this.regions.reset();
        },
        blockMoved: (from, to) => this.regions.blockMoved(from, to),
      },
    );
    this.registers = new Registers(memory, this.core);
    this.#codeCache = new CodeCache(memory);
    this.view = new DataView(memory.buffer);
    this.#ram = new Uint8Array(memory.buffer, L.RAM_BASE, RAM_SIZE);
    this.regions = new Regions({
      memory,
      core: this.core,
      eager: true,
      source: { translate: (block, _gpa2, maxInstructions) => this.#fill(block, maxInstructions) },
    });
    this.core.exports.resetCpu();
    this.#mapMemory();
    this.#enterLongMode();
  }

  #mapMemory(): void {
    const entries = new DataView(this.#ram.buffer, L.RAM_BASE);
    const table = (level: number): number => PAGE_TABLES + level * L.PAGE_SIZE;
    for (let level = 0; level < 3; level++) {
      entries.setBigUint64(table(level), BigInt(table(level + 1)) | PRESENT | WRITABLE, true);
    }
    for (let page = 0; page < LARGE_ENTRY_COUNT; page++) {
      const gpa = page * L.PAGE_SIZE;
      const rights = gpa === HOLE ? 0n : gpa === READ_ONLY ? PRESENT : PRESENT | WRITABLE;
      entries.setBigUint64(table(3) + 8 * page, BigInt(gpa) | rights, true);
    }
    // The page behind it is a device.
    entries.setBigUint64(table(3) + 8 * (MMIO / L.PAGE_SIZE), BigInt(RAM_SIZE) | PRESENT | WRITABLE, true);
  }

  /** Takes a new program; earlier translations are dropped. */
  load(blocks: readonly TestBlock[]): void {
    this.#blocks.clear();
    for (const block of [...blocks, HALT]) this.#blocks.set(block.rip, block);
    this.core.exports.resetCaches();
  }

  /** 64-bit mode, ring 0, flat segments but FS (base DATA) and GS (base HOLE). */
  #enterLongMode(): void {
    const before = this.registers.read();
    const flat = { selector: 8, attributes: 0xa09b, limit: 0xffffffff, base: 0n };
    const data = { ...flat, attributes: 0xc093 };
    this.registers.write({
      ...before,
      cs: flat,
      ss: data,
      ds: data,
      es: data,
      fs: { ...data, base: BigInt(DATA) },
      gs: { ...data, base: BigInt(HOLE) },
      idtr: { base: 0n, limit: 0 },
      cr0: 0x80010011n,
      cr2: 0n,
      cr3: BigInt(PAGE_TABLES),
      cr4: 0x20n,
      efer: 0xd00n,
    });
  }

  /** 32-bit code without paging: FS as before, GS some bytes in front of RAM's end, behind which devices are. */
  enterDirectMode(): void {
    const before = this.registers.read();
    this.registers.write({
      ...before,
      cs: { ...before.cs, attributes: 0xc09b },
      gs: { ...before.gs, base: BigInt(RAM_SIZE - 0x46) },
      cr0: 0x11n,
      efer: 0n,
    });
  }

  /** Registers, flags, XMM registers and data memory from a seed. Translations and regions stay. */
  prepare(rip: number, random: () => number, gpr: Readonly<Record<number, bigint>> = {}): void {
    const { registers, view } = this;
    const word = (): bigint => (BigInt(random()) << 32n) | BigInt(random());
    for (let n = 0; n < 16; n++) registers.setU64(L.GPR + 8 * n, BigInt.asUintN(64, gpr[n] ?? word()));
    registers.setU64(L.RIP, BigInt(rip));
    registers.rflags = BigInt(random() & 0x8d5) | 2n;
    const state = this.core.stateBase;
    for (let at = L.XMM; at < L.XMM + 18 * L.XMM_STRIDE; at += 8) view.setBigUint64(state + at, word(), true);
    for (let at = DATA; at < DATA + 2 * L.PAGE_SIZE; at += 4) view.setUint32(L.RAM_BASE + at, random(), true);
    for (let at = STACK - 256; at < STACK + 256; at += 4) view.setUint32(L.RAM_BASE + at, random(), true);
    registers.setU32(L.HALTED, 0);
    registers.setU32(L.EXIT_REQUEST, 0);
    registers.setU32(L.FAULT_VECTOR, L.FAULT_NONE);
    registers.setU64(L.FAULT_ADDRESS, 0n);
    registers.setU64(L.INSTRUCTION_COUNT, 0n);
  }

  /** How often the interpreter has entered the block at `rip`. */
  timesInterpreted(rip: number): number {
    return L.EXECUTIONS_PER_LOOK - this.view.getInt32(this.blockAt(rip) + L.BLOCK_HEAT, true);
  }

  run(budget = 1_000_000): TierState {
    const exit = this.core.exports.run(budget);
    const { registers } = this;
    const state = registers.read();
    return {
      exit,
      gpr: state.gpr,
      rip: state.rip,
      flags: this.core.exports.computeFlags(),
      xmm: Array.from({ length: 64 }, (_, i) => registers.u64(L.XMM + 32 * (i >> 2) + 8 * (i & 3))),
      fault: [registers.u32(L.FAULT_VECTOR), registers.u32(L.FAULT_ERROR)],
      faultAddress: registers.u64(L.FAULT_ADDRESS),
      instructions: registers.u64(L.INSTRUCTION_COUNT),
      memory: [this.#ram.slice(DATA, DATA + 2 * L.PAGE_SIZE), this.#ram.slice(STACK - 256, STACK + 256)],
    };
  }

  /** Address of the translated block at `rip`; it has been executed before. */
  blockAt(rip: number): number {
    return this.core.exports.findBlock(BigInt(rip), rip, this.registers.u32(L.MODE)) >>> 0;
  }

  /** Compiles a region that enters at `rip`. */
  compile(rip: number): void {
    this.regions.blockIsHot(this.blockAt(rip));
  }

  #translate(gpa: number): number {
    this.#fillAt(gpa);
    return this.#codeCache.append(this.#block);
  }

  #translateSingle(gpa: number): number {
    this.#fillAt(gpa, 1);
    return this.#codeCache.writeSingle(this.#block);
  }

  /** Fills #block with the code at RIP. */
  #fillAt(gpa: number, maxInstructions?: number): void {
    const { registers } = this;
    this.#block.reset(registers.u32(L.RIP), registers.u32(L.RIP + 4), gpa, registers.u32(L.MODE));
    if (!this.#fill(this.#block, maxInstructions))
      throw new Error(`the program has no block at ${this.#block.ripLow.toString(16)}`);
  }

  /** The program from block.rip on, at whose instruction a block need not begin. */
  #sourceAt(rip: number): TestBlock | undefined {
    const whole = this.#blocks.get(rip);
    if (whole !== undefined) return whole;
    const around = [...this.#blocks.values()].find(
      (block) => block.rip < rip && rip < block.rip + instructionsOf(block.ops).length,
    );
    return (
      around && {
        rip,
        ops: instructionsOf(around.ops)
          .slice(rip - around.rip)
          .flat(),
      }
    );
  }

  #fill(block: IrBlock, maxInstructions?: number): boolean {
    const source = this.#sourceAt(block.ripLow);
    if (source === undefined) return false;
    const all = instructionsOf(source.ops);
    const instructions = all.slice(0, maxInstructions);
    block.push(0, opNumber("enter"), 0, 0, instructions.length);
    for (const [pc, ops] of instructions.entries()) {
      block.beginInstruction(pc);
      for (const op of ops) this.#push(block, pc, op, source.rip);
    }
    block.guestSizeBytes = instructions.length;
    if (instructions.length < all.length) {
      const next = block.push(instructions.length, opNumber("next"), 0, 0, 0);
      block.target0[next] = instructions.length;
    }
    return true;
  }

  #push(block: IrBlock, pc: number, test: TestOp, blockRip: number): void {
    const i = block.push(pc, opNumber(test.op), test.d ?? 0, test.s ?? 0, test.imm ?? 0);
    block.a[i] = test.a ?? 0;
    block.scale[i] = test.scale ?? 0;
    block.immHigh[i] = test.immHigh ?? 0;
    block.target0[i] = (test.to ?? 0) - blockRip;
    block.target1[i] = (test.else ?? 0) - blockRip;
  }
}

function instructionsOf(ops: readonly TestOp[]): TestOp[][] {
  const instructions: TestOp[][] = [];
  for (const op of ops) {
    const last = instructions.at(-1);
    if (op.more === true && last !== undefined) last.push(op);
    else instructions.push([op]);
  }
  return instructions;
}

/** A linear page that maps to a device. */
export const MMIO = 0x80000;

/** A repeatable source of u32 numbers (Marsaglia's xorshift32). */
export function seeded(seed: number): () => number {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}
