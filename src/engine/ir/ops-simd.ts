/**
 * IR ops of integer SIMD and bitwise logic on XMM registers: SSE, SSE2, SSSE3, SSE4.1, as WebAssembly SIMD.
 * Floating-point arithmetic is in the core (helpers-sse.ts) because MXCSR needs exact flags, and for ordinary numbers in
 * regions too (quick-floats.ts).
 * Operand d and s are register indices; memory operands have been loaded to XMM_TEMP.
 */
import type { OpRow } from "./op.ts";
import * as x from "./expr.ts";
import type { Expr, Statement } from "./expr.ts";
import type { SimdOp } from "./wasm-ops.ts";

const inline = (name: string, body: readonly Statement[]): OpRow => ({
  name,
  format: "short",
  meaning: { kind: "inline", body },
});
const d = x.xmm("d");
const s = x.xmm("s");
const v = (op: SimdOp, ...args: Expr[]): Expr => x.simd(op, "v128", args);
const set = (value: Expr): Statement => x.setXmm("d", value);
const shuffle = (left: Expr, right: Expr, lanes: readonly number[]): Expr =>
  x.simd("i8x16.shuffle", "v128", [left, right], lanes);
const zero = v("i32x4.splat", x.i32(0));

/** d = op(d, s). */
const simple: Record<string, SimdOp> = {
  paddb: "i8x16.add",
  paddw: "i16x8.add",
  paddd: "i32x4.add",
  paddq: "i64x2.add",
  psubb: "i8x16.sub",
  psubw: "i16x8.sub",
  psubd: "i32x4.sub",
  psubq: "i64x2.sub",
  paddsb: "i8x16.add_sat_s",
  paddsw: "i16x8.add_sat_s",
  paddusb: "i8x16.add_sat_u",
  paddusw: "i16x8.add_sat_u",
  psubsb: "i8x16.sub_sat_s",
  psubsw: "i16x8.sub_sat_s",
  psubusb: "i8x16.sub_sat_u",
  psubusw: "i16x8.sub_sat_u",
  pand: "v128.and",
  por: "v128.or",
  pxor: "v128.xor",
  pcmpeqb: "i8x16.eq",
  pcmpeqw: "i16x8.eq",
  pcmpeqd: "i32x4.eq",
  pcmpeqq: "i64x2.eq",
  pcmpgtb: "i8x16.gt_s",
  pcmpgtw: "i16x8.gt_s",
  pcmpgtd: "i32x4.gt_s",
  pcmpgtq: "i64x2.gt_s",
  pminub: "i8x16.min_u",
  pmaxub: "i8x16.max_u",
  pminsw: "i16x8.min_s",
  pmaxsw: "i16x8.max_s",
  pminsb: "i8x16.min_s",
  pmaxsb: "i8x16.max_s",
  pminuw: "i16x8.min_u",
  pmaxuw: "i16x8.max_u",
  pminsd: "i32x4.min_s",
  pmaxsd: "i32x4.max_s",
  pminud: "i32x4.min_u",
  pmaxud: "i32x4.max_u",
  pavgb: "i8x16.avgr_u",
  pavgw: "i16x8.avgr_u",
  pmullw: "i16x8.mul",
  pmulld: "i32x4.mul",
  pmaddwd: "i32x4.dot_i16x8_s",
  packsswb: "i8x16.narrow_i16x8_s",
  packuswb: "i8x16.narrow_i16x8_u",
  packssdw: "i16x8.narrow_i32x4_s",
  packusdw: "i16x8.narrow_i32x4_u",
};

/** d = op(s). */
const unarySimd: Record<string, SimdOp> = {
  pabsb: "i8x16.abs",
  pabsw: "i16x8.abs",
  pabsd: "i32x4.abs",
  pmovsxbw: "i16x8.extend_low_i8x16_s",
  pmovzxbw: "i16x8.extend_low_i8x16_u",
  pmovsxwd: "i32x4.extend_low_i16x8_s",
  pmovzxwd: "i32x4.extend_low_i16x8_u",
  pmovsxdq: "i64x2.extend_low_i32x4_s",
  pmovzxdq: "i64x2.extend_low_i32x4_u",
};

