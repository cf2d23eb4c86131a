/**
 * Floating-point state in memory: FXSAVE areas against the real CPU, restart of stores that meet a page fault, and
 * pending exceptions.
 */
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import * as L from "../layout.ts";
import { DATA, DEFAULT_FCW, FpImage, oracleSupport, Random } from "../../../test/oracle/index.ts";
import { differencesFromCpu, type FpuCase, FpuFixture, SLOT_ADDRESS } from "./fpu-fixture.ts";

const support = oracleSupport();
const skip = support.available ? false : support.reason;
const fixture = await FpuFixture.start();

const VECTOR_NM = 7;
const VECTOR_GP = 13;
const VECTOR_PF = 14;
const VECTOR_MF = 16;
const CR0_PROTECTED = 0x31;
const CR0_PAGING = 0x8000_0031;

beforeEach(() => {
  fixture.setU32(L.CR0, CR0_PROTECTED);
  fixture.setU32(L.CR4, 0x600);
  fixture.setU32(L.MODE, 2 | L.MODE_FLAT);
  fixture.setU32(L.CPL, 0);
});

// ---- FXSAVE and FXRSTOR -----------------------------------------------------------------------------------------
const AREA_BYTES = 512;
// Processors differ in FOP, FIP and FDP (AMD stores them while an exception is pending only), MXCSR_MASK is theirs,
// and nothing is said of bytes 416–511.
const UNDEFINED_AREA = [
  { gva: DATA.gva + 6, sizeBytes: 18 },
  { gva: DATA.gva + 28, sizeBytes: 4 },
  { gva: DATA.gva + 416, sizeBytes: 96 },
];

/** An FXSAVE area with a valid MXCSR and no pending exception. */
function randomArea(random: Random): Uint8Array {
  const image = new FpImage(Uint8Array.from({ length: AREA_BYTES }, () => random.below(256)));
  image.fcw = DEFAULT_FCW;
  image.mxcsr = random.below(0x1_0000);
  return image.bytes;
}

for (const [rexW, imm] of [
  ["", 32],
  ["48 ", 64],
] as const) {
  test(`FXSAVE with ${String(imm)}-bit pointers stores what the real CPU stores`, { skip }, async () => {
    const random = new Random(3);
    const cases = Array.from({ length: 40 }, (_, index): FpuCase => ({
      name: `fxsave #${String(index)}`,
      mode: "long64",
      code: `${rexW}0f ae 03`,
      initial: {
        gpr: { rbx: DATA.gva },
        st: Array.from({ length: random.below(9) }, () => (random.next64() << 16n) | random.next64()),
        fsw: random.below(0x40) & 0x3f,
        mxcsr: random.below(0x1_0000),
        xmm: { 0: random.next64(), 15: random.next64() << 64n },
      },
      memory: [{ gva: DATA.gva, bytes: new Uint8Array(AREA_BYTES) }],
      undefined: { memory: UNDEFINED_AREA },
      helper: "fxsave",
      d: 0,
      s: SLOT_ADDRESS,
      imm,
      operandBytes: AREA_BYTES,
    }));
    assert.deepEqual(await differencesFromCpu(fixture, cases), []);
  });

  test(`FXRSTOR with ${String(imm)}-bit pointers loads what the real CPU loads`, { skip }, async () => {
    const random = new Random(4);
    const cases = Array.from({ length: 40 }, (_, index): FpuCase => ({
      name: `fxrstor #${String(index)}`,
      mode: "long64",
      code: `${rexW}0f ae 0b`,
      initial: { gpr: { rbx: DATA.gva } },
      memory: [{ gva: DATA.gva, bytes: randomArea(random) }],
      helper: "fxrstor",
      d: 0,
      s: SLOT_ADDRESS,
      imm,
      operandBytes: AREA_BYTES,
    }));
    assert.deepEqual(await differencesFromCpu(fixture, cases), []);
  });
}

test("FXSAVE and FXRSTOR want 16-byte alignment and a valid MXCSR", () => {
  fixture.setSlot(SLOT_ADDRESS, 0x1008n);
  assert.equal(fixture.call("fxsave", 0, SLOT_ADDRESS, 64), VECTOR_GP);
  assert.equal(fixture.call("fxrstor", 0, SLOT_ADDRESS, 64), VECTOR_GP);
  fixture.setSlot(SLOT_ADDRESS, 0x1000n);
  fixture.ram(0x1000, AREA_BYTES).setUint32(24, 0x1_1f80, true);
  const before = fixture.save().bytes;
  assert.equal(fixture.call("fxrstor", 0, SLOT_ADDRESS, 64), VECTOR_GP);
  assert.deepEqual(fixture.save().bytes, before);
});

test("outside 64-bit mode FXSAVE and FXRSTOR leave XMM8 to XMM15 alone", () => {
  fixture.setU32(L.MODE, 1 | L.MODE_FLAT);
  fixture.setSlot(SLOT_ADDRESS, 0x1000n);
  for (let i = 0; i < 16; i++) fixture.setXmm(i, BigInt(i + 1));
  const area = fixture.ram(0x1000, AREA_BYTES);
  area.setBigUint64(160 + 8 * 16, 0x55n, true);
  assert.equal(fixture.call("fxsave", 0, SLOT_ADDRESS, 32), undefined);
  assert.equal(area.getBigUint64(160 + 7 * 16, true), 8n);
  assert.equal(area.getBigUint64(160 + 8 * 16, true), 0x55n);
  for (let i = 0; i < 16; i++) fixture.setXmm(i, 0n);
  assert.equal(fixture.call("fxrstor", 0, SLOT_ADDRESS, 32), undefined);
  assert.equal(fixture.xmm(7), 8n);
  assert.equal(fixture.xmm(8), 0n);
});

