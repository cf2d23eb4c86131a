/**
 * A small machine for tests of the engine as a whole: 2 MiB of RAM, 32-bit protected or 64-bit mode, and an interrupt
 * table in which each vector has a handler that halts, so that a test reads from RIP and the stack what has happened.
 *
 * In 64-bit mode all RAM is mapped to itself page by page, for user and supervisor; map() changes that.
 */
import type { CpuState, SegmentState } from "../../hw/index.ts";
import { assert } from "../../base/index.ts";
import * as L from "../layout.ts";
import { bareEngine } from "./bare-engine.ts";
import type { Engine, EngineExit, EngineHost, EngineOptions } from "./engine.ts";

export const RAM_SIZE_BYTES = 2 << 20;
const PML4 = 0x1000;
const IDENTITY_TABLE = 0x4000;
/** Where map() takes tables from. */
const SPARE_TABLES = 0x100000;
export const GDT = 0x7000;
export const TSS = 0x7800;
export const IDT = 0x8000;
/** Where vector n is handled: at HANDLERS + 16 n, by HLT. */
export const HANDLERS = 0xa000;
export const CODE = 0x10000;
export const STACK_TOP = 0x20000;
/** What the TSS holds for ring 0. */
export const INNER_STACK_TOP = 0x30000;
export const DATA = 0x40000;

// The GDT's selectors.
export const CODE0 = 0x08;
export const DATA0 = 0x10;
export const CODE3 = 0x1b;
export const DATA3 = 0x23;
export const TSS_SELECTOR = 0x28;
/** Free for tests: 0x38 and up. */
export const SPARE = 0x38;

const HLT = 0xf4;
const CR0_PE = 1n;
const CR0_PG = 1n << 31n;
const CR4_PAE = 0x20n;
const CR4_OSFXSR = 0x200n;
const EFER_LONG = 0xd01n;
const PRESENT = 1n;
const ALL_RIGHTS = 7n;
const NO_SEGMENT: SegmentState = { selector: 0, base: 0n, limit: 0, attributes: 0 };
const WITH_ERROR_CODE = new Set([8, 10, 11, 12, 13, 14, 17]);

export type MachineMode = "protected" | "long";

export interface MachineOptions {
  readonly core: WebAssembly.Module;
  readonly tier: EngineOptions["tier"];
  readonly mode: MachineMode;
  /** 0 unless given. */
  readonly cpl?: 0 | 3;
  /** At CODE. */
  readonly code: readonly number[];
  readonly host?: Partial<EngineHost>;
  /** Behind RAM, for slots. */
  readonly slotMemoryBytes?: number;
  readonly compiledAtExecution?: number;
  readonly codeCacheSizeBytes?: number;
  readonly regionMemoryLimitBytes?: number;
  readonly codeProfile?: EngineOptions["codeProfile"];
}

/** What an interrupt handler finds. */
export interface MachineEvent {
  readonly vector: number;
  readonly error: number | undefined;
  readonly rip: bigint;
  readonly flags: number;
  /** The interrupted stack pointer; where none was pushed, what it was before the frame. */
  readonly rsp: bigint;
}

/** The eight bytes of a segment descriptor. */
export function descriptor(base: number, limit: number, access: number, flags: number): bigint {
  const b = BigInt(base >>> 0);
  const l = BigInt(limit);
  const low = (l & 0xffffn) | ((b & 0xffffffn) << 16n) | (BigInt(access) << 40n);
  return low | (((l >> 16n) & 15n) << 48n) | (BigInt(flags) << 52n) | ((b >> 24n) << 56n);
}

export class TestMachine {
  readonly engine: Engine;
  readonly ram: Uint8Array;
  readonly view: DataView;
  readonly slotMemory: Uint8Array;
  readonly #mode: MachineMode;
  #tables = SPARE_TABLES;

  constructor(options: MachineOptions) {
    const { core, tier, host, compiledAtExecution, codeCacheSizeBytes, regionMemoryLimitBytes } = options;
    const { codeProfile, slotMemoryBytes = 0 } = options;
    const bare = bareEngine({
      ...{ core, tier, ramSizeBytes: RAM_SIZE_BYTES, slotMemoryBytes },
      ...(host === undefined ? {} : { host }),
      ...(compiledAtExecution === undefined ? {} : { compiledAtExecution }),
      ...(codeCacheSizeBytes === undefined ? {} : { codeCacheSizeBytes }),
      ...(regionMemoryLimitBytes === undefined ? {} : { regionMemoryLimitBytes }),
      ...(codeProfile === undefined ? {} : { codeProfile }),
    });
    this.engine = bare.engine;
    this.ram = bare.ram;
    this.view = bare.view;
    this.slotMemory = bare.slotMemory;
    this.#mode = options.mode;
    this.ram.set(options.code, CODE);
    this.#buildTables();
    this.engine.registers.write(this.#state(options.cpl ?? 0));
  }

  get #isLong(): boolean {
    return this.#mode === "long";
  }