const interleave = (high: boolean, bytes: number): number[] =>
  Array.from({ length: 16 }, (_, i) => {
    const element = Math.floor(i / bytes);
    return (high ? 8 : 0) + (element >> 1) * bytes + (i % bytes) + (element & 1) * 16;
  });

const unpacks: OpRow[] = (
  [
    ["bw", 1],
    ["wd", 2],
    ["dq", 4],
    ["qdq", 8],
  ] as const
).flatMap(([suffix, bytes]) => [
  inline(`punpckl${suffix}`, [set(shuffle(d, s, interleave(false, bytes)))]),
  inline(`punpckh${suffix}`, [set(shuffle(d, s, interleave(true, bytes)))]),
]);

/** High halves of 16-bit products: widen both halves, keep the odd words. */
const mulHigh = (low: SimdOp, high: SimdOp): Statement =>
  set(shuffle(v(low, d, s), v(high, d, s), [2, 3, 6, 7, 10, 11, 14, 15, 18, 19, 22, 23, 26, 27, 30, 31]));

/** Even doublewords of d and s moved together, for 32 × 32 → 64 products. */
const evens = (value: Expr): Expr =>
  shuffle(value, value, [0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11]);

/**
 * Shifts by a count that is the low quadword of s (imm = 0) or the immediate: counts at or above the element width
 * give zero, or the sign for arithmetic ones.
 */
const shiftRows: OpRow[] = (
  [
    ["psllw", "i16x8.shl", 16],
    ["pslld", "i32x4.shl", 32],
    ["psllq", "i64x2.shl", 64],
    ["psrlw", "i16x8.shr_u", 16],
    ["psrld", "i32x4.shr_u", 32],
    ["psrlq", "i64x2.shr_u", 64],
    ["psraw", "i16x8.shr_s", 16],
    ["psrad", "i32x4.shr_s", 32],
  ] as const
).flatMap(([name, op, width]) => {
  const arithmeticShift = op.endsWith("shr_s");
  const n = x.local("n", "i32");
  const shifted = x.simd(op, "v128", [d, n]);
  const saturate = (count: Expr, tooBig: Expr): Statement[] =>
    arithmeticShift
      ? [x.letLocal("n", x.select(tooBig, x.i32(width - 1), count)), set(shifted)]
      : [x.letLocal("n", count), set(x.select(tooBig, zero, shifted))];
  const q = x.simd("i64x2.extract_lane", "i64", [s], [0]);
  return [
    inline(name, saturate(x.unary("i32.wrap_i64", q), x.binary("i64.gt_u", q, x.i64(width - 1)))),
    inline(`${name}i`, saturate(x.imm32, x.binary("i32.gt_u", x.imm32, x.i32(width - 1)))),
  ];
});

/** Whole-register byte shifts by an immediate 0–15 as a table lookup: swizzle gives 0 for indices of 16 and more. */
const iota = x.simd("i8x16.splat", "v128", [x.i32(0)]);
const lanesCount = Array.from({ length: 16 }, (_, i) => i).reduce<Expr>(
  (acc, i) => (i === 0 ? acc : x.simd("i8x16.replace_lane", "v128", [acc, x.i32(i)], [i])),
  iota,
);
const byteSplat = (e: Expr): Expr => v("i8x16.splat", e);
const byteShifts: OpRow[] = [
  inline("pslldqi", [set(v("i8x16.swizzle", d, v("i8x16.sub", lanesCount, byteSplat(x.imm32))))]),
  inline("psrldqi", [set(v("i8x16.swizzle", d, v("i8x16.add_sat_u", lanesCount, byteSplat(x.imm32))))]),
];

