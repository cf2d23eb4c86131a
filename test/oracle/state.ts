/**
 * The architectural state of user mode, in the one form in which cases enter an executor.
 *
 * SDM volume 1, chapter 3. Deliberately missing: control and debug registers, MSRs other than the FS and GS
 * bases, and everything else that user mode cannot set.
 */

import type { CpuMode } from "./layout.ts";

/** General-purpose registers in encoding order. */
export const GPR_NAMES = [
  "rax",
  "rcx",
  "rdx",
  "rbx",
  "rsp",
  "rbp",
  "rsi",
  "rdi",
  "r8",
  "r9",
  "r10",
  "r11",
  "r12",
  "r13",
  "r14",
  "r15",
] as const;
export type GprName = (typeof GPR_NAMES)[number];
export const GPR_COUNT = GPR_NAMES.length;

/** Status and control flags of RFLAGS. */
export const FLAG = {
  cf: 1 << 0,
  pf: 1 << 2,
  af: 1 << 4,
  zf: 1 << 6,
  sf: 1 << 7,
  tf: 1 << 8,
  if: 1 << 9,
  df: 1 << 10,
  of: 1 << 11,
  nt: 1 << 14,
  rf: 1 << 16,
  ac: 1 << 18,
  id: 1 << 21,
} as const;

/** The six flags that arithmetic sets. */
export const STATUS_FLAGS = FLAG.cf | FLAG.pf | FLAG.af | FLAG.zf | FLAG.sf | FLAG.of;
/** Flags that a case may choose; IF is always set and the reserved bit 1 as well. */
export const SETTABLE_FLAGS = STATUS_FLAGS | FLAG.tf | FLAG.df | FLAG.nt | FLAG.ac | FLAG.id;
export const FIXED_FLAGS = FLAG.if | 2;

/** Bytes at a linear address. */
export interface MemoryBytes {
  readonly gva: number;
  readonly bytes: Uint8Array;
}

/** Selectors of the six segment registers. */
export interface Segments {
  readonly cs: number;
  readonly ss: number;
  readonly ds: number;
  readonly es: number;
  readonly fs: number;
  readonly gs: number;
}

/** Everything that a case starts from. */
export interface CpuState {
  readonly mode: CpuMode;
  /** In encoding order; see GPR_NAMES. */
  readonly gpr: BigUint64Array;
  /** Offset in CS. */
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly segments: Segments;
  /** Bases used while FS or GS holds the null selector. */
  readonly fsBase: bigint;
  readonly gsBase: bigint;
  /** FXSAVE image (512 bytes), or an XSAVE image of x87, SSE and AVX state in standard format (832 bytes). */
  readonly fp: Uint8Array;
  /** What writable memory holds besides its baseline: the code and the data. Later entries win. */
  readonly memory: readonly MemoryBytes[];
}
