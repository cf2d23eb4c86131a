/**
 * The XSAVE family: what it refuses, what the init optimization leaves out, and restart at page faults. What it writes
 * and loads otherwise is compared with the real processor by the conformance suite.
 */
import assert from "node:assert/strict";
import test, { beforeEach } from "node:test";
import { cpuModel, type CpuidLeaf } from "../../cpu/index.ts";
import * as L from "../layout.ts";
import { FpuFixture, SLOT_ADDRESS } from "./fpu-fixture.ts";

const VECTOR_UD = 6;
const VECTOR_NM = 7;
const VECTOR_GP = 13;
const VECTOR_PF = 14;
const OSXSAVE = 1 << 18;
const CR0_TS = 8;
const CR4 = 0x600 | OSXSAVE;
const CR0 = 0x31;
const COMPACTED = 1n << 63n;
const AREA_BYTES = 576;
const XSTATE_BV_AT = 512;
const XCOMP_BV_AT = 520;
const MXCSR_AT = 24;
const AREA = 0x1000;
const ONE_F80 = (0x3fffn << 64n) | (1n << 63n);
const UNTOUCHED = 0xa5;

const fixture = await FpuFixture.start();

function setCpuid(leaves: readonly CpuidLeaf[]): void {
  fixture.setU32(L.CPUID_TABLE, leaves.length);
  for (const [i, { leaf, subleaf = 0, eax, ebx, ecx, edx }] of leaves.entries())
    for (const [j, word] of [leaf, subleaf, eax, ebx, ecx, edx].entries())
      fixture.setU32(L.CPUID_TABLE + 4 + i * L.CPUID_ENTRY_SIZE + 4 * j, word);
}

const setMask = (mask: bigint): void => {
  fixture.setSlot(L.GPR_RAX, (0xdeadn << 32n) | (mask & 0xffff_ffffn));
  fixture.setSlot(L.GPR_RDX, (0xbeefn << 32n) | (mask >> 32n));
};
const run = (helper: string, mask = 3n, address = AREA): number | undefined => {
  setMask(mask);
  fixture.setSlot(SLOT_ADDRESS, BigInt(address));
  return fixture.call(helper, 0, SLOT_ADDRESS, 64);
};
const area = (): DataView => fixture.ram(AREA, AREA_BYTES);
const word = (at: number): bigint => area().getBigUint64(at, true);

/** x87 and SSE in their initial configuration. */
function initialize(): void {
  const view = area();
  for (let i = 0; i < AREA_BYTES; i++) view.setUint8(i, 0);
  view.setUint32(MXCSR_AT, 0x1f80, true);
  assert.equal(run("xrstor"), undefined);
  for (let i = 0; i < AREA_BYTES; i++) view.setUint8(i, UNTOUCHED);
  view.setBigUint64(XSTATE_BV_AT, 0n, true);
}

function read(name: "xgetbv" | "cpuid", rcx: number): bigint {
  fixture.setSlot(L.GPR_RCX, BigInt(rcx));
  assert.equal(fixture.call(name, 0, 0, 0), undefined);
  return fixture.slot(L.GPR_RAX);
}

beforeEach(() => {
  setCpuid(cpuModel().cpuid());
  fixture.setU32(L.MODE, 2 | L.MODE_FLAT);
  fixture.setU32(L.CR0, CR0);
  fixture.setU32(L.CR4, CR4);
  fixture.setSlot(L.XCR0, 3n);
  initialize();
});

// ---- Refusals -----------------------------------------------------------------------------------------------------
test("the family is #UD without CR4.OSXSAVE, even with CR0.TS, and #NM with it", () => {
  assert.equal(fixture.call("xsave_check", 0, 0, 0), undefined);
  fixture.setU32(L.CR0, CR0 | CR0_TS);
  assert.equal(fixture.call("xsave_check", 0, 0, 0), VECTOR_NM);
  fixture.setU32(L.CR4, CR4 & ~OSXSAVE);
  assert.equal(fixture.call("xsave_check", 0, 0, 0), VECTOR_UD);
  assert.equal(fixture.call("xgetbv", 0, 0, 0), VECTOR_UD);
  assert.equal(fixture.call("xsetbv", 0, 0, 0), VECTOR_UD);
});

for (const helper of ["xsave", "xsaveopt", "xsavec", "xrstor"]) {
  test(`${helper} wants 64-byte alignment`, () => {
    assert.equal(run(helper, 3n, AREA + 32), VECTOR_GP);
  });
}

