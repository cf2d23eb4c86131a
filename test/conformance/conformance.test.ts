/**
 * Every row of the x86 table in both tiers of the engine against the real CPU of this machine. For more cases than the
 * usual ones: CONFORMANCE_CASES=500 CONFORMANCE_SEED=7, or `npm run conformance`.
 */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import { instructionRows } from "../../src/engine/x86/spec.ts";
import { type CpuExecutor, NativeExecutor, oracleSupport } from "../oracle/index.ts";
import { type ConformanceOptions, type RowReport, runConformance } from "./conformance.ts";
import { EngineExecutor } from "./engine-executor.ts";
import { groupNames, rowGroups } from "./groups.ts";
import { type HostCpu, hostCpu } from "./host-cpu.ts";
import { loadRecording, RECORDED_CASES_PER_ROW, RECORDED_SEED } from "./recording.ts";

const CASES_PER_ROW = Number(process.env["CONFORMANCE_CASES"] ?? 12);
const SEED = Number(process.env["CONFORMANCE_SEED"] ?? 1);
/** Descriptions of failed cases that a failing test shows. */
const SHOWN = 5;
/** Share of the cases that compiled regions must have run: the others are single-stepped, or fault at their fetch. */
const SHARE_IN_REGIONS = 0.9;
/** Share of the rows that the recording has to cover: changes of a few rows need no new one. */
const SHARE_RECORDED = 0.9;

const support = oracleSupport();

/** Instructions that user mode cannot complete: they fault, trap, or call the operating system. */
const NEVER_COMPLETES = /^(ud[012]|in|out|insb?|outsb?|cli|sti|int|int3|syscall|clac|stac)$/;

function rowsWithTooFewCases(reports: readonly RowReport[]): string[] {
  return reports
    .filter(({ exclusion, caseCount }) => exclusion === undefined && caseCount < CASES_PER_ROW)
    .map(({ name, caseCount }) => `${name}: ${String(caseCount)} cases`);
}

function rowsWithoutEffect(reports: readonly RowReport[]): string[] {
  return reports
    .filter(({ exclusion, completedCount }) => exclusion === undefined && completedCount === 0)
    .filter(({ mnemonic, isPrivileged }) => !isPrivileged && !NEVER_COMPLETES.test(mnemonic))
    .map(({ name, exits }) => `${name}: ${[...exits.keys()].join(", ")}`);
}

/** Runs the groups in both tiers, and then checks that the tiers have been what they are called. */
function testGroups(
  expected: CpuExecutor,
  host: HostCpu,
  options: ConformanceOptions,
  judge: (reports: readonly RowReport[]) => void,
): void {
  const interpreter = new EngineExecutor("interpreter", host.features);
  const regions = new EngineExecutor("regions", host.features);

  for (const group of groupNames) {
    test(`${group} instructions do what the real CPU does`, async (t) => {
      const reports = await runConformance(rowGroups[group], host, expected, [interpreter, regions], options);
      for (const { name, exclusion } of reports)
        if (exclusion !== undefined) t.diagnostic(`no cases of ${name}: ${exclusion}`);
      assertNoFailures(reports);
      judge(reports);
    });
  }

  test("both tiers have run all cases, and compiled regions theirs", () => {
    assert.equal(interpreter.caseCount, regions.caseCount);
    assert.equal(interpreter.casesInRegions, 0);
    assert.ok(
      regions.casesInRegions > SHARE_IN_REGIONS * regions.caseCount,
      `${String(regions.casesInRegions)} of ${String(regions.caseCount)} cases ran in regions`,
    );
  });
}

function assertNoFailures(reports: readonly RowReport[]): void {
  const failures = reports.flatMap((report) => [...report.failures.values()].flat());
  assert.equal(failures.length, 0, `\n${failures.slice(0, SHOWN).join("\n\n")}\n`);
}

const recording = loadRecording();
const recordedOptions: ConformanceOptions = {
  casesPerRow: RECORDED_CASES_PER_ROW,
  seed: RECORDED_SEED,
  only: (source) => recording?.vectors.covers(source) === true,
};

if (support.available) {
  const cpu = new NativeExecutor();
  after(() => cpu[Symbol.asyncDispose]());
  testGroups(cpu, hostCpu(support), { casesPerRow: CASES_PER_ROW, seed: SEED }, (reports) => {
    assert.deepEqual(rowsWithTooFewCases(reports), []);
    assert.deepEqual(rowsWithoutEffect(reports), []);
  });
} else if (recording !== undefined) {
  testGroups(recording.vectors, recording.host, recordedOptions, () => undefined);
} else {
  test(
    "instructions do what the real CPU does",
    { skip: `${support.reason}, and nothing is recorded` },
    () => undefined,
  );
}

test("the recorded answers of a real CPU are the interpreter's, and cover the table", async () => {
  assert.ok(recording !== undefined, "no recording: npm run conformance -- --record");
  const { vectors, host } = recording;
  const interpreter = new EngineExecutor("interpreter", host.features);
  const reports = await runConformance(instructionRows, host, vectors, [interpreter], recordedOptions);
  assertNoFailures(reports);
  const covered = reports.filter(({ exclusion, caseCount }) => exclusion !== undefined || caseCount > 0);
  assert.ok(
    covered.length > SHARE_RECORDED * reports.length,
    `${String(covered.length)} of ${String(reports.length)} rows are recorded: npm run conformance -- --record`,
  );
});

test("the groups are the whole x86 table", () => {
  const grouped = groupNames.flatMap((group) => rowGroups[group]);
  assert.equal(new Set(grouped).size, instructionRows.length);
  assert.ok(grouped.length > 900);
});
