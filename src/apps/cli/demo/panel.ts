/** Draws one VM's panel: a frame with its name and state, a line of figures, and the end of its console. */

import { MiB } from "../../../base/index.ts";
import { textLines } from "../../../vmm/index.ts";
import type { TextScreen } from "../../../vmm/index.ts";
import type { DemoVm } from "./demo-vm.ts";
import type { Frame } from "./frame.ts";
import type { Rectangle } from "./layout.ts";
import type { Look } from "./look.ts";

export interface PanelView {
  readonly vm: DemoVm;
  /** The key that selects it. */
  readonly number: number;
  readonly isSelected: boolean;
}

export function drawPanel(frame: Frame, area: Rectangle, view: PanelView, look: Look): void {
  drawBorder(frame, area, view, look);
  const inside = {
    column: area.column + 1,
    row: area.row + 1,
    columns: area.columns - 2,
    rows: area.rows - 2,
  };
  frame.put(inside.column, inside.row, figures(view.vm), look.styles.dim, inside.columns);
  const console = { ...inside, row: inside.row + 1, rows: inside.rows - 1 };
  const { vm } = view;
  const lines = vm.showsScreen
    ? screenExcerpt(vm.screen, console.rows)
    : wrappedTail(vm.lines.tail(console.rows), console.columns, console.rows);
  for (const [index, line] of lines.entries()) {
    frame.put(console.column, console.row + index, shownText(line, look), look.styles.plain, console.columns);
  }
}

function drawBorder(frame: Frame, area: Rectangle, { vm, number, isSelected }: PanelView, look: Look): void {
  const { horizontal, vertical, corners } = isSelected ? look.selectedBorder : look.border;
  const style = isSelected ? look.styles.selected : look.styles.dim;
  const right = area.column + area.columns - 1;
  const bottom = area.row + area.rows - 1;
  const bar = horizontal.repeat(Math.max(0, area.columns - 2));
  frame.put(area.column, area.row, corners[0] + bar + corners[1], style);
  for (let row = area.row + 1; row < bottom; row++) {
    frame.put(area.column, row, vertical, style);
    frame.put(right, row, vertical, style);
  }
  frame.put(area.column, bottom, corners[2] + bar + corners[3], style);

  const name = ` ${number} ${vm.name} `;
  frame.put(area.column + 2, area.row, name, look.styles.title, area.columns - 4);
  const state = ` ${stateText(vm)}${vm.hasShownMark ? ` ${look.tick}` : ""} `;
  const column = right - 1 - state.length;
  if (column > area.column + 2 + name.length) frame.put(column, area.row, state, stateStyle(vm, look));
}

function stateText(vm: DemoVm): string {
  return vm.state === "ended" ? (vm.ending ?? "ended") : vm.state;
}

function stateStyle(vm: DemoVm, { styles }: Look): string {
  switch (vm.state) {
    case "running":
      return vm.hasShownMark ? styles.good : styles.busy;
    case "ended":
      return styles.bad;
    case "ready":
    case "paused":
      return styles.busy;
  }
}

/** "cpu  12% mem 143M  41.4 MIPS up 0:12": 36 columns, as many as a quarter of 80 × 24 has, up to ten hours. */
function figures(vm: DemoVm): string {
  const { cpuShare, instructionsPerSecond } = vm.rates;
  const mips = instructionsPerSecond / 1e6;
  return [
    `cpu ${(100 * cpuShare).toFixed(0).padStart(3)}%`,
    `mem ${(vm.residentBytes / MiB).toFixed(0).padStart(3)}M`,
    `${mips.toFixed(mips < 100 ? 1 : 0).padStart(4)} MIPS`,
    `up ${clockText(vm.uptimeSeconds)}`,
  ].join(" ");
}

export function clockText(seconds: number): string {
  const whole = Math.floor(seconds);
  const minutes = Math.floor(whole / 60);
  const text = `${minutes % 60}:${String(whole % 60).padStart(2, "0")}`;
  const hours = Math.floor(minutes / 60);
  return hours === 0 ? text : `${hours}:${text.padStart(5, "0")}`;
}

/** The last lines, long ones broken, as many as fit. */
export function wrappedTail(lines: readonly string[], columns: number, rows: number): string[] {
  const wrapped = lines.flatMap((line) => {
    const pieces = [line.slice(0, columns)];
    for (let at = columns; at < line.length; at += columns) pieces.push(line.slice(at, at + columns));
    return pieces;
  });
  return wrapped.slice(Math.max(0, wrapped.length - rows));
}

/** The rows of a text screen that say something, as many as fit: blank ones go first, then those at the bottom. */
function screenExcerpt(screen: TextScreen | undefined, rows: number): string[] {
  if (screen === undefined) return [];
  const lines = textLines(screen);
  while (lines.at(-1) === "") lines.pop();
  while (lines.length > rows && lines.includes("")) lines.splice(lines.lastIndexOf(""), 1);
  return lines.slice(0, rows);
}

function shownText(line: string, look: Look): string {
  return look.isUnicode ? line : line.replaceAll(/[^\x20-\x7e]/g, "?");
}
