/**
 * Random programs in both tiers against the real CPU. For more of them: PROGRAMS=5000 PROGRAM_FIRST=1000, which gives
 * programs 1000–5999; PROGRAMS=1 PROGRAM_FIRST=N runs the one that a failure names.
 */
import assert from "node:assert/strict";
import test, { after } from "node:test";
import {
  compareOutcomes,
  type CpuExecutor,
  type CpuMode,
  describeDifferences,
  NativeExecutor,
  oracleSupport,
} from "../oracle/index.ts";
import { EngineExecutor } from "./engine-executor.ts";
import { hostCpu } from "./host-cpu.ts";
import { ProgramGenerator } from "./programs.ts";

const PROGRAMS_PER_MODE = Number(process.env["PROGRAMS"] ?? 200);
const FIRST = Number(process.env["PROGRAM_FIRST"] ?? 0);
const SHOWN = 2;
/** Slices that end in the middle of loops, and ones that do not. */
const SLICES = [100_000, 7, 64, 1000];
/** Turns after which a loop is compiled as a whole; if each block is compiled at once, many a region is one block. */
const WARM_UP = 12;

const support = oracleSupport();

async function failuresOf(
  mode: CpuMode,
  cpu: CpuExecutor,
  tier: CpuExecutor,
  generator: ProgramGenerator,
): Promise<string[]> {
  const programs = Array.from({ length: PROGRAMS_PER_MODE }, (_, i) => generator.program(mode, FIRST + i));
  const sources = programs.map(({ source }) => source);
  const expected = await cpu.execute(sources);
  const actual = await tier.execute(sources);
  return programs.flatMap(({ source, sourceIfFaulting }, i) => {
    const [left, right] = [expected[i], actual[i]];
    assert.ok(left !== undefined && right !== undefined);
    const program = left.exit.kind === "completed" ? source : sourceIfFaulting;
    const differences = compareOutcomes(program, left, right);
    return differences.length === 0
      ? []
      : [describeDifferences(program, differences, { expected: cpu.name, actual: tier.name })];
  });
}

if (support.available) {
  const host = hostCpu(support);
  const generator = new ProgramGenerator(host);
  const cpu = new NativeExecutor();
  const interpreter = new EngineExecutor("interpreter", host.features, { sliceInstructions: SLICES });
  const regions = new EngineExecutor("regions", host.features, { sliceInstructions: SLICES });
  const laterRegions = new EngineExecutor("regions", host.features, {
    name: `regions after ${String(WARM_UP)} turns`,
    sliceInstructions: SLICES,
    compiledAtExecution: WARM_UP,
  });
  after(() => cpu[Symbol.asyncDispose]());

  for (const mode of host.modes) {
    for (const tier of [interpreter, regions, laterRegions]) {
      test(`random ${mode} programs come out of ${tier.name} as on the real CPU`, async () => {
        const failures = await failuresOf(mode, cpu, tier, generator);
        assert.equal(
          failures.length,
          0,
          `${String(failures.length)} programs:\n${failures.slice(0, SHOWN).join("\n\n")}\n`,
        );
      });
    }
  }

  test("nearly all programs have run in compiled regions", () => {
    assert.equal(regions.caseCount, PROGRAMS_PER_MODE * host.modes.length);
    assert.ok(
      regions.casesInRegions > 0.95 * regions.caseCount,
      `${String(regions.casesInRegions)} of ${String(regions.caseCount)}`,
    );
  });
} else {
  test("random programs", { skip: support.reason }, () => undefined);
}
