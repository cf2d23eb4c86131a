import assert from "node:assert/strict";
import { test } from "node:test";
import { MiB, unwrap } from "../base/index.ts";
import { createGuestRam } from "../memory/index.ts";
import { RamDma } from "./index.ts";

const SIZE_BYTES = 2 * MiB;

function dma() {
  const ram = unwrap(createGuestRam({ sizeBytes: SIZE_BYTES, reservedPrefixBytes: 64 * 1024 }));
  const written: (readonly [number, number])[] = [];
  return { ram, written, dma: new RamDma(ram, (gpa, lengthBytes) => written.push([gpa, lengthBytes])) };
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
    const { ram, written, dma: channel } = dma();
    const before = new Uint8Array(ram.memory.buffer, 0, ram.base).slice();
    assert.equal(channel.readable(gpa, lengthBytes), undefined);
    assert.equal(channel.writable(gpa, lengthBytes), undefined);
    assert.equal(channel.write(gpa, new Uint8Array(8).fill(0xee)), false);
    assert.deepEqual(new Uint8Array(ram.memory.buffer, 0, ram.base).slice(), before);
    assert.deepEqual(written, []);
  });
}
