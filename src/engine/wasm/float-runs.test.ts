import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as L from "../layout.ts";
import {
  CODE,
  DATA,
  END,
  HOLE,
  MMIO,
  RAM_SIZE,
  STACK,
  TierMachine,
  type TestBlock,
  type TestOp,
  type TierState,
  seeded,
} from "./testing.ts";

const RBX = 24;
const RSI = 48;
const R15 = 15 * 8;
/** The translator's temporary register. */
const TEMPORARY = L.XMM_COUNT;

const MXCSR_DEFAULT = 0x1f80;
const [IE, DE, ZE, OE, UE, PE] = [1, 2, 4, 8, 16, 32] as const;
const MXCSR_QUICK = MXCSR_DEFAULT | PE;

const paged = new TierMachine(new WebAssembly.Module(readFileSync("build/core.wasm")));
const direct = new TierMachine(new WebAssembly.Module(readFileSync("build/core.wasm")));
direct.enterDirectMode();
const machines = { paged, direct } as const;

const bits64 = (value: number): bigint => new BigUint64Array(new Float64Array([value]).buffer)[0] ?? 0n;
const bits32 = (value: number): bigint => BigInt(new Uint32Array(new Float32Array([value]).buffer)[0] ?? 0);

interface Start {
  readonly machine?: TierMachine;
  /** Both halves of registers, or the first of them; others hold 1.5 and what follows. */
  readonly xmm?: Readonly<Record<number, bigint>>;
  /** Quadwords from DATA on, which RBX names. */
  readonly data?: readonly bigint[];
  /** What RSI names. */
  readonly rsi?: number;
  readonly rounds?: number;
  readonly mxcsr?: number;
}

interface Outcome extends TierState {
  readonly mxcsr: number;
  readonly deviceReads: readonly number[];
}

function runOnce(machine: TierMachine, start: Start): Outcome {
  const { xmm = {}, data = [], rsi = HOLE, rounds = 1, mxcsr = MXCSR_QUICK } = start;
  const { registers, view } = machine;
  machine.prepare(CODE, seeded(7), { 3: BigInt(DATA), 4: BigInt(STACK), 6: BigInt(rsi), 15: BigInt(rounds) });
  for (let n = 0; n < L.XMM_COUNT; n++)
    for (const half of [0, 8]) registers.setU64(L.XMM + L.XMM_STRIDE * n + half, xmm[n] ?? bits64(n + 1.5));
  for (const [i, value] of data.entries()) view.setBigUint64(L.RAM_BASE + DATA + 8 * i, value, true);
  registers.setU32(L.MXCSR, mxcsr);
  const deviceReads: number[] = [];
  machine.onMmioRead = (gpa) => {
    deviceReads.push(gpa);
    return 0x3ff80000;
  };
  const state = machine.run();
  return { ...state, mxcsr: registers.u32(L.MXCSR), deviceReads };
}

/** A loop of R15 rounds. */
const loopOf = (ops: readonly TestOp[]): TestBlock[] => [
  { rip: CODE, ops: [...ops, { op: "subi64", d: R15, imm: 1 }, { op: "j5", to: CODE, else: END }] },
];

/** Compares both tiers and gives what both did. */
function sameInBothTiers(blocks: readonly TestBlock[], start: Start, what: string): Outcome {
  const { machine = paged } = start;
  machine.load(blocks);
  const interpreted = runOnce(machine, start);
  machine.compile(CODE);
  const before = machine.timesInterpreted(CODE);
  const compiled = runOnce(machine, start);
  assert.deepEqual(compiled, interpreted, what);
  assert.equal(machine.timesInterpreted(CODE), before, "the region did not run");
  return interpreted;
}

