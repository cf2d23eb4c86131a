/**
 * Profiles of a guest's code, learnt by one machine and used by the next: a loop that is entered often is compiled sooner, one
 * that ends soon after it was compiled later, and the guest computes the same.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { CODE_PROFILE_BLOCKS_MAX, type CodeProfile, type CodeProfileTask } from "../../hw/index.ts";
import * as L from "../layout.ts";
import { fingerprint, KnownCode } from "./code-profile.ts";
import { TestMachine } from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const HLT = 0xf4;
const EAX = 0;

const u32 = (value: number): number[] =>
  [value, value >>> 8, value >>> 16, value >>> 24].map((b) => b & 0xff);
/** mov ecx, rounds; again: add eax, ecx; dec ecx; jnz again; hlt */
const loop = (rounds: number): number[] => [0xb9, ...u32(rounds), 0x01, 0xc8, 0x49, 0x75, 0xfb, HLT];

/** Hot, and still so for long after it was compiled; hot, and soon over. */
const LONG_ROUNDS = 1_000_000;
const SHORT_ROUNDS = L.EXECUTIONS_OF_A_HOT_BLOCK + 1000;

function machineOf(code: readonly number[], codeProfile?: CodeProfileTask): TestMachine {
  const machine = new TestMachine({
    ...{ core, mode: "protected", tier: "auto", code },
    ...(codeProfile === undefined ? {} : { codeProfile }),
  });
  return machine;
}

/** Runs in slices of `budget` instructions until a region has been compiled, and says after how many instructions. */
function instructionsToFirstRegion(machine: TestMachine, budget = 500): number {
  while (machine.engine.statistics.regionsCompiled === 0 && machine.run(budget) === "slice");
  return Number(machine.engine.instructionsRetired);
}

function runToHalt(machine: TestMachine): void {
  let exit = machine.run(100_000);
  while (exit === "slice") exit = machine.run(100_000);
  assert.equal(exit, "halt");
}

function learnt(code: readonly number[]): CodeProfile {
  const machine = machineOf(code, "learn");
  runToHalt(machine);
  const profile = machine.engine.codeProfile();
  assert.ok(profile !== undefined && profile !== "unfit");
  return profile;
}

const NOTHING: CodeProfile = { hot: new Uint32Array(0), lukewarm: new Uint32Array(0) };

test("a loop that went on for long is hot, one that was soon over is lukewarm", () => {
  const long = learnt(loop(LONG_ROUNDS));
  assert.deepEqual([long.hot.length, long.lukewarm.length], [1, 0]);
  const short = learnt(loop(SHORT_ROUNDS));
  assert.deepEqual([short.hot.length, short.lukewarm.length], [0, 1]);
});

test("what was hot is compiled sooner by the next run, which computes the same", () => {
  const code = loop(LONG_ROUNDS);
  const profile = learnt(code);
  const without = machineOf(code);
  const withProfile = machineOf(code, profile);
  const late = instructionsToFirstRegion(without);
  const early = instructionsToFirstRegion(withProfile);
  assert.equal(late > 10 * early, true, `${late} and ${early} instructions`);
  runToHalt(without);
  runToHalt(withProfile);
  assert.equal(withProfile.gpr(EAX), without.gpr(EAX));
  assert.equal(withProfile.engine.instructionsRetired, without.engine.instructionsRetired);
  const { profileBlocks, profileBlocksMet } = withProfile.engine.statistics;
  assert.deepEqual([profileBlocks, profileBlocksMet], [1, 1]);
});

test("what was lukewarm is put off, but not for ever", () => {
  const profile = learnt(loop(SHORT_ROUNDS));
  const again = machineOf(loop(SHORT_ROUNDS), profile);
  runToHalt(again);
  assert.equal(again.engine.statistics.regionsCompiled, 0);
  assert.equal(again.engine.statistics.regionsPutOff, 1);
  // The loop is the same code at the same place: only what stands before it differs.
  const longer = machineOf(loop(LONG_ROUNDS), profile);
  runToHalt(longer);
  assert.equal(longer.engine.statistics.regionsCompiled, 1);
  assert.equal(longer.engine.statistics.regionsPutOff, 3);
});

