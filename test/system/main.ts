/**
 * `npm run test:system`: boots the guests of guests/ and prints every check with its result.
 */

import { readFileSync, writeFileSync } from "node:fs";

import { assembleGuest } from "./assemble.ts";
import { guestPlans } from "./guest-plan.ts";
import { indexOfChecks, withIndex } from "./index-of-checks.ts";
import type { NamedCheck } from "./index-of-checks.ts";
import { qemu, qemuStops, runInQemu } from "./peer-qemu.ts";
import { problemsOf, readReport } from "./report.ts";
import type { CheckResult, GuestReport } from "./report.ts";
import { runGuest, tiers } from "./run-guest.ts";
import { problemOf, remarkOf } from "./verdict.ts";
import { toolOptions } from "../tool-options.ts";

const USAGE = `npm run test:system -- [options]

Multiboot guests of our own, each of which prints what it checked.

  --guest NAME  only this one; may be repeated
  --tier TIER   only in this tier: interpreter or regions
  --cpu MODEL   on another processor, as typevisor run --cpu takes it; checks of what it lacks are left out
  --peer qemu   in QEMU's TCG instead, which shows where it differs
  --index       writes the index of checks into test/system/README.md
`;

const values = toolOptions(USAGE, {
  guest: { type: "string", multiple: true },
  tier: { type: "string" },
  cpu: { type: "string" },
  peer: { type: "string" },
  index: { type: "boolean", default: false },
});

const plans = guestPlans().filter(({ guest }) => values.guest?.includes(guest) ?? true);
const seen: NamedCheck[] = [];
let failures = 0;

const typevisor: Judge = { problemOf, remarkOf, stops: {} };

interface Judge {
  problemOf(guest: string, check: CheckResult): string | undefined;
  remarkOf(guest: string, check: CheckResult): string | undefined;
  /** Guests that are known not to come to their end, with the reason. */
  readonly stops: Readonly<Record<string, string>>;
}

function show(title: string, guest: string, report: GuestReport, judge: Judge): void {
  console.log(title);
  for (const check of report.checks) {
    const wrong = judge.problemOf(guest, check);
    if (wrong !== undefined) failures++;
    const mark = wrong === undefined ? (check.state === "ok" ? "✔" : "-") : "✖";
    const remark = wrong ?? judge.remarkOf(guest, check);
    console.log(`  ${mark} ${check.name}${remark === undefined ? "" : ` (${remark})`}`);
    seen.push({ guest, ...check });
  }
  for (const remark of report.remarks) console.log(`  ${remark}`);
  for (const wrong of problemsOf(report)) {
    const known = judge.stops[guest];
    if (known === undefined) failures++;
    console.log(known === undefined ? `  ✖ ${wrong}` : `  - ${wrong} (${known})`);
  }
}

if (values.peer === "qemu") {
  for (const { title, guest, commandLine } of plans) {
    const report = readReport(await runInQemu(assembleGuest(guest, 1), commandLine));
    show(`${title} (QEMU)`, guest, report, { ...qemu, stops: qemuStops });
  }
} else {
  for (const { title, guest, commandLine, ending } of plans) {
    for (const tier of tiers.filter((name) => (values.tier ?? name) === name)) {
      const run = await runGuest(assembleGuest(guest), commandLine, tier, values.cpu);
      show(`${title} (${tier}, ${run.tookMs.toFixed(0)} ms)`, guest, readReport(run.output), typevisor);
      if (run.ending === ending) continue;
      failures++;
      console.log(`  ✖ ended by ${run.ending} instead of ${ending}`);
      if (run.dump !== undefined) console.log(run.dump);
    }
  }
}

if (values.index) {
  const page = new URL("README.md", import.meta.url);
  writeFileSync(page, withIndex(readFileSync(page, "utf8"), indexOfChecks(seen)));
}
console.log(`${seen.length} checks, ${failures} failures`);
process.exitCode = failures === 0 && seen.length > 0 ? 0 : 1;
