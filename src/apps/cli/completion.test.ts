import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { spawnScriptedVm } from "../testing.ts";
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
function offered(line: string): string[] {
  const words = line.split(" ");
  const ask =
    `${script("bash")}\nCOMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); ` +
    `COMP_CWORD=${words.length - 1}; _typevisor; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const run = spawnSync("bash", ["-c", ask], { encoding: "utf8" });
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
    "i6300esb",
    "isa-parallel",
  ]);
  assert.deepEqual(offered("typevisor run --kernel package.jso"), ["package.json"]);
  assert.deepEqual(offered("typevisor guests fe"), ["fetch"]);
  assert.deepEqual(offered("typevisor guests fetch gnu"), ["gnumach"]);
  assert.deepEqual(offered("typevisor demo lin"), ["linux-amd64"]);
  assert.deepEqual(offered("typevisor completion f"), ["fish"]);
});

test("fish and zsh get a script that names every command", () => {
  for (const name of ["run", "guests", "demo", "completion"]) {
    assert.match(script("fish"), new RegExp(`^complete -c typevisor .* -a ${name} -d `, "m"));
    assert.match(script("zsh"), new RegExp(`'${name}'\\)`));
  }
  assert.match(script("zsh"), /^#compdef typevisor\n/);
  assert.match(script("fish"), /-l tier -x -a 'auto interpreter'/);
});
