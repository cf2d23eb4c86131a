import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";

import { spawnScriptedVm, testFolder } from "../testing.ts";
import { startVmIn } from "./vm.ts";
import type { Vm } from "./vm.ts";

const folder = testFolder();
after(() => folder[Symbol.dispose]());

async function startScript(script: string, options: object = {}): Promise<Vm> {
  return await startVmIn(spawnScriptedVm, { kernel: folder.kernel, append: script, ...options });
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

test("waits for what the guest says, before or after it is asked for, and talks back", async () => {
  await using vm = await startScript("say:ready| shell");
  assert.equal(await vm.waitFor("ready"), "ready");
  assert.equal(await vm.waitFor(/^re.dy/m), "ready");
  await vm.write("hello\n");
  assert.equal(await vm.waitFor(/said \w+/), "said hello");
});

test("a folder that cannot be shared is an error of the start", async () => {
  const share = { folder: "/nowhere", tag: "host" };
  await assert.rejects(startScript("poweroff", { share }), {
    code: "unreadable-file",
    message: "The folder /nowhere cannot be shared: it does not exist.",
  });
  await using vm = await startScript("poweroff", { share: { ...share, folder: folder.path } });
  assert.deepEqual(await vm.ended, { kind: "powered-off" });
});

test("a balloon has no more than the guest's memory, and is one that the VM was given", async () => {
  await using vm = await startScript("shell", { device: ["virtio-balloon"], memory: "64M" });
  vm.setBalloon(64 * 1024 * 1024);
  assert.throws(() => vm.setBalloon(64 * 1024 * 1024 + 1), { code: "bad-option" });
  assert.throws(() => vm.setBalloon(-1), { code: "bad-option" });
  await using without = await startScript("shell");
  assert.throws(() => without.setBalloon(0), { code: "bad-option" });
  await assert.rejects(without.guestMemory(), { code: "bad-option" });
  await vm.stop();
  await assert.rejects(vm.guestMemory(), { code: "ended" });
});

test("the serial stream has everything from the beginning, and ends with the VM", async () => {
  await using vm = await startScript("say:first| shell");
  await vm.waitFor("first");
  const { serial } = vm;
  await vm.write("poweroff\n");
  const chunks = [];
  for await (const chunk of serial) chunks.push(chunk);
  assert.equal(Buffer.concat(chunks).toString(), "first\r\nyou said poweroff\r\n");
  assert.deepEqual(await vm.ended, { kind: "powered-off" });
});

test("a stream that nobody reads holds the guest; reading lets it go on", async () => {
  await using vm = await startScript("flood");
  const reader = vm.serial.getReader();
  await setTimeout(300);
  let total = 0;
  while (total < 2_000_000) {
    const { value } = await reader.read();
    assert.ok(value !== undefined, "the VM goes on");
    total += value.length;
  }
  const { residentBytes } = await vm.statistics();
  assert.ok(residentBytes < 300 * 1024 * 1024, `${residentBytes} bytes`);
});

test("a stream that is cancelled neither holds the guest nor minds its end", async () => {
  await using vm = await startScript("say:up| shell");
  await vm.serial.cancel();
  await vm.write("poweroff\n");
  assert.deepEqual(await vm.ended, { kind: "powered-off" });
});

test("further serial ports and the printer have streams of their own", async () => {
  const ports = { "serial-ports": 2, device: ["isa-parallel"] };
  await using vm = await startScript("second:two print:page say:one shell", ports);
  await vm.waitFor("one");
  const second = vm.serialPort(2);
  const printed = vm.printer;
  await second.write("+echo");
  await vm.write("poweroff\n");
  const textOf = async (stream: ReadableStream<Uint8Array>): Promise<string> => {
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  assert.equal(await textOf(second.output), "two+echo");
  assert.equal(await textOf(printed), "page");
  assert.equal(await textOf(vm.serialPort(1).output), "oneyou said poweroff\r\n");
});

test("a port that the VM does not have is refused", async () => {
  await using vm = await startScript("shell");
  assert.throws(() => vm.serialPort(2), { code: "bad-option", message: "The VM vm has no port COM2." });
  assert.throws(() => vm.printer, { code: "bad-option", message: "The VM vm has no port LPT1." });
});

test("nothing is said while the VM is paused, and guest time stands", async () => {
  await using vm = await startScript("ticks");
  await vm.waitFor("...");
  await vm.pause();
  assert.equal(vm.state, "paused");
  const before = await vm.statistics();
  await setTimeout(300);
  const after = await vm.statistics();
  assert.equal(after.statistics.guestTimeNs, before.statistics.guestTimeNs);
  assert.equal(
    after.statistics.execution.instructionsRetired,
    before.statistics.execution.instructionsRetired,
  );
  await vm.resume();
  await vm.waitFor(/\.{10}/);
});

test("a reset starts the guest anew", async () => {
  await using vm = await startScript("say:up| shell");
  await vm.waitFor("up");
  await vm.reset();
  const { statistics } = await vm.statistics();
  assert.equal(statistics.resets, 1);
  assert.equal(vm.state, "running");
});

test("the text screen can be waited for", async () => {
  await using vm = await startScript("screen:Testing shell");
  assert.equal(await vm.waitForScreen("Testing", { timeoutMs: 5000 }), "Testing");
  assert.match(await vm.screenText(), /^Testing\n/);
  await vm.stop();
  await assert.rejects(vm.screenText(), { name: "VmError", code: "ended" });
});

test("a screenshot is a PNG file, and that of a VM that has ended an error", async () => {
  await using vm = await startScript("say:up| shell");
  await vm.waitFor("up");
  const [first, second] = await Promise.all([vm.screenshot(), vm.screenshot()]);
  assert.deepEqual([...first.subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
  assert.deepEqual(second, first);
  await assert.rejects(vm.screenText(), {
    ...{ name: "VmError", code: "wrong-state" },
    message: /^The screen of the VM \S+ shows no text now: .* screenshot\(\) has its picture\.$/,
  });
  await vm.stop();
  await assert.rejects(vm.screenshot(), { name: "VmError" });
});

test("leaving the scope ends the VM's process", async () => {
  let pid = 0;
  {
    await using vm = await startScript("spin");
    pid = vm.pid ?? 0;
    assert.ok(isAlive(pid));
  }
  for (let i = 0; i < 100 && isAlive(pid); i++) await setTimeout(10);
  assert.ok(!isAlive(pid));
});

test("a VM process that no longer answers is killed by stop()", async () => {
  const vm = await startScript("say:x stuck");
  await vm.waitFor("x");
  assert.deepEqual(await vm.stop(), { kind: "stopped" });
});

test("one VM's process is killed and the other VM lives on", async () => {
  await using first = await startScript("say:up shell", { name: "first" });
  await using second = await startScript("say:up shell", { name: "second" });
  await Promise.all([first.waitFor("up"), second.waitFor("up")]);
  process.kill(first.pid ?? 0, "SIGKILL");
  const ending = await first.ended;
  assert.equal(ending.kind, "process-died");
  await second.write("still there\n");
  await second.waitFor("you said still there");
});

test("errors have a code and a sentence", async () => {
  const failing = (options: object): Promise<unknown> => startVmIn(spawnScriptedVm, options);
  await assert.rejects(failing({}), {
    name: "VmError",
    code: "bad-option",
    message: "The setting kernel is missing, and there is no drive to start a system from.",
  });
  await assert.rejects(failing({ kernel: folder.kernel, colour: "red" }), { code: "bad-option" });
  await assert.rejects(failing({ kernel: folder.path }), { code: "unreadable-file" });
  await assert.rejects(failing({ kernel: import.meta.filename }), { code: "unusable-image" });
  await using vm = await startScript("say:one_thing shell");
  await assert.rejects(vm.waitFor("another", { timeoutMs: 200 }), {
    code: "timeout",
    message: 'The VM vm did not say "another" within 200 ms; its last words are "one thing".',
  });
  await assert.rejects(vm.resume(), { code: "wrong-state" });
  const waiting = vm.waitFor("never");
  await vm.stop();
  await assert.rejects(waiting, { code: "ended" });
  await assert.rejects(vm.write("x"), { code: "ended" });
});

test("the VM's processes end with their parent, however it goes", async () => {
  const parent = fork(new URL("testing.ts", import.meta.url), [folder.kernel], { silent: true });
  const pid = await new Promise<unknown>((resolve) => {
    parent.once("message", resolve);
  });
  assert.ok(typeof pid === "number" && isAlive(pid));
  parent.kill("SIGKILL");
  for (let i = 0; i < 200 && isAlive(pid); i++) await setTimeout(10);
  assert.ok(!isAlive(pid));
});
