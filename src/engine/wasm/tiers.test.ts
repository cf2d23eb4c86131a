import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as L from "../layout.ts";
import { accessesMemory, ops, visitExpressions } from "../ir/ops.ts";
import { factsOfOp } from "./op-facts.ts";
import { CODE, END, STACK, TierMachine, type TestBlock, type TestOp, seeded } from "./testing.ts";

/** How an op uses an operand field. */
type Use = "none" | "slot" | "byte" | "xmm";

interface Shape {
  readonly name: string;
  readonly number: number;
  readonly d: Use;
  readonly s: Use;
  readonly a: Use;
  readonly isMemory: boolean;
  readonly isBranch: boolean;
}

function shapeOf(number: number): Shape {
  const uses: Record<"d" | "s" | "a", Use> = { d: "none", s: "none", a: "none" };
  const note = (role: "d" | "s" | "a", use: Use): void => {
    uses[role] = use === "byte" && uses[role] === "slot" ? "slot" : use;
  };
  let isMemory = false;
  const facts = factsOfOp(number);
  for (const statement of facts.body) {
    if (accessesMemory(statement)) isMemory = true;
    if (statement.kind === "setReg") note(statement.role, statement.width === 8 ? "byte" : "slot");
    if (statement.kind === "setXmm") note(statement.role, "xmm");
    visitExpressions(statement, (e) => {
      if (e.kind === "reg") note(e.role, e.width === 8 ? "byte" : "slot");
      if (e.kind === "xmm") note(e.role, "xmm");
    });
  }
  return { name: ops[number]?.name ?? "", number, ...uses, isMemory, isBranch: facts.branch !== undefined };
}

const inlineShapes = ops.flatMap((row, number) => (row.meaning.kind === "inline" ? [shapeOf(number)] : []));
const branchShapes = ops.flatMap((row, number) =>
  row.meaning.kind === "branch" && row.meaning.branch.kind === "conditional" ? [shapeOf(number)] : [],
);

// Every test program counts rounds in R15 and keeps a stack in RSP, so random ops write neither.
const R15 = 15 * 8;
const RSP = 4 * 8;
const RSI = 6 * 8;
const RDI = 7 * 8;
const GPRS = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14].map((n) => 8 * n);
const BYTES = [...GPRS, 1, 9, 17, 25];
const FS_BASE = L.SEG_BASE + 32;
const GS_BASE = L.SEG_BASE + 40;

class Generator {
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  below(n: number): number {
    return this.#random() % n;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.below(items.length)];
    if (item === undefined) throw new Error("nothing to pick from");
    return item;
  }

  operand(use: Use): number {
    if (use === "xmm") return this.below(17);
    if (use === "none") return this.below(128);
    return this.pick(use === "byte" ? BYTES : GPRS);
  }

