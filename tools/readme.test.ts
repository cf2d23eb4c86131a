/** What README.md and docs/running.md show is what there is: the example is run, and the options exist. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import test from "node:test";

const readme = readFileSync("README.md", "utf8");
const example = "examples/first-guest.ts";
const TIMEOUT_MS = 180_000;

test("the example of the README boots Linux and gives what the README says", { timeout: TIMEOUT_MS }, (t) => {
  const source = readFileSync(example, "utf8");
  assert.ok(readme.includes(`\`\`\`ts\n${source}\`\`\``), `README.md shows something else than ${example}`);
  const run = spawnSync(process.execPath, ["--conditions=typevisor-source", example], { encoding: "utf8" });
  if (run.stderr.includes("guest-unavailable")) return t.skip("the guest cannot be fetched here");
  assert.equal(run.stderr, "");
  assert.match(run.stdout, /^Linux x86_64\n42\npaused after \d+ instructions\n$/);
  return undefined;
});

test("every option of typevisor run that README.md and docs/running.md name exists", () => {
  const help = spawnSync(process.execPath, ["bin/typevisor.js", "run", "--help"], {
    encoding: "utf8",
  }).stdout;
  const lines = readme.split("\n").filter((line) => line.includes("typevisor run") || /^\s+--/.test(line));
  const running = readFileSync("docs/running.md", "utf8");
  const optionsIn = (text: string): readonly string[] => text.match(/--[a-z]+(?:-[a-z]+)*/g) ?? [];
  assert.ok(optionsIn(lines.join(" ")).length >= 4);
  assert.ok(optionsIn(running).length >= 20);
  for (const option of optionsIn(lines.join(" ") + running)) assert.ok(help.includes(` ${option} `), option);

  const devices = /^## Devices$[^]*?^## /m.exec(running)?.[0].match(/(?<=^\| `)[a-z0-9-]+/gm) ?? [];
  assert.ok(devices.length >= 7);
  for (const device of devices) assert.ok(help.includes(device), device);
});
