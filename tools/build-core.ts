/**
 * Builds the engine's AssemblyScript core into build/ when its sources have changed since the last build.
 *
 * The work is done by src/engine/core/build.ts; this decides whether it is needed, so that `npm start` and `npm test`
 * can ask every time. The stamp holds a digest of everything the build may read (the engine's sources and the lock
 * file, which pins the compiler) and the names of what it wrote.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

const buildScript = "src/engine/core/build.ts";
const stampFile = "build/core.stamp";

function digestOfInputs(): { digest: string; count: number } {
  const inputs = globSync(["src/engine/**/*.ts", "src/cpu/*.ts", "package-lock.json", "tools/build-core.ts"])
    .filter((path) => !path.endsWith(".test.ts"))
    .toSorted();
  const hash = createHash("sha256");
  for (const path of inputs) {
    const bytes = readFileSync(path);
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return { digest: hash.digest("hex"), count: inputs.length };
}

function stamp(digest: string, outputs: readonly string[]): string {
  return [digest, ...outputs].join("\n") + "\n";
}

function isUpToDate(digest: string): boolean {
  if (!existsSync(stampFile)) return false;
  const [stamped, ...outputs] = readFileSync(stampFile, "utf8").trimEnd().split("\n");
  return stamped === digest && outputs.length > 0 && outputs.every((path) => existsSync(path));
}

function build(): number {
  const { digest, count } = digestOfInputs();
  if (isUpToDate(digest)) return 0;
  mkdirSync("build", { recursive: true });
  rmSync(stampFile, { force: true });
  const run = spawnSync(process.execPath, [buildScript], { stdio: "inherit" });
  if (run.status !== 0) {
    console.error(`build:core: ${buildScript} failed`);
    return 1;
  }
  const outputs = globSync("build/**/*.wasm").toSorted();
  if (outputs.length === 0) {
    console.error(`build:core: ${buildScript} ended well but left no .wasm file in build/`);
    return 1;
  }
  writeFileSync(stampFile, stamp(digest, outputs));
  console.log(`build:core: ${outputs.join(", ")} from ${count} inputs`);
  return 0;
}

if (existsSync(buildScript)) {
  process.exitCode = build();
} else {
  console.log(`build:core: nothing to build, there is no ${buildScript} yet`);
}
