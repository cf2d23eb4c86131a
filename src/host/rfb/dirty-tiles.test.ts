import assert from "node:assert/strict";
import { test } from "node:test";

import { DirtyTiles, TILE_HEIGHT, TILE_WIDTH } from "./dirty-tiles.ts";

const ALL = { x: 0, y: 0, width: 65535, height: 65535 };
const at = (column: number, row: number) => ({
  x: column * TILE_WIDTH,
  y: row * TILE_HEIGHT,
  width: 1,
  height: 1,
});

test("everything is one rectangle, as large as the picture and no larger", () => {
  const tiles = new DirtyTiles(720, 401);
  assert.deepEqual(tiles.take(ALL, Infinity), []);
  tiles.mark(ALL);
  assert.deepEqual(tiles.take(ALL, Infinity), [{ x: 0, y: 0, width: 720, height: 401 }]);
  assert.deepEqual(tiles.take(ALL, Infinity), []);
});

test("tiles side by side and below each other are put together, others are not", () => {
  const tiles = new DirtyTiles(TILE_WIDTH * 8, TILE_HEIGHT * 8);
  for (const [column, row] of [
    [1, 1],
    [2, 1],
    [1, 2],
    [2, 2],
    [5, 2],
    [7, 7],
  ] as const)
    tiles.mark(at(column, row));
  assert.deepEqual(tiles.take(ALL, Infinity), [
    { x: TILE_WIDTH, y: TILE_HEIGHT, width: 2 * TILE_WIDTH, height: 2 * TILE_HEIGHT },
    { x: 5 * TILE_WIDTH, y: 2 * TILE_HEIGHT, width: TILE_WIDTH, height: TILE_HEIGHT },
    { x: 7 * TILE_WIDTH, y: 7 * TILE_HEIGHT, width: TILE_WIDTH, height: TILE_HEIGHT },
  ]);
});

test("only what was asked for is taken, and not more than fits; the rest stays", () => {
  const tiles = new DirtyTiles(TILE_WIDTH * 4, TILE_HEIGHT * 4);
  tiles.mark(ALL);
  const corner = { x: 0, y: 0, width: TILE_WIDTH, height: TILE_HEIGHT };
  assert.deepEqual(tiles.take(corner, Infinity), [corner]);
  const row = 4 * TILE_WIDTH * TILE_HEIGHT;
  assert.deepEqual(tiles.take(ALL, row), [
    { x: TILE_WIDTH, y: 0, width: 3 * TILE_WIDTH, height: TILE_HEIGHT },
    { x: 0, y: TILE_HEIGHT, width: 4 * TILE_WIDTH, height: TILE_HEIGHT },
  ]);
  assert.deepEqual(tiles.take(ALL, Infinity), [
    { x: 0, y: 2 * TILE_HEIGHT, width: 4 * TILE_WIDTH, height: 2 * TILE_HEIGHT },
  ]);
});

test("rectangles outside, and of no size, mark nothing", () => {
  const tiles = new DirtyTiles(100, 100);
  for (const rectangle of [
    { x: 200, y: 0, width: 10, height: 10 },
    { x: 0, y: 200, width: 10, height: 10 },
    { x: 10, y: 10, width: 0, height: 50 },
  ])
    tiles.mark(rectangle);
  assert.deepEqual(tiles.take(ALL, Infinity), []);
  const none = new DirtyTiles(0, 0);
  none.mark(ALL);
  assert.deepEqual(none.take(ALL, Infinity), []);
});
