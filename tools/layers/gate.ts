/**
 * The layer gate: cruises every source with dependency-cruiser and refuses an import the table does not allow.
 *
 * A gate that looked at nothing passes, so this one also fails when a source file on disk was not cruised, when the
 * whole tree has no imports to judge, and when the deliberately bad fixture is not rejected import by import.
 */
import { globSync } from "node:fs";
import { builtinModules } from "node:module";
import { resolve } from "node:path";
import { cruise, type ICruiseResult } from "dependency-cruiser";
import { layerOf, ruleSet } from "./table.ts";
import "./using-declarations.ts";

const fixtureDir = "tools/fixtures/layers";
const roots = ["src", "test", "bench", "tools", "examples"];

/** Under both names: dependency-cruiser looks for some that Node knows only with "node:" in front without it. */
const nodeModules = builtinModules
  .map((name) => name.replace(/^node:/, ""))
  .flatMap((name) => [name, `node:${name}`]);

/** What the gate must say about the fixture: one line per deliberate mistake, and nothing about the rest. */
const expectedOfFixture = [
  "assemblyscript: src/engine/core/interpreter.ts -> ./gone",
  "unresolvable: src/engine/core/interpreter.ts -> ./gone",
  "assemblyscript: src/engine/core/interpreter.ts -> src/engine/index.ts",
  "assemblyscript: src/engine/index.ts -> src/engine/core/interpreter.ts",
  "development dependency: src/apps/main.ts -> fast-check",
  "door: src/apps/main.ts -> src/engine/deep.ts",
  "door: src/devices/uart.ts -> src/hw/deep.ts",
  "door: src/memory/index.ts -> src/base/testing.ts",
  "layer base: src/base/index.ts -> src/hw/index.ts",
  "layer devices: src/devices/uart.ts -> src/machine/index.ts",
  "layer hw: src/hw/index.ts -> src/apps/main.ts",
  "door: src/hw/using.ts -> src/devices/uart.ts",
  "layer hw: src/hw/using.ts -> src/devices/uart.ts",
  "layer hw: src/hw/using.ts -> src/machine/index.ts",
  "door: src/hw/index.ts -> src/apps/main.ts",
  "layout imports nothing: src/engine/layout.ts -> src/engine/deep.ts",
  "node in the core: src/hw/deep.ts -> fs",
  "package in the core: src/engine/deep.ts -> commander",
  "unresolvable: src/machine/index.ts -> ./gone.ts",
].toSorted();

interface Outcome {
  readonly modules: ReadonlySet<string>;
  readonly dependencyCount: number;
  readonly violations: readonly string[];
}

async function cruiseTree(baseDir: string, folders: readonly string[]): Promise<Outcome> {
  const reply = await cruise(
    [...folders],
    {
      baseDir: resolve(baseDir), // from a relative one it finds no packages
      validate: true,
      ruleSet,
      parser: "swc",
      exclude: { path: "^tools/fixtures/" },
      doNotFollow: { path: "node_modules" },
      builtInModules: { override: nodeModules, add: [] },
      skipAnalysisNotInRules: true,
    },
    {
      extensions: [".ts", ".js", ".mjs", ".json"],
      conditionNames: ["typevisor-source", "import", "node"],
      exportsFields: ["exports"],
    },
  );
  if (typeof reply.output === "string")
    throw new Error(`dependency-cruiser answered with text: ${reply.output}`);
  return outcomeOf(reply.output);
}

function outcomeOf(result: ICruiseResult): Outcome {
  const lines = result.summary.violations.map((violation) => {
    const to = violation.to.replace(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)\/.*$/, "$1");
    return `${violation.rule.name}: ${violation.from} -> ${to}`;
  });
  return {
    modules: new Set(result.modules.map((module) => module.source)),
    dependencyCount: result.summary.totalDependenciesCruised ?? 0,
    violations: [...new Set(lines)].toSorted(),
  };
}

function difference(actual: readonly string[], expected: readonly string[]): string[] {
  return [
    ...expected.filter((line) => !actual.includes(line)).map((line) => `not rejected: ${line}`),
    ...actual.filter((line) => !expected.includes(line)).map((line) => `wrongly rejected: ${line}`),
  ];
}

const onDisk = globSync(roots.map((root) => `${root}/**/*.ts`)).filter(
  (path) => !path.startsWith("tools/fixtures/"),
);
const fixture = await cruiseTree(fixtureDir, ["src"]);
const tree = await cruiseTree(
  ".",
  roots.filter((root) => onDisk.some((path) => path.startsWith(`${root}/`))),
);

const problems = [
  ...difference(fixture.violations, expectedOfFixture).map((line) => `fixture: ${line}`),
  ...tree.violations,
  ...onDisk.filter((path) => !tree.modules.has(path)).map((path) => `not cruised: ${path}`),
  ...onDisk
    .filter((path) => path.startsWith("src/") && layerOf(path) === undefined)
    .map((path) => `no layer: ${path}`),
];
if (onDisk.length === 0 || tree.dependencyCount === 0) problems.push("the gate looked at nothing");

for (const problem of problems) console.error(`layers: ${problem}`);
console.log(
  `layers: ${onDisk.length} files, ${tree.dependencyCount} imports, ` +
    `${fixture.violations.length} of ${expectedOfFixture.length} mistakes of the fixture rejected, ` +
    `${problems.length} problems`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
