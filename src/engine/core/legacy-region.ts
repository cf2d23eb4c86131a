// The 512 bytes that FXSAVE, FXRSTOR and the XSAVE family share: x87, MMX and SSE state in memory (SDM vol. 1 10.5.1,
// 13.4.1 and 13.5; vol. 2 tables 3-43 to 3-46). p is the host address of the region; `wide` chooses the format with
// 64-bit pointers. XMM8–15 exist in 64-bit mode only. Bytes that the format leaves unused are not written.
import * as L from "../layout";
import { S, get32, set32 } from "./state";
import { resetX87 } from "./x87";
import { controlWord, setControlWord, setStatusWord, statusWord, top } from "./x87-state";
import { xmm } from "./xmm";

/** Parts of the region: x87 state is [0, 24) and [32, 160), MXCSR and its mask [24, 32), XMM registers from 160 on. */
export const MXCSR_AT: u32 = 24;
export const REGISTERS_AT: u32 = 32;
export const XMM_AT: u32 = 160;
export const MXCSR_MASK: u32 = 0xffff;
export const MXCSR_INITIAL: u32 = 0x1f80;

/** Where the XMM registers of the mode end. */
export function xmmEnd(): u32 {
  const count: u32 = (get32(L.MODE) & L.MODE_CODE_SIZE) == 2 ? 16 : 8;
  return XMM_AT + count * 16;
}

/** Address of an x87 register by its physical number, modulo 8. */
@inline
function physical(number: u32): usize {
  return S + L.X87 + ((number & 7) << 4);
}

export function saveX87(p: usize, wide: bool): void {
  store<u16>(p, controlWord());
  store<u16>(p, statusWord(), 2);
  store<u16>(p, load<u8>(S + L.X87_TAG), 4);
  store<u16>(p, load<u16>(S + L.X87_OPCODE), 6);
  if (wide) {
    store<u64>(p, load<u64>(S + L.X87_IP), 8);
    store<u64>(p, load<u64>(S + L.X87_DP), 16);
  } else {
    store<u32>(p, load<u32>(S + L.X87_IP), 8);
    store<u32>(p, load<u16>(S + L.X87_CS), 12);
    store<u32>(p, load<u32>(S + L.X87_DP), 16);
    store<u32>(p, load<u16>(S + L.X87_DS), 20);
  }
  const first = top();
  for (let i: u32 = 0; i < 8; i++) {
    const from = physical(first + i);
    const at = p + REGISTERS_AT + (i << 4);
    store<u64>(at, load<u64>(from));
    store<u64>(at, u64(load<u16>(from, 8)), 8);
  }
}

export function saveMxcsr(p: usize): void {
  store<u32>(p, get32(L.MXCSR), MXCSR_AT);
  store<u32>(p, MXCSR_MASK, MXCSR_AT + 4);
}

export function saveXmm(p: usize): void {
  const end = xmmEnd();
  for (let at = XMM_AT, i: u32 = 0; at < end; at += 16, i++) v128.store(p + at, v128.load(xmm(i)));
}

export function loadX87(p: usize, wide: bool): void {
  setStatusWord(load<u16>(p, 2));
  setControlWord(load<u16>(p));
  store<u8>(S + L.X87_TAG, load<u8>(p, 4));
  store<u16>(S + L.X87_OPCODE, load<u16>(p, 6) & 0x7ff);
  if (wide) {
    store<u64>(S + L.X87_IP, load<u64>(p, 8));
    store<u64>(S + L.X87_DP, load<u64>(p, 16));
  } else {
    store<u64>(S + L.X87_IP, u64(load<u32>(p, 8)));
    store<u16>(S + L.X87_CS, load<u16>(p, 12));
    store<u64>(S + L.X87_DP, u64(load<u32>(p, 16)));
    store<u16>(S + L.X87_DS, load<u16>(p, 20));
  }
  const first = top();
  for (let i: u32 = 0; i < 8; i++) {
    const to = physical(first + i);
    const at = p + REGISTERS_AT + (i << 4);
    store<u64>(to, load<u64>(at));
    store<u16>(to, load<u16>(at, 8), 8);
  }
}

/** Whether MXCSR may take this value. */
export function isMxcsr(value: u32): bool {
  return (value & ~MXCSR_MASK) == 0;
}

export function loadXmm(p: usize): void {
  const end = xmmEnd();
  for (let at = XMM_AT, i: u32 = 0; at < end; at += 16, i++) v128.store(xmm(i), v128.load(p + at));
}

// ---- Initial configurations (SDM vol. 1 13.6) -------------------------------------------------------------------
export function initializeX87(): void {
  resetX87();
  for (let i: u32 = 0; i < 8; i++) v128.store(physical(i), i64x2.splat(0));
}

export function initializeXmm(): void {
  const end = xmmEnd();
  for (let at = XMM_AT, i: u32 = 0; at < end; at += 16, i++) v128.store(xmm(i), i64x2.splat(0));
}

export function initializeMxcsr(): void {
  set32(L.MXCSR, MXCSR_INITIAL);
}

export function isX87Initial(): bool {
  if (controlWord() != 0x37f || statusWord() != 0 || load<u8>(S + L.X87_TAG) != 0) return false;
  const pointers = load<u64>(S + L.X87_IP) | load<u64>(S + L.X87_DP);
  if (pointers != 0 || (load<u16>(S + L.X87_OPCODE) | load<u16>(S + L.X87_CS) | load<u16>(S + L.X87_DS)) != 0) return false;
  let bits = v128.load(physical(0));
  for (let i: u32 = 1; i < 8; i++) bits = v128.or(bits, v128.load(physical(i)));
  return (i64x2.extract_lane(bits, 0) | (i64x2.extract_lane(bits, 1) & 0xffff)) == 0;
}

/** Of the XMM registers; MXCSR does not belong to what the processor tracks. */
export function isXmmInitial(): bool {
  const end = (xmmEnd() - XMM_AT) >> 4;
  // A program that uses some of them uses the first ones.
  for (let i: u32 = 0; i < end; i += 4) {
    const first = v128.or(v128.load(xmm(i)), v128.load(xmm(i + 1)));
    const second = v128.or(v128.load(xmm(i + 2)), v128.load(xmm(i + 3)));
    if (v128.any_true(v128.or(first, second))) return false;
  }
  return true;
}
