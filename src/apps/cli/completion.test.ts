import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";

import { spawnScriptedVm, testFolder } from "../testing.ts";
import { completionScript, SHELLS } from "./completion.ts";
import { buildProgram } from "./program.ts";

const program = buildProgram({ spawn: spawnScriptedVm }, () => undefined);
const script = (shell: (typeof SHELLS)[number]): string =>
  completionScript(program, shell, {
    NAME: ["linux-amd64", "gnumach"],
    SHELL: SHELLS,
    "--cpu": ["v1", "v2"],
  });

/** What bash offers for a line that ends where the cursor is. */
function offered(line: string, env: NodeJS.ProcessEnv = process.env): string[] {
  const words = line.split(" ");
  const ask =
    `${script("bash")}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); ` +
    `COMP_CWORD=${words.length - 1}; _typevisor; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const run = spawnSync("bash", ["-c", ask], { encoding: "utf8", env });
  assert.equal(run.stderr, "");
  return run.stdout.split("\n").filter((word) => word !== "");
}

test("bash completes commands, options and their values", () => {
  assert.deepEqual(offered("typevisor ru"), ["run"]);
  assert.deepEqual(offered("typevisor run --ke"), ["--kernel"]);
  assert.deepEqual(offered("typevisor run --tier "), ["auto", "interpreter"]);
  assert.deepEqual(offered("typevisor run --profile "), ["auto", "off"]);
  assert.deepEqual(offered("typevisor demo --profile "), ["auto", "off"]);
  assert.deepEqual(offered("typevisor run --cpu v"), ["v1", "v2"]);
  assert.deepEqual(offered("typevisor run --device "), [
    "isa-debug-exit",
    "isa-debugcon",
    "virtio-rng",
    "virtio-console",
    "virtio-balloon",
    "i6300esb",
    "isa-parallel",
  ]);
  assert.deepEqual(offered("typevisor run --kernel package.jso"), ["package.json"]);
  assert.deepEqual(offered("typevisor guests fe"), ["fetch"]);
  assert.deepEqual(offered("typevisor guests fetch gnu"), ["gnumach"]);
  assert.deepEqual(offered("typevisor demo lin"), ["linux-amd64"]);
  assert.deepEqual(offered("typevisor completion f"), ["fish"]);
  assert.deepEqual(offered("typevisor press vm pow"), ["power"]);
  assert.deepEqual(offered("typevisor screenshot --format "), ["png", "text"]);
});

test("names of running VMs are offered where one is wanted, and nowhere else", async () => {
  using folder = testFolder();
  const sockets = join(folder.path, "typevisor", "vms");
  mkdirSync(sockets, { recursive: true });
  const servers = ["vm", "worker"].map((name) => createServer().listen(join(sockets, `${name}.sock`)));
  await Promise.all(servers.map((server) => once(server, "listening")));
  writeFileSync(join(sockets, "other"), "");
  for (const env of [{ XDG_RUNTIME_DIR: folder.path }, { XDG_STATE_HOME: folder.path }]) {
    const asked = { ...process.env, XDG_RUNTIME_DIR: "", ...env };
    assert.deepEqual(offered("typevisor stop ", asked), ["--help", "vm", "worker"]);
    assert.deepEqual(offered("typevisor keys w", asked), ["worker"]);
    assert.deepEqual(offered("typevisor media eject w", asked), ["worker"]);
    assert.deepEqual(offered("typevisor completion w", asked), []);
  }
  for (const server of servers) server.close();
  assert.match(script("fish"), /__fish_seen_subcommand_from stop' -a '\(__typevisor_vms\)'/);
});

test("fish and zsh get a script that names every command", () => {
  for (const name of ["run", "guests", "demo", "completion"]) {
    assert.match(script("fish"), new RegExp(`^complete -c typevisor .* -a ${name} -d `, "m"));
    assert.match(script("zsh"), new RegExp(`'${name}'\\)`));
  }
  assert.match(script("zsh"), /^#compdef typevisor\n/);
  assert.match(script("fish"), /-l tier -x -a 'auto interpreter'/);
});
