/**
 * Makes an SVG picture of a terminal's screen, so that the pictures in the documents are of the real thing:
 *
 *     tmux new-session -d -s demo -x 120 -y 38 npm start
 *     tmux capture-pane -e -p -t demo | node tools/terminal-picture.ts > docs/dashboard.svg
 *
 * Knows the attributes that our programs use (ECMA-48 SGR: bold, faint, reverse, the eight colours and their bright
 * forms, the 256-colour palette); others are ignored. Wide characters are not known: each takes one cell.
 */
import { text } from "node:stream/consumers";

const CELL_WIDTH = 8.43;
const LINE_HEIGHT = 17;
const BASELINE = 13;
const MARGIN = 12;
const BACKGROUND = "#16181d";
const FOREGROUND = "#d5d8de";
const FAINT = "#878d99";
const COLORS = ["#3b4048", "#e06c75", "#8ec07c", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", FOREGROUND];
const BRIGHT = ["#6b727e", "#ff7b85", "#b0e09a", "#ffdd8e", "#82c4ff", "#dd9af0", "#7fdbe6", "#ffffff"];

interface Style {
  readonly bold: boolean;
  readonly faint: boolean;
  readonly reverse: boolean;
  readonly color: string | undefined;
  readonly background: string | undefined;
}
const PLAIN: Style = { bold: false, faint: false, reverse: false, color: undefined, background: undefined };

interface Run {
  readonly column: number;
  readonly text: string;
  readonly style: Style;
}

/** Colour of the 256-colour palette: 16 named ones, a 6×6×6 cube, 24 greys. */
function paletteColor(index: number): string {
  if (index < 16) return (index < 8 ? COLORS[index] : BRIGHT[index - 8]) ?? FOREGROUND;
  const hex = (level: number): string => level.toString(16).padStart(2, "0");
  if (index >= 232) return `#${hex(8 + 10 * (index - 232)).repeat(3)}`;
  const level = (n: number): number => (n === 0 ? 0 : 55 + 40 * n);
  const cube = index - 16;
  return `#${[Math.trunc(cube / 36), Math.trunc(cube / 6) % 6, cube % 6].map((n) => hex(level(n))).join("")}`;
}

function styleAfter(style: Style, codes: readonly number[]): Style {
  const [code = 0, kind, index] = codes;
  const rest = (next: Style, used = 1): Style =>
    codes.length > used ? styleAfter(next, codes.slice(used)) : next;
  if ((code === 38 || code === 48) && kind === 5 && index !== undefined) {
    return rest({ ...style, [code === 38 ? "color" : "background"]: paletteColor(index) }, 3);
  }
  if (code === 0) return rest(PLAIN);
  if (code === 1) return rest({ ...style, bold: true });
  if (code === 2) return rest({ ...style, faint: true });
  if (code === 22) return rest({ ...style, bold: false, faint: false });
  if (code === 7 || code === 27) return rest({ ...style, reverse: code === 7 });
  if (code >= 30 && code <= 37) return rest({ ...style, color: COLORS[code - 30] });
  if (code >= 90 && code <= 97) return rest({ ...style, color: BRIGHT[code - 90] });
  if (code === 39) return rest({ ...style, color: undefined });
  if (code >= 40 && code <= 47) return rest({ ...style, background: COLORS[code - 40] });
  if (code === 49) return rest({ ...style, background: undefined });
  return rest(style);
}

/** Splits a line into runs of one style; the style goes on into the next line. */
function runsOf(line: string, from: Style): { runs: Run[]; style: Style } {
  const runs: Run[] = [];
  let style = from;
  let column = 0;
  for (const [i, part] of line.split("\u001b[").entries()) {
    // Behind the first piece each begins with a control sequence: parameters, then a letter.
    const [sequence = "", codes, letter] = i === 0 ? [] : (/^([\d;?]*)([a-zA-Z])/.exec(part) ?? []);
    if (letter === "m") style = styleAfter(style, (codes ?? "").split(";").map(Number));
    const shown = part.slice(sequence.length);
    if (shown === "") continue;
    runs.push({ column, text: shown, style });
    column += [...shown].length;
  }
  return { runs, style };
}

const escaped = (value: string): string =>
  value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const rounded = (value: number): string => String(Math.round(value * 100) / 100);

function drawRun({ column, text: shown, style }: Run, row: number): string {
  const x = rounded(MARGIN + column * CELL_WIDTH);
  const y = MARGIN + row * LINE_HEIGHT;
  const width = rounded([...shown].length * CELL_WIDTH);
  const color = style.color ?? (style.faint ? FAINT : FOREGROUND);
  const ground = style.reverse ? color : style.background;
  const fill = style.reverse ? (style.background ?? BACKGROUND) : color;
  const box =
    ground === undefined
      ? ""
      : `<rect x="${x}" y="${y}" width="${width}" height="${LINE_HEIGHT}" fill="${ground}"/>`;
  if (shown.trim() === "") return box;
  const weight = style.bold ? ' font-weight="bold"' : "";
  const paint = fill === FOREGROUND ? "" : ` fill="${fill}"`;
  // The given length keeps every font on the grid.
  return `${box}<text x="${x}" y="${rounded(y + BASELINE)}" textLength="${width}"${paint}${weight}>${escaped(shown)}</text>`;
}

/** The picture of a captured screen, without the empty lines at its end. */
export function terminalPicture(capture: string): string {
  const lines = capture.trimEnd().split("\n");
  let style = PLAIN;
  let columns = 0;
  const drawn = lines.flatMap((line, row) => {
    const { runs, style: next } = runsOf(line, style);
    style = next;
    const last = runs.at(-1);
    if (last !== undefined) columns = Math.max(columns, last.column + [...last.text].length);
    return runs.map((run) => drawRun(run, row)).filter((element) => element !== "");
  });
  const width = Math.ceil(2 * MARGIN + columns * CELL_WIDTH);
  const height = 2 * MARGIN + lines.length * LINE_HEIGHT;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"` +
      ` font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14" fill="${FOREGROUND}"` +
      ` xml:space="preserve">`,
    `<rect width="100%" height="100%" rx="8" fill="${BACKGROUND}"/>`,
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}

if (import.meta.main) process.stdout.write(terminalPicture(await text(process.stdin)));
