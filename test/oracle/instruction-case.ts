/**
 * An instruction case: code, the state it starts from, and what the architecture leaves undefined about its
 * result. People and generators write InstructionCase; resolveCase makes the complete state that every executor
 * starts from, so that all of them start from the same one.
 */

import { DEFAULT_FP, FpImage, XSAVE_AVX_BYTES } from "./fp-image.ts";
import {
  codeBaseOf,
  codeSelectorOf,
  type CpuMode,
  DATA,
  DEFAULT_RIP,
  DEFAULT_RSP,
  SELECTOR,
  type SegmentName,
  selectorOf,
} from "./layout.ts";
import {
  type CpuState,
  FIXED_FLAGS,
  GPR_COUNT,
  GPR_NAMES,
  type GprName,
  type MemoryBytes,
  type Segments,
  SETTABLE_FLAGS,
} from "./state.ts";

/** Machine code as bytes, or as hexadecimal text such as "48 01 c8". */
export type Code = Uint8Array | string;

/** What differs from the default state. */
export interface InitialState {
  /** Full 64-bit values; in 32- and 16-bit modes the upper halves are dropped. */
  readonly gpr?: Partial<Record<GprName, bigint | number>>;
  /** Bits of FLAG; those that are not given are clear. */
  readonly flags?: number;
  /** Linear address of the first code byte. */
  readonly codeGva?: number;
  readonly segments?: Partial<Record<"ss" | "ds" | "es" | "fs" | "gs", SegmentName>>;
  /** Bases while FS or GS holds the null selector, as it does by default in 64-bit mode. */
  readonly fsBase?: bigint;
  readonly gsBase?: bigint;
  readonly fcw?: number;
  /** Status word. TOP is set by `st` and `mm` if they are given. */
  readonly fsw?: number;
  /** ST(0), ST(1)… as 80-bit integers; the registers beyond are empty. */
  readonly st?: readonly bigint[];
  /** MM0, MM1…: TOP is 0 and no register is empty. Not together with `st`. */
  readonly mm?: readonly bigint[];
  readonly mxcsr?: number;
  /** XMM registers by number. */
  readonly xmm?: Readonly<Record<number, bigint>>;
  /** YMM registers by number, 256 bits; needs a CPU with AVX. */
  readonly ymm?: Readonly<Record<number, bigint>>;
}

/** Parts of a result that the architecture, or the difference between processors, leaves open. */
export interface Undefined {
  /** Bits of RFLAGS. */
  readonly flags?: number;
  readonly gpr?: readonly GprName[];
  /** Bits of the x87 status word. */
  readonly fsw?: number;
  /** Bits of MXCSR. */
  readonly mxcsr?: number;
  /** Values of ST registers, by number after the case. */
  readonly st?: readonly number[];
  readonly xmm?: readonly number[];
  /** Bytes of memory. */
  readonly memory?: readonly { readonly gva: number; readonly sizeBytes: number }[];
}

export interface InstructionCase {
  /** Unique within a suite. */
  readonly name: string;
  readonly mode: CpuMode;
  readonly code: Code;
  readonly initial?: InitialState;
  /** Contents of writable memory; what is not given holds layout.ts' baseline. */
  readonly memory?: readonly MemoryBytes[];
  readonly undefined?: Undefined;
  /** CPU features without which the case has no meaning, named as in /proc/cpuinfo. */
  readonly requires?: readonly string[];
}

/** An instruction case ready for execution. */
export interface ResolvedCase {
  readonly source: InstructionCase;
  readonly code: Uint8Array;
  readonly codeGva: number;
  readonly state: CpuState;
}

/** GPR values that tell the register they come from, and have non-zero upper halves. */
export function defaultGpr(index: number): bigint {
  return 0x8877_6655_4433_2200n + 0x0101_0101_0101_0101n * BigInt(index);
}

