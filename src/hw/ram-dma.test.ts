import assert from "node:assert/strict";
import { test } from "node:test";
import { MiB, unwrap } from "../base/index.ts";
import { createGuestRam } from "../memory/index.ts";
import { RamDma } from "./index.ts";

const SIZE_BYTES = 2 * MiB;

function dma() {
  const ram = unwrap(createGuestRam({ sizeBytes: SIZE_BYTES, reservedPrefixBytes: 64 * 1024 }));
  const written: (readonly [number, number])[] = [];
  const released: (readonly [number, number])[] = [];
  const beforeWrite = (gpa: number, lengthBytes: number) => void written.push([gpa, lengthBytes]);
  const channel = new RamDma(ram, beforeWrite, (gpa, lengthBytes) => {
    assert.deepEqual(written.at(-1), [gpa, lengthBytes]);
    released.push([gpa, lengthBytes]);
    return lengthBytes;
  });
  return { ram, written, released, dma: channel };
}

test("what a device writes is in guest RAM, and is told before", () => {
  const { ram, written, dma: channel } = dma();
  assert.equal(channel.write(0x1000, Uint8Array.of(1, 2, 3)), true);
  assert.deepEqual([...ram.slice(0x1000, 3)], [1, 2, 3]);
  assert.deepEqual(written, [[0x1000, 3]]);
  const read = new Uint8Array(3);
  assert.equal(channel.read(0x1000, read), true);
  assert.deepEqual([...read], [1, 2, 3]);
  assert.equal(written.length, 1);
});

test("the last bytes of RAM can be reached", () => {
  const { dma: channel } = dma();
  assert.equal(channel.readable(SIZE_BYTES - 4, 4)?.length, 4);
  assert.equal(channel.writable(SIZE_BYTES - 4, 4)?.length, 4);
});

test("whole pages that a device discards are released, and told before as if they were written", () => {
  const { released, dma: channel } = dma();
  assert.equal(channel.discard(0x3000, 0x2000), true);
  assert.equal(channel.discard(0x5001, 0x2fff), true);
  assert.equal(channel.discard(SIZE_BYTES - 0x1000, 0x1000), true);
  const runs = [
    [0x3000, 0x2000],
    [0x6000, 0x2000],
    [SIZE_BYTES - 0x1000, 0x1000],
  ];
  assert.deepEqual(released, runs);
  assert.equal(channel.releasedBytes, 0x5000);
});

test("what holds no whole page is kept", () => {
  const { released, written, dma: channel } = dma();
  assert.equal(channel.discard(0x3001, 0x1ffe), true);
  assert.equal(channel.discard(0x3000, 0), true);
  assert.deepEqual([released, written, channel.releasedBytes], [[], [], 0]);
});

test("where the host frees no pages, discarded ones keep what they hold and their code", () => {
  const ram = unwrap(createGuestRam({ sizeBytes: SIZE_BYTES, reservedPrefixBytes: 0 }));
  ram.writeU32(0x3000, 0x12345678);
  const written: number[] = [];
  const channel = new RamDma(ram, (gpa) => void written.push(gpa));
  assert.equal(channel.discard(0x3000, 0x1000), true);
  assert.equal(channel.discard(SIZE_BYTES, 0x1000), false);
  assert.deepEqual([ram.readU32(0x3000), written, channel.releasedBytes], [0x12345678, [], 0]);
});

const OUTSIDE: readonly (readonly [string, number, number])[] = [
  ["one byte past the end", SIZE_BYTES - 4, 5],
  ["from the end on", SIZE_BYTES, 1],
  ["in a device's registers", 0xfee0_0000, 4],
  ["around 4 GiB", 0xffff_ffff, 2],
  ["far above any memory", 2 ** 52, 8],
  ["as far as numbers go", Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ["in front of address 0", -1, 2],
  ["of no address", NaN, 1],
];
for (const [where, gpa, lengthBytes] of OUTSIDE) {
  test(`nothing is reached ${where}, the engine's memory least of all`, () => {
    const { ram, written, released, dma: channel } = dma();
    const before = new Uint8Array(ram.memory.buffer, 0, ram.base).slice();
    assert.equal(channel.readable(gpa, lengthBytes), undefined);
    assert.equal(channel.writable(gpa, lengthBytes), undefined);
    assert.equal(channel.write(gpa, new Uint8Array(8).fill(0xee)), false);
    assert.equal(channel.discard(gpa, lengthBytes), false);
    assert.deepEqual(new Uint8Array(ram.memory.buffer, 0, ram.base).slice(), before);
    assert.deepEqual([written, released], [[], []]);
  });
}
