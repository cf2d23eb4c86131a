/**
 * Test fixture: the core's system files alone (paging, segments, events, transfers, strings…), compiled into one
 * instance over 8 MiB of guest RAM. Tests poke descriptors and page tables into RAM, set the state block, call
 * helpers and look at what became of both. blocks.ts and flags.ts are the doubles of stand-ins.ts.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import asc from "assemblyscript/asc";
import * as L from "../layout.ts";
import { msrModule } from "../x86/msr-module.ts";

export const RAM_SIZE = 0x80_0000;
const PAGES = (L.RAM_BASE + RAM_SIZE) / 0x1_0000;
const BASE = L.VCPU_BASE;

const SOURCES = [
  ...[
    "paging",
    "tlb",
    "code-fetch",
    "memory",
    "mode",
    "rflags",
    "exceptions",
    "segments",
    "tables",
    "transfers",
    "system",
    "debug",
  ],
  ...["fast-calls", "msr", "cpuid", "ports", "strings", "reset"],
];
const coreFolder = import.meta.dirname;

async function compile(): Promise<Uint8Array<ArrayBuffer>> {
  const standIns = readFileSync(join(coreFolder, "stand-ins.ts"), "utf8");
  const given = new Map([
    [join(coreFolder, "entry.ts"), SOURCES.map((name) => `export * from "./${name}";`).join("\n")],
    [join(coreFolder, "blocks.ts"), standIns],
    [join(coreFolder, "flags.ts"), standIns],
    [join(coreFolder, "msrs.gen.ts"), msrModule()],
  ]);
  let binary: Uint8Array | undefined;
  const errors: string[] = [];
  const { error } = await asc.main(
    [
      ...["entry.ts", "--baseDir", coreFolder, "--outFile", "system.wasm", "-O1", "--runtime", "stub"],
      ...["--importMemory", "--sharedMemory", "--memoryBase", String(L.CORE_DATA)],
      ...["--initialMemory", String(PAGES), "--maximumMemory", String(PAGES)],
      ...["--enable", "threads,simd,bulk-memory,sign-extension,mutable-globals,nontrapping-f2i"],
    ],
    {
      readFile: (name, base) => {
        const path = resolve(base, name);
        return given.get(path) ?? (existsSync(path) ? readFileSync(path, "utf8") : null);
      },
      writeFile: (_name, contents) => {
        if (typeof contents !== "string") binary = contents;
      },
      listFiles: () => [],
      stderr: { write: (text: string | Uint8Array) => void errors.push(String(text)) },
    },
  );
  if (error !== null || binary === undefined)
    throw new Error(`the core does not compile:\n${errors.join("")}`);
  return Uint8Array.from(binary);
}

/** The exception a call left pending: `#14(2)` for a page fault with error code 2, `#6` for one without; or "ok". */
export type Outcome = string;

export interface DeviceAccess {
  readonly what: "in" | "out" | "read" | "write" | "task priority";
  readonly at: number;
  readonly size: number;
  readonly value?: number;
}

export const ES = L.SEG_ES;
export const CS = L.SEG_CS;
export const SS = L.SEG_SS;
export const DS = L.SEG_DS;
export const FS = L.SEG_FS;
export const GS = L.SEG_GS;

/** Where the fixture keeps the tables that its set-up functions build. */
export const GDT = 0x1000;
export const IDT = 0x2000;
export const TSS = 0x3000;
export const PAGE_TABLES = 0x10_0000;

// The selectors of the fixture's GDT.
export const CODE0 = 0x08;
export const DATA0 = 0x10;
export const CODE3 = 0x1b;
export const DATA3 = 0x23;
export const TSS_SELECTOR = 0x28;
/** Free for tests: 0x38 and up. */
export const SPARE = 0x38;

// Access bytes of descriptors.
export const ACCESS_DATA = 0x92;
export const ACCESS_CODE = 0x9a;
export const DPL3 = 0x60;
/** Flags nibble: G and D/B; G and L. */
export const FLAT32 = 0xc;
export const FLAT64 = 0xa;

/** The eight bytes of a segment descriptor. */
export function descriptor(base: number, limit: number, access: number, flags: number): bigint {
  const b = BigInt(base >>> 0);
  const l = BigInt(limit);
  const low = (l & 0xffffn) | ((b & 0xffffffn) << 16n) | (BigInt(access) << 40n);
  return low | (((l >> 16n) & 15n) << 48n) | (BigInt(flags) << 52n) | ((b >> 24n) << 56n);
}

