/**
 * The conformance tool: runs many cases of chosen rows and prints what comes out differently from the real CPU.
 *
 *     npm run conformance -- --record
 *     npm run conformance -- --cases 200 --seed 7 --group sse --row '^F2 0F' --tier interpreter --shown 3
 */
import { NativeExecutor, oracleSupport } from "../oracle/index.ts";
import { rowName } from "./case-generator.ts";
import { type RowReport, runConformance } from "./conformance.ts";
import { EngineExecutor, tierNames } from "./engine-executor.ts";
import { groupNames, rowGroups } from "./groups.ts";
import { hostCpu } from "./host-cpu.ts";
import { record } from "./recording.ts";
import { toolOptions } from "../tool-options.ts";

const USAGE = `npm run conformance -- [options]

Cases of chosen rows of the x86 table on the real processor and in both tiers; what differs is printed.

  --group NAME   rows of this group
  --row REGEX    rows whose name it matches
  --cases N      cases of each row (24)
  --case REGEX   of them, those whose text it matches
  --seed S       which cases (1)
  --tier TIER    only in this tier
  --shown N      differing cases to show of each row (2)
  --exits        also how the cases ended
  --record       writes what the processor gives to the file for hosts that are not x86-64
`;

const given = toolOptions(USAGE, {
  cases: { type: "string", default: "24" },
  seed: { type: "string", default: "1" },
  group: { type: "string" },
  row: { type: "string", default: "." },
  case: { type: "string", default: "." },
  tier: { type: "string" },
  shown: { type: "string", default: "2" },
  exits: { type: "boolean", default: false },
  record: { type: "boolean", default: false },
});

const print = (text: string): void => void process.stdout.write(`${text}\n`);

function printRow(report: RowReport, shown: number): void {
  for (const [tier, failures] of report.failures) {
    if (failures.length === 0) continue;
    print(`\n== ${report.name}: ${String(failures.length)} of ${String(report.caseCount)} in ${tier}`);
    for (const text of failures.slice(0, shown)) print(text);
  }
  if (given.exits)
    print(`${report.name}: ${[...report.exits].map(([exit, n]) => `${exit} ${String(n)}`).join(", ")}`);
}

const support = oracleSupport();
if (!support.available) {
  print(`the real CPU cannot be asked: ${support.reason}`);
  process.exit(1);
}
const host = hostCpu(support);
const pattern = new RegExp(given.row);
const wantedCase = new RegExp(given.case);
await using cpu = new NativeExecutor();
if (given.record) {
  const { caseCount, sizeBytes } = await record(cpu, support.cpuName, host);
  print(`recorded ${String(caseCount)} cases in ${String(sizeBytes)} bytes`);
  process.exit(0);
}
const tiers = tierNames
  .filter((name) => given.tier === undefined || name === given.tier)
  .map((name) => new EngineExecutor(name, host.features));
let failed = 0;
for (const group of groupNames) {
  if (given.group !== undefined && given.group !== group) continue;
  const rows = rowGroups[group].filter((row) => pattern.test(rowName(row)));
  const started = performance.now();
  const reports = await runConformance(rows, host, cpu, tiers, {
    casesPerRow: Number(given.cases),
    seed: Number(given.seed),
    only: ({ name }) => wantedCase.test(name),
  });
  for (const report of reports) printRow(report, Number(given.shown));
  const bad = reports.filter(({ failures }) => [...failures.values()].some((texts) => texts.length > 0));
  const excluded = reports.filter(({ exclusion }) => exclusion !== undefined);
  const cases = reports.reduce((sum, { caseCount }) => sum + caseCount, 0);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(
    `${group}: ${String(rows.length)} rows, ${String(excluded.length)} without cases, ${String(cases)} cases, ${String(bad.length)} rows differ, ${seconds} s`,
  );
  failed += bad.length;
}
for (const tier of tiers)
  print(`${tier.name}: ${String(tier.caseCount)} cases, ${String(tier.casesInRegions)} in compiled regions`);
const hasLooked = tiers.length > 0 && tiers.every(({ caseCount }) => caseCount > 0);
if (!hasLooked)
  print("no case was run: --group, --row, --case and --tier leave none (names of rows are lower case)");
process.exitCode = failed === 0 && hasLooked ? 0 : 1;
