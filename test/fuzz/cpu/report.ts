/** Reports of differences for people: the reduced sequence, the original, and how to run it again. */
import { rowName } from "../../conformance/case-generator.ts";
import { describeDifferences, FLAG, FpImage, type InstructionCase, resolveCase } from "../../oracle/index.ts";
import type { Failure } from "./judge.ts";
import type { Reduced } from "./reduce.ts";
import type { Sequence } from "./sequences.ts";

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

/** What a case gives beyond registers and flags, one line each. */
function stateLines(source: InstructionCase): string[] {
  const { initial = {}, memory = [] } = source;
  const lines: string[] = [];
  const { state } = resolveCase(source);
  const image = new FpImage(state.fp);
  if (
    initial.st !== undefined ||
    initial.mm !== undefined ||
    initial.fcw !== undefined ||
    initial.fsw !== undefined
  ) {
    lines.push(`fcw=${hex(image.fcw)} fsw=${hex(image.fsw)} ftw=${hex(image.ftw)}`);
    const given = initial.st ?? initial.mm ?? [];
    given.forEach((value, i) => {
      lines.push(`${initial.st === undefined ? "mm" : "st"}${String(i)}=${hex(value)}`);
    });
  }
  if (initial.mxcsr !== undefined) lines.push(`mxcsr=${hex(initial.mxcsr)}`);
  for (const [n, value] of Object.entries(initial.xmm ?? {})) lines.push(`xmm${n}=${hex(value)}`);
  for (const [name, value] of Object.entries(initial.segments ?? {})) lines.push(`${name}=${value}`);
  if (initial.fsBase !== undefined && initial.fsBase !== 0n) lines.push(`fs base=${hex(initial.fsBase)}`);
  if (initial.gsBase !== undefined && initial.gsBase !== 0n) lines.push(`gs base=${hex(initial.gsBase)}`);
  for (const { gva, bytes } of memory) lines.push(`[${hex(gva)}]=${Buffer.from(bytes).toString("hex")}`);
  return lines;
}

/** The command that runs a sequence again. */
export const replayCommand = (seed: number, number: number): string =>
  `npm run fuzz -- cpu --seed ${String(seed)} --case ${String(number)}`;

/** A report of a failure and what it was reduced to. */
export function describeReduced(failure: Failure, reduced: Reduced, seed: number): string {
  const { sequence } = reduced;
  const lines = [
    `sequence ${String(sequence.number)}, made around ${sequence.row === undefined ? "no row" : rowName(sequence.row)}:`,
  ];
  if (reduced.fails !== "alone") lines.push(`${historyText(reduced.fails)}; this is the whole of it:`);
  for (const { tier, differences } of reduced.tiers)
    lines.push(describeDifferences(sequence.source, differences, { expected: "real CPU", actual: tier }));
  const state = stateLines(sequence.source);
  if (state.length > 0) lines.push("  with:", ...state.map((line) => `    ${line}`));
  const whole = resolveCase(failure.sequence.source).code;
  lines.push(`  reduced from ${String(whole.length)} bytes: ${Buffer.from(whole).toString("hex")}`);
  lines.push(`  again: ${replayCommand(seed, sequence.number)}`);
  return lines.join("\n");
}

function historyText(needed: readonly Sequence[] | undefined): string {
  if (needed === undefined) return "it has failed once and not again";
  const [only] = needed;
  return needed.length === 1 && only !== undefined
    ? `it fails only behind sequence ${String(only.number)}`
    : `it fails only behind the ${String(needed.length)} sequences before it`;
}

/** The same as data. */
export function reducedAsData(reduced: Reduced, seed: number): unknown {
  const { sequence, tiers, fails } = reduced;
  const { source } = sequence;
  const { state, code, codeGva } = resolveCase(source);
  return {
    sequence: sequence.number,
    row: sequence.row === undefined ? null : rowName(sequence.row),
    mode: source.mode,
    code: Buffer.from(code).toString("hex"),
    codeGva: hex(codeGva),
    registers: [...state.gpr].map(hex),
    flags: Object.entries(FLAG)
      .filter(([, bit]) => ((source.initial?.flags ?? 0) & bit) !== 0)
      .map(([name]) => name),
    state: stateLines(source),
    fails: fails === "alone" ? fails : (fails?.map(({ number }) => number) ?? null),
    tiers,
    replay: replayCommand(seed, sequence.number),
  };
}
