/** The result as a table for people; as JSON it is the result itself. */

import type { Figure } from "./figures.ts";
import type { Host } from "./host.ts";

export interface BenchResult {
  readonly format: 1;
  readonly startedAt: string;
  readonly host: Host;
  readonly rounds: number;
  /** The machine's load average of one minute before and after: our own is in the latter. */
  readonly load: { readonly before: number; readonly after: number };
  readonly figures: readonly Figure[];
}

const HEADINGS = ["", "typevisor", "qemu tcg", "native", "ratio to tcg", "goal", ""];

export function formatTable(result: BenchResult): string {
  const { host, load } = result;
  const rows = [HEADINGS, ...result.figures.map(rowOf)];
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join("  ")
      .trimEnd(),
  );
  return [
    `${host.processor}, ${host.cores} cores; Linux ${host.kernel}; node ${host.node}; ${host.qemu}`,
    `commit ${host.commit}; medians of ${result.rounds} interleaved rounds; ` +
      `load ${load.before.toFixed(1)} before, ${load.after.toFixed(1)} after`,
    ...(load.before > host.cores / 2
      ? ["The machine was not quiet: processor time and its ratio say more than wall time."]
      : []),
    "",
    ...lines,
    "",
  ].join("\n");
}

function rowOf({ name, unit, medians, ratio, goal }: Figure): string[] {
  const quantity = (value: number | undefined): string =>
    value === undefined ? "" : `${value.toFixed(2)} ${unit === "% of a core" ? "%" : unit}`;
  return [
    name,
    quantity(medians.typevisor),
    quantity(medians.qemuTcg),
    quantity(medians.native),
    ratio === undefined ? "" : ratio.toFixed(2),
    goal === undefined ? "" : `≤ ${goal.most}${goal.of === "ratio" ? "x" : ` ${unit === "MB" ? unit : "%"}`}`,
    goal === undefined ? "" : goal.isMet ? "met" : "MISSED",
  ];
}
