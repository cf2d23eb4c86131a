/**
 * Type checks the three worlds apart (tsconfig.core, .node and .test) and says how many of our files each looked at.
 *
 * The core is checked without Node's and the DOM's types, so a `process` or `setTimeout` there does not compile.
 * A world without files fails, except the tests of a tree that has none yet would: there is always at least one.
 */
import { spawnSync } from "node:child_process";
import { relative } from "node:path";

let failed = false;
for (const world of ["core", "node", "test"]) {
  const run = spawnSync("tsc", ["-p", `tsconfig.${world}.json`, "--listFiles", "--pretty", "false"], {
    encoding: "utf8",
    maxBuffer: 64 * 1024 * 1024,
  });
  if (run.error !== undefined) throw run.error;
  const lines = run.stdout.split("\n").filter((line) => line !== "");
  const listed = lines.filter((line) => /^(\/|[A-Za-z]:).*\.(ts|js|cts|mts|json)$/.test(line));
  const ours = listed.map((path) => relative(".", path)).filter((path) => !path.includes("node_modules"));
  const messages = lines.filter((line) => !listed.includes(line));
  for (const message of messages) console.error(message);
  const errorCount = messages.filter((line) => /\berror TS\d+:/.test(line)).length;
  if (run.status !== 0 || ours.length === 0) failed = true;
  console.log(`typecheck: ${world}: ${ours.length} files, ${errorCount} errors`);
}
process.exitCode = failed ? 1 : 0;
