/**
 * The FXSAVE image (SDM volume 1, 10.5.1) with the upper halves of YMM behind it as in a standard-format XSAVE
 * area (13.4): the form in which x87, MMX, SSE and AVX state enters and leaves a case.
 *
 * Deliberately missing: AVX-512 and every later state component.
 */

export const FXSAVE_BYTES = 512;
/** FXSAVE region, XSAVE header, upper halves of YMM0–15. */
export const XSAVE_AVX_BYTES = 832;

const AT = { fcw: 0, fsw: 2, ftw: 4, mxcsr: 24, st: 32, xmm: 160, xstateBv: 512, ymmHigh: 576 } as const;
/** Bytes between two x87 registers in the image, and those of them that hold the register. */
const ST_STRIDE = 16;
export const ST_BYTES = 10;

/** FCW after FNINIT: all exceptions masked, 64-bit precision, round to nearest. */
export const DEFAULT_FCW = 0x037f;
/** MXCSR after reset: all exceptions masked, round to nearest. */
export const DEFAULT_MXCSR = 0x1f80;

const MASK_64 = 0xffff_ffff_ffff_ffffn;

/** A view with names on an image; it writes through. */
export class FpImage {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(bytes: Uint8Array) {
    if (bytes.length < FXSAVE_BYTES) throw new RangeError(`an FXSAVE image of ${String(bytes.length)} bytes`);
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A fresh image: x87 as after FNINIT with empty registers, every XMM register holding another value. */
  static initial(sizeBytes: typeof FXSAVE_BYTES | typeof XSAVE_AVX_BYTES = FXSAVE_BYTES): FpImage {
    const image = new FpImage(new Uint8Array(sizeBytes));
    image.fcw = DEFAULT_FCW;
    image.mxcsr = DEFAULT_MXCSR;
    for (let i = 0; i < 16; i++) {
      const byte = BigInt(0x10 + i);
      image.setXmm(i, (0x0f0e_0d0c_0b0a_0908n * byte * 0x1_0000_0000_0000_0001n) ^ byte);
    }
    if (sizeBytes === XSAVE_AVX_BYTES) image.#view.setBigUint64(AT.xstateBv, 7n, true); // x87, SSE, AVX present
    return image;
  }

  get fcw(): number {
    return this.#view.getUint16(AT.fcw, true);
  }
  set fcw(value: number) {
    this.#view.setUint16(AT.fcw, value, true);
  }
  get fsw(): number {
    return this.#view.getUint16(AT.fsw, true);
  }
  set fsw(value: number) {
    this.#view.setUint16(AT.fsw, value, true);
  }
  /** Abridged tag word: bit n set if *physical* register n is not empty. */
  get ftw(): number {
    return this.#view.getUint8(AT.ftw);
  }
  set ftw(value: number) {
    this.#view.setUint8(AT.ftw, value);
  }
  /** TOP: the physical register that is ST(0). */
  get top(): number {
    return (this.fsw >> 11) & 7;
  }
  get mxcsr(): number {
    return this.#view.getUint32(AT.mxcsr, true);
  }
  set mxcsr(value: number) {
    this.#view.setUint32(AT.mxcsr, value, true);
  }

  /** ST(index) as an 80-bit integer: sign and exponent above the 64-bit significand. */
  st(index: number): bigint {
    const at = AT.st + index * ST_STRIDE;
    return this.#view.getBigUint64(at, true) | (BigInt(this.#view.getUint16(at + 8, true)) << 64n);
  }
  setSt(index: number, value: bigint): void {
    const at = AT.st + index * ST_STRIDE;
    this.#view.setBigUint64(at, value & MASK_64, true);
    this.#view.setUint16(at + 8, Number((value >> 64n) & 0xffffn), true);
  }
  /** Whether ST(index) is empty. */
  isEmpty(index: number): boolean {
    return (this.ftw & (1 << ((this.top + index) & 7))) === 0;
  }

  xmm(index: number): bigint {
    return this.#get128(AT.xmm + index * 16);
  }
  setXmm(index: number, value: bigint): void {
    this.#set128(AT.xmm + index * 16, value);
  }

  /** Bits 255:128 of YMM(index); zero if the image has none, or says that they are in their initial state. */
  ymmHigh(index: number): bigint {
    if (this.bytes.length < XSAVE_AVX_BYTES || (this.#view.getUint8(AT.xstateBv) & 4) === 0) return 0n;
    return this.#get128(AT.ymmHigh + index * 16);
  }
  setYmmHigh(index: number, value: bigint): void {
    this.#set128(AT.ymmHigh + index * 16, value);
  }

  #get128(at: number): bigint {
    return this.#view.getBigUint64(at, true) | (this.#view.getBigUint64(at + 8, true) << 64n);
  }
  #set128(at: number, value: bigint): void {
    this.#view.setBigUint64(at, value & MASK_64, true);
    this.#view.setBigUint64(at + 8, (value >> 64n) & MASK_64, true);
  }
}

/** The image of cases that say nothing about FP state; shared, so never write to it. */
export const DEFAULT_FP: Uint8Array = FpImage.initial().bytes;