/** PALIGNR by an immediate 0–31: bytes imm… of d:s. */
const palignr: OpRow = inline("palignr", [
  x.letLocal("index", v("i8x16.add_sat_u", lanesCount, byteSplat(x.imm32))),
  set(
    v(
      "v128.or",
      v("i8x16.swizzle", s, x.local("index", "v128")),
      v("i8x16.swizzle", d, v("i8x16.sub", x.local("index", "v128"), byteSplat(x.i32(16)))),
    ),
  ),
]);

/** PSHUFB: index bytes with bit 7 give zero; swizzle does so from 16 on, so only bits 7 and 3–0 are kept. */
const pshufb: OpRow = inline("pshufb", [
  set(v("i8x16.swizzle", d, v("v128.and", s, byteSplat(x.i32(0x8f))))),
]);

/** Signed PSIGN: s < 0 negates, s = 0 clears. */
const psign = (name: string, lanes: "i8x16" | "i16x8" | "i32x4"): OpRow => {
  const negative = v(`${lanes}.gt_s`, zero, s);
  const value = v("v128.bitselect", v(`${lanes}.sub`, zero, d), d, negative);
  return inline(name, [set(v("v128.andnot", value, v(`${lanes}.eq`, s, zero)))]);
};

/** Doubleword i of a register chosen by bits 2 i of the immediate, as a byte index vector for swizzle. */
function dwordIndex(): Expr {
  const word = (i: number): Expr => {
    const k = x.binary("i32.and", x.binary("i32.shr_u", x.imm32, x.i32(2 * i)), x.i32(3));
    return x.binary("i32.add", x.binary("i32.mul", k, x.i32(0x04040404)), x.i32(0x03020100));
  };
  let index: Expr = x.simd("i32x4.splat", "v128", [word(0)]);
  for (const i of [1, 2, 3]) index = x.simd("i32x4.replace_lane", "v128", [index, word(i)], [i]);
  return index;
}

/** Words 0–3 (or 4–7) chosen by the immediate, the other half kept. */
function wordIndex(base: number): Expr {
  let index: Expr = lanesCount;
  for (let i = 0; i < 4; i++) {
    const k = x.binary("i32.and", x.binary("i32.shr_u", x.imm32, x.i32(2 * i)), x.i32(3));
    const bytes = x.binary("i32.add", x.binary("i32.mul", k, x.i32(0x0202)), x.i32(0x0100 + base * 0x0202));
    index = x.simd("i16x8.replace_lane", "v128", [index, bytes], [base + i]);
  }
  return index;
}

/** SHUFPS: two doublewords of d, two of s. */
const shufps: OpRow = inline("shufps", [
  x.letLocal("index", dwordIndex()),
  set(
    shuffle(
      v("i8x16.swizzle", d, x.local("index", "v128")),
      v("i8x16.swizzle", s, x.local("index", "v128")),
      [0, 1, 2, 3, 4, 5, 6, 7, 24, 25, 26, 27, 28, 29, 30, 31],
    ),
  ),
]);
const lane64 = (value: Expr, lane: Expr): Expr =>
  x.select(
    lane,
    x.simd("i64x2.extract_lane", "i64", [value], [1]),
    x.simd("i64x2.extract_lane", "i64", [value], [0]),
  );
const immBit = (n: number): Expr => x.binary("i32.and", x.binary("i32.shr_u", x.imm32, x.i32(n)), x.i32(1));
const shufpd: OpRow = inline("shufpd", [
  x.letLocal("low", lane64(d, immBit(0))),
  x.letLocal("high", lane64(s, immBit(1))),
  set(
    x.simd(
      "i64x2.replace_lane",
      "v128",
      [x.simd("i64x2.splat", "v128", [x.local("low", "i64")]), x.local("high", "i64")],
      [1],
    ),
  ),
]);

const q64 = (value: Expr, lane: number): Expr => x.simd("i64x2.extract_lane", "i64", [value], [lane]);
const d32 = (value: Expr, lane: number): Expr => x.simd("i32x4.extract_lane", "i32", [value], [lane]);
const replace64 = (value: Expr, lane: number, e: Expr): Expr =>
  x.simd("i64x2.replace_lane", "v128", [value, e], [lane]);
