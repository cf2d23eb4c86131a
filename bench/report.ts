/** The result as tables for people: every figure, then the groups with their goals. */

import { CONTESTANTS, LABELS } from "./contestant.ts";
import type { PerContestant, ReferenceName } from "./contestant.ts";
import type { Figure, Unit } from "./figures.ts";
import type { GoalResult } from "./groups.ts";
import type { BenchResult } from "./result.ts";

const SHOWN_UNIT: Readonly<Partial<Record<Unit, string>>> = { "% of a core": "%", "per s": "/s" };

export function formatTable(result: BenchResult): string {
  const { host, load } = result;
  const taking = CONTESTANTS.filter((name) =>
    result.parts.some(({ figures }) => figures.some(({ medians }) => medians[name] !== undefined)),
  );
  const references = taking.filter((name) => name !== "typevisor");
  const headings = ["", ...taking.map((name) => LABELS[name]), ...references.map(relativeTo), "limit"];
  const figureRows = result.parts.flatMap(({ name, figures }) => [
    [`[${name}]`],
    ...figures.map((figure) => [
      figure.name,
      ...taking.map((each) => quantity(figure.medians, each, figure.unit)),
      ...references.map((each) => ratio(each, figure.faster[each])),
      limitOf(figure),
    ]),
  ]);
  const meanRows = result.groups
    .filter(({ faster }) => Object.keys(faster).length > 0)
    .map(({ title, members, faster }) => [
      `${title} (${members.length})`,
      ...references.map((each) => ratio(each, faster[each])),
    ]);
  const goalRows = result.groups.flatMap(({ title, goals }) =>
    goals.map((goal) => [title, verdict(goal), shownValue(goal), goal.sentence]),
  );
  return [
    `${host.processor}, ${host.cores} cores; Linux ${host.kernel}; node ${host.node}`,
    [...new Set(Object.values(host.tools))].join("; "),
    `commit ${host.commit}; medians of ${result.rounds} interleaved rounds by the ${result.clock} clock; ` +
      `load ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after`,
    ...(load.before > host.cores / 2
      ? ["The machine was not quiet: the ratios, of times that were taken in turn, say more than the times."]
      : []),
    ...result.leftOut.map((sentence) => `Left out: ${sentence}`),
    "",
    '"vs" is how many times faster Typevisor is, below 1 slower; "of native" how many times the processor\'s own time.',
    ...aligned([headings, ...figureRows], [0]),
    "",
    ...aligned([["geometric means", ...references.map(relativeTo)], ...meanRows], [0]),
    "",
    ...aligned([["goals"], ...goalRows], [0, 1, 3]),
    "",
  ].join("\n");
}

function quantity(medians: PerContestant<number>, name: keyof PerContestant<number>, unit: Unit): string {
  const value = medians[name];
  if (value === undefined) return "";
  return `${value.toFixed(value >= 1000 ? 0 : 2)} ${SHOWN_UNIT[unit] ?? unit}`;
}

const relativeTo = (reference: ReferenceName): string =>
  reference === "native" ? "of native" : `vs ${LABELS[reference]}`;

function ratio(reference: ReferenceName, faster: number | undefined): string {
  if (faster === undefined) return "";
  return `${(reference === "native" ? 1 / faster : faster).toFixed(2)}×`;
}

function limitOf({ goal }: Figure): string {
  return goal === undefined ? "" : `≤ ${goal.most} ${goal.isMet ? "met" : "MISSED"}`;
}

const verdict = ({ isMet, isAimMet }: GoalResult): string =>
  isMet ? (isAimMet ? "met, the aim too" : "met") : "MISSED";

const shownValue = ({ goal, value }: GoalResult): string =>
  goal.kind === "own" ? value.toFixed(1) : `${value.toFixed(2)}×`;

/** Text to the left, numbers to the right: the columns of `texts` are text. */
function aligned(rows: readonly (readonly string[])[], texts: readonly number[]): string[] {
  const columns = Math.max(...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return texts.includes(column) ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd(),
  );
}
