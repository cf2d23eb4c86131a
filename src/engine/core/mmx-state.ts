// MMX registers: the significands of the eight x87 registers by physical number (SDM vol. 1 chapter 9.2, 9.5).
import * as L from "../layout";
import { S } from "./state";

/** The operand number that stands for a 64-bit memory operand, which is then at the start of XMM_TEMP. */
export const MMX_MEMORY: u32 = 8;

/** Address of MMX register i (0–7). */
@inline
export function mmxAddress(i: u32): usize {
  return S + L.X87 + (i << 4);
}

/** Address of a source operand: MMX register 0–7 or the memory operand. */
@inline
export function mmxSource(s: u32): usize {
  return s < MMX_MEMORY ? mmxAddress(s) : S + L.XMM + L.XMM_TEMP * L.XMM_STRIDE;
}

/** The transition that every MMX instruction makes in the x87 state: TOP = 0, all registers in use. */
@inline
export function commitMmx(): void {
  store<u16>(S + L.X87_SW, load<u16>(S + L.X87_SW) & 0xc7ff);
  store<u8>(S + L.X87_TAG, 0xff);
}
