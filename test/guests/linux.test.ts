/** What a person does with one Linux guest: its console, pausing, its cost while idle, and its ways to end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { MiB } from "../../src/base/index.ts";
import { guestOptions, linuxShell } from "./guests.ts";
import type { LinuxShell } from "./guests.ts";
import { residentBytesOf } from "./process-memory.ts";

const NAME = "linux-amd64";
const IDLE_SECONDS = 8;
/** SPECIFICATION.md, "Overhead". */
const IDLE_CPU_MAX_SHARE = 0.02;

const uptimeOf = async (shell: LinuxShell): Promise<number> =>
  Number((await shell.answer("cat /proc/uptime")).split(" ")[0]);

test("the shell answers, computes and sleeps", async (t) => {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return;
  await using shell = await linuxShell(options, NAME);
  assert.match(await shell.answer("uname -srm"), /^Linux \S+ x86_64$/);
  assert.equal(await shell.answer("i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; echo $i"), "1000");
  assert.equal(
    await shell.answer("echo the quick brown fox | md5sum"),
    "7d4e01cc6b1bf4f2c4d6aef2dd7f2f59  -",
  );
  const before = await uptimeOf(shell);
  await shell.answer("sleep 1");
  const slept = (await uptimeOf(shell)) - before;
  assert.ok(slept >= 1 && slept < 3, `slept ${slept} s`);
});

test("a pause stops the guest's clock and its output", async (t) => {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return;
  await using shell = await linuxShell(options, NAME);
  const { vm } = shell;
  await vm.write("while sleep 0.1; do echo tick; done &\n");
  await vm.waitFor(/(tick\s+){3}/, { timeoutMs: 20_000 });
  await vm.pause();
  // What was on its way arrives within this.
  await setTimeout(200);
  const reader = vm.serial.getReader();
  await reader.read();
  const first = await vm.statistics();
  const saidMeanwhile = await Promise.race([reader.read(), setTimeout(3000, "nothing")]);
  const second = await vm.statistics();
  assert.equal(saidMeanwhile, "nothing");
  assert.equal(second.statistics.guestTimeNs, first.statistics.guestTimeNs);
  assert.equal(
    second.statistics.execution.instructionsRetired,
    first.statistics.execution.instructionsRetired,
  );
  await vm.resume();
  const { value } = await reader.read();
  assert.match(new TextDecoder().decode(value), /t|i|c|k/);
  reader.releaseLock();
});

test("the guest's own clock does not see a pause", async (t) => {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return;
  await using shell = await linuxShell(options, NAME);
  const before = await uptimeOf(shell);
  await shell.vm.pause();
  await setTimeout(3000);
  await shell.vm.resume();
  const passed = (await uptimeOf(shell)) - before;
  assert.ok(passed < 2.5, `${passed} s passed in the guest while it was paused for 3 s`);
});

test("an idle guest costs less than 2 % of a processor", async (t) => {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return;
  await using shell = await linuxShell(options, NAME);
  // Compilation of what has become hot ends soon after.
  await setTimeout(3000);
  const before = await shell.vm.statistics();
  await setTimeout(IDLE_SECONDS * 1000);
  const after = await shell.vm.statistics();
  const share = (after.cpuTimeNs - before.cpuTimeNs) / (after.atNs - before.atNs);
  t.diagnostic(`${(100 * share).toFixed(2)} % of a processor while idle`);
  assert.ok(share < IDLE_CPU_MAX_SHARE, `${(100 * share).toFixed(2)} %`);
  assert.ok(after.statistics.exits.halt > before.statistics.exits.halt, "its timer interrupts still come");
  const memory = await residentBytesOf(shell.vm.pid);
  if (memory === undefined) return;
  t.diagnostic(
    `${(memory.guestBytes / MiB).toFixed(0)} MiB in the guest's memory, and beside it ` +
      `${(memory.otherPrivateBytes / MiB).toFixed(0)} MiB of the process's own and ` +
      `${(memory.sharedFileBytes / MiB).toFixed(0)} MiB of the Node.js program file`,
  );
  assert.ok(memory.otherPrivateBytes < 120 * MiB, `${memory.otherPrivateBytes / MiB} MiB of overhead`);
});

test("the guest ends its VM by power-off, or by a reset when it triple-faults", async (t) => {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return;
  await using shell = await linuxShell(options, NAME);
  await shell.vm.write("poweroff -f\n");
  assert.deepEqual(await shell.vm.ended, { kind: "powered-off" });

  const faulting = { ...options, append: `${options.append ?? ""} reboot=triple` };
  await using second = await linuxShell(faulting, NAME);
  await second.vm.write("reboot -f\n");
  const ending = await second.vm.ended;
  assert.ok(ending.kind === "crashed");
  assert.equal(ending.dump.lastExit, "shutdown");
  assert.equal(ending.dump.code.length, 32, "the kernel's code is mapped and in the dump");
});

test("the guest resets its VM and boots again", async (t) => {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return;
  await using shell = await linuxShell(options, NAME);
  await shell.vm.write("reboot -f\n");
  await shell.vm.waitFor(/is up[^]*is up/, { timeoutMs: 120_000 });
  assert.equal((await shell.vm.statistics()).statistics.resets, 1);
});
