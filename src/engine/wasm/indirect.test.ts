import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as L from "../layout.ts";
import { CODE, END, STACK, TierMachine, type TestBlock, type TierState, seeded } from "./testing.ts";

const RAX = 0;
const RCX = 8;
const RDX = 16;
const RBX = 24;
const RSI = 48;
const T0 = L.TEMP;
/** Where the loop's indirect branch leads, `RBX` bytes further: every so many bytes one of four places. */
const TARGETS = CODE + 0x100;
const TARGET_STRIDE = 0x20;
const OTHER_TARGETS = 0x200;

const machine = new TierMachine(new WebAssembly.Module(readFileSync("build/core.wasm")));

/** The state after `measured` in the interpreter, and in regions that were compiled after `usual`. */
function bothTiers(
  blocks: readonly TestBlock[],
  usual: Record<number, bigint>,
  measured: Record<number, bigint>,
  entries = [CODE],
): [TierState, TierState] {
  machine.load(blocks);
  machine.prepare(CODE, seeded(7), measured);
  const interpreted = machine.run();
  machine.load(blocks);
  machine.prepare(CODE, seeded(7), usual);
  machine.run();
  for (const entry of entries) machine.compile(entry);
  machine.prepare(CODE, seeded(7), measured);
  return [interpreted, machine.run()];
}

/** RCX is how often the loop goes round times TARGET_STRIDE; which of the places it goes to, its low bits say. */
const chooseTarget = [
  { op: "mov64", d: RDX, s: RCX },
  { op: "andi64", d: RDX, imm: 3 * TARGET_STRIDE },
  { op: "addi64", d: RDX, imm: TARGETS },
  { op: "add64", d: RDX, s: RBX },
] as const;

const places = (end: readonly TestBlock["ops"][number][]): TestBlock[] =>
  [0, 1, 2, 3].flatMap((n) =>
    [TARGETS, TARGETS + OTHER_TARGETS].map((first, other) => ({
      rip: first + n * TARGET_STRIDE,
      ops: [{ op: "addi64", d: RAX, imm: 1 + 7 * n + 100 * other }, ...end],
    })),
  );

const switchLoop: readonly TestBlock[] = [
  {
    rip: CODE,
    ops: [
      { op: "subi64", d: RCX, imm: TARGET_STRIDE },
      { op: "j4", to: END, else: CODE + 2 },
    ],
  },
  { rip: CODE + 2, ops: [...chooseTarget, { op: "jmpr", s: RDX }] },
  ...places([{ op: "jmp", to: CODE }]),
];

const callLoop = (target: readonly TestBlock["ops"][number][]): readonly TestBlock[] => [
  {
    rip: CODE,
    ops: [
      { op: "subi64", d: RCX, imm: TARGET_STRIDE },
      { op: "j4", to: END, else: CODE + 2 },
    ],
  },
  {
    rip: CODE + 2,
    ops: [...target, { op: "pushi64", imm: CODE + 0x40 }, { op: "callr", s: RDX, else: CODE + 0x40 }],
  },
  {
    rip: CODE + 0x40,
    ops: [
      { op: "xori64", d: RAX, imm: 5 },
      { op: "jmp", to: CODE },
    ],
  },
  ...places([
    { op: "pop64", d: T0 },
    { op: "ret", s: T0, imm: 8 },
  ]),
];

const seenPlace = (target: number): number => Math.imul(target, L.SEEN_FACTOR) >>> L.SEEN_SHIFT;
const rounds = (count: number): bigint => BigInt(count * TARGET_STRIDE);
const gpr = (count: number, further = 0): Record<number, bigint> => ({
  0: 0n,
  1: rounds(count),
  3: BigInt(further),
  4: BigInt(STACK),
});

test("a jump to one of several places it has been to stays inside the region", () => {
  const [interpreted, compiled] = bothTiers(switchLoop, gpr(401), gpr(81));

  assert.deepEqual(compiled, interpreted);
  assert.equal(compiled.gpr[0], 20n * (1n + 8n + 15n + 22n));
  // 100 times each before the region was compiled, and never since.
  assert.deepEqual(
    [0, 1, 2, 3].map((n) => machine.timesInterpreted(TARGETS + n * TARGET_STRIDE)),
    [100, 100, 100, 100],
  );
});

