/** INT 10h's colours and information as a program asks for them. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { FirmwareBench } from "./testing.ts";

const BUFFER = { es: 0x3000, gpa: 0x30000 } as const;

const bytesAt = (bench: FirmwareBench, count: number): number[] =>
  Array.from({ length: count }, (_, at) => bench.ram.readU8(BUFFER.gpa + at));

test("the palette is read back as it was written, register by register and as a whole", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: 0x1000, bx: 0x2a03 });
  assert.equal((await bench.interrupt(0x10, { ax: 0x1007, bx: 0x0003 })).ebx >>> 8, 0x2a);
  await bench.interrupt(0x10, { ax: 0x1001, bx: 0x0500 });
  await bench.interrupt(0x10, { ax: 0x1009, es: BUFFER.es, dx: 0 });
  const palette = bytesAt(bench, 17);
  assert.deepEqual([palette[2], palette[3], palette[4], palette[16]], [2, 0x2a, 4, 5]);
});

test("the DAC's pages, mask and entries", async () => {
  const bench = await FirmwareBench.start();
  const page = async (): Promise<number> => (await bench.interrupt(0x10, { ax: 0x101a })).ebx;
  assert.equal(await page(), 0);
  await bench.interrupt(0x10, { ax: 0x1013, bx: 0x0201 });
  assert.equal(await page(), 0x0200);
  await bench.interrupt(0x10, { ax: 0x1013, bx: 0x0100 });
  assert.equal(await page(), 0x0801);
  await bench.interrupt(0x10, { ax: 0x1018, bx: 0x3f });
  assert.equal((await bench.interrupt(0x10, { ax: 0x1019 })).ebx & 0xff, 0x3f);
  await bench.interrupt(0x10, { ax: 0x1010, bx: 7, cx: 0x2000, dx: 0x1000 });
  await bench.interrupt(0x10, { ax: 0x101b, bx: 7, cx: 1 });
  const { ecx, edx } = await bench.interrupt(0x10, { ax: 0x1015, bx: 7 });
  // 30 % of 16, 59 % of 32, 11 % of 0.
  assert.deepEqual([edx >>> 8, ecx], [24, 24 * 0x0101]);
});

test("4-colour modes have two palettes and any background, and text keeps its own", async () => {
  const bench = await FirmwareBench.start();
  const register = async (index: number): Promise<number> =>
    (await bench.interrupt(0x10, { ax: 0x1007, bx: index })).ebx >>> 8;
  await bench.interrupt(0x10, { ax: 0x0b00, bx: 0x0001 });
  assert.deepEqual([await register(0), await register(0x11)], [0, 1]);
  await bench.interrupt(0x10, { ax: 0x0004 });
  await bench.interrupt(0x10, { ax: 0x0b00, bx: 0x0001 });
  await bench.interrupt(0x10, { ax: 0x0b00, bx: 0x0100 });
  const greenRedBrown = [await register(0), await register(1), await register(2), await register(3)];
  await bench.interrupt(0x10, { ax: 0x0b00, bx: 0x0101 });
  const cyanMagentaWhite = [await register(1), await register(2), await register(3)];
  assert.deepEqual(
    greenRedBrown.map((color) => color & 7),
    [1, 2, 4, 6],
  );
  assert.deepEqual(
    cyanMagentaWhite.map((color) => color & 7),
    [3, 5, 7],
  );
});

test("the display's state is a table, with what the ROM says of all modes", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: 0x0200, bx: 0, dx: 0x0507 });
  assert.equal((await bench.interrupt(0x10, { ax: 0x1b00, es: BUFFER.es })).eax & 0xff, 0x1b);
  const state = Buffer.from(bytesAt(bench, 64));
  assert.deepEqual(
    [state[4], state.readUInt16LE(5), state.readUInt16LE(0x0b), state[0x22], state.readUInt16LE(0x23)],
    [3, 80, 0x0507, 25, 16],
  );
  assert.deepEqual([state.readUInt16LE(0x27), state[0x29], state[0x2a], state[0x31]], [16, 8, 2, 3]);
  const table = bench.dma.readable(state.readUInt16LE(2) * 16 + state.readUInt16LE(0), 16);
  assert.deepEqual([...(table ?? [])].slice(0, 3), [0xff, 0x60, 0x0f]);
});

test("switches that are there say so, and others leave AL alone", async () => {
  const bench = await FirmwareBench.start();
  const select = async (al: number, bl: number): Promise<number> =>
    (await bench.interrupt(0x10, { ax: 0x1200 | al, bx: bl })).eax & 0xff;
  assert.deepEqual([await select(1, 0x36), bench.board.ports.readPort(0x3c5, 1) & 0x20], [0x12, 0x20]);
  assert.deepEqual([await select(0, 0x36), bench.board.ports.readPort(0x3c5, 1) & 0x20], [0x12, 0]);
  assert.deepEqual([await select(1, 0x32), bench.board.ports.readPort(0x3cc, 1) & 2], [0x12, 0]);
  assert.deepEqual([await select(0, 0x32), bench.board.ports.readPort(0x3cc, 1) & 2], [0x12, 2]);
  assert.equal(await select(0, 0x30), 0);
  const { ebx } = await bench.interrupt(0x10, { ax: 0x1200, bx: 0x10 });
  assert.equal(ebx, 3);
});

test("cursor shapes are scaled to the characters' height until a program wants them as they are", async () => {
  const bench = await FirmwareBench.start();
  const start = (): number => {
    bench.board.ports.writePort(0x3d4, 1, 0x0a);
    return bench.board.ports.readPort(0x3d5, 1) & 0x1f;
  };
  await bench.interrupt(0x10, { ax: 0x0100, cx: 0x0607 });
  assert.equal(start(), 13);
  await bench.interrupt(0x10, { ax: 0x1201, bx: 0x34 });
  await bench.interrupt(0x10, { ax: 0x0100, cx: 0x0607 });
  assert.equal(start(), 6);
});
