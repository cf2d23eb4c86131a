/**
 * A picture of the whole terminal in character cells, and the shortest sensible way to turn the one that is shown into
 * the next: only runs of cells that differ are written.
 */

/** An SGR sequence's parameters, such as "1" for bold; "" is plain. */
export type Style = string;

interface Cell {
  readonly character: string;
  readonly style: Style;
}

const BLANK: Cell = { character: " ", style: "" };
/** Equal cells between two runs that differ are written again when they are fewer: a cursor movement costs more. */
const SHORT_GAP = 6;

export class Frame {
  readonly columns: number;
  readonly rows: number;
  readonly #cells: Cell[];

  constructor(columns: number, rows: number) {
    this.columns = columns;
    this.rows = rows;
    this.#cells = Array.from({ length: columns * rows }, () => BLANK);
  }

  /** Writes text from (column, row) on, cut at `maxColumns` and at the edges. */
  put(column: number, row: number, text: string, style: Style = "", maxColumns = Infinity): void {
    if (row < 0 || row >= this.rows) return;
    const end = Math.min(this.columns, column + maxColumns);
    let at = column;
    for (const character of text) {
      if (at >= end) return;
      if (at >= 0) this.#cells[row * this.columns + at] = { character: oneColumnWide(character), style };
      at++;
    }
  }

  cell(column: number, row: number): Cell {
    return this.#cells[row * this.columns + column] ?? BLANK;
  }

  /** One row as text, for tests. */
  text(row: number): string {
    return Array.from({ length: this.columns }, (_, column) => this.cell(column, row).character).join("");
  }
}

/** Characters that may take two columns, or none, would shift the rest of the row. */
function oneColumnWide(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  const isWide = code >= 0x1100 && !(code >= 0x2000 && code < 0x2e80);
  const isCombining = code >= 0x300 && code < 0x370;
  return isWide || isCombining || code < 0x20 ? "?" : character;
}

export class Painter {
  #shown: Frame | undefined;

  /** Forgets what is shown: the next frame is painted whole. */
  invalidate(): void {
    this.#shown = undefined;
  }

  /** The text that changes the terminal from the last frame to this one; "" when nothing differs. */
  paint(frame: Frame): string {
    const shown = this.#shown;
    const isSameSize = shown?.columns === frame.columns && shown.rows === frame.rows;
    const before = isSameSize ? shown : undefined;
    let text = before === undefined ? "\x1b[0m\x1b[2J" : "";
    let style: Style = "";
    for (let row = 0; row < frame.rows; row++) {
      for (const { start, end } of changedRuns(before, frame, row)) {
        text += `\x1b[${row + 1};${start + 1}H`;
        for (let column = start; column < end; column++) {
          const cell = frame.cell(column, row);
          if (cell.style !== style) {
            style = cell.style;
            text += `\x1b[0;${style}m`.replace(";m", "m");
          }
          text += cell.character;
        }
      }
    }
    this.#shown = frame;
    return style === "" ? text : `${text}\x1b[0m`;
  }
}

function changedRuns(before: Frame | undefined, after: Frame, row: number): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (let column = 0; column < after.columns; column++) {
    const cell = after.cell(column, row);
    const old = before?.cell(column, row) ?? BLANK;
    if (cell.character === old.character && cell.style === old.style) continue;
    const last = runs.at(-1);
    if (last !== undefined && column - last.end <= SHORT_GAP) last.end = column + 1;
    else runs.push({ start: column, end: column + 1 });
  }
  return runs;
}
