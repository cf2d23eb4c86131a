/**
 * What a steady guest executes again and again is compiled though it is far from hot: chosen from counters that a test
 * writes itself, then in a guest whose loop is left for a function some hundred times in a second of run time.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { IrBlock } from "../ir/block.ts";
import { opNumber } from "../ir/ops.ts";
import * as L from "../layout.ts";
import { CodeCache, HEAT_OF_A_HOT_BLOCK } from "./code-cache.ts";
import { SteadyCode, steadyLimits } from "./steady-code.ts";
import { CODE, TestMachine } from "./testing.ts";

const BLOCKS = 40;
/** As many executions since the last look as are worth a region, and one less. */
const BUSY = steadyLimits.executions;
const IDLE = BUSY - 1;
/** Interpreted instructions in a tenth of a second of estimated run time. */
const TENTH = 10_000_000;

/** Blocks in a code cache whose counters, and the guest's instructions, a test moves as it likes. */
class Counters {
  readonly steady: SteadyCode;
  readonly codeCache: CodeCache;
  readonly blocks: readonly number[];
  readonly view: DataView;

  constructor(heat = HEAT_OF_A_HOT_BLOCK - 1000) {
    const pages = L.RAM_BASE / 65536;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.view = new DataView(memory.buffer);
    this.codeCache = new CodeCache(memory);
    this.blocks = Array.from({ length: BLOCKS }, (_, i) =>
      this.codeCache.append(block(0x1000 + 16 * i), heat),
    );
    this.steady = new SteadyCode(memory, STATE, this.codeCache);
  }

  /** The guest interprets for a tenth of a second and is looked at. */
  #step(): void {
    const count = this.view.getBigUint64(STATE + L.INSTRUCTION_COUNT, true);
    this.view.setBigUint64(STATE + L.INSTRUCTION_COUNT, count + BigInt(TENTH), true);
    this.steady.look();
  }

  pass(seconds: number): void {
    for (let i = 0; i < 10 * seconds; i++) this.#step();
  }

  heat(block: number): number {
    return this.view.getInt32(block + L.BLOCK_HEAT, true);
  }

  execute(block: number, times: number): void {
    this.view.setInt32(block + L.BLOCK_HEAT, this.heat(block) - times, true);
  }

  /** Rests, has notes taken, executes each block so often and watches to the end. */
  watch(timesOf: (index: number) => number): void {
    this.pass(1.5);
    for (const [i, block] of this.blocks.entries()) this.execute(block, timesOf(i));
    this.pass(1);
  }

  get chosen(): readonly number[] {
    return this.blocks.filter((block) => this.steady.isChosen(block));
  }
}

/** Somewhere behind the blocks. */
const STATE = L.CODE_CACHE + L.CODE_CACHE_SIZE - 0x10000;

function block(rip: number): IrBlock {
  const made = new IrBlock();
  made.reset(rip, 0, rip, 2);
  made.push(0, opNumber("enter"), 0, 0, 2);
  made.push(2, opNumber("jmp"), 0, 0, 0);
  made.instructionCount = 2;
  made.guestSizeBytes = 4;
  return made;
}

