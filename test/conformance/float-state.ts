/** x87, MMX and SSE state of cases: contents of the registers that a row uses, in formats that its mnemonic means. */
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import type { FloatSource } from "../../src/engine/core/fpu-cases-fixture.ts";
import { DEFAULT_FCW, DEFAULT_MXCSR, lanes, type Random } from "../oracle/index.ts";
import type { Draft } from "./draft.ts";

/** How the bits of a row's vector operands are meant. */
type Domain = "single" | "double" | "integer" | "text" | "extended";

export function domainOf({ mnemonic, features }: InstructionRow): Domain {
  if (features.has("fpu")) return "extended";
  if (/^pcmp[ei]str/.test(mnemonic)) return "text";
  if (mnemonic.startsWith("cvt")) {
    if (/^cvtt?[ps]s2/.test(mnemonic)) return "single";
    return /^cvtt?[ps]d2/.test(mnemonic) ? "double" : "integer";
  }
  if (
    mnemonic.startsWith("p") ||
    (!features.has("sse") && !features.has("sse2") && !features.has("sse3") && !features.has("sse4_1"))
  )
    return "integer";
  if (/[ps]s$/.test(mnemonic)) return "single";
  return /[ps]d$/.test(mnemonic) ? "double" : "integer";
}

/** Few different elements, zeros among them: text for the string comparisons. */
function text(random: Random): bigint {
  const bytes = Array.from({ length: 16 }, () =>
    BigInt(random.pick([0, 1, 0x41, 0x42, 0x7f, 0x80, 0xff, 0x41, 0x41])),
  );
  const value = lanes(8, bytes);
  return random.below(3) === 0
    ? value
    : value |
        lanes(
          8,
          Array.from({ length: 16 }, () => 1n),
        );
}

const BYTES = [0n, 1n, 0x7fn, 0x80n, 0x81n, 0xfen, 0xffn] as const;
const WORDS = [0n, 1n, 0x7fffn, 0x8000n, 0x8001n, 0xffffn, 0xff80n, 0x7fn, 0x100n] as const;

function integers(random: Random): bigint {
  switch (random.below(6)) {
    case 0:
      return lanes(
        8,
        Array.from({ length: 16 }, () => random.pick(BYTES)),
      );
    case 1:
      return lanes(
        16,
        Array.from({ length: 8 }, () => random.pick(WORDS)),
      );
    case 2:
      return BigInt(random.below(80)); // counts
    case 3:
      return random.runs(128);
    default:
      return random.next64() | (random.next64() << 64n);
  }
}

/** A 128-bit operand. */
export function vectorValue(row: InstructionRow, floats: FloatSource): bigint {
  switch (domainOf(row)) {
    case "single":
      return floats.vector(32);
    case "double":
      return floats.vector(64);
    case "text":
      return text(floats.random);
    default:
      return integers(floats.random);
  }
}

function mxcsr(random: Random): number {
  switch (random.below(6)) {
    case 0:
    case 1:
      return DEFAULT_MXCSR;
    case 2:
      return DEFAULT_MXCSR | (random.below(4) << 13) | random.below(0x40);
    case 3:
      return DEFAULT_MXCSR | (random.below(4) << 13) | (random.below(2) << 6) | (random.below(2) << 15);
    case 4:
      return DEFAULT_MXCSR & ~(0x80 << random.below(6));
    default:
      return random.below(0x10000) & 0xffc0;
  }
}

/** Whether what a row does depends on MXCSR: conversions of integers round, too. */
const needsMxcsr = (row: InstructionRow): boolean =>
  domainOf(row) !== "integer" || /^cvt|mxcsr|^fx|^xsave|^xrstor/.test(row.mnemonic);

const X87_CONTROLS = 0xf3f;
const EXCEPTIONS = 0x3f;
const SUMMARY = 0x8080;
const STATUS = 0x4740;

function setX87(d: Draft, floats: FloatSource): void {
  const { random } = d;
  const fcw = random.below(2) === 0 ? DEFAULT_FCW : 0x40 | (random.below(0x10000) & X87_CONTROLS);
  const pending = random.below(10) === 0 ? random.below(0x40) : random.below(0x40) & fcw;
  const fsw = pending | (random.below(0x10000) & STATUS);
  const st = Array.from({ length: random.pick([8, 7, 4, 3, 3, 2, 2, 2, 1, 0]) }, () => floats.f80());
  const significand = (1n << 63n) | random.next64();
  const [first] = st;
  if (first !== undefined && st.length > 1 && random.below(4) > 0) {
    // Second operands that make FSCALE and FPREM do something.
    if (d.shape.row.mnemonic === "fscale")
      st[1] = (BigInt(0x3ffc + random.below(20) + random.below(2) * 0x8000) << 64n) | significand;
    if (d.shape.row.mnemonic.startsWith("fprem"))
      st[1] = ((((first >> 64n) + BigInt(random.below(150) - 130)) & 0x7fffn) << 64n) | significand;
  }
  d.fp = { ...d.fp, fcw, fsw: (fsw & ~fcw & EXCEPTIONS) === 0 ? fsw : fsw | SUMMARY, st };
}

