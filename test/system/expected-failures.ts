/** Checks that are known to fail, each with what is missing. One that holds all the same fails the test. */

export interface ExpectedFailure {
  readonly guest: string;
  readonly check: string;
  readonly reason: string;
}

export const expectedFailures: readonly ExpectedFailure[] = [];
