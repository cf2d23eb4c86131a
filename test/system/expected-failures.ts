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
  ...group(
    "debug",
    "breakpoint registers have no effect",
    "an instruction breakpoint is #DB before the instruction",
    "breakpoint 3 has its own bit",
    "a write breakpoint is #DB behind the store",
    "a byte within the four of a breakpoint hits it",
    "an unaligned store that reaches into a breakpoint hits it",
    "PUSH hits a write breakpoint",
    "a read-modify-write hits a write breakpoint",
    "REP STOSD is interrupted behind the iteration that hits",
    "an access breakpoint is #DB behind a read",
    "an access breakpoint hits at CPL 3",
    "with CR4.DE a breakpoint at a port is #DB behind OUT",
    "RF set by IRET lets the instruction pass its breakpoint",
    "RF lasts for one instruction, so that a loop hits each time",
  ),
  ...group(
    "interrupts",
    "RF is not saved with interrupts",
    "an interrupt between iterations has RF in the saved flags",
  ),
];
