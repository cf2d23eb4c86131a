/**
 * The chart of the README: for each kind of work how many times as fast as QEMU's TCG the others are, on a logarithmic
 * scale with TCG at 1, as geometric means. A thin line spans a group's slowest and fastest member, so that the mean hides
 * nothing; a mark stands where the goal is. Groups that TCG did not run are not in it.
 */

import { LABELS } from "../contestant.ts";
import type { ContestantName } from "../contestant.ts";
import type { Goal, GroupResult } from "../groups.ts";
import type { BenchResult } from "../result.ts";
import { element, text } from "./svg.ts";

/** The width that a README is shown at, about; text keeps the size of its surroundings. */
const WIDTH = 820;
const LEFT = 230;
const RIGHT = 60;
const TOP = 74;
const GROUP_GAP = 16;
const AXIS_SPACE = 22;
const LEGEND_SPACE = 56;

const BARS = [
  { name: "typevisor", height: 14 },
  { name: "v86", height: 8 },
  { name: "native", height: 8 },
] as const satisfies readonly { readonly name: ContestantName; readonly height: number }[];

type BarName = (typeof BARS)[number]["name"];

/** Its own background, because a page may be dark where the reader's system is light, or the other way round. */
const STYLE = `
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-size: 16px; font-weight: 600; }
.small { font-size: 11px; fill: #57606a; }
.value { font-size: 12px; }
.card { fill: #ffffff; stroke: #d0d7de; }
.grid { stroke: #d8dee4; }
.one { stroke: #57606a; stroke-width: 1.5; }
.span { stroke: #24292f; stroke-width: 1.5; }
.goal { fill: #cf222e; }
.typevisor { fill: #2f6fde; }
.v86 { fill: #bf8700; }
.native { fill: #9aa4af; }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3; }
.small { fill: #9aa4af; }
.card { fill: #0d1117; stroke: #30363d; }
.grid { stroke: #21262d; }
.one { stroke: #9aa4af; }
.span { stroke: #e6edf3; }
.goal { fill: #ff7b72; }
.typevisor { fill: #58a6ff; }
.v86 { fill: #d29922; }
.native { fill: #6e7681; }
}
`;

/** A group as it is drawn: speeds with TCG's as 1. */
interface Row {
  readonly label: string;
  readonly speeds: Readonly<Partial<Record<BarName, number>>>;
  /** Of the members, ours. */
  readonly slowest: number;
  readonly fastest: number;
  readonly goal: number | undefined;
}

/** An SVG document. Throws when the result has nothing to compare with TCG. */
export function speedChart(result: BenchResult): string {
  const rows = result.groups.flatMap((group) => rowOf(group, result));
  if (rows.length === 0) throw new RangeError("no group was measured in QEMU's TCG");
  const scale = scaleOf(rows);
  let y = TOP + AXIS_SPACE;
  const drawn: string[] = [];
  for (const row of rows) {
    drawn.push(...drawRow(row, y, scale));
    y += heightOf(row) + GROUP_GAP;
  }
  const height = y + LEGEND_SPACE;
  const title = "Speed, with QEMU’s TCG as 1 (further right is faster)";
  return `${element(
    "svg",
    {
      xmlns: "http://www.w3.org/2000/svg",
      viewBox: `0 0 ${WIDTH} ${height}`,
      width: WIDTH,
      height,
      role: "img",
    },
    element("title", {}, text(title)),
    element("desc", {}, text(rows.map(sentenceOf).join(" "))),
    element("style", {}, STYLE),
    element("rect", { class: "card", x: 0.5, y: 0.5, width: WIDTH - 1, height: height - 1, rx: 8 }),
    element("text", { class: "title", x: 20, y: 30 }, text(title)),
    element("text", { class: "small", x: 20, y: 50 }, text(subtitle(result))),
    ...drawAxis(scale, y - GROUP_GAP),
    ...drawn,
    ...drawLegend(rows, y),
  )}\n`;
}

function rowOf({ name, title, faster, goals }: GroupResult, result: BenchResult): Row[] {
  if (faster.qemuTcg === undefined) return [];
  const ours = faster.qemuTcg;
  const ratios = result.parts.flatMap(({ figures }) =>
    figures.flatMap((figure) => (figure.groups.includes(name) ? (figure.faster.qemuTcg ?? []) : [])),
  );
  const speeds = {
    typevisor: ours,
    ...(faster.v86 === undefined ? {} : { v86: ours / faster.v86 }),
    ...(faster.native === undefined ? {} : { native: ours / faster.native }),
  };
  return [
    {
      label: ratios.length > 1 ? `${title} (${ratios.length})` : title,
      speeds,
      slowest: Math.min(...ratios),
      fastest: Math.max(...ratios),
      goal: goals.map(({ goal }) => goalOf(goal, speeds)).find((speed) => speed !== undefined),
    },
  ];
}

/** Where a goal stands on the scale of TCG: a goal against v86 is so many times v86's own speed. */
function goalOf(goal: Goal, speeds: Row["speeds"]): number | undefined {
  if (goal.kind !== "faster") return undefined;
  const reference = goal.than === "qemuTcg" ? 1 : speeds[goal.than];
  return reference === undefined ? undefined : reference * goal.least;
}

