import assert from "node:assert/strict";
import { mkdtempDisposable } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { writeEntries } from "../../bench/task-place.ts";
import { taskFiles, timeTasks } from "../../bench/tasks.ts";
import type { Task, TaskTime } from "../../bench/tasks.ts";

/** The tasks done by a server of the host's own, with its steps and its files in a folder. */
async function doHere(...tasks: Task[]): Promise<TaskTime[]> {
  await using folder = await mkdtempDisposable(join(tmpdir(), "typevisor-test-"));
  writeEntries(taskFiles(tasks), folder.path);
  const steps = join(folder.path, "mnt");
  const command = { program: "sh", arguments: [join(steps, "serve"), steps, folder.path] };
  return await timeTasks(command, tasks, () => undefined);
}

test("a task is prepared, done and checked; only doing it is timed", async () => {
  const [time] = await doHere({
    name: "counts",
    prepare: "sleep 0.6; echo 3 >number",
    script: "cat number; echo 4",
    check: "sleep 0.6; cat out number",
    expected: "3 4 3",
  });
  assert.equal(time?.result, "3 4 3");
  assert.ok(time.wallSeconds > 0 && time.wallSeconds < 0.6, String(time.wallSeconds));
});

test("processor time is that of programs that have ended, too", async () => {
  const [time] = await doHere({
    name: "busy",
    script: "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done'",
  });
  assert.ok(time !== undefined && time.processorSeconds > 0.01, JSON.stringify(time));
});

test("a task whose commands fail stops the bench", async () => {
  await assert.rejects(doHere({ name: "fails", script: "exit 3" }), /fails: "exit 3" ended with status 3/);
  await assert.rejects(
    doHere({ name: "fails", prepare: "false", script: ":" }),
    /"false" ended with status 1/,
  );
  await assert.rejects(doHere({ name: "fails", script: ":", check: "false" }), /"false" ended with status 1/);
});

test("a task with another result than expected stops the bench", async () => {
  await assert.rejects(doHere({ name: "sum", script: "echo 5", expected: "4" }), /sum: "5" instead of "4"/);
});
