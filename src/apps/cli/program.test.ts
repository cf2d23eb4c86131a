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

test("help fits 80 columns, but for options that are longer", () => {
  const lines = typevisor("run", "--help").stdout.split("\n");
  assert.ok(lines.includes("  --append <TEXT>     command line of the kernel"));
  assert.ok(lines.includes("  --disk <FILE[,format=raw][,bus=nvme|virtio|ide][,readonly][,temporary]>"));
  const long = lines.filter((line) => line.length > 80 && !/^(?: {2}--|Usage: )/.test(line));
  assert.deepEqual(long, []);
});

test("a pipe that nobody reads ends nothing but the printing", () => {
  const main = new URL("main.ts", import.meta.url).pathname;
  const line = 'set -o pipefail; "$0" "$1" run --help | true';
  const { stderr, status } = spawnSync("bash", ["-c", line, process.execPath, main], { encoding: "utf8" });
  assert.deepEqual({ stderr, status }, { stderr: "", status: 0 });
});

test("run --cpu help lists models and features, and needs no kernel", () => {
  const { stdout, stderr, status } = typevisor("run", "--cpu", "help");
  for (const name of ["v1", "v2", "sse4_2", "bmi1", "rdrand"])
    assert.match(stdout, new RegExp(`^  ${name} `, "m"));
  assert.equal(stderr, "");
  assert.equal(status, 0);
});

test("a processor that cannot be is refused with a sentence that says what to write", () => {
  const refusal = (cpu: string): string => typevisor("run", "--kernel", "vmlinuz", "--cpu", cpu).stderr;
  assert.equal(
    refusal("v2,-pclmulqd"),
    'typevisor: The option --cpu does not know the feature "pclmulqd"; near it is pclmulqdq.\n',
  );
  assert.equal(
    refusal("v1,+sha,-sse2"),
    "typevisor: The option --cpu leaves sse2 off, which sha needs: add +sse2, or -sha.\n",
  );
});
