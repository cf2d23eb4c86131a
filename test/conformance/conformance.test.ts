/**
 * Every row of the x86 table in both tiers of the engine against the real CPU of this machine. For more cases than the
 * usual ones: CONFORMANCE_CASES=500 CONFORMANCE_SEED=7, or `npm run conformance`.
 */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import { instructionRows } from "../../src/engine/x86/spec.ts";
import { NativeExecutor, oracleSupport } from "../oracle/index.ts";
import { type RowReport, runConformance } from "./conformance.ts";
import { EngineExecutor } from "./engine-executor.ts";
import { groupNames, rowGroups } from "./groups.ts";
import { hostCpu } from "./host-cpu.ts";

const CASES_PER_ROW = Number(process.env["CONFORMANCE_CASES"] ?? 24);
const SEED = Number(process.env["CONFORMANCE_SEED"] ?? 1);
/** Descriptions of failed cases that a failing test shows. */
const SHOWN = 5;
/** Share of the cases that compiled regions must have run: the others are single-stepped, or fault at their fetch. */
const SHARE_IN_REGIONS = 0.9;

const support = oracleSupport();
const skip = support.available ? false : support.reason;

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

if (support.available) {
  const host = hostCpu(support);
  const cpu = new NativeExecutor();
  const interpreter = new EngineExecutor("interpreter", host.features);
  const regions = new EngineExecutor("regions", host.features);
  after(() => cpu[Symbol.asyncDispose]());

  for (const group of groupNames) {
    test(`${group} instructions do what the real CPU does`, async (t) => {
      const rows = rowGroups[group];
      const reports = await runConformance(rows, host, cpu, [interpreter, regions], {
        casesPerRow: CASES_PER_ROW,
        seed: SEED,
      });
      for (const { name, exclusion } of reports)
        if (exclusion !== undefined) t.diagnostic(`no cases of ${name}: ${exclusion}`);
      const failures = reports.flatMap((report) => [...report.failures.values()].flat());
      assert.equal(failures.length, 0, `\n${failures.slice(0, SHOWN).join("\n\n")}\n`);
      assert.deepEqual(rowsWithTooFewCases(reports), []);
      assert.deepEqual(rowsWithoutEffect(reports), []);
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

test("the groups are the whole x86 table", () => {
  const grouped = groupNames.flatMap((group) => rowGroups[group]);
  assert.equal(new Set(grouped).size, instructionRows.length);
  assert.ok(grouped.length > 900);
});

test("the real CPU can be asked", { skip }, () => {
  assert.ok(support.available);
});