test("a profile of other code at the same place changes nothing", () => {
  // sub eax, ecx instead of add
  const other = loop(LONG_ROUNDS).with(5, 0x29);
  const profile = learnt(loop(LONG_ROUNDS));
  const without = machineOf(other);
  const withProfile = machineOf(other, profile);
  assert.equal(instructionsToFirstRegion(withProfile), instructionsToFirstRegion(without));
  assert.equal(withProfile.engine.statistics.profileBlocksMet, 0);
  assert.equal(withProfile.engine.codeProfile(), "unfit");
});

test("a run that uses a profile, and the interpreter alone, learn none", () => {
  assert.equal(machineOf(loop(1), NOTHING).engine.codeProfile(), undefined);
  assert.equal(machineOf(loop(1)).engine.codeProfile(), undefined);
  const codeProfile = "learn" as const;
  const interpreter = new TestMachine({
    ...{ core, mode: "protected", tier: "interpreter", code: loop(1), codeProfile },
  });
  assert.equal(interpreter.engine.codeProfile(), undefined);
});

test("a run in which nothing became hot has nothing to say", () => {
  const machine = machineOf(loop(100), "learn");
  runToHalt(machine);
  assert.equal(machine.engine.codeProfile(), undefined);
});

test("what becomes hot after the profile was asked for is not in it", () => {
  const machine = machineOf(loop(LONG_ROUNDS), "learn");
  assert.equal(machine.engine.codeProfile(), undefined);
  runToHalt(machine);
  assert.equal(machine.engine.statistics.regionsCompiled, 1);
  assert.equal(machine.engine.codeProfile(), undefined);
});

test("counting instructions changes none", () => {
  const learning = machineOf(loop(LONG_ROUNDS), "learn");
  const plain = machineOf(loop(LONG_ROUNDS));
  runToHalt(learning);
  runToHalt(plain);
  assert.equal(learning.engine.instructionsRetired, plain.engine.instructionsRetired);
  assert.equal(learning.gpr(EAX), plain.gpr(EAX));
});

test("a profile larger than any is cut to the bound", () => {
  const known = new KnownCode({
    hot: Uint32Array.from({ length: CODE_PROFILE_BLOCKS_MAX + 10 }, (_, i) => i),
    lukewarm: Uint32Array.from({ length: CODE_PROFILE_BLOCKS_MAX + 10 }, (_, i) => i),
  });
  assert.equal(known.blockCount, CODE_PROFILE_BLOCKS_MAX);
  assert.equal(known.isHot(CODE_PROFILE_BLOCKS_MAX - 1), true);
  assert.equal(known.isHot(CODE_PROFILE_BLOCKS_MAX), false);
  assert.equal(known.putsOff(CODE_PROFILE_BLOCKS_MAX), false);
});

test("a fingerprint tells kernel code by its address, user code by its offset in the page, all by code and mode", () => {
  const memory = new Uint8Array(L.RAM_BASE + 3 * L.PAGE_SIZE);
  memory.set([1, 2, 3, 4], L.RAM_BASE + 0x10);
  memory.set([1, 2, 3, 5], L.RAM_BASE + 0x1010);
  const kernel = { ripLow: 0x10, ripHigh: 0, gpa: 0x10, mode: 2, guestSizeBytes: 3 };
  const user = { ...kernel, mode: 2 | L.MODE_USER };
  const of = (block: typeof kernel): number => fingerprint(memory, block);
  assert.equal(of({ ...kernel, gpa: 0x1010 }), of(kernel));
  assert.notEqual(of({ ...kernel, ripLow: 0x1010 }), of(kernel));
  assert.notEqual(of({ ...kernel, ripHigh: 1 }), of(kernel));
  assert.equal(of({ ...user, ripLow: 0x1010, ripHigh: 1, gpa: 0x1010 }), of(user));
  assert.notEqual(of(user), of(kernel));
  assert.notEqual(of({ ...kernel, guestSizeBytes: 4 }), of({ ...kernel, guestSizeBytes: 4, gpa: 0x1010 }));
});

test("of a block that straddles pages only what lies in the first one counts", () => {
  const memory = new Uint8Array(L.RAM_BASE + 3 * L.PAGE_SIZE);
  const block = { ripLow: 0xfff, ripHigh: 0, gpa: 0xfff, mode: 2, guestSizeBytes: 3 };
  const before = fingerprint(memory, block);
  memory[L.RAM_BASE + 0x1000] = 9;
  assert.equal(fingerprint(memory, block), before);
});
