import assert from "node:assert/strict";
import { test } from "node:test";

import { parseOptions } from "../../bench/options.ts";

test("without words all parts run, three rounds each", () => {
  const options = parseOptions([]);
  assert.ok(typeof options === "object" && "parts" in options);
  assert.equal(options.rounds, 3);
  assert.deepEqual(options.parts, ["linux", "idle", "workloads", "others"]);
});

test("what is not understood is refused", () => {
  for (const words of [["--rounds", "0"], ["--rounds", "x"], ["--format", "xml"], ["boot"], ["--fast"]]) {
    assert.ok(parseOptions(words) instanceof Error, words.join(" "));
  }
});
