/**
 * System tests: small multiboot guests of our own (guests/), each booted on the PC board in both tiers; every check
 * that a guest prints is a subtest. README.md says how they are written, claims.ts what all of them have to show.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import { assembleGuest, missingTools } from "./assemble.ts";
import { claims } from "./claims.ts";
import { expectedFailures } from "./expected-failures.ts";
import { guestPlans } from "./guest-plan.ts";
import { indexOfChecks, withIndex } from "./index-of-checks.ts";
import type { NamedCheck } from "./index-of-checks.ts";
import { problemsOf, readReport } from "./report.ts";
import { runGuest, tiers } from "./run-guest.ts";
import { problemOf, remarkOf } from "./verdict.ts";

const skip = missingTools() ?? false;
const seen: NamedCheck[] = [];

for (const { title, guest, commandLine, ending } of guestPlans()) {
  for (const tier of tiers) {
    test(`${title} (${tier})`, { skip }, async (t) => {
      const run = await runGuest(assembleGuest(guest), commandLine, tier);
      const report = readReport(run.output);
      assert.deepEqual(problemsOf(report), [], run.output);
      assert.equal(run.ending, ending);
      for (const check of report.checks) {
        seen.push({ guest, ...check });
        await t.test(check.name, (subtest) => {
          subtest.diagnostic(remarkOf(guest, check) ?? "");
          assert.equal(problemOf(guest, check), undefined);
        });
      }
    });
  }
}

test("every claim is shown by a check, and every check is of a claim", { skip }, () => {
  const shown = new Set(seen.filter(({ state }) => state === "ok").map(({ topic }) => topic));
  assert.deepEqual(
    claims.filter((claim) => !shown.has(claim)),
    [],
  );
  assert.deepEqual([...new Set(seen.map(({ topic }) => topic))].toSorted(), claims.toSorted());
});

test("the processor of these tests has what every check asks CPUID for", { skip }, () => {
  assert.deepEqual(
    seen.filter(({ state }) => state === "skip"),
    [],
  );
});

test("every expected failure is a check that exists", { skip }, () => {
  const names = new Set(seen.map(({ guest, name }) => `${guest}: ${name}`));
  assert.deepEqual(
    expectedFailures.filter(({ guest, check }) => !names.has(`${guest}: ${check}`)),
    [],
  );
});

test("README.md has the index of these checks (npm run test:system -- --index writes it)", { skip }, () => {
  const page = readFileSync(new URL("README.md", import.meta.url), "utf8");
  assert.equal(withIndex(page, indexOfChecks(seen)), page);
});
