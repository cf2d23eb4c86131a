import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as L from "../layout.ts";
import { GIVING_UP_COUNTED } from "../runtime/region-record.ts";
import {
  CODE,
  DATA,
  END,
  HOLE,
  MMIO,
  READ_ONLY,
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
const RBX = 24;
const RSP = 32;
const RSI = 48;
const RDI = 56;
const ROUNDS = 3n;
const ABOVE_4_GIB = 2 ** 32;

const machine = new TierMachine(new WebAssembly.Module(readFileSync("build/core.wasm")));

/** A loop around these ops, with RBX for their base. */
const loopAround = (ops: readonly TestOp[]): TestBlock[] => [
  {
    rip: CODE,
    ops: [...ops, { op: "subi64", d: RCX, imm: 1 }, { op: "j5", to: CODE, else: END }],
  },
];

/** The state after the program in the interpreter, and in a region. */
function bothTiers(
  blocks: readonly TestBlock[],
  rbx: number,
  { rounds = ROUNDS, emptiesTlb = false, rsp = STACK } = {},
): [TierState, TierState] {
  const gpr = { 1: rounds, 3: BigInt(rbx), 4: BigInt(rsp) };
  machine.load(blocks);
  machine.prepare(CODE, seeded(11), gpr);
  const interpreted = machine.run();
  machine.compile(CODE);
  machine.prepare(CODE, seeded(11), gpr);
  if (emptiesTlb) machine.core.exports.flushTlb();
  return [interpreted, machine.run()];
}

const fields: readonly TestOp[] = [
  { op: "ld64_m64", d: RAX, s: RBX, imm: 8 },
  { op: "add64", d: RDX, s: RAX },
  { op: "ld32_m64", d: RAX, s: RBX, imm: 0 },
  { op: "st64_m64", d: RDX, s: RBX, imm: 24 },
  { op: "addi64", d: RBX, imm: 4 },
  { op: "ldzx8_m64", d: RAX, s: RBX, imm: 13 },
  { op: "st8_m64", d: RAX, s: RBX, imm: -4 },
];
const onlyReads = fields.filter(({ op }) => !op.startsWith("st"));
/** The same with addresses of 32 bits, from a register whose upper half is not 0. */
const narrowFields: readonly TestOp[] = [
  { op: "movi64", d: RDI, imm: 2 },
  { op: "ld32_m32", d: RAX, s: RBX, imm: 9 },
  { op: "add32", d: RDX, s: RAX },
  { op: "st32_m32", d: RDX, s: RBX, imm: 1 },
  { op: "ld32_x32", d: RAX, s: RBX, a: RDI, scale: 2, imm: -7 },
  { op: "addi32", d: RBX, imm: 5 },
  { op: "st16_m32", d: RAX, s: RBX, imm: -8 },
  { op: "ldzx8_m64", d: RDX, s: RBX, imm: 4 },
  { op: "st8_m64", d: RDX, s: RBX, imm: 6 },
];

const PAGE = L.PAGE_SIZE;
const bases = {
  "inside a page": DATA + 0x100,
  "across two pages": DATA + PAGE - 12,
  "that end with a page": DATA + PAGE - 32,
  "of which the last are not present": HOLE - 16,
  "of which the first are not present": HOLE + PAGE - 16,
  "in a page that cannot be written": READ_ONLY + 0x10,
  "that begin in front of such a page": READ_ONLY + PAGE - 12,
  "in a device": MMIO + 0x10,
} as const;

for (const [where, base] of Object.entries(bases)) {
  for (const [what, ops] of Object.entries({ "loads and stores": fields, loads: onlyReads })) {
    test(`${what} ${where}: the same state, or the same fault at the same instruction`, () => {
      const [interpreted, compiled] = bothTiers(loopAround(ops), base);

      assert.deepEqual(compiled, interpreted);
    });
  }
}

for (const [where, base] of Object.entries(bases)) {
  test(`32-bit addresses ${where}: the same state, or the same fault at the same instruction`, () => {
    const [interpreted, compiled] = bothTiers(loopAround(narrowFields), ABOVE_4_GIB + base);

    assert.deepEqual(compiled, interpreted);
  });
}

test("32-bit addresses around the end of their space: the fault of the one below it", () => {
  const loads = narrowFields.filter(({ op }) => !op.startsWith("st"));

  const [interpreted, compiled] = bothTiers(loopAround(loads), ABOVE_4_GIB - 6);

  assert.deepEqual(compiled, interpreted);
  assert.equal(compiled.faultAddress, 0xffff_fffbn);
});

for (const top of [STACK, DATA + PAGE + 16, HOLE + PAGE + 8]) {
  test(`pushes and pops around 0x${top.toString(16)}`, () => {
    const [interpreted, compiled] = bothTiers(
      loopAround([
        { op: "lea_m64", d: 32, s: RBX },
        { op: "push64", s: RAX },
        { op: "push64", s: RDX },
        { op: "push64", s: RCX },
        { op: "ld64_m64", d: RAX, s: 32, imm: 16 },
        { op: "pop64", d: RDX },
        { op: "addi64", d: RDX, imm: 1 },
        { op: "pop64", d: RAX },
        { op: "pop64", d: RDX },
      ]),
      top,
    );

    assert.deepEqual(compiled, interpreted);
  });
}

for (const top of [STACK, DATA + PAGE + 8, HOLE + PAGE + 4, 8]) {
  test(`32-bit pushes and pops around 0x${top.toString(16)}`, () => {
    const [interpreted, compiled] = bothTiers(
      loopAround([
        { op: "lea_m32", d: 32, s: RBX },
        { op: "push32", s: RAX },
        { op: "pushi32", imm: 0x12345678 },
        { op: "push32", s: RCX },
        { op: "ld32_m32", d: RAX, s: 32, imm: 8 },
        { op: "pop32", d: RDX },
        { op: "addi32", d: RDX, imm: 1 },
        { op: "pop32", d: RAX },
        { op: "subi32", d: 32, imm: 4 },
        { op: "pop32", d: RDX },
      ]),
      top,
    );

    assert.deepEqual(compiled, interpreted);
  });
}

for (const op of ["ldzx8_m64", "st8_m64", "ld64_m64", "st64_m64"]) {
  test(`${op}: no empty entry of a TLB fits the last page of the address space`, () => {
    const [interpreted, compiled] = bothTiers(
      loopAround([
        { op: "movi64", d: RBX, imm: -64, immHigh: -1 },
        { op, d: RAX, s: RBX, imm: 0 },
      ]),
      DATA,
    );

    assert.deepEqual(compiled, interpreted);
    assert.equal(compiled.faultAddress, 0xffff_ffff_ffff_ffc0n);
  });
}

/** The same accesses from another base. */
const from = (base: number, ops: readonly TestOp[]): TestOp[] =>
  ops.map((op) => ({ ...op, ...(op.s === RBX ? { s: base } : {}), ...(op.d === RBX ? { d: base } : {}) }));

for (const [where, base] of Object.entries(bases)) {
  for (const [what, ops] of Object.entries({ "loads and stores": fields, loads: onlyReads })) {
    for (const emptiesTlb of [false, true]) {
      const how = emptiesTlb ? "whose pages no TLB has" : "that a TLB may have";
      test(`${what} on a stack ${where}, ${how}: the same state, or the same fault`, () => {
        const options = { emptiesTlb, rsp: base };
        const [interpreted, compiled] = bothTiers(loopAround(from(RSP, ops)), DATA, options);

        assert.deepEqual(compiled, interpreted);
      });
    }
  }
}

/** Rounds of a loop with what is on the stack in two pages; gives how many of its instructions regions have executed. */
function roundsInTwoPages(rounds: number): number {
  machine.prepare(CODE, seeded(3), { 1: BigInt(rounds), 4: BigInt(DATA + PAGE - 16) });
  const before = machine.registers.u64(L.STAT_IN_REGIONS);
  assert.equal(machine.run(100 * rounds).exit, L.EXIT_HALT);
  return Number(machine.registers.u64(L.STAT_IN_REGIONS) - before);
}

test("a check that misses again and again has its region formed again without it", () => {
  const frame: readonly TestOp[] = [
    { op: "ld64_m64", d: RAX, s: RSP, imm: 0 },
    { op: "addi64", d: RAX, imm: 1 },
    { op: "st64_m64", d: RAX, s: RSP, imm: 12 },
  ];
  machine.load(loopAround(frame));
  roundsInTwoPages(1);
  machine.compile(CODE);

  assert.equal(roundsInTwoPages(GIVING_UP_COUNTED - 1), 0);
  assert.equal(machine.regions.installed.count, 1);
  roundsInTwoPages(1);
  assert.equal(machine.regions.installed.count, 0);
  machine.compile(CODE);
  assert.equal(roundsInTwoPages(1000), 5 * 1000);
  assert.equal(machine.regions.installed.count, 1);
});

test("an instruction that has read a device is not begun again for a check that misses", () => {
  const reads: number[] = [];
  machine.onMmioRead = (gpa) => reads.push(gpa);
  const ops: readonly TestOp[] = [
    { op: "ld32_m64", d: L.TEMP, s: RBX, imm: 0 },
    { op: "push64", s: L.TEMP, more: true },
    { op: "push64", s: RAX },
    { op: "pop64", d: RDX },
    { op: "pop64", d: RAX },
  ];
  const gpr = { 1: ROUNDS, 3: BigInt(MMIO), 4: BigInt(DATA + PAGE + 8) };
  machine.load(loopAround(ops));
  machine.prepare(CODE, seeded(5), gpr);
  const interpreted = machine.run();
  machine.compile(CODE);
  machine.prepare(CODE, seeded(5), gpr);
  const readsBefore = reads.splice(0);
  const compiled = machine.run();
  machine.onMmioRead = (gpa) => gpa;

  assert.deepEqual(compiled.memory, interpreted.memory);
  assert.equal(readsBefore.length, Number(ROUNDS));
  assert.equal(reads.length, readsBefore.length);
});

test("a register that holds something else in between is another address", () => {
  const [interpreted, compiled] = bothTiers(
    loopAround([
      { op: "ld64_m64", d: RAX, s: RBX, imm: 8 },
      { op: "movi64", d: RBX, imm: DATA + PAGE },
      { op: "ld64_m64", d: RDX, s: RBX, imm: 16 },
      { op: "st64_m64", d: RAX, s: RBX, imm: 24 },
      { op: "movi64", d: RBX, imm: DATA },
      { op: "st64_m64", d: RDX, s: RBX, imm: 32 },
    ]),
    DATA,
  );

  assert.deepEqual(compiled, interpreted);
  assert.notDeepEqual(compiled.memory[0]?.slice(PAGE + 24, PAGE + 32), new Uint8Array(8));
});

test("a store to the region's own code, checked with others, ends the region before it", () => {
  const ops: readonly TestOp[] = [
    { op: "st64_m64", d: RAX, s: RBX, imm: 0x40 },
    { op: "addi64", d: RAX, imm: 1 },
    { op: "st64_m64", d: RAX, s: RBX, imm: 0 },
  ];

  const [interpreted, compiled] = bothTiers(loopAround(ops), CODE);

  assert.deepEqual(compiled, interpreted);
});

// Rounds of an unrolled loop share checks; with so many the last ones are beyond the first page.
const MANY_ROUNDS = 300n;
const strides = {
  "upwards by 16": [
    { op: "ld128_m32", d: 1, s: RBX, imm: 0 },
    { op: "st128_m32", d: 1, s: RBX, imm: 16 },
    { op: "addi32", d: RBX, imm: 16 },
  ],
  "downwards by 16": [
    { op: "ld128_m64", d: 1, s: RBX, imm: 0 },
    { op: "st128_m64", d: 1, s: RBX, imm: -16 },
    { op: "subi64", d: RBX, imm: 16 },
  ],
  "upwards by 3": [
    { op: "ldzx16_m64", d: RAX, s: RBX, imm: 0 },
    { op: "add64", d: RDX, s: RAX },
    { op: "addi64", d: RBX, imm: 3 },
    { op: "st8_m64", d: RDX, s: RBX, imm: -1 },
  ],
} as const satisfies Record<string, readonly TestOp[]>;

for (const [where, base] of Object.entries(bases)) {
  for (const [direction, ops] of Object.entries(strides)) {
    test(`a loop that goes ${direction} from ${where}: the same state, or the same fault`, () => {
      const [interpreted, compiled] = bothTiers(loopAround(ops), base, { rounds: MANY_ROUNDS });

      assert.deepEqual(compiled, interpreted);
    });
  }
}

for (const [where, base] of Object.entries(bases)) {
  for (const direction of ["cld", "std"]) {
    for (const width of ["m32", "m64"]) {
      test(`MOVS, LODS and STOS behind ${direction}, ${width}, ${where}: the same state, or the same fault`, () => {
        const strings = ["movs8", "lods16", "stos32", "movs64", "lods8", "movs16"];

        const [interpreted, compiled] = bothTiers(
          loopAround([
            { op: direction },
            { op: "lea_m64", d: RSI, s: RBX },
            { op: "lea_m64", d: RDI, s: RBX, imm: 24 },
            ...strings.map((op) => ({ op: `${op}_${width}` })),
          ]),
          base,
        );

        assert.deepEqual(compiled, interpreted);
      });
    }
  }
}
