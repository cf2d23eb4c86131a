/**
 * What executing a case came to, in the same terms for every executor: how it ended, the state at that moment,
 * and the memory that changed.
 */

import { codeBaseOf, REGIONS, baselineByte, type MemoryRegion } from "./layout.ts";
import type { InstructionCase, ResolvedCase } from "./instruction-case.ts";
import type { NativeAnswer } from "./native-oracle.ts";
import { SIGNAL } from "./protocol.ts";
import type { CpuState, MemoryBytes, Segments } from "./state.ts";

/** How a case ended. */
export type CaseExit =
  /** Execution reached the INT3 fill outside the case's code; RIP is the address of that INT3. */
  | { readonly kind: "completed" }
  /** The code raised an exception; RIP is what the exception frame holds. */
  | {
      readonly kind: "exception";
      readonly vector: number;
      /** For vectors that push one. */
      readonly errorCode?: number;
      /** For page faults: the linear address. */
      readonly cr2?: bigint;
    }
  /** SYSCALL, SYSENTER or INT 80h: a request to an operating system, which cases have none of. */
  | { readonly kind: "systemCall" }
  /** It was still running when its time was over. */
  | { readonly kind: "timeout" }
  /** The executor itself failed. */
  | { readonly kind: "lost"; readonly reason: string };

export interface CpuOutcome {
  readonly exit: CaseExit;
  /** In encoding order. In 32- and 16-bit modes only the low halves of the first eight mean anything. */
  readonly gpr: BigUint64Array;
  /** Offset in CS. */
  readonly rip: bigint;
  readonly rflags: bigint;
  readonly segments: Segments;
  /** FXSAVE image, possibly with AVX state behind it; see FpImage. */
  readonly fp: Uint8Array;
  /** Runs of bytes that are not what they were before the case, by ascending address. */
  readonly memory: readonly MemoryBytes[];
}

/** Something that executes cases: the real CPU, recorded vectors, a tier of our engine. */
export interface CpuExecutor {
  readonly name: string;
  /** Outcomes in the order of the cases. */
  execute(cases: readonly InstructionCase[]): Promise<CpuOutcome[]>;
}

/** Exceptions that push an error code (SDM 3A table 6-1), of those that user mode can meet. */
const VECTORS_WITH_ERROR_CODE: ReadonlySet<number> = new Set([10, 11, 12, 13, 14, 17]);
export const VECTOR = {
  de: 0,
  db: 1,
  bp: 3,
  of: 4,
  br: 5,
  ud: 6,
  nm: 7,
  ts: 10,
  np: 11,
  ss: 12,
  gp: 13,
  pf: 14,
  mf: 16,
  ac: 17,
  xm: 19,
} as const;

/**
 * The exit for an exception, in the one form that outcomes compare in. For use by every executor: it tells the
 * INT3 that ends a case from one inside its code. Gives the RIP that the outcome shall hold as well.
 */
export function exceptionExit(
  resolved: ResolvedCase,
  vector: number,
  rip: bigint,
  errorCode: number,
  cr2: bigint,
): { readonly exit: CaseExit; readonly rip: bigint } {
  if (vector === VECTOR.bp) {
    const int3Gva = Number(rip) - 1 + codeBaseOf(resolved.source.mode);
    const inside = int3Gva >= resolved.codeGva && int3Gva < resolved.codeGva + resolved.code.length;
    if (!inside) return { exit: { kind: "completed" }, rip: rip - 1n };
  }
  return {
    exit: {
      kind: "exception",
      vector,
      ...(VECTORS_WITH_ERROR_CODE.has(vector) && { errorCode }),
      ...(vector === VECTOR.pf && { cr2 }),
    },
    rip,
  };
}

/** The outcome of a case that the native oracle has run. */
export function outcomeOf(resolved: ResolvedCase, answer: NativeAnswer): CpuOutcome {
  const { state } = resolved;
  if (answer.kind === "lost") {
    const { gpr, rip, rflags, segments, fp } = state;
    return { exit: { kind: "lost", reason: answer.reason }, gpr, rip, rflags, segments, fp, memory: [] };
  }
  const { exit, rip } = exitOf(resolved, answer);
  const { gpr, rflags, segments, fp } = answer;
  return { exit, gpr, rip, rflags, segments, fp, memory: memoryChanges(state, answer.memory) };
}

