/**
 * The features of the virtual processor, as data: where CPUID reports each, what it needs, and the first CPU model
 * that has it (SDM 2A, CPUID; x86-64 psABI, micro-architecture levels). The rows of the x86 table are gated by these
 * names, CPUID and `--cpu` are made from them, so that the three cannot disagree. A feature stands here when all of it
 * is implemented.
 */

export type CpuidRegister = "eax" | "ebx" | "ecx" | "edx";
/** Leaf, register and bit; the subleaf where the leaf has some. */
export type CpuidPlace = readonly [leaf: number, register: CpuidRegister, bit: number, subleaf?: number];

export const featureGroups = {
  base: "Base",
  integer: "General-purpose instructions",
  simd: "SIMD",
  crypto: "Cryptography",
  state: "State management",
  system: "Memory management and system",
} as const;
export type FeatureGroup = keyof typeof featureGroups;

interface FeatureRow<Name extends string> {
  readonly group: FeatureGroup;
  readonly cpuid: CpuidPlace;
  /** What the feature is: instructions, or what changes. */
  readonly what: string;
  /** The smallest model that has it; without, it is there only when it is asked for. */
  readonly since?: "v1" | "v2";
  /** Features without which this one does not work. */
  readonly needs?: readonly Name[];
  /** Part of every processor: cannot be turned off. */
  readonly always?: true;
}

