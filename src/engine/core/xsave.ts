// The XSAVE feature set: XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV and XSETBV (SDM vol. 1 chapter 13). The components that
// exist, with their places, are what CPUID leaf 0DH says (cpu/xsave-components.ts); here stands where each is kept.
//
// s: slot with the linear address; imm: 64 for the REX.W forms, else 32. The init optimization is exact; the modified
// optimization, which lets XSAVEOPT leave out what has not changed since XRSTOR, is not made. Restartable: whatever may
// fault does so before registers or memory change, except that a store into translated code begins again.
//
// Deliberately missing: XSAVES, XRSTORS and IA32_XSS (there is no supervisor state to save); components beyond SSE.
import * as L from "../layout";
import * as C from "./control-bits";
import { xcr0Supported, hasXgetbv1, hasXsavec } from "./cpuid";
import { offsetAddress, probeStore } from "./fpu-memory";
import {
  MXCSR_AT,
  MXCSR_INITIAL,
  REGISTERS_AT,
  XMM_AT,
  initializeMxcsr,
  initializeX87,
  initializeXmm,
  isMxcsr,
  isX87Initial,
  isXmmInitial,
  loadX87,
  loadXmm,
  saveMxcsr,
  saveX87,
  saveXmm,
  xmmEnd,
} from "./legacy-region";
import { readable, tlbLookup, writeMem } from "./memory";
import { NO_ADDRESS } from "./paging";
import { VECTOR_GP, VECTOR_NM, VECTOR_UD, get32, get64, raise, raiseWithError, set32, set64 } from "./state";

const X87: u64 = 1;
const SSE: u64 = 2;
/** MXCSR is saved and loaded for AVX too. */
const AVX: u64 = 4;

const HEADER_AT: u32 = 512;
const XSTATE_BV_AT: u32 = 512;
const XCOMP_BV_AT: u32 = 520;
const COMPACTED: u64 = 1 << 63;
/** The legacy region and the header. */
const AREA: u32 = 576;

/** Stands in for an area that does not lie in one page of RAM. */
const staging: usize = memory.data(AREA, 16);

/** EDX:EAX. */
@inline
function pair(): u64 {
  return (get64(L.GPR_RDX) << 32) | <u64>get32(L.GPR_RAX);
}

/** Components of XCR0 that are not in their initial configuration. */
function inUse(): u64 {
  return (isX87Initial() ? 0 : X87) | (isXmmInitial() ? 0 : SSE);
}

/** As XSAVEC and XGETBV see it: an MXCSR that is not 1F80H is SSE state in use. */
@inline
function inUseWithMxcsr(): u64 {
  return inUse() | (get32(L.MXCSR) != MXCSR_INITIAL ? SSE : 0);
}

/** Before the operand's address is computed: #UD unless the operating system has turned the set on, #NM. */
export function h_xsave_check(d: u32, s: u32, imm: i32): u32 {
  if (!(get64(L.CR4) & C.CR4_OSXSAVE)) return raise(VECTOR_UD);
  if (get64(L.CR0) & C.CR0_TS) return raise(VECTOR_NM);
  return 0;
}

// ---- Saving -----------------------------------------------------------------------------------------------------
/** The area itself if it is one piece of RAM that may be written, else the staging area; 0 with a fault pending. */
function openForWriting(va: u64): usize {
  if ((va & 63) != 0) {
    raiseWithError(VECTOR_GP, 0);
    return 0;
  }
  const tlb: u32 = get32(L.CPL) == 3 ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE;
  let hva = tlbLookup(tlb, va, AREA);
  if (hva == NO_ADDRESS) {
    if (probeStore(va, AREA) != 0) return 0;
    hva = tlbLookup(tlb, va, AREA);
  }
  return hva == NO_ADDRESS ? staging : hva;
}

/** Stores bytes [from, to) of the staging area, both multiples of 8; 1 if a fault is pending. */
function writeOut(va: u64, from: u32, to: u32): u32 {
  for (let at = from; at < to; at += 8) {
    if (writeMem<u64>(offsetAddress(va, at), load<u64>(staging + at)) != 0) return 1;
  }
  return 0;
}

/** Saves components, MXCSR if asked to, and the header's first `headerBytes` from the two words. */
function save(va: u64, p: usize, components: u64, mxcsr: bool, wide: bool): u32 {
  if (components & X87) saveX87(p, wide);
  if (mxcsr) saveMxcsr(p);
  if (components & SSE) saveXmm(p);
  if (p != staging) return 0;
  if (components & X87 && (writeOut(va, 0, MXCSR_AT) != 0 || writeOut(va, REGISTERS_AT, XMM_AT) != 0)) return 1;
  if (mxcsr && writeOut(va, MXCSR_AT, REGISTERS_AT) != 0) return 1;
  return components & SSE ? writeOut(va, XMM_AT, xmmEnd()) : 0;
}

