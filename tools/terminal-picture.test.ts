import assert from "node:assert/strict";
import test from "node:test";
import { terminalPicture } from "./terminal-picture.ts";

test("text is drawn on the grid in its colour and weight, escaped", () => {
  const picture = terminalPicture("ab\x1b[1;32m<c>\x1b[0md\n");
  const texts = [...picture.matchAll(/<text x="([\d.]+)".*?<\/text>/g)].map(([whole, x]) => ({ whole, x }));
  assert.deepEqual(
    texts.map(({ x }) => x),
    ["12", "28.86", "54.15"],
  );
  assert.match(texts[1]?.whole ?? "", /fill="#8ec07c" font-weight="bold">&lt;c&gt;</);
  assert.match(texts[2]?.whole ?? "", /textLength="8.43">d</);
});

test("reverse video fills the cells, and a style goes on into the next line", () => {
  const picture = terminalPicture("\x1b[7m x\ny\x1b[27m z\n\n\n");
  assert.equal(picture.match(/<rect x=/g)?.length, 2);
  assert.match(picture, /viewBox="0 0 50 58"/);
});
