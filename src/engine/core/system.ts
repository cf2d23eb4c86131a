// Control registers, and the instructions about interrupts and flags. SDM 3A 2.5 (control registers), 9.9 (mode
// switching), 4.4.1 (PAE pointers).
//
// Deliberately missing: CR4.VME and PVI.
import * as L from "../layout";
import { S, get32, get64, set32, set64, raise, raiseWithError, VECTOR_GP, VECTOR_UD } from "./state";
import { taskPriorityChanged } from "./host";
import * as C from "./control-bits";
import { armBreakpoints } from "./debug";
import { PHYSICAL_ADDRESS_BITS, NO_ADDRESS, isCanonical, loadPaePointers, usesPaePointers } from "./paging";
import { closeWindow, flushTlb, flushTlbNonGlobal, invalidatePage } from "./tlb";
import { asStackFault, readable128, writeMem } from "./memory";
import { attributesOf, is64Bit, isLongMode, isRealMode, updateMode } from "./mode";
import { flagsChangeable, ioPrivilege, isVirtual8086, readFlags, writeFlags } from "./rflags";
import { commitStack, openStack, popValue, popped, pushAddress, reservePush } from "./stack";
import { cpuidEbx, cpuidEcx, cpuidEdx } from "./cpuid";
import { preventedByUmip } from "./tables";

/** #GP(0) outside ring 0, to which real mode belongs. */
function requireRing0(): u32 {
  return get32(L.CPL) == 0 ? 0 : raiseWithError(VECTOR_GP, 0);
}

/** A register operand as wide as the mode has it. */
@inline
function operand(slot: u32): u64 {
  return is64Bit() ? load<u64>(S + slot) : load<u32>(S + slot);
}

// ---- Control registers ------------------------------------------------------------------------------------------

function writeCr0(value: u64): u32 {
  if (value >> 32) return raiseWithError(VECTOR_GP, 0);
  if (value & C.CR0_PG && !(value & C.CR0_PE)) return raiseWithError(VECTOR_GP, 0);
  if (value & C.CR0_NW && !(value & C.CR0_CD)) return raiseWithError(VECTOR_GP, 0);
  value = (value & C.CR0_DEFINED) | C.CR0_ET;
  const changed = value ^ get64(L.CR0);
  let efer = get64(L.EFER);
  if (changed & C.CR0_PG) {
    const pae = (get64(L.CR4) & C.CR4_PAE) != 0;
    if (!(value & C.CR0_PG)) {
      if (is64Bit() || (get64(L.CR4) & C.CR4_PCIDE) != 0) return raiseWithError(VECTOR_GP, 0);
      efer &= ~C.EFER_LMA;
    } else if (efer & C.EFER_LME) {
      const tss16 = (attributesOf(L.SEG_TR) & 0x9d) == (C.ATTRIBUTE_P | 1);
      if (!pae || (attributesOf(L.SEG_CS) & C.ATTRIBUTE_L) != 0 || tss16) return raiseWithError(VECTOR_GP, 0);
      efer |= C.EFER_LMA;
    } else if (pae && !loadPaePointers(get64(L.CR3))) return raiseWithError(VECTOR_GP, 0);
  }
  set64(L.EFER, efer);
  set64(L.CR0, value);
  if (changed & C.CR0_PE) set32(L.CPL, 0);
  if (changed & (C.CR0_PG | C.CR0_PE | C.CR0_WP)) flushTlb();
  updateMode();
  return 0;
}

/** Bit 63 of what MOV writes to CR3: keep what is cached for its PCID. */
const CR3_NO_FLUSH: u64 = 1 << 63;
const CR3_PCID: u64 = 0xfff;

function currentPcid(): u64 {
  return get64(L.CR4) & C.CR4_PCIDE ? get64(L.CR3) & CR3_PCID : 0;
}

function writeCr3(value: u64): u32 {
  let keeps = false;
  if (get64(L.CR4) & C.CR4_PCIDE) {
    // Nothing is cached for a PCID but the current one, so that keeping means something for that one alone.
    keeps = (value & CR3_NO_FLUSH) != 0 && ((value ^ get64(L.CR3)) & CR3_PCID) == 0;
    value &= ~CR3_NO_FLUSH;
  }
  if (value >> PHYSICAL_ADDRESS_BITS) return raiseWithError(VECTOR_GP, 0);
  if (usesPaePointers() && !loadPaePointers(value)) return raiseWithError(VECTOR_GP, 0);
  set64(L.CR3, value);
  if (!keeps) flushTlbNonGlobal();
  return 0;
}

/** What every model has, and DE and PCE, which are there without a bit of CPUID that could be cleared. */
const CR4_ALWAYS: u64 = C.CR4_DE | C.CR4_PSE | C.CR4_PAE | C.CR4_PGE | C.CR4_PCE;

