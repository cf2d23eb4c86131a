// Model-specific registers and the time-stamp counter: RDMSR, WRMSR, RDTSC, RDTSCP, RDPMC. SDM 4 (numbers and
// fields), SDM 3A 11.11 (MTRRs), 17.17 (TSC). MSRs not listed here are the host's (APIC_BASE and x2APIC, the
// paravirtual clock…); those that it does not know either raise #GP(0).
//
// Deliberately missing: performance counters (RDPMC raises #GP(0)); memory types have no effect.
import * as L from "../layout";
import { S, get32, get64, set64, raiseWithError, VECTOR_GP } from "./state";
import { nowNs, readMsr, tscOffsetChanged, writeMsr } from "./host";
import * as C from "./control-bits";
import { flushTlb, isCanonical } from "./paging";
import { updateMode } from "./mode";
import { cpuidEdx } from "./cpuid";

const IA32_TSC: u32 = 0x10;
const IA32_PLATFORM_ID: u32 = 0x17;
const IA32_BIOS_SIGN_ID: u32 = 0x8b;
const IA32_MTRRCAP: u32 = 0xfe;
const IA32_SYSENTER_CS: u32 = 0x174;
const IA32_SYSENTER_ESP: u32 = 0x175;
const IA32_SYSENTER_EIP: u32 = 0x176;
const IA32_MCG_CAP: u32 = 0x179;
const IA32_MCG_STATUS: u32 = 0x17a;
const IA32_MISC_ENABLE: u32 = 0x1a0;
const IA32_DEBUGCTL: u32 = 0x1d9;
const IA32_MTRR_PHYSBASE0: u32 = 0x200;
const IA32_MTRR_FIX64K: u32 = 0x250;
const IA32_MTRR_FIX16K: u32 = 0x258;
const IA32_MTRR_FIX4K: u32 = 0x268;
const IA32_PAT: u32 = 0x277;
const IA32_MTRR_DEF_TYPE: u32 = 0x2ff;
const IA32_EFER: u32 = 0xc0000080;
const IA32_STAR: u32 = 0xc0000081;
const IA32_LSTAR: u32 = 0xc0000082;
const IA32_CSTAR: u32 = 0xc0000083;
const IA32_FMASK: u32 = 0xc0000084;
const IA32_FS_BASE: u32 = 0xc0000100;
const IA32_ARCH_CAPABILITIES: u32 = 0x10a;
const IA32_GS_BASE: u32 = 0xc0000101;
const IA32_KERNEL_GS_BASE: u32 = 0xc0000102;
const IA32_TSC_AUX: u32 = 0xc0000103;

/** Write-combining, fixed ranges, eight variable ranges. */
const MTRRCAP: u64 = 0x508;
const MTRR_VARIABLE_MSRS: u32 = 16;
/** No microcode update has ever been loaded; Linux wants a revision that is not 0 all the same. */
const MICROCODE_REVISION: u64 = 1 << 32;

/** The time-stamp counter: guest nanoseconds, so 1 GHz. */
export function readTsc(): u64 {
  return <u64>nowNs() + get64(L.TSC_OFFSET);
}

export function writeTsc(value: u64): void {
  const offset = value - <u64>nowNs();
  set64(L.TSC_OFFSET, offset);
  tscOffsetChanged(<u32>offset, <u32>(offset >> 32));
}

/** Offset in the state block of an MSR that is a plain 64-bit field, or 0. */
function fieldOf(index: u32): u32 {
  switch (index) {
    case IA32_SYSENTER_CS:
      return L.MSR_SYSENTER_CS;
    case IA32_SYSENTER_ESP:
      return L.MSR_SYSENTER_ESP;
    case IA32_SYSENTER_EIP:
      return L.MSR_SYSENTER_EIP;
    case IA32_MISC_ENABLE:
      return L.MSR_MISC_ENABLE;
    case IA32_PAT:
      return L.MSR_PAT;
    case IA32_MTRR_DEF_TYPE:
      return L.MSR_MTRR_DEF_TYPE;
    case IA32_STAR:
      return L.MSR_STAR;
    case IA32_LSTAR:
      return L.MSR_LSTAR;
    case IA32_CSTAR:
      return L.MSR_CSTAR;
    case IA32_FMASK:
      return L.MSR_FMASK;
    case IA32_FS_BASE:
      return L.SEG_BASE + 8 * L.SEG_FS;
    case IA32_GS_BASE:
      return L.SEG_BASE + 8 * L.SEG_GS;
    case IA32_KERNEL_GS_BASE:
      return L.MSR_KERNEL_GS_BASE;
    case IA32_TSC_AUX:
      return L.MSR_TSC_AUX;
    case IA32_MTRR_FIX64K:
      return L.MSR_MTRR_FIXED;
    default:
      if (index - IA32_MTRR_PHYSBASE0 < MTRR_VARIABLE_MSRS) return L.MSR_MTRR_VARIABLE + ((index - IA32_MTRR_PHYSBASE0) << 3);
      if (index - IA32_MTRR_FIX16K < 2) return L.MSR_MTRR_FIXED + 8 + ((index - IA32_MTRR_FIX16K) << 3);
      if (index - IA32_MTRR_FIX4K < 8) return L.MSR_MTRR_FIXED + 24 + ((index - IA32_MTRR_FIX4K) << 3);
      return 0;
  }
}

/**
 * The translated processor does not speculate over its guest's privilege checks: RDCL_NO, SKIP_L1DFL_VMENTRY, SSB_NO,
 * MDS_NO, PSCHANGE_MC_NO, TAA_NO (bits 0, 3–6, 8). Without them an operating system isolates its page tables in vain.
 */
const ARCH_CAPABILITIES: u64 = 0x179;

