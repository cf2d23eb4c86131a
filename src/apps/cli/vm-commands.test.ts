import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

import { testFolder } from "../testing.ts";

const command = fileURLToPath(new URL("testing.ts", import.meta.url));
const folder = testFolder();
after(() => folder[Symbol.dispose]());

function start(...args: readonly string[]) {
  const env = { ...process.env, XDG_RUNTIME_DIR: folder.path, XDG_CACHE_HOME: folder.path };
  const child = spawn(process.execPath, [command, ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = once(child, "close").then(([status]: unknown[]) => ({ status, stdout, stderr }));
  return { child, ended };
}

const typevisor = async (...args: readonly string[]) => await start(...args).ended;
const DONE = { status: 0, stdout: "", stderr: "" };

test("a VM is listed, looked at, typed at and stopped by its name", async () => {
  const vm = start("run", "--kernel", folder.kernel, "--append", "say:up| shell", "--name", "worker");
  await Promise.race([once(vm.child.stdout, "data"), vm.ended]);
  const picture = join(folder.path, "picture.png");
  const [second, table, json, shot, unwritable, typed, keys] = await Promise.all([
    typevisor("run", "--kernel", folder.kernel, "--append", "poweroff", "--name", "worker"),
    typevisor("list"),
    typevisor("list", "--format", "json"),
    typevisor("screenshot", "worker", picture),
    typevisor("screenshot", "worker", join(folder.path, "none", "x.png")),
    typevisor("type", "worker", "hello", "world"),
    typevisor("keys", "worker", "ControlLeft+KeyC", "Enter"),
  ]);
  const refusal =
    "typevisor: A VM named worker is running already: choose another --name, or stop that one.\n";
  assert.deepEqual(second, { status: 1, stdout: "", stderr: refusal });
  assert.match(table.stdout, /^NAME +PID +STATE +UPTIME +GUEST\nworker +\d+ +running +\d+ s +kernel\n$/);
  assert.match(json.stdout, /^\[\n {2}\{\n {4}"name": "worker",\n {4}"pid": \d+,\n {4}"guest": "kernel",\n/);
  assert.deepEqual(shot, DONE);
  assert.deepEqual([...readFileSync(picture).subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
  assert.equal(unwritable.status, 1);
  assert.match(unwritable.stderr, /^typevisor: The file .*x\.png cannot be written: ENOENT.*\n$/);
  assert.deepEqual([typed, keys], [DONE, DONE]);

  assert.deepEqual(await typevisor("stop", "worker"), DONE);
  const ended = await vm.ended;
  assert.deepEqual([ended.status, ended.stderr], [0, ""]);
  const gone = await typevisor("stop", "worker");
  assert.deepEqual(gone, {
    status: 1,
    stdout: "",
    stderr: 'typevisor: There is no running VM named "worker"; none is running.\n',
  });
});

test("a text screen is saved as text, or printed; a screen of graphics says that it has none", async () => {
  const run = (name: string, script: string) =>
    start("run", "--kernel", folder.kernel, "--append", `${script} say:up| shell`, "--name", name);
  const vms = [run("text", "screen:Testing"), run("graphics", "")];
  await Promise.all(vms.map((vm) => Promise.race([once(vm.child.stdout, "data"), vm.ended])));
  const path = (name: string) => join(folder.path, name);
  const [printed, dash, saved, asText, asPng, unknown, none] = await Promise.all([
    typevisor("screenshot", "text"),
    typevisor("screenshot", "text", "-"),
    typevisor("screenshot", "text", path("screen.TXT")),
    typevisor("screenshot", "text", path("screen"), "--format", "text"),
    typevisor("screenshot", "text", path("picture"), "--format", "png"),
    typevisor("screenshot", "text", path("screen.jpg")),
    typevisor("screenshot", "graphics"),
  ]);
  assert.match(printed.stdout, /^Testing\n(?:[^\n]*\n)*$/);
  assert.deepEqual([printed.status, printed.stderr], [0, ""]);
  assert.deepEqual(dash, printed);
  assert.deepEqual([saved, asText, asPng], [DONE, DONE, DONE]);
  for (const file of ["screen.TXT", "screen"])
    assert.equal(readFileSync(path(file), "utf8"), printed.stdout, file);
  assert.deepEqual([...readFileSync(path("picture")).subarray(0, 4)], [0x89, 0x50, 0x4e, 0x47]);
  assert.deepEqual([unknown.status, unknown.stdout], [1, ""]);
  assert.match(
    unknown.stderr,
    /^typevisor: The name of the file .*screen\.jpg ends neither in \.png, for a picture, nor in \.txt, for text; --format says/,
  );
  assert.deepEqual([none.status, none.stdout], [1, ""]);
  assert.match(none.stderr, /^typevisor: The screen of the VM graphics shows no text now: .*\.png gets its/);
  await Promise.all(["text", "graphics"].map((name) => typevisor("stop", name)));
  await Promise.all(vms.map(({ ended }) => ended));
});

test("what a keyboard cannot type is said before any VM is asked", async () => {
  const [text, key] = await Promise.all([
    typevisor("type", "none", "é"),
    typevisor("keys", "none", "Return"),
  ]);
  assert.match(text.stderr, /^typevisor: A US keyboard, which the VM has, cannot type "é"\.\n$/);
  assert.match(key.stderr, /^typevisor: There is no key "Return"/);
});