/** Gives a draft the floating-point and vector state that its row needs. */
export function setFloatState(d: Draft, floats: FloatSource): void {
  const { row } = d.shape;
  const { random } = floats;
  const usesMmx = row.operands.some(({ file }) => file === "mm") || row.mnemonic === "emms";
  const usesXmm =
    row.operands.some(({ file }) => file === "xmm") || /mxcsr|^fx|^xsave|^xrstor/.test(row.mnemonic);
  if (row.features.has("fpu") || /^fx|^xsave|^xrstor/.test(row.mnemonic)) setX87(d, floats);
  // An MMX instruction finds either an x87 stack or MMX contents.
  if (usesMmx) {
    // Whether CVTPI2PS from memory, or a MASKMOVQ that faults, leaves the x87 stack alone differs between processors.
    const isOpen =
      row.mnemonic === "maskmovq" || (row.mnemonic === "cvtpi2ps" && d.shape.memory !== undefined);
    if (!isOpen && random.below(4) === 0) setX87(d, floats);
    else
      d.fp = { ...d.fp, mm: Array.from({ length: 8 }, () => BigInt.asUintN(64, vectorValue(row, floats))) };
  }
  if (usesXmm) {
    const count = d.mode === "long64" ? 16 : 8;
    const numbers = new Set([0, d.shape.reg % count, d.shape.rm % count]);
    d.fp = {
      ...d.fp,
      mxcsr: needsMxcsr(row) ? mxcsr(random) : DEFAULT_MXCSR,
      xmm: Object.fromEntries([...numbers].map((n) => [n, vectorValue(row, floats)])),
    };
  }
}

/** Random contents of vector registers, made once for many drafts. */
export function vectorPool(floats: FloatSource): readonly bigint[] {
  const { random } = floats;
  return Array.from({ length: 24 }, () =>
    random.below(2) === 0 ? floats.vector(random.pick([32, 64])) : random.next64() | (random.next64() << 64n),
  );
}

/** Gives a draft contents of the registers that its own row does not use but others beside it may. */
export function fillFloatState(d: Draft, floats: FloatSource, pool: readonly bigint[]): void {
  const { random } = floats;
  const { fp } = d;
  const count = d.mode === "long64" ? 16 : 8;
  const first = random.below(pool.length);
  const fromPool = (i: number): bigint => pool[(first + i) % pool.length] ?? 0n;
  const xmm = Object.fromEntries(Array.from({ length: count }, (_, i) => [i, fp.xmm?.[i] ?? fromPool(i)]));
  d.fp = { ...fp, mxcsr: fp.mxcsr ?? mxcsr(random), xmm };
  if (fp.st !== undefined || fp.mm !== undefined) return;
  if (random.below(2) === 0) setX87(d, floats);
  else d.fp = { ...d.fp, mm: Array.from({ length: 8 }, (_, i) => BigInt.asUintN(64, fromPool(2 * i))) };
}

/** What a memory operand holds. */
export function memoryContents(d: Draft, floats: FloatSource, sizeBytes: number): bigint {
  const { row } = d.shape;
  const { random } = floats;
  const isFloat =
    row.features.has("fpu") &&
    row.mnemonic.startsWith("f") &&
    !/^f(i|ldcw|ldenv|rstor|bld)/.test(row.mnemonic);
  if (isFloat) return sizeBytes === 4 ? floats.f32() : sizeBytes === 8 ? floats.f64() : floats.f80();
  if (row.mnemonic === "fbld") {
    const digits = Array.from({ length: 18 }, () => String(random.below(10))).join("");
    return BigInt(`0x${digits}`) | (BigInt(random.below(2)) << 79n);
  }
  if (row.mnemonic === "ldmxcsr") return BigInt(mxcsr(random) | (random.below(6) === 0 ? 0x10000 : 0));
  if (sizeBytes === 16 || row.operands.some(({ file }) => file === "xmm" || file === "mm"))
    return vectorValue(row, floats);
  if (sizeBytes <= 8)
    return d.integer(sizeBytes === 1 ? 8 : sizeBytes === 2 ? 16 : sizeBytes === 4 ? 32 : 64);
  let value = 0n;
  for (let i = 0; i < sizeBytes; i += 8) value |= random.next64() << BigInt(8 * i);
  return value;
}
