/**
 * Results as the bytes in which the native runner writes them (protocol.ts, RESULT). Executors that write the same can
 * be compared without building an object of any result: nearly all agree, and only the others are decoded.
 */
import { RESULT, SIGNAL, SLOT } from "./protocol.ts";
import { SETTABLE_FLAGS } from "./state.ts";

export interface ResultRecord {
  readonly bytes: Uint8Array;
  /** Of `bytes`. */
  readonly view: DataView;
  /** Where the record begins. */
  readonly offset: number;
  readonly fpBytes: number;
}

/** The signal of a result whose executor failed; no process ends by it. */
export const SIGNAL_LOST = 0;

const PAGE_FAULT = 14;
const pushesErrorCode = (vector: number): boolean => (vector >= 10 && vector <= 14) || vector === 17;

/** How a case ended: a vector, or something above all of them. */
const TIMEOUT = 256;
const SYSTEM_CALL = 257;
const LOST = 258;

const registerAt = (record: ResultRecord, slot: number): number =>
  record.offset + RESULT.registers + 8 * slot;

function endOf(record: ResultRecord): number {
  const { view, offset } = record;
  const signal = view.getUint32(offset + RESULT.signal, true);
  if (signal === SIGNAL.tick) return TIMEOUT;
  if (signal === SIGNAL.sys) return SYSTEM_CALL;
  if (signal === SIGNAL_LOST) return LOST;
  return view.getUint32(registerAt(record, SLOT.trapNumber), true);
}

/** The vector by which a case ended; undefined if it was no exception. INT3 behind the code is one as well. */
export function vectorOf(record: ResultRecord): number | undefined {
  const end = endOf(record);
  return end < TIMEOUT ? end : undefined;
}

export const ripOf = (record: ResultRecord): bigint =>
  record.view.getBigUint64(registerAt(record, SLOT.rip), true);

/** Whether `words` words of 32 bits are the same. */
function sameWords(a: DataView, at: number, b: DataView, bt: number, words: number): boolean {
  for (let i = 0; i < 4 * words; i += 4) {
    if (a.getUint32(at + i, true) !== b.getUint32(bt + i, true)) return false;
  }
  return true;
}

/**
 * Whether two results agree in everything that is compared (compare.ts says what is not), the flags of `openFlags`
 * apart. A false answer may still be a difference that the case leaves open in another way.
 */
export function recordsAgree(a: ResultRecord, b: ResultRecord, openFlags: number, wide: boolean): boolean {
  const end = endOf(a);
  if (end !== endOf(b) || end === LOST) return false;
  if (end === TIMEOUT || end === SYSTEM_CALL) return true;
  const [va, vb] = [a.view, b.view];
  const [ra, rb] = [registerAt(a, 0), registerAt(b, 0)];
  if (
    pushesErrorCode(end) &&
    va.getUint32(ra + 8 * SLOT.errorCode, true) !== vb.getUint32(rb + 8 * SLOT.errorCode, true)
  )
    return false;
  if (end === PAGE_FAULT && !sameWords(va, ra + 8 * SLOT.cr2, vb, rb + 8 * SLOT.cr2, 2)) return false;
  if (!sameWords(va, ra + 8 * SLOT.rip, vb, rb + 8 * SLOT.rip, 2)) return false;
  const flags = va.getUint32(ra + 8 * SLOT.rflags, true) ^ vb.getUint32(rb + 8 * SLOT.rflags, true);
  if ((flags & SETTABLE_FLAGS & ~openFlags) !== 0) return false;
  if (wide) {
    if (!sameWords(va, ra, vb, rb, 32)) return false;
  } else {
    // The first eight registers, in another order, from slot 8 on.
    for (let i = 64; i < 128; i += 8)
      if (va.getUint32(ra + i, true) !== vb.getUint32(rb + i, true)) return false;
  }
  return sameSegments(a, b) && sameFp(a, b, wide ? 16 : 8) && sameMemory(a, b);
}

function sameSegments(a: ResultRecord, b: ResultRecord): boolean {
  const selector = (record: ResultRecord, at: number): number => {
    const value = record.view.getUint16(record.offset + at, true);
    return (value & ~3) === 0 ? 0 : value;
  };
  const selectors = RESULT.registers + 8 * SLOT.selectors;
  for (const at of [RESULT.ds, RESULT.es, RESULT.fs, RESULT.gs, selectors, selectors + 6])
    if (selector(a, at) !== selector(b, at)) return false;
  return true;
}

const FP = { fsw: 2, ftw: 4, mxcsr: 24, st: 32, xmm: 160 } as const;

function sameFp(a: ResultRecord, b: ResultRecord, xmmCount: number): boolean {
  const [va, vb] = [a.view, b.view];
  const [fa, fb] = [a.offset + RESULT.fp, b.offset + RESULT.fp];
  // FCW and FSW.
  if (va.getUint32(fa, true) !== vb.getUint32(fb, true)) return false;
  const tags = va.getUint8(fa + FP.ftw);
  if (tags !== vb.getUint8(fb + FP.ftw)) return false;
  if (va.getUint16(fa + FP.mxcsr, true) !== vb.getUint16(fb + FP.mxcsr, true)) return false;
  const top = (va.getUint16(fa + FP.fsw, true) >> 11) & 7;
  for (let i = 0; i < 8 && tags !== 0; i++) {
    if ((tags & (1 << ((top + i) & 7))) === 0) continue;
    const at = FP.st + 16 * i;
    if (!sameWords(va, fa + at, vb, fb + at, 2)) return false;
    if (va.getUint16(fa + at + 8, true) !== vb.getUint16(fb + at + 8, true)) return false;
  }
  return sameWords(va, fa + FP.xmm, vb, fb + FP.xmm, 4 * xmmCount);
}

function sameMemory(a: ResultRecord, b: ResultRecord): boolean {
  const count = a.view.getUint32(a.offset + RESULT.chunkCount, true);
  if (count !== b.view.getUint32(b.offset + RESULT.chunkCount, true)) return false;
  const words = (count * RESULT.chunkRecordBytes) / 4;
  const at = a.offset + RESULT.fp + a.fpBytes;
  return sameWords(a.view, at, b.view, b.offset + RESULT.fp + b.fpBytes, words);
}
