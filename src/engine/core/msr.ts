// Model-specific registers and the time-stamp counter: RDMSR, WRMSR, RDTSC, RDTSCP, RDPMC. SDM 4, SDM 3A 17.17 (TSC).
// What the registers are is declared in x86/msr-table.ts and printed into msrs.gen; here are the few whose meaning is a
// function. MSRs that the table does not know are the host's (the paravirtual clock…); those that it does not know
// either raise #GP(0).
//
// Deliberately missing: performance counters (RDPMC raises #GP(0)).
import * as L from "../layout";
import { S, get32, get64, set64, raiseWithError, VECTOR_GP } from "./state";
import { nowNs, readMsr, tscOffsetChanged, writeMsr } from "./host";
import * as C from "./control-bits";
import { flushTlb } from "./tlb";
import { updateMode } from "./mode";
import { cpuidEdx } from "./cpuid";
import { MSR_DONE, MSR_FUNCTION, MSR_MACHINE, msrValue, readDeclared, resetDeclared, writeDeclared } from "./msrs.gen";

const IA32_TSC: u32 = 0x10;
const IA32_TSC_ADJUST: u32 = 0x3b;

/** The time-stamp counter: guest nanoseconds, so 1 GHz. */
export function readTsc(): u64 {
  return <u64>nowNs() + get64(L.TSC_OFFSET);
}

function setTscOffset(offset: u64): void {
  set64(L.TSC_OFFSET, offset);
  tscOffsetChanged(<u32>offset, <u32>(offset >> 32));
}

/** RESET: the TSC begins at 0, and every other register as declared. */
export function resetMsrs(): void {
  resetDeclared();
  set64(L.TSC_ADJUST, 0);
  setTscOffset(0 - <u64>nowNs());
}

/** TSC_ADJUST is the sum of what WRMSR has added to the counter, by way of either register. SDM 3A 17.17.3. */
function moveTsc(delta: u64): void {
  set64(L.TSC_ADJUST, get64(L.TSC_ADJUST) + delta);
  setTscOffset(get64(L.TSC_OFFSET) + delta);
}

let value: u64 = 0;

/** Reads an MSR into `value`; false for #GP(0). */
function read(index: u32): bool {
  const kind = readDeclared(index);
  if (kind == MSR_DONE) value = msrValue;
  else if (kind == MSR_MACHINE) {
    if (!readMsr(index)) return false;
    value = load<u64>(S + L.SCRATCH);
  } else if (kind == MSR_FUNCTION) {
    value = index == IA32_TSC ? readTsc() : index == IA32_TSC_ADJUST ? get64(L.TSC_ADJUST) : get64(L.EFER);
  } else return false;
  return true;
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

/** Writes an MSR; false for #GP(0). */
function write(index: u32, value: u64): bool {
  const kind = writeDeclared(index, value);
  if (kind == MSR_DONE) return true;
  if (kind == MSR_MACHINE) return writeMsr(index, <u32>value, <u32>(value >> 32)) != 0;
  if (kind != MSR_FUNCTION) return false;
  if (index == IA32_TSC) moveTsc(value - readTsc());
  else if (index == IA32_TSC_ADJUST) moveTsc(value - get64(L.TSC_ADJUST));
  else return writeEfer(value);
  return true;
}

export function h_rdmsr(d: u32, s: u32, imm: i32): u32 {
  if (get32(L.CPL) != 0 || !read(<u32>get64(L.GPR_RCX))) return raiseWithError(VECTOR_GP, 0);
  set64(L.GPR_RAX, <u32>value);
  set64(L.GPR_RDX, value >> 32);
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

export function h_rdpid(d: u32, s: u32, imm: i32): u32 {
  store<u64>(S + d, get64(L.MSR_TSC_AUX));
  return 0;
}

export function h_rdpmc(d: u32, s: u32, imm: i32): u32 {
  return raiseWithError(VECTOR_GP, 0);
}
