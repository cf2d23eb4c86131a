/**
 * The binary protocol between Node and the native runner: record layouts in both directions.
 *
 * All numbers are little-endian. Node sends batches {u32 bytes that follow, u32 cases, case records}; the runner
 * answers each with {u64 total bytes, result records}. The runner checks nothing: encodeCase refuses what it
 * must never be given. The register block is the kernel's struct sigcontext, in both directions.
 */

import { DEFAULT_FP, FpImage, FXSAVE_BYTES, XSAVE_AVX_BYTES } from "./fp-image.ts";
import { REGIONS } from "./layout.ts";
import { type CpuState, GPR_COUNT, type MemoryBytes, type Segments } from "./state.ts";

/** What the runner writes when it has started. */
export const HELLO = {
  magic: 0,
  filterResult: 8,
  ldtResults: 16,
  sizeBytes: 16 + 8 * 8,
  magicValue: 0x3130_656c_6361_726fn, // "oracle01"
} as const;

export const BATCH_HEADER_BYTES = 8;
/** Most bytes of case records in one batch. */
export const BATCH_MAX_BYTES = 4 << 20;
/** Most cases in one batch: each may change all memory there is. */
export const BATCH_MAX_CASES = 1024;
export const RESULTS_MAX_BYTES = 64 << 20;

/** Layout of a case record. */
export const CASE = {
  sizeBytes: 0,
  fpBytes: 4,
  ds: 8,
  es: 10,
  fs: 12,
  gs: 14,
  fsBase: 16,
  gsBase: 24,
  registers: 32,
  /** R8–R15, RDI, RSI, RBP, RBX, RDX, RAX, RCX, RSP, RIP, RFLAGS, {CS, GS, FS, SS} */
  registerCount: 19,
  memoryCount: 32 + 19 * 8,
  memory: 32 + 20 * 8,
} as const;

/** Layout of a result record. */
export const RESULT = {
  sizeBytes: 0,
  signal: 4,
  signalCode: 8,
  chunkCount: 12,
  ds: 16,
  es: 18,
  fs: 20,
  gs: 22,
  registers: 24,
  /** As in a case, and then: error code, trap number, old signal mask, CR2. */
  registerCount: 23,
  fp: 24 + 23 * 8,
  chunkBytes: 16,
  chunkRecordBytes: 24,
} as const;

/** Signals by which a case can end. */
export const SIGNAL = { ill: 4, trap: 5, bus: 7, fpe: 8, segv: 11, tick: 27, sys: 31 } as const;

/** Place of each GPR, in encoding order RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8…, in the register block. */
export const GPR_SLOT = [13, 14, 12, 11, 15, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7] as const;
/** Places of the others. */
export const SLOT = { rip: 16, rflags: 17, selectors: 18, errorCode: 19, trapNumber: 20, cr2: 22 } as const;

const pad8 = (sizeBytes: number): number => (sizeBytes + 7) & ~7;

/** The kernel's note in an FP image that holds more than FXSAVE does (struct _fpx_sw_bytes, FP_XSTATE_MAGIC). */
const XSTATE_NOTE = { at: 464, magic1: 0x4650_5853, magic2: 0x4650_5845, features: 7n } as const;

/** Bytes of FP state in a case record: none for the image that the runner has already. */
function fpRecordBytes(fp: Uint8Array): number {
  if (fp === DEFAULT_FP) return 0;
  return fp.length === FXSAVE_BYTES ? FXSAVE_BYTES : XSAVE_AVX_BYTES + 4;
}

/** Bytes that a case takes as a record. */
export function caseRecordBytes(state: CpuState): number {
  const memory = state.memory.reduce((sum, each) => sum + 16 + pad8(each.bytes.length), 0);
  return CASE.memory + memory + pad8(fpRecordBytes(state.fp));
}

/** Writes a case record at `offset` and returns the offset behind it. */
export function encodeCase(view: DataView, offset: number, state: CpuState): number {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  const { segments } = state;
  const fpBytes = fpRecordBytes(state.fp);
  view.setUint32(offset + CASE.fpBytes, fpBytes, true);
  view.setUint16(offset + CASE.ds, segments.ds, true);
  view.setUint16(offset + CASE.es, segments.es, true);
  view.setUint16(offset + CASE.fs, segments.fs, true);
  view.setUint16(offset + CASE.gs, segments.gs, true);
  view.setBigUint64(offset + CASE.fsBase, state.fsBase, true);
  view.setBigUint64(offset + CASE.gsBase, state.gsBase, true);
  const registers = offset + CASE.registers;
  for (let i = 0; i < GPR_COUNT; i++) {
    view.setBigUint64(registers + 8 * (GPR_SLOT[i] ?? 0), state.gpr[i] ?? 0n, true);
  }
  view.setBigUint64(registers + 8 * SLOT.rip, state.rip, true);
  view.setBigUint64(registers + 8 * SLOT.rflags, state.rflags, true);
  view.setUint16(registers + 8 * SLOT.selectors, segments.cs, true);
  view.setUint32(registers + 8 * SLOT.selectors + 2, 0, true); // GS, FS: not loaded from here
  view.setUint16(registers + 8 * SLOT.selectors + 6, segments.ss, true);
  view.setBigUint64(offset + CASE.memoryCount, BigInt(state.memory.length), true);
  let next = offset + CASE.memory;
  for (const { gva, bytes: contents } of state.memory) {
    view.setBigUint64(next, BigInt(gva), true);
    view.setBigUint64(next + 8, BigInt(contents.length), true);
    bytes.set(contents, next + 16);
    next += 16 + pad8(contents.length);
  }
  if (fpBytes !== 0) bytes.set(state.fp, next);
  if (fpBytes > FXSAVE_BYTES) {
    view.setUint32(next + XSTATE_NOTE.at, XSTATE_NOTE.magic1, true);
    view.setUint32(next + XSTATE_NOTE.at + 4, fpBytes, true); // extended_size
    view.setBigUint64(next + XSTATE_NOTE.at + 8, XSTATE_NOTE.features, true); // xfeatures
    view.setUint32(next + XSTATE_NOTE.at + 16, XSAVE_AVX_BYTES, true); // xstate_size
    view.setUint32(next + XSAVE_AVX_BYTES, XSTATE_NOTE.magic2, true);
  }
  next += pad8(fpBytes);
  view.setUint32(offset + CASE.sizeBytes, next - offset, true);
  return next;
}

