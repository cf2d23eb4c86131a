import assert from "node:assert/strict";
import { test } from "node:test";

import { encodePng } from "../../../src/platform/node/index.ts";
import { shareOfColor } from "./picture.ts";

test("the share of a colour is that of the region's pixels", async () => {
  // Three red pixels, one green, in two lines.
  const pixels = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 0, 255, 0, 0);
  const png = await encodePng({ width: 2, height: 2, pixels });
  const whole = { x: 0, y: 0, width: 2, height: 2 };
  assert.equal(shareOfColor(png, whole, [255, 0, 0]), 0.75);
  assert.equal(shareOfColor(png, { ...whole, x: 1, width: 1 }, [0, 255, 0]), 0.5);
  assert.equal(shareOfColor(png, { ...whole, width: 3 }, [255, 0, 0]), 0);
});
