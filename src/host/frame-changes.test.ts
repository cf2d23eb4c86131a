import assert from "node:assert/strict";
import { test } from "node:test";

import { NS_PER_MS, NS_PER_S } from "../base/index.ts";
import type { Frame } from "../vmm/index.ts";
import { SimulatedScheduling } from "../vmm/testing.ts";
import { FrameComparison, MirroredFrame } from "./frame-changes.ts";
import { ScreenFeed } from "./screen-feed.ts";

function frameOf(width: number, height: number, pixel: (x: number, y: number) => number): Frame {
  const words = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) words[y * width + x] = pixel(x, y);
  return { width, height, pixels: new Uint8Array(words.buffer) };
}

test("only what has changed travels, and the mirror shows what the screen does", () => {
  const comparison = new FrameComparison();
  const mirror = new MirroredFrame();
  const seen = (): Uint8Array => new Uint8Array(mirror.pixels.buffer);
  const first = frameOf(200, 50, (x, y) => x * y);
  const whole = comparison.update(first, false);
  assert.equal(mirror.apply(whole)?.isResized, true);
  assert.deepEqual(seen(), first.pixels);
  assert.equal(
    comparison.update(
      frameOf(200, 50, (x, y) => x * y),
      false,
    ).pixels.length,
    0,
  );

  const second = frameOf(200, 50, (x, y) => (x === 199 && y === 49 ? 7 : x === 3 && y === 20 ? 9 : x * y));
  const update = comparison.update(second, false);
  assert.ok(update.pixels.length < first.pixels.length / 4);
  // A message's bytes may begin anywhere.
  const moved = new Uint8Array(update.pixels.length + 1);
  moved.set(update.pixels, 1);
  const applied = mirror.apply({ ...update, pixels: moved.subarray(1) });
  assert.deepEqual([applied?.isResized, applied?.rectangles.length], [false, 2]);
  assert.deepEqual(seen(), second.pixels);

  const smaller = frameOf(100, 30, () => 5);
  assert.equal(mirror.apply(comparison.update(smaller, false))?.isResized, true);
  assert.deepEqual(seen(), smaller.pixels);
  assert.equal(comparison.update(smaller, true).pixels.length, smaller.pixels.length);
});

test("an update that does not fit its picture is none", () => {
  const mirror = new MirroredFrame();
  const pixels = new Uint8Array(4 * 100);
  const update = (...places: readonly number[]) =>
    mirror.apply({ width: 10, height: 10, places: Uint16Array.from(places), pixels });
  assert.ok(update(0, 0, 10, 10));
  assert.equal(update(1, 0, 10, 10), undefined);
  assert.equal(update(0, 5, 1, 6), undefined);
  assert.equal(update(0, 0, 10, 10, 0, 0, 1, 1), undefined, "more pixels than there are");
});

function watched() {
  const scheduling = new SimulatedScheduling();
  const comparison = new FrameComparison();
  const state = { looks: 0, color: 1 };
  const feed = new ScreenFeed({
    scheduling,
    look: (isWhole) => {
      state.looks++;
      return Promise.resolve(
        comparison.update(
          frameOf(64, 16, () => state.color),
          isWhole,
        ),
      );
    },
  });
  const viewer = {
    isWaiting: true,
    changes: 0,
    looked: (rectangles: readonly unknown[]) => void (viewer.changes += Math.min(rectangles.length, 1)),
  };
  feed.add(viewer);
  return { scheduling, state, feed, viewer };
}

test("the screen is looked at while somebody waits: 30 times a second at most, seldom while nothing changes", async () => {
  const { scheduling, state, feed, viewer } = watched();
  viewer.isWaiting = false;
  assert.equal(await feed.open(), true);
  await scheduling.run(10 * NS_PER_S);
  assert.equal(state.looks, 1, "nobody waits");

  viewer.isWaiting = true;
  feed.wanted();
  await scheduling.run(10 * NS_PER_S);
  const idle = state.looks - 1;
  assert.ok(idle > 95 && idle < 110, `${idle} looks at a screen that stands still`);

  const changing = state.looks;
  for (let step = 0; step < 1000; step++) {
    state.color++;
    await scheduling.run(10 * NS_PER_MS);
  }
  const busy = state.looks - changing;
  assert.ok(busy > 250 && busy <= 305, `${busy} looks at one that changes`);
  assert.ok(viewer.changes >= busy - 2);
  viewer.isWaiting = false;
  await scheduling.run(NS_PER_S);
  const stopped = state.looks;
  await scheduling.run(10 * NS_PER_S);
  assert.equal(state.looks, stopped);
});

test("whoever types sees the answer as soon as the next picture comes", async () => {
  const { scheduling, state, feed } = watched();
  await feed.open();
  feed.wanted();
  await scheduling.run(5 * NS_PER_S);
  const looks = state.looks;
  feed.hurry();
  await scheduling.run(33 * NS_PER_MS);
  assert.ok(state.looks > looks);
  feed.close();
  await scheduling.run(NS_PER_S);
  const end = state.looks;
  feed.wanted();
  await scheduling.run(NS_PER_S);
  assert.equal(state.looks, end);
});
