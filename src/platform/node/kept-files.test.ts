import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { KeptFiles } from "./kept-files.ts";

const LIMITS = { maxCount: 3, maxBytes: 100 };

function folder() {
  const root = mkdtempSync(join(tmpdir(), "typevisor-kept-"));
  const path = join(root, "kept");
  return {
    path,
    kept: new KeptFiles(path, LIMITS),
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  };
}

test("what was written is read, what was written again is replaced, what was removed is gone", async () => {
  using at = folder();
  assert.equal(await at.kept.read("a"), undefined);
  await at.kept.write("a", Uint8Array.of(1, 2));
  await at.kept.write("a", Uint8Array.of(3));
  assert.deepEqual(new Uint8Array((await at.kept.read("a")) ?? []), Uint8Array.of(3));
  assert.deepEqual(readdirSync(at.path), ["a"]);
  await at.kept.remove("a");
  await at.kept.remove("a");
  assert.equal(await at.kept.read("a"), undefined);
});

test("a file that is larger than any of ours, or a folder, is not read", async () => {
  using at = folder();
  await at.kept.write("a", new Uint8Array(LIMITS.maxBytes));
  assert.equal((await at.kept.read("a"))?.length, LIMITS.maxBytes);
  writeFileSync(join(at.path, "a"), new Uint8Array(LIMITS.maxBytes + 1));
  assert.equal(await at.kept.read("a"), undefined);
  assert.equal(await at.kept.read("."), undefined);
});

test("beyond the bound the oldest files go", async () => {
  using at = folder();
  for (const [i, name] of ["a", "b", "c"].entries()) {
    await at.kept.write(name, Uint8Array.of(i));
    utimesSync(join(at.path, name), 1000 + i, 1000 + i);
  }
  await at.kept.write("d", Uint8Array.of(3));
  assert.deepEqual(readdirSync(at.path).sort(), ["b", "c", "d"]);
});

test("two that write the same file at once leave one whole file", async () => {
  using at = folder();
  const writers = Array.from({ length: 8 }, (_, i) => at.kept.write("a", new Uint8Array(50).fill(i)));
  await Promise.all(writers);
  const bytes = (await at.kept.read("a")) ?? new Uint8Array(0);
  assert.equal(bytes.length, 50);
  assert.equal(new Set(bytes).size, 1);
});

test("a folder that cannot be made keeps nothing and harms nobody", async () => {
  using at = folder();
  writeFileSync(at.path, "in the way");
  await at.kept.write("a", Uint8Array.of(1));
  assert.equal(await at.kept.read("a"), undefined);
});
