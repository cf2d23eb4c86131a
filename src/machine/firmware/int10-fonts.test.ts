import assert from "node:assert/strict";
import { test } from "node:test";

import { FONT_8X16 } from "../../devices/vga/index.ts";
import { FirmwareBench } from "./testing.ts";

const USER_FONT = { es: 0x3000, bp: 0x0010 } as const;
const USER_FONT_GPA = 0x30010;
const ROM_GPA = 0xf0000;
const A = 0x41;

/** One character whose every dot is set, as a program has it in memory. */
function fullCharacter(bench: FirmwareBench, lines: number): void {
  bench.ram.fill(USER_FONT_GPA, lines, 0xff);
}

/** Whether all dots of the screen's first character are of the same colour, and not black. */
function isFirstFull(bench: FirmwareBench, lines: number): boolean {
  const frame = bench.board.frame();
  assert.ok(frame !== undefined);
  const dots = Array.from({ length: lines * 8 }, (_, at) => {
    const start = 4 * ((at >> 3) * frame.width + (at & 7));
    return frame.pixels.subarray(start, start + 3).join();
  });
  return new Set(dots).size === 1 && dots[0] !== "0,0,0";
}

test("the small font makes a screen of 50 rows, all of which are used", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: 0x1112, bx: 0 });
  assert.equal(bench.board.textScreen()?.rows, 50);
  await bench.interrupt(0x10, { ax: 0x0200, dx: 0x3100 });
  for (const character of "end") await bench.interrupt(0x10, { ax: 0x0e00 | character.charCodeAt(0), bx: 7 });
  assert.deepEqual(bench.text(), ["end"]);
  const information = await bench.interrupt(0x10, { ax: 0x1130, bx: 0x0300 });
  assert.deepEqual([information.ecx & 0xffff, information.edx & 0xff], [8, 49]);
  await bench.interrupt(0x10, { ax: 0x0003 });
  assert.equal(bench.board.textScreen()?.rows, 25);
});

test("a program's characters take the place of the ROM's, from the first one that it gives", async () => {
  const bench = await FirmwareBench.start();
  fullCharacter(bench, 16);
  await bench.interrupt(0x10, { ax: 0x0e00 | A, bx: 7 });
  assert.equal(isFirstFull(bench, 16), false);
  await bench.interrupt(0x10, { ...USER_FONT, ax: 0x1100, bx: 0x1000, cx: 1, dx: A });
  assert.equal(isFirstFull(bench, 16), true);
  assert.equal(bench.board.textScreen()?.rows, 25);
  await bench.interrupt(0x10, { ax: 0x1104, bx: 0 });
  assert.equal(isFirstFull(bench, 16), false);
});

test("a font in another block is shown once it is selected", async () => {
  const bench = await FirmwareBench.start();
  fullCharacter(bench, 16);
  await bench.interrupt(0x10, { ax: 0x0e00 | A, bx: 7 });
  await bench.interrupt(0x10, { ...USER_FONT, ax: 0x1100, bx: 0x1001, cx: 1, dx: A });
  assert.equal(isFirstFull(bench, 16), false);
  await bench.interrupt(0x10, { ax: 0x1103, bx: 0x0005 });
  assert.equal(isFirstFull(bench, 16), true);
});

test("fonts that no screen can have change nothing", async () => {
  const bench = await FirmwareBench.start();
  for (const registers of [
    { bx: 0, cx: 1, dx: A },
    { bx: 0x2100, cx: 1, dx: A },
    { bx: 0x1000, cx: 1, dx: 0x100 },
  ]) {
    await bench.interrupt(0x10, { ...USER_FONT, ...registers, ax: 0x1110 });
  }
  assert.equal(bench.board.textScreen()?.rows, 25);
  await bench.interrupt(0x10, { ...USER_FONT, ax: 0x1100, bx: 0x1000, cx: 0xffff, dx: 0xff });
  await bench.interrupt(0x10, { ax: 0x0e00 | A, bx: 7 });
  assert.deepEqual(bench.text(), ["A"]);
});

