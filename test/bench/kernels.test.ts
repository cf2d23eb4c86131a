/** The kernels as programs of the host: that all of them run, and that both forms compute the same, and the truth. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";

import { buildKernels, KERNELS } from "../../bench/kernel-build.ts";
import { runNatively } from "../../bench/kernel-run.ts";
import { missing } from "../../bench/tools.ts";

const skip = missing("gcc") ?? false;
const skip32 = missing("gcc32") ?? skip;

async function checksums(form: "linux64" | "linux32"): Promise<Record<string, string>> {
  const program = buildKernels(form);
  const results: Record<string, string> = {};
  for (const kernel of KERNELS) results[kernel] = (await runNatively(program, kernel)).checksum;
  return results;
}

/** The generator of kernel.h. */
function randomBytes(count: number, seed: number): Uint8Array {
  let x = seed;
  return Uint8Array.from({ length: count }, () => {
    x = (x ^ (x << 13)) >>> 0;
    x = (x ^ (x >>> 17)) >>> 0;
    x = (x ^ (x << 5)) >>> 0;
    return x;
  });
}

test("code of 32 bits computes what code of 64 bits does", { skip: skip32 }, async () => {
  const [wide, narrow] = [await checksums("linux64"), await checksums("linux32")];
  assert.deepEqual(narrow, wide);
  assert.equal(new Set(Object.values(wide)).size, KERNELS.length);
});

test("the SHA-256 of the kernel is that of Node", { skip }, async () => {
  const run = await runNatively(buildKernels("linux64"), "sha256");

  const buffer = randomBytes(65536, 1);
  const hash = createHash("sha256");
  for (let round = 0; round < 500; round++) hash.update(buffer);
  assert.equal(run.checksum, hash.digest("hex").slice(0, 16));
  assert.ok(run.wallSeconds > 0 && run.processorSeconds > 0);
});

test("the sum of the Fibonacci kernel is that of its number", { skip }, async () => {
  const run = await runNatively(buildKernels("linux64"), "fib");
  const fib37 = 24157817n;
  const sum = ((0xcbf29ce484222325n ^ fib37) * 0x100000001b3n) & 0xffffffffffffffffn;
  assert.equal(run.checksum, sum.toString(16).padStart(16, "0"));
});
