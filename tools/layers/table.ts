/**
 * Who may import whom: the table of ARCHITECTURE.md as data, and the dependency-cruiser rules made from it.
 *
 * A layer is a folder under src/. It may import itself freely, and the layers named here through their doors: index.ts, or those that are listed.
 * Tests obey the same table; they may also use another layer's testing.ts (its test doubles).
 */
import type { IForbiddenRuleType, IFlattenedRuleSet } from "dependency-cruiser";

interface Layer {
  readonly imports: readonly string[];
  /**
   * Further doors beside index.ts, as patterns of paths in the layer without ".ts": behind each is a part that not every
   * program, or not every VM, loads.
   */
  readonly doors?: readonly string[];
  /** May this layer touch `node:*`? The portable core may not. */
  readonly node?: boolean;
  /** May this layer use npm packages (those of "dependencies")? */
  readonly packages?: boolean;
}

const belowVmm = ["base", "memory", "hw", "cpu", "engine", "block", "net", "share", "devices", "machine"];

export const layers: Readonly<Record<string, Layer>> = {
  base: { imports: [] },
  memory: { imports: ["base"] },
  hw: { imports: ["base", "memory"] },
  cpu: { imports: ["base"] },
  engine: { imports: ["base", "memory", "hw", "cpu"] },
  block: { imports: ["base"], packages: true },
  net: { imports: ["base"] },
  share: { imports: ["base"] },
  devices: {
    imports: ["base", "memory", "hw", "block", "net", "share"],
    doors: ["[\\w/-]+/index", "ide/drives", "floppy/formats"],
  },
  machine: { imports: ["base", "memory", "hw", "block", "net", "share", "devices"], packages: true },
  "accel/wasm": { imports: ["base", "memory", "hw", "cpu", "engine"] },
  "accel/kvm": { imports: ["base", "memory", "hw", "cpu", "engine"], node: true, packages: true },
  vmm: { imports: belowVmm, doors: ["for-vm-process"] },
  host: { imports: ["base", "vmm", "block", "net"], doors: ["for-vm-process"] },
  "api/contract": { imports: ["base"], packages: true },
  "api/server": { imports: ["base", "host", "api/contract"], packages: true },
  "api/client": { imports: ["base", "api/contract"], packages: true },
  "platform/node": {
    imports: ["base", "block", "net", "share", "hw"],
    node: true,
    packages: true,
    doors: [
      "for-vm-process",
      "raw-disk",
      "host-sockets",
      "capture-file",
      "page-release",
      "time-slice",
      "share/host-folder",
    ],
  },
  "platform/browser": { imports: ["base", "block", "net", "hw"], packages: true },
};

/** Programs: they may import any layer, through its door, and nobody imports them. */
export const programs = "apps";

const names = Object.keys(layers);
const inside = (layer: string): string => `^src/${layer}/`;
const doors = Object.entries(layers).map(
  ([name, { doors: further = [] }]) => `^src/${name}/(?:${["index", ...further].join("|")})\\.ts$`,
);
const testDoors = `^src/(${names.join("|")})/testing\\.ts$`;
const testFiles = "\\.test\\.ts$|/testing\\.ts$|^src/engine/core/[\\w-]+-fixture\\.ts$";
/** What may use Node and development packages wherever it stands: tests, the core's fixtures and its build. */
const notShipped = [
  "\\.test\\.ts$",
  "^src/engine/core/(build(-calls)?|[\\w-]+-fixture)\\.ts$",
  "^src/machine/boot/lz4-core/build\\.ts$",
];
/** The AssemblyScript sources: another language in the same syntax. What builds and tests them is TypeScript. */
const assemblyScript =
  "^src/(engine/core|machine/boot/lz4-core)/(?!build(-calls)?\\.ts$|[\\w-]+\\.test\\.ts$|[\\w-]+-fixture\\.ts$)";
/** Modules of the core that exist only while it is built: build.ts prints them from the tables of ir/. */
const printedModules = "^\\./(flags|helpers|interpreter\\.gen|msrs\\.gen)$";

/** Folders directly under src/ and the second level of the split ones; a file anywhere else has no layer. */
export function layerOf(path: string): string | undefined {
  if (path.startsWith(`src/${programs}/`)) return programs;
  return names.find((name) => path.startsWith(`src/${name}/`));
}

function rulesOf(name: string, layer: Layer): IForbiddenRuleType[] {
  const rules: IForbiddenRuleType[] = [
    {
      name: `layer ${name}`,
      severity: "error",
      from: { path: inside(name) },
      to: { path: "^src/", pathNot: [name, ...layer.imports].map(inside) },
    },
    {
      name: "door",
      severity: "error",
      comment: "another layer is entered through one of its doors",
      from: { path: inside(name), pathNot: testFiles },
      to: { path: "^src/", pathNot: [inside(name), ...doors] },
    },
    {
      name: "door",
      severity: "error",
      comment: "another layer is entered through one of its doors, or by a test through its testing.ts",
      from: { path: inside(name) },
      to: { path: "^src/", pathNot: [inside(name), ...doors, testDoors] },
    },
  ];
  if (layer.node !== true) {
    rules.push({
      name: "node in the core",
      severity: "error",
      from: { path: inside(name), pathNot: notShipped },
      to: { dependencyTypes: ["core"] },
    });
  }
  if (layer.packages !== true) {
    rules.push({
      name: "package in the core",
      severity: "error",
      from: { path: inside(name), pathNot: notShipped },
      to: { path: "node_modules" },
    });
  }
  return rules;
}

export const ruleSet: IFlattenedRuleSet = {
  forbidden: [
    ...Object.entries(layers).flatMap(([name, layer]) => rulesOf(name, layer)),
    {
      name: "door",
      severity: "error",
      comment: "programs enter a layer through one of its doors",
      from: { path: inside(programs), pathNot: testFiles },
      to: { path: "^src/", pathNot: [inside(programs), ...doors] },
    },
    {
      name: "outside src",
      severity: "error",
      comment: "what ships does not depend on tests, benchmarks or tools",
      from: { path: "^src/", pathNot: notShipped },
      to: { path: "^(test|bench|tools|examples)/" },
    },
    {
      name: "assemblyscript",
      severity: "error",
      comment: "AssemblyScript and TypeScript meet only in layout.ts",
      from: { path: assemblyScript },
      to: { pathNot: ["^src/engine/core/", "^src/engine/layout\\.ts$", printedModules] },
    },
    {
      name: "assemblyscript",
      severity: "error",
      comment: "the core is reached as a compiled module, never as source",
      from: { path: "^(src|test|bench|tools)/", pathNot: assemblyScript },
      to: { path: assemblyScript },
    },
    {
      name: "layout imports nothing",
      severity: "error",
      comment: "it is compiled by both languages",
      from: { path: "^src/engine/layout\\.ts$" },
      to: {},
    },
    {
      name: "development dependency",
      severity: "error",
      comment: "what ships may need only what package.json lists under dependencies",
      from: { path: "^src/", pathNot: notShipped },
      to: { dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown"] },
    },
    {
      name: "unresolvable",
      severity: "error",
      from: { pathNot: assemblyScript },
      to: { couldNotResolve: true },
    },
    {
      name: "unresolvable",
      severity: "error",
      from: { path: assemblyScript },
      to: { couldNotResolve: true, pathNot: printedModules },
    },
  ],
};
