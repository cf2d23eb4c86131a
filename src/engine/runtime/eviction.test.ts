/**
 * Guests whose code does not fit into the code cache, which is as small as it can be, or whose regions do not fit into
 * what they may occupy: what they compute, that what is hot
 * stays, and that memory is bounded. Functions of 16 bytes, each other than all others, are called one after the other,
 * over and over; between the sweeps runs what must survive them, or what must be found gone.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { MiB } from "../../base/index.ts";
import * as L from "../layout.ts";
import { CODE_CACHE_SIZE_MIN } from "./code-cache.ts";
import { CODE, HANDLERS, TestMachine } from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const HLT = 0xf4;
const RET = 0xc3;
const [EAX, EDX, EBX, EDI] = [0, 2, 3, 7];

const COLD = 0x80000;
const FUNCTION_BYTES = 16;
const FUNCTIONS = 2500;
const COLD_END = COLD + FUNCTIONS * FUNCTION_BYTES;
const HOT = 0x11000;
const SWEEP = 0x12000;
const PASSES = 3;

const DIRECTORY = 0x6000;
const PRESENT_WRITABLE_LARGE_GLOBAL = 0x183;
const CR0_PG = 0x8000_0000n;
const CR4_PSE = 0x10n;
const CR4_PGE = 0x80n;

const u32 = (value: number): number[] =>
  [value, value >>> 8, value >>> 16, value >>> 24].map((b) => b & 0xff);
/** CALL to `to` from `at`. */
const call = (at: number, to: number): number[] => [0xe8, ...u32(to - at - 5)];

const addend = (i: number): number => Math.imul(i, 0x9e3779b1) >>> 0;
const mask = (i: number): number => Math.imul(i, 0x85ebca6b) >>> 0;
/** What calling all cold functions makes of eax. */
function swept(eax: number): number {
  let value = eax;
  for (let i = 0; i < FUNCTIONS; i++) value = ((value + addend(i)) ^ mask(i)) >>> 0;
  return value;
}

// mov esi, COLD; next: call esi; call HOT; add esi, 16; cmp esi, COLD_END; jb next; ret
const sweep = [
  ...[0xbe, ...u32(COLD)],
  ...[0xff, 0xd6],
  ...call(SWEEP + 7, HOT),
  ...[0x83, 0xc6, FUNCTION_BYTES],
  ...[0x81, 0xfe, ...u32(COLD_END)],
  ...[0x72, 0xee],
  RET,
];
// mov ecx, 8; again: inc edx; dec ecx; jnz again; ret
const hot = [0xb9, 8, 0, 0, 0, 0x42, 0x49, 0x75, 0xfc, RET];

interface Setup {
  readonly tier: "interpreter" | "auto" | "regions";
  readonly compiledAtExecution?: number;
  readonly regionMemoryLimitBytes?: number;
  readonly code: readonly number[];
}

function machineOf(setup: Setup, monotonicNs: () => number = () => 0): TestMachine {
  const codeCacheSizeBytes = CODE_CACHE_SIZE_MIN;
  const machine = new TestMachine({
    core,
    mode: "protected",
    codeCacheSizeBytes,
    host: { monotonicNs },
    ...setup,
  });
  for (let i = 0; i < FUNCTIONS; i++)
    machine.ram.set([0x05, ...u32(addend(i)), 0x35, ...u32(mask(i)), RET], COLD + i * FUNCTION_BYTES);
  machine.ram.set(sweep, SWEEP);
  machine.ram.set(hot, HOT);
  return machine;
}

function runToHalt(machine: TestMachine): void {
  let exit = machine.run(1_000_000);
  while (exit === "slice") exit = machine.run(1_000_000);
  assert.equal(exit, "halt");
}

const register = (machine: TestMachine, n: number): number => Number(machine.gpr(n));

/** `body` PASSES times: mov ebp, PASSES; again: body; dec ebp; jnz again; hlt. `body` is told where it begins. */
function passes(body: (at: number) => readonly number[]): readonly number[] {
  const bytes = body(CODE + 5);
  return [0xbd, ...u32(PASSES), ...bytes, 0x4d, 0x0f, 0x85, ...u32(-(bytes.length + 7)), HLT];
}

const setups = [
  { tier: "interpreter" },
  { tier: "auto" },
  { tier: "regions", compiledAtExecution: 1 },
  { tier: "regions", compiledAtExecution: 2 },
  { tier: "regions", compiledAtExecution: 100 },
] as const;

