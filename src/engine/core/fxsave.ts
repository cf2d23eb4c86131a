// FXSAVE and FXRSTOR: x87, MMX and SSE state in 512 bytes of memory (SDM vol. 1 10.5, vol. 2).
//
// s: slot with the linear address; imm: 64 for the REX.W forms, which hold 64-bit pointers, else 32. Restartable:
// FXRSTOR changes registers after everything has been read and checked; FXSAVE changes none. Deliberately missing:
// EFER.FFXSR.
import * as L from "../layout";
import { offsetAddress, probeWrite } from "./fpu-memory";
import { readable, readable128, tlbLookup, writeMem128 } from "./memory";
import { NO_ADDRESS } from "./paging";
import { VECTOR_GP, get32, get64, raiseWithError, set32 } from "./state";
import { MXCSR_AT, isMxcsr, loadX87, loadXmm, saveMxcsr, saveX87, saveXmm, xmmEnd } from "./legacy-region";

/** All of it has to be accessible, its unused end as well. */
const SAVE_AREA: u32 = 512;

/** The area as it is composed or was read. */
const area: usize = memory.data(416, 16);

export function h_fxsave(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  if ((va & 15) != 0) return raiseWithError(VECTOR_GP, 0);
  const bytes = xmmEnd();
  if (probeWrite(va, SAVE_AREA) != 0) return 1;
  saveX87(area, imm == 64);
  saveMxcsr(area);
  saveXmm(area);
  const tlb: u32 = get32(L.CPL) == 3 ? L.TLB_USER_WRITE : L.TLB_KERNEL_WRITE;
  const hva = tlbLookup(tlb, va, bytes);
  if (hva != NO_ADDRESS) {
    memory.copy(hva, area, bytes);
    return 0;
  }
  for (let at: u32 = 0; at < bytes; at += 16) {
    if (writeMem128(offsetAddress(va, at), u32(area + at)) != 0) return 1;
  }
  return 0;
}

/** Copies the guest's area; 1 if a fault is pending. */
function readArea(va: u64, bytes: u32): u32 {
  const tlb: u32 = get32(L.CPL) == 3 ? L.TLB_USER_READ : L.TLB_KERNEL_READ;
  const hva = tlbLookup(tlb, va, bytes);
  if (hva != NO_ADDRESS) {
    memory.copy(area, hva, bytes);
    return 0;
  }
  for (let at: u32 = 0; at < bytes; at += 16) {
    const p = readable128(offsetAddress(va, at));
    if (p == NO_ADDRESS) return 1;
    v128.store(area + at, v128.load(p));
  }
  return 0;
}

export function h_fxrstor(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  if ((va & 15) != 0) return raiseWithError(VECTOR_GP, 0);
  const bytes = xmmEnd();
  if (readArea(va, bytes) != 0 || readable<u8>(offsetAddress(va, SAVE_AREA - 1)) == NO_ADDRESS) return 1;
  const mxcsr = load<u32>(area, MXCSR_AT);
  if (!isMxcsr(mxcsr)) return raiseWithError(VECTOR_GP, 0);
  loadX87(area, imm == 64);
  set32(L.MXCSR, mxcsr);
  loadXmm(area);
  return 0;
}
