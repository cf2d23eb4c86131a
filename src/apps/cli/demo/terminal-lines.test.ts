import assert from "node:assert/strict";
import { test } from "node:test";

import { TerminalLines } from "./terminal-lines.ts";

function linesOf(...chunks: readonly string[]): readonly string[] {
  const lines = new TerminalLines();
  for (const chunk of chunks) lines.write(new TextEncoder().encode(chunk));
  return lines.tail(10);
}

test("lines end at newlines, and a carriage return writes over", () => {
  assert.deepEqual(linesOf("one\r\ntwo\r\nthr", "ee"), ["one", "two", "three"]);
  assert.deepEqual(linesOf("10 %\r20 %\r100 %"), ["100 %"]);
  assert.deepEqual(linesOf("abc\b\bX"), ["aXc"]);
  assert.deepEqual(linesOf("a\tb"), ["a       b"]);
});

test("escape sequences are swallowed, wherever the chunks end", () => {
  assert.deepEqual(linesOf("\x1b[1;31mred\x1b[0m plain"), ["red plain"]);
  assert.deepEqual(linesOf("a\x1b", "[", "6", "nb"), ["ab"]);
  assert.deepEqual(linesOf("\x1b]0;a title\x07shown\x1b]2;x\x1b\\!"), ["shown!"]);
  assert.deepEqual(linesOf("\x1b(Bcharset\x1b="), ["charset"]);
});

test("erasing and moving within a line is obeyed", () => {
  assert.deepEqual(linesOf("hello\r\x1b[Kbye"), ["bye"]);
  assert.deepEqual(linesOf("hello\x1b[2D\x1b[K"), ["hel"]);
  assert.deepEqual(linesOf("hello\x1b[1GJ\x1b[3CO"), ["JellO"]);
  assert.deepEqual(linesOf("hello\x1b[2K\rx"), ["x"]);
});

test("characters of several bytes survive the end of a chunk, and broken ones are replaced", () => {
  const lines = new TerminalLines();
  lines.write(Uint8Array.of(0xc3));
  lines.write(Uint8Array.of(0xa4, 0xff, 0x41));
  assert.deepEqual(lines.tail(1), ["ä\ufffdA"]);
});

test("what a guest may send without end is bounded", () => {
  const lines = new TerminalLines();
  lines.write(new TextEncoder().encode(`${"x".repeat(10_000)}\n`.repeat(100)));
  lines.write(new TextEncoder().encode("\n".repeat(10_000)));
  lines.write(new TextEncoder().encode(`\x1b[${"1".repeat(10_000)}`));
  lines.write(new TextEncoder().encode("\x1b[9999Cend"));
  assert.equal(lines.tail(Infinity).length, 500);
  assert.ok(lines.tail(1).join("").length <= 10_000);
});