/** The x of a speed; whole powers of two are the grid. */
interface Scale {
  readonly from: number;
  readonly to: number;
  x(speed: number): number;
}

function scaleOf(rows: readonly Row[]): Scale {
  const speeds = rows.flatMap(({ speeds: each, slowest, fastest, goal }) => [
    ...Object.values(each),
    ...[slowest, fastest, goal ?? 1, 1],
  ]);
  const from = Math.floor(Math.log2(Math.min(...speeds)));
  const to = Math.ceil(Math.log2(Math.max(...speeds)));
  const perDoubling = (WIDTH - LEFT - RIGHT) / Math.max(1, to - from);
  return { from, to, x: (speed) => LEFT + (Math.log2(speed) - from) * perDoubling };
}

function drawAxis(scale: Scale, bottom: number): string[] {
  const lines: string[] = [];
  for (let power = scale.from; power <= scale.to; power++) {
    const speed = 2 ** power;
    const x = scale.x(speed);
    lines.push(
      element("line", { class: power === 0 ? "one" : "grid", x1: x, x2: x, y1: TOP + 6, y2: bottom }),
      element(
        "text",
        { class: "small", x, y: TOP, "text-anchor": "middle" },
        text(power < 0 ? `1/${2 ** -power}` : `${speed}`),
      ),
    );
  }
  return lines;
}

const barsOf = ({ speeds }: Row) =>
  BARS.flatMap(({ name, height }) => {
    const speed = speeds[name];
    return speed === undefined ? [] : [{ name, height, speed }];
  });

const heightOf = (row: Row): number => barsOf(row).reduce((sum, { height }) => sum + height + 2, 0);

function drawRow(row: Row, top: number, scale: Scale): string[] {
  const one = scale.x(1);
  const drawn = [element("text", { x: LEFT - 14, y: top + 12, "text-anchor": "end" }, text(row.label))];
  let y = top;
  for (const { name, height, speed } of barsOf(row)) {
    const x = scale.x(speed);
    drawn.push(
      element("rect", { class: name, x: Math.min(x, one), y, width: Math.abs(x - one), height }),
      ...(name === "typevisor" ? drawMembers(row, y, height, scale) : []),
    );
    const rightmost = name === "typevisor" ? Math.max(x, one, scale.x(row.fastest)) : Math.max(x, one);
    const label = element(
      "text",
      { class: "value", x: rightmost + 6, y: y + height / 2 + 4 },
      text(shown(speed)),
    );
    drawn.push(label);
    y += height + 2;
  }
  return drawn;
}

/** From the slowest to the fastest member, and the goal. */
function drawMembers({ slowest, fastest, goal }: Row, y: number, height: number, scale: Scale): string[] {
  const middle = y + height / 2;
  const [left, right] = [scale.x(slowest), scale.x(fastest)];
  return [
    ...(slowest < fastest
      ? [
          element("line", { class: "span", x1: left, x2: right, y1: middle, y2: middle }),
          ...[left, right].map((x) =>
            element("line", { class: "span", x1: x, x2: x, y1: y + 3, y2: y + height - 3 }),
          ),
        ]
      : []),
    ...(goal === undefined ? [] : [drawGoal(scale.x(goal), y)]),
  ];
}

const drawGoal = (x: number, y: number): string =>
  element("path", { class: "goal", d: `M ${shown(x)} ${y - 1} l 5 -7 h -10 z` });

function drawLegend(rows: readonly Row[], top: number): string[] {
  let x = LEFT;
  const shownBars = BARS.filter(({ name }) => rows.some(({ speeds }) => speeds[name] !== undefined));
  const items = shownBars.flatMap(({ name }) => {
    const at = x;
    x += 110;
    return [
      element("rect", { class: name, x: at, y: top + 4, width: 12, height: 12 }),
      element("text", { class: "small", x: at + 18, y: top + 14 }, text(LABELS[name])),
    ];
  });
  return [
    ...items,
    drawGoal(x + 6, top + 15),
    element("text", { class: "small", x: x + 18, y: top + 14 }, text("goal")),
    element(
      "text",
      { class: "small", x: LEFT, y: top + 36 },
      text("Bars are geometric means; the thin line reaches from a group’s slowest to its fastest member."),
    ),
  ];
}

function subtitle({ clock, host, rounds, startedAt, load }: BenchResult): string {
  const tools = [host.tools.qemu?.replace(/^QEMU emulator version (\S+).*/, "QEMU $1"), host.tools.v86];
  return [
    startedAt.slice(0, 10),
    `${host.processor}, ${host.cores} cores, load ${load.before.toFixed(1)}`,
    `Node ${host.node.slice(1)}`,
    ...tools.filter((tool) => tool !== undefined).map((tool) => tool.replace(/\+.*/, "")),
    clock === "wall" ? `medians of ${rounds}` : `medians of ${rounds}, processor time of all threads`,
  ].join("; ");
}

function sentenceOf(row: Row): string {
  return `${row.label}: ${barsOf(row)
    .map(({ name, speed }) => `${LABELS[name]} ${shown(speed)}`)
    .join(", ")}.`;
}

const shown = (value: number): string => (value >= 10 ? value.toFixed(1) : value.toFixed(2));
