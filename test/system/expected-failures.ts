/** Checks that are known to fail, each with what is missing. One that holds all the same fails the test. */

export interface ExpectedFailure {
  readonly guest: string;
  readonly check: string;
  readonly reason: string;
}

export const expectedFailures: readonly ExpectedFailure[] = [
  ...[
    "code that runs beyond the limit of CS is #GP(0) at the first instruction there",
    "an instruction that reaches over the limit of CS is #GP(0)",
    "a near jump beyond the limit of CS is #GP(0) at the jump",
    "a near call beyond the limit of CS is #GP(0) at the call, and pushes nothing",
  ].map((check) => ({
    guest: "segments",
    check,
    reason: "the limit of CS is checked where a block begins only",
  })),
];