test("XSETBV takes x87 state always and what leaf 0DH has, at CPL 0", () => {
  const set = (value: bigint, rcx = 0n): number | undefined => {
    setMask(value);
    fixture.setSlot(L.GPR_RCX, rcx);
    return fixture.call("xsetbv", 0, 0, 0);
  };
  assert.equal(set(1n), undefined);
  assert.equal(fixture.slot(L.XCR0), 1n);
  assert.equal(set(3n), undefined);
  for (const refused of [0n, 2n, 7n, 0x203n, 3n | COMPACTED]) assert.equal(set(refused), VECTOR_GP);
  assert.equal(set(3n, 1n), VECTOR_GP);
  fixture.setU32(L.CPL, 3);
  assert.equal(set(3n), VECTOR_GP);
  fixture.setU32(L.CPL, 0);
  assert.equal(fixture.slot(L.XCR0), 3n);
});

test("XRSTOR refuses headers with bits that mean nothing", () => {
  const withHeader = (...words: readonly bigint[]): number | undefined => {
    for (let i = 0; i < 8; i++) area().setBigUint64(XSTATE_BV_AT + 8 * i, words[i] ?? 0n, true);
    area().setUint32(MXCSR_AT, 0x1f80, true);
    return run("xrstor");
  };
  assert.equal(withHeader(3n), undefined);
  assert.equal(withHeader(3n, COMPACTED | 3n), undefined);
  assert.equal(withHeader(7n), VECTOR_GP);
  assert.equal(withHeader(3n, 3n), VECTOR_GP);
  assert.equal(withHeader(3n, 0n, 1n), VECTOR_GP);
  // Bytes 24 to 63 count in the compacted format alone.
  assert.equal(withHeader(3n, 0n, 0n, 1n), undefined);
  assert.equal(withHeader(3n, COMPACTED | 3n, 0n, 1n), VECTOR_GP);
  assert.equal(withHeader(3n, COMPACTED | 1n), VECTOR_GP);
  assert.equal(withHeader(3n, COMPACTED | 7n), VECTOR_GP);
  fixture.setSlot(L.XCR0, 1n);
  assert.equal(withHeader(3n), VECTOR_GP);
  assert.equal(withHeader(1n), undefined);
});

test("a processor without XSAVEC does not take the compacted format", () => {
  setCpuid(cpuModel("v2,-xsavec").cpuid());
  area().setBigUint64(XCOMP_BV_AT, COMPACTED | 3n, true);
  assert.equal(run("xrstor"), VECTOR_GP);
});

test("XRSTOR refuses an MXCSR that it would load, in the compacted format only with the XMM registers", () => {
  area().setUint32(MXCSR_AT, 0x1_1f80, true);
  const withHeader = (components: bigint, format: bigint, mask: bigint): number | undefined => {
    for (let i = 0; i < 8; i++) area().setBigUint64(XSTATE_BV_AT + 8 * i, 0n, true);
    area().setBigUint64(XSTATE_BV_AT, components, true);
    area().setBigUint64(XCOMP_BV_AT, format, true);
    return run("xrstor", mask);
  };
  assert.equal(withHeader(0n, 0n, 3n), VECTOR_GP);
  assert.equal(withHeader(0n, 0n, 1n), undefined);
  assert.equal(withHeader(2n, COMPACTED | 3n, 3n), VECTOR_GP);
  fixture.setU32(L.MXCSR, 0x1fa0);
  assert.equal(withHeader(0n, COMPACTED | 3n, 3n), undefined);
  assert.equal(fixture.u32(L.MXCSR), 0x1f80);
});

// ---- The init optimization ----------------------------------------------------------------------------------------
test("what is in its initial configuration is not in XINUSE", () => {
  assert.equal(read("xgetbv", 1), 0n);
  fixture.setXmm(15, 1n << 127n);
  assert.equal(read("xgetbv", 1), 2n);
  fixture.setU32(L.MODE, 1 | L.MODE_FLAT);
  assert.equal(read("xgetbv", 1), 0n);
  assert.equal(fixture.call("x87_load_constant", 0, 0, 0), undefined);
  assert.equal(read("xgetbv", 1), 1n);
  fixture.setSlot(L.XCR0, 3n);
  assert.equal(read("xgetbv", 0), 3n);
});

test("XSAVE saves initial state too and says so", () => {
  assert.equal(run("xsave"), undefined);
  assert.equal(area().getUint16(0, true), 0x37f);
  assert.equal(word(160), 0n);
  assert.equal(word(XSTATE_BV_AT), 0n);
  assert.equal(area().getUint8(XCOMP_BV_AT), UNTOUCHED);
});

test("XSAVEOPT leaves out initial state, but for MXCSR, and keeps header bits that it was not asked for", () => {
  assert.equal(fixture.call("x87_load_constant", 0, 0, 0), undefined);
  area().setBigUint64(XSTATE_BV_AT, 6n, true);
  assert.equal(run("xsaveopt"), undefined);
  assert.equal(area().getUint16(0, true), 0x37f);
  assert.equal(word(32) | (word(40) << 64n), ONE_F80);
  assert.equal(area().getUint32(MXCSR_AT, true), 0x1f80);
  assert.equal(area().getUint8(160), UNTOUCHED);
  assert.equal(word(XSTATE_BV_AT), 5n);
  assert.equal(area().getUint8(XCOMP_BV_AT), UNTOUCHED);
});

