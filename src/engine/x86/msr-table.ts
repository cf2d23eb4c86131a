/**
 * The model-specific registers of the virtual processor, as data: number, name, what they hold after RESET, which bits
 * WRMSR may set and what a value must be (SDM 4, chapter 2; SDM 3A 11.11 MTRRs, 11.12 PAT, 15.3 machine check). From
 * these rows come RDMSR, WRMSR and RESET in the core (msr-module.ts prints them), and documentation can list them. An
 * MSR that is not here is the machine's, or nobody's: #GP(0).
 *
 * Deliberately missing: performance counters (leaf 0AH says version 0), VMX, SGX, x2APIC, RAPL and the last-branch
 * records; CPUID advertises none of them. Memory types and speculation controls are kept and have no effect; there are
 * no machine checks, so the banks stay empty.
 */
import { features, type CpuidPlace } from "../../cpu/index.ts";
import * as L from "../layout.ts";

/** What a value must be beside having no reserved bit: see core/msr-checks.ts. */
export type MsrCheck = "canonical" | "memoryTypes" | "patTypes" | "memoryType";

interface MsrRow {
  readonly index: number;
  /** As the SDM has it. */
  readonly name: string;
  /** It exists only if CPUID sets one of these bits. */
  readonly needs?: readonly CpuidPlace[];
}

/** A u64 of the state block. Setting a bit that is neither writable nor ignored raises #GP(0). */
export interface MsrField extends MsrRow {
  readonly kind: "field";
  readonly field: number;
  readonly reset: bigint;
  readonly writable: bigint;
  /** Read-only bits that WRMSR may set or clear without effect. */
  readonly ignored: bigint;
  /** Writable bits that are reserved unless CPUID sets the bit beside them. */
  readonly gated: readonly (readonly [bits: bigint, needs: CpuidPlace])[];
  readonly check: MsrCheck | undefined;
}

/** Always the same value. WRMSR raises #GP(0), or does so for any other value, or has no effect. */
export interface MsrConstant extends MsrRow {
  readonly kind: "constant";
  readonly value: bigint;
  readonly writes: "fault" | "same value" | "no effect";
}

/** Written only, without effect. Setting a bit that is not writable raises #GP(0). */
export interface MsrCommand extends MsrRow {
  readonly kind: "command";
  readonly writable: bigint;
}

/** Its meaning is a function of core/msr.ts. */
export interface MsrFunction extends MsrRow {
  readonly kind: "function";
}

/** It belongs to the machine around the processor (MachineBus.readMsr). */
export interface MsrOfMachine extends MsrRow {
  readonly kind: "machine";
}

export type Msr = MsrField | MsrConstant | MsrCommand | MsrFunction | MsrOfMachine;

const ALL = 0xffff_ffff_ffff_ffffn;
/** Of MAXPHYADDR 40. */
const PAGE_ADDRESS = 0xff_ffff_f000n;

interface FieldOptions {
  readonly reset?: bigint;
  readonly writable?: bigint;
  readonly ignored?: bigint;
  readonly gated?: MsrField["gated"];
  readonly check?: MsrCheck;
  readonly needs?: readonly CpuidPlace[];
}

const field = (index: number, name: string, offset: number, options: FieldOptions = {}): MsrField => ({
  kind: "field",
  index,
  name,
  field: offset,
  reset: 0n,
  writable: ALL,
  ignored: 0n,
  gated: [],
  check: undefined,
  ...options,
});
const canonical = (index: number, name: string, offset: number, needs: readonly CpuidPlace[]): MsrField =>
  field(index, name, offset, { check: "canonical", needs });
const constant = (
  index: number,
  name: string,
  value: bigint,
  writes: MsrConstant["writes"] = "fault",
  needs: readonly CpuidPlace[] = [],
): MsrConstant => ({ kind: "constant", index, name, value, writes, needs });
const range = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i);

/** Write-combining, fixed ranges, eight variable ranges. */
const VARIABLE_RANGES = 8;
const MTRRCAP = 0x500n | BigInt(VARIABLE_RANGES);
/** MCG_CTL_P and four banks. */
export const MACHINE_CHECK_BANKS = 4;
const MCG_CAP = 0x100n | BigInt(MACHINE_CHECK_BANKS);
/** No microcode update has ever been loaded; Linux wants a revision that is not 0 all the same. */
const MICROCODE_REVISION = 1n << 32n;
/**
 * Weaknesses that the processor does not have, by bit, and IBRS_ALL: IBRS, once set, is enough for all modes. A guest's
 * own mitigations (page table isolation, retpolines, return thunks, RSB filling, VERW) would act on its code, but what
 * runs is our translation, on which they do nothing but cost time. What protects VMs from one another is that each has
 * a process of its own, with the mitigations of the host's processor and kernel.
 */