test("programs find the ROM's fonts by asking, and the old one at its old place", async () => {
  const bench = await FirmwareBench.start();
  const { es, bp } = await bench.interrupt(0x10, { ax: 0x1130, bx: 0x0600 });
  const font = bench.dma.readable(es * 16 + bp, FONT_8X16.length);
  assert.deepEqual(font?.slice(), Uint8Array.from(FONT_8X16));
  const small = await bench.interrupt(0x10, { ax: 0x1130, bx: 0x0300 });
  const asked = bench.dma.readable(small.es * 16 + small.bp, 1024)?.slice();
  assert.deepEqual(bench.dma.readable(ROM_GPA + 0xfa6e, 1024)?.slice(), asked);
  const upper = await bench.interrupt(0x10, { ax: 0x1130, bx: 0x0000 });
  assert.deepEqual([upper.es, upper.bp], [small.es, small.bp + 1024]);
});

test("modes of pixels draw with what INT 43h points to, and a new mode with the ROM's font again", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: 0x0013 });
  bench.ram.fill(USER_FONT_GPA, 256 * 8, 0xff);
  await bench.interrupt(0x10, { ...USER_FONT, ax: 0x1121, bx: 2, cx: 8 });
  await bench.interrupt(0x10, { ax: 0x0900 | A, bx: 12, cx: 1 });
  const pixel = async (x: number, y: number): Promise<number> =>
    (await bench.interrupt(0x10, { ax: 0x0d00, cx: x, dx: y })).eax & 0xff;
  assert.deepEqual([await pixel(0, 0), await pixel(7, 7), await pixel(8, 0)], [12, 12, 0]);
  await bench.interrupt(0x10, { ax: 0x0013 });
  await bench.interrupt(0x10, { ax: 0x0900 | A, bx: 12, cx: 1 });
  assert.equal(await pixel(0, 7), 0);
});

test("a virtual-8086 task's font is where its monitor has put it", async () => {
  const bench = await FirmwareBench.start();
  const [directory, table, frame, upper] = [0x10_0000, 0x10_1000, 0x10_2000, 0xd_0000];
  bench.ram.writeU32(directory, table | 7);
  for (let page = 0; page < 256; page++) bench.ram.writeU32(table + 4 * page, (page << 12) | 7);
  bench.ram.writeU32(table + 4 * (upper >>> 12), frame | 7);
  bench.ram.fill(frame, 256 * 8, 0xff);
  const task = { rflags: 1n << 17n, cr0: 0x8000_0001n, cr3: BigInt(directory) };
  await bench.interrupt(0x10, { ax: 0x0013 });
  await bench.interrupt(0x10, { ax: 0x1121, bx: 2, cx: 8, es: upper >>> 4, bp: 0 }, task);
  await bench.interrupt(0x10, { ax: 0x0900 | A, bx: 12, cx: 1 }, task);
  const { eax } = await bench.interrupt(0x10, { ax: 0x0d00, cx: 7, dx: 7 });
  assert.equal(eax & 0xff, 12);
});

test("CGA modes have the upper half of their characters where INT 1Fh points", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: 0x0004 });
  bench.ram.fill(USER_FONT_GPA, 8, 0xff);
  await bench.interrupt(0x10, { ...USER_FONT, ax: 0x1120 });
  await bench.interrupt(0x10, { ax: 0x0900 | 0x80, bx: 3, cx: 1 });
  const { eax } = await bench.interrupt(0x10, { ax: 0x0d00, cx: 7, dx: 7 });
  assert.equal(eax & 0xff, 3);
});

test("characters that are drawn are read back, and what is none of them reads as 0", async () => {
  for (const mode of [0x06, 0x12, 0x13]) {
    const bench = await FirmwareBench.start();
    await bench.interrupt(0x10, { ax: mode });
    const read = async (column: number): Promise<number> => {
      await bench.interrupt(0x10, { ax: 0x0200, bx: 0, dx: column });
      return (await bench.interrupt(0x10, { ax: 0x0800, bx: 0 })).eax & 0xffff;
    };
    await bench.interrupt(0x10, { ax: 0x0900 | A, bx: 1, cx: 1 });
    assert.deepEqual([await read(0), await read(1)], [A, 0x20]);
    await bench.interrupt(0x10, { ax: 0x0c01, bx: 0, cx: 0, dx: 0 });
    await bench.interrupt(0x10, { ax: 0x0c01, bx: 0, cx: 7, dx: 7 });
    assert.equal(await read(0), 0);
  }
});
