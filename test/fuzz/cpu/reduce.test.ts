/** The reducer, shown on a tier that is broken on purpose. */
import assert from "node:assert/strict";
import test from "node:test";
import { AF, CF, STATUS_FLAGS } from "../../../src/engine/ir/flags.ts";
import { hostCpu } from "../../conformance/host-cpu.ts";
import {
  DATA,
  FLAG,
  oracleSupport,
  parseCode,
  RESULT,
  type ResolvedCase,
  type ResultRecord,
  SLOT,
  startNativeOracle,
} from "../../oracle/index.ts";
import { engineTiers, type Failure, type SequenceExecutor } from "./judge.ts";
import { Reducer } from "./reduce.ts";
import { describeReduced } from "./report.ts";
import type { Sequence } from "./sequences.ts";

const SEED = 5;
/** IMUL, which leaves flags open; BSWAP EDX; ADD to memory; CMP; JE over SHL; MOV. */
const sequence: Sequence = {
  number: 1234,
  row: undefined,
  source: {
    name: "case 1234",
    mode: "long64",
    code: "48 0f af c1 0f ca 01 4b 10 39 c8 74 02 d1 e1 89 ce",
    initial: {
      gpr: { rax: 0x1234_5678n, rcx: 0x8000_0000_0000_0001n, rbx: DATA.gva + 0x100, r9: 77n },
      flags: FLAG.zf | FLAG.of,
      xmm: { 0: 5n, 7: 1n << 100n },
      mxcsr: 0x1fa0,
      st: [1n << 63n],
    },
    memory: [{ gva: DATA.gva + 0x110, bytes: Uint8Array.of(1, 2, 3, 4) }],
    undefined: { flags: AF },
  },
  openFlagsIfFaulting: STATUS_FLAGS,
};
/** BSWAP r32 in 64-bit mode without REX: 0F C8+r. */
const isBswap = (code: Uint8Array): boolean =>
  Buffer.from(code)
    .toString("hex")
    .match(/^(..)*0fc[89abcdef]/) !== null;

/** A tier that inverts CF behind code with BSWAP in it. */
class BrokenTier implements SequenceExecutor {
  readonly name = "broken tier";
  readonly #tier: SequenceExecutor;

  constructor(tier: SequenceExecutor) {
    this.#tier = tier;
  }
  get lostReason(): string {
    return this.#tier.lostReason;
  }
  get isInRegions(): boolean {
    return this.#tier.isInRegions;
  }
  isBrokenBy({ code }: ResolvedCase, _number: number): boolean {
    return isBswap(code);
  }
  run(resolved: ResolvedCase, number: number): ResultRecord {
    const record = this.#tier.run(resolved, number);
    const at = record.offset + RESULT.registers + 8 * SLOT.rflags;
    const broken = this.isBrokenBy(resolved, number) ? CF : 0;
    record.view.setUint32(at, record.view.getUint32(at, true) ^ broken, true);
    return record;
  }
}

/** A tier that inverts CF of every sequence behind number 1 until other code is run. */
class ForgetfulTier extends BrokenTier {
  #isBroken = false;

  override isBrokenBy({ code }: ResolvedCase, number: number): boolean {
    const wasBroken = this.#isBroken;
    this.#isBroken = isBswap(code) && (wasBroken || number === 1);
    return wasBroken && isBswap(code);
  }
}

const support = oracleSupport();

if (support.available) {
  test("a wrong flag behind one instruction among others is found and reduced to that instruction", async () => {
    await using oracle = startNativeOracle();
    const tiers = engineTiers(hostCpu(support))
      .slice(0, 1)
      .map((tier) => new BrokenTier(tier));
    const reducer = new Reducer(hostCpu(support), oracle, tiers);
    const tierFailures = await reducer.failuresOf(sequence);
    assert.equal(tierFailures.length, 1);
    const failure: Failure = { sequence, before: [], tiers: tierFailures };
    const reduced = await reducer.reduce(failure);
    assert.equal(reduced.fails, "alone");
    assert.deepEqual([...parseCode(reduced.sequence.source.code)], [0x0f, 0xca]);
    const text = describeReduced(failure, reduced, SEED);
    assert.match(text, /^ {4}bswap edx$/m);
    assert.match(text, /^ {2}flags:\n {4}real CPU +none\n {4}broken tier +cf$/m);
    assert.match(text, /again: npm run fuzz -- cpu --seed 5 --case 1234$/m);
    // Nothing of the state mattered.
    assert.match(text, /before: rax=0x0 rcx=0x0 .* flags none$/m);
    assert.ok(!text.includes("xmm"));
  });

  test("a difference that depends on what ran before is reported with that", async () => {
    await using oracle = startNativeOracle();
    const tiers = engineTiers(hostCpu(support))
      .slice(0, 1)
      .map((tier) => new ForgetfulTier(tier));
    const reducer = new Reducer(hostCpu(support), oracle, tiers);
    const before = [0, 1, 2].map((number) => ({ ...sequence, number }));
    for (const each of before) await reducer.failuresOf(each);
    const failure: Failure = { sequence, before, tiers: await reducer.failuresOf(sequence) };
    assert.equal(failure.tiers.length, 1);
    const reduced = await reducer.reduce(failure);
    assert.deepEqual(reduced.fails, [before[1]]);
    assert.match(describeReduced(failure, reduced, SEED), /it fails only behind sequence 1;/);
  });
} else {
  test("the reducer", { skip: support.reason }, () => undefined);
}