test("a jump to a place it has never been to leaves the region", () => {
  const [interpreted, compiled] = bothTiers(switchLoop, gpr(401), gpr(81, OTHER_TARGETS));

  assert.deepEqual(compiled, interpreted);
  assert.equal(compiled.gpr[0], 20n * (101n + 108n + 115n + 122n));
});

test("a jump remembers places that have the same hash", () => {
  const one = TARGETS + 2 * TARGET_STRIDE;
  const other = one + 9 * TARGET_STRIDE;
  const blocks: readonly TestBlock[] = [
    switchLoop[0] ?? { rip: CODE, ops: [] },
    {
      rip: CODE + 2,
      ops: [
        { op: "mov64", d: RDX, s: RCX },
        { op: "andi64", d: RDX, imm: TARGET_STRIDE },
        { op: "lea_x64", d: RDX, s: RDX, a: RDX, scale: 3, imm: one },
        { op: "jmpr", s: RDX },
      ],
    },
    ...[one, other].map((rip) => ({
      rip,
      ops: [
        { op: "addi64", d: RAX, imm: 1 },
        { op: "jmp", to: CODE },
      ],
    })),
  ];

  const [interpreted, compiled] = bothTiers(blocks, gpr(401), gpr(81));

  assert.equal(seenPlace(one), seenPlace(other));
  assert.deepEqual(compiled, interpreted);
  assert.deepEqual([machine.timesInterpreted(one), machine.timesInterpreted(other)], [200, 200]);
});

test("a call of the only callee that was seen is inlined", () => {
  const target = [{ op: "mov64", d: RDX, s: RBX }];
  const usual = gpr(101, TARGETS);

  const [interpreted, compiled] = bothTiers(callLoop(target), usual, gpr(81, TARGETS));

  assert.deepEqual(compiled, interpreted);
  assert.equal(machine.timesInterpreted(TARGETS), 100);
});

/** Where RSI bytes of the loop's count lead: to the first of the places, or to as many as its bits allow. */
const countedTarget = [
  { op: "mov64", d: RDX, s: RCX },
  { op: "and64", d: RDX, s: RSI },
  { op: "addi64", d: RDX, imm: TARGETS },
] as const;
const countedPlaces = (mask: number): Record<number, bigint> => ({ 6: BigInt(mask * TARGET_STRIDE) });

test("a call of another callee than the inlined one comes back to behind it, and both do in turn", () => {
  const [interpreted, compiled] = bothTiers(
    callLoop([...countedTarget]),
    { ...gpr(401), ...countedPlaces(0) },
    { ...gpr(81), ...countedPlaces(3) },
  );

  assert.deepEqual(compiled, interpreted);
  assert.equal(interpreted.exit, L.EXIT_HALT);
  assert.equal(machine.timesInterpreted(TARGETS), 400);
});

test("calls of the few callees that were seen are inlined", () => {
  const usual = { ...gpr(401), ...countedPlaces(2) };
  const measured = { ...gpr(81), ...countedPlaces(2) };

  const [interpreted, compiled] = bothTiers(callLoop([...countedTarget]), usual, measured);

  assert.deepEqual(compiled, interpreted);
  // Half of the calls before the region was compiled, and never since.
  assert.deepEqual(
    [machine.timesInterpreted(TARGETS), machine.timesInterpreted(TARGETS + 2 * TARGET_STRIDE)],
    [200, 200],
  );
});

test("calls of more callees than a region inlines stay calls", () => {
  const all = countedPlaces(3);

  const [interpreted, compiled] = bothTiers(
    callLoop([...countedTarget]),
    { ...gpr(801), ...all },
    { ...gpr(81), ...all },
  );

  assert.deepEqual(compiled, interpreted);
  assert.equal(machine.timesInterpreted(TARGETS), 200 + 20);
});

