/** Each text check refuses what it is for and accepts what is right. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { textChecks } from "./text-checks.ts";

function problems(name: string, path: string, text: string): string[] {
  const check = textChecks.find((candidate) => candidate.name === name);
  assert.ok(check !== undefined && check.appliesTo(path));
  return check.problemsOf({ path, text });
}

test("paths of one machine are refused, paths inside a guest are not", () => {
  const name = "no paths of one machine";
  assert.equal(problems(name, "a.md", `first\nsee ${join("/home", "someone")}\n`).length, 1);
  assert.equal(problems(name, "a.md", `"${process.cwd()}/x"`).length, 1);
  assert.deepEqual(problems(name, "a.md", "mount /proc and /dev/kvm, then docs/work/notes"), []);
});

test("package hosts are refused, example hosts and other sites are not", () => {
  const name = "no package hosts";
  assert.equal(problems(name, "a.md", ["https://", "registry.", "somewhere.org/x"].join("")).length, 1);
  assert.equal(problems(name, "a.md", ["http://", "deb.", "somewhere.org"].join("")).length, 1);
  assert.deepEqual(problems(name, "a.md", "http://mirror.example and https://www.apache.org/licenses/"), []);
});

test("a shipped source opens with a comment", () => {
  const name = "a source opens with what it is";
  assert.equal(problems(name, "src/hw/a.ts", "export const a = 1;").length, 1);
  assert.deepEqual(problems(name, "src/hw/a.ts", "/** What it is. */\nexport const a = 1;"), []);
  assert.deepEqual(problems(name, "src/hw/a.ts", "/**\n * What it is.\n */\n"), []);
  assert.deepEqual(problems(name, "src/engine/core/a.ts", "// What it is.\n\nexport const a: u32 = 1;"), []);
  assert.deepEqual(problems(name, "src/apps/a.ts", "#!/usr/bin/env node\n/** What it is. */\n"), []);
});

test("bare markers of unfinished work and tests set aside are refused with their line", () => {
  const marker = ["TO", "DO"].join("");
  assert.deepEqual(problems("no unfinished work without its consequence", "a.ts", `\n\n// ${marker} x`), [
    `:3: ${marker}: write the limitation and its consequence`,
  ]);
  const aside = ["test", "only"].join(".");
  assert.deepEqual(problems("no test set aside", "a.test.ts", `${aside}("x")`), [
    `:1: ${aside} sets tests aside`,
  ]);
});

test("a link to a missing file is refused", () => {
  const name = "links in the documents lead somewhere";
  assert.deepEqual(
    problems(name, "README.md", "[a](package.json) [b](https://www.apache.org) [c](#here)"),
    [],
  );
  assert.deepEqual(problems(name, "README.md", "x\n[a](gone.md)"), [":2: gone.md does not exist"]);
});

test("a dependency without a reason is refused", () => {
  const name = "each dependency has its reason";
  const text = readFileSync("docs/dependencies.md", "utf8");
  assert.deepEqual(problems(name, "docs/dependencies.md", text), []);
  assert.deepEqual(problems(name, "docs/dependencies.md", text.replaceAll("commander", "another")), [
    ":1: commander of package.json has no row",
  ]);
});

test("a number without a check is refused", () => {
  const name = "each number names its check";
  const head = "| what | number | check |\n|---|---|---|\n";
  assert.deepEqual(
    problems(name, "SPECIFICATION.md", `${head}| a | 1 | \`npm test\` |\n| b | 2 | nothing checks it yet |`),
    [],
  );
  assert.equal(problems(name, "SPECIFICATION.md", `${head}| a | 1 | surely |`).length, 1);
  assert.equal(problems(name, "SPECIFICATION.md", "no table").length, 1);
});
