/**
 * What x87, MMX and SSE instructions share: availability by CR0 and CR4 (SDM 3A 2.5, 13.1), which the translation
 * mode carries, and operands in x87, MMX and XMM registers. Memory operands go through a temporary slot or XMM_TEMP.
 */
import { MODE_FPU_EM, MODE_FPU_TS, MODE_NO_SSE, XMM_TEMP } from "../layout.ts";
import { opNumber } from "../ir/ops.ts";
import type { Form, Lowering, Meaning } from "./row.ts";
import {
  LOAD128,
  LOAD_SCALAR,
  SIZE16,
  SIZE32,
  SIZE64,
  SIZE8,
  T0,
  VECTOR_NM,
  VECTOR_UD,
  type SizeLog2,
  type Translator,
} from "./translator.ts";

const X87_CHECK = opNumber("x87_check");
const XMM_FROM32 = opNumber("xmm_from32");

/** Temporary XMM register for memory operands; as an MMX operand, 8 names it. */
export const XMM_MEMORY = XMM_TEMP;
export const MM_MEMORY = 8;

/** Emits what an unavailable x87 unit raises; true if it is available. WAIT prefixes the pending-exception check. */
export function x87IsAvailable(t: Translator, waits: boolean): boolean {
  if ((t.mode & (MODE_FPU_TS | MODE_FPU_EM)) !== 0) {
    t.raise(VECTOR_NM);
    return false;
  }
  if (waits) t.emit(X87_CHECK);
  return true;
}

/** The same for MMX, which uses the x87 registers. */
export function mmxIsAvailable(t: Translator): boolean {
  if ((t.mode & MODE_FPU_EM) !== 0) t.raise(VECTOR_UD);
  else if ((t.mode & MODE_FPU_TS) !== 0) t.raise(VECTOR_NM);
  else {
    t.emit(X87_CHECK);
    return true;
  }
  return false;
}

/** The same for SSE. */
export function sseIsAvailable(t: Translator): boolean {
  if ((t.mode & (MODE_FPU_EM | MODE_NO_SSE)) !== 0) t.raise(VECTOR_UD);
  else if ((t.mode & MODE_FPU_TS) !== 0) t.raise(VECTOR_NM);
  else return true;
  return false;
}

/** A meaning that needs SSE. */
export const sse = (meaning: Meaning): Meaning => {
  return (form: Form): Lowering => {
    const lower = meaning(form);
    return (t) => {
      if (sseIsAvailable(t)) lower(t);
    };
  };
};

/** Bits of an r/m operand by its width in the table. */
export type MemoryBits = 8 | 16 | 32 | 64 | 128;

/** Loads the memory operand to the start of the XMM temporary, zeros above it; 128 bits must be aligned if asked. */
export function loadXmmMemory(t: Translator, bits: MemoryBits, aligned: boolean): void {
  t.address(bits / 8, false);
  if (bits === 128) {
    if (aligned) t.checkAligned16();
    t.memory(LOAD128, XMM_MEMORY);
    return;
  }
  if (bits >= 32) {
    t.memory(LOAD_SCALAR[bits === 64 ? 64 : 32], XMM_MEMORY);
    return;
  }
  t.load(T0, bits === 16 ? SIZE16 : SIZE8);
  t.emit(XMM_FROM32, XMM_MEMORY, T0);
}

/** The XMM register in r/m, or the temporary with the memory operand. */
export function readXmm(t: Translator, bits: MemoryBits, aligned = true): number {
  if (t.decoder.isRegister) return t.decoder.rm;
  loadXmmMemory(t, bits, aligned);
  return XMM_MEMORY;
}

/** The MMX register in r/m, or MM_MEMORY with the memory operand in the XMM temporary. */
export function readMm(t: Translator, bits: 32 | 64): number {
  if (t.decoder.isRegister) return t.decoder.rm & 7;
  loadXmmMemory(t, bits, false);
  return MM_MEMORY;
}

/** 64 with REX.W, else 32. */
export const widthByRexW = (t: Translator): 32 | 64 => ((t.decoder.rex & 8) !== 0 ? 64 : 32);
export const sizeByRexW = (t: Translator): SizeLog2 => ((t.decoder.rex & 8) !== 0 ? SIZE64 : SIZE32);
