/** Instructions whose ops share a case of the interpreter (ir/ops-sequences.ts): a fault is that of the right one. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { IrBlock } from "../ir/block.ts";
import { opNumber, opRow } from "../ir/ops.ts";
import { sequenceName, sequences } from "../ir/ops-sequences.ts";
import { fuse } from "./fuse.ts";
import { CODE, DATA, TestMachine } from "./testing.ts";

const core = new WebAssembly.Module(readFileSync(new URL("../../../build/core.wasm", import.meta.url)));
const tiers = ["interpreter", "regions"] as const;

const RAX = 0;
const RCX = 1;
const RDX = 2;
const RBX = 3;
const RSP = 4;
const RDI = 7;
/** The page in front of it is there. */
const MISSING = 0x60000;
const VALUE = 0x1234_5678_9abcn;

interface FaultCase {
  readonly name: string;
  readonly code: readonly number[];
  readonly registers: Readonly<Record<number, number>>;
  /** Offset of the instruction that faults, and what registers hold then. */
  readonly at: number;
  readonly after: Readonly<Record<number, bigint>>;
}

const cases: readonly FaultCase[] = [
  {
    name: "the second of two loads",
    code: [0x48, 0x8b, 0x03, 0x48, 0x8b, 0x0a],
    registers: { [RBX]: DATA, [RDX]: MISSING },
    at: 3,
    after: { [RAX]: VALUE, [RCX]: 0n },
  },
  {
    name: "the second of two stores",
    code: [0x48, 0x89, 0x0b, 0x48, 0x89, 0x0a],
    registers: { [RBX]: DATA, [RCX]: 5, [RDX]: MISSING },
    at: 3,
    after: { [RCX]: 5n },
  },
  {
    name: "the second PUSH of four",
    code: [0x50, 0x51, 0x52, 0x53],
    registers: { [RSP]: MISSING + 0x1000 + 8 },
    at: 1,
    after: { [RSP]: BigInt(MISSING + 0x1000) },
  },
  {
    name: "the third POP of four",
    code: [0x58, 0x59, 0x5a, 0x5b],
    registers: { [RDX]: 7, [RSP]: MISSING - 16 },
    at: 2,
    after: { [RCX]: VALUE, [RDX]: 7n, [RSP]: BigInt(MISSING) },
  },
  {
    name: "a RET behind two POPs",
    code: [0x58, 0x59, 0xc3],
    registers: { [RSP]: MISSING - 16 },
    at: 2,
    after: { [RCX]: VALUE, [RSP]: BigInt(MISSING) },
  },
  {
    name: "a CALL behind a MOV",
    code: [0x48, 0x89, 0xdf, 0xe8, 0, 0, 0, 0],
    registers: { [RBX]: 9, [RSP]: MISSING + 8 },
    at: 3,
    after: { [RDI]: 9n, [RSP]: BigInt(MISSING + 8) },
  },
];

for (const tier of tiers) {
  for (const { name, code, registers, at, after } of cases) {
    test(`${tier}: ${name} faults alone`, () => {
      const machine = new TestMachine({ core, tier, mode: "long", cpl: 3, code });
      machine.map(BigInt(MISSING), 0, 0n);
      machine.view.setBigUint64(DATA, VALUE, true);
      machine.view.setBigUint64(MISSING - 8, VALUE, true);
      for (const [n, value] of Object.entries(registers)) machine.setGpr(Number(n), value);
      const { vector, rip, rsp } = machine.runToEvent();
      const { [RSP]: stackPointer = rsp, ...others } = after;
      assert.deepEqual([vector, rip, rsp], [14, BigInt(CODE + at), stackPointer]);
      for (const [n, value] of Object.entries(others)) assert.equal(machine.gpr(Number(n)), value);
    });
  }
}

test("the longest sequence that begins at an op is taken, and leaves the ops behind it alone", () => {
  const block = new IrBlock();
  const POP64 = opNumber("pop64");
  for (let d = 0; d < 5; d++) block.push(d, POP64, 8 * d, 0, 0);
  block.push(5, opNumber("ret"), 8, 0, 8);
  fuse(block);
  const names = Array.from({ length: block.count }, (_, i) => opRow(block.op[i] ?? 0).name);
  assert.deepEqual(names, [
    sequenceName(["pop64", "pop64", "pop64", "pop64"]),
    ...["pop64", "pop64", "pop64"],
    sequenceName(["pop64", "ret"]),
    "ret",
  ]);
  assert.ok(sequences.length > 40);
});
