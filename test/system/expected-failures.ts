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
    "segments",
    "the limit of CS is checked where a block begins only",
    "code that runs beyond the limit of CS is #GP(0) at the first instruction there",
    "an instruction that reaches over the limit of CS is #GP(0)",
    "a near jump beyond the limit of CS is #GP(0) at the jump",
    "a near call beyond the limit of CS is #GP(0) at the call, and pushes nothing",
  ),
  ...group(
    "canonical",
    "near branches do not check their targets themselves",
    "a jump is #GP(0) at the jump",
    "a call is #GP(0) at the call, and pushes nothing",
    "RET is #GP(0) at the RET, and pops nothing",
    "a jump through memory is #GP(0) at the jump",
  ),
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
