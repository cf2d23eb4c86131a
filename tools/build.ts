/**
 * Builds what is published: dist/ (JavaScript and declarations) beside build/ (what is compiled to WebAssembly). A file in dist/
 * lies as deep as its source in src/, so a path relative to a module, such as the core's, is the same for both.
 */
import { spawnSync } from "node:child_process";
import { globSync, readFileSync, rmSync } from "node:fs";

rmSync("dist", { recursive: true, force: true });
const tsc = spawnSync("tsc", ["-p", "tsconfig.build.json"], { stdio: "inherit" });

const scripts = globSync("dist/**/*.js");
// The compiler rewrites import specifiers, but not the names of programs started as processes or workers.
const staleNames = scripts.flatMap((path) =>
  [...readFileSync(path, "utf8").matchAll(/new URL\(\s*["'`][^"'`]*\.ts["'`]/g)].map(
    (match) => `${path}: ${match[0]}`,
  ),
);
for (const name of staleNames) console.error(`build: names a source that is not published: ${name}`);
console.log(
  `build: ${scripts.length} files in dist/, ${globSync("build/**/*.wasm").length} WebAssembly modules in build/`,
);
process.exitCode = tsc.status === 0 && scripts.length > 0 && staleNames.length === 0 ? 0 : 1;