const replace32 = (value: Expr, lane: number, e: Expr): Expr =>
  x.simd("i32x4.replace_lane", "v128", [value, e], [lane]);

/** Moves between XMM halves, and between XMM registers and slots (the slot operand is the general one). */
const transfers: OpRow[] = [
  inline("movdqa", [set(s)]),
  inline("movss", [set(replace32(d, 0, d32(s, 0)))]),
  inline("movsd", [set(replace64(d, 0, q64(s, 0)))]),
  inline("movq", [set(replace64(zero, 0, q64(s, 0)))]),
  inline("movhlps", [set(replace64(d, 0, q64(s, 1)))]),
  inline("movlhps", [set(replace64(d, 1, q64(s, 0)))]),
  inline("movddup", [set(x.simd("i64x2.splat", "v128", [q64(s, 0)]))]),
  inline("movsldup", [set(shuffle(s, s, [0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11]))]),
  inline("movshdup", [set(shuffle(s, s, [4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15]))]),
  /** Slot s to XMM d: upper part cleared, or one quadword replaced. */
  inline("xmm_from32", [set(replace32(zero, 0, x.reg("s", 32)))]),
  inline("xmm_from64", [set(replace64(zero, 0, x.reg("s", 64)))]),
  inline("xmm_low32", [set(replace32(d, 0, x.reg("s", 32)))]),
  inline("xmm_low64", [set(replace64(d, 0, x.reg("s", 64)))]),
  inline("xmm_high64", [set(replace64(d, 1, x.reg("s", 64)))]),
  /** XMM s to slot d. */
  inline("xmm_to32", [x.setReg("d", 32, d32(s, 0))]),
  inline("xmm_to64", [x.setReg("d", 64, q64(s, 0))]),
  inline("xmm_to_high64", [x.setReg("d", 64, q64(s, 1))]),
  inline("pmovmskb", [x.setReg("d", 32, x.simd("i8x16.bitmask", "i32", [s]))]),
  inline("movmskps", [x.setReg("d", 32, x.simd("i32x4.bitmask", "i32", [s]))]),
  inline("movmskpd", [x.setReg("d", 32, x.simd("i64x2.bitmask", "i32", [s]))]),
];

/** Lane inserts and extracts by number: the immediate of the instruction chooses the row. */
const laneRows: OpRow[] = [
  ...Array.from({ length: 16 }, (_, i) => [
    inline(`pinsrb${i}`, [set(x.simd("i8x16.replace_lane", "v128", [d, x.reg("s", 32)], [i]))]),
    inline(`pextrb${i}`, [x.setReg("d", 32, x.simd("i8x16.extract_lane_u", "i32", [s], [i]))]),
  ]).flat(),
  ...Array.from({ length: 8 }, (_, i) => [
    inline(`pinsrw${i}`, [set(x.simd("i16x8.replace_lane", "v128", [d, x.reg("s", 32)], [i]))]),
    inline(`pextrw${i}`, [x.setReg("d", 32, x.simd("i16x8.extract_lane_u", "i32", [s], [i]))]),
  ]).flat(),
  ...Array.from({ length: 4 }, (_, i) => [
    inline(`pinsrd${i}`, [set(replace32(d, i, x.reg("s", 32)))]),
    inline(`pextrd${i}`, [x.setReg("d", 32, d32(s, i))]),
  ]).flat(),
  ...Array.from({ length: 2 }, (_, i) => [
    inline(`pinsrq${i}`, [set(replace64(d, i, x.reg("s", 64)))]),
    inline(`pextrq${i}`, [x.setReg("d", 64, q64(s, i))]),
  ]).flat(),
];