let msrValue: u64 = 0;

/** Reads an MSR into msrValue; false if there is none. */
function read(index: u32): bool {
  const field = fieldOf(index);
  if (field) {
    msrValue = get64(field);
    return true;
  }
  switch (index) {
    case IA32_TSC:
      msrValue = readTsc();
      return true;
    case IA32_EFER:
      msrValue = get64(L.EFER);
      return true;
    case IA32_MTRRCAP:
      msrValue = MTRRCAP;
      return true;
    case IA32_BIOS_SIGN_ID:
      msrValue = MICROCODE_REVISION;
      return true;
    // One kind of socket; no machine-check banks; no branch tracing.
    case IA32_PLATFORM_ID:
    case IA32_MCG_CAP:
    case IA32_MCG_STATUS:
    case IA32_DEBUGCTL:
      msrValue = 0;
      return true;
    case IA32_ARCH_CAPABILITIES:
      msrValue = ARCH_CAPABILITIES;
      return true;
    default:
      if (!readMsr(index)) return false;
      msrValue = load<u64>(S + L.SCRATCH);
      return true;
  }
}

function writeEfer(value: u64): bool {
  const features = cpuidEdx(0x80000001);
  let writable: u64 = 0;
  if (features & (1 << 11)) writable |= C.EFER_SCE;
  if (features & (1 << 20)) writable |= C.EFER_NXE;
  if (features & (1 << 29)) writable |= C.EFER_LME;
  const old = get64(L.EFER);
  if (value & ~(writable | C.EFER_LMA)) return false;
  const changed = (value ^ old) & writable;
  if (changed & C.EFER_LME && get64(L.CR0) & C.CR0_PG) return false;
  set64(L.EFER, old ^ changed);
  if (changed & C.EFER_NXE) flushTlb();
  updateMode();
  return true;
}

/** Memory types that exist: UC WC WT WP WB; for PAT also UC-. */
function isMemoryType(type: u64, pat: bool): bool {
  return type == 0 || type == 1 || (type >= 4 && type <= 6) || (pat && type == 7);
}

/** Eight bytes, each a memory type. */
function areMemoryTypes(value: u64, pat: bool): bool {
  for (let i: u64 = 0; i < 64; i += 8) {
    if (!isMemoryType((value >> i) & 0xff, pat)) return false;
  }
  return true;
}

/** Whether a plain field may take this value. */
function isAcceptable(index: u32, value: u64): bool {
  switch (index) {
    case IA32_SYSENTER_ESP:
    case IA32_SYSENTER_EIP:
    case IA32_LSTAR:
    case IA32_CSTAR:
    case IA32_FS_BASE:
    case IA32_GS_BASE:
    case IA32_KERNEL_GS_BASE:
      return isCanonical(value);
    case IA32_TSC_AUX:
      return value >> 32 == 0;
    case IA32_PAT:
      return areMemoryTypes(value, true);
    case IA32_MTRR_DEF_TYPE:
      return (value & ~(<u64>0xcff)) == 0 && isMemoryType(value & 0xff, false);
    default:
      if (index >= IA32_MTRR_FIX64K && index < IA32_MTRR_FIX4K + 8) return areMemoryTypes(value, false);
      return true;
  }
}

/** Writes an MSR; false for #GP(0). */
function write(index: u32, value: u64): bool {
  const field = fieldOf(index);
  if (field) {
    if (!isAcceptable(index, value)) return false;
    set64(field, value);
    return true;
  }
  switch (index) {
    case IA32_TSC:
      writeTsc(value);
      return true;
    case IA32_EFER:
      return writeEfer(value);
    case IA32_PLATFORM_ID:
    case IA32_MTRRCAP:
    case IA32_MCG_CAP:
    case IA32_ARCH_CAPABILITIES:
      return false;
    // Loading microcode and clearing a status that is always clear do nothing.
    case IA32_BIOS_SIGN_ID:
    case IA32_MCG_STATUS:
      return true;
    case IA32_DEBUGCTL:
      return value == 0;
    default:
      return writeMsr(index, <u32>value, <u32>(value >> 32)) != 0;
  }
}

export function h_rdmsr(d: u32, s: u32, imm: i32): u32 {
  if (get32(L.CPL) != 0 || !read(<u32>get64(L.GPR_RCX))) return raiseWithError(VECTOR_GP, 0);
  set64(L.GPR_RAX, <u32>msrValue);
  set64(L.GPR_RDX, msrValue >> 32);
  return 0;
}

export function h_wrmsr(d: u32, s: u32, imm: i32): u32 {
  if (get32(L.CPL) != 0) return raiseWithError(VECTOR_GP, 0);
  const value = (get64(L.GPR_RDX) << 32) | <u32>get64(L.GPR_RAX);
  return write(<u32>get64(L.GPR_RCX), value) ? 0 : raiseWithError(VECTOR_GP, 0);
}

function readTscInto(): u32 {
  if (get64(L.CR4) & C.CR4_TSD && get32(L.CPL) != 0) return raiseWithError(VECTOR_GP, 0);
  const tsc = readTsc();
  set64(L.GPR_RAX, <u32>tsc);
  set64(L.GPR_RDX, tsc >> 32);
  return 0;
}

export function h_rdtsc(d: u32, s: u32, imm: i32): u32 {
  return readTscInto();
}

export function h_rdtscp(d: u32, s: u32, imm: i32): u32 {
  if (readTscInto()) return 1;
  set64(L.GPR_RCX, <u32>get64(L.MSR_TSC_AUX));
  return 0;
}

export function h_rdpmc(d: u32, s: u32, imm: i32): u32 {
  return raiseWithError(VECTOR_GP, 0);
}
