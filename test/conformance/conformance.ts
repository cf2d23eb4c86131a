/** Runs the cases of rows in the engine's tiers and compares each outcome with the real CPU's. */
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import {
  compareOutcomes,
  type CpuExecutor,
  type CpuOutcome,
  describeDifferences,
  type Difference,
  exitText,
  FpImage,
  type InstructionCase,
  isWithinUnit,
  isWithinUnitAtUnderflow,
  type Undefined,
} from "../oracle/index.ts";
import { CaseGenerator, rowName } from "./case-generator.ts";
import { RSP } from "./draft.ts";
import { exclusionOf } from "./exclusions.ts";
import type { HostCpu } from "./host-cpu.ts";
import { isOpenFault, openAfter, withOpenFloats, withoutOpenPayloads } from "./vendors.ts";

export interface ConformanceOptions {
  readonly casesPerRow: number;
  readonly seed: number;
  /** Only these of the cases. */
  readonly only?: (source: InstructionCase) => boolean;
}

export interface RowReport {
  readonly name: string;
  readonly mnemonic: string;
  /** User mode gets #GP(0). */
  readonly isPrivileged: boolean;
  /** Why it has no cases. */
  readonly exclusion?: string;
  readonly caseCount: number;
  /** Of these, how many the real CPU completed without an exception. */
  readonly completedCount: number;
  /** Descriptions by tier of the cases that came out differently. */
  readonly failures: ReadonlyMap<string, readonly string[]>;
  /** How the cases ended, with counts. */
  readonly exits: ReadonlyMap<string, number>;
}

/** The cases of all rows, run in `expected` and in each of the tiers. */
export async function runConformance(
  rows: readonly InstructionRow[],
  host: HostCpu,
  expected: CpuExecutor,
  tiers: readonly CpuExecutor[],
  options: ConformanceOptions,
): Promise<RowReport[]> {
  const generator = new CaseGenerator(host, options.seed);
  const byRow = rows.map((row) => {
    const exclusion = exclusionOf(row, host);
    const all = exclusion === undefined ? generator.casesOf(row, options.casesPerRow) : [];
    return { row, exclusion, cases: all.filter((source) => options.only?.(source) ?? true) };
  });
  const all = byRow.flatMap(({ cases }) => cases);
  const wanted = await expected.execute(all);
  const outcomes = new Map<string, readonly CpuOutcome[]>();
  for (const tier of tiers) outcomes.set(tier.name, await tier.execute(all));
  let next = 0;
  return byRow.map(({ row, exclusion, cases }) => {
    const first = next;
    next += cases.length;
    const exits = new Map<string, number>();
    for (let i = first; i < next; i++) {
      const text = exitText(wanted[i]?.exit ?? missing).replace(/ at 0x.*/, "");
      exits.set(text, (exits.get(text) ?? 0) + 1);
    }
    return {
      name: rowName(row),
      mnemonic: row.mnemonic,
      isPrivileged: row.traits.has("cpl0"),
      ...(exclusion !== undefined && { exclusion }),
      caseCount: cases.length,
      completedCount: exits.get("completed") ?? 0,
      failures: new Map(
        tiers.map(({ name }) => [
          name,
          failuresOf(row, host, cases, wanted, outcomes.get(name) ?? [], first, expected.name, name),
        ]),
      ),
      exits,
    };
  });
}

/** Instructions that access memory in pieces: which byte of the page a fault is reported at differs. */
const IN_PIECES = /^(fldenv|fnstenv|frstor|fnsave|fxsave|fxrstor|xsave|maskmov|retf|iret)/;
const PAGE_OFFSET = 0xfffn;

const KERNEL_HALF = 1n << 63n;
const PAGE_PRESENT = 1;

