/** When a block is hot (core/hot-blocks.ts): after how many rounds of a loop its first region is compiled. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import * as L from "../layout.ts";
import { CODE, TestMachine } from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const NOP = 0x90;
/** Instructions of a round, within what still is often: 2,000 rounds are five units of work. */
const ROUND = 2500;
const OTHERS = 0x30000;
const OTHER_SIZE = 16;

const u32 = (value: number): number[] =>
  [value, value >>> 8, value >>> 16, value >>> 24].map((b) => b & 0xff);

const nops = (length: number): number[] => Array.from({ length }, () => NOP);
/** What a round of the loop ends with: jmp back to CODE. */
const jumpBack = (at: number): number[] => [0xe9, ...u32(CODE - (at + 5))];

/** Rounds, of about ROUND instructions, until the first region is compiled, at most those after which any block is hot. */
function roundsToFirstRegion(machine: TestMachine, interpretedElsewhere = 0): number {
  const most = (L.EXECUTIONS_OF_A_HOT_BLOCK + 1000) * ROUND + interpretedElsewhere;
  while (machine.engine.statistics.regionsCompiled === 0) {
    machine.run(100_000);
    assert.ok(Number(machine.engine.instructionsRetired) < most, "no block has become hot");
  }
  return (Number(machine.engine.instructionsRetired) - interpretedElsewhere) / ROUND;
}

test("a loop around which nothing new begins is compiled after some looks at it", () => {
  const body = nops(ROUND - 1);
  const machine = new TestMachine({
    ...{ core, tier: "auto", mode: "protected" },
    code: [...body, ...jumpBack(CODE + body.length)],
  });
  const rounds = roundsToFirstRegion(machine);
  assert.ok(rounds >= 2 * L.EXECUTIONS_PER_LOOK, `${rounds} rounds`);
  assert.ok(rounds <= L.EXECUTIONS_OF_A_HOT_BLOCK / 2 + 100, `${rounds} rounds`);
});

test("one beside which other loops begin again and again is compiled only when it would be in any case", () => {
  // dec ebp; jnz past the call; mov ebp, ROUNDS_EACH; call eax; add eax, OTHER_SIZE
  const ROUNDS_EACH = 200;
  const nextOther = [0x4d, 0x75, 0x0a, 0xbd, ...u32(ROUNDS_EACH), 0xff, 0xd0, 0x83, 0xc0, OTHER_SIZE];
  const body = [...nops(ROUND - 3), ...nextOther];
  const machine = new TestMachine({
    ...{ core, tier: "auto", mode: "protected" },
    code: [...body, ...jumpBack(CODE + body.length)],
  });
  // mov ecx, 2 looks' executions less a few; again: dec ecx; jnz again; ret
  const executions = L.EXECUTIONS_PER_LOOK + 10;
  const other = [0xb9, ...u32(executions), 0x49, 0x75, 0xfd, 0xc3];
  const others = Math.ceil(L.EXECUTIONS_OF_A_HOT_BLOCK / ROUNDS_EACH) + 10;
  for (let i = 0; i < others; i++) machine.ram.set(other, OTHERS + i * OTHER_SIZE);
  machine.engine.registers.setU32(L.GPR_RAX, OTHERS);
  machine.engine.registers.setU32(L.GPR_RBP, ROUNDS_EACH);
  const elsewhere = (L.EXECUTIONS_OF_A_HOT_BLOCK / ROUNDS_EACH) * 2 * executions;
  const rounds = roundsToFirstRegion(machine, elsewhere);
  assert.ok(rounds >= L.EXECUTIONS_OF_A_HOT_BLOCK - 200, `${rounds} rounds`);
});

test("a block that a region has taken in begins anew: what comes to it past the region soon makes no second one", () => {
  // Two blocks of a jump each.
  const second = CODE + 2;
  const machine = new TestMachine({
    ...{ core, tier: "auto", mode: "protected" },
    code: [0xeb, 0x00, ...jumpBack(second)],
  });
  while (machine.engine.statistics.regionsCompiled === 0) {
    machine.run(1000);
    assert.ok(machine.engine.instructionsRetired < 2 * L.EXECUTIONS_OF_A_HOT_BLOCK + 2000);
  }
  const { registers } = machine.engine;
  for (let times = 0; times < L.EXECUTIONS_PER_LOOK; times++) {
    registers.setU32(L.RIP, second);
    machine.run(1);
  }
  assert.equal(machine.engine.statistics.regionsCompiled, 1);
});