const CAPABILITIES = {
  RDCL_NO: 0n,
  IBRS_ALL: 1n,
  SKIP_L1DFL_VMENTRY: 3n,
  SSB_NO: 4n,
  MDS_NO: 5n,
  PSCHANGE_MC_NO: 6n,
  TAA_NO: 8n,
  SBDR_SSDP_NO: 13n,
  FBSDP_NO: 14n,
  PSDP_NO: 15n,
  BHI_NO: 20n,
  PBRSB_NO: 24n,
  GDS_NO: 26n,
  RFDS_NO: 27n,
  ITS_NO: 62n,
};
const ARCH_CAPABILITIES = Object.values(CAPABILITIES).reduce((all, bit) => all | (1n << bit), 0n);
/** Kept and without effect: there is one logical processor, and no prediction that survives a translation. */
const IBRS = 1n;
const STIBP = 2n;
const SSBD = 4n;
const BHI_DIS_S = 1n << 10n;
const IBPB = 1n;
/** The TSC's 1 GHz as a multiple of 100 MHz: highest ratio without turbo, and lowest. */
const PLATFORM_INFO = (10n << 8n) | (10n << 40n);
/** Bit 0: set by firmware for good, with nothing enabled. */
const FEATURE_CONTROL_LOCKED = 1n;
/** Fast strings; neither branch trace store nor precise event sampling. */
const FAST_STRINGS = 1n;
const TRACE_UNAVAILABLE = 3n << 11n;
/** WB WT UC- UC, twice. */
const PAT_RESET = 0x0007_0406_0007_0406n;

const LONG_MODE = [features.lm.cpuid];
const SYSCALL = [features.syscall.cpuid];
const SYSENTER = [features.sep.cpuid];

const segmentBase = (segment: number): number => L.SEG_BASE + 8 * segment;

