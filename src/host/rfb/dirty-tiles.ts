/** Which parts of a picture have changed: tiles of 64 × 16 pixels, a character of text high, put together to rectangles. */

export interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export const TILE_WIDTH = 64;
export const TILE_HEIGHT = 16;

export class DirtyTiles {
  readonly #width: number;
  readonly #height: number;
  readonly #columns: number;
  readonly #rows: number;
  /** A byte for each tile, row by row. */
  readonly #tiles: Uint8Array;
  #count = 0;

  constructor(width: number, height: number) {
    this.#width = width;
    this.#height = height;
    this.#columns = Math.ceil(width / TILE_WIDTH);
    this.#rows = Math.ceil(height / TILE_HEIGHT);
    this.#tiles = new Uint8Array(this.#columns * this.#rows);
  }

  /** Every tile that the rectangle touches; what of it is outside the picture does not matter. */
  mark(rectangle: Rectangle): void {
    this.#each(rectangle, (index) => {
      this.#count += 1 - (this.#tiles[index] ?? 0);
      this.#tiles[index] = 1;
    });
  }

  /** Tiles within `limits` as rectangles that do not overlap, with about `pixelsMax` pixels at most; they are clean then. */
  take(limits: Rectangle, pixelsMax: number): Rectangle[] {
    if (this.#count === 0) return [];
    const found: Rectangle[] = [];
    // Those that end at the row above, by where they begin: what is as wide goes on below it.
    let above = new Map<number, number>();
    let pixels = 0;
    const { top, bottom, left, right } = this.#range(limits);
    for (let row = top; row < bottom && pixels < pixelsMax; row++) {
      const here = new Map<number, number>();
      const y = row * TILE_HEIGHT;
      const height = Math.min(TILE_HEIGHT, this.#height - y);
      for (let column = left; column < right;) {
        const first = column;
        while (column < right && this.#clean(row, column)) column++;
        if (column === first) {
          column++;
          continue;
        }
        const x = first * TILE_WIDTH;
        const width = Math.min(column * TILE_WIDTH, this.#width) - x;
        pixels += width * height;
        const index = above.get(x);
        const upper = index === undefined ? undefined : found[index];
        if (index !== undefined && upper?.width === width) {
          found[index] = { ...upper, height: upper.height + height };
          here.set(x, index);
        } else {
          here.set(x, found.push({ x, y, width, height }) - 1);
        }
      }
      above = here;
    }
    return found;
  }

  /** Whether the tile was dirty; it is not any more. */
  #clean(row: number, column: number): boolean {
    const index = row * this.#columns + column;
    const wasDirty = this.#tiles[index] === 1;
    this.#tiles[index] = 0;
    if (wasDirty) this.#count--;
    return wasDirty;
  }

  #each(rectangle: Rectangle, visit: (index: number) => void): void {
    const { top, bottom, left, right } = this.#range(rectangle);
    for (let row = top; row < bottom; row++) {
      for (let column = left; column < right; column++) visit(row * this.#columns + column);
    }
  }

  #range({ x, y, width, height }: Rectangle) {
    const isEmpty = width === 0 || height === 0;
    return {
      left: Math.min(Math.floor(x / TILE_WIDTH), this.#columns),
      right: isEmpty ? 0 : Math.min(Math.ceil((x + width) / TILE_WIDTH), this.#columns),
      top: Math.min(Math.floor(y / TILE_HEIGHT), this.#rows),
      bottom: isEmpty ? 0 : Math.min(Math.ceil((y + height) / TILE_HEIGHT), this.#rows),
    };
  }
}
