/** The result as tables for people: every figure, then the groups with their goals. */

import { CONTESTANTS, LABELS } from "./contestant.ts";
import type { PerContestant, ReferenceName } from "./contestant.ts";
import type { Figure, Unit } from "./figures.ts";
import type { GoalResult, GroupResult } from "./groups.ts";
import type { BenchResult } from "./result.ts";

const SHOWN_UNIT: Readonly<Partial<Record<Unit, string>>> = { "% of a core": "%", "per s": "/s" };

export function formatTable(result: BenchResult): string {
  const { host, load } = result;
  const taking = CONTESTANTS.filter((name) =>
    result.parts.some(({ figures }) => figures.some(({ medians }) => medians[name] !== undefined)),
  );
  const references = taking.filter((name) => name !== "typevisor");
  const headings = [
    "",
    ...taking.map((name) => LABELS[name]),
    ...references.map((name) => (name === "native" ? "of native" : `vs ${LABELS[name]}`)),
    "limit",
  ];
  const figureRows = result.parts.flatMap(({ name, figures }) => [
    [`[${name}]`],
    ...figures.map((figure) => [
      figure.name,
      ...taking.map((each) => quantity(figure.medians, each, figure.unit)),
      ...references.map((each) => ratio(each, figure.faster[each])),
      limitOf(figure),
    ]),
  ]);
  const groupRows = result.groups.flatMap((group) => rowsOf(group));
  return [
    `${host.processor}, ${host.cores} cores; Linux ${host.kernel}; node ${host.node}`,
    [...new Set(Object.values(host.tools))].join("; "),
    `commit ${host.commit}; medians of ${result.rounds} interleaved rounds; ` +
      `load ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after`,
    ...(load.before > host.cores / 2
      ? ["The machine was not quiet: the ratios, of times that were taken in turn, say more than the times."]
      : []),
    ...result.leftOut.map((sentence) => `Left out: ${sentence}`),
    "",
    '"vs" is how many times faster Typevisor is, below 1 slower; "of native" how many times the processor\'s own time.',
    ...aligned([headings, ...figureRows], [0]),
    "",
    ...aligned([["goals (geometric means)", "value"], ...groupRows], [0, 2, 3]),
    "",
  ].join("\n");
}

function quantity(medians: PerContestant<number>, name: keyof PerContestant<number>, unit: Unit): string {
  const value = medians[name];
  if (value === undefined) return "";
  return `${value.toFixed(value >= 1000 ? 0 : 2)} ${SHOWN_UNIT[unit] ?? unit}`;
}

function ratio(reference: ReferenceName, faster: number | undefined): string {
  if (faster === undefined) return "";
  return `${(reference === "native" ? 1 / faster : faster).toFixed(2)}×`;
}

function limitOf({ goal }: Figure): string {
  return goal === undefined ? "" : `≤ ${goal.most} ${goal.isMet ? "met" : "MISSED"}`;
}

/** A group without a goal only shows its means. */
function rowsOf({ title, members, faster, goals }: GroupResult): string[][] {
  const name = `${title} (${members.length})`;
  if (goals.length > 0) {
    return goals.map((result) => [name, result.value.toFixed(2), verdict(result), result.sentence]);
  }
  return CONTESTANTS.filter((each) => each !== "typevisor").flatMap((each) =>
    faster[each] === undefined
      ? []
      : [
          [
            name,
            ratio(each, faster[each]).slice(0, -1),
            "",
            each === "native" ? "of native" : `vs ${LABELS[each]}`,
          ],
        ],
  );
}

const verdict = ({ isMet, isAimMet }: GoalResult): string =>
  isMet ? (isAimMet ? "met, the aim too" : "met") : "MISSED";

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
