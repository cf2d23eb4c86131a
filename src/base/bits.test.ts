import assert from "node:assert/strict";
import { test } from "node:test";

import {
  alignDown,
  alignUp,
  allOnes,
  bit,
  bitField,
  fromBcd,
  hex,
  highU32,
  joinU64,
  lowMask,
  lowU32,
  splitU64,
  toBcd,
  u32,
  withBits,
} from "./index.ts";

test("u32 values stay unsigned at bit 31", () => {
  assert.equal(u32(-1), 0xffff_ffff);
  assert.equal(lowMask(32), 0xffff_ffff);
  assert.equal(lowMask(31), 0x7fff_ffff);
  assert.equal(lowMask(0), 0);
  assert.equal(bitField(0xf000_0000, 28, 4), 0xf);
  assert.equal(bitField(0xdead_beef, 0, 32), 0xdead_beef);
  assert.equal(bit(0x8000_0000, 31), true);
  assert.equal(withBits(0, 0x8000_0000, true), 0x8000_0000);
  assert.equal(withBits(0xffff_ffff, 0x1, false), 0xffff_fffe);
  assert.deepEqual([allOnes(1), allOnes(2), allOnes(4)], [0xff, 0xffff, 0xffff_ffff]);
});

test("64-bit values split and join", () => {
  assert.deepEqual(splitU64(0xfedc_ba98_7654_3210n), { lo: 0x7654_3210, hi: 0xfedc_ba98 });
  assert.equal(joinU64(0x7654_3210, 0xfedc_ba98), 0xfedc_ba98_7654_3210n);
  assert.equal(joinU64(-1, -1), 0xffff_ffff_ffff_ffffn);
  assert.deepEqual([highU32(0x1_2345_6789), lowU32(0x1_2345_6789)], [1, 0x2345_6789]);
});

test("alignment works above 32 bits", () => {
  assert.equal(alignUp(0x1_0000_0001, 0x1000), 0x1_0000_1000);
  assert.equal(alignUp(0x1000, 0x1000), 0x1000);
  assert.equal(alignDown(0x1_0000_0fff, 0x1000), 0x1_0000_0000);
});

test("BCD holds 0 to 99", () => {
  const values = Array.from({ length: 100 }, (_, i) => i);
  assert.deepEqual(values.map(toBcd).map(fromBcd), values);
  assert.equal(toBcd(59), 0x59);
  assert.equal(hex(0x3f8), "0x3f8");
});
