/**
 * Checks of what no other tool looks at, over every file of the project: what must never be published, and what the
 * style guide asks that can be decided by reading the text. Each says how much it looked at, and one that looked at
 * nothing fails.
 */
import { readFileSync } from "node:fs";
import { projectFiles } from "../files.ts";
import { textChecks, type TextFile } from "./text-checks.ts";

/** Larger than any hand-written file here; what is larger is generated or fetched, and so not kept. */
const maxFileBytes = 1024 * 1024;

const problems: string[] = [];
const texts: TextFile[] = [];
for (const path of projectFiles()) {
  const bytes = readFileSync(path);
  if (bytes.length > maxFileBytes)
    problems.push(`${path}: ${bytes.length} bytes; generate or fetch it instead`);
  if (bytes.includes(0)) problems.push(`${path}: is binary`);
  else texts.push({ path, text: bytes.toString("utf8") });
}
console.log(`checks: no binaries: ${texts.length} files`);

for (const check of textChecks) {
  const files = texts.filter((file) => check.appliesTo(file.path));
  const found = files.flatMap((file) => check.problemsOf(file).map((problem) => `${file.path}${problem}`));
  problems.push(...found);
  if (files.length === 0) problems.push(`${check.name}: looked at nothing`);
  console.log(`checks: ${check.name}: ${files.length} files, ${found.length} problems`);
}

for (const problem of problems) console.error(`checks: ${problem}`);
process.exitCode = problems.length === 0 ? 0 : 1;