/** The bits of CR4 that may be set: those of a feature only if CPUID advertises it. There are no machine checks. */
function cr4Supported(): u64 {
  const ebx7 = cpuidEbx(7);
  let bits = CR4_ALWAYS;
  const edx1 = cpuidEdx(1);
  const ecx1 = cpuidEcx(1);
  if (edx1 & (1 << 4)) bits |= C.CR4_TSD;
  if (edx1 & (1 << 7)) bits |= C.CR4_MCE;
  if (edx1 & (1 << 24)) bits |= C.CR4_OSFXSR;
  if (edx1 & (1 << 25)) bits |= C.CR4_OSXMMEXCPT;
  if (ecx1 & (1 << 17)) bits |= C.CR4_PCIDE;
  if (ecx1 & (1 << 26)) bits |= C.CR4_OSXSAVE;
  if (ebx7 & 1) bits |= C.CR4_FSGSBASE;
  if (ebx7 & (1 << 7)) bits |= C.CR4_SMEP;
  if (ebx7 & (1 << 20)) bits |= C.CR4_SMAP;
  if (cpuidEcx(7) & (1 << 2)) bits |= C.CR4_UMIP;
  return bits;
}

function writeCr4(value: u64): u32 {
  if (value & ~cr4Supported()) return raiseWithError(VECTOR_GP, 0);
  const changed = value ^ get64(L.CR4);
  if (changed & value & C.CR4_PCIDE && (!isLongMode() || (get64(L.CR3) & CR3_PCID) != 0)) {
    return raiseWithError(VECTOR_GP, 0);
  }
  if (isLongMode()) {
    if (!(value & C.CR4_PAE)) return raiseWithError(VECTOR_GP, 0);
  } else if (value & C.CR4_PAE && get64(L.CR0) & C.CR0_PG) {
    const reloads = C.CR4_PAE | C.CR4_PGE | C.CR4_PSE | C.CR4_SMEP;
    if (changed & reloads && !loadPaePointers(get64(L.CR3))) return raiseWithError(VECTOR_GP, 0);
  }
  set64(L.CR4, value);
  if (changed & C.CR4_DE) armBreakpoints();
  if (changed & (C.CR4_PSE | C.CR4_PAE | C.CR4_PGE | C.CR4_SMEP | C.CR4_SMAP | C.CR4_PCIDE)) flushTlb();
  updateMode();
  return 0;
}

/** CR8 is the upper half of the local APIC's task priority: each hears when the other is written. */
function writeCr8(value: u64): u32 {
  if (value & ~(<u64>15)) return raiseWithError(VECTOR_GP, 0);
  set32(L.CR8, <u32>value);
  taskPriorityChanged(<u32>value);
  return 0;
}

export function h_movtocr(d: u32, s: u32, imm: i32): u32 {
  if (requireRing0()) return 1;
  const value = operand(s);
  switch (imm) {
    case 0:
      return writeCr0(value);
    case 2:
      set64(L.CR2, value);
      return 0;
    case 3:
      return writeCr3(value);
    case 4:
      return writeCr4(value);
    case 8:
      return writeCr8(value);
    default:
      return raise(VECTOR_UD);
  }
}

export function h_movfromcr(d: u32, s: u32, imm: i32): u32 {
  if (requireRing0()) return 1;
  let value: u64;
  switch (imm) {
    case 0:
      value = get64(L.CR0);
      break;
    case 2:
      value = get64(L.CR2);
      break;
    case 3:
      value = get64(L.CR3);
      break;
    case 4:
      value = get64(L.CR4);
      break;
    case 8:
      value = get32(L.CR8);
      break;
    default:
      return raise(VECTOR_UD);
  }
  store<u64>(S + d, is64Bit() ? value : value & 0xffffffff);
  return 0;
}

export function h_clts(d: u32, s: u32, imm: i32): u32 {
  if (requireRing0()) return 1;
  set64(L.CR0, get64(L.CR0) & ~C.CR0_TS);
  updateMode();
  return 0;
}

/** LMSW sets PE, MP, EM and TS but cannot clear PE. */
export function h_lmsw(d: u32, s: u32, imm: i32): u32 {
  if (requireRing0()) return 1;
  const value = <u64>load<u16>(S + s) & 15;
  const cr0 = get64(L.CR0);
  return writeCr0((cr0 & ~(<u64>14)) | value);
}

export function h_smsw(d: u32, s: u32, imm: i32): u32 {
  if (preventedByUmip()) return raiseWithError(VECTOR_GP, 0);
  store<u64>(S + d, get64(L.CR0));
  return 0;
}

