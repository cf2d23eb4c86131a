import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempDisposable, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { buildStaticProgram } from "../../bench/static-program.ts";
import { missing } from "../../bench/tools.ts";

const options = { skip: missing("gcc") ?? false };

const run = (program: string, ...words: string[]): string =>
  execFileSync(program, words, { encoding: "latin1" });

test("each kind of OS work is done as often as it is asked for", options, () => {
  const program = buildStaticProgram("os-work.c");
  assert.equal(run(program, "syscalls", "1000"), "1000 system calls\n");
  assert.equal(run(program, "faults", "9000"), "9000 page faults\n");
  assert.equal(run(program, "pingpong", "300"), "300 round trips\n");
  assert.equal(run(program, "spawn", "103"), "103 processes, sum of statuses 4953\n");
  // The order of reads is a permutation, so each of eight rounds sums 0 to 255.
  assert.equal(run(program, "touch", "1"), `256 pages, sum ${(8 * 255 * 256) / 2}\n`);
});

test("the text has the length that is asked for, and is the same each time", options, () => {
  const program = buildStaticProgram("os-work.c");
  const text = run(program, "data", "100000");
  assert.equal(text.length, 100_000);
  assert.match(text, /^[a-z \n]+$/);
  assert.equal(run(program, "data", "70000"), text.slice(0, 70_000));
});

test("what is not known is refused", options, () => {
  assert.throws(() => run(buildStaticProgram("os-work.c"), "nothing"), { status: 2 });
});

test("more functions make another program, and passes are counted in calls", options, () => {
  const few = buildStaticProgram("many-functions.c", "-DFUNCTIONS=16");
  const more = buildStaticProgram("many-functions.c", "-DFUNCTIONS=64");
  assert.notEqual(few, more);
  assert.match(run(few, "4"), /^64 calls, [0-9a-f]{16}\n$/);
  assert.match(run(more, "4"), /^256 calls, [0-9a-f]{16}\n$/);
});

test("blocks of a disk are written and read at the same places, and nothing else is", options, async () => {
  const program = buildStaticProgram("disk-work.c");
  await using folder = await mkdtempDisposable(join(process.cwd(), "build", "disk-work-"));
  const disk = join(folder.path, "disk");
  await writeFile(disk, new Uint8Array(64 * 4096));
  assert.equal(run(program, "read", "100", disk), `100 blocks, ${"0".repeat(16)}\n`);
  assert.equal(run(program, "write", "100", disk), `100 blocks, ${"0".repeat(16)}\n`);
  assert.notEqual(run(program, "read", "100", disk), `100 blocks, ${"0".repeat(16)}\n`);
  assert.throws(() => run(program, "wipe", "100", disk), { status: 2 });
});
