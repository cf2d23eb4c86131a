/** How the dashboard looks on this terminal: which colours and which characters it may use. */

import type { Style } from "./frame.ts";

export interface Borders {
  readonly horizontal: string;
  readonly vertical: string;
  /** Top left, top right, bottom left, bottom right. */
  readonly corners: readonly [string, string, string, string];
}

export interface Look {
  readonly styles: Readonly<
    Record<"plain" | "dim" | "title" | "selected" | "good" | "bad" | "busy" | "help", Style>
  >;
  readonly border: Borders;
  readonly selectedBorder: Borders;
  readonly tick: string;
  /** Whether characters beyond ASCII may be shown. */
  readonly isUnicode: boolean;
  readonly hasColors: boolean;
}

const PLAIN_STYLES: Look["styles"] = {
  plain: "",
  dim: "2",
  title: "1",
  selected: "1",
  good: "",
  bad: "1",
  busy: "",
  help: "7",
};
const COLOR_STYLES: Look["styles"] = {
  ...PLAIN_STYLES,
  selected: "1;36",
  good: "32",
  bad: "1;31",
  busy: "33",
};

const THIN: Borders = { horizontal: "─", vertical: "│", corners: ["┌", "┐", "└", "┘"] };
const HEAVY: Borders = { horizontal: "━", vertical: "┃", corners: ["┏", "┓", "┗", "┛"] };
const ASCII: Borders = { horizontal: "-", vertical: "|", corners: ["+", "+", "+", "+"] };
const ASCII_HEAVY: Borders = { horizontal: "=", vertical: "#", corners: ["#", "#", "#", "#"] };

/** https://no-color.org, and the locale's character encoding. */
export function lookFor(environment: Readonly<Record<string, string | undefined>>): Look {
  const { NO_COLOR, TERM, LC_ALL, LC_CTYPE, LANG } = environment;
  const hasColors = (NO_COLOR === undefined || NO_COLOR === "") && TERM !== "dumb";
  const isUnicode = /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || "");
  return {
    styles: hasColors ? COLOR_STYLES : PLAIN_STYLES,
    border: isUnicode ? THIN : ASCII,
    selectedBorder: isUnicode ? HEAVY : ASCII_HEAVY,
    tick: isUnicode ? "✓" : "ok",
    isUnicode,
    hasColors,
  };
}
