/**
 * The real CPU of this machine as an oracle: starts the native runner as a child process and feeds it cases.
 *
 * The child is a separate process under a seccomp filter, so nothing that a case does reaches Node. A case that
 * kills the child all the same is found by halving its batch, and reported as lost; the others are run again.
 *
 * Known to differ from the bare processor when this machine is itself a KVM guest on AMD: ICEBP (F1) leaves RIP
 * at the instruction, not behind it. Instructions whose results are not a function of the state (RDTSC, RDRAND,
 * CPUID) make no cases.
 */

import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FXSAVE_BYTES, XSAVE_AVX_BYTES } from "./fp-image.ts";
import { type CpuMode, LDT } from "./layout.ts";
import {
  BATCH_HEADER_BYTES,
  BATCH_MAX_BYTES,
  BATCH_MAX_CASES,
  caseRecordBytes,
  decodeResult,
  encodeCase,
  HELLO,
  type NativeResult,
  refusalOf,
  resultOffsets,
} from "./protocol.ts";
import type { ResultRecord } from "./result-record.ts";
import { buildRunner } from "./runner.ts";
import type { CpuState } from "./state.ts";

/** A case as the oracle takes it: the complete state before the first instruction. */
export type NativeCase = CpuState;

/** What became of a case. A lost one ended the runner itself, which no case is expected to be able to do. */
export type NativeAnswer =
  ({ readonly kind: "ended" } & NativeResult) | { readonly kind: "lost"; readonly reason: string };

/** The same without anything built of it: the record that the runner wrote. */
export type NativeRecord =
  | { readonly kind: "ended"; readonly record: ResultRecord }
  | { readonly kind: "lost"; readonly reason: string };

export interface NativeOracle {
  /** Runs cases in order; the answers are in the same order. Rejects if the oracle cannot run here at all. */
  run(cases: readonly NativeCase[]): Promise<NativeAnswer[]>;
  /** run() for callers that compare many results and look closer at few. */
  runRecords(cases: readonly NativeCase[]): Promise<NativeRecord[]>;
  /** Ends the child process; without it Node stays alive. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export type OracleSupport =
  | {
      readonly available: true;
      readonly modes: readonly CpuMode[];
      /** Whether the segments of layout.ts' LDT exist. */
      readonly ldt: boolean;
      /** The model name, for reports. */
      readonly cpuName: string;
      /** Feature names as in /proc/cpuinfo: "sse4_2", "avx2", … */
      readonly cpuFlags: ReadonlySet<string>;
    }
  | { readonly available: false; readonly reason: string };

/** Time that an answer may take for a batch and, on top, for each of its cases. */
const BATCH_TIMEOUT_MS = 10_000;
const CASE_TIMEOUT_MS = 100;
/** Batches on their way at once: one is encoded or decoded while another runs. */
const BATCHES_IN_FLIGHT = 2;

let support: OracleSupport | undefined;

/** Whether and how the real CPU can be asked here; found out once by starting the runner. */
export function oracleSupport(): OracleSupport {
  support ??= probe();
  return support;
}