for (const setup of setups) {
  const name = "compiledAtExecution" in setup ? `${setup.tier} ${setup.compiledAtExecution}` : setup.tier;

  test(`${name}: code that does not fit computes what it should, and is kept within bounds`, () => {
    let hostNs = 0;
    const code = passes((at) => call(at, SWEEP));
    const machine = machineOf({ ...setup, code }, () => (hostNs += 1000));
    runToHalt(machine);
    assert.equal(register(machine, EAX), swept(swept(swept(0))));
    assert.equal(register(machine, EDX), PASSES * FUNCTIONS * 8);
    const { statistics } = machine.engine;
    assert.equal(statistics.codeCacheLimitBytes <= CODE_CACHE_SIZE_MIN, true);
    assert.equal(statistics.codeCacheBytes <= statistics.codeCacheLimitBytes, true);
    assert.equal(statistics.codeCacheBytes > statistics.codeCacheLimitBytes / 2, true);
    assert.equal(statistics.blocksEvicted > FUNCTIONS, true);
    assert.equal(statistics.evictionStops.count > 3, true);
    assert.equal(statistics.evictionStops.longestNs, 1000);
  });

  test(`${name}: a chain to a block that was evicted does not lead to what lies there now`, () => {
    // mov ecx, 100; loop: dec ecx; jz rare; jmp loop; rare: inc ebx; call SWEEP
    const code = passes((at) => [
      ...[0xb9, 100, 0, 0, 0, 0x49, 0x74, 2, 0xeb, 0xfb, 0x43],
      ...call(at + 11, SWEEP),
    ]);
    const machine = machineOf({ ...setup, code });
    runToHalt(machine);
    assert.equal(register(machine, EBX), PASSES);
    assert.equal(register(machine, EAX), swept(swept(swept(0))));
  });

  for (const [kind, pge] of [
    ["a global", CR4_PGE],
    ["an ordinary", 0n],
  ] as const) {
    test(`${name}: a chain to ${kind} page does not lead to where a block was before it was moved`, () => {
      // inc byte [HOT + 1], its count, so that it is translated again and lies elsewhere than what calls it; call SWEEP
      const code = passes((at) => [...[0xfe, 0x05, ...u32(HOT + 1)], ...call(at + 6, SWEEP)]);
      const machine = machineOf({ ...setup, code });
      // All RAM as one page, which is global with CR4.PGE: jumps are chained across pages of 4 KiB.
      machine.view.setUint32(DIRECTORY, PRESENT_WRITABLE_LARGE_GLOBAL, true);
      const { cr0, cr4 } = machine.engine.registers.read();
      machine.change({ cr0: cr0 | CR0_PG, cr3: BigInt(DIRECTORY), cr4: cr4 | CR4_PSE | pge });
      runToHalt(machine);
      assert.equal(register(machine, EAX), swept(swept(swept(0))));
      assert.equal(register(machine, EDX), (9 + 10 + 11) * FUNCTIONS);
    });
  }

  test(`${name}: a block that straddles pages is evicted from both, and its code may be written again`, () => {
    // At 30FFDh: add ebx, imm32 whose upper bytes are the second page's first; ret
    const straddling = 0x30ffc;
    // inc byte [31000h]; call it; inc byte [31000h]; call it; call SWEEP
    const code = passes((at) => [
      ...[0xfe, 0x05, ...u32(0x31000)],
      ...call(at + 6, straddling),
      ...[0xfe, 0x05, ...u32(0x31000)],
      ...call(at + 17, straddling),
      ...call(at + 22, SWEEP),
    ]);
    const machine = machineOf({ ...setup, code });
    machine.ram.set([0x81, 0xc3, 1, 0, 0, 0, RET], straddling);
    runToHalt(machine);
    const calls = 2 * PASSES;
    assert.equal(register(machine, EBX), calls + 0x10000 * ((calls * (calls + 1)) / 2));
    assert.equal(register(machine, EAX), swept(swept(swept(0))));
  });

  test(`${name}: a breakpoint is met in a block that was evicted and translated again`, () => {
    const watched = 0x34000;
    // mov eax, watched; mov dr0, eax; mov eax, 1; mov dr7, eax; xor eax, eax; then the passes
    const arm = [0xb8, ...u32(watched), 0x0f, 0x23, 0xc0, 0xb8, 1, 0, 0, 0, 0x0f, 0x23, 0xf8, 0x31, 0xc0];
    const code = passes((at) => [...call(at + arm.length, watched), ...call(at + arm.length + 5, SWEEP)]);
    const machine = machineOf({ ...setup, code: [...arm, ...code] });
    machine.ram.set([0x43, RET], watched);
    // #DB: inc edi; or dword [esp + 8], RF; iret
    machine.ram.set([0x47, 0x81, 0x4c, 0x24, 8, ...u32(0x10000), 0xcf], HANDLERS + 16);
    runToHalt(machine);
    assert.deepEqual([register(machine, EDI), register(machine, EBX)], [PASSES, PASSES]);
    assert.equal(register(machine, EAX), swept(swept(swept(0))));
  });
}