  /** An op with random operands; memory operands mostly hit, some reach what is not present. */
  op(shape: Shape): TestOp {
    const { name } = shape;
    const d = this.operand(shape.d);
    const imm = /^(shl|shr|sar|shld|shrd|rol|ror)n?i/.test(name) ? 1 + this.below(7) : this.#random() | 0;
    if (!shape.isMemory && !name.startsWith("lea")) {
      return {
        op: name,
        d,
        s: this.operand(shape.s),
        a: this.operand(shape.a),
        scale: this.below(4),
        imm,
        immHigh: this.#random() | 0,
      };
    }
    if (/^(push|pop)/.test(name))
      return { op: name, d, s: this.operand(shape.s), imm, immHigh: this.#random() | 0 };
    const base = this.below(40) === 0 ? GS_BASE : FS_BASE;
    const crossing = this.below(4) === 0 ? 0xffc : 0x40;
    return { op: name, d, s: base, a: L.SLOT_ZERO, scale: this.below(4), imm: crossing + this.below(12) };
  }

  /** Seldom what a program should begin with, often enough what matters: values near 0 and the largest ones. */
  registers(): Record<number, bigint> {
    const gpr: Record<number, bigint> = { 15: 40n, 4: BigInt(STACK) };
    for (let n = 0; n < 15; n++) {
      if (n === 4) continue;
      const wide = (BigInt(this.#random()) << 32n) | BigInt(this.#random());
      gpr[n] = this.pick([
        wide,
        wide,
        wide >> 32n,
        BigInt.asUintN(64, BigInt(this.below(5)) - 2n),
        1n << BigInt(this.below(64)),
      ]);
    }
    return gpr;
  }
}

/** A compare-exchange behind the load whose value it expects. */
function lockedStore(op: TestOp): TestOp[] {
  const [address = 0, expected = 0] = GPRS.slice(-2);
  const load = op.op.replace("cas", "ldw");
  return [
    { op: "lea_m64", d: address, s: op.s ?? 0, imm: op.imm ?? 0 },
    { op: `${load}_m64`, d: expected, s: address, imm: 0 },
    { ...op, s: address, a: expected },
  ];
}

const STRING_OP = /^(movs|stos|lods)\d+_m/;

/** A string instruction behind what gives it its addresses: those of its operands and a little further on. */
function atStrings(op: TestOp): TestOp[] {
  const { s = 0, imm = 0 } = op;
  return [{ op: "lea_m64", d: RSI, s, imm }, { op: "lea_m64", d: RDI, s, imm: imm + 8 }, op];
}

/**
 * Blocks of random ops that branch to each other at random for 40 rounds: head i leaves when R15 is 0, body i counts
 * it down. The stack stays level: PUSH and POP run at a fixed RSP.
 */
function program(
  generator: Generator,
  bodies: readonly (readonly Shape[])[],
  branches: readonly Shape[],
): TestBlock[] {
  const head = (i: number): number => CODE + 0x100 * i;
  const body = (i: number): number => head(i) + 0x10;
  return bodies.flatMap((shapes, i): TestBlock[] => {
    const branch = branches[i % branches.length];
    const decide = branch === undefined ? { op: "j4" } : { ...generator.op(branch), op: branch.name };
    return [
      { rip: head(i), ops: [{ op: "jz64", s: R15, to: END, else: body(i) }] },
      {
        rip: body(i),
        ops: [
          { op: "subni64", d: R15, imm: 1 },
          // The temporary registers hold nothing between instructions, and no instruction writes the state's.
          { op: "movdqa", d: L.XMM_TEMP, s: generator.below(16) },
          ...shapes.flatMap((shape): TestOp[] => {
            const op = generator.op(shape);
            if (shape.name.startsWith("cas")) return lockedStore(op);
            if (STRING_OP.test(shape.name)) return atStrings(op);
            return /^(push|pop)/.test(shape.name) ? [op, { op: "movabs", d: RSP, imm: STACK }] : [op];
          }),
          { ...decide, to: head(generator.below(bodies.length)), else: head((i + 1) % bodies.length) },
        ],
      },
    ];
  });
}

const OPS_PER_BODY = 6;
const BODIES = 4;

/** Both tiers on programs with every op. */
function compareTiers(machine: TierMachine): void {
  const covered = new Set<string>();
  let programs = 0;
  for (const seed of [11, 12, 13, 14, 15, 16, 17, 18]) {
    const generator = new Generator(seed);
    // Each op once per seed, in random order.
    const remaining = inlineShapes
      .map((shape) => ({ shape, key: generator.below(1 << 30) }))
      .toSorted((a, b) => a.key - b.key);
    let nextBranch = 0;
    while (remaining.length > 0) {
      const bodies = Array.from({ length: BODIES }, () =>
        remaining.splice(0, OPS_PER_BODY).map(({ shape }) => shape),
      );
      const branches = Array.from(
        { length: BODIES },
        () => branchShapes[nextBranch++ % branchShapes.length],
      ).filter((shape) => shape !== undefined);
      const blocks = program(generator, bodies, branches);
      const gpr = generator.registers();
      const dataSeed = generator.below(1 << 30);

      machine.load(blocks);
      machine.prepare(CODE, seeded(dataSeed), gpr);
      const interpreted = machine.run();
      machine.compile(CODE);
      const before = machine.timesInterpreted(CODE);
      machine.prepare(CODE, seeded(dataSeed), gpr);
      const compiled = machine.run();

      const text = blocks.map(
        (block) => `${block.rip.toString(16)}: ${block.ops.map((op) => JSON.stringify(op)).join("\n  ")}`,
      );
      assert.deepEqual(compiled, interpreted, text.join("\n"));
      assert.equal(machine.timesInterpreted(CODE), before, "the region did not run");
      for (const shape of [...bodies.flat(), ...branches]) covered.add(shape.name);
      programs++;
    }
  }
  assert.ok(programs > 200);
  assert.equal(covered.size, inlineShapes.length + branchShapes.length);
}

const core = new WebAssembly.Module(readFileSync("build/core.wasm"));

test("every inline op and every conditional branch gives the same state in both tiers", () => {
  compareTiers(new TierMachine(core));
});

test("every inline op and every conditional branch gives the same state in both tiers while paging is off", () => {
  const machine = new TierMachine(core);
  machine.enterDirectMode();
  assert.notEqual(machine.registers.u32(L.MODE) & L.MODE_DIRECT, 0);
  compareTiers(machine);
});
