import assert from "node:assert/strict";
import { test } from "node:test";

import { readResult } from "../../bench/result-reader.ts";
import { KERNEL_32, resultOf, TWO_KERNELS } from "./testing.ts";

test("a result comes back from its file as it was written", () => {
  const result = resultOf([...TWO_KERNELS, KERNEL_32]);
  assert.deepEqual(readResult(JSON.stringify(result)), result);
});

test("what is derived is worked out anew", () => {
  const result = resultOf(TWO_KERNELS);
  const tampered = {
    ...result,
    groups: [],
    parts: [{ name: "kernels", figures: [{ ...TWO_KERNELS[0], faster: {} }] }],
  };
  const [group] = readResult(JSON.stringify(tampered)).groups;
  assert.equal(group?.faster.qemuTcg, 2);
});

test("a file that is none is refused with the field that is wrong", () => {
  const result = resultOf(TWO_KERNELS);
  assert.throws(() => readResult("[]"), /format is no number/);
  assert.throws(() => readResult(JSON.stringify({ ...result, format: 1 })), /format is not 2/);
  assert.throws(() => readResult(JSON.stringify({ ...result, load: 1 })), /the result\.load is no object/);
  assert.throws(
    () =>
      readResult(
        JSON.stringify({ ...result, parts: [{ name: "kernels", figures: [{ name: "a", unit: "m" }] }] }),
      ),
    /figures\[0\] has no unit/,
  );
});
