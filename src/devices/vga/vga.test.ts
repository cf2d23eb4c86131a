import assert from "node:assert/strict";
import { test } from "node:test";

import { CODE_PAGE_437 } from "./index.ts";
import { VgaBench } from "./testing.ts";

test("after reset the screen is 80 × 25 characters with the usual colours", () => {
  const v = new VgaBench();
  v.print(0, 0, "Hello", 0x1e);
  v.print(24, 75, "end..");
  const screen = v.text();
  assert.equal(screen.columns, 80);
  assert.equal(screen.rows, 25);
  assert.deepEqual([...screen.cells.subarray(0, 4)], [0x48, 0x1e, 0x65, 0x1e]);
  assert.equal(v.lines()[0], "Hello");
  assert.equal(v.lines()[24], " ".repeat(75) + "end..");
  assert.deepEqual(
    screen.colors.slice(0, 9),
    [0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa, 0x555555],
  );
  assert.equal(screen.colors[15], 0xffffff);
});

test("the code page has 256 characters of one UTF-16 unit", () => {
  assert.equal(CODE_PAGE_437.length, 256);
  assert.ok(CODE_PAGE_437.every((character) => character.length === 1));
  assert.equal(new Set(CODE_PAGE_437).size, 255, "0 and 20h are both blank");
  assert.equal(CODE_PAGE_437[0x41], "A");
  assert.equal(CODE_PAGE_437[0x7f], "⌂");
  assert.equal(CODE_PAGE_437[0xb0], "░");
  assert.equal(CODE_PAGE_437[0xdb], "█");
});

test("the start address scrolls, and behind the window's 32 KiB the planes go on", () => {
  const v = new VgaBench();
  v.print(3, 0, "third");
  v.indexed(0x3d4, 0x0c, (3 * 80) >> 8);
  v.indexed(0x3d4, 0x0d, (3 * 80) & 0xff);
  assert.equal(v.lines()[0], "third");
  v.write(0xc0000 - 160, 0x40);
  v.indexed(0x3d4, 0x0c, (0x4000 - 80) >> 8);
  v.indexed(0x3d4, 0x0d, (0x4000 - 80) & 0xff);
  assert.equal(v.lines()[0], "@");
  assert.equal(v.lines()[4], " ".repeat(80).trimEnd());
});

test("the cursor is where the CRTC puts it and can be hidden", () => {
  const v = new VgaBench();
  v.indexed(0x3d4, 0x0e, 0x01);
  v.indexed(0x3d4, 0x0f, 0x45);
  assert.deepEqual(v.text().cursor, { row: 4, column: 5 });
  v.indexed(0x3d4, 0x0a, 0x20);
  assert.equal(v.text().cursor, undefined);
  v.out(0x3d4, 0x0f);
  assert.equal(v.in(0x3d5), 0x45);
});

test("an 8-line font makes 50 rows", () => {
  const v = new VgaBench();
  v.indexed(0x3d4, 0x09, 0x47);
  assert.equal(v.text().rows, 50);
});

test("CRTC registers 0 to 7 are protected until register 11h allows", () => {
  const v = new VgaBench();
  v.indexed(0x3d4, 0x01, 0x27);
  assert.equal(v.text().columns, 80);
  v.indexed(0x3d4, 0x11, 0x0e);
  v.indexed(0x3d4, 0x01, 0x27);
  assert.equal(v.text().columns, 40);
});

test("the attribute port alternates between index and data, and 3DAh makes it expect an index", () => {
  const v = new VgaBench();
  v.in(0x3da);
  v.out(0x3c0, 0x31);
  v.out(0x3c0, 0x2a);
  assert.equal(v.in(0x3c0), 0x31);
  assert.equal(v.in(0x3c1), 0x2a);
  v.out(0x3c0, 0x07);
  v.in(0x3da);
  v.out(0x3c0, 0x0b);
  assert.equal(v.chip.screen().kind, "off", "index without bit 5 blanks the screen");
  v.in(0x3da);
  v.out(0x3c0, 0x20);
  assert.equal(v.chip.screen().kind, "text");
});

test("the DAC is written and read in threes and changes the colours", () => {
  const v = new VgaBench();
  v.out(0x3c8, 0x02);
  for (const component of [0x3f, 0x20, 0x7f]) v.out(0x3c9, component);
  assert.equal(v.in(0x3c8), 3);
  assert.equal(v.text().colors[2], 0xff82ff);
  v.out(0x3c7, 0x02);
  assert.equal(v.in(0x3c7), 3);
  assert.deepEqual([v.in(0x3c9), v.in(0x3c9), v.in(0x3c9)], [0x3f, 0x20, 0x3f]);
});

test("the miscellaneous register moves the CRTC to its monochrome ports", () => {
  const v = new VgaBench();
  assert.equal(v.in(0x3cc), 0x67);
  v.out(0x3c2, 0x66);
  assert.equal(v.in(0x3d4), 0xff);
  v.indexed(0x3b4, 0x0a, 0x20);
  assert.equal(v.text().cursor, undefined);
});

test("a mode of graphics is reported as such, and no text is invented for it", () => {
  const v = new VgaBench();
  v.indexed(0x3ce, 0x06, 0x05);
  assert.equal(v.chip.screen().kind, "graphics");
  assert.equal(v.chip.textScreen(), undefined);
});

test("input status 1 shows the retraces of a 70 Hz picture", () => {
  const v = new VgaBench();
  let retraces = 0;
  let before = 0;
  for (let us = 0; us < 1_000_000; us += 10) {
    const now = v.in(0x3da) & 0x08;
    if (now !== 0 && before === 0) retraces++;
    before = now;
    v.clock.advance(10_000);
  }
  assert.equal(retraces, 70);
});

test("saved state shows the same screen in another VGA", () => {
  const v = new VgaBench();
  v.indexed(0x3d4, 0x0f, 0x10);
  v.out(0x3c8, 0x01);
  v.out(0x3c9, 0x11);
  const other = new VgaBench();
  other.chip.restore(v.chip.save());
  assert.deepEqual(other.chip.screen(), v.chip.screen());
  other.chip.reset();
  assert.deepEqual(other.text().cursor, { row: 0, column: 0 });
});
