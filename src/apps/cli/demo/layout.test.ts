import assert from "node:assert/strict";
import { test } from "node:test";

import { panelGrid } from "./layout.ts";

const area = (columns: number, rows: number) => ({ column: 0, row: 1, columns, rows });

test("four panels are a square on 80 × 24 and on a large terminal", () => {
  assert.deepEqual(panelGrid(4, area(80, 22)), [
    { column: 0, row: 1, columns: 40, rows: 11 },
    { column: 40, row: 1, columns: 40, rows: 11 },
    { column: 0, row: 12, columns: 40, rows: 11 },
    { column: 40, row: 12, columns: 40, rows: 11 },
  ]);
  assert.equal(panelGrid(4, area(200, 58))[1]?.columns, 100);
});

test("one panel has it all, and a narrow terminal gets a column", () => {
  assert.deepEqual(panelGrid(1, area(80, 22)), [{ column: 0, row: 1, columns: 80, rows: 22 }]);
  assert.deepEqual(
    panelGrid(2, area(50, 30)).map(({ columns }) => columns),
    [50, 50],
  );
});

test("without room for all there are as many as fit, and none overlaps or leaves the area", () => {
  for (const count of [1, 2, 3, 5, 9]) {
    for (const [columns, rows] of [
      [40, 8],
      [80, 22],
      [81, 23],
      [211, 61],
    ] as const) {
      const panels = panelGrid(count, area(columns, rows));
      assert.ok(panels.length >= 1 && panels.length <= count);
      const cells = new Set<string>();
      for (const panel of panels) {
        for (let row = panel.row; row < panel.row + panel.rows; row++) {
          for (let column = panel.column; column < panel.column + panel.columns; column++) {
            cells.add(`${column},${row}`);
          }
        }
      }
      const total = panels.reduce((sum, panel) => sum + panel.columns * panel.rows, 0);
      assert.equal(cells.size, total);
      assert.ok(
        panels.every(
          (panel) => panel.row + panel.rows <= rows + 1 && panel.column + panel.columns <= columns,
        ),
      );
    }
  }
});
