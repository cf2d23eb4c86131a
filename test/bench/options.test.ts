import assert from "node:assert/strict";
import { test } from "node:test";

import { CONTESTANTS } from "../../bench/contestant.ts";
import { parseOptions, USAGE } from "../../bench/options.ts";
import { PART_NAMES } from "../../bench/parts/index.ts";

test("without words all parts run with all contestants, five rounds each", () => {
  const options = parseOptions([]);
  assert.ok(typeof options === "object" && "parts" in options);
  assert.equal(options.rounds, 5);
  assert.deepEqual(options.parts, PART_NAMES);
  assert.deepEqual(options.contestants, CONTESTANTS);
  assert.equal(options.only, undefined);
});

test("parts and contestants keep the order of the columns whatever the order of the words", () => {
  const options = parseOptions(["idle", "linux", "--contestants", "qemuTcg,typevisor"]);
  assert.ok(typeof options === "object" && "parts" in options);
  assert.deepEqual(options.parts, ["linux", "idle"]);
  assert.deepEqual(options.contestants, ["typevisor", "qemuTcg"]);
});

test("what is not understood is refused", () => {
  for (const words of [["--rounds", "0"], ["--rounds", "x"], ["--format", "xml"], ["boot"], ["--fast"]]) {
    assert.ok(parseOptions(words) instanceof Error, words.join(" "));
  }
});

test("a name that is nearly right is answered with the right one", () => {
  const part = parseOptions(["linus"]);
  const contestant = parseOptions(["--contestants", "typvisor"]);

  assert.ok(part instanceof Error && contestant instanceof Error);
  assert.equal(part.message, 'There is no part "linus"; did you mean linux?');
  assert.equal(contestant.message, 'There is no contestant "typvisor"; did you mean typevisor?');
});

test("--help names every part and contestant", () => {
  assert.equal(parseOptions(["--help"]), "help");
  for (const name of [...PART_NAMES, ...CONTESTANTS]) assert.ok(USAGE.includes(name), name);
});

test("--only chooses among the workloads of the parts and leaves out parts that have none of them", () => {
  const options = parseOptions(["--only", "fib,sieve"]);
  assert.ok(typeof options === "object" && "parts" in options);
  assert.deepEqual(options.parts, ["kernels", "kernels32"]);
  assert.deepEqual(options.only, ["fib", "sieve"]);

  const unknown = parseOptions(["kernels", "--only", "fibb"]);
  assert.ok(unknown instanceof Error);
  assert.equal(unknown.message, 'There is no workload "fibb"; did you mean fib?');
});
