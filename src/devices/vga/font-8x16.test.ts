import assert from "node:assert/strict";
import { test } from "node:test";

import { CODE_PAGE_437, FONT_8X16, FONT_LINES } from "./index.ts";

const glyph = (character: string): Uint8Array => {
  const code = CODE_PAGE_437.indexOf(character);
  return FONT_8X16.subarray(code * FONT_LINES, (code + 1) * FONT_LINES);
};

test("every character but the three blanks has a glyph, and no two are alike", () => {
  assert.equal(FONT_8X16.length, 256 * FONT_LINES);
  const glyphs = CODE_PAGE_437.map((_, code) =>
    FONT_8X16.subarray(code * FONT_LINES, (code + 1) * FONT_LINES).join(),
  );
  assert.equal(new Set(glyphs).size, 254);
});

test("a letter with an accent has the letter's lines below it", () => {
  assert.deepEqual(glyph("é").subarray(5), glyph("e").subarray(5));
  assert.notDeepEqual(glyph("é").subarray(0, 5), glyph("e").subarray(0, 5));
  assert.deepEqual(glyph("Ö").subarray(2), glyph("O").subarray(2));
});

test("lines of boxes meet those of their neighbours", () => {
  assert.equal(glyph("─")[7], 0xff);
  assert.equal(glyph("┌")[7], 0x0f);
  assert.equal(glyph("┐")[7], 0xf8);
  assert.deepEqual([glyph("═")[6], glyph("═")[7], glyph("═")[8]], [0xff, 0x00, 0xff]);
  assert.deepEqual([glyph("╔")[6], glyph("╔")[8], glyph("╔")[15]], [0x1f, 0x17, 0x14]);
  assert.deepEqual([...glyph("│")], Array(16).fill(0x08));
});