// ---- Which of its operations spoils a run -------------------------------------------------------------------------------
const [SPOILT, OTHER] = [6, 7] as const;
const HUGE = bits64(1e300);
const TINY = bits64(1e-300);
const DENORMAL = 0x123n;
const INFINITY = bits64(Infinity);
const SIGNALING = 0x7ff0000000000001n;
const MINUS_ZERO = 1n << 63n;
/** An operation of two registers with these values, and the flag that it raises. */
const spoilers = [
  ["a denormal operand", "addsd", DENORMAL, bits64(1), DE],
  ["a packed denormal operand", "mulpd", DENORMAL, bits64(1), DE],
  ["an overflow", "mulsd", HUGE, HUGE, OE],
  ["a packed overflow", "mulpd", HUGE, HUGE, OE],
  ["a tiny result", "mulsd", bits64(3e-160), bits64(7e-160), UE],
  ["a tiny quotient", "divsd", TINY, HUGE, UE],
  ["an infinity less itself", "subsd", INFINITY, INFINITY, IE],
  ["a signaling NaN", "addsd", SIGNALING, bits64(1), IE],
  ["a comparison with a NaN", "comisd", bits64(1), bits64(NaN), IE],
  ["the root of a negative number", "sqrtsd", bits64(1), bits64(-2), IE],
  ["the root of minus zero", "sqrtsd", bits64(1), MINUS_ZERO, 0],
  ["a division by zero", "divsd", bits64(1), 0n, ZE],
  ["a division by minus zero", "divpd", bits64(1), MINUS_ZERO, ZE],
  ["zero by zero", "divsd", 0n, 0n, IE],
  ["a product of zeros", "mulsd", MINUS_ZERO, 0n, 0],
  ["a sum of zeros", "addsd", MINUS_ZERO, 0n, 0],
  ["a difference that is zero", "subsd", bits64(2.5), bits64(2.5), 0],
  ["numbers outside the band", "addsd", HUGE, TINY, 0],
  ["what is too large for a single", "cvtsd2ss", bits64(1), HUGE, OE],
  ["what is tiny as a single", "cvtsd2ss", bits64(1), TINY, UE],
] as const;

const calculation: readonly TestOp[] = [
  { op: "subsd", d: 0, s: 1 },
  { op: "mulsd", d: 0, s: 2 },
  { op: "movdqa", d: 3, s: 0 },
  { op: "addi64", d: 0, imm: 5 },
  { op: "addsd", d: 3, s: 4 },
  { op: "divsd", d: 5, s: 3 },
];

for (const [what, op, d, s, flag] of spoilers)
  test(`${what} is seen wherever in a run it is, and in whichever round`, () => {
    for (const place of [0, 1, 3, calculation.length])
      for (const rounds of [1, 2, 3]) {
        const spoiler = { op, d: SPOILT, s: OTHER };
        const ops = [...calculation.slice(0, place), spoiler, ...calculation.slice(place)];
        const { mxcsr } = sameInBothTiers(
          loopOf(ops),
          { xmm: { [SPOILT]: d, [OTHER]: s }, rounds },
          `${what} at ${place}, ${rounds} rounds`,
        );
        assert.equal(mxcsr & flag, flag);
      }
  });

test("numbers that grow or shrink from round to round raise their flags in the same round", () => {
  for (const [factor, flag] of [
    [1.5 * 2 ** 40, OE],
    [1.5 * 2 ** -40, UE],
  ] as const) {
    const ops = [
      { op: "mulsd", d: 0, s: 1 },
      { op: "mulsd", d: 0, s: 2 },
      { op: "addsd", d: 3, s: 0 },
      { op: "maxsd", d: 4, s: 0 },
    ];
    const xmm = { 0: bits64(1), 1: bits64(factor), 2: bits64(1.25) };
    const flags = Array.from(
      { length: 32 },
      (_, round) => sameInBothTiers(loopOf(ops), { xmm, rounds: round + 1 }, `${round}`).mxcsr & flag,
    );
    assert.deepEqual(new Set(flags), new Set([0, flag]));
  }
});

