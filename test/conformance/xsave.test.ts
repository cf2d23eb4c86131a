/**
 * Sequences of XSAVE instructions in both tiers against the real CPU: with XRSTOR the processor knows which state is in
 * its initial configuration, which the single instructions of the other suite never show.
 */
import assert from "node:assert/strict";
import test from "node:test";
import {
  compareOutcomes,
  DATA,
  describeDifferences,
  type InstructionCase,
  NativeExecutor,
  oracleSupport,
} from "../oracle/index.ts";
import { EngineExecutor } from "./engine-executor.ts";
import { type HostCpu, hostCpu } from "./host-cpu.ts";

const support = oracleSupport();
const skip =
  support.available && support.cpuFlags.has("xsavec") ? false : "the processor has no XSAVEC to compare with";

/** An area with nothing but MXCSR in it, and one that is written. */
const EMPTY = DATA.gva;
const SAVED = DATA.gva + 0x400;
const AREA_BYTES = 576;

// Code with RBX at EMPTY and RSI at SAVED.
const RESTORE_INITIAL = "b8 03 00 00 00 31 d2 0f ae 2b"; // mov eax, 3; xor edx, edx; xrstor [rbx]
const MASKS = [1, 2, 3] as const;
const mask = (bits: number): string => `b8 0${String(bits)} 00 00 00`;
const uses = {
  nothing: "",
  "x87 state": "d9 eb", // fldpi
  "SSE state": "66 0f 74 ed", // pcmpeqb xmm5, xmm5
  MXCSR: "0f ae 53 1c", // ldmxcsr [rbx+1ch]
  "x87 and SSE state": "d9 eb 66 0f 74 ed",
  "the x87 control word": "d9 6b 20", // fldcw [rbx+20h]
} as const;
const saves = { xsave: "0f ae 26", xsaveopt: "0f ae 36", xsavec: "0f c7 26" } as const;
// mov ecx, 1; xgetbv; and eax, 3; xor edx, edx
const XGETBV_IN_USE = "b9 01 00 00 00 0f 01 d0 83 e0 03 31 d2";

function emptyArea(): Uint8Array {
  const bytes = new Uint8Array(AREA_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(24, 0x1f80, true);
  // What LDMXCSR and FLDCW take.
  view.setUint32(0x1c, 0x1fa0, true);
  view.setUint16(0x20, 0x27f, true);
  return bytes;
}

/** Whether state in its initial configuration counts as in use is the processor's choice, SDM 1 13.6; so AMD's choose. */
const isIntelsChoice = (what: string, name: string): boolean => what === "MXCSR" && name !== "xsavec";

const casesOf = ({ isAmd }: HostCpu): InstructionCase[] =>
  Object.entries(uses).flatMap(([what, use]) =>
    Object.entries(saves)
      .filter(([name]) => isAmd || !isIntelsChoice(what, name))
      .flatMap(([name, save]) =>
        MASKS.map((bits) => ({
          name: `${name} with mask ${String(bits)} after the use of ${what}`,
          mode: "long64" as const,
          code: [RESTORE_INITIAL, use, mask(bits), save, XGETBV_IN_USE]
            .filter((part) => part !== "")
            .join(" "),
          initial: { gpr: { rbx: EMPTY, rsi: SAVED } },
          memory: [{ gva: EMPTY, bytes: emptyArea() }],
          // The last instruction's pointers, which AMD processors save only with a pending exception, and MXCSR_MASK.
          undefined: {
            memory: [
              { gva: SAVED + 6, sizeBytes: 18 },
              { gva: SAVED + 28, sizeBytes: 4 },
            ],
          },
        })),
      ),
  );

for (const tier of ["interpreter", "regions"] as const) {
  test(`sequences of XSAVE instructions do what the real CPU does: ${tier}`, { skip }, async () => {
    assert.ok(support.available);
    await using cpu = new NativeExecutor();
    const host = hostCpu(support);
    const engine = new EngineExecutor(tier, host.features);
    const cases = casesOf(host);
    const expected = await cpu.execute(cases);
    const actual = await engine.execute(cases);
    const differences = cases.flatMap((each, i) => {
      const [left, right] = [expected[i], actual[i]];
      assert.ok(left !== undefined && right !== undefined);
      assert.equal(left.exit.kind, "completed", each.name);
      const found = compareOutcomes(each, left, right);
      return found.length === 0 ? [] : [describeDifferences(each, found)];
    });
    assert.deepEqual(differences, []);
    assert.equal(cases.length, host.isAmd ? 54 : 48);
  });
}
