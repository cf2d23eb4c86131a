import assert from "node:assert/strict";
import { after, test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";

import { spawnScriptedVm, testFolder } from "../../testing.ts";
import { Dashboard } from "./dashboard.ts";
import { DemoVm } from "./demo-vm.ts";
import type { DemoGuest } from "./demo-vm.ts";
import { runDemo } from "./index.ts";
import { keyInputs } from "./key-strokes.ts";
import { lookFor } from "./look.ts";
import { clockText, wrappedTail } from "./panel.ts";

const folder = testFolder();
after(() => folder[Symbol.dispose]());

function guest(name: string, script: string, mark: DemoGuest["mark"]): DemoGuest {
  return { title: name, mark, definition: { name, kernel: folder.kernel, append: script, memory: "4M" } };
}
const talking = guest("talking", "say:it_is_up| shell", { where: "serial", text: "it is up" });
const drawing = guest("drawing", "screen:Status:_Testing shell", {
  where: "vga-text",
  text: "Status: Testing",
});
const silent = guest("silent", "say:something| shell", { where: "serial", text: "never said" });
const crashing = guest("crashing", "say:ouch crash", { where: "serial", text: "never said" });

async function inLines(t: TestContext, guests: readonly DemoGuest[], timeoutSeconds: number) {
  let stdout = "";
  let stderr = "";
  const write = process.stdout.write.bind(process.stdout);
  t.mock.method(process.stdout, "write", (text: string | Uint8Array) => {
    // The runner of the tests writes bytes; the demo writes text.
    if (typeof text !== "string") return write(text);
    stdout += text;
    return true;
  });
  t.mock.method(process.stderr, "write", (text: string) => {
    stderr += text;
    return true;
  });
  const status = await runDemo({ guests, timeoutSeconds, spawn: spawnScriptedVm });
  t.mock.restoreAll();
  return { status, stdout, stderr };
}

test("without a terminal: a line per event, and 0 once every guest has shown its mark", async (t) => {
  const { status, stdout, stderr } = await inLines(t, [talking, drawing], 20);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: "" });
  assert.match(stdout, /^\[ +\d+\.\d s\] talking: running$/m);
  assert.match(stdout, /^\[ +\d+\.\d s\] talking: shows its mark, "it is up"$/m);
  assert.match(stdout, /^\[ +\d+\.\d s\] drawing: shows its mark, "Status: Testing"$/m);
  assert.match(stdout, /^talking: .* s of guest time, .* instructions, /m);
});

test("without a terminal: 1 and the reason when a guest does not show its mark, or ends", async (t) => {
  const { status, stderr } = await inLines(t, [talking, silent, crashing], 1);
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^typevisor: The VM silent did not say "never said" within 1000 ms; its last words are "something"\.$/m,
  );
  assert.match(
    stderr,
    /^typevisor: The VM crashing ended \(crashed\) before it said "never said"; its last words are "ouch"\.$/m,
  );
});

test("a guest that cannot be created ends the demo before it begins", async (t) => {
  const broken = { ...talking, definition: { ...talking.definition, kernel: `${folder.path}/missing` } };
  const { status, stdout, stderr } = await inLines(t, [drawing, broken], 5);
  assert.deepEqual({ status, stdout }, { status: 1, stdout: "" });
  assert.match(stderr, /^typevisor: The kernel .*missing does not exist\.\n$/);
});

test("the dashboard shows a panel per VM: name, state, figures and the end of its console", async () => {
  const vms = await Promise.all([talking, drawing].map((one) => DemoVm.create(one, spawnScriptedVm)));
  const dashboard = new Dashboard(vms, lookFor({ LANG: "C.UTF-8", NO_COLOR: "1" }));
  await Promise.all(vms.map((vm) => vm.start()));
  await Promise.all(vms.map((vm) => vm.markShown(10_000)));
  await setTimeout(50);
  const frame = dashboard.draw(80, 24);
  const rows = Array.from({ length: 24 }, (_, row) => frame.text(row).trimEnd());
  assert.match(rows[0] ?? "", /^ Typevisor +2 of 2 running/);
  assert.match(rows[1] ?? "", /━ 1 talking ━+ running ✓ ━┓┌─ 2 drawing ─+ running ✓ ─┐$/);
  assert.match(rows[2] ?? "", /cpu +\d+% mem +\d+M +[\d.]+ MIPS up 0:0\d/);
  assert.ok(rows.some((row) => row.includes("┃it is up")));
  assert.ok(rows.some((row) => row.includes("│Status: Testing")));
  assert.match(rows[23] ?? "", /Enter attach {2}p pause {2}r resume {2}R reset {2}s stop {2}q quit/);
  await Promise.all(vms.map((vm) => vm.handle.stop()));
  assert.match(dashboard.draw(80, 24).text(1), /was stopped/);
});

test("a terminal that is too small says what it needs", async () => {
  const dashboard = new Dashboard([], lookFor({}));
  assert.equal(dashboard.draw(30, 5).text(0).trimEnd(), "Too small: 40x10 is needed.");
});

test("the look follows NO_COLOR, TERM and the locale", () => {
  assert.equal(lookFor({ LANG: "C.UTF-8" }).hasColors, true);
  assert.equal(lookFor({ LANG: "C.UTF-8" }).isUnicode, true);
  assert.equal(lookFor({ NO_COLOR: "1" }).hasColors, false);
  assert.equal(lookFor({ TERM: "dumb" }).hasColors, false);
  assert.equal(lookFor({ LANG: "C" }).border.corners[0], "+");
  assert.equal(lookFor({ LC_ALL: "POSIX", LANG: "C.UTF-8" }).isUnicode, false);
});

test("keys of a terminal become keys of a PC", () => {
  assert.deepEqual(keyInputs(new TextEncoder().encode("ab\x1b[A\x1bOPc\x1b")), [
    { kind: "text", text: "ab" },
    { kind: "key", key: "ArrowUp" },
    { kind: "key", key: "F1" },
    { kind: "text", text: "c" },
    { kind: "text", text: "\x1b" },
  ]);
});

test("long lines are broken, and the last that fit are kept", () => {
  assert.deepEqual(wrappedTail(["abcdef", "g"], 4, 5), ["abcd", "ef", "g"]);
  assert.deepEqual(wrappedTail(["abcdef", "g"], 4, 2), ["ef", "g"]);
  assert.deepEqual([clockText(9.9), clockText(75), clockText(3723)], ["0:09", "1:15", "1:02:03"]);
});
