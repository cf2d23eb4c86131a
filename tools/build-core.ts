/**
 * Builds what is AssemblyScript, the engine's core and the LZ4 decoder, into build/ when its sources have changed since
 * the last build.
 *
 * The work is done by the build.ts beside the sources; this decides whether it is needed, so that `npm start` and
 * `npm test` can ask every time. The stamp holds a digest of everything the build may read (the lock file, which pins the
 * compiler, among it) and the name of what it wrote.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";

interface Part {
  readonly buildScript: string;
  /** Globs of what the script may read, tests aside. */
  readonly sources: readonly string[];
  readonly output: string;
}

const parts: readonly Part[] = [
  {
    buildScript: "src/engine/core/build.ts",
    sources: ["src/engine/**/*.ts", "src/cpu/*.ts"],
    output: "build/core.wasm",
  },
  {
    buildScript: "src/machine/boot/lz4-core/build.ts",
    sources: ["src/machine/boot/lz4-core/*.ts"],
    output: "build/lz4.wasm",
  },
];

function digestOfInputs(sources: readonly string[]): { digest: string; count: number } {
  const inputs = globSync([...sources, "package-lock.json", "tools/build-core.ts"])
    .filter((path) => !path.endsWith(".test.ts"))
    .toSorted();
  const hash = createHash("sha256");
  for (const path of inputs) {
    const bytes = readFileSync(path);
    hash.update(`${path}\0${bytes.length}\0`).update(bytes);
  }
  return { digest: hash.digest("hex"), count: inputs.length };
}

/** Whether the part is now as its sources say. */
function build({ buildScript, sources, output }: Part): boolean {
  const stampFile = output.replace(/\.wasm$/, ".stamp");
  const { digest, count } = digestOfInputs(sources);
  const stamp = `${digest}\n${output}\n`;
  if (existsSync(stampFile) && existsSync(output) && readFileSync(stampFile, "utf8") === stamp) return true;
  mkdirSync("build", { recursive: true });
  rmSync(stampFile, { force: true });
  rmSync(output, { force: true });
  const run = spawnSync(process.execPath, [buildScript], { stdio: "inherit" });
  if (run.status !== 0) {
    console.error(`build:core: ${buildScript} failed`);
    return false;
  }
  if (!existsSync(output)) {
    console.error(`build:core: ${buildScript} ended well but left no ${output}`);
    return false;
  }
  writeFileSync(stampFile, stamp);
  console.log(`build:core: ${output} from ${count} inputs`);
  return true;
}

process.exitCode = parts.map(build).every(Boolean) ? 0 : 1;
