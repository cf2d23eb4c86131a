// SHA-1 and SHA-256 rounds and message schedules (FIPS 180-4; SDM vol. 2, SHA1RNDS4 to SHA256MSG2). Word 0 of the
// manual's pictures is the lowest lane; SHA-1 has its first word in the highest one.
import { fourLanes, xmm } from "./xmm";

@inline
function lane(p: usize, i: u32): u32 {
  return load<u32>(p + (i << 2));
}

/** Lanes 0 to 3. */
@inline
function storeLanes(p: usize, l0: u32, l1: u32, l2: u32, l3: u32): void {
  v128.store(p, fourLanes(l0, l1, l2, l3));
}

@inline
function choose(x: u32, y: u32, z: u32): u32 {
  return (x & y) ^ (~x & z);
}

@inline
function majority(x: u32, y: u32, z: u32): u32 {
  return (x & y) ^ (x & z) ^ (y & z);
}

// ---- SHA-1 ------------------------------------------------------------------------------------------------------
/** The function of rounds 20 × phase to 20 × phase + 19, with their constant. */
@inline
function sha1Mix(phase: u32, b: u32, c: u32, d: u32): u32 {
  switch (phase) {
    case 0:
      return choose(b, c, d) + 0x5a827999;
    case 1:
      return (b ^ c ^ d) + 0x6ed9eba1;
    case 2:
      return majority(b, c, d) + 0x8f1bbcdc;
    default:
      return (b ^ c ^ d) + 0xca62c1d6;
  }
}

/** Four rounds on A–D in d; s holds four words, E being added to the first; imm: which twenty of the eighty rounds. */
export function h_sha1rnds4(d: u32, s: u32, imm: i32): u32 {
  const phase: u32 = imm & 3;
  const words = xmm(s);
  const state = xmm(d);
  let a = lane(state, 3);
  let b = lane(state, 2);
  let c = lane(state, 1);
  let dd = lane(state, 0);
  let e: u32 = 0;
  for (let i: u32 = 0; i < 4; i++) {
    const next = sha1Mix(phase, b, c, dd) + rotl<u32>(a, 5) + lane(words, 3 - i) + e;
    e = dd;
    dd = c;
    c = rotl<u32>(b, 30);
    b = a;
    a = next;
  }
  storeLanes(state, dd, c, b, a);
  return 0;
}

/** E of four rounds later, added to the next four words. */
export function h_sha1nexte(d: u32, s: u32, imm: i32): u32 {
  const e = rotl<u32>(lane(xmm(d), 3), 30);
  const words = v128.load(xmm(s));
  v128.store(xmm(d), i32x4.replace_lane(words, 3, i32x4.extract_lane(words, 3) + e));
  return 0;
}

export function h_sha1msg1(d: u32, s: u32, imm: i32): u32 {
  const first = v128.load(xmm(d));
  const second = v128.load(xmm(s));
  // The words two further on: the low half of d above the high half of s.
  v128.store(xmm(d), v128.xor(first, i64x2.shuffle(second, first, 1, 2)));
  return 0;
}

export function h_sha1msg2(d: u32, s: u32, imm: i32): u32 {
  const p = xmm(d);
  const q = xmm(s);
  const w16 = rotl<u32>(lane(p, 3) ^ lane(q, 2), 1);
  const w17 = rotl<u32>(lane(p, 2) ^ lane(q, 1), 1);
  const w18 = rotl<u32>(lane(p, 1) ^ lane(q, 0), 1);
  storeLanes(p, rotl<u32>(lane(p, 0) ^ w16, 1), w18, w17, w16);
  return 0;
}

// ---- SHA-256 ----------------------------------------------------------------------------------------------------
@inline
function bigSigma0(x: u32): u32 {
  return rotr<u32>(x, 2) ^ rotr<u32>(x, 13) ^ rotr<u32>(x, 22);
}

@inline
function bigSigma1(x: u32): u32 {
  return rotr<u32>(x, 6) ^ rotr<u32>(x, 11) ^ rotr<u32>(x, 25);
}

@inline
function sigma0(x: u32): u32 {
  return rotr<u32>(x, 7) ^ rotr<u32>(x, 18) ^ (x >> 3);
}

@inline
function sigma1(x: u32): u32 {
  return rotr<u32>(x, 17) ^ rotr<u32>(x, 19) ^ (x >> 10);
}

/** Two rounds: C D G H in d, A B E F in s, both words with their constants added in XMM0. */
export function h_sha256rnds2(d: u32, s: u32, imm: i32): u32 {
  const abef = xmm(s);
  const cdgh = xmm(d);
  const words = xmm(0);
  let a = lane(abef, 3);
  let b = lane(abef, 2);
  let c = lane(cdgh, 3);
  let dd = lane(cdgh, 2);
  let e = lane(abef, 1);
  let f = lane(abef, 0);
  let g = lane(cdgh, 1);
  let h = lane(cdgh, 0);
  for (let i: u32 = 0; i < 2; i++) {
    const sum = choose(e, f, g) + bigSigma1(e) + lane(words, i) + h;
    const next = sum + majority(a, b, c) + bigSigma0(a);
    h = g;
    g = f;
    f = e;
    e = sum + dd;
    dd = c;
    c = b;
    b = a;
    a = next;
  }
  storeLanes(cdgh, f, e, b, a);
  return 0;
}

export function h_sha256msg1(d: u32, s: u32, imm: i32): u32 {
  const p = xmm(d);
  const w4 = lane(xmm(s), 0);
  storeLanes(
    p,
    lane(p, 0) + sigma0(lane(p, 1)),
    lane(p, 1) + sigma0(lane(p, 2)),
    lane(p, 2) + sigma0(lane(p, 3)),
    lane(p, 3) + sigma0(w4),
  );
  return 0;
}

export function h_sha256msg2(d: u32, s: u32, imm: i32): u32 {
  const p = xmm(d);
  const q = xmm(s);
  const w16 = lane(p, 0) + sigma1(lane(q, 2));
  const w17 = lane(p, 1) + sigma1(lane(q, 3));
  const w18 = lane(p, 2) + sigma1(w16);
  storeLanes(p, w16, w17, w18, lane(p, 3) + sigma1(w17));
  return 0;
}
