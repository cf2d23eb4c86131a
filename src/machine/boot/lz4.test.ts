import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BootFailure } from "./boot-error.ts";
import { decodeLz4Block, decodeLz4Legacy } from "./lz4.ts";
import { lz4Literals, lz4Payload } from "./test-images.ts";

function decode(block: readonly number[] | Uint8Array, limitBytes = 1000): number[] {
  const target = new Uint8Array(limitBytes);
  const end = decodeLz4Block("k", Uint8Array.from(block), target, 0, limitBytes);
  return [...target.subarray(0, end)];
}

test("a match that overlaps its own output repeats it", () => {
  // One literal "a", a match of 4 + 3 bytes at distance 1, then the last literal "b".
  assert.deepEqual(decode([0x13, 0x61, 1, 0, 0x10, 0x62]), [...new TextEncoder().encode("aaaaaaaab")]);
});

test("long literal and match lengths continue in further bytes", () => {
  const literals = Array.from({ length: 15 + 255 + 2 }, (_, index) => index & 0xff);
  // Match length nibble 15 + 40 + minimum 4 = 59 bytes, at distance 272: the beginning again.
  const block = [0xff, 255, 2, ...literals, 0x10, 0x01, 40, 0x10, 0x7a];
  assert.deepEqual(decode(block), [...literals, ...literals.slice(0, 59), 0x7a]);
});

test("a block may not refer to bytes before its beginning", () => {
  assert.throws(() => decode([0x10, 0x61, 2, 0, 0x10, 0x62]), /damaged.*before its beginning/);
  assert.throws(() => decode([0x10, 0x61, 0, 0, 0x10, 0x62]), /damaged.*before its beginning/);
});

test("a block may not unpack to more than its limit", () => {
  const block = [0x13, 0x61, 1, 0, 0x10, 0x62];
  assert.equal(decode(block, 9).length, 9);
  assert.throws(() => decode(block, 8), /more than it declares/);
});

test("a frame that gives another length than it claims is damaged", () => {
  const frame = lz4Payload(Uint8Array.of(1, 2, 3)).subarray(0, -4);
  assert.deepEqual([...decodeLz4Legacy("k", frame, 3)], [1, 2, 3]);
  assert.throws(() => decodeLz4Legacy("k", frame, 4), /unpacks to 3 bytes instead of 4/);
});

test("any data stored as literals comes back", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), (data) => {
      assert.deepEqual(decode(lz4Literals(data), 2000), [...data]);
    }),
  );
});

/** A run of literals, at least one, and then a match of so many bytes at a distance that reaches back into the output. */
const sequences = fc.array(
  fc.record({
    literals: fc.uint8Array({ minLength: 1, maxLength: 14 }),
    matchBytes: fc.integer({ min: 4, max: 18 }),
    back: fc.nat(),
  }),
  { minLength: 1, maxLength: 40 },
);

test("matches of any length and distance repeat what was written, into whatever room is left", () => {
  fc.assert(
    fc.property(sequences, fc.integer({ min: 0, max: 20 }), (parts, spareBytes) => {
      const block: number[] = [];
      const expected: number[] = [];
      for (const { literals, matchBytes, back } of parts) {
        expected.push(...literals);
        const distance = 1 + (back % expected.length);
        block.push((literals.length << 4) | (matchBytes - 4), ...literals, distance & 0xff, distance >> 8);
        for (let i = 0; i < matchBytes; i++) expected.push(expected[expected.length - distance] ?? 0);
      }
      block.push(0x10, 0x7a);
      expected.push(0x7a);
      assert.deepEqual(decode(block, expected.length + spareBytes), expected);
    }),
  );
});

test("no input makes the decoder fail otherwise than with a sentence", () => {
  let refused = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      try {
        decode(noise, 300);
      } catch (failure) {
        assert.ok(failure instanceof BootFailure, String(failure));
        refused++;
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(refused > 500, `noise was refused ${refused} times`);
});
