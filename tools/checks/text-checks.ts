/** The checks that judge one text file at a time. A problem is the text after the path: `:LINE: sentence`. */
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import manifest from "../../package.json" with { type: "json" };

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

export interface TextCheck {
  readonly name: string;
  appliesTo(path: string): boolean;
  problemsOf(file: TextFile): string[];
}

const isSource = (path: string): boolean => /\.(ts|js|mjs)$/.test(path);
const isShippedSource = (path: string): boolean => /^src\/.*\.ts$/.test(path) && !path.endsWith(".test.ts");
const isFixture = (path: string): boolean => path.startsWith("tools/fixtures/");

/** Every match of the pattern, as `:LINE: message`. */
function matchesOf(text: string, pattern: RegExp, message: (match: RegExpExecArray) => string): string[] {
  return [...text.matchAll(pattern)].map((match) => {
    const line = text.slice(0, match.index).split("\n").length;
    return `:${line}: ${message(match)}`;
  });
}

const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Folders of one machine: the usual homes and scratch folders, and those of the machine this runs on. */
const hereAndHome = [process.cwd(), homedir()].map((path) => `${escaped(path)}/`).join("|");
const machinePaths = new RegExp(
  `(?<![\\w.~-])(?:/(?:home|Users|root|work|tmp|mnt)/[\\w.-]|${hereAndHome})`,
  "g",
);

/** Hosts that serve packages, by the words their names are made of; `.example` hosts are for examples. */
const packageHosts =
  /https?:\/\/(?:[\w.-]*[.-])?(?:registry|npm\w*|mirrors?|deb|artifactory|nexus|proxy|packages)[\w-]*\.[\w.-]+/g;
const configuredHost = /^https?:\/\/([^/:]+)/.exec(process.env["npm_config_registry"] ?? "")?.[1];

function packageHostsOf(text: string): string[] {
  const named = matchesOf(text, packageHosts, (match) => match[0]).filter(
    (line) => !line.endsWith(".example"),
  );
  const configured =
    configuredHost === undefined
      ? []
      : matchesOf(text, new RegExp(escaped(configuredHost), "g"), (match) => match[0]);
  return [...named, ...configured].map((line) => `${line} is the name of a package host`);
}

/** Of every kind that package.json has. */
const packageNames = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];

export const textChecks: readonly TextCheck[] = [
  {
    name: "no paths of one machine",
    appliesTo: (path) => !isFixture(path),
    problemsOf: ({ text }) =>
      matchesOf(text, machinePaths, (match) => `${match[0]} is a path of one machine`),
  },
  {
    name: "no package hosts",
    appliesTo: (path) => !isFixture(path),
    problemsOf: ({ text }) => packageHostsOf(text),
  },
  {
    name: "a source opens with what it is",
    appliesTo: isShippedSource,
    problemsOf: ({ text }) =>
      /^(?:#![^\n]*\n)?\s*(?:\/\/|\/\*\*) /.test(text.replace("/**\n *", "/**"))
        ? []
        : [":1: does not open with a comment that says what it is"],
  },
  {
    name: "no unfinished work without its consequence",
    appliesTo: (path) => isSource(path) && !isFixture(path),
    problemsOf: ({ text }) =>
      matchesOf(
        text,
        /\b(?:TO[D]O|FIX[M]E|XX[X])\b/g,
        (match) => `${match[0]}: write the limitation and its consequence`,
      ),
  },
  {
    name: "no test set aside",
    appliesTo: (path) => path.endsWith(".test.ts"),
    problemsOf: ({ text }) =>
      matchesOf(
        text,
        /\b(?:test|it|describe|suite)\.(?:only|skip|todo)\b/g,
        (match) => `${match[0]} sets tests aside`,
      ),
  },
  {
    name: "links in the documents lead somewhere",
    appliesTo: (path) => path.endsWith(".md"),
    problemsOf: ({ path, text }) =>
      matchesOf(text, /\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g, (match) => match[1] ?? "")
        .filter((line) => !existsSync(join(dirname(path), line.replace(/^:\d+: /, ""))))
        .map((line) => `${line} does not exist`),
  },
  {
    name: "each dependency has its reason",
    appliesTo: (path) => path === "docs/dependencies.md",
    problemsOf: ({ text }) =>
      packageNames
        .filter((name) => !rowsOf(text).some(({ cells }) => cells[0]?.split(/[\s,]+/).includes(name)))
        .map((name) => `:1: ${name} of package.json has no row`),
  },
  {
    name: "each number names its check",
    appliesTo: (path) => path === "SPECIFICATION.md",
    problemsOf: ({ text }) => specificationProblems(text),
  },
];

/** The rows of a document's tables with their line numbers, without the ruling ones. */
function rowsOf(text: string): { cells: string[]; line: number }[] {
  return text
    .split("\n")
    .map((line, index) => ({ cells: line.split("|").slice(1, -1), line: index + 1 }))
    .filter(({ cells }) => cells.length > 0 && !cells.every((cell) => /^\s*:?-+:?\s*$/.test(cell)));
}

/** Rows are `| what | number | check |`, where the check is a command in backticks or "nothing checks it yet". */
function specificationProblems(text: string): string[] {
  const numbers = rowsOf(text).filter(({ cells }) => cells.length === 3 && cells[2]?.trim() !== "check");
  const problems = numbers
    .filter(({ cells }) => !/`[^`]+`|nothing checks it yet/.test(cells[2] ?? ""))
    .map(({ line }) => `:${line}: names neither a command nor "nothing checks it yet"`);
  return numbers.length === 0 ? [":1: has no numbers"] : problems;
}