test("singles that grow from round to round overflow in the same round", () => {
  const ops = [
    { op: "mulss", d: 0, s: 1 },
    { op: "mulps", d: 2, s: 1 },
    { op: "cvtss2sd", d: 3, s: 0 },
    { op: "addsd", d: 4, s: 3 },
    { op: "cvtsd2ss", d: 5, s: 4 },
  ];
  const four = (value: number): bigint => (bits32(value) << 32n) | bits32(value);
  const xmm = { 0: four(1), 1: four(7), 2: four(3), 3: 0n, 4: 0n };
  const flags = Array.from(
    { length: 50 },
    (_, round) => sameInBothTiers(loopOf(ops), { xmm, rounds: round + 1 }, `${round}`).mxcsr & OE,
  );
  assert.deepEqual(new Set(flags), new Set([0, OE]));
});

// ---- Memory -----------------------------------------------------------------------------------------------------------
for (const [mode, machine] of Object.entries(machines)) {
  const form = mode === "paged" ? "m64" : "m32";
  const load = (d: number, s: number, imm = 0): TestOp => ({ op: `ldx64_${form}`, d, s, imm });
  const numbers = [2.5, -3, 0, 1e-3].map((value) => bits64(value));

  test(`${mode}: operands in RAM`, () => {
    const ops = [
      load(TEMPORARY, RBX),
      { op: "addsd", d: 0, s: TEMPORARY },
      load(TEMPORARY, RBX, 8),
      { op: "mulsd", d: 0, s: TEMPORARY },
      { op: "align16", s: RBX },
      { op: `ld128_${form}`, d: 1, s: RBX, imm: 0 },
      { op: "addpd", d: 2, s: 1 },
      load(3, RBX, 16),
      { op: "subsd", d: 3, s: 0 },
    ];
    const { mxcsr } = sameInBothTiers(loopOf(ops), { machine, data: numbers, rounds: 3 }, mode);
    assert.equal(mxcsr, MXCSR_QUICK);
  });

  test(`${mode}: a denormal operand in RAM`, () => {
    const ops = [{ op: "addsd", d: 0, s: 1 }, load(TEMPORARY, RBX, 8), { op: "addsd", d: 0, s: TEMPORARY }];
    const { mxcsr } = sameInBothTiers(loopOf(ops), { machine, data: [1n, 1n], rounds: 2 }, mode);
    assert.equal(mxcsr, MXCSR_QUICK | DE);
  });

  test(`${mode}: a device in the middle of a run is read once`, () => {
    const rsi = mode === "paged" ? MMIO : RAM_SIZE;
    const ops = [
      load(TEMPORARY, RBX),
      { op: "addsd", d: 0, s: TEMPORARY },
      { op: `ldx32_${form}`, d: TEMPORARY, s: RSI, imm: 4 },
      { op: "cvtss2sd", d: 3, s: TEMPORARY },
      { op: "mulsd", d: 0, s: 3 },
      { op: "divsd", d: 1, s: 0 },
    ];
    const { deviceReads } = sameInBothTiers(loopOf(ops), { machine, data: numbers, rsi, rounds: 3 }, mode);
    assert.equal(deviceReads.length, 3);
  });
}

test("a page fault in the middle of a run finds registers and MXCSR as they are there", () => {
  for (const [first, flag] of [
    [bits64(1), 0],
    [DENORMAL, DE],
  ] as const) {
    const ops = [
      { op: "addi64", d: 0, imm: 1 },
      { op: "addsd", d: 0, s: 1 },
      { op: "mulsd", d: 2, s: 0 },
      { op: "addi64", d: 8, imm: 1 },
      { op: "ldx64_m64", d: TEMPORARY, s: RSI },
      { op: "addsd", d: 2, s: TEMPORARY },
      { op: "mulsd", d: 0, s: 2 },
    ];
    const { mxcsr, faultAddress, instructions } = sameInBothTiers(
      loopOf(ops),
      { xmm: { 0: first } },
      "fault",
    );
    assert.equal(faultAddress, BigInt(HOLE));
    assert.equal(instructions, 4n);
    assert.equal(mxcsr, MXCSR_QUICK | flag);
  }
});

test("a fault behind some rounds, for which a pointer moves into a page that is not there", () => {
  const ops = [
    { op: "mulsd", d: 0, s: 1 },
    { op: "ldx64_m64", d: TEMPORARY, s: RSI },
    { op: "addsd", d: 2, s: TEMPORARY },
    { op: "addi64", d: RSI, imm: 8 },
    { op: "addsd", d: 3, s: 2 },
  ];
  const { faultAddress } = sameInBothTiers(loopOf(ops), { rsi: HOLE - 24, rounds: 9 }, "fault");
  assert.equal(faultAddress, BigInt(HOLE));
});

