// SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS and the base instructions of FS and GS. SDM 3A 5.8.7, 5.8.8; SDM 2;
// for what AMD's processors do differently in compatibility mode, APM 3.
import * as L from "../layout";
import { S, get32, get64, set32, set64, raise, raiseWithError, VECTOR_GP, VECTOR_UD, setStepOver } from "./state";
import * as C from "./control-bits";
import { isCanonical } from "./paging";
import { is64Bit, isLongMode, isRealMode, updateMode } from "./mode";
import { readFlags, writeFlags } from "./rflags";
import { setSegment } from "./descriptors";
import { isAmd } from "./cpuid";
import { DR6_BS } from "./debug";

// Attributes of the flat segments that these instructions load without looking at a descriptor.
const FLAT_DATA: u32 = C.ATTRIBUTE_G | C.ATTRIBUTE_DB | C.ATTRIBUTE_P | C.ATTRIBUTE_S | 3;
const FLAT_CODE_32: u32 = C.ATTRIBUTE_G | C.ATTRIBUTE_DB | C.ATTRIBUTE_P | C.ATTRIBUTE_S | 11;
const FLAT_CODE_64: u32 = C.ATTRIBUTE_G | C.ATTRIBUTE_L | C.ATTRIBUTE_P | C.ATTRIBUTE_S | 11;

/** Loads flat CS and SS for a privilege level. */
function setFlat(cs: u32, ss: u32, cpl: u32, long: bool): void {
  setSegment(L.SEG_CS, cs & 0xffff, (long ? FLAT_CODE_64 : FLAT_CODE_32) | (cpl << 5), 0, 0xffffffff);
  setSegment(L.SEG_SS, ss & 0xffff, FLAT_DATA | (cpl << 5), 0, 0xffffffff);
  set32(L.CPL, cpl);
}

const ALL_FLAGS: u32 =
  C.FLAG_TF | C.FLAG_IF | C.FLAG_DF | C.FLAG_IOPL | C.FLAG_NT | C.FLAG_AC | C.FLAG_VIF | C.FLAG_VIP | C.FLAG_ID;

const GPR_R11 = L.GPR + 11 * 8;

export function h_syscall(d: u32, s: u32, imm: i32): u32 {
  if (!(get64(L.EFER) & C.EFER_SCE) || !isLongMode()) return raise(VECTOR_UD);
  const from64 = is64Bit();
  if (!from64 && !isAmd()) return raise(VECTOR_UD);
  const flags = readFlags();
  set64(L.GPR_RCX, get64(L.NEXT_RIP));
  set64(GPR_R11, flags);
  set64(L.NEXT_RIP, get64(from64 ? L.MSR_LSTAR : L.MSR_CSTAR));
  const selector = <u32>(get64(L.MSR_STAR) >> 32) & 0xfffc;
  setFlat(selector, selector + 8, 0, true);
  writeFlags(flags & ~(<u32>get64(L.MSR_FMASK)), ALL_FLAGS);
  setStepOver((get32(L.RFLAGS_REST) & C.FLAG_TF) == 0);
  updateMode();
  return 0;
}

export function h_sysret(d: u32, s: u32, imm: i32): u32 {
  if (!(get64(L.EFER) & C.EFER_SCE) || !isLongMode() || (!is64Bit() && !isAmd())) return raise(VECTOR_UD);
  if (get32(L.CPL) != 0) return raiseWithError(VECTOR_GP, 0);
  const to64 = imm == 8;
  const target = to64 ? get64(L.GPR_RCX) : get64(L.GPR_RCX) & 0xffffffff;
  if (!isCanonical(target)) return raiseWithError(VECTOR_GP, 0);
  const selector = <u32>(get64(L.MSR_STAR) >> 48);
  setFlat((selector + (to64 ? 16 : 0)) | 3, (selector + 8) | 3, 3, to64);
  writeFlags(<u32>get64(GPR_R11), ALL_FLAGS);
  set64(L.NEXT_RIP, target);
  // Unlike IRET's, TF of SYSRET traps before the next instruction.
  if (get32(L.RFLAGS_REST) & C.FLAG_TF) set32(L.DEBUG_TRAPS, get32(L.DEBUG_TRAPS) | DR6_BS);
  setStepOver(true);
  updateMode();
  return 0;
}

export function h_sysenter(d: u32, s: u32, imm: i32): u32 {
  if (isRealMode()) return raiseWithError(VECTOR_GP, 0);
  const long = isLongMode();
  if (long && isAmd()) return raise(VECTOR_UD);
  const selector = get32(L.MSR_SYSENTER_CS) & 0xfffc;
  if (selector == 0) return raiseWithError(VECTOR_GP, 0);
  set32(L.RFLAGS_REST, get32(L.RFLAGS_REST) & ~(C.FLAG_VM | C.FLAG_IF | C.FLAG_RF));
  setFlat(selector, selector + 8, 0, long);
  const rsp = get64(L.MSR_SYSENTER_ESP);
  const rip = get64(L.MSR_SYSENTER_EIP);
  set64(L.GPR_RSP, long ? rsp : rsp & 0xffffffff);
  set64(L.NEXT_RIP, long ? rip : rip & 0xffffffff);
  updateMode();
  return 0;
}

export function h_sysexit(d: u32, s: u32, imm: i32): u32 {
  if (isLongMode() && isAmd()) return raise(VECTOR_UD);
  const selector = get32(L.MSR_SYSENTER_CS) & 0xfffc;
  if (isRealMode() || get32(L.CPL) != 0 || selector == 0) return raiseWithError(VECTOR_GP, 0);
  const to64 = imm == 8;
  const rip = get64(L.GPR_RDX);
  const rsp = get64(L.GPR_RCX);
  if (to64 && (!isCanonical(rip) || !isCanonical(rsp))) return raiseWithError(VECTOR_GP, 0);
  if (to64) setFlat((selector + 32) | 3, (selector + 40) | 3, 3, true);
  else setFlat((selector + 16) | 3, (selector + 24) | 3, 3, false);
  set64(L.GPR_RSP, to64 ? rsp : rsp & 0xffffffff);
  set64(L.NEXT_RIP, to64 ? rip : rip & 0xffffffff);
  updateMode();
  return 0;
}

const GS_BASE = L.SEG_BASE + 8 * L.SEG_GS;

export function h_swapgs(d: u32, s: u32, imm: i32): u32 {
  if (!is64Bit()) return raise(VECTOR_UD);
  if (get32(L.CPL) != 0) return raiseWithError(VECTOR_GP, 0);
  const base = get64(GS_BASE);
  set64(GS_BASE, get64(L.MSR_KERNEL_GS_BASE));
  set64(L.MSR_KERNEL_GS_BASE, base);
  return 0;
}

export function h_rdsegbase(d: u32, s: u32, imm: i32): u32 {
  if (!(get64(L.CR4) & C.CR4_FSGSBASE) || !is64Bit()) return raise(VECTOR_UD);
  store<u64>(S + d, get64(L.SEG_BASE + 8 * imm));
  return 0;
}

export function h_wrsegbase(d: u32, s: u32, imm: i32): u32 {
  if (!(get64(L.CR4) & C.CR4_FSGSBASE) || !is64Bit()) return raise(VECTOR_UD);
  const base = load<u64>(S + s);
  if (!isCanonical(base)) return raiseWithError(VECTOR_GP, 0);
  set64(L.SEG_BASE + 8 * imm, base);
  return 0;
}
