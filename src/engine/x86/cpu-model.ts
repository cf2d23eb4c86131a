/**
 * CPU models: which features the engine's processor has, and the CPUID leaves that say so (SDM 2, CPUID). A feature is
 * listed here only if every instruction behind it is implemented; the table's rows are gated by the same names.
 */
import type { Feature } from "./row.ts";

export interface CpuidLeaf {
  readonly leaf: number;
  /** Absent where the leaf has no subleaves. */
  readonly subleaf?: number;
  readonly eax: number;
  readonly ebx: number;
  readonly ecx: number;
  readonly edx: number;
}

export interface CpuModel {
  readonly name: string;
  readonly features: ReadonlySet<Feature>;
  cpuid(): readonly CpuidLeaf[];
}

/** Leaf, register and bit of each feature that CPUID reports. */
const featureBits: Partial<
  Record<Feature, readonly [leaf: number, register: "eax" | "ebx" | "ecx" | "edx", bit: number]>
> = {
  fpu: [1, "edx", 0],
  tsc: [1, "edx", 4],
  msr: [1, "edx", 5],
  cx8: [1, "edx", 8],
  sep: [1, "edx", 11],
  cmov: [1, "edx", 15],
  clfsh: [1, "edx", 19],
  mmx: [1, "edx", 23],
  fxsr: [1, "edx", 24],
  sse: [1, "edx", 25],
  sse2: [1, "edx", 26],
  sse3: [1, "ecx", 0],
  ssse3: [1, "ecx", 9],
  cx16: [1, "ecx", 13],
  pclmulqdq: [1, "ecx", 1],
  aes: [1, "ecx", 25],
  sha: [7, "ebx", 29],
  sse4_1: [1, "ecx", 19],
  sse4_2: [1, "ecx", 20],
  movbe: [1, "ecx", 22],
  popcnt: [1, "ecx", 23],
  syscall: [0x80000001, "edx", 11],
  lm: [0x80000001, "edx", 29],
  lahf64: [0x80000001, "ecx", 0],
  rdtscp: [0x80000001, "edx", 27],
};

/** Paging and system features of the core, which no instruction row is gated by. */
const PSE = 1 << 3;
const PAE = 1 << 6;
const APIC = 1 << 9;
const MTRR = 1 << 12;
const PGE = 1 << 13;
const PAT = 1 << 16;
const PSE36 = 1 << 17;
const NX = 1 << 20;
/** ECX bit 31 of leaf 1: leaves from 0x40000000 on describe the hypervisor. */
const HYPERVISOR = 0x80000000;
/** Leaf 7, EDX: MSR 10AH says which weaknesses the processor does not have. */
const ARCH_CAPABILITIES = 1 << 29;
const CLFLUSH_LINE_8 = 8 << 8;
const LOGICAL_PROCESSORS_1 = 1 << 16;

/** x86-64-v2, the default: what every listed feature's rows and core helpers implement. */
const v2: readonly Feature[] = [
  "fpu", "tsc", "msr", "cx8", "sep", "cmov", "clfsh", "mmx", "fxsr", "sse", "sse2", "sse3", "ssse3", "sse4_1",
  "sse4_2", "cx16", "popcnt", "syscall", "lm", "lahf64",
  "aes", "pclmulqdq", "sha",
]; // prettier-ignore

/** Family 6, model 94, stepping 3: a model whose quirks operating systems know how to leave alone. */
const SIGNATURE = 0x000506e3;
const VENDOR = "GenuineIntel";
const BRAND = "Typevisor virtual x86-64 processor";

const ascii = (text: string, at: number): number => {
  let value = 0;
  for (let i = 3; i >= 0; i--) value = (value << 8) | (at + i < text.length ? text.charCodeAt(at + i) : 0);
  return value >>> 0;
};

function leavesOf(features: ReadonlySet<Feature>): CpuidLeaf[] {
  const leaves = new Map<number, { eax: number; ebx: number; ecx: number; edx: number }>();
  const at = (leaf: number): { eax: number; ebx: number; ecx: number; edx: number } => {
    const known = leaves.get(leaf);
    if (known !== undefined) return known;
    const fresh = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    leaves.set(leaf, fresh);
    return fresh;
  };
  Object.assign(at(0), { eax: 7, ebx: ascii(VENDOR, 0), edx: ascii(VENDOR, 4), ecx: ascii(VENDOR, 8) });
  Object.assign(at(1), { eax: SIGNATURE, ebx: CLFLUSH_LINE_8 | LOGICAL_PROCESSORS_1 });
  at(1).edx |= PSE | PAE | APIC | MTRR | PGE | PAT | PSE36;
  at(1).ecx |= HYPERVISOR;
  at(7).edx |= ARCH_CAPABILITIES;
  Object.assign(at(0x80000000), { eax: 0x80000008 });
  at(0x80000001).edx |= NX;
  for (let i = 0; i < 3; i++) {
    const text = BRAND.padEnd(48, "\0");
    const from = 16 * i;
    Object.assign(at(0x80000002 + i), {
      eax: ascii(text, from),
      ebx: ascii(text, from + 4),
      ecx: ascii(text, from + 8),
      edx: ascii(text, from + 12),
    });
  }
  // 40 physical and 48 linear address bits.
  Object.assign(at(0x80000008), { eax: 0x3028 });
  for (const feature of features) {
    const place = featureBits[feature];
    if (place !== undefined) at(place[0])[place[1]] |= 1 << place[2];
  }
  return [...leaves].map(([leaf, registers]) => ({ leaf, ...registers }));
}

/** The default CPU model. */
export function cpuModel(): CpuModel {
  const features: ReadonlySet<Feature> = new Set(v2);
  return { name: "v2", features, cpuid: () => leavesOf(features) };
}
