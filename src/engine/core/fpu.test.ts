/** Every x87, SSE floating-point and MMX form against the real CPU, with random operands and control words. */
import assert from "node:assert/strict";
import test from "node:test";
import { oracleSupport } from "../../../test/oracle/index.ts";
import { mmxForms } from "../ir/helpers-mmx.ts";
import { sseFloatForms } from "../ir/helpers-sse.ts";
import { x87Forms } from "../ir/helpers-x87.ts";
import { FloatSource, mmxCase, sseCase, x87Case } from "./fpu-cases-fixture.ts";
import { differencesFromCpu, type FpuCase, FpuFixture } from "./fpu-fixture.ts";

const support = oracleSupport();
const skip = support.available ? false : support.reason;
/** More cases for a longer hunt: FPU_CASES=5000 FPU_ONLY='fprem' node --test src/engine/core/fpu.test.ts */
const CASES_PER_FORM = Number(process.env["FPU_CASES"] ?? 40);
const only = new RegExp(process.env["FPU_ONLY"] ?? ".");
const SEED = Number(process.env["FPU_SEED"] ?? 2026);

/** Results that the manual defines by their error only have tests of their own. */
const APPROXIMATE = /^(rcp|rsqrt|f2xm1|fyl2x|fyl2xp1|fptan|fpatan|fsin|fcos|fsincos)/;
const SHOWN = 5;

const fixture = await FpuFixture.start();

function casesOf<Form extends { readonly mnemonic: string }>(
  forms: readonly Form[],
  make: (form: Form, number: number, from: FloatSource) => FpuCase,
): FpuCase[] {
  const from = new FloatSource(SEED);
  return forms
    .filter((form) => only.test(form.mnemonic) && !APPROXIMATE.test(form.mnemonic))
    .flatMap((form) => Array.from({ length: CASES_PER_FORM }, (_, number) => make(form, number, from)));
}

async function assertLikeCpu(cases: readonly FpuCase[]): Promise<void> {
  const differences = await differencesFromCpu(fixture, cases);
  assert.equal(
    differences.length,
    0,
    `of ${String(cases.length)}:\n${differences.slice(0, SHOWN).join("\n")}`,
  );
}

test("x87 instructions do what the real CPU does", { skip }, async () => {
  const cases = casesOf(x87Forms, x87Case);
  assert.ok(cases.length > 5000 || process.env["FPU_ONLY"] !== undefined);
  await assertLikeCpu(cases);
});

test(
  "SSE floating-point, conversion and string instructions do what the real CPU does",
  { skip },
  async () => {
    const cases = casesOf(sseFloatForms, sseCase);
    assert.ok(cases.length > 3000 || process.env["FPU_ONLY"] !== undefined);
    await assertLikeCpu(cases);
  },
);

test("MMX instructions do what the real CPU does", { skip }, async () => {
  const cases = casesOf(mmxForms, mmxCase);
  assert.ok(cases.length > 3000 || process.env["FPU_ONLY"] !== undefined);
  await assertLikeCpu(cases);
});

test("RCP and RSQRT are within 1.5 * 2^-12 of the exact result", () => {
  const from = new FloatSource(SEED);
  const view = new DataView(new ArrayBuffer(4));
  const number = (bits: number): number => {
    view.setUint32(0, bits);
    return view.getFloat32(0);
  };
  for (let i = 0; i < 1000; i++) {
    const bits = Number(from.f32() & 0x7fff_ffffn);
    if (bits < 0x0100_0000 || bits > 0x7e00_0000) continue;
    fixture.setXmm(2, BigInt(bits));
    fixture.call("rcpss", 1, 2, 0);
    assert.ok(Math.abs(number(Number(fixture.xmm(1) & 0xffff_ffffn)) * number(bits) - 1) < 1.5 * 2 ** -12);
    fixture.call("rsqrtss", 1, 2, 0);
    const root = number(Number(fixture.xmm(1) & 0xffff_ffffn));
    assert.ok(Math.abs(root * Math.sqrt(number(bits)) - 1) < 1.5 * 2 ** -12);
  }
});
