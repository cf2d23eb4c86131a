/**
 * Test fixture: the core's floating-point files alone, compiled into one instance whose helpers are called on a
 * state block, and whose register state goes in and out as an FXSAVE image, the form that the native oracle has.
 */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import asc from "assemblyscript/asc";
import * as L from "../layout.ts";
import { FpImage } from "../../../test/oracle/index.ts";

const RAM_SIZE = 0x10_0000;
const PAGES = (L.RAM_BASE + RAM_SIZE) / 0x1_0000;
const BASE = L.VCPU_BASE;
/** Slots that cases use for values of helpers: temporaries of the register file. */
export const TEMP = L.TEMP;
export const XMM_TEMP = L.XMM_TEMP;

const SOURCES = ["sse-float", "sse-convert", "sse-string", "crypto", "x87", "x87-environment", "fxsave"];
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
  if (error !== null || binary === undefined) throw new Error(`the core does not compile:\n${errors.join("")}`);
  return Uint8Array.from(binary);
}

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
      if (name.startsWith("h_") && typeof value === "function") {
        this.#helpers.set(name.slice(2), (d, s, imm) => Number(value(d, s, imm)));
      }
    }
  }

  static async start(): Promise<FpuFixture> {
    const memory = new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    const unexpected = (): never => {
      throw new Error("the floating-point core called its host");
    };
    const host = new Proxy({}, { get: () => unexpected });
    const env = { memory, stateBase: BASE, ramSize: RAM_SIZE, abort: unexpected };
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
  /** Guest RAM, which is also the linear address space. */
  ram(gpa: number, sizeBytes: number): Uint8Array {
    return this.bytes.subarray(L.RAM_BASE + gpa, L.RAM_BASE + gpa + sizeBytes);
  }

  /** The status flags, once a helper has stored them. */
  statusFlags(): number {
    return this.view.getUint32(BASE + L.CC_SRC, true) & 0x8d5;
  }
  setStatusFlags(bits: number): void {
    this.setU32(L.CC_OP, 0);
    this.setSlot(L.CC_SRC, BigInt(bits));
  }

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
