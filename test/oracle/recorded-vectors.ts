/**
 * Recorded vectors: outcomes of the real CPU in a file, for hosts that are not x86-64.
 *
 * Format, after Brotli: "TVVECT01", a length-prefixed UTF-8 name of the CPU, the number of outcomes, and then for
 * each an 8-byte digest of the complete initial state and what the outcome changed against that state. All
 * numbers are LEB128. State beyond FXSAVE is recorded only for cases that set it. The fields that compare.ts never
 * compares (x87 pointers, MXCSR_MASK) are recorded as unchanged, because they differ from CPU to CPU.
 */

import { createHash } from "node:crypto";
import { brotliCompressSync, brotliDecompressSync } from "node:zlib";
import { type InstructionCase, resolveCase } from "./instruction-case.ts";
import type { CaseExit, CpuExecutor, CpuOutcome } from "./outcome.ts";
import { caseRecordBytes, encodeCase } from "./protocol.ts";
import type { CpuState, MemoryBytes, Segments } from "./state.ts";

const MAGIC = "TVVECT01";
const DIGEST_BYTES = 8;
/** Most outcomes that a file may claim to hold. */
export const VECTORS_MAX_COUNT = 1_000_000;

const EXIT_KINDS = ["completed", "exception", "systemCall", "timeout"] as const;
const SEGMENT_NAMES = ["cs", "ss", "ds", "es", "fs", "gs"] as const satisfies readonly (keyof Segments)[];

/** Bytes [start, end) of the FP image that are never compared: FOP, FIP, FDP; MXCSR_MASK. */
const FP_IGNORED = [
  [6, 24],
  [28, 32],
] as const;

/** Identifies a case by everything that it starts from. */
function digestOf(state: CpuState): string {
  const record = new Uint8Array(caseRecordBytes(state));
  encodeCase(new DataView(record.buffer), 0, state);
  return createHash("sha256")
    .update(state.mode)
    .update(record)
    .digest("hex")
    .slice(0, 2 * DIGEST_BYTES);
}

