import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { IrBlock } from "../ir/block.ts";
import { opNumber } from "../ir/ops.ts";
import * as L from "../layout.ts";
import { RegionNode } from "./graph.ts";
import { LateSteps } from "./late-steps.ts";
import { RegionOps } from "./region-ops.ts";
import { CODE, DATA, END, HOLE, TierMachine, type TestOp, type TierState, seeded } from "./testing.ts";

const RAX = 0;
const AH = 1;
const RCX = 8;
const RDX = 16;
const RBX = 24;
const RSI = 48;
const SEEDS = 8;

const steps = [8, 16, 32, 64].flatMap((width) => [`inc${width}`, `dec${width}`]);
const machine = new TierMachine(new WebAssembly.Module(readFileSync("build/core.wasm")));

/** RBX leads to data, RSI to a page that is not there. The state after the ops in the interpreter, and in a region. */
function bothTiers(ops: readonly TestOp[], seed: number): [TierState, TierState] {
  const gpr = { 3: BigInt(DATA), 6: BigInt(HOLE) };
  machine.load([{ rip: CODE, ops: [...ops, { op: "jmp", to: END }] }]);
  machine.prepare(CODE, seeded(seed), gpr);
  const interpreted = machine.run();
  machine.compile(CODE);
  machine.prepare(CODE, seeded(seed), gpr);
  return [interpreted, machine.run()];
}

function sameFaults(ops: readonly TestOp[]): void {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const [interpreted, compiled] = bothTiers(ops, seed);
    assert.equal(interpreted.faultAddress, BigInt(HOLE));
    assert.deepEqual(compiled, interpreted);
  }
}

const present: TestOp = { op: "ld64_m64", d: RCX, s: RBX };
const missing: TestOp = { op: "ld64_m64", d: RCX, s: RSI };
const setsFlags: TestOp = { op: "add64", d: RCX, s: RDX };

for (const op of steps) {
  const step = { op, d: RAX };
  test(`a fault behind ${op} shows its flags, with the carry of a known operation before it`, () => {
    sameFaults([{ op: "sub64", d: RDX, s: RCX }, step, present, missing, setsFlags]);
  });
  test(`a fault behind ${op} shows its flags, with the carry that the region was entered with`, () => {
    sameFaults([step, missing, setsFlags]);
  });
  test(`a fault behind another step and ${op} shows the flags of the last`, () => {
    sameFaults([{ op: "sub64", d: RDX, s: RCX }, { op: "inc64", d: RDX }, present, step, missing, setsFlags]);
  });
  test(`a fault behind ${op} of a register that has another value by then shows its flags`, () => {
    sameFaults([step, { op: "movi64", d: RAX, imm: 5 }, missing, setsFlags]);
  });
}

test("a fault behind INC AH shows its flags", () => {
  sameFaults([{ op: "sub64", d: RDX, s: RCX }, { op: "inc8", d: AH }, missing, setsFlags]);
});

test("without a fault the flags behind a late step are the next op's", () => {
  const [interpreted, compiled] = bothTiers([{ op: "inc64", d: RAX }, present, setsFlags], 3);
  assert.equal(interpreted.exit, L.EXIT_HALT);
  assert.deepEqual(compiled, interpreted);
});

/** Which of the ops have a step in front of them whose flags are not set. */
function lateBefore(ops: readonly TestOp[]): boolean[] {
  const block = new IrBlock();
  block.reset(CODE, 0, CODE, 0);
  block.push(0, opNumber("enter"), 0, 0, ops.length);
  for (const [pc, { op, d = 0, s = 0, imm = 0 }] of ops.entries()) block.push(pc, opNumber(op), d, s, imm);
  const regionOps = new RegionOps();
  const start = regionOps.append(block);
  const late = new LateSteps();
  const node = { key: 0, offset: 0, inlinesCall: false, isTailCall: false, start, end: regionOps.count };
  late.find([new RegionNode({ ...node, instructionCount: ops.length, successors: [] })], regionOps);
  return ops.map((_, i) => late.of(start + 1 + i) !== undefined);
}

test("a step is late up to the next op that sets all flags", () => {
  assert.deepEqual(lateBefore([{ op: "inc64", d: RAX }, present, setsFlags, present]), [
    false,
    true,
    true,
    false,
  ]);
});

test("two steps in turn are late, each up to the next", () => {
  const ops = [{ op: "inc64", d: RAX }, present, { op: "dec32", d: RDX }, present, setsFlags];
  assert.deepEqual(lateBefore(ops), [false, true, true, true, true]);
});

for (const [why, ops] of [
  ["something reads the flags", [{ op: "adc64", d: RCX, s: RDX }]],
  ["its register changes", [{ op: "movi64", d: RAX }, setsFlags]],
  ["it is in memory", [setsFlags]],
  ["the block ends", [{ op: "next" }]],
] as const) {
  test(`a step is not late if ${why}`, () => {
    const d = why === "it is in memory" ? L.TEMP : RAX;
    assert.deepEqual(lateBefore([{ op: "inc64", d }, ...ops]).includes(true), false);
  });
}
