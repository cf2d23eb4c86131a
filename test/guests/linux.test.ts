/** What a person does with one Linux guest: its console, pausing, its cost while idle, and its ways to end. */

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { MiB } from "../../src/base/index.ts";
import { BOOT_TIMEOUT_MS, guestOptions, LIMIT, linuxShell } from "./guests.ts";
import type { LinuxShell } from "./guests.ts";
import { residentBytesOf } from "./process-memory.ts";

const NAME = "linux-amd64";
const IDLE_SECONDS = 8;
const PAUSE_SECONDS = 3;
/** SPECIFICATION.md, "Overhead". */
const IDLE_CPU_MAX_SHARE = 0.02;
const OVERHEAD_MAX_BYTES = 120 * MiB;

const uptimeOf = async (shell: LinuxShell): Promise<number> =>
  Number(/^\d+\.\d+/m.exec(await shell.answer("cat /proc/uptime"))?.[0]);

test("Linux from its shell to its power-off", LIMIT, async (t) => {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return;
  await using shell = await linuxShell(options, NAME);
  const { vm } = shell;

  await t.test("the shell answers, computes and sleeps", async () => {
    assert.match(await shell.answer("uname -srm"), /^Linux \S+ x86_64$/);
    assert.equal(await shell.answer("i=0; while [ $i -lt 1000 ]; do i=$((i+1)); done; echo $i"), "1000");
    const expected = createHash("sha256").update("the quick brown fox\n").digest("hex");
    assert.equal(await shell.answer("echo the quick brown fox | sha256sum"), `${expected}  -`);
    const before = await uptimeOf(shell);
    await shell.answer("sleep 1");
    const slept = (await uptimeOf(shell)) - before;
    assert.ok(slept >= 1 && slept < 3, `slept ${slept} s`);
  });

  await t.test("a pause stops the guest's code and output, and its clock does not see it", async () => {
    const before = await uptimeOf(shell);
    const startMs = performance.now();
    await vm.write("i=0; while [ $i -lt 30 ]; do sleep 0.1; i=$((i+1)); echo tick $i; done\n");
    await vm.waitFor(/tick \d+/, { timeoutMs: 20_000 });
    await vm.pause();
    // What was on its way arrives within this.
    await setTimeout(200);
    const said: Uint8Array[] = [];
    const output = new WritableStream<Uint8Array>({ write: (chunk) => void said.push(chunk) });
    const stop = new AbortController();
    const copying = vm.serial.pipeTo(output, { signal: stop.signal }).catch(() => undefined);
    // The stream begins with what was said before it was asked for.
    await setTimeout(100);
    const saidBefore = said.length;
    const first = await vm.statistics();
    await setTimeout(PAUSE_SECONDS * 1000);
    const second = await vm.statistics();
    assert.equal(said.length, saidBefore);
    assert.equal(second.statistics.guestTimeNs, first.statistics.guestTimeNs);
    assert.equal(
      second.statistics.execution.instructionsRetired,
      first.statistics.execution.instructionsRetired,
    );
    await vm.resume();
    await vm.waitFor("tick 30", { timeoutMs: 20_000 });
    assert.ok(said.length > saidBefore);
    stop.abort();
    await copying;
    const passed = (await uptimeOf(shell)) - before;
    const wallSeconds = (performance.now() - startMs) / 1000;
    assert.ok(
      passed < wallSeconds - PAUSE_SECONDS + 0.5,
      `${passed} of ${wallSeconds} s passed in the guest`,
    );
  });

  await t.test(
    "an idle guest costs less than 2 % of a processor, and little memory of its own",
    async (t) => {
      // The compilation of what has become hot ends soon after.
      await setTimeout(3000);
      const before = await vm.statistics();
      await setTimeout(IDLE_SECONDS * 1000);
      const after = await vm.statistics();
      const share = (after.cpuTimeNs - before.cpuTimeNs) / (after.atNs - before.atNs);
      t.diagnostic(`${(100 * share).toFixed(2)} % of a processor while idle`);
      assert.ok(share < IDLE_CPU_MAX_SHARE, `${(100 * share).toFixed(2)} %`);
      assert.ok(
        after.statistics.exits.halt > before.statistics.exits.halt,
        "its timer interrupts still come",
      );
      const memory = await residentBytesOf(vm.pid);
      if (memory === undefined) return;
      const { guestBytes, otherPrivateBytes, sharedFileBytes } = memory;
      t.diagnostic(
        `${(guestBytes / MiB).toFixed(0)} MiB in the guest's memory, and beside it ` +
          `${(otherPrivateBytes / MiB).toFixed(0)} MiB of the process's own and ` +
          `${(sharedFileBytes / MiB).toFixed(0)} MiB of program files, which all processes share`,
      );
      assert.ok(otherPrivateBytes < OVERHEAD_MAX_BYTES, `${otherPrivateBytes / MiB} MiB of overhead`);
    },
  );

  await t.test("the guest resets its VM and boots again", async () => {
    await vm.write("reboot -f\n");
    await vm.waitFor(/is up[^]*Linux version[^]*is up/, { timeoutMs: BOOT_TIMEOUT_MS });
    assert.equal((await vm.statistics()).statistics.resets, 1);
  });

  await t.test("the guest powers its VM off", async () => {
    await vm.write("poweroff -f\n");
    assert.deepEqual(await vm.ended, { kind: "powered-off" });
  });
});