/** Without what the host's own page tables decide: whether a page of its kernel, which user code cannot see, is there. */
function withoutKernelPages(outcome: CpuOutcome): CpuOutcome {
  const { exit } = outcome;
  if (exit.kind !== "exception" || exit.cr2 === undefined || exit.cr2 < KERNEL_HALF) return outcome;
  return { ...outcome, exit: { ...exit, errorCode: (exit.errorCode ?? 0) & ~PAGE_PRESENT } };
}

/** POPA that faults may have loaded some registers, but has not moved the stack pointer. */
function withPoppedRegisters(expected: CpuOutcome, actual: CpuOutcome): CpuOutcome {
  if (actual.exit.kind !== "exception") return actual;
  const gpr = expected.gpr.slice();
  gpr[RSP] = actual.gpr[RSP] ?? 0n;
  return { ...actual, gpr };
}

function withPageAddress(outcome: CpuOutcome): CpuOutcome {
  const { exit } = outcome;
  if (exit.kind !== "exception" || exit.cr2 === undefined) return outcome;
  return { ...outcome, exit: { ...exit, cr2: exit.cr2 & ~PAGE_OFFSET } };
}

/** Functions whose results may be off by one unit in the last place. SDM 1, 8.3.10. */
const TRANSCENDENTAL = /^(fptan|fpatan|fsin|fsincos|fcos|fyl2x|fyl2xp1|f2xm1)$/;

/** `actual` with the x87 state of `expected` as far as that is no further away. */
function withinUnits(expected: CpuOutcome, actual: CpuOutcome): CpuOutcome {
  const image = new FpImage(actual.fp.slice());
  const wanted = new FpImage(expected.fp);
  if (isWithinUnitAtUnderflow(wanted, image)) return { ...actual, fp: expected.fp };
  for (let i = 0; i < 8; i++) if (isWithinUnit(wanted.st(i), image.st(i))) image.setSt(i, wanted.st(i));
  return { ...actual, fp: image.bytes };
}

const missing = { kind: "lost", reason: "there is no outcome" } as const;

/** What is open of a case and what is open after what has become of it. */
const bothOpen = (one: Undefined = {}, other: Undefined = {}): Undefined => ({
  ...one,
  ...other,
  flags: (one.flags ?? 0) | (other.flags ?? 0),
  fsw: (one.fsw ?? 0) | (other.fsw ?? 0),
});

/** The differences in what is defined after an instruction of this row, or after none in particular. */
export function compareRow(
  row: InstructionRow | undefined,
  host: HostCpu,
  given: InstructionCase,
  left: CpuOutcome,
  right: CpuOutcome,
): Difference[] {
  if (isOpenFault(row, host, given, left, right)) return [];
  const source = { ...given, undefined: bothOpen(given.undefined, openAfter(row, host, left)) };
  const expected = withoutOpenPayloads(row, withoutKernelPages(left));
  const actual = withoutOpenPayloads(row, withOpenFloats(row, host, left, withoutKernelPages(right)));
  const mnemonic = row?.mnemonic ?? "";
  if (IN_PIECES.test(mnemonic))
    return compareOutcomes(source, withPageAddress(expected), withPageAddress(actual));
  if (TRANSCENDENTAL.test(mnemonic)) return compareOutcomes(source, expected, withinUnits(expected, actual));
  if (mnemonic === "popa") return compareOutcomes(source, expected, withPoppedRegisters(expected, actual));
  return compareOutcomes(source, expected, actual);
}

function failuresOf(
  row: InstructionRow,
  host: HostCpu,
  cases: readonly InstructionCase[],
  wanted: readonly CpuOutcome[],
  actual: readonly CpuOutcome[],
  first: number,
  expectedName: string,
  actualName: string,
): string[] {
  return cases.flatMap((source, i) => {
    const [left, right] = [wanted[first + i], actual[first + i]];
    if (left === undefined || right === undefined) return [`${source.name}: not executed in ${actualName}`];
    const differences = compareRow(row, host, source, left, right);
    if (differences.length === 0) return [];
    return [describeDifferences(source, differences, { expected: expectedName, actual: actualName })];
  });
}
