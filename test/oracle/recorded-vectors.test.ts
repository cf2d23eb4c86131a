import assert from "node:assert/strict";
import { after, test } from "node:test";
import {
  compareOutcomes,
  type CpuExecutor,
  DATA,
  FLAG,
  type InstructionCase,
  NativeExecutor,
  oracleSupport,
  RecordedExecutor,
  recordVectors,
} from "./index.ts";

const support = oracleSupport();
const skip = support.available ? false : support.reason;
const native = new NativeExecutor();
after(() => native[Symbol.asyncDispose]());

const CASES: readonly InstructionCase[] = [
  { name: "ADD", mode: "long64", code: "48 01 c8", initial: { gpr: { rax: -1n, rcx: 1 } } },
  { name: "store", mode: "long64", code: "48 89 08", initial: { gpr: { rax: DATA.gva + 0x10 } } },
  { name: "page fault", mode: "long64", code: "48 89 08", initial: { gpr: { rax: 0x3000_0000 } } },
  { name: "FLD1", mode: "compat32", code: "d9 e8" },
  { name: "ADDSD", mode: "long64", code: "f2 0f 58 c1", initial: { mxcsr: 0x7f80 } },
  { name: "load FS", mode: "long64", code: "8e e0", initial: { gpr: { rax: 0x2b } } },
  { name: "backwards", mode: "long64", code: "eb f0", initial: { flags: FLAG.df } },
  { name: "endless", mode: "long64", code: "eb fe" },
  { name: "system call", mode: "long64", code: "0f 05" },
];

test("recorded vectors answer as the real CPU did", { skip }, async () => {
  const recorded = new RecordedExecutor(await recordVectors(native, "test CPU", CASES));
  const expected = await native.execute(CASES);
  const actual = await recorded.execute(CASES);

  assert.equal(recorded.size, CASES.length);
  assert.equal(recorded.name, "recorded test CPU");
  CASES.forEach((source, index) => {
    const [left, right] = [expected[index], actual[index]];
    assert.ok(left !== undefined && right !== undefined);
    assert.deepEqual(compareOutcomes(source, left, right), [], source.name);
  });
  // Everything that these two cases changed was really recorded.
  assert.deepEqual(actual[1]?.memory, expected[1]?.memory);
  assert.equal(actual[1]?.memory.length, 1);
  assert.deepEqual(actual[2]?.exit, { kind: "exception", vector: 14, errorCode: 6, cr2: 0x3000_0000n });
});

test("a case that differs in any input is not covered", { skip }, async () => {
  const recorded = new RecordedExecutor(await recordVectors(native, "test CPU", CASES));
  const other: InstructionCase = {
    name: "ADD",
    mode: "long64",
    code: "48 01 c8",
    initial: { gpr: { rax: -1n, rcx: 2 } },
  };

  assert.ok(CASES.every((each) => recorded.covers(each)));
  assert.ok(!recorded.covers(other));
  await assert.rejects(recorded.execute([other]), /no recorded vector for ADD/);
});

test("a file does not depend on the order of its cases", { skip }, async () => {
  const forwards = await recordVectors(native, "test CPU", CASES);
  const backwards = await recordVectors(native, "test CPU", CASES.toReversed());

  assert.deepEqual(forwards, backwards);
});

test("a case that is not deterministic is refused", { skip }, async () => {
  const readTimeStampCounter: InstructionCase = { name: "RDTSC", mode: "long64", code: "0f 31" };

  await assert.rejects(
    recordVectors(native, "test CPU", [readTimeStampCounter]),
    /RDTSC came out differently/,
  );
});

test("a file of something else is refused", async () => {
  const nothing: CpuExecutor = { name: "nothing", execute: () => Promise.resolve([]) };
  const file = await recordVectors(nothing, "no CPU", []);

  assert.equal(new RecordedExecutor(file).size, 0);
  assert.throws(() => new RecordedExecutor(Uint8Array.of(1, 2, 3)));
});

test("ten thousand cases fit well into a file for the repository", { skip }, async () => {
  const cases = Array.from({ length: 10_000 }, (_, index) => ({
    name: String(index),
    mode: "long64" as const,
    code: "48 0f af c1", // imul rax, rcx
    initial: { gpr: { rax: index * 0x1_2345, rcx: index ^ 0x55aa } },
  }));
  const file = await recordVectors(native, "test CPU", cases);

  assert.ok(file.length < 300_000, `${String(file.length)} bytes`);
  assert.equal(new RecordedExecutor(file).size, 10_000);
});
