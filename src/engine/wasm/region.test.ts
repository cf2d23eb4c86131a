import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as L from "../layout.ts";
import { regionLimits } from "../runtime/region-former.ts";
import {
  CODE,
  DATA,
  END,
  HOLE,
  MMIO,
  STACK,
  TierMachine,
  type TestBlock,
  type TestOp,
  type TierState,
  seeded,
} from "./testing.ts";

const RAX = 0;
const RCX = 8;
const RDX = 16;
const RSP = 32;
const FS_BASE = L.SEG_BASE + 32;
const T0 = L.TEMP;

const machine = new TierMachine(new WebAssembly.Module(readFileSync("build/core.wasm")));

/** Runs a program in the interpreter, then from the same state with a region at its start. */
function bothTiers(
  blocks: readonly TestBlock[],
  gpr: Record<number, bigint>,
  options: { budget?: number; regionsAt?: readonly number[] } = {},
): [TierState, TierState] {
  const start = blocks[0]?.rip ?? CODE;
  machine.load(blocks);
  machine.prepare(start, seeded(7), gpr);
  const interpreted = machine.run(options.budget);
  const entries = options.regionsAt ?? [start];
  for (const rip of entries) machine.compile(rip);
  const before = entries.map((rip) => machine.timesInterpreted(rip));
  machine.prepare(start, seeded(7), gpr);
  const compiled = machine.run(options.budget);
  assert.deepEqual(
    entries.map((rip) => machine.timesInterpreted(rip)),
    before,
    "a region's entry was interpreted",
  );
  return [interpreted, compiled];
}

test("a straight block gives the same state", () => {
  const [interpreted, compiled] = bothTiers(
    [
      {
        rip: CODE,
        ops: [
          { op: "add64", d: RAX, s: RCX },
          { op: "movi8", d: 1, imm: 0x5a },
          { op: "jmp", to: END },
        ],
      },
    ],
    {},
  );
  assert.deepEqual(compiled, interpreted);
  assert.equal(interpreted.exit, L.EXIT_HALT);
});

test("a loop with a memory access runs to its end inside the region", () => {
  const before = machine.regions.compiledCount;
  const [interpreted, compiled] = bothTiers(
    [
      { rip: CODE, ops: [{ op: "next", to: CODE + 0x10 }] },
      {
        rip: CODE + 0x10,
        ops: [
          { op: "add32", d: RAX, s: RCX },
          { op: "st32_x64", d: RAX, s: FS_BASE, a: RCX, scale: 2 },
          { op: "subi64", d: RCX, imm: 1 },
          { op: "j5", to: CODE + 0x10, else: END },
        ],
      },
    ],
    { 1: 1000n },
  );
  assert.deepEqual(compiled, interpreted);
  assert.equal(interpreted.gpr[1], 0n);
  assert.equal(machine.regions.compiledCount, before + 1);
});

/** A loop of `count` blocks, and a block that leads to it. */
const loopBehind = (lead: number, count: number): TestBlock[] => [
  { rip: lead, ops: [{ op: "jmp", to: CODE }] },
  ...Array.from({ length: count - 1 }, (_, i) => ({
    rip: CODE + 4 * i,
    ops: [
      { op: "addi64", d: RAX, imm: i },
      { op: "jmp", to: CODE + 4 * (i + 1) },
    ],
  })),
  {
    rip: CODE + 4 * (count - 1),
    ops: [
      { op: "subi64", d: RCX, imm: 1 },
      { op: "j5", to: CODE, else: END },
    ],
  },
];

