import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_FP, FpImage, XSAVE_AVX_BYTES } from "./fp-image.ts";

test("places fields where FXSAVE does", () => {
  const image = new FpImage(new Uint8Array(512));
  image.fcw = 0x0102;
  image.fsw = 0x0304;
  image.ftw = 0x05;
  image.mxcsr = 0x0607_0809;
  image.setSt(1, 0x0a0b_0102_0304_0506_0708n);
  image.setXmm(15, 0xffn << 120n);

  assert.deepEqual([...image.bytes.subarray(0, 5)], [2, 1, 4, 3, 5]);
  assert.deepEqual([...image.bytes.subarray(24, 28)], [9, 8, 7, 6]);
  assert.deepEqual([...image.bytes.subarray(48, 58)], [8, 7, 6, 5, 4, 3, 2, 1, 0x0b, 0x0a]);
  assert.equal(image.bytes[415], 0xff);
});

test("finds empty registers relative to TOP", () => {
  const image = FpImage.initial();
  image.fsw = 6 << 11;
  image.ftw = 0b1000_0000; // physical register 7 is ST(1)

  assert.deepEqual(
    [0, 1, 2].map((index) => image.isEmpty(index)),
    [true, false, true],
  );
});

test("gives every XMM register another initial value", () => {
  const image = new FpImage(DEFAULT_FP);

  assert.equal(new Set(Array.from({ length: 16 }, (_, index) => image.xmm(index))).size, 16);
});

test("reads upper halves of YMM as zero when the image marks them as initial", () => {
  const image = FpImage.initial(XSAVE_AVX_BYTES);
  image.setYmmHigh(3, 0x1234n);
  const present = image.ymmHigh(3);
  image.bytes[512] = 3;

  assert.deepEqual([present, image.ymmHigh(3)], [0x1234n, 0n]);
});
