/**
 * The x87 unit's pointers to its last instruction and operand against the real CPU (SDM 1, 8.1.8): the cases of all x87
 * and MMX rows between an FLDENV that loads known pointers and an FNSTENV that shows what has become of them.
 * FXSAVE and XSAVE are not compared: AMD processors give them the pointers only while an exception is pending. Of Intel's
 * newer processors only what CPUID leaf 7 leaves defined is compared (SDM 1, 8.1.8).
 */
import assert from "node:assert/strict";
import test from "node:test";
import type { InstructionRow } from "../../src/engine/x86/row.ts";
import { mmxRows } from "../../src/engine/x86/spec-mmx.ts";
import { x87Rows } from "../../src/engine/x86/spec-x87.ts";
import {
  type CpuOutcome,
  DATA,
  describeDifferences,
  FLAG,
  FpImage,
  type InstructionCase,
  NativeExecutor,
  oracleSupport,
  resolveCase,
} from "../oracle/index.ts";
import { CaseGenerator } from "./case-generator.ts";
import { compareRow } from "./conformance.ts";
import { RBX } from "./draft.ts";
import { EngineExecutor } from "./engine-executor.ts";
import { type HostCpu, hostCpu } from "./host-cpu.ts";
import { hasUnmaskedX87Exception } from "./vendors.ts";

const CASES_PER_ROW = Number(process.env["CONFORMANCE_CASES"] ?? 24);
const SEED = Number(process.env["CONFORMANCE_SEED"] ?? 1);
const CASES_MIN = 3000;
const SHOWN = 3;
const ATTEMPTS = 4;
/** Their results are defined by their error only. */
const APPROXIMATE = /^(f2xm1|fyl2x|fyl2xp1|fptan|fpatan|fsin|fcos|fsincos)$/;

const support = oracleSupport();
const skip = support.available ? false : support.reason;

const STORES_SELECTORS = /^(fnstenv|fnsave)$/;

/** Offsets in the data region of the environment that is loaded, and of the one that is stored. */
const LOADED = 0x1f00;
const STORED = 0x1f80;
const ENVIRONMENT_BYTES = 28;
const SUMMARY = 0x80;
const PREFIXES = { ds: [], es: [0x26], ss: [0x36] } as const;

/** A segment register that holds what it does by default. */
const freeSegment = ({ initial }: InstructionCase): keyof typeof PREFIXES => {
  const used = initial?.segments ?? {};
  return used.ds === undefined ? "ds" : used.ss === undefined ? "ss" : "es";
};

/** FLDENV (digit 4) or FNSTENV (6) of 28 bytes at an offset in the data region. */
function environmentCode(source: InstructionCase, digit: 4 | 6, offset: number): number[] {
  const prefixes = [...PREFIXES[freeSegment(source)]];
  if (source.mode === "protected16")
    return [...prefixes, 0x66, 0xd9, (digit << 3) | 6, offset & 0xff, offset >> 8];
  const address = DATA.gva + offset;
  const displacement = [0, 8, 16, 24].map((shift) => (address >> shift) & 0xff);
  const modrm = source.mode === "long64" ? [(digit << 3) | 4, 0x25] : [(digit << 3) | 5];
  return [...prefixes, 0xd9, ...modrm, ...displacement];
}

/** The environment of a state, with pointers that no instruction of the case has. */
function environmentOf(fp: FpImage): Uint8Array {
  const tags = Array.from({ length: 8 }, (_, i) => (((fp.ftw >> i) & 1) === 1 ? 0 : 3 << (2 * i)));
  const bytes = new Uint8Array(ENVIRONMENT_BYTES);
  new Uint32Array(bytes.buffer).set([
    ...[fp.fcw, fp.fsw, tags.reduce((all, tag) => all | tag, 0)],
    ...[0x1234_5678, 0x05a5_0053, 0x0765_4321, 0x0063],
  ]);
  return bytes;
}

/** The case between FLDENV and FNSTENV; undefined if it has an exception pending, traps or has a lock prefix. */
function wrapped(source: InstructionCase): InstructionCase | undefined {
  const { state, code, codeGva } = resolveCase(source);
  const fp = new FpImage(state.fp);
  if ((fp.fsw & SUMMARY) !== 0 || (Number(state.rflags) & FLAG.tf) !== 0) return undefined;
  const before = environmentCode(source, 4, LOADED);
  const after = environmentCode(source, 6, STORED);
  const isOpenStatus = (source.undefined?.fsw ?? 0) !== 0;
  const isApproximate = APPROXIMATE.test(source.name.split(" ").find((word) => word.startsWith("f")) ?? "");
  const stored = DATA.gva + STORED;
  return {
    ...source,
    code: Uint8Array.from([...before, ...code, ...after]),
    initial: { ...source.initial, codeGva: codeGva - before.length },
    memory: [...(source.memory ?? []), { gva: DATA.gva + LOADED, bytes: environmentOf(fp) }],
    undefined: {
      ...source.undefined,
      ...(isApproximate && { st: [0, 1] }),
      // Status and tags, where the instruction's result is open.
      memory: isOpenStatus ? [{ gva: stored + 4, sizeBytes: 8 }] : [],
    },
  };
}

