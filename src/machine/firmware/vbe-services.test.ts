/** VBE through INT 10h: what is told of the modes is true of what they then show. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FirmwareBench } from "./testing.ts";

const SEGMENT = 0x2000;
const BLOCK = SEGMENT << 4;
const DONE = 0x004f;
const FAILED = 0x014f;
const LINEAR = 0x4000;

function farText(bench: FirmwareBench, at: number): string {
  const pointer = bench.ram.readU32(at);
  const gpa = ((pointer >>> 16) << 4) + (pointer & 0xffff);
  const bytes = bench.ram.slice(gpa, 32);
  return String.fromCharCode(...bytes.subarray(0, bytes.indexOf(0)));
}

async function modes(bench: FirmwareBench): Promise<number[]> {
  bench.ram.write(BLOCK, new TextEncoder().encode("VBE2"));
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f00, es: SEGMENT })).eax, DONE);
  const pointer = bench.ram.readU32(BLOCK + 0x0e);
  const gpa = ((pointer >>> 16) << 4) + (pointer & 0xffff);
  const words = Array.from({ length: 100 }, (_, index) => bench.ram.readU16(gpa + 2 * index));
  return words.slice(0, words.indexOf(0xffff));
}

test("the controller tells its version, memory and modes", async () => {
  const bench = await FirmwareBench.start();
  const numbers = await modes(bench);
  assert.deepEqual([...bench.ram.slice(BLOCK, 6)], [0x56, 0x45, 0x53, 0x41, 0x00, 0x02]);
  assert.equal(bench.ram.readU16(BLOCK + 0x12), 256);
  assert.equal(farText(bench, BLOCK + 0x06), "Typevisor VGA");
  assert.ok(numbers.length > 25 && numbers.includes(0x118) && numbers.includes(0x17d));
  assert.equal(new Set(numbers).size, numbers.length);
});

test("a block of VBE 1 is not written beyond its 256 bytes", async () => {
  const bench = await FirmwareBench.start();
  bench.ram.fill(BLOCK, 512, 0xaa);
  await bench.interrupt(0x10, { ax: 0x4f00, es: SEGMENT });
  assert.deepEqual([bench.ram.readU8(BLOCK + 0xff), bench.ram.readU8(BLOCK + 0x100)], [0, 0xaa]);
});

test("every mode can be set, and has the size and the lines that are told of it", async () => {
  const bench = await FirmwareBench.start();
  for (const number of await modes(bench)) {
    const told = await bench.interrupt(0x10, { ax: 0x4f01, cx: number, es: SEGMENT, di: 0x400 });
    assert.equal(told.eax, DONE);
    const info = BLOCK + 0x400;
    const [lineBytes, width, height] = [0x10, 0x12, 0x14].map((at) => bench.ram.readU16(info + at));
    assert.equal((await bench.interrupt(0x10, { ax: 0x4f02, bx: number | LINEAR })).eax, DONE);
    assert.equal((await bench.interrupt(0x10, { ax: 0x4f03 })).ebx & 0xffff, number | LINEAR);
    const { mode } = bench.board.vga.vbe;
    assert.deepEqual([mode?.width, mode?.height, mode?.lineBytes], [width, height, lineBytes]);
    assert.equal(mode?.depth, bench.ram.readU8(info + 0x19));
    // The last pixel, through the frame buffer that is told of.
    const bytes = Math.ceil((mode?.depth ?? 0) / 8);
    const last = (lineBytes ?? 0) * (height ?? 0) - bytes;
    for (let at = 0; at < bytes; at++) {
      bench.board.mmio.writeMmio(bench.ram.readU32(info + 0x28) + last + at, 1, 0x0f);
    }
    const pixels = bench.board.frame()?.pixels.subarray(-8);
    assert.ok(pixels?.subarray(0, 3).every((value) => value === 0));
    assert.ok(pixels?.subarray(4, 7).some((value) => value !== 0));
  }
});

test("banks, longer lines and the start of the display", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: 0x4f02, bx: 0x0101 });
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f05, bx: 0, dx: 5 })).eax, DONE);
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f05, bx: 0x0100 })).edx & 0xffff, 5);
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f05, bx: 0, dx: 256 })).eax, FAILED);
  const line = await bench.interrupt(0x10, { ax: 0x4f06, bx: 0, cx: 1024 });
  assert.deepEqual([line.ebx & 0xffff, line.ecx & 0xffff, line.edx & 0xffff], [1024, 1024, 16384]);
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f07, bx: 0, cx: 8, dx: 16 })).eax, DONE);
  const start = await bench.interrupt(0x10, { ax: 0x4f07, bx: 1 });
  assert.deepEqual([start.ecx & 0xffff, start.edx & 0xffff], [8, 16]);
  assert.equal(bench.board.vga.vbe.mode?.startBytes, 16 * 1024 + 8);
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f07, bx: 0, cx: 0, dx: 0xffff })).eax, FAILED);
});

test("the palette in six and eight bits", async () => {
  const bench = await FirmwareBench.start();
  await bench.interrupt(0x10, { ax: 0x4f02, bx: 0x0103 });
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f08, bx: 0x0800 })).ebx & 0xff00, 0x0800);
  bench.ram.write(BLOCK, Uint8Array.of(0x11, 0x22, 0xf3, 0));
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f09, bx: 0, cx: 1, dx: 255, es: SEGMENT })).eax, DONE);
  await bench.interrupt(0x10, { ax: 0x4f09, bx: 1, cx: 1, dx: 255, es: SEGMENT, di: 0x10 });
  assert.deepEqual([...bench.ram.slice(BLOCK + 0x10, 3)], [0x11, 0x22, 0xf3]);
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f09, bx: 0, cx: 2, dx: 255, es: SEGMENT })).eax, FAILED);
});

test("unknown modes and functions fail, and the BIOS's own modes end VBE", async () => {
  const bench = await FirmwareBench.start();
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f01, cx: 0x1ff, es: SEGMENT })).eax, FAILED);
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f02, bx: 0x1ff })).eax, FAILED);
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f0a, bx: 0 })).eax, FAILED);
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f05, bx: 0 })).eax, FAILED);
  await bench.interrupt(0x10, { ax: 0x4f02, bx: 0x0118 });
  assert.equal(bench.board.textScreen(), undefined);
  await bench.interrupt(0x10, { ax: 0x4f02, bx: 0x0003 });
  assert.equal((await bench.interrupt(0x10, { ax: 0x4f03 })).ebx & 0xffff, 3);
  await bench.interrupt(0x10, { ax: 0x0e41 });
  assert.deepEqual(bench.text(), ["A"]);
});
