/** Different operating systems at the same time, each in its own process. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { startVm } from "../../src/apps/embed/index.ts";
import { guestOptions, LIMIT, linuxShell, waitForMark } from "./guests.ts";

test("two Linux guests of different width run at once, and both consoles answer", LIMIT, async (t) => {
  const wide = await guestOptions(t, "linux-amd64");
  const narrow = await guestOptions(t, "linux-i386");
  if (wide === undefined || narrow === undefined) return;
  const shells = await Promise.all([linuxShell(wide, "linux-amd64"), linuxShell(narrow, "linux-i386")]);
  await using first = shells[0];
  await using second = shells[1];
  assert.notEqual(first.vm.pid, second.vm.pid);
  for (let round = 1; round <= 3; round++) {
    const answers = await Promise.all([
      first.answer(`uname -m; echo $((${round} * 7))`),
      second.answer(`uname -m; echo $((${round} * 11))`),
    ]);
    assert.deepEqual(answers, [`x86_64\r\n${round * 7}`, `i686\r\n${round * 11}`]);
  }
});

test("one VM's process is killed while the other lives on", LIMIT, async (t) => {
  const linux = await guestOptions(t, "linux-amd64");
  const mach = await guestOptions(t, "gnumach");
  if (linux === undefined || mach === undefined) return;
  await using doomed = await startVm({ ...mach, profile: "off" });
  const [shell] = await Promise.all([linuxShell(linux, "linux-amd64"), waitForMark(doomed, "gnumach")]);
  await using survivor = shell;
  process.kill(doomed.pid ?? 0, "SIGKILL");
  const ending = await doomed.ended;
  assert.ok(ending.kind === "process-died");
  assert.equal(ending.ending.signal, "SIGKILL");
  assert.equal(await survivor.answer("echo still here"), "still here");
  assert.equal(survivor.vm.state, "running");
});