const rows = {
  fpu: { group: "base", cpuid: [1, "edx", 0], what: "x87 floating point", since: "v1" },
  pse: { group: "base", cpuid: [1, "edx", 3], what: "pages of 4 MiB", since: "v1", always: true },
  tsc: { group: "base", cpuid: [1, "edx", 4], what: "RDTSC", since: "v1" },
  msr: { group: "base", cpuid: [1, "edx", 5], what: "RDMSR, WRMSR", since: "v1" },
  pae: { group: "base", cpuid: [1, "edx", 6], what: "physical addresses beyond 32 bits", since: "v1", always: true },
  cx8: { group: "base", cpuid: [1, "edx", 8], what: "CMPXCHG8B", since: "v1" },
  mce: { group: "base", cpuid: [1, "edx", 7], what: "machine-check exception", since: "v1" },
  mca: { group: "base", cpuid: [1, "edx", 14], what: "machine-check registers", since: "v1", needs: ["mce"] },
  apic: { group: "base", cpuid: [1, "edx", 9], what: "local APIC", since: "v1", always: true },
  sep: { group: "base", cpuid: [1, "edx", 11], what: "SYSENTER, SYSEXIT", since: "v1" },
  mtrr: { group: "base", cpuid: [1, "edx", 12], what: "memory type range registers", since: "v1", always: true },
  pge: { group: "base", cpuid: [1, "edx", 13], what: "global pages", since: "v1", always: true },
  cmov: { group: "base", cpuid: [1, "edx", 15], what: "CMOVcc, FCMOVcc, FCOMI", since: "v1" },
  pat: { group: "base", cpuid: [1, "edx", 16], what: "page attribute table", since: "v1", always: true },
  pse36: { group: "base", cpuid: [1, "edx", 17], what: "4 MiB pages beyond 4 GiB", since: "v1", always: true },
  clfsh: { group: "base", cpuid: [1, "edx", 19], what: "CLFLUSH", since: "v1" },
  syscall: { group: "base", cpuid: [0x80000001, "edx", 11], what: "SYSCALL, SYSRET in 64-bit mode", since: "v1", needs: ["lm"] },
  nx: { group: "base", cpuid: [0x80000001, "edx", 20], what: "pages that are not executable", since: "v1" },
  lm: { group: "base", cpuid: [0x80000001, "edx", 29], what: "64-bit mode", since: "v1" },

  cx16: { group: "integer", cpuid: [1, "ecx", 13], what: "CMPXCHG16B", since: "v2", needs: ["cx8", "lm"] },
  lahf64: { group: "integer", cpuid: [0x80000001, "ecx", 0], what: "LAHF, SAHF in 64-bit mode", since: "v2", needs: ["lm"] },
  popcnt: { group: "integer", cpuid: [1, "ecx", 23], what: "POPCNT", since: "v2" },
  movbe: { group: "integer", cpuid: [1, "ecx", 22], what: "MOVBE", since: "v2" },
  lzcnt: { group: "integer", cpuid: [0x80000001, "ecx", 5], what: "LZCNT; without it BSR", since: "v2" },
  bmi1: { group: "integer", cpuid: [7, "ebx", 3], what: "ANDN, BEXTR, BLSI, BLSMSK, BLSR, TZCNT (without it BSF)", since: "v2" },
  bmi2: { group: "integer", cpuid: [7, "ebx", 8], what: "BZHI, MULX, PDEP, PEXT, RORX, SARX, SHLX, SHRX", since: "v2" },
  adx: { group: "integer", cpuid: [7, "ebx", 19], what: "ADCX, ADOX", since: "v2" },
  prefetchw: { group: "integer", cpuid: [0x80000001, "ecx", 8], what: "PREFETCHW", since: "v2" },
  rdtscp: { group: "integer", cpuid: [0x80000001, "edx", 27], what: "RDTSCP", since: "v2", needs: ["tsc"] },
  rdpid: { group: "integer", cpuid: [7, "ecx", 22], what: "RDPID", since: "v2" },
  rdrand: { group: "integer", cpuid: [1, "ecx", 30], what: "RDRAND", since: "v2" },
  rdseed: { group: "integer", cpuid: [7, "ebx", 18], what: "RDSEED", since: "v2" },
  clflushopt: { group: "integer", cpuid: [7, "ebx", 23], what: "CLFLUSHOPT", since: "v2" },
  clwb: { group: "integer", cpuid: [7, "ebx", 24], what: "CLWB", since: "v2" },

  mmx: { group: "simd", cpuid: [1, "edx", 23], what: "MMX", since: "v1", needs: ["fpu"] },
  sse: { group: "simd", cpuid: [1, "edx", 25], what: "SSE", since: "v1", needs: ["mmx", "fxsr"] },
  sse2: { group: "simd", cpuid: [1, "edx", 26], what: "SSE2", since: "v1", needs: ["sse"] },
  sse3: { group: "simd", cpuid: [1, "ecx", 0], what: "SSE3", since: "v2", needs: ["sse2"] },
  ssse3: { group: "simd", cpuid: [1, "ecx", 9], what: "SSSE3", since: "v2", needs: ["sse3"] },
  sse4_1: { group: "simd", cpuid: [1, "ecx", 19], what: "SSE4.1", since: "v2", needs: ["ssse3"] },
  sse4_2: { group: "simd", cpuid: [1, "ecx", 20], what: "SSE4.2", since: "v2", needs: ["sse4_1"] },

  aes: { group: "crypto", cpuid: [1, "ecx", 25], what: "AESENC, AESDEC, AESIMC, AESKEYGENASSIST", since: "v2", needs: ["sse2"] },
  pclmulqdq: { group: "crypto", cpuid: [1, "ecx", 1], what: "PCLMULQDQ", since: "v2", needs: ["sse2"] },
  sha: { group: "crypto", cpuid: [7, "ebx", 29], what: "SHA-1 and SHA-256 rounds", since: "v2", needs: ["sse2"] },

  fxsr: { group: "state", cpuid: [1, "edx", 24], what: "FXSAVE, FXRSTOR", since: "v1", needs: ["fpu"] },
  xsave: { group: "state", cpuid: [1, "ecx", 26], what: "XSAVE, XRSTOR, XGETBV, XSETBV", since: "v2", needs: ["fxsr"] },
  xsaveopt: { group: "state", cpuid: [0xd, "eax", 0, 1], what: "XSAVEOPT", since: "v2", needs: ["xsave"] },
  xsavec: { group: "state", cpuid: [0xd, "eax", 1, 1], what: "XSAVEC, the compacted format", since: "v2", needs: ["xsave"] },
  xgetbv1: { group: "state", cpuid: [0xd, "eax", 2, 1], what: "XGETBV with ECX = 1", since: "v2", needs: ["xsave"] },

  arch_capabilities: { group: "system", cpuid: [7, "edx", 29], what: "IA32_ARCH_CAPABILITIES: which weaknesses it does not have", since: "v1", needs: ["spec_ctrl"] },
  spec_ctrl: { group: "system", cpuid: [7, "edx", 26], what: "IA32_SPEC_CTRL.IBRS, IA32_PRED_CMD", since: "v1" },
  stibp: { group: "system", cpuid: [7, "edx", 27], what: "IA32_SPEC_CTRL.STIBP", since: "v1", needs: ["spec_ctrl"] },
  ssbd: { group: "system", cpuid: [7, "edx", 31], what: "IA32_SPEC_CTRL.SSBD", since: "v1", needs: ["spec_ctrl"] },
  bhi_ctrl: { group: "system", cpuid: [7, "edx", 4, 2], what: "IA32_SPEC_CTRL.BHI_DIS_S", since: "v1", needs: ["spec_ctrl"] },
  fsgsbase: { group: "system", cpuid: [7, "ebx", 0], what: "RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE", since: "v2", needs: ["lm"] },
  pcid: { group: "system", cpuid: [1, "ecx", 17], what: "process-context identifiers", needs: ["lm"] },
  invpcid: { group: "system", cpuid: [7, "ebx", 10], what: "INVPCID", since: "v2" },
  tsc_deadline: { group: "system", cpuid: [1, "ecx", 24], what: "TSC-deadline mode of the APIC timer", since: "v2", needs: ["tsc"] },
  tsc_adjust: { group: "system", cpuid: [7, "ebx", 1], what: "IA32_TSC_ADJUST", since: "v2", needs: ["tsc"] },
  smep: { group: "system", cpuid: [7, "ebx", 7], what: "supervisors do not execute user pages", since: "v2" },
  smap: { group: "system", cpuid: [7, "ebx", 20], what: "CLAC, STAC; supervisor access to user pages faults", since: "v2" },
  umip: { group: "system", cpuid: [7, "ecx", 2], what: "SGDT, SIDT, SLDT, STR, SMSW fault outside ring 0", since: "v2" },
  pdpe1gb: { group: "system", cpuid: [0x80000001, "edx", 26], what: "pages of 1 GiB", since: "v2", needs: ["lm"] },
} as const; // prettier-ignore

export type Feature = keyof typeof rows;
/** The table with every optional field visible; a misspelt name in `needs` does not compile here. */
export const features: Readonly<Record<Feature, FeatureRow<Feature>>> = rows;

/** Whether a text is the name of a feature. */
export const isFeature = (name: string): name is Feature => Object.hasOwn(rows, name);
export const featureNames: readonly Feature[] = Object.keys(rows).filter(isFeature);

/** Other names of features, and names for several together, as people write them after + and -. */
export const featureAliases: Readonly<Record<string, readonly Feature[]>> = {
  sse4: ["sse4_1", "sse4_2"],
  abm: ["lzcnt"],
  pni: ["sse3"],
  lahf_lm: ["lahf64"],
  clflush: ["clfsh"],
  "3dnowprefetch": ["prefetchw"],
};