for (const [blocks, name] of [
  [regionLimits.copiedBlocks, "takes in a small region that it leads to"],
  [regionLimits.copiedBlocks + 1, "ends where a larger one begins"],
] as const) {
  test(`a region ${name}`, () => {
    const lead = CODE - 0x10;
    const runFrom = (rip: number): TierState => {
      machine.prepare(rip, seeded(7), { 0: 0n, 1: 200n });
      return machine.run();
    };
    machine.load(loopBehind(lead, blocks));
    const interpreted = runFrom(lead);
    const compiledSize = (rip: number): number => {
      const before = machine.regions.compiledBytes;
      machine.compile(rip);
      return machine.regions.compiledBytes - before;
    };

    const loopSize = compiledSize(CODE);
    const leadSize = compiledSize(lead);

    assert.equal(leadSize > loopSize, blocks === regionLimits.copiedBlocks);
    assert.deepEqual(runFrom(lead), interpreted);
  });
}

const dividends = [
  { name: "a small dividend", rdx: 0n, rax: 0xffff_ffff_ffff_fff1n, rcx: 0x1_0000_0003n },
  { name: "a dividend of both halves", rdx: 5n, rax: 0x1234_5678_9abc_def0n, rcx: 0xffff_0000_0000_0007n },
  { name: "a quotient that is too large", rdx: 7n, rax: 1n, rcx: 7n },
  { name: "a divisor of 0", rdx: 0n, rax: 9n, rcx: 0n },
];
for (const op of ["div64", "div32"]) {
  for (const { name, rdx, rax, rcx } of dividends) {
    test(`${op} of ${name} whose quotient nobody needs gives the same state`, () => {
      const ops: TestOp[] = [
        { op, s: RCX },
        { op: "mov64", d: RAX, s: RCX },
        { op: "jmp", to: END },
      ];

      const [interpreted, compiled] = bothTiers([{ rip: CODE, ops }], { 0: rax, 1: rcx, 2: rdx });

      assert.deepEqual(compiled, interpreted);
    });
  }
}

test("a page fault in the middle of a region leaves registers, flags and RIP as they were at its instruction", () => {
  const [interpreted, compiled] = bothTiers(
    [
      {
        rip: CODE,
        ops: [
          { op: "add64", d: RAX, s: RCX },
          { op: "subi64", d: RCX, imm: 1 },
          { op: "ld64_x64", d: RDX, s: FS_BASE, a: RCX, scale: 3, imm: 0 },
          { op: "xori64", d: RDX, imm: 3 },
          { op: "jmp", to: CODE },
        ],
      },
    ],
    // The index runs down from the hole's first bytes... the first access is behind DATA, in the hole.
    { 1: BigInt((HOLE - DATA) / 8) + 1n },
  );
  assert.deepEqual(compiled, interpreted);
  assert.equal(interpreted.exit, L.EXIT_SHUTDOWN);
  assert.equal(interpreted.rip, BigInt(CODE + 2));
});

test("a guest call is a call, and its return goes on behind it", () => {
  const blocks: TestBlock[] = [
    {
      rip: CODE,
      ops: [
        { op: "pushi64", imm: CODE + 2 },
        { op: "call", to: CODE + 0x100, else: CODE + 2 },
      ],
    },
    {
      rip: CODE + 2,
      ops: [
        { op: "subi64", d: RCX, imm: 1 },
        { op: "j5", to: CODE, else: END },
      ],
    },
    {
      rip: CODE + 0x100,
      ops: [
        { op: "addi64", d: RAX, imm: 3 },
        { op: "pop64", d: T0 },
        { op: "ret", s: T0 },
      ],
    },
  ];
  const [interpreted, compiled] = bothTiers(
    blocks,
    { 0: 0n, 1: 500n, 4: BigInt(STACK) },
    { regionsAt: [CODE + 0x100, CODE] },
  );
  assert.deepEqual(compiled, interpreted);
  assert.equal(compiled.gpr[0], 1500n);
});

