import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { KiB, MiB } from "../../base/index.ts";
import { BootFailure } from "./boot-error.ts";
import { decodeLz4Legacy } from "./lz4.ts";
import { lz4Frame, lz4Literals } from "./test-images.ts";

const decoder = new WebAssembly.Module(readFileSync(new URL("../../../build/lz4.wasm", import.meta.url)));

/** What a frame gives, whose pieces are gone when the next is taken. */
function unpack(bytes: Uint8Array, unpackedBytes: number, inputBytes?: number): Uint8Array {
  const unpacked = new Uint8Array(unpackedBytes);
  let at = 0;
  for (const piece of decodeLz4Legacy(decoder, { name: "k", bytes, unpackedBytes }, inputBytes)) {
    unpacked.set(piece, at);
    at += piece.length;
  }
  assert.equal(at, unpackedBytes);
  return unpacked;
}

function decode(block: readonly number[], unpackedBytes: number, inputBytes?: number): number[] {
  return [...unpack(lz4Frame([Uint8Array.from(block)]), unpackedBytes, inputBytes)];
}

const lengthBytes = (length: number): number[] => [
  ...Array.from({ length: Math.floor((length - 15) / 255) }, () => 255),
  (length - 15) % 255,
];

/** Literals, and then a match unless it is the last sequence. */
function sequence(literals: Uint8Array, match?: { bytes: number; distance: number }): number[] {
  const matchLength = match === undefined ? 0 : match.bytes - 4;
  return [
    (Math.min(literals.length, 15) << 4) | Math.min(matchLength, 15),
    ...(literals.length < 15 ? [] : lengthBytes(literals.length)),
    ...literals,
    ...(match === undefined ? [] : [match.distance & 0xff, match.distance >> 8]),
    ...(matchLength < 15 ? [] : lengthBytes(matchLength)),
  ];
}

/** By the block format's words, one byte after the other; undefined for damage. */
function plainlyDecoded(block: readonly number[], limitBytes: number): number[] | undefined {
  const out: number[] = [];
  let at = 0;
  const next = (): number => block[at++] ?? NaN;
  const length = (nibble: number): number => {
    let total = nibble;
    for (let more = nibble === 15 ? 255 : 0; more === 255; total += more) more = next();
    return total;
  };
  for (;;) {
    const token = next();
    const literals = length(token >> 4);
    if (!(at + literals <= block.length) || out.length + literals > limitBytes) return undefined;
    for (let left = literals; left > 0; left--) out.push(next());
    if (at === block.length) return out;
    const distance = next() + next() * 256;
    const matchBytes = length(token & 15) + 4;
    if (!(distance > 0 && distance <= out.length) || !(out.length + matchBytes <= limitBytes))
      return undefined;
    for (let left = matchBytes; left > 0; left--) out.push(out[out.length - distance] ?? NaN);
  }
}

test("a match that overlaps its own output repeats it", () => {
  // One literal "a", a match of 4 + 3 bytes at distance 1, then the last literal "b".
  assert.deepEqual(decode([0x13, 0x61, 1, 0, 0x10, 0x62], 9), [...new TextEncoder().encode("aaaaaaaab")]);
});

test("long literal and match lengths continue in further bytes", () => {
  const literals = Array.from({ length: 15 + 255 + 2 }, (_, index) => index & 0xff);
  // Match length nibble 15 + 40 + minimum 4 = 59 bytes, at distance 272: the beginning again.
  const block = [0xff, 255, 2, ...literals, 0x10, 0x01, 40, 0x10, 0x7a];
  assert.deepEqual(decode(block, 332), [...literals, ...literals.slice(0, 59), 0x7a]);
});

test("a block may not refer to bytes before its beginning", () => {
  const first = lz4Literals(Uint8Array.of(1, 2, 3, 4));
  const refusals = [
    [0x10, 0x61, 2, 0, 0x10, 0x62],
    [0x10, 0x61, 0, 0, 0x10, 0x62],
    // Far from the block's end, where sequences are decoded in another way.
    [0x10, 0x61, 2, 0, ...sequence(new Uint8Array(100))],
    [0x10, 0x61, 0, 0, ...sequence(new Uint8Array(100))],
  ];
  for (const block of refusals) {
    const frame = lz4Frame([first, Uint8Array.from(block)]);
    assert.throws(() => unpack(frame, 1000), /damaged.*before its beginning/);
  }
});

test("a block may not unpack to more than its frame declares, nor to more than 8 MiB", () => {
  const block = [0x13, 0x61, 1, 0, 0x10, 0x62];
  assert.equal(decode(block, 9).length, 9);
  assert.throws(() => decode(block, 8), /more than it declares/);
  assert.throws(() => decode(block, 3), /more than it declares/);
  const full = (bytes: number): Uint8Array =>
    Uint8Array.from([
      ...sequence(Uint8Array.of(7), { bytes: bytes - 2, distance: 1 }),
      ...sequence(Uint8Array.of(8)),
    ]);
  const unpacked = unpack(lz4Frame([full(8 * MiB), full(8 * MiB)]), 16 * MiB);
  assert.deepEqual([unpacked.at(-2), unpacked.at(-1), unpacked.indexOf(8)], [7, 8, 8 * MiB - 1]);
  assert.throws(() => unpack(lz4Frame([full(8 * MiB + 1)]), 16 * MiB), /more than it declares/);
});

test("a length that never ends is refused", () => {
  const endless = new Uint8Array(200_000).fill(255);
  assert.throws(() => unpack(lz4Frame([endless]), 8 * MiB), /more than it declares/);
  const match = Uint8Array.from([0x1f, 0x61, 1, 0, ...endless]);
  assert.throws(() => unpack(lz4Frame([match]), 8 * MiB), /more than it declares/);
});

