/** The reducer, shown on a tier that is broken on purpose. */
import assert from "node:assert/strict";
import test from "node:test";
import { CF } from "../../../src/engine/ir/flags.ts";
import { hostCpu } from "../../conformance/host-cpu.ts";
import {
  oracleSupport,
  parseCode,
  RESULT,
  type ResolvedCase,
  type ResultRecord,
  SLOT,
  startNativeOracle,
} from "../../oracle/index.ts";
import { Campaign } from "./campaign.ts";
import { engineTiers, type SequenceExecutor } from "./judge.ts";
import { Reducer } from "./reduce.ts";
import { describeReduced } from "./report.ts";
import { SequenceGenerator } from "./sequences.ts";

const SEED = 5;
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
  run(resolved: ResolvedCase, number: number): ResultRecord {
    const record = this.#tier.run(resolved, number);
    const at = record.offset + RESULT.registers + 8 * SLOT.rflags;
    const broken = isBswap(resolved.code) ? CF : 0;
    record.view.setUint32(at, record.view.getUint32(at, true) ^ broken, true);
    return record;
  }
}

const support = oracleSupport();

if (support.available) {
  test("a wrong flag behind one instruction among others is found and reduced to that instruction", async () => {
    await using oracle = startNativeOracle();
    const host = hostCpu(support);
    const tiers = engineTiers(host)
      .slice(0, 1)
      .map((tier) => new BrokenTier(tier));
    const generator = new SequenceGenerator(host, SEED);
    const campaign = new Campaign(generator, oracle, tiers);
    const place = generator.rows.findIndex(({ mnemonic }) => mnemonic === "bswap");
    // Rounds that embed it.
    const numbers = [1, 2, 4, 5].map((round) => round * generator.programsPerRound + place);
    await campaign.run(() => numbers.pop());
    const [failure] = campaign.failures;
    assert.ok(failure !== undefined && campaign.progress.sequences > 0);
    const whole = parseCode(failure.sequence.source.code);
    const reduced = await new Reducer(oracle, tiers).reduce(failure);
    const code = parseCode(reduced.sequence.source.code);
    assert.ok(
      whole.length > 8 && code.length <= 4,
      `${String(whole.length)} bytes became ${String(code.length)}`,
    );
    assert.ok(isBswap(code));
    const text = describeReduced(failure, reduced, SEED);
    assert.match(text, /^ {4}bswap \w+$/m);
    assert.match(text, /^ {2}flags:\n {4}real CPU +none\n {4}broken tier +cf$/m);
    assert.match(text, /again: npm run fuzz -- cpu --seed 5 --case \d+$/m);
    // Nothing of the state mattered.
    assert.match(text, /before: rax=0x0 rcx=0x0 .* flags none$/m);
    assert.ok(!text.includes("xmm"));
  });
} else {
  test("the reducer", { skip: support.reason }, () => undefined);
}