test("a callee that returns to another place is followed there", () => {
  const blocks: TestBlock[] = [
    {
      rip: CODE,
      ops: [
        { op: "pushi64", imm: CODE + 2 },
        { op: "call", to: CODE + 0x100, else: CODE + 2 },
      ],
    },
    {
      rip: CODE + 2,
      ops: [
        { op: "subi64", d: RCX, imm: 1 },
        { op: "j5", to: CODE, else: END },
      ],
    },
    {
      rip: CODE + 0x100,
      ops: [
        { op: "pop64", d: T0 },
        { op: "addi64", d: T0, imm: 0x1fe },
        { op: "ret", s: T0 },
      ],
    },
    {
      rip: CODE + 0x200,
      ops: [
        { op: "addi64", d: RAX, imm: 5 },
        { op: "jmp", to: CODE + 2 },
      ],
    },
  ];
  const [interpreted, compiled] = bothTiers(
    blocks,
    { 0: 0n, 1: 100n, 4: BigInt(STACK) },
    { regionsAt: [CODE + 0x100, CODE] },
  );
  assert.deepEqual(compiled, interpreted);
  assert.equal(compiled.gpr[0], 500n);
});

test("recursion deeper than regions may nest ends as it should", () => {
  const DEPTH = 3000n;
  const blocks: TestBlock[] = [
    {
      rip: CODE,
      ops: [
        { op: "pushi64", imm: CODE + 2 },
        { op: "call", to: CODE + 0x100, else: CODE + 2 },
      ],
    },
    { rip: CODE + 2, ops: [{ op: "next", to: END }] },
    {
      rip: CODE + 0x100,
      ops: [
        { op: "subi64", d: RCX, imm: 1 },
        { op: "j4", to: CODE + 0x180, else: CODE + 0x110 },
      ],
    },
    {
      rip: CODE + 0x110,
      ops: [
        { op: "pushi64", imm: CODE + 0x112 },
        { op: "call", to: CODE + 0x100, else: CODE + 0x112 },
      ],
    },
    {
      rip: CODE + 0x112,
      ops: [
        { op: "addi64", d: RAX, imm: 1 },
        { op: "next", to: CODE + 0x180 },
      ],
    },
    {
      rip: CODE + 0x180,
      ops: [
        { op: "pop64", d: T0 },
        { op: "ret", s: T0 },
      ],
    },
  ];
  const [interpreted, compiled] = bothTiers(
    blocks,
    { 0: 0n, 1: DEPTH, 4: BigInt(STACK) },
    { regionsAt: [CODE + 0x100] },
  );
  assert.deepEqual(compiled, interpreted);
  assert.equal(compiled.gpr[0], DEPTH - 1n);
});

test("an endless loop comes back when the budget is used up", () => {
  const [, compiled] = bothTiers(
    [
      {
        rip: CODE,
        ops: [
          { op: "addi64", d: RAX, imm: 1 },
          { op: "jmp", to: CODE },
        ],
      },
    ],
    { 0: 0n },
    { budget: 10_000 },
  );
  assert.equal(compiled.exit, L.EXIT_SLICE);
  assert.equal(compiled.rip, BigInt(CODE));
  assert.ok(compiled.instructions >= 10_000n && compiled.instructions < 10_010n);
  assert.equal((compiled.gpr[0] ?? 0n) * 2n, compiled.instructions);
});

