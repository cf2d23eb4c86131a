import assert from "node:assert/strict";
import { test } from "node:test";

import { Frame, Painter } from "./frame.ts";

function frameOf(...rows: readonly string[]): Frame {
  const frame = new Frame(20, rows.length);
  for (const [row, text] of rows.entries()) frame.put(0, row, text);
  return frame;
}

test("the first frame is painted whole, the next only where it differs", () => {
  const painter = new Painter();
  assert.equal(painter.paint(frameOf("hello", "world")), "\x1b[0m\x1b[2J\x1b[1;1Hhello\x1b[2;1Hworld");
  assert.equal(painter.paint(frameOf("hello", "world")), "");
  assert.equal(painter.paint(frameOf("hello", "wOrld")), "\x1b[2;2HO");
  assert.equal(painter.paint(frameOf("", "wOrld")), "\x1b[1;1H     ");
});

test("changes far apart are painted apart, near ones together", () => {
  const painter = new Painter();
  painter.paint(frameOf("aaaaaaaaaaaaaaaaaaaa"));
  assert.equal(painter.paint(frameOf("bbaaaaaaaaaaaaaaaabb")), "\x1b[1;1Hbb\x1b[1;19Hbb");
  assert.equal(painter.paint(frameOf("bbaacaaaaaaaaaaaaabb")), "\x1b[1;5Hc");
});

test("styles are switched where they change and ended at the end", () => {
  const frame = new Frame(4, 1);
  frame.put(0, 0, "ab", "1");
  frame.put(2, 0, "cd");
  assert.equal(new Painter().paint(frame), "\x1b[0m\x1b[2J\x1b[1;1H\x1b[0;1mab\x1b[0mcd");
  frame.put(2, 0, "cd", "31");
  assert.ok(new Painter().paint(frame).endsWith("\x1b[0;31mcd\x1b[0m"));
});

test("another size is painted whole", () => {
  const painter = new Painter();
  painter.paint(frameOf("x"));
  assert.ok(painter.paint(new Frame(10, 2)).startsWith("\x1b[0m\x1b[2J"));
});

test("text is cut at the edges, and takes one cell per character", () => {
  const frame = new Frame(4, 1);
  frame.put(-1, 0, "abcdefgh");
  assert.equal(frame.text(0), "bcde");
  frame.put(0, 0, "日\x1b\u0301x");
  assert.equal(frame.text(0), "???x");
  frame.put(0, 5, "outside");
  frame.put(1, 0, "long", "", 2);
  assert.equal(frame.text(0), "?lox");
});