for (const tier of ["interpreter", "auto"] as const) {
  test(`${tier}: hot blocks stay where others go`, () => {
    const machine = machineOf({ tier, code: passes((at) => call(at, SWEEP)) });
    runToHalt(machine);
    const { blocksTranslated } = machine.engine.statistics;
    const cold = PASSES * FUNCTIONS;
    // Each pass's own blocks run once a pass; the others would be lost with each turn of the cache.
    assert.equal(
      blocksTranslated >= cold && blocksTranslated < cold + 16 + 3 * PASSES,
      true,
      `${blocksTranslated}`,
    );
    assert.equal(machine.engine.registers.u64(L.STAT_BLOCKS_MOVED) > 0n, true);
  });

  test(`${tier}: translations of code that is rewritten for ever are only dropped`, () => {
    const turns = 60_000;
    // again: inc dword [CODE + 16]; jmp next; next: mov ebx, imm32 at CODE + 16; cmp ebx, turns; jb again; hlt
    const machine = machineOf({
      tier,
      code: [
        ...[0xff, 0x05, 0x10, 0, 1, 0, 0xeb, 7, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90],
        ...[0xbb, 0, 0, 0, 0, 0x81, 0xfb, ...u32(turns), 0x72, 0xe4, HLT],
      ],
    });
    runToHalt(machine);
    const { statistics } = machine.engine;
    assert.equal(register(machine, EBX), turns);
    assert.equal(statistics.evictionStops.count > 100, true);
    assert.equal(statistics.codeCacheBytes <= statistics.codeCacheLimitBytes, true);
  });
}

test("a region stays while what it calls comes and goes", () => {
  const machine = machineOf({
    tier: "regions",
    compiledAtExecution: 100,
    code: passes((at) => call(at, SWEEP)),
  });
  runToHalt(machine);
  const { regionsCompiled, instructionsInRegions, instructionsRetired } = machine.engine.statistics;
  assert.equal(regionsCompiled > 0 && regionsCompiled < 10, true, `${regionsCompiled} regions`);
  assert.equal(instructionsInRegions > (instructionsRetired * 8n) / 10n, true);
});

test("regions that nobody enters give way to new ones, those that are entered stay", () => {
  const regionMemoryLimitBytes = 4 * MiB;
  const code = passes((at) => call(at, SWEEP));
  const machine = machineOf({ tier: "regions", compiledAtExecution: 1, code, regionMemoryLimitBytes });
  runToHalt(machine);
  assert.equal(register(machine, EAX), swept(swept(swept(0))));
  assert.equal(register(machine, EDX), PASSES * FUNCTIONS * 8);
  const { statistics } = machine.engine;
  assert.equal(statistics.regionMemoryLimitBytes, regionMemoryLimitBytes);
  assert.equal(statistics.regionMemoryBytes <= regionMemoryLimitBytes, true);
  assert.equal(statistics.regionMemoryBytes > regionMemoryLimitBytes / 2, true);
  assert.equal(statistics.regionsEvicted > FUNCTIONS, true);
  // What is compiled again is the cold functions and each pass's own blocks; the sweep and the hot loop are not.
  const again = statistics.regionsCompiled - PASSES * FUNCTIONS;
  assert.equal(again >= 0 && again < 8 * PASSES, true, `${again} regions`);
});

test("a region that was evicted is compiled again when it is hot again", () => {
  const regionMemoryLimitBytes = MiB;
  // mov ecx, 1000; again: inc ebx; dec ecx; jnz again; call SWEEP
  const code = passes((at) => [...[0xb9, 0xe8, 3, 0, 0, 0x43, 0x49, 0x75, 0xfc], ...call(at + 9, SWEEP)]);
  const machine = machineOf({ tier: "regions", compiledAtExecution: 1, code, regionMemoryLimitBytes });
  runToHalt(machine);
  assert.equal(register(machine, EBX), PASSES * 1000);
  assert.equal(register(machine, EAX), swept(swept(swept(0))));
  const { instructionsInRegions, instructionsRetired } = machine.engine.statistics;
  assert.equal(instructionsInRegions > (instructionsRetired * 7n) / 10n, true);
});