  #buildTables(): void {
    const { view } = this;
    const flags = this.#isLong ? 0xa : 0xc;
    view.setBigUint64(GDT + CODE0, descriptor(0, 0xfffff, 0x9b, flags), true);
    view.setBigUint64(GDT + DATA0, descriptor(0, 0xfffff, 0x93, 0xc), true);
    view.setBigUint64(GDT + (CODE3 & ~3), descriptor(0, 0xfffff, 0xfb, flags), true);
    view.setBigUint64(GDT + (DATA3 & ~3), descriptor(0, 0xfffff, 0xf3, 0xc), true);
    view.setBigUint64(GDT + TSS_SELECTOR, descriptor(TSS, 0x67, 0x8b, 0), true);
    view.setUint32(TSS + 4, INNER_STACK_TOP, true);
    if (!this.#isLong) view.setUint32(TSS + 8, DATA0, true);
    for (let vector = 0; vector < 256; vector++) this.setGate(vector, HANDLERS + 16 * vector, 0xee);
    for (let vector = 0; vector < 256; vector++) this.ram[HANDLERS + 16 * vector] = HLT;
    for (const [level, next] of [0x2000, 0x3000, IDENTITY_TABLE].entries())
      view.setBigUint64(PML4 + level * L.PAGE_SIZE, BigInt(next) | ALL_RIGHTS, true);
    for (let page = 0; page < RAM_SIZE_BYTES / L.PAGE_SIZE; page++)
      view.setBigUint64(IDENTITY_TABLE + 8 * page, BigInt(page * L.PAGE_SIZE) | ALL_RIGHTS, true);
  }

  /** An interrupt gate (access 0x8e, or 0xee for software), or a trap gate (0x8f), to ring 0. */
  setGate(vector: number, handler: number, access: number): void {
    const at = IDT + vector * (this.#isLong ? 16 : 8);
    this.view.setUint32(at, (CODE0 << 16) | (handler & 0xffff), true);
    this.view.setUint32(at + 4, ((handler & 0xffff0000) | (access << 8)) >>> 0, true);
  }

  /** In 64-bit mode: has a vector handled on one of the TSS's seven interrupt stacks. */
  setInterruptStack(vector: number, ist: number, top: number): void {
    this.view.setUint32(TSS + 28 + 8 * ist, top, true);
    this.ram[IDT + vector * 16 + 4] = ist;
  }

  #state(cpl: 0 | 3): CpuState {
    const data: SegmentState = {
      selector: cpl === 0 ? DATA0 : DATA3,
      base: 0n,
      limit: 0xffffffff,
      attributes: 0xc093 | (cpl << 5),
    };
    const code = { ...data, selector: cpl === 0 ? CODE0 : CODE3 };
    return {
      gpr: Array.from({ length: 16 }, (_, i) => (i === 4 ? BigInt(STACK_TOP) : 0n)),
      rip: BigInt(CODE),
      rflags: 2n,
      cs: { ...code, attributes: (this.#isLong ? 0xa09b : 0xc09b) | (cpl << 5) },
      ss: data,
      ds: data,
      es: data,
      fs: data,
      gs: data,
      ldtr: NO_SEGMENT,
      tr: { selector: TSS_SELECTOR, base: BigInt(TSS), limit: 0x67, attributes: 0x8b },
      gdtr: { base: BigInt(GDT), limit: 0x7f },
      idtr: { base: BigInt(IDT), limit: 0xfff },
      cr0: this.#isLong ? CR0_PE | CR0_PG : CR0_PE,
      cr2: 0n,
      cr3: this.#isLong ? BigInt(PML4) : 0n,
      cr4: this.#isLong ? CR4_PAE | CR4_OSFXSR : CR4_OSFXSR,
      cr8: 0n,
      efer: this.#isLong ? EFER_LONG : 0n,
    };
  }

  /** Changes the processor's state; what was translated is forgotten. */
  change(changes: Partial<CpuState>): void {
    this.engine.registers.write({ ...this.engine.registers.read(), ...changes });
  }

  gpr(n: number): bigint {
    return this.engine.registers.u64(L.GPR + 8 * n);
  }

  setGpr(n: number, value: bigint | number): void {
    this.engine.registers.setU64(L.GPR + 8 * n, BigInt.asUintN(64, BigInt(value)));
  }

  /** Maps a linear page of 64-bit mode; bits of its entry as in the manual. */
  map(gva: bigint, gpa: number, bits = ALL_RIGHTS): void {
    this.view.setBigUint64(this.entryOf(gva), BigInt(gpa) | bits, true);
  }

  /** Guest-physical address of the last-level paging entry of a linear address. */
  entryOf(gva: bigint): number {
    let table = PML4;
    for (let shift = 39n; shift > 12n; shift -= 9n) {
      const entry = table + 8 * Number((gva >> shift) & 0x1ffn);
      const found = this.view.getBigUint64(entry, true);
      if ((found & PRESENT) === 0n) {
        this.view.setBigUint64(entry, BigInt(this.#tables) | ALL_RIGHTS, true);
        table = this.#tables;
        this.#tables += L.PAGE_SIZE;
      } else table = Number(found & 0xffff_f000n);
    }
    return table + 8 * Number((gva >> 12n) & 0x1ffn);
  }

  run(budget = 100_000): EngineExit {
    return this.engine.run(budget);
  }

  /** Runs until a handler has halted, and says what it was called for. */
  runToEvent(): MachineEvent {
    const exit = this.run();
    assert(exit === "halt", `the machine ended with ${exit}, not in a handler`);
    return this.event();
  }

  /** What the handler that has just halted was called for. */
  event(): MachineEvent {
    const { registers } = this.engine;
    const at = registers.u64(L.RIP) - 1n - BigInt(HANDLERS);
    const vector = Number(at >> 4n);
    assert(at >= 0n && vector < 256 && at % 16n === 0n, "the machine has not halted in a handler");
    const size = this.#isLong ? 8 : 4;
    let sp = Number(this.gpr(4));
    const pop = (): bigint => {
      const value = this.#isLong ? this.view.getBigUint64(sp, true) : BigInt(this.view.getUint32(sp, true));
      sp += size;
      return value;
    };
    const error = WITH_ERROR_CODE.has(vector) ? Number(pop()) : undefined;
    const rip = pop();
    const cs = pop();
    const flags = Number(pop());
    const rsp = this.#isLong || (cs & 3n) !== 0n ? pop() : BigInt(sp);
    return { vector, error, rip, flags, rsp };
  }
}