test("an operand that is not aligned is a general protection fault at its instruction", () => {
  const ops = [
    { op: "addsd", d: 0, s: 1 },
    { op: "align16", s: RSI },
    { op: "ld128_m64", d: TEMPORARY, s: RSI },
    { op: "addpd", d: 0, s: TEMPORARY },
  ];
  // There is no IDT: the fault ends in shutdown.
  const { exit, rip, instructions } = sameInBothTiers(loopOf(ops), { rsi: DATA + 8 }, "alignment");
  assert.deepEqual([exit, rip, instructions], [L.EXIT_SHUTDOWN, BigInt(CODE + 1), 1n]);
});

test("an unmasked exception in a run is raised at its instruction", () => {
  const mxcsr = MXCSR_QUICK & ~(OE << 7);
  const ops = [
    { op: "addsd", d: 0, s: 1 },
    { op: "mulsd", d: 2, s: 2 },
    { op: "addsd", d: 3, s: 1 },
  ];
  const { exit, rip } = sameInBothTiers(loopOf(ops), { mxcsr, xmm: { 2: HUGE } }, "unmasked");
  assert.deepEqual([exit, rip], [L.EXIT_SHUTDOWN, BigInt(CODE + 1)]);
});

// ---- Regions without runs -----------------------------------------------------------------------------------------------
/** Of so many numbers in memory some make runs fail. */
const TABLE_SIZE = 256;
/** Whether a region is asked for again, after so many rounds that 1000 runs fail, and how large it and the first are. */
function formedAgain(failingEntries: number): { readonly isAskedFor: boolean; readonly sizes: number[] } {
  const ops = [
    { op: "mov64", d: RSI, s: R15 },
    { op: "andi64", d: RSI, imm: TABLE_SIZE - 1 },
    { op: "ldx64_x64", d: TEMPORARY, s: RBX, a: RSI, scale: 3 },
    { op: "mulsd", d: 0, s: TEMPORARY },
    { op: "minsd", d: 0, s: 1 },
    { op: "maxsd", d: 0, s: 2 },
    ...Array.from({ length: 8 }, () => ({ op: "addi64", d: 0, imm: 1 })),
  ];
  const data = Array.from({ length: TABLE_SIZE }, (_, i) => bits64(i < failingEntries ? 1e90 : 1.25));
  const start = { data, rounds: (1001 * TABLE_SIZE) / failingEntries };
  paged.load(loopOf(ops));
  runOnce(paged, { ...start, rounds: 1 });
  const sizes = [compiledSize()];
  paged.hotBlock = 0;
  runOnce(paged, start);
  runOnce(paged, { ...start, rounds: 1 });
  const isAskedFor = paged.hotBlock === paged.blockAt(CODE);
  if (isAskedFor) sizes.push(compiledSize());
  return { isAskedFor, sizes };
}

function compiledSize(): number {
  const before = paged.regions.compiledBytes;
  paged.compile(CODE);
  return paged.regions.compiledBytes - before;
}

test("a region whose runs fail often is formed again, without runs", () => {
  const { isAskedFor, sizes } = formedAgain(TABLE_SIZE / 2);
  const [first = 0, second = 0] = sizes;
  assert.equal(isAskedFor, true);
  assert.ok(second < 0.95 * first, `${sizes.join(", ")} bytes`);
});

test("a region whose runs fail seldom is kept", () => {
  assert.equal(formedAgain(1).isAskedFor, false);
});

// ---- At random --------------------------------------------------------------------------------------------------------
const binary = ["add", "sub", "mul", "div", "min", "max", "sqrt"];
const arithmetic = [...binary, "mul", "add", "sub"].flatMap((name) => [
  `${name}sd`,
  `${name}sd`,
  `${name}pd`,
]);
const singles = ["addss", "mulss", "divps", "subps", "cvtsd2ss", "cvtss2sd"];
const moves = ["movdqa", "movsd", "movss", "movddup", "punpcklqdq", "movlhps", "pxor", "pand", "movq"];
const COUNTED = "subi64";

