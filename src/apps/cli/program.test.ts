import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

function typevisor(...args: string[]): { stdout: string; stderr: string; status: number | null } {
  const main = new URL("main.ts", import.meta.url).pathname;
  return spawnSync(process.execPath, [main, ...args], { encoding: "utf8" });
}

test("an option that both guests and guests fetch have belongs to the command it stands behind", () => {
  const { stdout, stderr, status } = typevisor("guests", "fetch", "linux-amd46", "--format", "json");
  assert.equal(stdout, "[]\n");
  assert.match(stderr, /did you mean linux-amd64/);
  assert.equal(status, 1);
});

test("--help names every command", () => {
  const { stdout, status } = typevisor("--help");
  for (const command of ["run", "guests", "demo"]) assert.match(stdout, new RegExp(`^  ${command}\\b`, "m"));
  assert.equal(status, 0);
});
