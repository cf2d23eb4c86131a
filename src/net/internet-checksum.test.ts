import assert from "node:assert/strict";
import { test } from "node:test";
import { checksumAdd, checksumOf, folded } from "./internet-checksum.ts";

test("RFC 1071's example has its sum", () => {
  const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
  assert.equal(folded(checksumAdd(0, bytes, 0, 8)), 0xddf2);
  assert.equal(checksumOf(checksumAdd(0, bytes, 0, 8)), 0x220d);
});

test("an odd last byte is a high half, and what is before and behind the range does not count", () => {
  const bytes = Uint8Array.of(0xff, 0x12, 0x34, 0x56, 0xff);
  assert.equal(folded(checksumAdd(0, bytes, 1, 4)), 0x1234 + 0x5600);
  assert.equal(folded(checksumAdd(0, bytes, 2, 2)), 0);
});

test("sums go on from others, and carries come back in", () => {
  const bytes = new Uint8Array(64 * 1024).fill(0xff);
  const once = checksumAdd(0, bytes, 0, bytes.length);
  assert.equal(folded(once), 0xffff);
  assert.equal(folded(checksumAdd(once, bytes, 0, bytes.length)), 0xffff);
  assert.equal(folded(checksumAdd(0xffff_ffff, Uint8Array.of(0, 2), 0, 2)), 2);
});

test("bytes with their checksum among them add up to FFFFh", () => {
  const header = Uint8Array.of(0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 192, 168, 0, 1, 192, 168, 0, 199); // prettier-ignore
  const checksum = checksumOf(checksumAdd(0, header, 0, 20));
  assert.equal(checksum, 0xb861);
  header.set([checksum >>> 8, checksum & 0xff], 10);
  assert.equal(folded(checksumAdd(0, header, 0, 20)), 0xffff);
});