test("a recursion without a loop comes back when the budget is used up, and goes on", () => {
  const FUNCTION = CODE + 0x100;
  /** A tree of 2^18 calls, 18 deep: RCX is the height of what is still to be walked. */
  const blocks: TestBlock[] = [
    {
      rip: CODE,
      ops: [
        { op: "pushi64", imm: END },
        { op: "call", to: FUNCTION, else: END },
      ],
    },
    {
      rip: FUNCTION,
      ops: [
        { op: "addi64", d: RAX, imm: 1 },
        { op: "subi64", d: RCX, imm: 1 },
        { op: "j4", to: FUNCTION + 0x80, else: FUNCTION + 0x10 },
      ],
    },
    ...[0x10, 0x20].map((at) => ({
      rip: FUNCTION + at,
      ops: [
        { op: "pushi64", imm: FUNCTION + at + 0x10 },
        { op: "call", to: FUNCTION, else: FUNCTION + at + 0x10 },
      ],
    })),
    { rip: FUNCTION + 0x30, ops: [{ op: "next", to: FUNCTION + 0x80 }] },
    {
      rip: FUNCTION + 0x80,
      ops: [
        { op: "addi64", d: RCX, imm: 1 },
        { op: "pop64", d: T0 },
        { op: "ret", s: T0 },
      ],
    },
  ];
  const start = { 0: 0n, 1: 18n, 4: BigInt(STACK) };
  const budget = 50_000;
  const [, first] = bothTiers(blocks, start, { budget, regionsAt: [FUNCTION] });
  assert.equal(first.exit, L.EXIT_SLICE);
  assert.ok(first.instructions >= 50_000n && first.instructions < 51_000n, `${first.instructions}`);
  let slices = 1;
  for (let exit = first.exit; exit === L.EXIT_SLICE; slices++) exit = machine.run(budget).exit;
  const total = machine.run().instructions;
  assert.equal(machine.run().gpr[0], 2n ** 18n - 1n);
  assert.ok(slices >= Number(total) / 51_000, `${total} instructions in ${slices} slices`);
});

/** Runs a loop that counts in RAX and writes to a device, which asks to stop after so many times. */
function loopUntilAsked(times: number, body: readonly TestOp[]): [TierState, TierState] {
  let writes = 0;
  machine.onMmioWrite = () => {
    if (++writes % times === 0) {
      machine.registers.setU32(L.EXIT_REQUEST, 1);
      machine.core.exports.stopSoon();
    }
  };
  const states = bothTiers(
    [
      {
        rip: CODE,
        ops: [
          { op: "addi64", d: RAX, imm: 1 },
          // No sum, so that no check is shared and the store has its slow way.
          { op: "andi64", d: RDX, imm: 0 },
          { op: "st32_m64", d: RAX, s: RDX, imm: MMIO },
          ...body,
          { op: "jmp", to: CODE },
        ],
      },
    ],
    { 0: 0n },
  );
  machine.onMmioWrite = () => {};
  return states;
}

test("a device access in a loop ends it when the device asks for it", () => {
  const notUnrolled = Array.from({ length: 16 }, () => ({ op: "addi64", d: RCX, imm: 1 }));

  const [interpreted, compiled] = loopUntilAsked(10, notUnrolled);

  assert.equal(compiled.exit, L.EXIT_REQUESTED);
  assert.deepEqual(compiled, interpreted);
  assert.equal(compiled.gpr[0], 10n);
});

test("an unrolled loop ends behind its last round when a device asks for it", () => {
  // One round, then three at a time.
  const [, compiled] = loopUntilAsked(8, []);

  assert.equal(compiled.exit, L.EXIT_REQUESTED);
  assert.equal(compiled.rip, BigInt(CODE));
  assert.equal(compiled.gpr[0], 10n);
  assert.equal(compiled.instructions, 40n);
});

test("a store to the region's own code takes the region away", () => {
  const blocks: TestBlock[] = [
    {
      rip: CODE,
      ops: [
        { op: "subi64", d: RCX, imm: 1 },
        { op: "j5", to: CODE, else: END },
      ],
    },
  ];
  bothTiers(blocks, { 1: 50n });
  assert.equal(machine.regions.installed.count, 1);
  machine.core.exports.codePagesWritten(CODE, 4);
  assert.equal(machine.regions.installed.count, 0);
  machine.prepare(CODE, seeded(7), { 1: 50n });
  assert.equal(machine.run().exit, L.EXIT_HALT);
});

