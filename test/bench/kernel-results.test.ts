import assert from "node:assert/strict";
import { test } from "node:test";

import { KernelResults } from "../../bench/kernel-results.ts";

const run = (seconds: number, checksum = "0123456789abcdef") => ({
  wallSeconds: seconds,
  processorSeconds: 2 * seconds,
  checksum,
});

test("a checksum that differs from another contestant's is an error that names both", () => {
  const results = new KernelResults();
  results.add("fib", "typevisor", run(1));
  assert.throws(
    () => results.add("fib", "v86", run(1, "fedcba9876543210")),
    /fedc.* in v86 .*0123.* in Typevisor/,
  );
});

test("what is no checksum is an error, even of the first", () => {
  assert.throws(() => new KernelResults().add("fib", "native", run(1, "Killed")), /Killed/);
});

test("a figure has every round of every contestant, by the clock that was asked for", () => {
  const results = new KernelResults();
  for (const seconds of [1, 3, 2]) {
    results.add("fib", "typevisor", run(seconds));
    results.add("fib", "qemuTcg", run(2 * seconds));
  }
  const [wall, below] = results.figures("wall", () => ["cpuKernels"]);
  const [processor] = results.figures("processor", () => []);

  assert.deepEqual(wall?.samples, { typevisor: [1, 3, 2], qemuTcg: [2, 6, 4] });
  assert.deepEqual([wall?.faster, wall?.groups], [{ qemuTcg: 2 }, ["cpuKernels"]]);
  assert.deepEqual([below?.medians, below?.groups], [{ typevisor: 4, qemuTcg: 8 }, []]);
  assert.deepEqual(processor?.medians, { typevisor: 4, qemuTcg: 8 });
});
