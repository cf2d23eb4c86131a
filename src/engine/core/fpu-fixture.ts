/**
 * Test fixture: the core's floating-point files alone, compiled into one instance whose helpers are called on a
 * state block, and an executor of oracle cases on top of it, so that a helper call is compared with the instruction
 * that the real CPU executes.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import asc from "assemblyscript/asc";
import * as L from "../layout.ts";
import {
  compareOutcomes,
  type CpuOutcome,
  DATA,
  describeDifferences,
  FpImage,
  initialContents,
  type InstructionCase,
  memoryChangesOf,
  NativeExecutor,
  resolveCase,
} from "../../../test/oracle/index.ts";

const RAM_SIZE = 0x10_0000;
const PAGES = (L.RAM_BASE + RAM_SIZE) / 0x1_0000;
const BASE = L.VCPU_BASE;
/** Where in guest RAM the fixture keeps what cases have at DATA.gva. */
export const DATA_GPA = 0x1000;
/** The temporary that holds the linear address of a case's memory operand. */
export const SLOT_ADDRESS = L.TEMP;
/** The temporary that holds the first eight bytes of the memory operand, or takes what is to be stored there. */
export const SLOT_VALUE = L.TEMP + 8;
/** The XMM temporary that holds the first sixteen bytes of the memory operand. */
export const XMM_TEMP = L.XMM_TEMP;

/** An instruction for the real CPU and the helper call that stands for it. */
export interface FpuCase extends InstructionCase {
  /** "": nothing is called. */
  readonly helper: string;
  readonly d: number;
  readonly s: number;
  readonly imm: number;
  /** Size of the memory operand, which lies at DATA.gva; 0 if there is none. */
  readonly operandBytes: number;
  /** The translator would store SLOT_VALUE to the memory operand. */
  readonly stores?: boolean;
}

const SOURCES = [
  "sse-float",
  "sse-compare",
  "sse-convert",
  "sse-string",
  "polynomials",
  "aes",
  "sha",
  "x87",
  "x87-arithmetic",
  "x87-environment",
  "fxsave",
  "xsave",
  "cpuid",
  "mmx",
  "x87-transcendental",
  "fpu-reset",
];
const coreFolder = import.meta.dirname;

