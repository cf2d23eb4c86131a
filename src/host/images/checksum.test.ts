import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDigest, verifyDigest } from "./checksum.ts";

const EXPECTED = { sizeBytes: 5, sha256: "ab".repeat(32) };

test("the same size and checksum are accepted", () => {
  assert.deepEqual(verifyDigest("package x", EXPECTED, { ...EXPECTED }), { ok: true, value: EXPECTED });
});

test("another size or another checksum is refused", () => {
  const size = verifyDigest("package x", EXPECTED, { ...EXPECTED, sizeBytes: 6 });
  const sum = verifyDigest("package x", EXPECTED, { ...EXPECTED, sha256: "ac".repeat(32) });

  assert(!size.ok && !sum.ok);
  assert.equal(size.error.code, "checksum-mismatch");
  assert.match(size.error.message, /package x has 6 bytes, but its index says 5/);
  assert.equal(sum.error.code, "checksum-mismatch");
});

test("digests are read whatever their case, and nothing weaker than SHA-256 is one", () => {
  assert.deepEqual(parseDigest("x", "5", "AB".repeat(32)), { ok: true, value: EXPECTED });
  assert.equal(parseDigest("x", "5", "ab".repeat(16)).ok, false);
  assert.equal(parseDigest("x", "5", undefined).ok, false);
  assert.equal(parseDigest("x", "-5", "ab".repeat(32)).ok, false);
});