test("a region of two pages is given up when one of them is mapped elsewhere", () => {
  const second = CODE + L.PAGE_SIZE;
  const blocks: TestBlock[] = [
    {
      rip: CODE,
      ops: [
        { op: "subi64", d: RCX, imm: 1 },
        { op: "j5", to: second, else: END },
      ],
    },
    {
      rip: second,
      ops: [
        { op: "addi64", d: RAX, imm: 1 },
        { op: "jmp", to: CODE },
      ],
    },
  ];
  const [interpreted, compiled] = bothTiers(blocks, { 0: 0n, 1: 150n });
  assert.deepEqual(compiled, interpreted);
  assert.equal(machine.regions.installed.count, 1);
  // The second page's entry goes to another page.
  const entry = L.RAM_BASE + 0x4000 + 8 * (second / L.PAGE_SIZE);
  const before = machine.view.getBigUint64(entry, true);
  machine.view.setBigUint64(entry, BigInt(second + L.PAGE_SIZE) | 3n, true);
  machine.core.exports.flushTlb();
  machine.prepare(CODE, seeded(7), { 0: 0n, 1: 150n });
  machine.run();
  machine.view.setBigUint64(entry, before, true);
  machine.core.exports.flushTlb();
  assert.equal(machine.regions.installed.count, 0);
});

test("a block whose code is elsewhere just when a region is wanted is asked for again", () => {
  machine.load([{ rip: CODE, ops: [{ op: "jmp", to: END }] }]);
  machine.prepare(CODE, seeded(7));
  machine.run();
  const block = machine.blockAt(CODE);
  machine.view.setInt32(block + L.BLOCK_HEAT, 0, true);
  // Another address space, in which this page is another one.
  const entry = L.RAM_BASE + 0x4000 + 8 * (CODE / L.PAGE_SIZE);
  const before = machine.view.getBigUint64(entry, true);
  machine.view.setBigUint64(entry, BigInt(CODE + L.PAGE_SIZE) | 3n, true);
  machine.core.exports.flushTlb();
  machine.regions.blockIsHot(block);
  machine.view.setBigUint64(entry, before, true);
  machine.core.exports.flushTlb();
  assert.equal(machine.regions.installed.count, 0);
  const heat = machine.view.getInt32(block + L.BLOCK_HEAT, true);
  assert.ok(heat > 0, `the core counts down to 0, from ${heat}`);
});

test("a loop that is entered in two places gives the same state", () => {
  // Two entries into the loop A ↔ B: from the start to A by way of a branch, and to B.
  const A = CODE + 0x20;
  const B = CODE + 0x30;
  const blocks: TestBlock[] = [
    {
      rip: CODE,
      ops: [
        { op: "testi64", d: RDX, imm: 1 },
        { op: "j4", to: A, else: B },
      ],
    },
    {
      rip: A,
      ops: [
        { op: "addi64", d: RAX, imm: 1 },
        { op: "subi64", d: RCX, imm: 1 },
        { op: "j4", to: END, else: B },
      ],
    },
    {
      rip: B,
      ops: [
        { op: "addi64", d: RAX, imm: 100 },
        { op: "subi64", d: RCX, imm: 1 },
        { op: "j4", to: END, else: A },
      ],
    },
  ];
  for (const rdx of [0n, 1n]) {
    const [interpreted, compiled] = bothTiers(blocks, { 0: 0n, 1: 77n, 2: rdx }, { regionsAt: [A] });
    assert.deepEqual(compiled, interpreted);
    const [again, whole] = bothTiers(
      [
        {
          rip: CODE - 0x10,
          ops: [
            { op: "subi64", d: RSP, imm: 1 },
            { op: "j4", to: END, else: CODE },
          ],
        },
        ...blocks.map((b) => ({
          ...b,
          ops: b.ops.map((op) => (op.else === undefined || op.to !== END ? op : { ...op, to: CODE - 0x10 })),
        })),
      ],
      { 0: 0n, 1: 3n, 2: rdx, 4: 40n },
    );
    assert.deepEqual(whole, again);
  }
});
