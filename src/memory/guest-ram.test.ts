import assert from "node:assert/strict";
import { test } from "node:test";

import { GiB, MiB, unwrap } from "../base/index.ts";
import { createGuestRam, GpaOutOfRange } from "./index.ts";

function smallRam() {
  return unwrap(createGuestRam({ sizeBytes: 2 * MiB, reservedPrefixBytes: 100_000 }));
}

test("guest RAM starts after the engine's prefix, on a page of 64 KiB", () => {
  const ram = smallRam();
  assert.equal(ram.base, 131_072);
  ram.writeU32(0x1000, 0xdead_beef);
  const whole = new Uint8Array(ram.memory.buffer);
  assert.equal(whole[ram.base + 0x1000], 0xef);
  assert.ok(ram.memory.buffer instanceof SharedArrayBuffer);
});

test("accesses are little-endian and bounded by the size", () => {
  const ram = smallRam();
  ram.writeU64(2 * MiB - 8, 0x0102_0304_0506_0708n);
  assert.equal(ram.readU16(2 * MiB - 2), 0x0102);
  assert.equal(ram.readU64(2 * MiB - 8), 0x0102_0304_0506_0708n);
  assert.throws(() => ram.readU16(2 * MiB - 1), GpaOutOfRange);
  assert.throws(() => ram.readU8(-1), GpaOutOfRange);
  assert.throws(() => ram.write(2 * MiB - 1, new Uint8Array(2)), /2 bytes at gpa 0x1fffff are outside/);
  assert.equal(ram.slice(2 * MiB, 0).length, 0);
});

test("sizes outside the limits are refused in one sentence", () => {
  const tooLarge = createGuestRam({ sizeBytes: 3 * GiB + 4096, reservedPrefixBytes: 0 });
  assert.equal(tooLarge.ok, false);
  const odd = createGuestRam({ sizeBytes: 2 * MiB + 1, reservedPrefixBytes: 0 });
  assert.equal(!odd.ok && odd.error.code, "ram-size");
  const noRoom = createGuestRam({ sizeBytes: 3 * GiB, reservedPrefixBytes: 2 * GiB });
  assert.equal(!noRoom.ok && noRoom.error.code, "ram-size");
});

test("the largest guest fits beside a prefix of 512 MiB", () => {
  const ram = unwrap(createGuestRam({ sizeBytes: 3 * GiB, reservedPrefixBytes: 512 * MiB }));
  ram.writeU8(3 * GiB - 1, 0x5a);
  assert.equal(ram.readU8(3 * GiB - 1), 0x5a);
});
