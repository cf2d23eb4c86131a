/**
 * Selectors on the stack at the end of a page: Intel's processors read their 16 bits and nothing of what pads them, which the
 * engine does too.
 */
import assert from "node:assert/strict";
import test from "node:test";
import {
  type CpuMode,
  exitText,
  type InstructionCase,
  NativeExecutor,
  oracleSupport,
  STACK,
} from "../oracle/index.ts";
import { EngineExecutor } from "./engine-executor.ts";
import { hostCpu } from "./host-cpu.ts";

const support = oracleSupport();
const host = support.available ? hostCpu(support) : undefined;
const skip = !support.available
  ? support.reason
  : host?.isAmd === true
    ? "AMD processors read the whole operand"
    : false;

const STACK_END = STACK.gva + STACK.sizeBytes;
const TARGET = 0x1000_0900;
const CODE_32 = 0x23;
const CODE_64 = 0x33;
const DATA = 0x2b;
const FLAGS = 0x202;

interface Frame {
  readonly name: string;
  readonly mode: CpuMode;
  readonly code: string;
  readonly sizeBytes: 4 | 8;
  /** From the top of the stack; the last one is a selector. */
  readonly values: readonly number[];
}

const frames: readonly Frame[] = [
  { name: "RETF of 32 bits", mode: "compat32", code: "cb", sizeBytes: 4, values: [TARGET, CODE_32] },
  { name: "RETF in 64-bit mode", mode: "long64", code: "cb", sizeBytes: 4, values: [TARGET, CODE_64] },
  { name: "RETF of 64 bits", mode: "long64", code: "48 cb", sizeBytes: 8, values: [TARGET, CODE_64] },
  {
    name: "IRETD in 64-bit mode",
    mode: "long64",
    code: "cf",
    sizeBytes: 4,
    values: [TARGET, CODE_64, FLAGS, STACK_END - 64, DATA],
  },
  {
    name: "IRETQ",
    mode: "long64",
    code: "48 cf",
    sizeBytes: 8,
    values: [TARGET, CODE_64, FLAGS, STACK_END - 64, DATA],
  },
  { name: "POP FS of 64 bits", mode: "long64", code: "0f a1", sizeBytes: 8, values: [0] },
  { name: "POP DS of 32 bits", mode: "compat32", code: "1f", sizeBytes: 4, values: [DATA] },
];

/** The frame on the stack with `present` bytes of its last value in front of the end of the page. */
function caseOf({ name, mode, code, sizeBytes, values }: Frame, present: number): InstructionCase {
  const bytes = new Uint8Array(sizeBytes * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, i) => view.setUint32(i * sizeBytes, value, true));
  const lengthBytes = sizeBytes * (values.length - 1) + present;
  const gva = STACK_END - lengthBytes;
  return {
    name: `${name} with ${String(present)} bytes`,
    mode,
    code,
    initial: { gpr: { rsp: gva } },
    memory: [{ gva, bytes: bytes.subarray(0, lengthBytes) }],
  };
}

const cases = frames.flatMap((frame) => [1, 2, 3, frame.sizeBytes].map((present) => caseOf(frame, present)));

for (const tier of ["interpreter", "regions"] as const) {
  test(`selectors on the stack are 16 bits: ${tier}`, { skip }, async () => {
    assert.ok(host !== undefined);
    await using cpu = new NativeExecutor();
    const describe = async (executor: NativeExecutor | EngineExecutor): Promise<string[]> =>
      (await executor.execute(cases)).map(
        ({ exit, rip, gpr }, i) =>
          `${cases[i]?.name ?? ""}: ${exitText(exit)}, rip ${rip.toString(16)}, rsp ${(gpr[4] ?? 0n).toString(16)}`,
      );
    const expected = await describe(cpu);
    assert.deepEqual(await describe(new EngineExecutor(tier, host.features)), expected);
    assert.equal(expected.filter((text) => text.includes("completed")).length, 3 * frames.length);
  });
}