/** The eight bytes of a gate of protected mode, which are also the first half of one of IA-32e mode. */
export function gate(selector: number, offset: number, access: number, low8 = 0): bigint {
  const o = BigInt(offset >>> 0);
  const words = (o & 0xffffn) | (BigInt(selector) << 16n) | (BigInt(low8) << 32n) | (BigInt(access) << 40n);
  return words | ((o >> 16n) << 48n);
}

export class SystemFixture {
  readonly view: DataView;
  /** Accesses that reached the host, in order. */
  readonly accesses: DeviceAccess[] = [];
  /** What devices answer. */
  deviceValue = 0;
  /** MSRs that the host knows. */
  readonly hostMsrs = new Map<number, bigint>();
  now = 0;
  /** What the host was told last. */
  tscOffset = 0n;
  readonly #memory: WebAssembly.Memory;
  #exports: Readonly<Record<string, unknown>> = {};

  private constructor() {
    this.#memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    this.view = new DataView(this.#memory.buffer);
  }

  static async start(): Promise<SystemFixture> {
    const fixture = new SystemFixture();
    const host = {
      readPort: (at: number, size: number) => fixture.#device({ what: "in", at, size }),
      writePort: (at: number, size: number, value: number) =>
        fixture.#device({ what: "out", at, size, value: value >>> 0 }),
      readMmio: (at: number, size: number) => fixture.#device({ what: "read", at: at >>> 0, size }),
      writeMmio: (at: number, size: number, value: number) =>
        fixture.#device({ what: "write", at: at >>> 0, size, value: value >>> 0 }),
      readMsr: (index: number) => {
        const value = fixture.hostMsrs.get(index >>> 0);
        if (value === undefined) return 0;
        fixture.view.setBigUint64(BASE + L.SCRATCH, value, true);
        return 1;
      },
      writeMsr: (index: number, low: number, high: number) => {
        if (!fixture.hostMsrs.has(index >>> 0)) return 0;
        fixture.hostMsrs.set(index >>> 0, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
        return 1;
      },
      taskPriorityChanged: (value: number) =>
        fixture.#device({ what: "task priority", at: 0, size: 0, value }),
      tscOffsetChanged: (low: number, high: number) => {
        fixture.tscOffset = BigInt.asIntN(64, (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0));
      },
      entropyU32: () => 0x12345678,
      nowNs: () => fixture.now,
    };
    const env = {
      memory: fixture.#memory,
      ramSize: RAM_SIZE,
      memorySize: RAM_SIZE,
      abort: () => {
        throw new Error("the core aborted");
      },
    };
    const module = await WebAssembly.compile(await compile());
    const instance = await WebAssembly.instantiate(module, { env, host });
    fixture.#exports = instance.exports;
    return fixture;
  }

  #device(access: DeviceAccess): number {
    this.accesses.push(access);
    return this.deviceValue;
  }

