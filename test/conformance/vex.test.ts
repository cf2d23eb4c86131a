/**
 * VEX prefixes in both tiers against the real CPU: every value of the byte with W, vvvv, L and pp on the opcodes of
 * BMI1 and BMI2, the register bits, and legacy prefixes in front, in every mode. Most of these are #UD; which is
 * what the cases made from the table, all of them valid, do not show.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { AF, PF, SF } from "../../src/engine/ir/flags.ts";
import {
  type CpuMode,
  compareOutcomes,
  describeDifferences,
  type InstructionCase,
  NativeExecutor,
  oracleSupport,
} from "../oracle/index.ts";
import { EngineExecutor, tierNames } from "./engine-executor.ts";
import { hostCpu } from "./host-cpu.ts";

const support = oracleSupport();
const has = (flag: string): boolean => support.available && support.cpuFlags.has(flag);
const skip = has("bmi1") && has("bmi2") ? false : "the processor has no BMI1 and BMI2 to compare with";

/** Map, opcode and what follows; ModRM names registers 0 and 1. */
const opcodes = [
  [2, 0xf2, 0xc1],
  [2, 0xf3, 0xc1], // /0: no instruction
  [2, 0xf3, 0xc9],
  [2, 0xf3, 0xd1],
  [2, 0xf3, 0xd9],
  [2, 0xf5, 0xc1],
  [2, 0xf6, 0xc1],
  [2, 0xf7, 0xc1],
  [3, 0xf0, 0xc1, 7],
] as const;
const LEGACY_PREFIXES = [0x2e, 0x64, 0x66, 0x67, 0xf0, 0xf2, 0xf3] as const;
const REX = [0x40, 0x48] as const;
/** W = 0, vvvv = register 2, L = 0, no mandatory prefix. */
const PLAIN = 0x68;

const hex = (bytes: readonly number[]): string =>
  bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

function caseOf(mode: CpuMode, code: readonly number[]): InstructionCase {
  return {
    name: `${hex(code)} in ${mode}`,
    mode,
    code: hex(code),
    initial: { gpr: { rax: 0x1234_5678n, rcx: 0x0f0f_0f0fn, rdx: 0x0804n } },
    undefined: { flags: AF | PF | SF },
  };
}

function casesOf(mode: CpuMode): InstructionCase[] {
  const lasts = Array.from({ length: 256 }, (_, last) => last);
  const byLast = opcodes.flatMap(([map, ...rest]) =>
    lasts.map((last) => caseOf(mode, [0xc4, 0xe0 | map, last, ...rest])),
  );
  // R, X and B, as far as the byte does not make it LES in legacy modes.
  const registerBits = mode === "long64" ? [0, 0x20, 0x40, 0x60, 0x80, 0xa0, 0xc0] : [0xc0];
  const byRegisters = registerBits.map((bits) => caseOf(mode, [0xc4, bits | 2, PLAIN, 0xf2, 0xc1]));
  const prefixes = mode === "long64" ? [...LEGACY_PREFIXES, ...REX] : LEGACY_PREFIXES;
  const byPrefix = prefixes.flatMap((prefix) => [
    caseOf(mode, [prefix, 0xc4, 0xe2, PLAIN, 0xf2, 0xc1]),
    caseOf(mode, [prefix, 0x2e, 0xc4, 0xe2, PLAIN, 0xf2, 0xc1]),
  ]);
  return [...byLast, ...byRegisters, ...byPrefix];
}

const MODES = ["long64", "compat32", "protected16"] as const;

test("VEX prefixes are valid, and #UD, where they are on the real CPU", { skip }, async () => {
  assert.ok(support.available);
  const host = hostCpu(support);
  const cases = MODES.filter((mode) => host.modes.includes(mode)).flatMap(casesOf);
  await using cpu = new NativeExecutor();
  const expected = await cpu.execute(cases);
  const invalid = expected.filter(({ exit }) => exit.kind === "exception" && exit.vector === 6).length;
  assert.ok(invalid > 1000 && cases.length - invalid > 100, `${invalid} of ${cases.length} are #UD`);
  for (const tier of tierNames) {
    const outcomes = await new EngineExecutor(tier, host.features).execute(cases);
    const problems = cases.flatMap((source, i) => {
      const [left, right] = [expected[i], outcomes[i]];
      assert.ok(left !== undefined && right !== undefined);
      const differences = compareOutcomes(source, left, right);
      return differences.length === 0
        ? []
        : [describeDifferences(source, differences, { expected: "real CPU", actual: tier })];
    });
    assert.deepEqual(problems.slice(0, 3), [], `${problems.length} cases differ in ${tier}`);
  }
});