test("a region whose calls often lead elsewhere than to what is inlined is to be formed again, with that", () => {
  const toFirst = { ...gpr(401), ...countedPlaces(0) };
  const toBoth = (count: number): Record<number, bigint> => ({ ...gpr(count), ...countedPlaces(1) });
  const other = TARGETS + TARGET_STRIDE;
  const [interpreted, compiled] = bothTiers(callLoop([...countedTarget]), toFirst, toBoth(81));
  const missedAtFirst = machine.timesInterpreted(other);

  machine.prepare(CODE, seeded(7), toBoth(215_000));
  machine.run(10_000_000);
  const { hotBlock } = machine;
  machine.regions.blockIsHot(hotBlock);
  const missed = machine.timesInterpreted(other);
  machine.prepare(CODE, seeded(7), toBoth(81));
  const again = machine.run();

  assert.equal(missedAtFirst, 40);
  assert.equal(hotBlock, machine.blockAt(CODE));
  assert.equal(machine.timesInterpreted(other), missed);
  assert.deepEqual(compiled, interpreted);
  assert.deepEqual(again, interpreted);
});

// ---- Jumps out of an inlined callee: linkage tables -----------------------------------------------------------------
const STUB = CODE + 0x80;
const BEHIND_CALL = CODE + 0x40;
const NOT_CANONICAL = 0x8000_0000_0000n;

const linkedFunction = (rip: number, added: number, length: number): TestBlock => ({
  rip,
  ops: [
    ...Array.from({ length }, () => ({ op: "addi64", d: RAX, imm: added })),
    { op: "pop64", d: T0 },
    { op: "ret", s: T0, imm: 8 },
  ],
});

/** A loop that calls a stub, which jumps to where RBX says. */
const stubLoop = (length: number): readonly TestBlock[] => [
  ...callLoop([]).slice(0, 1),
  {
    rip: CODE + 2,
    ops: [
      { op: "pushi64", imm: BEHIND_CALL },
      { op: "call", to: STUB, else: BEHIND_CALL },
    ],
  },
  {
    rip: BEHIND_CALL,
    ops: [
      { op: "xori64", d: RAX, imm: 5 },
      { op: "jmp", to: CODE },
    ],
  },
  {
    rip: STUB,
    ops: [
      { op: "mov64", d: RDX, s: RBX },
      { op: "jmpr", s: RDX },
    ],
  },
  linkedFunction(TARGETS, 3, length),
  linkedFunction(TARGETS + OTHER_TARGETS, 7, length),
];
const TOO_LONG_TO_INLINE = 70;

test("a call of a stub that jumps to one function has both inlined", () => {
  const [interpreted, compiled] = bothTiers(stubLoop(1), gpr(101, TARGETS), gpr(81, TARGETS));

  assert.deepEqual(compiled, interpreted);
  assert.deepEqual(
    [STUB, TARGETS, BEHIND_CALL].map((rip) => machine.timesInterpreted(rip)),
    [100, 100, 100],
  );
});

test("a stub's jump to a function that is too long to be inlined is a call, which returns to behind the stub's", () => {
  const [interpreted, compiled] = bothTiers(
    stubLoop(TOO_LONG_TO_INLINE),
    gpr(101, TARGETS),
    gpr(81, TARGETS),
    [TARGETS, CODE],
  );

  assert.deepEqual(compiled, interpreted);
  // What a region is entered at has its count set back.
  assert.deepEqual(
    [STUB, BEHIND_CALL].map((rip) => machine.timesInterpreted(rip)),
    [100, 100],
  );
});

for (const length of [1, TOO_LONG_TO_INLINE]) {
  test(`a stub that leads elsewhere now calls that, ${length} ops long, and comes back`, () => {
    const usual = gpr(101, TARGETS);
    const [interpreted, compiled] = bothTiers(stubLoop(length), usual, gpr(81, TARGETS + OTHER_TARGETS));

    assert.deepEqual(compiled, interpreted);
    assert.equal(interpreted.exit, L.EXIT_HALT);
    assert.equal(machine.timesInterpreted(STUB), 100);
  });

  test(`a stub that leads to no canonical address faults at its jump, with a function ${length} ops long`, () => {
    const measured = { ...gpr(81), 3: NOT_CANONICAL };
    const [interpreted, compiled] = bothTiers(stubLoop(length), gpr(101, TARGETS), measured);

    assert.deepEqual(compiled, interpreted);
    assert.equal(interpreted.rip, BigInt(STUB + 1));
  });
}
