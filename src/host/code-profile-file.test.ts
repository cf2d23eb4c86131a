import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { CODE_PROFILE_BLOCKS_MAX } from "../vmm/index.ts";
import { CODE_PROFILE_FILE_MAX_BYTES, decodeCodeProfile, encodeCodeProfile } from "./code-profile-file.ts";

const blocks = (count: number, first = 0): Uint32Array =>
  Uint32Array.from({ length: count }, (_, i) => (first + i * 0x9e3779b1) >>> 0);
const PROFILE = { hot: blocks(3), lukewarm: blocks(5, 7) };

test("what was written is read", () => {
  assert.deepEqual(decodeCodeProfile(encodeCodeProfile(PROFILE)), PROFILE);
  const nothing = { hot: blocks(0), lukewarm: blocks(0) };
  assert.deepEqual(decodeCodeProfile(encodeCodeProfile(nothing)), nothing);
});

test("the largest profile fits the largest file, and one block more is refused", () => {
  const largest = { hot: blocks(CODE_PROFILE_BLOCKS_MAX), lukewarm: blocks(CODE_PROFILE_BLOCKS_MAX) };
  const bytes = encodeCodeProfile(largest);
  assert.equal(bytes.length, CODE_PROFILE_FILE_MAX_BYTES);
  assert.deepEqual(decodeCodeProfile(bytes), largest);
  const larger = encodeCodeProfile({ hot: blocks(CODE_PROFILE_BLOCKS_MAX + 1), lukewarm: blocks(0) });
  assert.equal(decodeCodeProfile(larger), undefined);
});

test("a file with any byte changed, or cut short anywhere, is no profile", () => {
  const bytes = encodeCodeProfile(PROFILE);
  for (const [at, byte] of bytes.entries()) {
    assert.equal(decodeCodeProfile(bytes.with(at, byte ^ 0x10)), undefined, `byte ${at}`);
    assert.equal(decodeCodeProfile(bytes.subarray(0, at)), undefined, `${at} bytes`);
  }
  assert.equal(decodeCodeProfile(Uint8Array.from([...bytes, 0])), undefined);
});

test("nothing that a file can hold makes the decoder throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
      decodeCodeProfile(tail);
      decodeCodeProfile(Uint8Array.from([...encodeCodeProfile(PROFILE).subarray(0, 25), ...tail]));
    }),
  );
});
