/** The linter is only as good as its configuration: a file that breaks the rules must be refused, rule by rule. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import test from "node:test";

const badCore = `
import { readFileSync } from "node:fs";
async function later(): Promise<void> {}
export function bad(input: unknown, list: number[]): number {
  const loose: any = input;
  const text = input as string;
  later();
  if (text == "x") console.log(list[0]!);
  process.exit(readFileSync.length);
  return loose.size + new Date().getTime() + performance.now() + Math.random();
}
setTimeout(() => {}, 1);
`;

/** Lints one file as if it stood at the given path of this project; gives the rules it broke. */
function rulesBroken(path: string, source: string): string[] {
  const dir = mkdtempSync(join(tmpdir(), "typevisor-lint-"));
  try {
    for (const name of [".oxlintrc.json", "tsconfig.json", "tsconfig.base.json", "package.json"]) {
      cpSync(name, join(dir, name));
    }
    symlinkSync(resolve("node_modules"), join(dir, "node_modules"), "junction");
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), source);
    const run = spawnSync("oxlint", ["--format", "unix", "src"], { cwd: dir, encoding: "utf8" });
    return [
      ...new Set([...run.stdout.matchAll(/\[Error\/([\w()-]+)\]/g)].map((match) => match[1] ?? "")),
    ].toSorted();
  } finally {
    rmSync(dir, { recursive: true });
  }
}

test("the core may not touch Node, time, entropy, casts, any, or promises it does not await", () => {
  assert.deepEqual(rulesBroken("src/hw/bad.ts", badCore), [
    "eslint(eqeqeq)",
    "eslint(no-console)",
    "eslint(no-restricted-globals)",
    "eslint(no-restricted-imports)",
    "eslint(no-restricted-properties)",
    "typescript(consistent-type-assertions)",
    "typescript(no-explicit-any)",
    "typescript(no-floating-promises)",
    "typescript(no-non-null-assertion)",
    "typescript(no-unsafe-member-access)",
    "typescript(no-unsafe-return)",
    "typescript(no-unsafe-type-assertion)",
  ]);
});

test("a program may touch Node and time, and nothing else of that", () => {
  const broken = rulesBroken("src/apps/bad.ts", badCore);
  assert.ok(broken.includes("typescript(no-floating-promises)"));
  assert.deepEqual(
    broken.filter((rule) => rule.includes("restricted")),
    [],
  );
});
