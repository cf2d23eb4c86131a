/** The CPU fuzz as a whole: starts its threads, adds up what they report. */
import { Worker } from "node:worker_threads";
import { rowName } from "../../conformance/case-generator.ts";
import { hostCpu } from "../../conformance/host-cpu.ts";
import { oracleSupport } from "../../oracle/index.ts";
import { SequenceGenerator, STATES_PER_PROGRAM } from "./sequences.ts";
import { decodeReport, orderToArguments, type ReportedFailure, type WorkerReport } from "./worker-report.ts";

/** Failures that each thread reduces; more are only counted. */
const FAILURES_REDUCED = 10;

/** Nearly all that a thread allocates dies at once; a larger nursery is collected less often. */
const YOUNG_GENERATION_MB = 96;

export interface CpuFuzzOptions {
  readonly seed: number;
  readonly seconds: number;
  readonly jobs: number;
  /** Only the program that this sequence belongs to. */
  readonly only: number | undefined;
  /** Called about twice a second. */
  readonly onProgress: (summary: CpuFuzzSummary) => void;
}

export interface CpuFuzzSummary {
  readonly cpuName: string;
  readonly seconds: number;
  readonly programs: number;
  readonly sequences: number;
  readonly failures: number;
  readonly rows: number;
  /** Rows that each tier has run. */
  readonly rowsRun: number;
  /** How often the row that ran least did so. */
  readonly leastRuns: number;
  /** Rows that cannot be tested here, with the reason. */
  readonly excluded: readonly { readonly row: string; readonly reason: string }[];
  readonly described: readonly ReportedFailure[];
}

export type CpuFuzz =
  | { readonly available: false; readonly reason: string }
  | {
      readonly available: true;
      /** Ends it early; what has been found so far is the result. */
      readonly stop: () => void;
      readonly result: Promise<CpuFuzzSummary>;
    };

/** Starts the fuzz, or says why it cannot run here. */
export function startCpuFuzz(options: CpuFuzzOptions): CpuFuzz {
  const support = oracleSupport();
  if (!support.available) return { available: false, reason: support.reason };
  const { seed, only, seconds } = options;
  const generator = new SequenceGenerator(hostCpu(support), seed);
  const excluded = [...generator.exclusions].map(([row, reason]) => ({ row: rowName(row), reason }));
  const jobs = only === undefined ? options.jobs : 1;
  const range =
    only === undefined
      ? { first: 0, programs: Number.MAX_SAFE_INTEGER }
      : { first: Math.floor(only / STATES_PER_PROGRAM), programs: 1 };
  const started = performance.now();
  const reports: WorkerReport[] = [];
  const summary = (): CpuFuzzSummary => {
    const sum = (value: (report: WorkerReport) => number): number =>
      reports.reduce((total, report) => total + value(report), 0);
    const runs = generator.rows.map((_, i) => sum(({ rowsRun }) => rowsRun[i] ?? 0));
    return {
      cpuName: support.cpuName,
      seconds: (performance.now() - started) / 1000,
      programs: sum(({ programs }) => programs),
      sequences: sum(({ sequences }) => sequences),
      failures: sum(({ failures }) => failures),
      rows: runs.length,
      rowsRun: runs.filter((count) => count > 0).length,
      leastRuns: Math.min(...runs),
      excluded,
      described: reports.flatMap(({ described }) => described),
    };
  };
  const workers = Array.from({ length: jobs }, (_, job) => {
    const order = { seed, seconds, job, jobs, ...range, failuresReduced: FAILURES_REDUCED };
    return new Worker(new URL("./worker.ts", import.meta.url), {
      argv: orderToArguments(order),
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
  });
  const ends = workers.map(
    (worker, job) =>
      new Promise<void>((resolve, reject) => {
        worker.on("message", (message: unknown) => {
          reports[job] = decodeReport(message);
          options.onProgress(summary());
        });
        worker.on("error", reject);
        worker.on("exit", () => {
          if (reports[job]?.isLast === true) resolve();
          else reject(new Error(`thread ${String(job)} of the fuzz ended early`));
        });
      }),
  );
  return {
    available: true,
    stop: () => {
      for (const worker of workers) worker.postMessage("stop");
    },
    result: Promise.all(ends).then(summary),
  };
}