test("XSAVEC leaves out initial state with MXCSR, which makes SSE state count when it is not 1F80H", () => {
  assert.equal(run("xsavec", 2n), undefined);
  assert.equal(area().getUint8(MXCSR_AT), UNTOUCHED);
  assert.deepEqual([word(XSTATE_BV_AT), word(XCOMP_BV_AT)], [0n, COMPACTED | 2n]);
  fixture.setU32(L.MXCSR, 0x1fa0);
  assert.equal(read("xgetbv", 1), 2n);
  assert.equal(run("xsavec"), undefined);
  assert.equal(area().getUint32(MXCSR_AT, true), 0x1fa0);
  assert.equal(word(160), 0n);
  assert.equal(area().getUint8(0), UNTOUCHED);
  assert.deepEqual([word(XSTATE_BV_AT), word(XCOMP_BV_AT)], [2n, COMPACTED | 3n]);
  assert.equal(area().getUint8(XCOMP_BV_AT + 8), UNTOUCHED);
});

test("without a component in XCR0 nothing is done about it", () => {
  fixture.setSlot(L.XCR0, 1n);
  fixture.setXmm(0, 5n);
  assert.equal(run("xsavec"), undefined);
  assert.deepEqual([word(XSTATE_BV_AT), word(XCOMP_BV_AT)], [0n, COMPACTED | 1n]);
  for (let i = 0; i < 64; i++) area().setUint8(XSTATE_BV_AT + i, 0);
  assert.equal(run("xrstor"), undefined);
  assert.equal(fixture.xmm(0), 5n);
});

test("leaf 0DH gives the sizes of what XCR0 has turned on", () => {
  const leaf = (subleaf: number): bigint[] => {
    fixture.setSlot(L.GPR_RAX, 0xdn);
    read("cpuid", subleaf);
    return [L.GPR_RAX, L.GPR_RBX, L.GPR_RCX, L.GPR_RDX].map((slot) => fixture.slot(slot));
  };
  assert.deepEqual(leaf(0), [3n, 576n, 576n, 0n]);
  assert.deepEqual(leaf(1), [7n, 576n, 0n, 0n]);
  assert.deepEqual(leaf(2), [0n, 0n, 0n, 0n]);
  // A processor with AVX state.
  const avx = { leaf: 0xd, subleaf: 2, eax: 256, ebx: 576, ecx: 0, edx: 0 };
  setCpuid([...cpuModel().cpuid(), avx]);
  assert.deepEqual(leaf(0)[1], 576n);
  fixture.setSlot(L.XCR0, 7n);
  assert.deepEqual(leaf(0)[1], 832n);
  assert.deepEqual(leaf(1)[1], 832n);
});

// ---- Restart ------------------------------------------------------------------------------------------------------
const PAGE = 0x1000;
const MISSING = 0x9000;

for (const helper of ["xsave", "xsaveopt", "xsavec", "xrstor"]) {
  test(`${helper} that meets a page fault changes nothing and runs across pages that are there`, () => {
    fixture.setXmm(4, 4n);
    assert.equal(fixture.call("x87_load_constant", 0, 0, 0), undefined);
    const registers = fixture.save().bytes;
    fixture.enablePaging(MISSING, 0x8000_0000n | BigInt(CR0), CR4 | 0x20);
    const before = fixture.ram(MISSING - 0x100, 0x100);
    for (let i = 0; i < 0x100; i++) before.setUint8(i, UNTOUCHED);
    assert.equal(run(helper, 3n, MISSING - 0x100), VECTOR_PF);
    assert.equal(fixture.slot(L.FAULT_ADDRESS), BigInt(MISSING));
    assert.deepEqual(fixture.save().bytes, registers);
    for (let i = 0; i < 0x100; i++) assert.equal(before.getUint8(i), UNTOUCHED);

    const across = MISSING - PAGE - 0x100;
    const view = fixture.ram(across, AREA_BYTES);
    for (let i = 0; i < AREA_BYTES; i++) view.setUint8(i, 0);
    const saves = helper === "xrstor" ? "xsavec" : helper;
    assert.equal(run(saves, 3n, across), undefined);
    assert.equal(view.getBigUint64(XSTATE_BV_AT, true), 3n);
    fixture.setXmm(4, 9n);
    assert.equal(run("xrstor", 3n, across), undefined);
    assert.deepEqual(fixture.save().bytes, registers);
    fixture.setSlot(L.CR0, BigInt(CR0));
  });
}