/** Compiles the floating-point files with stand-ins for what they only reach through guest memory. */
async function compile(): Promise<Uint8Array<ArrayBuffer>> {
  const standIns = readFileSync(join(coreFolder, "stand-ins.ts"), "utf8");
  const given = new Map([
    [join(coreFolder, "entry.ts"), SOURCES.map((name) => `export * from "./${name}";`).join("\n")],
    [join(coreFolder, "blocks.ts"), standIns],
    [join(coreFolder, "flags.ts"), standIns],
  ]);
  let binary: Uint8Array | undefined;
  const errors: string[] = [];
  const { error } = await asc.main(
    [
      ...["entry.ts", "--baseDir", coreFolder, "--outFile", "fpu.wasm", "-O3", "--runtime", "stub"],
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

const STATUS_FLAGS = 0x8d5n;
const GARBAGE = 0xdead_beef_cafe_f00dn;
/** Where enablePaging() puts its tables. */
const TABLES = 0x8_0000;
const PRESENT_WRITABLE = 3n;

type Helper = (d: number, s: number, imm: number) => number;

/** What a helper call came to: undefined, or the exception it left pending. */
export type Fault = number | undefined;

/** One compiled core with one vCPU. */
export class FpuFixture {
  readonly view: DataView;
  readonly bytes: Uint8Array;
  readonly #helpers = new Map<string, Helper>();

  private constructor(memory: WebAssembly.Memory, exports: WebAssembly.Exports) {
    this.view = new DataView(memory.buffer);
    this.bytes = new Uint8Array(memory.buffer);
    for (const [name, value] of Object.entries(exports)) {
      if (typeof value === "function") {
        this.#helpers.set(name.replace(/^h_/, ""), (d, s, imm) => Number(value(d, s, imm)));
      }
    }
  }

  static async start(): Promise<FpuFixture> {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    const unexpected = (): never => {
      throw new Error("the floating-point core called its host");
    };
    const host = new Proxy({}, { get: () => unexpected });
    const env = { memory, ramSize: RAM_SIZE, memorySize: RAM_SIZE, abort: unexpected };
    const module = await WebAssembly.compile(await compile());
    const instance = await WebAssembly.instantiate(module, { env, host });
    const fixture = new FpuFixture(memory, instance.exports);
    fixture.view.setUint32(BASE + L.CR0, 0x31, true); // PE, ET, NE; no paging
    fixture.view.setUint32(BASE + L.CR4, 0x600, true); // OSFXSR, OSXMMEXCPT
    fixture.view.setUint32(BASE + L.MODE, 2 | L.MODE_FLAT, true);
    return fixture;
  }

  helperNames(): string[] {
    return [...this.#helpers.keys()];
  }

  /** Calls helper `name`. */
  call(name: string, d: number, s: number, imm: number): Fault {
    const helper = this.#helpers.get(name);
    if (helper === undefined) throw new Error(`no helper ${name}`);
    return helper(d, s, imm) === 0 ? undefined : this.view.getUint32(BASE + L.FAULT_VECTOR, true);
  }

  u32(offset: number): number {
    return this.view.getUint32(BASE + offset, true);
  }
  slot(offset: number): bigint {
    return this.view.getBigUint64(BASE + offset, true);
  }
  setSlot(offset: number, value: bigint): void {
    this.view.setBigUint64(BASE + offset, BigInt.asUintN(64, value), true);
  }
  setU32(offset: number, value: number): void {
    this.view.setUint32(BASE + offset, value, true);
  }
  xmm(index: number): bigint {
    const at = BASE + L.XMM + index * L.XMM_STRIDE;
    return this.view.getBigUint64(at, true) | (this.view.getBigUint64(at + 8, true) << 64n);
  }
  setXmm(index: number, value: bigint): void {
    const at = BASE + L.XMM + index * L.XMM_STRIDE;
    this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
    this.view.setBigUint64(at + 8, BigInt.asUintN(64, value >> 64n), true);
  }

  /** The status flags, once a helper has stored them. */
  statusFlags(): number {
    return this.view.getUint32(BASE + L.CC_SRC, true) & 0x8d5;
  }
  setStatusFlags(bits: number): void {
    this.setU32(L.CC_OP, 0);
    this.setSlot(L.CC_SRC, BigInt(bits));
  }

  /** Guest RAM, which without paging is the linear address space too. */
  ram(gpa: number, sizeBytes: number): DataView {
    return new DataView(this.view.buffer, L.RAM_BASE + gpa, sizeBytes);
  }

  /** What becomes of the case when its helper is called. */
  /** 4-level tables that map the first 2 MiB to themselves, but for the page at `missing`; the TLBs are empty. */
  enablePaging(missing: number, cr0: bigint, cr4: number): void {
    const tables = this.ram(TABLES, 4 * L.PAGE_SIZE);
    for (const level of [0, 1, 2])
      tables.setBigUint64(
        level * L.PAGE_SIZE,
        BigInt(TABLES + (level + 1) * L.PAGE_SIZE) | PRESENT_WRITABLE,
        true,
      );
    for (let page = 0; page < 512; page++) {
      const entry = page * L.PAGE_SIZE === missing ? 0n : BigInt(page * L.PAGE_SIZE) | PRESENT_WRITABLE;
      tables.setBigUint64(3 * L.PAGE_SIZE + page * 8, entry, true);
    }
    this.setSlot(L.CR3, BigInt(TABLES));
    this.setU32(L.CR4, cr4);
    this.setSlot(L.EFER, 0x500n);
    this.setSlot(L.CR0, cr0);
    for (let at = L.TLB_KERNEL_READ; at < L.TLB_USER_WRITE + L.TLB_SIZE; at += 16)
      this.setSlot(at, ~BigInt(at << 8));
  }

  execute(source: FpuCase): CpuOutcome {
    const { state, code } = resolveCase(source);
    this.load(state.fp);
    this.setStatusFlags(Number(state.rflags));
    state.gpr.forEach((value, index) => {
      this.setSlot(L.GPR + index * 8, value);
    });
    const data = this.bytes.subarray(L.RAM_BASE + DATA_GPA, L.RAM_BASE + DATA_GPA + DATA.sizeBytes);
    if (source.operandBytes > 0) this.#loadOperand(data, initialContents(state, DATA), source.operandBytes);
    const { helper, d, s, imm } = source;
    const fault = helper === "" ? undefined : this.call(helper, d, s, imm);
    if (source.stores === true && fault === undefined) {
      for (let i = 0; i < source.operandBytes; i++) data[i] = this.view.getUint8(BASE + SLOT_VALUE + i);
    }
    return {
      exit:
        fault === undefined
          ? { kind: "completed" }
          : { kind: "exception", vector: fault, ...this.#errorCode() },
      gpr: state.gpr.map((_, index) => this.slot(L.GPR + index * 8)),
      rip: fault === undefined ? state.rip + BigInt(code.length) : state.rip,
      rflags: (state.rflags & ~STATUS_FLAGS) | BigInt(this.statusFlags()),
      segments: state.segments,
      fp: this.save().bytes,
      memory:
        source.operandBytes > 0
          ? memoryChangesOf(state, (region) => (region === DATA ? data : initialContents(state, region)))
          : [],
    };
  }

  #errorCode(): { errorCode?: number } {
    const has = this.view.getUint32(BASE + L.FAULT_HAS_ERROR, true) !== 0;
    return has ? { errorCode: this.view.getUint32(BASE + L.FAULT_ERROR, true) } : {};
  }

  /** Puts a memory operand where the translator would have it, with garbage behind its end. */
  #loadOperand(data: Uint8Array, contents: Uint8Array, sizeBytes: number): void {
    data.set(contents);
    this.setSlot(SLOT_ADDRESS, BigInt(DATA_GPA));
    this.setSlot(SLOT_VALUE, GARBAGE);
    this.setXmm(XMM_TEMP, (GARBAGE << 64n) | GARBAGE);
    for (let i = 0; i < Math.min(sizeBytes, 16); i++) {
      if (i < 8) this.view.setUint8(BASE + SLOT_VALUE + i, contents[i] ?? 0);
      this.view.setUint8(BASE + L.XMM + XMM_TEMP * L.XMM_STRIDE + i, contents[i] ?? 0);
    }
  }

  /** The register state from an FXSAVE image. */
  load(bytes: Uint8Array): void {
    const image = new FpImage(bytes);
    this.view.setUint16(BASE + L.X87_CW, image.fcw, true);
    this.view.setUint16(BASE + L.X87_SW, image.fsw, true);
    this.view.setUint8(BASE + L.X87_TAG, image.ftw);
    this.setU32(L.MXCSR, image.mxcsr);
    for (let i = 0; i < 8; i++) {
      const at = BASE + L.X87 + ((image.top + i) & 7) * L.X87_STRIDE;
      this.view.setBigUint64(at, BigInt.asUintN(64, image.st(i)), true);
      this.view.setUint16(at + 8, Number(image.st(i) >> 64n), true);
    }
    for (let i = 0; i < 16; i++) this.setXmm(i, image.xmm(i));
  }

  /** The register state as an image; instruction and data pointers are not filled in. */
  save(): FpImage {
    const image = FpImage.initial();
    image.fcw = this.view.getUint16(BASE + L.X87_CW, true);
    image.fsw = this.view.getUint16(BASE + L.X87_SW, true);
    image.ftw = this.view.getUint8(BASE + L.X87_TAG);
    image.mxcsr = this.view.getUint32(BASE + L.MXCSR, true);
    for (let i = 0; i < 8; i++) {
      const at = BASE + L.X87 + ((image.top + i) & 7) * L.X87_STRIDE;
      const low = this.view.getBigUint64(at, true);
      image.setSt(i, (BigInt(this.view.getUint16(at + 8, true)) << 64n) | low);
    }
    for (let i = 0; i < 16; i++) image.setXmm(i, this.xmm(i));
    return image;
  }
}

/** The differences between the helpers and the real CPU, as text for people: none is the expectation. */
export async function differencesFromCpu(fixture: FpuFixture, cases: readonly FpuCase[]): Promise<string[]> {
  await using cpu = new NativeExecutor();
  const outcomes = await cpu.execute(cases);
  return cases.flatMap((source, index) => {
    const expected = outcomes[index];
    if (expected === undefined) return [`${source.name}: no answer`];
    const actual = fixture.execute(source);
    const differences = compareOutcomes(source, expected, actual);
    return differences.length === 0 ? [] : [describeDifferences(source, differences)];
  });
}
