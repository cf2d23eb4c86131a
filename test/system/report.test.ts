import assert from "node:assert/strict";
import { test } from "node:test";

import { indexOfChecks, withIndex } from "./index-of-checks.ts";
import { problemsOf, readReport } from "./report.ts";

test("a report has checks with their topics, the plan, and everything else as remarks", () => {
  const report = readReport(
    "# topic: one\nok first\r\nnot ok second: vector expected 0xd, got 0xe\n# topic: two\nskip third: no\n# note\n1..3\n",
  );
  assert.deepEqual(report, {
    checks: [
      { topic: "one", state: "ok", name: "first", detail: "" },
      { topic: "one", state: "not ok", name: "second", detail: "vector expected 0xd, got 0xe" },
      { topic: "two", state: "skip", name: "third", detail: "no" },
    ],
    planned: 3,
    remarks: ["# note"],
  });
});

test("a report without a plan, without checks, with too few of them or with two of a name is wrong", () => {
  assert.deepEqual(problemsOf(readReport("ok a\n")), ["the guest did not come to its end"]);
  assert.deepEqual(problemsOf(readReport("1..0\n")), ["the guest checks nothing"]);
  assert.deepEqual(problemsOf(readReport("ok a\n1..2\n")), ["2 checks were planned, 1 came"]);
  assert.deepEqual(problemsOf(readReport("ok a\nok a\n1..2\n")), ['two checks are called "a"']);
  assert.deepEqual(problemsOf(readReport("ok a\n1..1\n")), []);
});

test("the index names each check once under its claim", () => {
  const check = { guest: "g", topic: "null selectors", state: "ok", name: "a name", detail: "" } as const;
  const index = indexOfChecks([check, check]);
  assert.equal(index.split("- g: a name").length, 2);
  assert.match(index, /### null selectors\n\n- g: a name\n/);
  const page = withIndex("before\n<!-- index: begin -->\nold\n<!-- index: end -->\nbehind\n", "new");
  assert.equal(page, "before\n<!-- index: begin -->\n\nnew\n\n<!-- index: end -->\nbehind\n");
});
