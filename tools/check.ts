/**
 * `npm run check`: everything that must hold before a change lands, except the tests. Every step runs even when an
 * earlier one failed, so that one round shows all there is to mend; each says how much it looked at.
 */
import { spawnSync } from "node:child_process";

const steps = ["format:check", "lint", "typecheck", "layers", "checks", "cpu-page"];

const failed: string[] = [];
for (const step of steps) {
  const startMs = performance.now();
  const run = spawnSync("npm", ["run", "--silent", step], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(`-- ${step}: ${run.status === 0 ? "ok" : "FAILED"} in ${seconds} s`);
  if (run.status !== 0) failed.push(step);
}
console.log(
  failed.length === 0
    ? `check: ${steps.length} of ${steps.length} steps passed`
    : `check: failed: ${failed.join(", ")}`,
);
process.exitCode = failed.length === 0 ? 0 : 1;
