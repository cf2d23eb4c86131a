/**
 * The four formats of the x87 environment (SDM 1, figures 8-9 to 8-12) and the pointers in them and in FXSAVE areas. The
 * protected-mode formats are compared with the real processor too (test/conformance/x87-pointers.test.ts); it cannot be
 * asked for those of real mode.
 */
import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";
import * as L from "../layout.ts";
import { FpImage } from "../../../test/oracle/index.ts";
import { FpuFixture, SLOT_ADDRESS } from "./fpu-fixture.ts";

const fixture = await FpuFixture.start();
const AREA = 0x1000;
const AREA_BYTES = 512;
const PROTECTED = 1 | L.MODE_FLAT;

const FOP = 0x5a5;
const FIP = 0xfedc_9876_5432n;
const FDP = 0x7fff_1234_5678n;

interface Pointers {
  readonly opcode: number;
  readonly ip: bigint;
  readonly cs: number;
  readonly dp: bigint;
  readonly ds: number;
}
const GIVEN: Pointers = { opcode: FOP, ip: FIP, cs: 0x33, dp: FDP, ds: 0x2b };
const NONE: Pointers = { opcode: 0, ip: 0n, cs: 0, dp: 0n, ds: 0 };

function setPointers({ opcode, ip, cs, dp, ds }: Pointers): void {
  // Above the 16 bits of FOP and the selectors lies what the translated code has left there.
  fixture.setU32(L.X87_OPCODE, opcode);
  fixture.setSlot(L.X87_IP, ip);
  fixture.setU32(L.X87_CS, cs | 0xabcd_0000);
  fixture.setSlot(L.X87_DP, dp);
  fixture.setU32(L.X87_DS, ds | 0xabcd_0000);
}
const pointers = (): Pointers => ({
  opcode: fixture.u32(L.X87_OPCODE) & 0xffff,
  ip: fixture.slot(L.X87_IP),
  cs: fixture.u32(L.X87_CS) & 0xffff,
  dp: fixture.slot(L.X87_DP),
  ds: fixture.u32(L.X87_DS) & 0xffff,
});

const area = (): DataView => fixture.ram(AREA, AREA_BYTES);
const call = (helper: string, imm: number): void => {
  fixture.setSlot(SLOT_ADDRESS, BigInt(AREA));
  assert.equal(fixture.call(helper, 0, SLOT_ADDRESS, imm), undefined);
};
/** What lies behind control, status and tag word. */
const words16 = (): number[] => [3, 4, 5, 6].map((i) => area().getUint16(2 * i, true));
const words32 = (): number[] => [3, 4, 5, 6].map((i) => area().getUint32(4 * i, true));

beforeEach(() => {
  for (let i = 0; i < AREA_BYTES; i++) area().setUint8(i, 0);
  fixture.load(FpImage.initial().bytes);
  fixture.setU32(L.MODE, PROTECTED);
  setPointers(GIVEN);
});

test("in protected mode the 32-bit environment holds offsets, selectors and the opcode", () => {
  call("x87_store_environment", 32);
  assert.deepEqual(words32(), [0x9876_5432, 0x05a5_0033, 0x1234_5678, 0xffff_002b]);
  setPointers(NONE);
  call("x87_load_environment", 32);
  assert.deepEqual(pointers(), { ...GIVEN, ip: 0x9876_5432n, dp: 0x1234_5678n });
});

test("in protected mode the 16-bit environment has no opcode, and loading it clears FOP", () => {
  call("x87_store_environment", 16);
  assert.deepEqual(words16(), [0x5432, 0x33, 0x5678, 0x2b]);
  assert.equal(area().getUint16(14, true), 0);
  call("x87_load_environment", 16);
  assert.deepEqual(pointers(), { ...GIVEN, opcode: 0, ip: 0x5432n, dp: 0x5678n });
});

test("in real mode environments hold linear addresses", () => {
  fixture.setU32(L.MODE, L.MODE_REAL);
  setPointers({ opcode: FOP, ip: 0x0123n, cs: 0xabcd, dp: 0xfff0n, ds: 0xffff });
  call("x87_store_environment", 32);
  // ABCD0H + 123H, and FFFF0H + FFF0H beyond the first MiB.
  assert.deepEqual(words32(), [0xffff_bdf3, 0x0000_a5a5, 0xffff_ffe0, 0x0001_0000]);
  call("x87_store_environment", 16);
  assert.deepEqual(words16(), [0xbdf3, 0xa5a5, 0xffe0, 0x0000]);
});

test("in real mode loaded addresses come back as they were", () => {
  fixture.setU32(L.MODE, L.MODE_REAL);
  for (const [size, ip, dp] of [
    [32, 0x9876_5432n, 0x1234_5678n],
    [16, 0x6_5432n, 0x4_5678n],
  ] as const) {
    setPointers({ opcode: FOP, ip, cs: 0, dp, ds: 0 });
    call("x87_store_environment", size);
    setPointers(GIVEN);
    call("x87_load_environment", size);
    assert.deepEqual(pointers(), { opcode: FOP, ip, cs: 0, dp, ds: 0 });
  }
});

for (const [size, headerBytes] of [
  [16, 14],
  [32, 28],
] as const) {
  test(`FNSAVE of ${String(size)} bits stores pointers, then registers, and initializes; FRSTOR undoes it`, () => {
    const image = FpImage.initial();
    image.ftw = 0xff;
    for (let i = 0; i < 8; i++) image.setSt(i, (0x3fffn << 64n) | (1n << 63n) | BigInt(i));
    fixture.load(image.bytes);
    setPointers({ ...GIVEN, opcode: 0, ip: 0x1234n, dp: 0x5678n });
    const before = fixture.save().bytes;
    call("x87_save", size);
    assert.deepEqual(pointers(), NONE);
    assert.equal(area().getUint8(headerBytes + 3 * 10), 3);
    call("x87_restore", size);
    assert.deepEqual(pointers(), { ...GIVEN, opcode: 0, ip: 0x1234n, dp: 0x5678n });
    assert.deepEqual(fixture.save().bytes, before);
  });
}

test("FXSAVE holds offsets with selectors, or with REX.W all of the offsets", () => {
  call("fxsave", 32);
  assert.equal(area().getUint16(6, true), FOP);
  assert.deepEqual(
    [8, 12, 16, 20].map((at) => area().getUint32(at, true)),
    [0x9876_5432, 0x33, 0x1234_5678, 0x2b],
  );
  call("fxsave", 64);
  assert.deepEqual([area().getBigUint64(8, true), area().getBigUint64(16, true)], [FIP, FDP]);
  setPointers(NONE);
  call("fxrstor", 64);
  assert.deepEqual(pointers(), { ...NONE, opcode: FOP, ip: FIP, dp: FDP });
});

test("FNINIT clears the pointers, FNCLEX does not", () => {
  assert.equal(fixture.call("x87_clear_exceptions", 0, 0, 0), undefined);
  assert.deepEqual(pointers(), GIVEN);
  assert.equal(fixture.call("x87_init", 0, 0, 0), undefined);
  assert.deepEqual(pointers(), NONE);
});
