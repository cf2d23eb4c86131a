/**
 * The x87 unit's pointers to its last instruction and operand against the real CPU (SDM 1, 8.1.8): the cases of all x87
 * and MMX rows between an FLDENV that loads known pointers and an FNSTENV that shows what has become of them.
 * FXSAVE and XSAVE are not compared: AMD processors give them the pointers only while an exception is pending.
 */
import assert from "node:assert/strict";
import test from "node:test";
import { mmxRows } from "../../src/engine/x86/spec-mmx.ts";
import { x87Rows } from "../../src/engine/x86/spec-x87.ts";
import {
  compareOutcomes,
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
import { EngineExecutor } from "./engine-executor.ts";
import { type HostCpu, hostCpu } from "./host-cpu.ts";

const CASES_PER_ROW = Number(process.env["CONFORMANCE_CASES"] ?? 24);
const SEED = Number(process.env["CONFORMANCE_SEED"] ?? 1);
const CASES_MIN = 3000;
const SHOWN = 3;
const ATTEMPTS = 4;
/** Their results are defined by their error only. */
const APPROXIMATE = /^(f2xm1|fyl2x|fyl2xp1|fptan|fpatan|fsin|fcos|fsincos)$/;

const support = oracleSupport();
const skip = support.available ? false : support.reason;

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

function casesOf(host: HostCpu): InstructionCase[] {
  const generator = new CaseGenerator(host, SEED);
  const rows = [...x87Rows, ...mmxRows].filter(({ features }) =>
    [...features].every((feature) => feature !== "fxsr" && !feature.startsWith("xsave")),
  );
  return rows.flatMap((row) =>
    generator.casesOf(row, CASES_PER_ROW).flatMap((source) => wrapped(source) ?? []),
  );
}

/** Descriptions of the cases, by number, in which the engine differs from the CPU. */
async function differencesOf(
  cases: readonly InstructionCase[],
  cpu: NativeExecutor,
  engine: EngineExecutor,
): Promise<ReadonlyMap<number, string>> {
  const expected = await cpu.execute(cases);
  const actual = await engine.execute(cases);
  const differences = new Map<number, string>();
  for (const [i, each] of cases.entries()) {
    const [left, right] = [expected[i], actual[i]];
    assert.ok(left !== undefined && right !== undefined);
    const found = compareOutcomes(each, left, right);
    const names = { expected: cpu.name, actual: engine.name };
    if (found.length > 0) differences.set(i, describeDifferences(each, found, names));
  }
  return differences;
}

for (const tier of ["interpreter", "regions"] as const) {
  test(`x87 instructions leave the pointers that the real CPU leaves: ${tier}`, { skip }, async () => {
    assert.ok(support.available);
    const host = hostCpu(support);
    await using cpu = new NativeExecutor();
    const engine = new EngineExecutor(tier, host.features);
    const cases = casesOf(host);
    assert.ok(cases.length > CASES_MIN, `${String(cases.length)} cases`);
    // A host that switches tasks within a case loses the pointers: what differs is asked again, alone.
    let left = cases;
    let differences: ReadonlyMap<number, string> = new Map();
    for (let attempt = 0; attempt < ATTEMPTS && left.length > 0; attempt++) {
      differences = await differencesOf(left, cpu, engine);
      left = left.filter((_, i) => differences.has(i));
    }
    assert.deepEqual([...differences.values()].slice(0, SHOWN), []);
  });
}
