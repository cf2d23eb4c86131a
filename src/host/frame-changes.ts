/**
 * A screen that is looked at from another process: only what has changed since the last look travels. The VM's side compares
 * pictures tile by tile, the other one puts them together again.
 */

import type { Frame } from "../vmm/index.ts";
import { DirtyTiles, TILE_HEIGHT, TILE_WIDTH } from "./rfb/dirty-tiles.ts";
import type { Rectangle } from "./rfb/dirty-tiles.ts";

/** What has changed of a screen, or all of it. */
export interface FrameUpdate {
  readonly width: number;
  readonly height: number;
  /** x, y, width and height of each rectangle that has changed; all of the screen if its size has. */
  readonly places: Uint16Array;
  /** Their pixels, one rectangle after the other: red, green, blue and 255 for each. */
  readonly pixels: Uint8Array;
}

/** Numbers in `places` for each rectangle. */
export const PLACE_NUMBERS = 4;

/** In the VM's process. */
export class FrameComparison {
  #last: { readonly width: number; readonly height: number; readonly pixels: Uint32Array } | undefined;

  /** What has changed since the last call, or since nothing if `isWhole`. */
  update(frame: Frame, isWhole: boolean): FrameUpdate {
    const { width, height } = frame;
    const pixels = wordsOf(frame);
    const last = this.#last;
    this.#last = { width, height, pixels };
    const dirty = new DirtyTiles(width, height);
    const all = { x: 0, y: 0, width, height };
    if (isWhole || last === undefined || last.width !== width || last.height !== height) dirty.mark(all);
    else markChanges(dirty, { width, height, pixels }, last.pixels);
    return packed(frame, pixels, dirty.take(all, Infinity));
  }
}

/** The picture as the VM has last reported it. */
export class MirroredFrame {
  width = 0;
  height = 0;
  pixels = new Uint32Array(0);

  /** The rectangles that have changed, and whether the size has; undefined when the update cannot be one of this picture. */
  apply(
    update: FrameUpdate,
  ): { readonly rectangles: readonly Rectangle[]; readonly isResized: boolean } | undefined {
    const { width, height, places } = update;
    const isResized = width !== this.width || height !== this.height;
    if (isResized) {
      this.width = width;
      this.height = height;
      this.pixels = new Uint32Array(width * height);
    }
    const rectangles: Rectangle[] = [];
    const source = wordsOf(update);
    let from = 0;
    for (let at = 0; at < places.length; at += PLACE_NUMBERS) {
      const [x = 0, y = 0, w = 0, h = 0] = places.subarray(at, at + PLACE_NUMBERS);
      if (x + w > width || y + h > height || from + w * h > source.length) return undefined;
      for (let row = 0; row < h; row++, from += w)
        this.pixels.set(source.subarray(from, from + w), (y + row) * width + x);
      rectangles.push({ x, y, width: w, height: h });
    }
    return { rectangles, isResized };
  }
}

function markChanges(
  dirty: DirtyTiles,
  { width, height, pixels }: { width: number; height: number; pixels: Uint32Array },
  last: Uint32Array,
): void {
  for (let top = 0; top < height; top += TILE_HEIGHT) {
    const bottom = Math.min(top + TILE_HEIGHT, height);
    for (let left = 0; left < width; left += TILE_WIDTH) {
      const right = Math.min(left + TILE_WIDTH, width);
      if (differs(pixels, last, width, left, right, top, bottom))
        dirty.mark({ x: left, y: top, width: right - left, height: bottom - top });
    }
  }
}

function differs(
  pixels: Uint32Array,
  last: Uint32Array,
  width: number,
  left: number,
  right: number,
  top: number,
  bottom: number,
): boolean {
  for (let y = top; y < bottom; y++) {
    const end = y * width + right;
    for (let at = y * width + left; at < end; at++) if (pixels[at] !== last[at]) return true;
  }
  return false;
}

function packed(
  { width, height }: Frame,
  pixels: Uint32Array,
  rectangles: readonly Rectangle[],
): FrameUpdate {
  const places = Uint16Array.from(rectangles.flatMap(({ x, y, width: w, height: h }) => [x, y, w, h]));
  const words = new Uint32Array(rectangles.reduce((count, r) => count + r.width * r.height, 0));
  let to = 0;
  for (const { x, y, width: w, height: h } of rectangles) {
    for (let row = 0; row < h; row++, to += w) {
      const from = (y + row) * width + x;
      words.set(pixels.subarray(from, from + w), to);
    }
  }
  return { width, height, places, pixels: new Uint8Array(words.buffer) };
}

/** Pixels as numbers: those of a message may lie anywhere in their buffer. */
function wordsOf({ pixels }: { readonly pixels: Uint8Array }): Uint32Array {
  const aligned = pixels.byteOffset % 4 === 0 ? pixels : pixels.slice();
  return new Uint32Array(aligned.buffer, aligned.byteOffset, aligned.length >> 2);
}
