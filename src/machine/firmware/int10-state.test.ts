import assert from "node:assert/strict";
import { test } from "node:test";

import { FirmwareBench } from "./testing.ts";

const BUFFER = { es: 0x3000, bx: 0x20 } as const;
const ALL = 7;
const ALL_VBE = 15;

test("the size of the buffer is in blocks of 64 bytes, for the parts that are wanted", async () => {
  const bench = await FirmwareBench.start();
  const size = async (parts: number): Promise<number> =>
    (await bench.interrupt(0x10, { ax: 0x1c00, cx: parts })).ebx;
  assert.deepEqual([await size(1), await size(2), await size(4), await size(ALL)], [1, 1, 13, 15]);
  const vbe = await bench.interrupt(0x10, { ax: 0x4f04, cx: ALL_VBE, dx: 0 });
  assert.deepEqual([vbe.eax, vbe.ebx], [0x004f, 16]);
});

test("parts that there are not, and no parts, are refused", async () => {
  const bench = await FirmwareBench.start();
  for (const cx of [0, 8, 0x17]) {
    assert.equal((await bench.interrupt(0x10, { ax: 0x1c00, cx })).eax & 0xff, 0);
  }
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f04, cx: 0x10, dx: 0 })).eax, 0x014f);
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f04, cx: 1, dx: 3 })).eax, 0x014f);
});

test("what is restored is the mode, its colours and its fonts, whatever was set meanwhile", async () => {
  const bench = await FirmwareBench.start();
  const shown = async (): Promise<unknown> => {
    const { width, height } = bench.board.frame() ?? assert.fail();
    const entry = await bench.interrupt(0x10, { ax: 0x1015, bx: 9 });
    const mode = await bench.interrupt(0x10, { ax: 0x0f00 });
    return {
      width,
      height,
      entry: [entry.edx, entry.ecx],
      mode: mode.eax,
      font: bench.ram.readU32(4 * 0x43),
    };
  };
  await bench.interrupt(0x10, { ax: 0x0012 });
  await bench.interrupt(0x10, { ax: 0x1010, bx: 9, cx: 0x1122, dx: 0x3300 });
  const before = await shown();
  assert.equal((await bench.interrupt(0x10, { ...BUFFER, ax: 0x1c01, cx: ALL })).eax & 0xff, 0x1c);
  await bench.interrupt(0x10, { ax: 0x0004 });
  assert.notDeepEqual(await shown(), before);
  await bench.interrupt(0x10, { ...BUFFER, ax: 0x1c02, cx: ALL });
  assert.deepEqual(await shown(), before);
});

test("a mode of VBE comes back with its picture's place in memory", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: 0x4f02, bx: 0x0101 });
  await bench.interrupt(0x10, { ax: 0x4f07, bx: 0, cx: 8, dx: 16 });
  await bench.interrupt(0x10, { ...BUFFER, ax: 0x4f04, cx: ALL_VBE, dx: 1 });
  await bench.interrupt(0x10, { ax: 0x0003 });
  assert.equal(bench.board.frame()?.height, 400);
  await bench.interrupt(0x10, { ...BUFFER, ax: 0x4f04, cx: ALL_VBE, dx: 2 });
  const frame = bench.board.frame();
  assert.deepEqual([frame?.width, frame?.height], [640, 480]);
  const { ecx, edx } = await bench.interrupt(0x10, { ax: 0x4f07, bx: 1 });
  assert.deepEqual([ecx & 0xffff, edx & 0xffff], [8, 16]);
});