/** Sum of absolute differences of unsigned bytes, per half. */
const psadbw: OpRow = (() => {
  const difference = v("v128.or", v("i8x16.sub_sat_u", d, s), v("i8x16.sub_sat_u", s, d));
  const value = x.local("w", "v128");
  const pairs = v(
    "i16x8.add",
    v("i16x8.shr_u", value, x.i32(8)),
    v("v128.and", value, v("i16x8.splat", x.i32(0xff))),
  );
  const w = x.local("p", "v128");
  const quads = v(
    "i32x4.add",
    v("i32x4.shr_u", w, x.i32(16)),
    v("v128.and", w, v("i32x4.splat", x.i32(0xffff))),
  );
  const q = x.local("q", "v128");
  return inline("psadbw", [
    x.letLocal("w", difference),
    x.letLocal("p", pairs),
    x.letLocal("q", quads),
    set(
      v("i64x2.add", v("i64x2.shr_u", q, x.i32(32)), v("v128.and", q, v("i64x2.splat", x.i64(0xffffffff)))),
    ),
  ]);
})();

/** Variable blends: mask in XMM0's sign bits is spread first; s where the mask is set. `a` is not needed: XMM0 is copied. */
const blend = (name: string, lanes: "i8x16" | "i32x4" | "i64x2"): OpRow =>
  inline(name, [
    x.letLocal("m", v(`${lanes}.gt_s`, zero, x.xmm("a"))),
    set(v("v128.bitselect", s, d, x.local("m", "v128"))),
  ]);
const blends: OpRow[] = [
  blend("pblendvb", "i8x16"),
  blend("blendvps", "i32x4"),
  blend("blendvpd", "i64x2"),
].map((row) => ({
  ...row,
  format: "long",
}));

/** PTEST: ZF = (d & s) is zero, CF = (~d & s) is zero. */
const ptest: OpRow = inline("ptest", [
  x.letLocal("zf", x.unary("i32.eqz", x.simd("v128.any_true", "i32", [v("v128.and", d, s)]))),
  x.letLocal("cf", x.unary("i32.eqz", x.simd("v128.any_true", "i32", [v("v128.andnot", s, d)]))),
  x.setFlags(
    0,
    x.i64(0),
    x.widen(x.binary("i32.or", x.binary("i32.shl", x.local("zf", "i32"), x.i32(6)), x.local("cf", "i32"))),
  ),
]);

/** Bytewise select of s over d by an immediate mask of words. */
const pblendw: OpRow = inline("pblendw", [
  x.letLocal("m", v("i16x8.splat", x.imm32)),
  x.letLocal(
    "bits",
    [1, 2, 3, 4, 5, 6, 7].reduce<Expr>(
      (acc, i) => x.simd("i16x8.replace_lane", "v128", [acc, x.i32(1 << i)], [i]),
      v("i16x8.splat", x.i32(1)),
    ),
  ),
  set(
    v(
      "v128.bitselect",
      s,
      d,
      v("i16x8.eq", v("v128.and", x.local("m", "v128"), x.local("bits", "v128")), x.local("bits", "v128")),
    ),
  ),
]);

/** The even (odd) elements of d, then of s. */
const alternate = (bytes: 2 | 4, odd: boolean): Expr => {
  const lanes = Array.from(
    { length: 16 },
    (_, i) => Math.floor(i / bytes) * 2 * bytes + (odd ? bytes : 0) + (i % bytes),
  );
  return shuffle(d, s, lanes);
};
/** Horizontal operations on neighbouring elements of d, then of s. */
const horizontal = (name: string, op: SimdOp, bytes: 2 | 4): OpRow =>
  inline(name, [set(v(op, alternate(bytes, false), alternate(bytes, true)))]);

/** PMADDUBSW: unsigned bytes of d by signed bytes of s; a product fits 16 bits, the sum of two saturates. */
const pmaddubsw: OpRow = (() => {
  const eight = x.i32(8);
  const signExtendedEvens = v("i16x8.shr_s", v("i16x8.shl", s, eight), eight);
  const evenProducts = v("i16x8.mul", v("v128.and", d, v("i16x8.splat", x.i32(0xff))), signExtendedEvens);
  const oddProducts = v("i16x8.mul", v("i16x8.shr_u", d, eight), v("i16x8.shr_s", s, eight));
  return inline("pmaddubsw", [set(v("i16x8.add_sat_s", evenProducts, oddProducts))]);
})();