/** The processor that gives the expected results, and what newer ones do not record, which the engine does. */
interface Processor {
  readonly host: HostCpu;
  readonly executor: NativeExecutor;
  /** FOP and FDP are those of the last instruction with an unmasked exception. */
  readonly isDataOfExceptionsOnly: boolean;
  /** FCS and FDS are 0. */
  readonly hasNoSelectors: boolean;
}

async function processorOf(host: HostCpu, executor: NativeExecutor): Promise<Processor> {
  const source: InstructionCase = {
    name: "CPUID leaf 7",
    mode: "long64",
    code: "0f a2",
    initial: { gpr: { rax: 7, rcx: 0 } },
  };
  const [outcome] = await executor.execute([source]);
  assert.ok(outcome !== undefined);
  const features = Number(BigInt.asUintN(32, outcome.gpr[RBX] ?? 0n));
  return {
    host,
    executor,
    isDataOfExceptionsOnly: (features & (1 << 6)) !== 0,
    hasNoSelectors: (features & (1 << 13)) !== 0,
  };
}

interface PointerCase {
  readonly row: InstructionRow;
  readonly source: InstructionCase;
}

function casesOf({ host, hasNoSelectors }: Processor): PointerCase[] {
  const generator = new CaseGenerator(host, SEED);
  const rows = [...x87Rows, ...mmxRows]
    .filter(({ features }) =>
      [...features].every((feature) => feature !== "fxsr" && !feature.startsWith("xsave")),
    )
    .filter(({ mnemonic }) => !(hasNoSelectors && STORES_SELECTORS.test(mnemonic)));
  return rows.flatMap((row) =>
    generator
      .casesOf(row, CASES_PER_ROW)
      .flatMap((each) => wrapped(each) ?? [])
      .map((source) => ({ row, source })),
  );
}

/** The case with what this processor does not record left open. */
function withinLimits(
  { isDataOfExceptionsOnly, hasNoSelectors }: Processor,
  source: InstructionCase,
  outcome: CpuOutcome,
): InstructionCase {
  const hasNoData = isDataOfExceptionsOnly && !hasUnmaskedX87Exception(source, outcome);
  const at = (offset: number, sizeBytes: number) => ({ gva: DATA.gva + STORED + offset, sizeBytes });
  const memory = [
    ...(source.undefined?.memory ?? []),
    ...(hasNoSelectors ? [at(16, 2), at(24, 2)] : []),
    ...(hasNoData ? [at(18, 6)] : []),
  ];
  return { ...source, undefined: { ...source.undefined, memory } };
}

/** Descriptions of the cases, by number, in which the engine differs from the CPU. */
async function differencesOf(
  cases: readonly PointerCase[],
  processor: Processor,
  engine: EngineExecutor,
): Promise<ReadonlyMap<number, string>> {
  const { executor, host } = processor;
  const sources = cases.map(({ source }) => source);
  const expected = await executor.execute(sources);
  const actual = await engine.execute(sources);
  const differences = new Map<number, string>();
  for (const [i, { row, source }] of cases.entries()) {
    const [left, right] = [expected[i], actual[i]];
    assert.ok(left !== undefined && right !== undefined);
    const found = compareRow(row, host, withinLimits(processor, source, left), left, right);
    const names = { expected: executor.name, actual: engine.name };
    if (found.length > 0) differences.set(i, describeDifferences(source, found, names));
  }
  return differences;
}

for (const tier of ["interpreter", "regions"] as const) {
  test(`x87 instructions leave the pointers that the real CPU leaves: ${tier}`, { skip }, async () => {
    assert.ok(support.available);
    const host = hostCpu(support);
    await using executor = new NativeExecutor();
    const processor = await processorOf(host, executor);
    const engine = new EngineExecutor(tier, host.features);
    const cases = casesOf(processor);
    assert.ok(cases.length > CASES_MIN, `${String(cases.length)} cases`);
    // A host that switches tasks within a case loses the pointers: what differs is asked again, alone.
    let left = cases;
    let differences: ReadonlyMap<number, string> = new Map();
    for (let attempt = 0; attempt < ATTEMPTS && left.length > 0; attempt++) {
      differences = await differencesOf(left, processor, engine);
      left = left.filter((_, i) => differences.has(i));
    }
    assert.deepEqual([...differences.values()].slice(0, SHOWN), []);
  });
}