export function parseCode(code: Code): Uint8Array {
  if (typeof code !== "string") return code;
  const digits = code.replaceAll(" ", "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new RangeError(`not hexadecimal bytes: ${code}`);
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** The complete state before the first instruction of a case. */
export function resolveCase(source: InstructionCase): ResolvedCase {
  const { mode, initial = {} } = source;
  const code = parseCode(source.code);
  const codeGva = initial.codeGva ?? DEFAULT_RIP;
  const flags = initial.flags ?? 0;
  if ((flags & ~SETTABLE_FLAGS) !== 0)
    throw new RangeError(`${source.name}: flags 0x${flags.toString(16)} cannot be set`);
  const segments = resolveSegments(mode, initial);
  return {
    source,
    code,
    codeGva,
    state: {
      mode,
      gpr: resolveGpr(mode, initial, segments.ss),
      rip: BigInt(codeGva - codeBaseOf(mode)),
      rflags: BigInt(flags | FIXED_FLAGS),
      segments,
      fsBase: initial.fsBase ?? 0n,
      gsBase: initial.gsBase ?? 0n,
      fp: resolveFp(source.name, initial),
      memory: [...(source.memory ?? []), { gva: codeGva, bytes: code }],
    },
  };
}

function resolveGpr(mode: CpuMode, initial: InitialState, ss: number): BigUint64Array {
  const gpr = new BigUint64Array(GPR_COUNT);
  GPR_NAMES.forEach((name, index) => {
    const given = initial.gpr?.[name];
    const value = given === undefined ? defaultGpr(index) : BigInt.asUintN(64, BigInt(given));
    gpr[index] = mode === "long64" ? value : value & 0xffff_ffffn;
  });
  if (initial.gpr?.rsp === undefined) {
    // The default stack pointer points to the same byte whatever the base of SS is.
    const base =
      mode === "long64" || ss === SELECTOR.flat
        ? 0
        : ss === selectorOf("stack32")
          ? DEFAULT_RSP - 0x800
          : DATA.gva;
    gpr[GPR_NAMES.indexOf("rsp")] = BigInt(DEFAULT_RSP - base);
  }
  return gpr;
}

function resolveSegments(mode: CpuMode, initial: InitialState): Segments {
  const data: SegmentName = mode === "protected16" ? "data16" : "flat";
  const extra: SegmentName = mode === "long64" ? "null" : data;
  const { ss = data, ds = data, es = data, fs = extra, gs = extra } = initial.segments ?? {};
  return {
    cs: codeSelectorOf(mode),
    ss: selectorOf(ss),
    ds: selectorOf(ds),
    es: selectorOf(es),
    fs: selectorOf(fs),
    gs: selectorOf(gs),
  };
}

function resolveFp(name: string, initial: InitialState): Uint8Array {
  const { fcw, fsw, st, mm, mxcsr, xmm, ymm } = initial;
  if ([fcw, fsw, st, mm, mxcsr, xmm, ymm].every((each) => each === undefined)) return DEFAULT_FP;
  if (st !== undefined && mm !== undefined) throw new RangeError(`${name}: st and mm are the same registers`);
  const image = ymm === undefined ? new FpImage(DEFAULT_FP.slice()) : FpImage.initial(XSAVE_AVX_BYTES);
  image.fcw = fcw ?? image.fcw;
  image.fsw = fsw ?? 0;
  image.mxcsr = mxcsr ?? image.mxcsr;
  if (st !== undefined) {
    const top = (8 - st.length) & 7;
    image.fsw = (image.fsw & ~0x3800) | (top << 11);
    // ST(i) is physical register TOP+i: with TOP = 8 - n the last n physical registers are in use.
    image.ftw = (0xff << (8 - st.length)) & 0xff;
    st.forEach((value, index) => {
      image.setSt(index, value);
    });
  }
  if (mm !== undefined) {
    image.fsw &= ~0x3800;
    image.ftw = 0xff;
    for (let i = 0; i < 8; i++) image.setSt(i, (0xffffn << 64n) | (mm[i] ?? 0n));
  }
  for (const [index, value] of Object.entries(xmm ?? {})) image.setXmm(Number(index), value);
  for (const [index, value] of Object.entries(ymm ?? {})) {
    image.setXmm(Number(index), value);
    image.setYmmHigh(Number(index), value >> 128n);
  }
  return image.bytes;
}
