/** A thread of the CPU fuzz: runs its share of the programs, and reduces what it finds. */
import { parentPort } from "node:worker_threads";
import { hostCpu } from "../../conformance/host-cpu.ts";
import { oracleSupport, startNativeOracle } from "../../oracle/index.ts";
import { Campaign, firstOfEachProgram } from "./campaign.ts";
import { engineTiers } from "./judge.ts";
import { Reducer } from "./reduce.ts";
import { describeReduced, reducedAsData } from "./report.ts";
import { SequenceGenerator } from "./sequences.ts";
import { orderFromArguments, type ReportedFailure, type WorkerReport } from "./worker-report.ts";

const REPORT_INTERVAL_MS = 500;

const order = orderFromArguments(process.argv.slice(2));
const support = oracleSupport();
if (!support.available) throw new Error(support.reason);
const host = hostCpu(support);
const oracle = startNativeOracle();
const tiers = engineTiers(host);
const campaign = new Campaign(new SequenceGenerator(host, order.seed), oracle, tiers);

function report(isLast: boolean, described: readonly ReportedFailure[] = []): void {
  const { programs, sequences, failureCount } = campaign.progress;
  const rowsRun = [...campaign.rowCounts.values()].map((counts) => Math.min(...counts.values()));
  const message: WorkerReport = { isLast, programs, sequences, failures: failureCount, rowsRun, described };
  parentPort?.postMessage(message);
}

let stopped = false;
parentPort?.on("message", () => {
  stopped = true;
});
const deadline = performance.now() + order.seconds * 1000;
let reportAt = performance.now() + REPORT_INTERVAL_MS;
let index = order.job;
await campaign.run(() => {
  const now = performance.now();
  if (now >= reportAt) {
    report(false);
    reportAt = now + REPORT_INTERVAL_MS;
  }
  if (stopped || now > deadline || index >= order.programs) return undefined;
  const number = order.first + index;
  index += order.jobs;
  return number;
});

const reducer = new Reducer(host, oracle, tiers);
const described: ReportedFailure[] = [];
for (const failure of firstOfEachProgram(campaign.failures).slice(0, order.failuresReduced)) {
  const reduced = await reducer.reduce(failure);
  described.push({
    text: describeReduced(failure, reduced, order.seed),
    data: JSON.stringify(reducedAsData(reduced, order.seed)),
  });
}
report(true, described);
await oracle.close();
parentPort?.close();
