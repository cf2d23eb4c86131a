import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32, inflateSync } from "node:zlib";

import { encodePng } from "./png.ts";

test("a picture is a PNG file whose chunks check and whose lines are the pixels without alpha", async () => {
  const pixels = Uint8Array.of(1, 2, 3, 255, 4, 5, 6, 255, 7, 8, 9, 255, 250, 251, 252, 255);
  const png = Buffer.from(await encodePng({ width: 2, height: 2, pixels }));
  assert.equal(png.subarray(1, 4).toString(), "PNG");
  const chunks = [];
  for (let at = 8; at < png.length;) {
    const length = png.readUInt32BE(at);
    const typed = png.subarray(at + 4, at + 8 + length);
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(typed));
    chunks.push({ type: typed.subarray(0, 4).toString(), data: typed.subarray(4) });
    at += 12 + length;
  }
  assert.deepEqual(
    chunks.map(({ type }) => type),
    ["IHDR", "IDAT", "IEND"],
  );
  assert.deepEqual([...(chunks[0]?.data ?? [])], [0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0]);
  const lines = inflateSync(chunks[1]?.data ?? Buffer.alloc(0));
  assert.deepEqual([...lines], [0, 1, 2, 3, 4, 5, 6, 0, 7, 8, 9, 250, 251, 252]);
});