  /** Clears RAM, the log and the state, and resets the processor: real mode. */
  reset(): void {
    const bytes = new Uint8Array(this.#memory.buffer);
    bytes.fill(0, L.RAM_BASE, L.RAM_BASE + RAM_SIZE);
    bytes.fill(0, L.PAGE_CODE_BITMAP, L.PAGE_CODE_BITMAP + (RAM_SIZE / L.PAGE_SIZE) * 8);
    bytes.fill(0, BASE, BASE + L.STATE_SIZE);
    this.accesses.length = 0;
    this.hostMsrs.clear();
    this.now = 0;
    this.run("setA20", 1);
    this.run("resetCpu");
    this.setCpuid([
      [0, 0, 13, 0x756e6547, 0x6c65746e, 0x49656e69],
      [1, 0, 0x6f1, 0, 0, 0x0380f9ff & ~0x2],
      [7, 0, 0, (1 << 7) | (1 << 20) | 1, 1 << 2, 0],
      [0x80000001, 0, 0, 0, 0, (1 << 11) | (1 << 20) | (1 << 29)],
    ]);
  }

  /** Rows { leaf, subleaf, eax, ebx, ecx, edx }. */
  setCpuid(rows: readonly (readonly number[])[]): void {
    this.setState32(L.CPUID_TABLE, rows.length);
    rows.forEach((row, index) => {
      row.forEach((word, column) => {
        this.setState32(L.CPUID_TABLE + 4 + index * L.CPUID_ENTRY_SIZE + column * 4, word);
      });
    });
  }

  /** Calls an exported function of the core with numbers and bigints as its types want. */
  run(name: string, ...args: readonly (number | bigint)[]): number {
    const f = this.#exports[name];
    if (typeof f !== "function") throw new Error(`the core exports no ${name}`);
    const result: unknown = Reflect.apply(f, undefined, args);
    return typeof result === "number" ? result >>> 0 : 0;
  }

  /** Calls a helper and says what came of it. */
  call(name: string, d = 0, s = 0, imm = 0): Outcome {
    return this.run(`h_${name}`, d, s, imm) === 0 ? "ok" : this.pending();
  }

  /** The pending fault. */
  pending(): Outcome {
    const vector = this.state32(L.FAULT_VECTOR);
    if (vector === L.FAULT_CODE_CHANGED) return "code changed";
    if (vector === L.FAULT_SHUTDOWN) return "shutdown";
    const error = this.state32(L.FAULT_HAS_ERROR) === 0 ? "" : `(${this.state32(L.FAULT_ERROR)})`;
    return `#${vector}${error}`;
  }

  // ---- The state block ----
  state32(offset: number): number {
    return this.view.getUint32(BASE + offset, true);
  }
  setState32(offset: number, value: number): void {
    this.view.setUint32(BASE + offset, value >>> 0, true);
  }
  state64(offset: number): bigint {
    return this.view.getBigUint64(BASE + offset, true);
  }
  setState64(offset: number, value: bigint | number): void {
    this.view.setBigUint64(BASE + offset, BigInt.asUintN(64, BigInt(value)), true);
  }
  selector(segment: number): number {
    return this.view.getUint16(BASE + L.SEG + segment * L.SEG_STRIDE, true);
  }
  attributes(segment: number): number {
    return this.view.getUint16(BASE + L.SEG + segment * L.SEG_STRIDE + L.SEG_ATTRIBUTES, true);
  }
  limit(segment: number): number {
    return this.state32(L.SEG + segment * L.SEG_STRIDE + L.SEG_LIMIT);
  }
  base(segment: number): bigint {
    return this.state64(L.SEG_BASE + segment * 8);
  }
  setSegment(segment: number, selector: number, attributes: number, base: number, limit: number): void {
    const at = BASE + L.SEG + segment * L.SEG_STRIDE;
    this.view.setUint16(at, selector, true);
    this.view.setUint16(at + L.SEG_ATTRIBUTES, attributes, true);
    this.view.setUint32(at + L.SEG_LIMIT, limit, true);
    this.setState64(L.SEG_BASE + segment * 8, base);
  }
  /** RIP of an instruction and of the one after it. */
  at(rip: bigint | number, sizeBytes: number): void {
    this.setState64(L.RIP, rip);
    this.setState64(L.NEXT_RIP, BigInt(rip) + BigInt(sizeBytes));
  }
  /** RFLAGS as PUSHF would show them. */
  get flags(): number {
    return (this.state32(L.RFLAGS_REST) | this.state32(L.CC_SRC)) >>> 0;
  }
  set flags(value: number) {
    this.setState32(L.CC_OP, 0);
    this.setState64(L.CC_SRC, value & 0x8d5);
    this.setState32(L.RFLAGS_REST, (value & ~0x8d5) | 2);
    this.run("updateMode");
  }

  // ---- Guest RAM ----
  ram8(gpa: number): number {
    return this.view.getUint8(L.RAM_BASE + gpa);
  }
  ram16(gpa: number): number {
    return this.view.getUint16(L.RAM_BASE + gpa, true);
  }
  ram32(gpa: number): number {
    return this.view.getUint32(L.RAM_BASE + gpa, true);
  }
  ram64(gpa: number): bigint {
    return this.view.getBigUint64(L.RAM_BASE + gpa, true);
  }
  setRam8(gpa: number, value: number): void {
    this.view.setUint8(L.RAM_BASE + gpa, value);
  }
  setRam16(gpa: number, value: number): void {
    this.view.setUint16(L.RAM_BASE + gpa, value, true);
  }
  setRam32(gpa: number, value: number): void {
    this.view.setUint32(L.RAM_BASE + gpa, value, true);
  }
  setRam64(gpa: number, value: bigint | number): void {
    this.view.setBigUint64(L.RAM_BASE + gpa, BigInt.asUintN(64, BigInt(value)), true);
  }
  setBytes(gpa: number, bytes: readonly number[]): void {
    bytes.forEach((byte, index) => {
      this.setRam8(gpa + index, byte);
    });
  }
  bytes(gpa: number, count: number): number[] {
    return Array.from({ length: count }, (_, index) => this.ram8(gpa + index));
  }
  /** The u32 words on a stack, from its top. */
  stack32(gpa: number, count: number): number[] {
    return Array.from({ length: count }, (_, index) => this.ram32(gpa + index * 4));
  }
  stack64(gpa: number, count: number): bigint[] {
    return Array.from({ length: count }, (_, index) => this.ram64(gpa + index * 8));
  }

  // ---- Modes ----
  setDescriptor(selector: number, value: bigint): void {
    this.setRam64(GDT + (selector & 0xfff8), value);
  }

  /** Protected mode without paging: flat segments at CPL 0 or 3, a 32-bit TSS with ring-0 stack 0x10:0x9000. */
  enterProtected(cpl: 0 | 3 = 0): void {
    this.setDescriptor(CODE0, descriptor(0, 0xfffff, ACCESS_CODE, FLAT32));
    this.setDescriptor(DATA0, descriptor(0, 0xfffff, ACCESS_DATA, FLAT32));
    this.setDescriptor(CODE3, descriptor(0, 0xfffff, ACCESS_CODE | DPL3, FLAT32));
    this.setDescriptor(DATA3, descriptor(0, 0xfffff, ACCESS_DATA | DPL3, FLAT32));
    this.setDescriptor(TSS_SELECTOR, descriptor(TSS, 0x67, 0x8b, 0));
    this.setRam32(TSS + 4, 0x9000);
    this.setRam16(TSS + 8, DATA0);
    this.#useTables(0x7ff);
    this.setState64(L.CR0, 0x11);
    this.#flat(cpl, 0xc09b, cpl === 0 ? CODE0 : CODE3, cpl === 0 ? DATA0 : DATA3);
    this.setState64(L.GPR_RSP, 0x8000);
  }

  /** 64-bit mode with the first 8 MiB mapped to themselves, for user and supervisor, and at 0xffff800000000000 too. */
  enterLong(cpl: 0 | 3 = 0): void {
    this.enterProtected(cpl);
    this.setDescriptor(CODE0, descriptor(0, 0xfffff, ACCESS_CODE, FLAT64));
    this.setDescriptor(CODE3, descriptor(0, 0xfffff, ACCESS_CODE | DPL3, FLAT64));
    this.setRam64(TSS + 4, 0x9000n);
    this.setState64(L.CR4, 0x20);
    this.setState64(L.EFER, 0xd01);
    this.setState64(L.CR3, PAGE_TABLES);
    for (let page = 0; page < RAM_SIZE; page += L.PAGE_SIZE) this.mapLong(BigInt(page), page, 7);
    this.setRam64(PAGE_TABLES + 256 * 8, this.ram64(PAGE_TABLES));
    this.setState64(L.CR0, 0x80010011);
    this.#flat(cpl, 0xa09b, cpl === 0 ? CODE0 : CODE3, cpl === 0 ? DATA0 : DATA3);
    this.run("flushTlb");
  }

  /** Enters a 4 KiB page into the 4-level tables (at fixed places: one table for each level and 2 MiB). */
  mapLong(gva: bigint, gpa: number, bits: number): void {
    const pointers = PAGE_TABLES + 0x1000;
    const directory = PAGE_TABLES + 0x2000;
    const twoMegabytes = Number((gva >> 21n) & 3n);
    this.setRam64(PAGE_TABLES + Number((gva >> 39n) & 511n) * 8, pointers + 7);
    this.setRam64(pointers + Number((gva >> 30n) & 511n) * 8, directory + 7);
    this.setRam64(
      directory + Number((gva >> 21n) & 511n) * 8,
      PAGE_TABLES + 0x3000 + twoMegabytes * 0x1000 + 7,
    );
    this.setRam64(this.longEntry(gva), gpa + bits);
  }
  /** Guest-physical address of the last-level entry of one of the first 8 MiB. */
  longEntry(gva: bigint): number {
    return PAGE_TABLES + 0x3000 + Number((gva >> 12n) & 2047n) * 8;
  }

  #useTables(idtLimit: number): void {
    this.setState64(L.GDTR_BASE, GDT);
    this.setState32(L.GDTR_LIMIT, 0xfff);
    this.setState64(L.IDTR_BASE, IDT);
    this.setState32(L.IDTR_LIMIT, idtLimit);
    const tr = BASE + L.SEG + L.SEG_TR * L.SEG_STRIDE;
    this.view.setUint16(tr, TSS_SELECTOR, true);
    this.view.setUint16(tr + L.SEG_ATTRIBUTES, 0x8b, true);
    this.view.setUint32(tr + L.SEG_LIMIT, 0x67, true);
    this.setState64(L.TR_BASE, TSS);
  }

  #flat(cpl: number, code: number, codeSelector: number, dataSelector: number): void {
    for (const segment of [ES, SS, DS, FS, GS]) {
      this.setSegment(segment, dataSelector, 0xc093 | (cpl << 5), 0, 0xffffffff);
    }
    this.setSegment(CS, codeSelector, code | (cpl << 5), 0, 0xffffffff);
    this.setState32(L.CPL, cpl);
    this.run("updateMode");
  }
}