// ---- Restart ----------------------------------------------------------------------------------------------------
const MISSING = 0x9000;

const stores = [
  { helper: "x87_store_f32", imm: 1, sizeBytes: 4 },
  { helper: "x87_store_f64", imm: 1, sizeBytes: 8 },
  { helper: "x87_store_f80", imm: 0, sizeBytes: 10 },
  { helper: "x87_store_bcd", imm: 0, sizeBytes: 10 },
  { helper: "x87_store_i16", imm: 1, sizeBytes: 2 },
  { helper: "x87_store_i32", imm: 3, sizeBytes: 4 },
  { helper: "x87_store_i64", imm: 1, sizeBytes: 8 },
  { helper: "x87_store_environment", imm: 32, sizeBytes: 28 },
  { helper: "x87_save", imm: 32, sizeBytes: 108 },
  { helper: "mmx_store", imm: 64, sizeBytes: 8 },
  { helper: "fxsave", imm: 64, sizeBytes: 512 },
] as const;

for (const { helper, imm, sizeBytes } of stores) {
  test(`${helper} that meets a page fault changes nothing`, () => {
    const image = FpImage.initial();
    image.fsw = 0x3000;
    image.ftw = 0xc0;
    image.setSt(0, (0x4000n << 64n) | 0xc90f_daa2_2168_c235n);
    fixture.load(image.bytes);
    fixture.enablePaging(MISSING, BigInt(CR0_PAGING), 0x620);
    // The second page is missing; FXSAVE areas are aligned.
    const address = MISSING - (helper === "fxsave" ? 256 : sizeBytes / 2);
    const before = fixture.save().bytes;
    fixture.ram(address, MISSING - address).setUint8(0, 0xa5);
    fixture.setSlot(SLOT_ADDRESS, BigInt(address));
    assert.equal(fixture.call(helper, 0, SLOT_ADDRESS, imm), VECTOR_PF);
    assert.equal(fixture.slot(L.FAULT_ADDRESS), BigInt(MISSING));
    assert.deepEqual(fixture.save().bytes, before);
    assert.equal(fixture.ram(address, 1).getUint8(0), 0xa5);
  });
}

test("x87_load_f80 that meets a page fault in its second part changes nothing", () => {
  fixture.load(FpImage.initial().bytes);
  fixture.enablePaging(MISSING, BigInt(CR0_PAGING), 0x620);
  const before = fixture.save().bytes;
  fixture.setSlot(SLOT_ADDRESS, BigInt(MISSING - 8));
  assert.equal(fixture.call("x87_load_f80", 0, SLOT_ADDRESS, 0), VECTOR_PF);
  assert.deepEqual(fixture.save().bytes, before);
});

// ---- Pending exceptions -------------------------------------------------------------------------------------------
test("an unmasked exception is pending until the next waiting instruction, and FNCLEX ends it", () => {
  const image = FpImage.initial();
  image.fcw = 0x37b; // ZE unmasked
  image.fsw = 0x3000;
  image.ftw = 0xc0;
  image.setSt(0, (0x3fffn << 64n) | (1n << 63n));
  image.setSt(1, 0n);
  fixture.load(image.bytes);
  assert.equal(fixture.call("x87_check", 0, 0, 0), undefined);
  assert.equal(fixture.call("x87_arith", 6, 1, 0), undefined);
  assert.equal(fixture.save().st(0), (0x3fffn << 64n) | (1n << 63n));
  assert.equal(fixture.call("x87_check", 0, 0, 0), VECTOR_MF);
  fixture.setU32(L.CR0, 0x11);
  assert.equal(fixture.call("x87_check", 0, 0, 0), undefined);
  fixture.setU32(L.CR0, CR0_PROTECTED);
  assert.equal(fixture.call("x87_clear_exceptions", 0, 0, 0), undefined);
  assert.equal(fixture.call("x87_check", 0, 0, 0), undefined);
});

test("WAIT is #NM only if CR0.TS and CR0.MP are both set", () => {
  fixture.load(FpImage.initial().bytes);
  fixture.setU32(L.CR0, CR0_PROTECTED | 0xa);
  assert.equal(fixture.call("x87_wait", 0, 0, 0), VECTOR_NM);
  fixture.setU32(L.CR0, CR0_PROTECTED | 8);
  assert.equal(fixture.call("x87_wait", 0, 0, 0), undefined);
  fixture.setU32(L.CR0, CR0_PROTECTED);
});

test("an unmasked SSE exception is #UD while the operating system has not said that it handles #XM", () => {
  fixture.load(FpImage.initial().bytes);
  fixture.setU32(L.MXCSR, 0x1f80 & ~0x200);
  fixture.setXmm(0, 0x3ff0_0000_0000_0000n);
  fixture.setXmm(1, 0n);
  assert.equal(fixture.call("divsd", 0, 1, 0), 19);
  fixture.setU32(L.CR4, 0x200);
  assert.equal(fixture.call("divsd", 0, 1, 0), 6);
  assert.equal(fixture.xmm(0), 0x3ff0_0000_0000_0000n);
});

test("after RESET the x87 is as the manual's table says, and SSE exceptions are masked", () => {
  fixture.call("resetFpu", 0, 0, 0);
  const { fcw, fsw, ftw, mxcsr } = fixture.save();
  assert.deepEqual({ fcw, fsw, ftw, mxcsr }, { fcw: 0x40, fsw: 0, ftw: 0xff, mxcsr: 0x1f80 });
});