/** Those that a change of tasks touches come first: the core looks from the start. */
export const msrs: readonly Msr[] = [
  canonical(0xc0000100, "IA32_FS_BASE", segmentBase(L.SEG_FS), LONG_MODE),
  canonical(0xc0000101, "IA32_GS_BASE", segmentBase(L.SEG_GS), LONG_MODE),
  canonical(0xc0000102, "IA32_KERNEL_GS_BASE", L.MSR_KERNEL_GS_BASE, LONG_MODE),
  { kind: "machine", index: 0x6e0, name: "IA32_TSC_DEADLINE", needs: [features.tsc_deadline.cpuid] },
  { kind: "function", index: 0x10, name: "IA32_TIME_STAMP_COUNTER" },
  { kind: "function", index: 0x3b, name: "IA32_TSC_ADJUST", needs: [features.tsc_adjust.cpuid] },
  { kind: "machine", index: 0x1b, name: "IA32_APIC_BASE" },

  { kind: "function", index: 0xc0000080, name: "IA32_EFER" },
  field(0xc0000081, "IA32_STAR", L.MSR_STAR, { needs: SYSCALL }),
  canonical(0xc0000082, "IA32_LSTAR", L.MSR_LSTAR, SYSCALL),
  canonical(0xc0000083, "IA32_CSTAR", L.MSR_CSTAR, SYSCALL),
  field(0xc0000084, "IA32_FMASK", L.MSR_FMASK, { writable: 0xffff_ffffn, needs: SYSCALL }),
  field(0xc0000103, "IA32_TSC_AUX", L.MSR_TSC_AUX, {
    writable: 0xffff_ffffn,
    needs: [features.rdtscp.cpuid, features.rdpid.cpuid],
  }),
  field(0x174, "IA32_SYSENTER_CS", L.MSR_SYSENTER_CS, { needs: SYSENTER }),
  canonical(0x175, "IA32_SYSENTER_ESP", L.MSR_SYSENTER_ESP, SYSENTER),
  canonical(0x176, "IA32_SYSENTER_EIP", L.MSR_SYSENTER_EIP, SYSENTER),

  constant(0x00, "IA32_P5_MC_ADDR", 0n, "no effect", [features.mce.cpuid]),
  constant(0x01, "IA32_P5_MC_TYPE", 0n, "no effect", [features.mce.cpuid]),
  constant(0x17, "IA32_PLATFORM_ID", 0n),
  constant(0x34, "MSR_SMI_COUNT", 0n),
  constant(0x3a, "IA32_FEATURE_CONTROL", FEATURE_CONTROL_LOCKED),
  // A processor with IBRS and without STIBP takes bit 1 all the same.
  field(0x48, "IA32_SPEC_CTRL", L.MSR_SPEC_CTRL, {
    writable: IBRS | STIBP | SSBD | BHI_DIS_S,
    gated: [
      [SSBD, features.ssbd.cpuid],
      [BHI_DIS_S, features.bhi_ctrl.cpuid],
    ],
    needs: [features.spec_ctrl.cpuid],
  }),
  { kind: "command", index: 0x49, name: "IA32_PRED_CMD", writable: IBPB, needs: [features.spec_ctrl.cpuid] },
  { kind: "command", index: 0x79, name: "IA32_BIOS_UPDT_TRIG", writable: ALL },
  constant(0x8b, "IA32_BIOS_SIGN_ID", MICROCODE_REVISION, "no effect"),
  constant(0xce, "MSR_PLATFORM_INFO", PLATFORM_INFO),
  constant(0x10a, "IA32_ARCH_CAPABILITIES", ARCH_CAPABILITIES, "fault", [features.arch_capabilities.cpuid]),
  constant(0x140, "MSR_MISC_FEATURES_ENABLES", 0n, "same value"),
  field(0x1a0, "IA32_MISC_ENABLE", L.MSR_MISC_ENABLE, {
    reset: FAST_STRINGS | TRACE_UNAVAILABLE,
    writable: FAST_STRINGS,
    ignored: TRACE_UNAVAILABLE,
  }),
  // BTF. There are no last-branch records and no branch trace.
  field(0x1d9, "IA32_DEBUGCTL", L.DEBUGCTL, { writable: 2n }),

  constant(0x179, "IA32_MCG_CAP", MCG_CAP, "fault", [features.mca.cpuid]),
  field(0x17a, "IA32_MCG_STATUS", L.MSR_MCG_STATUS, { writable: 7n, needs: [features.mca.cpuid] }),
  field(0x17b, "IA32_MCG_CTL", L.MSR_MCG_CTL, { needs: [features.mca.cpuid] }),
  ...range(MACHINE_CHECK_BANKS).flatMap((bank): Msr[] => [
    field(0x400 + 4 * bank, `IA32_MC${bank}_CTL`, L.MSR_MC_CTL + 8 * bank, { needs: [features.mca.cpuid] }),
    constant(0x401 + 4 * bank, `IA32_MC${bank}_STATUS`, 0n, "same value", [features.mca.cpuid]),
    constant(0x402 + 4 * bank, `IA32_MC${bank}_ADDR`, 0n, "same value", [features.mca.cpuid]),
    constant(0x403 + 4 * bank, `IA32_MC${bank}_MISC`, 0n, "same value", [features.mca.cpuid]),
  ]),

  field(0x277, "IA32_PAT", L.MSR_PAT, { reset: PAT_RESET, check: "patTypes" }),
  constant(0xfe, "IA32_MTRRCAP", MTRRCAP),
  field(0x2ff, "IA32_MTRR_DEF_TYPE", L.MSR_MTRR_DEF_TYPE, { writable: 0xcffn, check: "memoryType" }),
  ...range(VARIABLE_RANGES).flatMap((pair): Msr[] => [
    field(0x200 + 2 * pair, `IA32_MTRR_PHYSBASE${pair}`, L.MSR_MTRR_VARIABLE + 16 * pair, {
      writable: PAGE_ADDRESS | 0xffn,
      check: "memoryType",
    }),
    field(0x201 + 2 * pair, `IA32_MTRR_PHYSMASK${pair}`, L.MSR_MTRR_VARIABLE + 16 * pair + 8, {
      writable: PAGE_ADDRESS | 0x800n,
    }),
  ]),
  ...(
    [
      [0x250, "64K_00000"],
      [0x258, "16K_80000"],
      [0x259, "16K_A0000"],
      ...range(8).map((i) => [0x268 + i, `4K_${(0xc0000 + 0x8000 * i).toString(16).toUpperCase()}`] as const),
    ] as const
  ).map(([index, where], i) =>
    field(index, `IA32_MTRR_FIX${where}`, L.MSR_MTRR_FIXED + 8 * i, { check: "memoryTypes" }),
  ),
];