/** PMULHRSW: bits 30–15 of each product, rounded. */
const pmulhrsw: OpRow = (() => {
  const rounded = (product: Expr): Expr =>
    v(
      "i32x4.shr_s",
      v("i32x4.add", v("i32x4.shr_s", product, x.i32(14)), v("i32x4.splat", x.i32(1))),
      x.i32(1),
    );
  const low = rounded(v("i32x4.extmul_low_i16x8_s", d, s));
  const high = rounded(v("i32x4.extmul_high_i16x8_s", d, s));
  return inline("pmulhrsw", [
    set(shuffle(low, high, [0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21, 24, 25, 28, 29])),
  ]);
})();

export const simdOpRows: readonly OpRow[] = [
  ...Object.entries(simple).map(([name, op]) => inline(name, [set(v(op, d, s))])),
  ...Object.entries(unarySimd).map(([name, op]) => inline(name, [set(v(op, s))])),
  inline("pandn", [set(v("v128.andnot", s, d))]),
  ...unpacks,
  inline("pmulhw", [mulHigh("i32x4.extmul_low_i16x8_s", "i32x4.extmul_high_i16x8_s")]),
  inline("pmulhuw", [mulHigh("i32x4.extmul_low_i16x8_u", "i32x4.extmul_high_i16x8_u")]),
  inline("pmuludq", [set(v("i64x2.extmul_low_i32x4_u", evens(d), evens(s)))]),
  inline("pmuldq", [set(v("i64x2.extmul_low_i32x4_s", evens(d), evens(s)))]),
  inline("pmovsxbd", [set(v("i32x4.extend_low_i16x8_s", v("i16x8.extend_low_i8x16_s", s)))]),
  inline("pmovzxbd", [set(v("i32x4.extend_low_i16x8_u", v("i16x8.extend_low_i8x16_u", s)))]),
  inline("pmovsxwq", [set(v("i64x2.extend_low_i32x4_s", v("i32x4.extend_low_i16x8_s", s)))]),
  inline("pmovzxwq", [set(v("i64x2.extend_low_i32x4_u", v("i32x4.extend_low_i16x8_u", s)))]),
  inline("pmovsxbq", [
    set(v("i64x2.extend_low_i32x4_s", v("i32x4.extend_low_i16x8_s", v("i16x8.extend_low_i8x16_s", s)))),
  ]),
  inline("pmovzxbq", [
    set(v("i64x2.extend_low_i32x4_u", v("i32x4.extend_low_i16x8_u", v("i16x8.extend_low_i8x16_u", s)))),
  ]),
  ...shiftRows,
  ...byteShifts,
  palignr,
  pshufb,
  psign("psignb", "i8x16"),
  psign("psignw", "i16x8"),
  psign("psignd", "i32x4"),
  inline("pshufd", [set(v("i8x16.swizzle", s, dwordIndex()))]),
  inline("pshuflw", [set(v("i8x16.swizzle", s, wordIndex(0)))]),
  inline("pshufhw", [set(v("i8x16.swizzle", s, wordIndex(4)))]),
  shufps,
  shufpd,
  ...transfers,
  ...laneRows,
  psadbw,
  pmaddubsw,
  pmulhrsw,
  horizontal("phaddw", "i16x8.add", 2),
  horizontal("phaddd", "i32x4.add", 4),
  horizontal("phaddsw", "i16x8.add_sat_s", 2),
  horizontal("phsubw", "i16x8.sub", 2),
  horizontal("phsubd", "i32x4.sub", 4),
  horizontal("phsubsw", "i16x8.sub_sat_s", 2),
  ...blends,
  ptest,
  pblendw,
];