test("a frame that gives another length than it claims is damaged", () => {
  const frame = lz4Frame([lz4Literals(Uint8Array.of(1, 2, 3))]);
  assert.deepEqual([...unpack(frame, 3)], [1, 2, 3]);
  assert.throws(() => unpack(frame, 4), /unpacks to 3 bytes instead of 4/);
});

test("a frame's own damage is named", () => {
  const frame = lz4Frame([lz4Literals(Uint8Array.of(1, 2, 3))]);
  assert.throws(() => unpack(frame.with(0, 3), 3), /has no frame header/);
  assert.throws(() => unpack(Uint8Array.from([...frame, 1, 0]), 3), /ends inside a block length/);
  assert.throws(() => unpack(frame.with(4, 5), 3), /has a block that leaves the file/);
  assert.throws(() => unpack(Uint8Array.from([...frame, 0, 0, 0, 0]), 3), /has a block that leaves the file/);
});

test("a block that is cut names the part that it ends in", () => {
  const cuts: readonly (readonly [readonly number[], RegExp])[] = [
    [[0x13, 0x61, 1, 0], /without a last run of literals/],
    [[0xf0, 255], /inside a literal length/],
    [[0xf0], /inside a literal length/],
    [[0x20, 0x61], /inside a run of literals/],
    [[0x13, 0x61, 1], /inside a match offset/],
    [[0x1f, 0x61, 1, 0, 255], /inside a match length/],
  ];
  for (const [block, sentence] of cuts) assert.throws(() => decode(block, 1000), sentence);
});

/** Where decoding pauses: at each byte, or as rarely as may be. */
const inputSizes = fc.constantFrom(1, 2, 3, 17, 100, 64 * KiB);
const lengthOf = (longest: number): fc.Arbitrary<number> =>
  fc.oneof(fc.nat(20), fc.nat(40), fc.nat(longest), fc.constantFrom(14, 15, 269, 270, 271));

/** A run of literals, at least one, and then a match of so many bytes at a distance that reaches back into the output. */
const sequences = fc.array(
  fc.record({
    literalBytes: lengthOf(700).map((length) => length + 1),
    matchBytes: lengthOf(3000).map((length) => length + 4),
    back: fc.oneof(fc.nat(20), fc.nat()),
  }),
  { minLength: 1, maxLength: 30 },
);

/** A block of them, and what it gives. */
function blockOf(parts: readonly { literalBytes: number; matchBytes: number; back: number }[]): {
  readonly block: number[];
  readonly expected: number[];
} {
  const block: number[] = [];
  const expected: number[] = [];
  let next = 1;
  for (const { literalBytes, matchBytes, back } of parts) {
    const literals = Uint8Array.from({ length: literalBytes }, () => (next = (next * 75 + 74) % 65537));
    for (const byte of literals) expected.push(byte);
    const distance = 1 + (back % Math.min(expected.length, 0xffff));
    block.push(...sequence(literals, { bytes: matchBytes, distance }));
    for (let i = 0; i < matchBytes; i++) expected.push(expected[expected.length - distance] ?? NaN);
  }
  block.push(...sequence(Uint8Array.of(0x7a)));
  expected.push(0x7a);
  return { block, expected };
}

test("literals and matches of any length and distance come out the same, wherever decoding pauses", () => {
  fc.assert(
    fc.property(sequences, inputSizes, (parts, inputBytes) => {
      const { block, expected } = blockOf(parts);
      assert.deepEqual(decode(block, expected.length, inputBytes), expected);
    }),
  );
});

test("every short match at every short distance comes out", () => {
  const numbers = Array.from({ length: 64 * 64 }, (_, index) => index);
  const parts = numbers.map((n) => ({ literalBytes: 1 + (n % 7), matchBytes: 4 + (n >> 6), back: n & 63 }));
  const { block, expected } = blockOf(parts);
  assert.deepEqual(decode(block, expected.length), expected);
});

test("matches reach back 64 KiB, also where the window has moved on", () => {
  const far = { literalBytes: 9, matchBytes: 5000, back: 0xfffe };
  const near = [3, 8, 16, 40_000].map((back) => ({ literalBytes: 30_000, matchBytes: 60_000, back }));
  const { block, expected } = blockOf([...near, ...near, ...near, ...Array.from({ length: 100 }, () => far)]);
  assert.ok(expected.length > MiB, `${expected.length} bytes are several windows`);

  assert.deepEqual(decode(block, expected.length), expected);
});

test("any data stored as literals comes back", () => {
  const large = Uint8Array.from({ length: MiB }, (_, index) => (index * 75) >>> 4);
  assert.deepEqual(unpack(lz4Frame([lz4Literals(large)]), MiB), large);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 2000 }), inputSizes, (data, inputBytes) => {
      assert.deepEqual([...unpack(lz4Frame([lz4Literals(data)]), data.length, inputBytes)], [...data]);
    }),
  );
});

test("damage ends in what a plain decoder gives, or in a sentence", () => {
  let refused = 0;
  const damaged = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 200 }).map((noise) => [...noise]),
    fc.tuple(sequences, fc.nat(), fc.nat(255)).map(([parts, at, byte]) => {
      const { block } = blockOf(parts);
      return block.with(at % block.length, byte);
    }),
  );
  fc.assert(
    fc.property(damaged, fc.nat(4000), inputSizes, (block, limitBytes, inputBytes) => {
      const plain = plainlyDecoded(block, limitBytes);
      try {
        assert.deepEqual(decode(block, plain?.length ?? limitBytes, inputBytes), plain);
      } catch (failure) {
        if (!(failure instanceof BootFailure) || plain !== undefined) throw failure;
        refused++;
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(refused > 500, `damage was refused ${refused} times`);
});