function exitOf(
  resolved: ResolvedCase,
  answer: NativeAnswer & { readonly kind: "ended" },
): { readonly exit: CaseExit; readonly rip: bigint } {
  if (answer.signal === SIGNAL.tick) return { exit: { kind: "timeout" }, rip: answer.rip };
  if (answer.signal === SIGNAL.sys) return { exit: { kind: "systemCall" }, rip: answer.rip };
  return exceptionExit(resolved, answer.trapNumber, answer.rip, answer.errorCode, answer.cr2);
}

/** A region's contents before a case. */
export function initialContents(state: CpuState, region: MemoryRegion): Uint8Array {
  const contents = BASELINES.get(region.name)?.slice() ?? new Uint8Array(region.sizeBytes);
  for (const { gva, bytes } of state.memory) {
    if (gva >= region.gva && gva + bytes.length <= region.gva + region.sizeBytes)
      contents.set(bytes, gva - region.gva);
  }
  return contents;
}

const BASELINES = new Map(
  REGIONS.map((region) => [
    region.name,
    Uint8Array.from({ length: region.sizeBytes }, (_, offset) => baselineByte(region, offset)),
  ]),
);

/**
 * The runs of changed bytes, given all bytes that may differ from the baseline. A byte that the case's own
 * contents changed and that is not reported has been set back to its baseline value, which is a change too.
 */
function memoryChanges(state: CpuState, reported: readonly MemoryBytes[]): MemoryBytes[] {
  const before = new ByteOverlay(state.memory);
  const after = new ByteOverlay(reported);
  // Only these places can have changed: where the case put something, and where something was found.
  const changed = new Set<number>();
  for (const { gva, bytes } of [...state.memory, ...reported]) {
    for (let at = gva; at < gva + bytes.length; at++) if (before.read(at) !== after.read(at)) changed.add(at);
  }
  return runsOf([...changed], (gva) => after.read(gva));
}

/** The baseline with bytes laid over it; later ones win. */
class ByteOverlay {
  readonly #layers: readonly MemoryBytes[];

  constructor(layers: readonly MemoryBytes[]) {
    this.#layers = layers;
  }

  read(gva: number): number {
    for (let i = this.#layers.length - 1; i >= 0; i--) {
      const layer = this.#layers[i];
      const byte = layer === undefined || gva < layer.gva ? undefined : layer.bytes[gva - layer.gva];
      if (byte !== undefined) return byte;
    }
    return baselineAt(gva);
  }
}

function baselineAt(gva: number): number {
  const region = REGIONS.find((each) => gva >= each.gva && gva < each.gva + each.sizeBytes);
  return region === undefined ? 0 : baselineByte(region, gva - region.gva);
}

/** Joins single addresses into runs, with the bytes that `read` gives for them. */
export function runsOf(addresses: readonly number[], read: (gva: number) => number): MemoryBytes[] {
  const runs: { gva: number; bytes: number[] }[] = [];
  for (const gva of [...addresses].sort((a, b) => a - b)) {
    const last = runs.at(-1);
    if (last !== undefined && last.gva + last.bytes.length === gva) last.bytes.push(read(gva));
    else runs.push({ gva, bytes: [read(gva)] });
  }
  return runs.map(({ gva, bytes }) => ({ gva, bytes: Uint8Array.from(bytes) }));
}

/** The runs of bytes in which memory of a case differs from what it was before: for executors with own memory. */
export function memoryChangesOf(state: CpuState, read: (region: MemoryRegion) => Uint8Array): MemoryBytes[] {
  return REGIONS.filter((region) => region.writable).flatMap((region) => {
    const before = initialContents(state, region);
    const after = read(region);
    // Most regions are as they were, which is found out quickly.
    if (Buffer.compare(before, after) === 0) return [];
    const changed: number[] = [];
    after.forEach((byte, offset) => {
      if (byte !== before[offset]) changed.push(region.gva + offset);
    });
    return runsOf(changed, (gva) => after[gva - region.gva] ?? 0);
  });
}
