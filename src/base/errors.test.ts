import assert from "node:assert/strict";
import { test } from "node:test";

import {
  assert as assertOurs,
  AssertionError,
  defined,
  err,
  ok,
  OperatorFault,
  releasable,
  ReleaseStack,
  unwrap,
} from "./index.ts";

test("a failed assertion is of its own kind and says what was believed", () => {
  assert.throws(() => assertOurs(false, "pages are aligned"), { name: "AssertionError", message: /aligned/ });
  assert.throws(() => defined(undefined, "the slot is used"), AssertionError);
  assert.equal(defined(0, "zero is defined"), 0);
});

test("results carry a value, or a code and a sentence that unwrap throws", () => {
  assert.equal(unwrap(ok(42)), 42);
  const failed = err("no-file", "The file x is missing.");
  assert.equal(failed.error.code, "no-file");
  assert.throws(
    () => unwrap(failed),
    (thrown) => thrown instanceof OperatorFault && thrown.code === "no-file" && thrown.message.includes("x"),
  );
});

test("what is owned is released once, last first", () => {
  const log: string[] = [];
  const owner = new ReleaseStack();
  const first = owner.adopt(releasable(() => log.push("first")));
  owner.adopt(releasable(() => log.push("second")));
  owner.release();
  owner.release();
  first.release();
  assert.deepEqual(log, ["second", "first"]);
});
