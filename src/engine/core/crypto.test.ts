/** AES, SHA and PCLMULQDQ helpers, in the order in which programs use them, against published vectors. */
import assert from "node:assert/strict";
import test from "node:test";
import { FpuFixture } from "./fpu-fixture.ts";

const fixture = await FpuFixture.start();

/** A register's value from its bytes in memory's order. */
const fromBytes = (hex: string): bigint => BigInt(`0x${(hex.match(/../g) ?? []).reverse().join("")}`);
const register = (...lanes: readonly number[]): bigint =>
  lanes.reduce((value, lane, i) => value | (BigInt(lane >>> 0) << BigInt(32 * i)), 0n);
const lane = (value: bigint, i: number): number => Number((value >> BigInt(32 * i)) & 0xffff_ffffn);
const LAST = 0xffff_ffffn << 96n;

function run(helper: string, d: bigint, s: bigint, imm = 0): bigint {
  fixture.setXmm(1, d);
  fixture.setXmm(2, s);
  assert.equal(fixture.call(helper, 1, 2, imm), undefined);
  return fixture.xmm(1);
}

// ---- AES ----------------------------------------------------------------------------------------------------------
const ROUND_CONSTANTS = [1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x1b, 0x36] as const;

/** The key schedule of AES-128. */
function expandKey(key: bigint): bigint[] {
  const keys = [key];
  for (const constant of ROUND_CONSTANTS) {
    const last = keys.at(-1) ?? 0n;
    const word = (run("aeskeygenassist", 0n, last, constant) & LAST) >> 96n;
    const mixed = last ^ (last << 32n) ^ (last << 64n) ^ (last << 96n);
    keys.push(BigInt.asUintN(128, mixed) ^ (word * 0x1_00000001_00000001_00000001n));
  }
  return keys;
}

test("AES-128 encrypts and decrypts as FIPS 197, C.1 says", () => {
  const plain = fromBytes("00112233445566778899aabbccddeeff");
  const cipher = fromBytes("69c4e0d86a7b0430d8cdb78070b4c55a");
  const keys = expandKey(fromBytes("000102030405060708090a0b0c0d0e0f"));
  const first = keys[0] ?? 0n;
  const last = keys[10] ?? 0n;
  const inner = keys.slice(1, 10);

  const beforeLast = inner.reduce((state, key) => run("aesenc", state, key), plain ^ first);
  assert.equal(run("aesenclast", beforeLast, last), cipher);

  const inverseKeys = inner.map((key) => run("aesimc", 0n, key)).reverse();
  const afterFirst = inverseKeys.reduce((state, key) => run("aesdec", state, key), cipher ^ last);
  assert.equal(run("aesdeclast", afterFirst, first), plain);
});

// ---- SHA ----------------------------------------------------------------------------------------------------------
/** "abc", padded to one block, as big-endian words. */
const BLOCK = [0x61626380, ...Array.from({ length: 14 }, () => 0), 24];

/** 2^32 times the fractional part of a root of a prime, to the bit: the constants of SHA-256. */
const PRIMES = Array.from({ length: 312 }, (_, n) => n).filter(
  (n) => n > 1 && !Array.from({ length: n }, (_unused, k) => k).some((k) => k > 1 && n % k === 0),
);
function fractionOfRoot(n: number, degree: 2n | 3n): number {
  const scaled = BigInt(n) << (32n * degree);
  let root = 0n;
  for (let bit = 1n << 40n; bit > 0n; bit >>= 1n) if ((root | bit) ** degree <= scaled) root |= bit;
  return Number(root & 0xffff_ffffn);
}

test("SHA-256 of abc is what FIPS 180 says", () => {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = PRIMES.map((n) => fractionOfRoot(n, 2n));
  const constants = PRIMES.map((n) => fractionOfRoot(n, 3n));
  const words = [0, 4, 8, 12].map((at) => register(...BLOCK.slice(at, at + 4)));
  for (let i = 4; i < 16; i++) {
    const [w0 = 0n, w4 = 0n, w8 = 0n, w12 = 0n] = words.slice(-4);
    const shifted = (w12 << 96n) | (w8 >> 32n); // PALIGNR: words 9 to 12
    const sum = register(
      ...[0, 1, 2, 3].map((k) => lane(run("sha256msg1", w0, w4), k) + lane(BigInt.asUintN(128, shifted), k)),
    );
    words.push(run("sha256msg2", sum, w12));
  }
  const initial = { abef: register(f, e, b, a), cdgh: register(h, g, d, c) };
  let { abef, cdgh } = initial;
  for (let round = 0; round < 64; round += 2) {
    const word = words[round >> 2] ?? 0n;
    const at = round & 2;
    fixture.setXmm(
      0,
      register(lane(word, at) + (constants[round] ?? 0), lane(word, at + 1) + (constants[round + 1] ?? 0)),
    );
    [abef, cdgh] = [run("sha256rnds2", cdgh, abef), abef];
  }
  const digest = [
    ...[3, 2].map((i) => lane(abef, i) + lane(initial.abef, i)),
    ...[3, 2].map((i) => lane(cdgh, i) + lane(initial.cdgh, i)),
    ...[1, 0].map((i) => lane(abef, i) + lane(initial.abef, i)),
    ...[1, 0].map((i) => lane(cdgh, i) + lane(initial.cdgh, i)),
  ].map((word) => (word >>> 0).toString(16).padStart(8, "0"));
  assert.equal(digest.join(""), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("SHA-1 of abc is what FIPS 180 says", () => {
  const reversed = (...four: readonly number[]): bigint => register(...four.toReversed());
  const words = [0, 4, 8, 12].map((at) => reversed(...BLOCK.slice(at, at + 4)));
  for (let i = 4; i < 20; i++) {
    const [w0 = 0n, w4 = 0n, w8 = 0n, w12 = 0n] = words.slice(-4);
    words.push(run("sha1msg2", run("sha1msg1", w0, w4) ^ w8, w12));
  }
  const state = reversed(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  const initialE = 0xc3d2e1f0;
  let abcd = state;
  let before = 0n;
  for (const [i, word] of words.entries()) {
    const withE =
      i === 0 ? BigInt.asUintN(128, word + (BigInt(initialE) << 96n)) : run("sha1nexte", before, word);
    before = abcd;
    abcd = run("sha1rnds4", abcd, withE, Math.floor(i / 5));
  }
  const e = lane(run("sha1nexte", before, register(0, 0, 0, initialE)), 3);
  const digest = [...[3, 2, 1, 0].map((i) => lane(abcd, i) + lane(state, i)), e].map((word) =>
    (word >>> 0).toString(16).padStart(8, "0"),
  );
  assert.equal(digest.join(""), "a9993e364706816aba3e25717850c26c9cd0d89d");
});

// ---- PCLMULQDQ ----------------------------------------------------------------------------------------------------
test("PCLMULQDQ multiplies the quadwords that its immediate names", () => {
  const d = 0x7b5b5465_73745665_63746f72_5d53475dn;
  const s = 0x48692853_68617929_5b477565_726f6e5dn;
  // The four products of the white paper that introduced the instruction.
  assert.equal(run("pclmulqdq", d, s, 0x00), 0x1d4d84c85c3440c0929633d5d36f0451n);
  assert.equal(run("pclmulqdq", d, s, 0x01), 0x1a2bf6db3a30862fbabf262df4b7d5c9n);
  assert.equal(run("pclmulqdq", d, s, 0x10), 0x1bd17c8d556ab5a17fa540ac2a281315n);
  assert.equal(run("pclmulqdq", d, s, 0x11), 0x1d1e1f2c592e7c45d66ee03e410fd4edn);
});
