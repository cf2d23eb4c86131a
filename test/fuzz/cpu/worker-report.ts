/** What a thread of the CPU fuzz is told and what it reports, as plain values that cross between threads. */

/** The arguments of a worker. */
export interface WorkerOrder {
  readonly seed: number;
  /** No new programs after so many seconds. */
  readonly seconds: number;
  /** It runs the programs whose number is `job` modulo `jobs`. */
  readonly job: number;
  readonly jobs: number;
  /** The number of the first program; all jobs begin there. */
  readonly first: number;
  /** How many programs all jobs run together at most. */
  readonly programs: number;
  readonly failuresReduced: number;
}

const FIELDS = ["seed", "seconds", "job", "jobs", "first", "programs", "failuresReduced"] as const;

export const orderToArguments = (order: WorkerOrder): string[] => FIELDS.map((field) => String(order[field]));

export function orderFromArguments(given: readonly string[]): WorkerOrder {
  const [seed = 0, seconds = 0, job = 0, jobs = 1, first = 0, programs = 0, failuresReduced = 0] =
    given.map(Number);
  return { seed, seconds, job, jobs, first, programs, failuresReduced };
}

export interface ReportedFailure {
  readonly text: string;
  /** JSON. */
  readonly data: string;
}

export interface WorkerReport {
  readonly isLast: boolean;
  readonly programs: number;
  readonly sequences: number;
  readonly failures: number;
  /** For each row that can be tested, how often it ran in the tier that ran it least. */
  readonly rowsRun: readonly number[];
  readonly described: readonly ReportedFailure[];
}

const isNumber = (value: unknown): value is number => typeof value === "number";

/** A report as it comes out of a message. */
export function decodeReport(message: unknown): WorkerReport {
  const field = (of: unknown, key: string): unknown =>
    typeof of === "object" && of !== null ? Reflect.get(of, key) : undefined;
  const number = (key: string): number => {
    const value = field(message, key);
    if (!isNumber(value)) throw new TypeError(`a report without ${key}`);
    return value;
  };
  const list = (key: string): readonly unknown[] => {
    const value = field(message, key);
    return Array.isArray(value) ? value : [];
  };
  return {
    isLast: field(message, "isLast") === true,
    programs: number("programs"),
    sequences: number("sequences"),
    failures: number("failures"),
    rowsRun: list("rowsRun").filter(isNumber),
    described: list("described").map((each) => ({
      text: String(field(each, "text")),
      data: String(field(each, "data")),
    })),
  };
}
