/** INT 10h's modes of graphics as a program sees them: what is set is on the monitor, and is read back. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FirmwareBench } from "./testing.ts";

async function inMode(number: number): Promise<FirmwareBench> {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: number });
  return bench;
}

/** The monitor's pixel as 0xRRGGBB. */
function shown(bench: FirmwareBench, x: number, y: number): number | undefined {
  const frame = bench.board.frame();
  assert.ok(frame !== undefined);
  const [red = 0, green = 0, blue = 0] = frame.pixels.subarray(4 * (y * frame.width + x));
  return (red << 16) | (green << 8) | blue;
}

for (const { number, size, at, dot, color, rgb } of [
  { number: 0x04, size: [640, 400], at: [319, 199], dot: [638, 398], color: 3, rgb: 0xffffff },
  { number: 0x05, size: [640, 400], at: [1, 1], dot: [2, 2], color: 1, rgb: 0x55ffff },
  { number: 0x06, size: [640, 400], at: [639, 101], dot: [639, 202], color: 1, rgb: 0xffffff },
  { number: 0x0d, size: [640, 400], at: [319, 199], dot: [638, 398], color: 14, rgb: 0xffff55 },
  { number: 0x0e, size: [640, 400], at: [639, 199], dot: [639, 398], color: 6, rgb: 0xaa5500 },
  { number: 0x10, size: [640, 350], at: [639, 349], dot: [639, 349], color: 9, rgb: 0x5555ff },
  { number: 0x11, size: [640, 480], at: [5, 479], dot: [5, 479], color: 15, rgb: 0xffffff },
  { number: 0x12, size: [640, 480], at: [639, 479], dot: [639, 479], color: 12, rgb: 0xff5555 },
  { number: 0x13, size: [640, 400], at: [319, 199], dot: [638, 398], color: 40, rgb: 0xff0000 },
] as const) {
  test(`mode ${number.toString(16)}h has its size and colours, and pixels are written and read`, async () => {
    const bench = await inMode(number);
    const frame = bench.board.frame();
    assert.deepEqual([frame?.width, frame?.height], size);
    assert.ok(
      frame?.pixels.every((value, index) => value === (index % 4 === 3 ? 255 : 0)),
      "it is black",
    );
    const [x, y] = at;
    await bench.interrupt(0x10, { ax: 0x0c00 | color, cx: x, dx: y });
    assert.equal((await bench.interrupt(0x10, { ax: 0x0d00, cx: x, dx: y })).eax & 0xff, color);
    assert.equal(shown(bench, dot[0], dot[1]), rgb);
    assert.equal((await bench.interrupt(0x10, { ax: 0x0f00 })).eax & 0xff, number);
    // Beyond the screen is nothing.
    await bench.interrupt(0x10, { ax: 0x0c00 | color, cx: 640, dx: y });
    await bench.interrupt(0x10, { ax: 0x0c00 | color, cx: x, dx: 480 });
    const pixels = bench.board.frame()?.pixels ?? new Uint8Array();
    const lit = pixels.filter((value, index) => index % 4 !== 3 && value !== 0).length;
    assert.ok(lit >= 1 && lit <= 12);
  });
}

test("exclusive or changes a pixel back", async () => {
  const bench = await inMode(0x12);
  const pixel = { cx: 100, dx: 100 };
  await bench.interrupt(0x10, { ax: 0x0c05, ...pixel });
  await bench.interrupt(0x10, { ax: 0x0c8f, ...pixel });
  assert.equal((await bench.interrupt(0x10, { ax: 0x0d00, ...pixel })).eax & 0xff, 0x0a);
  await bench.interrupt(0x10, { ax: 0x0c8f, ...pixel });
  assert.equal((await bench.interrupt(0x10, { ax: 0x0d00, ...pixel })).eax & 0xff, 0x05);
});

for (const { number, height, rows } of [
  { number: 0x04, height: 8, rows: 25 },
  { number: 0x10, height: 14, rows: 25 },
  { number: 0x12, height: 16, rows: 30 },
  { number: 0x13, height: 8, rows: 25 },
]) {
  test(`mode ${number.toString(16)}h draws characters and scrolls them`, async () => {
    const bench = await inMode(number);
    const pixels = async (row: number): Promise<number> => {
      let lit = 0;
      for (let y = height * row; y < height * (row + 1); y++) {
        for (let x = 0; x < 8; x++) {
          const { eax } = await bench.interrupt(0x10, { ax: 0x0d00, cx: x, dx: y });
          lit += Number((eax & 0xff) === 2);
        }
      }
      return lit;
    };
    for (let row = 0; row < rows; row++) {
      for (const character of "H\r\n") {
        await bench.interrupt(0x10, { ax: 0x0e00 | character.charCodeAt(0), bx: 2 });
      }
    }
    const lit = await pixels(0);
    assert.ok(lit >= 2 * (height - 4) && lit < 8 * height);
    assert.equal(await pixels(rows - 2), lit);
    assert.equal(await pixels(rows - 1), 0, "the last line feed has scrolled");
  });
}

test("back in text the font is there again, and the screen is blank", async () => {
  const bench = await inMode(0x12);
  for (let x = 0; x < 16; x++) await bench.interrupt(0x10, { ax: 0x0c0f, cx: x, dx: 0 });
  await bench.interrupt(0x10, { ax: 0x0003 });
  assert.deepEqual(bench.text(), []);
  await bench.interrupt(0x10, { ax: 0x0e41, bx: 7 });
  assert.deepEqual(bench.text(), ["A"]);
  assert.deepEqual(
    [2, 3, 4, 5].map((x) => shown(bench, x, 2)),
    [0, 0xaaaaaa, 0xaaaaaa, 0],
  );
});
