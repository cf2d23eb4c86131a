/** Where the panels lie: a grid that fills the terminal, as even as whole cells allow. */

export interface Rectangle {
  readonly column: number;
  readonly row: number;
  readonly columns: number;
  readonly rows: number;
}

/** A panel narrower than this shows too little; the grid rather gets fewer columns. */
const MIN_PANEL_COLUMNS = 34;
/** Borders, figures and one line. */
const MIN_PANEL_ROWS = 4;
/** A character is about twice as high as wide: what looks like a square has this many columns per row. */
const SQUARE = 2;
/** What a console's text looks best in, in the same measure. */
const PREFERRED_SHAPE = 1.6;

/** Rectangles for `count` panels inside `area`, row by row; fewer when the terminal has no room for all. */
export function panelGrid(count: number, area: Rectangle): Rectangle[] {
  const grid = bestGrid(count, area);
  const rectangles: Rectangle[] = [];
  for (let index = 0; index < Math.min(count, grid.across * grid.down); index++) {
    const x = index % grid.across;
    const y = Math.floor(index / grid.across);
    const column = Math.floor((x * area.columns) / grid.across);
    const row = Math.floor((y * area.rows) / grid.down);
    rectangles.push({
      column: area.column + column,
      row: area.row + row,
      columns: Math.floor(((x + 1) * area.columns) / grid.across) - column,
      rows: Math.floor(((y + 1) * area.rows) / grid.down) - row,
    });
  }
  return rectangles;
}

/** The grid whose panels come closest to the preferred shape, among those whose panels are large enough. */
function bestGrid(count: number, area: Rectangle): { readonly across: number; readonly down: number } {
  let best = { across: 1, down: Math.max(1, Math.min(count, Math.floor(area.rows / MIN_PANEL_ROWS))) };
  let bestDistance = Infinity;
  for (let across = 1; across <= count; across++) {
    const down = Math.ceil(count / across);
    const columns = area.columns / across;
    const rows = area.rows / down;
    if ((columns < MIN_PANEL_COLUMNS && across > 1) || rows < MIN_PANEL_ROWS) continue;
    const empty = across * down - count;
    const distance = Math.abs(Math.log(columns / SQUARE / rows / PREFERRED_SHAPE)) + 0.3 * empty;
    if (distance < bestDistance) {
      bestDistance = distance;
      best = { across, down };
    }
  }
  return best;
}