export function h_invlpg(d: u32, s: u32, imm: i32): u32 {
  if (requireRing0()) return 1;
  invalidatePage(load<u64>(S + s));
  return 0;
}

// INVPCID's types, and its descriptor: the PCID (the rest of the word is reserved), then a linear address.
const INVPCID_ADDRESS: u64 = 0;
const INVPCID_CONTEXT: u64 = 1;
const INVPCID_ALL_WITH_GLOBAL: u64 = 2;
const INVPCID_ALL: u64 = 3;

export function h_invpcid(d: u32, s: u32, imm: i32): u32 {
  if (requireRing0()) return 1;
  const type = operand(d);
  const at = load<u64>(S + s);
  const hva = readable128(at);
  if (hva == NO_ADDRESS) return 1;
  const context = load<u64>(hva);
  const address = load<u64>(hva, 8);
  if (type > INVPCID_ALL || context & ~CR3_PCID) return raiseWithError(VECTOR_GP, 0);
  if (type <= INVPCID_CONTEXT && context != 0 && !(get64(L.CR4) & C.CR4_PCIDE)) return raiseWithError(VECTOR_GP, 0);
  if (type == INVPCID_ADDRESS && !isCanonical(address)) return raiseWithError(VECTOR_GP, 0);
  if (type == INVPCID_ALL_WITH_GLOBAL) flushTlb();
  else if (type == INVPCID_ALL) flushTlbNonGlobal();
  else if (context == currentPcid()) {
    // Global translations may go too: the SDM leaves that open.
    if (type == INVPCID_ADDRESS) invalidatePage(address);
    else flushTlbNonGlobal();
  }
  return 0;
}

/** There are no caches to write back. */
export function h_invd(d: u32, s: u32, imm: i32): u32 {
  return requireRing0();
}

export function h_wbinvd(d: u32, s: u32, imm: i32): u32 {
  return requireRing0();
}

// ---- Interrupts and flags ---------------------------------------------------------------------------------------

export function h_hlt(d: u32, s: u32, imm: i32): u32 {
  if (requireRing0()) return 1;
  set32(L.HALTED, 1);
  return 0;
}

/** CLI and STI: IOPL guards IF, except in real mode, where CPL is 0. */
function requireInterruptControl(): u32 {
  if (isRealMode() || get32(L.CPL) <= ioPrivilege()) return 0;
  return raiseWithError(VECTOR_GP, 0);
}

export function h_sti(d: u32, s: u32, imm: i32): u32 {
  if (requireInterruptControl()) return 1;
  const flags = get32(L.RFLAGS_REST);
  if (!(flags & C.FLAG_IF)) {
    set32(L.RFLAGS_REST, flags | C.FLAG_IF);
    set32(L.INTERRUPT_SHADOW, L.SHADOW_STI);
  }
  return 0;
}

export function h_cli(d: u32, s: u32, imm: i32): u32 {
  if (requireInterruptControl()) return 1;
  set32(L.RFLAGS_REST, get32(L.RFLAGS_REST) & ~C.FLAG_IF);
  return 0;
}

export function h_pushf(d: u32, s: u32, imm: i32): u32 {
  if (isVirtual8086() && ioPrivilege() < 3) return raiseWithError(VECTOR_GP, 0);
  if (reservePush(imm)) return 1;
  const flags = readFlags() & ~(C.FLAG_VM | C.FLAG_RF);
  let failed: u32;
  if (imm == 8) failed = writeMem<u64>(pushAddress, flags);
  else if (imm == 4) failed = writeMem<u32>(pushAddress, flags);
  else failed = writeMem<u16>(pushAddress, <u16>flags);
  if (failed) return is64Bit() ? asStackFault() : 1;
  commitStack();
  return 0;
}

export function h_popf(d: u32, s: u32, imm: i32): u32 {
  if (isVirtual8086() && ioPrivilege() < 3) return raiseWithError(VECTOR_GP, 0);
  openStack();
  if (popValue(imm)) return 1;
  commitStack();
  writeFlags(<u32>popped, flagsChangeable(imm));
  updateMode();
  return 0;
}

// hot: kernels put CLAC and STAC around every access to user memory. The rows exist where CPUID has SMAP.

export function h_clac(d: u32, s: u32, imm: i32): u32 {
  if (get32(L.CPL) != 0) return raise(VECTOR_UD);
  set32(L.RFLAGS_REST, get32(L.RFLAGS_REST) & ~C.FLAG_AC);
  closeWindow();
  return 0;
}

export function h_stac(d: u32, s: u32, imm: i32): u32 {
  if (get32(L.CPL) != 0) return raise(VECTOR_UD);
  set32(L.RFLAGS_REST, get32(L.RFLAGS_REST) | C.FLAG_AC);
  return 0;
}