/** XSAVE and, with the init optimization, XSAVEOPT: the standard format. */
function saveStandard(va: u64, wide: bool, optimized: bool): u32 {
  const p = openForWriting(va);
  if (p == 0) return 1;
  const header = readable<u64>(offsetAddress(va, XSTATE_BV_AT));
  if (header == NO_ADDRESS) return 1;
  const before = load<u64>(header);
  const requested = get64(L.XCR0) & pair();
  const used = inUse();
  if (save(va, p, optimized ? requested & used : requested, (requested & (SSE | AVX)) != 0, wide) != 0) return 1;
  const after = (before & ~requested) | (requested & used);
  store<u64>(p, after, XSTATE_BV_AT);
  return p == staging ? writeOut(va, XSTATE_BV_AT, XSTATE_BV_AT + 8) : 0;
}

export function h_xsave(d: u32, s: u32, imm: i32): u32 {
  return saveStandard(get64(s), imm == 64, false);
}

export function h_xsaveopt(d: u32, s: u32, imm: i32): u32 {
  return saveStandard(get64(s), imm == 64, true);
}

/** The compacted format; MXCSR counts as SSE state here. */
export function h_xsavec(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  const p = openForWriting(va);
  if (p == 0) return 1;
  const requested = get64(L.XCR0) & pair();
  const components = requested & inUseWithMxcsr();
  if (save(va, p, components, (components & SSE) != 0, imm == 64) != 0) return 1;
  store<u64>(p, components, XSTATE_BV_AT);
  store<u64>(p, COMPACTED | requested, XCOMP_BV_AT);
  return p == staging ? writeOut(va, HEADER_AT, HEADER_AT + 16) : 0;
}

// ---- Restoring --------------------------------------------------------------------------------------------------
/** The area, or a copy of it in the staging area; 0 with a fault pending. */
function openForReading(va: u64): usize {
  const tlb: u32 = get32(L.CPL) == 3 ? L.TLB_USER_READ : L.TLB_KERNEL_READ;
  const hva = tlbLookup(tlb, va, AREA);
  if (hva != NO_ADDRESS) return hva;
  for (let at: u32 = 0; at < AREA; at += 8) {
    const from = readable<u64>(offsetAddress(va, at));
    if (from == NO_ADDRESS) return 0;
    store<u64>(staging + at, load<u64>(from));
  }
  return staging;
}

/** Whether the header at p is one that XRSTOR takes. */
function isHeader(p: usize): bool {
  const saved = load<u64>(p, XSTATE_BV_AT);
  const format = load<u64>(p, XCOMP_BV_AT);
  const enabled = get64(L.XCR0);
  if (format == 0) return (saved & ~enabled) == 0 && load<u64>(p, XCOMP_BV_AT + 8) == 0;
  if (!(format & COMPACTED) || !hasXsavec()) return false;
  if (format & ~COMPACTED & ~enabled || saved & ~(format & ~COMPACTED)) return false;
  for (let at = XCOMP_BV_AT + 8; at < AREA; at += 8) {
    if (load<u64>(p + at) != 0) return false;
  }
  return true;
}

export function h_xrstor(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  if ((va & 63) != 0) return raiseWithError(VECTOR_GP, 0);
  const p = openForReading(va);
  if (p == 0) return 1;
  if (!isHeader(p)) return raiseWithError(VECTOR_GP, 0);
  const requested = get64(L.XCR0) & pair();
  const restored = requested & load<u64>(p, XSTATE_BV_AT);
  const isCompacted = load<u64>(p, XCOMP_BV_AT) != 0;
  // The standard form takes MXCSR from memory whatever the header says.
  const loadsMxcsr = isCompacted ? (restored & SSE) != 0 : (requested & (SSE | AVX)) != 0;
  const mxcsr = load<u32>(p, MXCSR_AT);
  if (loadsMxcsr && !isMxcsr(mxcsr)) return raiseWithError(VECTOR_GP, 0);
  if (restored & X87) loadX87(p, imm == 64);
  else if (requested & X87) initializeX87();
  if (restored & SSE) loadXmm(p);
  else if (requested & SSE) initializeXmm();
  if (loadsMxcsr) set32(L.MXCSR, mxcsr);
  else if (requested & SSE) initializeMxcsr();
  return 0;
}

// ---- XCR0 -------------------------------------------------------------------------------------------------------
export function h_xgetbv(d: u32, s: u32, imm: i32): u32 {
  if (!(get64(L.CR4) & C.CR4_OSXSAVE)) return raise(VECTOR_UD);
  const index = <u32>get64(L.GPR_RCX);
  if (index > 1 || (index == 1 && !hasXgetbv1())) return raiseWithError(VECTOR_GP, 0);
  const value = get64(L.XCR0) & (index == 0 ? <u64>-1 : inUseWithMxcsr());
  set64(L.GPR_RAX, <u32>value);
  set64(L.GPR_RDX, value >> 32);
  return 0;
}

export function h_xsetbv(d: u32, s: u32, imm: i32): u32 {
  if (!(get64(L.CR4) & C.CR4_OSXSAVE)) return raise(VECTOR_UD);
  if (get32(L.CPL) != 0) return raiseWithError(VECTOR_GP, 0);
  const value = pair();
  // x87 state is always on; AVX state needs SSE state.
  const avxAlone = (value & (SSE | AVX)) == AVX;
  if (<u32>get64(L.GPR_RCX) != 0 || value & ~xcr0Supported() || !(value & X87) || avxAlone) {
    return raiseWithError(VECTOR_GP, 0);
  }
  set64(L.XCR0, value);
  return 0;
}
