/** What the bench uses and the project does not bring: whether it is here, in which version, and how to install it. */

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import type { ContestantName } from "./contestant.ts";

interface Tool {
  /** A line that names the version; undefined where it is missing. */
  readonly version: () => string | undefined;
  readonly install: string;
}

const program =
  (name: string, ...programArguments: readonly string[]): Tool["version"] =>
  () =>
    firstLineOf(name, programArguments);

export const TOOLS = {
  qemu: {
    version: program("qemu-system-x86_64", "--version"),
    install: "apt-get install qemu-system-x86",
  },
  v86: { version: v86Version, install: "npm install --no-save v86" },
  gcc: { version: program("gcc", "--version"), install: "apt-get install gcc libc6-dev" },
  /** Its libgcc for 32 bits divides 64-bit integers. */
  gcc32: {
    version: () => (hasLibgcc32() ? firstLineOf("gcc", ["--version"]) : undefined),
    install: "apt-get install gcc-multilib",
  },
  taskset: { version: program("taskset", "--version"), install: "apt-get install util-linux" },
  busybox: { version: program("busybox"), install: "apt-get install busybox-static" },
} as const satisfies Record<string, Tool>;

export type ToolName = keyof typeof TOOLS;

export const TOOL_NAMES: readonly ToolName[] = Object.keys(TOOLS).filter((name): name is ToolName =>
  Object.hasOwn(TOOLS, name),
);

/** The tool a contestant is; Typevisor and the processor are here. */
const TOOL_OF_CONTESTANT: Readonly<Partial<Record<ContestantName, ToolName>>> = {
  qemuTcg: "qemu",
  v86: "v86",
};

/** What is missing and how to get it, or undefined when there is nothing to say. */
export function missing(tool: ToolName): string | undefined {
  return TOOLS[tool].version() === undefined ? `${tool} is missing: ${TOOLS[tool].install}` : undefined;
}

export function missingContestant(name: ContestantName): string | undefined {
  const tool = TOOL_OF_CONTESTANT[name];
  return tool === undefined ? undefined : missing(tool);
}

export function firstLineOf(name: string, programArguments: readonly string[]): string | undefined {
  const run = spawnSync(name, programArguments, { encoding: "utf8" });
  return run.status === 0 ? run.stdout.split("\n")[0] : undefined;
}

function hasLibgcc32(): boolean {
  const path = firstLineOf("gcc", ["-m32", "-print-libgcc-file-name"]);
  return path !== undefined && existsSync(path);
}

/** Of the package that `import("v86")` finds from here. */
function v86Version(): string | undefined {
  try {
    const entry = import.meta.resolve("v86");
    const text = readFileSync(new URL("../package.json", entry), "utf8");
    const version = /"version": *"([^"]+)"/.exec(text)?.[1];
    return version === undefined ? undefined : `v86 ${version}`;
  } catch {
    return undefined;
  }
}