/** Executes cases and writes down what came out. Refuses cases whose outcome is not the same a second time. */
export async function recordVectors(
  executor: CpuExecutor,
  cpuName: string,
  cases: readonly InstructionCase[],
): Promise<Uint8Array> {
  const outcomes = await executor.execute(cases);
  const again = await executor.execute(cases);
  const writer = new VectorWriter();
  writer.text(MAGIC);
  writer.text(cpuName);
  const vectors = new Map<string, Uint8Array>();
  cases.forEach((source, index) => {
    const outcome = outcomes[index];
    const second = again[index];
    if (outcome === undefined || second === undefined) throw new Error(`${source.name} has no outcome`);
    if (outcome.exit.kind === "lost") throw new Error(`${source.name} was lost: ${outcome.exit.reason}`);
    const { state } = resolveCase(source);
    const vector = encodeOutcome(state, outcome);
    if (Buffer.compare(vector, encodeOutcome(state, second)) !== 0) {
      throw new Error(`${source.name} came out differently the second time`);
    }
    vectors.set(digestOf(state), vector);
  });
  writer.number(vectors.size);
  // Sorted by digest, so that a file does not depend on the order of the cases.
  for (const [digest, vector] of [...vectors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    writer.raw(Buffer.from(digest, "hex"));
    writer.bytes(vector);
  }
  return brotliCompressSync(writer.finish());
}

/** Answers from recorded vectors. */
export class RecordedExecutor implements CpuExecutor {
  readonly name: string;
  readonly #vectors = new Map<string, Uint8Array>();

  /** Reads a file made by recordVectors; throws a RangeError if it is none. */
  constructor(file: Uint8Array) {
    const reader = new VectorReader(brotliDecompressSync(file));
    if (reader.text() !== MAGIC)
      throw new RangeError("not a file of recorded vectors, or of another version");
    this.name = `recorded ${reader.text()}`;
    const count = reader.number();
    if (count > VECTORS_MAX_COUNT) throw new RangeError(`a file of ${String(count)} recorded vectors`);
    for (let i = 0; i < count; i++) {
      const digest = Buffer.from(reader.raw(DIGEST_BYTES)).toString("hex");
      this.#vectors.set(digest, reader.bytes());
    }
  }

  get size(): number {
    return this.#vectors.size;
  }

  /** Whether there is an outcome for exactly this case. */
  covers(source: InstructionCase): boolean {
    return this.#vectors.has(digestOf(resolveCase(source).state));
  }

  /** Rejects if a case is not covered. */
  execute(cases: readonly InstructionCase[]): Promise<CpuOutcome[]> {
    return Promise.resolve().then(() =>
      cases.map((source) => {
        const { state } = resolveCase(source);
        const vector = this.#vectors.get(digestOf(state));
        if (vector === undefined) throw new Error(`no recorded vector for ${source.name}`);
        return decodeOutcome(state, new VectorReader(vector));
      }),
    );
  }
}

function encodeOutcome(state: CpuState, outcome: CpuOutcome): Uint8Array {
  const writer = new VectorWriter();
  const { exit } = outcome;
  if (exit.kind === "lost") throw new RangeError("a lost case has no outcome");
  writer.number(EXIT_KINDS.indexOf(exit.kind));
  if (exit.kind === "exception") {
    writer.number(exit.vector);
    writer.number(exit.errorCode === undefined ? 0 : exit.errorCode + 1);
    writer.big(exit.cr2 === undefined ? 0n : exit.cr2 + 1n);
  }
  // How far a runaway case got differs from run to run.
  if (exit.kind === "timeout") return writer.finish();
  writer.big(BigInt.asUintN(64, outcome.rip - state.rip));
  writer.big(outcome.rflags ^ state.rflags);
  const gprMask = outcome.gpr.reduce(
    (mask, value, index) => mask | (value === state.gpr[index] ? 0 : 1 << index),
    0,
  );
  writer.number(gprMask);
  outcome.gpr.forEach((value, index) => {
    if ((gprMask & (1 << index)) !== 0) writer.big(value);
  });
  const changed = SEGMENT_NAMES.filter((name) => outcome.segments[name] !== state.segments[name]);
  writer.number(changed.reduce((mask, name) => mask | (1 << SEGMENT_NAMES.indexOf(name)), 0));
  for (const name of changed) writer.number(outcome.segments[name]);
  writer.runs(fpChanges(state.fp, outcome.fp));
  writer.runs(outcome.memory);
  return writer.finish();
}

function decodeOutcome(state: CpuState, reader: VectorReader): CpuOutcome {
  const exit = decodeExit(reader);
  const gpr = state.gpr.slice();
  const fp = state.fp.slice();
  if (exit.kind === "timeout") {
    return { exit, gpr, rip: state.rip, rflags: state.rflags, segments: state.segments, fp, memory: [] };
  }
  const rip = BigInt.asUintN(64, state.rip + reader.big());
  const rflags = state.rflags ^ reader.big();
  const gprMask = reader.number();
  for (let i = 0; i < gpr.length; i++) if ((gprMask & (1 << i)) !== 0) gpr[i] = reader.big();
  const segments = { ...state.segments };
  const segmentMask = reader.number();
  SEGMENT_NAMES.forEach((name, index) => {
    if ((segmentMask & (1 << index)) !== 0) segments[name] = reader.number();
  });
  for (const { gva: at, bytes } of reader.runs()) fp.set(bytes, at);
  return { exit, gpr, rip, rflags, segments, fp, memory: reader.runs() };
}

function decodeExit(reader: VectorReader): CaseExit {
  const kind = EXIT_KINDS[reader.number()];
  if (kind === undefined) throw new RangeError("a recorded vector ends in an unknown way");
  if (kind !== "exception") return { kind };
  const vector = reader.number();
  const errorCode = reader.number();
  const cr2 = reader.big();
  return {
    kind,
    vector,
    ...(errorCode !== 0 && { errorCode: errorCode - 1 }),
    ...(cr2 !== 0n && { cr2: cr2 - 1n }),
  };
}

/** Runs of changed bytes of the FP image, as far as the state before reaches; `gva` is the offset in it. */
function fpChanges(before: Uint8Array, after: Uint8Array): MemoryBytes[] {
  const runs: { gva: number; bytes: number[] }[] = [];
  before.forEach((byte, at) => {
    const now = after[at];
    if (now === undefined || now === byte) return;
    if (FP_IGNORED.some(([start, end]) => at >= start && at < end)) return;
    const last = runs.at(-1);
    if (last !== undefined && last.gva + last.bytes.length === at) last.bytes.push(now);
    else runs.push({ gva: at, bytes: [now] });
  });
  return runs.map(({ gva, bytes }) => ({ gva, bytes: Uint8Array.from(bytes) }));
}

class VectorWriter {
  readonly #out: number[] = [];

  number(value: number): void {
    this.big(BigInt(value));
  }

  big(value: bigint): void {
    let rest = value;
    while (rest >= 0x80n) {
      this.#out.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    this.#out.push(Number(rest));
  }

  raw(bytes: Uint8Array): void {
    for (const byte of bytes) this.#out.push(byte);
  }

  bytes(bytes: Uint8Array): void {
    this.number(bytes.length);
    this.raw(bytes);
  }

  text(text: string): void {
    this.bytes(new TextEncoder().encode(text));
  }

  /** Runs by ascending address, each as its distance from the end of the one before. */
  runs(runs: readonly MemoryBytes[]): void {
    this.number(runs.length);
    let end = 0;
    for (const { gva, bytes } of runs) {
      this.number(gva - end);
      this.bytes(bytes);
      end = gva + bytes.length;
    }
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#out);
  }
}

class VectorReader {
  readonly #bytes: Uint8Array;
  #next = 0;

  constructor(bytes: Uint8Array) {
    // A plain Uint8Array, because slice() of a Buffer makes no copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  number(): number {
    return Number(this.big());
  }

  big(): bigint {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.#bytes[this.#next++];
      if (byte === undefined) throw new RangeError("the recorded vectors are cut off");
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw new RangeError("a number in the recorded vectors does not end");
  }

  raw(sizeBytes: number): Uint8Array {
    if (this.#next + sizeBytes > this.#bytes.length) throw new RangeError("the recorded vectors are cut off");
    this.#next += sizeBytes;
    return this.#bytes.slice(this.#next - sizeBytes, this.#next);
  }

  bytes(): Uint8Array {
    return this.raw(this.number());
  }

  text(): string {
    return new TextDecoder().decode(this.bytes());
  }

  runs(): MemoryBytes[] {
    let end = 0;
    return Array.from({ length: this.number() }, () => {
      const gva = end + this.number();
      const bytes = this.bytes();
      end = gva + bytes.length;
      return { gva, bytes };
    });
  }
}
