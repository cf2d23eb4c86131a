/** Checks that are known to fail, each with what is missing. One that holds all the same fails the test. */

export interface ExpectedFailure {
  readonly guest: string;
  readonly check: string;
  readonly reason: string;
}

const group = (guest: string, reason: string, ...checks: readonly string[]): ExpectedFailure[] =>
  checks.map((check) => ({ guest, check, reason }));

export const expectedFailures: readonly ExpectedFailure[] = [
  ...group(
    "exceptions",
    "alignment is not checked",
    "an unaligned read at CPL 3 with AC and CR0.AM is #AC(0)",
    "an unaligned store at CPL 3 with AC and CR0.AM is #AC(0)",
  ),
  ...group(
    "tasks",
    "a fault that the new task meets has the old task's IP, and the T flag has no effect",
    "a stack segment of another level in the new TSS is #TS in the new task",
    "a data segment that is not present in the new TSS is #NP in the new task",
    "the T flag of the new TSS is #DB before its first instruction",
  ),
];
