// The vCPU this core serves: the base address of its state block and short names for its fields.
// layout.ts says where each field lies; S + OFFSET is its address.
import * as L from "../layout";

/**
 * Address of this vCPU's state block. It is a constant of the compiled core, so that a register's address is no sum
 * (docs/engine.md); the core of a second vCPU is to be compiled with another one.
 */
export const S: u32 = L.VCPU_BASE;

@inline
export function get32(offset: u32): u32 {
  return load<u32>(S + offset);
}

@inline
export function set32(offset: u32, value: u32): void {
  store<u32>(S + offset, value);
}

@inline
export function get64(offset: u32): u64 {
  return load<u64>(S + offset);
}

@inline
export function set64(offset: u32, value: u64): void {
  store<u64>(S + offset, value);
}

/**
 * What one run() may cost beyond its instructions, in units of about a nanosecond. Some instructions cost a thousand
 * times what others do, and while the processor runs nothing else is served: a slice has to stay short whatever the
 * guest makes of it.
 */
const WORK_MAX: i32 = 1_000_000;
/** Roughly measured. */
export const COST_DEVICE_ACCESS: i32 = 100;
export const COST_DELIVERY: i32 = 100;
export const COST_JUMP_CACHE_FLUSH: i32 = 10000;
export const COST_TLB_FLUSH: i32 = 2000;
/** Loading CR3, with a log of what has to go; for each entry of a log; all of the TLBs, for want of a log. */
export const COST_CR3_LOAD: i32 = 100;
export const COST_LOGGED_ENTRY: i32 = 3;
export const COST_TLB_SCAN: i32 = 15000;
export const COST_TRANSLATION: i32 = 5000;

let work: i32 = 0;
export function beginWork(): void {
  work = 0;
}
export function isWorkDone(): bool {
  return work >= WORK_MAX;
}

/** Ends the running block loop at the next block boundary. */
export function stopSoon(): void {
  const left = <i32>get32(L.BUDGET);
  set32(L.BUDGET_GIVEN, get32(L.BUDGET_GIVEN) - left);
  set32(L.BUDGET, 0);
}

/** Notes what costs the host much more than an instruction does; too much of it ends the slice. */
export function charge(cost: i32): void {
  work += cost;
  if (work >= WORK_MAX && <i32>get32(L.BUDGET) > 0) stopSoon();
}

/** Records an exception with an error code; helpers return the result: 1, "a fault is pending". */
export function raiseWithError(vector: u32, error: u32): u32 {
  set32(L.FAULT_VECTOR, vector);
  set32(L.FAULT_HAS_ERROR, 1);
  set32(L.FAULT_ERROR, error);
  return 1;
}

/** Records an exception without an error code; see raiseWithError. */
export function raise(vector: u32): u32 {
  set32(L.FAULT_VECTOR, vector);
  set32(L.FAULT_HAS_ERROR, 0);
  set32(L.FAULT_ERROR, 0);
  return 1;
}

export const VECTOR_DE: u32 = 0;
export const VECTOR_DB: u32 = 1;
export const VECTOR_NMI: u32 = 2;
export const VECTOR_BP: u32 = 3;
export const VECTOR_OF: u32 = 4;
export const VECTOR_BR: u32 = 5;
export const VECTOR_UD: u32 = 6;
export const VECTOR_NM: u32 = 7;
export const VECTOR_DF: u32 = 8;
export const VECTOR_TS: u32 = 10;
export const VECTOR_NP: u32 = 11;
export const VECTOR_SS: u32 = 12;
export const VECTOR_GP: u32 = 13;
export const VECTOR_PF: u32 = 14;
export const VECTOR_MF: u32 = 16;
export const VECTOR_AC: u32 = 17;
export const VECTOR_XM: u32 = 19;

/** No #DB follows the single-stepped instruction: it entered a handler or SYSCALL's target without TF, or loaded SS. */
export let stepOver: bool = false;
export function setStepOver(value: bool): void {
  stepOver = value;
}
