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
];