suite("choosing", () => {
  test("blocks that moved enough in a second are made hot, the others go on as they were", () => {
    const counters = new Counters();
    counters.watch((i) => (i < 3 ? BUSY : IDLE));
    assert.deepEqual(counters.chosen, counters.blocks.slice(0, 3));
    assert.deepEqual(new Set(counters.chosen.map((each) => counters.heat(each))), new Set([1]));
    const [, , , fourth = 0] = counters.blocks;
    assert.equal(counters.heat(fourth), HEAT_OF_A_HOT_BLOCK - 1000 - IDLE);
  });

  test("a counter that had moved before says nothing", () => {
    const counters = new Counters();
    counters.watch(() => 0);
    assert.deepEqual(counters.chosen, []);
  });

  test("blocks that have a region or were dropped are not chosen", () => {
    const counters = new Counters();
    const [compiled = 0, dropped = 0] = counters.blocks;
    counters.view.setUint16(compiled + L.BLOCK_OPS, opNumber("region"), true);
    counters.view.setUint16(dropped + L.BLOCK_OPS, opNumber("stale"), true);
    counters.watch(() => BUSY);
    assert.deepEqual(counters.chosen, counters.blocks.slice(2));
  });

  test("nothing is chosen while other blocks become hot, or are translated", () => {
    const counters = new Counters();
    counters.pass(1.5);
    for (const each of counters.blocks) counters.execute(each, BUSY);
    for (let i = 0; i <= steadyLimits.hotBlocks; i++) counters.steady.answered(STATE);
    counters.pass(1);
    assert.deepEqual(counters.chosen, []);
    counters.pass(1.5);
    for (const each of counters.blocks) counters.execute(each, BUSY);
    for (let i = 0; i <= steadyLimits.translatedBlocks; i++) counters.steady.blockTranslated();
    counters.pass(1);
    assert.deepEqual(counters.chosen, []);
    counters.watch(() => BUSY);
    assert.equal(counters.chosen.length, BLOCKS);
  });

  test("what has not been executed a second later counts on where it was", () => {
    const counters = new Counters();
    counters.watch(() => BUSY);
    assert.equal(counters.chosen.length, BLOCKS);
    counters.pass(1.5);
    assert.deepEqual(counters.chosen, []);
    const heats = counters.blocks.map((each) => counters.heat(each));
    assert.deepEqual(new Set(heats), new Set([HEAT_OF_A_HOT_BLOCK - 1000 - BUSY]));
  });

  test("before blocks are moved none is chosen any more, and each has its counter again", () => {
    const counters = new Counters();
    counters.watch(() => BUSY);
    counters.steady.beforeEviction();
    assert.deepEqual(counters.chosen, []);
    const heats = counters.blocks.map((each) => counters.heat(each));
    assert.deepEqual(new Set(heats), new Set([HEAT_OF_A_HOT_BLOCK - 1000 - BUSY]));
  });

  test("when all blocks are forgotten nothing is written to where they were", () => {
    const counters = new Counters();
    counters.watch(() => BUSY);
    counters.steady.reset();
    counters.pass(5);
    assert.deepEqual(new Set(counters.blocks.map((each) => counters.heat(each))), new Set([1]));
  });

  test("an answer for a chosen block is not due again for a while", () => {
    const counters = new Counters();
    counters.watch(() => BUSY);
    const [first = 0, second = 0] = counters.blocks;
    assert.equal(counters.steady.isTurn(), true);
    counters.steady.answered(first);
    assert.deepEqual([counters.steady.isChosen(first), counters.steady.isTurn()], [false, false]);
    counters.pass(0.1);
    assert.deepEqual([counters.steady.isChosen(second), counters.steady.isTurn()], [true, true]);
  });

  test("a guest in which nothing is found is looked at more and more seldom", () => {
    const counters = new Counters();
    counters.pass(1.5 + 1 + 1);
    // The next look would begin here, had something been found; it begins a second later.
    for (const each of counters.blocks) counters.execute(each, BUSY);
    counters.pass(1);
    assert.deepEqual(counters.chosen, []);
    counters.pass(0.5);
    for (const each of counters.blocks) counters.execute(each, BUSY);
    counters.pass(1.2);
    assert.equal(counters.chosen.length, BLOCKS);
  });

  test("a guest that hardly interprets is not looked at", () => {
    const counters = new Counters();
    const instructions = 4_000_000_000n;
    const compiled = instructions - BigInt(steadyLimits.interpretedInstructions) / 2n;
    for (let second = 1n; second < 6n; second++) {
      counters.view.setBigUint64(STATE + L.INSTRUCTION_COUNT, second * instructions, true);
      counters.view.setBigUint64(STATE + L.STAT_IN_REGIONS, second * compiled, true);
      counters.steady.look();
      for (const each of counters.blocks) counters.execute(each, BUSY);
    }
    assert.deepEqual(counters.chosen, []);
  });
});

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const [EAX, EBX] = [0, 3];
const CALLED = 0x12000;
const FUNCTIONS = 20;
const FUNCTION_BYTES = 16;
/** A round of the guest takes half a millisecond of estimated run time: in three seconds nothing in it becomes hot. */
const LOOP_ROUNDS = 500_000;
const ROUNDS = 6_000;
const u32 = (value: number): number[] =>
  [value, value >>> 8, value >>> 16, value >>> 24].map((byte) => byte & 0xff);
const call = (at: number, to: number): number[] => [0xe8, ...u32(to - at - 5)];
const addend = (i: number): number => Math.imul(i, 0x9e3779b1);
const functionAt = (i: number): number => CALLED + 0x1000 + i * FUNCTION_BYTES;

/** again: mov ecx, LOOP_ROUNDS; dec ecx; jnz -3; call CALLED; inc ebx; cmp ebx, ROUNDS; jb again; hlt */
const outer = [
  ...[0xb9, ...u32(LOOP_ROUNDS), 0x49, 0x75, 0xfd],
  ...call(CODE + 8, CALLED),
  ...[0x43, 0x81, 0xfb, ...u32(ROUNDS), 0x72, 0xea, 0xf4],
];
/** Calls each function in turn: xor eax, addend; add eax, ebx; ret */
const called = [
  ...Array.from({ length: FUNCTIONS }, (_, i) => call(CALLED + 5 * i, functionAt(i))).flat(),
  0xc3,
];

function computed(): bigint {
  let eax = 0;
  for (let ebx = 0; ebx < ROUNDS; ebx++)
    for (let i = 0; i < FUNCTIONS; i++) eax = ((eax ^ addend(i)) + ebx) >>> 0;
  return BigInt(eax);
}

test("a function called two thousand times in a second of run time is compiled, and computes the same", () => {
  const machine = new TestMachine({ core, mode: "protected", tier: "auto", code: outer });
  machine.ram.set(called, CALLED);
  for (let i = 0; i < FUNCTIONS; i++)
    machine.ram.set([0x35, ...u32(addend(i)), 0x01, 0xd8, 0xc3], functionAt(i));
  let exit = machine.run(LOOP_ROUNDS);
  while (exit === "slice") exit = machine.run(LOOP_ROUNDS);
  assert.equal(exit, "halt");
  assert.equal(machine.gpr(EBX), BigInt(ROUNDS));
  assert.equal(machine.gpr(EAX), computed());
  const { instructionsRetired, instructionsInRegions } = machine.engine.statistics;
  const interpretedAlways = ROUNDS * (2 + 4 * FUNCTIONS);
  const interpreted = Number(instructionsRetired - instructionsInRegions);
  assert.equal(interpreted < 0.9 * interpretedAlways, true, `${interpreted} of ${interpretedAlways}`);
});