test(
  "Linux boots on the x86-64 baseline, and sees the features that were asked for and no others",
  LIMIT,
  async (t) => {
    const options = await guestOptions(t, NAME);
    if (options === undefined) return;
    await using shell = await linuxShell({ ...options, cpu: "v1,+popcnt,+rdrand" }, NAME);
    const flags = new Set((await shell.answer("grep -m1 ^flags /proc/cpuinfo")).split(/\s+/));
    const wanted = ["lm", "nx", "sse2", "fxsr", "cx8", "popcnt", "rdrand"];
    const unwanted = ["pni", "ssse3", "sse4_1", "cx16", "aes", "bmi1", "rdseed", "xsave", "smep", "fsgsbase"];
    assert.deepEqual(
      [wanted.filter((flag) => !flags.has(flag)), unwanted.filter((flag) => flags.has(flag))],
      [[], []],
    );
  },
);

/** A sum of floating-point divisions in awk, which busybox computes with SSE in 64-bit code and with x87 in 32-bit code. */
const awkSum = (factor: string): string =>
  `awk 'BEGIN{for(i=1;i<=40000;i++)s+=(i*${factor})/(i+0.5)-s/(${factor}+i);printf "%.12f\\n",s}'`;

for (const name of ["linux-amd64", "linux-i386"] as const) {
  test(`programs that run at once keep their floating-point state: ${name}`, LIMIT, async (t) => {
    const options = await guestOptions(t, name);
    if (options === undefined) return;
    await using shell = await linuxShell(options, name);
    assert.match(await shell.answer("dmesg | grep x86/fpu"), /Enabled xstate features 0x3,/);
    const factors = ["1.5", "2.25", "3.125"];
    const alone: string[] = [];
    for (const factor of factors) alone.push(await shell.answer(awkSum(factor)));
    assert.equal(new Set(alone).size, factors.length);
    const switches = "grep ^ctxt /proc/stat | cut -d ' ' -f 2";
    const before = Number(await shell.answer(switches));
    const atOnce = factors.map((factor, i) => `${awkSum(factor)} >sum${i} &`).join(" ");
    await shell.answer(`${atOnce} wait`);
    const during = Number(await shell.answer(switches)) - before;
    assert.deepEqual((await shell.answer("cat sum0 sum1 sum2")).split(/\s+/), alone);
    assert.ok(during > 20, `${during} context switches`);
  });
}

test("a triple fault of the guest ends its VM, with its registers and code", LIMIT, async (t) => {
  const options = await guestOptions(t, NAME);
  if (options === undefined) return;
  await using shell = await linuxShell({ ...options, append: `${options.append ?? ""} reboot=triple` }, NAME);
  await shell.vm.write("reboot -f\n");
  const ending = await shell.vm.ended;
  assert.ok(ending.kind === "crashed");
  assert.equal(ending.dump.lastExit, "shutdown");
  assert.equal(ending.dump.code.length, 32, "the kernel's code is mapped, and in the dump");
});
