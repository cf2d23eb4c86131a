// FXSAVE and FXRSTOR: the 512-byte save area of x87, MMX and SSE state (SDM vol. 1 10.5, vol. 2 tables 3-43 to 3-46).
//
// s: slot with the linear address; imm: 64 for the REX.W forms, which hold 64-bit pointers, else 32. Restartable:
// FXRSTOR changes registers after everything has been read and checked; FXSAVE changes none. XMM8–15 exist in
// 64-bit mode only. Bytes that the format leaves unused are not written. Deliberately missing: EFER.FFXSR.
import * as L from "../layout";
import { offsetAddress, probeWrite } from "./fpu-memory";
import { readable, readable128, tlbLookup, writeMem128 } from "./memory";
import { NO_ADDRESS } from "./paging";
import { S, VECTOR_GP, get32, get64, raiseWithError, set32 } from "./state";
import { setControlWord, setStatusWord, stAddress, stSe, stSig, statusWord, controlWord } from "./x87-state";
import { xmm } from "./xmm";

const REGISTERS: u32 = 32;
const XMM_AREA: u32 = 160;
/** All of it has to be accessible, its unused end as well. */
const SAVE_AREA: u32 = 512;
const MXCSR_MASK: u32 = 0xffff;

/** The area as it is composed or was read. */
const area: usize = memory.data(416, 16);

/** Bytes in use: header, ST(0)–ST(7) and the XMM registers of the mode. */
function areaBytes(): u32 {
  const count: u32 = (get32(L.MODE) & L.MODE_CODE_SIZE) == 2 ? 16 : 8;
  return XMM_AREA + count * 16;
}

function compose(wide: bool): void {
  store<u16>(area, controlWord());
  store<u16>(area, statusWord(), 2);
  store<u16>(area, load<u8>(S + L.X87_TAG), 4);
  store<u16>(area, load<u16>(S + L.X87_OPCODE), 6);
  if (wide) {
    store<u64>(area, load<u64>(S + L.X87_IP), 8);
    store<u64>(area, load<u64>(S + L.X87_DP), 16);
  } else {
    store<u32>(area, load<u32>(S + L.X87_IP), 8);
    store<u32>(area, load<u16>(S + L.X87_CS), 12);
    store<u32>(area, load<u32>(S + L.X87_DP), 16);
    store<u32>(area, load<u16>(S + L.X87_DS), 20);
  }
  store<u32>(area, get32(L.MXCSR), 24);
  store<u32>(area, MXCSR_MASK, 28);
  for (let i: u32 = 0; i < 8; i++) {
    const p = area + REGISTERS + (i << 4);
    store<u64>(p, stSig(i));
    store<u64>(p, u64(stSe(i)), 8);
  }
  const bytes = areaBytes();
  for (let at = XMM_AREA, i: u32 = 0; at < bytes; at += 16, i++) v128.store(area + at, v128.load(xmm(i)));
}

export function h_fxsave(d: u32, s: u32, imm: i32): u32 {
  const va = get64(s);
  if ((va & 15) != 0) return raiseWithError(VECTOR_GP, 0);
  const bytes = areaBytes();
  if (probeWrite(va, SAVE_AREA) != 0) return 1;
  compose(imm == 64);
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
  const bytes = areaBytes();
  if (readArea(va, bytes) != 0 || readable<u8>(offsetAddress(va, SAVE_AREA - 1)) == NO_ADDRESS) return 1;
  if ((load<u32>(area, 24) & ~MXCSR_MASK) != 0) return raiseWithError(VECTOR_GP, 0);
  setStatusWord(load<u16>(area, 2));
  setControlWord(load<u16>(area));
  store<u8>(S + L.X87_TAG, load<u8>(area, 4));
  store<u16>(S + L.X87_OPCODE, load<u16>(area, 6) & 0x7ff);
  if (imm == 64) {
    store<u64>(S + L.X87_IP, load<u64>(area, 8));
    store<u64>(S + L.X87_DP, load<u64>(area, 16));
  } else {
    store<u64>(S + L.X87_IP, u64(load<u32>(area, 8)));
    store<u16>(S + L.X87_CS, load<u16>(area, 12));
    store<u64>(S + L.X87_DP, u64(load<u32>(area, 16)));
    store<u16>(S + L.X87_DS, load<u16>(area, 20));
  }
  set32(L.MXCSR, load<u32>(area, 24));
  for (let i: u32 = 0; i < 8; i++) {
    const p = area + REGISTERS + (i << 4);
    store<u64>(stAddress(i), load<u64>(p));
    store<u16>(stAddress(i), load<u16>(p, 8), 8);
  }
  for (let at = XMM_AREA, i: u32 = 0; at < bytes; at += 16, i++) v128.store(xmm(i), v128.load(area + at));
  return 0;
}