function randomOp(random: () => number, form: string, withSingles: boolean): TestOp[] {
  const pick = (items: readonly string[]): string => items[random() % items.length] ?? "";
  const register = (): number => random() % 6;
  const [d, s] = [register(), register()];
  switch (random() % 8) {
    case 0:
      return [{ op: pick(moves), d, s }];
    case 1:
      return [{ op: pick(["ldx64", "ldx64", "ldx32"]) + `_${form}`, d, s: RBX, imm: 8 * (random() % 8) }];
    case 2:
      return [
        { op: `ld128_${form}`, d: TEMPORARY, s: RBX, imm: 8 * (random() % 8) },
        { op: pick(arithmetic), d, s: TEMPORARY },
      ];
    case 3:
      return [
        { op: pick(["addi64", "sub64", "inc32", "mov32", "lea_m64"]), d: 8 * (random() % 3), s: 8, imm: 3 },
      ];
    case 4:
      return [{ op: pick(["cvtsi2sd", "comisd", "ucomisd"]), d, s: 8, imm: 64 }].map((op) =>
        op.op.startsWith("cvt") ? op : { ...op, s },
      );
    case 5:
      return [{ op: pick(withSingles ? singles : arithmetic), d, s }];
    default:
      return [{ op: pick(arithmetic), d, s }];
  }
}

/** Numbers near 1 mostly; one in `oddity` is far from it, zero or special. */
function randomNumber(random: () => number, oddity: number): bigint {
  const special = [0, -0, 5e-324, 1e-310, 1e300, -1e-300, 2 ** -256, 2 ** 256, 2 ** -257, Infinity, NaN];
  if (random() % oddity === 0) return bits64(special[random() % special.length] ?? 0);
  const exponent = [0, 0, 1, -1, 30, -30, 100, -100][random() % 8] ?? 0;
  return bits64((1 + random() / 2 ** 32) * 2 ** exponent * (random() % 2 === 0 ? 1 : -1));
}

for (const [mode, machine] of Object.entries(machines))
  test(`${mode}: random runs, with loads and integers between, leave what single instructions leave`, () => {
    let different = 0;
    let same = 0;
    for (let seed = 1; seed <= 600; seed++) {
      const random = seeded(seed * 77);
      const form = mode === "paged" ? "m64" : "m32";
      const withSingles = random() % 3 === 0;
      const length = 3 + (random() % 14);
      const body = Array.from({ length }, () => randomOp(random, form, withSingles)).flat();
      const branch = ["j2", "j3", "j4", "j5", "j6", "j7"][random() % 6] ?? "j5";
      const blocks: TestBlock[] = [
        { rip: CODE, ops: [...body, { op: branch, to: CODE + 0x100, else: CODE + 0x200 }] },
        { rip: CODE + 0x100, ops: [...body.slice(0, 3), { op: "jmp", to: CODE + 0x200 }] },
        {
          rip: CODE + 0x200,
          ops: [
            { op: COUNTED, d: R15, imm: 1 },
            { op: "j5", to: CODE, else: END },
          ],
        },
      ];
      const oddity = [3, 12, 1000][random() % 3] ?? 3;
      const xmm = Object.fromEntries(
        Array.from({ length: 6 }, (_, n) => [n, randomNumber(random, oddity)] as const),
      );
      const data = Array.from({ length: 12 }, () => randomNumber(random, oddity));
      const start = { machine, xmm, data, rounds: 1 + (random() % 5) };
      const { mxcsr } = sameInBothTiers(blocks, start, `seed ${seed}: ${JSON.stringify(blocks)}`);
      if (mxcsr === MXCSR_QUICK) same++;
      else different++;
    }
    // Both kinds of programs: those that a run may do as a whole, and those that must raise something.
    assert.ok(same > 60 && different > 60, `${same} and ${different}`);
  });