/** A result record as the runner wrote it. */
export interface NativeResult {
  /** The signal by which the case ended; SIGNAL.tick is a timeout, SIGNAL.sys a refused system call. */
  readonly signal: number;
  readonly signalCode: number;
  /** Vector of the exception, if the signal comes from one. */
  readonly trapNumber: number;
  readonly errorCode: number;
  /** Valid after a page fault. */
  readonly cr2: bigint;
  /** In encoding order: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8–R15. */
  readonly gpr: BigUint64Array;
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly segments: Segments;
  /** FXSAVE image, or the beginning of an XSAVE image. */
  readonly fp: Uint8Array;
  /** Aligned 16-byte chunks of writable memory that differ from the baseline, by ascending address. */
  readonly memory: readonly MemoryBytes[];
}

/** Where the result records of a batch begin. */
export function resultOffsets(batch: Uint8Array): number[] {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const offsets: number[] = [];
  for (let at: number = BATCH_HEADER_BYTES; at < batch.length; at += view.getUint32(at, true))
    offsets.push(at);
  return offsets;
}

/** Reads a result record; what it holds are copies. `bytes` is no Buffer, because slice() of those makes none. */
export function decodeResult(batch: Uint8Array, offset: number, fpBytes: number): NativeResult {
  const view = new DataView(batch.buffer, batch.byteOffset, batch.byteLength);
  const registers = offset + RESULT.registers;
  const gpr = new BigUint64Array(GPR_COUNT);
  for (let i = 0; i < GPR_COUNT; i++) {
    gpr[i] = view.getBigUint64(registers + 8 * (GPR_SLOT[i] ?? 0), true);
  }
  const fp = batch.slice(offset + RESULT.fp, offset + RESULT.fp + fpBytes);
  fp.fill(0, XSTATE_NOTE.at, FXSAVE_BYTES); // the kernel's own note
  const memory: MemoryBytes[] = [];
  const chunkCount = view.getUint32(offset + RESULT.chunkCount, true);
  for (let i = 0; i < chunkCount; i++) {
    const at = offset + RESULT.fp + fpBytes + i * RESULT.chunkRecordBytes;
    memory.push({ gva: view.getUint32(at, true), bytes: batch.slice(at + 8, at + RESULT.chunkRecordBytes) });
  }
  return {
    signal: view.getUint32(offset + RESULT.signal, true),
    signalCode: view.getInt32(offset + RESULT.signalCode, true),
    trapNumber: view.getUint32(registers + 8 * SLOT.trapNumber, true),
    errorCode: view.getUint32(registers + 8 * SLOT.errorCode, true),
    cr2: view.getBigUint64(registers + 8 * SLOT.cr2, true),
    gpr,
    rip: view.getBigUint64(registers + 8 * SLOT.rip, true),
    rflags: view.getBigUint64(registers + 8 * SLOT.rflags, true),
    segments: {
      cs: view.getUint16(registers + 8 * SLOT.selectors, true),
      ss: view.getUint16(registers + 8 * SLOT.selectors + 6, true),
      ds: view.getUint16(offset + RESULT.ds, true),
      es: view.getUint16(offset + RESULT.es, true),
      fs: view.getUint16(offset + RESULT.fs, true),
      gs: view.getUint16(offset + RESULT.gs, true),
    },
    fp,
    memory,
  };
}

/** The first reason why a state must not be given to the runner, or undefined if it may. */
export function refusalOf(state: CpuState): string | undefined {
  for (const { gva, bytes } of state.memory) {
    const fits = REGIONS.some(
      (region) => region.writable && gva >= region.gva && gva + bytes.length <= region.gva + region.sizeBytes,
    );
    if (!fits)
      return `memory at 0x${gva.toString(16)} (${String(bytes.length)} bytes) is outside the writable regions`;
  }
  if (state.gpr.length !== GPR_COUNT) return `gpr has ${String(state.gpr.length)} registers`;
  if (state.fp.length !== FXSAVE_BYTES && state.fp.length !== XSAVE_AVX_BYTES) {
    return `the FP image has ${String(state.fp.length)} bytes`;
  }
  if (new FpImage(state.fp).mxcsr > 0xffff) return "reserved bits of MXCSR are set";
  if (state.fsBase >= 1n << 47n || state.gsBase >= 1n << 47n) return "a segment base is not a user address";
  if (caseRecordBytes(state) > BATCH_MAX_BYTES) return "the case is larger than a batch";
  return undefined;
}