function probe(): OracleSupport {
  const unavailable = (reason: string): OracleSupport => ({ available: false, reason });
  if (process.platform !== "linux")
    return unavailable(`the native runner is a Linux program; this is ${process.platform}`);
  if (process.arch !== "x64") return unavailable(`this processor is ${process.arch}, not x86-64`);
  const cpuInfo = readFileSync("/proc/cpuinfo", "utf8");
  const cpuFlags = new Set(/^flags\s*: (.*)$/m.exec(cpuInfo)?.[1]?.split(" ") ?? []);
  const folder = writeRunner(cpuFlags);
  try {
    const run = spawnSync(join(folder, RUNNER_NAME), { input: "", timeout: BATCH_TIMEOUT_MS });
    if (run.error !== undefined) return unavailable(`the native runner does not start: ${run.error.message}`);
    if (run.status !== 0)
      return unavailable(`the native runner ended with ${run.signal ?? String(run.status)}`);
    const hello = readHello(run.stdout);
    if (typeof hello === "string") return unavailable(hello);
    return {
      available: true,
      modes: hello.ldt ? ["long64", "compat32", "protected16"] : ["long64", "compat32"],
      ldt: hello.ldt,
      cpuName: /^model name\s*: (.*)$/m.exec(cpuInfo)?.[1] ?? "unknown x86-64 processor",
      cpuFlags,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Reads the greeting, or says in a sentence what is wrong with it. */
function readHello(bytes: Uint8Array): { readonly ldt: boolean } | string {
  if (bytes.length < HELLO.sizeBytes) return "the native runner said nothing";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getBigUint64(HELLO.magic, true) !== HELLO.magicValue)
    return "the native runner is of another version";
  const filterError = view.getBigInt64(HELLO.filterResult, true);
  if (filterError !== 0n)
    return `system calls of cases cannot be blocked: seccomp gives error ${String(-filterError)}`;
  const ldt = LDT.every((_, index) => view.getBigInt64(HELLO.ldtResults + 8 * index, true) === 0n);
  return { ldt };
}

const RUNNER_NAME = "typevisor-oracle";

const fpResultBytes = (cpuFlags: ReadonlySet<string>): number =>
  cpuFlags.has("avx") ? XSAVE_AVX_BYTES : FXSAVE_BYTES;

/** Writes the executable into a fresh folder, which the caller removes. */
function writeRunner(cpuFlags: ReadonlySet<string>): string {
  const folder = mkdtempSync(join(tmpdir(), "typevisor-oracle-"));
  const path = join(folder, RUNNER_NAME);
  const file = openSync(path, "wx");
  writeSync(file, buildRunner({ fpResultBytes: fpResultBytes(cpuFlags) }));
  closeSync(file);
  chmodSync(path, 0o700);
  return folder;
}

/** Starts the oracle. The child process itself is started with the first cases. */
export function startNativeOracle(): NativeOracle {
  return new ChildOracle();
}

class ChildOracle implements NativeOracle {
  #runner: RunnerProcess | undefined;
  #closed = false;

  async run(cases: readonly NativeCase[]): Promise<NativeAnswer[]> {
    const records = await this.runRecords(cases);
    return records.map((each) => {
      if (each.kind === "lost") return each;
      const { bytes, offset, fpBytes } = each.record;
      return { kind: "ended", ...decodeResult(bytes, offset, fpBytes) };
    });
  }

  async runRecords(cases: readonly NativeCase[]): Promise<NativeRecord[]> {
    if (this.#closed) throw new Error("the native oracle is closed");
    const where = oracleSupport();
    if (!where.available) throw new Error(`the native oracle is not available: ${where.reason}`);
    cases.forEach((each, index) => {
      const refusal =
        refusalOf(each) ?? (where.modes.includes(each.mode) ? undefined : `${each.mode} is not available`);
      if (refusal !== undefined) throw new RangeError(`case ${String(index)}: ${refusal}`);
    });
    const batches = splitIntoBatches(cases);
    const answers: NativeRecord[][] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < batches.length; index = next++) {
        answers[index] = await this.#runBatch(batches[index] ?? [], where.cpuFlags);
      }
    };
    await Promise.all(Array.from({ length: BATCHES_IN_FLIGHT }, worker));
    return answers.flat();
  }

  async #runBatch(batch: readonly NativeCase[], cpuFlags: ReadonlySet<string>): Promise<NativeRecord[]> {
    for (;;) {
      this.#runner ??= new RunnerProcess(cpuFlags);
      const runner = this.#runner;
      const reply = await runner.submit(batch);
      if (reply.kind === "results") return reply.records.map((record) => ({ kind: "ended", record }));
      if (this.#runner === runner) this.#runner = undefined;
      if (reply.kind === "notRun") continue;
      if (batch.length === 1) return [{ kind: "lost", reason: reply.reason }];
      const middle = batch.length >> 1;
      const first = await this.#runBatch(batch.slice(0, middle), cpuFlags);
      return [...first, ...(await this.#runBatch(batch.slice(middle), cpuFlags))];
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#runner?.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function splitIntoBatches(cases: readonly NativeCase[]): NativeCase[][] {
  const batches: NativeCase[][] = [];
  let current: NativeCase[] = [];
  let sizeBytes = 0;
  for (const each of cases) {
    const recordBytes = caseRecordBytes(each);
    if (
      current.length === 0 ||
      current.length === BATCH_MAX_CASES ||
      sizeBytes + recordBytes > BATCH_MAX_BYTES
    ) {
      current = [];
      batches.push(current);
      sizeBytes = 0;
    }
    current.push(each);
    sizeBytes += recordBytes;
  }
  return batches;
}

function encodeBatch(batch: readonly NativeCase[]): Uint8Array {
  const bodyBytes = batch.reduce((sum, each) => sum + caseRecordBytes(each), 0);
  const bytes = new Uint8Array(BATCH_HEADER_BYTES + bodyBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bodyBytes, true);
  view.setUint32(4, batch.length, true);
  let offset = BATCH_HEADER_BYTES;
  for (const each of batch) offset = encodeCase(view, offset, each);
  return bytes;
}

/** What a submitted batch comes to. The batch that was running when the runner ended is the broken one. */
type Reply =
  | { readonly kind: "results"; readonly records: ResultRecord[] }
  | { readonly kind: "broken"; readonly reason: string }
  | { readonly kind: "notRun" };

interface PendingBatch {
  readonly caseCount: number;
  readonly resolve: (reply: Reply) => void;
}

/** One child process and the batches that it has been given. */
class RunnerProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #folder: string;
  readonly #fpBytes: number;
  readonly #pending: PendingBatch[] = [];
  readonly #ended: Promise<void>;
  /** Output that is not yet a whole batch. */
  #chunks: Uint8Array[] = [];
  #bufferedBytes = 0;
  #greeted = false;
  #gone = false;
  #watchdog: NodeJS.Timeout | undefined;

  constructor(cpuFlags: ReadonlySet<string>) {
    this.#fpBytes = fpResultBytes(cpuFlags);
    this.#folder = writeRunner(cpuFlags);
    // In a group of its own, so that Ctrl-C leaves its end to us.
    this.#child = spawn(join(this.#folder, RUNNER_NAME), { stdio: "pipe", detached: true });
    this.#child.stdout.on("data", (chunk: Uint8Array) => {
      this.#receive(chunk);
    });
    // A write to a runner that has just ended fails; its end is reported by "close".
    this.#child.stdin.on("error", () => undefined);
    this.#ended = new Promise((resolve) => {
      const end = (reason: string): void => {
        this.#end(reason);
        resolve();
      };
      this.#child.on("error", (error) => {
        end(error.message);
      });
      this.#child.on("close", (status, signal) => {
        end(`the native runner ended with ${signal ?? `status ${String(status)}`}`);
      });
    });
  }

  submit(batch: readonly NativeCase[]): Promise<Reply> {
    return new Promise((resolve) => {
      if (this.#gone) {
        resolve({ kind: "notRun" });
        return;
      }
      this.#pending.push({ caseCount: batch.length, resolve });
      if (this.#pending.length === 1) this.#watchHead();
      this.#child.stdin.write(encodeBatch(batch));
    });
  }

  async end(): Promise<void> {
    this.#child.stdin.end();
    await this.#ended;
  }

  #receive(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#bufferedBytes += chunk.length;
    if (!this.#greeted) {
      if (this.#bufferedBytes < HELLO.sizeBytes) return;
      const bytes = this.#take(HELLO.sizeBytes);
      this.#greeted = true;
      rmSync(this.#folder, { recursive: true, force: true });
      const hello = readHello(bytes);
      if (typeof hello === "string") this.#child.kill("SIGKILL");
    }
    while (this.#bufferedBytes >= BATCH_HEADER_BYTES) {
      const sizeBytes = this.#peekSize();
      if (this.#bufferedBytes < sizeBytes) return;
      const records = this.#records(this.#take(sizeBytes));
      const head = this.#pending.shift();
      this.#watchHead();
      head?.resolve({ kind: "results", records });
    }
  }

  #records(batch: Uint8Array): ResultRecord[] {
    const bytes = new Uint8Array(batch.buffer, batch.byteOffset, batch.length);
    const view = new DataView(batch.buffer, batch.byteOffset, batch.length);
    return resultOffsets(bytes).map((offset) => ({ bytes, view, offset, fpBytes: this.#fpBytes }));
  }

  /** The size in the header of the next batch of results. */
  #peekSize(): number {
    const first = this.#chunks[0];
    const bytes = first !== undefined && first.length >= BATCH_HEADER_BYTES ? first : this.#join();
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true);
  }

  #take(sizeBytes: number): Uint8Array {
    const all = this.#join();
    this.#chunks = all.length > sizeBytes ? [all.subarray(sizeBytes)] : [];
    this.#bufferedBytes -= sizeBytes;
    return all.subarray(0, sizeBytes);
  }

  #join(): Uint8Array {
    const only = this.#chunks[0];
    if (this.#chunks.length === 1 && only !== undefined) return only;
    const all = Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  /** Starts the time that the batch at the head may take. */
  #watchHead(): void {
    clearTimeout(this.#watchdog);
    const head = this.#pending[0];
    if (head === undefined) return;
    this.#watchdog = setTimeout(
      () => {
        this.#child.kill("SIGKILL");
      },
      BATCH_TIMEOUT_MS + head.caseCount * CASE_TIMEOUT_MS,
    );
  }

  #end(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    clearTimeout(this.#watchdog);
    rmSync(this.#folder, { recursive: true, force: true });
    const [head, ...others] = this.#pending;
    head?.resolve({ kind: "broken", reason });
    for (const other of others) other.resolve({ kind: "notRun" });
  }
}
