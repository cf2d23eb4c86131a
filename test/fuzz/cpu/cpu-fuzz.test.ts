/**
 * The short form of the CPU fuzz: a fixed seed and some rounds, so that every row of the x86 table that this host can
 * test has run in both tiers. `npm run fuzz -- cpu` is the long form.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { rowName } from "../../conformance/case-generator.ts";
import { hostCpu } from "../../conformance/host-cpu.ts";
import { instructionRows } from "../../../src/engine/x86/spec.ts";
import { oracleSupport, startNativeOracle } from "../../oracle/index.ts";
import { Campaign, firstOfEachProgram } from "./campaign.ts";
import { engineTiers } from "./judge.ts";
import { Reducer } from "./reduce.ts";
import { describeReduced } from "./report.ts";
import { SequenceGenerator } from "./sequences.ts";

const SEED = 1;
/** Alone, embedded, embedded. */
const ROUNDS = 3;
const STATES_PER_PROGRAM = 16;
/** What the gate asks of each row in each tier. */
const RUNS_PER_ROW = 20;
/** Share of the sequences that compiled regions run: single steps and faults at the first fetch are not compiled. */
const SHARE_IN_REGIONS = 0.95;
const SHOWN = 3;

const support = oracleSupport();

if (support.available) {
  test("random sequences with every row of the table come out of both tiers as on the real CPU", async (t) => {
    await using oracle = startNativeOracle();
    const host = hostCpu(support);
    const tiers = engineTiers(host);
    const campaign = new Campaign(new SequenceGenerator(host, SEED, STATES_PER_PROGRAM), oracle, tiers);
    const { generator } = campaign;
    let next = 0;
    await campaign.run(() => (next < ROUNDS * generator.programsPerRound ? next++ : undefined));

    const reducer = new Reducer(host, oracle, tiers);
    const reports: string[] = [];
    for (const failure of firstOfEachProgram(campaign.failures).slice(0, SHOWN))
      reports.push(describeReduced(failure, await reducer.reduce(failure), SEED));
    const { sequences, sequencesInRegions, failureCount } = campaign.progress;
    assert.equal(failureCount, 0, `\n${reports.join("\n\n")}\n`);

    for (const [row, reason] of generator.exclusions) t.diagnostic(`no cases of ${rowName(row)}: ${reason}`);
    assert.equal(generator.rows.length + generator.exclusions.size, instructionRows.length);
    const seldom = [...campaign.rowCounts].flatMap(([row, counts]) =>
      [...counts].flatMap(([tier, runs]) =>
        runs < RUNS_PER_ROW ? [`${rowName(row)} in ${tier}: ${String(runs)}`] : [],
      ),
    );
    assert.deepEqual(seldom, []);
    assert.ok(
      sequencesInRegions > SHARE_IN_REGIONS * sequences,
      `${String(sequencesInRegions)} of ${String(sequences)} sequences ran in compiled regions`,
    );
    t.diagnostic(`${String(sequences)} sequences around ${String(generator.rows.length)} rows`);
  });
} else {
  test("random sequences on the real CPU", { skip: support.reason }, () => undefined);
}
